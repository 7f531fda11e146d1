package air_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
)

func num(vs ...int64) []air.Element {
	out := make([]air.Element, len(vs))
	for i, v := range vs {
		out[i].SetInt64(v)
	}
	return out
}

// squares is a set of two tables: one uses pairs (x, x^2) where its flag is set, the other yields them.
func squares(t testing.TB) (*air.Set, *air.Relation) {
	t.Helper()
	pair := air.NewRelation(1, "Pair", 2, "yield: table only")
	b := air.NewBuilder("user", air.AnyHeight)
	on, x, y := b.Bit("on"), b.Main("x"), b.Main("y")
	b.Equal("y is 3 x + k", y, x.Scale(3).Add(b.Param("k")))
	b.Use(pair, on, x, x.Mul(x))
	user, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	b = air.NewBuilder("table", 2)
	b.YieldTimes(pair, b.Main("uses"), b.Seq(), b.Table("square"))
	table, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	set, err := air.NewSet("squares", user, table)
	if err != nil {
		t.Fatal(err)
	}
	return set, pair
}

func squaresTables() []air.Table {
	return []air.Table{
		{Main: [][]air.Element{num(1, 1, 0, 1), num(2, 3, 9, 2), num(11, 14, 32, 11)}, Params: num(5)},
		{Main: [][]air.Element{num(0, 1, 2, 1)}, Fixed: [][]air.Element{num(0, 1, 2, 3), num(0, 1, 4, 9)}},
	}
}

func TestOracleAccepts(t *testing.T) {
	set, pair := squares(t)
	// One of the four yields is used by the public data.
	if err := air.Check(set, squaresTables(), []air.PublicLookup{{Relation: pair, Tuple: num(1, 1)}}); err != nil {
		t.Fatal(err)
	}
}

func TestOracleNamesWhatIsWrong(t *testing.T) {
	set, pair := squares(t)
	public := []air.PublicLookup{{Relation: pair, Tuple: num(1, 1)}}
	for name, c := range map[string]struct {
		change func(ts []air.Table)
		want   string
	}{
		"a constraint":          {func(ts []air.Table) { ts[0].Main[2][1].SetUint64(15) }, "component user, row 1: y is 3 x + k"},
		"a bit":                 {func(ts []air.Table) { ts[0].Main[0][3].SetUint64(2) }, "component user, row 3: on is a bit"},
		"a scalar":              {func(ts []air.Table) { ts[0].Params = num(6) }, "component user, row 0"},
		"a multiplicity":        {func(ts []air.Table) { ts[1].Main[0][2].SetUint64(1) }, "relation Pair"},
		"a use without a yield": {func(ts []air.Table) { ts[0].Main[0][2].SetOne() }, "relation Pair"},
		"a fixed column":        {func(ts []air.Table) { ts[1].Fixed[1][2].SetUint64(5) }, "relation Pair"},
	} {
		ts := squaresTables()
		c.change(ts)
		if err := air.Check(set, ts, public); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var imbalance *air.Imbalance
	if err := air.Check(set, squaresTables(), nil); !errors.As(err, &imbalance) || imbalance.Relation != "Pair" || len(imbalance.Tuple) != 2 {
		t.Errorf("without the public lookup: %v", err)
	}
}

func TestOracleChecksShapes(t *testing.T) {
	set, _ := squares(t)
	for name, change := range map[string]func(ts []air.Table) []air.Table{
		"a table less":      func(ts []air.Table) []air.Table { return ts[:1] },
		"a column less":     func(ts []air.Table) []air.Table { ts[0].Main = ts[0].Main[1:]; return ts },
		"a row less":        func(ts []air.Table) []air.Table { ts[0].Main[1] = ts[0].Main[1][1:]; return ts },
		"no fixed column":   func(ts []air.Table) []air.Table { ts[1].Fixed = nil; return ts },
		"a scalar too many": func(ts []air.Table) []air.Table { ts[1].Params = num(1); return ts },
	} {
		if err := air.Check(set, change(squaresTables()), nil); !errors.Is(err, air.ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// weighted is a component whose two columns and preprocessed one are weighed by two scalars: in each row
// e x + (f - 1) x y e_2 + t e_3 = 0, written as four terms, two of them without a scalar.
func weighted(t testing.TB) *air.Set {
	t.Helper()
	r := air.NewRelation(1, "R", 1, "yield: itself")
	b := air.NewBuilder("weighted", air.AnyHeight)
	x, y, fixed := b.Main("x"), b.Main("y"), b.Table("t")
	e, f := b.ExtParam("e"), b.ExtParam("f")
	b.Zero("y is t + 1", y.Sub(fixed).Sub(b.Const(1)))
	b.ZeroWeighted("weighted", x.Weigh(e, 0), x.Mul(y).Weigh(f, 2), x.Mul(y).Scale(-1).Weigh(-1, 2), fixed.Weigh(-1, 3))
	b.Use(r, b.Const(1), x)
	b.Yield(r, b.Const(1), x)
	set, err := air.NewSet("weighted", b.MustBuild())
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// weightedTable has e = e_3 and f = 1, so that x = -t.
func weightedTable() air.Table {
	return air.Table{Main: [][]air.Element{num(0, -2, -5), num(1, 3, 6)}, Fixed: [][]air.Element{num(0, 2, 5)},
		Ext: []field.Ext{field.Basis(3), field.One()}}
}

func TestOracleWeighsRows(t *testing.T) {
	set := weighted(t)
	c := set.Components[0]
	if err := air.Check(set, []air.Table{weightedTable()}, nil); err != nil {
		t.Fatal(err)
	}
	// Coefficients are the scalars times the basis, in the order of the terms.
	want := []field.Ext{field.Basis(3), field.Basis(2), field.Basis(2), field.Basis(3)}
	if got := c.Coefficients(weightedTable().Ext); !slices.Equal(got, want) {
		t.Errorf("coefficients are %v, must be %v", got, want)
	}
	for name, change := range map[string]struct {
		f    func(t *air.Table)
		want string
	}{
		"x":             {func(t *air.Table) { t.Main[0][1].SetInt64(-3) }, "component weighted, row 1: weighted"},
		"x where t = 0": {func(t *air.Table) { t.Main[0][0].SetOne() }, "component weighted, row 0: weighted"},
		"t and y":       {func(t *air.Table) { t.Fixed[0][2].SetInt64(6); t.Main[1][2].SetInt64(7) }, "component weighted, row 2: weighted"},
		"t":             {func(t *air.Table) { t.Fixed[0][2].SetInt64(6) }, "component weighted, row 2: y is t + 1"},
		"e":             {func(t *air.Table) { t.Ext[0] = field.Basis(4) }, "component weighted, row 1: weighted"},
		"e + 1":         {func(t *air.Table) { t.Ext[0] = field.Add(t.Ext[0], field.One()) }, "component weighted, row 1: weighted"},
		"f":             {func(t *air.Table) { t.Ext[1] = field.Basis(1) }, "component weighted, row 1: weighted"},
		"e for f":       {func(t *air.Table) { slices.Reverse(t.Ext) }, "component weighted, row 1: weighted"},
	} {
		table := weightedTable()
		change.f(&table)
		if err := air.Check(set, []air.Table{table}, nil); err == nil || !strings.HasPrefix(err.Error(), change.want) {
			t.Errorf("another %s: %v", name, err)
		}
	}
	for name, change := range map[string]func(t *air.Table){
		"no scalar":         func(t *air.Table) { t.Ext = nil },
		"a scalar less":     func(t *air.Table) { t.Ext = t.Ext[:1] },
		"a scalar too many": func(t *air.Table) { t.Ext = append(t.Ext, field.Ext{}) },
	} {
		table := weightedTable()
		change(&table)
		if err := air.Check(set, []air.Table{table}, nil); !errors.Is(err, air.ErrShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A table without main columns has as many rows as its preprocessed ones.
func TestRowsOfATableWithoutMainColumns(t *testing.T) {
	r := air.NewRelation(1, "R", 1, "")
	b := air.NewBuilder("fixed", air.AnyHeight)
	b.Balance(r, b.Table("times"), b.Table("x"))
	set, err := air.NewSet("fixed", b.MustBuild())
	if err != nil {
		t.Fatal(err)
	}
	// 3 is yielded once and used twice, of which the public data yield one.
	table := air.Table{Fixed: [][]air.Element{num(1, -2, 0), num(3, 3, 9)}}
	if n, err := table.Rows(set.Components[0]); n != 3 || err != nil {
		t.Errorf("%d rows: %v", n, err)
	}
	if err := air.Check(set, []air.Table{table}, []air.PublicLookup{{Relation: r, Yield: true, Tuple: num(3)}}); err != nil {
		t.Error(err)
	}
	if air.Check(set, []air.Table{table}, nil) == nil {
		t.Error("a use too many is accepted")
	}
}

func TestReplaceRow(t *testing.T) {
	set, pair := squares(t)
	ts := squaresTables()
	bus := air.NewBus()
	for i, c := range set.Components {
		if err := bus.AddTable(c, ts[i]); err != nil {
			t.Fatal(err)
		}
	}
	bus.AddPublic([]air.PublicLookup{{Relation: pair, Tuple: num(1, 1)}})
	changed := squaresTables()
	changed[0].Main[1][0].SetUint64(3)
	if err := bus.ReplaceRow(set.Components[0], ts[0], changed[0], 0); err != nil {
		t.Fatal(err)
	}
	if bus.Check(set.Relations) == nil {
		t.Error("a changed row balances")
	}
	if err := bus.ReplaceRow(set.Components[0], changed[0], ts[0], 0); err != nil {
		t.Fatal(err)
	}
	if err := bus.Check(set.Relations); err != nil {
		t.Error(err)
	}
}

// TestBuilderKeepsTheFirstMistake has one entry for each mistake that a description can have.
func TestBuilderKeepsTheFirstMistake(t *testing.T) {
	one, two := air.NewRelation(1, "One", 1, ""), air.NewRelation(2, "Two", 2, "")
	for name, describe := range map[string]func(b *air.Builder){
		"degree 4":            func(b *air.Builder) { x := b.Main("x"); b.Zero("x^4", x.Mul(x).Mul(x).Mul(x)); b.Use(one, x, x) },
		"no lookup":           func(b *air.Builder) { b.Main("x") },
		"a narrow tuple":      func(b *air.Builder) { x := b.Main("x"); b.Use(two, x, x) },
		"a tuple of degree 3": func(b *air.Builder) { x := b.Main("x"); b.Use(one, x, x.Mul(x).Mul(x)) },
		"a square numerator":  func(b *air.Builder) { x := b.Main("x"); b.Use(one, x.Mul(x), x) },
		"a weighted degree 4": func(b *air.Builder) {
			x := b.Main("x")
			b.ZeroWeighted("x^4", x.Weigh(-1, 0), x.Mul(x).Mul(x).Mul(x).Weigh(b.ExtParam("e"), 2))
			b.Use(one, x, x)
		},
		"a weight that nobody has": func(b *air.Builder) {
			x := b.Main("x")
			b.ZeroWeighted("x", x.Weigh(b.ExtParam("e")+1, 0))
			b.Use(one, x, x)
		},
		"a seventh coordinate": func(b *air.Builder) { x := b.Main("x"); b.ZeroWeighted("x", x.Weigh(-1, 6)); b.Use(one, x, x) },
		"a coordinate below 0": func(b *air.Builder) { x := b.Main("x"); b.ZeroWeighted("x", x.Weigh(-1, -1)); b.Use(one, x, x) },
		"a weighted expression of another builder": func(b *air.Builder) {
			x := b.Main("x")
			b.ZeroWeighted("x", x.Weigh(-1, 0), air.NewBuilder("other", air.AnyHeight).Main("x").Weigh(-1, 1))
			b.Use(one, x, x)
		},
		"another builder": func(b *air.Builder) {
			x := air.NewBuilder("other", air.AnyHeight).Main("x")
			b.Use(one, b.Const(1), b.Main("y").Add(x))
		},
	} {
		b := air.NewBuilder("wrong", air.AnyHeight)
		describe(b)
		if _, err := b.Build(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	b := air.NewBuilder("a", air.AnyHeight)
	b.Use(one, b.Const(1), b.Main("x"))
	a := b.MustBuild()
	if _, err := air.NewSet("twice", a, a); err == nil {
		t.Error("a component twice: accepted")
	}
	b = air.NewBuilder("b", air.AnyHeight)
	b.Use(air.NewRelation(1, "Other", 1, ""), b.Const(1), b.Main("x"))
	if _, err := air.NewSet("one id", a, b.MustBuild()); err == nil {
		t.Error("two relations of one id: accepted")
	}
}

// Two columns that are joined to a table of squares, and an oracle that says where a witness is wrong.
func ExampleCheck() {
	square := air.NewRelation(1, "Square", 2, "yield: table only")
	b := air.NewBuilder("numbers", air.AnyHeight)
	x, y := b.Main("x"), b.Main("y")
	b.Use(square, b.Const(1), x, y)
	numbers := b.MustBuild()
	b = air.NewBuilder("squares", air.AnyHeight)
	b.YieldTimes(square, b.Main("uses"), b.Seq(), b.Seq().Mul(b.Seq()))
	set, err := air.NewSet("example", numbers, b.MustBuild())
	if err != nil {
		fmt.Println(err)
		return
	}
	tables := []air.Table{
		{Main: [][]air.Element{num(3, 2), num(9, 4)}},
		{Main: [][]air.Element{num(0, 0, 1, 1)}, Fixed: [][]air.Element{num(0, 1, 2, 3)}},
	}
	fmt.Println(air.Check(set, tables, nil))
	tables[0].Main[1][1].SetUint64(5)
	fmt.Println(air.Check(set, tables, nil) != nil)
	// Output:
	// <nil>
	// true
}
