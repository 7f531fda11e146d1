package cairo

import (
	"context"
	"fmt"
	"testing"

	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier/cairo"
)

// lcgRun is a run of the lcg machine with about 2^log steps.
func lcgRun(t testing.TB, log int) *vm.Result {
	t.Helper()
	p := loadProgram(t, "lcg")
	var input [4]vm.Felt
	input[1].SetUint64(1)
	steps := func(n uint64) (*vm.Result, int) {
		input[2].SetUint64(n)
		res := run(t, p, input[:])
		return res, len(res.Trace) - 1
	}
	_, base := steps(0)
	_, more := steps(100)
	res, _ := steps(uint64(((1<<log)-base)*100/(more-base)) - 1)
	return res
}

// BenchmarkWitness measures the tables of a run of about 2^18 steps.
func BenchmarkWitness(b *testing.B) {
	for _, log := range []int{14, 18} {
		b.Run(fmt.Sprintf("steps=2^%d", log), func(b *testing.B) {
			res := lcgRun(b, log)
			b.ReportMetric(float64(len(res.Trace)-1), "steps")
			for b.Loop() {
				if _, err := Witness(context.Background(), res); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCells counts the base field cells of that run's tables, interaction columns included.
func BenchmarkCells(b *testing.B) {
	res := lcgRun(b, 18)
	in := witness(b, res)
	cells := 0
	for b.Loop() {
		cells = 0
	}
	for i, c := range cairo.Core().Components {
		n := (len(c.Main) + 6*len(c.Batches)) << in.LogHeights[i]
		cells += n
		b.Logf("%-22s 2^%-2d %9d cells", c.Name, in.LogHeights[i], n)
	}
	b.ReportMetric(float64(cells)/float64(len(res.Trace)-1), "cells/step")
}
