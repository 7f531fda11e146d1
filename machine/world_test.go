package machine

import (
	"context"
	"crypto/ed25519"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/verifier"
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
	program  verifier.Program  // of the machine, for proof files
	newest   map[string][]byte // proofs that a node keeps, by lock
	whole    map[string][]byte
	attached int // bytes of the proofs that were accepted
}

// fakeProof is a proof in clear: of a run, or of a span.
type fakeProof struct {
	Span    bool              `cbor:"span"`
	Verdict lockspace.Verdict `cbor:"verdict"`
}

func (f fakeProof) bytes() []byte {
	b, err := wire.Marshal(f)
	if err != nil {
		panic(err)
	}
	return b
}

func readFake(b []byte) (f fakeProof, err error) {
	err = wire.Unmarshal(b, &f)
	return f, err
}

// judged is what the world's verifier says of a proof.
func judged(b []byte) *lockspace.Verdict {
	f, err := readFake(b)
	if err != nil || !f.Span {
		return &lockspace.Verdict{Reason: "not a span proof"}
	}
	return &f.Verdict
}

// checkFake is Config.Check for proofs in clear.
func checkFake(b []byte) (verifier.Statement, error) {
	v := judged(b)
	if !v.OK {
		return verifier.Statement{}, errors.New(v.Reason)
	}
	return statement(*v), nil
}

func statement(v lockspace.Verdict) verifier.Statement {
	return verifier.Statement{Kind: verifier.KindSpan, Key: verifier.Key(v.Key), Life: v.Life, Anchor: v.Anchor, Security: verifier.Security100,
		Span: &verifier.Span{T0: v.T0, S0: verifier.Felt(v.S0), T1: v.T1, S1: verifier.Felt(v.S1), Inputs: verifier.InputsDigest(v.Inputs)}}
}

func spanInputs(runs []lockspace.Felt) lockspace.Digest {
	list := make([]verifier.Felt, len(runs))
	for i := range runs {
		list[i] = verifier.Felt(runs[i])
	}
	return lockspace.Digest(verifier.SpanInputs(list))
}

func (w *world) Get(id wire.CID) ([]byte, error) { // called with mu held
	b, ok := w.blocks[id]
	if !ok {
		return nil, errors.New("no such block")
	}
	return b, nil
}

// keys are those of programs by their content ids: they take a while to derive.
var keys sync.Map

func programKey(b []byte) (wire.CID, lockspace.Digest, error) {
	id := wire.Sum(b)
	if k, ok := keys.Load(id); ok {
		return id, k.(lockspace.Digest), nil
	}
	p, err := verifier.DecodeProgram(b)
	if err != nil {
		return id, lockspace.Digest{}, err
	}
	k, err := p.Key()
	keys.Store(id, lockspace.Digest(k))
	return id, lockspace.Digest(k), err
}

func newWorld(t *testing.T, keys ...ed25519.PrivateKey) *world {
	w := &world{blocks: map[wire.CID][]byte{}, newest: map[string][]byte{}, whole: map[string][]byte{}}
	g := lockspace.Genesis{Chain: "test", Rules: lockspace.DefaultRules(), Time: lockspace.Time(time.Now().UnixNano())}
	for _, k := range keys {
		g.Accounts = append(g.Accounts, lockspace.GenesisAccount{ID: account(k), Quota: lockspace.DefaultQuota()})
	}
	s, res, err := lockspace.New(lockspace.Config{Blocks: w, Functions: lockspace.Functions{ProgramKey: programKey, SpanInputs: spanInputs}}, g)
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

// lacks lets one thing fail from now on.
func (l *link) lacks(what string, err error) {
	l.breakBy(func(asked string) error {
		if asked == what {
			return err
		}
		return nil
	})
}

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
	switch {
	case lockspace.CodeOf(err) == lockspace.CodeInvalid:
		return nil, api.Errorf(api.CodeParams, "%v", err)
	case err != nil:
		return nil, api.Errorf(api.CodeNotFound, "%v", err)
	case h.Machine == nil:
		return nil, api.Errorf(api.CodeParams, "%s is a lock without a machine", path)
	}
	m := h.Machine
	out := &api.Machine{Lock: path, Machine: m.ID.String(), T: api.Clock(m.T), State: m.S.String(), Held: h.State == lockspace.Held, Holder: h.Peer,
		Instance: h.Instance, Generation: h.Generation, Waiting: m.Tail - m.Head, Sequence: h.Sequence,
		ProofT0: api.Clock(m.T0), WholeLifeDue: m.WholeDue(),
		Terms: api.Terms{Transaction: int(m.Terms.Transaction), Inputs: string(m.Terms.Inputs), Succession: string(m.Terms.Succession),
			Cadence: float64(m.Terms.Cadence) / 1e9, Grace: float64(m.Terms.Grace) / 1e9, LockDelay: float64(m.Terms.LockDelay) / 1e9}}
	if m.Proof != nil {
		out.Proof = m.Proof.String()
	}
	if m.Whole != nil {
		out.WholeLifeT = api.Clock(m.Whole.T)
	}
	out.Terms.Opening = m.Terms.Opening
	opening, err := l.w.state.Opening(path)
	if err != nil {
		return nil, err
	}
	for _, f := range opening {
		out.Opening = append(out.Opening, f.String())
	}
	for _, f := range m.Terms.Idle {
		out.Terms.Idle = append(out.Terms.Idle, f.String())
	}
	switch h.State {
	case lockspace.Held:
		out.LeaseEnd = api.FromNano(int64(h.Ends))
	case lockspace.Delayed:
		out.ClosedTill = api.FromNano(int64(h.Ends))
	case lockspace.Free:
		if m.WholeDue() {
			full, _, err := l.w.state.Lock(path)
			if err != nil {
				return nil, err
			}
			out.WholeLifeTill = api.FromNano(int64(full.Freed) + int64(m.Terms.Cadence) + int64(m.Terms.Grace))
		}
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
		item := api.InboxItem{Index: first + uint64(i)}
		for _, f := range e.Felts {
			item.Felts = append(item.Felts, f.String())
		}
		out.Items = append(out.Items, item)
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
		in.Verdict = judged(attachments[0])
	}
	if len(attachments) > 1 {
		in.Whole = judged(attachments[1])
	}
	r, err := l.w.cut(in)
	if err != nil {
		return nil, err
	}
	if r.Code == "" && len(attachments) > 0 {
		l.w.keepProofs(op, attachments)
	}
	if err := l.broken("receipt"); err != nil {
		return nil, err
	}
	return &api.Receipt{OK: r.Code == "", Code: string(r.Code), Message: r.Message, Sequence: l.w.state.Sequence(), Time: api.FromNano(int64(l.w.state.Root().Time))}, nil
}

// keepProofs does what nodes do with the proofs of an accepted transaction.
func (w *world) keepProofs(op lockspace.Op, attachments [][]byte) {
	path := ""
	switch o := op.(type) {
	case *lockspace.Acquire:
		path = o.Path
	case *lockspace.Renew:
		path = o.Path
	}
	w.newest[path] = attachments[0]
	if judged(attachments[0]).T0 == 0 {
		w.whole[path] = attachments[0]
	}
	if len(attachments) > 1 {
		w.whole[path] = attachments[1]
	}
	for _, a := range attachments {
		w.attached += len(a)
	}
}

// bytes is how many bytes of proofs were accepted.
func (w *world) bytes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.attached
}

func (l *link) served(what, path string, from map[string][]byte) (*api.MachineProof, error) {
	if err := l.broken(what); err != nil {
		return nil, err
	}
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	proof := from[path]
	if proof == nil {
		return nil, api.Errorf(api.CodeNotFound, "no proof of %s", path)
	}
	env, err := verifier.EncodeEnvelope(l.w.program, proof)
	return &api.MachineProof{Lock: path, Envelope: env}, err
}

func (l *link) MachineProof(_ context.Context, path string) (*api.MachineProof, error) {
	return l.served("proof", path, l.w.newest)
}

func (l *link) WholeLife(_ context.Context, path string) (*api.MachineProof, error) {
	return l.served("whole", path, l.w.whole)
}

// Elsewhere does nothing: the world has one node.
func (l *link) Elsewhere() {}

func (l *link) Watch(ctx context.Context, _ string) <-chan api.Event {
	c := make(chan api.Event, 16)
	l.w.mu.Lock()
	defer l.w.mu.Unlock()
	l.w.watchers = append(l.w.watchers, c)
	return c
}
