package cheat

import "slices"

// plan finds, once, who computes what, and in which order.
func (w *Witness) plan() {
	if w.maker != nil {
		return
	}
	w.makers()
	w.users = make([][]int32, len(w.values))
	for i := range w.rows {
		seen := slices.Clone(w.rows[i].slots)
		slices.Sort(seen)
		for _, a := range slices.Compact(seen) {
			if a != 0 {
				w.users[a] = append(w.users[a], int32(i))
			}
		}
	}
	w.order()
}

// make notes that a row computes what stands at an address, if no other row does.
func (w *Witness) make(i int, address int32) {
	if address != 0 && w.maker[address] == chosen {
		w.maker[address] = int32(i)
		w.rows[i].makes = append(w.rows[i].makes, address)
	}
}

// makers finds who computes what.
func (w *Witness) makers() {
	w.maker = make([]int32, len(w.values))
	for a := range w.maker {
		w.maker[a] = chosen
	}
	w.maker[0] = fixed
	address := w.c.Tables["constant.address"]
	for i := range address {
		w.maker[number(address, i)] = fixed
	}
	var copies []int32 // of public blocks
	for i := range w.rows {
		switch r := &w.rows[i]; r.kind {
		case kindGate:
			// A gate makes the wire behind it if that is newer than all that goes in: else it compares. Public data follow from
			// what the circuit says that they are.
			if a := r.slots[0]; 0 < a && a <= publicSlots {
				r.solve = a
				w.make(i, a)
			} else if out := r.slots[3]; out > max(a, r.slots[1], r.slots[2]) {
				w.make(i, out)
			}
		case kindHash:
			w.make(i, r.slots[2])
		case kindOpening:
			w.make(i, r.slots[3])
			if s := r.slots[0]; 0 < s && s <= publicSlots {
				w.make(i, s)
				copies = append(copies, r.slots[1])
			} else if slices.Contains(copies, s) {
				w.make(i, s)
			}
		}
	}
	w.packers()
	w.chains()
	w.solutions()
}

// packers reads rows of table pack from values to blocks where no row has made the blocks, else the other way.
func (w *Witness) packers() {
	for i := range w.rows {
		r := &w.rows[i]
		if r.kind != kindPack || r.one {
			continue
		}
		blocks, values := r.slots[:packBlocks], r.slots[packBlocks:]
		r.back = !slices.ContainsFunc(blocks, func(a int32) bool { return a != 0 && w.maker[a] != chosen })
		if r.back {
			values = blocks
		}
		for _, a := range values {
			w.make(i, a)
		}
	}
}

// chains finds the gates that split numbers into bits, highest first.
func (w *Witness) chains() {
	var bits []int32
	var last int32
	n := len(w.rows)
	for i := range n {
		r := &w.rows[i]
		if r.kind != kindGate {
			break
		}
		switch a, b := r.slots[0], r.slots[1]; {
		case r.bit && a == 0:
			bits, last = []int32{b}, b
			continue
		case r.bit && a == last:
			bits, last = append(bits, b), r.slots[3]
		default:
			bits, last = nil, 0
			continue
		}
		if next := &w.rows[i+1]; next.kind == kindGate && next.bit && next.slots[0] == last {
			continue
		}
		w.rows = append(w.rows, row{kind: kindBits, slots: append([]int32{last}, bits...)})
		for _, bit := range bits {
			w.make(len(w.rows)-1, bit)
		}
		bits, last = nil, 0
	}
}

// solutions finds gates that compare, whose newest wire is nobody's: it is what makes the comparison hold.
func (w *Witness) solutions() {
	for i := range w.rows {
		r := &w.rows[i]
		if r.kind != kindGate || len(r.makes) > 0 || r.solve != 0 {
			continue
		}
		newest := slices.Max(r.slots)
		if w.maker[newest] != chosen || r.bit && r.slots[1] == newest {
			continue
		}
		r.solve = newest
		w.make(i, newest)
	}
}

// order sorts rows so that each comes behind those that make what stands in it.
func (w *Witness) order() {
	const unseen, open = 0, -1
	w.turn = make([]int32, len(w.rows))
	next := int32(1)
	type frame struct {
		row  int32
		slot int
	}
	for start := range w.rows {
		if w.turn[start] != unseen {
			continue
		}
		w.turn[start] = open
		for stack := []frame{{int32(start), 0}}; len(stack) > 0; {
			f := &stack[len(stack)-1]
			if f.slot == len(w.rows[f.row].slots) {
				w.turn[f.row] = next
				next++
				stack = stack[:len(stack)-1]
				continue
			}
			m := w.maker[w.rows[f.row].slots[f.slot]]
			f.slot++
			switch {
			case m < 0 || m == f.row:
			case w.turn[m] == unseen:
				w.turn[m] = open
				stack = append(stack, frame{m, 0})
			case w.turn[m] == open:
				panic("rows make each other") // a mistake of makers
			}
		}
	}
}

// Targets lists what a prover chooses: values and blocks that no row computes, or that only solve a comparison, and blocks of
// leaves. Public data are among them.
func (w *Witness) Targets() (out []int32) {
	w.plan()
	for a := int32(1); a < int32(len(w.values)); a++ {
		if len(w.users[a]) == 0 {
			continue
		}
		m := w.maker[a]
		if a <= publicSlots || m == chosen || m >= 0 && (w.rows[m].kind == kindBits || w.rows[m].solve == a) {
			out = append(out, a)
		}
	}
	return out
}
