package vm

import (
	"context"
	"testing"
)

// benchmarkRun reports steps a second of one program on one input, relocation included.
func benchmarkRun(b *testing.B, name string, input ...string) {
	program := loadFixture(b, name)
	in := felts(b, input)
	var steps uint64
	b.ReportAllocs()
	for b.Loop() {
		r, err := Run(context.Background(), program, in, StwoConfig(0))
		if err != nil {
			b.Fatal(err)
		}
		steps += r.Steps
	}
	b.ReportMetric(float64(steps)/b.Elapsed().Seconds()/1e6, "Msteps/s")
}

func BenchmarkFibonacci(b *testing.B) {
	benchmarkRun(b, "fibonacci", "0", "1000", "500000", "2", "1", "1")
}

func BenchmarkLCG(b *testing.B) { benchmarkRun(b, "lcg", "0", "9", "50000", "0") }

func BenchmarkLife(b *testing.B) { benchmarkRun(b, "life", "0", "18364758544493064720", "2000", "0") }
