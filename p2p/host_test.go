package p2p

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/seed06907907/fatty/internal/wire"
)

// patience bounds what a test waits for; it is never what a test measures.
const patience = 60 * time.Second

var loopback = []string{"/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0"}

// fuzzKey is made once: fuzzing makes configurations by the thousand.
var fuzzKey, _, _ = crypto.GenerateEd25519Key(rand.Reader)

func newKey(t testing.TB) crypto.PrivKey {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func keyID(t testing.TB, key crypto.PrivKey) peer.ID {
	t.Helper()
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func testContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// newHost starts a host on loopback; edit may change its configuration.
func newHost(t testing.TB, edit func(*Config)) *Host {
	t.Helper()
	cfg := Config{HostKey: newKey(t), Chain: "test", Listen: loopback, Server: true, AllowPrivate: true,
		DiscoverEvery: time.Second, ReconnectMax: time.Second}
	if edit != nil {
		edit(&cfg)
	}
	h, err := New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func addrsOf(h *Host) []string {
	var out []string
	for _, a := range h.Addrs() {
		out = append(out, a.String())
	}
	return out
}

func connect(t testing.TB, a, b *Host) {
	t.Helper()
	if err := a.Connect(testContext(t), peer.AddrInfo{ID: b.ID(), Addrs: b.host.Addrs()}); err != nil {
		t.Fatal(err)
	}
}

// validatorHosts starts n hosts that have each other on their allow-lists, connected to each other.
func validatorHosts(t testing.TB, n int, edit func(int, *Config)) []*Host {
	t.Helper()
	keys := make([]crypto.PrivKey, n)
	ids := make([]peer.ID, n)
	for i := range keys {
		keys[i] = newKey(t)
		ids[i] = keyID(t, keys[i])
	}
	hosts := make([]*Host, n)
	for i := range hosts {
		hosts[i] = newHost(t, func(c *Config) {
			c.HostKey, c.Validators = keys[i], func() []peer.ID { return ids }
			if i > 0 {
				c.Bootstrap = addrsOf(hosts[0])
			}
			if edit != nil {
				edit(i, c)
			}
		})
	}
	for i := range hosts {
		for j := range i {
			connect(t, hosts[i], hosts[j])
		}
	}
	ctx := testContext(t)
	for _, h := range hosts {
		if err := h.WaitConnected(ctx, ids...); err != nil {
			t.Fatal(err)
		}
	}
	return hosts
}

func counter(t testing.TB, c prometheus.Metric) float64 {
	t.Helper()
	var m dto.Metric
	if err := c.Write(&m); err != nil {
		t.Fatal(err)
	}
	return m.GetCounter().GetValue() + m.GetGauge().GetValue()
}

func dropped(t testing.TB, h *Host, reason string) float64 {
	t.Helper()
	return counter(t, h.metrics.drops.WithLabelValues(reason))
}

func rejected(t testing.TB, h *Host, reason string) float64 {
	t.Helper()
	return counter(t, h.metrics.rejects.WithLabelValues(reason))
}

// eventually looks until ready, with patience.
func eventually(t testing.TB, what string, ready func() bool) {
	t.Helper()
	ctx := testContext(t)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

func accept(peer.ID, []byte) Verdict { return Accept }
func ignoreFrame(peer.ID, []byte)    {}

// inbox collects what a topic or protocol delivers.
type inbox struct {
	mu   sync.Mutex
	got  []string
	from []peer.ID
}

func (b *inbox) put(from peer.ID, data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got, b.from = append(b.got, string(data)), append(b.from, from)
}

func (b *inbox) count(s string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, g := range b.got {
		if g == s {
			n++
		}
	}
	return n
}

func TestFiveHostsFindEachOtherThroughOneBootstrapAddress(t *testing.T) {
	boot := newHost(t, nil)
	hosts := []*Host{boot}
	for i := range 4 {
		hosts = append(hosts, newHost(t, func(c *Config) {
			c.Bootstrap = addrsOf(boot)[i%2 : i%2+1] // by QUIC and by TCP
		}))
	}
	ctx := testContext(t)
	for _, h := range hosts {
		var ids []peer.ID
		for _, other := range hosts {
			ids = append(ids, other.ID())
		}
		if err := h.WaitConnected(ctx, ids...); err != nil {
			t.Fatal(err)
		}
		if got := len(h.Peers()); got != 4 {
			t.Errorf("%d peers are listed, want 4", got)
		}
	}
}

func TestGossipReachesAll(t *testing.T) {
	hosts := validatorHosts(t, 4, nil)
	boxes := make([]*inbox, len(hosts))
	topics := make([]*Topic, len(hosts))
	for i, h := range hosts {
		boxes[i] = new(inbox)
		var err error
		if topics[i], err = h.Join("votes", true, 1024, accept, boxes[i].put); err != nil {
			t.Fatal(err)
		}
	}
	waitMesh(t, topics...)
	for i, topic := range topics {
		frame := fmt.Sprintf("from %d", i)
		if err := topic.Publish(testContext(t), []byte(frame)); err != nil {
			t.Fatal(err)
		}
		for j, b := range boxes {
			if j != i {
				eventually(t, "gossip", func() bool { return b.count(frame) == 1 })
			}
		}
	}
	// The same bytes again are a new attempt, not a duplicate.
	if err := topics[0].Publish(testContext(t), []byte("from 0")); err != nil {
		t.Fatal(err)
	}
	for _, b := range boxes[1:] {
		eventually(t, "second attempt", func() bool { return b.count("from 0") == 2 })
	}
	if boxes[0].count("from 0") != 0 {
		t.Error("a frame was delivered to its own publisher")
	}
	for range gossipAttempts - 2 {
		if err := topics[0].Publish(testContext(t), []byte("from 0")); err != nil {
			t.Fatal(err)
		}
	}
	if err := topics[0].Publish(testContext(t), []byte("from 0")); err != ErrTooManyAttempts {
		t.Errorf("one attempt too many: %v", err)
	}
}

// waitMesh waits until each of the topics' hosts knows all others on the topic.
func waitMesh(t testing.TB, topics ...*Topic) {
	t.Helper()
	for _, topic := range topics {
		eventually(t, "subscriptions", func() bool { return len(topic.Peers()) >= len(topics)-1 })
	}
}

func TestProvidersAreFound(t *testing.T) {
	hosts := validatorHosts(t, 4, nil)
	id := wire.Sum([]byte("a program"))
	ctx := testContext(t)
	eventually(t, "providing", func() bool { return hosts[1].Provide(ctx, id) == nil })
	if err := hosts[2].Provide(ctx, id); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both providers", func() bool {
		infos, err := hosts[3].FindProviders(ctx, id, 10)
		if err != nil {
			t.Fatal(err)
		}
		found := map[peer.ID]bool{}
		for _, i := range infos {
			found[i.ID] = true
		}
		return len(infos) == 2 && found[hosts[1].ID()] && found[hosts[2].ID()]
	})
	infos, err := hosts[3].FindProviders(ctx, id, 1)
	if err != nil || len(infos) != 1 {
		t.Errorf("asked for one provider, got %d, %v", len(infos), err)
	}
	none, err := hosts[3].FindProviders(ctx, wire.Sum([]byte("nobody has this")), 0)
	if err != nil || len(none) != 0 {
		t.Errorf("providers of what nobody has: %v, %v", none, err)
	}
	mine, err := hosts[1].FindProviders(ctx, id, 0)
	if err != nil || len(mine) != 1 || mine[0].ID != hosts[2].ID() {
		t.Errorf("a host finds itself, or not the other: %v, %v", mine, err)
	}
}

func TestRestartWithKnownPeersAndNoBootstrap(t *testing.T) {
	path := t.TempDir() + "/network/peers.json"
	boot := newHost(t, nil)
	other := newHost(t, func(c *Config) { c.Bootstrap = addrsOf(boot) })
	key := newKey(t)
	first := newHost(t, func(c *Config) { c.HostKey, c.Bootstrap, c.PeerStore = key, addrsOf(boot), path })
	if err := first.WaitConnected(testContext(t), boot.ID(), other.ID()); err != nil {
		t.Fatal(err)
	}
	// Without a Close of its own: a killed node must find its peers, too.
	eventually(t, "the file of known peers", func() bool {
		data, err := os.ReadFile(path)
		if err != nil {
			return false
		}
		seen, err := decodeKnown(data, true)
		return err == nil && len(seen[boot.ID()].addrs) > 0 && len(seen[other.ID()].addrs) > 0
	})
	if err := boot.Close(); err != nil {
		t.Fatal(err)
	}
	saved, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, saved, 0o600); err != nil {
		t.Fatal(err)
	}
	again := newHost(t, func(c *Config) { c.HostKey, c.PeerStore = key, path })
	if err := again.WaitConnected(testContext(t), other.ID()); err != nil {
		t.Fatal(err)
	}
}

func TestRequestsAndMessages(t *testing.T) {
	hosts := validatorHosts(t, 2, nil)
	a, b := hosts[0], hosts[1]
	err := b.Handle("echo", StreamLimits{MaxRequest: 1 << 20, MaxResponse: 1 << 20}, func(_ context.Context, from peer.ID, req []byte) ([]byte, error) {
		if from != a.ID() {
			return nil, fmt.Errorf("asked by %s", from)
		}
		if string(req) == "fail" {
			return nil, fmt.Errorf("as you wish")
		}
		return req, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx := testContext(t)
	for _, n := range []int{0, 1, 1000, 1 << 20} {
		req := make([]byte, n)
		rand.Read(req)
		resp, err := a.Request(ctx, b.ID(), "echo", req, 1<<20)
		if err != nil || string(resp) != string(req) {
			t.Fatalf("%d bytes: %v", n, err)
		}
	}
	if _, err := a.Request(ctx, b.ID(), "echo", []byte("fail"), 100); err == nil || err.Error() == "" {
		t.Error("the handler's error was lost")
	}
	var box inbox
	if err := b.HandleMessage("note", 1<<20, box.put); err != nil {
		t.Fatal(err)
	}
	var sent atomic.Int64
	for i := range 500 {
		if err := a.Send(b.ID(), "note", fmt.Appendf(nil, "note %d", i)); err != nil {
			t.Fatal(err)
		}
		sent.Add(1)
	}
	eventually(t, "500 notes", func() bool { box.mu.Lock(); defer box.mu.Unlock(); return len(box.got) == 500 })
	for i, s := range box.got {
		if s != fmt.Sprintf("note %d", i) {
			t.Fatalf("note %d is %q", i, s)
		}
	}
}
