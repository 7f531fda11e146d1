package recursion

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed06907907/fatty/verifier/circuit"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	"github.com/seed06907907/fatty/verifier/internal/cheat"
	"github.com/seed06907907/fatty/verifier/stark"
)

// grown is a tree over leaves: its levels, leaves first.
func grown(leaves []hash.Digest) [][]hash.Digest {
	levels := [][]hash.Digest{leaves}
	for level := leaves; len(level) > 1; {
		up := make([]hash.Digest, len(level)/2)
		hash.Nodes(up, level)
		levels, level = append(levels, up), up
	}
	return levels
}

// multi is the multi-proof of distinct ascending places, as hash.VerifyMulti reads it.
func multi(levels [][]hash.Digest, places []uint32) (out []hash.Digest) {
	at := slices.Clone(places)
	for _, level := range levels[:len(levels)-1] {
		up := map[uint32]bool{}
		for _, x := range at {
			if !slices.Contains(at, x^1) {
				out = append(out, level[x^1])
			}
			up[x>>1] = true
		}
		at = at[:0]
		for x := range up {
			at = append(at, x)
		}
		slices.Sort(at)
	}
	return out
}

// draw are places from words, as a transcript draws them: two of the three are the same.
func draw(w wires, p stark.Params) []stark.Place[wire] {
	words := hash.Digest{field.New(11), field.New(1<<20 | 6), field.New(11)}
	return w.Places([]block{w.ConstBlock(words)}, p.Queries, p.LogN+p.LogBlowup)
}

var smallParams = stark.Params{LogN: 4, LogBlowup: 1, Queries: 3, FoldLog: 2, FinalLog: 1}

// TestLeavesAreOpenedAndWeighed opens leaves of a tree: their cells are those below the root, at the drawn places, and their
// sums are weighed by the scalar that the circuit was given. Nothing of that is the prover's to choose.
func TestLeavesAreOpenedAndWeighed(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 12))
	const width = 13 // two blocks, the last not full
	rows := make([]field.Element, 32*width)
	for i := range rows {
		rows[i] = field.New(r.Uint64N(field.Modulus))
	}
	leaves := make([]hash.Digest, 32)
	hash.Leaves(leaves, rows, width)
	levels := grown(leaves)
	places := []uint32{6, 11}
	proof := &stark.Proof{}
	for _, p := range places {
		proof.Rows[stark.TreeMain] = append(proof.Rows[stark.TreeMain], rows[width*p:width*(p+1)]...)
	}
	proof.Paths[stark.TreeMain] = multi(levels, places)
	if err := hash.VerifyMulti(levels[5][0], 5, 0, places, []hash.Digest{leaves[6], leaves[11]}, proof.Paths[stark.TreeMain]); err != nil {
		t.Fatal(err)
	}
	beta := field.Add(field.Basis(1), number(77))
	build := func(root hash.Digest) (*circuit.Builder, *circuit.Circuit, []field.Ext, []field.Ext) {
		var sums, values []field.Ext
		b, c := gadgetOf(t, func(w wires) ([]wire, []block) {
			c := &child{w: w, side: circuit.SideA, params: smallParams, proof: proof}
			c.widths[stark.TreeMain] = width
			xs, columns := c.Leaves(stark.TreeMain, w.ConstBlock(root), draw(w, smallParams), w.ConstExt(beta), []int{6})
			for q := range xs {
				sums, values = append(sums, w.Value(xs[q])), append(values, w.Value(columns[q][0]))
				xs = append(xs, columns[q]...)
			}
			return xs, nil
		}, circuit.SideB)
		return b, c, sums, values
	}
	b, c, sums, values := build(levels[5][0])
	if b.Err() != nil || check(c) != nil {
		t.Fatal(b.Err(), check(c))
	}
	for q, place := range []uint32{11, 6, 11} {
		row := append(slices.Clone(rows[width*place:width*(place+1)]), make([]field.Element, 3)...)
		var sum field.Ext
		for _, x := range row {
			sum = field.Add(field.Mul(sum, beta), field.FromBase(x))
		}
		if sums[q] != sum || values[q] != field.FromCoords([field.Degree]field.Element(row[6:])) {
			t.Errorf("query %d: another leaf's sum or value", q)
		}
	}
	if f := forgeries(t, c, nil); len(f) > 0 {
		t.Errorf("nothing finds %v", f)
	}
	w := cheat.New(c)
	if got := len(w.Places()); got != 3 {
		t.Errorf("%d leaves are opened", got)
	}
	for _, a := range w.Places() {
		if w.Chosen(a) {
			t.Error("a place is the prover's choice")
		}
		// Another leaf that is opened does not stand here, whatever its number.
		other := w.At(a).Ext()
		other = field.Sub(number(6+11), other)
		if lie := w.Lie(map[int32]cheat.Words{a: cheat.Value(other)}); lie.Found == nil {
			t.Error("a leaf at the place of another")
		}
	}
	if b, c, _, _ := build(levels[4][1]); b.Err() == nil || check(c) == nil {
		t.Error("a root that is none of this tree")
	}
}

// TestCosetsAreOpened opens cosets of a FRI layer: all their values are those below the root. Whether the value at a query's
// place is the one that leads there is for stark.Check to say.
func TestCosetsAreOpened(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 13))
	const a = 2
	values := make([]field.Ext, 32)
	for i := range values {
		values[i] = field.FromCoords([field.Degree]field.Element(append(slices.Clone(hashWords(r)), hashWords(r)...)))
	}
	leaves := make([]hash.Digest, 8)
	for i := range leaves {
		leaves[i] = hash.Leaf(words(values[i<<a : (i+1)<<a]))
	}
	levels := grown(leaves)
	known := map[uint32]field.Ext{6: values[6], 11: values[11]}
	var given []field.Ext // all of cosets 1 and 2 but places 6 and 11
	for i := range 2 << a {
		if place := uint32(1<<a + i); place != 6 && place != 11 {
			given = append(given, values[place])
		}
	}
	proof := &stark.Proof{Layers: []stark.Layer{{Values: given, Path: multi(levels, []uint32{1, 2})}}}
	build := func(change func(known map[uint32]field.Ext)) (*circuit.Builder, *circuit.Circuit) {
		known := map[uint32]field.Ext{6: known[6], 11: known[11]}
		change(known)
		return gadget(t, func(w wires) ([]wire, []block) {
			places := draw(w, smallParams)
			c := &child{w: w, side: circuit.SideA, params: smallParams, proof: proof}
			var knowns []wire
			for _, p := range places {
				knowns = append(knowns, w.ConstExt(known[p.Value]))
			}
			var xs []wire
			for q, coset := range c.Cosets(0, a, w.ConstBlock(levels[3][0]), places, knowns) {
				for i, x := range coset {
					if want := places[q].Value>>a<<a + uint32(i); w.Value(x) != values[want] && known[want] == values[want] {
						t.Errorf("query %d, value %d: another", q, i)
					}
				}
				xs = append(xs, coset...)
			}
			return xs, nil
		})
	}
	b, c := build(func(map[uint32]field.Ext) {})
	if b.Err() != nil || check(c) != nil {
		t.Fatal(b.Err(), check(c))
	}
	if f := forgeries(t, c, nil); len(f) > 0 {
		t.Errorf("nothing finds %v", f)
	}
	w := cheat.New(c)
	for _, p := range w.Places() {
		if w.Chosen(p) {
			t.Error("a coset is the prover's choice")
		}
	}
	if b, c := build(func(known map[uint32]field.Ext) { known[11] = field.One() }); b.Err() == nil || check(c) == nil {
		t.Error("a value that does not stand there")
	}
}

// hashWords are three random words.
func hashWords(r *rand.Rand) []field.Element {
	d := randomDigest(r)
	return d[:field.Degree/2]
}
