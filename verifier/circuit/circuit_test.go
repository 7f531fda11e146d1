package circuit

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/consensys/gnark-crypto/field/koalabear"
	"pgregory.net/rapid"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

func randomElement(r *rand.Rand) field.Element { return field.New(r.Uint64N(field.Modulus)) }

func randomExt(r *rand.Rand) field.Ext {
	var c [field.Degree]field.Element
	for i := range c {
		c[i] = randomElement(r)
	}
	return field.FromCoords(c)
}

func randomDigest(r *rand.Rand) (d hash.Digest) {
	for i := range d {
		d[i] = randomElement(r)
	}
	return d
}

func base(v uint64) field.Ext { return field.FromBase(field.New(v)) }

// tables are a circuit's columns as the oracle reads them.
func tables(c *Circuit) []air.Table {
	out := make([]air.Table, Tables)
	for i, comp := range Set().Components {
		for _, m := range c.Main[i] {
			out[i].Main = append(out[i].Main, m)
		}
		for _, f := range comp.Fixed {
			out[i].Fixed = append(out[i].Fixed, c.Tables[f.Name])
		}
		out[i].Ext = c.Public.Ext()[i]
	}
	return out
}

func publicLookups(p *Public) (out []air.PublicLookup) {
	for _, t := range p.Tuples() {
		out = append(out, air.PublicLookup{Relation: WireRelation, Yield: true, Tuple: t})
	}
	return out
}

// oracle holds a circuit's columns to its description.
func oracle(c *Circuit) error { return air.Check(Set(), tables(c), publicLookups(&c.Public)) }

func finish(t testing.TB, b *Builder) *Circuit {
	t.Helper()
	c, err := b.Finish(Heights{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// satisfied finishes a circuit whose values satisfy it, says builder and oracle.
func satisfied(t testing.TB, b *Builder) *Circuit {
	t.Helper()
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	c := finish(t, b)
	if err := oracle(c); err != nil {
		t.Fatal(err)
	}
	return c
}

// refused finishes a circuit that builder and oracle must find false.
func refused(t testing.TB, b *Builder, label string) {
	t.Helper()
	if err := b.Err(); !errors.Is(err, ErrUnsatisfied) || !strings.Contains(err.Error(), label) {
		t.Errorf("the builder says %v, want %q", err, label)
	}
	if err := oracle(finish(t, b)); err == nil {
		t.Errorf("%s: the columns hold", label)
	}
}

// forest is a Merkle tree.
type forest [][]hash.Digest // by level from the root

func grow(leaves []hash.Digest) (f forest) {
	for f = (forest{leaves}); len(f[0]) > 1; {
		up := make([]hash.Digest, len(f[0])/2)
		hash.Nodes(up, f[0])
		f = append(forest{up}, f...)
	}
	return f
}

func (f forest) root() hash.Digest { return f[0][0] }

func (f forest) depth() int { return len(f) - 1 }

func (f forest) path(place uint32) (out []hash.Digest) {
	for level := f.depth(); level > 0; level-- {
		out = append(out, f[level][place^1])
		place >>= 1
	}
	return out
}

// everything makes a circuit that uses all that there is. Its values follow from seed, and so do the places that it opens.
func everything(b *Builder, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 3))
	scalar := b.Advice(randomExt(r))
	b.Equal("scalar", b.PublicScalar(SideA, b.Value(scalar)), scalar)
	other := b.PublicScalar(SideB, randomExt(r))

	const width, depth, queries = 29, 5, 6
	var sums []Wire
	for tree, side := range []Side{SideA, SideB, SideNone} {
		rows := make([][]field.Element, 1<<depth)
		leaves := make([]hash.Digest, 1<<depth)
		for i := range rows {
			rows[i] = make([]field.Element, width)
			for j := range rows[i] {
				rows[i][j] = randomElement(r)
			}
			leaves[i] = hash.Leaf(rows[i])
		}
		f := grow(leaves)
		b.Root(tree, b.AdviceBlock(f.root()))
		for range queries {
			place := uint32(r.IntN(1 << depth))
			index := b.Advice(base(uint64(place)))
			bits := b.Bits("place", index, depth)
			number := Wire{}
			for i := depth - 1; i >= 0; i-- {
				number = b.Add(b.Mul(b.Const(field.New(2)), number), bits[i])
			}
			leaf, exts := b.Leaf(side, rows[place], []int{6, 18})
			for k, at := range []int{6, 18} {
				want := field.FromCoords([field.Degree]field.Element(rows[place][at:]))
				if b.Value(exts[k]) != want {
					b.Fail(fmt.Errorf("cell %d is %v, want %v", at, b.Value(exts[k]), want))
				}
			}
			sum := b.Open(tree, depth, leaf, number, place, f.path(place))
			want := field.Ext{}
			if side != SideNone {
				beta := b.Value(scalar)
				if side == SideB {
					beta = b.Value(other)
				}
				padded := append(append([]field.Element(nil), rows[place]...), make([]field.Element, 3)...)
				for _, cell := range padded {
					want = field.Add(field.Mul(want, beta), field.FromBase(cell))
				}
			}
			if b.Value(sum) != want {
				b.Fail(fmt.Errorf("Horner's sum is %v, want %v", b.Value(sum), want))
			}
			sums = append(sums, b.Add(sum, b.Mul(exts[0], exts[1])))
		}
	}
	// Leaves of values, and blocks as leaves.
	for tree, n := range []int{1, 2, 3, 8} {
		values := make([]field.Ext, n)
		for i := range values {
			values[i] = randomExt(r)
		}
		leaf, exts := b.LeafExts(values)
		sibling := randomDigest(r)
		at := uint32(r.IntN(2))
		children := [2]hash.Digest{sibling, sibling}
		var words []field.Element
		for i := range values {
			c := field.Coords(&values[i])
			words = append(words, c[:]...)
		}
		children[at] = hash.Leaf(words)
		b.Root(10+tree, b.AdviceBlock(hash.Compress(children[0], children[1])))
		b.Open(10+tree, 1, leaf, b.Advice(base(uint64(at))), at, []hash.Digest{sibling})
		sums = append(sums, exts...)
	}
	key := b.AdviceBlock(randomDigest(r))
	f := grow([]hash.Digest{randomDigest(r), randomDigest(r), b.BlockValue(key), randomDigest(r)})
	b.Root(20, b.AdviceBlock(f.root()))
	b.Open(20, 2, b.BlockLeaf(key), b.Const(field.New(2)), 2, f.path(2))

	// Blocks and values.
	blocks := b.Pack(sums)
	again := b.Unpack(blocks, len(sums))
	total := Wire{}
	for i := range again {
		b.Equal("pack and unpack", again[i], sums[i])
		total = b.Add(b.Mul(total, scalar), again[i])
	}
	inverse := b.Inverse("inverse", b.Sub(total, other))
	word := b.Advice(field.FromBase(randomElement(r)))
	canonical := b.CanonicalBits("canonical", word)
	b.Base("of the base field", word, canonical[0], b.Add(word, b.Const(two)))
	b.Base("of the base field, too", b.Mul(word, word), canonical[30])
	low := b.Join(canonical[:6])
	state := b.ConstBlock(hash.LeafState(7))
	for _, block := range append(blocks, b.Pack([]Wire{inverse, low, b.Basis(3)})...) {
		state = b.Compress(state, block)
	}
	b.EqualBlocks("statement", b.PublicBlock(b.BlockValue(state)), state)
}

func TestEverything(t *testing.T) {
	b := NewBuilder()
	everything(b, 1)
	c := satisfied(t, b)
	t.Logf("rows %v, heights %v, %d gates", c.Rows, c.LogHeights, c.Gates)
}

// TestStructureIsIndependentOfValues builds the same circuit with other values, false ones among them, and other places, all
// the same among them.
func TestStructureIsIndependentOfValues(t *testing.T) {
	build := func(seed uint64) *Circuit {
		b := NewBuilder()
		everything(b, seed)
		return satisfied(t, b)
	}
	want := build(1)
	for seed := range uint64(6) {
		sameStructure(t, want, build(seed+2))
	}

	// Seven openings of a tree of eight leaves, and a value that holds only in the first circuit.
	r := rand.New(rand.NewPCG(1, 15))
	leaves := make([]hash.Digest, 8)
	for i := range leaves {
		leaves[i] = randomDigest(r)
	}
	f := grow(leaves)
	opened := func(places []uint32, lie bool) *Circuit {
		b := NewBuilder()
		b.Root(0, b.AdviceBlock(f.root()))
		for _, p := range places {
			path := f.path(p)
			if lie {
				path[1] = randomDigest(r)
			}
			b.Open(0, f.depth(), b.BlockLeaf(b.AdviceBlock(leaves[p])), b.Advice(base(uint64(p))), p, path)
		}
		v := uint64(5)
		if lie {
			v = 0
		}
		x := b.Advice(base(v))
		b.Bits("bits", x, 3)
		b.CanonicalBits("canonical", x)
		b.Equal("equal", b.Mul(x, b.Inverse("inverse", x)), b.Const(one))
		b.EqualBlocks("blocks", b.Pack([]Wire{x})[0], b.AdviceBlock(hash.Digest{field.New(5)}))
		if (b.Err() == nil) == lie {
			t.Fatal(b.Err())
		}
		c := finish(t, b)
		if err := oracle(c); (err == nil) == lie {
			t.Fatal(err)
		}
		return c
	}
	want = opened([]uint32{0, 1, 2, 3, 4, 5, 6}, false)
	sameStructure(t, want, opened([]uint32{3, 3, 3, 3, 3, 3, 3}, false))
	sameStructure(t, want, opened([]uint32{7, 0, 7, 4, 3, 4, 0}, false))
	sameStructure(t, want, opened([]uint32{1, 7, 5, 5, 0, 2, 2}, true))
}

func sameStructure(t *testing.T, want, got *Circuit) {
	t.Helper()
	if fmt.Sprint(want.LogHeights, want.Rows, want.Gates) != fmt.Sprint(got.LogHeights, got.Rows, got.Gates) {
		t.Fatalf("tables of %v, want %v", got.Rows, want.Rows)
	}
	for name, v := range want.Tables {
		if !v.Equal(got.Tables[name]) {
			t.Errorf("column %s depends on values", name)
		}
	}
}

// TestPoseidonTable holds the table's rounds to the hash.
func TestPoseidonTable(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	b := NewBuilder()
	for range 300 {
		x, y := randomDigest(r), randomDigest(r)
		out := b.Compress(b.AdviceBlock(x), b.AdviceBlock(y))
		b.EqualBlocks("hash", out, b.ConstBlock(hash.Compress(x, y)))
	}
	b.Compress(Block{}, Block{})
	c := satisfied(t, b)

	// And with the witness's own arithmetic.
	p := &pool{}
	in := make([]lanes, hash.Width)
	for i := range in {
		in[i] = lanes{make(koalabear.Vector, 1), p}
		in[i].v[0] = c.Main[PoseidonTable][i][7]
	}
	out := permuteRight(in, func(_, _ int, x lanes) lanes {
		s := x.fresh()
		s.v.Mul(x.v, x.v)
		s.v.Mul(s.v, x.v)
		return s
	})
	var l, right, got hash.Digest
	for i := range l {
		l[i], right[i] = in[i].v[0], in[hash.Rate+i].v[0]
		got[i].Add(&out[i].v[0], &right[i])
	}
	if want := hash.Compress(l, right); got != want {
		t.Errorf("permutation gives %v, want %v", got, want)
	}
}

// TestGate compares a gate's expressions with the extension's own multiplication.
func TestGate(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	b := NewBuilder()
	for range 200 {
		var g gate
		var x [3]field.Ext
		for s := range x {
			x[s] = randomExt(r)
			g.ref[s] = b.newWire(x[s])
		}
		for i := range g.q {
			g.q[i] = randomElement(r)
		}
		v := field.Mul(x[slotB], field.Add(field.Scale(x[slotA], g.q[0]), field.Scale(x[slotC], g.q[5])))
		for s := range x {
			v = field.Add(v, field.Scale(x[s], g.q[1+s]))
		}
		g.ref[slotOut] = b.newWire(field.Add(v, field.FromBase(g.q[4])))
		b.addGate(g)
	}
	satisfied(t, b)
}

// TestForms evaluates random expressions directly and as forms, and holds the gates made of them to the description.
func TestForms(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 6))
		b := NewBuilder()
		var ws []Wire
		var vs []field.Ext
		push := func(w Wire, v field.Ext) { ws, vs = append(ws, w), append(vs, v) }
		for range 3 {
			v := randomExt(r)
			push(b.Advice(v), v)
		}
		push(Wire{}, field.Ext{})
		ops := rapid.SliceOfN(rapid.IntRange(0, 9), 1, 60).Draw(t, "ops")
		pick := rapid.Custom(func(t *rapid.T) int {
			// Mostly recent ones, so that forms grow.
			n := len(ws)
			if rapid.Bool().Draw(t, "recent") {
				return n - 1 - rapid.IntRange(0, min(3, n-1)).Draw(t, "back")
			}
			return rapid.IntRange(0, n-1).Draw(t, "any")
		})
		for _, op := range ops {
			i, j := pick.Draw(t, "i"), pick.Draw(t, "j")
			switch op {
			case 0, 1:
				push(b.Add(ws[i], ws[j]), field.Add(vs[i], vs[j]))
			case 2, 3:
				push(b.Sub(ws[i], ws[j]), field.Sub(vs[i], vs[j]))
			case 4, 5:
				push(b.Mul(ws[i], ws[j]), field.Mul(vs[i], vs[j]))
			case 6:
				e := randomElement(r)
				push(b.Mul(b.Const(e), ws[i]), field.Scale(vs[i], e))
			case 7:
				e := randomElement(r)
				push(b.Add(ws[i], b.Const(e)), field.Add(vs[i], field.FromBase(e)))
			case 8:
				v := randomExt(r)
				push(b.Mul(b.ConstExt(v), ws[i]), field.Mul(vs[i], v))
			case 9:
				if !vs[i].IsZero() {
					var v field.Ext
					v.Inverse(&vs[i])
					push(b.Inverse("inverse", ws[i]), v)
				}
			}
			b.Equal("a wire is what it was", ws[i], ws[i])
		}
		for i := range ws {
			if b.Value(ws[i]) != vs[i] {
				t.Fatalf("value %d is %v, want %v", i, b.Value(ws[i]), vs[i])
			}
			// The value comes from outside: an equality in some shape.
			switch i % 3 {
			case 0:
				b.Equal("value", ws[i], b.Advice(vs[i]))
			case 1:
				b.Equal("value", b.ConstExt(vs[i]), ws[i])
			default:
				x := b.Advice(field.Add(vs[i], vs[0]))
				b.Equal("value", b.Add(ws[i], ws[0]), b.Mul(b.Const(one), x))
			}
		}
		if err := b.Err(); err != nil {
			t.Fatal(err)
		}
		c, err := b.Finish(Heights{})
		if err != nil {
			t.Fatal(err)
		}
		if err := oracle(c); err != nil {
			t.Fatal(err)
		}
	})
}

// TestGates counts what patterns cost.
func TestGates(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	for _, c := range []struct {
		name string
		want int
		f    func(b *Builder, x []Wire) Wire
	}{
		{"select", 1, func(b *Builder, x []Wire) Wire { return b.Add(x[0], b.Mul(x[1], b.Sub(x[2], x[0]))) }},
		{"fold", 1, func(b *Builder, x []Wire) Wire {
			half, kappa := b.Const(field.New(5)), b.Const(field.New(7))
			return b.Add(b.Mul(b.Mul(kappa, x[0]), b.Sub(x[1], x[2])), b.Mul(half, b.Add(x[1], x[2])))
		}},
		{"Horner", 4, func(b *Builder, x []Wire) Wire {
			acc := x[0]
			for _, c := range x[1:5] {
				acc = b.Add(b.Mul(acc, x[5]), c)
			}
			return acc
		}},
		{"sum of 7", 3, func(b *Builder, x []Wire) Wire {
			var sum Wire
			for _, c := range x[:7] {
				sum = b.Add(sum, b.Mul(b.Const(field.New(3)), c))
			}
			return sum
		}},
		{"inner product of 4", 4, func(b *Builder, x []Wire) Wire {
			var sum Wire
			for i := range 4 {
				sum = b.Add(sum, b.Mul(x[i], x[4+i]))
			}
			return sum
		}},
		{"inverse of a difference", 1, func(b *Builder, x []Wire) Wire { return b.Inverse("", b.Sub(x[0], x[1])) }},
		{"join 6", 5, func(b *Builder, x []Wire) Wire { return b.Join(x[:6]) }},
		{"cube plus constant", 2, func(b *Builder, x []Wire) Wire {
			y := b.Add(x[0], b.Const(field.New(9)))
			return b.Mul(b.Mul(y, y), y)
		}},
		{"the same twice", 1, func(b *Builder, x []Wire) Wire {
			b.ref(b.Mul(x[0], x[1]))
			return b.Mul(x[1], x[0])
		}},
		{"equal forms", 2, func(b *Builder, x []Wire) Wire {
			b.Equal("", b.Mul(x[0], x[1]), b.Add(b.Mul(x[1], x[0]), b.Mul(x[2], Wire{})))
			b.Equal("", b.Add(x[0], x[1]), b.Sub(x[7], x[8]))
			return x[0]
		}},
		{"bits 20", 20, func(b *Builder, _ []Wire) Wire { return b.Bits("", b.Advice(base(77777)), 20)[3] }},
		{"of the base field", 0, func(b *Builder, _ []Wire) Wire {
			x := b.Advice(base(5))
			b.Base("", x, x)
			return x
		}},
		{"canonical bits", 32, func(b *Builder, _ []Wire) Wire { return b.CanonicalBits("", b.Advice(base(77777)))[3] }},
	} {
		b := NewBuilder()
		var x []Wire
		for range 9 {
			x = append(x, b.Advice(randomExt(r)))
		}
		x[7] = b.Advice(field.Add(field.Add(b.Value(x[0]), b.Value(x[1])), b.Value(x[8])))
		b.ref(c.f(b, x))
		if got := len(b.gates); got != c.want {
			t.Errorf("%s: %d gates, want %d", c.name, got, c.want)
		}
		satisfied(t, b)
	}
}
