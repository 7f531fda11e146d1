package vm

import (
	"context"
	"math/big"
	"testing"
)

// benchmarkHints reports steps a second of a program of testdata/hints0 on one input.
func benchmarkHints(b *testing.B, name string, input []*big.Int) {
	program, file := loadHintProgram(b, name)
	in := bigFelts(input)
	var steps uint64
	b.ReportAllocs()
	for b.Loop() {
		r, err := Run(context.Background(), program, in, Config{Layout: file.Layout})
		if err != nil {
			b.Fatal(err)
		}
		steps += r.Steps
	}
	b.ReportMetric(float64(steps)/b.Elapsed().Seconds()/1e6, "Msteps/s")
}

// BenchmarkDict writes and reads 10,000 times under 100 keys, and squashes.
func BenchmarkDict(b *testing.B) {
	const accesses = 10_000
	input := []*big.Int{new(big.Int), new(big.Int), new(big.Int), big.NewInt(accesses)}
	for i := range int64(accesses) {
		input = append(input, big.NewInt(i%2), big.NewInt(i*i%100), big.NewInt(i))
	}
	benchmarkHints(b, "dicts", input)
}

// BenchmarkSort sorts 2,000 numbers of 500 values.
func BenchmarkSort(b *testing.B) {
	const n = 2_000
	input := []*big.Int{big.NewInt(8), new(big.Int), new(big.Int), new(big.Int), big.NewInt(n)}
	for i := range int64(n) {
		input = append(input, big.NewInt(i*i*i%500))
	}
	benchmarkHints(b, "arrays", input)
}
