package stark

import (
	"context"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/field"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// quotients adds up, height by height, the weighted constraints of components over the two blocks of a coset of twice the
// height: enough points for a quotient of degree below 2^(k+1).
type quotients struct {
	b  int
	of map[int]*extVec // by height k: 2 blocks of 2^k
}

// halves are the blocks, among 2^b, that make up the coset of twice the height.
func halves(b int) [2]int { return [2]int{0, 1 << (b - 1)} }

// add adds one component. columns are the extensions of its main and fixed columns, sums those of its interaction columns;
// ext are its extension scalars, powers those of the weight that belong to its constraints.
func (q *quotients) add(ctx context.Context, p *program, d *denominators, columns []koalabear.Vector, sums []extVec,
	claim field.Ext, k int, ext, powers []field.Ext) error {
	rows := 1 << k
	if q.of[k] == nil {
		v := newExtVec(2 * rows)
		q.of[k] = &v
	}
	total := q.of[k]
	share := vstark.Share(claim, k)
	last := len(sums) - 1
	conWeights := newWeights(constraintWeights(p.c, powers, p.c.Coefficients(ext)))
	terms := len(conWeights) / field.Degree
	batchPowers := powers[len(p.c.Constraints)+len(p.c.Weighted):]
	batchWeights := make([]weights, len(sums))
	for j := range sums {
		batchWeights[j] = constWeights(batchPowers[j])
	}
	type scratch struct {
		f              *frame
		r              *fractions
		num, den, step extVec
		pending        []koalabear.Vector
		first          int
	}
	all := make([]*scratch, workers())
	per := (rows + chunk - 1) / chunk
	return each(ctx, 2*per, func(worker, i int) error {
		s := all[worker]
		if s == nil {
			f := newFrame(p)
			s = &scratch{f: f, r: newFractions(f, d), num: newExtVec(chunk), den: newExtVec(chunk), step: newExtVec(chunk)}
			all[worker] = s
		}
		half, from := i/per, i%per*chunk
		n := min(chunk, rows-from)
		at := halves(q.b)[half]*rows + from
		acc := total.slice(half*rows+from, half*rows+from+n)
		s.f.load(columns, at, n)
		flush := func() {
			if len(s.pending) > 0 {
				to := s.first + len(s.pending)
				addScaled(&acc, s.pending, conWeights[s.first*field.Degree:to*field.Degree])
				s.pending = s.pending[:0]
			}
		}
		s.f.run(func(c int, v koalabear.Vector) {
			if len(s.pending) == 0 {
				s.first = c
			}
			if s.pending = append(s.pending, v); len(s.pending) == group || c == terms-1 {
				flush()
			}
		}, func(j int) {
			num, den, step := s.num.slice(0, n), s.den.slice(0, n), s.step.slice(0, n)
			s.r.batch(p.c.Batches[j], &num, &den, n)
			cur := sums[j].slice(at, at+n)
			step.copyFrom(&cur)
			if j > 0 {
				before := sums[j-1].slice(at, at+n)
				step.sub(&step, &before)
			}
			if j == last {
				previous(&step, &sums[last], at-from, from, rows, n)
				addConst(&step, share)
			}
			mulExt(&step, &step, &den)
			step.sub(&step, &num)
			addScaled(&acc, step[:], batchWeights[j])
		})
		return nil
	})
}

// previous subtracts from step the rows before [from, from+n) of a block of a column.
func previous(step, column *extVec, block, from, rows, n int) {
	for d := range step {
		v := column[d][block : block+rows]
		if from > 0 {
			subVec(step[d], step[d], v[from-1:from-1+n])
			continue
		}
		step[d][0].Sub(&step[d][0], &v[rows-1])
		subVec(step[d][1:], step[d][1:], v[:n-1])
	}
}

func addConst(v *extVec, x field.Ext) {
	c := field.Coords(&x)
	for d := range v {
		for i := range v[d] {
			v[d][i].Add(&v[d][i], &c[d])
		}
	}
}

// composition divides by the vanishing polynomial, splits each quotient in two halves, lifts and adds them, and returns the
// extensions of the composition columns.
func (q *quotients) composition(ctx context.Context, n int) ([]koalabear.Vector, error) {
	out := newColumns(vstark.CompositionColumns, 1<<(n+q.b))
	err := each(ctx, field.Degree, func(_, d int) error {
		lo, hi := out[d][:1<<n], out[field.Degree+d][:1<<n]
		for k, acc := range q.of {
			rows := 1 << k
			dom := domainOf(k)
			a, b := acc[d][:rows], acc[d][rows:]
			// x^(2^k) is s^(2^k) on the first block and its negative on the second.
			sn := field.Exp(field.Shift(k), uint64(rows))
			one := field.New(1)
			var va, vb field.Element
			va.Sub(&sn, &one).Inverse(&va)
			vb.Neg(&sn).Sub(&vb, &one).Inverse(&vb)
			a.ScalarMul(a, &va)
			b.ScalarMul(b, &vb)
			dom.unblock(a, q.b, halves(q.b)[0])
			dom.unblock(b, q.b, halves(q.b)[1])
			// a holds q_0 + s^(2^k) q_1, b holds q_0 - s^(2^k) q_1: coefficients, bit-reversed. A short polynomial
			// of x^(2^(n-k)) has them at the front of the long one's.
			half := field.New(2)
			half.Inverse(&half)
			var scale field.Element
			scale.Inverse(&sn).Mul(&scale, &half)
			for i := range rows {
				var s, t field.Element
				s.Add(&a[i], &b[i]).Mul(&s, &half)
				t.Sub(&a[i], &b[i]).Mul(&t, &scale)
				lo[i].Add(&lo[i], &s)
				hi[i].Add(&hi[i], &t)
			}
		}
		domainOf(n).evaluate(out[d], lo, q.b)
		domainOf(n).evaluate(out[field.Degree+d], hi, q.b)
		return nil
	})
	return out, err
}
