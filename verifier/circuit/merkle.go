package circuit

import (
	"fmt"

	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// Side says by which public scalar a leaf's cells are summed.
type Side int

// The sides. A leaf without one has the sum 0.
const (
	SideNone Side = iota
	SideA
	SideB

	sides = int(SideB)
)

// ConstBlock is a constant.
func (b *Builder) ConstBlock(d hash.Digest) Block {
	if ref, ok := b.constant[d]; ok {
		return Block{ref}
	}
	ref := b.newBlock(d)
	b.constant[d] = ref
	b.constants = append(b.constants, constantRow{ref: ref, block: true, words: d})
	b.blockUses.use(ref)
	return Block{ref}
}

// AdviceBlock is a block that the prover chooses.
func (b *Builder) AdviceBlock(d hash.Digest) Block { return Block{b.newBlock(d)} }

// block is a block's ref; the zero Block is a block of zeros.
func (b *Builder) block(x Block) int32 {
	if x.ref == 0 {
		return b.ConstBlock(hash.Digest{}).ref
	}
	return x.ref
}

// BlockValue is the block's value in this run.
func (b *Builder) BlockValue(x Block) hash.Digest { return b.blocks[x.ref] }

// EqualBlocks demands x = y.
func (b *Builder) EqualBlocks(label string, x, y Block) {
	if b.BlockValue(x) != b.BlockValue(y) {
		b.violate(label)
	}
	if rx, ry := b.block(x), b.block(y); rx != ry {
		b.copyBlock(rx, ry)
	}
}

// copyBlock makes two blocks equal, by a row without an index. If they differ, the row holds x's value.
func (b *Builder) copyBlock(x, y int32) {
	b.addOpening(openingRow{state: x, node: y, d: b.blocks[x]})
}

func (b *Builder) addOpening(r openingRow) {
	b.blockUses.use(r.state)
	b.blockUses.use(r.node)
	b.wireUses.use(r.index)
	b.wireUses.use(r.sum)
	b.openings = append(b.openings, r)
}

func (b *Builder) addPack(r packRow) {
	for _, ref := range r.blocks {
		b.blockUses.use(ref)
	}
	for _, ref := range r.exts {
		b.wireUses.use(ref)
	}
	b.packs = append(b.packs, r)
}

// Pack lays out the coordinates of xs in order, eight a block, with zeros at the end.
func (b *Builder) Pack(xs []Wire) []Block {
	out := make([]Block, 0, hash.Steps(field.Degree*len(xs)))
	for len(xs) > 0 {
		n := min(len(xs), packExts)
		var r packRow
		for i := range n {
			r.exts[i] = b.ref(xs[i])
			c := field.Coords(&b.values[r.exts[i]])
			copy(r.words[field.Degree*i:], c[:])
		}
		used := hash.Steps(field.Degree * n)
		b.padPack(&r, n, used)
		for i := range used {
			r.blocks[i] = b.newBlock(hash.Digest(r.words[hash.Rate*i : hash.Rate*(i+1)]))
			out = append(out, Block{r.blocks[i]})
		}
		b.addPack(r)
		xs = xs[n:]
	}
	return out
}

// padPack demands that the words of so many blocks behind n values are 0.
func (b *Builder) padPack(r *packRow, n, blocks int) {
	for ; field.Degree*n < hash.Rate*blocks; n++ {
		r.exts[n] = b.constWire(field.Ext{})
	}
}

// Unpack returns the first n values whose coordinates blocks hold in order. What else they hold is free.
func (b *Builder) Unpack(blocks []Block, n int) []Wire {
	if field.Degree*n > hash.Rate*len(blocks) {
		b.fail("%d values are taken from %d blocks", n, len(blocks))
		return make([]Wire, n)
	}
	out := make([]Wire, 0, n)
	for n > 0 {
		k := min(n, packExts)
		used := hash.Steps(field.Degree * k)
		var r packRow
		for i := range used {
			r.blocks[i] = b.block(blocks[i])
			copy(r.words[hash.Rate*i:], b.blocks[r.blocks[i]][:])
		}
		for i := range k {
			v := r.ext(i)
			r.exts[i] = b.newWire(v)
			out = append(out, b.plain(r.exts[i]))
		}
		b.addPack(r)
		n -= k
		if n > 0 {
			blocks = blocks[used:]
		}
	}
	return out
}

// ext is the i-th value of a row.
func (r *packRow) ext(i int) field.Ext {
	return field.FromCoords([field.Degree]field.Element(r.words[field.Degree*i:]))
}

// Compress is hash.Compress.
func (b *Builder) Compress(l, r Block) Block {
	row := hashRow{l: b.block(l), r: b.block(r)}
	row.left, row.right = b.blocks[row.l], b.blocks[row.r]
	return Block{b.addHash(row)}
}

// addHash appends a step and returns its output. A side's in and out are set by the caller.
func (b *Builder) addHash(row hashRow) int32 {
	row.o = b.newBlock(hash.Compress(row.left, row.right))
	b.blockUses.use(row.l)
	b.blockUses.use(row.r)
	b.blockUses.use(row.o)
	b.hashes = append(b.hashes, row)
	return row.o
}

// Leaf is a hashed leaf: its chain's last state.
type Leaf struct {
	ref int32
	sum field.Ext
}

// BlockLeaf is a leaf that is a block itself, with the sum 0.
func (b *Builder) BlockLeaf(x Block) Leaf { return Leaf{ref: b.block(x)} }

// Leaf hashes cells that the prover chooses, as hash.Leaf does, and sums them by Horner's rule in the side's scalar: cell i
// of B blocks of eight has weight scalar^(8 B - 1 - i). It returns the values whose coordinates begin at the cells at,
// multiples of six.
//
// The cells behind the last one, in the last block, are zero in an honest leaf, but nothing says so here: they have powers
// of their own in the sum.
func (b *Builder) Leaf(side Side, cells []field.Element, at []int) (Leaf, []Wire) {
	l, out, _ := b.leaf(side, cells, at)
	return l, out
}

// leaf also returns, for each group of three blocks, 1 + its row of table pack, or 0 if it has none.
func (b *Builder) leaf(side Side, cells []field.Element, at []int) (Leaf, []Wire, []int) {
	out := make([]Wire, len(at))
	if side < SideNone || side > SideB || side != SideNone && !b.hasScalar[side-1] || len(cells) == 0 {
		b.fail("a leaf of %d cells on side %d, whose scalar must be set", len(cells), side)
		return Leaf{}, out, nil
	}
	// Groups of three blocks, of which some values are taken: one row of table pack each.
	steps := hash.Steps(len(cells))
	group := make([]int, (steps+packBlocks-1)/packBlocks) // 1 + its row
	exposed := make([]int32, packBlocks*len(group))
	word := func(i int) (e field.Element) {
		if i < len(cells) {
			e = cells[i]
		}
		return e
	}
	for k, c := range at {
		if c < 0 || c%field.Degree != 0 || c+field.Degree > len(cells) {
			b.fail("a value at cell %d of %d", c, len(cells))
			return Leaf{}, out, nil
		}
		g := c / packWords
		if group[g] == 0 {
			var r packRow
			for i := range r.words {
				r.words[i] = word(packWords*g + i)
			}
			b.packs = append(b.packs, r)
			group[g] = len(b.packs)
		}
		r := &b.packs[group[g]-1]
		i := c % packWords / field.Degree
		if r.exts[i] == 0 {
			r.exts[i] = b.newWire(r.ext(i))
			b.wireUses.use(r.exts[i])
		}
		out[k] = b.plain(r.exts[i])
		for block := field.Degree * i / hash.Rate; block <= (field.Degree*i+field.Degree-1)/hash.Rate; block++ {
			if r.blocks[block] == 0 {
				r.blocks[block] = b.newBlock(hash.Digest(r.words[hash.Rate*block : hash.Rate*(block+1)]))
				b.blockUses.use(r.blocks[block])
				exposed[packBlocks*g+block] = r.blocks[block]
			}
		}
	}
	start := hash.LeafState(len(cells))
	l := Leaf{ref: b.ConstBlock(start).ref}
	for s := range steps {
		row := hashRow{l: l.ref, r: exposed[s], side: side, left: b.blocks[l.ref], in: l.sum}
		for j := range row.right {
			row.right[j] = word(hash.Rate*s + j)
		}
		if side != SideNone {
			row.out = horner(&b.powers[side-1], l.sum, &row.right)
		}
		l.sum = row.out
		l.ref = b.addHash(row)
	}
	return l, out, group
}

// horner takes eight steps of Horner's rule.
func horner(powers *[hash.Rate + 1]field.Ext, sum field.Ext, words *hash.Digest) field.Ext {
	sum = field.Mul(sum, powers[hash.Rate])
	for j, w := range words {
		sum = field.Add(sum, field.Scale(powers[hash.Rate-1-j], w))
	}
	return sum
}

// LeafExts hashes a leaf that is values of the prover's choice, and returns them. Its last block ends with zeros.
func (b *Builder) LeafExts(values []field.Ext) (Leaf, []Wire) {
	cells := make([]field.Element, 0, field.Degree*len(values))
	at := make([]int, len(values))
	for i := range values {
		at[i] = len(cells)
		c := field.Coords(&values[i])
		cells = append(cells, c[:]...)
	}
	l, out, group := b.leaf(SideNone, cells, at)
	if n := len(values) % packExts; n != 0 && group != nil {
		r := &b.packs[group[len(group)-1]-1]
		b.padPack(r, n, hash.Steps(field.Degree*n))
		for _, ref := range r.exts[n:] {
			b.wireUses.use(ref)
		}
	}
	return l, out
}

// tree is a Merkle tree whose leaves are opened.
type tree struct {
	number int
	depth  int // 0 before the first opening
	root   int32
	opened int
	nodes  map[uint64]int // by level and index: a place in rows
	rows   []nodeRow
}

// nodeRow is a node on the way to some opened leaf.
type nodeRow struct {
	level    int
	index    uint32
	children [2]hash.Digest
	times    [2]int // how often each child is used
}

// Root names a tree's root. Once a tree, before it is opened.
func (b *Builder) Root(number int, root Block) {
	if number < 0 || number >= maxTrees || b.trees[number] != nil {
		b.fail("tree %d has a root already, or is not one of %d", number, maxTrees)
		return
	}
	t := &tree{number: number, root: b.block(root), nodes: map[uint64]int{}}
	b.trees[number] = t
	b.order = append(b.order, t)
}

func (t *tree) code(level int) uint32 { return uint32((t.number+1)*codeStep + level) }

// Open demands that a leaf stands at index in a tree of 2^depth leaves, and returns the leaf's Horner sum. place is the
// index's value, path the siblings from the leaf up; those above a node that an earlier opening led through are known already.
func (b *Builder) Open(number, depth int, leaf Leaf, index Wire, place uint32, path []hash.Digest) Wire {
	t := b.trees[number]
	if t == nil || leaf.ref == 0 || depth < 1 || depth > maxDepth || len(path) != depth || t.depth != 0 && t.depth != depth {
		b.fail("opening of tree %d at depth %d with a path of %d", number, depth, len(path))
		return Wire{}
	}
	t.depth = depth
	t.opened++
	label := fmt.Sprintf("Merkle opening of tree %d", number)
	if place>>depth != 0 || b.Value(index) != field.FromBase(field.New(uint64(place))) {
		b.violate(label)
		place &= 1<<depth - 1
	}
	row := openingRow{state: leaf.ref, code: t.code(depth), codeBalance: -1, index: b.ref(index), d: b.blocks[leaf.ref], acc: leaf.sum}
	v := b.Value(index)
	row.place = v.B0.A0
	if b.wireUses.counts[row.index] == 0 {
		// The row may only use its index, so another slot must be the one that yields it.
		b.addGate(gate{ref: [slots]int32{slotA: row.index}})
	}
	row.sum = b.newWire(leaf.sum)
	b.addOpening(row)
	if !t.climb(depth, place, row.d, path, b.blocks[t.root]) {
		b.violate(label)
	}
	return b.plain(row.sum)
}

// climb notes the nodes from a leaf up to the first one that is there already, and reports whether they lead to the root.
func (t *tree) climb(depth int, place uint32, d hash.Digest, path []hash.Digest, root hash.Digest) bool {
	for level := depth - 1; level >= 0; level-- {
		side, sibling := place&1, path[depth-1-level]
		place >>= 1
		key := uint64(level)<<32 | uint64(place)
		if at, ok := t.nodes[key]; ok {
			n := &t.rows[at]
			if level == depth-1 {
				n.times[side]++
			} else {
				n.times[side] = 1
			}
			return n.children[side] == d && n.children[1-side] == sibling
		}
		n := nodeRow{level: level, index: place}
		n.children[side], n.children[1-side] = d, sibling
		n.times[side] = 1
		t.nodes[key] = len(t.rows)
		t.rows = append(t.rows, n)
		d = hash.Compress(n.children[0], n.children[1])
	}
	return d == root
}

// reserved is how many rows of nodes a tree has, whatever places are opened.
func (t *tree) reserved() int {
	n := 0
	for level := range t.depth {
		n += min(1<<level, t.opened)
	}
	return n
}
