package vm

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"
)

// assembler2 puts small Cairo 2 executables together: the entry code and one function that takes the builtins. Compiled
// ones carry code of the compiler's core library, so that none can be kept here.
type assembler2 struct {
	code     []string
	hints    map[int][]string
	builtins []string
}

// newAssembler2 begins with the entry code: ap += n; call rel 4; jmp rel 0. The function begins after it.
func newAssembler2(builtins ...string) *assembler2 {
	a := &assembler2{hints: make(map[int][]string), builtins: builtins}
	a.addAP(int64(len(builtins)))
	a.words("0x1104800180018000", "0x4")
	a.words("0x10780017fff7fff", "0x0")
	return a
}

func (a *assembler2) words(w ...string) { a.code = append(a.code, w...) }

// hint adds a hint before the next instruction.
func (a *assembler2) hint(json string) {
	a.hints[len(a.code)] = append(a.hints[len(a.code)], json)
}

// encode builds an instruction word from its offsets and flags (bits 48 and up).
func encode(dst, op0, op1 int, flags uint64) string {
	biased := func(n int) uint64 { return uint64(n+1<<15) & 0xffff }
	return fmt.Sprintf("0x%x", biased(dst)|biased(op0)<<16|biased(op1)<<32|flags<<48)
}

// Flags of instructions, from bit 48 on.
const (
	flagDstFP  = 1 << 0
	flagOp0FP  = 1 << 1
	flagImm    = 1 << 2
	flagOp1FP  = 1 << 3
	flagOp1AP  = 1 << 4
	flagAdd    = 1 << 5
	flagMul    = 1 << 6
	flagJump   = 1 << 7
	flagRel    = 1 << 8
	flagJnz    = 1 << 9
	flagAPRes  = 1 << 10
	flagAPInc  = 1 << 11
	flagCall   = 1 << 12
	flagRet    = 1 << 13
	flagAssert = 1 << 14
)

// addAP is ap += n.
func (a *assembler2) addAP(n int64) {
	a.words(encode(-1, -1, 1, flagDstFP|flagOp0FP|flagImm|flagAPRes), fmt.Sprint(n))
}

// push is [ap] = n; ap++.
func (a *assembler2) push(n string) {
	a.words(encode(0, -1, 1, flagOp0FP|flagImm|flagAPInc|flagAssert), n)
}

// pushSum is [ap] = [fp + off] + n; ap++.
func (a *assembler2) pushSum(off int, n int64) {
	a.words(encode(0, off, 1, flagOp0FP|flagImm|flagAdd|flagAPInc|flagAssert), fmt.Sprint(n))
}

// output writes [ap + off] to the output at i, whose pointer is [fp + ptr].
func (a *assembler2) output(off, ptr, i int) { a.store(off, ptr, i) }

// store is [[fp + ptr] + i] = [ap + off].
func (a *assembler2) store(off, ptr, i int) {
	a.words(encode(off, ptr, i, flagOp0FP|flagAssert))
}

// load is [ap] = [[fp + ptr] + i]; ap++.
func (a *assembler2) load(ptr, i int) {
	a.words(encode(0, ptr, i, flagOp0FP|flagAPInc|flagAssert))
}

func (a *assembler2) ret() { a.words("0x208b7fff7fff7ffe") }

// file is the executable.
func (a *assembler2) file() []byte {
	type entry struct {
		Builtins []string `json:"builtins"`
		Offset   int      `json:"offset"`
		Kind     string   `json:"kind"`
	}
	hints := []any{}
	for pc := range len(a.code) {
		if h := a.hints[pc]; h != nil {
			list := []json.RawMessage{}
			for _, text := range h {
				list = append(list, json.RawMessage(text))
			}
			hints = append(hints, []any{pc, list})
		}
	}
	data, err := json.Marshal(map[string]any{
		"program":     map[string]any{"bytecode": a.code, "hints": hints},
		"entrypoints": []entry{{a.builtins, 0, "Standalone"}, {a.builtins, 6, "Bootloader"}},
	})
	if err != nil {
		panic(err)
	}
	return data
}

func (a *assembler2) program(t testing.TB) *Program {
	t.Helper()
	p, err := Load(a.file())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// run runs the executable in proof mode and gives its output as decimal numbers.
func (a *assembler2) run(t testing.TB, input ...Felt) (*Result, error) {
	t.Helper()
	return Run(context.Background(), a.program(t), input, StwoConfig(1<<16))
}

// Operands as the executable's JSON has them. A cell is written ap+1 or fp-3.
func cellJSON(s string) string {
	register, offset := strings.ToUpper(s[:2]), strings.TrimPrefix(s[2:], "+")
	if offset == "" {
		offset = "0"
	}
	return fmt.Sprintf(`{"register":%q,"offset":%s}`, register, offset)
}

func derefJSON(s string) string { return `{"Deref":` + cellJSON(s) + `}` }

func numberJSON(n string) string {
	v, ok := new(big.Int).SetString(n, 0)
	if !ok {
		panic(n)
	}
	return fmt.Sprintf(`{"Immediate":"%#x"}`, v)
}

func sumJSON(a, n string) string { return binOpJSON("Add", a, numberJSON(n)) }

func binOpJSON(op, a, b string) string {
	return fmt.Sprintf(`{"BinOp":{"op":%q,"a":%s,"b":%s}}`, op, cellJSON(a), b)
}

// hintJSON writes a hint from name=value pairs; a value is JSON already.
func hintJSON(name string, pairs ...string) string {
	var fields []string
	for i := 0; i < len(pairs); i += 2 {
		fields = append(fields, fmt.Sprintf("%q:%s", pairs[i], pairs[i+1]))
	}
	return fmt.Sprintf(`{%q:{%s}}`, name, strings.Join(fields, ","))
}
