package cairo

import (
	"math/bits"

	"github.com/consensys/gnark-crypto/ecc/stark-curve/fp"

	"github.com/seed06907907/fatty/verifier/cairo"
)

// prime is P = 2^251 + 17*2^192 + 1.
var prime = limbs{1, 0, 0, 1<<59 + 17}

// The form of a felt in the tables of steps: 11 limbs of 24 bits.
const (
	limbBits  = 24
	feltLimbs = cairo.Limbs
)

// limb is limb i of the tables, 24 bits.
func (l *limbs) limb(i int) uint32 {
	bit := limbBits * i
	v := l[bit/64] >> (bit % 64)
	if r := bit % 64; r > 64-limbBits && bit/64 < 3 {
		v |= l[bit/64+1] << (64 - r)
	}
	return uint32(v & (1<<limbBits - 1))
}

// less compares as integers.
func (l *limbs) less(m *limbs) bool {
	_, borrow := l.minus(m)
	return borrow == 1
}

// plus is l + m; both are below 2^252.
func (l *limbs) plus(m *limbs) (out limbs) {
	var c uint64
	for i := range out {
		out[i], c = bits.Add64(l[i], m[i], c)
	}
	return out
}

// minus is l - m mod 2^256, with the borrow.
func (l *limbs) minus(m *limbs) (out limbs, borrow uint64) {
	for i := range out {
		out[i], borrow = bits.Sub64(l[i], m[i], borrow)
	}
	return out, borrow
}

// sum is l + m mod P.
func sum(l, m *limbs) limbs {
	s := l.plus(m)
	if !s.less(&prime) {
		s, _ = s.minus(&prime)
	}
	return s
}

// times is l * m mod P.
func times(l, m *limbs) limbs {
	x, y := fp.Element(*l), fp.Element(*m)
	x.Mul(&x, &montgomerySquare) // x R
	x.Mul(&x, &y)                // x y
	return limbs(x)
}

// montgomerySquare is R^2 mod P for R = 2^256: multiplying by it in fp's inner form multiplies by R.
var montgomerySquare = func() fp.Element {
	var r fp.Element
	r.SetOne()
	for range 256 {
		r.Double(&r)
	}
	return r
}()

// offset reads a felt as a number in [-2^29 - 1, 2^29): what a register may move by.
func (l *limbs) offset() (int64, bool) {
	if l.isSmall() && l[0] < 1<<29 {
		return int64(l[0]), true
	}
	if d, borrow := prime.minus(l); borrow == 0 && d.isSmall() && d[0] <= 1<<29+1 {
		return -int64(d[0]), true
	}
	return 0, false
}
