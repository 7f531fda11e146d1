package stark

import (
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// The DEEP combination is the sum over terms of weight * (column(x) - value) / (x - point). Weights are powers of one
// challenge beta, all different:
//
//   - every base field column of every tree has a term at zeta. The leaf of a tree of w columns is B blocks of eight cells,
//     zeros at the end; column c of the tree has weight beta^(offset + 8 B - 1 - c), so that a row of the hash that absorbs
//     a block can also take eight steps of Horner's rule; the next tree's offset is greater by 8 B;
//   - behind them, each component's running sum, over the extension, has a term at zeta/w_n,
//   - and one at zeta * w_n^(2^k), where the sum must have the value that it has at zeta.

// offsets returns where each tree's exponents begin, and, last, where those of the running sums do.
func (c *columns) offsets() (out [Trees + 1]int) {
	for t, w := range c.width {
		out[t+1] = out[t] + hash.Rate*hash.Steps(w)
	}
	return out
}

// Words is the number of weights that the DEEP combination of a set may use: more than the largest exponent.
func (l *Layout) Words() int {
	words := 2 * len(l.Main)
	for t := range Trees {
		words += hash.Rate * hash.Steps(len(l.Columns[t]))
	}
	return words
}

// deepCodeword returns the combination at the queried points.
func deepCodeword[E, D any](ar Arithmetic[E, D], s *Subject[E, D], m *Messages[E, D], c *columns, o Opener[E, D], beta, zeta E,
	places []Place[E], points []E) []E {
	offsets := c.offsets()
	w := field.Root(s.Params.LogN)
	w.Inverse(&w)
	before := ar.Mul(zeta, ar.Const(w))
	periods := make([]E, len(s.Heights))
	last := make([]E, len(s.Heights)) // the running sums at zeta
	for i, h := range s.Heights {
		periods[i] = ar.Mul(zeta, h.Turn)
		last[i] = combine(ar, m.Open.Columns[TreeInteraction][c.last[i]:c.last[i]+field.Degree])
	}
	roots := [Trees]D{s.Preprocessed, s.Program, m.Main, m.Interaction, m.Composition}
	values := ar.Const(field.Element{})
	numerators := make([]E, len(places))
	var sums [][]E
	for t, root := range roots {
		if c.width[t] == 0 {
			continue
		}
		var at []int
		if t == TreeInteraction {
			at = c.last
		}
		rows, columns := o.Leaves(t, root, places, beta, at)
		if t == TreeInteraction {
			sums = columns
		}
		scale := power(ar, beta, offsets[t])
		open := reversed(m.Open.Columns[t])
		pad := offsets[t+1] - offsets[t] - c.width[t]
		values = ar.Add(values, ar.Mul(power(ar, beta, offsets[t]+pad), horner(ar, open, beta)))
		for q := range places {
			if offsets[t] == 0 {
				numerators[q] = rows[q]
				continue
			}
			numerators[q] = ar.Add(ar.Mul(rows[q], scale), numerators[q])
		}
	}
	previous := horner(ar, m.Open.Previous, beta)
	first := power(ar, beta, offsets[Trees])
	second := power(ar, beta, len(s.Heights))
	out := make([]E, len(places))
	for q, x := range points {
		atZeta := ar.Mul(ar.Sub(numerators[q], values), ar.Inverse(labelOpening, ar.Sub(x, zeta)))
		atBefore := ar.Mul(ar.Sub(horner(ar, sums[q], beta), previous), ar.Inverse(labelOpening, ar.Sub(x, before)))
		terms := make([]E, len(last))
		for i := range last {
			terms[i] = ar.Mul(ar.Sub(sums[q][i], last[i]), ar.Inverse(labelOpening, ar.Sub(x, periods[i])))
		}
		rest := ar.Add(ar.Mul(horner(ar, terms, beta), second), atBefore)
		out[q] = ar.Add(ar.Mul(rest, first), atZeta)
	}
	return out
}

func reversed[E any](xs []E) []E {
	out := make([]E, len(xs))
	for i, x := range xs {
		out[len(xs)-1-i] = x
	}
	return out
}

// Deep is the combination as a prover computes it: the weight of every term.
type Deep struct {
	// Weights are those of every base field column of every tree, for the terms at zeta.
	Weights [Trees][]field.Ext
	// Last is the first base field column, in the interaction tree, of each component's running sum.
	Last []int
	// Previous and Period are the weights of the running sums' terms at the other two points.
	Previous, Period []field.Ext
}

// NewDeep lays out the terms.
func NewDeep(inst *Instance, beta field.Ext) *Deep {
	c := columnsOf(inst.Set, inst.Params.LogN)
	offsets := c.offsets()
	n := len(inst.Set.Components)
	powers := field.Powers(beta, offsets[Trees]+2*n)
	d := &Deep{Last: c.last, Previous: powers[offsets[Trees]:][:n], Period: powers[offsets[Trees]+n:]}
	for t, width := range c.width {
		for i := range width {
			d.Weights[t] = append(d.Weights[t], powers[offsets[t+1]-1-i])
		}
	}
	return d
}

// Value returns the weighted sum of the values at zeta.
func (d *Deep) Value(o *Openings[field.Ext]) (sum field.Ext) {
	for t, values := range o.Columns {
		for i, v := range values {
			sum = field.Add(sum, field.Mul(d.Weights[t][i], v))
		}
	}
	return sum
}
