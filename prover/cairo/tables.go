package cairo

import (
	"fmt"

	"github.com/seed06907907/fatty/verifier/cairo"
)

// instructionTable fills the decoding table; decoded counts how often each instruction is used. Rows behind the last
// instruction repeat the first with no uses: they read memory like all others.
func instructionTable(t *table, ins *instructions, decoded []uint32, m *memory, rg *ranges) error {
	pc, uses, id, bytes := t.column("pc"), t.column("uses"), t.column("id"), t.group("byte")
	flagsHi := t.column("flags_hi")
	for i := range t.rows() {
		n := &ins.list[0]
		if i < len(ins.list) {
			n = &ins.list[i]
			t.main[uses][i] = element(decoded[i])
		}
		if _, err := m.readBytes(int64(n.pc)); err != nil {
			return err
		}
		t.main[pc][i], t.main[id][i] = element(n.pc), element(n.id)
		for j, off := range n.off {
			t.main[bytes+2*j][i], t.main[bytes+2*j+1][i] = elements[off&255], elements[off>>8]
		}
		high := uint8(n.flags >> 8) // below 2^7: the word has no extension
		t.main[bytes+6][i], t.main[flagsHi][i] = elements[n.flags&255], elements[high]
		rg.pair(high, 2*high)
	}
	return nil
}

// programTable fills the ids of the program's cells.
func programTable(t *table, felts int, m *memory) error {
	col := t.main[t.column("id")]
	for i := range felts {
		id, err := m.read(int64(1 + i))
		if err != nil {
			return err
		}
		col[i] = element(id)
	}
	return nil
}

// rangeCheckTable fills the cells of the range check segment; a table without a segment stays zero.
func rangeCheckTable(t *table, start uint32, m *memory) error {
	id, bytes := t.column("id"), t.group("byte")
	for i := range t.rows() {
		cell, err := m.readBytes(int64(start) + int64(i))
		if err != nil {
			return err
		}
		v := m.value(cell)
		if v[2]|v[3] != 0 {
			return fmt.Errorf("%w: range check %d is not below 2^128", ErrRun, i)
		}
		t.main[id][i] = element(cell)
		b := v.bytes()
		for j := range 16 {
			t.main[bytes+j][i] = elements[b[j]]
		}
	}
	return nil
}

// bitwiseTable fills the instances of the bitwise segment; a table without a segment stays zero.
func bitwiseTable(t *table, start uint32, m *memory, rg *ranges) error {
	ids, x, y, xor := t.group("id"), t.group("x"), t.group("y"), t.group("xor")
	for i := range t.rows() {
		var v [cairo.BitwiseCells]limbs
		for j := range v {
			id, err := m.readBytes(int64(start) + int64(cairo.BitwiseCells*i+j))
			if err != nil {
				return err
			}
			t.main[ids+j][i] = element(id)
			v[j] = m.value(id)
		}
		want := bitwise(&v[0], &v[1])
		if v[0][3]>>59 != 0 || v[1][3]>>59 != 0 || v != want {
			return fmt.Errorf("%w: bitwise instance %d does not hold", ErrRun, i)
		}
		a, b, c := v[0].bytes(), v[1].bytes(), v[3].bytes()
		for j := range a {
			t.main[x+j][i], t.main[y+j][i], t.main[xor+j][i] = elements[a[j]], elements[b[j]], elements[c[j]]
			rg.xor(a[j], b[j])
		}
		rg.pair(32*a[31], 32*b[31])
	}
	return nil
}

// bitwise is an instance: x, y, and, xor, or.
func bitwise(x, y *limbs) (out [cairo.BitwiseCells]limbs) {
	out[0], out[1] = *x, *y
	for i := range x {
		out[2][i], out[3][i], out[4][i] = x[i]&y[i], x[i]^y[i], x[i]|y[i]
	}
	return out
}

// completeSegment fills the cells of a builtin's segment that the run left empty, before anything is counted: holes with
// zeros (and what follows from them), instances behind the last used one with copies of it. Its table reads them all.
func completeSegment(m *memory, s segment) {
	at := func(instance, cell int) int64 { return int64(s.start) + int64(s.cells*instance+cell) }
	for i := range s.instances {
		if i >= s.used {
			for j := range s.cells {
				m.fill(at(i, j), m.value(m.ids[at(s.used-1, j)]))
			}
			continue
		}
		if s.cells == cairo.BitwiseCells {
			for j := range 2 {
				m.fill(at(i, j), limbs{})
			}
			x, y := m.value(m.ids[at(i, 0)]), m.value(m.ids[at(i, 1)])
			for j, v := range bitwise(&x, &y) {
				m.fill(at(i, j), v)
			}
		}
		for j := range s.cells {
			m.fill(at(i, j), limbs{})
		}
	}
}

// addressTable fills the table of addresses: an address without a value has id 0 and no use.
func addressTable(t *table, m *memory) {
	ids, uses := t.group("id"), t.group("uses")
	for a := 1; a < len(m.ids); a++ {
		if m.ids[a] == noID {
			continue
		}
		row, i := (a-1)/cairo.AddressesPerRow, (a-1)%cairo.AddressesPerRow
		t.main[ids+i][row], t.main[uses+i][row] = element(m.ids[a]), element(m.uses[a]+m.byteUses[a])
	}
}

// offsetTable fills the felts that move a register by their ids.
func offsetTable(t *table, offsets []offsetRow, m *memory, rg *ranges) {
	enabler, id, low, top := t.column("enabler"), t.column("id"), t.column("limb_0"), t.column("top")
	negative, below := t.column("negative"), t.column("below_minus_1")
	for i, o := range offsets {
		v := m.value(o.id)
		t.main[enabler][i], t.main[id][i] = elements[1], element(o.id)
		t.main[low][i] = element(v.limb(0))
		high := int(v.limb(1))
		if o.n < 0 {
			t.main[negative][i] = elements[1]
		}
		if o.n < -1 {
			t.main[below][i] = elements[1]
			high -= 1 << limbBits
		}
		high += offsetReach
		t.main[top][i] = elements[high]
		rg.pair(uint8(high), uint8(4*high))
	}
}

// valueUses counts the uses of a value, by its small or big index, as limbs and as bytes.
type valueUses struct{ small, big [2][]uint32 }

// The forms of a value.
const (
	asLimbs = iota
	asBytes
)

func newValueUses(m *memory) *valueUses {
	u := &valueUses{}
	for form := range 2 {
		u.small[form], u.big[form] = make([]uint32, len(m.small)), make([]uint32, len(m.big))
	}
	for a, id := range m.ids {
		if id != noID {
			u.add(asLimbs, id, m.uses[a])
			u.add(asBytes, id, m.byteUses[a])
		}
	}
	return u
}

func (u *valueUses) add(form int, id, n uint32) {
	if first := cairo.BigID(0); id >= first {
		u.big[form][id-first] += n
	} else {
		u.small[form][id] += n
	}
}

// valueTables fills the two tables of values.
func valueTables(small, big *table, m *memory, uses *valueUses, rg *ranges) error {
	byteAt := small.group("byte")
	usesAt := [2]int{small.column("limb_uses"), small.column("byte_uses")}
	for i, v := range m.small {
		for form, at := range usesAt {
			small.main[at][i] = element(uses.small[form][i])
		}
		for j := 0; j < cairo.SmallBytes; j += 2 {
			lo, hi := uint8(v>>(8*j)), uint8(v>>(8*j+8))
			small.main[byteAt+j][i], small.main[byteAt+j+1][i] = elements[lo], elements[hi]
			rg.pair(lo, hi)
		}
	}
	// Rows behind the last value hold 0 and use its pairs.
	rg.pairs[0] += uint32((small.rows() - len(m.small)) * cairo.SmallBytes / 2)

	byteAt, usesAt = big.group("byte"), [2]int{big.column("limb_uses"), big.column("byte_uses")}
	w, top, last, x := big.column("w"), big.column("t"), big.column("u"), big.column("x")
	for i := range m.big {
		v := m.big[i].bytes()
		if !m.big[i].less(&prime) {
			return fmt.Errorf("%w: a value is not below P", ErrInternal)
		}
		for form, at := range usesAt {
			big.main[at][i] = element(uses.big[form][i])
		}
		for j := range cairo.FeltBytes - 1 {
			big.main[byteAt+j][i] = elements[v[j]]
		}
		for j := 0; j < 30; j += 2 {
			rg.pair(v[j], v[j+1])
		}
		below, limit := v[31], uint8(0)
		if v[31] == 8 {
			below = 0
			big.main[top][i] = elements[1]
			if v[24] == 17 {
				big.main[last][i] = elements[1]
			} else {
				limit = 15 * (v[24] + 1)
			}
		}
		big.main[w][i], big.main[x][i] = elements[below], elements[limit]
		rg.pair(v[30], below)
		rg.pair(32*below, limit)
	}
	rg.pairs[0] += uint32((big.rows() - len(m.big)) * 17)
	return nil
}

// byteTable fills the multiplicities of the byte table, last of all.
func byteTable(t *table, rg *ranges) {
	for i, list := range [][]uint32{rg.pairs, rg.words, rg.xors} {
		for j, n := range list {
			t.main[i][j] = element(n)
		}
	}
}
