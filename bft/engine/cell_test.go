package engine

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/bft/wal"
	"github.com/seed06907907/fatty/internal/wire"
)

// memoryNet carries frames between engines of one process, each receiver in the order of its queue.
type memoryNet struct {
	mu    sync.Mutex
	peers map[bft.ValidatorID]*memoryPeer
}

type memoryPeer struct {
	engine *Engine
	queue  chan memoryFrame
}

type memoryFrame struct {
	topic string
	frame []byte
}

type memoryTransport struct {
	net  *memoryNet
	self bft.ValidatorID
}

func (t memoryTransport) each(f func(id bft.ValidatorID, p *memoryPeer)) {
	t.net.mu.Lock()
	defer t.net.mu.Unlock()
	for id, p := range t.net.peers {
		if id != t.self {
			f(id, p)
		}
	}
}

func (p *memoryPeer) put(topic string, frame []byte) {
	select {
	case p.queue <- memoryFrame{topic, frame}:
	default:
	}
}

func (t memoryTransport) Broadcast(topic string, frame []byte) {
	t.each(func(_ bft.ValidatorID, p *memoryPeer) { p.put(topic, frame) })
}

func (t memoryTransport) Send(to bft.ValidatorID, frame []byte) {
	t.each(func(id bft.ValidatorID, p *memoryPeer) {
		if id == to {
			p.put("", frame)
		}
	})
}

var errUnreachable = errors.New("no such peer")

func (t memoryTransport) Request(ctx context.Context, to bft.ValidatorID, req []byte, limit int) ([]byte, error) {
	t.net.mu.Lock()
	p := t.net.peers[to]
	t.net.mu.Unlock()
	if p == nil {
		return nil, errUnreachable
	}
	out, err := p.engine.Serve(ctx, "memory", req)
	if len(out) > limit {
		return nil, fmt.Errorf("answer of %d bytes", len(out))
	}
	return out, err
}

func (n *memoryNet) join(id bft.ValidatorID, e *Engine) {
	p := &memoryPeer{engine: e, queue: make(chan memoryFrame, 1<<14)}
	n.mu.Lock()
	n.peers[id] = p
	n.mu.Unlock()
	for range 2 {
		go func() {
			for {
				select {
				case f := <-p.queue:
					e.Deliver("memory", f.topic, f.frame)
				case <-e.Stopped():
					return
				}
			}
		}()
	}
}

func (n *memoryNet) leave(id bft.ValidatorID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.peers, id)
}

// chainApp hashes what it executes. It outlives its engine, as a durable state would.
type chainApp struct {
	mu       sync.Mutex
	seq      bft.Sequence
	root     [32]byte
	ticks    bool
	times    []bft.LedgerTime
	seen     map[string]bft.Sequence
	waiters  map[string]chan struct{}
	count    int
	corrupt  bool
	attached int
	replays  int
	lies     bool // its records are wrong
	records  map[bft.Sequence][]byte
	changed  chan struct{}
}

func newChainApp() *chainApp {
	return &chainApp{seen: map[string]bft.Sequence{}, records: map[bft.Sequence][]byte{}, waiters: map[string]chan struct{}{}, changed: make(chan struct{})}
}

func (a *chainApp) CheckTx(tx []byte) error {
	if tx[0] == 0xff {
		return errors.New("it begins with 0xff")
	}
	return nil
}

// Attachments: a transaction "@" digest length names one.
func (a *chainApp) Attachments(tx []byte) []bft.Attachment {
	if len(tx) < 37 || tx[0] != '@' {
		return nil
	}
	return []bft.Attachment{{ID: bft.Digest(tx[1:33]), Length: binary.BigEndian.Uint32(tx[33:])}}
}

// firstBytes are what execution takes from a cut's attachments: the first byte of each.
func (a *chainApp) firstBytes(cut Decided) ([]byte, error) {
	record := []byte{0}
	for _, tx := range cut.Transactions {
		for _, at := range a.Attachments(tx) {
			data, err := cut.Attachment(at.ID)
			if err != nil || len(data) != int(at.Length) {
				return nil, fmt.Errorf("attachment: %d bytes, %w", len(data), err)
			}
			a.attached++
			record = append(record, data[0])
		}
	}
	return record, nil
}

func (a *chainApp) Execute(_ context.Context, cut Decided) (Executed, error) {
	record, err := a.firstBytes(cut)
	if err != nil {
		return Executed{}, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if cut.Sequence != a.seq+1 {
		return Executed{}, fmt.Errorf("cut %d after %d", cut.Sequence, a.seq)
	}
	return a.apply(cut, record, nil)
}

func (a *chainApp) Record(seq bft.Sequence, _ [][]byte) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lies && len(a.records[seq]) > 1 {
		return []byte{0, 99}, nil
	}
	return a.records[seq], nil
}

func (a *chainApp) Replay(_ context.Context, cut Decided, record []byte, root wire.CID) (Executed, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if cut.Sequence != a.seq+1 {
		return Executed{}, fmt.Errorf("cut %d after %d", cut.Sequence, a.seq)
	}
	a.replays++
	return a.apply(cut, record, &root)
}

// apply moves the root on, to want if it is given or not at all.
func (a *chainApp) apply(cut Decided, record []byte, want *wire.CID) (Executed, error) {
	h := sha256.New()
	h.Write(a.root[:])
	h.Write(record)
	_ = binary.Write(h, binary.BigEndian, cut.Time)
	if want != nil {
		g := sha256.New()
		g.Write(a.root[:])
		g.Write(record)
		_ = binary.Write(g, binary.BigEndian, cut.Time)
		for _, tx := range cut.Transactions {
			g.Write(tx)
		}
		if got := wire.FromDigest([32]byte(g.Sum(nil))); got != *want {
			return Executed{}, fmt.Errorf("the record leads to %s, want %s", got, *want)
		}
	}
	a.records[cut.Sequence] = record
	for _, tx := range cut.Transactions {
		h.Write(tx)
		a.count++
		if _, twice := a.seen[string(tx)]; !twice {
			a.seen[string(tx)] = cut.Sequence
			if w := a.waiters[string(tx)]; w != nil {
				close(w)
			}
		}
	}
	if a.corrupt {
		h.Write([]byte("wrong"))
	}
	a.seq, a.root = cut.Sequence, [32]byte(h.Sum(nil))
	a.times = append(a.times, cut.Time)
	close(a.changed)
	a.changed = make(chan struct{})
	return Executed{StateRoot: wire.FromDigest(a.root), TicksNeeded: a.ticks}, nil
}

func (a *chainApp) Executed() (bft.Sequence, Executed) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.seq, Executed{StateRoot: wire.FromDigest(a.root), TicksNeeded: a.ticks}
}

// executed returns a channel that is closed once a transaction has been executed.
func (a *chainApp) executed(tx []byte) <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.waiters[string(tx)]
	if w == nil {
		w = make(chan struct{})
		a.waiters[string(tx)] = w
		if _, done := a.seen[string(tx)]; done {
			close(w)
		}
	}
	return w
}

// reach waits until a sequence number is executed.
func (a *chainApp) reach(t testing.TB, seq bft.Sequence) {
	t.Helper()
	for {
		a.mu.Lock()
		at, changed := a.seq, a.changed
		a.mu.Unlock()
		if at >= seq {
			return
		}
		select {
		case <-changed:
		case <-t.Context().Done():
			t.Fatalf("the test ended at cut %d, before %d", at, seq)
		}
	}
}

// cell is validators of one process.
type cell struct {
	t          testing.TB
	net        *memoryNet
	keys       []bft.Key
	validators []bft.Validator
	apps       []*chainApp
	engines    []*Engine
	dirs       []string
	fs         []wal.FS
	stop       []func() error
	tune       func(i int, c *Config)
}

func newCell(t testing.TB, n int) *cell {
	c := &cell{t: t, net: &memoryNet{peers: map[bft.ValidatorID]*memoryPeer{}}, engines: make([]*Engine, n), stop: make([]func() error, n), fs: make([]wal.FS, n)}
	dir := t.TempDir()
	for i := range n {
		seed := sha256.Sum256([]byte{byte(i)})
		k := bft.Key(ed25519.NewKeyFromSeed(seed[:]))
		c.keys = append(c.keys, k)
		c.validators = append(c.validators, bft.Validator{ID: k.ID(), Weight: 1})
		c.apps = append(c.apps, newChainApp())
		c.dirs = append(c.dirs, filepath.Join(dir, fmt.Sprint(i)))
	}
	return c
}

func (c *cell) start(i int) {
	c.t.Helper()
	cfg := Config{Chain: "test", Validators: c.validators, Key: c.keys[i], Dir: c.dirs[i], FS: c.fs[i], Application: c.apps[i],
		Transport: memoryTransport{c.net, c.keys[i].ID()}}
	if c.tune != nil {
		c.tune(i, &cfg)
	}
	e, err := Open(cfg)
	if err != nil {
		c.t.Fatalf("open replica %d: %v", i, err)
	}
	c.engines[i] = e
	c.net.join(c.keys[i].ID(), e)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	var once sync.Once
	var result error
	c.stop[i] = func() error {
		once.Do(func() {
			cancel()
			result = <-done
			c.net.leave(c.keys[i].ID())
		})
		return result
	}
	c.t.Cleanup(func() { _ = c.stop[i]() })
}

func (c *cell) startAll() {
	for i := range c.engines {
		c.start(i)
	}
}

func (c *cell) submit(i int, tx []byte) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := c.engines[i].Submit(ctx, tx, nil); err != nil {
		c.t.Fatalf("submit to %d: %v", i, err)
	}
}

// commit submits to one replica and waits until all the given ones executed.
func (c *cell) commit(i int, tx []byte, at ...int) {
	c.t.Helper()
	c.submit(i, tx)
	for _, k := range at {
		select {
		case <-c.apps[k].executed(tx):
		case <-time.After(time.Minute):
			c.t.Fatalf("replica %d has not executed %q after a minute: %+v", k, tx, c.engines[k].Status())
		}
	}
}
