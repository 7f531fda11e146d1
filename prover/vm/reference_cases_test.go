package vm

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// readGzip reads a compressed fixture.
func readGzip(t testing.TB, path string) []byte {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func loadFixture(t testing.TB, name string) *Program {
	t.Helper()
	p, err := Load(readGzip(t, filepath.Join("testdata", "programs0", name+".json.gz")))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func felts(t testing.TB, texts []string) []Felt {
	t.Helper()
	out := make([]Felt, len(texts))
	for i, s := range texts {
		v, err := parseFelt(s)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = v.felt()
	}
	return out
}

// The reference runners' results.
type (
	referenceFile struct{ Cases []referenceCase }
	referenceCase struct {
		Input, Output []string
		Layout        string
		Execution     struct {
			Steps    uint64         `json:"n_steps"`
			Holes    int64          `json:"n_memory_holes"`
			Builtins map[string]int `json:"builtin_instance_counter"`
		}
		Proof    *referenceProof `json:"proof_mode"`
		Stwo     *referenceProof `json:"stwo_nopad"`
		MustFail bool            `json:"must_fail"`
		Why      string
	}
	referenceProof struct {
		Layout   string
		Steps    uint64                   `json:"n_steps"`
		RCMin    uint16                   `json:"rc_min"`
		RCMax    uint16                   `json:"rc_max"`
		Segments map[string]publicSegment `json:"memory_segments"`
		Public   int                      `json:"n_public_memory"`
		Trace    referenceTable
		Memory   referenceTable
	}
	referenceTable struct {
		SHA256 string
		Rows   int
	}
)

var fixtureNames = []string{"bank", "collatz", "counter", "ec_op", "fibonacci", "lcg", "ledger_fold", "ledger_poseidon",
	"life", "pedersen_chain", "poseidon_chain"}

// TestReferenceCases holds every run to what the reference runners gave.
func TestReferenceCases(t *testing.T) {
	for _, name := range fixtureNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := loadFixture(t, name)
			var file referenceFile
			if err := json.Unmarshal(readGzip(t, filepath.Join("testdata", "cases0", name+".json.gz")), &file); err != nil {
				t.Fatal(err)
			}
			for i, c := range file.Cases {
				checkCase(t, program, i, c)
			}
		})
	}
}

func checkCase(t *testing.T, program *Program, i int, c referenceCase) {
	t.Helper()
	input := felts(t, c.Input)
	configs := []Config{
		{Layout: c.Layout},
		{Layout: c.Layout, ProofMode: true, Pad: true},
		StwoConfig(0),
	}
	if c.MustFail {
		for _, config := range configs {
			config.MaxSteps = 1 << 20
			if r, err := Run(context.Background(), program, input, config); err == nil {
				t.Errorf("case %d (%s), config %+v: it ran to the end with output %v", i, c.Why, config, r.Output)
			}
		}
		return
	}
	plain, err := Run(context.Background(), program, input, configs[0])
	if err != nil {
		t.Errorf("case %d: %v", i, err)
		return
	}
	checkOutput(t, i, plain, c)
	if plain.Steps != c.Execution.Steps {
		t.Errorf("case %d: %d steps, reference %d", i, plain.Steps, c.Execution.Steps)
	}
	if holes := countHoles(t, program, input, configs[0]); holes != c.Execution.Holes {
		t.Errorf("case %d: %d memory holes, reference %d", i, holes, c.Execution.Holes)
	}
	for name, want := range c.Execution.Builtins {
		if got := plain.BuiltinInstances[strings.TrimSuffix(name, "_builtin")]; got != want {
			t.Errorf("case %d: %d instances of %s, reference %d", i, got, name, want)
		}
	}
	for j, want := range []*referenceProof{c.Proof, c.Stwo} {
		if want == nil && onlyPython(c) && j == 1 {
			// The Rust reference runner does not know the hint that hands the opening on.
			want = &referenceProof{}
		}
		if want == nil {
			t.Errorf("case %d: the fixture has no proof run", i)
			continue
		}
		r, err := Run(context.Background(), program, input, configs[j+1])
		if err != nil {
			t.Errorf("case %d, config %+v: %v", i, configs[j+1], err)
			continue
		}
		checkOutput(t, i, r, c)
		if want.Steps != 0 {
			checkProof(t, i, r, want)
		}
	}
}

// onlyPython tells whether a case has results of the Python reference runner alone, which has no S-two style.
func onlyPython(c referenceCase) bool { return c.Proof != nil && c.Stwo == nil }

func checkOutput(t *testing.T, i int, r *Result, c referenceCase) {
	t.Helper()
	if len(r.Output) != len(c.Output) {
		t.Errorf("case %d: %d output felts, reference %d", i, len(r.Output), len(c.Output))
		return
	}
	for j, want := range c.Output {
		if got := r.Output[j].String(); got != want {
			t.Errorf("case %d: output %d is %s, reference %s", i, j, got, want)
		}
	}
}

func checkProof(t *testing.T, i int, r *Result, want *referenceProof) {
	t.Helper()
	layout := r.Config.Layout
	if r.Steps != want.Steps {
		t.Errorf("case %d, %s: %d steps, reference %d", i, layout, r.Steps, want.Steps)
	}
	if r.RangeCheckMin != want.RCMin || r.RangeCheckMax != want.RCMax {
		t.Errorf("case %d, %s: range-check values %d to %d, reference %d to %d", i, layout, r.RangeCheckMin,
			r.RangeCheckMax, want.RCMin, want.RCMax)
	}
	if len(r.PublicMemory) != want.Public {
		t.Errorf("case %d, %s: %d public cells, reference %d", i, layout, len(r.PublicMemory), want.Public)
	}
	public := decodePublicInput(t, r)
	if len(public.Segments) != len(want.Segments) {
		t.Errorf("case %d, %s: %d segments, reference %d", i, layout, len(public.Segments), len(want.Segments))
	}
	for name, s := range want.Segments {
		if public.Segments[name] != s {
			t.Errorf("case %d, %s: segment %s is %+v, reference %+v", i, layout, name, public.Segments[name], s)
		}
	}
	if got := hashOf(t, r.WriteTrace); got != want.Trace.SHA256 {
		t.Errorf("case %d, %s: the trace (%d rows) differs from the reference (%d rows)", i, layout, len(r.Trace),
			want.Trace.Rows)
	}
	if got := hashOf(t, r.WriteMemory); got != want.Memory.SHA256 {
		t.Errorf("case %d, %s: the memory differs from the reference (%d rows)", i, layout, want.Memory.Rows)
	}
}

func hashOf(t testing.TB, write func(io.Writer) error) string {
	t.Helper()
	h := sha256.New()
	if err := write(h); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func decodePublicInput(t testing.TB, r *Result) publicInput {
	t.Helper()
	var b bytes.Buffer
	if err := r.WritePublicInput(&b); err != nil {
		t.Fatal(err)
	}
	var p publicInput
	if err := json.Unmarshal(b.Bytes(), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// countHoles runs again and counts the cells that no instruction accesses.
func countHoles(t *testing.T, program *Program, input []Felt, config Config) int64 {
	t.Helper()
	l := layouts[config.Layout]
	r := newRunner(program, input, config, &l)
	if err := r.initialize(); err != nil {
		t.Fatal(err)
	}
	if err := r.runUntil(context.Background(), r.end); err != nil {
		t.Fatal(err)
	}
	if err := r.memory.placeTemporary(); err != nil {
		t.Fatal(err)
	}
	return r.holes()
}

// TestReferenceFiles compares whole files, written by the reference runner for the first case of some programs.
func TestReferenceFiles(t *testing.T) {
	for _, name := range []string{"collatz", "counter", "fibonacci", "lcg", "ledger_fold", "pedersen_chain"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := filepath.Join("testdata", "cases0", name)
			var file referenceFile
			if err := json.Unmarshal(readGzip(t, base+".json.gz"), &file); err != nil {
				t.Fatal(err)
			}
			var want publicInput
			if err := json.Unmarshal(readGzip(t, base+".1.air_public_input.json.gz"), &want); err != nil {
				t.Fatal(err)
			}
			r, err := Run(context.Background(), loadFixture(t, name), felts(t, file.Cases[1].Input),
				Config{Layout: file.Cases[1].Layout, ProofMode: true, Pad: true})
			if err != nil {
				t.Fatal(err)
			}
			if got := decodePublicInput(t, r); !reflect.DeepEqual(got, want) {
				t.Errorf("the public input differs from the reference: %+v, not %+v", got, want)
			}
			var trace, memory bytes.Buffer
			if err := r.WriteTrace(&trace); err != nil {
				t.Fatal(err)
			}
			if err := r.WriteMemory(&memory); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(trace.Bytes(), readGzip(t, base+".1.trace.bin.gz")) {
				t.Error("the trace file differs from the reference")
			}
			if !bytes.Equal(memory.Bytes(), readGzip(t, base+".1.memory.bin.gz")) {
				t.Error("the memory file differs from the reference")
			}
		})
	}
}

// TestLongRuns holds the runs of a million steps and more to the reference.
func TestLongRuns(t *testing.T) {
	var file struct {
		Cases []struct {
			Program, Layout string
			Input, Output   []string
			Stwo            struct {
				Steps  uint64 `json:"n_steps"`
				Trace  string `json:"trace_sha256"`
				Memory string `json:"memory_sha256"`
			} `json:"stwo_nopad"`
		}
	}
	if err := json.Unmarshal(readGzip(t, filepath.Join("testdata", "cases0", "perf.json.gz")), &file); err != nil {
		t.Fatal(err)
	}
	for _, c := range file.Cases {
		name := strings.TrimSuffix(filepath.Base(c.Program), ".json")
		t.Run(name, func(t *testing.T) {
			r, err := Run(context.Background(), loadFixture(t, name), felts(t, c.Input), StwoConfig(0))
			if err != nil {
				t.Fatal(err)
			}
			checkOutput(t, 0, r, referenceCase{Output: c.Output})
			if r.Steps != c.Stwo.Steps {
				t.Errorf("%d steps, reference %d", r.Steps, c.Stwo.Steps)
			}
			if hashOf(t, r.WriteTrace) != c.Stwo.Trace {
				t.Error("the trace differs from the reference")
			}
			if hashOf(t, r.WriteMemory) != c.Stwo.Memory {
				t.Error("the memory differs from the reference")
			}
		})
	}
}
