package verifier_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/prover"
	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier"
	"github.com/seed06907907/fatty/verifier/circuit"
)

// machine loads an example.
func machine(t testing.TB, name string) *vm.Program {
	t.Helper()
	data, err := os.ReadFile("../examples/" + name + "/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	p, err := vm.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func feltsOf(vs ...uint64) []vm.Felt {
	out := make([]vm.Felt, len(vs))
	for i, v := range vs {
		out[i].SetUint64(v)
	}
	return out
}

// wrapped is a run that became a span.
type wrapped struct {
	span    []byte
	circuit *circuit.Circuit
}

// goldenProof reads a proof of prover's golden files.
func goldenProof(t testing.TB, name string) []byte {
	t.Helper()
	file, err := os.ReadFile("../prover/testdata/" + name + ".proof")
	if err != nil {
		t.Fatal(err)
	}
	_, proof, err := verifier.DecodeEnvelope(file)
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

func wrapRun(t testing.TB, pr *prover.Prover, p *vm.Program, input []vm.Felt, opt prover.Options) wrapped {
	t.Helper()
	r, err := pr.Prove(t.Context(), p, input, opt)
	if err != nil {
		t.Fatal(err)
	}
	a, err := verifier.AssignWrap(r.Proof)
	if err != nil || a.Violated != nil {
		t.Fatal(err, a.Violated)
	}
	span, err := pr.ProveCircuit(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifier.Verify(span, verifier.Accept{Kind: verifier.KindSpan}); err != nil {
		t.Fatal(err)
	}
	return wrapped{span, a.Circuit}
}

// sameTables says which preprocessed columns of two circuits differ.
func sameTables(a, b *circuit.Circuit) error {
	if !slices.Equal(a.LogHeights, b.LogHeights) || len(a.Tables) != len(b.Tables) {
		return fmt.Errorf("heights %v and %v, %d and %d columns", a.LogHeights, b.LogHeights, len(a.Tables), len(b.Tables))
	}
	for name, column := range a.Tables {
		if !slices.Equal(column, b.Tables[name]) {
			return fmt.Errorf("column %s", name)
		}
	}
	return nil
}

// TestSpansOfDifferentRuns has honest spans, each of which holds, that differ in one thing: program, state, life or anchor. What
// differs is all that is wrong, so that the reason for which a circuit refuses is that one. A prover who proves such a merge
// all the same makes a proof that is refused.
func TestSpansOfDifferentRuns(t *testing.T) {
	pr := new(prover.Prover)
	counter := machine(t, "counter")
	life, anchor := [32]byte{1, 2}, [32]byte{31: 9}
	blank, err := verifier.BlankCircuit(verifier.CircuitID{Security: verifier.Security100})
	if err != nil {
		t.Fatal(err)
	}
	of := func(at uint64, state verifier.Felt, tx uint64, life, anchor [32]byte) wrapped {
		input := feltsOf(at, 0, 1, 1, tx)
		input[1].SetBytes(state[:])
		return wrapRun(t, pr, counter, input, prover.Options{Life: life, Anchor: anchor})
	}
	start := verifier.Felt{0: 1, 15: 3, 31: 7}
	end := start
	end[31] += 5
	low, high := end, end
	low[31]++
	high[0]++
	// The counter adds a transaction, of one felt, to its state.
	first := of(0, start, 5, life, anchor).span
	spans := map[string]wrapped{
		"program":            wrapRun(t, pr, byHand(t, "1", new(big.Int).SetBytes(end[:]).String(), "2", "3", "0"), nil, prover.Options{Life: life, Anchor: anchor}),
		"state":              of(1, low, 9, life, anchor),
		"high word of state": of(1, high, 9, life, anchor),
		"life":               of(1, end, 9, [32]byte{1, 3}, anchor),
		"anchor":             of(1, end, 9, life, [32]byte{31: 8}),
	}
	for name, s := range spans {
		if err := sameTables(s.circuit, blank); err != nil {
			t.Errorf("the wrap of a run of another %s is another circuit: %v", name, err)
		}
	}
	var merged *circuit.Circuit
	for name, c := range map[string]struct {
		want error
		says string
	}{
		"program":            {verifier.ErrProgram, "the spans are of one program"},
		"state":              {verifier.ErrGap, "the right span begins in the state where the left one ends"},
		"high word of state": {verifier.ErrGap, "the right span begins in the state where the left one ends"},
	} {
		if _, err := verifier.AssignMerge(first, spans[name].span); !errors.Is(err, c.want) {
			t.Errorf("another %s: %v, want %v", name, err, c.want)
		}
		a, err := verifier.MergeAll(first, spans[name].span)
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.Refusal(a); err == nil || !strings.HasPrefix(err.Error(), c.says) {
			t.Errorf("another %s: the circuit says %v", name, err)
		}
		merged = a.Circuit
		if name != "program" {
			continue
		}
		proof, err := pr.ProveCircuit(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verifier.Verify(proof, verifier.Accept{}); !errors.Is(err, verifier.ErrInvalid) {
			t.Errorf("the proof of a merge with another %s: %v", name, err)
		}
	}
	// Other lives and anchors merge, to none.
	for name, want := range map[string][2][32]byte{"life": {{}, anchor}, "anchor": {life, {}}} {
		a, err := verifier.AssignMerge(first, spans[name].span)
		if err != nil || a.Violated != nil {
			t.Fatal(err, a.Violated)
		}
		if err := sameTables(a.Circuit, merged); err != nil {
			t.Errorf("a merge with another %s is another circuit: %v", name, err)
		}
		verifier.NoValueIsFree(t, "merge with another "+name, a.Circuit, verifier.Security100, 1, 1, 8+8)
		if s := a.Head; s.Life != want[0] || s.Anchor != want[1] {
			t.Errorf("another %s: life %x, anchor %x", name, s.Life, s.Anchor)
		}
		if name != "life" {
			continue
		}
		proof, err := pr.ProveCircuit(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		s, err := verifier.Verify(proof, verifier.Accept{Kind: verifier.KindSpan})
		if err != nil || s.Life != want[0] || s.Anchor != want[1] || s.Span.T0 != 0 || s.Span.T1 != 2 || s.Span.S1[31] != end[31]+9 {
			t.Errorf("another %s: %v, %+v", name, err, s)
		}
	}
}

// TestProofsOfFalseSpansAreRefused proves that spans hold which do not, or do not meet. What a prover makes of a witness that
// breaks its circuit is no proof.
func TestProofsOfFalseSpansAreRefused(t *testing.T) {
	pr := new(prover.Prover)
	left, right, whole := goldenProof(t, "wrapped"), goldenProof(t, "wrapped-next"), goldenProof(t, "merged")
	last := func(proof []byte) []byte {
		bad := slices.Clone(proof)
		bad[len(bad)-1] ^= 1 // of a sibling in the last layer
		return bad
	}
	said := func(proof []byte) []byte {
		bad := slices.Clone(proof)
		bad[60] ^= 1 // of S0: the proof says another statement
		return bad
	}
	for name, assign := range map[string]func() (*verifier.Assignment, error){
		"a shrink of another statement": func() (*verifier.Assignment, error) { return verifier.AssignShrink(said(whole)) },
		"a false right half":            func() (*verifier.Assignment, error) { return verifier.MergeAll(left, last(right)) },
		"swapped halves":                func() (*verifier.Assignment, error) { return verifier.MergeAll(right, left) },
	} {
		a, err := assign()
		if name == "swapped halves" {
			if err != nil {
				t.Fatal(err)
			}
			// Its head would say a span that goes backward.
			if _, err := a.Head.Instance(); !errors.Is(err, verifier.ErrFormat) {
				t.Errorf("%s: %v", name, err)
			}
			a.Head.Span.T0, a.Head.Span.T1 = 0, 5
		}
		if err != nil || verifier.Refusal(a) == nil {
			t.Fatal(name, err)
		}
		proof, err := pr.ProveCircuit(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := verifier.Verify(proof, verifier.Accept{}); !errors.Is(err, verifier.ErrInvalid) {
			t.Errorf("%s: %v, %+v", name, err, s)
		}
	}
}

// byHand is a program with every builtin that proofs cover, put together by hand, as no machine of ours has all of them. It
// outputs what it is told.
func byHand(t testing.TB, out ...string) *vm.Program {
	t.Helper()
	const (
		output, ranged, bitwise = -5, -4, -3 // pointers, from fp
		opFP, imm, add, inc     = 1 << 1, 1 << 2, 1 << 5, 1 << 11
		assert                  = 1 << 14
	)
	word := func(dst, op0, op1, flags int) string {
		bias := func(n int) uint64 { return uint64(n+1<<15) & 0xffff }
		return fmt.Sprintf("%#x", bias(dst)|bias(op0)<<16|bias(op1)<<32|uint64(flags)<<48)
	}
	code := []string{"0x40780017fff7fff", "3", "0x1104800180018000", "0x4", "0x10780017fff7fff", "0x0"} // ap += 3; call main; jmp rel 0
	push := func(v string) { code = append(code, word(0, -1, 1, opFP|imm|inc|assert), v) }              // [ap] = v; ap++
	store := func(pointer, i int, v string) {                                                           // [[fp + pointer] + i] = v
		push(v)
		code = append(code, word(-1, pointer, i, opFP|assert))
	}
	for i, v := range out {
		store(output, i, v)
	}
	for i := range 3 {
		store(ranged, i, fmt.Sprint(1<<20+i))
	}
	for i := range 2 { // instances of bitwise: two operands, and what comes of them is read
		store(bitwise, 5*i, fmt.Sprint(12345+i))
		store(bitwise, 5*i+1, "54321")
		for k := 2; k < 5; k++ {
			code = append(code, word(0, bitwise, 5*i+k, opFP|inc|assert)) // [ap] = [[fp - 3] + k]
		}
	}
	for _, p := range [][2]int{{output, 5}, {ranged, 3}, {bitwise, 10}} {
		code = append(code, word(0, p[0], 1, opFP|imm|add|inc|assert), fmt.Sprint(p[1]))
	}
	code = append(code, "0x208b7fff7fff7ffe") // ret
	data, err := json.Marshal(map[string]any{"program": map[string]any{"bytecode": code, "hints": []any{}},
		"entrypoints": []any{map[string]any{"builtins": []string{"output", "range_check", "bitwise"}, "offset": 0, "kind": "Standalone"}}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := vm.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestWrapTakesAllBuiltinsAtOnce wraps a run with every builtin that proofs cover. Its circuit is that of any other run.
func TestWrapTakesAllBuiltinsAtOnce(t *testing.T) {
	p := byHand(t, "4", "100", "9", "200", "0")
	r, err := prover.Prove(context.Background(), p, nil, prover.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifier.Verify(r.Proof, verifier.Accept{}); err != nil {
		t.Fatal(err)
	}
	a, err := verifier.AssignWrap(r.Proof)
	if err != nil || a.Violated != nil {
		t.Fatal(err, a.Violated)
	}
	if s := a.Head.Span; s.T0 != 4 || s.T1 != 9 || s.S1[31] != 200 {
		t.Errorf("%+v", s)
	}
	blank, err := verifier.BlankCircuit(a.ID())
	if err != nil {
		t.Fatal(err)
	}
	if err := sameTables(a.Circuit, blank); err != nil {
		t.Error(err)
	}
	verifier.NoValueIsFree(t, "wrap", a.Circuit, verifier.Security100, 1, 1, 8)
}

// TestRunsThatAreNoStepsOfAClock has honest runs whose outputs are five felts and no clock. Natively that is said first; the
// circuit says it too, and nothing else is wrong with them.
func TestRunsThatAreNoStepsOfAClock(t *testing.T) {
	pr := new(prover.Prover)
	for what, c := range map[string]struct{ t0, t1, says string }{
		"no time":      {"9", "9", "the clock goes on"},
		"t1 of 2^62":   {"9", "4611686018427387904", "the last clock is below 2^62"},
		"t1 of 2^128":  {"9", "340282366920938463463374607431768211465", "the last clock is below 2^64"},
		"t0 below 0":   {"-1", "9", "the first clock is below 2^64"},
		"t0 of 2^64+1": {"18446744073709551617", "9", "the first clock is below 2^64"},
	} {
		r, err := pr.Prove(t.Context(), byHand(t, c.t0, "1", c.t1, "2", "0"), nil, prover.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verifier.Verify(r.Proof, verifier.Accept{}); err != nil {
			t.Fatal(err)
		}
		if _, err := verifier.AssignWrap(r.Proof); !errors.Is(err, verifier.ErrNotClock) {
			t.Errorf("%s: %v", what, err)
		}
		a, err := verifier.WrapAll(r.Proof)
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.Refusal(a); err == nil || !strings.HasPrefix(err.Error(), c.says) {
			t.Errorf("%s: the circuit says %v, want %q", what, err, c.says)
		}
	}
}
