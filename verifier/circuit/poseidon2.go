package circuit

import (
	"fmt"

	"github.com/consensys/gnark-crypto/field/koalabear/poseidon2"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// The rounds of the permutation behind hash.Compress.
const (
	fullRounds    = hash.FullRounds
	partialRounds = hash.PartialRounds
	rounds        = fullRounds + partialRounds
	sboxes        = fullRounds*hash.Width + partialRounds
)

// roundKeys are gnark-crypto's: 16 a full round, one a partial one, whose s-box is on lane 0.
var roundKeys = poseidon2.NewParameters(hash.Width, fullRounds, partialRounds).RoundKeys

// linear is what the permutation is made of between its s-boxes. It is written once: expressions describe the table, vectors
// of rows make its columns.
type linear[T any] interface {
	Add(T) T
	Sub(T) T
	Scale(int64) T
	Plus(int64) T
}

// external multiplies by circ(2 M4, M4, M4, M4) and returns the last n fours: M4 times the four plus the sum of all. The
// addition chain for M4 is Plonky3's, as in gnark-crypto.
func external[T linear[T]](x []T, n int) []T {
	var sums [4]T
	for j := range sums {
		sums[j] = x[j].Add(x[4+j]).Add(x[8+j].Add(x[12+j]))
	}
	out := make([]T, 0, 4*n)
	for k := 4 - n; k < 4; k++ {
		var s [4]T
		for j := range s {
			s[j] = x[4*k+j].Add(sums[j])
		}
		t01, t23 := s[0].Add(s[1]), s[2].Add(s[3])
		t0123 := t01.Add(t23)
		t01123, t01233 := t0123.Add(s[1]), t0123.Add(s[3])
		out = append(out, t01.Add(t01123), s[2].Add(s[2]).Add(t01123), t23.Add(t01233), s[0].Add(s[0]).Add(t01233))
	}
	return out
}

// inverseOf2 is 2^-k mod p, as an integer.
func inverseOf2(k int) int64 {
	e := field.New(1 << k)
	e.Inverse(&e)
	return int64(e.Uint64())
}

// pair is two lanes whose diagonal entries are d and -d.
type pair struct {
	plus, minus int
	d           int64
}

var pairs = []pair{{3, 6, inverseOf2(1)}, {4, 7, 3}, {5, 8, 4}, {9, 12, inverseOf2(8)}, {10, 13, inverseOf2(3)}, {11, 15, inverseOf2(24)}}

// modP returns a*b mod p as an integer.
func modP(a, b int64) int64 {
	x, y := field.New(uint64(a)), field.New(uint64(b))
	x.Mul(&x, &y)
	return int64(x.Uint64())
}

// internal runs the partial rounds. Lane i becomes S + d_i x_i, where S is the sum of all lanes and d the diagonal
//
//	-2, 1, 2, 1/2, 3, 4, -1/2, -3, -4, 1/2^8, 1/8, 1/2^24, -1/2^8, -1/8, -1/16, -1/2^24
//
// (gnark-crypto). Of two lanes x, y with entries d, -d only p = x + y counts for S, and with m = d (x - y) it becomes
// p' = 2 S + m, m' = d^2 p: half the work of the lanes themselves, which are needed again only at the end.
func internal[T linear[T]](x []T, sbox func(round, lane int, in T) T) []T {
	sum, diff := make([]T, len(pairs)), make([]T, len(pairs))
	for k, q := range pairs {
		sum[k], diff[k] = x[q.plus].Add(x[q.minus]), x[q.plus].Sub(x[q.minus]).Scale(q.d)
	}
	x0, x1, x2, x14 := x[0], x[1], x[2], x[14]
	for r := fullRounds / 2; r < fullRounds/2+partialRounds; r++ {
		s := sbox(r, 0, x0.Plus(key(r, 0)))
		rest := x1.Add(x2).Add(x14)
		for _, p := range sum {
			rest = rest.Add(p)
		}
		total := rest.Add(s)
		twice := total.Add(total)
		x0, x1, x2, x14 = rest.Sub(s), total.Add(x1), total.Add(x2.Add(x2)), total.Sub(x14.Scale(inverseOf2(4)))
		for k, q := range pairs {
			sum[k], diff[k] = twice.Add(diff[k]), sum[k].Scale(modP(q.d, q.d))
		}
	}
	out := make([]T, len(x))
	out[0], out[1], out[2], out[14] = x0, x1, x2, x14
	for k, q := range pairs {
		d := field.New(uint64(2 * q.d))
		d.Inverse(&d)
		mean, half := sum[k].Scale(inverseOf2(1)), diff[k].Scale(int64(d.Uint64()))
		out[q.plus], out[q.minus] = mean.Add(half), mean.Sub(half)
	}
	return out
}

// key is a round's constant of a lane.
func key(round, lane int) int64 { return int64(roundKeys[round][lane].Uint64()) }

// permuteRight returns the right half of the permutation of x. sbox returns the cube of a lane's sum in a round.
func permuteRight[T linear[T]](x []T, sbox func(round, lane int, in T) T) []T {
	full := func(r, n int) {
		cubes := make([]T, len(x))
		for i := range x {
			cubes[i] = sbox(r, i, x[i].Plus(key(r, i)))
		}
		x = external(cubes, n)
	}
	x = external(x, 4)
	for r := range fullRounds / 2 {
		full(r, 4)
	}
	x = internal(x, sbox)
	for r := fullRounds/2 + partialRounds; r < rounds-1; r++ {
		full(r, 4)
	}
	full(rounds-1, 2)
	return x
}

// sboxColumn is the place of an s-box among those of a row, in the order in which permuteRight meets them.
func sboxColumn(round, lane int) int {
	switch first, last := fullRounds/2, fullRounds/2+partialRounds; {
	case round < first:
		return hash.Width*round + lane
	case round < last:
		return hash.Width*first + round - first
	default:
		return hash.Width*(round-partialRounds) + partialRounds + lane
	}
}

// Main columns of the table, as poseidonTable makes them.
const (
	colL     = 0
	colR     = colL + hash.Rate
	colSbox  = colR + hash.Rate
	colIn    = colSbox + sboxes
	colOut   = colIn + stateWords
	colOn    = colOut + stateWords
	colLevel = colOn + 1
	colIndex = colLevel + 1
	colTimeL = colIndex + 1
	colTimeR = colTimeL + 1
	colsHash = colTimeR + 1
)

// poseidonTable makes one hash.Compress a row: O = Compress(L, R). A row is a step of a chain of blocks, preprocessed, which
// may add its right half to Horner's sum; or, where node is 1, a node of a Merkle tree at a place that the witness chooses.
func poseidonTable() *air.Component {
	b := air.NewBuilder(NamePoseidon, air.AnyHeight)
	c := columns{b, NamePoseidon}
	l, r := b.MainN("L", hash.Rate), b.MainN("R", hash.Rate)
	sbox := b.MainN("sbox", sboxes)
	in, out := b.MainN("in", stateWords), b.MainN("out", stateWords)
	on, level, index := b.Bit("on"), b.Main("level"), b.Main("index")
	timesL, timesR := b.Main("timesL"), b.Main("timesR")
	addressL, addressR, addressO := c.fixed("addressL"), c.fixed("addressR"), c.fixed("addressO")
	balanceL, balanceR, balanceO := c.fixed("balanceL"), c.fixed("balanceR"), c.fixed("balanceO")
	node, side := c.fixed("node"), [2]air.Expr{c.fixed("sideA"), c.fixed("sideB")}

	o := permuteRight(append(append([]air.Expr(nil), l...), r...), func(round, lane int, x air.Expr) air.Expr {
		s := sbox[sboxColumn(round, lane)]
		b.Equal(fmt.Sprintf("s-box of lane %d in round %d", lane, round), s, x.Mul(x).Mul(x))
		return s
	})
	for i := range o {
		o[i] = o[i].Add(r[i])
	}

	b.Zero("only rows of nodes are on", on.Mul(node.Not()))
	for _, x := range []struct {
		name string
		e    air.Expr
	}{{"level", level}, {"index", index}, {"timesL", timesL}, {"timesR", timesR}} {
		b.Zero(x.name+" is 0 where a row is off", on.Not().Mul(x.e))
	}

	// Horner's rule: out = in * s^8 + sum over j of s^(7-j) R_j, where s is the scalar of the row's side; 0 without one.
	var terms []air.WeightedExpr
	for d := range out {
		terms = append(terms, out[d].Weigh(-1, d))
	}
	for i, s := range side {
		powers := [hash.Rate + 1]int32{-1}
		for k := 1; k < len(powers); k++ {
			powers[k] = b.ExtParam(fmt.Sprintf("%c^%d", 'A'+i, k))
		}
		minus := b.Const(0).Sub(s)
		for d := range in {
			terms = append(terms, minus.Mul(in[d]).Weigh(powers[hash.Rate], d))
		}
		for j := range r {
			terms = append(terms, minus.Mul(r[j]).Weigh(powers[hash.Rate-1-j], 0))
		}
	}
	b.ZeroWeighted("Horner's sum", terms...)

	left := index.Add(index)
	c.wire(balanceL.Add(timesL), addressL.Add(level), left, l, in)
	c.wire(balanceR.Add(timesR), addressR.Add(level), left.Add(node), r, nil)
	c.wire(balanceO.Sub(on), addressO.Add(level), index, o, out)
	return b.MustBuild()
}
