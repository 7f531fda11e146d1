package stark

import (
	"context"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/field"
)

// lagrange evaluates columns of 2^k rows at a point, from the first block of their extension.
type lagrange struct {
	k       int
	weights extVec // l_j(z)
	inverse extVec // 1/(x_j - z)
}

// newLagrange prepares the evaluation at z: l_j(z) = (z^N - s^N) / (N s^N) * x_j / (z - x_j) over the coset s<w>.
func newLagrange(ctx context.Context, k int, z field.Ext) (*lagrange, error) {
	rows := 1 << k
	l := &lagrange{k: k, weights: newExtVec(rows), inverse: newExtVec(rows)}
	sn := field.Exp(field.Shift(k), uint64(rows))
	scale := field.Sub(field.Square2(z, k), field.FromBase(sn))
	div := field.New(uint64(rows))
	div.Mul(&div, &sn).Inverse(&div).Neg(&div)
	scale = field.Scale(scale, div)
	const share = 1 << 12
	err := each(ctx, (rows+share-1)/share, func(_, i int) error {
		from := i * share
		n := min(share, rows-from)
		x := field.Exp(field.Root(k), uint64(from))
		s, w := field.Shift(k), field.Root(k)
		x.Mul(&x, &s)
		points := make([]field.Element, n)
		diffs := make([]field.Ext, n)
		for j := range points {
			points[j] = x
			diffs[j] = field.Sub(field.FromBase(x), z)
			x.Mul(&x, &w)
		}
		for j, inv := range field.InvertAll(diffs) {
			l.inverse.set(from+j, inv)
			l.weights.set(from+j, field.Mul(field.Scale(inv, points[j]), scale))
		}
		return nil
	})
	return l, err
}

// at returns the value of a column; it reads the first block of its extension.
func (l *lagrange) at(column koalabear.Vector) field.Ext {
	v := column[:1<<l.k]
	var c [field.Degree]field.Element
	for d := range c {
		c[d] = v.InnerProduct(l.weights[d])
	}
	return field.FromCoords(c)
}

// before returns the value of a column at z/w: l_j(z/w) = l_(j+1)(z).
func (l *lagrange) before(column koalabear.Vector) field.Ext {
	n := 1 << l.k
	v, tail := column[:n-1], column[n-1]
	var c [field.Degree]field.Element
	for d := range c {
		c[d] = v.InnerProduct(l.weights[d][1:])
		var t field.Element
		t.Mul(&tail, &l.weights[d][0])
		c[d].Add(&c[d], &t)
	}
	return field.FromCoords(c)
}

// combine returns the extension element with these values of its coordinate columns: the columns of an extension vector
// evaluated outside of the base field.
func combine(values []field.Ext) (r field.Ext) {
	for d := range field.Degree {
		r = field.Add(r, field.Mul(field.Basis(d), values[d]))
	}
	return r
}
