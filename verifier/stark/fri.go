package stark

import (
	"slices"

	"github.com/seed06907907/fatty/verifier/field"
)

// Folding halves a coset {x, -x} to one value over x^2: f = even(x^2) + x odd(x^2) becomes even + challenge * odd. A layer
// that folds 2^a to one does this a times, with the challenge's squares. In bit-reversed order the 2^a points of a coset
// are neighbours, and the folded value takes the place of their common prefix.

// FoldTable holds 1/(2 * relative points) of a coset of 2^a neighbours for every halving.
type FoldTable struct{ inverses [][]field.Element }

// NewFoldTable prepares folds of 2^a to one.
func NewFoldTable(a int) FoldTable {
	var t FoldTable
	half := field.New(2)
	half.Inverse(&half)
	for ; a > 0; a-- {
		// Neighbours 2j, 2j+1 of 2^a lie at x0 * Root(a)^rev(2j) and its negative.
		level := make([]field.Element, 1<<(a-1))
		for j := range level {
			x := field.Exp(field.Root(a), field.Reverse(uint64(2*j), a))
			x.Inverse(&x)
			level[j].Mul(&x, &half)
		}
		t.inverses = append(t.inverses, level)
	}
	return t
}

// Fold folds the values of one coset in place, given the inverse of its first point, and returns the result.
func (t FoldTable) Fold(values []field.Ext, inverse field.Element, challenge field.Ext) field.Ext {
	half := field.New(2)
	half.Inverse(&half)
	for _, level := range t.inverses {
		for j := range level {
			var scale field.Element
			scale.Mul(&level[j], &inverse)
			lo, hi := values[2*j], values[2*j+1]
			odd := field.Scale(field.Sub(lo, hi), scale)
			even := field.Scale(field.Add(lo, hi), half)
			values[j] = field.Add(even, field.Mul(odd, challenge))
		}
		inverse.Square(&inverse)
		challenge.Square(&challenge)
	}
	return values[0]
}

// pointOf returns the point of the domain at a place, and the first point of the coset of 2^a neighbours that it is in. Bit j,
// lowest first, of the place is bit n-1-j of the power of the generator.
func pointOf[E any](ar Ring[E], p Params, place Place[E], a int) (x, first E) {
	x = ar.Const(field.Shift(p.LogN))
	first = x
	for j := len(place.Bits) - 1; j >= 0; j-- {
		x = turn(ar, x, place.Bits[j], field.Root(j+1))
		if j == a {
			first = x
		}
	}
	return x, first
}

// turn is x * w if bit is 1, else x.
func turn[E any](ar Ring[E], x, bit E, w field.Element) E {
	one := field.New(1)
	w.Sub(&w, &one)
	return ar.Add(ar.Mul(ar.Mul(x, ar.Const(w)), bit), x)
}

// choose returns the value, among 2^len(bits), whose number the bits are.
func choose[E any](ar Ring[E], bits, values []E) E {
	for _, bit := range bits {
		next := make([]E, len(values)/2)
		for j := range next {
			next[j] = ar.Add(ar.Mul(bit, ar.Sub(values[2*j+1], values[2*j])), values[2*j])
		}
		values = next
	}
	return values[0]
}

// foldCoset folds 2^a values of a coset, given the challenge over its first point.
func foldCoset[E any](ar Ring[E], a int, values []E, ratio E) E {
	half := field.New(2)
	half.Inverse(&half)
	for ; a > 0; a-- {
		next := make([]E, len(values)/2)
		for j := range next {
			// Neighbours 2j, 2j+1 of 2^a lie at x0 * Root(a)^rev(2j) and its negative.
			k := field.Exp(field.Root(a), field.Reverse(uint64(2*j), a))
			k.Inverse(&k)
			k.Mul(&k, &half)
			lo, hi := values[2*j], values[2*j+1]
			even := ar.Mul(ar.Add(lo, hi), ar.Const(half))
			next[j] = ar.Add(ar.Mul(ar.Mul(ratio, ar.Const(k)), ar.Sub(lo, hi)), even)
		}
		values, ratio = next, ar.Mul(ratio, ratio)
	}
	return values[0]
}

// checkLayers follows the queried values through all layers to the final polynomial. firsts are the first points of the
// cosets of the places in the first layer.
func checkLayers[E, D any](ar Arithmetic[E, D], p Params, m *Messages[E, D], o Opener[E, D], challenges []E, places []Place[E],
	firsts, values []E) {
	places, values = slices.Clone(places), slices.Clone(values)
	points := slices.Clone(firsts)
	for i, a := range p.Folds() {
		cosets := o.Cosets(i, a, m.Layers[i], places, values)
		for q := range places {
			ar.Equal(labelLayer, choose(ar, places[q].Bits[:a], cosets[q]), values[q])
			x := points[q]
			for j := 0; i > 0 && j < a; j++ { // back to the coset's first point
				w := field.Root(j + 1)
				w.Inverse(&w)
				x = turn(ar, x, places[q].Bits[j], w)
			}
			values[q] = foldCoset(ar, a, cosets[q], ar.Mul(challenges[i], ar.Inverse(labelOpening, x)))
			places[q], points[q] = places[q].above(a), squares(ar, x, a)
		}
	}
	for q := range places {
		ar.Equal(labelFinal, horner(ar, m.Final, points[q]), values[q])
	}
}

// Distinct returns the distinct places in ascending order.
func Distinct(places []uint32) []uint32 {
	out := slices.Clone(places)
	slices.Sort(out)
	return slices.Compact(out)
}
