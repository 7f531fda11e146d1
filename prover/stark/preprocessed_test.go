package stark_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/prover/stark"
	"github.com/seed06907907/fatty/prover/stark/internal/toy"
	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// tables is a set whose component give yields the numbers of a column that component take uses. source says where the
// column is from: "table", a preprocessed column of whatever height give has; "counter", the row's number; "main", a column
// of the prover's, so that the set has no preprocessed one at all.
func tables(source string) *air.Set {
	number := air.NewRelation(1, "Number", 1, "yield: give only")
	give := air.NewBuilder("give", air.AnyHeight)
	times := give.Main("times")
	column := map[string]func() air.Expr{
		"table":   func() air.Expr { return give.Table("number") },
		"counter": give.Seq,
		"main":    func() air.Expr { return give.Main("number") },
	}[source]
	give.YieldTimes(number, times, column())
	take := air.NewBuilder("take", air.AnyHeight)
	take.Use(number, take.Const(1), take.Main("x"))
	set, err := air.NewSet("numbers from "+source, give.MustBuild(), take.MustBuild())
	if err != nil {
		panic(err)
	}
	return set
}

// numbers is a satisfied case of such a set: give has 2^g rows with the numbers 7 r + 1, or r where they are counted, of
// which take uses 2^k.
type numbers struct {
	inst  *vstark.Instance
	pre   *stark.Fixed
	trace *stark.Trace
	fixed []koalabear.Vector // columns of the preprocessed tree
}

func newNumbers(t testing.TB, p vstark.Params, source string, g, k int) *numbers {
	t.Helper()
	n := &numbers{inst: &vstark.Instance{Set: tables(source), Params: p, LogHeights: []int{g, k}, Scalars: make([][]field.Element, 2)}}
	column, times, x := make(koalabear.Vector, 1<<g), make(koalabear.Vector, 1<<g), make(koalabear.Vector, 1<<k)
	for i := range column {
		column[i] = field.New(uint64(7*i + 1))
		if source == "counter" {
			column[i] = field.New(uint64(i))
		}
	}
	for i := range x {
		at := (5*i + 3) % len(column)
		x[i] = column[at]
		increment(&times[at])
	}
	main := []koalabear.Vector{times}
	switch source {
	case "table":
		n.fixed = []koalabear.Vector{column}
	case "counter":
		for h := air.MinLogHeight; h <= p.LogN; h++ {
			count := make(koalabear.Vector, 1<<h)
			for i := range count {
				count[i] = field.New(uint64(i))
			}
			n.fixed = append(n.fixed, count)
		}
	case "main":
		main = append(main, column)
	}
	n.trace = &stark.Trace{Main: [][]koalabear.Vector{main, {x}}}
	if source == "main" {
		return n
	}
	var err error
	if n.pre, err = stark.CommitPreprocessed(context.Background(), n.inst.Set, p, map[string]koalabear.Vector{"number": column}); err != nil {
		t.Fatal(err)
	}
	n.inst.Preprocessed = n.pre.Root()
	return n
}

func (n *numbers) prove() (*vstark.Proof, error) {
	return stark.Prove(context.Background(), n.inst, n.pre, nil, n.trace, stark.Options{})
}

// Sets with and without preprocessed columns and row counters, at all heights: the proof is that of the naive prover, it is
// accepted, and it is refused when any cell is another.
func TestTablesOfAnyHeight(t *testing.T) {
	p := toy.Params(6)
	for _, source := range []string{"table", "counter", "main"} {
		for _, h := range [][2]int{{4, 4}, {4, 6}, {5, 4}, {6, 5}, {5, 5}} {
			t.Run(fmt.Sprint(source, h), func(t *testing.T) {
				n := newNumbers(t, p, source, h[0], h[1])
				fast, err := n.prove()
				if err != nil {
					t.Fatal(err)
				}
				if err := vstark.Verify(n.inst, fast); err != nil {
					t.Fatal(err)
				}
				b, err := fast.Encode(n.inst)
				if err != nil {
					t.Fatal(err)
				}
				slow, err := (&naive{inst: n.inst}).prove(t, n.trace.Main, [2][]koalabear.Vector{n.fixed}).Encode(n.inst)
				if err != nil || !bytes.Equal(b, slow) {
					t.Errorf("the naive prover's proof is another: %v", err)
				}
				if q, err := vstark.DecodeProof(b, n.inst); err != nil || vstark.Verify(n.inst, q) != nil {
					t.Errorf("the decoded proof is refused: %v", err)
				}
				for i := range n.trace.Main {
					for j := range n.trace.Main[i] {
						bad := newNumbers(t, p, source, h[0], h[1])
						increment(&bad.trace.Main[i][j][3])
						proof, err := bad.prove()
						if err != nil {
							t.Fatal(err)
						}
						refused(t, bad.inst, proof)
					}
				}
			})
		}
	}
}

// Row counters are committed if a component reads one, then for every height up to the pinned size; a table's column is
// committed once, at the height of who reads it.
func TestPreprocessedTreeHasWhatIsRead(t *testing.T) {
	for source, want := range map[string][]string{
		"table":   {"number"},
		"counter": {"seq_4", "seq_5", "seq_6"},
		"main":    nil,
	} {
		n := newNumbers(t, toy.Params(6), source, 5, 4)
		l, err := vstark.NewLayout(n.inst)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(l.Preprocessed, want) || len(l.Columns[vstark.TreePreprocessed]) != len(want) {
			t.Errorf("numbers from %s: the tree has columns %v, must have %v", source, l.Preprocessed, want)
		}
		proof, err := n.prove()
		if err != nil {
			t.Fatal(err)
		}
		if len(proof.Open.Columns[vstark.TreePreprocessed]) != len(want) {
			t.Errorf("numbers from %s: %d openings", source, len(proof.Open.Columns[vstark.TreePreprocessed]))
		}
	}
	// A counter of the component's own height, and of no other, is what it reads.
	for k := 4; k <= 6; k++ {
		n := newNumbers(t, toy.Params(6), "counter", k, 4)
		l, err := vstark.NewLayout(n.inst)
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Fixed[0][0]; got != (vstark.FixedRef{Tree: vstark.TreePreprocessed, Column: k - 4}) {
			t.Errorf("2^%d rows are counted by column %d of tree %d", k, got.Column, got.Tree)
		}
	}
	// Tables come first, counters behind them: the toy set has both.
	cs := newCase(t, toy.Params(6), small, 1)
	l, err := vstark.NewLayout(cs.Inst)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"x", "x^2", "t", "seq_4", "seq_5", "seq_6"}; !slices.Equal(l.Preprocessed, want) {
		t.Errorf("the toy's tree has columns %v, must have %v", l.Preprocessed, want)
	}
	if want := []int{4, 4, small.Blend, 4, 5, 6}; !slices.Equal(l.Columns[vstark.TreePreprocessed], want) {
		t.Errorf("the toy's tree has heights %v, must have %v", l.Columns[vstark.TreePreprocessed], want)
	}
	// The root depends on a table's height as on its cells.
	seen := map[hash.Digest]bool{}
	for k := 4; k <= 6; k++ {
		root := newNumbers(t, toy.Params(6), "table", k, 4).inst.Preprocessed
		if seen[root] {
			t.Error("tables of two heights have one root")
		}
		seen[root] = true
	}
}

func TestCommitPreprocessedRefusesWhatDoesNotFit(t *testing.T) {
	ctx, p := context.Background(), toy.Params(6)
	col := func(n int) map[string]koalabear.Vector {
		return map[string]koalabear.Vector{"number": make(koalabear.Vector, n)}
	}
	for name, table := range map[string]map[string]koalabear.Vector{
		"no column": nil, "no row": col(0), "8 rows": col(8), "17 rows": col(17), "48 rows": col(48), "128 rows of at most 64": col(128),
	} {
		if _, err := stark.CommitPreprocessed(ctx, tables("table"), p, table); err == nil {
			t.Errorf("%s: committed", name)
		}
	}
	if _, err := stark.CommitPreprocessed(ctx, tables("table"), p, col(64)); err != nil {
		t.Error(err)
	}
	if _, err := stark.CommitPreprocessed(ctx, tables("main"), p, nil); err == nil {
		t.Error("a tree of no column is committed")
	}
	sixteen := func(n int) map[string]koalabear.Vector {
		return map[string]koalabear.Vector{"x": make(koalabear.Vector, 16), "x^2": make(koalabear.Vector, n), "t": make(koalabear.Vector, 32)}
	}
	if _, err := stark.CommitPreprocessed(ctx, toy.Set(), p, sixteen(32)); err == nil {
		t.Error("a column of a table of fixed height has another")
	}
	if _, err := stark.CommitPreprocessed(ctx, toy.Set(), p, sixteen(16)); err != nil {
		t.Error(err)
	}
}

// Components that read one table's column have one height, and an instance names a root only of what is read.
func TestLayoutOfTablesOfAnyHeight(t *testing.T) {
	r := air.NewRelation(1, "R", 1, "")
	component := func(name string) *air.Component {
		b := air.NewBuilder(name, air.AnyHeight)
		b.YieldTimes(r, b.Main("times"), b.Table("shared"))
		return b.MustBuild()
	}
	set, err := air.NewSet("shared", component("a"), component("b"))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range [][2]int{{4, 4}, {4, 5}, {6, 5}, {6, 6}} {
		inst := &vstark.Instance{Set: set, Params: toy.Params(6), LogHeights: h[:], Scalars: make([][]field.Element, 2)}
		l, err := vstark.NewLayout(inst)
		if h[0] != h[1] {
			if !errors.Is(err, vstark.ErrInstance) {
				t.Errorf("one column at 2^%d and 2^%d rows: %v", h[0], h[1], err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(l.Preprocessed) != 1 || l.Columns[vstark.TreePreprocessed][0] != h[0] || l.Fixed[0][0] != l.Fixed[1][0] {
			t.Errorf("2^%d rows: columns %v of heights %v", h[0], l.Preprocessed, l.Columns[vstark.TreePreprocessed])
		}
	}
	n := newNumbers(t, toy.Params(6), "main", 5, 4)
	proof, err := n.prove()
	if err != nil {
		t.Fatal(err)
	}
	inst := *n.inst
	inst.Preprocessed = newNumbers(t, toy.Params(6), "table", 5, 4).inst.Preprocessed
	if err := refused(t, &inst, proof); !errors.Is(err, vstark.ErrInstance) {
		t.Error(err)
	}
	inst = *n.inst
	increment(&inst.Program[0])
	if err := refused(t, &inst, proof); !errors.Is(err, vstark.ErrInstance) {
		t.Error(err)
	}
}

// A proof under one height of a table is none under another, with the same root or with that of the same table at the other
// height; and a prover does not make one.
func TestHeightsOfTablesAreBound(t *testing.T) {
	n := newNumbers(t, toy.Params(6), "table", 5, 4)
	proof, err := n.prove()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []int{4, 6} {
		inst := *n.inst
		inst.LogHeights = []int{k, 4}
		refused(t, &inst, proof)
		if _, err := stark.Prove(context.Background(), &inst, n.pre, nil, newNumbers(t, toy.Params(6), "table", k, 4).trace, stark.Options{}); err == nil {
			t.Errorf("a table of 2^5 rows is proven at 2^%d", k)
		}
		inst.Preprocessed = newNumbers(t, toy.Params(6), "table", k, 4).inst.Preprocessed
		refused(t, &inst, proof)
	}
}

// Who names the root of a table of any height must name its height: the root alone does not. A table of 2^4 rows, read at 2^5,
// stands there twice; an attacker who may choose the height proves that as well. So a verifier that takes heights from a
// proof must name roots by something that says the heights too, as a program's key and a circuit's verifying key do.
func TestARootAloneDoesNotNameItsHeights(t *testing.T) {
	n := newNumbers(t, toy.Params(6), "table", 4, 4)
	inst := *n.inst
	inst.LogHeights = []int{5, 4}
	times := n.trace.Main[0][0]
	twice := append(slices.Clone(times), make(koalabear.Vector, len(times))...)
	honest := &naive{inst: &inst}
	proof := honest.prove(t, [][]koalabear.Vector{{twice}, n.trace.Main[1]}, [2][]koalabear.Vector{n.fixed})
	if err := vstark.Verify(&inst, proof); err != nil {
		t.Errorf("this package's documentation says that a caller must bind heights; here they bind themselves: %v", err)
	}
	// Half of a table is no table where it is the tallest column: its tree's lowest levels are not twins.
	tall := newNumbers(t, toy.Params(6), "table", 6, 4)
	inst = *tall.inst
	inst.LogHeights = []int{5, 4}
	half := newNumbers(t, toy.Params(6), "table", 5, 4)
	refused(t, &inst, (&naive{inst: &inst}).prove(t, half.trace.Main, [2][]koalabear.Vector{tall.fixed}))
}
