package stark_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/prover/stark/internal/toy"
	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// The known bugs of knownbug_test.go go on here: those of heights, queries, layouts and lookups.

func TestKnownBug_16_HeightsAreThoseOfTheCommitment(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 16)
	p := prove(t, cs)
	for i := range cs.Inst.LogHeights {
		for _, d := range []int{-1, 1} {
			inst := *cs.Inst
			inst.LogHeights = slices.Clone(inst.LogHeights)
			inst.LogHeights[i] += d
			refused(t, &inst, p)
		}
	}
	for _, d := range []int{-1, 1} {
		inst := *cs.Inst
		inst.Params.LogN += d
		refused(t, &inst, p)
	}
}

func TestKnownBug_17_NoFoldIsLeftOut(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 17)
	p := prove(t, cs)
	for i := range p.Layers {
		q := *p
		q.LayerRoots = slices.Delete(slices.Clone(p.LayerRoots), i, i+1)
		q.Layers = slices.Delete(slices.Clone(p.Layers), i, i+1)
		if err := refused(t, cs.Inst, &q); !errors.Is(err, vstark.ErrFormat) {
			t.Error(err)
		}
	}
	q := *p
	q.LayerRoots, q.Layers = append(q.LayerRoots, q.LayerRoots[0]), append(q.Layers, q.Layers[0])
	refused(t, cs.Inst, &q)
}

// As many places are opened as the transcript draws different ones, each with its own opening.
func TestKnownBug_18_AllDistinctQueriesAreOpened(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 18)
	p := prove(t, cs)
	l, err := vstark.NewLayout(cs.Inst)
	if err != nil {
		t.Fatal(err)
	}
	drawn := distinctPlaces(cs.Inst, p)
	if got := len(p.Rows[vstark.TreeMain]) / len(l.Columns[vstark.TreeMain]); got != len(drawn) || got < 8 {
		t.Errorf("%d places are opened, %d drawn", got, len(drawn))
	}
	q := *p
	for tree := range vstark.Trees {
		q.Rows[tree] = p.Rows[tree][:len(p.Rows[tree])-len(l.Columns[tree])]
	}
	refused(t, cs.Inst, &q)
	for tree := range vstark.Trees {
		q.Rows[tree] = append(slices.Clone(p.Rows[tree]), p.Rows[tree][:len(l.Columns[tree])]...)
	}
	refused(t, cs.Inst, &q)
}

func distinctPlaces(inst *vstark.Instance, p *vstark.Proof) []uint32 {
	ch := vstark.NewProverChallenges(inst)
	ch.Lookup(p.MainRoot)
	ch.Weight(p.Claims, p.InteractionRoot)
	ch.Zeta(p.CompositionRoot)
	ch.Deep(&p.Open)
	for _, r := range p.LayerRoots {
		ch.Fold(r)
	}
	ch.Seed(p.Final)
	return vstark.Queries(ch, p.Nonce, inst.Params)
}

// A proof carries no places: openings of other places than those drawn are refused.
func TestKnownBug_19_QueriesComeFromTheTranscript(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 19)
	p := prove(t, cs)
	l, err := vstark.NewLayout(cs.Inst)
	if err != nil {
		t.Fatal(err)
	}
	// The openings of the first two places change places.
	q := *p
	for tree := range vstark.Trees {
		w := len(l.Columns[tree])
		rows := slices.Clone(p.Rows[tree])
		copy(rows, p.Rows[tree][w:2*w])
		copy(rows[w:], p.Rows[tree][:w])
		q.Rows[tree] = rows
	}
	refused(t, cs.Inst, &q)
	// A nonce that passes draws other places: the openings no longer fit.
	q = *p
	ch := vstark.NewProverChallenges(cs.Inst)
	ch.Lookup(p.MainRoot)
	ch.Weight(p.Claims, p.InteractionRoot)
	ch.Zeta(p.CompositionRoot)
	ch.Deep(&p.Open)
	for _, r := range p.LayerRoots {
		ch.Fold(r)
	}
	seed := ch.Seed(p.Final)
	for q.Nonce++; !hash.Ground(seed, q.Nonce, cs.Inst.Params.QueryGrind); q.Nonce++ {
	}
	refused(t, cs.Inst, &q)
}

// Words that move from one opened leaf to its neighbour keep the list but not the leaves.
func TestKnownBug_21_CellsStayInTheirRow(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 21)
	p := prove(t, cs)
	for tree := range vstark.Trees {
		q := *p
		rows := slices.Clone(p.Rows[tree])
		// The same words in another order.
		rows[0], rows[1] = rows[1], rows[0]
		if rows[0] == rows[1] {
			rows[0], rows[2] = rows[2], rows[0]
		}
		q.Rows[tree] = rows
		refused(t, cs.Inst, &q)
		q.Rows[tree] = append(slices.Clone(p.Rows[tree][1:]), field.Element{})
		refused(t, cs.Inst, &q)
		q.Rows[tree] = append([]field.Element{{}}, p.Rows[tree][:len(p.Rows[tree])-1]...)
		refused(t, cs.Inst, &q)
	}
}

// The parameters are the verifier's: a proof made with weaker ones does not verify under its own.
func TestKnownBug_22_SecurityIsNotReadFromTheProof(t *testing.T) {
	weak := toy.Params(6)
	weak.Queries, weak.QueryGrind = 1, 0
	cs := newCase(t, weak, small, 22)
	p := prove(t, cs)
	if err := vstark.Verify(cs.Inst, p); err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(p *vstark.Params){
		func(p *vstark.Params) { p.Queries = 2 },
		func(p *vstark.Params) { p.QueryGrind = 1 },
		func(p *vstark.Params) { p.FoldLog = 3 },
		func(p *vstark.Params) { p.FinalLog = 3 },
		func(p *vstark.Params) { p.LogBlowup = 2 },
	} {
		inst := *cs.Inst
		change(&inst.Params)
		refused(t, &inst, p)
	}
}

// The order of components is the set's, and the set's whole description is absorbed.
func TestKnownBug_23_ComponentsCannotBePermuted(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 23)
	p := prove(t, cs)
	inst := *cs.Inst
	swapped := *inst.Set
	swapped.Components = slices.Clone(inst.Set.Components)
	swapped.Components[toy.Table], swapped.Components[toy.Pairs] = swapped.Components[toy.Pairs], swapped.Components[toy.Table]
	inst.Set = &swapped
	inst.Scalars = [][]field.Element{nil, inst.Scalars[toy.Pairs], nil, inst.Scalars[toy.Cube], nil, nil}
	refused(t, &inst, p)
	if vstark.Identity(cs.Inst.Set) == vstark.Identity(&swapped) {
		t.Error("the identity does not see the order")
	}
	// Any other description has another identity, though columns and lookups are the same.
	relabel := *cs.Inst.Set
	relabel.Components = slices.Clone(cs.Inst.Set.Components)
	c := *relabel.Components[toy.Cube]
	c.Constraints = slices.Clone(c.Constraints)
	c.Constraints[0].Root = c.Constraints[1].Root
	relabel.Components[toy.Cube] = &c
	if vstark.Identity(cs.Inst.Set) == vstark.Identity(&relabel) {
		t.Error("the identity does not see the constraints")
	}
	for name, change := range map[string]func(c *air.Component){
		"a term's scalar":    func(c *air.Component) { c.Weighted[0].Terms[0].Param = 1 },
		"a term's basis":     func(c *air.Component) { c.Weighted[0].Terms[0].Basis++ },
		"a term's node":      func(c *air.Component) { c.Weighted[0].Terms[0].Node++ },
		"a term less":        func(c *air.Component) { c.Weighted[0].Terms = c.Weighted[0].Terms[1:] },
		"a weighted one out": func(c *air.Component) { c.Weighted = c.Weighted[:1] },
		"a scalar's name":    func(c *air.Component) { c.ExtParams[0] = "delta" },
		"a scalar more":      func(c *air.Component) { c.ExtParams = append(c.ExtParams, "") },
		"a fixed height":     func(c *air.Component) { c.LogHeight = 4 },
		"another table":      func(c *air.Component) { c.Fixed[0].Name = "u" },
		"a term in the next": func(c *air.Component) {
			last := len(c.Weighted[0].Terms) - 1
			c.Weighted[1].Terms = append([]air.Term{c.Weighted[0].Terms[last]}, c.Weighted[1].Terms...)
			c.Weighted[0].Terms = c.Weighted[0].Terms[:last]
		},
	} {
		other := toy.Set() // another copy
		change(other.Components[toy.Blend])
		if vstark.Identity(cs.Inst.Set) == vstark.Identity(other) {
			t.Errorf("the identity does not see %s", name)
		}
	}
	if vstark.Identity(cs.Inst.Set) != vstark.Identity(toy.Set()) {
		t.Error("one description has two identities")
	}
}

// Every word of a proof has one encoding: p more is no word.
func TestKnownBug_26_WordsAreBelowTheModulus(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 26)
	b, err := prove(t, cs).Encode(cs.Inst)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for at := 0; at+4 <= len(b); at += 4 {
		v := uint64(b[at])<<24 | uint64(b[at+1])<<16 | uint64(b[at+2])<<8 | uint64(b[at+3])
		if v+field.Modulus >= 1<<32 {
			continue
		}
		c := slices.Clone(b)
		v += field.Modulus
		c[at], c[at+1], c[at+2], c[at+3] = byte(v>>24), byte(v>>16), byte(v>>8), byte(v)
		// The nonce's words are no field elements: there it is the proof of work that fails.
		if p, err := vstark.DecodeProof(c, cs.Inst); err == nil && vstark.Verify(cs.Inst, p) == nil {
			t.Fatalf("word at %d has two encodings", at)
		}
		found++
	}
	if found < 100 {
		t.Errorf("only %d words tried", found)
	}
}

// A running sum that is not periodic is refused: TestRunningSumThatDriftsIsRefused has the attack in full. Here the period
// alone is broken.
func TestKnownBug_33_RunningSumsArePeriodic(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 33)
	n := naiveOf(cs)
	n.column = func(i int, sums [][]field.Ext, _ []field.Ext) [][]field.Ext {
		if i == toy.Pairs {
			addOne(&sums[len(sums)-1][40])
		}
		return sums
	}
	refused(t, cs.Inst, n.proveCase(t, cs))
}

func TestKnownBug_34_ComponentAboveThePinnedSizeIsRefused(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 34)
	p := prove(t, cs)
	for i, h := range map[int]int{toy.Cube: 7, toy.Table: 30, toy.Pairs: 3, toy.Squares: 5, toy.Program: -1, toy.Blend: 7} {
		inst := *cs.Inst
		inst.LogHeights = slices.Clone(inst.LogHeights)
		inst.LogHeights[i] = h
		if err := refused(t, &inst, p); !errors.Is(err, vstark.ErrInstance) {
			t.Error(err)
		}
	}
}

// wide is a set whose relation can be used uses times 2^22.
func wide(t *testing.T, uses int) *vstark.Instance {
	r := air.NewRelation(1, "R", 1, "")
	b := air.NewBuilder("c", air.AnyHeight)
	x := b.Main("x")
	for range uses {
		b.Use(r, b.Const(1), x)
	}
	b.YieldTimes(r, b.Main("times"), x)
	c, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	set, err := air.NewSet("wide", c)
	if err != nil {
		t.Fatal(err)
	}
	p := vstark.Proven100(22)
	return &vstark.Instance{Set: set, Params: p, LogHeights: []int{22}, Scalars: make([][]field.Element, 1)}
}

// A relation that could be used p times is refused: 508 * 2^22 = p - 1 + 2^24 - .. is past the bound.
func TestKnownBug_36_UsesStayBelowTheCharacteristic(t *testing.T) {
	if _, err := vstark.NewLayout(wide(t, 507)); err != nil {
		t.Error(err)
	}
	if _, err := vstark.NewLayout(wide(t, 508)); !errors.Is(err, vstark.ErrInstance) {
		t.Error("a relation can be used p times")
	}
	// A use with a free multiplicity could be used -1 times.
	inst := wide(t, 1)
	inst.Set.Components[0].Lookups[0].Unit = false
	if _, err := vstark.NewLayout(inst); !errors.Is(err, vstark.ErrInstance) {
		t.Error("a use has a free multiplicity")
	}
}

// Tuples of one relation have one width, and tuples of two never have one denominator.
func TestKnownBug_37_TuplesAreOfTheirRelationsWidth(t *testing.T) {
	inst := wide(t, 1)
	inst.Set.Components[0].Lookups[0].Tuple = append(inst.Set.Components[0].Lookups[0].Tuple, 0)
	if _, err := vstark.NewLayout(inst); !errors.Is(err, vstark.ErrInstance) {
		t.Error("a tuple of another width is laid out")
	}
	inst = wide(t, 1)
	inst.Set.Components[0].Lookups[0].Relation.ID = 0
	if _, err := vstark.NewLayout(inst); !errors.Is(err, vstark.ErrInstance) {
		t.Error("a relation without an id is laid out")
	}
	lk := vstark.NewLookup[field.Ext](field.Arithmetic{}, toy.Set(), field.Basis(1), field.Basis(2))
	if len(lk.Powers) != 3 || lk.Powers[0] != field.Basis(2) || lk.Powers[2] != field.Mul(lk.Powers[0], field.Mul(lk.Powers[0], lk.Powers[0])) {
		t.Error("other powers than alpha, alpha^2, alpha^3")
	}
	seen := map[field.Ext]string{}
	for _, r := range []*air.Relation{toy.Count, toy.Square, toy.Code, toy.Result} {
		for v := range uint64(3) {
			for at := range r.Width {
				if v == 0 && at > 0 {
					continue
				}
				tuple := make([]field.Element, r.Width)
				tuple[at] = field.New(v)
				d := lk.Denominator(field.Arithmetic{}, r, hash.Words(tuple))
				name := fmt.Sprint(r.Name, tuple)
				if have, ok := seen[d]; ok {
					t.Errorf("%s and %s have one denominator", have, name)
				}
				seen[d] = name
			}
		}
	}
}

// Padding yields nothing by itself: the pair (0, 1) is in no row of the squares.
func TestKnownBug_38_PaddingYieldsNothing(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 38)
	x, y := cs.Trace.Main[toy.Pairs][0], cs.Trace.Main[toy.Pairs][1]
	x[3], y[3] = field.Element{}, field.New(1)
	refused(t, cs.Inst, prove(t, cs))
	// Whatever multiplicity the table claims.
	for row := range 1 << toy.SquaresLogHeight {
		cs.Trace.Main[toy.Squares][0][row] = field.New(1)
	}
	refused(t, cs.Inst, prove(t, cs))
}

// Every challenge is drawn from the extension: 31 bits of the base field would be guessed.
func TestKnownBug_C11_ChallengesAreOfTheExtension(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 41)
	p := prove(t, cs)
	ch := vstark.NewProverChallenges(cs.Inst)
	z, alpha := ch.Lookup(p.MainRoot)
	drawn := []field.Ext{z, alpha, ch.Weight(p.Claims, p.InteractionRoot), ch.Zeta(p.CompositionRoot), ch.Deep(&p.Open)}
	for _, r := range p.LayerRoots {
		drawn = append(drawn, ch.Fold(r))
	}
	for i, x := range drawn {
		for d, c := range field.Coords(&x) {
			if c.IsZero() {
				t.Errorf("coordinate %d of challenge %d is zero", d, i)
			}
		}
	}
}

// Nothing in a FRI opening may be missing or left over.
func TestKnownBug_C12_FoldingUsesAllItIsGiven(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 42)
	p := prove(t, cs)
	change := func(i int, f func(l *vstark.Layer)) {
		t.Helper()
		q := *p
		q.Layers = slices.Clone(p.Layers)
		q.Layers[i].Values, q.Layers[i].Path = slices.Clone(p.Layers[i].Values), slices.Clone(p.Layers[i].Path)
		f(&q.Layers[i])
		refused(t, cs.Inst, &q)
	}
	for i := range p.Layers {
		change(i, func(l *vstark.Layer) { l.Values = append(l.Values, field.Ext{}) })
		change(i, func(l *vstark.Layer) { l.Path = append(l.Path, hash.Digest{}) })
		if len(p.Layers[i].Values) > 0 {
			change(i, func(l *vstark.Layer) { l.Values = l.Values[1:] })
			change(i, func(l *vstark.Layer) { l.Values = nil })
		}
		if len(p.Layers[i].Path) > 0 {
			change(i, func(l *vstark.Layer) { l.Path = l.Path[1:] })
			change(i, func(l *vstark.Layer) { increment(&l.Path[0][5]) })
		}
	}
	for tree := range vstark.Trees {
		q := *p
		q.Paths[tree] = append(slices.Clone(p.Paths[tree]), hash.Digest{})
		refused(t, cs.Inst, &q)
		if len(p.Paths[tree]) > 0 {
			q.Paths[tree] = p.Paths[tree][1:]
			refused(t, cs.Inst, &q)
		}
	}
}

// Nonces are bounded and, without proof of work, zero.
func TestKnownBug_C14_NonceIsCheckedAndCanonical(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 40)
	p := prove(t, cs)
	q := *p
	q.Nonce += 1 << 48
	refused(t, cs.Inst, &q)
	free := toy.Params(6)
	free.QueryGrind = 0
	cs = newCase(t, free, small, 40)
	p = prove(t, cs)
	if p.Nonce != 0 {
		t.Error("a nonce that nobody asked for")
	}
	p.Nonce = 1
	if err := refused(t, cs.Inst, p); !errors.Is(err, vstark.ErrRejected) {
		t.Error(err)
	}
	// Nor one that draws the places which are opened: many proofs of one statement for no work.
	n := naiveOf(cs)
	n.nonce = 1
	p = n.proveCase(t, cs)
	if err := refused(t, cs.Inst, p); p.Nonce != 1 || !errors.Is(err, vstark.ErrRejected) || !strings.Contains(err.Error(), "nonce") {
		t.Errorf("nonce %d: %v", p.Nonce, err)
	}
	// With work, any nonce that has it is as good.
	cs = newCase(t, toy.Params(6), small, 40)
	n = naiveOf(cs)
	n.nonce = 1 << 30
	if err := vstark.Verify(cs.Inst, n.proveCase(t, cs)); err != nil {
		t.Error(err)
	}
}
