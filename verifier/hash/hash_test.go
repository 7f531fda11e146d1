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
		// One leaf at a time: each has its own path to the root, and paths of a false opening lead to another.
		climb := func(place uint32, leaf Digest, path []Digest) Digest {
			for level, sibling := range path {
				if place>>level&1 == 0 {
					leaf = Compress(leaf, sibling)
				} else {
					leaf = Compress(sibling, leaf)
				}
			}
			return leaf
		}
		for i, path := range Expand(depth, twins, places, opened, nodes) {
			if len(path) != depth || climb(places[i], opened[i], path) != root {
				rt.Fatalf("leaf %d has another path", places[i])
			}
		}
		if len(nodes) > 0 {
			wrong := false
			for i, path := range Expand(depth, twins, places, opened, nodes[:len(nodes)-1]) {
				wrong = wrong || len(path) != depth || climb(places[i], opened[i], path) != root
			}
			if !wrong {
				rt.Fatal("a sibling too few leads every leaf to the root")
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

// transcript starts a native transcript.
func transcript(label string) *Transcript[field.Ext, Digest] {
	return NewTranscript[field.Ext, Digest](Native{}, label)
}

// No two different sequences of messages draw the same.
func TestKnownBug_07_MessagesAreLengthBound(t *testing.T) {
	one, zero := field.New(1), field.Element{}
	seen := map[field.Ext][]int{}
	for i, messages := range [][][]field.Element{
		{}, {{}}, {{zero}}, {{zero, zero}}, {{}, {}}, {{zero}, {zero}}, {{one}}, {{one, zero}}, {{zero, one}}, {{one}, {zero}},
		{{one}, {}}, {{}, {one}},
		{make([]field.Element, 8)}, {make([]field.Element, 9)}, {make([]field.Element, 16)}, {make([]field.Element, 8), make([]field.Element, 8)},
		{make([]field.Element, 1<<16)}, {make([]field.Element, 1<<16+1)}, // lengths whose low words are 0 and 1
	} {
		tr := transcript("test")
		for _, m := range messages {
			tr.AbsorbConst(5, m...)
		}
		x := tr.Ext(6)
		if have, ok := seen[x]; ok {
			t.Errorf("messages %d and %v draw the same", i, have)
		}
		seen[x] = append(seen[x], i)
	}
	// Tags, labels and order count too.
	for i, f := range []func() field.Ext{
		func() field.Ext { tr := transcript("test"); tr.AbsorbConst(7); return tr.Ext(6) },
		func() field.Ext { tr := transcript("test"); tr.AbsorbConst(5); return tr.Ext(7) },
		func() field.Ext { tr := transcript("tess"); tr.AbsorbConst(5); return tr.Ext(6) },
		func() field.Ext { tr := transcript("tes"); tr.AbsorbConst(5); return tr.Ext(6) },
		func() field.Ext { tr := transcript("test\x00"); tr.AbsorbConst(5); return tr.Ext(6) },
		func() field.Ext { tr := transcript("test"); tr.AbsorbConst(5); tr.AbsorbConst(4); return tr.Ext(6) },
		func() field.Ext { tr := transcript("test"); tr.AbsorbConst(4); tr.AbsorbConst(5); return tr.Ext(6) },
	} {
		x := f()
		if _, ok := seen[x]; ok {
			t.Errorf("variant %d draws what another does", i)
		}
		seen[x] = nil
	}
}

// Words are one message however they are taken in: as constants, as words, as coordinates of values, as a digest.
func TestWordsAreOneMessageHoweverTheyAreTakenIn(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 8))
	for n := range 50 {
		ws := words(r, n)
		if n > 2 {
			ws[n-1] = field.Element{} // a zero at the end is a word
		}
		draw := func(f func(tr *Transcript[field.Ext, Digest])) Digest {
			tr := transcript("test")
			tr.AbsorbConst(3, field.New(1))
			f(tr)
			return tr.Digest(6)
		}
		want := draw(func(tr *Transcript[field.Ext, Digest]) { tr.AbsorbConst(5, ws...) })
		if draw(func(tr *Transcript[field.Ext, Digest]) { tr.AbsorbWords(5, Words(ws)...) }) != want {
			t.Errorf("%d words are another message than the same constants", n)
		}
		if n%field.Degree == 0 {
			var xs []field.Ext
			for from := 0; from < n; from += field.Degree {
				xs = append(xs, field.FromCoords([field.Degree]field.Element(ws[from:])))
			}
			if draw(func(tr *Transcript[field.Ext, Digest]) { tr.AbsorbExt(5, xs...) }) != want {
				t.Errorf("%d values are another message than their coordinates", len(xs))
			}
		}
		if n == Rate {
			if draw(func(tr *Transcript[field.Ext, Digest]) { tr.AbsorbDigest(5, Digest(ws)) }) != want {
				t.Error("a digest is another message than its words")
			}
		}
		// And the same words with one more, or in two messages, are another message by every way.
		for name, f := range map[string]func(tr *Transcript[field.Ext, Digest]){
			"constants": func(tr *Transcript[field.Ext, Digest]) {
				tr.AbsorbConst(5, append(slices.Clone(ws), field.Element{})...)
			},
			"words": func(tr *Transcript[field.Ext, Digest]) { tr.AbsorbWords(5, append(Words(ws), field.Ext{})...) },
			"two messages": func(tr *Transcript[field.Ext, Digest]) {
				tr.AbsorbConst(5, ws[:n/2]...)
				tr.AbsorbConst(5, ws[n/2:]...)
			},
			"another tag": func(tr *Transcript[field.Ext, Digest]) { tr.AbsorbWords(4, Words(ws)...) },
		} {
			if draw(f) == want {
				t.Errorf("%d words and other %s draw the same", n, name)
			}
		}
	}
}

// A draw leaves the transcript as it is, so what tells draws at one state apart is their tag, kind and round alone; all of
// them must. An absorbed message moves every one of them.
func TestDrawsAtOneStateDiffer(t *testing.T) {
	seen := map[Digest]string{}
	add := func(name string, d Digest) {
		if have, ok := seen[d]; ok {
			t.Errorf("%s and %s are equal", name, have)
		}
		seen[d] = name
	}
	firstOf := map[field.Ext]string{}
	for _, at := range []string{"at first", "after an empty message", "after a word"} {
		tr := transcript("test")
		switch at {
		case "after an empty message":
			tr.AbsorbConst(5)
		case "after a word":
			tr.AbsorbConst(5, field.New(1))
		}
		for tag := range uint64(40) {
			name := fmt.Sprintf("%s, tag %d: ", at, tag)
			add(name+"digest", tr.Digest(tag))
			for round, d := range tr.Indices(tag, 3*Rate) {
				add(fmt.Sprint(name, "indices, round ", round), d)
			}
			x := tr.Ext(tag)
			if have, ok := firstOf[x]; ok {
				t.Errorf("%schallenge and %s are equal", name, have)
			}
			firstOf[x] = name
			for d, of := range seen {
				if (Native{}).Head(d) == x {
					t.Errorf("%schallenge is the beginning of %s", name, of)
				}
			}
			if x != tr.Ext(tag) || tr.Digest(tag) != tr.Digest(tag) {
				t.Fatal("a draw changed the state")
			}
		}
	}
}

// A message is no draw: whatever words it has, its state is none that a draw gives, though a word of every draw's block is
// chosen at will. An attacker who knows the state h absorbs the very block that a draw would compress.
func TestKnownBug_07_MessagesAreNoDraws(t *testing.T) {
	one := field.New(1)
	before := func() *Transcript[field.Ext, Digest] {
		tr := transcript("test")
		tr.AbsorbConst(5, one)
		return tr
	}
	// All draws of small tags at this state and at that of an empty message behind it.
	drawn := map[Digest]string{}
	for name, tr := range map[string]*Transcript[field.Ext, Digest]{"here": before(), "behind an empty message": before()} {
		if name != "here" {
			tr.AbsorbConst(5)
		}
		for tag := range uint64(16) {
			for _, what := range []uint64{drawExt, drawDigest, drawIndices} {
				for round := range uint64(4) {
					drawn[tr.draw(tag, what, round)] = fmt.Sprint(name, ": ", tag, what, round)
				}
			}
		}
	}
	if len(drawn) != 2*16*3*4 {
		t.Errorf("%d draws are different, must be %d", len(drawn), 2*16*3*4)
	}
	for tag := range uint64(16) {
		for _, what := range []uint64{drawExt, drawDigest, drawIndices} {
			for round := range uint64(4) {
				block := kindBlock(kindDraw, tag, what, round)
				for n := range 3 { // the block first, second or third in its message
					tr := before()
					tr.AbsorbConst(5, append(make([]field.Element, n*Rate), block[:]...)...)
					if of, ok := drawn[tr.h]; ok {
						t.Errorf("a message leads to the draw %s", of)
					}
					tr = before()
					for range n {
						tr.AbsorbDigest(5, Digest{})
					}
					tr.AbsorbDigest(5, block)
					if of, ok := drawn[tr.h]; ok {
						t.Errorf("a digest leads to the draw %s", of)
					}
				}
			}
		}
	}
	// No header of a message is a draw's block, and no draw's block a header: not even of the longest messages.
	for _, n := range []int{0, 1, 1<<16 - 1, 1 << 16, 1 << 24, 1<<40 + 3} {
		for tag := range uint64(8) {
			if header := kindBlock(kindAbsorb, tag, uint64(n)&0xffff, uint64(n)>>16); header[Rate-1] == kindBlock(kindDraw)[Rate-1] {
				t.Fatal("messages and draws begin alike")
			}
		}
	}
	// A message that goes on with what looks like the next message's header is not two messages.
	header := kindBlock(kindAbsorb, 5, 8, 0)
	long, two := before(), before()
	long.AbsorbConst(5, append(append(make([]field.Element, Rate), header[:]...), make([]field.Element, Rate)...)...)
	two.AbsorbConst(5, make([]field.Element, Rate)...)
	two.AbsorbConst(5, make([]field.Element, Rate)...)
	if long.h == two.h {
		t.Error("one message is two")
	}
}

// A transcript's first state is neither that of a leaf chain nor a node that anybody knows children of, and its label counts.
func TestTranscriptsStartApart(t *testing.T) {
	seen := map[Digest]string{}
	for _, label := range []string{"", "a", "b", "aa", "a\x00", "fatty stark 2", "fatty program key 2"} {
		tr := transcript(label)
		if have, ok := seen[tr.h]; ok {
			t.Errorf("labels %q and %q start alike", label, have)
		}
		seen[tr.h] = label
	}
	for w := range 64 {
		if LeafState(w) == blockOf(tagTranscript, uint64(w)) {
			t.Error("a transcript starts as a leaf does")
		}
		for _, n := range []int{0, 1, 8, 17} {
			if _, ok := seen[Leaf(make([]field.Element, n))]; ok {
				t.Error("a leaf is a transcript")
			}
		}
	}
}

// placesOf reads places as a verifier does: the lowest bits of the blocks' words, in order.
func placesOf(blocks []Digest, n, bits int) (out []uint32) {
	for i := range n {
		out = append(out, uint32(blocks[i/Rate][i%Rate].Uint64())&(1<<bits-1))
	}
	return out
}

func TestIndices(t *testing.T) {
	tr := transcript("test")
	blocks := tr.Indices(1, 1000)
	if len(blocks) != Steps(1000) {
		t.Fatal(len(blocks))
	}
	if !slices.Equal(blocks[:Steps(20)], tr.Indices(1, 20)) {
		t.Error("fewer places are other places")
	}
	count := map[uint32]int{}
	for _, x := range placesOf(blocks, 1000, 5) {
		count[x]++
	}
	for i := range uint32(32) {
		if count[i] < 5 {
			t.Errorf("place %d is drawn %d times of 1000", i, count[i])
		}
	}
	if slices.Max(placesOf(transcript("test").Indices(1, 20), 20, field.TwoAdicity))>>20 == 0 {
		t.Error("high bits are never drawn")
	}
	if len(tr.Indices(1, 0)) != 0 || len(tr.Indices(1, 8)) != 1 || len(tr.Indices(1, 9)) != 2 {
		t.Error("another number of blocks than the places need")
	}
}

// Native lays out values as the transcript's words stand.
func TestNativeBlocks(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	for n := range 9 {
		var xs []field.Ext
		var want []field.Element
		for range n {
			c := [field.Degree]field.Element(words(r, field.Degree))
			xs, want = append(xs, field.FromCoords(c)), append(want, c[:]...)
		}
		blocks := Native{}.Pack(xs)
		if len(blocks) != Steps(len(want)) {
			t.Fatalf("%d values take %d blocks", n, len(blocks))
		}
		var got []field.Element
		for _, b := range blocks {
			got = append(got, b[:]...)
		}
		if !slices.Equal(got[:len(want)], want) || slices.ContainsFunc(got[len(want):], func(e field.Element) bool { return !e.IsZero() }) {
			t.Errorf("%d values are laid out otherwise", n)
		}
		if n > 0 && (Native{}).Head(blocks[0]) != xs[0] {
			t.Error("a block begins with another value")
		}
		if n <= field.Degree {
			ws := words(r, n)
			c := field.Coords(new(Native{}.Join(Words(ws))))
			if !slices.Equal(c[:n], ws) || slices.ContainsFunc(c[n:], func(e field.Element) bool { return !e.IsZero() }) {
				t.Errorf("%d words are joined otherwise", n)
			}
		}
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
	// The generic form is the same work on the same words, for any two words.
	for _, n := range []uint64{0, 1, 1<<24 - 1, 1 << 24, 1<<24 + 1, MaxNonce} {
		low, high := NonceWords(n)
		got := Grind[field.Ext, Digest](grinder{}, seed, field.FromBase(low), field.FromBase(high))
		if got != Compress(seed, GrindBlock(n)) {
			t.Errorf("nonce %d is other work in the generic form", n)
		}
	}
	// A grinding block is no block of a transcript: its kind is 0.
	if block := GrindBlock(MaxNonce); !block[Rate-1].IsZero() {
		t.Error("a grinding block has a transcript's kind")
	}
}

// grinder is Native with constants.
type grinder struct {
	Native
	field.Arithmetic
}

// The hash is a format: these digests never change.
func TestGolden(t *testing.T) {
	ws := make([]field.Element, 11)
	for i := range ws {
		ws[i] = field.New(uint64(i))
	}
	tr := transcript("golden")
	tr.AbsorbConst(3, ws...)
	tr.AbsorbDigest(4, Leaf(ws))
	tr.AbsorbExt(5, field.Basis(5), field.Basis(2))
	places := tr.Indices(6, 9)
	got := ""
	for _, line := range []struct {
		name string
		d    Digest
	}{{"leaf", Leaf(ws)}, {"node", Compress(Digest{}, Digest{})}, {"transcript", tr.Digest(4)}, {"places", places[1]}} {
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

// The transcript by its definition: h <- Compress(h, block) over a header and the message's words, and a draw aside.
func TestTranscriptIsAChainOfCompressions(t *testing.T) {
	block := func(vs ...uint64) (d Digest) {
		for i, v := range vs {
			d[i] = field.New(v)
		}
		return d
	}
	h := block(0x5452414e, 2)
	for _, b := range []Digest{
		block(0, 2, 0, 0, 0, 0, 0, 1), block('o', 'k'), // the label
		block(9, 1, 1, 0, 0, 0, 0, 1), // a message of 2^16 + 1 words
	} {
		h = Compress(h, b)
	}
	for range 1 << 13 {
		h = Compress(h, Digest{})
	}
	h = Compress(h, block(7))
	tr := transcript("ok")
	ws := make([]field.Element, 1<<16+1)
	ws[1<<16] = field.New(7)
	tr.AbsorbConst(9, ws...)
	for i, c := range []struct{ got, want Digest }{
		{tr.Digest(3), Compress(h, block(3, 2, 0, 0, 0, 0, 0, 2))},
		{tr.Indices(4, 20)[2], Compress(h, block(4, 3, 2, 0, 0, 0, 0, 2))},
	} {
		if c.got != c.want {
			t.Errorf("draw %d is another", i)
		}
	}
	d := Compress(h, block(3, 1, 0, 0, 0, 0, 0, 2))
	if tr.Ext(3) != field.FromCoords([field.Degree]field.Element(d[:])) {
		t.Error("the challenge is another")
	}
}
