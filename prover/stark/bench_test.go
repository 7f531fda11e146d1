package stark_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/prover/stark"
	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// wideSet is a component about as wide as the one that proves every Cairo instruction (300 columns, 80 lookups, six of
// them of 33 entries) beside a byte table. The table comes last: a leaf's chain is computed at the largest height so far.
func wideSet() *air.Set {
	bytes := air.NewRelation(1, "Bytes", 2, "")
	value := air.NewRelation(2, "Value", 33, "")
	b := air.NewBuilder("bytes", 16)
	b.YieldTimes(bytes, b.Main("times"), b.Table("hi"), b.Table("lo"))
	w := air.NewBuilder("wide", air.AnyHeight)
	x := w.MainN("x", 300)
	for i := range 100 {
		w.Equal("product", x[3*i+2], x[3*i].Mul(x[3*i+1]))
	}
	for i := range 300 {
		j := (7*i + 5) % 100
		w.Zero("gated product", x[i].Mul(x[3*j].Mul(x[3*j+1]).Sub(x[3*j+2])))
	}
	one := w.Const(1)
	for i := range 74 {
		w.Use(bytes, one, x[3*i], x[3*i+1])
	}
	for i := range 3 {
		w.Use(value, one, x[33*i:33*i+33]...)
		w.Yield(value, one, x[33*i:33*i+33]...)
	}
	set, err := air.NewSet("wide", w.MustBuild(), b.MustBuild())
	if err != nil {
		panic(err)
	}
	return set
}

func wideCase(tb testing.TB, p vstark.Params, k int) (*vstark.Instance, *stark.Fixed, *stark.Trace) {
	set := wideSet()
	hi, lo, times := make(koalabear.Vector, 1<<16), make(koalabear.Vector, 1<<16), make(koalabear.Vector, 1<<16)
	counts := make([]uint64, 1<<16)
	for i := range hi {
		hi[i].SetUint64(uint64(i >> 8))
		lo[i].SetUint64(uint64(i & 255))
	}
	pre, err := stark.CommitPreprocessed(context.Background(), set, p, map[string]koalabear.Vector{"hi": hi, "lo": lo})
	if err != nil {
		tb.Fatal(err)
	}
	x := make([]koalabear.Vector, 300)
	for i := range x {
		x[i] = make(koalabear.Vector, 1<<k)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for r := range 1 << k {
		for i := range 100 {
			v := rnd.Uint64N(1 << 16)
			x[3*i][r], x[3*i+1][r] = hi[v], lo[v]
			x[3*i+2][r].SetUint64((v >> 8) * (v & 255))
			if i < 74 {
				counts[v]++
			}
		}
	}
	for i := range times {
		times[i] = field.New(counts[i])
	}
	inst := &vstark.Instance{Set: set, Params: p, LogHeights: []int{k, 16}, Scalars: make([][]field.Element, 2), Preprocessed: pre.Root()}
	return inst, pre, &stark.Trace{Main: [][]koalabear.Vector{x, {times}}}
}

func BenchmarkProve(b *testing.B) {
	for _, c := range []struct{ n, k int }{{16, 14}, {18, 18}, {20, 20}} {
		b.Run(fmt.Sprintf("rows=2^%d/size=2^%d", c.k, c.n), func(b *testing.B) {
			inst, pre, trace := wideCase(b, vstark.Proven100(c.n), c.k)
			var proof *vstark.Proof
			spent := map[string]time.Duration{}
			for b.Loop() {
				var err error
				last, begun := "", time.Now()
				proof, err = stark.Prove(context.Background(), inst, pre, nil, trace, stark.Options{Progress: func(stage string, _, _ int) {
					if last != "" {
						spent[last] += time.Since(begun)
					}
					last, begun = stage, time.Now()
				}})
				if err != nil {
					b.Fatal(err)
				}
			}
			for stage, d := range spent {
				b.ReportMetric(float64(d.Milliseconds())/float64(b.N), strings.ReplaceAll(stage, " ", "-")+"-ms")
			}
			if err := vstark.Verify(inst, proof); err != nil {
				b.Fatal(err)
			}
			bytes, err := proof.Encode(inst)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(bytes)), "proof-bytes")
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	inst, pre, trace := wideCase(b, vstark.Proven100(16), 14)
	proof, err := stark.Prove(context.Background(), inst, pre, nil, trace, stark.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if err := vstark.Verify(inst, proof); err != nil {
			b.Fatal(err)
		}
	}
}
