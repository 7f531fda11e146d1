package vm

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// numberHint is a hint whose operands are numbers and whose cells come out as numbers; in and out are in the order of the
// hint's description. An empty out is a cell that stays unset, an empty list of outs a hint that fails.
type numberHint struct {
	name string
	in   []string
	out  []string
}

func shifted(n string, bits uint) string {
	v, _ := new(big.Int).SetString(n, 0)
	return v.Lsh(v, bits).String()
}

var (
	primeText    = prime.String()
	lastFelt     = new(big.Int).Sub(prime, big.NewInt(1)).String()
	max128       = mask128.String()
	numberHints2 = []numberHint{
		{"TestLessThan", []string{"3", "4"}, []string{"1"}},
		{"TestLessThan", []string{"4", "4"}, []string{"0"}},
		// Comparisons are of numbers in [0, P): -1 is the greatest.
		{"TestLessThan", []string{lastFelt, "4"}, []string{"0"}},
		{"TestLessThanOrEqual", []string{"4", "4"}, []string{"1"}},
		{"TestLessThanOrEqual", []string{"5", "4"}, []string{"0"}},
		{"TestLessThanOrEqual", []string{"5", lastFelt}, []string{"1"}},
		{"WideMul128", []string{"3", "5"}, []string{"0", "15"}},
		{"WideMul128", []string{max128, max128}, []string{"340282366920938463463374607431768211454", "1"}},
		{"DivMod", []string{"17", "5"}, []string{"3", "2"}},
		{"DivMod", []string{max128, "18446744073709551616"}, []string{"18446744073709551615", "18446744073709551615"}},
		{"DivMod", []string{lastFelt, "18446744073709551629"},
			[]string{divText(lastFelt, "18446744073709551629"), modText(lastFelt, "18446744073709551629")}},
		{"DivMod", []string{"5", max128}, []string{"0", "5"}},
		{"DivMod", []string{"17", "0"}, nil},
		{"Uint256DivMod", []string{"5", "7", "0", "2"}, []string{"3", "0", "5", "1"}},
		{"Uint256DivMod", []string{"5", "7", "0", "0"}, nil},
		{"Uint512DivModByUint256", []string{"9", "0", "0", "6", "0", "2"}, []string{"0", "0", "3", "0", "9", "0"}},
		{"Uint512DivModByUint256", []string{"9", "0", "0", "6", "0", "0"}, nil},
		{"SquareRoot", []string{"99"}, []string{"9"}},
		{"SquareRoot", []string{"0"}, []string{"0"}},
		// 2^200 has the root 2^100 = 2^36 * 2^64, and no remainder.
		{"Uint256SquareRoot", []string{"0", shifted("1", 72)}, []string{"0", shifted("1", 36), "0", "0", "0"}},
		// The greatest number has the root 2^128 - 1 and the remainder 2 * (2^128 - 1), so that twice the root is not more.
		{"Uint256SquareRoot", []string{max128, max128},
			[]string{"18446744073709551615", "18446744073709551615", "340282366920938463463374607431768211454", "1", "0"}},
		// (2^128 - 1)^2 has the root 2^128 - 1 and no remainder: twice the root is at least 2^128.
		{"Uint256SquareRoot", []string{"1", "340282366920938463463374607431768211454"},
			[]string{"18446744073709551615", "18446744073709551615", "0", "0", "1"}},
		{"LinearSplit", []string{"103", "10", "100"}, []string{"10", "3"}},
		// The quotient is capped; the rest is a field element.
		{"LinearSplit", []string{"103", "10", "7"}, []string{"7", "33"}},
		{"LinearSplit", []string{"103", "0", "7"}, nil},
		{"FieldSqrt", []string{"9"}, []string{"3"}},
		{"FieldSqrt", []string{"0"}, []string{"0"}},
		// 3 is no square; the root is that of 9.
		{"FieldSqrt", []string{"3"}, []string{"3"}},
		{"U256InvModN", []string{"3", "0", "7", "0"}, []string{"0", "", "5", "0", "2", "0"}},
		// 12 and 18 share 6, which is even: the factor given is 2.
		{"U256InvModN", []string{"12", "0", "18", "0"}, []string{"2", "0", "6", "0", "9", "0"}},
		{"U256InvModN", []string{"9", "0", "15", "0"}, []string{"3", "0", "3", "0", "5", "0"}},
		{"U256InvModN", []string{"9", "8", "1", "0"}, []string{"1", "0", "9", "8", "1", "0"}},
		{"U256InvModN", []string{"0", "0", "7", "0"}, []string{"7", "0", "0", "0", "1", "0"}},
		{"U256InvModN", []string{"9", "0", "0", "0"}, nil},
	}
)

func divText(a, b string) string {
	x, _ := new(big.Int).SetString(a, 0)
	y, _ := new(big.Int).SetString(b, 0)
	return x.Div(x, y).String()
}

func modText(a, b string) string {
	x, _ := new(big.Int).SetString(a, 0)
	y, _ := new(big.Int).SetString(b, 0)
	return x.Mod(x, y).String()
}

// numberProgram runs one hint with immediate operands and outputs its cells.
func numberProgram(h numberHint) *assembler2 {
	known := coreHints[h.name]
	var pairs []string
	for i, field := range known.operands {
		pairs = append(pairs, field, numberJSON(h.in[i]))
	}
	for i, field := range known.cells {
		pairs = append(pairs, field, cellJSON(fmt.Sprintf("ap+%d", i)))
	}
	a := newAssembler2("output")
	a.hint(hintJSON(h.name, pairs...))
	n := len(known.cells)
	a.addAP(int64(n))
	written := 0
	for i, out := range h.out {
		if out != "" {
			a.output(i-n, -3, written)
			written++
		}
	}
	a.pushSum(-3, int64(written))
	a.ret()
	return a
}

func TestNumberHints2(t *testing.T) {
	for _, h := range numberHints2 {
		r, err := numberProgram(h).run(t)
		if h.out == nil {
			var hintErr *HintError
			if !errors.As(err, &hintErr) || hintErr.PC != 6 || hintErr.Unknown {
				t.Errorf("%s%v: %v, not the error of a hint at 6", h.name, h.in, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s%v: %v", h.name, h.in, err)
			continue
		}
		want := slices.DeleteFunc(slices.Clone(h.out), func(s string) bool { return s == "" })
		if got := outputText(r); !slices.Equal(got, want) {
			t.Errorf("%s%v gives %v, not %v", h.name, h.in, got, want)
		}
	}
}

func outputText(r *Result) []string {
	out := []string{}
	for _, f := range r.Output {
		v := feltValue(f)
		out = append(out, v.big().String())
	}
	return out
}

// TestOperands2 reads one number through every form of operand.
func TestOperands2(t *testing.T) {
	for _, c := range []struct {
		name, operand, want string
	}{
		{"immediate", numberJSON("7"), "7"},
		{"negative immediate", numberJSON("-7"), new(big.Int).Sub(prime, big.NewInt(7)).String()},
		{"cell", derefJSON("fp+1"), "30"},
		{"cell by ap", derefJSON("ap-2"), "30"},
		{"double", `{"DoubleDeref":[` + cellJSON("fp") + `,2]}`, "12"},
		{"sum", sumJSON("fp+1", "5"), "35"},
		{"negative summand", sumJSON("fp+1", "-5"), "25"},
		{"sum of cells", binOpJSON("Add", "fp+1", derefJSON("fp+2")), "34"},
		{"product", binOpJSON("Mul", "fp+1", numberJSON("3")), "90"},
		{"product of cells", binOpJSON("Mul", "fp+1", derefJSON("fp+2")), "120"},
	} {
		a := newAssembler2("output")
		a.hint(hintJSON("AllocSegment", "dst", cellJSON("ap")))
		a.addAP(1)   // fp+0: a segment
		a.push("30") // fp+1
		a.push("4")  // fp+2
		a.push("12") // fp+3
		a.store(-1, 0, 2)
		a.addAP(-1)
		a.hint(hintJSON("DivMod", "lhs", c.operand, "rhs", numberJSON("1"), "quotient", cellJSON("ap+1"), "remainder",
			cellJSON("ap+2")))
		a.addAP(3)
		a.output(-2, -3, 0)
		a.pushSum(-3, 1)
		a.ret()
		r, err := a.run(t)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if got := outputText(r); got[0] != c.want {
			t.Errorf("%s: %s, not %s", c.name, got[0], c.want)
		}
	}
}

// TestEntry2 echoes the input: WriteRunParam gives its bounds, the entry code leads there and ends.
func TestEntry2(t *testing.T) {
	a := newAssembler2("output", "range_check")
	a.hint(hintJSON("WriteRunParam", "index", numberJSON("0"), "dst", cellJSON("ap")))
	a.addAP(2)
	for i := range 2 {
		a.load(0, i) // the input's felt
		a.output(-1, -4, i)
	}
	// The length, end - start, follows.
	a.words(encode(1, 0, 0, flagDstFP|flagOp0FP|flagOp1AP|flagAdd|flagAPInc|flagAssert)) // [fp+1] = [fp+0] + [ap]
	a.output(-1, -4, 2)
	a.pushSum(-4, 3)
	a.pushSum(-3, 0)
	a.ret()
	input := felts(t, []string{"11", "22", "33"})
	r, err := a.run(t, input...)
	if err != nil {
		t.Fatal(err)
	}
	if got := outputText(r); !slices.Equal(got, []string{"11", "22", "3"}) {
		t.Errorf("output %v", got)
	}
	if first, last := r.Trace[0], r.Trace[len(r.Trace)-1]; first.PC != 1 || last.PC != 5 || r.FinalPC != 5 {
		t.Errorf("the run goes from %d to %d and stands at %d", first.PC, last.PC, r.FinalPC)
	}
	// As a function, without the entry code, it takes three steps less.
	f, err := Run(t.Context(), a.program(t), input, Config{})
	if err != nil {
		t.Fatal(err)
	}
	if f.Steps+3 != r.Steps || !slices.Equal(f.Output, r.Output) {
		t.Errorf("%d steps as a function, %d with the entry code; output %v", f.Steps, r.Steps, f.Output)
	}
}

// TestPanic2 is the end of a panic: a marker with the data, then an assertion that fails.
func TestPanic2(t *testing.T) {
	a := newAssembler2("output")
	a.hint(hintJSON("AllocSegment", "dst", cellJSON("ap")))
	a.addAP(1)
	a.push(new(big.Int).SetBytes([]byte("Input too long for params.")).String())
	a.store(-1, 0, 0)
	a.pushSum(0, 1)
	a.hint(hintJSON("AddMarker", "start", derefJSON("fp"), "end", derefJSON("ap-1")))
	a.push("0")
	a.words(encode(-1, -1, 1, flagOp0FP|flagImm|flagAssert), "1")
	a.ret()
	_, err := a.run(t)
	var step *StepError
	if !errors.As(err, &step) || !strings.Contains(err.Error(), "Input too long for params.") {
		t.Errorf("%v does not say why the program panicked", err)
	}
}

// TestOpening2 prints twice; the last array is the opening.
func TestOpening2(t *testing.T) {
	a := newAssembler2("output")
	a.hint(hintJSON("AllocSegment", "dst", cellJSON("ap")))
	a.addAP(1)
	for i, n := range []string{"5", "6", "7"} {
		a.push(n)
		a.store(-1, 0, i)
	}
	a.hint(hintJSON("DebugPrint", "start", derefJSON("fp"), "end", sumJSON("fp", "1")))
	a.hint(hintJSON("DebugPrint", "start", sumJSON("fp", "1"), "end", sumJSON("fp", "3")))
	a.pushSum(-3, 0)
	a.ret()
	r, err := a.run(t)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Opening) != 2 || r.Opening[0].String() != "6" || r.Opening[1].String() != "7" {
		t.Errorf("the opening is %v", r.Opening)
	}
}

// TestAllocConstant2 takes two pieces of the shared segment, one after the other.
func TestAllocConstant2(t *testing.T) {
	a := newAssembler2("output")
	a.hint(hintJSON("AllocConstantSize", "size", numberJSON("3"), "dst", cellJSON("ap")))
	a.hint(hintJSON("AllocConstantSize", "size", numberJSON("2"), "dst", cellJSON("ap+1")))
	a.addAP(2)
	a.words(encode(1, 0, 0, flagDstFP|flagOp0FP|flagOp1AP|flagAdd|flagAPInc|flagAssert)) // [fp+1] = [fp+0] + [ap]
	a.output(-1, -3, 0)
	a.hint(hintJSON("TestLessThanOrEqualAddress", "lhs", derefJSON("fp"), "rhs", derefJSON("fp+1"), "dst", cellJSON("ap")))
	a.hint(hintJSON("TestLessThanOrEqualAddress", "lhs", derefJSON("fp+1"), "rhs", derefJSON("fp"), "dst", cellJSON("ap+1")))
	a.addAP(2)
	a.output(-2, -3, 1)
	a.output(-1, -3, 2)
	a.pushSum(-3, 3)
	a.ret()
	r, err := a.run(t)
	if err != nil {
		t.Fatal(err)
	}
	if got := outputText(r); !slices.Equal(got, []string{"3", "1", "0"}) {
		t.Errorf("output %v", got)
	}
}

// TestRandomPoint2 draws two points on the curve, the same in each run on one input, others on another.
func TestRandomPoint2(t *testing.T) {
	a := newAssembler2("output")
	a.hint(hintJSON("RandomEcPoint", "x", cellJSON("ap"), "y", cellJSON("ap+1")))
	a.hint(hintJSON("RandomEcPoint", "x", cellJSON("ap+2"), "y", cellJSON("ap+3")))
	a.addAP(4)
	for i := range 4 {
		a.output(i-4, -3, i)
	}
	a.pushSum(-3, 4)
	a.ret()
	r, err := a.run(t)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		x, y := r.Output[2*i], r.Output[2*i+1]
		var left, right Felt
		left.Square(&y)
		right.Square(&x).Mul(&right, &x).Add(&right, &x).Add(&right, &curveBeta)
		if !left.Equal(&right) {
			t.Errorf("point %d is not on the curve", i)
		}
	}
	again, err := a.run(t)
	if err != nil || !slices.Equal(again.Output, r.Output) {
		t.Errorf("a second run gives other points (%v)", err)
	}
	other, err := a.run(t, felts(t, []string{"1"})...)
	if err != nil || other.Output[0] == r.Output[0] || r.Output[0] == r.Output[2] {
		t.Errorf("the points do not depend on the input and the draw (%v)", err)
	}
}

// TestArcs2 finds the two short arcs of 0 <= a <= b < P for each arc that may be left out.
func TestArcs2(t *testing.T) {
	big3 := new(big.Int).Div(prime, big.NewInt(3))
	for _, c := range []struct {
		a, b   *big.Int
		first  string // whether another arc than the first is left out
		second string
	}{
		{big.NewInt(5), big.NewInt(9), "1", "1"},                                                   // [b, P-1] is the longest
		{big.NewInt(5), new(big.Int).Sub(prime, big.NewInt(9)), "1", "0"},                          // [a, b]
		{new(big.Int).Sub(prime, big.NewInt(9)), new(big.Int).Sub(prime, big.NewInt(3)), "0", "1"}, // [0, a]
		{big3, new(big.Int).Lsh(big3, 1), "1", "1"},                                                // nearly equal
	} {
		a := newAssembler2("output", "range_check")
		a.hint(hintJSON("AssertLeFindSmallArcs", "range_check_ptr", derefJSON("fp-3"), "a", numberJSON(c.a.String()), "b",
			numberJSON(c.b.String())))
		a.hint(hintJSON("AssertLeIsFirstArcExcluded", "skip_exclude_a_flag", cellJSON("ap")))
		a.hint(hintJSON("AssertLeIsSecondArcExcluded", "skip_exclude_b_minus_a", cellJSON("ap+1")))
		a.hint(`"AssertLeAssertThirdArcExcluded"`)
		a.addAP(2)
		a.output(-2, -4, 0)
		a.output(-1, -4, 1)
		for i := range 4 {
			a.load(-3, i)
			a.output(-1, -4, 2+i)
		}
		a.pushSum(-4, 6)
		a.pushSum(-3, 4)
		a.ret()
		r, err := a.run(t)
		if err != nil {
			t.Errorf("%v <= %v: %v", c.a, c.b, err)
			continue
		}
		out := outputText(r)
		if out[0] != c.first || out[1] != c.second {
			t.Errorf("%v <= %v leaves out (%s, %s), not (%s, %s)", c.a, c.b, out[0], out[1], c.first, c.second)
		}
		// The two lengths, put together from quotient and rest, are the two smallest of the three.
		lengths := []*big.Int{c.a, new(big.Int).Sub(c.b, c.a), new(big.Int).Sub(new(big.Int).Sub(prime, big.NewInt(1)), c.b)}
		slices.SortFunc(lengths, (*big.Int).Cmp)
		for i, bound := range []*big.Int{thirdArc, halfArc} {
			rest, _ := new(big.Int).SetString(out[2+2*i], 10)
			quotient, _ := new(big.Int).SetString(out[3+2*i], 10)
			if got := quotient.Mul(quotient, bound).Add(quotient, rest); got.Cmp(lengths[i]) != 0 {
				t.Errorf("%v <= %v: arc %d has the length %v, not %v", c.a, c.b, i, got, lengths[i])
			}
		}
	}
	if thirdArc.String() != "3544607988759775765608368578435044694" ||
		halfArc.String() != "5316911983139663648412552867652567041" {
		t.Errorf("the bounds of the arcs are %v and %v", thirdArc, halfArc)
	}
}
