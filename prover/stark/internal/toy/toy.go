// Package toy describes a small set of tables that has one of everything a proof can have, and makes traces of it: for
// tests of the prover and verifier.
//
// Component cube uses values of a counted table and yields their cubes to the public data; pairs looks up the fixed table of
// squares and the program; table and squares yield; code is the program table; blend weighs its columns, and a preprocessed
// one of whatever height it has, by public scalars of the extension.
package toy

import (
	"context"
	"math/rand/v2"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/prover/stark"
	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// The relations of the set.
var (
	Count  = air.NewRelation(1, "Count", 1, "yield: table only, by its row's number")
	Square = air.NewRelation(2, "Square", 2, "yield: squares only, preprocessed")
	Code   = air.NewRelation(3, "Code", 3, "yield: code only, preprocessed, multiplicity free")
	Result = air.NewRelation(4, "Result", 2, "yield: cube; use: public data")
)

// SquaresLogHeight is the height of the fixed table.
const SquaresLogHeight = 4

// Set describes the tables. Its order puts a short fixed table first.
func Set() *air.Set {
	squares := air.NewBuilder("squares", SquaresLogHeight)
	squares.YieldTimes(Square, squares.Main("times"), squares.Table("x"), squares.Table("x^2"))

	table := air.NewBuilder("table", air.AnyHeight)
	table.YieldTimes(Count, table.Main("times"), table.Seq())

	code := air.NewBuilder("code", air.AnyHeight)
	times := code.Main("times")
	code.YieldTimes(Code, times, code.Seq().Plus(1), code.Program("op"), code.Program("arg"))

	cube := air.NewBuilder("cube", air.AnyHeight)
	on, v, c := cube.Bit("on"), cube.Main("v"), cube.Main("c")
	cube.Equal("c is the cube of v", c, v.Mul(v).Mul(v))
	cube.Use(Count, on, v)
	cube.Use(Count, cube.Const(1), cube.Const(3))
	// The first row is public: on there by the sum.
	pub := cube.Bit("public")
	cube.Zero("public rows are on", pub.Mul(on.Not()))
	cube.Yield(Result, pub, v, c.Add(cube.Param("offset")))

	pairs := air.NewBuilder("pairs", air.AnyHeight)
	x, y, pc, op, arg := pairs.Main("x"), pairs.Main("y"), pairs.Main("pc"), pairs.Main("op"), pairs.Main("arg")
	pairs.Use(Square, pairs.Param("enabler"), x, y)
	pairs.Use(Code, pairs.Const(1), pc, op, arg)
	pairs.Equal("y is the square of x where enabled", pairs.Param("enabler").Mul(y.Sub(x.Mul(x))), pairs.Const(0))
	// A degree-2 tuple entry takes a column of its own.
	pairs.Use(Count, pairs.Const(1), x.Mul(x).Sub(y).Mul(pairs.Param("enabler")))

	blend := air.NewBuilder("blend", air.AnyHeight)
	acc, a, b := blend.MainN("acc", field.Degree), blend.Main("a"), blend.Main("b")
	t, s, q := blend.Table("t"), blend.Main("s"), blend.Main("q")
	beta, gamma := blend.ExtParam("beta"), blend.ExtParam("gamma")
	terms := []air.WeightedExpr{a.Scale(-1).Weigh(beta, 0), b.Mul(b).Mul(b).Scale(-1).Weigh(gamma, 2), t.Scale(-1).Weigh(-1, 1)}
	for d, x := range acc {
		terms = append(terms, x.Weigh(-1, d))
	}
	blend.ZeroWeighted("acc is beta a + gamma e_2 b^3 + e_1 t", terms...)
	// Two equations of the base field in one: for scalars that are no multiples of each other.
	blend.ZeroWeighted("s is acc_0 acc_1 and q is a t", s.Sub(acc[0].Mul(acc[1])).Weigh(gamma, 3), q.Sub(a.Mul(t)).Weigh(beta, 5))
	blend.Use(Count, blend.Const(1), a)

	set, err := air.NewSet("toy", squares.MustBuild(), table.MustBuild(), code.MustBuild(), cube.MustBuild(), pairs.MustBuild(),
		blend.MustBuild())
	if err != nil {
		panic(err)
	}
	return set
}

// The components' places in the set.
const (
	Squares = iota
	Table
	Program
	Cube
	Pairs
	Blend
	Components
)

// Params are reduced parameters: of no security, fast.
func Params(logN int) vstark.Params {
	return vstark.Params{LogN: logN, LogBlowup: 1, Queries: 12, QueryGrind: 4, FoldLog: 2, FinalLog: 2}
}

// Case is a satisfied instance with its trace.
type Case struct {
	Inst    *vstark.Instance
	Pre     *stark.Fixed
	Prog    *stark.Fixed
	Trace   *stark.Trace
	Fixed   [2][]koalabear.Vector // the columns of the preprocessed and of the program tree
	Outputs [][2]field.Element    // public tuples of Result
}

// Heights of the components that have no fixed one; 0 is air.MinLogHeight.
type Heights struct{ Table, Code, Cube, Pairs, Blend int }

// Offset and Enabler are the scalars of cube and pairs.
const (
	Offset  = 5
	Enabler = 1
)

// New makes a satisfied case.
func New(p vstark.Params, h Heights, seed uint64) (*Case, error) {
	ctx := context.Background()
	for _, k := range []*int{&h.Table, &h.Code, &h.Cube, &h.Pairs, &h.Blend} {
		*k = max(*k, air.MinLogHeight)
	}
	set := Set()
	rnd := rand.New(rand.NewPCG(seed, 1))
	col := func(k int) koalabear.Vector { return make(koalabear.Vector, 1<<k) }
	xs, x2 := col(SquaresLogHeight), col(SquaresLogHeight)
	for i := range xs {
		xs[i].SetUint64(uint64(i))
		x2[i].SetUint64(uint64(i * i))
	}
	ts := col(h.Blend)
	for i := range ts {
		ts[i].SetUint64(rnd.Uint64N(field.Modulus))
	}
	pre, err := stark.CommitPreprocessed(ctx, set, p, map[string]koalabear.Vector{"x": xs, "x^2": x2, "t": ts})
	if err != nil {
		return nil, err
	}
	op, arg := col(h.Code), col(h.Code)
	for i := range op {
		op[i].SetUint64(rnd.Uint64N(1 << 20))
		arg[i].SetUint64(rnd.Uint64N(1 << 30))
	}
	prog, err := stark.CommitProgram(ctx, set, p, map[string]koalabear.Vector{"op": op, "arg": arg})
	if err != nil {
		return nil, err
	}
	tr := &stark.Trace{Main: make([][]koalabear.Vector, Components)}
	squareTimes, tableTimes, codeTimes := col(SquaresLogHeight), col(h.Table), col(h.Code)
	one := field.New(1)
	add := func(v koalabear.Vector, i uint64) { v[i].Add(&v[i], &one) }

	on, v, c, pub := col(h.Cube), col(h.Cube), col(h.Cube), col(h.Cube)
	cs := &Case{Pre: pre, Prog: prog, Trace: tr}
	for i := range v {
		val := rnd.Uint64N(1 << h.Table)
		v[i].SetUint64(val)
		c[i].Square(&v[i]).Mul(&c[i], &v[i])
		if i%3 != 1 {
			on[i] = one
			add(tableTimes, val)
		}
		add(tableTimes, 3)
		if i%8 == 0 {
			pub[i] = one
			out := c[i]
			off := field.New(Offset)
			out.Add(&out, &off)
			cs.Outputs = append(cs.Outputs, [2]field.Element{v[i], out})
			if on[i].IsZero() {
				on[i] = one
				add(tableTimes, val)
			}
		}
	}
	x, y, pc, po, pa := col(h.Pairs), col(h.Pairs), col(h.Pairs), col(h.Pairs), col(h.Pairs)
	for i := range x {
		val := rnd.Uint64N(1 << SquaresLogHeight)
		x[i].SetUint64(val)
		y[i].SetUint64(val * val)
		add(squareTimes, val)
		at := rnd.Uint64N(1 << h.Code)
		pc[i].SetUint64(at + 1)
		po[i], pa[i] = op[at], arg[at]
		add(codeTimes, at)
		add(tableTimes, 0)
	}
	ext := func() field.Ext {
		var c [field.Degree]field.Element
		for d := range c {
			c[d].SetUint64(rnd.Uint64N(field.Modulus))
		}
		return field.FromCoords(c)
	}
	beta, gamma := ext(), ext()
	acc := make([]koalabear.Vector, field.Degree)
	for d := range acc {
		acc[d] = col(h.Blend)
	}
	a, b, s, q := col(h.Blend), col(h.Blend), col(h.Blend), col(h.Blend)
	for i := range a {
		val := rnd.Uint64N(1 << h.Table)
		a[i].SetUint64(val)
		b[i].SetUint64(rnd.Uint64N(field.Modulus))
		add(tableTimes, val)
		var cube field.Element
		cube.Square(&b[i]).Mul(&cube, &b[i])
		sum := field.Add(field.Scale(beta, a[i]), field.Mul(field.Scale(gamma, cube), field.Basis(2)))
		sum = field.Add(sum, field.Scale(field.Basis(1), ts[i]))
		for d, x := range field.Coords(&sum) {
			acc[d][i] = x
		}
		s[i].Mul(&acc[0][i], &acc[1][i])
		q[i].Mul(&a[i], &ts[i])
	}
	cs.Fixed = [2][]koalabear.Vector{{xs, x2, ts}, {op, arg}}
	for k := air.MinLogHeight; k <= p.LogN; k++ {
		seq := col(k)
		for i := range seq {
			seq[i].SetUint64(uint64(i))
		}
		cs.Fixed[0] = append(cs.Fixed[0], seq)
	}
	tr.Main[Squares] = []koalabear.Vector{squareTimes}
	tr.Main[Table] = []koalabear.Vector{tableTimes}
	tr.Main[Program] = []koalabear.Vector{codeTimes}
	tr.Main[Cube] = []koalabear.Vector{on, v, c, pub}
	tr.Main[Pairs] = []koalabear.Vector{x, y, pc, po, pa}
	tr.Main[Blend] = append(acc, a, b, s, q)
	cs.Inst = &vstark.Instance{
		Set: set, Params: p,
		LogHeights:   []int{SquaresLogHeight, h.Table, h.Code, h.Cube, h.Pairs, h.Blend},
		Scalars:      [][]field.Element{nil, nil, nil, {field.New(Offset)}, {field.New(Enabler)}, nil},
		Ext:          [][]field.Ext{nil, nil, nil, nil, nil, {beta, gamma}},
		Preprocessed: pre.Root(), Program: prog.Root(), ProgramLogHeight: h.Code,
		Public:        []field.Element{field.New(1), field.New(2), field.New(seed)},
		PublicDigests: []hash.Digest{{field.New(3)}, hash.Leaf([]field.Element{field.New(seed)})},
		PublicExt:     []field.Ext{beta, gamma, field.Basis(4)},
	}
	cs.Inst.PublicSum = cs.publicSum
	return cs, nil
}

// Tables are the case's tables and public lookups as an oracle takes them.
func (c *Case) Tables() ([]air.Table, []air.PublicLookup, error) {
	l, err := vstark.NewLayout(c.Inst)
	if err != nil {
		return nil, nil, err
	}
	var tables []air.Table
	for i := range c.Inst.Set.Components {
		t := air.Table{Params: c.Inst.Scalars[i], Ext: c.Inst.ExtScalars(i)}
		for _, v := range c.Trace.Main[i] {
			t.Main = append(t.Main, v)
		}
		for _, ref := range l.Fixed[i] {
			t.Fixed = append(t.Fixed, c.Fixed[ref.Tree][ref.Column])
		}
		tables = append(tables, t)
	}
	var public []air.PublicLookup
	for _, o := range c.Outputs {
		public = append(public, air.PublicLookup{Relation: Result, Tuple: o[:]})
	}
	return tables, public, nil
}

func (c *Case) publicSum(lk vstark.Lookup[field.Ext]) (sum field.Ext, err error) {
	for _, o := range c.Outputs {
		f := lk.Denominator(field.Arithmetic{}, Result, hash.Words(o[:]))
		f.Inverse(&f)
		sum = field.Add(sum, f)
	}
	return sum, nil
}
