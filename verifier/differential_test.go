package verifier

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"

	"github.com/seed06907907/fatty/verifier/cairo"
	"github.com/seed06907907/fatty/verifier/circuit"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	"github.com/seed06907907/fatty/verifier/internal/cheat"
	"github.com/seed06907907/fatty/verifier/recursion"
	"github.com/seed06907907/fatty/verifier/stark"
)

// The same bad proof goes to the native verifier and to the circuit: both refuse. They are one description over two
// arithmetics, so what these tests look for is what is not in it: how each reads a proof, opens its trees, and ranges values.

// goldenFile reads a proof of prover's golden files, without its envelope.
func goldenFile(t testing.TB, name string) []byte {
	t.Helper()
	file, err := os.ReadFile("../prover/testdata/" + name + ".proof")
	if err != nil {
		t.Fatal(err)
	}
	_, proof, err := DecodeEnvelope(file)
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

// runCase is a decoded run proof.
type runCase struct {
	h *Head
	p *stark.Proof
}

func goldenRun(t testing.TB) runCase {
	t.Helper()
	h, tail, err := decodeHead(goldenFile(t, "lcg"), Accept{})
	if err != nil {
		t.Fatal(err)
	}
	_, p, err := decodeBody(h, tail)
	if err != nil {
		t.Fatal(err)
	}
	return runCase{h, p}
}

// clock is the output of an honest run.
func (c runCase) clock(t testing.TB) Clock {
	t.Helper()
	s := Statement{Kind: KindRun}
	for _, o := range c.h.Public.Output {
		s.Output = append(s.Output, o.Value)
	}
	clock, err := s.Clock()
	if err != nil {
		t.Fatal(err)
	}
	return clock
}

// native says whether the native verifier refuses.
func (c runCase) native() error {
	inst, err := c.h.Instance()
	if err != nil {
		return err
	}
	return stark.Verify(inst, c.p)
}

// inCircuit says whether the wrap's circuit refuses.
func (c runCase) inCircuit() error {
	s := Statement{Kind: KindRun}
	for _, o := range c.h.Public.Output {
		s.Output = append(s.Output, o.Value)
	}
	clock, _ := s.Clock() // of a false output some clock: the circuit reads the felts itself
	a, err := c.h.assign(c.p, clock)
	if err != nil {
		return err
	}
	return refusal(a)
}

// refusal is what an assignment's columns do not hold, which must be so if and only if its values violate the circuit: that
// the one who fills it finds something wrong is not enough.
func refusal(a *Assignment) error {
	broken := cheat.New(a.Circuit).Holds()
	if (broken == nil) != (a.Violated == nil) {
		panic(fmt.Sprintf("values: %v; columns: %v", a.Violated, broken))
	}
	return a.Violated
}

// copyProof copies all that a test may change.
func copyProof(p *stark.Proof) *stark.Proof {
	q := *p
	q.Claims, q.Final, q.LayerRoots = slices.Clone(p.Claims), slices.Clone(p.Final), slices.Clone(p.LayerRoots)
	q.Open.Previous = slices.Clone(p.Open.Previous)
	for t := range stark.Trees {
		q.Open.Columns[t], q.Rows[t], q.Paths[t] = slices.Clone(p.Open.Columns[t]), slices.Clone(p.Rows[t]), slices.Clone(p.Paths[t])
	}
	q.Layers = slices.Clone(p.Layers)
	for i := range q.Layers {
		q.Layers[i].Values, q.Layers[i].Path = slices.Clone(p.Layers[i].Values), slices.Clone(p.Layers[i].Path)
	}
	return &q
}

func (c runCase) copy() runCase {
	h := *c.h
	h.LogHeights = slices.Clone(c.h.LogHeights)
	id, public := *c.h.program, *c.h.Public
	public.Segments, public.Output = slices.Clone(public.Segments), slices.Clone(public.Output)
	h.program, h.Public = &id, &public
	return runCase{&h, copyProof(c.p)}
}

// words lists the words of a proof by the message that they belong to.
func proofWords(p *stark.Proof) map[string][]*field.Element {
	out := map[string][]*field.Element{}
	digest := func(name string, d *hash.Digest) {
		for i := range d {
			out[name] = append(out[name], &d[i])
		}
	}
	exts := func(name string, xs []field.Ext) {
		for i := range xs {
			x := &xs[i]
			out[name] = append(out[name], &x.B0.A0, &x.B0.A1, &x.B1.A0, &x.B1.A1, &x.B2.A0, &x.B2.A1)
		}
	}
	digest("main root", &p.MainRoot)
	digest("interaction root", &p.InteractionRoot)
	digest("composition root", &p.CompositionRoot)
	exts("claims", p.Claims)
	exts("previous", p.Open.Previous)
	exts("final", p.Final)
	for t := range stark.Trees {
		exts(fmt.Sprintf("openings of tree %d", t), p.Open.Columns[t])
		name := fmt.Sprintf("rows of tree %d", t)
		for i := range p.Rows[t] {
			out[name] = append(out[name], &p.Rows[t][i])
		}
		for i := range p.Paths[t] {
			digest(fmt.Sprintf("paths of tree %d", t), &p.Paths[t][i])
		}
	}
	for i := range p.LayerRoots {
		digest(fmt.Sprintf("root of layer %d", i), &p.LayerRoots[i])
		exts(fmt.Sprintf("values of layer %d", i), p.Layers[i].Values)
		for j := range p.Layers[i].Path {
			digest(fmt.Sprintf("paths of layer %d", i), &p.Layers[i].Path[j])
		}
	}
	return out
}

// both demands that both refuse.
func both(t *testing.T, what string, native, inCircuit error) {
	t.Helper()
	if native == nil {
		t.Errorf("%s: the native verifier accepts", what)
	}
	if inCircuit == nil {
		t.Errorf("%s: the circuit accepts", what)
	}
}

func bump(e *field.Element) {
	one := field.New(1)
	e.Add(e, &one)
}

// eachWord changes words of a proof, a few of each message, and hands the changed one over.
func eachWord(p *stark.Proof, f func(what string, q *stark.Proof)) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	groups := proofWords(p)
	names := make([]string, 0, len(groups))
	for name := range groups {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for range wordsOfAMessage {
			q := copyProof(p)
			words := proofWords(q)[name]
			at := r.IntN(len(words))
			bump(words[at])
			f(fmt.Sprintf("seed %d: word %d of %s", seed, at, name), q)
		}
	}
	swap := func(what string, change func(q *stark.Proof)) {
		q := copyProof(p)
		change(q)
		f(what, q)
	}
	swap("the nonce", func(q *stark.Proof) { q.Nonce++ })
	swap("the roots of main and interaction columns exchanged", func(q *stark.Proof) { q.MainRoot, q.InteractionRoot = q.InteractionRoot, q.MainRoot })
	swap("the roots of two layers exchanged", func(q *stark.Proof) { q.LayerRoots[0], q.LayerRoots[1] = q.LayerRoots[1], q.LayerRoots[0] })
	swap("the claims of two tables exchanged", func(q *stark.Proof) { q.Claims[0], q.Claims[1] = q.Claims[1], q.Claims[0] })
	swap("the openings of two columns exchanged", func(q *stark.Proof) {
		open := q.Open.Columns[stark.TreeMain]
		open[0], open[len(open)-1] = open[len(open)-1], open[0]
	})
	swap("the rows of two places exchanged", func(q *stark.Proof) {
		rows := q.Rows[stark.TreeComposition]
		for i := range stark.CompositionColumns {
			j := len(rows) - stark.CompositionColumns + i
			rows[i], rows[j] = rows[j], rows[i]
		}
	})
	swap("a running sum that goes on at another row", func(q *stark.Proof) {
		last := len(q.Open.Previous) - 1
		q.Open.Previous[0], q.Open.Previous[last] = q.Open.Previous[last], q.Open.Previous[0]
	})
}

func TestRunProofsAreRefusedByBoth(t *testing.T) {
	honest := goldenRun(t)
	if err := honest.native(); err != nil {
		t.Fatal(err)
	}
	if err := honest.inCircuit(); err != nil {
		t.Fatal(err)
	}
	eachWord(honest.p, func(what string, q *stark.Proof) {
		c := runCase{honest.h, q}
		both(t, what, c.native(), c.inCircuit())
	})
}

// TestStatementsOfRunsAreRefusedByBoth changes what a run proof says beside the STARK.
func TestStatementsOfRunsAreRefusedByBoth(t *testing.T) {
	honest := goldenRun(t)
	changes := map[string]func(h *Head){
		"life":              func(h *Head) { h.Life[7]++ },
		"anchor":            func(h *Head) { h.Anchor[0]++ },
		"program length":    func(h *Head) { h.program.length++ },
		"program height":    func(h *Head) { h.program.logHeight++ },
		"roots swapped":     func(h *Head) { h.program.roots[0], h.program.roots[1] = h.program.roots[1], h.program.roots[0] },
		"root of this size": func(h *Head) { bump(&h.program.roots[0][3]) },
		"root of another":   func(h *Head) { bump(&h.program.roots[2][3]) },
		"first ap":          func(h *Head) { h.Public.InitialAP++ },
		"first ap of 3":     func(h *Head) { h.Public.InitialAP = 3 },
		"first ap of 2^29":  func(h *Head) { h.Public.InitialAP = cairo.MaxAddress },
		"last ap":           func(h *Head) { h.Public.FinalAP++ },
		"last ap below":     func(h *Head) { h.Public.FinalAP = h.Public.InitialAP },
		"frame id":          func(h *Head) { h.Public.FrameID++ },
		"return id":         func(h *Head) { h.Public.ReturnID++ },
		"output cells moved": func(h *Head) {
			h.Public.Output[0], h.Public.Output[1] = h.Public.Output[1], h.Public.Output[0]
		},
		"output value": func(h *Head) { h.Public.Output[3].Value[31] ^= 1 },
		"output id":    func(h *Head) { h.Public.Output[2].ID++ },
		"builtin dropped": func(h *Head) {
			h.program.builtins &^= 1 << 2
			h.Public.Builtins = h.program.builtins
		},
	}
	for i, name := range cairo.Core().Components {
		for _, d := range []int{-1, 1} {
			if k := honest.h.LogHeights[i] + d; name.LogHeight == 0 && k >= 4 && k <= honest.h.set.params.LogN {
				changes[fmt.Sprintf("height of %s 2^%d", name.Name, k)] = func(h *Head) { h.LogHeights[i] = k }
			}
		}
	}
	for i := range honest.h.Public.Segments {
		name := fmt.Sprintf("segment %d ", i)
		changes[name+"start"] = func(h *Head) { h.Public.Segments[i].Start++ }
		changes[name+"stop"] = func(h *Head) { h.Public.Segments[i].Stop++ }
		changes[name+"inverted"] = func(h *Head) {
			s := &h.Public.Segments[i]
			s.Start, s.Stop = s.Stop+1, s.Start
		}
		changes[name+"at 0"] = func(h *Head) { h.Public.Segments[i].Start, h.Public.Segments[i].Stop = 0, 0 }
		changes[name+"at 2^29"] = func(h *Head) { h.Public.Segments[i].Stop = cairo.MaxAddress }
		changes[name+"start id"] = func(h *Head) { h.Public.Segments[i].StartID++ }
		changes[name+"stop id"] = func(h *Head) { h.Public.Segments[i].StopID++ }
	}
	for what, change := range changes {
		c := honest.copy()
		change(c.h)
		both(t, what, c.native(), c.inCircuit())
	}
}

// TestWrapHoldsTheClock: outputs that are no clock, which a run proof may have, are wrapped by nobody. The circuit's own
// demands are looked at on an output alone: the STARK, which does not fit it, is refused besides, later.
func TestWrapHoldsTheClock(t *testing.T) {
	honest := goldenRun(t)
	set := func(i int, v Felt) func(h *Head) {
		return func(h *Head) { h.Public.Output[i].Value = v }
	}
	felt := func(high, low byte) (f Felt) {
		f[0], f[24], f[31] = 0, high, low
		return f
	}
	upper := Felt{}
	upper[15] = 1
	for what, change := range map[string]func(h *Head){
		"t1 = t0":     set(2, honest.h.Public.Output[0].Value),
		"t0 above t1": set(0, felt(1, 0)),
		"t1 of 2^62":  set(2, felt(0x40, 0)),
		"t0 of 2^128": set(0, upper),
		"t1 of 2^128": set(2, upper),
	} {
		c := honest.copy()
		change(c.h)
		s := Statement{Kind: KindRun}
		for _, o := range c.h.Public.Output {
			s.Output = append(s.Output, o.Value)
		}
		if _, err := s.Clock(); !errors.Is(err, ErrNotClock) {
			t.Errorf("%s: natively a clock: %v", what, err)
		}
		if err := c.inCircuit(); err == nil {
			t.Errorf("%s: the circuit accepts", what)
		}
	}
	// The circuit reads five felts: of a shorter output the last are false, and a longer one is another statement, whose
	// proof does not hold as one of five.
	c := honest.copy()
	c.h.Public.Output = c.h.Public.Output[:4]
	if err := c.inCircuit(); err == nil {
		t.Error("an output of 4 felts: the circuit accepts")
	}
	for _, n := range []int{4, 6} {
		if _, err := (Statement{Kind: KindRun, Output: make([]Felt, n)}).Clock(); !errors.Is(err, ErrNotClock) {
			t.Errorf("an output of %d felts: %v", n, err)
		}
	}
}

// spanCase is a decoded span proof.
type spanCase struct {
	h *SpanHead
	p *stark.Proof
}

func goldenSpan(t testing.TB, name string) spanCase {
	t.Helper()
	h, tail, err := decodeSpan(goldenFile(t, name), Accept{})
	if err != nil {
		t.Fatal(err)
	}
	_, p, err := decodeBody(h, tail)
	if err != nil {
		t.Fatal(err)
	}
	return spanCase{h, p}
}

func (c spanCase) native() error {
	inst, err := c.h.Instance()
	if err != nil {
		return err
	}
	return stark.Verify(inst, c.p)
}

// merged says whether a merge's circuit refuses the span, as its left half or as its right one.
func (c spanCase) merged(t testing.TB, other spanCase, left bool) error {
	t.Helper()
	a, err := c.h.child(c.p)
	if err != nil {
		return err
	}
	b, err := other.h.child(other.p)
	if err != nil {
		t.Fatal(err)
	}
	if !left {
		a, b = b, a
	}
	m, err := merge(a, b)
	if err != nil {
		return err
	}
	return refusal(m)
}

func TestSpanProofsAreRefusedByBoth(t *testing.T) {
	left, right := goldenSpan(t, "wrapped"), goldenSpan(t, "wrapped-next")
	if err := left.merged(t, right, true); err != nil {
		t.Fatal(err)
	}
	turn := rand.IntN(2)
	eachWord(left.p, func(what string, q *stark.Proof) {
		turn++
		if turn%2 == 0 {
			return // half of them as the other half of a merge
		}
		c := spanCase{left.h, q}
		both(t, what+" on the left", c.native(), c.merged(t, right, true))
	})
	eachWord(right.p, func(what string, q *stark.Proof) {
		turn++
		if turn%2 == 1 {
			return
		}
		c := spanCase{right.h, q}
		both(t, what+" on the right", c.native(), c.merged(t, left, false))
	})
}

// TestHalvesThatDoNotMeet gives a merge's circuit spans that each hold: only that they meet is what fails.
func TestHalvesThatDoNotMeet(t *testing.T) {
	left, right, whole := goldenSpan(t, "wrapped"), goldenSpan(t, "wrapped-next"), goldenSpan(t, "merged")
	files := map[string][]byte{"left": goldenFile(t, "wrapped"), "right": goldenFile(t, "wrapped-next"), "whole": goldenFile(t, "merged"), "shrunk": goldenFile(t, "shrunk"), "run": goldenFile(t, "lcg")}
	for _, c := range []struct {
		what string
		a, b spanCase
		x, y string
		want error
	}{
		{"swapped halves", right, left, "right", "left", ErrGap},
		{"an overlap", whole, right, "whole", "right", ErrGap},
		{"a span and itself", left, left, "left", "left", ErrGap},
		{"a gap", right, right, "right", "right", ErrGap},
	} {
		if err := c.a.merged(t, c.b, true); !errors.Is(err, circuit.ErrUnsatisfied) {
			t.Errorf("%s: the circuit says %v", c.what, err)
		}
		if _, err := AssignMerge(files[c.x], files[c.y]); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.what, err, c.want)
		}
	}
	if _, err := AssignMerge(files["left"], files["shrunk"]); !errors.Is(err, ErrShrunk) {
		t.Errorf("a shrunk half: %v", err)
	}
	if _, err := AssignMerge(files["run"], files["right"]); !errors.Is(err, ErrKind) {
		t.Errorf("a run as a half: %v", err)
	}
	if _, err := AssignWrap(files["left"]); !errors.Is(err, ErrKind) {
		t.Errorf("a span to wrap: %v", err)
	}
	if _, err := Verify(files["run"], Accept{Kind: KindSpan}); !errors.Is(err, ErrKind) {
		t.Errorf("a run where a span is wanted: %v", err)
	}
	if _, err := Verify(files["left"], Accept{Kind: KindRun}); !errors.Is(err, ErrKind) {
		t.Errorf("a span where a run is wanted: %v", err)
	}
	if _, err := Verify(files["left"], Accept{Security: Security124}); !errors.Is(err, ErrVersion) {
		t.Errorf("a span of 100 bits where 124 are wanted: %v", err)
	}
	other := slices.Clone(files["left"])
	other[9]++
	if _, err := Verify(other, Accept{}); !errors.Is(err, ErrVersion) {
		t.Errorf("a span of the next version: %v", err)
	}
	for n := range spanHead + 64 {
		if _, err := Verify(files["left"][:n], Accept{}); err == nil {
			t.Fatalf("%d bytes of a span verify", n)
		}
	}
	if _, err := Verify(append(slices.Clone(files["left"]), 0), Accept{}); !errors.Is(err, ErrFormat) {
		t.Errorf("a byte more: %v", err)
	}
}

// TestLivesThatDiffer: a merge keeps a life or an anchor on which its halves agree wholly, and has zeros for any other.
func TestLivesThatDiffer(t *testing.T) {
	left, right := goldenSpan(t, "wrapped"), goldenSpan(t, "wrapped-next")
	h := *right.h
	h.Life[5] ^= 1 // its proof does not hold any more; what the merge says is looked at all the same
	a, _ := left.h.child(left.p)
	b, _ := h.child(right.p)
	m, err := merge(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if m.Head.Life != ([32]byte{}) || m.Head.Anchor != left.h.Anchor {
		t.Errorf("life %x, anchor %x", m.Head.Life, m.Head.Anchor)
	}
	s, err := m.Head.statement()
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Circuit.Public.Statement; got != recursion.Digest(hash.Native{}, &s) {
		t.Error("the circuit says another statement than its head")
	}
	a, _ = left.h.child(left.p)
	b, _ = right.h.child(right.p)
	if m, err = merge(a, b); err != nil || m.Violated != nil || m.Head.Life != left.h.Life || m.Head.Anchor != left.h.Anchor {
		t.Errorf("%v, %v: life %x", err, m.Violated, m.Head.Life)
	}
}

// TestFormsDoNotDependOnValues: a circuit's columns are the same whichever proofs it was filled with, or none.
func TestFormsDoNotDependOnValues(t *testing.T) {
	same := func(what string, form int, built *circuit.Circuit) {
		t.Helper()
		c, err := BlankCircuit(CircuitID{Security100, form})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(c.LogHeights, built.LogHeights) || len(c.Tables) != len(built.Tables) {
			t.Fatalf("%s: another shape", what)
		}
		for name, column := range c.Tables {
			if !slices.Equal(column, built.Tables[name]) {
				t.Fatalf("%s: column %s differs", what, name)
			}
		}
	}
	a, err := AssignWrap(goldenFile(t, "lcg"))
	if err != nil || a.Violated != nil {
		t.Fatal(err, a.Violated)
	}
	same("wrap", 0, a.Circuit)
	if a, err = AssignMerge(goldenFile(t, "wrapped"), goldenFile(t, "wrapped-next")); err != nil {
		t.Fatal(err)
	}
	same("merge", a.Head.form, a.Circuit)
	for _, name := range []string{"wrapped", "merged"} {
		if a, err = AssignShrink(goldenFile(t, name)); err != nil || a.Violated != nil {
			t.Fatal(err)
		}
		same("shrink of "+name, a.Head.form, a.Circuit)
	}
	// Of a false proof too.
	c := goldenRun(t)
	c.p = copyProof(c.p)
	bump(&c.p.Rows[stark.TreeMain][5])
	c.p.Nonce += 12345
	s := Statement{Kind: KindRun, Output: make([]Felt, ClockFelts)}
	clock, _ := s.Clock()
	if a, err = c.h.assign(c.p, clock); err != nil || a.Violated == nil {
		t.Fatal(err)
	}
	same("wrap of a false proof", 0, a.Circuit)
}
