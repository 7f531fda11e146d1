package cairo

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"os"
	"testing"

	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/cairo"
)

const vmTestdata = "../vm/testdata/"

// covered are the reference machines whose builtins proofs cover.
var covered = []string{"counter", "fibonacci", "lcg", "collatz", "ledger_fold", "life"}

func readGzip(t testing.TB, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func loadProgram(t testing.TB, name string) *vm.Program {
	t.Helper()
	p, err := vm.Load(readGzip(t, vmTestdata+"programs0/"+name+".json.gz"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

type referenceCase struct {
	Input    []string `json:"input"`
	Output   []string `json:"output"`
	MustFail bool     `json:"must_fail"`
}

func loadCases(t testing.TB, name string) []referenceCase {
	t.Helper()
	var out struct {
		Cases []referenceCase `json:"cases"`
	}
	if err := json.Unmarshal(readGzip(t, vmTestdata+"cases0/"+name+".json.gz"), &out); err != nil {
		t.Fatal(err)
	}
	return out.Cases
}

func felts(t testing.TB, text []string) []vm.Felt {
	t.Helper()
	out := make([]vm.Felt, len(text))
	for i, s := range text {
		n, ok := new(big.Int).SetString(s, 10)
		if !ok {
			t.Fatalf("%q is no number", s)
		}
		out[i].SetBigInt(n)
	}
	return out
}

func run(t testing.TB, p *vm.Program, input []vm.Felt) *vm.Result {
	t.Helper()
	res, err := vm.Run(context.Background(), p, input, vm.StwoConfig(0))
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func witness(t testing.TB, res *vm.Result) *Input {
	t.Helper()
	in, err := Witness(context.Background(), res)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

var tableColumns = cairo.TableColumns()

// airTables gives the oracle what it needs.
func airTables(t testing.TB, in *Input) []air.Table {
	t.Helper()
	scalars := in.Public.Scalars()
	program, _, err := cairo.ProgramColumns(in.Bytecode)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]air.Table, len(in.Main))
	for i, c := range cairo.Core().Components {
		out[i].Params = scalars[i]
		for _, col := range in.Main[i] {
			out[i].Main = append(out[i].Main, col)
		}
		for _, f := range c.Fixed {
			col := make([]air.Element, 1<<in.LogHeights[i])
			switch f.Kind {
			case air.FixedSeq:
				for j := range col {
					col[j].SetUint64(uint64(j))
				}
			case air.FixedTable:
				col = tableColumns[f.Name]
			case air.FixedProgram:
				col = program[f.Name]
			}
			out[i].Fixed = append(out[i].Fixed, col)
		}
	}
	return out
}

func checkOracle(t testing.TB, in *Input) {
	t.Helper()
	if err := air.Check(cairo.Core(), airTables(t, in), in.Public.Lookups()); err != nil {
		t.Fatal(err)
	}
}

// TestReferenceRuns satisfies the oracle with every run of the reference machines.
func TestReferenceRuns(t *testing.T) {
	for _, name := range covered {
		p := loadProgram(t, name)
		for i, c := range loadCases(t, name) {
			if c.MustFail {
				continue
			}
			t.Run(fmt.Sprintf("%s/%d", name, i), func(t *testing.T) {
				res := run(t, p, felts(t, c.Input))
				in := witness(t, res)
				checkOracle(t, in)
				if len(in.Public.Output) != len(c.Output) {
					t.Fatalf("output of %d felts, want %d", len(in.Public.Output), len(c.Output))
				}
				for j, want := range felts(t, c.Output) {
					if in.Public.Output[j].Value != want.Bytes() {
						t.Errorf("output %d differs", j)
					}
				}
			})
		}
	}
}
