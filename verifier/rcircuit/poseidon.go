package circuit

import (
	"fmt"

	"github.com/consensys/gnark-crypto/field/koalabear/poseidon2"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// The permutation that package hash uses, as a table: its round keys are gnark-crypto's, its matrices those of the paper
// (ePrint 2023/323, with Plonky3's 4x4 matrix) in gnark-crypto's variant.
var roundKeys = poseidon2.NewParameters(hash.Width, hash.FullRounds, hash.PartialRounds).RoundKeys

// sboxes is the number of S-box outputs of a permutation.
const sboxes = hash.FullRounds*hash.Width + hash.PartialRounds

// diagonal is the internal matrix less the matrix of ones.
var diagonal = func() (out [hash.Width]field.Element) {
	half := func(k int) field.Element {
		x := field.New(2)
		x.Inverse(&x)
		return field.Exp(x, uint64(k))
	}
	neg := func(x field.Element) field.Element { x.Neg(&x); return x }
	return [hash.Width]field.Element{neg(field.New(2)), field.New(1), field.New(2), half(1), field.New(3), field.New(4), neg(half(1)),
		neg(field.New(3)), neg(field.New(4)), half(8), half(3), half(24), neg(half(8)), neg(half(3)), neg(half(4)), neg(half(24))}
}()

// ring is what the permutation is computed with: expressions of a table, or elements of the field.
type ring[T any] interface {
	add(x, y T) T
	scale(x T, k field.Element) T
	key(x T, k field.Element) T
	cube(x T) T // the next S-box output
}

// compress is hash.Compress, S-box by S-box.
func compress[T any](r ring[T], left, right []T) []T {
	s := append(append(make([]T, 0, hash.Width), left...), right...)
	external(r, s)
	for round, keys := range roundKeys {
		full := len(keys) == hash.Width
		for i, k := range keys {
			s[i] = r.cube(r.key(s[i], k))
		}
		if full {
			external(r, s)
		} else {
			internal(r, s)
		}
		_ = round
	}
	out := make([]T, hash.Rate)
	for i := range out {
		out[i] = r.add(s[hash.Rate+i], right[i])
	}
	return out
}

// external multiplies by circ(2 M, M, M, M), M = (2 3 1 1; 1 2 3 1; 1 1 2 3; 3 1 1 2).
func external[T any](r ring[T], s []T) {
	two := field.New(2)
	for i := 0; i < len(s); i += 4 {
		x := s[i : i+4]
		t01, t23 := r.add(x[0], x[1]), r.add(x[2], x[3])
		all := r.add(t01, t23)
		all1, all3 := r.add(all, x[1]), r.add(all, x[3])
		x[3], x[1], x[0], x[2] = r.add(r.scale(x[0], two), all3), r.add(r.scale(x[2], two), all1), r.add(t01, all1), r.add(t23, all3)
	}
	var sums [4]T
	for j := range sums {
		sums[j] = r.add(r.add(s[j], s[4+j]), r.add(s[8+j], s[12+j]))
	}
	for i := range s {
		s[i] = r.add(s[i], sums[i%4])
	}
}

// internal multiplies by ones plus the diagonal.
func internal[T any](r ring[T], s []T) {
	sum := s[0]
	for _, x := range s[1:] {
		sum = r.add(sum, x)
	}
	for i := range s {
		s[i] = r.add(r.scale(s[i], diagonal[i]), sum)
	}
}

// described is the permutation as expressions: each S-box output is a column.
type described struct {
	b  *air.Builder
	at int
}

func (d *described) add(x, y air.Expr) air.Expr                 { return x.Add(y) }
func (d *described) scale(x air.Expr, k field.Element) air.Expr { return scale(d.b, x, k) }
func (d *described) key(x air.Expr, k field.Element) air.Expr   { return x.Add(d.b.Value(k)) }
func (d *described) cube(x air.Expr) air.Expr {
	out := d.b.Main(fmt.Sprintf("cube_%d", d.at))
	d.b.Equal(fmt.Sprintf("S-box %d", d.at), out, x.Mul(x).Mul(x))
	d.at++
	return out
}

// computed is the permutation as values; it keeps the S-box outputs.
type computed struct {
	cubes [sboxes]field.Element
	at    int
}

func (c *computed) add(x, y field.Element) (r field.Element)                 { r.Add(&x, &y); return }
func (c *computed) scale(x field.Element, k field.Element) (r field.Element) { r.Mul(&x, &k); return }
func (c *computed) key(x field.Element, k field.Element) (r field.Element)   { r.Add(&x, &k); return }
func (c *computed) cube(x field.Element) (r field.Element) {
	r.Square(&x).Mul(&r, &x)
	c.cubes[c.at] = r
	c.at++
	return r
}

// Main columns of the poseidon2 table, in order.
const (
	colLeft  = 0
	colRight = colLeft + hash.Rate
	colCubes = colRight + hash.Rate
	colIn    = colCubes + sboxes
	colOut   = colIn + field.Degree
	colOn    = colOut + field.Degree
	colLevel = colOn + 1
	colIndex = colLevel + 1
	colTimes = colIndex + 1 // of the left and the right child
	colsHash = colTimes + 2
)

// poseidonTable is one compression a row: of a leaf's chain, which may take eight steps of Horner's rule with the words
// that it absorbs; of two blocks; or of two children of a node of a Merkle tree.
func poseidonTable() *air.Component {
	b := air.NewBuilder(NamePoseidon, air.AnyHeight)
	left, right := b.MainN("left", hash.Rate), b.MainN("right", hash.Rate)
	out := compress[air.Expr](&described{b: b}, left, right)
	in, sum := b.MainN("sum_in", field.Degree), b.MainN("sum_out", field.Degree)
	on := b.Bit("node_used")
	level, index := b.Main("level"), b.Main("index")
	times := b.MainN("child_uses", 2)
	node := b.Table(NamePoseidon + ".node")
	b.Zero("only a node's row is used as one", on.Mul(node.Not()))
	for _, x := range []air.Expr{level, index, times[0], times[1]} {
		b.Zero("a row that is no used node names none", on.Not().Mul(x))
	}

	at, balance := slot(b, NamePoseidon, "left")
	b.Balance(WireRelation, balance.Add(times[0]), tuple(b, at.Add(level), index.Scale(2), left, in)...)
	at, balance = slot(b, NamePoseidon, "right")
	b.Balance(WireRelation, balance.Add(times[1]), tuple(b, at.Add(level), index.Scale(2).Add(node), right, nil)...)
	at, balance = slot(b, NamePoseidon, "out")
	b.Balance(WireRelation, balance.Sub(on), tuple(b, at.Add(level), index, out, sum)...)

	var terms []air.WeightedExpr
	for d := range sum {
		terms = append(terms, sum[d].Weigh(-1, d))
	}
	for side := range sides {
		flag := b.Table(fmt.Sprintf("%s.horner_%c", NamePoseidon, 'a'+side))
		powers := []int32{-1}
		for j := 1; j <= hash.Rate; j++ {
			powers = append(powers, b.ExtParam(fmt.Sprintf("%c^%d", 'a'+side, j)))
		}
		minus := flag.Scale(-1)
		for d := range in {
			terms = append(terms, minus.Mul(in[d]).Weigh(powers[hash.Rate], d))
		}
		for j := range right {
			terms = append(terms, minus.Mul(right[j]).Weigh(powers[hash.Rate-1-j], 0))
		}
	}
	b.ZeroWeighted("eight steps of Horner's rule", terms...)
	return b.MustBuild()
}

// ExtScalars returns the values of the components' ExtParams: the powers of the scalars of the two Horner sides.
func ExtScalars[T any](ar interface{ Mul(x, y T) T }, scalars ...T) [][]T {
	out := make([][]T, Components)
	for _, s := range scalars {
		for j, p := 0, s; j < hash.Rate; j++ {
			out[permutations] = append(out[permutations], p)
			p = ar.Mul(p, s)
		}
	}
	return out
}
