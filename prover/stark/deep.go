package stark

import (
	"context"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/field"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// deepCodeword computes the DEEP combination: on the first block, which determines it, then extended to all blocks.
// Numerators are summed at each column's own height; a short sum over the long block is the same values over and over.
func deepCodeword(ctx context.Context, n, b int, trees [vstark.Trees]*tree, heights []int,
	deep *vstark.Deep, open *vstark.Openings[field.Ext], inverse *extVec) (extVec, error) {
	rows := 1 << n
	step := min(chunk, rows)
	// zeta[k] sums the columns of 2^k rows; previous[k] and period[k] the running sums for the other two points.
	var zeta, previous, period [field.TwoAdicity + 1]*extVec
	for t := range trees {
		if trees[t] == nil {
			continue
		}
		byHeight := map[int][]int{}
		for c, k := range trees[t].heights {
			byHeight[k] = append(byHeight[k], c)
		}
		for k, columns := range byHeight {
			xs := make([]koalabear.Vector, len(columns))
			ws := make([]field.Ext, len(columns))
			for i, c := range columns {
				xs[i], ws[i] = trees[t].columns[c], deep.Weights[t][c]
			}
			if err := sumInto(ctx, &zeta[k], xs, newWeights(ws), k); err != nil {
				return extVec{}, err
			}
		}
	}
	sums := trees[vstark.TreeInteraction].columns
	var atPrevious field.Ext
	atPeriod := map[int]field.Ext{}
	for i, k := range heights {
		xs := sums[deep.Last[i] : deep.Last[i]+field.Degree]
		if err := sumInto(ctx, &previous[k], xs, constWeights(deep.Previous[i]), k); err != nil {
			return extVec{}, err
		}
		if err := sumInto(ctx, &period[k], xs, constWeights(deep.Period[i]), k); err != nil {
			return extVec{}, err
		}
		atPrevious = field.Add(atPrevious, field.Mul(deep.Previous[i], open.Previous[i]))
		atPeriod[k] = field.Add(atPeriod[k], field.Mul(deep.Period[i], combine(open.Columns[vstark.TreeInteraction][deep.Last[i]:])))
	}
	for k := range zeta {
		for _, v := range []*extVec{zeta[k], previous[k], period[k]} {
			if v != nil {
				*v = repeat(*v, step)
			}
		}
	}
	// 1/(x - zeta/w) = w/(w x - zeta) and 1/(x - zeta w^t) = w^-t/(w^-t x - zeta): the inverses of other rows.
	padded := pad(inverse, step)
	w := field.Root(n)
	atZeta := deep.Value(open)
	out := newExtVec(rows << b)
	type scratch struct{ sum, den, num extVec }
	all := make([]*scratch, workers())
	err := each(ctx, rows/step, func(worker, i int) error {
		s := all[worker]
		if s == nil {
			s = &scratch{sum: newExtVec(step), den: newExtVec(step), num: newExtVec(step)}
			all[worker] = s
		}
		from := i * step
		tiles := func(vs *[field.TwoAdicity + 1]*extVec, value field.Ext) {
			s.num.fill(field.Sub(field.Ext{}, value))
			for _, v := range vs {
				if v != nil {
					at := from & (len(v[0]) - 1)
					t := v.slice(at, at+step)
					s.num.add(&s.num, &t)
				}
			}
		}
		dst := out.slice(from, from+step)
		tiles(&zeta, atZeta)
		den := padded.slice(step+from, step+from+step)
		mulExt(&dst, &s.num, &den)

		tiles(&previous, atPrevious)
		den = padded.slice(step+from+1, step+from+1+step)
		s.den.scaleBase(&den, w)
		mulExt(&s.sum, &s.num, &s.den)
		dst.add(&dst, &s.sum)

		for k, v := range period {
			if v == nil {
				continue
			}
			var one [field.TwoAdicity + 1]*extVec
			one[k] = v
			tiles(&one, atPeriod[k])
			turn := 1 << k & (rows - 1)
			at := from - turn
			if turn >= step {
				at &= rows - 1
			}
			den = padded.slice(step+at, step+at+step)
			back := field.Exp(w, uint64(rows-turn))
			s.den.scaleBase(&den, back)
			mulExt(&s.sum, &s.num, &s.den)
			dst.add(&dst, &s.sum)
		}
		return nil
	})
	if err != nil {
		return out, err
	}
	dom := domainOf(n)
	return out, each(ctx, field.Degree, func(_, d int) error {
		first := out[d][:rows]
		dom.interpolate(first)
		// Back to the powers of x itself: evaluate scales by each block's shift.
		first.Mul(first, dom.powers(b, 0, true))
		dom.evaluate(out[d], first, b)
		return nil
	})
}

// sumInto adds weighted columns of 2^k rows, on the first block, to *sum.
func sumInto(ctx context.Context, sum **extVec, xs []koalabear.Vector, w weights, k int) error {
	rows := 1 << k
	if *sum == nil {
		v := newExtVec(rows)
		*sum = &v
	}
	per := min(4*chunk, rows)
	return each(ctx, rows/per, func(_, i int) error {
		acc := (*sum).slice(i*per, (i+1)*per)
		part := make([]koalabear.Vector, len(xs))
		for j, x := range xs {
			part[j] = x[i*per : (i+1)*per]
		}
		addScaled(&acc, part, w)
		return nil
	})
}

// repeat returns v at least least long.
func repeat(v extVec, least int) extVec {
	if len(v[0]) >= least {
		return v
	}
	out := newExtVec(least)
	for d := range v {
		for at := 0; at < least; at += len(v[d]) {
			copy(out[d][at:], v[d])
		}
	}
	return out
}

// pad returns v with its last step entries again before it and its first one after it.
func pad(v *extVec, step int) extVec {
	n := len(v[0])
	out := newExtVec(step + n + 1)
	for d := range v {
		copy(out[d], v[d][n-step:])
		copy(out[d][step:], v[d])
		out[d][step+n] = v[d][0]
	}
	return out
}
