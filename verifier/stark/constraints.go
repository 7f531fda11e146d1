package stark

import (
	"fmt"

	"github.com/seed06907907/fatty/verifier/air"
)

// Lookup holds the challenges of the lookup argument in some arithmetic.
type Lookup[T any] struct {
	Z      T
	Powers []T // alpha, alpha^2, ..: as many as the widest relation of the set has entries
}

// Denominator returns id + alpha v_0 + alpha^2 v_1 + .. - z, the denominator of a lookup's fraction. The tuple must have the
// relation's width.
func (lk Lookup[T]) Denominator(ar air.Arithmetic[T], r *air.Relation, tuple []T) T {
	var id air.Element
	id.SetUint64(uint64(r.ID))
	d := ar.Sub(ar.Const(id), lk.Z)
	for i, t := range tuple {
		d = ar.Add(d, ar.Mul(lk.Powers[i], t))
	}
	return d
}

// Values is what one component's constraints are evaluated on.
type Values[T any] struct {
	Row      air.Row[T]
	Sums     []T // interaction columns at this row
	Previous T   // the last interaction column at the previous row
	Share    T   // claim / 2^k: what the running sum loses in each row
	Ext      []T // values of the component's ExtParams
}

// Ring is an arithmetic that has the extension's basis.
type Ring[T any] interface {
	air.Arithmetic[T]
	Basis(d int) T
}

// Constraints returns the value of every constraint of a component: those of its description, the weighted ones, then one for
// each interaction column. All vanish on the rows of a satisfying trace.
//
// With fractions n_i/d_i of a column's batch and step what the column adds to the one before it, the column's constraint is
// step * prod d_i = sum_i n_i prod_{j != i} d_j, where yields have -n_i. The last column's step is also taken from its own
// previous row, and gives the share back.
func Constraints[T any](c *air.Component, ar Ring[T], v Values[T], lk Lookup[T]) ([]T, error) {
	nodes, err := air.Eval(c, ar, v.Row)
	if err != nil {
		return nil, err
	}
	if len(v.Sums) != len(c.Batches) {
		return nil, fmt.Errorf("component %s: %d interaction columns, want %d: %w", c.Name, len(v.Sums), len(c.Batches), air.ErrShape)
	}
	if len(v.Ext) != len(c.ExtParams) {
		return nil, fmt.Errorf("component %s: %d extension scalars, want %d: %w", c.Name, len(v.Ext), len(c.ExtParams), air.ErrShape)
	}
	out := make([]T, 0, Count(c))
	for _, k := range c.Constraints {
		out = append(out, nodes[k.Root])
	}
	zero := ar.Const(air.Element{})
	for _, w := range c.Weighted {
		sum := zero
		for _, t := range w.Terms {
			x := ar.Mul(ar.Basis(t.Basis), nodes[t.Node])
			if t.Param >= 0 {
				x = ar.Mul(x, v.Ext[t.Param])
			}
			sum = ar.Add(sum, x)
		}
		out = append(out, sum)
	}
	for j, batch := range c.Batches {
		step := v.Sums[j]
		if j > 0 {
			step = ar.Sub(step, v.Sums[j-1])
		}
		if j == len(c.Batches)-1 {
			step = ar.Add(ar.Sub(step, v.Previous), v.Share)
		}
		// num/den is the sum of the fractions so far.
		num, den := zero, zero
		for m, i := range batch {
			tuple := make([]T, len(c.Lookups[i].Tuple))
			for t, node := range c.Lookups[i].Tuple {
				tuple[t] = nodes[node]
			}
			d := lk.Denominator(ar, c.Lookups[i].Relation, tuple)
			n := nodes[c.Lookups[i].Numerator]
			if c.Lookups[i].Yield {
				n = ar.Sub(zero, n)
			}
			if m == 0 {
				num, den = n, d
				continue
			}
			num = ar.Add(ar.Mul(num, d), ar.Mul(n, den))
			den = ar.Mul(den, d)
		}
		out = append(out, ar.Sub(ar.Mul(step, den), num))
	}
	return out, nil
}

// Count is the number of a component's constraints, as Constraints returns them.
func Count(c *air.Component) int { return len(c.Constraints) + len(c.Weighted) + len(c.Batches) }

// WidestRelation returns how many powers of alpha a set needs.
func WidestRelation(s *air.Set) int {
	w := 0
	for _, c := range s.Components {
		for _, l := range c.Lookups {
			w = max(w, len(l.Tuple))
		}
	}
	return w
}
