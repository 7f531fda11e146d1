package examples

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/seed06907907/fatty/prover/vm"
)

var machines = []string{"lcg", "counter"}

// caseFile is inputs of a machine's program with the reference virtual machine's results.
type (
	caseFile struct {
		Program, Layout string
		Cases           []machineCase
	}
	machineCase struct {
		Name          string
		Input, Output []string
		Execution     referenceRun
		Proof         referenceRun `json:"proof_mode"`
		MustFail      string       `json:"must_fail"`
	}
	referenceRun struct {
		Steps    uint64
		Unpadded uint64 `json:"unpadded_steps"`
		Builtins map[string]int
		Trace    string `json:"trace_sha256"`
		Memory   string `json:"memory_sha256"`
		Rows     int    `json:"memory_rows"`
	}
)

// maxSteps holds the padded runs of all cases, and stops the one that never ends.
const maxSteps = 1 << 17

// TestMachinesAgainstReference runs every case and compares with what the reference virtual machine gave.
func TestMachinesAgainstReference(t *testing.T) {
	for _, name := range machines {
		program, file := load(t, name)
		for _, c := range file.Cases {
			t.Run(name+"/"+c.Name, func(t *testing.T) {
				plain := vm.Config{Layout: file.Layout, MaxSteps: maxSteps}
				proof := vm.Config{Layout: file.Layout, MaxSteps: maxSteps, ProofMode: true, Pad: true}
				if c.MustFail != "" {
					for _, cfg := range []vm.Config{plain, proof, vm.StwoConfig(maxSteps)} {
						if r, err := vm.Run(context.Background(), program, felts(t, c.Input), cfg); err == nil {
							t.Errorf("it ran to the end with output %v, but %s", r.Output, c.MustFail)
						}
					}
					return
				}
				checkRun(t, program, c, plain, c.Execution)
				checkRun(t, program, c, proof, c.Proof)
				// What the prover runs: the same steps without the padding.
				r := run(t, program, c, vm.StwoConfig(maxSteps))
				if r.Steps != c.Proof.Unpadded {
					t.Errorf("%d steps without padding, reference %d", r.Steps, c.Proof.Unpadded)
				}
			})
		}
	}
}

// TestEndlessRun demands that a clock that cannot arrive ends at the step bound and not later.
func TestEndlessRun(t *testing.T) {
	program, _ := load(t, "lcg")
	minusOne := new(big.Int).Sub(prime, big.NewInt(1)).String()
	_, err := vm.Run(context.Background(), program, felts(t, []string{"0", "1", minusOne, "0"}), vm.StwoConfig(maxSteps))
	if !errors.Is(err, vm.ErrSteps) {
		t.Errorf("got %v; want the step bound", err)
	}
}

// TestMachinesAgainstModel compares with the machines' definitions in Go.
func TestMachinesAgainstModel(t *testing.T) {
	program, _ := load(t, "lcg")
	state := uint64(0x9e3779b97f4a7c15)
	input := []string{"5", new(big.Int).SetUint64(state).String(), "300", "0"}
	for range 300 {
		state = 6364136223846793005*state + 1442695040888963407
	}
	r := run(t, program, machineCase{Input: input}, vm.StwoConfig(maxSteps))
	want := []string{"5", input[1], "305", new(big.Int).SetUint64(state).String(), "0"}
	if got := texts(r.Output); !slices.Equal(got, want) {
		t.Errorf("lcg: output %v, want %v", got, want)
	}

	program, _ = load(t, "counter")
	sum := new(big.Int)
	for i, tx := range []string{"7", "0", "1000000000000000000000000000000000000000", "3"} {
		before := sum.String()
		n, _ := new(big.Int).SetString(tx, 10)
		sum.Mod(sum.Add(sum, n), prime)
		clock := big.NewInt(int64(i))
		input := []string{clock.String(), before, "1", "1", tx}
		want := []string{clock.String(), before, clock.Add(clock, big.NewInt(1)).String(), sum.String(), tx}
		r := run(t, program, machineCase{Input: input}, vm.StwoConfig(maxSteps))
		if got := texts(r.Output); !slices.Equal(got, want) {
			t.Errorf("counter: output %v, want %v", got, want)
		}
	}
}

// machineFile is a machine file's keys; see the comments in the files.
type machineFile struct {
	Program string
	Lock    string
	Start   struct {
		State   string
		Opening []string
	}
	Clock struct {
		Transaction int
		Inputs      string
		Succession  string
		Opening     string
		Idle        []string
		Ticks       uint64
		Cadence     string
	}
}

// TestMachineFiles reads the machine files strictly and takes each machine's first step from its starting state: with
// the idle transaction, or by as many ticks as a segment has.
func TestMachineFiles(t *testing.T) {
	for _, name := range machines {
		var m machineFile
		meta, err := toml.DecodeFile(filepath.Join(name, name+".toml"), &m)
		if err != nil {
			t.Fatal(err)
		}
		if unknown := meta.Undecoded(); len(unknown) > 0 {
			t.Errorf("%s: unknown keys %v", name, unknown)
		}
		for _, key := range [][]string{
			{"program"}, {"lock"}, {"start", "state"}, {"start", "opening"}, {"clock", "transaction"}, {"clock", "inputs"},
			{"clock", "succession"}, {"clock", "opening"}, {"clock", "idle"}, {"clock", "ticks"}, {"clock", "cadence"},
		} {
			if !meta.IsDefined(key...) {
				t.Errorf("%s: the key %v is missing", name, key)
			}
		}
		if _, err := time.ParseDuration(m.Clock.Cadence); err != nil {
			t.Errorf("%s: cadence: %v", name, err)
		}
		if len(m.Clock.Idle) != m.Clock.Transaction {
			t.Errorf("%s: the idle transaction has %d felts, a transaction %d", name, len(m.Clock.Idle), m.Clock.Transaction)
		}
		ticks := uint64(1)
		if m.Clock.Transaction == 0 {
			ticks = m.Clock.Ticks
		}
		witness := slices.Concat(m.Start.Opening, m.Clock.Idle)
		input := slices.Concat([]string{"0", m.Start.State, new(big.Int).SetUint64(ticks).String(),
			big.NewInt(int64(len(witness))).String()}, witness)
		data, err := os.ReadFile(filepath.Join(name, m.Program))
		if err != nil {
			t.Fatal(err)
		}
		program, err := vm.Load(data)
		if err != nil {
			t.Fatal(err)
		}
		r := run(t, program, machineCase{Input: input}, vm.StwoConfig(maxSteps))
		if got := texts(r.Output)[2]; got != input[2] {
			t.Errorf("%s: the first segment ends at clock %s, want %s", name, got, input[2])
		}
		if name == "lcg" && r.Steps > 1<<15 {
			t.Errorf("lcg: a segment has %d steps; its machine file promises at most 2^15", r.Steps)
		}
	}
}

var prime, _ = new(big.Int).SetString("800000000000011000000000000000000000000000000000000000000000001", 16)

func load(t *testing.T, name string) (*vm.Program, caseFile) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(name, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file caseFile
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if data, err = os.ReadFile(filepath.Join(name, file.Program)); err != nil {
		t.Fatal(err)
	}
	program, err := vm.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	return program, file
}

func felts(t *testing.T, list []string) []vm.Felt {
	t.Helper()
	out := make([]vm.Felt, len(list))
	for i, s := range list {
		n, ok := new(big.Int).SetString(s, 0)
		if !ok || n.Sign() < 0 || n.Cmp(prime) >= 0 {
			t.Fatalf("%q is no field element", s)
		}
		out[i].SetBigInt(n)
	}
	return out
}

// texts writes field elements as decimal numbers in [0, P).
func texts(list []vm.Felt) []string {
	var out []string
	for i := range list {
		out = append(out, list[i].BigInt(new(big.Int)).String())
	}
	return out
}

func run(t *testing.T, program *vm.Program, c machineCase, cfg vm.Config) *vm.Result {
	t.Helper()
	r, err := vm.Run(context.Background(), program, felts(t, c.Input), cfg)
	if err != nil {
		t.Fatalf("%+v: %v", cfg, err)
	}
	if c.Output != nil && !slices.Equal(texts(r.Output), c.Output) {
		t.Errorf("%+v: output %v, reference %v", cfg, texts(r.Output), c.Output)
	}
	return r
}

func checkRun(t *testing.T, program *vm.Program, c machineCase, cfg vm.Config, want referenceRun) {
	t.Helper()
	r := run(t, program, c, cfg)
	if r.Steps != want.Steps {
		t.Errorf("%+v: %d steps, reference %d", cfg, r.Steps, want.Steps)
	}
	for name, n := range want.Builtins {
		if got := r.BuiltinInstances[name]; got != n {
			t.Errorf("%+v: %d instances of %s, reference %d", cfg, got, name, n)
		}
	}
	if hash(t, r.WriteTrace) != want.Trace {
		t.Errorf("%+v: the trace differs from the reference", cfg)
	}
	if hash(t, r.WriteMemory) != want.Memory {
		t.Errorf("%+v: the memory (%d rows in the reference) differs from the reference", cfg, want.Rows)
	}
}

func hash(t *testing.T, write func(io.Writer) error) string {
	t.Helper()
	h := sha256.New()
	if err := write(h); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}
