package cheat

import (
	"fmt"
	"slices"
	"strings"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/circuit"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// Words are what stands behind an address on the bus: six coordinates of a value, or eight words of a block and its sum.
type Words [hash.Rate + field.Degree]field.Element

// Value makes words of a value.
func Value(v field.Ext) (w Words) {
	c := field.Coords(&v)
	copy(w[:], c[:])
	return w
}

// Ext is the value that words are.
func (w Words) Ext() field.Ext { return field.FromCoords([field.Degree]field.Element(w[:])) }

// Block are the eight words of a block.
func (w Words) Block() hash.Digest { return hash.Digest(w[:]) }

func (w Words) sum() field.Ext { return field.FromCoords([field.Degree]field.Element(w[hash.Rate:])) }

// The addresses of public data come first; that of the statement is the first.
const (
	publicSlots   = circuit.PublicSlots
	statementSlot = 1
)

type kind uint8

const (
	kindGate    kind = iota // slots: a, b, c, out
	kindPack                // slots: blocks, then values
	kindHash                // slots: left, right, out, and the scalar of its sum if it has one
	kindOpening             // slots: state, node, index, sum
	kindBits                // all gates that split a number into bits, read from the number on: its slots begin with it
)

// In a pack's row.
const (
	packBlocks = 3
	packExts   = 4
	packWords  = packBlocks * hash.Rate
)

// row is a row of a table, or one gate of it, with the addresses in its slots, 0 for none.
type row struct {
	kind  kind
	table int
	at    int // row of the table
	slots []int32
	makes []int32 // those of its slots that it computes

	lane  int              // gate
	q     [6]field.Element // gate: out = b (q0 a + q5 c) + q1 a + q2 b + q3 c + q4
	bit   bool             // gate: b is a bit
	solve int32            // gate: the slot that it is solved for, if that is not its last
	words *[packWords]field.Element
	back  bool   // pack: blocks are made of values
	one   bool   // pack: values are of the base field
	side  int    // hash: 1 or 2, of its sum
	code  uint32 // opening: of a node of a tree, instead of its second slot
}

// node is a tuple of the bus that is a node of a tree.
type node struct {
	code, index field.Element
	d           hash.Digest
}

// Who computes what stands at an address, if it is no row.
const (
	chosen = -1 // nobody: it is the prover's choice
	fixed  = -2 // it is a constant
)

// Witness is a circuit's columns as values by address.
type Witness struct {
	c      *circuit.Circuit
	values []Words
	rows   []row
	nodes  map[node]field.Element // how often each is yielded less how often it is used
	seen   []bool                 // by address
	broken error                  // what is wrong with the columns as they are

	users [][]int32 // rows by the addresses that stand in them
	maker []int32   // by address: the row that computes it
	turn  []int32   // by row: its place in the order of computation
}

// New reads a circuit with the values of one run, which may be those of a false one.
func New(c *circuit.Circuit) *Witness {
	w := &Witness{c: c, nodes: map[node]field.Element{}}
	most := uint64(publicSlots)
	for name, column := range c.Tables {
		if !strings.Contains(strings.ToLower(name), ".address") && !strings.Contains(name, "Address") {
			continue
		}
		for i := range column {
			if a := column[i].Uint64(); a < codes {
				most = max(most, a)
			}
		}
	}
	w.values, w.seen = make([]Words, most+1), make([]bool, most+1)
	for i, t := range c.Public.Tuples() {
		w.put(int32(i+1), t[2:])
	}
	w.constants()
	w.gates()
	w.packs()
	w.hashes()
	w.openings()
	return w
}

// codes are the addresses of nodes of trees, from here on.
const codes = 1 << 22

// columns are a table's preprocessed ones.
type columns struct {
	table string
	c     *circuit.Circuit
}

func (c columns) of(format string, args ...any) koalabear.Vector {
	v, ok := c.c.Tables[c.table+"."+fmt.Sprintf(format, args...)]
	if !ok {
		panic("no column " + c.table + "." + fmt.Sprintf(format, args...))
	}
	return v
}

func number(v koalabear.Vector, i int) int32 { return int32(v[i].Uint64()) }

// put notes what a slot holds. Columns of false values may hold other words in another slot of the same address.
func (w *Witness) put(address int32, words []field.Element) {
	if address == 0 {
		return
	}
	v := &w.values[address]
	if w.seen[address] && !slices.Equal(v[:len(words)], words) {
		w.broken = fmt.Errorf("address %d holds different words", address)
	}
	copy(v[:], words)
	w.seen[address] = true
}

func (w *Witness) main(table, from, n, i int, out []field.Element) []field.Element {
	for k := range n {
		out = append(out, w.c.Main[table][from+k][i])
	}
	return out
}

// constants need no rows: nobody changes them.
func (w *Witness) constants() {
	t := columns{circuit.NameConstant, w.c}
	address := t.of("address")
	var words [hash.Rate]koalabear.Vector
	for k := range words {
		words[k] = t.of("w%d", k)
	}
	for i := range w.c.Rows[circuit.ConstantTable] {
		var v hash.Digest
		for k := range v {
			v[k] = words[k][i]
		}
		w.put(number(address, i), v[:])
	}
}

func (w *Witness) gates() {
	t := columns{circuit.NameArithmetic, w.c}
	var q [circuit.Lanes][6]koalabear.Vector
	var bit [circuit.Lanes]koalabear.Vector
	var address [circuit.Lanes][4]koalabear.Vector
	for lane := range circuit.Lanes {
		bit[lane] = t.of("bit%d", lane)
		for i := range q[lane] {
			q[lane][i] = t.of("q%d_%d", lane, i)
		}
		for s, name := range []string{"a", "b", "c", "out"} {
			address[lane][s] = t.of("address_%s%d", name, lane)
		}
	}
	buffer := make([]field.Element, 0, field.Degree)
	w.rows = make([]row, 0, 2*w.c.Gates)
	for n := range w.c.Gates {
		i, lane := n/circuit.Lanes, n%circuit.Lanes
		r := row{kind: kindGate, table: circuit.ArithmeticTable, at: i, lane: lane, bit: !bit[lane][i].IsZero()}
		for k := range r.q {
			r.q[k] = q[lane][k][i]
		}
		for s := range address[lane] {
			a := number(address[lane][s], i)
			r.slots = append(r.slots, a)
			if a != 0 {
				w.put(a, w.main(r.table, field.Degree*(4*lane+s), field.Degree, i, buffer))
			}
		}
		w.rows = append(w.rows, r)
	}
}

func (w *Witness) packs() {
	t := columns{circuit.NamePack, w.c}
	singles := t.of("singles")
	var address []koalabear.Vector
	for k := range packBlocks {
		address = append(address, t.of("blockAddress%d", k))
	}
	for k := range packExts {
		address = append(address, t.of("extAddress%d", k))
	}
	for i := range w.c.Rows[circuit.PackTable] {
		r := row{kind: kindPack, table: circuit.PackTable, at: i, one: !singles[i].IsZero(), words: new([packWords]field.Element)}
		w.main(r.table, 0, packWords, i, r.words[:0])
		for k := range address {
			a := number(address[k], i)
			r.slots = append(r.slots, a)
			from, width := slotOfPack(k)
			w.put(a, r.words[from:from+width])
		}
		w.rows = append(w.rows, r)
	}
}

// slotOfPack says which words of a row a slot holds.
func slotOfPack(k int) (from, width int) {
	if k < packBlocks {
		return hash.Rate * k, hash.Rate
	}
	return field.Degree * (k - packBlocks), field.Degree
}

func (w *Witness) hashes() {
	t := columns{circuit.NamePoseidon, w.c}
	address := [3]koalabear.Vector{t.of("addressL"), t.of("addressR"), t.of("addressO")}
	sides, nodes := [2]koalabear.Vector{t.of("sideA"), t.of("sideB")}, t.of("node")
	main := w.c.Main[circuit.PoseidonTable]
	rest := main[len(main)-5:] // on, level, index and how often each child is yielded
	out := len(main) - len(rest) - field.Degree
	buffer := make([]field.Element, 0, hash.Rate)
	for i := range w.c.Rows[circuit.PoseidonTable] {
		left := hash.Digest(w.main(circuit.PoseidonTable, 0, hash.Rate, i, buffer))
		right := hash.Digest(w.main(circuit.PoseidonTable, hash.Rate, hash.Rate, i, buffer))
		if !nodes[i].IsZero() {
			if !rest[0][i].IsZero() {
				w.node(rest, i, left, right)
			}
			continue
		}
		r := row{kind: kindHash, table: circuit.PoseidonTable, at: i}
		for k := range address {
			r.slots = append(r.slots, number(address[k], i))
		}
		if r.slots[1] == 0 { // a block of a leaf that stands nowhere else gets an address of its own
			w.values, w.seen = append(w.values, Words{}), append(w.seen, false)
			r.slots[1] = int32(len(w.values) - 1)
		}
		w.put(r.slots[1], right[:])
		w.put(r.slots[0], left[:])
		made := hash.Compress(left, right)
		w.put(r.slots[2], w.main(r.table, out, field.Degree, i, slices.Clone(made[:])))
		for k := range sides {
			if !sides[k][i].IsZero() {
				r.side = k + 1
				r.slots = append(r.slots, statementSlot+int32(r.side))
			}
		}
		w.rows = append(w.rows, r)
	}
}

// node counts the lookups of a row of nodes that is on.
func (w *Witness) node(rest []koalabear.Vector, i int, left, right hash.Digest) {
	on, level, index := rest[0][i], rest[1][i], rest[2][i]
	if !on.IsOne() {
		w.broken = fmt.Errorf("row %d of nodes is on %s times", i, on.String())
	}
	one, minus := field.New(1), field.New(field.Modulus-1)
	w.count(node{level, index, hash.Compress(left, right)}, minus)
	level.Add(&level, &one)
	index.Double(&index)
	w.count(node{level, index, left}, rest[3][i])
	index.Add(&index, &one)
	w.count(node{level, index, right}, rest[4][i])
}

func (w *Witness) count(n node, times field.Element) {
	have := w.nodes[n]
	have.Add(&have, &times)
	w.nodes[n] = have
}

func (w *Witness) openings() {
	t := columns{circuit.NameOpening, w.c}
	var address []koalabear.Vector
	for _, name := range []string{"State", "Node", "Index", "Sum"} {
		address = append(address, t.of("address%s", name))
	}
	balance := t.of("balanceNode")
	for i := range w.c.Rows[circuit.OpeningTable] {
		r := row{kind: kindOpening, table: circuit.OpeningTable, at: i}
		for k := range address {
			r.slots = append(r.slots, number(address[k], i))
		}
		d := hash.Digest(w.main(r.table, 0, hash.Rate, i, nil))
		if r.slots[1] >= codes {
			r.code, r.slots[1] = uint32(r.slots[1]), 0
			place := Words{w.c.Main[r.table][hash.Rate+field.Degree][i]}
			w.put(r.slots[2], place[:field.Degree])
			w.count(node{field.New(uint64(r.code)), place[0], d}, balance[i])
		}
		w.put(r.slots[0], d[:])
		w.put(r.slots[1], d[:])
		w.put(r.slots[3], w.main(r.table, hash.Rate, field.Degree, i, nil))
		w.rows = append(w.rows, r)
	}
}

// At returns the words at an address.
func (w *Witness) At(address int32) Words { return w.values[address] }

// Chosen says whether no row computes what stands at an address.
func (w *Witness) Chosen(address int32) bool {
	w.plan()
	return w.maker[address] == chosen
}

// Places returns the addresses of the numbers of all leaves that are opened.
func (w *Witness) Places() (out []int32) {
	for i := range w.rows {
		if r := &w.rows[i]; r.kind == kindOpening && r.code != 0 && r.slots[2] != 0 {
			out = append(out, r.slots[2])
		}
	}
	return out
}

// IsBit says whether a gate holds an address to be a bit.
func (w *Witness) IsBit(address int32) bool {
	w.plan()
	for _, i := range w.users[address] {
		if r := &w.rows[i]; r.kind == kindGate && r.bit && r.slots[1] == address {
			return true
		}
	}
	return false
}

// IsBlock says whether a block stands at an address.
func (w *Witness) IsBlock(address int32) bool {
	w.plan()
	for _, i := range w.users[address] {
		switch r := &w.rows[i]; r.kind {
		case kindHash:
			return slices.Contains(r.slots[:3], address)
		case kindPack:
			return slices.Contains(r.slots[:packBlocks], address)
		case kindOpening:
			return slices.Contains(r.slots[:2], address)
		}
	}
	return false
}
