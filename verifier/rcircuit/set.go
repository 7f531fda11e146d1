package circuit

import (
	"fmt"
	"sync"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	"github.com/seed06907907/fatty/verifier/stark"
)

// Names of the components, in the order of Set.
const (
	NameConstant   = "constant"
	NameOpening    = "opening"
	NamePack       = "pack"
	NamePoseidon   = "poseidon2"
	NameArithmetic = "arithmetic"
)

// The components' places in Set.
const (
	constants = iota
	openings
	packs
	permutations
	gates
	// Components is the number of tables of a circuit.
	Components
)

const (
	// Lanes is the number of gates that share a row of the arithmetic table.
	Lanes = 2
	// busWidth is the width of a tuple: address, index, a block of words, a Horner sum.
	busWidth = 2 + hash.Rate + field.Degree
	// packExts extension values have as many coordinates as packBlocks blocks have words.
	packExts, packBlocks = 4, 3
	packWords            = packExts * field.Degree
	// sides of Horner's rule: a row of the hash takes steps with the scalar of one of them.
	sides = 2
)

// Addresses. Wires lie below addressSpan. The nodes of tree t at level l have address (t+1) * addressSpan + l.
const (
	addressSpan = 1 << 22
	// MaxTrees and MaxDepth bound the trees that a circuit opens.
	MaxTrees = 64
	MaxDepth = field.TwoAdicity
	// maxLogRows bounds a table's height: all tables together have fewer than addressSpan rows.
	maxLogRows = 19
)

// WireRelation is the bus of a circuit.
var WireRelation = air.NewRelation(1, "Wire", busWidth,
	"(address, index, word 0 .. 7, sum 0 .. 5). A wire's address is preprocessed and so are the balances of all rows that name it: one "+
		"positive, for the row that defines it, as large as the number of the others, which have -1. So all rows have one value, whichever the "+
		"prover gives. Nodes of Merkle trees have addresses of their own and an index, both of the prover's choice; a row that yields such a "+
		"tuple, as often as it likes, uses one at the address before it and holds that it is the hash of the two that it yields. Such a tuple "+
		"is therefore the end of a chain of rows through all addresses before it down to one where a row yields that uses none: the root of "+
		"that tree. A chain to another tree's root, to a wire or around the field would need 2^22 rows, and there are fewer.")

// Set is the tables of every circuit. It must not be changed.
func Set() *air.Set { return set() }

var set = sync.OnceValue(func() *air.Set {
	s, err := air.NewSet("circuit", constantTable(), openingTable(), packTable(), poseidonTable(), arithmeticTable())
	if err != nil {
		panic(err) // a mistake in the descriptions of this package, found by its first test
	}
	return s
})

// tuple is a tuple of the bus, with zeros where parts are short.
func tuple(b *air.Builder, address, index air.Expr, words, sum []air.Expr) []air.Expr {
	out := append([]air.Expr{address, index}, words...)
	for len(out) < 2+hash.Rate {
		out = append(out, b.Const(0))
	}
	out = append(out, sum...)
	for len(out) < busWidth {
		out = append(out, b.Const(0))
	}
	return out
}

// slot is a preprocessed address and balance.
func slot(b *air.Builder, table, name string) (address, balance air.Expr) {
	return b.Table(table + ".at_" + name), b.Table(table + ".balance_" + name)
}

// constantTable yields values that are part of the circuit.
func constantTable() *air.Component {
	b := air.NewBuilder(NameConstant, air.AnyHeight)
	at, balance := slot(b, NameConstant, "value")
	words := make([]air.Expr, hash.Rate)
	for i := range words {
		words[i] = b.Table(fmt.Sprintf("%s.word_%d", NameConstant, i))
	}
	b.Balance(WireRelation, balance, tuple(b, at, b.Const(0), words, nil)...)
	return b.MustBuild()
}

// openingTable ties a hashed leaf to its place in a tree, a root to its tree, or a block to another: the same words stand at
// a wire and at a node or second wire. The leaf's Horner sum becomes a wire.
func openingTable() *air.Component {
	b := air.NewBuilder(NameOpening, air.AnyHeight)
	d, sum, index := b.MainN("word", hash.Rate), b.MainN("sum", field.Degree), b.Main("index")
	for _, s := range []struct {
		name string
		tup  func(at air.Expr) []air.Expr
	}{
		{"leaf", func(at air.Expr) []air.Expr { return tuple(b, at, b.Const(0), d, sum) }},
		{"node", func(at air.Expr) []air.Expr { return tuple(b, at, index, d, nil) }},
		{"index", func(at air.Expr) []air.Expr { return tuple(b, at, b.Const(0), []air.Expr{index}, nil) }},
		{"sum", func(at air.Expr) []air.Expr { return tuple(b, at, b.Const(0), sum, nil) }},
	} {
		at, balance := slot(b, NameOpening, s.name)
		b.Balance(WireRelation, balance, s.tup(at)...)
	}
	_, indexed := slot(b, NameOpening, "index") // -1 if the index is a wire's, else 0
	b.Zero("an index that is no wire is 0", indexed.Plus(1).Mul(index))
	return b.MustBuild()
}

// packTable holds the same words as blocks and as extension values. A row of single words has values of the base field.
func packTable() *air.Component {
	b := air.NewBuilder(NamePack, air.AnyHeight)
	w := b.MainN("word", packWords)
	for i := range packBlocks {
		at, balance := slot(b, NamePack, fmt.Sprintf("block_%d", i))
		b.Balance(WireRelation, balance, tuple(b, at, b.Const(0), w[hash.Rate*i:hash.Rate*(i+1)], nil)...)
	}
	for i := range packExts {
		at, balance := slot(b, NamePack, fmt.Sprintf("value_%d", i))
		b.Balance(WireRelation, balance, tuple(b, at, b.Const(0), w[field.Degree*i:field.Degree*(i+1)], nil)...)
	}
	single := b.Table(NamePack + ".single")
	for i := range w {
		if i%field.Degree != 0 {
			b.Zero(fmt.Sprintf("word %d of a row of single words", i), single.Mul(w[i]))
		}
	}
	return b.MustBuild()
}

// The coefficients of a gate: out = b*(q0 a + q1 c) + q2 a + q3 b + q4 c + q5.
const (
	qBA = iota
	qBC
	qA
	qB
	qC
	qOne
	coefficients
)

var slotNames = [...]string{"a", "b", "c", "out"}

// products[i][j] are the coordinates of the product of basis elements i and j.
var products = func() (out [field.Degree][field.Degree][field.Degree]field.Element) {
	for i := range out {
		for j := range out[i] {
			x := field.Mul(field.Basis(i), field.Basis(j))
			out[i][j] = field.Coords(&x)
		}
	}
	return out
}()

// arithmeticTable has Lanes gates a row over the extension.
func arithmeticTable() *air.Component {
	b := air.NewBuilder(NameArithmetic, air.AnyHeight)
	for lane := range Lanes {
		table := fmt.Sprintf("%s.%d", NameArithmetic, lane)
		var q [coefficients]air.Expr
		for i := range q {
			q[i] = b.Table(fmt.Sprintf("%s.q%d", table, i))
		}
		bit := b.Table(table + ".bit")
		var v [len(slotNames)][]air.Expr
		for i, name := range slotNames {
			v[i] = b.MainN(fmt.Sprintf("%s_%d", name, lane), field.Degree)
			at, balance := slot(b, table, name)
			b.Balance(WireRelation, balance, tuple(b, at, b.Const(0), v[i], nil)...)
		}
		left := make([]air.Expr, field.Degree)
		for i := range left {
			left[i] = q[qBA].Mul(v[0][i]).Add(q[qBC].Mul(v[2][i]))
		}
		sums := make([]air.Expr, field.Degree)
		for d := range sums {
			sums[d] = air.Sum(q[qA].Mul(v[0][d]), q[qB].Mul(v[1][d]), q[qC].Mul(v[2][d]))
		}
		sums[0] = sums[0].Add(q[qOne])
		for i := range left {
			for j := range left {
				x := left[i].Mul(v[1][j])
				for d, k := range products[i][j] {
					if !k.IsZero() {
						sums[d] = sums[d].Add(scale(b, x, k))
					}
				}
			}
		}
		for d := range sums {
			b.Equal(fmt.Sprintf("gate %d, coordinate %d", lane, d), v[3][d], sums[d])
			square := b.Const(0)
			if d == 0 {
				square = v[1][0].Mul(v[1][0])
			}
			// All coordinates: a value whose first one is a bit may be anything (a known trap).
			b.Zero(fmt.Sprintf("bit %d, coordinate %d", lane, d), bit.Mul(square.Sub(v[1][d])))
		}
	}
	return b.MustBuild()
}

func scale(b *air.Builder, x air.Expr, k field.Element) air.Expr {
	if k.IsOne() {
		return x
	}
	return x.Mul(b.Value(k))
}

// publicSlots is the number of tuples that the public data yield: wires 1 .. publicSlots.
const publicSlots = 1 + sides

// PublicTuples lists the tuples that the public data yield, once each: a circuit's statement in eight words, and the
// scalars of the two Horner sides by their coordinates.
func PublicTuples[T any](ar stark.Ring[T], statement, a, b []T) [][]T {
	var out [][]T
	zero := ar.Const(field.Element{})
	for i, words := range [publicSlots][]T{statement, a, b} {
		t := append([]T{ar.Const(field.New(uint64(i + 1))), zero}, words...)
		for len(t) < busWidth {
			t = append(t, zero)
		}
		out = append(out, t)
	}
	return out
}
