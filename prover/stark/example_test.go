package stark_test

import (
	"context"
	"fmt"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/prover/stark"
	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// A table of numbers and their squares, whose numbers are those of a counting table: described, proven and verified.
func ExampleProve() {
	count := air.NewRelation(1, "Count", 1, "yield: counter only, by its row's number")
	squares := air.NewBuilder("squares", air.AnyHeight)
	x, y := squares.Main("x"), squares.Main("y")
	squares.Equal("y is the square of x", y, x.Mul(x))
	squares.Use(count, squares.Const(1), x)
	counter := air.NewBuilder("counter", air.AnyHeight)
	counter.YieldTimes(count, counter.Main("times"), counter.Seq())
	set, err := air.NewSet("example", squares.MustBuild(), counter.MustBuild())
	if err != nil {
		fmt.Println(err)
		return
	}

	// 16 numbers below 64: 0, 3, 6, .. of which each is looked up once.
	xs, ys, times := make(koalabear.Vector, 16), make(koalabear.Vector, 16), make(koalabear.Vector, 64)
	for i := range xs {
		xs[i] = field.New(uint64(3 * i))
		ys[i] = field.New(uint64(9 * i * i))
		times[3*i] = field.New(1)
	}

	ctx, params := context.Background(), vstark.Proven100(8)
	pre, err := stark.CommitPreprocessed(ctx, set, params, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	inst := &vstark.Instance{
		Set: set, Params: params,
		LogHeights:   []int{4, 6},
		Scalars:      make([][]field.Element, 2),
		Preprocessed: pre.Root(), // a verifier has it as its own constant
	}
	trace := &stark.Trace{Main: [][]koalabear.Vector{{xs, ys}, {times}}}
	proof, err := stark.Prove(ctx, inst, pre, nil, trace, stark.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("verified:", vstark.Verify(inst, proof))

	ys[5] = field.New(226)
	proof, err = stark.Prove(ctx, inst, pre, nil, trace, stark.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("15^2 = 226:", vstark.Verify(inst, proof))
	// Output:
	// verified: <nil>
	// 15^2 = 226: the constraints do not hold at the out-of-domain point: the proof does not hold
}
