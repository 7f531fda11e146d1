package node

import (
	"context"
	"os"
	"testing"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/node/keyfile"
	"github.com/seed06907907/fatty/prover"
	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier"
)

// spanner makes real span proofs of the lcg machine for its lock on a cell of one.
type spanner struct {
	c       *cell
	path    string
	prover  prover.Prover
	program *vm.Program
}

// span proves runs of so many ticks each from (t, s) on, and merges them.
func (p *spanner) span(generation uint64, t, s vm.Felt, ticks ...uint64) (span, run []byte, anchor uint64) {
	p.c.t.Helper()
	ctx, st := context.Background(), p.c.nodes[0].app.State()
	l, _, err := st.Lock(p.path)
	if err != nil {
		p.c.t.Fatal(err)
	}
	life, err := lockspace.Life(st.Chain(), p.path, l.Instance, generation, lockspace.AccountID(keyfile.Public(p.c.key)))
	if err != nil {
		p.c.t.Fatal(err)
	}
	root, err := st.AnchorAt(st.Sequence())
	if err != nil {
		p.c.t.Fatal(err)
	}
	for _, n := range ticks {
		var count vm.Felt
		count.SetUint64(n)
		r, err := p.prover.Prove(ctx, p.program, []vm.Felt{t, s, count, {}}, prover.Options{Life: life, Anchor: root})
		if err != nil {
			p.c.t.Fatal(err)
		}
		run, t, s = r.Proof, r.Output[2], r.Output[3]
		w, err := p.prover.Wrap(ctx, run)
		if err != nil {
			p.c.t.Fatal(err)
		}
		if span == nil {
			span = w.Proof
		} else {
			span = p.merge(span, w.Proof)
		}
	}
	return span, run, st.Sequence()
}

func (p *spanner) merge(left, right []byte) []byte {
	p.c.t.Helper()
	m, err := p.prover.Merge(context.Background(), left, right)
	if err != nil {
		p.c.t.Fatal(err)
	}
	return m.Proof
}

// Real proofs hold a lock: a span of two runs acquires it, one renews it, and the next brings the whole life so far, which
// is then served as a file that verifies from the machine's start. A run's proof renews nothing.
func TestRealSpans(t *testing.T) {
	c := newCell(t, 1)
	c.proofs = nil
	n := c.start(0)
	file, err := os.ReadFile("../examples/lcg/lcg.json")
	if err != nil {
		t.Fatal(err)
	}
	p := &spanner{c: c, path: "/m"}
	if p.program, err = vm.Load(file); err != nil {
		t.Fatal(err)
	}
	canonical, err := prover.Canonical(p.program)
	if err != nil {
		t.Fatal(err)
	}
	block, err := canonical.Encode()
	if err != nil {
		t.Fatal(err)
	}
	terms := lockspace.DefaultTerms(n.app.State().Rules())
	terms.Succession, terms.Opening, terms.Cadence = lockspace.Resume, lockspace.OpeningSelf, 600*lockspace.Second
	for _, op := range []lockspace.Op{&lockspace.Publish{Program: block},
		&lockspace.CreateMachine{Path: p.path, Program: wire.Sum(block), Start: lockspace.FeltOf(7), Terms: terms}} {
		if r := c.do(0, op); !r.OK {
			t.Fatalf("%T: %+v", op, r)
		}
	}
	m := func() *api.Machine {
		t.Helper()
		out, err := backend{n}.Machine(t.Context(), api.MachineParams{Machine: p.path})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	clock := func() (at, s vm.Felt) {
		l, _, err := n.app.State().Lock(p.path)
		if err != nil {
			t.Fatal(err)
		}
		at.SetUint64(l.Machine.T)
		s.SetBytes(l.Machine.S[:])
		return at, s
	}
	at, s := clock()
	first, _, anchor := p.span(1, at, s, 3, 2)
	r := c.do(0, &lockspace.Acquire{Path: p.path, Instance: m().Instance, Generation: 1, Mode: lockspace.Exclusive,
		Proof: named(first), Anchor: anchor, Runs: make([]lockspace.Run, 2)}, first)
	if !r.OK || m().T != 5 || m().WholeLifeT != 5 {
		t.Fatalf("acquire: %+v, %+v", r, m())
	}
	at, s = clock()
	second, run, anchor := p.span(1, at, s, 1)
	renew := func(proof []byte, whole []byte) *api.Receipt {
		op := &lockspace.Renew{Path: p.path, Instance: m().Instance, Generation: 1, Proof: named(proof), Anchor: anchor, Runs: make([]lockspace.Run, 1)}
		files := [][]byte{proof}
		if whole != nil {
			op.Whole, files = named(whole), append(files, whole)
		}
		return c.do(0, op, files...)
	}
	if r = renew(run, nil); r.Code != string(lockspace.CodeProof) {
		t.Errorf("a run's proof: %+v", r)
	}
	if r = renew(second, nil); !r.OK || m().T != 6 || !m().WholeLifeDue {
		t.Fatalf("renew: %+v, %+v", r, m())
	}
	at, s = clock()
	third, _, anchor := p.span(1, at, s, 1)
	if r = renew(third, first); r.Code != string(lockspace.CodeBadWhole) {
		t.Errorf("a whole life that ends before: %+v", r)
	}
	if r = renew(third, p.merge(first, second)); !r.OK || m().T != 7 || m().WholeLifeT != 6 {
		t.Fatalf("renew with the whole life: %+v, %+v", r, m())
	}
	whole, err := backend{n}.WholeLife(t.Context(), api.MachineParams{Machine: p.path})
	if err != nil {
		t.Fatal(err)
	}
	st, program, err := verifier.VerifyFile(whole.Envelope, verifier.Accept{Kind: verifier.KindSpan})
	if err != nil {
		t.Fatal(err)
	}
	id, err := program.CID()
	if err != nil || id != wire.Sum(block) || st.Span.T0 != 0 || st.Span.S0 != lockspace.FeltOf(7) || st.Span.T1 != 6 {
		t.Errorf("%s, %+v, %v", id, st.Span, err)
	}
}
