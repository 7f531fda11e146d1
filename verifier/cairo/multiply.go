package cairo

import (
	"fmt"

	"github.com/seed06907907/fatty/verifier/air"
)

// The byte-aligned fold of a product. Let M = 2^75 + 17*2^16 = -2^-176 mod P. Then sum_i conv_i 2^(8i), for i in 0..62,
// times M is congruent to sum_j o_j 2^(8j), for j in 0..31, with small coefficients: see foldCoefficients. It is
// a multiple K*P, which is checked byte by byte: o_j + carry_(j-1) - K*P_j = 256 carry_j, the last carry being 0.
const (
	convCoefficients = 2*FeltBytes - 1
	foldShift        = 22 // M = -2^(-8*22)
)

// CarryWindow is the range of a carry, or of K: [Least, Least + 2^16), or twice that with a bit of its own. An honest
// carry always lies inside (a test recomputes the bounds); a dishonest one inside cannot bring an equation to p.
type CarryWindow struct {
	Least int
	Wide  bool
}

var (
	// FactorWindow is K's.
	FactorWindow = CarryWindow{-65825, true}
	// CarryWindows are those of carry 0 .. carry 30.
	CarryWindows = [FeltBytes - 1]CarryWindow{
		{-7275, false}, {-6140, false}, {-6391, false}, {-6646, false}, {-6901, false}, {-7156, false}, {-7411, false},
		{-7666, false}, {-7921, false}, {-7691, false}, {-7436, false}, {-7181, false}, {-6926, false}, {-6671, true},
		{-6416, true}, {-6161, true}, {-5906, true}, {-5651, true}, {-5396, true}, {-5141, true}, {-4886, true}, {-4631, true},
		{-4376, true}, {-4121, true}, {-7810, true}, {-3706, true}, {-3341, true}, {-3085, true}, {-2830, true}, {-2575, false},
		{-2320, false},
	}
)

// FoldTerm says that coefficient Conv of a product adds Weight times itself to byte position Byte.
type FoldTerm struct{ Conv, Byte, Weight int }

// Fold returns the terms of the fold, each (Conv, Byte) once.
func Fold() []FoldTerm {
	var out []FoldTerm
	for i := range convCoefficients {
		for j, w := range foldCoefficients(i) {
			if w != 0 {
				out = append(out, FoldTerm{i, j, w})
			}
		}
	}
	return out
}

// foldCoefficients returns M * 2^(8i) mod P over byte positions. Below foldShift it is 17 at i+2 and 8 at i+9; from there
// on it is -2^(8(i-22)), reduced by 2^(8(32+j)) = -(32 at 24+j, 2 at 25+j, 32 at j).
func foldCoefficients(i int) (out [FeltBytes]int) {
	if i < foldShift {
		out[i+2] += 17
		out[i+9] += 8
		return out
	}
	var reduce func(position, weight int)
	reduce = func(position, weight int) {
		if position < FeltBytes {
			out[position] += weight
			return
		}
		j := position - FeltBytes
		reduce(24+j, -32*weight)
		reduce(25+j, -2*weight)
		reduce(j, -32*weight)
	}
	reduce(i-foldShift, -1)
	return out
}

// multiplyTable proves one product mod P a row, for the steps that need one: a program multiplies in one step of five
// to ten, so the columns of a product would be idle in most rows of a step.
func multiplyTable() *air.Component {
	b := air.NewBuilder(NameMultiply, air.AnyHeight)
	on := b.Bit("enabler")
	ids := b.MainN("id", 3)
	x, y, z := b.MainN("a", FeltBytes), b.MainN("b", FeltBytes), b.MainN("c", FeltBytes)

	conv := make([]air.Expr, convCoefficients)
	for i := range x {
		for j := range y {
			conv[i+j] = plus(conv[i+j], x[i].Mul(y[j]))
		}
	}
	for i := range z {
		conv[i] = conv[i].Sub(z[i])
	}
	var folded [FeltBytes]air.Expr
	for _, t := range Fold() {
		folded[t.Byte] = plus(folded[t.Byte], conv[t.Conv].Scale(int64(t.Weight)))
	}

	var words []air.Expr
	carry := func(name string, w CarryWindow) air.Expr {
		word := b.Main(name)
		words = append(words, word)
		value := word.Plus(int64(w.Least))
		if w.Wide {
			value = value.Add(b.Bit(name + "_high").Scale(1 << 16))
		}
		return value
	}
	factor := carry("factor", FactorWindow)
	in := b.Const(0)
	for j := range folded {
		out := b.Const(0)
		if j < len(CarryWindows) {
			out = carry(fmt.Sprintf("carry_%d", j), CarryWindows[j])
		}
		sum := folded[j].Add(in)
		if p := int64(primeBytes[j]); p != 0 {
			sum = sum.Sub(factor.Scale(p))
		}
		b.Equal(label("product, byte", j), sum, out.Scale(256))
		in = out
	}

	for i, value := range [][]air.Expr{x, y, z} {
		b.Use(IDToBytes, on, byteTuple(b, ids[i], value)...)
	}
	b.Yield(Multiply, on, ids...)
	for _, w := range words {
		b.Use(Word, on, w)
	}
	return b.MustBuild()
}

// plus is x + y where x may not exist yet.
func plus(x, y air.Expr) air.Expr {
	if x == (air.Expr{}) {
		return y
	}
	return x.Add(y)
}

func label(text string, i int) string { return fmt.Sprintf("%s %d", text, i) }
