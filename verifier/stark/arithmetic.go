package stark

import (
	"math/bits"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// Arithmetic is what a verifier computes with: natively extension values E and digests D, or, in a recursive proof, wires of
// a circuit that stand for them. The verifier is written once, over this interface.
//
// What fails to hold is remembered, not returned: a circuit has no branches. A caller asks the arithmetic's own error at
// the end, or earlier to save work.
type Arithmetic[E, D any] interface {
	Ring[E]
	hash.Blocks[E, D]
	// Equal demands x = y. label says what is wrong if not.
	Equal(label string, x, y E)
	// Inverse demands that x is not 0 and returns 1/x.
	Inverse(label string, x E) E
	// Work demands that the lowest bits of the first word of d are 0.
	Work(label string, d D, bits int)
	// Places reads n places of so many bits, each the lowest bits of a word of the blocks, in order.
	Places(blocks []D, n, bits int) []Place[E]
}

// Place is a leaf's number: which value it has, and its bits as values, lowest first. A circuit is the same whatever Value is.
type Place[E any] struct {
	Value uint32
	Bits  []E
}

// above is the place of the node 2^a leaves wide that holds the leaf.
func (p Place[E]) above(a int) Place[E] { return Place[E]{p.Value >> a, p.Bits[a:]} }

// Number returns the number that bits stand for.
func Number[E any](ar Ring[E], bits []E) E {
	sum := ar.Const(field.Element{})
	two := ar.Const(field.New(2))
	for i := len(bits) - 1; i >= 0; i-- {
		sum = ar.Add(ar.Mul(sum, two), bits[i])
	}
	return sum
}

// Opener opens the trees of one proof.
type Opener[E, D any] interface {
	// Leaves opens the leaves of a tree at places, in the order of the places. Of each it returns the sum of its cells by
	// Horner's rule in beta over all its blocks, padding zeros included (see Deep), and the extension columns that begin at
	// the cells at.
	Leaves(tree int, root D, places []Place[E], beta E, at []int) (sums []E, columns [][]E)
	// Cosets opens the leaves of a FRI layer, 2^a values each, at cosets. known are values that the proof need not repeat:
	// that of query q is the one at its place within the coset, whose number its first a bits are.
	Cosets(layer, a int, root D, places []Place[E], known []E) [][]E
}

// Height is a component's height, of 2^k rows, as values.
type Height[E any] struct {
	Log   E   // k
	Rows  E   // 2^k
	Share E   // 2^-k
	Turn  E   // w_n^(2^k)
	Is    []E // for each height from air.MinLogHeight to n: 1 if it is k, else 0
}

// NewHeight makes a height of its indicators, of which exactly one must be 1 and all others 0: the caller sees to that.
func NewHeight[E any](ar Ring[E], n int, is []E) Height[E] {
	h := Height[E]{Is: is}
	zero := ar.Const(field.Element{})
	h.Log, h.Rows, h.Share, h.Turn = zero, zero, zero, zero
	for i, x := range is {
		k := air.MinLogHeight + i
		rows := field.New(1 << k)
		var share field.Element
		share.Inverse(&rows)
		h.Log = ar.Add(h.Log, ar.Mul(x, ar.Const(field.New(uint64(k)))))
		h.Rows = ar.Add(h.Rows, ar.Mul(x, ar.Const(rows)))
		h.Share = ar.Add(h.Share, ar.Mul(x, ar.Const(share)))
		h.Turn = ar.Add(h.Turn, ar.Mul(x, ar.Const(field.Root(n-k)))) // w_n^(2^k) has order 2^(n-k)
	}
	return h
}

// Pick returns the value among vs, one a height from air.MinLogHeight, that belongs to the height.
func (h Height[E]) Pick(ar Ring[E], vs []E) E {
	sum := ar.Const(field.Element{})
	for i, x := range h.Is {
		sum = ar.Add(sum, ar.Mul(x, vs[i]))
	}
	return sum
}

// power returns x^e.
func power[E any](ar Ring[E], x E, e int) E {
	if e == 0 {
		return ar.Const(field.New(1))
	}
	r := x
	for i := bits.Len(uint(e)) - 2; i >= 0; i-- {
		if r = ar.Mul(r, r); e>>i&1 == 1 {
			r = ar.Mul(r, x)
		}
	}
	return r
}

// squares returns x^(2^k).
func squares[E any](ar Ring[E], x E, k int) E {
	for range k {
		x = ar.Mul(x, x)
	}
	return x
}

// horner returns the value at x of the polynomial with coefficients c, constant term first; there must be one.
func horner[E any](ar Ring[E], c []E, x E) E {
	r := c[len(c)-1]
	for i := len(c) - 2; i >= 0; i-- {
		r = ar.Add(ar.Mul(r, x), c[i])
	}
	return r
}

// combine is the extension value with these coordinates, which may lie outside of the base field themselves: values at a
// point of the coordinate columns of an extension column.
func combine[E any](ar Ring[E], coords []E) E {
	sum := coords[0]
	for d := 1; d < len(coords); d++ {
		sum = ar.Add(sum, ar.Mul(ar.Basis(d), coords[d]))
	}
	return sum
}
