package cheat

import (
	"container/heap"
	"errors"
	"fmt"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/circuit"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// Lie is what came of a lie.
type Lie struct {
	Found   error // what finds it: nil for nothing
	Changed int   // how many addresses have other words now, those of the lie included
	Public  bool  // whether the public data are others
}

// Holds returns the first thing that does not hold of the columns as they are: of any row, or of any tree.
func (w *Witness) Holds() error {
	for i := range w.rows {
		if err := w.check(&w.rows[i]); err != nil {
			return err
		}
	}
	for n, times := range w.nodes {
		if !times.IsZero() {
			return fmt.Errorf("node %s of level %s is yielded %s times too often", n.index.String(), n.code.String(), times.String())
		}
	}
	return w.broken
}

// queue are rows in the order of computation.
type queue struct {
	w    *Witness
	rows []int32
	in   map[int32]bool
}

func (q *queue) Len() int           { return len(q.rows) }
func (q *queue) Less(i, j int) bool { return q.w.turn[q.rows[i]] < q.w.turn[q.rows[j]] }
func (q *queue) Swap(i, j int)      { q.rows[i], q.rows[j] = q.rows[j], q.rows[i] }
func (q *queue) Push(x any)         { q.rows = append(q.rows, x.(int32)) }
func (q *queue) Pop() any {
	n := len(q.rows) - 1
	x := q.rows[n]
	q.rows = q.rows[:n]
	return x
}

// Lie has addresses hold other words and carries that on until a row finds it or nothing is left to compute. Afterwards all is
// as it was.
func (w *Witness) Lie(lies map[int32]Words) Lie {
	w.plan()
	undo := map[int32]Words{}
	q := &queue{w: w, in: map[int32]bool{}}
	set := func(a int32, v Words) {
		if w.values[a] == v {
			return
		}
		if _, ok := undo[a]; !ok {
			undo[a] = w.values[a]
		}
		w.values[a] = v
		for _, i := range w.users[a] {
			if !q.in[i] {
				q.in[i] = true
				heap.Push(q, i)
			}
		}
	}
	for a, v := range lies {
		set(a, v)
	}
	var found error
	for found == nil && q.Len() > 0 {
		i := heap.Pop(q).(int32)
		q.in[i] = false
		r := &w.rows[i]
		w.compute(r, func(a int32, v Words) {
			if _, told := lies[a]; !told {
				set(a, v)
			}
		})
		found = w.check(r)
	}
	lie := Lie{Found: found, Changed: len(undo)}
	for a, v := range undo {
		lie.Public = lie.Public || a <= publicSlots
		w.values[a] = v
	}
	return lie
}

// compute hands out what a row makes.
func (w *Witness) compute(r *row, set func(int32, Words)) {
	if len(r.makes) == 0 {
		return
	}
	switch r.kind {
	case kindGate:
		if r.solve == 0 {
			set(r.slots[3], Value(w.gate(r)))
		} else if v, ok := w.solved(r); ok {
			set(r.solve, Value(v))
		}
	case kindHash:
		set(r.slots[2], w.hashed(r))
	case kindOpening:
		for _, a := range r.makes {
			if a == r.slots[3] {
				set(a, Value(w.values[r.slots[0]].sum()))
			} else { // a public block
				set(a, w.values[r.slots[1]])
			}
		}
	case kindPack:
		words := w.packed(r)
		slots, first := r.slots[packBlocks:], packBlocks
		if r.back {
			slots, first = r.slots[:packBlocks], 0
		}
		for k, a := range slots {
			if a != 0 && &w.rows[max(0, w.maker[a])] == r {
				var v Words
				from, width := slotOfPack(first + k)
				copy(v[:], words[from:from+width])
				set(a, v)
			}
		}
	case kindBits:
		v := w.values[r.slots[0]].Ext()
		bits := r.slots[1:]
		if n := v.B0.A0.Uint64(); field.InBase(&v) && n>>len(bits) == 0 {
			for k, a := range bits { // highest first
				if &w.rows[max(0, w.maker[a])] == r {
					set(a, Value(field.FromBase(field.New(n>>(len(bits)-1-k)&1))))
				}
			}
		}
	}
}

// gate is what a gate has behind it.
func (w *Witness) gate(r *row) field.Ext {
	at := func(s int) field.Ext { return w.values[r.slots[s]].Ext() } // that of no address is 0
	a, b, c := at(0), at(1), at(2)
	sum := field.FromBase(r.q[4])
	if !r.q[0].IsZero() || !r.q[5].IsZero() {
		sum = field.Add(sum, field.Mul(b, field.Add(field.Scale(a, r.q[0]), field.Scale(c, r.q[5]))))
	}
	sum = field.Add(sum, field.Scale(a, r.q[1]))
	sum = field.Add(sum, field.Scale(b, r.q[2]))
	return field.Add(sum, field.Scale(c, r.q[3]))
}

// solved is the value with which a gate that compares holds, if it is linear in it.
func (w *Witness) solved(r *row) (field.Ext, bool) {
	was := w.values[r.solve]
	defer func() { w.values[r.solve] = was }()
	with := func(x field.Ext) field.Ext {
		w.values[r.solve] = Value(x)
		return field.Sub(w.gate(r), w.values[r.slots[3]].Ext())
	}
	zero, one, two := with(field.Ext{}), with(field.One()), with(field.FromBase(field.New(2)))
	slope := field.Sub(one, zero)
	if slope.IsZero() || field.Sub(two, one) != slope {
		return field.Ext{}, false
	}
	slope.Inverse(&slope)
	return field.Mul(field.Sub(field.Ext{}, zero), slope), true
}

func (w *Witness) hashed(r *row) (out Words) {
	left, right := w.values[r.slots[0]], w.values[r.slots[1]].Block()
	made := hash.Compress(left.Block(), right)
	copy(out[:], made[:])
	if r.side > 0 {
		s := w.values[r.slots[3]].Ext()
		sum := left.sum()
		for _, x := range right {
			sum = field.Add(field.Mul(sum, s), field.FromBase(x))
		}
		c := field.Coords(&sum)
		copy(out[hash.Rate:], c[:])
	}
	return out
}

// packed are a row's words; the slots it is read from are written last, and win.
func (w *Witness) packed(r *row) [packWords]field.Element {
	words := *r.words
	put := func(first, last int) {
		for k := first; k < last; k++ {
			if a := r.slots[k]; a != 0 {
				from, width := slotOfPack(k)
				copy(words[from:from+width], w.values[a][:])
			}
		}
	}
	if r.back {
		put(0, packBlocks)
		put(packBlocks, packBlocks+packExts)
	} else {
		put(packBlocks, packBlocks+packExts)
		put(0, packBlocks)
	}
	return words
}

// What finds lies that no row's description speaks of: the bus, where the same words must stand in all slots.
var (
	errHash  = errors.New("it is the hash, or the sum, of something else")
	errPack  = errors.New("its blocks do not hold its values")
	errTree  = errors.New("it does not stand in the tree")
	errCopy  = errors.New("two blocks are not equal")
	errChain = errors.New("a leaf's sum is another")
)

// check says what a row holds against its values.
func (w *Witness) check(r *row) error {
	bus := func(err error) error {
		return fmt.Errorf("%s, row %d: %w", circuit.Set().Components[r.table].Name, r.at, err)
	}
	var none field.Ext
	switch r.kind {
	case kindGate:
		b := w.values[r.slots[1]].Ext()
		if r.slots[3] != 0 && w.gate(r) != w.values[r.slots[3]].Ext() || r.bit && !b.IsZero() && !b.IsOne() {
			return w.described(r)
		}
	case kindHash:
		if w.hashed(r) != w.values[r.slots[2]] || w.values[r.slots[1]].sum() != none {
			return bus(errHash)
		}
	case kindPack:
		words := w.packed(r)
		for k, a := range r.slots {
			if a == 0 {
				continue
			}
			from, width := slotOfPack(k)
			for i, have := range w.values[a] {
				switch {
				case i < width && have != words[from+i] || i >= width && !have.IsZero():
					return bus(errPack)
				case r.one && 0 < i && i < width && !have.IsZero():
					return w.described(r)
				}
			}
		}
	case kindOpening:
		state := w.values[r.slots[0]]
		if r.code != 0 {
			var index Words
			if a := r.slots[2]; a != 0 {
				index = w.values[a]
			}
			// How often a node is yielded is the prover's to say: any that the trees have will do.
			if _, ok := w.nodes[node{field.New(uint64(r.code)), index[0], state.Block()}]; !ok || index != (Words{index[0]}) {
				return bus(errTree)
			}
		} else if node := w.values[r.slots[1]]; node.Block() != state.Block() || node.sum() != none {
			return bus(errCopy)
		}
		if a := r.slots[3]; a != 0 && w.values[a] != Value(state.sum()) {
			return bus(errChain)
		}
	}
	return nil
}

// described evaluates the circuit's description on a row of gates or values, as it is now. It must find what check found.
func (w *Witness) described(r *row) error {
	comp := circuit.Set().Components[r.table]
	var t air.Table
	for _, f := range comp.Fixed {
		t.Fixed = append(t.Fixed, w.c.Tables[f.Name][r.at:r.at+1])
	}
	for _, m := range w.c.Main[r.table] {
		t.Main = append(t.Main, koalabear.Vector{m[r.at]})
	}
	if r.kind == kindGate {
		for s, a := range r.slots {
			for d := range field.Degree {
				if a != 0 {
					t.Main[field.Degree*(4*r.lane+s)+d][0] = w.values[a][d]
				}
			}
		}
	} else {
		for i, x := range w.packed(r) {
			t.Main[i][0] = x
		}
	}
	err := air.CheckConstraints(comp, t)
	if err == nil {
		panic(fmt.Sprintf("row %d of %s does not hold, and its description says that it does", r.at, comp.Name))
	}
	var broken *air.Violation
	if errors.As(err, &broken) {
		broken.Row = r.at
	}
	return err
}
