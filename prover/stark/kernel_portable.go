//go:build purego || !amd64

package stark

import (
	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/field"
)

func addVec(dst, a, b koalabear.Vector)                       { addVecGeneric(dst, a, b) }
func subVec(dst, a, b koalabear.Vector)                       { subVecGeneric(dst, a, b) }
func mulVec(dst, a, b koalabear.Vector)                       { mulVecGeneric(dst, a, b) }
func scaleVec(dst, a koalabear.Vector, s field.Element)       { scaleVecGeneric(dst, a, s) }
func addScaled(acc *extVec, xs []koalabear.Vector, w weights) { addScaledGeneric(acc, xs, w) }
func mulExt(dst, x, y *extVec)                                { mulExtGeneric(dst, x, y) }
