package p2p

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"
)

func TestNewSaysWhatIsWrong(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	used := "/ip4/127.0.0.1/tcp/" + l.Addr().String()[strings.LastIndexByte(l.Addr().String(), ':')+1:]
	good := Config{HostKey: newKey(t), Chain: "test", AllowPrivate: true}
	for want, edit := range map[string]func(*Config){
		"HostKey is missing":          func(c *Config) { c.HostKey = nil },
		"Chain is empty":              func(c *Config) { c.Chain = "" },
		"Chain is 65":                 func(c *Config) { c.Chain = strings.Repeat("x", 65) },
		"other characters":            func(c *Config) { c.Chain = "a/b" },
		"Listen address":              func(c *Config) { c.Listen = []string{"127.0.0.1:4001"} },
		"does not say whose":          func(c *Config) { c.Bootstrap = []string{"/ip4/127.0.0.1/tcp/4001"} },
		"Bootstrap has 200":           func(c *Config) { c.Bootstrap = slices.Repeat([]string{"x"}, 200) },
		"Reachability \"maybe\"":      func(c *Config) { c.Reachability = "maybe" },
		"HolePunch needs Relay":       func(c *Config) { c.HolePunch = true },
		"cannot be negative":          func(c *Config) { c.Limits.Memory = -1 },
		"allow":                       func(c *Config) { c.Limits.Connections, c.Limits.Memory = 1<<30, 1 },
		"is the port in use":          func(c *Config) { c.Listen = []string{"/ip4/127.0.0.1/udp/0/quic-v1", used} },
		"reading known peers":         func(c *Config) { c.PeerStore = t.TempDir() + "\x00" },
		"Registerer of its own":       func(c *Config) { c.Registerer = refusingRegisterer{} },
		"not a multiaddr":             func(c *Config) { c.Announce = []string{"example.org"} },
		"relays could be resolved":    func(c *Config) { c.Relay, c.Relays = true, []string{"/dnsaddr/relays.invalid"} },
		"negative":                    func(c *Config) { c.DiscoverEvery = -time.Second },
		"Limits cannot be negative":   func(c *Config) { c.Limits.MaxGossip = -1 },
		"Relays address \"nonsense\"": func(c *Config) { c.Relays = []string{"nonsense"} },
	} {
		c := good
		edit(&c)
		h, err := New(context.Background(), c)
		if err == nil {
			h.Close()
			t.Errorf("no error where one with %q was expected", want)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

type refusingRegisterer struct{}

func (refusingRegisterer) Register(prometheus.Collector) error  { return errors.New("no") }
func (refusingRegisterer) MustRegister(...prometheus.Collector) {}
func (refusingRegisterer) Unregister(prometheus.Collector) bool { return true }

func TestNamesAndLimitsOfHandlers(t *testing.T) {
	h := newHost(t, nil)
	f := func(context.Context, peer.ID, []byte) ([]byte, error) { return nil, nil }
	if err := h.Handle("echo", StreamLimits{}, f); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"twice":            h.Handle("echo", StreamLimits{}, f),
		"slash":            h.Handle("a/b", StreamLimits{}, f),
		"no handler":       h.Handle("nil", StreamLimits{}, nil),
		"too large":        h.Handle("large", StreamLimits{MaxResponse: maxFrameSize}, f),
		"negative":         h.Handle("negative", StreamLimits{Deadline: -1}, f),
		"message, size":    h.HandleMessage("m", 0, ignoreFrame),
		"message, name":    h.HandleMessage("", 1, ignoreFrame),
		"message, handler": h.HandleMessage("m", 1, nil),
		"send, size":       h.Send(h.ID(), "m", make([]byte, maxFrameSize+1)),
	} {
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	for name, join := range map[string]func() error{
		"size":  func() error { _, err := h.Join("t", false, 0, accept, ignoreFrame); return err },
		"large": func() error { _, err := h.Join("t", false, defaultMaxGossip+1, accept, ignoreFrame); return err },
		"name":  func() error { _, err := h.Join("t t", false, 1, accept, ignoreFrame); return err },
		"check": func() error { _, err := h.Join("t", false, 1, nil, ignoreFrame); return err },
	} {
		if join() == nil {
			t.Errorf("join, %s: no error", name)
		}
	}
	topic, err := h.Join("t", false, 10, accept, ignoreFrame)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Join("t", false, 10, accept, ignoreFrame); err == nil {
		t.Error("joined twice")
	}
	if err := topic.Publish(testContext(t), make([]byte, 11)); err == nil {
		t.Error("an oversized frame was published")
	}
}

func TestPrivateAddressesStayPrivate(t *testing.T) {
	open := newHost(t, nil)
	closed := newHost(t, func(c *Config) { c.AllowPrivate = false })
	if len(closed.Addrs()) != 0 {
		t.Errorf("private addresses are announced: %v", closed.Addrs())
	}
	if len(closed.ListenAddrs()) != 2 {
		t.Errorf("it listens on %v, want two addresses", closed.ListenAddrs())
	}
	if err := closed.Connect(testContext(t), peer.AddrInfo{ID: open.ID(), Addrs: open.host.Addrs()}); err == nil {
		t.Error("a private address was dialled")
	}
	if rejected(t, closed, rejectDialAddr) == 0 {
		t.Error("refused addresses were not counted")
	}
	told := newHost(t, func(c *Config) { c.AllowPrivate, c.Bootstrap = false, addrsOf(open) })
	if err := told.WaitConnected(testContext(t), open.ID()); err != nil {
		t.Error("a private bootstrap address of the configuration is not dialled:", err)
	}
	announcer := newHost(t, func(c *Config) {
		c.AllowPrivate, c.Announce = false, []string{"/ip4/203.0.114.7/tcp/4001", "/dns4/node.example.org/tcp/4001", "/ip4/10.0.0.1/tcp/4001"}
	})
	if got := announcer.Addrs(); len(got) != 2 {
		t.Errorf("announced are %v, want the public address and the name", got)
	}
}

func TestMetricsAndLimitsAreShown(t *testing.T) {
	reg := prometheus.NewRegistry()
	h := newHost(t, func(c *Config) { c.Registerer = reg })
	h.metrics.drop(dropSendQueue)
	h.metrics.reject(rejectInvalid)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, f := range families {
		names[f.GetName()] = true
	}
	for _, want := range []string{"fatty_p2p_peers", "fatty_p2p_drops_total", "fatty_p2p_rejects_total", "fatty_p2p_known_peers"} {
		if !names[want] {
			t.Errorf("metric %s is missing", want)
		}
	}
	text := h.Limits()
	for _, want := range []string{"all peers", "one peer", "file descriptors", "trimming", "queues"} {
		if !strings.Contains(text, want) {
			t.Errorf("limits do not speak of %q:\n%s", want, text)
		}
	}
	small := newHost(t, func(c *Config) { c.Limits.Memory, c.Limits.Connections = 64<<20, 40 })
	if small.limits.high != 40 || small.limits.system.Conns >= h.limits.system.Conns {
		t.Errorf("limits do not follow the configuration:\n%s", small.Limits())
	}
	h.Close()
	newHost(t, func(c *Config) { c.Registerer = reg }) // names are free again
}

func TestReachOptions(t *testing.T) {
	h := newHost(t, func(c *Config) {
		c.Relay, c.RelayService, c.HolePunch, c.AutoNAT, c.Reachability = true, true, true, true, ReachabilityPrivate
	})
	if h.host == nil {
		t.Fatal("no host")
	}
	relay := newHost(t, func(c *Config) { c.RelayService, c.Reachability = true, ReachabilityPublic })
	newHost(t, func(c *Config) { c.Relay, c.Relays, c.Reachability = true, addrsOf(relay)[:1], ReachabilityPrivate })
}
