package hash

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/consensys/gnark-crypto/field/koalabear/poseidon2"
	"pgregory.net/rapid"

	"github.com/seed06907907/fatty/verifier/field"
)

var update = flag.Bool("update", false, "rewrite golden files")

func words(r *rand.Rand, n int) []field.Element {
	out := make([]field.Element, n)
	for i := range out {
		out[i] = field.New(r.Uint64N(field.Modulus))
	}
	return out
}

func digest(r *rand.Rand) Digest { return Digest(words(r, Rate)) }

// Compress is the library's two-to-one compression.
func TestCompressIsTheLibrarys(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	p := poseidon2.NewDefaultPermutation()
	for range 20 {
		a, b := digest(r), digest(r)
		var l, m []byte
		for i := range a {
			l, m = append(l, a[i].Marshal()...), append(m, b[i].Marshal()...)
		}
		want, err := p.Compress(l, m)
		if err != nil {
			t.Fatal(err)
		}
		var got []byte
		for _, e := range Compress(a, b) {
			got = append(got, e.Marshal()...)
		}
		if !slices.Equal(got, want) {
			t.Fatal("another compression")
		}
	}
}

// Sixteen at a time gives what one at a time gives, for every width and count.
func TestBatchesAgreeWithSingles(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, width := range []int{0, 1, 7, 8, 9, 16, 33} {
		for _, count := range []int{1, 2, 15, 16, 17, 40} {
			all := words(r, width*count)
			got := make([]Digest, count)
			Leaves(got, all, width)
			for i := range got {
				if got[i] != Leaf(all[i*width:(i+1)*width]) {
					t.Fatalf("leaf %d of %d words", i, width)
				}
			}
		}
	}
	for _, count := range []int{1, 2, 3, 16, 18, 50} {
		children := make([]Digest, 2*count)
		for i := range children {
			children[i] = digest(r)
		}
		want := make([]Digest, count)
		for i := range want {
			want[i] = Compress(children[2*i], children[2*i+1])
		}
		got := make([]Digest, count)
		Nodes(got, children)
		if !slices.Equal(got, want) {
			t.Fatalf("%d nodes", count)
		}
		Nodes(children[:count], children)
		if !slices.Equal(children[:count], want) {
			t.Fatalf("%d nodes in place", count)
		}
	}
}

// A leaf is never a node: a leaf of eight or sixteen words differs from the nodes over the same words, and a leaf's width
// is bound, so that zeros at its end count.
func TestKnownBug_20_LeafIsNoNode(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 3))
	a, b := digest(r), digest(r)
	nodes := []Digest{Compress(a, b), Compress(Digest{}, a), Compress(Digest{}, b), Compress(Compress(Digest{}, a), b)}
	leaves := []Digest{Leaf(append(slices.Clone(a[:]), b[:]...)), Leaf(a[:]), Leaf(b[:])}
	for _, n := range nodes {
		if slices.Contains(leaves, n) {
			t.Error("a leaf is a node")
		}
	}
	seen := map[Digest]bool{}
	for n := range 20 {
		d := Leaf(make([]field.Element, n))
		if seen[d] {
			t.Errorf("a leaf of %d zeros is one of fewer", n)
		}
		seen[d] = true
	}
	// Depth is bound by the caller: a tree's node is no leaf of the tree of half the depth.
	leavesOf := []Digest{Leaf(words(r, 3)), Leaf(words(r, 3)), Leaf(words(r, 3)), Leaf(words(r, 3))}
	up := []Digest{Compress(leavesOf[0], leavesOf[1]), Compress(leavesOf[2], leavesOf[3])}
	root := Compress(up[0], up[1])
	if VerifyMulti(root, 2, 0, []uint32{1}, leavesOf[1:2], []Digest{leavesOf[0], up[1]}) != nil {
		t.Fatal("an honest opening is refused")
	}
	if VerifyMulti(root, 1, 0, []uint32{0}, up[:1], up[1:]) != nil {
		t.Fatal("the tree over nodes is a tree")
	}
	if VerifyMulti(root, 2, 0, []uint32{0}, up[:1], up[1:]) == nil {
		t.Error("a node passes for a leaf")
	}
}

type testTree struct{ levels [][]Digest }

func build(leaves []Digest) testTree {
	t := testTree{[][]Digest{leaves}}
	for len(leaves) > 1 {
		up := make([]Digest, len(leaves)/2)
		Nodes(up, leaves)
		t.levels = append(t.levels, up)
		leaves = up
	}
	return t
}

// open lists siblings by definition: level by level, the digests that are needed and not known.
func (t testTree) open(places []uint32, twins int) (out []Digest) {
	known := map[uint32]bool{}
	for _, p := range places {
		known[p] = true
	}
	for d := range len(t.levels) - 1 {
		up := map[uint32]bool{}
		for i := range uint32(len(t.levels[d])) {
			if known[i] {
				up[i>>1] = true
			} else if known[i^1] && d >= twins {
				out = append(out, t.levels[d][i])
			}
		}
		known = up
	}
	return out
}

func TestMultiProofs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 4))
	rapid.Check(t, func(rt *rapid.T) {
		depth := rapid.IntRange(0, 7).Draw(rt, "depth")
		twins := rapid.IntRange(0, depth).Draw(rt, "twins")
		leaves := make([]Digest, 1<<depth)
		for i := range leaves {
			if i&(1<<twins-1) == 0 {
				leaves[i] = digest(r)
			} else {
				leaves[i] = leaves[i-1]
			}
		}
		tree := build(leaves)
		root := tree.levels[depth][0]
		var places []uint32
		for i := range uint32(len(leaves)) {
			if rapid.IntRange(0, 3).Draw(rt, "pick") == 0 {
				places = append(places, i)
			}
		}
		if len(places) == 0 {
			places = []uint32{uint32(len(leaves) - 1)}
		}
		opened := make([]Digest, len(places))
		for i, p := range places {
			opened[i] = leaves[p]
		}
		nodes := tree.open(places, twins)
		if err := VerifyMulti(root, depth, twins, places, opened, nodes); err != nil {
			rt.Fatal(err)
		}
		bad := func(what string, depth, twins int, places []uint32, opened, nodes []Digest) {
			if VerifyMulti(root, depth, twins, places, opened, nodes) == nil {
				rt.Fatalf("accepted with %s", what)
			}
		}
		i := rapid.IntRange(0, len(opened)-1).Draw(rt, "i")
		change := slices.Clone(opened)
		change[i][3].Double(&change[i][3])
		if change[i] != opened[i] {
			bad("another leaf", depth, twins, places, change, nodes)
		}
		bad("a sibling too many", depth, twins, places, opened, append(slices.Clone(nodes), root))
		if len(nodes) > 0 {
			bad("a sibling too few", depth, twins, places, opened, nodes[:len(nodes)-1])
			change := slices.Clone(nodes)
			change[0][0].Double(&change[0][0])
			bad("another sibling", depth, twins, places, opened, change)
			if len(nodes) > 1 && nodes[0] != nodes[1] {
				change = slices.Clone(nodes)
				change[0], change[1] = change[1], change[0]
				bad("siblings in another order", depth, twins, places, opened, change)
			}
		}
		bad("another depth", depth+1, twins, places, opened, nodes)
		bad("no leaf", depth, twins, nil, nil, nodes)
		bad("a leaf twice", depth, twins, append(slices.Clone(places), places[len(places)-1]), append(slices.Clone(opened), opened[len(opened)-1]), nodes)
		bad("a place outside", depth, twins, append(slices.Clone(places), 1<<depth), append(slices.Clone(opened), opened[0]), nodes)
		bad("a negative depth", -1, 0, places, opened, nodes)
	})
}

// Two leaves of a short column that differ where they must be twins are refused.
func TestTwinsMustBeEqual(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	a, b := digest(r), digest(r)
	root := Compress(a, a)
	if VerifyMulti(root, 1, 1, []uint32{0, 1}, []Digest{a, a}, nil) != nil {
		t.Error("twins are refused")
	}
	if VerifyMulti(root, 1, 1, []uint32{0, 1}, []Digest{a, b}, nil) == nil {
		t.Error("a leaf that is no twin is accepted")
	}
	if VerifyMulti(Compress(a, b), 1, 1, []uint32{0}, []Digest{a}, []Digest{b}) == nil {
		t.Error("a tree of two leaves passes for one of twins")
	}
}

// No two different sequences of messages draw the same.
func TestKnownBug_07_MessagesAreLengthBound(t *testing.T) {
	one, zero := field.New(1), field.Element{}
	seen := map[field.Ext][]int{}
	for i, messages := range [][][]field.Element{
		{}, {{}}, {{zero}}, {{zero, zero}}, {{}, {}}, {{zero}, {zero}}, {{one}}, {{one, zero}}, {{zero, one}}, {{one}, {zero}},
		{{one}, {}}, {{}, {one}},
		{make([]field.Element, 8)}, {make([]field.Element, 9)}, {make([]field.Element, 16)}, {make([]field.Element, 8), make([]field.Element, 8)},
	} {
		tr := NewTranscript("test")
		for _, m := range messages {
			tr.Absorb(5, m...)
		}
		x := tr.Ext(6)
		if have, ok := seen[x]; ok {
			t.Errorf("messages %d and %v draw the same", i, have)
		}
		seen[x] = append(seen[x], i)
	}
	// Tags and labels count too, and a draw changes what comes after it.
	for i, f := range []func() field.Ext{
		func() field.Ext { tr := NewTranscript("test"); tr.Absorb(7); return tr.Ext(6) },
		func() field.Ext { tr := NewTranscript("test"); tr.Absorb(5); return tr.Ext(7) },
		func() field.Ext { tr := NewTranscript("tess"); tr.Absorb(5); return tr.Ext(6) },
		func() field.Ext { tr := NewTranscript("test"); tr.Absorb(5); tr.Ext(6); return tr.Ext(6) },
		func() field.Ext { tr := NewTranscript("test"); tr.Absorb(5); tr.Digest(6); return tr.Ext(6) },
		func() field.Ext { tr := NewTranscript("test"); tr.Absorb(5); tr.Indices(6, 1, 1); return tr.Ext(6) },
	} {
		x := f()
		if _, ok := seen[x]; ok {
			t.Errorf("variant %d draws what another does", i)
		}
		seen[x] = nil
	}
}

func TestIndices(t *testing.T) {
	tr := NewTranscript("test")
	xs := tr.Indices(1, 1000, 5)
	if len(xs) != 1000 {
		t.Fatal(len(xs))
	}
	count := map[uint32]int{}
	for _, x := range xs {
		count[x]++
		if x >= 32 {
			t.Fatal("a place outside")
		}
	}
	for i := range uint32(32) {
		if count[i] < 5 {
			t.Errorf("place %d is drawn %d times of 1000", i, count[i])
		}
	}
	if got := NewTranscript("test").Indices(1, 20, field.TwoAdicity); slices.Max(got)>>20 == 0 {
		t.Error("high bits are never drawn")
	}
}

func TestGrinding(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 6))
	seed := digest(r)
	const bits = 6
	hits := 0
	for n := range uint64(4096) {
		if Ground(seed, n, bits) {
			hits++
			if !Ground(seed, n, bits-1) {
				t.Error("more work counts less")
			}
		}
	}
	if hits < 32 || hits > 110 {
		t.Errorf("%d of 4096 nonces have %d bits", hits, bits)
	}
	if Ground(seed, MaxNonce+1, 0) {
		t.Error("a nonce out of range counts")
	}
	if GrindBlock(1) == GrindBlock(1<<24) || GrindBlock(1<<24) == GrindBlock(1<<25) {
		t.Error("nonces share a block")
	}
}

// The hash is a format: these digests never change.
func TestGolden(t *testing.T) {
	ws := make([]field.Element, 11)
	for i := range ws {
		ws[i] = field.New(uint64(i))
	}
	tr := NewTranscript("golden")
	tr.Absorb(3, ws...)
	got := ""
	for _, line := range []struct {
		name string
		d    Digest
	}{{"leaf", Leaf(ws)}, {"node", Compress(Digest{}, Digest{})}, {"transcript", tr.Digest(4)}} {
		got += line.name
		for _, e := range line.d {
			got += fmt.Sprintf(" %08x", e.Uint64())
		}
		got += "\n"
	}
	file := filepath.Join("testdata", "golden", "digests.hex")
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("digests are\n%s", got)
	}
}

func BenchmarkLeaves(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 7))
	const width, count = 330, 173
	all := words(r, width*count)
	out := make([]Digest, count)
	for b.Loop() {
		Leaves(out, all, width)
	}
}

func BenchmarkCompress(b *testing.B) {
	var d Digest
	for b.Loop() {
		d = Compress(d, d)
	}
}
