// Package field holds what the proof system needs of its field beyond gnark-crypto's arithmetic: KoalaBear,
// p = 2^31 - 2^24 + 1, and its extension of degree 6, from which all challenges are drawn.
//
// Its parts: Element and Ext with their coordinates and canonical bytes; Root, Shift and Point, which fix the lifted
// domain; Arithmetic, by which an air description is evaluated over the extension; BitReverse.
//
// The lifted domain (ePrint 2024/278 has the idea for the circle): a column of 2^k rows is extended over the coset
// Shift(k) * <Root(k+b)>, b the log of the blow-up. Because Shift(k) = g^(2^(24-k)) for one generator g, the map
// x -> x^(2^(n-k)) takes the coset of n onto the coset of k, and entry i of the large one in bit-reversed order onto entry
// i >> (n-k) of the small one.
//
//	x := field.Point(18, 1, 5)                       // entry 5, bit-reversed order, of the coset of 2^18 rows at blow-up 2
//	v := field.Mul(field.FromBase(x), challenge)
package field

import (
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/consensys/gnark-crypto/field/koalabear"
	"github.com/consensys/gnark-crypto/field/koalabear/extensions"
)

// Element is the base field KoalaBear.
type Element = koalabear.Element

// Ext is the extension of degree 6: F[u]/(u^2-3), then [v]/(v^3-u-1).
type Ext = extensions.E6

// Modulus is p.
const Modulus = 2130706433

// TwoAdicity is the largest k for which the base field has a root of unity of order 2^k.
const TwoAdicity = 24

// Degree is the degree of Ext over the base field.
const Degree = 6

// Bytes is the length of an encoded base field element.
const Bytes = 4

// generator generates the multiplicative group.
const generator = 3

// rootOfUnity has order 2^24: generator^127. It is the root that gnark-crypto's transforms use, so that both agree on
// what the i-th point of a domain is.
const rootOfUnity = 1791270792

var roots, shifts = domainTables()

func domainTables() (r, s [TwoAdicity + 1]Element) {
	r[TwoAdicity].SetUint64(rootOfUnity)
	s[TwoAdicity].SetUint64(generator)
	for k := TwoAdicity; k > 0; k-- {
		r[k-1].Square(&r[k])
		s[k-1].Square(&s[k])
	}
	return r, s
}

// ErrCanonical is returned for bytes that are no field element below p.
var ErrCanonical = errors.New("field element is not below the modulus")

// Root returns the generator of the subgroup of order 2^k; Root(k)^2 = Root(k-1). k is 0..TwoAdicity.
func Root(k int) Element { return roots[k] }

// Shift returns the coset shift of a column of 2^k rows: g^(2^(24-k)). k is 0..TwoAdicity.
func Shift(k int) Element { return shifts[k] }

// Point returns entry i, in bit-reversed order, of the domain over which a column of 2^k rows is extended at blow-up 2^b.
func Point(k, b int, i uint64) Element {
	x := Exp(Root(k+b), Reverse(i, k+b))
	s := Shift(k)
	x.Mul(&x, &s)
	return x
}

// Reverse returns the low n bits of i in reverse order.
func Reverse(i uint64, n int) uint64 {
	if n == 0 {
		return 0
	}
	return bits.Reverse64(i) >> (64 - n)
}

// Exp returns x^e.
func Exp(x Element, e uint64) Element {
	var r Element
	r.SetOne()
	for ; e != 0; e >>= 1 {
		if e&1 == 1 {
			r.Mul(&r, &x)
		}
		x.Square(&x)
	}
	return r
}

// New returns v mod p.
func New(v uint64) (e Element) {
	e.SetUint64(v)
	return e
}

// PutElement writes e as 4 big-endian bytes.
func PutElement(dst []byte, e Element) { binary.BigEndian.PutUint32(dst, uint32(e.Uint64())) }

// GetElement reads 4 big-endian bytes; a value of p or more is an error.
func GetElement(src []byte) (e Element, err error) {
	v := binary.BigEndian.Uint32(src)
	if v >= Modulus {
		return e, ErrCanonical
	}
	e.SetUint64(uint64(v))
	return e, nil
}

// Coords returns the coordinates of x over the base field, in the order (1, u, v, uv, v^2, uv^2).
func Coords(x *Ext) [Degree]Element {
	return [Degree]Element{x.B0.A0, x.B0.A1, x.B1.A0, x.B1.A1, x.B2.A0, x.B2.A1}
}

// FromCoords is the inverse of Coords.
func FromCoords(c [Degree]Element) (x Ext) {
	x.B0.A0, x.B0.A1, x.B1.A0, x.B1.A1, x.B2.A0, x.B2.A1 = c[0], c[1], c[2], c[3], c[4], c[5]
	return x
}

// Basis returns the d-th element of the basis of Coords.
func Basis(d int) Ext {
	var c [Degree]Element
	c[d].SetOne()
	return FromCoords(c)
}

// InBase reports whether x lies in the base field.
func InBase(x *Ext) bool {
	return x.B0.A1.IsZero() && x.B1.IsZero() && x.B2.IsZero()
}

// FromBase embeds a base field element.
func FromBase(e Element) (x Ext) {
	x.B0.A0 = e
	return x
}

// One is the extension's 1.
func One() (x Ext) {
	x.SetOne()
	return x
}

// Add returns a + b.
func Add(a, b Ext) (r Ext) { r.Add(&a, &b); return }

// Sub returns a - b.
func Sub(a, b Ext) (r Ext) { r.Sub(&a, &b); return }

// Mul returns a * b.
func Mul(a, b Ext) (r Ext) { r.Mul(&a, &b); return }

// Scale returns a * b for b of the base field.
func Scale(a Ext, b Element) (r Ext) { r.MulByElement(&a, &b); return }

// Square2 returns x^(2^k).
func Square2(x Ext, k int) Ext {
	for range k {
		x.Square(&x)
	}
	return x
}

// Powers returns 1, x, .., x^(n-1).
func Powers(x Ext, n int) []Ext {
	out := make([]Ext, n)
	if n == 0 {
		return out
	}
	out[0].SetOne()
	for i := 1; i < n; i++ {
		out[i].Mul(&out[i-1], &x)
	}
	return out
}

// Horner returns the value at x of the polynomial with coefficients c, constant term first.
func Horner(c []Ext, x Ext) (r Ext) {
	for i := len(c) - 1; i >= 0; i-- {
		r.Mul(&r, &x)
		r.Add(&r, &c[i])
	}
	return r
}

// Arithmetic evaluates air descriptions over the extension.
type Arithmetic struct{}

// Const embeds e.
func (Arithmetic) Const(e Element) Ext { return FromBase(e) }

// Add returns a + b.
func (Arithmetic) Add(a, b Ext) (r Ext) { r.Add(&a, &b); return }

// Sub returns a - b.
func (Arithmetic) Sub(a, b Ext) (r Ext) { r.Sub(&a, &b); return }

// Mul returns a * b.
func (Arithmetic) Mul(a, b Ext) (r Ext) { r.Mul(&a, &b); return }

// Basis is the d-th element of the basis of Coords.
func (Arithmetic) Basis(d int) Ext { return Basis(d) }

// InvertAll returns the inverses of xs, 0 for 0 (Montgomery's trick).
func InvertAll(xs []Ext) []Ext { return extensions.BatchInvertE6(xs) }
