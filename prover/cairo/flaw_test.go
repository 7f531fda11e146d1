package cairo

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/prover/stark"
	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/cairo"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// refit computes all multiplicities anew, as far as tuples are yielded at all: what an attacker does before proving.
func refit(t testing.TB, in *Input) {
	t.Helper()
	tables := airTables(t, in)
	uses := map[string]uint32{}
	rg := newRanges()
	add := func(r *air.Relation, tuple []air.Element) {
		if in, ok := ranged(r, tuple); ok {
			if in {
				v := func(i int) uint32 { return uint32(tuple[i].Uint64()) }
				switch r {
				case cairo.Bytes:
					rg.pairs[v(0)<<8|v(1)]++
				case cairo.Word:
					rg.words[v(0)]++
				case cairo.Xor:
					rg.xors[v(0)<<8|v(1)]++
				}
			}
			return
		}
		uses[tupleKey(r, tuple)]++
	}
	each := func(f func(i, row int, v []air.Element, l air.Lookup, tuple []air.Element)) {
		for i, c := range cairo.Core().Components {
			if c.Name == cairo.NameBytes {
				continue
			}
			for row := range tables[i].Main[0] {
				v, err := tables[i].EvalRow(c, row)
				if err != nil {
					t.Fatal(err)
				}
				for _, l := range c.Lookups {
					tuple := make([]air.Element, len(l.Tuple))
					for j, n := range l.Tuple {
						tuple[j] = v[n]
					}
					f(i, row, v, l, tuple)
				}
			}
		}
	}
	each(func(_, _ int, v []air.Element, l air.Lookup, tuple []air.Element) {
		if l.Unit && !l.Yield && !v[l.Numerator].IsZero() {
			add(l.Relation, tuple)
		}
	})
	for _, l := range in.Public.Lookups() {
		if !l.Yield {
			add(l.Relation, l.Tuple)
		}
	}
	each(func(i, row int, _ []air.Element, l air.Lookup, tuple []air.Element) {
		if l.Unit {
			return
		}
		n := cairo.Core().Components[i].Nodes[l.Numerator]
		k := tupleKey(l.Relation, tuple)
		tables[i].Main[n.Index][row] = element(uses[k])
		delete(uses, k) // a tuple that two rows could yield: the first yields all
	})
	_, at := cairo.Core().Component(cairo.NameBytes)
	byteTable(&table{main: in.Main[at]}, rg)
}

// clone copies a witness's columns, so that a test can change them.
func clone(in *Input) *Input {
	out := *in
	out.Main = make([][]koalabear.Vector, len(in.Main))
	for i := range in.Main {
		for _, col := range in.Main[i] {
			out.Main[i] = append(out.Main[i], slices.Clone(col))
		}
	}
	return &out
}

// TestChangedWitnessIsRefused changes one cell, fits all multiplicities, proves for real and expects the verifier to
// refuse. Which cells is drawn anew in every run; the oracle test covers them all.
func TestChangedWitnessIsRefused(t *testing.T) {
	in := everything(t)
	a := newAttack(t, in)
	inst, pre, program := instance(t, in)
	refit(t, in)
	checkOracle(t, in)
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	set := cairo.Core()
	columns := 0
	for _, c := range set.Components {
		columns += len(c.Main)
	}
	for range provenFlaws {
		i, col, row := 0, r.IntN(columns), 0
		for col >= len(set.Components[i].Main) {
			col -= len(set.Components[i].Main)
			i++
		}
		c := set.Components[i]
		for tries := 0; ; tries++ {
			row = r.IntN(1 << in.LogHeights[i])
			if freeCells(a, i, col, row) == "" || tries > 1000 {
				break
			}
		}
		if freeCells(a, i, col, row) != "" {
			continue // a multiplicity
		}
		flawed := clone(in)
		cell := &flawed.Main[i][col][row]
		old := *cell
		d := deltas(r)[r.IntN(len(deltas(r)))]
		if cell.Add(cell, &d); *cell == old || harmless(c.Main[col], *cell) {
			continue
		}
		refit(t, flawed)
		proof, err := stark.Prove(context.Background(), inst, pre, program, &stark.Trace{Main: flawed.Main}, stark.Options{})
		if err == nil {
			err = vstark.Verify(inst, proof)
		}
		if err == nil {
			t.Errorf("seed %d: %s, column %s, row %d: %v + %v is accepted", seed, c.Name, c.Main[col], row, old.Uint64(), d.String())
		}
	}
}
