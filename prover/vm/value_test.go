package vm

import (
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// drawFelt draws field elements with the corners that limb arithmetic gets wrong.
func drawFelt(t *rapid.T, name string) *big.Int {
	one := big.NewInt(1)
	corners := []*big.Int{
		big.NewInt(0), one, new(big.Int).Sub(prime, one), new(big.Int).Lsh(one, 64), new(big.Int).Lsh(one, 128),
		new(big.Int).Lsh(one, 192), new(big.Int).Lsh(one, 251), new(big.Int).Rsh(prime, 1),
		new(big.Int).SetUint64(1<<64 - 1), mask128,
	}
	n := rapid.SampledFrom(corners).Draw(t, name+" corner")
	bits := rapid.SampledFrom([]uint{0, 8, 64, 65, 128, 200, 256}).Draw(t, name+" bits")
	bytes := rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, name)
	x := new(big.Int).SetBytes(bytes)
	x.Rsh(x, 256-bits)
	if rapid.Bool().Draw(t, name+" minus") {
		x.Neg(x)
	}
	return x.Add(x, n).Mod(x, prime)
}

// TestArithmetic holds the limb arithmetic to math/big.
func TestArithmetic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := drawFelt(t, "x"), drawFelt(t, "y")
		a, b := bigValue(x), bigValue(y)
		mod := func(n *big.Int) *big.Int { return n.Mod(n, prime) }
		check := func(name string, got value, want *big.Int) {
			if !got.isFelt() || got.isAddress() || got.big().Cmp(want) != 0 || got != bigValue(want) {
				t.Fatalf("%s of %v and %v gives %v, not %v", name, x, y, got, want)
			}
		}
		check("conversion", a, x)
		check("Montgomery form and back", feltValue(a.felt()), x)
		check("sum", addFelts(a, b), mod(new(big.Int).Add(x, y)))
		check("difference", subFelts(a, b), mod(new(big.Int).Sub(x, y)))
		check("product", mulFelts(a, b), mod(new(big.Int).Mul(x, y)))
		check("negation", negValue(a), mod(new(big.Int).Neg(x)))
		if q, ok := divFelts(a, b); ok != (y.Sign() != 0) {
			t.Fatalf("%v / %v: %v", x, y, ok)
		} else if ok {
			check("quotient times divisor", mulFelts(q, b), x)
		}
		if a.less(b) != (x.Cmp(y) < 0) {
			t.Fatalf("%v < %v is %v", x, y, a.less(b))
		}
		if y.Sign() != 0 {
			q, r := divModValues(a, b)
			check("integer quotient", q, new(big.Int).Div(x, y))
			check("rest", r, new(big.Int).Mod(x, y))
		}
		if a.fits128() != (x.BitLen() <= 128) || a.isZero() != (x.Sign() == 0) {
			t.Fatalf("%v: fits128 %v, isZero %v", x, a.fits128(), a.isZero())
		}
		if n, ok := a.small(); ok != x.IsUint64() || ok && n != x.Uint64() {
			t.Fatalf("%v: small gives %d, %v", x, n, ok)
		}
		centred := new(big.Int).Set(x)
		if new(big.Int).Lsh(x, 1).Cmp(prime) > 0 {
			centred.Sub(x, prime)
		}
		if n, ok := a.signed(); ok && big.NewInt(n).Cmp(centred) != 0 ||
			ok != (centred.IsInt64() && centred.Int64() != -1<<63) {
			t.Fatalf("%v: signed gives %d, %v", x, n, ok)
		}
		if parsed, err := parseFelt(a.String()); err != nil || parsed != a {
			t.Fatalf("%v: parsed as %v (%v)", x, parsed, err)
		}
	})
}

// TestAddresses moves addresses by numbers and takes their distances.
func TestAddresses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := address{seg: rapid.Int32Range(-5, 5).Draw(t, "segment"), off: rapid.Int64Range(0, maxOffset).Draw(t, "offset")}
		n := rapid.Int64Range(-2*maxOffset, 2*maxOffset).Draw(t, "distance")
		v := addressValue(p)
		if v.isFelt() || !v.isAddress() || v.address() != p {
			t.Fatalf("%v became %v", p, v)
		}
		q, err := addValues(v, intValue(n))
		if inside := p.off+n >= 0 && p.off+n <= maxOffset && n <= maxOffset && n >= -maxOffset; (err == nil) != inside {
			t.Fatalf("%v + %d: %v", p, n, err)
		}
		if err != nil {
			return
		}
		if d, err := subValues(q, v); err != nil || d != intValue(n) {
			t.Fatalf("%v - %v is %v (%v), not %d", q, v, d, err, n)
		}
		if back, err := subValues(q, intValue(n)); err != nil || back != v {
			t.Fatalf("%v - %d is %v (%v), not %v", q, n, back, err, v)
		}
	})
}
