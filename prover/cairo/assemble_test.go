package cairo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/seed06907907/fatty/prover/vm"
)

// assembler writes programs without a compiler: instruction words by their flags, at known addresses.
type assembler struct{ words []*big.Int }

var bigPrime = func() *big.Int {
	p, _ := new(big.Int).SetString("800000000000011000000000000000000000000000000000000000000000001", 16)
	return p
}()

// newAssembler writes the entry code of a program with n builtins, so that main is next.
func newAssembler(n int) *assembler {
	a := &assembler{}
	a.raw(0x40780017fff7fff, uint64(n), 0x1104800180018000, 4, 0x10780017fff7fff, 0)
	return a
}

func (a *assembler) raw(words ...uint64) {
	for _, w := range words {
		a.words = append(a.words, new(big.Int).SetUint64(w))
	}
}

// here is the address of the next word.
func (a *assembler) here() int64 { return int64(1 + len(a.words)) }

func word(flags uint32, off0, off1, off2 int) uint64 {
	return uint64(off0+offsetBias) | uint64(off1+offsetBias)<<16 | uint64(off2+offsetBias)<<32 | uint64(flags)<<48
}

// op writes an instruction whose op1 is no immediate.
func (a *assembler) op(flags uint32, off0, off1, off2 int) { a.raw(word(flags, off0, off1, off2)) }

// imm writes an instruction with an immediate, mod P.
func (a *assembler) imm(flags uint32, off0, off1 int, value *big.Int) {
	a.raw(word(flags|flagImm, off0, off1, 1))
	a.words = append(a.words, new(big.Int).Mod(value, bigPrime))
}

func (a *assembler) immInt(flags uint32, off0, off1 int, value int64) {
	a.imm(flags, off0, off1, big.NewInt(value))
}

// Instructions that leave dst or op0 unused name [fp - 1] for it, as the compilers do: that cell always has a value.
const unused = flagDstFP | flagOp0FP

// push is [ap] = value; ap++.
func (a *assembler) push(value *big.Int) { a.imm(flagOp0FP|flagAPAdd1|flagAssertEq, 0, -1, value) }

func (a *assembler) pushInt(value int64) { a.push(big.NewInt(value)) }

func (a *assembler) ret() { a.raw(0x208b7fff7fff7ffe) }

// load gives the program to the VM as a Cairo 2 executable.
func (a *assembler) load(t testing.TB, builtins ...string) *vm.Program {
	t.Helper()
	var code []string
	for _, w := range a.words {
		code = append(code, fmt.Sprintf("%#x", w))
	}
	if builtins == nil {
		builtins = []string{}
	}
	data, err := json.Marshal(map[string]any{
		"program":     map[string]any{"bytecode": code, "hints": []any{}},
		"entrypoints": []any{map[string]any{"builtins": builtins, "offset": 0, "kind": "Standalone"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	p, err := vm.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// hardFelts are where sums and products wrap, carry or have all bytes at their ends.
func hardFelts() []*big.Int {
	pow := func(n uint) *big.Int { return new(big.Int).Lsh(big.NewInt(1), n) }
	minus := func(x *big.Int, n int64) *big.Int { return new(big.Int).Sub(x, big.NewInt(n)) }
	out := []*big.Int{big.NewInt(0), big.NewInt(1), big.NewInt(2), big.NewInt(255), minus(bigPrime, 1), minus(bigPrime, 2),
		minus(bigPrime, 255), minus(pow(251), 1), pow(251), new(big.Int).Lsh(big.NewInt(17), 192), minus(pow(192), 1),
		new(big.Int).Rsh(bigPrime, 1), minus(pow(128), 1), pow(64), minus(pow(64), 1),
		new(big.Int).Add(pow(251), new(big.Int).Lsh(big.NewInt(16), 192))}
	r := rand.New(rand.NewPCG(1, 2))
	for range 6 {
		x := new(big.Int)
		for range 4 {
			x.Lsh(x, 64).Add(x, new(big.Int).SetUint64(r.Uint64()))
		}
		out = append(out, x.Mod(x, bigPrime))
	}
	return out
}

// arithmetic adds and multiplies all pairs of hard felts.
func arithmetic(n int) *assembler {
	a := newAssembler(0)
	hard := hardFelts()[:n]
	for _, x := range hard {
		for _, y := range hard {
			a.push(x)
			a.push(y)
			a.op(flagOp1AP|flagAdd|flagAPAdd1|flagAssertEq, 0, -2, -1)
			a.op(flagOp1AP|flagMul|flagAPAdd1|flagAssertEq, 0, -3, -2)
		}
	}
	a.ret()
	return a
}

// Flags that belong together.
const (
	assert     = flagAssertEq
	assertPush = flagAssertEq | flagAPAdd1
)

// forms are short programs that together have every instruction form: all sources of op1, updates of pc and ap, opcodes and
// results. In main, [fp - 2] is the first frame's address and [fp - 1] is 5, where main returns to.
var forms = []struct {
	name string
	body func(a *assembler)
}{
	{"op1 from immediate, fp, ap and op0", func(a *assembler) {
		a.pushInt(7)
		a.op(flagOp0FP|flagOp1FP|assertPush, 0, -1, 0)  // [ap] = [fp]
		a.op(flagOp0FP|flagOp1AP|assertPush, 0, -1, -1) // [ap] = [ap - 1]
		a.op(flagOp0FP|assertPush, 0, -2, -1)           // [ap] = [[fp - 2] - 1]
		a.op(flagOp0FP|flagOp1FP|assertPush, 0, -1, -2) // [ap] = [fp - 2], an address
		a.op(assertPush, 0, -1, -2)                     // [ap] = [[ap - 1] - 2]
		a.op(flagOp1AP|assert, -1, -1, -1)              // no move of ap
		a.op(unused|flagOp1FP|assert, 0, -1, 0)         // dst from fp
	}},
	{"sums and products with negative numbers and addresses", func(a *assembler) {
		a.pushInt(3)
		a.pushInt(-1)
		a.op(flagOp1AP|flagAdd|assertPush, 0, -2, -1)
		a.op(flagOp1AP|flagMul|assertPush, 0, -3, -2)
		a.immInt(flagOp0FP|flagAdd|assertPush, 0, -2, -1) // [ap] = [fp - 2] - 1, an address
		a.immInt(flagOp0FP|flagMul|assertPush, 0, 0, -5)
	}},
	{"ap moves by op1, a sum, a product", func(a *assembler) {
		for _, d := range []int64{3, -3, -1, 1, 0, 1000, -1000} {
			a.immInt(unused|flagAPAdd, -1, -1, d)
		}
		a.pushInt(3)
		a.pushInt(-1)
		a.op(flagDstFP|flagAPAdd|flagAdd|flagOp1AP, -1, -2, -1) // 2
		a.immInt(unused|flagAPAdd, -1, -1, -2)
		a.op(flagDstFP|flagAPAdd|flagMul|flagOp1AP, -1, -2, -1) // -3
		a.immInt(unused|flagAPAdd, -1, -1, 3)
		a.op(unused|flagAPAdd|flagOp1AP, -1, -1, -2)        // 3
		a.op(unused|flagAPAdd|flagOp1FP|assert, 0, -1, 0)   // an assertion that moves ap: 3
		a.immInt(unused|flagAPAdd|flagAdd|assert, 0, 1, 4)  // 3 = -1 + 4
		a.immInt(unused|flagAPAdd|flagMul|assert, 0, 1, -3) // 3 = -1 * -3
		a.immInt(unused|flagAPAdd|assert, 1, -1, -1)
	}},
	{"sums and products of any felts that move ap", func(a *assembler) {
		a.immInt(unused|flagAPAdd, -1, -1, 100)
		for _, x := range hardFelts() {
			for _, d := range []int64{0, 1, -1, -2, 7, -60, 99} {
				n := big.NewInt(d)
				a.push(x)
				a.push(n.Sub(n, x))
				a.op(flagDstFP|flagAPAdd|flagAdd|flagOp1AP, -1, -2, -1)
				a.immInt(unused|flagAPAdd, -1, -1, -d)
				if x.Sign() == 0 {
					continue
				}
				a.push(n.Mul(big.NewInt(d), new(big.Int).ModInverse(x, bigPrime)))
				a.op(flagDstFP|flagAPAdd|flagMul|flagOp1AP, -1, -3, -1)
				a.immInt(unused|flagAPAdd, -1, -1, -d)
			}
		}
	}},
	{"a result that nothing uses", func(a *assembler) {
		a.push(hardFelts()[6])
		a.op(flagDstFP|flagMul|flagOp1AP, -1, -1, -1)
		a.op(flagDstFP|flagAdd|flagOp1AP, -1, -1, -1)
		a.op(unused|flagOp1AP, -1, -1, -1)
		a.op(unused|flagOp1AP|flagAPAdd1, -1, -1, -1)
	}},
	{"relative jumps", func(a *assembler) {
		a.immInt(unused|flagJumpRel, -1, -1, 4)
		a.immInt(unused|flagJumpRel, -1, -1, 4) // reached from behind
		a.immInt(unused|flagJumpRel, -1, -1, -2)
		a.pushInt(2)
		a.pushInt(-1)
		a.op(unused|flagJumpRel|flagOp1AP, -1, -1, -2) // 2
		a.ret()
		a.op(flagDstFP|flagJumpRel|flagOp1AP|flagAdd, -1, -2, -1) // 2 - 1
		a.op(flagDstFP|flagJumpRel|flagOp1AP|flagMul, -1, -2, -2) // 2 * 2
		a.ret()
		a.ret()
		a.ret()
		a.op(unused|flagJumpRel|flagOp1FP|assert, 0, -1, 0) // an assertion that jumps: 2
		a.ret()
		a.immInt(unused|flagJumpRel|flagAPAdd1, -1, -1, 2)
		a.immInt(unused|flagJumpRel|flagAPAdd, -1, -1, 2) // pc and ap move by the same number
	}},
	{"absolute jumps", func(a *assembler) {
		// [fp - 1] is address 5; jmp abs goes to it plus a distance.
		a.immInt(flagDstFP|flagOp0FP|flagAdd|flagJump, -1, -1, a.here()+3-5)
		a.ret()
		a.immInt(flagOp0FP|flagAdd|assertPush, 0, -1, a.here()+4-5) // [ap] = an address in the code
		a.op(unused|flagJump|flagOp1AP, -1, -1, -1)
		a.ret()
	}},
	{"jnz", func(a *assembler) {
		a.pushInt(0)
		a.immInt(flagOp0FP|flagJnz, -1, -1, 100)
		a.pushInt(-1)
		a.immInt(flagOp0FP|flagJnz, -1, -1, 3)
		a.ret()
		a.push(hardFelts()[9])
		a.immInt(flagOp0FP|flagJnz, -1, -1, 3)
		a.ret()
		a.immInt(flagDstFP|flagOp0FP|flagJnz, -2, -1, 3) // an address
		a.ret()
		a.push(hardFelts()[7])
		a.pushInt(0)
		a.op(flagOp0FP|flagJnz|flagOp1AP, -1, -1, -2) // not taken, with an offset that is none
		a.op(flagOp0FP|flagJnz|flagOp1AP|flagAPAdd1, -1, -1, -2)
		a.pushInt(2)
		a.op(unused&^flagDstFP|flagJnz|flagOp1AP, -1, -1, -1) // taken, offset from a cell
		a.ret()
		a.pushInt(2)
		a.immInt(flagAdd|assertPush, 0, -1, -1) // down to 0
		a.immInt(flagOp0FP|flagJnz, -1, -1, -2) // backward
		a.immInt(unused|flagJnz|flagAPAdd1, -1, -1, 2)
	}},
	{"calls and returns", func(a *assembler) {
		start := a.here()
		a.immInt(flagJumpRel|flagCall, 0, 1, 9)                   // to f
		a.pushInt(8)                                              //
		a.op(flagJumpRel|flagCall|flagOp1AP, 0, 1, -1)            // call rel [ap - 1]: to g
		a.immInt(flagOp0FP|flagAdd|assertPush, 0, -1, start+12-5) // g's address
		a.op(flagJump|flagCall|flagOp1AP, 0, 1, -1)               // call abs [ap - 1]
		a.ret()                                                   //
		a.immInt(flagJumpRel|flagCall, 0, 1, 3)                   // f: calls g
		a.ret()
		a.op(unused|flagOp1FP|flagAPAdd1, -1, -1, -1) // g
		a.ret()
	}},
}

func oracleRun(t testing.TB, p *vm.Program) (*vm.Result, *Input) {
	t.Helper()
	res := run(t, p, nil)
	in := witness(t, res)
	checkOracle(t, in)
	return res, in
}

func TestArithmeticNearP(t *testing.T) { oracleRun(t, arithmetic(len(hardFelts())).load(t)) }

func TestEveryInstructionForm(t *testing.T) {
	for _, f := range forms {
		t.Run(f.name, func(t *testing.T) {
			a := newAssembler(0)
			f.body(a)
			a.ret()
			oracleRun(t, a.load(t))
		})
	}
}

// TestFormsThatAreNotProven runs what this VM runs and the tables refuse.
func TestFormsThatAreNotProven(t *testing.T) {
	for name, body := range map[string]func(a *assembler){
		"jnz that asserts": func(a *assembler) {
			a.pushInt(2)
			a.op(flagOp0FP|flagJnz|flagOp1AP|flagAssertEq, -1, -1, -1)
			a.ret()
		},
		"ret from elsewhere": func(a *assembler) {
			a.op(flagOp0FP|flagOp1FP|assertPush, 0, -1, -2) // [ap] = [fp - 2]
			a.op(flagOp0FP|flagOp1FP|flagJump|flagRet, -1, -1, -1)
		},
	} {
		a := newAssembler(0)
		body(a)
		a.ret()
		res, err := vm.Run(context.Background(), a.load(t), nil, vm.StwoConfig(0))
		if err != nil {
			continue // a stricter VM is fine
		}
		if _, err := Witness(context.Background(), res); !errors.Is(err, ErrRun) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
