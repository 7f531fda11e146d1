package circuit

import (
	"fmt"
	"math/bits"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// Circuit is a recorded circuit with the values of one run.
type Circuit struct {
	LogHeights [Components]int
	Rows       [Components]int // rows in use
	Gates      int
	b          *Builder
	nodes      []hashRow // all trees', each padded to what is reserved for it
	uses       []int32   // of each wire, in all slots
}

// Finish lays out the circuit. An error is one of the circuit's description, not of its values: Builder.Err says those.
func (b *Builder) Finish() (*Circuit, error) {
	b.singles()
	c := &Circuit{b: b, Gates: len(b.gates)}
	for number, t := range b.trees {
		if t == nil {
			continue
		}
		for i := range t.nodes {
			t.nodes[i].level += uint32(nodeAddress(number, 0))
		}
		n := t.reserved()
		if len(t.nodes) > n || t.openings == 0 {
			return nil, fmt.Errorf("tree %d has %d nodes for %d openings", number, len(t.nodes), t.openings)
		}
		c.nodes = append(c.nodes, t.nodes...)
		c.nodes = append(c.nodes, make([]hashRow, n-len(t.nodes))...)
	}
	for i := range c.nodes {
		c.nodes[i].node = true
	}
	c.Rows = [Components]int{constants: len(b.consts), openings: len(b.opens), packs: len(b.packs),
		permutations: len(b.rows) + len(c.nodes), gates: (len(b.gates) + Lanes - 1) / Lanes}
	for i, n := range c.Rows {
		c.LogHeights[i] = max(air.MinLogHeight, bits.Len(uint(max(n, 1)-1)))
		if c.LogHeights[i] > maxLogRows {
			return nil, fmt.Errorf("table %s has %d rows, at most 2^%d", Set().Components[i].Name, n, maxLogRows)
		}
	}
	if len(b.words) >= addressSpan {
		return nil, fmt.Errorf("%d wires, must be below %d", len(b.words), addressSpan)
	}
	c.uses = make([]int32, len(b.words))
	c.count()
	for i, there := range b.public {
		if c.uses[1+i] != 1 || !there {
			return nil, fmt.Errorf("public value %d is used %d times, must be once", i, c.uses[1+i])
		}
	}
	return c, nil
}

// count counts the slots that name each wire.
func (c *Circuit) count() {
	use := func(at int32) {
		if at != 0 && at < addressSpan {
			c.uses[at]++
		}
	}
	b := c.b
	for i := range b.gates {
		for _, at := range b.gates[i].at {
			use(at)
		}
	}
	for i := range b.packs {
		for _, at := range b.packs[i].blocks {
			use(at)
		}
		for _, at := range b.packs[i].values {
			use(at)
		}
	}
	for i := range b.opens {
		o := &b.opens[i]
		use(o.leaf)
		use(o.node)
		use(o.index)
		use(o.sumWire)
	}
	for i := range b.rows {
		r := &b.rows[i]
		use(r.atLeft)
		use(r.atRight)
		use(r.atOut)
	}
	for _, at := range b.consts {
		use(at)
	}
}

// balances hands out the balance of each slot, in one order of all slots: what defines a wire has the number of its other
// slots, each of which has -1. A wire that no row defines by itself is defined by the first slot that names it.
type balances struct {
	c       *Circuit
	defined []bool
}

func (s *balances) of(at int32, defines bool) field.Element {
	if at == 0 {
		return field.Element{}
	}
	if !defines && !s.defined[at] {
		s.defined[at], defines = true, true
	}
	if defines {
		return field.New(uint64(s.c.uses[at] - 1))
	}
	return field.New(field.Modulus - 1)
}

// Tables returns the preprocessed columns by their names: with the heights, all that a circuit is.
func (c *Circuit) Tables() map[string]koalabear.Vector {
	out := map[string]koalabear.Vector{}
	for i, comp := range Set().Components {
		for _, f := range comp.Fixed {
			out[f.Name] = make(koalabear.Vector, 1<<c.LogHeights[i])
		}
	}
	b, one := c.b, field.New(1)
	s := &balances{c, append([]bool(nil), b.defined...)}
	place := func(table, name string, row int, at int32, balance field.Element) {
		out[table+".at_"+name][row] = field.New(uint64(at))
		out[table+".balance_"+name][row] = balance
	}
	// Constants by address: a map has no order.
	order := make([][hash.Rate]field.Element, 0, len(b.consts))
	for at := range b.words {
		if have, ok := b.consts[b.words[at]]; ok && int(have) == at {
			order = append(order, b.words[at])
		}
	}
	for row, words := range order {
		at := b.consts[words]
		place(NameConstant, "value", row, at, s.of(at, true))
		for i, x := range words {
			out[fmt.Sprintf("%s.word_%d", NameConstant, i)][row] = x
		}
	}
	for i := range b.gates {
		g := &b.gates[i]
		table, row := fmt.Sprintf("%s.%d", NameArithmetic, i%Lanes), i/Lanes
		for j, name := range slotNames {
			place(table, name, row, g.at[j], s.of(g.at[j], j == slotOut && g.defines))
		}
		for j, q := range g.q {
			out[fmt.Sprintf("%s.q%d", table, j)][row] = q
		}
		if g.bit {
			out[table+".bit"][row] = one
		}
	}
	single := out[NamePack+".single"]
	for row := range b.packs {
		p := &b.packs[row]
		for i, at := range p.blocks {
			place(NamePack, fmt.Sprintf("block_%d", i), row, at, s.of(at, p.makesBlocks))
		}
		for i, at := range p.values {
			place(NamePack, fmt.Sprintf("value_%d", i), row, at, s.of(at, p.makesValues))
		}
		if p.single {
			single[row].SetOne()
		}
	}
	node := out[NamePoseidon+".node"]
	horner := [sides]koalabear.Vector{out[NamePoseidon+".horner_a"], out[NamePoseidon+".horner_b"]}
	for row := range b.rows {
		r := &b.rows[row]
		place(NamePoseidon, "left", row, r.atLeft, s.of(r.atLeft, false))
		place(NamePoseidon, "right", row, r.atRight, s.of(r.atRight, r.exposes))
		place(NamePoseidon, "out", row, r.atOut, s.of(r.atOut, true))
		if r.side != SideNone {
			horner[r.side-1][row] = one
		}
	}
	for i := range c.nodes {
		row := len(b.rows) + i
		node[row] = one
		place(NamePoseidon, "left", row, 1, field.Element{})
		place(NamePoseidon, "right", row, 1, field.Element{})
	}
	for row := range b.opens {
		o := &b.opens[row]
		place(NameOpening, "leaf", row, o.leaf, s.of(o.leaf, false))
		balance := field.New(field.Modulus - 1)
		switch {
		case o.yields:
			balance = field.New(1)
		case o.node < addressSpan:
			balance = s.of(o.node, false)
		}
		place(NameOpening, "node", row, o.node, balance)
		// The index's balance says whether there is one: its bits stand in gates, so it is never defined here.
		place(NameOpening, "index", row, o.index, s.of(o.index, false))
		place(NameOpening, "sum", row, o.sumWire, s.of(o.sumWire, true))
	}
	return out
}

// Main returns the main columns, component by component. each calls a function for 0 .. n-1, in any order and on as many
// processors as it likes.
func (c *Circuit) Main(each func(n int, f func(i int))) [][]koalabear.Vector {
	out := make([][]koalabear.Vector, Components)
	for i, comp := range Set().Components {
		out[i] = make([]koalabear.Vector, len(comp.Main))
		for j := range out[i] {
			out[i][j] = make(koalabear.Vector, 1<<c.LogHeights[i])
		}
	}
	b := c.b
	for row := range b.opens {
		o := &b.opens[row]
		cols := out[openings]
		for i, x := range o.words {
			cols[i][row] = x
		}
		for i, x := range o.sum {
			cols[hash.Rate+i][row] = x
		}
		cols[hash.Rate+field.Degree][row] = o.indexWord
	}
	for row := range b.packs {
		for i, x := range b.packs[row].words {
			out[packs][i][row] = x
		}
	}
	const share = 1 << 8
	total := 1 << c.LogHeights[permutations]
	each((total+share-1)/share, func(i int) {
		for row := i * share; row < min(total, (i+1)*share); row++ {
			c.hashRow(out[permutations], row)
		}
	})
	each((len(b.gates)+share-1)/share, func(n int) {
		for i := n * share; i < min(len(b.gates), (n+1)*share); i++ {
			cols := out[gates][i%Lanes*len(slotNames)*field.Degree:]
			for j, at := range b.gates[i].at {
				for d, x := range b.words[at][:field.Degree] {
					cols[j*field.Degree+d][i/Lanes] = x
				}
			}
		}
	})
	return out
}

func (c *Circuit) hashRow(cols []koalabear.Vector, row int) {
	var r hashRow
	switch n := len(c.b.rows); {
	case row < n:
		r = c.b.rows[row]
	case row < n+len(c.nodes):
		r = c.nodes[row-n]
	}
	var p computed
	compress[field.Element](&p, r.left[:], r.right[:])
	for i := range hash.Rate {
		cols[colLeft+i][row], cols[colRight+i][row] = r.left[i], r.right[i]
	}
	for i, x := range p.cubes {
		cols[colCubes+i][row] = x
	}
	in, out := field.Coords(&r.in), field.Coords(&r.out)
	for d := range field.Degree {
		cols[colIn+d][row], cols[colOut+d][row] = in[d], out[d]
	}
	if r.timesLeft+r.timesRight == 0 {
		return
	}
	cols[colOn][row].SetOne()
	cols[colLevel][row].SetUint64(uint64(r.level))
	cols[colIndex][row].SetUint64(uint64(r.index))
	cols[colTimes][row].SetUint64(uint64(r.timesLeft))
	cols[colTimes+1][row].SetUint64(uint64(r.timesRight))
}
