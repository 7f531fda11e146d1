package circuit

import (
	"fmt"

	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// hashRow is one compression.
type hashRow struct {
	left, right           hash.Digest
	atLeft                int32
	atRight, atOut        int32 // 0: not on the bus
	side                  Side
	in, out               field.Ext // Horner sums
	node                  bool
	exposes               bool // it defines the wire of its right half
	level, index          uint32
	timesLeft, timesRight uint32
}

// tree is a Merkle tree that openings lead up.
type tree struct {
	root     hash.Digest
	depth    int
	openings int
	at       map[uint64]int32 // by level and index: which of nodes
	nodes    []hashRow
}

// Leaf is a hashed leaf: a digest and a Horner sum.
type Leaf struct {
	at  int32
	sum field.Ext
}

// Compress is hash.Compress.
func (b *Builder) Compress(l, r Block) Block {
	left, right := hash.Digest(b.words[l.at]), hash.Digest(b.words[r.at])
	out := b.address(hash.Compress(left, right), true)
	b.rows = append(b.rows, hashRow{left: left, right: right, atLeft: l.at, atRight: r.at, atOut: out})
	return Block{out}
}

// BlockLeaf is a leaf that is a block.
func (b *Builder) BlockLeaf(x Block) Leaf { return Leaf{at: x.at} }

// Leaf hashes a leaf of cells, which are advice, as hash.Leaf does, and takes Horner's rule over its blocks on a side: the sum
// of beta^(8 B - 1 - i) times cell i, for B blocks. It returns the six cells from each of at on, multiples of six, as wires.
func (b *Builder) Leaf(side Side, cells []field.Element, at []int) (Leaf, []Wire) {
	steps := hash.Steps(len(cells))
	exposed := make(map[int]bool, len(at)) // by group of packBlocks blocks
	for _, c := range at {
		if c%field.Degree != 0 || c+field.Degree > len(cells) {
			b.Fail(fmt.Errorf("no six cells begin at %d of %d", c, len(cells)))
			return Leaf{}, make([]Wire, len(at))
		}
		exposed[c/packWords] = true
	}
	h := hash.LeafState(len(cells))
	leaf := Leaf{at: b.constant(h)}
	var powers []field.Ext
	if side != SideNone {
		powers = field.Powers(b.scalars[side-1], hash.Rate+1)
	}
	groups := map[int]*packRow{}
	for s := range steps {
		row := hashRow{left: h, atLeft: leaf.at, side: side, in: leaf.sum}
		copy(row.right[:], cells[hash.Rate*s:])
		if side != SideNone {
			row.out = field.Mul(row.in, powers[hash.Rate])
			for j, x := range row.right {
				row.out = field.Add(row.out, field.Scale(powers[hash.Rate-1-j], x))
			}
		}
		if g := s / packBlocks; exposed[g] {
			if groups[g] == nil {
				groups[g] = &packRow{makesValues: true}
			}
			row.atRight, row.exposes = b.address(row.right, true), true
			groups[g].blocks[s%packBlocks] = row.atRight
			copy(groups[g].words[hash.Rate*(s%packBlocks):], row.right[:])
		}
		h = hash.Compress(h, row.right)
		row.atOut = b.address(h, true)
		leaf = Leaf{at: row.atOut, sum: row.out}
		b.rows = append(b.rows, row)
	}
	out := make([]Wire, len(at))
	done := make(map[int]bool, len(groups))
	for i, c := range at {
		row := groups[c/packWords]
		j := c % packWords / field.Degree
		if row.values[j] == 0 {
			row.values[j] = b.valueOf(row, j)
		}
		out[i] = b.ofAddress(row.values[j])
	}
	for _, c := range at { // in an order that does not depend on a map's
		if g := c / packWords; !done[g] {
			done[g] = true
			b.packs = append(b.packs, *groups[g])
		}
	}
	return leaf, out
}

// LeafExts hashes a leaf of the coordinates of values, which are advice, and returns them as wires.
func (b *Builder) LeafExts(values []field.Ext) (Leaf, []Wire) {
	cells := make([]field.Element, 0, field.Degree*len(values))
	at := make([]int, len(values))
	for i := range values {
		at[i] = field.Degree * i
		c := field.Coords(&values[i])
		cells = append(cells, c[:]...)
	}
	return b.Leaf(SideNone, cells, at)
}

// Root names the root of a tree of a depth, once a tree.
func (b *Builder) Root(number, depth int, root Block) {
	if number < 0 || number >= MaxTrees || depth < 1 || depth > MaxDepth || b.trees[number] != nil {
		b.Fail(fmt.Errorf("tree %d of depth %d: a circuit has %d trees of depth 1 to %d, each named once", number, depth, MaxTrees, MaxDepth))
		return
	}
	b.trees[number] = &tree{root: b.words[root.at], depth: depth, at: map[uint64]int32{}}
	b.opens = append(b.opens, openRow{leaf: root.at, words: b.words[root.at], node: nodeAddress(number, 0), yields: true})
}

func nodeAddress(tree, level int) int32 { return int32(tree+1)*addressSpan + int32(level) }

// Open demands that a leaf stands in a tree at an index, whose value is place, and returns its Horner sum. path are its siblings
// from the leaf up.
func (b *Builder) Open(number int, leaf Leaf, index Wire, place uint32, path []hash.Digest) Wire {
	if number < 0 || number >= MaxTrees || b.trees[number] == nil || len(path) != b.trees[number].depth {
		b.Fail(fmt.Errorf("tree %d is not named or not of depth %d", number, len(path)))
		return b.Const(field.Element{})
	}
	t := b.trees[number]
	t.openings++
	row := openRow{leaf: leaf.at, words: b.words[leaf.at], node: nodeAddress(number, t.depth), index: b.wireOf(index)}
	row.indexWord = b.words[row.index][0]
	row.sum = field.Coords(&leaf.sum)
	row.sumWire = b.address(extWords(leaf.sum), true)
	b.opens = append(b.opens, row)
	if row.indexWord.Uint64() != uint64(place) || place>>t.depth != 0 {
		b.violated("a leaf's index is another")
	}
	if !t.open(row.words, place, path) {
		b.violated("a Merkle opening does not lead to the root")
	}
	return b.ofAddress(row.sumWire)
}

// open adds the nodes above a leaf that are not there yet. A node is used once by the one above it, a leaf by each opening.
func (t *tree) open(d hash.Digest, place uint32, path []hash.Digest) bool {
	for level := t.depth - 1; level >= 0; level-- {
		right := place&1 == 1
		place >>= 1
		key := uint64(level)<<32 | uint64(place)
		i, ok := t.at[key]
		if !ok {
			row := hashRow{node: true, level: uint32(level), index: place, left: d, right: path[t.depth-1-level]}
			if right {
				row.left, row.right = row.right, row.left
			}
			i = int32(len(t.nodes))
			t.at[key] = i
			t.nodes = append(t.nodes, row)
		}
		n := &t.nodes[i]
		child := &n.left
		if right {
			n.timesRight++
			child = &n.right
		} else {
			n.timesLeft++
		}
		if *child != d {
			return false
		}
		if ok {
			return true
		}
		d = hash.Compress(n.left, n.right)
	}
	return d == t.root
}

// reserved is the number of nodes above so many leaves, wherever they stand.
func (t *tree) reserved() (n int) {
	for level := range t.depth {
		n += min(1<<level, t.openings)
	}
	return n
}
