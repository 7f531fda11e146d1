package stark_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/seed06907907/fatty/prover/stark/internal/toy"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// The prover's bytes are those of the prover that was written from the protocol alone.
func TestProofIsThatOfTheNaiveProver(t *testing.T) {
	for i, c := range []struct {
		p vstark.Params
		h toy.Heights
	}{
		{toy.Params(4), toy.Heights{Table: 4, Code: 4, Cube: 4, Pairs: 4}},
		{toy.Params(6), toy.Heights{Table: 4, Code: 5, Cube: 6, Pairs: 4, Blend: 5}},
		{toy.Params(6), toy.Heights{Table: 6, Code: 4, Cube: 4, Pairs: 5, Blend: 6}},
		{toy.Params(6), toy.Heights{Table: 5, Code: 4, Cube: 4, Pairs: 5, Blend: 4}},
		{vstark.Params{LogN: 5, LogBlowup: 2, Queries: 3, QueryGrind: 0, FoldLog: 3, FinalLog: 0}, toy.Heights{Table: 5, Code: 4, Cube: 5, Pairs: 4, Blend: 5}},
	} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			cs := newCase(t, c.p, c.h, uint64(i))
			fast, err := prove(t, cs).Encode(cs.Inst)
			if err != nil {
				t.Fatal(err)
			}
			proof := naiveOf(cs).proveCase(t, cs)
			slow, err := proof.Encode(cs.Inst)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(fast, slow) {
				t.Error("the proofs differ")
			}
			if err := vstark.Verify(cs.Inst, proof); err != nil {
				t.Error(err)
			}
		})
	}
}
