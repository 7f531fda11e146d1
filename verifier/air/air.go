// Package air describes tables of a proof: their columns, constraints and lookups, once, as data.
//
// Its parts: Expr (an expression over one row), Builder and Component (one table), Relation and Set (the tables of one
// proof and the buses that join them), Eval (the description's value over any arithmetic). From the one description come
// the prover's vector code, the verifier's evaluation at the out-of-domain point, the recursion circuit, the cost table and
// the mutation tests; nobody writes a constraint twice.
//
//	bytes := air.NewRelation(1, "Bytes", 2, "yield: byte table only")
//	b := air.NewBuilder("double", air.AnyHeight)
//	x, y := b.Main("x"), b.Main("y")
//	b.Zero("y is twice x", y.Sub(x.Scale(2)))
//	b.Use(bytes, b.Const(1), x, y)
//	double, err := b.Build()
//
// Constraints have degree at most MaxDegree in the columns, so that a quotient has two chunks at blow-up 2. Lookups are
// LogUp fractions (Haboeck, ePrint 2022/1530): a use adds numerator/denominator, a yield subtracts it, and all sums
// together must vanish. The denominator of tuple (v_0, .., v_w-1) of relation r is
// r + alpha v_0 + .. + alpha^w v_w-1 - z: the relation's id comes first, so tuples of two relations never meet.
package air

import (
	"errors"
	"fmt"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/field"
)

// MaxDegree bounds a constraint's total degree in the columns.
const MaxDegree = 3

// MinLogHeight is the smallest table: one without work has 2^MinLogHeight padding rows.
const MinLogHeight = 4

// Element is the base field, KoalaBear, p = 2^31 - 2^24 + 1.
type Element = koalabear.Element

// Op says what a node of an expression is.
type Op uint8

// The kinds of nodes. Main, Fixed and Param are leaves that Node.Index selects.
const (
	OpConst Op = iota // Node.Value
	OpMain            // main column Index at this row
	OpFixed           // preprocessed column Fixed[Index] at this row
	OpParam           // public scalar Params[Index], the same in every row
	OpAdd             // Node.A + Node.B
	OpSub             // Node.A - Node.B
	OpMul             // Node.A * Node.B
)

// Node is one step of a component's expressions. Nodes are topologically sorted: A and B are smaller than its own index.
type Node struct {
	Op     Op
	Index  int32
	A, B   int32
	Value  Element
	Degree uint8 // total degree in main and fixed columns
}

// FixedKind tells where a preprocessed column comes from.
type FixedKind uint8

// The sources of preprocessed columns.
const (
	FixedSeq     FixedKind = iota // row index 0..2^k-1 at the component's own height 2^k; in the preprocessed tree
	FixedTable                    // a named column of a fixed table, such as the byte table or a circuit; in the preprocessed tree
	FixedProgram                  // a named column of the program table; in the program tree
)

// Fixed names a preprocessed column that a component reads.
type Fixed struct {
	Kind FixedKind
	Name string // for FixedSeq "seq"
}

// Relation is one bus: tuples that are used as often as they are yielded.
type Relation struct {
	ID    uint32 // first entry of every tuple's fingerprint, from 1
	Name  string
	Width int    // entries of a tuple, the id not counted; the same wherever the relation is used
	Note  string // soundness: who may yield, who may use, why multiplicities cannot wrap p
}

// NewRelation returns a relation. NewSet checks that ids are distinct, stark.NewLayout that they are not 0.
func NewRelation(id uint32, name string, width int, note string) *Relation {
	return &Relation{ID: id, Name: name, Width: width, Note: note}
}

// Lookup is one LogUp fraction a row.
type Lookup struct {
	Relation  *Relation
	Yield     bool  // a yield's fraction is subtracted
	Numerator int32 // node: multiplicity, enabler or constant; degree at most 1
	Tuple     []int32
	// Unit is true when the numerator is 0 or 1 in every satisfying row, by a constraint or because it is a constant
	// or a public bit; false for a free multiplicity column. Only yields may be free.
	Unit bool
}

// Constraint is an expression that is zero in every row.
type Constraint struct {
	Label string
	Root  int32
}

// Weighted is an equation over the extension that holds in every row: the sum of coefficient * expression is zero, where
// coefficients are scalars of the extension that the verifier knows.
type Weighted struct {
	Label string
	Terms []Term
}

// Term is one summand of a Weighted. Its coefficient is ExtParams[Param], or 1 if Param is negative, times the element of
// the extension's basis with number Basis.
type Term struct {
	Param int32
	Basis int
	Node  int32
}

// AnyHeight is the height rule of a component whose height is part of the witness.
const AnyHeight = 0

// Component is one described table. It is immutable: what one proof holds of it lives elsewhere.
type Component struct {
	Name string
	// LogHeight is the fixed log2 of the rows, or AnyHeight. A table that reads a program, or the columns of a circuit, is
	// AnyHeight: its height is bound by what names the program or circuit.
	LogHeight   int
	Main        []string
	Fixed       []Fixed
	Params      []string
	ExtParams   []string // public scalars of the extension, coefficients of Weighted
	Nodes       []Node
	Constraints []Constraint
	Weighted    []Weighted
	Lookups     []Lookup
	// Batches groups the lookups, in order, by interaction column. Column j holds the row's fractions of batches 0..j
	// summed; the last one is the running sum over the rows (verifier/stark.Constraints has the equations).
	Batches [][]int
}

// Set is the list of components of a proof, in the order in which leaves absorb their columns.
type Set struct {
	Name       string
	Components []*Component
	Relations  []*Relation // ordered by id, as the components use them
}

// NewSet checks that components fit together: their names and the ids of their relations are distinct.
func NewSet(name string, components ...*Component) (*Set, error) {
	s := &Set{Name: name, Components: components}
	names := map[string]bool{}
	byID := map[uint32]*Relation{}
	top := uint32(0)
	for _, c := range components {
		if names[c.Name] {
			return nil, fmt.Errorf("set %s: component %s appears twice", name, c.Name)
		}
		names[c.Name] = true
		for _, l := range c.Lookups {
			r := l.Relation
			if have, ok := byID[r.ID]; ok && have != r {
				return nil, fmt.Errorf("set %s: relations %s and %s share id %d", name, have.Name, r.Name, r.ID)
			}
			byID[r.ID] = r
			top = max(top, r.ID)
		}
	}
	for id := uint32(1); id <= top; id++ {
		if r, ok := byID[id]; ok {
			s.Relations = append(s.Relations, r)
		}
	}
	return s, nil
}

// Component returns the component of that name and its place, or -1.
func (s *Set) Component(name string) (*Component, int) {
	for i, c := range s.Components {
		if c.Name == name {
			return c, i
		}
	}
	return nil, -1
}

// FixedNames lists a set's preprocessed columns of a kind, each once, in the order in which the components read them: the
// order in which the leaves of their tree absorb them.
func (s *Set) FixedNames(kind FixedKind) (names []string) {
	seen := map[string]bool{}
	for _, c := range s.Components {
		for _, f := range c.Fixed {
			if f.Kind == kind && !seen[f.Name] {
				seen[f.Name] = true
				names = append(names, f.Name)
			}
		}
	}
	return names
}

// Expr is an expression over one row of a component under construction. Exprs of two builders do not mix.
type Expr struct {
	b  *Builder
	id int32
}

type nodeKey struct {
	op    Op
	index int32
	a, b  int32
	value Element
}

// Builder collects a component. Equal expressions are stored once. The first mistake is kept and returned by Build, so
// that descriptions read as a list of equations.
type Builder struct {
	c    Component
	seen map[nodeKey]int32
	err  error
}

// NewBuilder starts a component; logHeight is the fixed log2 of its rows or AnyHeight.
func NewBuilder(name string, logHeight int) *Builder {
	return &Builder{c: Component{Name: name, LogHeight: logHeight}, seen: map[nodeKey]int32{}}
}

func (b *Builder) fail(format string, args ...any) {
	if b.err == nil {
		b.err = fmt.Errorf("component "+b.c.Name+": "+format, args...)
	}
}

func (b *Builder) node(n Node) Expr {
	k := nodeKey{n.Op, n.Index, n.A, n.B, n.Value}
	if id, ok := b.seen[k]; ok {
		return Expr{b, id}
	}
	id := int32(len(b.c.Nodes))
	b.c.Nodes = append(b.c.Nodes, n)
	b.seen[k] = id
	return Expr{b, id}
}

// Main adds a main column.
func (b *Builder) Main(name string) Expr {
	b.c.Main = append(b.c.Main, name)
	return b.node(Node{Op: OpMain, Index: int32(len(b.c.Main) - 1), Degree: 1})
}

// MainN adds n main columns name_0 .. name_n-1.
func (b *Builder) MainN(name string, n int) []Expr {
	out := make([]Expr, n)
	for i := range out {
		out[i] = b.Main(fmt.Sprintf("%s_%d", name, i))
	}
	return out
}

// Bit adds a main column with the constraint that it is 0 or 1.
func (b *Builder) Bit(name string) Expr {
	x := b.Main(name)
	b.Zero(name+" is a bit", x.Mul(x.Sub(b.Const(1))))
	return x
}

func (b *Builder) fixed(f Fixed) Expr {
	for i, have := range b.c.Fixed {
		if have == f {
			return b.node(Node{Op: OpFixed, Index: int32(i), Degree: 1})
		}
	}
	b.c.Fixed = append(b.c.Fixed, f)
	return b.node(Node{Op: OpFixed, Index: int32(len(b.c.Fixed) - 1), Degree: 1})
}

// Seq is the row's index, 0 .. 2^k-1, preprocessed.
func (b *Builder) Seq() Expr { return b.fixed(Fixed{FixedSeq, "seq"}) }

// Table is a column of a fixed table in the preprocessed tree. All components that read it have its height.
func (b *Builder) Table(name string) Expr {
	return b.fixed(Fixed{FixedTable, name})
}

// Program is a column of the program table.
func (b *Builder) Program(name string) Expr { return b.fixed(Fixed{FixedProgram, name}) }

// Param is a public scalar of the component, such as the start of a builtin's segment or its table's enabler. The verifier
// takes its value from the public data, never from the prover's columns.
func (b *Builder) Param(name string) Expr {
	for i, have := range b.c.Params {
		if have == name {
			return b.node(Node{Op: OpParam, Index: int32(i)})
		}
	}
	b.c.Params = append(b.c.Params, name)
	return b.node(Node{Op: OpParam, Index: int32(len(b.c.Params) - 1)})
}

// ExtParam is a public scalar of the extension, for coefficients of ZeroWeighted.
func (b *Builder) ExtParam(name string) int32 {
	b.c.ExtParams = append(b.c.ExtParams, name)
	return int32(len(b.c.ExtParams) - 1)
}

// Weigh is x times an extension scalar, or times 1 if param is negative, times an element of the extension's basis.
func (x Expr) Weigh(param int32, basis int) WeightedExpr { return WeightedExpr{x, param, basis} }

// WeightedExpr is a summand of ZeroWeighted.
type WeightedExpr struct {
	x     Expr
	param int32
	basis int
}

// ZeroWeighted adds the equation that the terms sum to zero in every row.
func (b *Builder) ZeroWeighted(label string, terms ...WeightedExpr) {
	w := Weighted{Label: label}
	for _, t := range terms {
		if t.x.b != b || t.param >= int32(len(b.c.ExtParams)) || t.basis < 0 || t.basis >= field.Degree {
			b.fail("weighted constraint %q has a term of another builder, scalar or basis", label)
			return
		}
		if d := b.c.Nodes[t.x.id].Degree; d > MaxDegree {
			b.fail("weighted constraint %q has degree %d, at most %d", label, d, MaxDegree)
		}
		w.Terms = append(w.Terms, Term{max(t.param, -1), t.basis, t.x.id})
	}
	b.c.Weighted = append(b.c.Weighted, w)
}

// Const is a constant; negative ones are taken mod p.
func (b *Builder) Const(v int64) Expr {
	var e Element
	e.SetInt64(v)
	return b.Value(e)
}

// Value is a constant of the field.
func (b *Builder) Value(e Element) Expr { return b.node(Node{Op: OpConst, Value: e}) }

// Zero adds the constraint that e vanishes in every row.
func (b *Builder) Zero(label string, e Expr) {
	if e.b != b {
		b.fail("constraint %q mixes builders", label)
		return
	}
	if d := b.c.Nodes[e.id].Degree; d > MaxDegree {
		b.fail("constraint %q has degree %d, at most %d", label, d, MaxDegree)
	}
	b.c.Constraints = append(b.c.Constraints, Constraint{label, e.id})
}

// Equal adds the constraint x = y.
func (b *Builder) Equal(label string, x, y Expr) { b.Zero(label, x.Sub(y)) }

func (b *Builder) lookup(r *Relation, yield, unit bool, numerator Expr, tuple []Expr) {
	l := Lookup{Relation: r, Yield: yield, Unit: unit, Numerator: numerator.id}
	if len(tuple) != r.Width {
		b.fail("relation %s: tuple of %d, want %d", r.Name, len(tuple), r.Width)
		return
	}
	if numerator.b != b || b.c.Nodes[numerator.id].Degree > 1 {
		b.fail("relation %s: numerator must be of this builder and of degree at most 1", r.Name)
		return
	}
	for _, t := range tuple {
		if t.b != b || b.c.Nodes[t.id].Degree > MaxDegree-1 {
			b.fail("relation %s: tuple entries must be of this builder and of degree at most %d", r.Name, MaxDegree-1)
			return
		}
		l.Tuple = append(l.Tuple, t.id)
	}
	b.c.Lookups = append(b.c.Lookups, l)
}

// Use takes a tuple from relation r if on, which must be 0 or 1 in every satisfying row.
func (b *Builder) Use(r *Relation, on Expr, tuple ...Expr) { b.lookup(r, false, true, on, tuple) }

// Yield gives a tuple to relation r if on, which must be 0 or 1 in every satisfying row.
func (b *Builder) Yield(r *Relation, on Expr, tuple ...Expr) { b.lookup(r, true, true, on, tuple) }

// Balance adds a tuple to relation r, times as often: yields where times is positive, uses, as p less their number, where
// it is negative. It is for circuits, whose package says why they add up.
func (b *Builder) Balance(r *Relation, times Expr, tuple ...Expr) {
	b.YieldTimes(r, times, tuple...)
}

// YieldTimes gives a tuple to relation r as often as an unconstrained multiplicity column says.
func (b *Builder) YieldTimes(r *Relation, times Expr, tuple ...Expr) {
	b.lookup(r, true, false, times, tuple)
}

// Build closes the component, groups its lookups into interaction columns, and reports the first mistake.
func (b *Builder) Build() (*Component, error) {
	if b.err == nil && len(b.c.Lookups) == 0 {
		b.fail("a component without a lookup is joined to nothing")
	}
	if b.err != nil {
		return nil, b.err
	}
	c := b.c
	// Two fractions share a column where column * denominator * denominator stays within MaxDegree.
	for i := 0; i < len(c.Lookups); {
		batch := []int{i}
		if i+1 < len(c.Lookups) && 1+c.lookupDegree(i)+c.lookupDegree(i+1) <= MaxDegree {
			batch = append(batch, i+1)
		}
		c.Batches = append(c.Batches, batch)
		i += len(batch)
	}
	for j, batch := range c.Batches {
		d := 1
		for _, i := range batch {
			d += c.lookupDegree(i)
		}
		if d > MaxDegree {
			return nil, fmt.Errorf("component %s: interaction column %d has degree %d", c.Name, j, d)
		}
	}
	return &c, nil
}

// lookupDegree is the larger degree of a fraction's numerator and denominator.
func (c *Component) lookupDegree(i int) int {
	l := c.Lookups[i]
	d := c.Nodes[l.Numerator].Degree
	for _, t := range l.Tuple {
		d = max(d, c.Nodes[t].Degree)
	}
	return max(1, int(d))
}

// MustBuild is Build for descriptions that are constants of a package: a mistake there is a bug of that package.
func (b *Builder) MustBuild() *Component {
	c, err := b.Build()
	if err != nil {
		panic(err)
	}
	return c
}

func (x Expr) binary(op Op, y Expr) Expr {
	b := x.b
	if b == nil || y.b != b {
		if b != nil {
			b.fail("an expression mixes builders")
		}
		return x
	}
	dx, dy := b.c.Nodes[x.id].Degree, b.c.Nodes[y.id].Degree
	d := max(dx, dy)
	if op == OpMul {
		d = dx + dy
	}
	if d > MaxDegree {
		b.fail("an expression of degree %d, at most %d", d, MaxDegree)
		return x
	}
	return b.node(Node{Op: op, A: x.id, B: y.id, Degree: d})
}

// Add, Sub and Mul combine two expressions of one builder.
func (x Expr) Add(y Expr) Expr { return x.binary(OpAdd, y) }

// Sub is x - y.
func (x Expr) Sub(y Expr) Expr { return x.binary(OpSub, y) }

// Mul is x * y.
func (x Expr) Mul(y Expr) Expr { return x.binary(OpMul, y) }

// Scale is x times a constant.
func (x Expr) Scale(v int64) Expr {
	if v == 1 {
		return x
	}
	return x.Mul(x.b.Const(v))
}

// Plus is x plus a constant.
func (x Expr) Plus(v int64) Expr {
	if v == 0 {
		return x
	}
	return x.Add(x.b.Const(v))
}

// Not is 1 - x, for a bit.
func (x Expr) Not() Expr { return x.b.Const(1).Sub(x) }

// Sum adds expressions; there must be at least one.
func Sum(xs ...Expr) Expr {
	s := xs[0]
	for _, x := range xs[1:] {
		s = s.Add(x)
	}
	return s
}

// ErrShape is wrapped by every error about a number of columns or values that does not fit a description.
var ErrShape = errors.New("shape does not fit the component")
