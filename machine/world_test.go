package machine

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/prover"
	"github.com/seed06907907/fatty/prover/vm"
)

// world is a ledger of one: the real lock space, a cut for each transaction and one a second, time from the bubble. Its
// proofs are verdicts in clear; its verifier believes them, so that a test can forge what it likes.
type world struct {
	mu       sync.Mutex
	blocks   map[wire.CID][]byte
	state    *lockspace.State
	watchers []chan api.Event
	events   []lockspace.Event
	receipts []lockspace.Receipt
}

func (w *world) Get(id wire.CID) ([]byte, error) { // called with mu held
	b, ok := w.blocks[id]
	if !ok {
		return nil, errors.New("no such block")
	}
	return b, nil
}

func programKey(b []byte) (wire.CID, lockspace.Digest, error) {
	return wire.Sum(b), sha256.Sum256(b), nil
}

func newWorld(t *testing.T, keys ...ed25519.PrivateKey) *world {
	w := &world{blocks: map[wire.CID][]byte{}}
	g := lockspace.Genesis{Chain: "test", Rules: lockspace.DefaultRules(), Time: lockspace.Time(time.Now().UnixNano())}
	for _, k := range keys {
		g.Accounts = append(g.Accounts, lockspace.GenesisAccount{ID: account(k), Quota: lockspace.DefaultQuota()})
	}
	s, res, err := lockspace.New(lockspace.Config{Blocks: w, Functions: lockspace.Functions{ProgramKey: programKey}}, g)
	if err != nil {
		t.Fatal(err)
	}
	w.state = s
	w.keep(res)
	return w
}

func (w *world) keep(res *lockspace.Result) {
	for _, b := range res.Blocks {
		w.blocks[b.ID] = b.Data
	}
}

func account(k ed25519.PrivateKey) lockspace.AccountID {
	return lockspace.AccountID(k.Public().(ed25519.PublicKey))
}

// cut applies one cut now.
func (w *world) cut(inputs ...lockspace.Input) (lockspace.Receipt, error) {
	at := max(lockspace.Time(time.Now().UnixNano()), w.state.Root().Time+1)
	next, res, err := w.state.Apply(lockspace.Cut{Sequence: w.state.Sequence() + 1, Time: at, Inputs: inputs})
	if err != nil {
		return lockspace.Receipt{}, err
	}
	w.keep(res)
	w.state = next
	w.events = append(w.events, res.Events...)
	for range res.Events {
		for _, c := range w.watchers {
			select {
			case c <- api.Event{}:
			default:
			}
		}
	}
	if len(res.Receipts) == 0 {
		return lockspace.Receipt{}, nil
	}
	w.receipts = append(w.receipts, res.Receipts...)
	return res.Receipts[0], nil
}

// run makes a cut each second until ctx ends.
func (w *world) run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.mu.Lock()
			_, _ = w.cut()
			w.mu.Unlock()
		}
	}
}

// seen counts the events of a kind.
func (w *world) seen(kind lockspace.EventKind) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// link is one account's way to the world; it can be cut, and its answers delayed behind the world.
type link struct {
	w     *world
	key   ed25519.PrivateKey
	nonce uint64
	mu    sync.Mutex
	fail  func(what string) error // nil: all is well
}

func (l *link) broken(what string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail == nil {
		return nil
	}
	return l.fail(what)
}

func (l *link) breakBy(f func(string) error) { l.mu.Lock(); l.fail = f; l.mu.Unlock() }

func (l *link) Head(context.Context) (*api.Head, error) {
	if err := l.broken("head"); err != nil {
		return nil, err
	}
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	r := l.w.state.Root()
	return &api.Head{Chain: "test", Sequence: r.Sequence, Time: api.FromNano(int64(r.Time)), StateRoot: l.w.state.ID().String()}, nil
}

func (l *link) Machine(_ context.Context, path string) (*api.Machine, error) {
	if err := l.broken("machine"); err != nil {
		return nil, err
	}
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	h, err := l.w.state.Holder(path)
	if err != nil {
		return nil, api.Errorf(api.CodeNotFound, "%v", err)
	}
	m := h.Machine
	out := &api.Machine{Lock: path, Machine: m.ID.String(), T: api.Clock(m.T), State: m.S.String(), Held: h.State == lockspace.Held, Holder: h.Peer,
		Instance: h.Instance, Generation: h.Generation, Waiting: m.Tail - m.Head, Sequence: h.Sequence,
		Terms: api.Terms{Transaction: int(m.Terms.Transaction), Inputs: string(m.Terms.Inputs), Succession: string(m.Terms.Succession),
			Cadence: float64(m.Terms.Cadence) / 1e9, Grace: float64(m.Terms.Grace) / 1e9, LockDelay: float64(m.Terms.LockDelay) / 1e9}}
	for _, f := range m.Terms.Idle {
		out.Terms.Idle = append(out.Terms.Idle, f.String())
	}
	switch h.State {
	case lockspace.Held:
		out.LeaseEnd = api.FromNano(int64(h.Ends))
	case lockspace.Delayed:
		out.ClosedTill = api.FromNano(int64(h.Ends))
	}
	return out, nil
}

func (l *link) Inbox(_ context.Context, path string, limit int) (*api.Inbox, error) {
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	list, first, err := l.w.state.Inbox(path, limit)
	if err != nil {
		return nil, err
	}
	out := &api.Inbox{Lock: path, Next: first, Sequence: l.w.state.Sequence()}
	for i, e := range list {
		out.Items = append(out.Items, api.InboxItem{Index: first + uint64(i), Felts: []string{e.Felts[0].String()}})
	}
	return out, nil
}

func (l *link) Do(ctx context.Context, op lockspace.Op, attachments ...[]byte) (*api.Receipt, error) {
	if err := l.broken("do"); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	l.nonce++
	tx, err := lockspace.Sign(l.key, lockspace.Header{Chain: "test", Nonce: l.nonce, Expiry: l.w.state.Root().Time + 1<<40}, op)
	if err != nil {
		return nil, err
	}
	in := lockspace.Input{Tx: tx}
	if len(attachments) > 0 {
		in.Verdict = new(lockspace.Verdict)
		if err := wire.Unmarshal(attachments[0], in.Verdict); err != nil {
			return nil, err
		}
	}
	r, err := l.w.cut(in)
	if err != nil {
		return nil, err
	}
	return &api.Receipt{OK: r.Code == "", Code: string(r.Code), Message: r.Message, Sequence: l.w.state.Sequence(), Time: api.FromNano(int64(l.w.state.Root().Time))}, nil
}

func (l *link) Watch(ctx context.Context, _ string) <-chan api.Event {
	c := make(chan api.Event, 16)
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	l.w.watchers = append(l.w.watchers, c)
	return c
}

// oracle is a prover that takes as long as it is told and proves by saying so.
type oracle struct {
	delay func(ticks uint64) time.Duration
	lie   func(*lockspace.Verdict)
}

func (o oracle) Prove(ctx context.Context, p *vm.Program, input []vm.Felt, opt prover.Options) (*prover.Result, error) {
	res, err := vm.Run(ctx, p, input, vm.StwoConfig(1<<20))
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(o.delay(input[2].Uint64()))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	canonical, err := prover.Canonical(p)
	if err != nil {
		return nil, err
	}
	block, err := canonical.Encode()
	if err != nil {
		return nil, err
	}
	v := lockspace.Verdict{OK: true, Key: sha256.Sum256(block), Life: opt.Life, Anchor: opt.Anchor, T0: res.Output[0].Uint64(), S0: res.Output[1].Bytes(),
		T1: res.Output[2].Uint64(), S1: res.Output[3].Bytes(), Inputs: res.Output[4].Bytes()}
	if o.lie != nil {
		o.lie(&v)
	}
	proof, err := wire.Marshal(v)
	return &prover.Result{Proof: proof, Program: canonical, Steps: res.Steps, Output: res.Output, Opening: res.Opening}, err
}

func takes(d time.Duration) func(uint64) time.Duration {
	return func(uint64) time.Duration { return d }
}
