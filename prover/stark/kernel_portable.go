package stark

import (
	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/field"
)

func addVec(dst, a, b koalabear.Vector)                       { dst.Add(a, b) }
func subVec(dst, a, b koalabear.Vector)                       { dst.Sub(a, b) }
func mulVec(dst, a, b koalabear.Vector)                       { dst.Mul(a, b) }
func scaleVec(dst, a koalabear.Vector, s field.Element)       { dst.ScalarMul(a, &s) }
func addScaled(acc *extVec, xs []koalabear.Vector, w weights) { addScaledGeneric(acc, xs, w) }
func mulExt(dst, x, y *extVec)                                { mulExtGeneric(dst, x, y) }
