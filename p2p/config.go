package p2p

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/prometheus/client_golang/prometheus"
)

// Bounds of a configuration: an operator's slip must not become a peer's problem.
const (
	maxChainName      = 64  // characters of a chain id inside protocol and topic names
	maxProtocolName   = 64  // characters of the names given to Handle, HandleMessage and Join
	maxConfiguredAddr = 128 // addresses in each of Listen, Announce, Bootstrap and Relays
)

// Defaults of what a Config leaves at zero.
const (
	defaultProviderValidity = 48 * time.Hour // as long as in the public DHT: long enough to re-provide at leisure
	defaultMaxGossip        = 1 << 20        // GossipSub refuses larger messages by default, too
	defaultFrameTimeout     = 10 * time.Second
	defaultSendQueueFrames  = 1024        // frames waiting for one peer on one protocol
	defaultSendQueueBytes   = 32 << 20    // bytes waiting for one peer on one protocol
	defaultDiscoverEvery    = time.Minute // longest pause between two looks at the rendezvous record
	defaultReconnectMax     = time.Minute // longest pause between two attempts to reach a bootstrap peer
)

// Reachability says what the node knows about its own addresses.
type Reachability string

// The kinds of reachability. Forced ones reach AutoNAT v1 only (libp2p v0.51 has no such switch for v2); they decide
// whether the relay service and the relay client start.
const (
	ReachabilityAuto    Reachability = ""        // AutoNAT finds out
	ReachabilityPublic  Reachability = "public"  // dialable from outside: never look for relays
	ReachabilityPrivate Reachability = "private" // behind a NAT: look for relays at once
)

// Config says what host to make. HostKey and Chain are required; every other field has a working zero.
type Config struct {
	// HostKey is the host's identity. It is not the validator key: the ledger binds the two.
	HostKey crypto.PrivKey
	// Chain is the chain id: letters, digits, '.', '-', '_', at most 64. It is part of every protocol name.
	Chain string
	// Listen, as multiaddrs; TCP and QUIC v1. Empty: the node only dials.
	Listen []string
	// Announce replaces the addresses that are announced to others. Empty: those of the listeners.
	Announce []string
	// Bootstrap peers, as multiaddrs that end in /p2p/<id>, or /dnsaddr/<name>. They are tried for ever.
	Bootstrap []string
	// Server answers DHT queries of others: true for validators and public nodes, false for machines and clients.
	Server bool
	// AllowPrivate announces, accepts and dials loopback and private addresses, for a devnet or a private network.
	// Without it private addresses of others are never dialled, except those in Bootstrap.
	AllowPrivate bool

	// Relay lets the node be reached through relays when it is behind a NAT; Relays names fixed ones, otherwise
	// connected peers that offer the service are asked.
	Relay  bool
	Relays []string
	// RelayService relays for others, within libp2p's default limits, once the node is publicly reachable.
	RelayService bool
	// HolePunch upgrades relayed connections to direct ones (DCUtR). It needs Relay.
	HolePunch bool
	// AutoNAT answers others that ask whether they are reachable (v1 and v2), and asks with v2 itself.
	AutoNAT bool
	// NATPortMap asks the router for a port mapping (UPnP, NAT-PMP).
	NATPortMap bool
	// Reachability overrides what AutoNAT v1 finds.
	Reachability Reachability

	// PeerStore is the file that keeps known peers over restarts. Empty: none.
	PeerStore string
	// Validators returns the host ids of the present validators: the allow-list of validators' topics, and the
	// connections that are never trimmed. It is called about once a second and must be quick. Nil: none.
	Validators func() []peer.ID
	// PeerChange is told, one call at a time, when a peer becomes connected or is no longer. It must not block.
	PeerChange func(p peer.ID, connected bool)

	// ProviderValidity is how long provider records hold; they are provided anew at half of it. 0: 48 h.
	ProviderValidity time.Duration
	// DiscoverEvery is the longest pause between two looks at the chain's rendezvous record. 0: a minute.
	DiscoverEvery time.Duration
	// ReconnectMax is the longest pause between two attempts to reach one bootstrap peer. 0: a minute.
	ReconnectMax time.Duration

	Limits Limits
	// Registerer gets fatty's network metrics and libp2p's own. Nil: none are registered.
	Registerer prometheus.Registerer
	// Logger is told what an operator can act on. Nil: nothing is logged.
	Logger *slog.Logger
}

// Limits bound what the host spends on its peers. Zero fields are computed from the machine or have a default.
type Limits struct {
	// Memory for the network stack, in bytes. 0: an eighth of the machine's, or of GOMEMLIMIT if that is less.
	Memory int64
	// Connections is the number of connections above which the least useful ones are trimmed. 0: from memory.
	Connections int
	// MaxGossip is the largest gossip frame of any topic, in bytes. 0: 1 MiB.
	MaxGossip int
	// SendQueueFrames and SendQueueBytes bound what waits for one peer on one one-way protocol. 0: 1,024 and 32 MiB.
	SendQueueFrames int
	SendQueueBytes  int
	// FrameTimeout is how long a one-way frame may take from its first byte to its last, and a write to be taken by
	// the peer. 0: 10 s.
	FrameTimeout time.Duration
}

// Validate checks a configuration and returns one error that names the field.
func (c Config) Validate() error {
	if c.HostKey == nil {
		return errors.New("p2p: HostKey is missing: give the node's host key")
	}
	if err := checkName("Chain", c.Chain, maxChainName); err != nil {
		return err
	}
	for _, f := range []struct {
		name  string
		addrs []string
		p2p   bool
	}{{"Listen", c.Listen, false}, {"Announce", c.Announce, false}, {"Bootstrap", c.Bootstrap, true}, {"Relays", c.Relays, true}} {
		if len(f.addrs) > maxConfiguredAddr {
			return fmt.Errorf("p2p: %s has %d addresses, at most %d are used: remove some", f.name, len(f.addrs), maxConfiguredAddr)
		}
		for _, s := range f.addrs {
			a, err := ma.NewMultiaddr(s)
			if err != nil {
				return fmt.Errorf("p2p: %s address %q is not a multiaddr: write it like /ip4/192.0.2.7/tcp/4001: %w", f.name, s, err)
			}
			if !f.p2p {
				continue
			}
			if _, err := peer.AddrInfoFromP2pAddr(a); err != nil && !isDNSAddr(a) {
				return fmt.Errorf("p2p: %s address %q does not say whose it is: end it with /p2p/<peer id>", f.name, s)
			}
		}
	}
	switch c.Reachability {
	case ReachabilityAuto, ReachabilityPublic, ReachabilityPrivate:
	default:
		return fmt.Errorf("p2p: Reachability %q is unknown: use \"public\", \"private\" or leave it empty", c.Reachability)
	}
	if c.HolePunch && !c.Relay {
		return errors.New("p2p: HolePunch needs Relay: switch both on or both off")
	}
	if c.ProviderValidity < 0 || c.DiscoverEvery < 0 || c.ReconnectMax < 0 {
		return errors.New("p2p: ProviderValidity, DiscoverEvery and ReconnectMax cannot be negative")
	}
	l := c.Limits
	if l.Memory < 0 || l.Connections < 0 || l.MaxGossip < 0 || l.SendQueueFrames < 0 || l.SendQueueBytes < 0 || l.FrameTimeout < 0 {
		return errors.New("p2p: Limits cannot be negative: use 0 for the computed ones")
	}
	return nil
}

// withDefaults fills in what was left at zero.
func (c Config) withDefaults() Config {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&c.ProviderValidity, defaultProviderValidity)
	set(&c.DiscoverEvery, defaultDiscoverEvery)
	set(&c.ReconnectMax, defaultReconnectMax)
	seti := func(d *int, v int) {
		if *d == 0 {
			*d = v
		}
	}
	seti(&c.Limits.MaxGossip, defaultMaxGossip)
	seti(&c.Limits.SendQueueFrames, defaultSendQueueFrames)
	seti(&c.Limits.SendQueueBytes, defaultSendQueueBytes)
	set(&c.Limits.FrameTimeout, defaultFrameTimeout)
	if c.Validators == nil {
		c.Validators = func() []peer.ID { return nil }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// checkName holds names to what is unambiguous inside protocol ids, topics and metrics.
func checkName(field, s string, most int) error {
	if s == "" {
		return fmt.Errorf("p2p: %s is empty: give a name of letters, digits, '.', '-' and '_'", field)
	}
	if len(s) > most {
		return fmt.Errorf("p2p: %s is %d characters long, at most %d are allowed", field, len(s), most)
	}
	if strings.IndexFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '-' || r == '_')
	}) >= 0 {
		return fmt.Errorf("p2p: %s %q has other characters than letters, digits, '.', '-' and '_'", field, s)
	}
	return nil
}

func isDNSAddr(a ma.Multiaddr) bool {
	ps := a.Protocols()
	return len(ps) > 0 && ps[0].Code == ma.P_DNSADDR
}
