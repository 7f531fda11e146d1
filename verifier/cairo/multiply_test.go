package cairo

import (
	"math/big"
	"testing"
)

// interval is a range of integers, both ends in it.
type interval struct{ least, most *big.Int }

func (x interval) scaled(w int64) interval {
	a, b := new(big.Int).Mul(x.least, big.NewInt(w)), new(big.Int).Mul(x.most, big.NewInt(w))
	if w < 0 {
		a, b = b, a
	}
	return interval{a, b}
}

func (x interval) plus(y interval) interval {
	return interval{new(big.Int).Add(x.least, y.least), new(big.Int).Add(x.most, y.most)}
}

func (x interval) shifted(n uint) interval {
	return interval{new(big.Int).Lsh(x.least, n), new(big.Int).Lsh(x.most, n)}
}

func ints(a, b int64) interval { return interval{big.NewInt(a), big.NewInt(b)} }

var feltPrime = func() *big.Int {
	p := new(big.Int)
	for i := FeltBytes - 1; i >= 0; i-- {
		p.Lsh(p, 8).Add(p, big.NewInt(int64(primeBytes[i])))
	}
	return p
}()

// positions returns the ranges of the folded positions for operands whose bytes are at most 255 and top at the end.
func positions(top int64) (out [FeltBytes]interval) {
	most := func(i int) int64 {
		if i == FeltBytes-1 {
			return top
		}
		return 255
	}
	var conv [convCoefficients]interval
	for i := range conv {
		conv[i] = ints(0, 0)
	}
	for i := range FeltBytes {
		for j := range FeltBytes {
			conv[i+j] = conv[i+j].plus(ints(0, most(i)*most(j)))
		}
		conv[i] = conv[i].plus(ints(-most(i), 0))
	}
	for j := range out {
		out[j] = ints(0, 0)
	}
	for _, t := range Fold() {
		out[t.Byte] = out[t.Byte].plus(conv[t.Conv].scaled(int64(t.Weight)))
	}
	return out
}

// TestFoldIsCongruent checks that each coefficient of a product adds M * 2^(8i) mod P to the folded sum.
func TestFoldIsCongruent(t *testing.T) {
	m := new(big.Int).Lsh(big.NewInt(1), 75)
	m.Add(m, new(big.Int).Lsh(big.NewInt(17), 16))
	check := new(big.Int).Lsh(m, 8*foldShift)
	if check.Add(check, big.NewInt(1)).Mod(check, feltPrime).Sign() != 0 {
		t.Fatal("M is not -2^-176")
	}
	var sums [convCoefficients]*big.Int
	for i := range sums {
		sums[i] = new(big.Int)
	}
	for _, f := range Fold() {
		term := new(big.Int).Lsh(big.NewInt(int64(f.Weight)), uint(8*f.Byte))
		sums[f.Conv].Add(sums[f.Conv], term)
	}
	for i, s := range sums {
		want := new(big.Int).Lsh(m, uint(8*i))
		if want.Sub(want, s).Mod(want, feltPrime).Sign() != 0 {
			t.Errorf("coefficient %d is folded wrongly", i)
		}
	}
}

// TestHonestCarriesFit recomputes, with exact integers, the range of K and of every carry for canonical operands, and
// checks that the windows hold them. A carry is bounded from both sides: by the positions up to it, and, as the whole sum is
// zero, by those above it.
func TestHonestCarriesFit(t *testing.T) {
	o := positions(8) // memory holds canonical felts only
	whole := ints(0, 0)
	for j, x := range o {
		whole = whole.plus(x.shifted(uint(8 * j)))
	}
	floor := func(x, y *big.Int) *big.Int { return new(big.Int).Div(x, y) } // rounds down for y > 0
	neg := func(x *big.Int) *big.Int { return new(big.Int).Neg(x) }
	ceil := func(x, y *big.Int) *big.Int { return neg(floor(neg(x), y)) }
	factor := interval{ceil(whole.least, feltPrime), floor(whole.most, feltPrime)}
	fits := func(name string, x interval, w CarryWindow) {
		size := int64(1 << 16)
		if w.Wide {
			size *= 2
		}
		least, most := x.least.Int64(), x.most.Int64()
		if least < int64(w.Least) || most >= int64(w.Least)+size {
			t.Errorf("%s lies in [%d, %d], its window is [%d, %d)", name, least, most, w.Least, int64(w.Least)+size)
		}
		if !w.Wide && most-least >= 1<<16 || w.Wide && most-least < 1<<16 {
			t.Errorf("%s: a range of %d with wide = %v", name, most-least, w.Wide)
		}
	}
	fits("K", factor, FactorWindow)
	for j, w := range CarryWindows {
		below, above := ints(0, 0), ints(0, 0)
		for i, x := range o {
			part := x.plus(factor.scaled(-int64(primeBytes[i]))).shifted(uint(8 * i))
			if i <= j {
				below = below.plus(part)
			} else {
				above = above.plus(part)
			}
		}
		unit := new(big.Int).Lsh(big.NewInt(1), uint(8*(j+1)))
		carry := interval{ceil(below.least, unit), floor(below.most, unit)}
		if x := ceil(neg(above.most), unit); x.Cmp(carry.least) > 0 {
			carry.least = x
		}
		if x := floor(neg(above.least), unit); x.Cmp(carry.most) < 0 {
			carry.most = x
		}
		fits(label("carry", j), carry, w)
	}
}

// TestProductEquationsCannotWrap bounds each byte's equation for any witness in the windows: operands of any bytes, top byte
// included. It stays below p, so an equation that holds mod p holds over the integers.
func TestProductEquationsCannotWrap(t *testing.T) {
	o := positions(255)
	window := func(w CarryWindow) interval {
		if w.Wide {
			return ints(int64(w.Least), int64(w.Least)+1<<17-1)
		}
		return ints(int64(w.Least), int64(w.Least)+1<<16-1)
	}
	in := ints(0, 0)
	worst := new(big.Int)
	for j := range o {
		out := ints(0, 0)
		if j < len(CarryWindows) {
			out = window(CarryWindows[j])
		}
		sum := o[j].plus(in).plus(window(FactorWindow).scaled(-int64(primeBytes[j]))).plus(out.scaled(-256))
		for _, x := range []*big.Int{sum.least, sum.most} {
			if x.CmpAbs(worst) > 0 {
				worst.Abs(x)
			}
		}
		in = out
	}
	if worst.Cmp(big.NewInt(fieldModulus/10)) > 0 {
		t.Errorf("an equation reaches %v, p is %d", worst, fieldModulus)
	}
	t.Logf("worst equation %v, a %vth of p", worst, new(big.Int).Div(big.NewInt(fieldModulus), worst))
}

// TestSumEquationsCannotWrap does the same for (op0 +) op1 = target + wrap*P, in limbs of 24 bits with carries -1..2.
func TestSumEquationsCannotWrap(t *testing.T) {
	limb := ints(0, limbOne-1)
	carry, first := ints(-1, 2), ints(-offsetReach, offsetReach-1)
	for i := range Limbs {
		sum := limb.plus(limb).plus(limb.scaled(-1)).plus(ints(-2*primeLimbs[i], 0))
		if i == 1 {
			sum = sum.plus(first)
		} else if i > 1 {
			sum = sum.plus(carry)
		}
		if i == 0 {
			sum = sum.plus(first.scaled(-limbOne))
		} else if i < Limbs-1 {
			sum = sum.plus(carry.scaled(-limbOne))
		}
		for _, x := range []*big.Int{sum.least, sum.most} {
			if x.CmpAbs(big.NewInt(fieldModulus/3)) > 0 {
				t.Errorf("limb %d: the equation reaches %v, p is %d", i, x, fieldModulus)
			}
		}
	}
	// The number that moves a register is what limb 0 leaves: its two readings mod p are told apart.
	move := limb.plus(limb).plus(ints(-2, 0)).plus(first.scaled(-limbOne))
	if move.most.CmpAbs(big.NewInt(fieldModulus/2)) > 0 || move.least.CmpAbs(big.NewInt(fieldModulus/2)) > 0 {
		t.Errorf("a move may be %v to %v", move.least, move.most)
	}
	// The first carry is found as a quarter of a byte. Limb 1 shows that it is an integer far below p/4, so no fraction is one.
	integer := limb.plus(limb).plus(limb.scaled(-1)).plus(carry.scaled(-limbOne))
	if x := integer.scaled(4); x.most.CmpAbs(big.NewInt(fieldModulus/2)) > 0 || x.least.CmpAbs(big.NewInt(fieldModulus/2)) > 0 {
		t.Errorf("a first carry may be %v to %v", integer.least, integer.most)
	}
	// Limbs are those of bytes, and P's are P.
	p := new(big.Int)
	for i, x := range primeLimbs {
		p.Add(p, new(big.Int).Lsh(big.NewInt(x), uint(8*limbBytes*i)))
	}
	if p.Cmp(feltPrime) != 0 {
		t.Error("P in limbs is not P")
	}
}
