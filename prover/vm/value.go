package vm

import (
	"encoding/binary"
	"math/big"
	"math/bits"

	"github.com/consensys/gnark-crypto/ecc/stark-curve/fp"
)

// Felt is an element of the Cairo field, P = 2^251 + 17*2^192 + 1, in Montgomery form.
type Felt = fp.Element

// primeTop is the highest 64-bit limb of P; the others are 1, 0, 0 from the lowest on.
const primeTop = 0x0800000000000011

// A value uses the top bits of its highest limb, which no field element reaches (P < 2^252), as a tag. The zero value
// is "unknown", so that fresh memory needs no initialisation.
const (
	tagFelt    = 1 << 63
	tagAddress = 1 << 62
	tagMask    = tagFelt | tagAddress
)

// value is what a memory cell holds: nothing (the zero value), a field element in regular, not Montgomery, form (limbs
// from the lowest on), or an address (offset in a, segment in b).
//
// Regular form makes what a VM does most cheap: sums, comparisons, products of small numbers, addresses plus numbers,
// range checks and hints. A struct of four words rather than an array, because the compiler keeps it in registers.
type value struct{ a, b, c, d uint64 }

// address is a cell before relocation. Negative segments are temporary ones.
type address struct {
	seg int32
	off int64
}

// maxOffset bounds an address's offset: far above every segment's bound, and far from overflow of an int64.
const maxOffset = 1 << 48

func (x value) known() bool     { return x.d&tagMask != 0 }
func (x value) isFelt() bool    { return x.d&tagFelt != 0 }
func (x value) isAddress() bool { return x.d&tagAddress != 0 }

// addressValue is the value that holds an address.
func addressValue(p address) value {
	return value{a: uint64(p.off), b: uint64(uint32(p.seg)), d: tagAddress}
}

// address of a value that is one.
func (x value) address() address { return address{seg: int32(uint32(x.b)), off: int64(x.a)} }

func uintValue(n uint64) value { return value{a: n, d: tagFelt} }

// intValue is n mod P.
func intValue(n int64) value {
	if n >= 0 {
		return uintValue(uint64(n))
	}
	return negValue(uintValue(uint64(-n)))
}

func boolValue(b bool) value {
	if b {
		return uintValue(1)
	}
	return uintValue(0)
}

// feltValue converts from the public Montgomery form.
func feltValue(f Felt) value {
	l := f.Bits()
	return value{l[0], l[1], l[2], l[3] | tagFelt}
}

// felt converts a field element to the public Montgomery form.
func (x value) felt() Felt {
	return limbsFelt([4]uint64{x.a, x.b, x.c, x.d &^ tagMask})
}

// rSquare is 2^512 mod P in the fp package's inner form: multiplying regular limbs by it gives Montgomery form.
var rSquare = func() Felt {
	var r Felt
	r.SetOne()
	for range 256 {
		r.Double(&r)
	}
	return r
}()

// limbsFelt converts reduced regular limbs to Montgomery form.
func limbsFelt(l [4]uint64) Felt {
	f := Felt(l)
	f.Mul(&f, &rSquare)
	return f
}

// limbs of a field element, regular form, lowest first.
func (x value) limbs() [4]uint64 { return [4]uint64{x.a, x.b, x.c, x.d &^ tagMask} }

// small reports the number if it is a field element below 2^64.
func (x value) small() (uint64, bool) {
	return x.a, x.b|x.c|(x.d^tagFelt) == 0
}

// fits128 reports whether x is a field element below 2^128.
func (x value) fits128() bool { return x.c|(x.d^tagFelt) == 0 }

// isZero reports whether x is the field element 0.
func (x value) isZero() bool { return x.a|x.b|x.c|(x.d^tagFelt) == 0 }

// signed reports x as an integer in (-2^63, 2^63), reading the upper half of the field as negative.
func (x value) signed() (int64, bool) {
	if !x.isFelt() {
		return 0, false
	}
	if n, ok := x.small(); ok && n < 1<<63 {
		return int64(n), true
	}
	if n, ok := negValue(x).small(); ok && n < 1<<63 {
		return -int64(n), true
	}
	return 0, false
}

// big is the field element as an integer in [0, P).
func (x value) big() *big.Int {
	var buf [32]byte
	x.putBytes(&buf)
	return new(big.Int).SetBytes(buf[:])
}

// putBytes writes the field element big-endian.
func (x value) putBytes(buf *[32]byte) {
	binary.BigEndian.PutUint64(buf[0:], x.d&^tagMask)
	binary.BigEndian.PutUint64(buf[8:], x.c)
	binary.BigEndian.PutUint64(buf[16:], x.b)
	binary.BigEndian.PutUint64(buf[24:], x.a)
}

// bigValue is n mod P, for any integer n.
func bigValue(n *big.Int) value {
	if n.Sign() < 0 || n.Cmp(prime) >= 0 {
		n = new(big.Int).Mod(n, prime)
	}
	var buf [32]byte
	n.FillBytes(buf[:])
	return value{
		a: binary.BigEndian.Uint64(buf[24:]),
		b: binary.BigEndian.Uint64(buf[16:]),
		c: binary.BigEndian.Uint64(buf[8:]),
		d: binary.BigEndian.Uint64(buf[0:]) | tagFelt,
	}
}

// prime is P.
var prime = fp.Modulus()

// less compares two field elements as integers in [0, P).
func (x value) less(y value) bool {
	_, borrow := bits.Sub64(x.a, y.a, 0)
	_, borrow = bits.Sub64(x.b, y.b, borrow)
	_, borrow = bits.Sub64(x.c, y.c, borrow)
	_, borrow = bits.Sub64(x.d, y.d, borrow)
	return borrow == 1
}

// addFelts adds two field elements.
func addFelts(x, y value) value {
	a, carry := bits.Add64(x.a, y.a, 0)
	if x.b|x.c|y.b|y.c|(x.d^tagFelt)|(y.d^tagFelt) == 0 {
		return value{a: a, b: carry, d: tagFelt}
	}
	b, carry := bits.Add64(x.b, y.b, carry)
	c, carry := bits.Add64(x.c, y.c, carry)
	d, _ := bits.Add64(x.d&^tagMask, y.d&^tagMask, carry)
	if d >= primeTop && (d > primeTop || a|b|c != 0) {
		var borrow uint64
		a, borrow = bits.Sub64(a, 1, 0)
		b, borrow = bits.Sub64(b, 0, borrow)
		c, borrow = bits.Sub64(c, 0, borrow)
		d, _ = bits.Sub64(d, primeTop, borrow)
	}
	return value{a, b, c, d | tagFelt}
}

// subFelts subtracts field elements.
func subFelts(x, y value) value {
	a, borrow := bits.Sub64(x.a, y.a, 0)
	b, borrow := bits.Sub64(x.b, y.b, borrow)
	c, borrow := bits.Sub64(x.c, y.c, borrow)
	d, borrow := bits.Sub64(x.d&^tagMask, y.d&^tagMask, borrow)
	if borrow != 0 {
		var carry uint64
		a, carry = bits.Add64(a, 1, 0)
		b, carry = bits.Add64(b, 0, carry)
		c, carry = bits.Add64(c, 0, carry)
		d, _ = bits.Add64(d, primeTop, carry)
	}
	return value{a, b, c, d | tagFelt}
}

func negValue(x value) value { return subFelts(uintValue(0), x) }

// mulFelts multiplies field elements.
func mulFelts(x, y value) value {
	if x.b|x.c|y.b|y.c|(x.d^tagFelt)|(y.d^tagFelt) == 0 {
		hi, lo := bits.Mul64(x.a, y.a)
		return value{a: lo, b: hi, d: tagFelt}
	}
	// The product of regular forms is xy/R in the fp package's terms; one more product by R^2 gives xy back.
	f, g := Felt(x.limbs()), Felt(y.limbs())
	f.Mul(&f, &g)
	f.Mul(&f, &rSquare)
	return value{f[0], f[1], f[2], f[3] | tagFelt}
}

// divFelts is x / y; false if y is zero.
func divFelts(x, y value) (value, bool) {
	if y.isZero() {
		return value{}, false
	}
	f, g := x.felt(), y.felt()
	g.Inverse(&g)
	f.Mul(&f, &g)
	return feltValue(f), true
}

// addOffset moves an address by a signed distance.
func (p address) addOffset(n int64) (address, bool) {
	if n > maxOffset || n < -maxOffset {
		return address{}, false
	}
	p.off += n
	return p, p.off >= 0 && p.off <= maxOffset
}

// addValues is x + y where at most one is an address.
func addValues(x, y value) (value, error) {
	switch {
	case x.isFelt() && y.isFelt():
		return addFelts(x, y), nil
	case x.isAddress() && y.isFelt():
		return moveAddress(x.address(), y, false)
	case x.isFelt() && y.isAddress():
		return moveAddress(y.address(), x, false)
	}
	return value{}, errAddressSum
}

// subValues is x - y: of two field elements, an address and a field element, or two addresses in one segment.
func subValues(x, y value) (value, error) {
	switch {
	case x.isFelt() && y.isFelt():
		return subFelts(x, y), nil
	case x.isAddress() && y.isFelt():
		return moveAddress(x.address(), y, true)
	case x.isAddress() && y.isAddress():
		p, q := x.address(), y.address()
		if p.seg == q.seg {
			return intValue(p.off - q.off), nil
		}
	}
	return value{}, errAddressDifference
}

// moveAddress is p + n or p - n, read as p + (n mod P): the offset has to come out non-negative, where a large n
// counts as a negative number.
func moveAddress(p address, n value, minus bool) (value, error) {
	distance, ok := n.signed()
	if !ok {
		return value{}, errAddressRange
	}
	if minus {
		distance = -distance
	}
	q, ok := p.addOffset(distance)
	if !ok {
		return value{}, errAddressRange
	}
	return addressValue(q), nil
}
