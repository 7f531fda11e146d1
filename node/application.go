package node

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/bft/engine"
	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
)

// decodedKept and decodedBytes bound the decoded transactions that are kept between the check and the execution, each of
// two generations.
const (
	decodedKept  = 1 << 14
	decodedBytes = 32 << 20
)

// application is the lock space as the engine drives it. Reads go to state, an immutable value, from any goroutine.
type application struct {
	store    *store
	verdicts *verdicts
	state    atomic.Pointer[lockspace.State]
	logger   *slog.Logger
	executed func(cut engine.Decided, res *lockspace.Result) // told after each cut; must be quick

	mu       sync.Mutex
	changed  chan struct{} // closed when the next cut is executed
	new, old map[bft.Digest]*lockspace.Signed
	bytes    int // of the transactions in new
}

// openApplication opens the state that the store holds, or makes the one of genesis.
func openApplication(st *store, v *verdicts, cfg lockspace.Config, gen lockspace.Genesis, logger *slog.Logger) (*application, error) {
	a := &application{store: st, verdicts: v, logger: logger, changed: make(chan struct{}), new: map[bft.Digest]*lockspace.Signed{}}
	head := st.Head()
	if head.Root.Defined() {
		s, err := lockspace.Open(cfg, head.Root)
		if err != nil {
			return nil, fmt.Errorf("state after cut %d: %w", head.Sequence, err)
		}
		if s.Chain() != gen.Chain {
			return nil, fmt.Errorf("the state on disk is of chain %s, genesis.json of %s: put the right genesis back", s.Chain(), gen.Chain)
		}
		a.state.Store(s)
		return a, nil
	}
	s, res, err := lockspace.New(cfg, gen)
	if err != nil {
		return nil, err
	}
	if err := st.write(executedCut{sequence: 0, time: gen.Time, result: res}); err != nil {
		return nil, err
	}
	a.state.Store(s)
	return a, nil
}

// State returns the newest executed state.
func (a *application) State() *lockspace.State { return a.state.Load() }

// Changed returns a channel that is closed when the next cut is executed.
func (a *application) Changed() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.changed
}

// decode decodes a transaction and checks its signature, once for the same bytes while they are remembered.
func (a *application) decode(tx []byte) (*lockspace.Signed, error) {
	id := wire.Sum(tx)
	key := bft.Digest(id.Digest())
	a.mu.Lock()
	s := a.new[key]
	if s == nil {
		s = a.old[key]
	}
	a.mu.Unlock()
	if s != nil {
		c := *s // a Signed is one goroutine's at a time
		return &c, nil
	}
	s, err := lockspace.Decode(tx)
	if err != nil {
		return nil, err
	}
	if err := s.CheckSignature(); err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.new) >= decodedKept || a.bytes+len(tx) > decodedBytes {
		a.old, a.new, a.bytes = a.new, map[bft.Digest]*lockspace.Signed{}, 0
	}
	a.bytes += len(tx)
	c := *s
	a.new[key] = &c
	return s, nil
}

// CheckTx implements engine.Application: form, chain, signature, a known account.
func (a *application) CheckTx(tx []byte) error {
	s, err := a.decode(tx)
	if err != nil {
		return err
	}
	st := a.State()
	if s.Chain != st.Chain() {
		return &lockspace.Refusal{Code: lockspace.CodeChain, Message: fmt.Sprintf("transaction for ledger %.70q: this one is %q", s.Chain, st.Chain())}
	}
	_, err = st.Account(s.Signer)
	return err
}

// Attachments implements engine.Application.
func (a *application) Attachments(tx []byte) []bft.Attachment {
	s, err := a.decode(tx)
	if err != nil {
		return nil
	}
	var out []bft.Attachment
	for _, p := range s.Attachments() {
		out = append(out, bft.Attachment{ID: p.ID.Digest(), Length: uint32(p.Length)})
	}
	return out
}

// Executed implements engine.Application.
func (a *application) Executed() (bft.Sequence, engine.Executed) {
	h := a.store.Head()
	return bft.Sequence(h.Sequence), engine.Executed{StateRoot: h.Root, TicksNeeded: h.Ticks}
}

// Execute implements engine.Application: verdicts side by side, then the lock space, then one synced batch.
func (a *application) Execute(ctx context.Context, cut engine.Decided) (engine.Executed, error) {
	st := a.State()
	c := lockspace.Cut{Sequence: uint64(cut.Sequence), Time: lockspace.Time(cut.Time), Inputs: make([]lockspace.Input, len(cut.Transactions))}
	a.decodeAll(cut.Transactions, c.Inputs)
	if err := a.judge(ctx, st, cut, c.Inputs, false); err != nil {
		return engine.Executed{}, err
	}
	next, res, err := st.Apply(c)
	if err != nil {
		// A transaction that a cheap check refused on the state before may need its verdict after others of this cut.
		if e := a.judge(ctx, st, cut, c.Inputs, true); e != nil {
			return engine.Executed{}, e
		}
		if next, res, err = st.Apply(c); err != nil {
			return engine.Executed{}, err
		}
	}
	proofs, err := keptProofs(st, next, cut, c.Inputs, res, false)
	if err != nil {
		return engine.Executed{}, err
	}
	return a.finish(cut, next, res, proofs)
}

// finish makes an executed cut durable and shows its state.
func (a *application) finish(cut engine.Decided, next *lockspace.State, res *lockspace.Result, proofs map[proofKey]*proofRecord) (engine.Executed, error) {
	if err := a.store.write(executedCut{sequence: uint64(cut.Sequence), time: lockspace.Time(cut.Time), result: res, proofs: proofs}); err != nil {
		return engine.Executed{}, err
	}
	a.state.Store(next)
	a.mu.Lock()
	close(a.changed)
	a.changed = make(chan struct{})
	a.mu.Unlock()
	if a.executed != nil {
		a.executed(cut, res)
	}
	return engine.Executed{StateRoot: res.Root, TicksNeeded: res.TicksNeeded}, nil
}

// recordedVerdict has the verdicts that decided the transaction at a place of a cut.
type recordedVerdict struct {
	Index   uint64             `cbor:"index"`
	Verdict lockspace.Verdict  `cbor:"verdict"`
	Whole   *lockspace.Verdict `cbor:"whole,omitempty"` // on its whole-life span
}

// Record implements engine.Application: the verdicts of a cut, from its receipts.
func (a *application) Record(seq bft.Sequence, txs [][]byte) ([]byte, error) {
	if uint64(seq) > a.store.Head().Sequence {
		return nil, nil
	}
	list := []recordedVerdict{}
	for i, tx := range txs {
		var r receiptRecord
		err := a.store.record(digestKey(tableReceipt, wire.Sum(tx)), &r)
		if errors.Is(err, errNoRecord) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if r.Sequence == uint64(seq) && r.Index == uint64(i) && r.Receipt.Verdict != nil {
			list = append(list, recordedVerdict{uint64(i), *r.Receipt.Verdict, r.Receipt.Whole})
		}
	}
	return wire.Marshal(list)
}

// Replay implements engine.Application. The proofs themselves are gone, so none is kept to serve; the next renewals bring
// them.
func (a *application) Replay(_ context.Context, cut engine.Decided, record []byte, root wire.CID) (engine.Executed, error) {
	var list []recordedVerdict
	if err := wire.Unmarshal(record, &list); err != nil {
		return engine.Executed{}, fmt.Errorf("record of cut %d: %w", cut.Sequence, err)
	}
	c := lockspace.Cut{Sequence: uint64(cut.Sequence), Time: lockspace.Time(cut.Time), Inputs: make([]lockspace.Input, len(cut.Transactions))}
	a.decodeAll(cut.Transactions, c.Inputs)
	for i := range list {
		if list[i].Index >= uint64(len(c.Inputs)) {
			return engine.Executed{}, fmt.Errorf("record of cut %d: a verdict for transaction %d of %d", cut.Sequence, list[i].Index, len(c.Inputs))
		}
		in := &c.Inputs[list[i].Index]
		in.Verdict, in.Whole = &list[i].Verdict, list[i].Whole
	}
	st := a.State()
	next, res, err := st.Apply(c)
	if err != nil {
		return engine.Executed{}, fmt.Errorf("record of cut %d: %w", cut.Sequence, err)
	}
	if res.Root != root {
		return engine.Executed{}, fmt.Errorf("record of cut %d: it leads to %s, certified is %s", cut.Sequence, res.Root, root)
	}
	proofs, err := keptProofs(st, next, cut, c.Inputs, res, true)
	if err != nil {
		return engine.Executed{}, err
	}
	return a.finish(cut, next, res, proofs)
}

// decodeAll decodes and checks signatures on all cores: both are pure functions of bytes. What fails is left to Apply,
// which says why in the receipt.
func (a *application) decodeAll(txs [][]byte, inputs []lockspace.Input) {
	one := func(i int) {
		inputs[i].Tx = txs[i]
		if s, err := a.decode(txs[i]); err == nil {
			inputs[i].Signed = s
		}
	}
	workers := min(runtime.GOMAXPROCS(0), len(txs)/8)
	if workers < 2 {
		for i := range txs {
			one(i)
		}
		return
	}
	var group sync.WaitGroup
	var next atomic.Int64
	for range workers {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := int(next.Add(1)) - 1; i < len(txs); i = int(next.Add(1)) - 1 {
				one(i)
			}
		}()
	}
	group.Wait()
}

// judge fills in the verdicts: of the transactions that pass every cheap check, or of all.
func (a *application) judge(ctx context.Context, st *lockspace.State, cut engine.Decided, inputs []lockspace.Input, all bool) error {
	type job struct {
		to **lockspace.Verdict
		v  *verdict
	}
	var jobs []job
	var checks *lockspace.Prechecks // most cuts bring no proof
	for i := range inputs {
		s := inputs[i].Signed
		if s == nil || len(s.Attachments()) == 0 || inputs[i].Verdict != nil {
			continue
		}
		if !all {
			if checks == nil {
				var err error
				if checks, err = st.Prechecks(lockspace.Time(cut.Time)); err != nil {
					return err
				}
			}
			if need, err := checks.Next(s); err != nil && lockspace.CodeOf(err) == "" {
				return err
			} else if err != nil || need == nil {
				continue
			}
		}
		for j, p := range s.Attachments() {
			id := bft.Digest(p.ID.Digest())
			v, err := a.verdicts.start(id, func() ([]byte, error) { return cut.Attachment(id) })
			if err != nil {
				return fmt.Errorf("proof %s: %w", p.ID, err)
			}
			to := []**lockspace.Verdict{&inputs[i].Verdict, &inputs[i].Whole}[j]
			jobs = append(jobs, job{to, v})
		}
	}
	for _, j := range jobs {
		v, err := j.v.wait(ctx)
		if err != nil {
			return err
		}
		*j.to = v
	}
	return nil
}

// keptProofs says what a cut changes in the proofs that are kept to serve: the newest of each lock, and its whole life. A
// nil record is one to forget: a deleted lock's, or in a replay, which has no bytes, one that another has taken the place of.
func keptProofs(before, after *lockspace.State, cut engine.Decided, inputs []lockspace.Input, res *lockspace.Result, replay bool) (map[proofKey]*proofRecord, error) {
	out := map[proofKey]*proofRecord{}
	for i, in := range inputs {
		r := &res.Receipts[i]
		if r.Code != "" || in.Signed == nil {
			continue
		}
		var path string
		st := after
		switch o := in.Signed.Op.(type) {
		case *lockspace.Acquire:
			path = o.Path
		case *lockspace.Renew:
			path = o.Path
		case *lockspace.Delete:
			path, st = o.Path, before
		default:
			continue
		}
		l, id, err := st.Lock(path)
		if c := lockspace.CodeOf(err); c == lockspace.CodeNotFound || c == lockspace.CodeInvalid {
			continue // a lock that this cut both made and took away, or a directory
		}
		if err != nil {
			return nil, err
		}
		newest, whole := proofKey{tableProof, id}, proofKey{tableWhole, id}
		if r.Verdict == nil {
			if st == before && l.Machine != nil {
				out[newest], out[whole] = nil, nil
			}
			continue
		}
		if l.Machine == nil { // a file made anew under the name in the same cut
			continue
		}
		attached := in.Signed.Attachments()
		keep := func(k proofKey, p lockspace.Proof, v *lockspace.Verdict) error {
			if out[k] = nil; replay {
				return nil
			}
			b, err := cut.Attachment(p.ID.Digest())
			out[k] = &proofRecord{ID: p.ID, Program: l.Machine.Program, T0: v.T0, T1: v.T1, Sequence: uint64(cut.Sequence), Proof: b}
			return err
		}
		if err := keep(newest, attached[0], r.Verdict); err != nil {
			return nil, err
		}
		switch {
		case r.Verdict.T0 == 0:
			out[whole] = out[newest]
		case r.Whole != nil:
			if err := keep(whole, attached[1], r.Whole); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}
