package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/node/home"
	"github.com/seed06907907/fatty/node/keyfile"
)

// cell is a few nodes in one process: real libp2p on loopback, real disks.
type cell struct {
	t     testing.TB
	gen   *home.Genesis
	dirs  []string
	nodes []*Node
	stop  []context.CancelFunc
	done  []chan error
	key   ed25519.PrivateKey // of the one account
	nonce uint64
	now   func(i int) func() time.Time // nil, or node i's clock
	role  func(i int) string           // nil, or node i's role

	config func(*home.Config) // nil, or what changes every node's configuration
	proofs *Proofs            // of every node; nil: the real ones
}

// fakeProofs stands for the proof system where a test is about everything else: a proof is the canonical verdict.
func fakeProofs() *Proofs {
	return &Proofs{
		ProgramKey: func(b []byte) (wire.CID, lockspace.Digest, error) {
			if len(b) == 0 {
				return wire.CID{}, lockspace.Digest{}, errors.New("empty")
			}
			return wire.Sum(b), lockspace.Digest(wire.Sum(b).Digest()), nil
		},
		SpanInputs: spanInputs,
		Verify: func(b []byte) (v lockspace.Verdict) {
			if err := wire.Unmarshal(b, &v); err != nil {
				return lockspace.Verdict{Reason: err.Error()}
			}
			return v
		},
		Envelope: func(program, proof []byte) ([]byte, error) {
			return append(append([]byte{}, program...), proof...), nil
		},
	}
}

func testConfig() home.Config {
	c := home.Default()
	c.P2P.Listen = []string{"/ip4/127.0.0.1/tcp/0"}
	c.P2P.AllowPrivate, c.P2P.AutoNAT, c.P2P.Relay, c.P2P.HolePunching = true, false, false, false
	c.RPC.Listen, c.RPC.Health = "127.0.0.1:0", "127.0.0.1:0"
	c.Ledger.CacheMiB = 1
	return c
}

// newCell makes homes with keys and one genesis.
func newCell(t testing.TB, n int) *cell {
	t.Helper()
	key, err := keyfile.New()
	if err != nil {
		t.Fatal(err)
	}
	c := &cell{t: t, key: key, proofs: fakeProofs(), nodes: make([]*Node, n), stop: make([]context.CancelFunc, n), done: make([]chan error, n)}
	g := home.DefaultGenesis("test")
	g.Lease = home.LeaseRules{Cadence: 12, Grace: 6, LockDelay: 2}
	for i := range n {
		dir := t.TempDir()
		h := home.At(dir)
		hk, _ := keyfile.New()
		vk, _ := keyfile.New()
		if err := errors.Join(keyfile.Write(h.HostKey(), hk, nil), keyfile.Write(h.ValidatorKey(), vk, nil)); err != nil {
			t.Fatal(err)
		}
		id, err := keyfile.PeerID(keyfile.Public(hk))
		if err != nil {
			t.Fatal(err)
		}
		card, err := keyfile.NewCard(vk, id)
		if err != nil {
			t.Fatal(err)
		}
		g.Validators = append(g.Validators, home.Validator(string(rune('A'+i)), card))
		c.dirs = append(c.dirs, dir)
	}
	g.Accounts = []home.GenesisAccount{{Name: "client", Key: keyfile.Text(keyfile.Public(key)), Grant: true}}
	c.gen = &g
	return c
}

// start starts node i, bootstrapped by any that runs.
func (c *cell) start(i int) *Node {
	c.t.Helper()
	h, err := home.Open(c.dirs[i])
	if err != nil {
		c.t.Fatal(err)
	}
	cfg := testConfig()
	for j, o := range c.nodes {
		if j != i && o != nil {
			cfg.P2P.Bootstrap = append(cfg.P2P.Bootstrap, o.host.ListenAddrs()[0].String())
			break // one address: the others are found
		}
	}
	var log *slog.Logger
	if os.Getenv("FATTY_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug})).With("node", i)
	}
	if c.config != nil {
		c.config(&cfg)
	}
	opt := Options{Home: h, Config: cfg, Genesis: c.gen, Proofs: c.proofs, Logger: log}
	if c.now != nil {
		opt.Now = c.now(i)
	}
	if c.role != nil {
		opt.Config.Node.Role = c.role(i)
	}
	n, err := Open(c.t.Context(), opt)
	if err != nil {
		h.Close()
		c.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	c.nodes[i], c.stop[i], c.done[i] = n, cancel, done
	c.t.Cleanup(func() { c.halt(i); h.Close() })
	return n
}

// halt stops node i.
func (c *cell) halt(i int) {
	c.t.Helper()
	if c.nodes[i] == nil {
		return
	}
	c.stop[i]()
	if err := <-c.done[i]; err != nil {
		c.t.Errorf("node %d: %v", i, err)
	}
	if err := c.nodes[i].Close(); err != nil {
		c.t.Errorf("close node %d: %v", i, err)
	}
	if err := c.nodes[i].opt.Home.Close(); err != nil {
		c.t.Error(err)
	}
	c.nodes[i] = nil
}

// sign makes the next transaction of the account.
func (c *cell) sign(op lockspace.Op) []byte {
	c.t.Helper()
	c.nonce++
	tx, err := lockspace.Sign(c.key, lockspace.Header{Chain: c.gen.ChainID(), Nonce: c.nonce, Expiry: lockspace.Time(time.Now().Add(time.Minute).UnixNano())}, op)
	if err != nil {
		c.t.Fatal(err)
	}
	return tx
}

// do hands an operation to node i and waits for its receipt.
func (c *cell) do(i int, op lockspace.Op, files ...[]byte) *api.Receipt {
	c.t.Helper()
	r, err := c.try(i, c.sign(op), files...)
	if err != nil {
		for j, n := range c.nodes {
			if n != nil {
				c.t.Logf("node %d: %+v, peers %d", j, n.engine.Status(), len(n.host.Peers()))
			}
		}
		c.t.Fatalf("%T on node %d: %v", op, i, err)
	}
	return r
}

func (c *cell) try(i int, tx []byte, files ...[]byte) (*api.Receipt, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	b := backend{c.nodes[i]}
	s, err := b.Submit(ctx, api.SubmitParams{Transaction: tx, Attachments: files})
	if err != nil {
		return nil, err
	}
	return b.Wait(ctx, api.WaitParams{ID: s.ID})
}

// await waits until node i has executed a sequence.
func (c *cell) await(i int, seq uint64) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	for {
		changed := c.nodes[i].app.Changed()
		if c.nodes[i].store.Head().Sequence >= seq {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			c.t.Fatalf("node %d is at %d, want %d: %+v", i, c.nodes[i].store.Head().Sequence, seq, c.nodes[i].engine.Status())
		}
	}
}

// settle waits until all running nodes have executed a sequence.
func (c *cell) settle(seq uint64) {
	c.t.Helper()
	for i, n := range c.nodes {
		if n != nil {
			c.await(i, seq)
		}
	}
}

func TestSingleNode(t *testing.T) {
	c := newCell(t, 1)
	c.start(0)
	if r := c.do(0, &lockspace.Mkdir{Path: "/a"}); !r.OK {
		t.Fatalf("%+v", r)
	}
	r := c.do(0, &lockspace.Put{Path: "/a/f", Content: []byte("hello")})
	if !r.OK {
		t.Fatalf("%+v", r)
	}
	b := backend{c.nodes[0]}
	got, err := b.Get(t.Context(), api.PathParams{Path: "/a/f"})
	if err != nil || string(got.Data) != "hello" {
		t.Fatal(got, err)
	}
	// A restart keeps it, and goes on.
	root := c.nodes[0].store.Head().Root
	c.halt(0)
	c.start(0)
	if now := c.nodes[0].store.Head().Root; now != root {
		t.Errorf("root %s before, %s after a restart", root, now)
	}
	b = backend{c.nodes[0]}
	if got, err = b.Get(t.Context(), api.PathParams{Path: "/a/f"}); err != nil || string(got.Data) != "hello" {
		t.Fatal(got, err)
	}
	if r := c.do(0, &lockspace.Delete{Path: "/a/f"}); !r.OK {
		t.Fatalf("%+v", r)
	}
	// What depends on the state is refused by the ledger, what does not at the door.
	if r := c.do(0, &lockspace.Delete{Path: "/a/f"}); r.OK || r.Code != string(lockspace.CodeNotFound) {
		t.Errorf("%+v", r)
	}
	c.nonce--
	if _, err = c.try(0, c.sign(&lockspace.Mkdir{Path: "/other"})); api.CodeOf(err) != api.CodeRefused {
		t.Errorf("a used nonce: %v", err)
	}
}

// Four nodes that know one address find each other, agree, and go on without one, which catches up.
func TestCell(t *testing.T) {
	c := newCell(t, 4)
	for i := range 4 {
		c.start(i)
	}
	if r := c.do(0, &lockspace.Mkdir{Path: "/a"}); !r.OK {
		t.Fatalf("%+v", r)
	}
	var last *api.Receipt
	for i := range 8 {
		last = c.do(i%4, &lockspace.Put{Path: fmt.Sprintf("/a/%d", i), Content: []byte{byte(i)}})
		if !last.OK {
			t.Fatalf("%+v", last)
		}
	}
	for i := range 4 {
		c.await(i, last.Sequence)
		l, err := backend{c.nodes[i]}.List(t.Context(), api.ListParams{Path: "/a"})
		if err != nil || len(l.Children) != 8 {
			t.Fatal(l, err)
		}
	}
	c.halt(3)
	for i := range 4 {
		last = c.do(i%3, &lockspace.Put{Path: fmt.Sprintf("/a/x%d", i), Content: make([]byte, 5000)})
	}
	c.start(3)
	c.await(3, last.Sequence)
	if a, b := c.nodes[3].store.Head(), c.nodes[0].store.Head(); a.Sequence == b.Sequence && a.Root != b.Root {
		t.Errorf("%+v and %+v", a, b)
	}
}

func TestOpenRefuses(t *testing.T) {
	c := newCell(t, 1)
	n := c.start(0)
	open := func(dir string, gen *home.Genesis, spoil func(*home.Config), now func() time.Time) error {
		h, err := home.Open(dir)
		if err != nil {
			return err
		}
		defer h.Close()
		cfg := testConfig()
		if spoil != nil {
			spoil(&cfg)
		}
		n, err := Open(t.Context(), Options{Home: h, Config: cfg, Genesis: gen, Proofs: fakeProofs(), Now: now})
		if err == nil {
			n.Close()
		}
		return err
	}
	want := func(what string, err error, text string) {
		t.Helper()
		if err == nil || !contains(err.Error(), text) {
			t.Errorf("%s: %v, want %q", what, err, text)
		}
	}
	want("a locked home", open(c.dirs[0], c.gen, nil, nil), "in use by another process")
	used := n.listen.Addr().String()
	other := newCell(t, 1)
	want("a used port", open(other.dirs[0], other.gen, func(c *home.Config) { c.RPC.Listen = used }, nil), "change rpc.listen")
	want("a used p2p port", open(other.dirs[0], other.gen, func(c *home.Config) { c.P2P.Listen = []string{n.host.ListenAddrs()[0].String()} }, nil), "")
	if r := c.do(0, &lockspace.Mkdir{Path: "/a"}); !r.OK {
		t.Fatal(r)
	}
	c.halt(0)
	want("another genesis", open(c.dirs[0], other.gen, nil, nil), "not in genesis.json")
	again := *c.gen
	again.Lease.Cadence = 13
	want("a changed genesis", open(c.dirs[0], &again, nil, nil), "put the right genesis back")
	want("a clock an hour behind", open(c.dirs[0], c.gen, nil, func() time.Time { return time.Now().Add(-time.Hour) }), "clock is")
	if err := os.Remove(filepath.Join(c.dirs[0], "keys", "validator.key")); err != nil {
		t.Fatal(err)
	}
	want("no key", open(c.dirs[0], c.gen, nil, nil), "fattyd init")
	if err := open(c.dirs[0], c.gen, func(c *home.Config) { c.Node.Role = "replica" }, nil); err != nil {
		t.Errorf("as a replica: %v", err)
	}
}

func contains(s, part string) bool {
	for i := 0; i+len(part) <= len(s); i++ {
		if s[i:i+len(part)] == part {
			return true
		}
	}
	return false
}
