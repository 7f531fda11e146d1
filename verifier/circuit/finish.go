package circuit

import (
	"fmt"
	"math/bits"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// Heights are the log2 of the rows of each table, in the order of Set; 0 for the smallest that holds a circuit.
type Heights [Tables]int

// Circuit is a finished circuit with the columns of one run. Its preprocessed columns do not depend on the run.
type Circuit struct {
	LogHeights []int                       // of the components of Set
	Tables     map[string]koalabear.Vector // preprocessed columns by name
	Main       [][]koalabear.Vector        // by component of Set
	Public     Public

	Rows  [Tables]int // that are not padding
	Gates int
}

// Finish closes a circuit whose tables have the given heights. It returns an error if it does not fit or is none at all; a
// circuit with values that do not satisfy it is returned: see Err.
func (b *Builder) Finish(heights Heights) (*Circuit, error) {
	if !b.isPublic[addressStatement-1] {
		b.PublicBlock(hash.Digest{})
	}
	for side := SideA; side <= SideB; side++ {
		if !b.isPublic[side] {
			b.PublicScalar(side, b.powers[side-1][1])
		}
	}
	for _, t := range b.order {
		if t.opened > 0 {
			b.addOpening(openingRow{state: t.root, code: t.code(0), codeBalance: 1, d: b.blocks[t.root]})
		}
	}
	b.packSingles()
	c := &Circuit{LogHeights: make([]int, Tables), Tables: map[string]koalabear.Vector{}, Main: make([][]koalabear.Vector, Tables),
		Public: b.public, Gates: len(b.gates)}
	c.Rows = [Tables]int{ConstantTable: len(b.constants), OpeningTable: len(b.openings), PackTable: len(b.packs),
		ArithmeticTable: (len(b.gates) + Lanes - 1) / Lanes, PoseidonTable: len(b.hashes)}
	for _, t := range b.order {
		c.Rows[PoseidonTable] += t.reserved()
	}
	if n := len(b.values) + len(b.blocks) - firstRef; n > codeStep {
		b.fail("%d addresses, must be at most %d", n, codeStep)
	}
	for i, n := range c.Rows {
		h := heights[i]
		if h == 0 {
			h = max(air.MinLogHeight, bits.Len(uint(max(n, 1)-1)))
		}
		if h < air.MinLogHeight || h > maxHeight || n > 1<<h {
			b.fail("table %s has %d rows, its height is 2^%d, which must be 2^%d to 2^%d", Set().Components[i].Name, n, h,
				air.MinLogHeight, maxHeight)
			continue
		}
		c.LogHeights[i] = h
	}
	if b.failed != nil {
		return nil, b.failed
	}
	w := &writer{c: c, wires: b.wireUses.counts, blocks: b.blockUses.counts, blocksFrom: len(b.values) - firstRef}
	for i, comp := range Set().Components {
		n := 1 << c.LogHeights[i]
		all := make(koalabear.Vector, n*(len(comp.Fixed)+len(comp.Main)))
		take := func() (v koalabear.Vector) {
			v, all = all[:n:n], all[n:]
			return v
		}
		for _, f := range comp.Fixed {
			v := take()
			c.Tables[f.Name] = v
			w.fixed[i] = append(w.fixed[i], v)
		}
		for range comp.Main {
			c.Main[i] = append(c.Main[i], take())
		}
	}
	// The first slot of a wire yields it. Indices of openings come last: they never do.
	w.constants(b.constants)
	w.gates(b.gates, b.values)
	w.packs(b.packs)
	w.hashes(b.hashes, b.order)
	w.openings(b.openings)
	fillSboxes(c.Main[PoseidonTable], c.Rows[PoseidonTable])
	return c, w.check()
}

// writer fills the columns of a circuit.
type writer struct {
	c             *Circuit
	fixed         [Tables][]koalabear.Vector // in the order of Component.Fixed
	wires, blocks []int32                    // by ref: how often each is used; -1 when its first slot has been met
	blocksFrom    int
}

// check is an invariant of the builder: each wire with a slot has been met.
func (w *writer) check() error {
	for _, counts := range [2][]int32{w.wires, w.blocks} {
		for _, n := range counts[firstRef:] {
			if n > 0 {
				return fmt.Errorf("a wire with %d slots has none: %w", n, ErrCircuit)
			}
		}
	}
	return nil
}

// slot writes the address and balance of a slot of a ref of counts.
func slot(counts []int32, shift int, ref int32, address, balance *field.Element) {
	switch {
	case ref == 0:
		return
	case ref < firstRef: // the public data yield it
		shift = 0
		*balance = minusOne
	case counts[ref] > 0:
		balance.SetUint64(uint64(counts[ref] - 1))
		counts[ref] = -1
	default:
		*balance = minusOne
	}
	address.SetUint64(uint64(int(ref) + shift))
}

func (w *writer) wire(ref int32, address, balance *field.Element) {
	slot(w.wires, 0, ref, address, balance)
}

func (w *writer) block(ref int32, address, balance *field.Element) {
	slot(w.blocks, w.blocksFrom, ref, address, balance)
}

// put writes coordinates or words into neighbouring columns.
func put(columns []koalabear.Vector, row int, words []field.Element) {
	for i, e := range words {
		columns[i][row] = e
	}
}

func (w *writer) constants(rows []constantRow) {
	f := w.fixed[ConstantTable] // address, balance, words
	for i, r := range rows {
		if r.block {
			w.block(r.ref, &f[0][i], &f[1][i])
		} else {
			w.wire(r.ref, &f[0][i], &f[1][i])
		}
		put(f[2:], i, r.words[:])
	}
}

func (w *writer) gates(gates []gate, values []field.Ext) {
	main := w.c.Main[ArithmeticTable]
	f := w.fixed[ArithmeticTable]
	// A lane's preprocessed columns: coefficients, bit, then balance and address of each slot.
	const perLane = coefficients + 1 + 2*slots
	for i := range gates {
		g, row, lane := &gates[i], i/Lanes, i%Lanes
		fixed := f[perLane*lane : perLane*(lane+1)]
		put(fixed, row, g.q[:])
		if g.bit {
			fixed[coefficients][row] = one
		}
		for s, ref := range g.ref {
			if ref == 0 {
				continue
			}
			at := coefficients + 1 + 2*s
			w.wire(ref, &fixed[at+1][row], &fixed[at][row])
			v := field.Coords(&values[ref])
			put(main[field.Degree*(slots*lane+s):], row, v[:])
		}
	}
}

func (w *writer) packs(rows []packRow) {
	f := w.fixed[PackTable] // address and balance of each block, then of each value; last, whether it is a row of singles
	for i := range rows {
		r := &rows[i]
		for k, ref := range r.blocks {
			w.block(ref, &f[2*k][i], &f[2*k+1][i])
		}
		for k, ref := range r.exts {
			w.wire(ref, &f[2*(packBlocks+k)][i], &f[2*(packBlocks+k)+1][i])
		}
		if r.single {
			f[2*(packBlocks+packExts)][i] = one
		}
		put(w.c.Main[PackTable], i, r.words[:])
	}
}

// Preprocessed columns of table poseidon2, in the order in which poseidonTable reads them.
const (
	fixAddressL = iota
	fixAddressR
	fixAddressO
	fixBalanceL
	fixBalanceR
	fixBalanceO
	fixNode
	fixSideA
)

func (w *writer) hashes(rows []hashRow, trees []*tree) {
	f, main := w.fixed[PoseidonTable], w.c.Main[PoseidonTable]
	for i := range rows {
		r := &rows[i]
		w.block(r.l, &f[fixAddressL][i], &f[fixBalanceL][i])
		w.block(r.r, &f[fixAddressR][i], &f[fixBalanceR][i])
		w.block(r.o, &f[fixAddressO][i], &f[fixBalanceO][i])
		put(main[colL:], i, r.left[:])
		put(main[colR:], i, r.right[:])
		if r.side != SideNone {
			f[fixSideA+int(r.side-SideA)][i] = one
			in, out := field.Coords(&r.in), field.Coords(&r.out)
			put(main[colIn:], i, in[:])
			put(main[colOut:], i, out[:])
		}
	}
	i := len(rows)
	for _, t := range trees {
		n := t.reserved()
		for k := range n {
			f[fixAddressL][i+k], f[fixAddressR][i+k], f[fixNode][i+k] = one, one, one
		}
		for k := range t.rows {
			r, i := &t.rows[k], i+k
			put(main[colL:], i, r.children[0][:])
			put(main[colR:], i, r.children[1][:])
			main[colOn][i] = one
			main[colLevel][i].SetUint64(uint64(t.code(r.level)))
			main[colIndex][i].SetUint64(uint64(r.index))
			main[colTimeL][i].SetUint64(uint64(r.times[0]))
			main[colTimeR][i].SetUint64(uint64(r.times[1]))
		}
		i += n
	}
}

// Preprocessed columns of table opening: balance and address of state, node, index and sum.
const (
	fixState = 2 * iota
	fixNodeAt
	fixIndex
	fixSum
)

func (w *writer) openings(rows []openingRow) {
	f, main := w.fixed[OpeningTable], w.c.Main[OpeningTable]
	for i := range rows {
		r := &rows[i]
		w.block(r.state, &f[fixState+1][i], &f[fixState][i])
		w.wire(r.sum, &f[fixSum+1][i], &f[fixSum][i])
		if r.code == 0 {
			w.block(r.node, &f[fixNodeAt+1][i], &f[fixNodeAt][i])
		} else {
			f[fixNodeAt+1][i].SetUint64(uint64(r.code))
			f[fixNodeAt][i].SetInt64(int64(r.codeBalance))
		}
		put(main, i, r.d[:])
		acc := field.Coords(&r.acc)
		put(main[hash.Rate:], i, acc[:])
		main[hash.Rate+stateWords][i] = r.place
	}
	for i := range rows {
		w.wire(rows[i].index, &f[fixIndex+1][i], &f[fixIndex][i])
	}
}

// chunk is how many rows the permutation is computed for at once.
const chunk = 256

// lanes is a vector of rows in the permutation; its results live in a pool.
type lanes struct {
	v    koalabear.Vector
	pool *pool
}

type pool struct {
	memory koalabear.Vector
	used   int
}

func (l lanes) fresh() lanes {
	p, n := l.pool, len(l.v)
	if p.used+n > len(p.memory) {
		p.memory, p.used = make(koalabear.Vector, max(2*len(p.memory), 1<<11*n)), 0
	}
	p.used += n
	return lanes{p.memory[p.used-n : p.used : p.used], p}
}

// Add returns l + o.
func (l lanes) Add(o lanes) lanes {
	r := l.fresh()
	r.v.Add(l.v, o.v)
	return r
}

// Sub returns l - o.
func (l lanes) Sub(o lanes) lanes {
	r := l.fresh()
	r.v.Sub(l.v, o.v)
	return r
}

// Scale returns l times a constant.
func (l lanes) Scale(s int64) lanes {
	r := l.fresh()
	e := field.New(uint64(s))
	r.v.ScalarMul(l.v, &e)
	return r
}

// Plus returns l plus a constant.
func (l lanes) Plus(s int64) lanes {
	r := l.fresh()
	e := field.New(uint64(s))
	for i := range r.v {
		r.v[i].Add(&l.v[i], &e)
	}
	return r
}

// fillSboxes computes the s-box columns from L and R. Rows from used on are all the same.
func fillSboxes(main []koalabear.Vector, used int) {
	rows := len(main[colL])
	p := &pool{}
	n := min(chunk, rows)
	for from := 0; from < rows; from += n {
		if from >= used+n {
			for _, col := range main[colSbox : colSbox+sboxes] {
				copy(col[from:from+n], col[from-n:])
			}
			continue
		}
		x := make([]lanes, hash.Width)
		for i := range x {
			x[i] = lanes{main[colL+i][from : from+n], p}
		}
		p.used = 0
		permuteRight(x, func(round, lane int, in lanes) lanes {
			s := lanes{main[colSbox+sboxColumn(round, lane)][from : from+n], p}
			square := in.fresh()
			square.v.Mul(in.v, in.v)
			s.v.Mul(square.v, in.v)
			return s
		})
	}
}
