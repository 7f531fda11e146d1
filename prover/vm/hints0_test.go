package vm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// hintFile is inputs of one program of testdata/hints0 with what the reference runner, in Python, gave.
type (
	hintFile struct {
		Program string
		Layout  string
		Cases   []hintCase
	}
	hintCase struct {
		Name  string
		Input []string
		// Scope is the outermost hint scope at the start: what a host can preset, such as a path in a tree.
		Scope    map[string]json.RawMessage
		Output   []string
		Opening  []string // nil: none was handed on
		Builtins map[string]int
		hintRun
		Proof *hintRun `json:"proof_mode"`
		// MustFail says why the reference refuses the input, at which pc, and whether it is a hint that refuses.
		MustFail string `json:"must_fail"`
		PC       uint64
		InHint   bool `json:"in_hint"`
	}
	hintRun struct {
		Steps  uint64
		Trace  string `json:"trace_sha256"`
		Memory string `json:"memory_sha256"`
	}
)

const hintTestSteps = 1 << 17

var hintPrograms = []string{"math", "arrays", "dicts", "uint256", "hashes", "merkle", "opening"}

func loadHintProgram(t testing.TB, name string) (*Program, hintFile) {
	t.Helper()
	dir := filepath.Join("testdata", "hints0")
	data, err := os.ReadFile(filepath.Join(dir, name+".cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file hintFile
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	program, err := Load(readGzip(t, filepath.Join(dir, file.Program)))
	if err != nil {
		t.Fatal(err)
	}
	return program, file
}

// runWithScope is Run with variables in the outermost hint scope.
func runWithScope(program *Program, input []Felt, cfg Config, scope map[string]any) (*Result, error) {
	ctx := context.Background()
	if len(scope) == 0 {
		return Run(ctx, program, input, cfg)
	}
	l := layouts[cfg.Layout]
	r := &runner{config: cfg, layout: &l}
	r.program, r.limit, r.scopes = program, cfg.MaxSteps, scopeStack{scope}
	for i := range input {
		r.input = append(r.input, feltValue(input[i]))
	}
	if err := r.initialize(); err != nil {
		return nil, err
	}
	if err := r.runUntil(ctx, r.end); err != nil {
		return nil, err
	}
	if cfg.ProofMode {
		if err := r.runSteps(ctx, 1); err != nil {
			return nil, err
		}
	}
	if err := r.endRun(ctx); err != nil {
		return nil, err
	}
	return r.result()
}

// presetScope reads the variables of a case: a number, a list, or a dictionary.
func presetScope(t *testing.T, in map[string]json.RawMessage) map[string]any {
	t.Helper()
	out := make(map[string]any)
	parse := func(s string) value {
		v, err := parseFelt(s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for name, raw := range in {
		var number json.Number
		var list []string
		var dict map[string]string
		switch raw[0] {
		case '[':
			if err := json.Unmarshal(raw, &list); err != nil {
				t.Fatal(err)
			}
			var vs []value
			for _, s := range list {
				vs = append(vs, parse(s))
			}
			out[name] = vs
		case '{':
			if err := json.Unmarshal(raw, &dict); err != nil {
				t.Fatal(err)
			}
			data := make(map[value]value)
			for k, v := range dict {
				data[parse(k)] = parse(v)
			}
			out[name] = data
		default:
			if err := json.Unmarshal(raw, &number); err != nil {
				t.Fatal(err)
			}
			out[name] = parse(number.String())
		}
	}
	return out
}

// TestHintsAgainstReference runs every library function that has a hint and compares with the reference runner: output,
// steps, builtins, trace and memory, and for what must fail, where it does.
func TestHintsAgainstReference(t *testing.T) {
	for _, name := range hintPrograms {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program, file := loadHintProgram(t, name)
			for i, c := range file.Cases {
				if c.MustFail != "" {
					checkHintFailure(t, program, file.Layout, i, c)
				} else {
					checkHintCase(t, program, file.Layout, i, c)
				}
			}
		})
	}
}

func checkHintCase(t *testing.T, program *Program, layout string, i int, c hintCase) {
	t.Helper()
	input := felts(t, c.Input)
	cfg := Config{Layout: layout, MaxSteps: hintTestSteps}
	r, err := runWithScope(program, input, cfg, presetScope(t, c.Scope))
	if err != nil {
		t.Errorf("case %d, %s: %v", i, c.Name, err)
		return
	}
	checkHintRun(t, i, c, r, c.hintRun)
	for b, want := range c.Builtins {
		if got := r.BuiltinInstances[b]; got != want {
			t.Errorf("case %d, %s: %d instances of %s, reference %d", i, c.Name, got, b, want)
		}
	}
	if c.Proof != nil {
		cfg.ProofMode, cfg.Pad = true, true
		if r, err = runWithScope(program, input, cfg, presetScope(t, c.Scope)); err != nil {
			t.Errorf("case %d, %s, proof mode: %v", i, c.Name, err)
			return
		}
		checkHintRun(t, i, c, r, *c.Proof)
	}
}

func checkHintRun(t *testing.T, i int, c hintCase, r *Result, want hintRun) {
	t.Helper()
	var output []string
	for _, v := range r.Output {
		output = append(output, feltValue(v).String()) // Felt's own String writes P-1 as -1
	}
	if !slices.Equal(output, c.Output) {
		t.Errorf("case %d, %s: output %v, reference %v", i, c.Name, output, c.Output)
	}
	if (r.Opening == nil) != (c.Opening == nil) || !slices.Equal(r.Opening, felts(t, c.Opening)) {
		t.Errorf("case %d, %s: opening %v, reference %v", i, c.Name, r.Opening, c.Opening)
	}
	if r.Steps != want.Steps {
		t.Errorf("case %d, %s: %d steps, reference %d", i, c.Name, r.Steps, want.Steps)
	}
	if hashOf(t, r.WriteTrace) != want.Trace {
		t.Errorf("case %d, %s: the trace differs from the reference", i, c.Name)
	}
	if hashOf(t, r.WriteMemory) != want.Memory {
		t.Errorf("case %d, %s: the memory differs from the reference", i, c.Name)
	}
}

func checkHintFailure(t *testing.T, program *Program, layout string, i int, c hintCase) {
	t.Helper()
	input := felts(t, c.Input)
	for _, cfg := range []Config{
		{Layout: layout, MaxSteps: hintTestSteps},
		{Layout: layout, MaxSteps: hintTestSteps, ProofMode: true, Pad: true},
	} {
		r, err := runWithScope(program, input, cfg, presetScope(t, c.Scope))
		if err == nil {
			t.Errorf("case %d, %s (%s): it ran to the end with output %v", i, c.Name, c.MustFail, r.Output)
			continue
		}
		var hint *HintError
		var step *StepError
		switch {
		case errors.As(err, &hint):
			if !c.InHint || hint.PC != c.PC || hint.Unknown {
				t.Errorf("case %d, %s (%s): the reference fails at pc %d, in a hint: %v; got %v", i, c.Name, c.MustFail, c.PC,
					c.InHint, err)
			}
		case errors.As(err, &step):
			if c.InHint || step.PC != c.PC {
				t.Errorf("case %d, %s (%s): the reference fails at pc %d, in a hint: %v; got %v", i, c.Name, c.MustFail, c.PC,
					c.InHint, err)
			}
		default:
			t.Errorf("case %d, %s (%s): neither a hint nor a step failed: %v", i, c.Name, c.MustFail, err)
		}
	}
}

// TestUnknownHint demands that a program with a hint of its author's own fails with the hint's text and place.
func TestUnknownHint(t *testing.T) {
	program, _ := loadHintProgram(t, "unknown")
	_, err := Run(context.Background(), program, nil, Config{Layout: "small", MaxSteps: hintTestSteps})
	var hint *HintError
	if !errors.As(err, &hint) || !hint.Unknown {
		t.Fatalf("got %v; want an unknown hint", err)
	}
	if !strings.Contains(hint.Text, "ids.x = 41 + 1") || !strings.Contains(err.Error(), hint.Text) {
		t.Errorf("the error has not the hint's text: %v", err)
	}
	if program.instructions[hint.PC].hints == 0 || !strings.Contains(err.Error(), fmt.Sprint("pc ", hint.PC)) {
		t.Errorf("the error has not the hint's pc: %v", err)
	}
}

// TestOpeningBounds demands that an opening is a list of bounded length of felts.
func TestOpeningBounds(t *testing.T) {
	program, file := loadHintProgram(t, "opening")
	for why, input := range map[string][]string{
		"too long":             {"1", "0", strconv.Itoa(MaxOpening + 1), "7"},
		"negative length":      {"1", "0", new(big.Int).Sub(prime, one).String(), "7"},
		"before the segment":   {"1", new(big.Int).Sub(prime, big.NewInt(9)).String(), "1", "7"},
		"far beyond all cells": {"1", new(big.Int).Rsh(prime, 1).String(), "1", "7"},
	} {
		if r, err := Run(context.Background(), program, felts(t, input), Config{Layout: file.Layout}); err == nil {
			t.Errorf("%s: the opening %v was handed on", why, r.Opening)
		}
	}
}

// TestHintTable checks the table's entries: digests are digests, nothing is there twice, and every hint runs in some
// case that succeeds.
func TestHintTable(t *testing.T) {
	digest := regexp.MustCompile(`^[0-9a-f]{64}$`)
	entries := 0
	for _, table := range [][]hint0{hints0Machine, hints0Math, hints0Arrays, hints0Dict, hints0Uint256, hints0Merkle} {
		for _, h := range table {
			entries++
			if !digest.MatchString(h.digest) {
				t.Errorf("%s: %q is no digest", h.name, h.digest)
			}
			if h.module == "" || h.name == "" || h.run == nil {
				t.Errorf("%s: module, name and function have to be there", h.digest)
			}
		}
	}
	if len(hints0) != entries {
		t.Errorf("%d entries, but %d digests: one is there twice", entries, len(hints0))
	}
	used := make(map[string]bool)
	for _, name := range hintPrograms {
		program, file := loadHintProgram(t, name)
		for _, c := range file.Cases {
			if c.MustFail == "" {
				markHints(t, program, file.Layout, c, used)
			}
		}
	}
	for _, h := range hints0 {
		if !used[h.name] {
			t.Errorf("no case runs the hint %s of %s", h.name, h.module)
		}
	}
}

// markHints notes the names of the hints at every pc that a case's run comes to.
func markHints(t *testing.T, program *Program, layout string, c hintCase, used map[string]bool) {
	t.Helper()
	r, err := runWithScope(program, felts(t, c.Input), Config{Layout: layout, MaxSteps: hintTestSteps}, presetScope(t, c.Scope))
	if err != nil {
		t.Errorf("%s: %v", c.Name, err)
		return
	}
	for _, row := range r.Trace {
		pc := int(row.PC) - 1 // the program's segment begins at address 1
		if list := program.instructions[pc].hints; list > 0 {
			for _, h := range program.hints0[list-1] {
				used[h.known.name] = true
			}
		}
	}
}
