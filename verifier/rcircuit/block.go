package circuit

import (
	"fmt"

	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// Block stands for eight words.
type Block struct{ at int32 }

// packRow names the blocks and values that a row holds.
type packRow struct {
	words  [packWords]field.Element
	blocks [packBlocks]int32
	values [packExts]int32
	single bool
	// Which of them the row defines.
	makesBlocks, makesValues bool
}

// openRow is a row of the opening table.
type openRow struct {
	leaf      int32 // the wire whose words it has
	words     [hash.Rate]field.Element
	sum       [field.Degree]field.Element
	node      int32 // address of the node, or of a second wire
	yields    bool  // it yields the node: a root
	index     int32 // wire of the index, or 0
	indexWord field.Element
	sumWire   int32
}

// BlockValue returns a block's value.
func (b *Builder) BlockValue(x Block) hash.Digest { return b.words[x.at] }

// ConstBlock is a constant.
func (b *Builder) ConstBlock(d hash.Digest) Block { return Block{b.constant(d)} }

// AdviceBlock is a block that nothing binds yet.
func (b *Builder) AdviceBlock(d hash.Digest) Block { return Block{b.address(d, false)} }

// EqualBlocks demands x = y.
func (b *Builder) EqualBlocks(label string, x, y Block) {
	if b.words[x.at] != b.words[y.at] {
		b.violated(label)
	}
	b.opens = append(b.opens, openRow{leaf: x.at, words: b.words[x.at], node: y.at})
}

// Pack lays out the coordinates of values in order, eight a block, with zeros at the end.
func (b *Builder) Pack(xs []Wire) []Block {
	zero := b.Const(field.Element{})
	var out []Block
	for from := 0; from < len(xs); from += packExts {
		group := xs[from:min(from+packExts, len(xs))]
		n := hash.Steps(field.Degree * len(group))
		row := packRow{makesBlocks: true}
		for i := range packExts {
			x := zero
			switch {
			case i < len(group):
				x = group[i]
			case field.Degree*i >= hash.Rate*n: // behind the last block
				continue
			}
			row.values[i] = b.wireOf(x)
			copy(row.words[field.Degree*i:], b.words[row.values[i]][:field.Degree])
		}
		for i := range n {
			row.blocks[i] = b.address([hash.Rate]field.Element(row.words[hash.Rate*i:]), true)
			out = append(out, Block{row.blocks[i]})
		}
		b.packs = append(b.packs, row)
	}
	return out
}

// Unpack returns the first n values whose coordinates blocks hold in order.
func (b *Builder) Unpack(blocks []Block, n int) []Wire {
	if field.Degree*n > hash.Rate*len(blocks) {
		b.Fail(fmt.Errorf("%d blocks hold no %d values", len(blocks), n))
		return make([]Wire, n)
	}
	var out []Wire
	for from := 0; len(out) < n; from += packBlocks {
		row := packRow{makesValues: true}
		for i, x := range blocks[from:min(from+packBlocks, len(blocks))] {
			row.blocks[i] = x.at
			copy(row.words[hash.Rate*i:], b.words[x.at][:])
		}
		for i := range packExts {
			if len(out) == n {
				break
			}
			row.values[i] = b.valueOf(&row, i)
			out = append(out, b.ofAddress(row.values[i]))
		}
		b.packs = append(b.packs, row)
	}
	return out
}

// valueOf makes a wire of a row's i-th value.
func (b *Builder) valueOf(row *packRow, i int) int32 {
	var words [hash.Rate]field.Element
	copy(words[:field.Degree], row.words[field.Degree*i:])
	return b.address(words, true)
}

// singles lays out the wires that must be of the base field, four a row.
func (b *Builder) singles() {
	for from := 0; from < len(b.single); from += packExts {
		row := packRow{single: true}
		for i, at := range b.single[from:min(from+packExts, len(b.single))] {
			row.values[i] = at
			copy(row.words[field.Degree*i:], b.words[at][:field.Degree])
		}
		b.packs = append(b.packs, row)
	}
	b.single = nil
}

// PublicBlock is the circuit's statement; the circuit must use it exactly once.
func (b *Builder) PublicBlock(d hash.Digest) Block {
	b.words[1] = d
	b.public[0] = true
	return Block{1}
}

// Side is one of the two scalars for Horner's rule.
type Side int

// The sides; SideNone takes no steps.
const (
	SideNone Side = iota
	SideA
	SideB
)

// PublicScalar is the scalar of a side, which is public; the circuit must use it exactly once. It is also what hash rows of
// that side take their steps with.
func (b *Builder) PublicScalar(side Side, x field.Ext) Wire {
	at := int32(1 + side)
	b.words[at] = extWords(x)
	b.public[side] = true
	b.scalars[side-1] = x
	return b.ofAddress(at)
}

// Scalars are the values of the public scalars.
func (b *Builder) Scalars() [sides]field.Ext { return b.scalars }
