package stark

import (
	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// Subject is what a proof is about, in the verifier's arithmetic: an Instance natively.
type Subject[E, D any] struct {
	Set     *air.Set
	Params  Params
	Heights []Height[E] // of each component
	Scalars [][]E       // values of each component's Params
	Ext     [][]E       // values of each component's ExtParams

	Preprocessed, Program D
	ProgramLogHeight      E // log2 of the program table's rows; 0 for a set without one

	// The statement, in the order in which the transcript absorbs it.
	Public        []E // base field words
	PublicDigests []D
	PublicExt     []E

	// PublicSum returns the sum of the lookup fractions of the public data; nil for none.
	PublicSum func(Lookup[E]) E
}

// Messages is what the prover says before the queries, in the verifier's arithmetic.
type Messages[E, D any] struct {
	Main, Interaction, Composition D
	Claims                         []E
	Open                           Openings[E]
	Layers                         []D
	Final                          []E
	NonceLow, NonceHigh            E
}

// Openings are the values of each tree's base field columns at the out-of-domain point zeta, and of each component's running
// sum, over the extension, at zeta/w_n.
type Openings[E any] struct {
	Columns  [Trees][]E
	Previous []E
}

// columns counts what a set has at a pinned size, whatever the heights are.
type columns struct {
	main, interaction []int // first column of each component, in its tree; interaction columns by coordinates
	width             [Trees]int
	last              []int // first coordinate of each component's running sum
	fixed             map[string]int
	program           map[string]int
	counters          int // the first row counter in the preprocessed tree
}

func columnsOf(set *air.Set, n int) *columns {
	c := &columns{fixed: map[string]int{}, program: map[string]int{}}
	for i, name := range set.FixedNames(air.FixedTable) {
		c.fixed[name] = i
	}
	for i, name := range set.FixedNames(air.FixedProgram) {
		c.program[name] = i
	}
	c.counters = len(c.fixed)
	c.width[TreePreprocessed] = len(c.fixed)
	if len(set.FixedNames(air.FixedSeq)) > 0 {
		c.width[TreePreprocessed] += n - air.MinLogHeight + 1
	}
	c.width[TreeProgram] = len(c.program)
	for _, comp := range set.Components {
		c.main = append(c.main, c.width[TreeMain])
		c.interaction = append(c.interaction, c.width[TreeInteraction])
		c.width[TreeMain] += len(comp.Main)
		c.width[TreeInteraction] += field.Degree * len(comp.Batches)
		c.last = append(c.last, c.width[TreeInteraction]-field.Degree)
	}
	c.width[TreeComposition] = CompositionColumns
	return c
}

// Check is the verifier: it checks a prover's messages and openings against the subject. Every length must be the one that
// the set and parameters give; heights, scalars and public data must be checked by the caller. The arithmetic keeps what
// fails. stage, if not nil, is called between the parts, and ends the check by returning false.
func Check[E, D any](ar Arithmetic[E, D], s *Subject[E, D], m *Messages[E, D], o Opener[E, D], stage func() bool) {
	c := columnsOf(s.Set, s.Params.LogN)
	ch := NewChallenges[E, D](ar, s)
	z, alpha := ch.Lookup(m.Main)
	lk := NewLookup[E](ar, s.Set, z, alpha)
	checkClaims(ar, s, m, lk)
	weight := ch.Weight(m.Claims, m.Interaction)
	zeta := ch.Zeta(m.Composition)
	checkConstraints(ar, s, m, c, lk, weight, zeta)
	if stage != nil && !stage() {
		return
	}
	beta := ch.Deep(&m.Open)
	folds := make([]E, len(m.Layers))
	for i, root := range m.Layers {
		folds[i] = ch.Fold(root)
	}
	seed := ch.Seed(m.Final)
	ar.Work(labelWork, hash.Grind[E, D](ar, seed, m.NonceLow, m.NonceHigh), s.Params.QueryGrind)
	depth := s.Params.LogN + s.Params.LogBlowup
	places := ar.Places(ch.Queries(m.NonceLow, m.NonceHigh, s.Params.Queries), s.Params.Queries, depth)
	if stage != nil && !stage() {
		return
	}
	folded := s.Params.Folds()
	points, firsts := make([]E, len(places)), make([]E, len(places))
	for q, p := range places {
		points[q], firsts[q] = pointOf[E](ar, s.Params, p, folded[0])
	}
	code := deepCodeword(ar, s, m, c, o, beta, zeta, places, points)
	if stage != nil && !stage() {
		return
	}
	checkLayers(ar, s.Params, m, o, folds, places, firsts, code)
}

// Labels of what may fail to hold.
const (
	labelClaims  = "some lookup finds nothing: the claimed sums do not cancel"
	labelDomain  = "the out-of-domain point lies in the base field, where the domains are"
	labelOOD     = "the constraints do not hold at the out-of-domain point"
	labelWork    = "the proof of work is not one of so many bits"
	labelLayer   = "a FRI layer differs from the one before"
	labelFinal   = "the final polynomial differs from the last layer"
	labelOpening = "an opened point lies in the domain"
)

// NewLookup holds the challenges of the lookup argument, with as many powers of alpha as a set needs.
func NewLookup[E any](ar Ring[E], set *air.Set, z, alpha E) Lookup[E] {
	lk := Lookup[E]{Z: z}
	for i, p := 0, alpha; i < WidestRelation(set); i++ {
		lk.Powers = append(lk.Powers, p)
		p = ar.Mul(p, alpha)
	}
	return lk
}

// checkClaims checks that all lookups together, those of the public data included, cancel.
func checkClaims[E, D any](ar Arithmetic[E, D], s *Subject[E, D], m *Messages[E, D], lk Lookup[E]) {
	total := m.Claims[0]
	for _, c := range m.Claims[1:] {
		total = ar.Add(total, c)
	}
	if s.PublicSum != nil {
		total = ar.Add(total, s.PublicSum(lk))
	}
	ar.Equal(labelClaims, total, ar.Const(field.Element{}))
}

// checkConstraints compares the weighted constraints at zeta, evaluated from the opened values, with the composition
// polynomial there: sum = (h_0 + zeta^(2^n) h_1) * (zeta^(2^n) - 1).
//
// zeta must lie outside of the base field: then no vanishing polynomial and no denominator of an opening is zero. It lies
// in it if and only if zeta^p = zeta, where p = 2^31 - 2^24 + 1.
func checkConstraints[E, D any](ar Arithmetic[E, D], s *Subject[E, D], m *Messages[E, D], c *columns, lk Lookup[E], weight, zeta E) {
	n := s.Params.LogN
	zn := squares(ar, zeta, n)
	low := squares(ar, zn, field.TwoAdicity-n)
	ar.Inverse(labelDomain, ar.Sub(squares(ar, low, 31-field.TwoAdicity), low))

	var all []E
	for i, comp := range s.Set.Components {
		values := Values[E]{
			Row: air.Row[E]{
				Main:   m.Open.Columns[TreeMain][c.main[i] : c.main[i]+len(comp.Main)],
				Params: s.Scalars[i],
			},
			Previous: m.Open.Previous[i],
			Share:    ar.Mul(m.Claims[i], s.Heights[i].Share),
		}
		if s.Ext != nil {
			values.Ext = s.Ext[i]
		}
		for j := range comp.Batches {
			at := c.interaction[i] + field.Degree*j
			values.Sums = append(values.Sums, combine(ar, m.Open.Columns[TreeInteraction][at:at+field.Degree]))
		}
		for _, f := range comp.Fixed {
			values.Row.Fixed = append(values.Row.Fixed, fixedValue(ar, c, f, s.Heights[i], &m.Open))
		}
		cs, err := Constraints[E](comp, ar, values, lk)
		if err != nil { // the lengths were checked before
			ar.Inverse(err.Error(), ar.Const(field.Element{}))
			return
		}
		all = append(all, cs...)
	}
	sum := horner(ar, all, weight)
	h := m.Open.Columns[TreeComposition]
	q := ar.Add(combine(ar, h[:field.Degree]), ar.Mul(zn, combine(ar, h[field.Degree:])))
	ar.Equal(labelOOD, sum, ar.Mul(q, ar.Sub(zn, ar.Const(field.New(1)))))
}

// fixedValue is the opened value of a preprocessed column that a component of a height reads.
func fixedValue[E any](ar Ring[E], c *columns, f air.Fixed, h Height[E], o *Openings[E]) E {
	switch f.Kind {
	case air.FixedSeq:
		return h.Pick(ar, o.Columns[TreePreprocessed][c.counters:])
	case air.FixedProgram:
		return o.Columns[TreeProgram][c.program[f.Name]]
	}
	return o.Columns[TreePreprocessed][c.fixed[f.Name]]
}
