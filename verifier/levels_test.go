package verifier

import (
	"fmt"
	"math"
	"testing"

	"github.com/seed06907907/fatty/verifier/circuit"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/stark"
)

// unbounded is a shape's level without the ceiling that the hash is: how much of a set's level is left to spare.
func unbounded(s Shape) float64 {
	best := math.Inf(-1)
	for m := 0; m <= maxMultiplicity; m++ {
		if m == 1 || m == 2 {
			continue
		}
		sum := 0.0
		for _, x := range s.In(Regime{m}) {
			sum += math.Exp2(-x.Bits)
		}
		best = math.Max(best, -math.Log2(sum))
	}
	return best
}

// TestEveryProofReachesItsLevel sums all rounds of every proof that there is: runs with every table at the pinned size, and
// the proofs of all circuits.
func TestEveryProofReachesItsLevel(t *testing.T) {
	check := func(name string, security int, inst *stark.Instance) {
		t.Helper()
		s, err := ShapeOf(inst)
		if err != nil {
			t.Fatal(err)
		}
		l, err := s.Level()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%-28s %d words, %d constraints: %.2f bits proven, %.2f without the hash", name, s.Words, s.Constraints, l.Proven, unbounded(s))
		if l.Proven < float64(security) || unbounded(s) < float64(security) {
			t.Errorf("%s reaches %.3f bits, made for %d", name, unbounded(s), security)
		}
	}
	for _, s := range parameterSets {
		check(fmt.Sprintf("run of 2^%d, %d bits", s.params.LogN, s.security), s.security, tallestRun(s.params))
	}
	for _, security := range []int{Security100, Security124} {
		forms := Recursion(security).Forms()
		if len(forms) != len(circuits[security]) {
			t.Fatalf("%d forms and %d circuits", len(forms), len(circuits[security]))
		}
		for i, f := range forms {
			check(fmt.Sprintf("%s, %d bits", f, security), security, &stark.Instance{Set: circuit.Set(), Params: formParams(security, i),
				LogHeights: circuits[security][i].heights[:], Scalars: make([][]field.Element, circuit.Tables),
				Ext: circuit.ExtScalars[field.Ext](field.Arithmetic{}, field.Ext{}, field.Ext{})})
		}
		if l := spanLevels[security](); l.Proven < float64(security) {
			t.Errorf("a span of %d bits says %.3f", security, l.Proven)
		}
	}
}
