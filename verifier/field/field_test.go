package field

import (
	"bytes"
	"math/big"
	"testing"

	"github.com/consensys/gnark-crypto/field/koalabear/fft"
	"pgregory.net/rapid"
)

func TestRootsAreThoseOfTheTransforms(t *testing.T) {
	if Modulus != 1<<31-1<<24+1 {
		t.Fatal("modulus")
	}
	g := New(generator)
	if Exp(g, 127) != Root(TwoAdicity) {
		t.Fatal("the root of unity is not generator^127")
	}
	for k := range TwoAdicity + 1 {
		w, err := fft.Generator(1 << k)
		if err != nil {
			t.Fatal(err)
		}
		if w != Root(k) {
			t.Errorf("root of order 2^%d is not the transforms' root", k)
		}
		if e := Exp(Root(k), 1<<k); e != New(1) {
			t.Errorf("Root(%d)^(2^%d) is not 1", k, k)
		}
		if k > 0 {
			if e := Exp(Root(k), 1<<(k-1)); e == New(1) {
				t.Errorf("Root(%d) has a smaller order", k)
			}
		}
	}
	// g generates the whole group: p - 1 = 2^24 * 127.
	for _, q := range []uint64{2, 127} {
		if Exp(g, (Modulus-1)/q) == New(1) {
			t.Errorf("3 is no generator")
		}
	}
}

// The power map takes the coset of n onto the coset of k, entry i onto entry i >> (n-k).
func TestLiftedDomain(t *testing.T) {
	const n, b = 7, 2
	for k := 2; k <= n; k++ {
		for i := uint64(0); i < 1<<(n+b); i++ {
			if Exp(Point(n, b, i), 1<<(n-k)) != Point(k, b, i>>(n-k)) {
				t.Fatalf("n %d k %d entry %d", n, k, i)
			}
		}
	}
	// No point of an extension domain is a row: the coset avoids the subgroup.
	for k := 1; k <= 20; k++ {
		if Exp(Shift(k), 1<<(k+4)) == New(1) {
			t.Errorf("shift of 2^%d lies in the subgroup", k)
		}
	}
}

// FFT over one half of the bit-reversed extension agrees with naive evaluation.
func TestTransformConventions(t *testing.T) {
	const k = 4
	coef := make([]Element, 1<<k)
	for i := range coef {
		coef[i].SetUint64(uint64(i*i*7 + 3))
	}
	eval := func(x Element) (r Element) {
		for i := len(coef) - 1; i >= 0; i-- {
			r.Mul(&r, &x)
			r.Add(&r, &coef[i])
		}
		return r
	}
	d := fft.NewDomain(1 << k)
	for half := range 2 {
		s := Shift(k)
		if half == 1 {
			w := Root(k + 1)
			s.Mul(&s, &w)
		}
		a := make([]Element, 1<<k)
		x := New(1)
		for i := range a {
			a[i].Mul(&coef[i], &x)
			x.Mul(&x, &s)
		}
		d.FFT(a, fft.DIF)
		for i := range a {
			if a[i] != eval(Point(k, 1, uint64(half<<k+i))) {
				t.Fatalf("half %d entry %d", half, i)
			}
		}
	}
}

func TestExtension(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) (x Ext) {
			var c [Degree]Element
			for i := range c {
				c[i].SetUint64(rapid.Uint64Range(0, Modulus-1).Draw(t, name))
			}
			return FromCoords(c)
		}
		a, b := draw("a"), draw("b")
		// Schoolbook over the basis agrees with the library's product.
		ca, cb := Coords(&a), Coords(&b)
		var sum Ext
		for i := range ca {
			for j := range cb {
				var m Element
				m.Mul(&ca[i], &cb[j])
				sum = Add(sum, Scale(Mul(Basis(i), Basis(j)), m))
			}
		}
		if sum != Mul(a, b) {
			t.Fatal("product over the basis")
		}
		if Square2(a, 3) != func() (r Ext) { r.Exp(a, big.NewInt(8)); return }() {
			t.Fatal("square2")
		}
		if Sub(Add(a, b), b) != a {
			t.Fatal("sum")
		}
		p := Powers(a, 4)
		if Horner([]Ext{b, a, b}, a) != Add(b, Add(Mul(a, p[1]), Mul(b, p[2]))) {
			t.Fatal("horner")
		}
	})
	// v^3 = u + 1 and u^2 = 3.
	if Mul(Basis(1), Basis(1)) != FromBase(New(3)) || Mul(Mul(Basis(2), Basis(2)), Basis(2)) != Add(Basis(1), One()) {
		t.Error("the tower is another one")
	}
	if b := Basis(0); !InBase(&b) {
		t.Error("1 is in the base field")
	}
	for d := 1; d < Degree; d++ {
		if b := Basis(d); InBase(&b) {
			t.Errorf("basis element %d is not in the base field", d)
		}
	}
}

func TestElementBytes(t *testing.T) {
	for _, v := range []uint64{0, 1, Modulus - 1} {
		var b [4]byte
		PutElement(b[:], New(v))
		e, err := GetElement(b[:])
		if err != nil || e != New(v) {
			t.Errorf("%d: %v", v, err)
		}
	}
	if _, err := GetElement([]byte{0x7f, 0, 0, 1}); err != ErrCanonical {
		t.Error("p is accepted")
	}
	if _, err := GetElement(bytes.Repeat([]byte{255}, 4)); err != ErrCanonical {
		t.Error("2^32-1 is accepted")
	}
}
