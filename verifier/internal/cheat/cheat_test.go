package cheat

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/circuit"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

func base(v uint64) field.Ext { return field.FromBase(field.New(v)) }

func finish(t *testing.T, b *circuit.Builder) *Witness {
	t.Helper()
	if err := b.Err(); err != nil {
		t.Fatal(err)
	}
	c, err := b.Finish(circuit.Heights{})
	if err != nil {
		t.Fatal(err)
	}
	w := New(c)
	if err := w.Holds(); err != nil {
		t.Fatal(err)
	}
	return w
}

// say makes a wire the circuit's statement, with scalars that are 0.
func say(b *circuit.Builder, x circuit.Wire) {
	for side := circuit.SideA; side <= circuit.SideB; side++ {
		b.Equal("a scalar", b.PublicScalar(side, field.Ext{}), b.Const(field.Element{}))
	}
	sayOnly(b, x)
}

func sayOnly(b *circuit.Builder, x circuit.Wire) {
	d := b.Pack([]circuit.Wire{x})[0]
	b.EqualBlocks("the statement", b.PublicBlock(b.BlockValue(d)), d)
}

// outcomes counts what comes of a lie at each target: those that nothing finds by whether the statement is another.
func outcomes(w *Witness, change func(field.Ext) field.Ext) (found, others, forged int) {
	for _, a := range w.Targets() {
		if a <= publicSlots {
			continue
		}
		l := w.Lie(map[int32]Words{a: Value(change(w.At(a).Ext()))})
		switch {
		case l.Found != nil:
			found++
		case l.Public:
			forged++
		default:
			others++
		}
	}
	return found, others, forged
}

func plus(d field.Ext) func(field.Ext) field.Ext {
	return func(v field.Ext) field.Ext { return field.Add(v, d) }
}

// TestMissingConstraintsAreFound: circuits that say too little, beside those that say enough. A tool that finds nothing wrong
// with the former would say nothing about the latter.
func TestMissingConstraintsAreFound(t *testing.T) {
	for _, c := range []struct {
		name           string
		build          func(b *circuit.Builder)
		lie            func(field.Ext) field.Ext
		others, forged int
	}{
		{"an inverse that nobody checks", func(b *circuit.Builder) {
			x := b.ConstExt(field.Basis(2))
			inverse := b.Value(x)
			inverse.Inverse(&inverse)
			say(b, b.Mul(x, b.Advice(inverse)))
		}, plus(base(1)), 0, 1},
		{"an inverse", func(b *circuit.Builder) { say(b, b.Inverse("inverse", b.ConstExt(field.Basis(2)))) }, plus(base(1)), 0, 0},
		{"an inverse of the prover's choice", func(b *circuit.Builder) {
			say(b, b.Inverse("inverse", b.Advice(base(3))))
		}, plus(base(1)), 0, 1}, // of x, but not of 1/x alone
		{"a number in bits", func(b *circuit.Builder) {
			x := b.Advice(base(5))
			b.Bits("three bits", x, 3)
			say(b, x)
		}, plus(base(1)), 0, 1}, // 6 for 5, with its bits
		{"a number beyond its bits", func(b *circuit.Builder) {
			x := b.Advice(base(5))
			b.Bits("three bits", x, 3)
			say(b, x)
		}, plus(base(8)), 0, 0},
		{"a number without bits", func(b *circuit.Builder) { say(b, b.Advice(base(5))) }, plus(base(8)), 0, 1},
		{"a number that should be of the base field", func(b *circuit.Builder) {
			x := b.Advice(base(5))
			b.Base("base", x)
			say(b, x)
		}, plus(field.Basis(4)), 0, 0},
		{"an advice for nothing", func(b *circuit.Builder) {
			b.Mul(b.Advice(base(5)), b.Const(field.Element{}))
			x, zero := b.Advice(base(7)), b.ConstExt(field.Ext{})
			b.Equal("nothing", b.Mul(x, zero), zero)
			say(b, b.Const(field.New(1)))
		}, plus(base(1)), 0, 0}, // folded away: there is no such wire
		{"an inverse of zero", func(b *circuit.Builder) {
			zero := b.Sub(b.ConstExt(field.Basis(1)), b.ConstExt(field.Basis(1)))
			zero = b.Add(zero, b.Mul(b.ConstExt(field.Basis(1)), b.ConstExt(field.Basis(2))))
			zero = b.Sub(zero, b.ConstExt(field.Mul(field.Basis(1), field.Basis(2))))
			say(b, b.Mul(zero, b.Advice(base(9))))
		}, plus(base(1)), 1, 0},
	} {
		b := circuit.NewBuilder()
		c.build(b)
		_, others, forged := outcomes(finish(t, b), c.lie)
		if others != c.others || forged != c.forged {
			t.Errorf("%s: %d lies found by nothing and %d forged statements, want %d and %d", c.name, others, forged, c.others, c.forged)
		}
	}
}

// TestLiesAreFoundByWhatTheyBreak looks at the reason.
func TestLiesAreFoundByWhatTheyBreak(t *testing.T) {
	b := circuit.NewBuilder()
	bit := b.Bits("a bit", b.Advice(base(1)), 1)[0]
	beta := field.Add(field.Basis(1), base(3))
	b.Equal("the scalar", b.PublicScalar(circuit.SideA, beta), b.ConstExt(beta))
	cells := make([]field.Element, 12)
	for i := range cells {
		cells[i] = field.New(uint64(i + 2))
	}
	tree := []hash.Digest{hash.Leaf(cells), {3: field.New(4)}}
	root := hash.Compress(tree[0], tree[1])
	b.Root(0, b.AdviceBlock(root))
	leaf, values := b.Leaf(circuit.SideA, cells, []int{0})
	sum := b.Open(0, 1, leaf, b.Advice(base(0)), 0, tree[1:])
	b.Equal("no scalar", b.PublicScalar(circuit.SideB, field.Ext{}), b.Const(field.Element{}))
	sayOnly(b, b.Add(b.Mul(sum, bit), values[0]))
	w := finish(t, b)
	reasons := map[string]int{}
	for _, a := range w.Targets() {
		v := w.At(a)
		switch {
		case w.IsBit(a):
			v[4] = field.New(1)
		case w.IsBlock(a):
			v[1] = field.New(12345)
		default:
			v[0] = field.New(777)
		}
		l := w.Lie(map[int32]Words{a: v})
		var broken *air.Violation
		switch {
		case a <= publicSlots && l.Found == nil:
			t.Errorf("public slot %d holds anything", a)
		case a <= publicSlots:
		case errors.As(l.Found, &broken):
			reasons[broken.Label]++
		case errors.Is(l.Found, errTree):
			reasons["tree"]++
		default:
			t.Errorf("address %d, block %t: %v", a, w.IsBlock(a), l.Found)
		}
	}
	labels := 0
	for label := range reasons {
		if strings.HasSuffix(label, "has a bit: coordinate 4") {
			labels++
		}
	}
	if labels != 1 || reasons["tree"] < 4 { // the root, two blocks of the leaf, the index
		t.Errorf("found by %v", reasons)
	}
}

// TestFalseColumnsDoNotHold: a builder that was given false values makes columns that do not hold.
func TestFalseColumnsDoNotHold(t *testing.T) {
	leaves := []hash.Digest{{field.New(1)}, {field.New(2)}, {field.New(3)}, {field.New(4)}}
	up := []hash.Digest{hash.Compress(leaves[0], leaves[1]), hash.Compress(leaves[2], leaves[3])}
	root := hash.Compress(up[0], up[1])
	for name, f := range map[string]func(b *circuit.Builder){
		"a product": func(b *circuit.Builder) { b.Equal("", b.Mul(b.Advice(base(2)), b.Advice(base(3))), b.Advice(base(5))) },
		"a bit":     func(b *circuit.Builder) { b.Bits("", b.Advice(base(2)), 1) },
		"a range":   func(b *circuit.Builder) { b.Bits("", b.Advice(base(8)), 3) },
		"a base":    func(b *circuit.Builder) { b.Base("", b.Advice(field.Basis(2))) },
		"two blocks": func(b *circuit.Builder) {
			b.EqualBlocks("", b.AdviceBlock(leaves[0]), b.ConstBlock(leaves[1]))
		},
		"a sibling": func(b *circuit.Builder) {
			b.Root(0, b.AdviceBlock(root))
			b.Open(0, 2, b.BlockLeaf(b.AdviceBlock(leaves[2])), b.Advice(base(2)), 2, []hash.Digest{leaves[3], leaves[3]})
		},
		"a leaf elsewhere": func(b *circuit.Builder) {
			b.Root(0, b.AdviceBlock(root))
			b.Open(0, 2, b.BlockLeaf(b.AdviceBlock(leaves[2])), b.Advice(base(3)), 2, []hash.Digest{leaves[3], up[0]})
		},
		"a root": func(b *circuit.Builder) {
			b.Root(0, b.AdviceBlock(up[0]))
			b.Open(0, 2, b.BlockLeaf(b.AdviceBlock(leaves[2])), b.Advice(base(2)), 2, []hash.Digest{leaves[3], up[0]})
		},
	} {
		b := circuit.NewBuilder()
		f(b)
		c, err := b.Finish(circuit.Heights{})
		if err != nil || b.Err() == nil {
			t.Fatal(name, err, b.Err())
		}
		if New(c).Holds() == nil {
			t.Errorf("%s: the columns hold", name)
		}
	}
}
