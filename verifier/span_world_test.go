package verifier_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	lcg, counter := machine(t, "lcg"), machine(t, "counter")
	first := goldenProof(t, "wrapped") // of lcg, from t = 0 to 3
	says, err := verifier.Verify(first, verifier.Accept{Kind: verifier.KindSpan})
	if err != nil {
		t.Fatal(err)
	}
	life, anchor := says.Life, says.Anchor
	blank, err := verifier.BlankCircuit(verifier.Security100, 0)
	if err != nil {
		t.Fatal(err)
	}
	next := func(p *vm.Program, state verifier.Felt, life, anchor [32]byte, more ...vm.Felt) wrapped {
		at := feltsOf(3, 0, 1)
		at[1].SetBytes(state[:])
		return wrapRun(t, pr, p, append(at, more...), prover.Options{Life: life, Anchor: anchor})
	}
	zero, end := vm.Felt{}, says.Span.S1
	spans := map[string]wrapped{
		"program": next(counter, end, life, anchor, feltsOf(1, 5)...),
		"state":   next(lcg, verifier.Felt{31: 8}, life, anchor, zero),
		"life":    next(lcg, end, [32]byte{1, 3}, anchor, zero),
		"anchor":  next(lcg, end, life, [32]byte{31: 8}, zero),
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
		"program": {verifier.ErrProgram, "the spans are of one program"},
		"state":   {verifier.ErrGap, "the right span begins in the state where the left one ends"},
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
		if err != nil || s.Life != want[0] || s.Anchor != want[1] || s.Span.T0 != 0 || s.Span.T1 != 4 {
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

// TestWrapTakesAllBuiltinsAtOnce wraps a run of a program with every builtin that proofs cover, put together by hand, as no
// machine of ours has all of them. Its circuit is that of any other run.
func TestWrapTakesAllBuiltinsAtOnce(t *testing.T) {
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
	push := func(v int) { code = append(code, word(0, -1, 1, opFP|imm|inc|assert), fmt.Sprint(v)) }     // [ap] = v; ap++
	store := func(pointer, i, v int) {                                                                  // [[fp + pointer] + i] = v
		push(v)
		code = append(code, word(-1, pointer, i, opFP|assert))
	}
	for i, v := range []int{4, 100, 9, 200, 0} { // t0, S0, t1, S1, inputs
		store(output, i, v)
	}
	for i := range 3 {
		store(ranged, i, 1<<20+i)
	}
	for i := range 2 { // instances of bitwise: two operands, and what comes of them is read
		store(bitwise, 5*i, 12345+i)
		store(bitwise, 5*i+1, 54321)
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
	blank, err := verifier.BlankCircuit(a.Form())
	if err != nil {
		t.Fatal(err)
	}
	if err := sameTables(a.Circuit, blank); err != nil {
		t.Error(err)
	}
	verifier.NoValueIsFree(t, "wrap", a.Circuit, verifier.Security100, 1, 1, 8)
}
