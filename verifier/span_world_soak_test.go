//go:build soak

package verifier_test

import (
	"testing"

	"github.com/seed06907907/fatty/prover"
	"github.com/seed06907907/fatty/verifier"
)

// TestNoValueOfAnyCircuitIsFree is TestNoValueOfACircuitIsFree for every circuit that runs of up to 2^18 rows reach, at both levels.
func TestNoValueOfAnyCircuitIsFree(t *testing.T) {
	for _, security := range []int{verifier.Security100, verifier.Security124} {
		pr := new(prover.Prover)
		p := machine(t, "lcg")
		at := feltsOf(0, 7)
		var runs [][]byte
		for _, ticks := range []uint64{4000, 2, 4000, 4000} {
			r, err := pr.Prove(t.Context(), p, append(at[:2:2], feltsOf(ticks, 0)...), prover.Options{Security: security})
			if err != nil {
				t.Fatal(err)
			}
			runs = append(runs, r.Proof)
			at = r.Output[2:4]
		}
		seen := map[int]bool{}
		see := func(a *verifier.Assignment, err error) []byte {
			if err != nil || a.Violated != nil {
				t.Fatal(err, a.Violated)
			}
			form := a.ID().Form
			if name := verifier.Recursion(security).Forms()[form].String(); !seen[form] {
				seen[form] = true
				if form < len(verifier.PinnedSizes()) {
					name = "wrap"
				}
				verifier.NoValueIsFree(t, name, a.Circuit, security, 1, 6, 64)
			}
			proof, err := pr.ProveCircuit(t.Context(), a)
			if err != nil {
				t.Fatal(err)
			}
			return proof
		}
		var spans [][]byte
		for _, r := range runs {
			spans = append(spans, see(verifier.AssignWrap(r)))
		}
		wideNarrow := see(verifier.AssignMerge(spans[0], spans[1]))
		wideWide := see(verifier.AssignMerge(spans[2], spans[3]))
		narrowWide := see(verifier.AssignMerge(spans[1], spans[2]))
		narrowNarrow := see(verifier.AssignMerge(wideNarrow, wideWide))
		see(verifier.AssignShrink(narrowNarrow))
		see(verifier.AssignShrink(narrowWide))
		see(verifier.AssignShrink(spans[0]))
		if len(seen) != 8 {
			t.Errorf("%d circuits of %d bits", len(seen), security)
		}
	}
}
