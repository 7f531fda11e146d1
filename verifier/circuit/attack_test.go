package circuit

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// cells are a circuit under attack: its columns, and the bus as they leave it.
type cells struct {
	tables []air.Table
	bus    *air.Bus
}

func newCells(t testing.TB, c *Circuit) *cells {
	t.Helper()
	x := &cells{tables: tables(c), bus: air.NewBus()}
	for i, comp := range Set().Components {
		if err := x.bus.AddTable(comp, x.tables[i]); err != nil {
			t.Fatal(err)
		}
	}
	x.bus.AddPublic(publicLookups(&c.Public))
	if err := x.bus.Check(Set().Relations); err != nil {
		t.Fatal(err)
	}
	return x
}

// with changes a cell, asks what finds it, and changes it back.
func (x *cells) with(t testing.TB, component, column, row int, v field.Element) error {
	t.Helper()
	comp := Set().Components[component]
	one := func(i int) air.Table {
		out := air.Table{Ext: x.tables[i].Ext}
		for _, c := range x.tables[i].Main {
			out.Main = append(out.Main, slices.Clone(c[row:row+1]))
		}
		for _, c := range x.tables[i].Fixed {
			out.Fixed = append(out.Fixed, c[row:row+1])
		}
		return out
	}
	before, after := one(component), one(component)
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
	err := x.bus.Check(Set().Relations)
	replace(after, before)
	return err
}

// free says whether a prover may choose a cell as it likes, because no constraint speaks of it and no lookup is balanced
// against another: padding, slots without a wire, and advice that stands in one slot only.
func (x *cells) free(component, column, row int) bool {
	f := x.tables[component].Fixed
	zero := func(columns ...int) bool {
		for _, c := range columns {
			if !f[c][row].IsZero() {
				return false
			}
		}
		return true
	}
	switch component {
	case PackTable:
		if single := !zero(2 * (packBlocks + packExts)); single && column%field.Degree != 0 {
			return false
		}
		return zero(2*(column/hash.Rate)+1, 2*(packBlocks+column/field.Degree)+1)
	case OpeningTable:
		switch {
		case column < hash.Rate:
			return zero(fixState, fixNodeAt)
		case column < hash.Rate+stateWords:
			return zero(fixState, fixSum)
		}
	case ArithmeticTable:
		const perLane = coefficients + 1 + 2*slots
		lane, s := column/(field.Degree*slots), column/field.Degree%slots
		return s != slotOut && zero(perLane*lane+coefficients+1+2*s)
	case PoseidonTable:
		if column >= colIn && column < colOut {
			return zero(fixBalanceL, fixSideA, fixSideA+1) && x.tables[component].Main[colTimeL][row].IsZero()
		}
	}
	return false
}

// TestMutations changes cells, of every column in turn, at random rows: each is found by a constraint or by the bus, but for
// those that are the prover's to choose.
func TestMutations(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 8))
	b := NewBuilder()
	everything(b, seed)
	c := satisfied(t, b)
	x := newCells(t, c)
	const each = 40
	for component, comp := range Set().Components {
		for column, name := range comp.Main {
			rows := c.Rows[component]
			bound := 0
			for i := 0; bound < each && i < 40*each; i++ {
				row := r.IntN(rows)
				if i%each == each-1 {
					row = r.IntN(1 << c.LogHeights[component]) // padding, too
				}
				if x.free(component, column, row) {
					continue
				}
				bound++
				v := x.tables[component].Main[column][row]
				delta := field.New(1 + r.Uint64N(field.Modulus-1))
				if r.IntN(2) == 0 {
					delta = one
				}
				v.Add(&v, &delta)
				if err := x.with(t, component, column, row, v); err == nil {
					t.Errorf("seed %d: component %s, column %s, row %d: changed by %s and nothing sees it", seed, comp.Name, name, row, delta.String())
				}
			}
			if bound == 0 {
				t.Errorf("seed %d: component %s, column %s: no row where it is bound", seed, comp.Name, name)
			}
		}
	}
}

func TestFalseValues(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	for _, c := range []struct {
		label string
		f     func(b *Builder, label string)
	}{
		{"equal", func(b *Builder, label string) { b.Equal(label, b.Advice(base(1)), b.Advice(base(2))) }},
		{"equal to a constant", func(b *Builder, label string) { b.Equal(label, b.Advice(base(1)), b.Const(two)) }},
		{"equal constants", func(b *Builder, label string) { b.Equal(label, b.Const(one), b.Const(two)) }},
		{"equal products", func(b *Builder, label string) {
			x, y := b.Advice(base(3)), b.Advice(base(4))
			b.Equal(label, b.Mul(x, x), b.Mul(x, y))
		}},
		{"inverse", func(b *Builder, label string) { b.Inverse(label, b.Advice(field.Ext{})) }},
		{"inverse of a constant", func(b *Builder, label string) { b.Inverse(label, Wire{}) }},
		{"bits", func(b *Builder, label string) { b.Bits(label, b.Advice(base(8)), 3) }},
		{"no bits", func(b *Builder, label string) { b.Bits(label, b.Advice(base(1)), 0) }},
		{"bits of an extension", func(b *Builder, label string) { b.Bits(label, b.Advice(field.Basis(3)), 4) }},
		{"canonical bits of an extension", func(b *Builder, label string) { b.CanonicalBits(label, b.Advice(randomExt(r))) }},
		{"blocks", func(b *Builder, label string) {
			b.EqualBlocks(label, b.AdviceBlock(randomDigest(r)), b.ConstBlock(randomDigest(r)))
		}},
		{"base", func(b *Builder, label string) {
			for d := 1; d < field.Degree; d++ {
				b.Base(label, b.Advice(base(7)), b.Advice(field.Add(base(7), field.Basis(d))))
			}
		}},
		// A bit is one in all its coordinates, not in the first alone (Plonky3-recursion #335).
		{"bit of an extension", func(b *Builder, label string) {
			for d := 1; d < field.Degree; d++ {
				b.Bits(label, b.Advice(field.Add(base(1), field.Basis(d))), 1)
			}
		}},
		{"Merkle opening of tree 3", func(b *Builder, _ string) { openOne(b, r, func(p *opening) { p.path[1][2] = one }) }},
		{"Merkle opening of tree 3", func(b *Builder, _ string) { openOne(b, r, func(p *opening) { p.leaf[0] = one }) }},
		{"Merkle opening of tree 3", func(b *Builder, _ string) { openOne(b, r, func(p *opening) { p.root[0] = one }) }},
		{"Merkle opening of tree 3", func(b *Builder, _ string) { openOne(b, r, func(p *opening) { p.index = base(uint64(p.place ^ 1)) }) }},
		{"Merkle opening of tree 3", func(b *Builder, _ string) {
			openOne(b, r, func(p *opening) { p.place, p.index = p.place|8, base(uint64(p.place|8)) })
		}},
		{"Merkle opening of tree 3", func(b *Builder, _ string) {
			openOne(b, r, func(p *opening) { p.index = field.Add(p.index, field.Basis(1)) })
		}},
		// A node in the place of a leaf.
		{"Merkle opening of tree 3", func(b *Builder, _ string) {
			openOne(b, r, func(p *opening) { p.leaf = p.tree[p.tree.depth()-1][p.place>>1] })
		}},
	} {
		b := NewBuilder()
		c.f(b, c.label)
		refused(t, b, c.label)
	}
	b := NewBuilder()
	openOne(b, r, func(*opening) {})
	satisfied(t, b)
}

// opening is an opening of a tree with eight leaves, some of it false.
type opening struct {
	tree       forest
	root, leaf hash.Digest
	place      uint32
	index      field.Ext
	path       []hash.Digest
}

func openOne(b *Builder, r *rand.Rand, lie func(*opening)) {
	leaves := make([]hash.Digest, 8)
	for i := range leaves {
		leaves[i] = randomDigest(r)
	}
	p := &opening{tree: grow(leaves), place: uint32(r.IntN(len(leaves)))}
	p.root, p.leaf, p.index, p.path = p.tree.root(), leaves[p.place], base(uint64(p.place)), p.tree.path(p.place)
	lie(p)
	b.Root(3, b.AdviceBlock(p.root))
	b.Open(3, p.tree.depth(), b.BlockLeaf(b.AdviceBlock(p.leaf)), b.Advice(p.index), p.place, p.path)
}

// TestBitsOfZeroAreNotThoseOfP has the prover say p's bits for 0: they add up, and only that they are canonical refuses them.
func TestBitsOfZeroAreNotThoseOfP(t *testing.T) {
	for _, canonical := range []bool{false, true} {
		b := NewBuilder()
		x := b.Advice(field.Ext{})
		var bits []Wire
		if canonical {
			bits = b.CanonicalBits("canonical", x)
		} else {
			bits, _ = b.split("bits", x, topBits+lowBits)
		}
		// Other values for the bits, and for what follows from them.
		for i, w := range bits {
			b.values[b.ref(w)] = base(field.Modulus >> i & 1)
		}
		for _, g := range b.gates {
			if g.bit && g.ref[slotOut] != 0 {
				v := field.Add(field.Scale(b.values[g.ref[slotA]], two), b.values[g.ref[slotB]])
				b.values[g.ref[slotOut]] = v
			}
		}
		if v := b.values[b.ref(x)]; !v.IsZero() {
			t.Fatalf("the bits of p are those of %v", v)
		}
		err := oracle(finish(t, b))
		var broken *air.Violation
		if !canonical && err != nil {
			t.Errorf("without more than 31 bits: %v", err)
		}
		if canonical && (!errors.As(err, &broken) || !strings.HasPrefix(broken.Label, "coordinate 0 of gate")) {
			t.Errorf("p's bits for 0: %v", err)
		}
	}
	r := rand.New(rand.NewPCG(1, 10))
	for _, v := range []uint64{0, 1, field.Modulus - 1, field.Modulus - 2, 1<<30 + 5, 127 << 24, 126<<24 + 1, 1<<24 - 1, r.Uint64N(field.Modulus)} {
		b := NewBuilder()
		for i, w := range b.CanonicalBits("canonical", b.Advice(base(v))) {
			if b.Value(w) != base(v>>i&1) {
				t.Errorf("bit %d of %d is %v", i, v, b.Value(w))
			}
		}
		satisfied(t, b)
	}
}

// TestNodeRowsCannotForge changes Merkle rows together, as a prover would who wants a tuple that no root leads to.
func TestNodeRowsCannotForge(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 11))
	type table = air.Table
	// Two trees with the same leaf, and no opening of tree 1 that is true: its root is another.
	build := func(seed uint64, second bool) (*Circuit, int) {
		r := rand.New(rand.NewPCG(seed, 12))
		leaves := make([]hash.Digest, 4)
		for i := range leaves {
			leaves[i] = randomDigest(r)
		}
		f := grow(leaves)
		b := NewBuilder()
		for tree := range 2 {
			root := f.root()
			if second && tree == 1 {
				root = randomDigest(r)
			}
			b.Root(tree, b.AdviceBlock(root))
			b.Open(tree, 2, b.BlockLeaf(b.AdviceBlock(leaves[1])), b.Advice(base(1)), 1, f.path(1))
		}
		return finish(t, b), len(b.hashes)
	}
	set := func(c *Circuit, column, row int, v uint64) { c.Main[PoseidonTable][column][row].SetUint64(v) }
	for _, a := range []struct {
		name   string
		second bool
		f      func(c *Circuit, first int)
		caught string
	}{
		{"a row that is on twice", false, func(c *Circuit, first int) {
			set(c, colOn, first, 2)
			set(c, colTimeR, first, 2)
			set(c, colTimeL, first, 2)
		}, "on is a bit"},
		{"a row at another level", false, func(c *Circuit, first int) { set(c, colLevel, first, codeStep) }, "tuple"},
		{"a row at another index", false, func(c *Circuit, first int) { set(c, colIndex, first+1, 1) }, "tuple"},
		{"a child that is used more often", false, func(c *Circuit, first int) { set(c, colTimeL, first, 2) }, "tuple"},
		{"a tree that has another's nodes", true, func(*Circuit, int) {}, "tuple"},
		{"a chain into another tree", true, func(c *Circuit, first int) {
			// The rows of tree 1 hang below the lowest level of tree 0.
			set(c, colLevel, first+2, codeStep+2)
			set(c, colLevel, first+3, codeStep+3)
		}, "tuple"},
		{"a wire from nodes", false, func(c *Circuit, first int) {
			set(c, colLevel, first, firstRef)
			set(c, colIndex, first, 0)
		}, "tuple"},
		{"a chain row that is a node", false, func(c *Circuit, _ int) { set(c, colOn, 0, 1) }, "only rows of nodes"},
		{"a chain row at a level", false, func(c *Circuit, _ int) { set(c, colLevel, 0, 1) }, "level is 0"},
		{"a row that is off and yields", false, func(c *Circuit, first int) {
			set(c, colTimeL, first+5, 1)
		}, "timesL is 0"},
	} {
		c, first := build(r.Uint64(), a.second)
		if a.name == "a chain row that is a node" || a.name == "a chain row at a level" {
			b := NewBuilder()
			b.Compress(Block{}, Block{})
			c = finish(t, b)
		}
		a.f(c, first)
		if err := oracle(c); err == nil || !strings.Contains(err.Error(), a.caught) {
			t.Errorf("%s: %v, want %q", a.name, err, a.caught)
		}
	}
}

// TestEachCoordinateIsOfTheBaseField has one coordinate too many at a time, in each place of a row: the row's own constraint
// finds it, whatever else the wire is used for.
func TestEachCoordinateIsOfTheBaseField(t *testing.T) {
	for place := range packExts {
		for d := 1; d < field.Degree; d++ {
			b := NewBuilder()
			for i := range packExts {
				v := base(uint64(i + 3))
				if i == place {
					v = field.Add(v, field.Basis(d))
				}
				b.Base("base", b.Advice(v))
			}
			var broken *air.Violation
			if err := oracle(finish(t, b)); !errors.As(err, &broken) || broken.Component != NamePack {
				t.Errorf("coordinate %d of value %d: %v", d, place, err)
			}
		}
	}
}

// TestPublicSlots changes the public data of a proof.
func TestPublicSlots(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 13))
	for _, used := range []bool{false, true} {
		b := NewBuilder()
		if used {
			everything(b, 5)
		} else {
			b.Equal("a circuit that needs no slot", b.Advice(base(1)), b.Const(one))
		}
		c := satisfied(t, b)
		for i, change := range []func(p *Public){
			func(p *Public) { p.Statement[7] = randomElement(r) },
			func(p *Public) { p.A = randomExt(r) },
			func(p *Public) { p.B = randomExt(r) },
		} {
			was := c.Public
			change(&c.Public)
			if oracle(c) == nil {
				t.Errorf("public slot %d may be anything", i+1)
			}
			c.Public = was
		}
	}
}

// TestNoCircuit has calls that make no sense, and circuits that do not fit.
func TestNoCircuit(t *testing.T) {
	for i, f := range []func(b *Builder){
		func(b *Builder) { b.Bits("", Wire{}, 31) },
		func(b *Builder) { b.Bits("", Wire{}, -1) },
		func(b *Builder) { b.Join(make([]Wire, 7)) },
		func(b *Builder) { b.Unpack(nil, 1) },
		func(b *Builder) { b.Unpack([]Block{{}}, 2) },
		func(b *Builder) { b.Leaf(SideA, make([]field.Element, 8), nil) }, // no scalar
		func(b *Builder) { b.Leaf(Side(3), make([]field.Element, 8), nil) },
		func(b *Builder) { b.Leaf(SideNone, nil, nil) },
		func(b *Builder) { b.LeafExts(nil) },
		func(b *Builder) { b.Leaf(SideNone, make([]field.Element, 8), []int{1}) },
		func(b *Builder) { b.Leaf(SideNone, make([]field.Element, 8), []int{6}) },
		func(b *Builder) { b.SetScalar(SideNone, field.Ext{}) },
		func(b *Builder) { b.SetScalar(SideA, base(1)); b.SetScalar(SideA, base(2)) },
		func(b *Builder) { b.PublicScalar(SideA, base(1)); b.PublicScalar(SideA, base(1)) },
		func(b *Builder) { b.PublicScalar(Side(9), base(1)) },
		func(b *Builder) { b.PublicBlock(hash.Digest{}); b.PublicBlock(hash.Digest{}) },
		func(b *Builder) { b.Root(0, Block{}); b.Root(0, Block{}) },
		func(b *Builder) { b.Root(maxTrees, Block{}) },
		func(b *Builder) { b.Root(-1, Block{}) },
		func(b *Builder) { b.Open(0, 1, b.BlockLeaf(Block{}), Wire{}, 0, make([]hash.Digest, 1)) }, // no root
		func(b *Builder) {
			b.Root(0, Block{})
			b.Open(0, 0, b.BlockLeaf(Block{}), Wire{}, 0, nil)
		},
		func(b *Builder) {
			b.Root(0, Block{})
			b.Open(0, 25, b.BlockLeaf(Block{}), Wire{}, 0, make([]hash.Digest, 25))
		},
		func(b *Builder) {
			b.Root(0, Block{})
			b.Open(0, 2, b.BlockLeaf(Block{}), Wire{}, 0, make([]hash.Digest, 1))
		},
		func(b *Builder) {
			b.Root(0, Block{})
			b.Open(0, 2, b.BlockLeaf(Block{}), Wire{}, 0, make([]hash.Digest, 2))
			b.Open(0, 1, b.BlockLeaf(Block{}), Wire{}, 0, make([]hash.Digest, 1))
		},
		func(b *Builder) {
			b.Root(0, Block{})
			b.Open(0, 1, Leaf{}, Wire{}, 0, make([]hash.Digest, 1))
		},
	} {
		b := NewBuilder()
		f(b)
		if _, err := b.Finish(Heights{}); !errors.Is(err, ErrCircuit) {
			t.Errorf("case %d: %v", i, err)
		}
	}
	for _, h := range []Heights{{3}, {22}, {0, 0, 0, 4}} {
		b := NewBuilder()
		for i := range uint64(40) {
			b.ref(b.Mul(b.Advice(base(i)), b.Advice(base(i))))
		}
		if _, err := b.Finish(h); !errors.Is(err, ErrCircuit) {
			t.Errorf("heights %v: %v", h, err)
		}
	}
	b := NewBuilder()
	c, err := b.Finish(Heights{5, 6, 7, 8, 9})
	if err != nil || !slices.Equal(c.LogHeights, []int{5, 6, 7, 8, 9}) || oracle(c) != nil {
		t.Errorf("an empty circuit: %v", err)
	}
}

// TestFalseEqualitiesAreInTheColumns demands that two random expressions are equal, and nothing else. Where they are not, the
// columns must say so as the builder does: that one notes a violation from the values, whatever gates it makes.
func TestFalseEqualitiesAreInTheColumns(t *testing.T) {
	agree := func(t interface{ Fatal(...any) }, b *Builder) {
		said := b.Err()
		c, err := b.Finish(Heights{})
		if err != nil {
			t.Fatal(err)
		}
		if held := oracle(c); (said == nil) != (held == nil) {
			t.Fatal("the builder says", said, "and the columns", held)
		}
	}
	// What is left of these differences is a wire in the last place of its gate.
	for _, f := range []func(b *Builder, u, v Wire) (Wire, Wire){
		func(b *Builder, u, v Wire) (Wire, Wire) { return b.Add(b.Add(u, u), b.Add(v, v)), b.Add(u, u) },
		func(b *Builder, u, v Wire) (Wire, Wire) { return b.Add(b.Mul(u, v), v), b.Mul(u, v) },
	} {
		b := NewBuilder()
		x, y := f(b, b.Advice(base(5)), b.Advice(base(7)))
		b.Equal("they are equal", x, y)
		agree(t, b)
	}
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 9))
		b := NewBuilder()
		ws := []Wire{{}, b.Const(one)}
		for range rapid.IntRange(1, 4).Draw(t, "wires") {
			ws = append(ws, b.Advice(randomExt(r)))
		}
		pick := func() Wire { return ws[r.IntN(len(ws))] }
		for range rapid.IntRange(1, 10).Draw(t, "operations") {
			x, y := pick(), pick()
			switch r.IntN(4) {
			case 0:
				ws = append(ws, b.Add(x, y))
			case 1:
				ws = append(ws, b.Sub(x, y))
			case 2:
				ws = append(ws, b.Mul(x, y))
			default:
				ws = append(ws, b.Mul(b.Const(field.New(r.Uint64N(4))), x))
			}
		}
		b.Equal("they are equal", pick(), pick())
		agree(t, b)
	})
}
