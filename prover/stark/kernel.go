package stark

import (
	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/field"
)

// The portable kernels. All vectors of a call have one length.

func addVecGeneric(dst, a, b koalabear.Vector) {
	for i := range dst {
		dst[i].Add(&a[i], &b[i])
	}
}

func subVecGeneric(dst, a, b koalabear.Vector) {
	for i := range dst {
		dst[i].Sub(&a[i], &b[i])
	}
}

func mulVecGeneric(dst, a, b koalabear.Vector) {
	for i := range dst {
		dst[i].Mul(&a[i], &b[i])
	}
}

func scaleVecGeneric(dst, a koalabear.Vector, s field.Element) {
	for i := range dst {
		dst[i].Mul(&a[i], &s)
	}
}

// addScaledGeneric adds the sum over xs[j] * w[j] to acc.
func addScaledGeneric(acc *extVec, xs []koalabear.Vector, w weights) {
	for j, x := range xs {
		for d := range acc {
			s, out := field.Element{uint32(w[j*field.Degree+d])}, acc[d]
			for i := range out {
				var t field.Element
				t.Mul(&x[i], &s)
				out[i].Add(&out[i], &t)
			}
		}
	}
}

// mulExtGeneric sets dst to x * y; dst may be x or y.
func mulExtGeneric(dst, x, y *extVec) {
	for i := range dst[0] {
		a, b := x.at(i), y.at(i)
		dst.set(i, field.Mul(a, b))
	}
}
