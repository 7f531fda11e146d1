package p2p

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/encoding/protowire"
)

// newAttacker is a bare libp2p host that follows no rule of fatty's, connected to h.
func newAttacker(t testing.TB, h *Host, key crypto.PrivKey) host.Host {
	t.Helper()
	if key == nil {
		key = newKey(t)
	}
	a, err := libp2p.New(libp2p.Identity(key), libp2p.ListenAddrStrings("/ip4/127.0.0.1/tcp/0"), libp2p.DisableRelay(),
		libp2p.ResourceManager(&network.NullResourceManager{}), libp2p.DisableMetrics())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	if err := a.Connect(testContext(t), peer.AddrInfo{ID: h.ID(), Addrs: h.host.Addrs()}); err != nil {
		t.Fatal(err)
	}
	return a
}

func openStream(t testing.TB, a host.Host, h *Host, name string) network.Stream {
	t.Helper()
	s, err := a.NewStream(testContext(t), h.ID(), h.protocolID(name))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	return s
}

// wantReset reads until the other side ends the stream, and fails if it does so in good order.
func wantReset(t testing.TB, s network.Stream) {
	t.Helper()
	if _, err := io.Copy(io.Discard, s); err == nil {
		t.Error("the stream was closed in good order, not reset")
	}
}

func TestInvalidFramesAreNotRelayedAndCostScore(t *testing.T) {
	keys := []crypto.PrivKey{newKey(t), newKey(t), newKey(t)}
	ids := []peer.ID{keyID(t, keys[0]), keyID(t, keys[1]), keyID(t, keys[2])}
	start := func(i int, listen []string) *Host {
		return newHost(t, func(c *Config) {
			c.HostKey, c.Listen, c.Validators = keys[i], listen, func() []peer.ID { return ids }
		})
	}
	// liar - middle - end: two that cannot be dialled, so that the end hears of the liar through the middle alone.
	middle, liar, end := start(0, loopback), start(1, nil), start(2, nil)
	connect(t, liar, middle)
	connect(t, end, middle)

	check := func(_ peer.ID, data []byte) Verdict {
		if string(data[:4]) == "good" {
			return Accept
		}
		return Reject
	}
	var atMiddle, atEnd inbox
	tm, err := middle.Join("votes", true, 64, check, atMiddle.put)
	if err != nil {
		t.Fatal(err)
	}
	te, err := end.Join("votes", true, 64, accept, atEnd.put)
	if err != nil {
		t.Fatal(err)
	}
	tl, err := liar.Join("votes", true, 1<<20, accept, ignoreFrame)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []*Topic{tm, te, tl} {
		eventually(t, "subscriptions", func() bool { return len(x.Peers()) > 0 })
	}
	ctx := testContext(t)
	publish := func(s string) {
		t.Helper()
		if err := tl.Publish(ctx, []byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	n := 0 // the middle relays once its first heartbeat has made a mesh
	eventually(t, "a valid frame at the end", func() bool {
		n++
		publish(fmt.Sprintf("good %d", n))
		atEnd.mu.Lock()
		defer atEnd.mu.Unlock()
		return len(atEnd.got) > 0
	})
	for i := range 4 {
		publish(fmt.Sprintf("evil %d", i))
	}
	publish("good but far longer than the sixty-four bytes that this topic allows for one frame")
	eventually(t, "rejections", func() bool {
		return rejected(t, middle, rejectInvalid) == 4 && rejected(t, middle, rejectOversized) == 1
	})
	eventually(t, "the liar's score", func() bool {
		for _, p := range middle.Peers() {
			if p.ID == liar.ID() {
				return p.Score < scoreGraylist
			}
		}
		return false
	})
	// Its valid frames are no longer heard, while others' are.
	publish("good too late")
	if err := te.Publish(ctx, []byte("good from the end")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "another's frame", func() bool { return atMiddle.count("good from the end") == 1 })
	if atMiddle.count("good too late") != 0 || atEnd.count("good too late") != 0 {
		t.Error("a peer with a score below the graylist is still heard")
	}
	atEnd.mu.Lock()
	defer atEnd.mu.Unlock()
	for _, s := range atEnd.got {
		if s[:4] != "good" {
			t.Errorf("an invalid frame was relayed: %q", s)
		}
	}
}

func TestOutsiderOnValidatorsTopic(t *testing.T) {
	hosts := validatorHosts(t, 2, nil)
	outsider := newHost(t, nil)
	// It believes that everyone is a validator.
	outsider.cfg.Validators = func() []peer.ID { return []peer.ID{hosts[0].ID(), hosts[1].ID(), outsider.ID()} }
	outsider.refreshValidators()
	connect(t, outsider, hosts[0])
	connect(t, outsider, hosts[1])
	var boxes [2]inbox
	var topics [2]*Topic
	for i, h := range hosts {
		var err error
		if topics[i], err = h.Join("votes", true, 1024, accept, boxes[i].put); err != nil {
			t.Fatal(err)
		}
	}
	var spied inbox
	ot, err := outsider.Join("votes", true, 1024, accept, spied.put)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "subscriptions", func() bool { return len(ot.Peers()) == 2 && len(topics[0].Peers()) == 1 && len(topics[1].Peers()) == 1 })
	ctx := testContext(t)
	// It repeats a validator's vote before the validator itself has sent it.
	if err := ot.Publish(ctx, []byte("vote 1")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "refusals", func() bool {
		return rejected(t, hosts[0], rejectOutsider) >= 1 && rejected(t, hosts[1], rejectOutsider) >= 1
	})
	if err := topics[0].Publish(ctx, []byte("vote 1")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the validator's own copy", func() bool { return boxes[1].count("vote 1") == 1 })
	if boxes[0].count("vote 1") != 0 {
		t.Error("an outsider's frame was delivered")
	}
	if spied.count("vote 1") != 0 {
		t.Error("a validators' frame was sent to an outsider")
	}
	// It goes on until it is cut off.
	for i := 0; outsider.Connected(hosts[0].ID()); i++ {
		if err := ot.Publish(ctx, fmt.Appendf(nil, "noise %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	if !hosts[0].standing.banned(outsider.ID()) {
		t.Error("an outsider that floods was not cut off")
	}
	eventually(t, "the validators to be left alone", func() bool { return hosts[0].Connected(hosts[1].ID()) })
}

func TestInspectTakesOutBallast(t *testing.T) {
	h := newHost(t, nil)
	topic, data := "/fatty/test/open", []byte{0, 1}
	plain := &pb.Message{Topic: &topic, Data: data}
	heavy := &pb.Message{Topic: &topic, Data: data}
	heavy.ProtoReflect().SetUnknown(protowire.AppendBytes(protowire.AppendTag(nil, 99, protowire.BytesType), make([]byte, 1000)))
	rpc := &pubsub.RPC{}
	rpc.Publish = []*pb.Message{heavy, nil, plain}
	if err := h.inspect(keyID(t, newKey(t)), rpc); err != nil {
		t.Fatal(err)
	}
	if len(rpc.Publish) != 1 || rpc.Publish[0] != plain {
		t.Errorf("%d messages are left of a heavy, an absent and a plain one", len(rpc.Publish))
	}
	if rejected(t, h, rejectMalformed) != 1 {
		t.Error("ballast was not counted")
	}
}

func TestMalformedRequests(t *testing.T) {
	h := newHost(t, nil)
	served := make(chan struct{}, 100)
	lim := StreamLimits{MaxRequest: 1000, MaxResponse: 1000, Deadline: 500 * time.Millisecond}
	err := h.Handle("echo", lim, func(_ context.Context, _ peer.ID, req []byte) ([]byte, error) {
		served <- struct{}{}
		return req, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	oversized := binary.BigEndian.AppendUint32(nil, 1001)
	enormous := binary.BigEndian.AppendUint32(nil, 1<<32-1)
	for name, c := range map[string]struct {
		bytes  []byte
		shut   bool // the sender closes its side
		reason string
	}{
		"oversized":         {oversized, false, rejectOversized},
		"enormous":          {enormous, false, rejectOversized},
		"empty":             {nil, true, ""},
		"half a header":     {[]byte{0, 0}, true, rejectMalformed},
		"half a frame":      {append(binary.BigEndian.AppendUint32(nil, 10), "12345"...), true, rejectMalformed},
		"nothing":           {nil, false, rejectSlow},
		"a header, no more": {binary.BigEndian.AppendUint32(nil, 10), false, rejectSlow},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAttacker(t, h, nil)
			var before float64
			if c.reason != "" {
				before = rejected(t, h, c.reason)
			}
			s := openStream(t, a, h, "echo")
			if _, err := s.Write(c.bytes); err != nil { // an empty write makes the lazy negotiation happen
				t.Fatal(err)
			}
			if c.shut {
				if err := s.CloseWrite(); err != nil {
					t.Fatal(err)
				}
			}
			wantReset(t, s)
			if c.reason != "" {
				eventually(t, "the count", func() bool { return rejected(t, h, c.reason) == before+1 })
			}
		})
	}
	if len(served) != 0 {
		t.Error("a malformed request was served")
	}
}

func TestSlowReaderDoesNotHoldASlot(t *testing.T) {
	hosts := validatorHosts(t, 2, nil)
	h, honest := hosts[0], hosts[1]
	size := maxFrameSize - 1
	lim := StreamLimits{MaxRequest: 10, MaxResponse: size, Deadline: time.Second, InFlightPerPeer: 2}
	if err := h.Handle("big", lim, func(context.Context, peer.ID, []byte) ([]byte, error) { return make([]byte, size), nil }); err != nil {
		t.Fatal(err)
	}
	a := newAttacker(t, h, nil)
	for range 2 {
		s := openStream(t, a, h, "big")
		if _, err := s.Write(appendFrame(nil, []byte("x"))); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "the attacker's requests", func() bool { return inFlight(h, "big", a.ID()) == 2 })
	if _, err := honest.Request(testContext(t), h.ID(), "big", nil, size); err != nil {
		t.Error("an honest peer waits for a slow one:", err)
	}
	eventually(t, "the slots", func() bool { return inFlight(h, "big", a.ID()) == 0 })
	if rejected(t, h, rejectSlow) < 1 {
		t.Error("slow readers were not counted")
	}
}

func inFlight(h *Host, name string, id peer.ID) int {
	h.requests.mu.Lock()
	r := h.requests.handlers[name]
	h.requests.mu.Unlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	if u := r.peers[id]; u != nil {
		return u.inFlight
	}
	return 0
}

func TestRequestFlood(t *testing.T) {
	hosts := validatorHosts(t, 2, nil)
	h, honest := hosts[0], hosts[1]
	lim := StreamLimits{MaxRequest: 10, MaxResponse: 10, InFlightPerPeer: 2, InFlight: 4, PerSecond: 1000}
	if err := h.Handle("echo", lim, func(_ context.Context, _ peer.ID, b []byte) ([]byte, error) { return b, nil }); err != nil {
		t.Fatal(err)
	}
	a := newAttacker(t, h, nil)
	var streams []network.Stream
	for range 20 { // that begin and do not go on
		s := openStream(t, a, h, "echo")
		if _, err := s.Write([]byte{0}); err != nil && !errors.Is(err, network.ErrReset) {
			t.Fatal(err)
		}
		streams = append(streams, s)
	}
	eventually(t, "refusals", func() bool { return dropped(t, h, dropInFlight) == 12 })
	if got := inFlight(h, "echo", a.ID()); got != 8 {
		t.Errorf("%d requests of one peer are in flight, want 2 served and 6 waiting", got)
	}
	for range 50 {
		if _, err := honest.Request(testContext(t), h.ID(), "echo", []byte("hello"), 10); err != nil {
			t.Fatal("a validator is refused because another peer floods:", err)
		}
	}
	for _, s := range streams {
		_ = s.Reset()
	}
	eventually(t, "the slots", func() bool { return inFlight(h, "echo", a.ID()) == 0 })
}

func TestRequestRate(t *testing.T) {
	h, client := newHost(t, nil), newHost(t, nil)
	if err := h.Handle("echo", StreamLimits{MaxRequest: 10, MaxResponse: 10, PerSecond: 1}, func(_ context.Context, _ peer.ID, b []byte) ([]byte, error) { return b, nil }); err != nil {
		t.Fatal(err)
	}
	connect(t, client, h)
	busy := false
	for range 100 {
		_, err := client.Request(testContext(t), h.ID(), "echo", nil, 10)
		if busy = errors.Is(err, ErrBusy); busy {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !busy || dropped(t, h, dropRate) == 0 {
		t.Error("a hundred requests in a row were served at a rate of one a second")
	}
}

func TestMisbehavingServer(t *testing.T) {
	h := newHost(t, nil)
	a := newAttacker(t, h, nil)
	answer := func(b []byte, shut bool) {
		a.SetStreamHandler(h.protocolID("echo"), func(s network.Stream) {
			_, _ = io.Copy(io.Discard, s)
			_, _ = s.Write(b)
			if shut {
				_ = s.Close()
			}
		})
	}
	ask := func(timeout time.Duration) error {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		defer cancel()
		resp, err := h.Request(ctx, a.ID(), "echo", []byte("hello"), 10)
		if err == nil {
			t.Errorf("answered %q", resp)
		}
		return err
	}
	answer(binary.BigEndian.AppendUint32(nil, 1<<31), false)
	if err := ask(patience); !errors.Is(err, ErrFrameTooLarge) {
		t.Errorf("enormous response: %v", err)
	}
	answer(appendFrame(nil, []byte{responseOK}, make([]byte, 11)), true)
	if err := ask(patience); !errors.Is(err, ErrFrameTooLarge) {
		t.Errorf("response of one byte more than asked for: %v", err)
	}
	answer(appendFrame(nil, nil), true)
	if err := ask(patience); !errors.Is(err, ErrFrameTruncated) {
		t.Errorf("response without a status: %v", err)
	}
	answer(appendFrame(nil, []byte{7, 1, 2}), true)
	if err := ask(patience); err == nil {
		t.Error("response with an unknown status was taken")
	}
	answer([]byte{0, 0}, true)
	if err := ask(patience); !errors.Is(err, ErrFrameTruncated) {
		t.Errorf("truncated response: %v", err)
	}
	answer(nil, false)
	if err := ask(200 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no response at all: %v", err)
	}
	answer(appendFrame(nil, []byte{responseError}, []byte("no such block")), true)
	var remote *RemoteError
	if err := ask(patience); !errors.As(err, &remote) || remote.Text != "no such block" {
		t.Errorf("refusal: %v", err)
	}
}

func TestMalformedMessages(t *testing.T) {
	h := newHost(t, func(c *Config) { c.Limits.FrameTimeout = 300 * time.Millisecond })
	var box inbox
	if err := h.HandleMessage("note", 100, box.put); err != nil {
		t.Fatal(err)
	}
	a := newAttacker(t, h, nil)
	// A good frame, rest between frames for longer than the time-out of a frame, then a frame that stops half-way.
	s := openStream(t, a, h, "note")
	if _, err := s.Write(appendFrame(nil, []byte("one"))); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first note", func() bool { return box.count("one") == 1 })
	if _, err := s.Write(appendFrame(nil, []byte("two"))[:5]); err != nil {
		t.Fatal(err)
	}
	wantReset(t, s)
	if rejected(t, h, rejectSlow) != 1 {
		t.Error("a frame that stops half-way was not counted as slow")
	}
	// Many frames in one write, with an oversized one at the end.
	s = openStream(t, a, h, "note")
	var many []byte
	for i := range 50 {
		many = appendFrame(many, fmt.Appendf(nil, "note %d", i))
	}
	many = binary.BigEndian.AppendUint32(many, 101)
	if _, err := s.Write(many); err != nil {
		t.Fatal(err)
	}
	wantReset(t, s)
	for i := range 50 {
		if box.count(fmt.Sprintf("note %d", i)) != 1 {
			t.Errorf("note %d was lost", i)
		}
	}
	if rejected(t, h, rejectOversized) != 1 {
		t.Error("an oversized frame was not counted")
	}
	// More streams than one peer may keep.
	for range messageStreams + 3 {
		s := openStream(t, a, h, "note")
		if _, err := s.Write([]byte{0}); err != nil && !errors.Is(err, network.ErrReset) {
			t.Fatal(err)
		}
	}
	eventually(t, "refused streams", func() bool { return rejected(t, h, rejectUnsolicit) >= 3 })
	// And on, until it is cut off and cannot come back.
	eventually(t, "the ban", func() bool {
		if s, err := a.NewStream(network.WithNoDial(context.Background(), "test"), h.ID(), h.protocolID("note")); err == nil {
			_, _ = s.Write(binary.BigEndian.AppendUint32(nil, 1<<30))
		}
		return h.standing.banned(a.ID()) && !h.Connected(a.ID())
	})
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	eventually(t, "refused connections", func() bool {
		_ = a.Connect(ctx, peer.AddrInfo{ID: h.ID(), Addrs: h.host.Addrs()})
		return rejected(t, h, rejectBanned) > 0
	})
}

func TestSendToAPeerThatDoesNotRead(t *testing.T) {
	h := newHost(t, func(c *Config) {
		c.Limits.SendQueueFrames, c.Limits.SendQueueBytes, c.Limits.FrameTimeout = 16, 8<<20, 300*time.Millisecond
	})
	honest := newHost(t, nil)
	connect(t, h, honest)
	var box inbox
	if err := honest.HandleMessage("note", 1<<20, box.put); err != nil {
		t.Fatal(err)
	}
	a := newAttacker(t, h, nil)
	a.SetStreamHandler(h.protocolID("note"), func(s network.Stream) {}) // takes the stream, reads nothing
	full := false
	for range 1000 {
		if full = errors.Is(h.Send(a.ID(), "note", make([]byte, 1<<20)), ErrQueueFull); full {
			break
		}
	}
	if !full || dropped(t, h, dropSendQueue) == 0 {
		t.Error("a thousand frames of 1 MiB were taken for a peer that does not read")
	}
	if err := h.Send(honest.ID(), "note", []byte("hello")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a frame to another peer", func() bool { return box.count("hello") == 1 })
	eventually(t, "the write's deadline", func() bool { return dropped(t, h, dropSendOffline) > 0 })
	if err := h.Send(keyID(t, newKey(t)), "note", nil); !errors.Is(err, ErrNotConnected) {
		t.Errorf("sending to a stranger: %v", err)
	}
}
