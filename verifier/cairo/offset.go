package cairo

import "github.com/seed06907907/fatty/verifier/air"

// offsetReach bounds the multiples of 2^24 in a number that moves a register: -32 .. 31, found by looking up four times
// the number plus 32 as a byte.
const offsetReach = 32

// offsetTable reads a felt as a signed number n = limb_0 + 2^24 top - negative, for the rare step that moves a register by a
// product, or by what it asserts; other steps do so by themselves. A negative n is the felt P + n, whose limbs are those of
// P - 1, borrowed from limb 8 on if n is below -1 (below = 1).
func offsetTable() *air.Component {
	b := air.NewBuilder(NameOffset, air.AnyHeight)
	on, id := b.Bit("enabler"), b.Main("id")
	low, top := b.Main("limb_0"), b.Main("top")
	negative, below := b.Bit("negative"), b.Bit("below_minus_1")
	b.Zero("below -1 is negative", below.Mul(negative.Not()))

	limbs := make([]air.Expr, Limbs)
	limbs[0], limbs[1] = low, top.Plus(-offsetReach).Add(below.Scale(limbOne))
	for i := 2; i < 8; i++ {
		limbs[i] = below.Scale(limbOne - 1)
	}
	limbs[8] = negative.Scale(primeLimbs[8]).Sub(below)
	limbs[9] = b.Const(0)
	limbs[10] = negative.Scale(primeLimbs[10])

	b.Use(IDToValue, on, append([]air.Expr{id}, limbs...)...)
	b.Use(Bytes, on, top, top.Scale(4))
	b.Yield(Offset, on, id, low.Add(top.Plus(-offsetReach).Scale(limbOne)).Sub(negative))
	return b.MustBuild()
}
