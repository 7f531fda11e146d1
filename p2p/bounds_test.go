package p2p

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	ds "github.com/ipfs/go-datastore"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"pgregory.net/rapid"

	"github.com/seed06907907/fatty/internal/wire"
)

func TestProviderRecordsExpire(t *testing.T) {
	short := func(c *Config) { c.ProviderValidity = time.Second }
	boot := newHost(t, short)
	join := func() *Host {
		return newHost(t, func(c *Config) { short(c); c.Bootstrap = addrsOf(boot) })
	}
	provider, seeker := join(), join()
	ctx := testContext(t)
	for _, h := range []*Host{provider, seeker} {
		if err := h.WaitConnected(ctx, boot.ID()); err != nil {
			t.Fatal(err)
		}
	}
	id := wire.Sum([]byte("short-lived"))
	_ = provider.Provide(ctx, id) // kept up even if no DHT peer is known yet
	found := func() bool {
		infos, err := seeker.FindProviders(ctx, id, 0)
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(infos, func(i peer.AddrInfo) bool { return i.ID == provider.ID() })
	}
	eventually(t, "the record", found)
	// It is announced anew before it expires, at half of its validity: after five times the first record has ended.
	announced := func() float64 { return counter(t, provider.metrics.announced.WithLabelValues("ok")) }
	provider.provided.remove(rendezvous("test")) // so that only this record is counted
	first := announced()
	eventually(t, "announcements", func() bool { return announced() >= first+5 })
	eventually(t, "the record that is kept", found)
	provider.Unprovide(id)
	eventually(t, "the record's end", func() bool { return !found() })
}

func TestLookUpOfNothingIsBounded(t *testing.T) {
	h := newHost(t, nil)
	id := wire.Sum([]byte("anything"))
	infos, err := h.FindProviders(testContext(t), id, 5)
	if err != nil || len(infos) != 0 {
		t.Errorf("alone: %v, %v", infos, err)
	}
	if err := h.Provide(testContext(t), id); !errors.Is(err, ErrNotAnnounced) {
		t.Errorf("providing alone: %v", err)
	}
	if _, err := h.FindProviders(testContext(t), wire.CID{}, 5); err == nil {
		t.Error("an undefined id was looked for")
	}
	if err := h.Provide(testContext(t), wire.CID{}); err == nil {
		t.Error("an undefined id was provided")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := h.FindProviders(ctx, id, 5); !errors.Is(err, context.Canceled) {
		t.Errorf("with a context that has ended: %v", err)
	}
}

func TestBoundedStore(t *testing.T) {
	refused := 0
	b := newBoundedStore(10, 4, func() { refused++ })
	ctx := context.Background()
	key := func(record, who string) ds.Key {
		enc := base32.StdEncoding.WithPadding(base32.NoPadding)
		return ds.NewKey("/providers/" + enc.EncodeToString([]byte(record)) + "/" + enc.EncodeToString([]byte(who)))
	}
	for i, want := range []error{nil, nil, nil, nil, errStoreFull} {
		if err := b.Put(ctx, key(string(rune('a'+i)), "greedy"), []byte{1}); err != want {
			t.Errorf("record %d of one provider: %v", i, err)
		}
	}
	if err := b.Put(ctx, key("a", "greedy"), []byte{2}); err != nil {
		t.Error("a record cannot be provided anew in a full quota:", err)
	}
	for i := range 6 {
		if err := b.Put(ctx, key("a", string(rune('A'+i))), []byte{1}); err != nil {
			t.Error(err)
		}
	}
	batch, err := b.Batch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := batch.Put(ctx, key("a", "late"), []byte{1}); err != nil {
		t.Fatal(err)
	}
	if err := batch.Commit(ctx); err != errStoreFull || refused != 2 {
		t.Errorf("a record beyond the bound, in a batch: %v, %d refused", err, refused)
	}
	for range 2 { // a second deletion changes nothing
		if err := b.Delete(ctx, key("b", "greedy")); err != nil {
			t.Error(err)
		}
	}
	if err := b.Put(ctx, key("z", "greedy"), []byte{1}); err != nil {
		t.Error("deleting made no room:", err)
	}
}

func TestCloseLeaksNothing(t *testing.T) {
	run := func() {
		hosts := validatorHosts(t, 2, func(_ int, c *Config) { c.PeerStore = filepath.Join(t.TempDir(), "peers.json") })
		for _, h := range hosts {
			if _, err := h.Join("votes", true, 100, accept, ignoreFrame); err != nil {
				t.Fatal(err)
			}
			if err := h.HandleMessage("note", 100, ignoreFrame); err != nil {
				t.Fatal(err)
			}
		}
		if err := hosts[0].Send(hosts[1].ID(), "note", []byte("hello")); err != nil {
			t.Fatal(err)
		}
		for _, h := range hosts {
			for range 2 {
				if err := h.Close(); err != nil {
					t.Error(err)
				}
			}
			if err := h.Send(hosts[0].ID(), "note", nil); err == nil {
				t.Error("sent after Close")
			}
			if err := h.WaitPeers(context.Background(), 1); !errors.Is(err, ErrClosed) {
				t.Errorf("waiting after Close: %v", err)
			}
		}
	}
	run() // what libraries start once for the whole process
	before := runtime.NumGoroutine()
	for range 3 {
		run()
	}
	eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

func TestKnownPeersFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "peers.json")
	var logged bytes.Buffer
	log := slog.New(slog.NewTextHandler(&logged, nil))
	if err := os.WriteFile(path, []byte(`{"version":1,"peers":[{"id":"nonsense"}]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := openKnownPeers(path, true, log)
	if err != nil || len(k.infos()) != 0 {
		t.Fatalf("a broken cache stops the node: %v", err)
	}
	if _, err := os.Stat(path + ".bad"); err != nil || !strings.Contains(logged.String(), "put aside") {
		t.Error("a broken file was neither kept nor spoken of")
	}
	var infos []peer.AddrInfo
	for i := range 300 {
		a, err := ma.NewMultiaddr("/ip4/127.0.0.1/tcp/" + string(rune('1'+i%9)))
		if err != nil {
			t.Fatal(err)
		}
		infos = append(infos, peer.AddrInfo{ID: peer.ID("\x00\x01" + string(rune('a'+i/100)) + string(rune('a'+i%100))), Addrs: slices.Repeat([]ma.Multiaddr{a}, 3)})
	}
	infos = append(infos, peer.AddrInfo{ID: keyID(t, newKey(t))}) // without an address: not worth a line
	valid := keyID(t, newKey(t))
	infos[0].ID = valid
	if err := k.save(infos); err != nil {
		t.Fatal(err)
	}
	if k.count() != maxKnownPeers {
		t.Errorf("%d peers are known, want the bound, %d", k.count(), maxKnownPeers)
	}
	for name, bad := range map[string]string{
		"version":   `{"version":2,"peers":[]}`,
		"truncated": `{"version":1,"peers":[`,
		"address":   `{"version":1,"peers":[{"id":"` + valid.String() + `","addrs":["x"]}]}`,
		"too large": strings.Repeat(" ", maxKnownBytes+1),
		"too many":  `{"version":1,"peers":[` + strings.Repeat(`{},`, maxKnownPeers) + `{}]}`,
	} {
		if _, err := decodeKnown([]byte(bad), true); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	got, err := decodeKnown([]byte(`{"version":1,"peers":[{"id":"`+valid.String()+`","addrs":["/ip4/127.0.0.1/tcp/1"]}]}`), false)
	if err != nil || len(got) != 0 {
		t.Errorf("a private address was kept where none is allowed: %v, %v", got, err)
	}
}

func TestResolvePeersIsBounded(t *testing.T) {
	id := keyID(t, newKey(t))
	a, err := ma.NewMultiaddr("/dnsaddr/loop.example.org")
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	loop := func(context.Context, ma.Multiaddr) ([]ma.Multiaddr, error) {
		asked++
		return slices.Repeat([]ma.Multiaddr{a}, 1000), nil
	}
	if infos, _ := resolvePeers(context.Background(), []ma.Multiaddr{a}, loop); len(infos) != 0 || asked > 1+2*maxDNSAnswers {
		t.Errorf("names that point to themselves were asked for %d times, %d peers found", asked, len(infos))
	}
	direct, err := ma.NewMultiaddr("/ip4/127.0.0.1/tcp/1/p2p/" + id.String())
	if err != nil {
		t.Fatal(err)
	}
	answer := func(context.Context, ma.Multiaddr) ([]ma.Multiaddr, error) {
		return []ma.Multiaddr{direct, direct}, nil
	}
	infos, err := resolvePeers(context.Background(), []ma.Multiaddr{a, direct}, answer)
	if err != nil || len(infos) != 1 || infos[0].ID != id || len(infos[0].Addrs) != 1 {
		t.Errorf("resolved to %v, %v", infos, err)
	}
	fail := func(context.Context, ma.Multiaddr) ([]ma.Multiaddr, error) { return nil, io.ErrUnexpectedEOF }
	if infos, err := resolvePeers(context.Background(), []ma.Multiaddr{a, direct}, fail); err == nil || len(infos) != 1 {
		t.Errorf("one address that fails: %v, %v", infos, err)
	}
}

func TestFrames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		payloads := rapid.SliceOf(rapid.SliceOfN(rapid.Byte(), 0, 300)).Draw(t, "payloads")
		var stream []byte
		for _, p := range payloads {
			cut := rapid.IntRange(0, len(p)).Draw(t, "cut")
			stream = appendFrame(stream, p[:cut], p[cut:])
		}
		r := iotest.OneByteReader(bytes.NewReader(stream))
		for i, p := range payloads {
			got, err := readFrame(r, 300, nil)
			if err != nil || !bytes.Equal(got, p) {
				t.Fatalf("frame %d: %v", i, err)
			}
		}
		if _, err := readFrame(r, 300, nil); err != io.EOF {
			t.Fatalf("after the last frame: %v", err)
		}
	})
	// Nothing is allocated for what is only claimed.
	claim := binary.BigEndian.AppendUint32(nil, 1<<30)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := readFrame(bytes.NewReader(claim), 1<<30, nil); !errors.Is(err, ErrFrameTruncated) {
		t.Error(err)
	}
	runtime.ReadMemStats(&after)
	if after.TotalAlloc-before.TotalAlloc > 16<<20 {
		t.Errorf("%d bytes were allocated for a claim", after.TotalAlloc-before.TotalAlloc)
	}
	full := append(binary.BigEndian.AppendUint32(nil, 1<<20), make([]byte, 1<<20)...)
	refuse := errors.New("no")
	if _, err := readFrame(bytes.NewReader(full), 1<<20, func(int) error { return refuse }); !errors.Is(err, refuse) {
		t.Errorf("a refused reservation: %v", err)
	}
	reserved := 0
	if _, err := readFrame(bytes.NewReader(full), 1<<20, func(n int) error { reserved += n; return nil }); err != nil || reserved != 1<<20-firstAlloc {
		t.Errorf("%d bytes reserved, %v", reserved, err)
	}
}

func FuzzReadFrame(f *testing.F) {
	f.Add([]byte{}, 10)
	f.Add([]byte{0, 0, 0, 0}, 0)
	f.Add([]byte{0, 0, 0, 3, 1, 2, 3, 0}, 3)
	f.Add([]byte{255, 255, 255, 255, 1}, math.MaxInt32)
	f.Fuzz(func(t *testing.T, data []byte, max int) {
		if max < 0 || max > 1<<20 {
			return
		}
		r := bytes.NewReader(data)
		got, err := readFrame(r, max, nil)
		if err != nil {
			if len(got) != 0 {
				t.Error("bytes beside an error")
			}
			return
		}
		if len(got) > max || !bytes.Equal(appendFrame(nil, got), data[:len(data)-r.Len()]) {
			t.Errorf("frame of %d bytes, bound %d", len(got), max)
		}
	})
}

func FuzzDecodeKnown(f *testing.F) {
	f.Add([]byte(`{"version":1,"peers":[{"id":"12D3KooWGRUVh7fTzZg5jkcGyMZ5gvXrDoYFX7Lcy2kVPGZx1KRb","addrs":["/ip4/127.0.0.1/tcp/1"],"seen":"2026-01-02T03:04:05Z"}]}`))
	f.Add([]byte(`{"version":1}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := decodeKnown(data, true)
		if err == nil && len(got) > maxKnownPeers {
			t.Error("more peers than the bound")
		}
	})
}

func FuzzConfiguredAddresses(f *testing.F) {
	f.Add("test", "/ip4/127.0.0.1/tcp/4001", "/dnsaddr/example.org")
	f.Add("", "", "")
	f.Fuzz(func(t *testing.T, chain, listen, boot string) {
		c := Config{Chain: chain, Listen: []string{listen}, Bootstrap: []string{boot}, HostKey: fuzzKey}
		if c.Validate() == nil {
			for _, s := range []string{listen, boot} {
				if _, err := parseAddrs([]string{s}); err != nil {
					t.Error("a validated address cannot be read:", err)
				}
			}
		}
	})
}

func TestStandingFadesAndIsBounded(t *testing.T) {
	now := time.Unix(0, 0)
	s := newStanding(func() time.Time { return now })
	id := peer.ID("x")
	if s.add(id, banAt-1, false) || s.banned(id) {
		t.Error("cut off below the bound")
	}
	now = now.Add(standingHalf)
	if got := s.score(id); math.Abs(got+(banAt-1)/2) > 1e-9 {
		t.Errorf("after the half-life the score is %v", got)
	}
	if !s.add(id, banAt, false) || !s.banned(id) || s.add(id, banAt, false) {
		t.Error("not cut off once above the bound")
	}
	now = now.Add(banTime)
	if s.banned(id) {
		t.Error("cut off for ever")
	}
	if s.add("validator", 10*banAt, true) || s.banned("validator") {
		t.Error("an exempt peer was cut off")
	}
	for i := range 2 * standingPeers {
		s.add(peer.ID(string(rune(i+1000))), 1, false)
	}
	if len(s.peers) > standingPeers {
		t.Errorf("%d peers are remembered, at most %d", len(s.peers), standingPeers)
	}
	if s.score("validator") == 0 {
		t.Error("the peer with the most points was forgotten first")
	}
	if s.score("never seen") != 0 {
		t.Error("a stranger has points")
	}
}

func TestAttempts(t *testing.T) {
	var a attempts
	now := time.Unix(0, 0)
	id := sha256.Sum256([]byte("x"))
	for i := range gossipAttempts {
		if n, ok := a.next(id, now); !ok || n != byte(i) {
			t.Fatalf("attempt %d is %d, %v", i, n, ok)
		}
	}
	if _, ok := a.next(id, now); ok {
		t.Error("one attempt too many")
	}
	now = now.Add(2*gossipSeen + 1)
	if _, ok := a.next(id, now); ok {
		t.Error("forgotten while others may still remember the first attempt")
	}
	now = now.Add(2*gossipSeen + 1)
	if n, ok := a.next(id, now); !ok || n != 0 {
		t.Error("never forgotten")
	}
}

func TestBucketsWaitIsNoLongerThanATokenTakes(t *testing.T) {
	var b bucket
	now := time.Unix(1, 0)
	for range rateBurst {
		if wait := b.take(now, 1); wait != 0 {
			t.Fatalf("a wait of %v within the burst", wait)
		}
	}
	if wait := b.take(now, 1); wait != time.Second {
		t.Errorf("a wait of %v for a token a second, want 1s", wait)
	}
}

func TestBucket(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.IntRange(1, 1000).Draw(t, "rate")
		var b bucket
		start := time.Unix(1, 0)
		now, taken := start, 0
		for _, ms := range rapid.SliceOfN(rapid.IntRange(0, 30), 1, 200).Draw(t, "ms") {
			now = now.Add(time.Duration(ms) * time.Millisecond)
			if wait := b.take(now, rate); wait == 0 {
				taken++
			} else if wait > time.Second {
				t.Fatalf("a wait of %v at %d a second", wait, rate)
			}
		}
		if most := float64(rate*rateBurst) + now.Sub(start).Seconds()*float64(rate) + 1; float64(taken) > most {
			t.Fatalf("%d taken in %v at %d a second", taken, now.Sub(start), rate)
		}
	})
}

func TestPausesGrowAndAreBounded(t *testing.T) {
	d, now := newDialer(), time.Unix(1, 0)
	for i := range 10 * maxPauses {
		id := peer.ID(string(rune(i + 1000)))
		if !d.start(id, now) || d.start(id, now) {
			t.Fatal("an attempt must begin once")
		}
		d.failed(id, now, time.Minute)
		if d.start(id, now) {
			t.Fatal("no pause after a failure")
		}
		now = now.Add(time.Second)
	}
	if len(d.pauses) > 2*maxPauses {
		t.Errorf("%d pauses are remembered", len(d.pauses))
	}
	var last time.Duration
	for range 20 {
		next := grow(last, time.Minute)
		if next < last || next > time.Minute {
			t.Fatalf("a pause of %v after one of %v", next, last)
		}
		last = next
	}
	if last != time.Minute || jitter(last) < last*7/8 || jitter(last) > last*9/8 {
		t.Errorf("pauses end at %v", last)
	}
}

func TestGossipParamsFitEveryCell(t *testing.T) {
	for n := range 101 {
		p := gossipParams(n)
		if p.Dlo > p.D || p.D > p.Dhi || p.Dout >= p.Dlo || p.Dout >= p.D/2 || p.Dscore > p.Dhi {
			t.Errorf("%d validators: D %d, Dlo %d, Dhi %d, Dout %d", n, p.D, p.Dlo, p.Dhi, p.Dout)
		}
		if n <= smallCell && p.D < n-1 {
			t.Errorf("%d validators: mesh of %d", n, p.D)
		}
	}
}

func TestForeignTopicsAreBounded(t *testing.T) {
	h := newHost(t, nil)
	if _, err := h.Join("mine", false, 10, accept, ignoreFrame); err != nil {
		t.Fatal(err)
	}
	if h.topics.CanSubscribe("/other/chain/topic") || h.topics.CanSubscribe("/fatty/test/a/b") {
		t.Error("topics of other networks are noted")
	}
	for i := range 10 * foreignTopics {
		h.topics.CanSubscribe("/fatty/test/topic" + string(rune('a'+i%26)) + strings.Repeat("x", i/26%60))
	}
	if len(h.topics.foreign) > foreignTopics {
		t.Errorf("%d foreign topics are remembered", len(h.topics.foreign))
	}
	if !h.topics.CanSubscribe("/fatty/test/mine") {
		t.Error("an own topic is refused because of others'")
	}
}
