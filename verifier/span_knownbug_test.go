package verifier

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	proverstark "github.com/seed06907907/fatty/prover/stark"
	"github.com/seed06907907/fatty/verifier/circuit"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/recursion"
	"github.com/seed06907907/fatty/verifier/stark"
)

// childChange changes how a child comes into a merge's circuit, which no proof file can say.
func childChange(t *testing.T, change func(s *recursion.Span)) error {
	t.Helper()
	left, right := goldenSpan(t, "wrapped"), goldenSpan(t, "wrapped-next")
	a, err := left.h.child(left.p)
	if err != nil {
		t.Fatal(err)
	}
	b, err := right.h.child(right.p)
	if err != nil {
		t.Fatal(err)
	}
	s := *a.span
	s.LogHeights, s.Path = slices.Clone(s.LogHeights), slices.Clone(s.Path)
	change(&s)
	a.span = &s
	m, err := merge(a, b)
	if err != nil {
		return err
	}
	return refusal(m)
}

// TestKnownBug_09_KeysOfCircuitsComeFromTheList: a merge takes no child by a circuit that is not in the list that its statement names.
func TestKnownBug_09_KeysOfCircuitsComeFromTheList(t *testing.T) {
	if err := childChange(t, func(*recursion.Span) {}); err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(s *recursion.Span){
		"another place":  func(s *recursion.Span) { s.Index++ },
		"another path":   func(s *recursion.Span) { bump(&s.Path[1][2]) },
		"other columns":  func(s *recursion.Span) { bump(&s.Preprocessed[0]) },
		"another height": func(s *recursion.Span) { s.LogHeights[0]++ },
		"another list":   func(s *recursion.Span) { s.Statement.KeyRoot = KeyRoot(Security124) },
		"the shrink's circuit": func(s *recursion.Span) {
			s.Preprocessed = circuits[Security100][7].root
			s.LogHeights = slices.Clone(circuits[Security100][7].heights[:])
		},
		"a merge's circuit": func(s *recursion.Span) {
			s.Preprocessed, s.LogHeights = circuits[Security100][3].root, slices.Clone(circuits[Security100][3].heights[:])
			s.Index, s.Path = 3, recursion.ListPath(lists()[Security100], 3)
		},
	} {
		if err := childChange(t, change); err == nil {
			t.Errorf("%s: the circuit accepts", what)
		}
	}
}

// TestKnownBug_27_PublicsOfARecursionAreWired, and 24, where part of a run passed for all of it, and 28, where a word of the
// output was taken to be 0: it changes what a span proof says, part by part; the other half of the merge is
// changed to fit where the parts must agree, so that only the proof itself can be what is refused.
func TestKnownBug_27_PublicsOfARecursionAreWired(t *testing.T) {
	left, right := goldenSpan(t, "wrapped"), goldenSpan(t, "wrapped-next")
	for what, change := range map[string]func(h *SpanHead){
		"program":  func(h *SpanHead) { h.Key[31] ^= 1 },
		"t0":       func(h *SpanHead) { h.Span.T0++ },
		"t1":       func(h *SpanHead) { h.Span.T1 += 1 << 40 },
		"S0":       func(h *SpanHead) { h.Span.S0[31] ^= 1 },
		"S0 high":  func(h *SpanHead) { h.Span.S0[0] ^= 1 },
		"S1":       func(h *SpanHead) { h.Span.S1[20] ^= 1 },
		"inputs":   func(h *SpanHead) { h.Span.Inputs[31] ^= 1 },
		"life":     func(h *SpanHead) { h.Life[0] ^= 1 },
		"life low": func(h *SpanHead) { h.Life[31] ^= 1 },
		"anchor":   func(h *SpanHead) { h.Anchor[16] ^= 1 },
		"scalar A": func(h *SpanHead) { bump(&h.Scalars[0].B2.A1) },
		"scalar B": func(h *SpanHead) { bump(&h.Scalars[1].B0.A0) },
		"circuit":  func(h *SpanHead) { h.form = 3 }, // a merge's heights, a merge's root
	} {
		h := *left.h
		change(&h)
		c := spanCase{&h, left.p}
		both(t, what, c.native(), c.merged(t, right, true))
	}
}

// TestKnownBug_25_TheListsRootIsComparedNatively makes a proof that holds, by an honest circuit, under a list of somebody's
// own, in which any circuit might stand. Nor does a merge take it as a half beside one under the list of all others.
func TestKnownBug_25_TheListsRootIsComparedNatively(t *testing.T) {
	c := goldenRun(t)
	level := levels()[Security100]
	honest, err := c.h.assign(c.p, c.clock(t))
	if err != nil || honest.Violated != nil {
		t.Fatal(err, honest.Violated)
	}
	head := *honest.Head
	run := &recursion.Run{Life: recursion.Words(c.h.Life), Anchor: recursion.Words(c.h.Anchor), Felts: uint64(c.h.program.length),
		LogProgram: c.h.program.logHeight, Roots: c.h.program.roots[:], LogHeights: c.h.LogHeights, Public: c.h.Public, Proof: c.p}
	for _, own := range []bool{false, true} {
		list := lists()[Security100]
		if own { // another circuit in the place of a merge's
			keys := slices.Clone(list[0])
			bump(&keys[5][0])
			list = recursion.List(keys)
		}
		root := list[recursion.ListDepth][0]
		if own == (root == KeyRoot(Security100)) {
			t.Fatal("the lists have one root")
		}
		b := circuit.NewBuilder()
		recursion.Wrap(b, &level.Runs[0], run, root)
		built, err := b.Finish(circuits[Security100][0].heights)
		if err != nil || b.Err() != nil {
			t.Fatal(err, b.Err())
		}
		head.Scalars = [2]field.Ext{built.Public.A, built.Public.B}
		inst, err := head.Instance()
		if err != nil {
			t.Fatal(err)
		}
		if own == (inst.PublicDigests[1] == built.Public.Statement) {
			t.Fatal("the statement does not name the list")
		}
		inst.PublicDigests[1], inst.PublicSum = built.Public.Statement, built.Public.Sum
		key, err := proverstark.CommitPreprocessed(t.Context(), circuit.Set(), inst.Params, built.Tables)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := proverstark.Prove(t.Context(), inst, key, nil, &proverstark.Trace{Main: built.Main}, proverstark.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := stark.Verify(inst, proof); err != nil {
			t.Fatal("the proof does not hold under its own list: ", err)
		}
		bytes, err := head.Encode(inst, proof)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(bytes, Accept{Kind: KindSpan}); (err == nil) == own {
			t.Errorf("a list of somebody's own: %t, refused: %v", own, err)
		}
		// As a half of a merge all of it holds under its own list. That the clocks do not meet is said later.
		child, err := head.child(proof)
		if err != nil {
			t.Fatal(err)
		}
		child.span.Statement.KeyRoot, child.span.Path = root, recursion.ListPath(list, 0)
		left := goldenSpan(t, "wrapped")
		other, err := left.h.child(left.p)
		if err != nil {
			t.Fatal(err)
		}
		want := "the right span begins at the clock"
		if own {
			want = "the spans were made under one list"
		}
		for _, halves := range [][2]*childSpan{{child, other}, {other, child}} {
			m, err := merge(halves[0], halves[1])
			if err != nil {
				t.Fatal(err)
			}
			if err := refusal(m); err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("a list of somebody's own: %t, merged: %v, want %q", own, err, want)
			}
		}
	}
}

// TestFalseWitnessesMakeNoProof proves a wrap of a false run all the same: its columns break the circuit, and the proof is
// refused.
func TestFalseWitnessesMakeNoProof(t *testing.T) {
	c := goldenRun(t)
	for what, change := range map[string]func(p *stark.Proof){
		"a cell":          func(p *stark.Proof) { bump(&p.Rows[stark.TreeMain][7]) },
		"an opened value": func(p *stark.Proof) { p.Open.Columns[stark.TreeMain][3].B1.A0.SetOne() },
	} {
		q := copyProof(c.p)
		change(q)
		a, err := c.h.assign(q, c.clock(t))
		if err != nil || a.Violated == nil {
			t.Fatal(what, err)
		}
		inst, err := a.Head.Instance()
		if err != nil {
			t.Fatal(err)
		}
		key, err := proverstark.CommitPreprocessed(t.Context(), circuit.Set(), inst.Params, a.Circuit.Tables)
		if err != nil {
			t.Fatal(err)
		}
		proof, err := proverstark.Prove(t.Context(), inst, key, nil, &proverstark.Trace{Main: a.Circuit.Main}, proverstark.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := stark.Verify(inst, proof); !errors.Is(err, stark.ErrRejected) {
			t.Errorf("%s: the proof of a false witness: %v", what, err)
		}
	}
}

// TestKnownBug_24_PartOfASpanIsNotTheWhole: there is no word for a span being complete. What a span covers are its ends, and a
// proof of one span is none of another that it is part of, that is part of it, or that lies beside it.
func TestKnownBug_24_PartOfASpanIsNotTheWhole(t *testing.T) {
	names := []string{"wrapped", "wrapped-next", "merged", "shrunk"}
	for _, proof := range names {
		for _, says := range names {
			c, other := goldenSpan(t, proof), goldenSpan(t, says).h
			h := *c.h
			h.Span.T0, h.Span.S0, h.Span.T1, h.Span.S1, h.Span.Inputs = other.Span.T0, other.Span.S0, other.Span.T1, other.Span.S1, other.Span.Inputs
			if h == *c.h {
				continue
			}
			bad := spanCase{&h, c.p}
			if proof == "shrunk" {
				if bad.native() == nil {
					t.Errorf("a proof of %s says what %s says", proof, says)
				}
				continue
			}
			both(t, fmt.Sprintf("a proof of %s says what %s says", proof, says), bad.native(), bad.shrunk())
			// Each end, and the inputs, alone.
			for part, change := range map[string]func(h *SpanHead){
				"t0":     func(h *SpanHead) { h.Span.T0 = other.Span.T0 },
				"t1":     func(h *SpanHead) { h.Span.T1 = other.Span.T1 },
				"S0":     func(h *SpanHead) { h.Span.S0 = other.Span.S0 },
				"S1":     func(h *SpanHead) { h.Span.S1 = other.Span.S1 },
				"inputs": func(h *SpanHead) { h.Span.Inputs = other.Span.Inputs },
			} {
				h := *c.h
				if change(&h); h == *c.h {
					continue
				}
				if (spanCase{&h, c.p}).native() == nil {
					t.Errorf("a proof of %s with the %s of %s", proof, part, says)
				}
			}
		}
	}
	// Nor is a run that goes on a run that has ended: its last ap, and with it where its segments end, is in what it says.
	c := goldenRun(t).copy()
	c.h.Public.FinalAP -= 2
	both(t, "a run's end", c.native(), c.inCircuit())
}

// TestKnownBug_28_NoWordOfAnOutputIsAssumed sets words of the output felts of a run, one at a time, those that an honest clock has as 0
// among them. As the run's proof says another output, both refuse; clocks have their upper words refused by the circuit itself.
func TestKnownBug_28_NoWordOfAnOutputIsAssumed(t *testing.T) {
	honest := goldenRun(t)
	r := rand.New(rand.NewPCG(28, 28))
	for cell := range ClockFelts {
		words := r.Perm(feltBytes / 2)[:min(wordsOfAMessage, feltBytes/2)]
		for _, word := range words {
			c := honest.copy()
			at := feltBytes - 2*(word+1)
			c.h.Public.Output[cell].Value[at+1] ^= 1
			both(t, fmt.Sprintf("word %d of output %d", word, cell), c.native(), c.inCircuit())
		}
	}
	for _, cell := range []int{0, 2} {
		c := honest.copy()
		c.h.Public.Output[cell].Value[feltBytes-16] = 1 // word 7, the one that airbender took to be 0
		clock := Statement{Kind: KindRun}
		for _, o := range c.h.Public.Output {
			clock.Output = append(clock.Output, o.Value)
		}
		if _, err := clock.Clock(); !errors.Is(err, ErrNotClock) {
			t.Errorf("output %d of more than 64 bits: %v", cell, err)
		}
	}
}
