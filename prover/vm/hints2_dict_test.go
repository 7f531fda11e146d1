package vm

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// dictProgram makes a segment arena and a dictionary: fp+0 is the list of dictionaries, fp+1 the arena, fp+3 the
// dictionary. The builtins are output at fp-4 and range_check at fp-3.
func dictProgram() *assembler2 {
	a := newAssembler2("output", "range_check")
	a.hint(hintJSON("AllocSegment", "dst", cellJSON("ap")))
	a.hint(hintJSON("AllocSegment", "dst", cellJSON("ap+1")))
	a.addAP(2)
	a.store(-2, 1, 0)
	a.push("0")
	a.store(-1, 1, 1)
	a.store(-1, 1, 2)
	a.hint(hintJSON("AllocFelt252Dict", "segment_arena_ptr", sumJSON("fp+1", "3")))
	a.load(0, 0)
	return a
}

// access writes access number i of the dictionary at fp+ptr, as the compiler's code does.
func (a *assembler2) access(ptr, i int, key, value string) {
	dict := fmt.Sprintf("fp+%d", ptr)
	a.push(key)
	a.store(-1, ptr, 3*i)
	a.hint(hintJSON("Felt252DictEntryInit", "dict_ptr", sumJSON(dict, fmt.Sprint(3*i)), "key", numberJSON(key)))
	a.push(value)
	a.store(-1, ptr, 3*i+2)
	a.hint(hintJSON("Felt252DictEntryUpdate", "dict_ptr", sumJSON(dict, fmt.Sprint(3*i+3)), "value", derefJSON("ap-1")))
}

func TestDict2(t *testing.T) {
	a := dictProgram()
	a.access(3, 0, "7", "100")
	a.access(3, 1, "3", "200")
	a.access(3, 2, "7", "101")
	for i := range 3 {
		a.load(3, 3*i+1) // the previous values, which the hints wrote
		a.output(-1, -4, i)
	}
	a.hint(hintJSON("Felt252DictRead", "dict_ptr", derefJSON("fp+3"), "key", numberJSON("7"), "value_dst", cellJSON("ap")))
	a.hint(hintJSON("GetSegmentArenaIndex", "dict_end_ptr", sumJSON("fp+3", "9"), "dict_index", cellJSON("ap+1")))
	a.hint(hintJSON("InitSquashData", "dict_accesses", derefJSON("fp+3"), "ptr_diff", numberJSON("9"), "n_accesses",
		numberJSON("3"), "big_keys", cellJSON("ap+2"), "first_key", cellJSON("ap+3")))
	// Key 3, with access 1 alone.
	a.hint(hintJSON("GetCurrentAccessIndex", "range_check_ptr", derefJSON("fp-3")))
	a.hint(hintJSON("ShouldSkipSquashLoop", "should_skip_loop", cellJSON("ap+4")))
	a.hint(`"AssertCurrentAccessIndicesIsEmpty"`)
	// Key 7, with accesses 0 and 2.
	a.hint(hintJSON("GetNextDictKey", "next_key", cellJSON("ap+5")))
	a.hint(hintJSON("GetCurrentAccessIndex", "range_check_ptr", sumJSON("fp-3", "1")))
	a.hint(hintJSON("ShouldSkipSquashLoop", "should_skip_loop", cellJSON("ap+6")))
	a.hint(hintJSON("GetCurrentAccessDelta", "index_delta_minus1", cellJSON("ap+7")))
	a.hint(hintJSON("ShouldContinueSquashLoop", "should_continue", cellJSON("ap+8")))
	a.hint(`"AssertAllKeysUsed"`)
	a.addAP(9)
	for i := range 9 {
		a.output(i-9, -4, 3+i)
	}
	for i := range 2 {
		a.load(-3, i)
		a.output(-1, -4, 12+i)
	}
	a.pushSum(-4, 14)
	a.pushSum(-3, 2)
	a.ret()
	r, err := a.run(t)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"0", "0", "100", // previous values
		"101", "0", // the value now; the dictionary's index
		"0", "3", // no big keys; the first key
		"1",                // key 3: nothing to loop over
		"7", "0", "1", "0", // key 7: a loop over one more access, one between, then no more
		"1", "0"} // the accesses' indices
	if got := outputText(r); !slices.Equal(got, want) {
		t.Errorf("output %v, not %v", got, want)
	}
}

// TestBigKeys2 squashes a dictionary with a key that a range check cannot hold.
func TestBigKeys2(t *testing.T) {
	a := dictProgram()
	a.access(3, 0, "5", "1")
	a.access(3, 1, lastFelt, "2")
	a.hint(hintJSON("InitSquashData", "dict_accesses", derefJSON("fp+3"), "ptr_diff", numberJSON("6"), "n_accesses",
		numberJSON("2"), "big_keys", cellJSON("ap"), "first_key", cellJSON("ap+1")))
	a.hint(hintJSON("GetNextDictKey", "next_key", cellJSON("ap+2")))
	a.addAP(3)
	for i := range 3 {
		a.output(i-3, -4, i)
	}
	a.pushSum(-4, 3)
	a.pushSum(-3, 0)
	a.ret()
	r, err := a.run(t)
	if err != nil {
		t.Fatal(err)
	}
	if got := outputText(r); !slices.Equal(got, []string{"1", "5", lastFelt}) {
		t.Errorf("output %v", got)
	}
}

// TestSecondDict2 puts a second dictionary, which is temporary, behind the first by a relocation rule.
func TestSecondDict2(t *testing.T) {
	for _, rule := range []bool{true, false} {
		a := dictProgram()
		a.access(3, 0, "7", "100") // fp+4, fp+5
		a.store(-6, 1, 3)          // a new frame of the arena, with one dictionary so far
		a.push("1")
		a.store(-1, 1, 4)
		a.store(-1, 1, 5)
		a.hint(hintJSON("AllocFelt252Dict", "segment_arena_ptr", sumJSON("fp+1", "6")))
		a.load(0, 3) // fp+7
		a.access(7, 0, "9", "55")
		a.hint(hintJSON("GetSegmentArenaIndex", "dict_end_ptr", derefJSON("fp+7"), "dict_index", cellJSON("ap")))
		a.addAP(1)
		a.output(-1, -4, 0)
		a.pushSum(3, 3)
		a.output(-1, -4, 1) // the end of the first dictionary
		a.pushSum(7, 0)
		a.output(-1, -4, 2) // the start of the second
		if rule {
			a.hint(hintJSON("AddRelocationRule", "src", derefJSON("fp+7"), "dst", derefJSON("ap-2")))
		}
		a.pushSum(-4, 3)
		a.pushSum(-3, 0)
		a.ret()
		r, err := a.run(t)
		if !rule {
			if err == nil {
				t.Error("an address in a temporary segment without a rule became a number")
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		out := outputText(r)
		if out[0] != "1" || out[1] != out[2] {
			t.Errorf("the second dictionary has index %s and begins at %s, not at the end of the first at %s", out[0], out[2],
				out[1])
		}
		at := r.Output[1].Uint64()
		for i, want := range []string{"9", "0", "55"} {
			if v, ok := r.Memory.Get(uint32(at) + uint32(i)); !ok || v.String() != want {
				t.Errorf("cell %d of the second dictionary is %s (%v), not %s", i, v.String(), ok, want)
			}
		}
	}
}

// TestDictErrors2 is what dictionary hints refuse; none may panic.
func TestDictErrors2(t *testing.T) {
	for _, hint := range []string{
		hintJSON("Felt252DictEntryInit", "dict_ptr", derefJSON("fp+1"), "key", numberJSON("1")),
		hintJSON("Felt252DictEntryUpdate", "dict_ptr", derefJSON("fp+3"), "value", numberJSON("1")),
		hintJSON("Felt252DictEntryUpdate", "dict_ptr", sumJSON("fp+3", "3"), "value", numberJSON("1")),
		hintJSON("Felt252DictWrite", "dict_ptr", derefJSON("fp+1"), "key", numberJSON("1"), "value", numberJSON("1")),
		hintJSON("GetSegmentArenaIndex", "dict_end_ptr", derefJSON("fp+1"), "dict_index", cellJSON("ap")),
		hintJSON("AllocFelt252Dict", "segment_arena_ptr", derefJSON("fp+1")),
		hintJSON("InitSquashData", "dict_accesses", derefJSON("fp+3"), "ptr_diff", numberJSON("0"), "n_accesses",
			numberJSON("0"), "big_keys", cellJSON("ap"), "first_key", cellJSON("ap+1")),
		hintJSON("InitSquashData", "dict_accesses", derefJSON("fp+3"), "ptr_diff", numberJSON("0"), "n_accesses",
			numberJSON(lastFelt), "big_keys", cellJSON("ap"), "first_key", cellJSON("ap+1")),
		hintJSON("GetCurrentAccessIndex", "range_check_ptr", derefJSON("fp-3")),
		hintJSON("ShouldSkipSquashLoop", "should_skip_loop", cellJSON("ap")),
		hintJSON("GetCurrentAccessDelta", "index_delta_minus1", cellJSON("ap")),
		hintJSON("ShouldContinueSquashLoop", "should_continue", cellJSON("ap")),
		hintJSON("GetNextDictKey", "next_key", cellJSON("ap")),
		hintJSON("AssertLeIsFirstArcExcluded", "skip_exclude_a_flag", cellJSON("ap")),
		hintJSON("AddRelocationRule", "src", derefJSON("fp+3"), "dst", derefJSON("fp+1")),
		hintJSON("AddRelocationRule", "src", numberJSON("3"), "dst", derefJSON("fp+1")),
		hintJSON("WriteRunParam", "index", numberJSON("1"), "dst", cellJSON("ap")),
		hintJSON("DebugPrint", "start", derefJSON("fp+1"), "end", derefJSON("fp")),
		hintJSON("DebugPrint", "start", derefJSON("fp+1"), "end", sumJSON("fp+1", "1000000000")),
		hintJSON("AllocConstantSize", "size", numberJSON(lastFelt), "dst", cellJSON("ap")),
		hintJSON("TestLessThan", "lhs", derefJSON("fp"), "rhs", numberJSON("1"), "dst", cellJSON("ap")),
		hintJSON("TestLessThan", "lhs", derefJSON("ap+9"), "rhs", numberJSON("1"), "dst", cellJSON("ap")),
		hintJSON("TestLessThan", "lhs", derefJSON("ap-32768"), "rhs", numberJSON("1"), "dst", cellJSON("ap")),
		hintJSON("TestLessThan", "lhs", binOpJSON("Mul", "fp", numberJSON("2")), "rhs", numberJSON("1"), "dst", cellJSON("ap")),
		hintJSON("TestLessThan", "lhs", `{"DoubleDeref":[`+cellJSON("fp+2")+`,0]}`, "rhs", numberJSON("1"), "dst", cellJSON("ap")),
		hintJSON("EvalCircuit", "n_add_mods", numberJSON("1"), "add_mod_builtin", derefJSON("fp+1"), "n_mul_mods",
			numberJSON("1"), "mul_mod_builtin", derefJSON("fp+1")),
		hintJSON("EvalCircuit", "n_add_mods", numberJSON(lastFelt), "add_mod_builtin", derefJSON("fp+1"), "n_mul_mods",
			numberJSON("1"), "mul_mod_builtin", derefJSON("fp+1")),
	} {
		a := dictProgram()
		a.hint(hint)
		a.pushSum(-4, 0)
		a.pushSum(-3, 0)
		a.ret()
		_, err := a.run(t)
		var hintErr *HintError
		if !errors.As(err, &hintErr) || hintErr.Unknown || hintErr.Text != hint {
			t.Errorf("%s: %v, not the error of this hint", hint, err)
		}
	}
}

// TestUnknownHint2 names a hint that the VM does not have, and only when it is reached.
func TestUnknownHint2(t *testing.T) {
	for _, reached := range []bool{true, false} {
		a := newAssembler2("output")
		if !reached {
			a.words(encode(-1, -1, 1, flagDstFP|flagOp0FP|flagImm|flagRel), "4") // jump over the next two felts
		}
		a.hint(hintJSON("SystemCall", "system", derefJSON("fp")))
		a.push("1")
		a.pushSum(-3, 0)
		a.ret()
		_, err := a.run(t)
		var hintErr *HintError
		switch {
		case !reached && err != nil:
			t.Errorf("a hint that is not reached stops the run: %v", err)
		case reached && (!errors.As(err, &hintErr) || !hintErr.Unknown || hintErr.PC != 6 ||
			!strings.Contains(hintErr.Text, "SystemCall")):
			t.Errorf("%v does not name the hint", err)
		}
	}
}

// circuitProgram makes a circuit of one multiplication and one addition mod p: x * y = z, z + w = r, with y, x (or z, if
// inverse), w given. The words of a value are 96 bits; the values' table is at fp+0, the offsets of add_mod at fp+1, of
// mul_mod at fp+2. The builtins are output, add_mod, mul_mod at fp-5, fp-4, fp-3.
func circuitProgram(p int64, values map[int]int64, adds, muls [][3]int) *assembler2 {
	a := newAssembler2("output", "add_mod", "mul_mod")
	for i := range 3 {
		a.hint(hintJSON("AllocSegment", "dst", cellJSON(fmt.Sprintf("ap+%d", i))))
	}
	a.addAP(3)
	word := func(ptr, at int, n int64) {
		a.push(fmt.Sprint(n))
		a.store(-1, ptr, at)
	}
	for i := range 8 {
		if v, ok := values[i]; ok {
			word(0, 4*i, v)
			for j := 1; j < 4; j++ {
				word(0, 4*i+j, 0)
			}
		}
	}
	for k, gates := range [][][3]int{adds, muls} {
		for i, gate := range gates {
			for j, v := range gate {
				word(1+k, 3*i+j, int64(4*v))
			}
		}
		// The first instance: p, the pointers, n; the hint writes the rest.
		if len(gates) > 0 {
			ptr := -4 + k
			word(ptr, 0, p)
			for j := 1; j < 4; j++ {
				word(ptr, j, 0)
			}
			a.pushSum(0, 0)
			a.store(-1, ptr, 4)
			a.pushSum(1+k, 0)
			a.store(-1, ptr, 5)
		}
	}
	a.hint(hintJSON("EvalCircuit", "n_add_mods", numberJSON(fmt.Sprint(len(adds))), "add_mod_builtin", derefJSON("fp-4"),
		"n_mul_mods", numberJSON(fmt.Sprint(len(muls))), "mul_mod_builtin", derefJSON("fp-3")))
	return a
}

func TestCircuit2(t *testing.T) {
	const p = 101
	for _, c := range []struct {
		name       string
		values     map[int]int64
		adds, muls [][3]int
		result     int // the value to output
		want       int64
		computed   int // multiplications before the first that failed
	}{
		// 7 * 20 + 5 = 145 = 44 mod 101
		{"product and sum", map[int]int64{0: 7, 1: 20, 2: 5}, [][3]int{{3, 2, 4}}, [][3]int{{0, 1, 3}}, 4, 44, 1},
		// x * 20 = 1: the inverse of 20 mod 101 is 96, since 20 * 96 = 1920 = 19 * 101 + 1.
		{"inverse", map[int]int64{1: 20, 2: 1}, nil, [][3]int{{0, 1, 2}}, 0, 96, 1},
		// x + 20 = 5: x = 86.
		{"difference", map[int]int64{1: 20, 2: 5, 5: 1}, [][3]int{{0, 1, 2}}, [][3]int{{0, 5, 6}}, 6, 86, 1},
		// 0 has no inverse: the number that nullifies it is p / gcd(0, p) = 1, and no instance is written.
		{"no inverse", map[int]int64{1: 0, 2: 1}, nil, [][3]int{{0, 1, 2}}, 0, 1, 0},
	} {
		a := circuitProgram(p, c.values, c.adds, c.muls)
		a.load(0, 4*c.result)
		a.output(-1, -5, 0)
		a.pushSum(-5, 1)
		a.pushSum(-4, int64(7*len(c.adds)))
		a.pushSum(-3, int64(7*c.computed))
		if c.computed < len(c.muls) {
			// The instance was begun by the program's own writes; its n was never set, so that the run cannot end well.
			a.code[len(a.code)-1] = "7"
		}
		a.ret()
		r, err := a.run(t)
		if c.computed < len(c.muls) {
			if err == nil {
				t.Errorf("%s: a failed inverse was accepted", c.name)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := outputText(r)[0]; got != fmt.Sprint(c.want) {
			t.Errorf("%s: %s, not %d", c.name, got, c.want)
		}
	}
}

// TestModVerify2 tampers with what a circuit came to: the check at the end of the run has to see it.
func TestModVerify2(t *testing.T) {
	// 7 * 20 = 39 mod 101; 40 is wrong, 140 is right though not reduced.
	for _, c := range []struct {
		result string
		good   bool
	}{{"39", true}, {"40", false}, {"140", true}, {"0", false}} {
		a := newAssembler2("output", "add_mod", "mul_mod")
		a.hint(hintJSON("AllocSegment", "dst", cellJSON("ap")))
		a.hint(hintJSON("AllocSegment", "dst", cellJSON("ap+1")))
		a.addAP(2)
		word := func(ptr, at int, n string) {
			a.push(n)
			a.store(-1, ptr, at)
		}
		for i, v := range []string{"7", "20", c.result} {
			word(0, 4*i, v)
			for j := 1; j < 4; j++ {
				word(0, 4*i+j, "0")
			}
			word(1, i, fmt.Sprint(4*i))
		}
		for i, v := range []string{"101", "0", "0", "0"} {
			word(-3, i, v)
		}
		a.pushSum(0, 0)
		a.store(-1, -3, 4)
		a.pushSum(1, 0)
		a.store(-1, -3, 5)
		word(-3, 6, "1")
		a.pushSum(-5, 0)
		a.pushSum(-4, 0)
		a.pushSum(-3, 7)
		a.ret()
		if _, err := a.run(t); (err == nil) != c.good {
			t.Errorf("7 * 20 = %s mod 101: %v", c.result, err)
		}
	}
}

// TestModArithmetic checks the two rules against plain arithmetic, with the bounded quotients of the AIR.
func TestModArithmetic(t *testing.T) {
	n := func(v int64) *big.Int { return big.NewInt(v) }
	for _, c := range []struct {
		kind       Builtin
		x, y, p, r int64
	}{
		{AddMod, 3, 4, 5, 2}, {AddMod, 5, 5, 5, 5}, {AddMod, 9, 9, 5, 13}, {MulMod, 9, 9, 5, 1}, {MulMod, 0, 9, 5, 0},
	} {
		if got := (modBuiltin{c.kind}).apply(n(c.x), n(c.y), n(c.p)); got.Cmp(n(c.r)) != 0 {
			t.Errorf("%v: %d, %d mod %d gives %v, not %d", c.kind, c.x, c.y, c.p, got, c.r)
		}
	}
	for _, c := range []struct {
		kind    Builtin
		x, r, p int64
		y       int64
	}{
		{AddMod, 3, 4, 5, 1}, {AddMod, 4, 3, 5, 4}, {MulMod, 3, 4, 5, 3}, {MulMod, 2, 1, 4, -1},
	} {
		y, err := (modBuiltin{c.kind}).solve(n(c.x), n(c.r), n(c.p))
		if c.y < 0 {
			if err == nil {
				t.Errorf("%v: %d * y = %d mod %d has no solution, but gave %v", c.kind, c.x, c.r, c.p, y)
			}
		} else if err != nil || y.Cmp(n(c.y)) != 0 {
			t.Errorf("%v: %d, y = %d mod %d gives %v (%v), not %d", c.kind, c.x, c.r, c.p, y, err, c.y)
		}
	}
}
