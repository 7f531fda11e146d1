package p2p

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

func TestSlowSubscriberIsCountedAndHoldsNobodyUp(t *testing.T) {
	hosts := validatorHosts(t, 3, nil)
	gate := make(chan struct{})
	var once sync.Once
	open := func() { once.Do(func() { close(gate) }) }
	defer open()
	quick := make(chan string, 1)
	boxes := []func(peer.ID, []byte){ignoreFrame, func(peer.ID, []byte) { <-gate }, func(_ peer.ID, data []byte) { quick <- string(data) }}
	topics := make([]*Topic, 3)
	for i, h := range hosts {
		var err error
		if topics[i], err = h.Join("votes", true, 100, accept, boxes[i]); err != nil {
			t.Fatal(err)
		}
	}
	waitMesh(t, topics...)
	ctx, n := testContext(t), 0
	for dropped(t, hosts[1], dropSubscriber) == 0 {
		n++
		frame := fmt.Sprintf("frame %d", n)
		if err := topics[0].Publish(ctx, []byte(frame)); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-quick:
			if got != frame {
				t.Fatalf("got %q, want %q", got, frame)
			}
		case <-ctx.Done():
			t.Fatalf("%s does not reach the quick subscriber", frame)
		}
	}
	if n <= gossipQueue {
		t.Errorf("dropped after %d frames: the queue should hold %d", n, gossipQueue)
	}
}

func (b *inbox) last() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.got) == 0 {
		return ""
	}
	return b.got[len(b.got)-1]
}

func TestSendGoesOnAfterAReconnect(t *testing.T) {
	var mu sync.Mutex
	changes := map[bool]int{}
	hosts := validatorHosts(t, 2, func(i int, c *Config) {
		if i == 0 {
			c.PeerChange = func(_ peer.ID, up bool) { mu.Lock(); defer mu.Unlock(); changes[up]++ }
		}
	})
	a, b := hosts[0], hosts[1]
	var box inbox
	if err := b.HandleMessage("note", 100, box.put); err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		frame := fmt.Sprintf("round %d", round)
		eventually(t, "a frame", func() bool {
			_ = a.Send(b.ID(), "note", []byte(frame)) // until the connection is back
			return box.count(frame) > 0
		})
		for _, c := range a.host.Network().ConnsToPeer(b.ID()) {
			_ = c.Close()
		}
		// Validators connect again by themselves.
		if err := a.WaitConnected(testContext(t), b.ID()); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "news of coming and going", func() bool { mu.Lock(); defer mu.Unlock(); return changes[true] >= 2 && changes[false] >= 1 })
}

func TestNewValidatorIsHeardAndOldOneIsNot(t *testing.T) {
	var mu sync.Mutex
	var ids []peer.ID
	list := func(c *Config) {
		c.Validators = func() []peer.ID { mu.Lock(); defer mu.Unlock(); return append([]peer.ID(nil), ids...) }
	}
	a, b := newHost(t, list), newHost(t, list)
	set := func(now ...peer.ID) {
		mu.Lock()
		ids = now
		mu.Unlock()
		a.refreshValidators()
		b.refreshValidators()
	}
	set(a.ID())
	connect(t, b, a)
	var box inbox
	ta, err := a.Join("votes", true, 100, accept, box.put)
	if err != nil {
		t.Fatal(err)
	}
	tb, err := b.Join("votes", true, 100, accept, ignoreFrame)
	if err != nil {
		t.Fatal(err)
	}
	if len(ta.Peers()) != 0 {
		t.Error("an outsider is noted on a validators' topic")
	}
	set(a.ID(), b.ID())
	n := 0
	eventually(t, "the new validator's frame", func() bool {
		n++
		if err := tb.Publish(testContext(t), fmt.Appendf(nil, "new %d", n)); err != nil {
			t.Fatal(err)
		}
		return box.last() != ""
	})
	if !a.host.ConnManager().IsProtected(b.ID(), validatorTag) {
		t.Error("a validator's connection is not protected")
	}
	set(a.ID())
	if a.host.ConnManager().IsProtected(b.ID(), validatorTag) {
		t.Error("the connection of who is a validator no longer is protected")
	}
	before := rejected(t, a, rejectOutsider)
	connect(t, b, a)
	eventually(t, "the old validator's frame to be refused", func() bool {
		n++
		if err := tb.Publish(testContext(t), fmt.Appendf(nil, "old %d", n)); err != nil {
			t.Fatal(err)
		}
		return rejected(t, a, rejectOutsider) > before
	})
	if strings.HasPrefix(box.last(), "old") {
		t.Error("an old validator is still heard")
	}
}

// A bootstrap node that is down when others start, and goes down later, is found when it comes.
func TestBootstrapPeerThatComesLate(t *testing.T) {
	key := newKey(t)
	boot := newHost(t, func(c *Config) { c.HostKey = key })
	addrs := addrsOf(boot)
	var listen []string
	for _, a := range boot.host.Addrs() {
		listen = append(listen, a.String())
	}
	if err := boot.Close(); err != nil {
		t.Fatal(err)
	}
	h := newHost(t, func(c *Config) { c.Bootstrap = addrs })
	for range 2 {
		again := newHost(t, func(c *Config) { c.HostKey, c.Listen = key, listen })
		if err := h.WaitConnected(testContext(t), again.ID()); err != nil {
			t.Fatal(err)
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the loss to be noticed", func() bool { return !h.Connected(again.ID()) })
	}
}

func TestReachedThroughARelay(t *testing.T) {
	relay := newHost(t, func(c *Config) { c.RelayService, c.Reachability = true, ReachabilityPublic })
	hidden := newHost(t, func(c *Config) {
		c.Listen, c.Relay, c.Relays, c.Reachability = nil, true, addrsOf(relay), ReachabilityPrivate
	})
	// It listens nowhere either: hidden would dial it directly as soon as identify tells its addresses.
	client := newHost(t, func(c *Config) { c.Listen, c.Relay = nil, true })
	// libp2p announces no addresses through relays that are private themselves, so it is written down here.
	through, err := ma.NewMultiaddr(addrsOf(relay)[0] + "/p2p-circuit")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a connection through the relay", func() bool {
		return client.Connect(testContext(t), peer.AddrInfo{ID: hidden.ID(), Addrs: []ma.Multiaddr{through}}) == nil
	})
	if got := client.host.Network().Connectedness(hidden.ID()); got != network.Limited {
		t.Errorf("the connection is %v, want a limited one", got)
	}
	for _, p := range client.Peers() {
		if p.ID == hidden.ID() && !p.Relayed {
			t.Error("a relayed peer is shown as a direct one")
		}
	}
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	h := newHost(t, nil)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := h.WaitPeers(ctx, 1); err == nil || !strings.Contains(err.Error(), "0 of 1") {
		t.Errorf("waiting in vain: %v", err)
	}
	if err := h.WaitConnected(ctx, h.ID()); err != nil {
		t.Errorf("waiting for oneself: %v", err)
	}
	if _, err := New(ctx, Config{HostKey: newKey(t), Chain: "test"}); err == nil {
		t.Error("started with a context that has ended")
	}
}
