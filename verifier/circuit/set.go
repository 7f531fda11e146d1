package circuit

import (
	"sync"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	"github.com/seed06907907/fatty/verifier/stark"
)

// The components' places in Set: usually short tables first, the usually tallest last, because a leaf's chain is computed
// at the largest height absorbed so far.
const (
	ConstantTable = iota
	OpeningTable
	PackTable
	ArithmeticTable
	PoseidonTable
	Tables
)

// Names of the components.
const (
	NameConstant   = "constant"
	NameOpening    = "opening"
	NamePack       = "pack"
	NameArithmetic = "arithmetic"
	NamePoseidon   = "poseidon2"
)

// stateWords is what a chain state has beside the digest: the coordinates of Horner's sum.
const stateWords = field.Degree

// wireWidth is the width of the bus: address, index, eight words, six more of a chain state.
const wireWidth = 2 + hash.Rate + stateWords

// WireRelation is the bus: (address, index, w0..w7, s0..s5).
var WireRelation = air.NewRelation(1, "Wire", wireWidth, "An address below 2^22 is a wire. All its lookups have preprocessed "+
	"balances, their index is 0 and the balances add up to 0, one of them positive and all others -1, so the tuple of each "+
	"of the others is that of the one: a wire is written once. Codes from 2^22 on are Merkle nodes, whose multiplicities are "+
	"free: the package's doc says why only nodes below a root are ever used. Public data yield addresses 1 to 3 once each. No "+
	"sum of balances of one sign reaches p: there are fewer than 2^27 lookups.")

var set = sync.OnceValue(func() *air.Set {
	s, err := air.NewSet("circuit", constantTable(), openingTable(), packTable(), arithmeticTable(), poseidonTable())
	if err != nil {
		panic(err) // a mistake in the descriptions of this package, found by its first test
	}
	return s
})

// Set is the component set of all circuits. It must not be changed.
func Set() *air.Set { return set() }

// constantTable holds wires of known value.
func constantTable() *air.Component {
	b := air.NewBuilder(NameConstant, air.AnyHeight)
	c := columns{b, NameConstant}
	address, balance, words := c.fixed("address"), c.fixed("balance"), c.fixedN("w", hash.Rate)
	c.wire(balance, address, b.Const(0), words, nil)
	return b.MustBuild()
}

// columns names a component's preprocessed columns and makes its lookups.
type columns struct {
	b    *air.Builder
	name string
}

func (c columns) fixed(name string) air.Expr { return c.b.Table(c.name + "." + name) }

func (c columns) fixedN(name string, n int) []air.Expr {
	out := make([]air.Expr, n)
	for i := range out {
		out[i] = c.fixed(indexed(name, i))
	}
	return out
}

// wire adds a lookup of a tuple; words and state may be short, the rest is zero.
func (c columns) wire(balance, address, index air.Expr, words, state []air.Expr) {
	tuple := make([]air.Expr, wireWidth)
	zero := c.b.Const(0)
	for i := range tuple {
		tuple[i] = zero
	}
	tuple[0], tuple[1] = address, index
	copy(tuple[2:], words)
	copy(tuple[2+hash.Rate:], state)
	c.b.Balance(WireRelation, balance, tuple...)
}

// What a row of table pack holds: packWords words as packBlocks blocks and as packExts extension values.
const (
	packBlocks = 3
	packExts   = 4
	packWords  = packBlocks * hash.Rate
)

// packTable holds the same words as blocks and as extension values. In a row of singles, each value has but its first
// coordinate: it is of the base field.
func packTable() *air.Component {
	b := air.NewBuilder(NamePack, air.AnyHeight)
	c := columns{b, NamePack}
	w := b.MainN("w", packWords)
	zero := b.Const(0)
	for _, k := range []struct {
		prefix       string
		count, words int
	}{{"block", packBlocks, hash.Rate}, {"ext", packExts, field.Degree}} {
		for i := range k.count {
			address, balance := c.fixed(indexed(k.prefix+"Address", i)), c.fixed(indexed(k.prefix+"Balance", i))
			c.wire(balance, address, zero, w[k.words*i:k.words*(i+1)], nil)
		}
	}
	singles := c.fixed("singles")
	for i := range w {
		if i%field.Degree != 0 {
			b.Zero(indexed("singles ", i), singles.Mul(w[i]))
		}
	}
	return b.MustBuild()
}

// openingTable joins chain states to trees. A leaf uses its chain's last state and the node (code, i) at the lowest level,
// where i is a wire's value, and yields Horner's sum as a wire. A root uses its block and yields the node (code, 0). Without
// codes of trees a row makes two blocks equal.
func openingTable() *air.Component {
	b := air.NewBuilder(NameOpening, air.AnyHeight)
	c := columns{b, NameOpening}
	d, acc, i := b.MainN("d", hash.Rate), b.MainN("acc", stateWords), b.Main("i")
	zero := b.Const(0)
	for _, l := range []struct {
		name         string
		index        air.Expr
		words, state []air.Expr
	}{
		{"State", zero, d, acc},
		{"Node", i, d, nil},
		{"Index", zero, []air.Expr{i}, nil},
		{"Sum", zero, acc, nil},
	} {
		c.wire(c.fixed("balance"+l.name), c.fixed("address"+l.name), l.index, l.words, l.state)
	}
	b.Zero("i is 0 unless a wire says it", c.fixed("balanceIndex").Plus(1).Mul(i))
	return b.MustBuild()
}

// PublicSlots is the number of tuples that public data yield: at addresses 1 (the statement), 2 and 3 (the scalars).
const PublicSlots = 3

// The fixed addresses of public slots.
const (
	addressStatement = 1
	addressScalars   = 2 // of SideA; that of SideB is the next
)

// PublicTuples lists the tuples that the public data of a circuit's proof yield, once each, in relation WireRelation: the
// eight words of the statement, and the six coordinates of each scalar.
func PublicTuples[T any](ar air.Arithmetic[T], statement, a, b []T) [PublicSlots][]T {
	var out [PublicSlots][]T
	for i, words := range [PublicSlots][]T{statement, a, b} {
		t := make([]T, wireWidth)
		t[0] = ar.Const(field.New(uint64(addressStatement + i)))
		for j := 1; j < wireWidth; j++ {
			t[j] = ar.Const(field.Element{})
		}
		copy(t[2:], words)
		out[i] = t
	}
	return out
}

// ExtScalars returns the values of each component's ExtParams (stark.Instance.Ext) for scalars a and b: their powers 1 to 8.
func ExtScalars[T any](ar air.Arithmetic[T], a, b T) [][]T {
	out := make([][]T, Tables)
	for _, s := range []T{a, b} {
		p := s
		for i := range hash.Rate {
			if i > 0 {
				p = ar.Mul(p, s)
			}
			out[PoseidonTable] = append(out[PoseidonTable], p)
		}
	}
	return out
}

// Public is what a proof of a circuit is about, as the public slots hold it.
type Public struct {
	Statement hash.Digest
	A, B      field.Ext // scalars of Horner's sums
}

// Tuples are the public data's tuples as base field words.
func (p *Public) Tuples() [PublicSlots][]field.Element {
	a, b := field.Coords(&p.A), field.Coords(&p.B)
	return PublicTuples[field.Element](air.Base{}, p.Statement[:], a[:], b[:])
}

// Sum returns the sum of the public data's lookup fractions (stark.Instance.PublicSum).
func (p *Public) Sum(lk stark.Lookup[field.Ext]) (sum field.Ext, err error) {
	var ar field.Arithmetic
	for _, t := range p.Tuples() {
		d := lk.Denominator(ar, WireRelation, hash.Words(t))
		if d.IsZero() {
			return sum, stark.ErrRejected
		}
		sum = field.Sub(sum, *d.Inverse(&d)) // yields
	}
	return sum, nil
}

// Ext returns the values of the set's ExtParams (stark.Instance.Ext).
func (p *Public) Ext() [][]field.Ext { return ExtScalars[field.Ext](field.Arithmetic{}, p.A, p.B) }
