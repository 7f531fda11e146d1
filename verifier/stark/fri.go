package stark

import (
	"fmt"
	"slices"

	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
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

// verifyLayers follows the queried values through all layers to the final polynomial. places are distinct and ascending,
// values the codeword there.
func verifyLayers(p Params, proof *Proof, challenges []field.Ext, places []uint32, values []field.Ext) error {
	k := p.LogN
	for i, a := range p.Folds() {
		layer, table := proof.Layers[i], NewFoldTable(a)
		size := 1 << a
		given := layer.Values
		var cosets []uint32
		var words []field.Element
		var folded []field.Ext
		for q := 0; q < len(places); {
			coset := places[q] >> a
			point := make([]field.Ext, size)
			for t := range size {
				switch {
				case q < len(places) && places[q] == coset<<a|uint32(t):
					point[t] = values[q]
					q++
				case len(given) == 0:
					return fmt.Errorf("FRI layer %d: a value is missing: %w", i, ErrFormat)
				default:
					point[t] = given[0]
					given = given[1:]
				}
				c := field.Coords(&point[t])
				words = append(words, c[:]...)
			}
			x := field.Point(k, p.LogBlowup, uint64(coset)<<a)
			x.Inverse(&x)
			cosets = append(cosets, coset)
			folded = append(folded, table.Fold(point, x, challenges[i]))
		}
		if len(given) != 0 {
			return fmt.Errorf("FRI layer %d: %d values are left over: %w", i, len(given), ErrFormat)
		}
		leaves := make([]hash.Digest, len(cosets))
		hash.Leaves(leaves, words, field.Degree*size)
		if err := hash.VerifyMulti(proof.LayerRoots[i], k+p.LogBlowup-a, 0, cosets, leaves, layer.Path); err != nil {
			return fmt.Errorf("FRI layer %d: %w", i, err)
		}
		places, values = cosets, folded
		k -= a
	}
	for q, place := range places {
		if evaluateFinal(proof.Final, field.Point(k, p.LogBlowup, uint64(place))) != values[q] {
			return fmt.Errorf("the final polynomial differs from the last layer: %w", ErrRejected)
		}
	}
	return nil
}

func evaluateFinal(c []field.Ext, x field.Element) (r field.Ext) {
	for i := len(c) - 1; i >= 0; i-- {
		r.MulByElement(&r, &x)
		r.Add(&r, &c[i])
	}
	return r
}

// Distinct returns the distinct places in ascending order.
func Distinct(places []uint32) []uint32 {
	out := slices.Clone(places)
	slices.Sort(out)
	return slices.Compact(out)
}
