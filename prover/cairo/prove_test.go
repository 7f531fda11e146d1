package cairo

import (
	"context"
	"sync"
	"testing"

	"github.com/seed06907907/fatty/prover/stark"
	"github.com/seed06907907/fatty/verifier/cairo"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// testParams are those of the smallest pinned size with few queries, at blow-up 2 to be quick: sound enough to see any single
// mistake.
var testParams = vstark.Params{LogN: 16, LogBlowup: 1, Queries: 8, QueryGrind: 0, FoldLog: 3, FinalLog: 6}

var preprocessed = sync.OnceValues(func() (*stark.Fixed, error) {
	return stark.CommitPreprocessed(context.Background(), cairo.Core(), testParams, cairo.TableColumns())
})

// instance is what a verifier of the run knows.
func instance(t testing.TB, in *Input) (*vstark.Instance, *stark.Fixed, *stark.Fixed) {
	t.Helper()
	pre, err := preprocessed()
	if err != nil {
		t.Fatal(err)
	}
	columns, log, err := cairo.ProgramColumns(in.Bytecode)
	if err != nil {
		t.Fatal(err)
	}
	program, err := stark.CommitProgram(context.Background(), cairo.Core(), testParams, columns)
	if err != nil {
		t.Fatal(err)
	}
	return &vstark.Instance{Set: cairo.Core(), Params: testParams, LogHeights: in.LogHeights, Scalars: in.Public.Scalars(),
		Preprocessed: pre.Root(), Program: program.Root(), ProgramLogHeight: log, Public: in.Public.Words(),
		PublicSum: in.Public.PublicSum}, pre, program
}

// proveAndVerify proves a witness as it is and returns the verifier's verdict.
func proveAndVerify(t testing.TB, in *Input) error {
	t.Helper()
	inst, pre, program := instance(t, in)
	proof, err := stark.Prove(context.Background(), inst, pre, program, &stark.Trace{Main: in.Main}, stark.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := in.Public.Check(in.LogHeights); err != nil {
		return err
	}
	return vstark.Verify(inst, proof)
}

// TestProveReferenceRuns proves and verifies one run of each reference machine.
func TestProveReferenceRuns(t *testing.T) {
	for _, name := range covered {
		t.Run(name, func(t *testing.T) {
			in := witness(t, run(t, loadProgram(t, name), felts(t, loadCases(t, name)[0].Input)))
			if err := proveAndVerify(t, in); err != nil {
				t.Fatal(err)
			}
		})
	}
}
