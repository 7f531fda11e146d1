package stark_test

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/seed06907907/fatty/prover/stark"
	"github.com/seed06907907/fatty/prover/stark/internal/toy"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

func prove(t testing.TB, c *toy.Case) *vstark.Proof {
	t.Helper()
	p, err := stark.Prove(context.Background(), c.Inst, c.Pre, c.Prog, c.Trace, stark.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newCase(t testing.TB, p vstark.Params, h toy.Heights, seed uint64) *toy.Case {
	t.Helper()
	c, err := toy.New(p, h, seed)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// An honest proof is accepted whatever the heights: short first, tall first, all shorter than the pinned size, blow-up 2
// to 8, all arities of folds.
func TestHonestProofIsAccepted(t *testing.T) {
	for i, c := range []struct {
		p vstark.Params
		h toy.Heights
	}{
		{toy.Params(4), toy.Heights{Table: 4, Code: 4, Cube: 4, Pairs: 4}},
		{toy.Params(6), toy.Heights{Table: 4, Code: 5, Cube: 6, Pairs: 4, Blend: 5}},
		{toy.Params(6), toy.Heights{Table: 6, Code: 4, Cube: 4, Pairs: 5, Blend: 6}},
		{toy.Params(7), toy.Heights{Table: 5, Code: 4, Cube: 4, Pairs: 5}},
		{toy.Params(10), toy.Heights{Table: 4, Code: 10, Cube: 9, Pairs: 8, Blend: 10}},
		{vstark.Params{LogN: 6, LogBlowup: 2, Queries: 3, QueryGrind: 0, FoldLog: 3, FinalLog: 0}, toy.Heights{Table: 5, Code: 4, Cube: 6, Pairs: 4}},
		{vstark.Params{LogN: 7, LogBlowup: 3, Queries: 40, QueryGrind: 6, FoldLog: 4, FinalLog: 5}, toy.Heights{Table: 5, Code: 7, Cube: 6, Pairs: 4, Blend: 7}},
		{vstark.Params{LogN: 5, LogBlowup: 1, Queries: 60, QueryGrind: 1, FoldLog: 1, FinalLog: 3}, toy.Heights{Table: 5, Code: 5, Cube: 4, Pairs: 4}},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			cs := newCase(t, c.p, c.h, uint64(i))
			p := prove(t, cs)
			if err := vstark.Verify(cs.Inst, p); err != nil {
				t.Fatal(err)
			}
			b, err := p.Encode(cs.Inst)
			if err != nil {
				t.Fatal(err)
			}
			q, err := vstark.DecodeProof(b, cs.Inst)
			if err != nil {
				t.Fatal(err)
			}
			if err := vstark.Verify(cs.Inst, q); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Proofs made at the same time share committed trees and tables of domains, and none changes its trace.
func TestProofsAtTheSameTimeAreTheSame(t *testing.T) {
	cs := newCase(t, toy.Params(7), toy.Heights{Table: 5, Code: 4, Cube: 7, Pairs: 5, Blend: 6}, 9)
	before := make([]string, 0, 16)
	for _, c := range cs.Trace.Main {
		for _, v := range c {
			before = append(before, v.String())
		}
	}
	want, err := prove(t, cs).Encode(cs.Inst)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	got := make([][]byte, 4)
	for i := range got {
		wg.Go(func() {
			if p, err := stark.Prove(context.Background(), cs.Inst, cs.Pre, cs.Prog, cs.Trace, stark.Options{}); err == nil {
				got[i], _ = p.Encode(cs.Inst)
			}
		})
	}
	wg.Wait()
	for i := range got {
		if !bytes.Equal(got[i], want) {
			t.Errorf("proof %d is another one", i)
		}
	}
	for _, c := range cs.Trace.Main {
		for _, v := range c {
			if v.String() != before[0] {
				t.Error("the trace was changed")
			}
			before = before[1:]
		}
	}
}

// The proof does not depend on how many processors made it.
func TestProofDoesNotDependOnTheProcessors(t *testing.T) {
	cs := newCase(t, toy.Params(10), toy.Heights{Table: 5, Code: 4, Cube: 10, Pairs: 9, Blend: 10}, 10)
	var want []byte
	for _, n := range []int{1, 2, 3, 16} {
		undo := stark.SetWorkers(n)
		got, err := prove(t, cs).Encode(cs.Inst)
		undo()
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%d workers make another proof", n)
		}
	}
}
