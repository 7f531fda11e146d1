package stark

import (
	"fmt"
	"slices"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// Native is the arithmetic of values themselves. It keeps the first thing that did not hold. The zero value is ready.
type Native struct {
	field.Arithmetic
	hash.Native
	err *error
}

// NewNative returns an arithmetic and where its error will be.
func NewNative() (Native, *error) {
	err := new(error)
	return Native{err: err}, err
}

func (n Native) fail(format string, args ...any) {
	if n.err != nil && *n.err == nil {
		*n.err = fmt.Errorf(format, args...)
	}
}

// Equal demands x = y.
func (n Native) Equal(label string, x, y field.Ext) {
	if x != y {
		n.fail("%s: %w", label, ErrRejected)
	}
}

// Inverse demands that x is not 0.
func (n Native) Inverse(label string, x field.Ext) (r field.Ext) {
	if x.IsZero() {
		n.fail("%s: %w", label, ErrRejected)
		return r
	}
	r.Inverse(&x)
	return r
}

// Work demands that the lowest bits of the first word are 0.
func (n Native) Work(label string, d hash.Digest, bits int) {
	if d[0].Uint64()&(1<<bits-1) != 0 {
		n.fail("%s: %w", label, ErrRejected)
	}
}

// Places reads places off the blocks.
func (n Native) Places(blocks []hash.Digest, count, bits int) []Place[field.Ext] {
	out := make([]Place[field.Ext], count)
	bit := [2]field.Ext{{}, field.One()}
	for q, v := range n.places(blocks, count, bits) {
		out[q] = Place[field.Ext]{Value: v, Bits: make([]field.Ext, bits)}
		for j := range bits {
			out[q].Bits[j] = bit[v>>j&1]
		}
	}
	return out
}

func (Native) places(blocks []hash.Digest, count, bits int) []uint32 {
	out := make([]uint32, count)
	for q := range out {
		out[q] = uint32(blocks[q/hash.Rate][q%hash.Rate].Uint64() & (1<<bits - 1))
	}
	return out
}

// HeightOf is a height, 2^k rows at the pinned size 2^n, as values.
func HeightOf(n, k int) Height[field.Ext] {
	is := make([]field.Ext, n-air.MinLogHeight+1)
	is[k-air.MinLogHeight] = field.One()
	return NewHeight(field.Arithmetic{}, n, is)
}

// subject is the instance in native arithmetic. The layout was made before, so heights are in range.
func (inst *Instance) subject(n Native) *Subject[field.Ext, hash.Digest] {
	s := &Subject[field.Ext, hash.Digest]{Set: inst.Set, Params: inst.Params, Preprocessed: inst.Preprocessed, Program: inst.Program,
		ProgramLogHeight: field.FromBase(field.New(uint64(inst.ProgramLogHeight))), Ext: inst.Ext,
		Public: hash.Words(inst.Public), PublicDigests: inst.PublicDigests, PublicExt: inst.PublicExt}
	for i, k := range inst.LogHeights {
		s.Heights = append(s.Heights, HeightOf(inst.Params.LogN, k))
		s.Scalars = append(s.Scalars, hash.Words(inst.Scalars[i]))
	}
	if inst.PublicSum != nil {
		s.PublicSum = func(lk Lookup[field.Ext]) field.Ext {
			sum, err := inst.PublicSum(lk)
			if err != nil {
				n.fail("%w", err)
			}
			return sum
		}
	}
	return s
}

// NewProverChallenges is the transcript of a prover about an instance, whose layout must be good.
func NewProverChallenges(inst *Instance) *NativeChallenges {
	n, _ := NewNative()
	return NewChallenges[field.Ext, hash.Digest](n, inst.subject(n))
}

// opener opens the trees of a proof whose lengths were checked against the layout.
type opener struct {
	n      Native
	l      *Layout
	p      *Proof
	places []uint32 // distinct, ascending
}

// take notes the places that the transcript draws, and compares their number with what the proof opens.
func (o *opener) take(places []Place[field.Ext]) {
	if o.places != nil {
		return
	}
	o.places = distinctOf(places)
	if opened := o.p.places(o.l); len(o.places) != opened {
		o.n.fail("the transcript draws %d places, the proof opens %d: %w", len(o.places), opened, ErrRejected)
	}
}

func distinctOf(places []Place[field.Ext]) []uint32 {
	out := make([]uint32, len(places))
	for q, p := range places {
		out[q] = p.Value
	}
	return Distinct(out)
}

// Leaves opens leaves against their root, all at once, and weighs their cells.
func (o *opener) Leaves(tree int, root hash.Digest, places []Place[field.Ext], beta field.Ext, at []int) ([]field.Ext, [][]field.Ext) {
	sums, columns := make([]field.Ext, len(places)), make([][]field.Ext, len(places))
	o.take(places)
	if *o.n.err != nil {
		for q := range places {
			columns[q] = make([]field.Ext, len(at))
		}
		return sums, columns
	}
	width := len(o.l.Columns[tree])
	leaves := make([]hash.Digest, len(o.places))
	hash.Leaves(leaves, o.p.Rows[tree], width)
	if err := hash.VerifyMulti(root, o.l.Depth(), o.l.Twins(tree), o.places, leaves, o.p.Paths[tree]); err != nil {
		o.n.fail("tree %d: %w", tree, err)
	}
	powers := field.Powers(beta, hash.Rate*hash.Steps(width))
	weights := make([]field.Ext, width)
	for c := range weights {
		weights[c] = powers[len(powers)-1-c]
	}
	totals := make([]field.Ext, len(o.places))
	for i := range totals {
		totals[i] = weigh(weights, o.p.Rows[tree][i*width:(i+1)*width])
	}
	for q, p := range places {
		i, _ := slices.BinarySearch(o.places, p.Value)
		sums[q] = totals[i]
		row := o.p.Rows[tree][i*width : (i+1)*width]
		for _, c := range at {
			columns[q] = append(columns[q], field.FromCoords([field.Degree]field.Element(row[c:])))
		}
	}
	return sums, columns
}

// weigh returns the sum of weights times cells.
func weigh(weights []field.Ext, cells []field.Element) (sum field.Ext) {
	for c, w := range weights {
		sum = field.Add(sum, field.Scale(w, cells[c]))
	}
	return sum
}

// Cosets opens leaves of a FRI layer. The proof gives the values that no query knows, by ascending place.
func (o *opener) Cosets(layer, a int, root hash.Digest, places []Place[field.Ext], known []field.Ext) [][]field.Ext {
	size := 1 << a
	out := make([][]field.Ext, len(places))
	blank := make([]field.Ext, size)
	for q := range out {
		out[q] = blank
	}
	if *o.n.err != nil {
		return out
	}
	at := map[uint32]field.Ext{}
	for q, p := range places {
		at[p.Value] = known[q]
	}
	cosets, values, err := Fill(o.p.Layers[layer].Values, a, distinctOf(places), at)
	if err != nil {
		o.n.fail("FRI layer %d: %w", layer, err)
	}
	words := make([]field.Element, 0, field.Degree*size*len(cosets))
	for _, vs := range values {
		for t := range vs {
			c := field.Coords(&vs[t])
			words = append(words, c[:]...)
		}
	}
	leaves := make([]hash.Digest, len(cosets))
	hash.Leaves(leaves, words, field.Degree*size)
	depth := len(places[0].Bits) - a
	if err := hash.VerifyMulti(root, depth, 0, cosets, leaves, o.p.Layers[layer].Path); err != nil {
		o.n.fail("FRI layer %d: %w", layer, err)
	}
	for q, p := range places {
		i, _ := slices.BinarySearch(cosets, p.Value>>a)
		out[q] = values[i]
	}
	return out
}

// Fill returns the cosets, ascending, that hold distinct ascending places of a FRI layer, and their 2^a values each: those
// known at the places, and the others as the proof gives them. Where the proof gives too few or too many it says so, and
// has zeros for those that are missing.
func Fill(given []field.Ext, a int, places []uint32, known map[uint32]field.Ext) (cosets []uint32, values [][]field.Ext, err error) {
	for _, place := range places {
		coset := place >> a
		if len(cosets) > 0 && cosets[len(cosets)-1] == coset {
			continue
		}
		vs := make([]field.Ext, 1<<a)
		for t := range vs {
			v, ok := known[coset<<a|uint32(t)]
			switch {
			case ok:
				vs[t] = v
			case len(given) == 0:
				err = fmt.Errorf("a value is missing: %w", ErrFormat)
			default:
				vs[t], given = given[0], given[1:]
			}
		}
		cosets, values = append(cosets, coset), append(values, vs)
	}
	if len(given) != 0 {
		err = fmt.Errorf("%d values are left over: %w", len(given), ErrFormat)
	}
	return cosets, values, err
}
