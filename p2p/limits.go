package p2p

import (
	"fmt"
	"math"
	"net/netip"
	"runtime/debug"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/net/connmgr"
	"github.com/libp2p/go-libp2p/x/rate"
)

// How the limits follow from the machine.
const (
	memoryShare    = 8         // the network stack gets an eighth of the machine's memory
	memoryFloor    = 128 << 20 // below this libp2p's smallest limits hold
	memoryCeiling  = 4 << 30   // more connections than that buys serve nobody
	connShare      = 2         // trimming starts at half of the connections that the resource manager would allow
	connFloor      = 32        // enough for a cell and its clients on the smallest machine
	connCeiling    = 1024
	trimGrace      = 20 * time.Second // a new connection is not trimmed before it had this time to be useful
	connLowPercent = 75               // trimming stops at this share of the upper mark
)

// limits are what one host may use; see Host.Limits.
type limits struct {
	system    rcmgr.BaseLimit
	perPeer   rcmgr.BaseLimit
	transient rcmgr.BaseLimit
	low, high int
	memory    int64
	config    Limits
}

// privatePrefixes are where many nodes of one network may share an address or a small range.
var privatePrefixes = []string{"127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10"}
var privatePrefixes6 = []string{"::1/128", "fc00::/7", "fe80::/10"}

// buildLimits computes the limits from memory and file descriptors and makes the two managers that hold them.
func buildLimits(c Config) (network.ResourceManager, *connmgr.BasicConnMgr, limits, error) {
	base := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&base)
	auto := base.AutoScale().ToPartialLimitConfig()
	memory := c.Limits.Memory
	if memory == 0 {
		memory = int64(auto.System.Memory) - memoryFloor // what AutoScale added is an eighth of the machine's memory
		if soft := debug.SetMemoryLimit(-1); soft != math.MaxInt64 {
			memory = min(memory, soft/memoryShare)
		}
		memory = min(max(memory, memoryFloor), memoryCeiling)
	}
	concrete := base.Scale(memory, int(auto.System.FD))
	partial := concrete.ToPartialLimitConfig()
	l := limits{system: toBase(partial.System), perPeer: toBase(partial.PeerDefault), transient: toBase(partial.Transient),
		memory: memory, config: c.Limits}

	l.high = c.Limits.Connections
	if l.high == 0 {
		l.high = min(max(l.system.Conns/connShare, connFloor), connCeiling)
	}
	if l.high > l.system.Conns {
		return nil, nil, limits{}, fmt.Errorf("p2p: Limits.Connections is %d, but %d bytes of memory allow %d: lower it or raise Limits.Memory",
			l.high, memory, l.system.Conns)
	}
	l.low = max(l.high*connLowPercent/100, 1)

	var opts []rcmgr.Option
	if c.AllowPrivate {
		// One address may be many nodes there: the counts and rates per address of the public network would cut a
		// devnet on one host, or a cell behind one bridge, in pieces.
		var p4, p6 []rcmgr.NetworkPrefixLimit
		var rates []rate.PrefixLimit
		for i, s := range append(append([]string{}, privatePrefixes...), privatePrefixes6...) {
			prefix, err := netip.ParsePrefix(s)
			if err != nil {
				return nil, nil, limits{}, fmt.Errorf("p2p: private prefix %s: %w", s, err)
			}
			pl := rcmgr.NetworkPrefixLimit{Network: prefix, ConnCount: math.MaxInt}
			if i < len(privatePrefixes) {
				p4 = append(p4, pl)
			} else {
				p6 = append(p6, pl)
			}
			rates = append(rates, rate.PrefixLimit{Prefix: prefix})
		}
		opts = append(opts, rcmgr.WithNetworkPrefixLimit(p4, p6), rcmgr.WithConnRateLimiters(&rate.Limiter{
			NetworkPrefixLimits: rates,
			SubnetRateLimiter: rate.SubnetLimiter{ // the library's own, which this limiter replaces
				IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: rate.Limit{RPS: 0.2, Burst: 16}}},
				IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 56, Limit: rate.Limit{RPS: 0.2, Burst: 16}},
					{PrefixLength: 48, Limit: rate.Limit{RPS: 0.5, Burst: 80}}},
				GracePeriod: time.Minute,
			}}))
	}
	if c.Registerer == nil {
		opts = append(opts, rcmgr.WithMetricsDisabled())
	}
	rm, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(concrete), opts...)
	if err != nil {
		return nil, nil, limits{}, fmt.Errorf("p2p: resource manager: %w", err)
	}
	cm, err := connmgr.NewConnManager(l.low, l.high, connmgr.WithGracePeriod(trimGrace))
	if err != nil {
		return nil, nil, limits{}, fmt.Errorf("p2p: connection manager: %w", err)
	}
	return rm, cm, l, nil
}

func toBase(r rcmgr.ResourceLimits) rcmgr.BaseLimit {
	return r.Build(rcmgr.BaseLimit{})
}

// String prints the limits for an operator: one line each.
func (l limits) String() string {
	var b strings.Builder
	line := func(what string, x rcmgr.BaseLimit) {
		fmt.Fprintf(&b, "%-12s %6d connections (%d in, %d out), %6d streams (%d in, %d out), %5d file descriptors, %6d MiB\n",
			what, x.Conns, x.ConnsInbound, x.ConnsOutbound, x.Streams, x.StreamsInbound, x.StreamsOutbound, x.FD, x.Memory>>20)
	}
	line("all peers", l.system)
	line("one peer", l.perPeer)
	line("handshakes", l.transient)
	fmt.Fprintf(&b, "%-12s above %d connections down to %d; validators are never trimmed\n", "trimming", l.high, l.low)
	fmt.Fprintf(&b, "%-12s %d frames or %d MiB for one peer and protocol; gossip frames up to %d KiB, %d queued\n", "queues",
		l.config.SendQueueFrames, l.config.SendQueueBytes>>20, l.config.MaxGossip>>10, gossipQueue)
	return b.String()
}

// Limits returns what this host may use of the machine, as text for an operator.
func (h *Host) Limits() string { return h.limits.String() }
