package stark

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/field"
)

// edgy draws elements among which the extremes are frequent: kernels go wrong at carries.
func edgy(r *rand.Rand) (e field.Element) {
	// The value in memory matters, so it is set, not its Montgomery form.
	switch r.IntN(4) {
	case 0:
		e[0] = field.Modulus - 1
	case 1:
		e[0] = uint32(r.IntN(3))
	default:
		e[0] = uint32(r.Uint64N(field.Modulus))
	}
	return e
}

func edgyVec(r *rand.Rand, n int) koalabear.Vector {
	v := make(koalabear.Vector, n)
	for i := range v {
		v[i] = edgy(r)
	}
	return v
}

func edgyExt(r *rand.Rand, n int) extVec {
	v := newExtVec(n)
	for d := range v {
		copy(v[d], edgyVec(r, n))
	}
	return v
}

func same(a, b extVec) bool {
	for d := range a {
		if !a[d].Equal(b[d]) {
			return false
		}
	}
	return true
}

// Every kernel agrees with its portable form, at lengths with and without a rest, in place too.
func TestKernelsAgreeWithPortableOnes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for round := range 60 {
		for _, n := range []int{1, 15, 16, 17, 32, 48, 255, 256} {
			a, b, s := edgyVec(r, n), edgyVec(r, n), edgy(r)
			for name, f := range map[string][2]func(dst, a, b koalabear.Vector){
				"add": {addVec, addVecGeneric},
				"sub": {subVec, subVecGeneric},
				"mul": {mulVec, mulVecGeneric},
				"scale": {func(dst, a, _ koalabear.Vector) { scaleVec(dst, a, s) },
					func(dst, a, _ koalabear.Vector) { scaleVecGeneric(dst, a, s) }},
			} {
				got, want := make(koalabear.Vector, n), make(koalabear.Vector, n)
				f[0](got, a, b)
				f[1](want, a, b)
				if !got.Equal(want) {
					t.Fatalf("%s of %d", name, n)
				}
				copy(got, a)
				f[0](got, got, b)
				if !got.Equal(want) {
					t.Fatalf("%s of %d in place", name, n)
				}
			}
			x, y := edgyExt(r, n), edgyExt(r, n)
			got, want := newExtVec(n), newExtVec(n)
			mulExt(&got, &x, &y)
			mulExtGeneric(&want, &x, &y)
			if !same(got, want) {
				t.Fatalf("extension product of %d", n)
			}
			got.copyFrom(&x)
			mulExt(&got, &got, &y)
			if !same(got, want) {
				t.Fatalf("extension product of %d in place", n)
			}
			for _, terms := range []int{0, 1, 2, 3, 6, 33} {
				var xs []koalabear.Vector
				var ws []field.Ext
				for range terms {
					xs = append(xs, edgyVec(r, n))
					w := edgyExt(r, 1)
					ws = append(ws, w.at(0))
				}
				got.copyFrom(&x)
				want.copyFrom(&x)
				addScaled(&got, xs, newWeights(ws))
				addScaledGeneric(&want, xs, newWeights(ws))
				if !same(got, want) {
					t.Fatalf("round %d: combination of %d terms of %d", round, terms, n)
				}
			}
			// Multiplication by a constant through constWeights.
			w := edgyExt(r, 1)
			got.fill(field.Ext{})
			addScaled(&got, x[:], constWeights(w.at(0)))
			for i := range n {
				if got.at(i) != field.Mul(x.at(i), w.at(0)) {
					t.Fatal("constant product")
				}
			}
		}
	}
}

// All-extreme inputs reach the largest sums that the kernels hold.
func TestKernelsAtTheirBounds(t *testing.T) {
	const n = 64
	top := make(koalabear.Vector, n)
	for i := range top {
		top[i][0] = field.Modulus - 1
	}
	var x extVec
	for d := range x {
		x[d] = top
	}
	got, want := newExtVec(n), newExtVec(n)
	mulExt(&got, &x, &x)
	mulExtGeneric(&want, &x, &x)
	if !same(got, want) {
		t.Error("product of the largest elements")
	}
	xs := make([]koalabear.Vector, 500)
	ws := make([]field.Ext, len(xs))
	for i := range xs {
		xs[i], ws[i] = top, x.at(0)
	}
	addScaled(&got, xs, newWeights(ws))
	addScaledGeneric(&want, xs, newWeights(ws))
	if !same(got, want) {
		t.Error("combination of the largest elements")
	}
}

func BenchmarkKernel(b *testing.B) {
	r := rand.New(rand.NewPCG(3, 4))
	x, y, z := edgyExt(r, chunk), edgyExt(r, chunk), newExtVec(chunk)
	w := constWeights(x.at(0))
	for name, f := range map[string]func(){
		"add":       func() { addVec(z[0], x[0], y[0]) },
		"mul":       func() { mulVec(z[0], x[0], y[0]) },
		"mulExt":    func() { mulExt(&z, &x, &y) },
		"addScaled": func() { addScaled(&z, x[:], w) },
	} {
		b.Run(fmt.Sprintf("%s/%d", name, chunk), func(b *testing.B) {
			for b.Loop() {
				f()
			}
		})
	}
}
