package main

import (
	"os"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier"
)

func program(t *testing.T, path string) *vm.Program {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := vm.Load(b)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func vector(list ...uint64) []vm.Felt {
	out := make([]vm.Felt, len(list))
	for i, n := range list {
		out[i].SetUint64(n)
	}
	return out
}

// TestCut: the transitions of an input vector become runs as even as can be, each with its own transactions.
func TestCut(t *testing.T) {
	lcg, counter, pair := "../../examples/lcg/lcg.json", "../../examples/counter/counter.json", "../../machine/testdata/pair/pair.json"
	for _, c := range []struct {
		name, program string
		cut           cutting
		in            []vm.Felt
		opening       int
		ticks         []uint64
		each          int // felts of a transition
		err           string
	}{
		{"one run", lcg, cutting{1, -1}, vector(7, 1, 10, 0), 0, []uint64{10}, 0, ""},
		{"one run, whatever its witness is", pair, cutting{1, -1}, vector(0, 64, 1, 2, 1, 1), 0, []uint64{1}, 2, ""},
		{"even runs", lcg, cutting{4, -1}, vector(7, 1, 10, 0), 0, []uint64{3, 3, 2, 2}, 0, ""},
		{"a run each", lcg, cutting{3, -1}, vector(7, 1, 3, 0), 0, []uint64{1, 1, 1}, 0, ""},
		{"transactions of a program that takes one a run", counter, cutting{3, -1}, vector(0, 0, 3, 3, 5, 50, 500), 0, []uint64{1, 1, 1}, 1, ""},
		{"an opening", pair, cutting{2, -1}, vector(0, 64, 5, 2, 1, 1), 2, []uint64{3, 2}, 0, ""},
		{"said by the caller", lcg, cutting{2, 3}, vector(0, 1, 4, 14, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1), 2, []uint64{2, 2}, 3, ""},
		{"no whole number", counter, cutting{2, -1}, vector(0, 0, 2, 3, 1, 2, 3), 0, nil, 0, "--transaction"},
		{"too few felts", counter, cutting{2, 2}, vector(0, 0, 2, 3, 1, 2, 3), 0, nil, 0, "too few"},
		{"more runs than transitions", lcg, cutting{4, -1}, vector(0, 1, 3, 0), 0, nil, 0, "at most 3 runs"},
		{"no head", lcg, cutting{1, -1}, vector(0, 1, 3), 0, nil, 0, "[t0, S0, n, k"},
		{"no transitions", lcg, cutting{1, -1}, vector(0, 1, 0, 0), 0, nil, 0, "at least one transition"},
		{"another length", lcg, cutting{1, -1}, vector(0, 1, 1, 5, 1), 0, nil, 0, "k = 5"},
		{"past the end of the clock", lcg, cutting{1, -1}, vector(verifier.MaxClock-1, 1, 1, 0), 0, nil, 0, "2^62"},
	} {
		w, err := c.cut.work(t.Context(), program(t, c.program), c.in)
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil || len(w.Runs) != len(c.ticks) || w.T != c.in[0].Uint64() || w.S != c.in[1] || len(w.Opening) != c.opening {
			t.Errorf("%s: %+v %v", c.name, w, err)
			continue
		}
		all := append([]vm.Felt{}, w.Opening...)
		for i, r := range w.Runs {
			if r.Ticks != c.ticks[i] || len(r.Transactions) != c.each*int(r.Ticks) {
				t.Errorf("%s: run %d has %d transitions and %d felts", c.name, i, r.Ticks, len(r.Transactions))
			}
			all = append(all, r.Transactions...)
		}
		if len(all) != len(c.in)-headFelts {
			t.Errorf("%s: %d felts of %d", c.name, len(all), len(c.in)-headFelts)
		}
		for i := range all {
			if all[i] != c.in[headFelts+i] {
				t.Errorf("%s: felt %d is another", c.name, i)
			}
		}
	}
}

// TestMeet: each way in which two spans do not go together has its own word.
func TestMeet(t *testing.T) {
	span := func(key byte, t0, s0, t1, s1 uint64) spanFile {
		return spanFile{path: "x", Statement: verifier.Statement{Kind: verifier.KindSpan, Key: verifier.Key{key},
			Span: &verifier.Span{T0: t0, S0: vector(s0)[0].Bytes(), T1: t1, S1: vector(s1)[0].Bytes()}}}
	}
	left := span(1, 5, 50, 9, 90)
	for _, c := range []struct {
		right spanFile
		want  string
	}{
		{span(1, 9, 90, 12, 1), ""},
		{span(2, 9, 90, 12, 1), "program"},
		{span(1, 9, 91, 12, 1), "state"},
		{span(1, 10, 90, 12, 1), "gap"},
		{span(1, 8, 80, 12, 1), "overlap"},
		{left, "overlap"},
		{span(1, 2, 20, 5, 50), "order"},
		{span(1, 2, 20, 4, 50), "order"},
	} {
		err := meet(left, c.right)
		if got := ""; err != nil {
			if got = bodyOf(err).Code; got != c.want {
				t.Errorf("%+v: %v, want %q", c.right.Span, err, c.want)
			}
		} else if c.want != "" {
			t.Errorf("%+v: no error, want %q", c.right.Span, c.want)
		}
	}
}
