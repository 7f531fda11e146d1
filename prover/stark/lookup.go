package stark

import (
	"context"
	"errors"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/field"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// denominators holds what the lookups of a program need of the challenges.
type denominators struct {
	constant []field.Ext // of each lookup: id - z and the scalar entries of its tuple
	weights  []weights   // of each lookup: alpha^(i+1) of its vector entries
	slots    [][]int32   // of each lookup: its vector entries
}

func newDenominators(p *program, lk vstark.Lookup[field.Ext]) *denominators {
	d := &denominators{}
	for i := range p.lookups {
		l := &p.lookups[i]
		c := field.Sub(field.FromBase(field.New(uint64(l.id))), lk.Z)
		var ws []field.Ext
		var slots []int32
		for t, o := range l.tuple {
			if o.vector {
				ws = append(ws, lk.Powers[t])
				slots = append(slots, o.slot)
			} else {
				c = field.Add(c, field.Scale(lk.Powers[t], o.scalar))
			}
		}
		d.constant = append(d.constant, c)
		d.weights = append(d.weights, newWeights(ws))
		d.slots = append(d.slots, slots)
	}
	return d
}

// fractions is one worker's memory for the fractions of a batch.
type fractions struct {
	f        *frame
	d        *denominators
	xs       []koalabear.Vector
	one, two extVec
	base     koalabear.Vector
}

func newFractions(f *frame, d *denominators) *fractions {
	return &fractions{f: f, d: d, one: newExtVec(chunk), two: newExtVec(chunk), base: make(koalabear.Vector, chunk)}
}

// denominator writes the denominator of lookup i on the loaded chunk.
func (r *fractions) denominator(i int, out *extVec) {
	out.fill(r.d.constant[i])
	r.xs = r.xs[:0]
	for _, s := range r.d.slots[i] {
		r.xs = append(r.xs, r.f.slots[s])
	}
	addScaled(out, r.xs, r.d.weights[i])
}

// addNumerator adds lookup i's signed numerator times x to acc; n rows.
func (r *fractions) addNumerator(acc, x *extVec, i, n int) {
	l := &r.f.p.lookups[i]
	minusOne := field.New(field.Modulus - 1)
	if !l.numerator.vector {
		s := l.numerator.scalar
		if l.yield {
			s.Neg(&s)
		}
		switch {
		case s.IsZero():
		case s.IsOne():
			acc.add(acc, x)
		case s == minusOne:
			acc.sub(acc, x)
		default:
			t := r.two.slice(0, n)
			t.scaleBase(x, s)
			acc.add(acc, &t)
		}
		return
	}
	v := r.f.slots[l.numerator.slot]
	t := r.base[:n]
	for d := range acc {
		mulVec(t, x[d], v)
		if l.yield {
			subVec(acc[d], acc[d], t)
		} else {
			addVec(acc[d], acc[d], t)
		}
	}
}

// batch writes numerator and denominator of the sum of the fractions of a batch: n rows.
func (r *fractions) batch(lookups []int, num, den *extVec, n int) {
	for m, i := range lookups {
		if m == 0 {
			r.denominator(i, den)
			num.fill(field.Ext{})
			r.numeratorAlone(num, i, n)
			continue
		}
		// num/den + n/d = (num d + n den) / (den d)
		d := r.one.slice(0, n)
		r.denominator(i, &d)
		if m == 1 {
			num.fill(field.Ext{})
			r.addNumerator(num, &d, lookups[0], n)
		} else {
			mulExt(num, num, &d)
		}
		r.addNumerator(num, den, i, n)
		mulExt(den, den, &d)
	}
}

// numeratorAlone adds lookup i's signed numerator to the first coordinate.
func (r *fractions) numeratorAlone(num *extVec, i, n int) {
	l := &r.f.p.lookups[i]
	if !l.numerator.vector {
		s := l.numerator.scalar
		if l.yield {
			s.Neg(&s)
		}
		fill(num[0], s)
		return
	}
	v := r.f.slots[l.numerator.slot]
	if l.yield {
		subVec(num[0], num[0], v)
	} else {
		copy(num[0], v)
	}
}

// errDenominator is met with probability below 2^-150.
var errDenominator = errors.New("a lookup's denominator is zero: prove again with another statement")

// interaction computes a component's interaction columns on its rows, by coordinates, and its claimed sum. The columns are
// allocated with room for their extension at blow-up 2^b, whose first block the rows are.
func interaction(ctx context.Context, p *program, d *denominators, columns []koalabear.Vector, k, b int) ([]koalabear.Vector, field.Ext, error) {
	rows, batches := 1<<k, p.c.Batches
	flat := newColumns(field.Degree*len(batches), rows<<b)
	out := extVecs(flat)
	for j := range out {
		out[j] = out[j].slice(0, rows)
	}
	type scratch struct {
		f             *frame
		r             *fractions
		num, den, pre []extVec
	}
	all := make([]*scratch, workers())
	err := each(ctx, (rows+chunk-1)/chunk, func(worker, i int) error {
		s := all[worker]
		if s == nil {
			f := newFrame(p)
			s = &scratch{f: f, r: newFractions(f, d)}
			for range batches {
				s.num = append(s.num, newExtVec(chunk))
				s.den = append(s.den, newExtVec(chunk))
				s.pre = append(s.pre, newExtVec(chunk))
			}
			all[worker] = s
		}
		from := i * chunk
		n := min(chunk, rows-from)
		s.f.load(columns, from, n)
		s.f.run(nil, func(j int) {
			num, den := s.num[j].slice(0, n), s.den[j].slice(0, n)
			s.r.batch(batches[j], &num, &den, n)
		})
		// Montgomery's trick over the batches, row by row: one inverse a row.
		for j := range batches {
			pre, den := s.pre[j].slice(0, n), s.den[j].slice(0, n)
			if j == 0 {
				pre.copyFrom(&den)
				continue
			}
			before := s.pre[j-1].slice(0, n)
			mulExt(&pre, &before, &den)
		}
		products := make([]field.Ext, n)
		inverse := s.pre[len(batches)-1].slice(0, n)
		for row := range products {
			products[row] = inverse.at(row)
			if products[row].IsZero() {
				return errDenominator
			}
		}
		for row, x := range field.InvertAll(products) {
			inverse.set(row, x)
		}
		for j := len(batches) - 1; j >= 0; j-- {
			num, den := s.num[j].slice(0, n), s.den[j].slice(0, n)
			if j == 0 {
				mulExt(&num, &num, &inverse)
				continue
			}
			before := s.pre[j-1].slice(0, n)
			mulExt(&before, &before, &inverse)
			mulExt(&num, &num, &before)
			mulExt(&inverse, &inverse, &den)
		}
		for j := range batches {
			num, dst := s.num[j].slice(0, n), out[j].slice(from, from+n)
			if j == 0 {
				dst.copyFrom(&num)
				continue
			}
			before := out[j-1].slice(from, from+n)
			dst.add(&before, &num)
		}
		return nil
	})
	if err != nil {
		return nil, field.Ext{}, err
	}
	return flat, accumulate(&out[len(out)-1], k), nil
}

// accumulate turns row totals into the running sum that loses claim/2^k a row, in place, and returns the claim.
func accumulate(v *extVec, k int) field.Ext {
	var claim field.Ext
	var coords [field.Degree]field.Element
	for d := range v {
		coords[d] = v[d].Sum()
	}
	claim = field.FromCoords(coords)
	share := vstark.Share(claim, k)
	shares := field.Coords(&share)
	for d := range v {
		var s field.Element
		for i, x := range v[d] {
			s.Add(&s, &x)
			s.Sub(&s, &shares[d])
			v[d][i] = s
		}
	}
	return claim
}
