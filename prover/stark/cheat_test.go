package stark_test

import (
	"fmt"
	"testing"

	"github.com/seed06907907/fatty/prover/stark/internal/toy"
	"github.com/seed06907907/fatty/verifier/field"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// Change one cell of each main column, prove as an attacker would, with everything that follows from it recomputed: the
// verifier refuses.
func TestMutatedCellIsRefused(t *testing.T) {
	h := toy.Heights{Table: 5, Code: 4, Cube: 6, Pairs: 4}
	honest := newCase(t, toy.Params(6), h, 7)
	for i, c := range honest.Inst.Set.Components {
		for j, name := range c.Main {
			t.Run(fmt.Sprintf("%s/%s", c.Name, name), func(t *testing.T) {
				for _, row := range []int{0, 5, len(honest.Trace.Main[i][j]) - 1} {
					cs := newCase(t, toy.Params(6), h, 7)
					cell := &cs.Trace.Main[i][j][row]
					one := field.New(1)
					cell.Add(cell, &one)
					if err := vstark.Verify(cs.Inst, prove(t, cs)); err == nil {
						t.Fatalf("row %d: accepted", row)
					}
				}
			})
		}
	}
}
