package verifier

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/verifier/cairo"
	"github.com/seed06907907/fatty/verifier/circuit"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/recursion"
	"github.com/seed06907907/fatty/verifier/stark"
)

// shrunk says whether a shrink's circuit refuses a span.
func (c spanCase) shrunk() error {
	child, err := c.h.child(c.p)
	if err != nil {
		return err
	}
	head, level := *c.h, levels()[c.h.security]
	head.form = formOf(level, recursion.Form{Kind: recursion.KindShrink, Left: child.shape})
	b := circuit.NewBuilder()
	recursion.Shrink(b, level.Shapes[child.shape], child.span)
	a, err := finish(b, &head)
	if err != nil {
		return err
	}
	return refusal(a)
}

// TestMergedSpansAreRefusedByBoth gives false merged spans to the verifier and to a shrink's circuit.
func TestMergedSpansAreRefusedByBoth(t *testing.T) {
	whole := goldenSpan(t, "merged")
	if err := whole.shrunk(); err != nil {
		t.Fatal(err)
	}
	eachWord(whole.p, func(what string, q *stark.Proof) {
		c := spanCase{whole.h, q}
		both(t, what, c.native(), c.shrunk())
	})
}

// TestEveryByteOfASpansHeadIsBound flips a bit of each byte of what comes before the STARK, of a wrapped, merged and shrunk span.
func TestEveryByteOfASpansHeadIsBound(t *testing.T) {
	for _, name := range []string{"wrapped", "merged", "shrunk"} {
		proof := slices.Clone(goldenFile(t, name))
		for i := range spanHead {
			proof[i] ^= 1 << (i % 8)
			if s, err := Verify(proof, Accept{}); err == nil {
				t.Errorf("%s: byte %d flipped and accepted: %+v", name, i, s)
			} else if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrVersion) {
				t.Errorf("%s: byte %d flipped: an error without a kind: %v", name, i, err)
			}
			proof[i] ^= 1 << (i % 8)
		}
		if s, err := Verify(proof, Accept{}); err != nil || s.Shrunk != (name == "shrunk") || s.Kind != KindSpan || s.Security != Security100 {
			t.Errorf("%s: %v, %+v", name, err, s)
		}
	}
}

// blankSpan encodes a span proof that says what a head says and has zeros for a STARK.
func blankSpan(t testing.TB, h SpanHead) []byte {
	t.Helper()
	inst, err := h.Instance()
	if err != nil {
		t.Fatal(err)
	}
	l, err := stark.NewLayout(inst)
	if err != nil {
		t.Fatal(err)
	}
	b, err := h.Encode(inst, stark.Blank(l))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestSpansThatDoNotGoTogetherAreRefusedByName: what is wrong with two spans is told apart, before any proof is looked at.
func TestSpansThatDoNotGoTogetherAreRefusedByName(t *testing.T) {
	left, right := goldenSpan(t, "wrapped"), goldenSpan(t, "wrapped-next")
	honest := goldenFile(t, "wrapped")
	at := func(change func(h *SpanHead)) []byte {
		h := *right.h
		change(&h)
		return blankSpan(t, h)
	}
	for what, c := range map[string]struct {
		right []byte
		want  error
	}{
		"another level":    {at(func(h *SpanHead) { h.security = Security124 }), ErrLevel},
		"another program":  {at(func(h *SpanHead) { h.Key[31] ^= 1 }), ErrProgram},
		"another state":    {at(func(h *SpanHead) { h.Span.S0[31] ^= 1 }), ErrGap},
		"a gap":            {at(func(h *SpanHead) { h.Span.T0++ }), ErrGap},
		"an overlap":       {at(func(h *SpanHead) { h.Span.T0-- }), ErrGap},
		"shrunk":           {at(func(h *SpanHead) { h.form = 7 }), ErrShrunk},
		"no such circuit":  {at(func(*SpanHead) {}), nil},
		"of a next format": {at(func(*SpanHead) {}), ErrVersion},
		"cut":              {honest[:len(honest)-1], ErrFormat},
		"of no bytes":      {nil, ErrKind},
	} {
		b := slices.Clone(c.right)
		switch what {
		case "no such circuit":
			b[11], c.want = 9, ErrVersion
		case "of a next format":
			b[9]++
		}
		if _, err := AssignMerge(honest, b); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
		if what == "another level" {
			if _, err := AssignMerge(b, honest); !errors.Is(err, c.want) {
				t.Errorf("%s, the other way round: %v", what, err)
			}
		}
	}
	// Spans of no length, backward ones and such as end beyond all clocks are no spans at all.
	for what, clocks := range map[string][2]uint64{"zero length": {3, 3}, "backward": {4, 3}, "wrapping": {3, 2}, "beyond 2^62": {3, MaxClock},
		"far beyond": {3, math.MaxUint64}} {
		bad := slices.Clone(honest)
		const t0 = len(spanMagic) + 4 + 32
		for i := range 8 {
			bad[t0+i], bad[t0+8+i] = byte(clocks[0]>>(56-8*i)), byte(clocks[1]>>(56-8*i))
		}
		if _, err := Verify(bad, Accept{}); !errors.Is(err, ErrInvalid) || !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", what, err)
		}
		if _, err := AssignMerge(bad, goldenFile(t, "wrapped-next")); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s in a merge: %v", what, err)
		}
		if _, err := AssignShrink(bad); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s in a shrink: %v", what, err)
		}
		// The circuit says so itself, whatever the proof of such a span says.
		if clocks[1] > clocks[0] {
			continue
		}
		err := childChange(t, func(s *recursion.Span) {
			s.T0, s.T1 = clocks[0], clocks[1]
			s.Statement.T0, s.Statement.T1 = recursion.Clock(s.T0), recursion.Clock(s.T1)
		})
		if err == nil || !strings.HasPrefix(err.Error(), "a span's clock goes on") {
			t.Errorf("%s: the circuit says %v", what, err)
		}
	}
	// Felts and digests that are not canonical.
	for what, from := range map[string]int{"a state of P or more": 12 + 32 + 16, "a key's word of p or more": 12, "a word of the inputs": 12 + 32 + 16 + 64} {
		bad := slices.Clone(honest)
		bad[from] = 0xff
		if _, err := Verify(bad, Accept{}); !errors.Is(err, ErrInvalid) || !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// The same words, exchanged: left and right have one program, list and level.
	if err := right.merged(t, left, true); !errors.Is(err, circuit.ErrUnsatisfied) || !strings.HasPrefix(err.Error(), "the right span begins at the clock") {
		t.Errorf("swapped halves: %v", err)
	}
}

// TestChildrenOfOtherShapes: a merge's circuit is made for the parameters of its halves. A proof of other ones, by a listed
// circuit or not, does not fit it.
func TestChildrenOfOtherShapes(t *testing.T) {
	left, right := goldenSpan(t, "wrapped"), goldenSpan(t, "wrapped-next")
	l, err := left.h.child(left.p)
	if err != nil {
		t.Fatal(err)
	}
	r, err := right.h.child(right.p)
	if err != nil {
		t.Fatal(err)
	}
	// A narrow span in a wide place has a proof of the place's lengths, and is refused for its key, which hashes the place's
	// parameters. One whose key is listed passes there, and its proof, which is of zeros, is what fails.
	level := levels()[Security100]
	for _, c := range []struct {
		slots [2]recursion.Shape
		form  int // that the left span says to be made by
		found string
	}{
		{[2]recursion.Shape{recursion.Wide, recursion.Narrow}, 0, "Merkle opening of tree 15"},
		{[2]recursion.Shape{recursion.Wide, recursion.Narrow}, 3, "Merkle opening of tree 15"},
		{[2]recursion.Shape{recursion.Wide, recursion.Narrow}, 1, "some lookup finds nothing"},
		{[2]recursion.Shape{recursion.Wide, recursion.Narrow}, 2, "some lookup finds nothing"},
		{[2]recursion.Shape{recursion.Narrow, recursion.Narrow}, 7, "Merkle opening of tree 15"},
		{[2]recursion.Shape{recursion.Narrow, recursion.Wide}, 0, "Merkle opening of tree 31"}, // the right one
	} {
		blank := func(of *childSpan, slot recursion.Shape, form int) *childSpan {
			b, s := *of, *of.span
			s.LogHeights, s.Preprocessed = circuits[Security100][form].heights[:], circuits[Security100][form].root
			if form < level.Listed() {
				s.Index, s.Path = uint32(form), recursion.ListPath(lists()[Security100], uint32(form))
			}
			layout, err := stark.NewLayout(&stark.Instance{Set: circuit.Set(), Params: level.Shapes[slot], LogHeights: []int{4, 4, 4, 4, 4},
				Scalars: make([][]field.Element, circuit.Tables), Ext: new(circuit.Public).Ext()})
			if err != nil {
				t.Fatal(err)
			}
			if slot == recursion.Wide || form != of.head.form {
				s.Proof = stark.Blank(layout)
			}
			b.shape, b.span = slot, &s
			return &b
		}
		m, err := merge(blank(l, c.slots[0], c.form), blank(r, c.slots[1], 0))
		if err != nil {
			t.Fatal(err)
		}
		if err := refusal(m); err == nil || !strings.HasPrefix(err.Error(), c.found) {
			t.Errorf("a span by circuit %d in places %v of a merge: %v, want %q", c.form, c.slots, err, c.found)
		}
	}
	// As if it were made by each other circuit of the level, natively and in the circuit where it fits.
	for form := range circuits[Security100] {
		if form == left.h.form {
			continue
		}
		h := *left.h
		h.form = form
		c := spanCase{&h, left.p}
		inCircuit := errors.New("its proof has other lengths")
		if s, _ := shapeOf(Security100, form); s == recursion.Narrow {
			inCircuit = c.merged(t, right, true)
		}
		both(t, fmt.Sprintf("made by circuit %d", form), c.native(), inCircuit)
	}
}

// TestRunsWithOtherOutputsCannotBeWrapped: an error that says what an output must be, before the circuit is built.
func TestRunsWithOtherOutputsCannotBeWrapped(t *testing.T) {
	for _, n := range []int{0, 1, 4, 6, 64} {
		c := goldenRun(t).copy()
		d := c.h.Public
		d.Output = slices.Repeat([]cairo.OutputCell{d.Output[0]}, n)
		d.Segments[0].Stop = d.Segments[0].Start + uint32(n)
		inst, err := c.h.Instance()
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.h.Encode(inst, c.p)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := AssignWrap(b); !errors.Is(err, ErrNotClock) {
			t.Errorf("an output of %d felts: %v", n, err)
		}
		if _, err := Verify(b, Accept{}); !errors.Is(err, ErrInvalid) {
			t.Errorf("an output of %d felts: %v", n, err)
		}
	}
}

// TestLengthsThatLieBreakNothing gives proofs whose lists are shorter or longer than the places drawn need. A decoder does not
// know those, so it lets them through: natively they are refused, and a circuit, whose witness has no such lists, takes what
// it needs and finds zeros where something is missing. Nothing panics.
func TestLengthsThatLieBreakNothing(t *testing.T) {
	run, left, right, whole := goldenRun(t), goldenSpan(t, "wrapped"), goldenSpan(t, "wrapped-next"), goldenSpan(t, "merged")
	try := func(what string, p *stark.Proof, missing bool, of func(q *stark.Proof) (error, error), change func(q *stark.Proof)) {
		t.Helper()
		q := copyProof(p)
		change(q)
		native, inCircuit := of(q)
		if native == nil {
			t.Errorf("%s: the native verifier accepts", what)
		}
		if missing == (inCircuit == nil) {
			t.Errorf("%s: the circuit says %v", what, inCircuit)
		}
	}
	for _, c := range []struct {
		name string
		p    *stark.Proof
		of   func(q *stark.Proof) (error, error)
	}{
		{"run", run.p, func(q *stark.Proof) (error, error) {
			c := runCase{run.h, q}
			return c.native(), c.inCircuit()
		}},
		{"wrapped", left.p, func(q *stark.Proof) (error, error) {
			c := spanCase{left.h, q}
			return c.native(), c.merged(t, right, true)
		}},
		{"merged", whole.p, func(q *stark.Proof) (error, error) {
			c := spanCase{whole.h, q}
			return c.native(), c.shrunk()
		}},
	} {
		tree := stark.TreeMain
		last := len(c.p.Layers) - 1
		places := distinctPlaces(c.p)
		try(c.name+": a sibling less", c.p, true, c.of, func(q *stark.Proof) { q.Paths[tree] = q.Paths[tree][1:] })
		try(c.name+": no siblings", c.p, true, c.of, func(q *stark.Proof) { q.Paths[tree] = nil })
		try(c.name+": a sibling more", c.p, false, c.of, func(q *stark.Proof) { q.Paths[tree] = append(q.Paths[tree], q.Paths[tree][0]) })
		try(c.name+": a value of a layer less", c.p, true, c.of, func(q *stark.Proof) { q.Layers[last].Values = q.Layers[last].Values[1:] })
		try(c.name+": a value of a layer more", c.p, false, c.of, func(q *stark.Proof) {
			q.Layers[last].Values = append(q.Layers[last].Values, field.One())
		})
		try(c.name+": a sibling of a layer less", c.p, true, c.of, func(q *stark.Proof) { q.Layers[0].Path = q.Layers[0].Path[:len(q.Layers[0].Path)-1] })
		try(c.name+": a place less", c.p, true, c.of, func(q *stark.Proof) {
			for t := range q.Rows {
				q.Rows[t] = q.Rows[t][:len(q.Rows[t])/places*(places-1)]
			}
		})
		try(c.name+": one place", c.p, true, c.of, func(q *stark.Proof) {
			for t := range q.Rows {
				q.Rows[t] = q.Rows[t][:len(q.Rows[t])/places]
			}
		})
		try(c.name+": all of nothing", c.p, true, c.of, func(q *stark.Proof) {
			for t := range q.Rows {
				clear(q.Rows[t])
			}
		})
	}
}

// distinctPlaces is how many places a proof opens: its composition tree always has twelve columns.
func distinctPlaces(p *stark.Proof) int {
	return len(p.Rows[stark.TreeComposition]) / stark.CompositionColumns
}

// TestHostileSpanCostsBoundedMemory has bytes of each length of a span proof with nothing true in them.
func TestHostileSpanCostsBoundedMemory(t *testing.T) {
	for _, name := range []string{"wrapped", "shrunk"} {
		honest := goldenSpan(t, name)
		for security := range circuits {
			h := *honest.h
			h.security = security
			blank := blankSpan(t, h)
			for what, b := range map[string][]byte{
				"zeros":         blank,
				"the longest":   append(slices.Clone(blank), make([]byte, MaxSpanBytes-len(blank))...),
				"longer":        append(slices.Clone(blank), make([]byte, MaxSpanBytes-len(blank)+1)...),
				"many places":   slices.Concat(blank[:len(blank)/2], slices.Repeat([]byte{0, 0, 0, 43}, 1<<15)),
				"half of one":   goldenFile(t, name)[:1<<16],
				"a whole proof": goldenFile(t, name),
			} {
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, err := Verify(b, Accept{})
				runtime.ReadMemStats(&after)
				allocated := after.TotalAlloc - before.TotalAlloc
				if (err == nil) != (what == "a whole proof") || what == "longer" && !strings.Contains(err.Error(), fmt.Sprintf("at most %d", MaxSpanBytes)) {
					t.Errorf("%s, %s, %d bits: %v", name, what, security, err)
				}
				if most := uint64(1<<20 + 16*len(b)); allocated > most {
					t.Errorf("%s, %s, %d bits: %d bytes make the verifier allocate %d, at most %d", name, what, security, len(b), allocated, most)
				}
			}
		}
	}
}

// TestSpansAreAsSureAsTheirWeakestProof: what a span of a level says of itself is the least that any proof in it has, and every
// circuit's proofs have that.
func TestSpansAreAsSureAsTheirWeakestProof(t *testing.T) {
	for security, least := range map[int]float64{Security100: 100, Security124: 123.9} {
		level := levels()[security]
		said := spanLevels[security]().Proven
		lowest := math.Inf(1)
		see := func(name string, inst *stark.Instance) float64 {
			s, err := ShapeOf(inst)
			if err != nil {
				t.Fatal(name, err)
			}
			l, err := s.Level()
			if err != nil {
				t.Fatal(name, err)
			}
			if l.Proven < least || l.Proven < said {
				t.Errorf("%s, %d bits: %.3f, a span says %.3f", name, security, l.Proven, said)
			}
			return l.Proven
		}
		for _, r := range level.Runs {
			lowest = min(lowest, see("a run", tallestRun(r.Params)))
		}
		used := map[stark.Params]bool{}
		for i, f := range level.Forms() {
			p := formParams(security, i)
			used[p] = true
			inst := &stark.Instance{Set: circuit.Set(), Params: p, LogHeights: circuits[security][i].heights[:], Scalars: make([][]field.Element, circuit.Tables),
				Ext: new(circuit.Public).Ext()}
			see(f.String(), inst)
			if slices.Max(inst.LogHeights) != p.LogN {
				t.Errorf("%s: tables of 2^%d rows, proven at 2^%d", f, slices.Max(inst.LogHeights), p.LogN)
			}
			inst.LogHeights = slices.Repeat([]int{p.LogN}, circuit.Tables)
			lowest = min(lowest, see(f.String()+" at its tallest", inst))
		}
		if len(used) != int(recursion.Shapes)+1 {
			t.Errorf("%d parameters of circuits", len(used))
		}
		if said != lowest {
			t.Errorf("a span of %d bits says %.6f, its weakest proof has %.6f", security, said, lowest)
		}
	}
}
