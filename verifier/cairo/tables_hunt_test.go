package cairo

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/seed06907907/fatty/verifier/air"
)

// The tables beside the steps, each held to a plain reading of what it says: whatever cells satisfy a row's constraints and
// ranges, the tuples that the row yields, or reads from memory, are true.

// lineOf is one row of a table, filled by column names.
type lineOf struct {
	t     *testing.T
	c     *air.Component
	row   air.Row[air.Element]
	index map[string]int
}

func newLine(t *testing.T, name string) *lineOf {
	c, _ := Core().Component(name)
	l := &lineOf{t: t, c: c, index: map[string]int{}}
	l.row.Main, l.row.Fixed = make([]air.Element, len(c.Main)), make([]air.Element, len(c.Fixed))
	l.row.Params = make([]air.Element, len(c.Params))
	for i, name := range c.Main {
		l.index[name] = i
	}
	return l
}

func (l *lineOf) set(name string, v int64) {
	i, ok := l.index[name]
	if !ok {
		l.t.Fatalf("%s has no column %s", l.c.Name, name)
	}
	l.row.Main[i].SetInt64(v)
}

func (l *lineOf) setBytes(name string, v [FeltBytes]int64, n int) {
	for i := range n {
		l.set(fmt.Sprintf("%s_%d", name, i), v[i])
	}
}

func (l *lineOf) eval() []air.Element {
	v, err := air.Eval(l.c, air.Base{}, l.row)
	if err != nil {
		l.t.Fatal(err)
	}
	return v
}

// solve fills a column by the one constraint that gives it.
func (l *lineOf) solve(label, column string) {
	root := int32(-1)
	for _, k := range l.c.Constraints {
		if k.Label == label {
			root = k.Root
		}
	}
	if root < 0 {
		l.t.Fatalf("%s has no constraint %q", l.c.Name, label)
	}
	cell := &l.row.Main[l.index[column]]
	cell.SetZero()
	zero := l.eval()[root]
	cell.SetOne()
	slope := l.eval()[root]
	cell.SetZero()
	if slope.Sub(&slope, &zero); slope.IsZero() {
		return
	}
	slope.Inverse(&slope)
	zero.Mul(&zero, &slope)
	cell.Neg(&zero)
}

// holds checks constraints and ranges, and returns the tuples of felts as bytes that the row uses or yields.
func (l *lineOf) holds() (tuples [][]air.Element, ok bool) {
	v := l.eval()
	for _, k := range l.c.Constraints {
		if !v[k.Root].IsZero() {
			return nil, false
		}
	}
	for _, x := range l.c.Lookups {
		tuple := make([]air.Element, len(x.Tuple))
		for i, n := range x.Tuple {
			tuple[i] = v[n]
		}
		at := func(i int) uint64 { return tuple[i].Uint64() }
		switch {
		case v[x.Numerator].IsZero() && x.Unit:
		case x.Relation == Bytes && (at(0) > 255 || at(1) > 255), x.Relation == Word && at(0) > 1<<16-1,
			x.Relation == Xor && (at(0) > 255 || at(1) > 255 || at(2) != at(0)^at(1)):
			return nil, false
		case len(tuple) == 1+FeltBytes:
			tuples = append(tuples, tuple[1:])
		}
	}
	return tuples, true
}

// felt is the number that bytes make, or nil if one is no byte.
func felt(bytes []air.Element) *big.Int {
	n := new(big.Int)
	for i := len(bytes) - 1; i >= 0; i-- {
		b := bytes[i].Uint64()
		if b > 255 {
			return nil
		}
		n.Lsh(n, 8).Add(n, new(big.Int).SetUint64(b))
	}
	return n
}

func low(n *big.Int) (out [FeltBytes]int64) {
	for i := range out {
		out[i] = new(big.Int).And(new(big.Int).Rsh(n, uint(8*i)), big.NewInt(255)).Int64()
	}
	return out
}

// someNumber is a number below 2^256 that is often beside a bound of felts.
func someNumber(r *rand.Rand) *big.Int {
	pow := func(n uint) *big.Int { return new(big.Int).Lsh(big.NewInt(1), n) }
	prime := feltModulus()
	n := new(big.Int)
	switch r.IntN(8) {
	case 0:
		n.Set(prime)
	case 1:
		n = pow(251)
	case 2:
		n.Add(prime, pow(uint(r.IntN(252))))
	case 3:
		n.Sub(prime, pow(uint(r.IntN(252))))
	case 4:
		n = pow(uint(r.IntN(256)))
	case 5:
		n.Add(pow(251), new(big.Int).Mul(big.NewInt(int64(15+r.IntN(4))), pow(192)))
	default:
		for range 4 {
			n.Lsh(n, 64).Add(n, new(big.Int).SetUint64(r.Uint64()))
		}
		n.Rsh(n, uint(r.IntN(256)))
	}
	n.Add(n, big.NewInt(int64(r.IntN(5))-2))
	return n.Mod(n.Abs(n), pow(256))
}

func feltModulus() *big.Int {
	p := new(big.Int).Lsh(big.NewInt(1), 251)
	return p.Add(p, new(big.Int).Lsh(big.NewInt(17), 192)).Add(p, big.NewInt(1))
}

// TestBigTableHoldsFeltsBelowPOnly tries numbers around every bound in every form that the columns allow.
func TestBigTableHoldsFeltsBelowPOnly(t *testing.T) {
	l := newLine(t, NameBig)
	r := rand.New(rand.NewPCG(5, 6))
	prime := feltModulus()
	held := 0
	for range 3000 {
		n := someNumber(r)
		b := low(n)
		if r.IntN(8) == 0 { // not even bytes
			b[r.IntN(FeltBytes)] += []int64{256, -256, 1 << 16, 1<<31 - 1<<24}[r.IntN(4)]
		}
		any := false
		for bits := range 4 {
			top, last := int64(bits&1), int64(bits>>1)
			l.setBytes("byte", b, FeltBytes-1)
			l.set("w", b[FeltBytes-1]-8*top)
			l.set("t", top)
			l.set("u", last)
			l.solve("below P - 1, byte 24 is at most 16", "x")
			tuples, ok := l.holds()
			if !ok {
				continue
			}
			if len(tuples) != 1 {
				t.Fatalf("%d tuples", len(tuples))
			}
			any = true
			if got := felt(tuples[0]); got == nil || got.Cmp(prime) >= 0 {
				t.Fatalf("memory holds %v (t %d, u %d)", got, top, last)
			}
		}
		if any {
			held++
		} else if b == low(n) && n.Cmp(prime) < 0 {
			t.Fatalf("memory cannot hold %v", n)
		}
	}
	if held < 300 {
		t.Errorf("only %d numbers were felts", held)
	}
}

// TestProductHasOneResult tries wrong results with the carries that the equations leave, whatever they are: the true product
// and what is congruent to it are the only ones.
func TestProductHasOneResult(t *testing.T) {
	l := newLine(t, NameMultiply)
	l.set("enabler", 1)
	r := rand.New(rand.NewPCG(7, 8))
	prime := feltModulus()
	var inverse, in air.Element
	inverse.SetUint64(256)
	inverse.Inverse(&inverse)
	roots := make([]int32, FeltBytes)
	for _, k := range l.c.Constraints {
		for j := range roots {
			if k.Label == label("product, byte", j) {
				roots[j] = k.Root
			}
		}
	}
	// window is where a carry or the factor may lie, as the columns of its words.
	column := func(name string, w CarryWindow, v int64) bool {
		v -= int64(w.Least)
		l.set(name, v&(1<<16-1))
		if w.Wide {
			l.set(name+"_high", v>>16&1)
			return v>>17 == 0
		}
		return v>>16 == 0
	}
	held := 0
	for range huntProducts {
		a, b := someNumber(r), someNumber(r)
		a.Mod(a, prime)
		b.Mod(b, prime)
		c := new(big.Int).Mul(a, b)
		c.Mod(c, prime)
		switch r.IntN(4) {
		case 0:
		case 1: // another form of the true one, which memory does not hold
			c.Add(c, prime)
		case 2:
			c.Xor(c, new(big.Int).Lsh(big.NewInt(1), uint(r.IntN(252))))
		default:
			c.Add(c, big.NewInt(int64(r.IntN(7))-3)).Mod(c, prime)
		}
		l.setBytes("a", low(a), FeltBytes)
		l.setBytes("b", low(b), FeltBytes)
		l.setBytes("c", low(c), FeltBytes)
		// The factor is the one for which the lowest bytes fit: it follows from the whole, (a b - c) M / P.
		m := new(big.Int).Lsh(big.NewInt(1), 75)
		m.Add(m, big.NewInt(17<<16))
		folded := new(big.Int)
		for _, x := range Fold() {
			conv := new(big.Int)
			la, lb, lc := low(a), low(b), low(c)
			for i := max(0, x.Conv-FeltBytes+1); i <= min(x.Conv, FeltBytes-1); i++ {
				conv.Add(conv, big.NewInt(la[i]*lb[x.Conv-i]))
			}
			if x.Conv < FeltBytes {
				conv.Sub(conv, big.NewInt(lc[x.Conv]))
			}
			conv.Mul(conv, big.NewInt(int64(x.Weight)))
			folded.Add(folded, conv.Lsh(conv, uint(8*x.Byte)))
		}
		factor := new(big.Int).Div(folded, prime)
		for _, k := range []int64{factor.Int64(), factor.Int64() + 1} {
			fits := column("factor", FactorWindow, k)
			for j := range CarryWindows {
				column(fmt.Sprintf("carry_%d", j), CarryWindows[j], int64(CarryWindows[j].Least))
			}
			zero := l.eval()
			in.SetZero()
			for j, w := range CarryWindows {
				// zero has this carry and the one before at their least; take those away.
				x := zero[roots[j]]
				var least air.Element
				least.SetInt64(256 * int64(w.Least))
				x.Add(&x, &least)
				if j > 0 {
					least.SetInt64(int64(CarryWindows[j-1].Least))
					x.Sub(&x, &least)
				}
				x.Add(&x, &in)
				in.Mul(&x, &inverse)
				v := int64(in.Uint64())
				if v > fieldModulus/2 {
					v -= fieldModulus
				}
				fits = column(fmt.Sprintf("carry_%d", j), w, v) && fits
			}
			_, ok := l.holds()
			if ok = ok && fits; !ok {
				continue
			}
			held++
			d := new(big.Int).Mul(a, b)
			if d.Sub(d, c).Mod(d, prime).Sign() != 0 {
				t.Fatalf("%v * %v = %v", a, b, c)
			}
		}
	}
	if held < huntProducts/8 {
		t.Errorf("only %d products were true", held)
	}
}

// TestBitwiseRowIsTrue tries results beside the true ones, and inputs of 2^251 and more.
func TestBitwiseRowIsTrue(t *testing.T) {
	l := newLine(t, NameBitwise)
	for i := range l.row.Params {
		l.row.Params[i].SetOne()
	}
	r := rand.New(rand.NewPCG(9, 10))
	bound := new(big.Int).Lsh(big.NewInt(1), 251)
	held := 0
	for range 2000 {
		x, y := someNumber(r), someNumber(r)
		if r.IntN(4) > 0 {
			x.Rsh(x, 5)
			y.Rsh(y, 5)
		}
		xor := new(big.Int).Xor(x, y)
		if r.IntN(3) == 0 {
			xor.Xor(xor, new(big.Int).Lsh(big.NewInt(1), uint(r.IntN(256))))
		}
		l.setBytes("x", low(x), FeltBytes)
		l.setBytes("y", low(y), FeltBytes)
		l.setBytes("xor", low(xor), FeltBytes)
		tuples, ok := l.holds()
		if !ok {
			continue
		}
		held++
		want := []*big.Int{x, y, new(big.Int).And(x, y), new(big.Int).Xor(x, y), new(big.Int).Or(x, y)}
		if len(tuples) != len(want) {
			t.Fatalf("%d cells", len(tuples))
		}
		for i, w := range want {
			if got := felt(tuples[i]); got == nil || got.Cmp(w) != 0 {
				t.Fatalf("cell %d is %v, want %v (x %v, y %v)", i, got, w, x, y)
			}
		}
		if x.Cmp(bound) >= 0 || y.Cmp(bound) >= 0 {
			t.Fatalf("inputs %v and %v", x, y)
		}
	}
	if held < 100 {
		t.Errorf("only %d rows were true", held)
	}
}

// TestInstructionRowIsTrue compares what a row reads from memory with what it yields to steps.
func TestInstructionRowIsTrue(t *testing.T) {
	l := newLine(t, NameInstruction)
	r := rand.New(rand.NewPCG(11, 12))
	held := 0
	for range 5000 {
		for i := range 7 {
			l.set(fmt.Sprintf("byte_%d", i), int64(r.IntN(256)))
		}
		l.set("flags_hi", []int64{int64(r.IntN(128)), int64(r.IntN(256)), fieldModulus/2 + 1, -1}[r.IntN(4)])
		l.set("extension_0", int64(r.IntN(3)))
		l.set("extension_1", int64(r.IntN(2)))
		l.set("uses", 1)
		l.set("pc", 77)
		tuples, ok := l.holds()
		if !ok {
			continue
		}
		word := felt(tuples[0])
		if word == nil || word.BitLen() > 65 {
			continue // memory holds no such felt
		}
		held++
		v := l.eval()
		for _, x := range l.c.Lookups {
			if x.Relation != VerifyInstruction {
				continue
			}
			got := func(i int) uint64 { return v[x.Tuple[i]].Uint64() }
			field := func(from, n uint) uint64 {
				return new(big.Int).And(new(big.Int).Rsh(word, from), big.NewInt(1<<n-1)).Uint64()
			}
			want := []uint64{77, field(0, 16), field(16, 16), field(32, 16), field(48, 15), field(63, 2)}
			for i, w := range want {
				if got(i) != w {
					t.Fatalf("entry %d of %#x is %d, want %d", i, word, got(i), w)
				}
			}
		}
	}
	if held < 500 {
		t.Errorf("only %d rows were instructions", held)
	}
}
