package circuit

import (
	"errors"
	"fmt"

	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// ErrUnsatisfied is wrapped by the error about the first demand of a circuit that its values do not meet.
var ErrUnsatisfied = errors.New("the circuit does not hold")

// Wire stands for a value of the extension: a form that a gate can compute, made into a wire of the circuit where one is
// needed.
type Wire struct{ form int32 }

// form is out = b*(q0 a + q1 c) + q2 a + q3 b + q4 c + q5 over wires a, b, c by their addresses; 0 for none.
type form struct {
	at    [3]int32 // a, b, c
	q     [coefficients]field.Element
	value field.Ext
	wire  int32 // address, once it is a wire
}

const (
	slotA = iota
	slotB
	slotC
	slotOut
)

// product says whether the form multiplies wires.
func (f *form) product() bool { return !f.q[qBA].IsZero() || !f.q[qBC].IsZero() }

// gate is a form with the wire that it is to be. Its out slot defines the wire, or uses it: an equation.
type gate struct {
	at      [4]int32
	q       [coefficients]field.Element
	bit     bool
	defines bool
}

// Builder records a circuit and, at the same time, the values of its wires. What it records never depends on values.
type Builder struct {
	err error

	forms   []form
	words   [][hash.Rate]field.Element // of each address
	defined []bool                     // by a row that is no plain use

	consts  map[[hash.Rate]field.Element]int32
	konsts  map[field.Element]Wire
	gates   []gate
	packs   []packRow
	opens   []openRow
	rows    []hashRow
	leaves  int // rows that are no nodes
	trees   [MaxTrees]*tree
	single  []int32
	scalars [sides]field.Ext
	public  [publicSlots]bool
}

// NewBuilder starts a circuit.
func NewBuilder() *Builder {
	b := &Builder{consts: map[[hash.Rate]field.Element]int32{}, konsts: map[field.Element]Wire{}}
	b.words = make([][hash.Rate]field.Element, 1+publicSlots, 1<<16)
	b.defined = make([]bool, 1+publicSlots, 1<<16)
	b.forms = make([]form, 0, 1<<16)
	for i := range b.defined {
		b.defined[i] = true // address 0 is none, the next are the public data's
	}
	return b
}

// Err returns the first demand that the values do not meet, or what is wrong with the circuit itself.
func (b *Builder) Err() error { return b.err }

// Fail notes an error of whoever describes the circuit.
func (b *Builder) Fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *Builder) violated(label string) {
	if b.err == nil {
		b.err = fmt.Errorf("%s: %w", label, ErrUnsatisfied)
	}
}

// address makes a new wire with a value. Rows that define one say so by defined.
func (b *Builder) address(words [hash.Rate]field.Element, defined bool) int32 {
	b.words = append(b.words, words)
	b.defined = append(b.defined, defined)
	return int32(len(b.words) - 1)
}

func extWords(x field.Ext) (out [hash.Rate]field.Element) {
	c := field.Coords(&x)
	copy(out[:], c[:])
	return out
}

func (b *Builder) extAt(address int32) field.Ext {
	return field.FromCoords([field.Degree]field.Element(b.words[address][:field.Degree]))
}

func (b *Builder) push(f form) Wire {
	b.forms = append(b.forms, f)
	return Wire{int32(len(b.forms) - 1)}
}

// ofAddress is a wire that exists.
func (b *Builder) ofAddress(address int32) Wire {
	f := form{value: b.extAt(address), wire: address}
	f.at[slotA], f.q[qA] = address, field.New(1)
	return b.push(f)
}

// Value returns a wire's value.
func (b *Builder) Value(w Wire) field.Ext { return b.forms[w.form].value }

// Const is a constant of the base field.
func (b *Builder) Const(e field.Element) Wire {
	if w, ok := b.konsts[e]; ok {
		return w
	}
	f := form{value: field.FromBase(e)}
	f.q[qOne] = e
	w := b.push(f)
	b.konsts[e] = w
	return w
}

// ConstExt is a constant of the extension.
func (b *Builder) ConstExt(x field.Ext) Wire {
	if field.InBase(&x) {
		return b.Const(x.B0.A0)
	}
	return b.ofAddress(b.constant(extWords(x)))
}

// Basis is an element of the extension's basis.
func (b *Builder) Basis(d int) Wire { return b.ConstExt(field.Basis(d)) }

// constant returns the address of a row of the constant table.
func (b *Builder) constant(words [hash.Rate]field.Element) int32 {
	if at, ok := b.consts[words]; ok {
		return at
	}
	at := b.address(words, true)
	b.consts[words] = at
	return at
}

// Advice is a value that nothing binds yet.
func (b *Builder) Advice(x field.Ext) Wire { return b.ofAddress(b.address(extWords(x), false)) }

// view returns a form as it is best used: as a wire if it is one.
func (b *Builder) view(w Wire) form {
	f := b.forms[w.form]
	if f.wire != 0 {
		g := form{value: f.value, wire: f.wire}
		g.at[slotA], g.q[qA] = f.wire, field.New(1)
		return g
	}
	return f
}

func (f *form) isConst() bool { return f.at == [3]int32{} }

// wireOf makes a form a wire and returns its address.
func (b *Builder) wireOf(w Wire) int32 {
	f := &b.forms[w.form]
	if f.wire != 0 {
		return f.wire
	}
	if f.isConst() {
		f.wire = b.constant(extWords(f.value))
		return f.wire
	}
	f.wire = b.address(extWords(f.value), true)
	b.gates = append(b.gates, gate{at: [4]int32{f.at[0], f.at[1], f.at[2], f.wire}, q: f.q, defines: true})
	return f.wire
}

// Add returns x + y.
func (b *Builder) Add(x, y Wire) Wire { return b.sum(x, y, false) }

// Sub returns x - y.
func (b *Builder) Sub(x, y Wire) Wire { return b.sum(x, y, true) }

func (b *Builder) sum(x, y Wire, minus bool) Wire {
	f, g := b.view(x), b.view(y)
	value := field.Add(f.value, g.value)
	if minus {
		value = field.Sub(f.value, g.value)
		negate(&g)
	}
	// The one that multiplies keeps its places; the other must fit in beside it.
	if g.product() && !f.product() {
		f, g = g, f
		x, y = y, x
		// from here on the sum is f + g whatever the order was
	}
	if r, ok := fit(f, g); ok {
		r.value, r.wire = value, 0
		return b.push(r)
	}
	// Make the second one wire; if it still does not fit, the first one too.
	h := b.asWire(y, minus && b.negated(y, g))
	if r, ok := fit(f, h); ok {
		r.value, r.wire = value, 0
		return b.push(r)
	}
	r, _ := fit(b.asWire(x, minus && b.negated(x, f)), h)
	r.value, r.wire = value, 0
	return b.push(r)
}

// negated says whether g is w's form with its sign turned, as sum made it.
func (b *Builder) negated(w Wire, g form) bool {
	v := b.forms[w.form]
	if v.wire != 0 {
		return !g.q[qA].IsOne()
	}
	return v.q != g.q
}

// asWire is the form of w as a wire, or of its negative.
func (b *Builder) asWire(w Wire, negative bool) form {
	var f form
	f.at[slotA], f.q[qA] = b.wireOf(w), field.New(1)
	if negative {
		negate(&f)
	}
	return f
}

func negate(f *form) {
	for i := range f.q {
		f.q[i].Neg(&f.q[i])
	}
}

// linearOf are the coefficients of a, b and c alone.
var linearOf = [3]int{qA, qB, qC}

// fit returns f + g, where g multiplies nothing, if all their wires have room.
func fit(f, g form) (form, bool) {
	if g.product() {
		return f, false
	}
	r := f
	for i, at := range g.at {
		if at == 0 || g.q[linearOf[i]].IsZero() {
			continue
		}
		slot := -1
		for j, have := range r.at {
			if have == at {
				slot = j
				break
			}
			if have == 0 && slot < 0 {
				slot = j
			}
		}
		if slot < 0 {
			return f, false
		}
		r.at[slot] = at
		k := &r.q[linearOf[slot]]
		k.Add(k, &g.q[linearOf[i]])
	}
	r.q[qOne].Add(&r.q[qOne], &g.q[qOne])
	return r, true
}

// terms lists the wires of a form that multiplies nothing.
func (f *form) terms() (at [3]int32, q [3]field.Element, n int) {
	for i, a := range f.at {
		if k := f.q[linearOf[i]]; a != 0 && !k.IsZero() {
			at[n], q[n] = a, k
			n++
		}
	}
	return
}

// Mul returns x * y.
func (b *Builder) Mul(x, y Wire) Wire {
	f, g := b.view(x), b.view(y)
	value := field.Mul(f.value, g.value)
	if f.isConst() {
		f, g = g, f
		x, y = y, x
	}
	if g.isConst() {
		k := g.q[qOne]
		r := f
		for i := range r.q {
			r.q[i].Mul(&r.q[i], &k)
		}
		if k.IsZero() {
			r.at = [3]int32{}
		}
		r.value, r.wire = value, 0
		return b.push(r)
	}
	one := func(w *form, of Wire) {
		if w.product() {
			*w = b.asWire(of, false)
		}
	}
	one(&f, x)
	one(&g, y)
	// g becomes the single wire b, f at most two: a and c.
	if _, _, n := g.terms(); n > 1 {
		if _, _, m := f.terms(); m == 1 {
			f, g = g, f
			x, y = y, x
		} else {
			g = b.asWire(y, false)
		}
	}
	if _, _, n := f.terms(); n > 2 {
		f = b.asWire(x, false)
	}
	at, q, n := f.terms()
	bat, bq, _ := g.terms()
	fk, gk := f.q[qOne], g.q[qOne]
	var r form
	r.at[slotB] = bat[0]
	mul := func(x, y field.Element) field.Element { x.Mul(&x, &y); return x }
	r.at[slotA], r.q[qBA], r.q[qA] = at[0], mul(bq[0], q[0]), mul(gk, q[0])
	if n == 2 {
		r.at[slotC], r.q[qBC], r.q[qC] = at[1], mul(bq[0], q[1]), mul(gk, q[1])
	}
	r.q[qB], r.q[qOne] = mul(fk, bq[0]), mul(fk, gk)
	r.value = value
	return b.push(r)
}

// Equal demands x = y.
func (b *Builder) Equal(label string, x, y Wire) {
	if b.Value(x) != b.Value(y) {
		b.violated(label)
	}
	// The form of one, with the wire of the other as its result.
	if b.forms[y.form].wire == 0 && (b.forms[x.form].wire != 0 || b.forms[x.form].isConst()) {
		x, y = y, x
	}
	f := b.view(x)
	b.gates = append(b.gates, gate{at: [4]int32{f.at[0], f.at[1], f.at[2], b.wireOf(y)}, q: f.q})
}

// Inverse demands that x is not 0 and returns 1/x.
func (b *Builder) Inverse(label string, x Wire) Wire {
	v := b.Value(x)
	inverse := field.Ext{}
	if !v.IsZero() {
		inverse.Inverse(&v)
	}
	r := b.Advice(inverse)
	b.Equal(label, b.Mul(x, r), b.Const(field.New(1)))
	return r
}

// maxBits bounds Bits: a sum of so many bits stays below p.
const maxBits = field.TwoAdicity + 6

// Bits demands that x is an integer below 2^n and returns its bits, lowest first. n is at most 30.
func (b *Builder) Bits(label string, x Wire, n int) []Wire {
	if n < 1 || n > maxBits {
		b.Fail(fmt.Errorf("%d bits, want 1 to %d", n, maxBits))
		return make([]Wire, max(n, 0))
	}
	v := b.Value(x)
	w := v.B0.A0.Uint64()
	if !field.InBase(&v) || w>>n != 0 {
		b.violated(label)
	}
	return b.split(x, w, n)
}

// split returns the n lowest bits of w as wires and demands that they make x: one gate a bit, from the highest on,
// sum <- 2 sum + bit.
func (b *Builder) split(x Wire, w uint64, n int) []Wire {
	out := make([]Wire, n)
	sum := int32(0)
	var total field.Element
	for i := n - 1; i >= 0; i-- {
		bit := field.New(w >> i & 1)
		out[i] = b.Advice(field.FromBase(bit))
		g := gate{bit: true}
		g.at[slotB], g.q[qB] = b.forms[out[i].form].wire, field.New(1)
		if sum != 0 {
			g.at[slotA], g.q[qA] = sum, field.New(2)
		}
		total.Double(&total).Add(&total, &bit)
		if i == 0 {
			g.at[slotOut] = b.wireOf(x)
		} else {
			sum = b.address(extWords(field.FromBase(total)), true)
			g.at[slotOut], g.defines = sum, true
		}
		b.gates = append(b.gates, g)
	}
	return out
}

// CanonicalBits demands that x is of the base field and returns its 31 bits, lowest first: those of the integer below p. As
// p - 1 is 127 * 2^24, the seven high bits make 127 only if the others are 0; so the low part is some multiple of 127 less
// the high part.
func (b *Builder) CanonicalBits(label string, x Wire) []Wire {
	v := b.Value(x)
	w := v.B0.A0.Uint64()
	if !field.InBase(&v) {
		b.violated(label)
	}
	const low, high = field.TwoAdicity, 31 - field.TwoAdicity
	lo := b.Advice(field.FromBase(field.New(w & (1<<low - 1))))
	hi := b.Advice(field.FromBase(field.New(w >> low)))
	bits := append(b.split(lo, w, low), b.split(hi, w>>low, high)...)
	b.Equal(label, b.Add(lo, b.Mul(hi, b.Const(field.New(1<<low)))), x)
	rest := b.Sub(b.Const(field.New(1<<high-1)), hi)
	ratio := field.Ext{}
	if r := b.Value(rest); !r.IsZero() {
		ratio.Inverse(&r)
		ratio = field.Mul(ratio, b.Value(lo))
	}
	b.Equal(label, b.Mul(rest, b.Advice(ratio)), lo)
	return bits
}

// Base demands that wires are of the base field.
func (b *Builder) Base(label string, xs ...Wire) {
	for _, x := range xs {
		if v := b.Value(x); !field.InBase(&v) {
			b.violated(label)
		}
		b.single = append(b.single, b.wireOf(x))
	}
}

// Join returns the value with these coordinates, at most six wires of the base field.
func (b *Builder) Join(words []Wire) Wire {
	sum := words[0]
	for d := 1; d < len(words); d++ {
		sum = b.Add(b.Mul(words[d], b.Basis(d)), sum)
	}
	return sum
}
