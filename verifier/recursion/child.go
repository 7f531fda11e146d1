package recursion

import (
	"slices"

	"github.com/seed06907907/fatty/verifier/circuit"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	"github.com/seed06907907/fatty/verifier/stark"
)

// child is a proof that a circuit verifies: its trees have numbers of their own, its Horner sums a side of their own. It
// opens the proof's trees for stark.Check.
type child struct {
	w      wires
	number int
	side   circuit.Side
	params stark.Params
	widths [stark.Trees]int
	twins  [stark.Trees]int // lowest levels at which the proof leaves siblings out
	proof  *stark.Proof     // lengths are right; the values may be false or zero

	places []uint32 // distinct, ascending
	scalar bool
	// numbers[q][a] is the place of query q without its lowest a bits, as a wire.
	numbers []map[int]wire
}

// treesPerChild bounds a proof's trees: five, a FRI layer for each fold and, last, the list of keys.
const treesPerChild = 16

func newChild(w wires, number int, side circuit.Side, l *stark.Layout, proof *stark.Proof) *child {
	c := &child{w: w, number: number, side: side, params: l.Params, proof: proof}
	for t, columns := range l.Columns {
		c.widths[t], c.twins[t] = len(columns), l.Twins(t)
	}
	return c
}

func (c *child) tree(t int) int { return c.number*treesPerChild + t }

// messages takes the proof's messages as advice.
func (c *child) messages() *stark.Messages[wire, block] {
	w, p := c.w, c.proof
	exts := func(xs []field.Ext) []wire {
		out := make([]wire, len(xs))
		for i, x := range xs {
			out[i] = w.Advice(x)
		}
		return out
	}
	m := &stark.Messages[wire, block]{Main: w.AdviceBlock(p.MainRoot), Interaction: w.AdviceBlock(p.InteractionRoot),
		Composition: w.AdviceBlock(p.CompositionRoot), Claims: exts(p.Claims), Final: exts(p.Final)}
	for t, values := range p.Open.Columns {
		m.Open.Columns[t] = exts(values)
	}
	m.Open.Previous = exts(p.Open.Previous)
	for _, root := range p.LayerRoots {
		m.Layers = append(m.Layers, w.AdviceBlock(root))
	}
	low, high := hash.NonceWords(p.Nonce)
	m.NonceLow = w.base("the nonce", low.Uint64(), hash.NonceBits)
	m.NonceHigh = w.base("the nonce", high.Uint64(), hash.NonceBits)
	return m
}

// distinct notes the queried places once.
func (c *child) distinct(places []stark.Place[wire]) {
	if c.places != nil {
		return
	}
	values := make([]uint32, len(places))
	for q, p := range places {
		values[q] = p.Value
	}
	c.places = stark.Distinct(values)
}

// Leaves opens leaves of a tree.
func (c *child) Leaves(tree int, root block, places []stark.Place[wire], beta wire, at []int) ([]wire, [][]wire) {
	c.distinct(places)
	if !c.scalar {
		c.scalar = true
		v := c.w.Value(beta)
		c.w.Equal("the weight of openings is the public one", c.w.PublicScalar(c.side, v), beta)
	}
	width := c.widths[tree]
	depth := c.params.LogN + c.params.LogBlowup
	rows := fit(c.proof.Rows[tree], len(c.places)*width)
	leaves := make([]hash.Digest, len(c.places))
	hash.Leaves(leaves, rows, width)
	paths := hash.Expand(depth, c.twins[tree], c.places, leaves, c.proof.Paths[tree])
	c.w.Root(c.tree(tree), root)
	sums, columns := make([]wire, len(places)), make([][]wire, len(places))
	for q, p := range places {
		i, _ := slices.BinarySearch(c.places, p.Value)
		leaf, exts := c.w.Leaf(c.side, rows[i*width:(i+1)*width], at)
		sums[q] = c.w.Open(c.tree(tree), depth, leaf, c.placeOf(q, p, 0), p.Value, paths[i])
		columns[q] = exts
	}
	return sums, columns
}

// placeOf is the place of query q less its lowest a bits.
func (c *child) placeOf(q int, p stark.Place[wire], a int) wire {
	depth := c.params.LogN + c.params.LogBlowup
	for len(c.numbers) <= q {
		c.numbers = append(c.numbers, nil)
	}
	if c.numbers[q] == nil { // once, top down: leaves are opened first and need all bits
		folds := c.params.Folds()
		cut := 0
		for _, f := range folds {
			cut += f
		}
		n := stark.Number[wire](c.w, p.Bits[cut:])
		c.numbers[q] = map[int]wire{cut: n}
		for i := len(folds) - 1; i >= 0; i-- {
			scale := c.w.Const(field.New(1 << folds[i]))
			n = c.w.Add(c.w.Mul(n, scale), stark.Number[wire](c.w, p.Bits[cut-folds[i]:cut]))
			cut -= folds[i]
			c.numbers[q][cut] = n
		}
	}
	return c.numbers[q][depth-len(p.Bits)+a]
}

// fit returns n cells: those there are, and zeros.
func fit(cells []field.Element, n int) []field.Element {
	if len(cells) >= n {
		return cells[:n]
	}
	return append(slices.Clone(cells), make([]field.Element, n-len(cells))...)
}

// Cosets opens leaves of a FRI layer.
func (c *child) Cosets(layer, a int, root block, places []stark.Place[wire], known []wire) [][]wire {
	values := make([]uint32, len(places))
	at := map[uint32]field.Ext{}
	for q, p := range places {
		values[q] = p.Value
		at[p.Value] = c.w.Value(known[q])
	}
	cosets, filled, _ := stark.Fill(c.proof.Layers[layer].Values, a, stark.Distinct(values), at)
	leaves := make([]hash.Digest, len(cosets))
	for i, vs := range filled {
		leaves[i] = hash.Leaf(words(vs))
	}
	depth := len(places[0].Bits) - a
	paths := hash.Expand(depth, 0, cosets, leaves, c.proof.Layers[layer].Path)
	tree := c.tree(stark.Trees + layer)
	c.w.Root(tree, root)
	out := make([][]wire, len(places))
	for q, p := range places {
		i, _ := slices.BinarySearch(cosets, p.Value>>a)
		var leaf circuit.Leaf
		leaf, out[q] = c.w.LeafExts(filled[i])
		c.w.Open(tree, depth, leaf, c.placeOf(q, p, a), p.Value>>a, paths[i])
	}
	return out
}

func words(xs []field.Ext) []field.Element {
	out := make([]field.Element, 0, field.Degree*len(xs))
	for i := range xs {
		c := field.Coords(&xs[i])
		out = append(out, c[:]...)
	}
	return out
}
