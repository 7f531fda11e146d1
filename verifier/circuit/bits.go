package circuit

import (
	"github.com/seed06907907/fatty/verifier/field"
)

// maxBits: all numbers of so many bits are below p.
const maxBits = 30

// The canonical bits of a base field element: p - 1 = (2^topBits - 1) * 2^lowBits.
const (
	topBits = 7
	lowBits = field.TwoAdicity
)

// Bits demands that x is an integer below 2^n, n at most 30, and returns its bits, lowest first.
func (b *Builder) Bits(label string, x Wire, n int) []Wire {
	if n < 0 || n > maxBits {
		b.fail("%s: %d bits", label, n)
		return make([]Wire, max(n, 0))
	}
	bits, _ := b.split(label, x, n)
	return bits
}

// CanonicalBits demands that x lies in the base field and returns the 31 bits of its one representative below p. 31 bits
// could also say x + p: p - 1 is 127 * 2^24, so a number below 2^31 is below p if its 7 highest bits are not all 1 or the 24
// others are all 0.
func (b *Builder) CanonicalBits(label string, x Wire) []Wire {
	bits, top := b.split(label, x, topBits+lowBits)
	// low = (127 - top) * some y: if top is 127, low is 0, and else there is such a y.
	var all, shift field.Element
	all.SetUint64(1<<topBits - 1)
	shift.SetUint64(1 << lowBits)
	low := b.Sub(x, b.Mul(b.Const(shift), top))
	room := b.Sub(b.Const(all), top)
	y, v := field.Ext{}, b.Value(room)
	if !v.IsZero() {
		y.Inverse(&v)
		y = field.Mul(y, b.Value(low))
	}
	b.Equal(label, b.Mul(b.Advice(y), room), low)
	return bits
}

// split demands that x is the sum of 2^i bits_i mod p, one gate a bit, and also returns the number that the topBits highest
// ones are.
func (b *Builder) split(label string, x Wire, n int) (bits []Wire, top Wire) {
	v := b.Value(x)
	number := v.B0.A0.Uint64()
	if !field.InBase(&v) || number>>n != 0 {
		b.violate(label)
	}
	if n == 0 {
		b.Equal(label, x, Wire{})
		return nil, Wire{}
	}
	sum := b.ref(x)
	if n == 1 {
		b.addGate(gate{ref: [slots]int32{slotB: sum}, bit: true})
		return []Wire{b.plain(sum)}, Wire{}
	}
	bits = make([]Wire, n)
	last := int32(0)
	for i := n - 1; i >= 0; i-- {
		bits[i] = b.Advice(field.FromBase(field.New(number >> i & 1)))
		ref := b.forms[bits[i].form].ref
		g := gate{ref: [slots]int32{slotB: ref}, bit: true}
		if i == n-1 {
			// The highest bit is its own number.
			b.addGate(g)
			last = ref
			continue
		}
		g.ref[slotA], g.q[1], g.q[2] = last, two, one
		g.ref[slotOut] = sum
		if i > 0 {
			next := field.Add(field.Scale(b.values[last], two), b.values[ref])
			g.ref[slotOut] = b.newWire(next)
		}
		b.addGate(g)
		last = g.ref[slotOut]
		if n-i == topBits {
			top = b.plain(last)
		}
	}
	return bits, top
}

// Base demands that wires are of the base field, at a quarter of a row each.
func (b *Builder) Base(label string, xs ...Wire) {
	for _, x := range xs {
		if v := b.Value(x); !field.InBase(&v) {
			b.violate(label)
		}
		b.singles = append(b.singles, b.ref(x))
	}
}

// packSingles lays out the rows that hold what Base demands.
func (b *Builder) packSingles() {
	for xs := b.singles; len(xs) > 0; xs = xs[min(packExts, len(xs)):] {
		r := packRow{single: true}
		for i, ref := range xs[:min(packExts, len(xs))] {
			r.exts[i] = ref
			v := field.Coords(&b.values[ref])
			copy(r.words[field.Degree*i:], v[:])
		}
		b.addPack(r)
	}
	b.singles = nil
}
