package circuit

import (
	"github.com/seed06907907/fatty/verifier/field"
)

var one, two, minusOne = field.New(1), field.New(2), field.New(field.Modulus - 1)

// form is what one gate can compute, b (q0 a + q5 c) + q1 a + q2 b + q3 c + q4, not computed yet: sums, products and scalings
// are put into one gate where they fit. A form without products is linear, and may have its wires in any of a, b and c.
type form struct {
	a, b, c int32
	ref     int32 // the wire with the form's value, once it has one
	q       [coefficients]field.Element
	value   field.Ext
}

func (f *form) product() bool { return !f.q[0].IsZero() || !f.q[5].IsZero() }

func (f *form) constant() bool { return f.a == 0 && f.b == 0 && f.c == 0 }

// free says whether the form has room for a wire more.
func (f *form) free() bool { return f.a == 0 || f.b == 0 || f.c == 0 }

// linear adds s times a wire; false if there is no room.
func (f *form) linear(w int32, s field.Element) bool {
	if w == 0 || s.IsZero() {
		return true
	}
	for _, p := range [3]struct {
		at *int32
		q  *field.Element
	}{{&f.a, &f.q[1]}, {&f.c, &f.q[3]}, {&f.b, &f.q[2]}} {
		if *p.at == w {
			p.q.Add(p.q, &s)
			return true
		}
	}
	switch {
	case f.a == 0:
		f.a, f.q[1] = w, s
	case f.c == 0:
		f.c, f.q[3] = w, s
	case f.b == 0:
		f.b, f.q[2] = w, s
	default:
		return false
	}
	return true
}

// times adds s * b * w; false if there is no room.
func (f *form) times(w int32, s field.Element) bool {
	if w == 0 || s.IsZero() {
		return true
	}
	switch {
	case f.a == w:
		f.q[0].Add(&f.q[0], &s)
	case f.c == w:
		f.q[5].Add(&f.q[5], &s)
	case f.a == 0:
		f.a, f.q[0] = w, s
	case f.c == 0:
		f.c, f.q[5] = w, s
	default:
		return false
	}
	return true
}

// flip exchanges the factors of a single product.
func (f *form) flip() {
	f.a, f.b = f.b, f.a
	f.q[1], f.q[2] = f.q[2], f.q[1]
}

// clean drops wires without weight and moves a single product to a.
func (f *form) clean() {
	if f.a != 0 && f.a == f.c {
		f.q[0].Add(&f.q[0], &f.q[5])
		f.q[1].Add(&f.q[1], &f.q[3])
		f.c, f.q[5], f.q[3] = 0, field.Element{}, field.Element{}
	}
	if f.a != 0 && f.q[0].IsZero() && f.q[1].IsZero() {
		f.a = 0
	}
	if f.c != 0 && f.q[5].IsZero() && f.q[3].IsZero() {
		f.c = 0
	}
	if f.q[0].IsZero() && !f.q[5].IsZero() {
		f.a, f.c = f.c, f.a
		f.q[0], f.q[5] = f.q[5], f.q[0]
		f.q[1], f.q[3] = f.q[3], f.q[1]
	}
	if f.b != 0 && !f.product() && f.q[2].IsZero() {
		f.b = 0
	}
}

// sort makes equal forms identical: wires by number where the order does not matter, a square's linear part in a.
func (f *form) sort() {
	if !f.product() {
		g := form{q: [coefficients]field.Element{4: f.q[4]}}
		type term struct {
			w int32
			s field.Element
		}
		t := [3]term{{f.a, f.q[1]}, {f.c, f.q[3]}, {f.b, f.q[2]}}
		for i := range t {
			for j := i; j > 0 && t[j].w != 0 && (t[j-1].w == 0 || t[j].w < t[j-1].w); j-- {
				t[j], t[j-1] = t[j-1], t[j]
			}
		}
		for _, x := range t {
			g.linear(x.w, x.s)
		}
		f.a, f.b, f.c, f.q = g.a, g.b, g.c, g.q
		return
	}
	switch {
	case f.q[5].IsZero():
		if f.a > f.b {
			f.flip()
		}
		if f.a == f.b {
			f.q[1].Add(&f.q[1], &f.q[2])
			f.q[2] = field.Element{}
		}
	case f.a > f.c:
		f.a, f.c = f.c, f.a
		f.q[0], f.q[5] = f.q[5], f.q[0]
		f.q[1], f.q[3] = f.q[3], f.q[1]
	}
}

// combine returns x + s*y, without its value, if one gate can compute it.
func combine(x, y *form, s field.Element) (form, bool) {
	px, py := x.product(), y.product()
	if !px && py {
		f := y.scaled(s)
		return f, f.addLinear(x, one)
	}
	if !py {
		f := *x
		f.ref = 0
		return f, f.addLinear(y, s)
	}
	// Two products fit if they have a factor in common.
	for i := range 4 {
		f, g := *x, *y
		f.ref = 0
		if i&1 == 1 {
			if !f.q[5].IsZero() {
				continue
			}
			f.flip()
		}
		if i&2 == 2 {
			if !g.q[5].IsZero() {
				continue
			}
			g.flip()
		}
		if f.b != g.b {
			continue
		}
		var q0, q5 field.Element
		q0.Mul(&g.q[0], &s)
		q5.Mul(&g.q[5], &s)
		if f.times(g.a, q0) && f.times(g.c, q5) && f.addLinear(&g, s) {
			return f, true
		}
	}
	return form{}, false
}

// addLinear adds s times the linear part of g, constant included.
func (f *form) addLinear(g *form, s field.Element) bool {
	var q [5]field.Element
	for i := 1; i < len(q); i++ {
		q[i].Mul(&g.q[i], &s)
	}
	f.q[4].Add(&f.q[4], &q[4])
	ok := f.linear(g.a, q[1]) && f.linear(g.b, q[2]) && f.linear(g.c, q[3])
	f.clean()
	return ok
}

func (f *form) scaled(s field.Element) form {
	g := form{a: f.a, b: f.b, c: f.c}
	for i := range g.q {
		g.q[i].Mul(&f.q[i], &s)
	}
	g.clean()
	return g
}

// get is a wire's form: the wire itself where it has an address.
func (b *Builder) get(x Wire) form {
	f := b.forms[x.form]
	if f.ref != 0 && (f.a != f.ref || f.b != 0 || f.c != 0) {
		g := form{a: f.ref, ref: f.ref, value: f.value}
		g.q[1].SetOne()
		return g
	}
	return f
}

type gateKey struct {
	a, b, c int32
	q       [coefficients]field.Element
}

// ref gives a wire an address, by a gate if it has none.
func (b *Builder) ref(x Wire) int32 {
	f := &b.forms[x.form]
	if f.ref != 0 {
		return f.ref
	}
	if f.constant() {
		f.ref = b.constWire(f.value)
		return f.ref
	}
	g := *f
	g.sort()
	if g.b == 0 && g.c == 0 && g.q[1].IsOne() && g.q[4].IsZero() {
		f.ref = g.a
		return f.ref
	}
	k := gateKey{g.a, g.b, g.c, g.q}
	ref, ok := b.shared[k]
	if !ok {
		ref = b.newWire(f.value)
		b.shared[k] = ref
		b.addGate(gate{ref: [slots]int32{g.a, g.b, g.c, ref}, q: g.q})
	}
	f.ref = ref
	return ref
}

// Add is x + y.
func (b *Builder) Add(x, y Wire) Wire { return b.sum(x, y, one, field.Add(b.Value(x), b.Value(y))) }

// Sub is x - y.
func (b *Builder) Sub(x, y Wire) Wire {
	return b.sum(x, y, minusOne, field.Sub(b.Value(x), b.Value(y)))
}

func (b *Builder) sum(x, y Wire, s field.Element, v field.Ext) Wire {
	for {
		fx, fy := b.get(x), b.get(y)
		if f, ok := combine(&fx, &fy, s); ok {
			f.value = v
			return b.add(f)
		}
		// One becomes a wire where the other has room for it, else both do.
		full := !fy.free()
		if !full || !fx.free() {
			b.ref(x)
		}
		if full {
			b.ref(y)
		}
	}
}

// Mul is x * y.
func (b *Builder) Mul(x, y Wire) Wire {
	v := field.Mul(b.Value(x), b.Value(y))
	fx, fy := b.get(x), b.get(y)
	if fx.constant() {
		x, y, fx, fy = y, x, fy, fx
	}
	if fy.constant() {
		f := fx.scaled(fy.q[4])
		f.value = v
		return b.add(f)
	}
	// One factor may have two wires, the other one.
	wires := func(f *form) int {
		n := 0
		for _, w := range [3]int32{f.a, f.b, f.c} {
			if w != 0 {
				n++
			}
		}
		if f.product() {
			n = 3
		}
		return n
	}
	nx, ny := wires(&fx), wires(&fy)
	if nx > 2 || nx == 2 && ny == 2 {
		b.ref(x)
		fx, nx = b.get(x), 1
	}
	if ny > 2 {
		b.ref(y)
		fy, ny = b.get(y), 1
	}
	if nx == 2 {
		fx, fy = fy, fx
	}
	f := form{value: v}
	w, scale := terms(&fx)
	f.b = w[0]
	k := fx.q[4]
	us, ss := terms(&fy)
	var t field.Element
	for i := range us {
		f.times(us[i], *t.Mul(&ss[i], &scale[0]))
	}
	f.linear(f.b, *t.Mul(&fy.q[4], &scale[0]))
	for i := range us {
		f.linear(us[i], *t.Mul(&ss[i], &k))
	}
	f.q[4].Mul(&fy.q[4], &k)
	f.clean()
	return b.add(f)
}

// terms returns the wires of a linear form of at most two.
func terms(f *form) (ws [2]int32, ss [2]field.Element) {
	n := 0
	for _, t := range [3]struct {
		w int32
		s field.Element
	}{{f.a, f.q[1]}, {f.c, f.q[3]}, {f.b, f.q[2]}} {
		if t.w != 0 && n < len(ws) {
			ws[n], ss[n] = t.w, t.s
			n++
		}
	}
	return ws, ss
}
