package stark

import (
	"github.com/seed06907907/fatty/verifier/field"
)

// Deep describes the terms of the DEEP combination: sum over terms of weight * (column(x) - value) / (x - point).
//
// There is one term at zeta for every opened value, in the order of Openings; then one term a component at zeta/w_n for its
// running sum, and one at zeta * w_n^(2^k), where the sum must have the value that it has at zeta. Term i has weight
// beta^i.
type Deep struct {
	// Weights is beta^i * basis for every base field column of every tree, for the terms at zeta.
	Weights [Trees][]field.Ext
	// Last is the first base field column, in the interaction tree, of each component's running sum.
	Last []int
	// Previous and Period are the weights of the running sums' terms at the other two points.
	Previous, Period []field.Ext
	// Step and Turn are the factors w_n^-1 and w_n^(2^k) that take zeta to those points.
	Step field.Element
	Turn []field.Element
}

// NewDeep lays out the terms.
func NewDeep(l *Layout, heights []int, beta field.Ext) *Deep {
	d := &Deep{Step: field.Root(l.Params.LogN)}
	d.Step.Inverse(&d.Step)
	weight := field.One()
	next := func() field.Ext {
		w := weight
		weight = field.Mul(weight, beta)
		return w
	}
	var basis [field.Degree]field.Ext
	for i := range basis {
		basis[i] = field.Basis(i)
	}
	for t := range Trees {
		for c := 0; c < len(l.Columns[t]); {
			w := next()
			if t < TreeInteraction {
				d.Weights[t] = append(d.Weights[t], w)
				c++
				continue
			}
			for _, b := range basis {
				d.Weights[t] = append(d.Weights[t], field.Mul(w, b))
				c++
			}
		}
	}
	for i := range l.Main {
		end := l.Batches
		if i+1 < len(l.Interaction) {
			end = l.Interaction[i+1]
		}
		d.Last = append(d.Last, field.Degree*(end-1))
		d.Previous = append(d.Previous, next())
	}
	for _, k := range heights {
		d.Period = append(d.Period, next())
		// w_n^(2^k) has order 2^(n-k).
		d.Turn = append(d.Turn, field.Root(l.Params.LogN-k))
	}
	return d
}

// Value returns the weighted sum of the values at zeta.
func (d *Deep) Value(o *Openings) (sum field.Ext) {
	for t, values := range [][]field.Ext{o.Preprocessed, o.Program, o.Main, o.Interaction, o.Composition[:]} {
		step := 1
		if t >= TreeInteraction {
			step = field.Degree
		}
		for i, v := range values {
			// The first base column of an extension column has the weight itself: its basis element is 1.
			sum = field.Add(sum, field.Mul(d.Weights[t][i*step], v))
		}
	}
	return sum
}

// codeword returns the DEEP combination at the opened places.
func (d *Deep) codeword(p Params, proof *Proof, zeta field.Ext, places []uint32) []field.Ext {
	atZeta := d.Value(&proof.Open)
	points := make([]field.Ext, 0, 2+len(d.Turn))
	points = append(points, zeta, field.Scale(zeta, d.Step))
	// Components of one height share a point.
	where := make([]int, len(d.Turn))
	for i, turn := range d.Turn {
		pt := field.Scale(zeta, turn)
		where[i] = -1
		for j, have := range points {
			if have == pt {
				where[i] = j
			}
		}
		if where[i] < 0 {
			where[i] = len(points)
			points = append(points, pt)
		}
	}
	width := len(points)
	inverses := make([]field.Ext, 0, len(places)*width)
	for _, place := range places {
		x := field.FromBase(field.Point(p.LogN, p.LogBlowup, uint64(place)))
		for _, pt := range points {
			inverses = append(inverses, field.Sub(x, pt))
		}
	}
	inverses = field.InvertAll(inverses)
	out := make([]field.Ext, len(places))
	sums := make([]field.Ext, width)
	last := d.lastValues(proof)
	for q := range places {
		clear(sums)
		for t := range Trees {
			w := len(d.Weights[t])
			row := proof.Rows[t][q*w : (q+1)*w]
			for c := range row {
				sums[0] = field.Add(sums[0], field.Scale(d.Weights[t][c], row[c]))
			}
		}
		sums[0] = field.Sub(sums[0], atZeta)
		w := len(d.Weights[TreeInteraction])
		row := proof.Rows[TreeInteraction][q*w : (q+1)*w]
		for i, at := range d.Last {
			s := field.FromCoords([field.Degree]field.Element(row[at:]))
			sums[1] = field.Add(sums[1], field.Mul(d.Previous[i], field.Sub(s, proof.Open.Previous[i])))
			sums[where[i]] = field.Add(sums[where[i]], field.Mul(d.Period[i], field.Sub(s, last[i])))
		}
		for j := range sums {
			out[q] = field.Add(out[q], field.Mul(sums[j], inverses[q*width+j]))
		}
	}
	return out
}

// lastValues are the running sums' values at zeta.
func (d *Deep) lastValues(proof *Proof) []field.Ext {
	out := make([]field.Ext, len(d.Last))
	for i, at := range d.Last {
		out[i] = proof.Open.Interaction[at/field.Degree]
	}
	return out
}
