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
	for name, want := range c.Execution.Builtins {
		if got := plain.BuiltinInstances[strings.TrimSuffix(name, "_builtin")]; got != want {
			t.Errorf("case %d: %d instances of %s, reference %d", i, got, name, want)
		}
	}
	for j, want := range []*referenceProof{c.Proof, c.Stwo} {
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
		checkProof(t, i, r, want)
	}
}

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
