package verifier

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/circuit"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	"github.com/seed06907907/fatty/verifier/internal/cheat"
	"github.com/seed06907907/fatty/verifier/recursion"
)

// Here a prover of a circuit has an honest run or span, and wants to say something else. He need not fill the circuit as
// package recursion does: every value that no row computes is his to choose.

// goldenCircuits are the circuits of golden proofs, with honest values.
func goldenCircuits(t testing.TB) map[string]*circuit.Circuit {
	t.Helper()
	out := map[string]*circuit.Circuit{}
	add := func(name string, a *Assignment, err error) {
		if err != nil || a.Violated != nil {
			t.Fatal(name, err, a.Violated)
		}
		out[name] = a.Circuit
	}
	a, err := AssignWrap(goldenFile(t, "lcg"))
	add("wrap", a, err)
	a, err = AssignMerge(goldenFile(t, "wrapped"), goldenFile(t, "wrapped-next"))
	add("merge", a, err)
	a, err = AssignShrink(goldenFile(t, "merged"))
	add("shrink", a, err)
	return out
}

// liesAbout returns false values for one that a prover chooses: one that is of the base field if that one is, and one beyond;
// of a block, one with another word, and now and then one with a sum.
func liesAbout(w *cheat.Witness, a int32, r *rand.Rand) (out []cheat.Words) {
	one := field.New(1)
	with := func(at int, d field.Element) {
		v := w.At(a)
		v[at].Add(&v[at], &d)
		out = append(out, v)
	}
	if w.IsBlock(a) {
		with(r.IntN(hash.Rate), one)
		if r.IntN(8) == 0 {
			with(hash.Rate+r.IntN(field.Degree), one)
		}
		return out
	}
	with(1+r.IntN(field.Degree-1), field.New(1+r.Uint64N(field.Modulus-1)))
	switch v := w.At(a); {
	case w.IsBit(a) && r.IntN(4) > 0: // the other bit
		one.Sub(&one, &v[0])
		v[0] = one
		out = append(out, v)
	case r.IntN(4) == 0: // anything
		for d := range field.Degree {
			v[d] = field.New(r.Uint64N(field.Modulus))
		}
		out = append(out, v)
	default:
		with(0, []field.Element{one, field.New(field.Modulus - 1), field.New(1 << 16), field.New(1 << 24)}[r.IntN(4)])
	}
	return out
}

// TestNoValueOfACircuitIsFree: a run without bitwise has an empty segment, asked for twice; halves that agree have four
// differences of life and four of anchor. What makes a word canonical is an inverse of zero for one word in 128.
func TestNoValueOfACircuitIsFree(t *testing.T) {
	idle := map[string]int{"wrap": 2, "merge": 8}
	for name, c := range goldenCircuits(t) {
		NoValueIsFree(t, name, c, Security100, 1, liesAValue, idle[name]+8)
	}
}

// TestPlacesAreComputed: no number of a leaf that a circuit opens is the prover's to choose. Those of trees are made of drawn bits, those
// of keys of bits of their own.
func TestPlacesAreComputed(t *testing.T) {
	level := levels()[Security100]
	for name, c := range goldenCircuits(t) {
		w := cheat.New(c)
		openings := 0
		for _, a := range w.Places() {
			openings++
			if w.Chosen(a) {
				t.Fatalf("%s: a leaf is opened at a place of the prover's choice", name)
			}
		}
		span := 1 + level.Shapes[recursion.Narrow].Queries*(4+len(level.Shapes[recursion.Narrow].Folds())) // no tree of a program
		run := level.Runs[0].Params.Queries * (5 + len(level.Runs[0].Params.Folds()))
		if want := map[string]int{"wrap": run, "merge": 2 * span, "shrink": span}[name]; openings != want {
			t.Errorf("%s opens %d leaves, want %d", name, openings, want)
		}
	}
}

// TestKnownBug_30_BitsAreBitsInEachCoordinate gives bits of the circuits a coordinate beyond the base field, each in turn.
func TestKnownBug_30_BitsAreBitsInEachCoordinate(t *testing.T) {
	for name, c := range goldenCircuits(t) {
		w := cheat.New(c)
		seen := map[string]bool{}
		n := 0
		for _, a := range w.Targets() {
			if !w.IsBit(a) {
				continue
			}
			d := 1 + n%(field.Degree-1)
			n++
			v := w.At(a)
			v[d] = field.New(uint64(n))
			lie := w.Lie(map[int32]cheat.Words{a: v})
			var broken *air.Violation
			if !errors.As(lie.Found, &broken) {
				t.Fatalf("%s: a bit with coordinate %d: %v", name, d, lie.Found)
			}
			seen[broken.Label] = true
		}
		if n < 1000 {
			t.Errorf("%s has %d bits", name, n)
		}
		for _, label := range []string{"gate 0 has a bit: coordinate 1", "gate 1 has a bit: coordinate 5"} {
			if !seen[label] {
				t.Errorf("%s: nothing was found by %q", name, label)
			}
		}
	}
}

// TestKnownBug_48_PathsAreChosenByBits has every bit of the circuits be 2: those of places in trees and in the list of keys
// are among them.
func TestKnownBug_48_PathsAreChosenByBits(t *testing.T) {
	for name, c := range goldenCircuits(t) {
		w := cheat.New(c)
		for _, a := range w.Targets() {
			if !w.IsBit(a) {
				continue
			}
			lie := w.Lie(map[int32]cheat.Words{a: cheat.Value(field.FromBase(field.New(2)))})
			var broken *air.Violation
			if !errors.As(lie.Found, &broken) {
				t.Fatalf("%s: address %d: a bit of 2: %v", name, a, lie.Found)
			}
		}
	}
}

// cells are a circuit's columns as the oracle reads them, and the bus as they leave it.
type cells struct {
	tables []air.Table
	bus    *air.Bus
}

func newCells(t testing.TB, c *circuit.Circuit) *cells {
	t.Helper()
	x := &cells{bus: air.NewBus()}
	ext := c.Public.Ext()
	for i, comp := range circuit.Set().Components {
		table := air.Table{Ext: ext[i]}
		for _, m := range c.Main[i] {
			table.Main = append(table.Main, m)
		}
		for _, f := range comp.Fixed {
			table.Fixed = append(table.Fixed, c.Tables[f.Name])
		}
		if err := air.CheckConstraints(comp, table); err != nil {
			t.Fatal(err)
		}
		if err := x.bus.AddTable(comp, table); err != nil {
			t.Fatal(err)
		}
		x.tables = append(x.tables, table)
	}
	var public []air.PublicLookup
	for _, tuple := range c.Public.Tuples() {
		public = append(public, air.PublicLookup{Relation: circuit.WireRelation, Yield: true, Tuple: tuple})
	}
	x.bus.AddPublic(public)
	if err := x.bus.Check(circuit.Set().Relations); err != nil {
		t.Fatal(err)
	}
	return x
}

// with changes a cell, asks what finds it, and changes it back.
func (x *cells) with(t testing.TB, component, column, row int, v field.Element) error {
	t.Helper()
	comp := circuit.Set().Components[component]
	before := air.Table{Ext: x.tables[component].Ext}
	after := before
	for _, c := range x.tables[component].Main {
		before.Main = append(before.Main, c[row:row+1])
		after.Main = append(after.Main, koalabear.Vector{c[row]})
	}
	for _, c := range x.tables[component].Fixed {
		before.Fixed = append(before.Fixed, c[row:row+1])
	}
	after.Fixed = before.Fixed
	after.Main[column][0] = v
	if err := air.CheckConstraints(comp, after); err != nil {
		return err
	}
	replace := func(a, b air.Table) {
		if err := x.bus.ReplaceRow(comp, a, b, 0); err != nil {
			t.Fatal(err)
		}
	}
	replace(before, after)
	err := x.bus.Check(circuit.Set().Relations)
	replace(after, before)
	return err
}

// loose says whether a cell may be anything: all slots that hold it have balance 0, for they are empty or the only ones of
// their wire, and no equation speaks of it.
func loose(c *circuit.Circuit, component, column, row int) bool {
	comp := circuit.Set().Components[component]
	zero := func(names ...string) bool {
		return !slices.ContainsFunc(names, func(name string) bool { return !c.Tables[comp.Name+"."+name][row].IsZero() })
	}
	name := comp.Main[column]
	switch component {
	case circuit.PackTable:
		if column%field.Degree != 0 && !zero("singles") {
			return false
		}
		return zero("blockBalance"+string(rune('0'+column/hash.Rate)), "extBalance"+string(rune('0'+column/field.Degree)))
	case circuit.OpeningTable:
		switch {
		case column < hash.Rate:
			return zero("balanceState", "balanceNode")
		case column < hash.Rate+field.Degree:
			return zero("balanceState", "balanceSum")
		}
	case circuit.ArithmeticTable:
		return looseInGate(c, zero, column, row)
	case circuit.PoseidonTable:
		return strings.HasPrefix(name, "in") && name != "index" && zero("balanceL", "sideA", "sideB")
	}
	return false
}

// looseInGate is loose for a cell of a gate, out = b (q0 a + q5 c) + q1 a + q2 b + q3 c + q4: its wire stands nowhere else, and
// what it is multiplied by is 0. That of out is what the equation gives, whether it stands anywhere or not.
func looseInGate(c *circuit.Circuit, zero func(...string) bool, column, row int) bool {
	const perLane = 4 * field.Degree
	first, slot := column/perLane*perLane, column/field.Degree%4
	lane := string(rune('0' + column/perLane))
	q := func(i int) field.Element {
		return c.Tables[circuit.NameArithmetic+".q"+lane+"_"+string(rune('0'+i))][row]
	}
	// scaled is the coordinates of a slot's value times a coefficient.
	scaled := func(slot, i int) (out [field.Degree]field.Element) {
		s := q(i)
		for d := range out {
			out[d].Mul(&c.Main[circuit.ArithmeticTable][first+field.Degree*slot+d][row], &s)
		}
		return out
	}
	none := [field.Degree]field.Element{}
	switch slot {
	case 0:
		return zero("balance_a"+lane, "q"+lane+"_1") && scaled(1, 0) == none
	case 1:
		a, c := scaled(0, 0), scaled(2, 5)
		for d := range a {
			a[d].Add(&a[d], &c[d])
		}
		return zero("balance_b"+lane, "bit"+lane, "q"+lane+"_2") && a == none
	case 2:
		return zero("balance_c"+lane, "q"+lane+"_3") && scaled(1, 5) == none
	}
	return false
}

// TestCellsOfRealCircuits changes cells of each column of wraps, merges and shrinks that hold, at random rows: the tables'
// description finds each, by an equation or on the bus.
func TestCellsOfRealCircuits(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 4))
	for name, c := range goldenCircuits(t) {
		x := newCells(t, c)
		for component, comp := range circuit.Set().Components {
			for column := range comp.Main {
				for range cellsAColumn {
					row := r.IntN(1 << c.LogHeights[component])
					v := x.tables[component].Main[column][row]
					delta := field.New(1 + r.Uint64N(field.Modulus-1))
					v.Add(&v, &delta)
					if err := x.with(t, component, column, row, v); err == nil && !loose(c, component, column, row) {
						t.Errorf("seed %d: %s, table %s, column %s, row %d: changed by %s and nothing sees it", seed, name, comp.Name, comp.Main[column], row, delta.String())
					}
				}
			}
		}
	}
}
