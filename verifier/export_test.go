package verifier

import (
	"math/rand/v2"
	"testing"

	"github.com/seed06907907/fatty/verifier/circuit"
	"github.com/seed06907907/fatty/verifier/internal/cheat"
)

// MergeAll is AssignMerge without a look at whether the spans meet.
func MergeAll(left, right []byte) (*Assignment, error) {
	l, err := decodeChild(left)
	if err != nil {
		return nil, err
	}
	r, err := decodeChild(right)
	if err != nil {
		return nil, err
	}
	return merge(l, r)
}

// WrapAll is AssignWrap without a look at whether the output is a clock.
func WrapAll(run []byte) (*Assignment, error) {
	h, tail, err := decodeHead(run, Accept{})
	if err != nil {
		return nil, err
	}
	_, p, err := decodeBody(h, tail)
	if err != nil {
		return nil, err
	}
	return h.assign(p, Clock{})
}

// Refusal is what an assignment's columns do not hold.
var Refusal = refusal

// NoValueIsFree lies about every step-th value that a prover of a circuit with honest values chooses, lies times, one at a
// time, and carries the lie on. But for the root of the list of keys, which a wrap takes as it is given, no lie may be
// overlooked that changes anything: what is left are inverses of zero, which nothing depends on, at most so many.
func NoValueIsFree(t *testing.T, name string, c *circuit.Circuit, security, step, lies, most int) {
	t.Helper()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 3))
	w := cheat.New(c)
	if err := w.Holds(); err != nil {
		t.Fatal(name, err)
	}
	targets := w.Targets()
	idle := map[int32]bool{}
	for k := r.IntN(step); k < len(targets); k += step {
		a := targets[k]
		var all []cheat.Words
		for range lies {
			all = append(all, liesAbout(w, a, r)...)
		}
		for _, v := range all {
			lie := w.Lie(map[int32]cheat.Words{a: v})
			switch {
			case lie.Found != nil:
			case lie.Changed == 1:
				idle[a] = true
			case lie.Public && w.IsBlock(a) && w.At(a).Block() == KeyRoot(security) && name == "wrap":
			default:
				t.Errorf("seed %d: %s, address %d: nothing finds a lie that changes %d others; public data: %t", seed, name, a, lie.Changed-1, lie.Public)
			}
		}
	}
	t.Logf("%s: %d values to choose, %d of them idle", name, len(targets), len(idle))
	if len(idle) > most {
		t.Errorf("%s: %d values are idle, at most %d", name, len(idle), most)
	}
}
