// Package hash is the proof system's hash: Poseidon2 of width 16 over KoalaBear (ePrint 2023/323), as a compression
// function for leaves and nodes of Merkle trees and for the chain that is the transcript.
//
// Its parts: Digest and Compress; leaf chains (Leaf, Leaves); Merkle multi-proofs (VerifyMulti); Transcript. Everything
// that hashes much does so sixteen inputs at a time, which is eight times as fast as one by one where the processor has
// AVX-512 and gives the same digests where it has not.
//
// Compress(l, r) is the right half of the permutation of l || r, plus r. A leaf of w words is a chain of
// h <- Compress(h, next 8 words) from a state that holds a tag and w, padded with zeros: a node never starts from such a
// state, so a leaf is never a node, and leaves of different widths never meet.
//
// Trees are plain binary trees with one root. There are no caps: a multi-proof of some hundred leaves shares all of its
// upper levels, so a cap of 2^c digests would replace none and cost 2^c. A circuit shares them too (package circuit).
package hash

import (
	"github.com/consensys/gnark-crypto/field/koalabear/poseidon2"

	"github.com/seed06907907/fatty/verifier/field"
)

// Width is the permutation's width, Rate the number of words that one step absorbs.
const (
	Width = 16
	Rate  = 8
)

// FullRounds and PartialRounds are the numbers of rounds. gnark-crypto has assembly for these.
const (
	FullRounds    = 6
	PartialRounds = 21
)

// Lanes is the number of inputs that are hashed side by side.
const Lanes = 16

// tagLeaf is the first word of a leaf chain's initial state.
const tagLeaf = 0x4c454146

var permutation = poseidon2.NewPermutation(Width, FullRounds, PartialRounds)

// Digest is 8 field elements, 248 bits.
type Digest [Rate]field.Element

// permute applies the permutation in place.
func permute(x *[Width]field.Element) {
	// The only error is a slice of another length.
	_ = permutation.Permutation(x[:])
}

// Compress is the two-to-one compression function.
func Compress(l, r Digest) (d Digest) {
	var x [Width]field.Element
	copy(x[:Rate], l[:])
	copy(x[Rate:], r[:])
	permute(&x)
	for i := range d {
		d[i].Add(&x[Rate+i], &r[i])
	}
	return d
}

// LeafState returns the initial state of the chain of a leaf of width words.
func LeafState(width int) (d Digest) {
	d[0].SetUint64(tagLeaf)
	d[1].SetUint64(uint64(width))
	return d
}

// Steps returns the number of steps that a leaf of width words takes.
func Steps(width int) int { return (width + Rate - 1) / Rate }

// Leaf hashes one leaf.
func Leaf(words []field.Element) Digest {
	h := LeafState(len(words))
	for len(words) > 0 {
		var m Digest
		n := copy(m[:], words)
		words = words[n:]
		h = Compress(h, m)
	}
	return h
}

// Leaves hashes len(dst) leaves of width words each; row i is words[i*width : (i+1)*width].
func Leaves(dst []Digest, words []field.Element, width int) {
	if width == 0 {
		for i := range dst {
			dst[i] = LeafState(0)
		}
		return
	}
	steps := Steps(width)
	matrix := make([]field.Element, Lanes*steps*Rate)
	state := make([]field.Element, Lanes*Rate)
	Spread(state, LeafState(width))
	var out [Lanes][Rate]field.Element
	for start := 0; start < len(dst); start += Lanes {
		n := min(Lanes, len(dst)-start)
		for lane := range n {
			row := words[(start+lane)*width : (start+lane+1)*width]
			for c, v := range row {
				matrix[c*Lanes+lane] = v
			}
		}
		permutation.Compressx16ColumnsWithState(state, matrix, steps*Rate, out[:])
		for lane := range n {
			dst[start+lane] = out[lane]
		}
	}
}

// Spread writes one digest into all lanes of a chain state: state[pos*Lanes+lane].
func Spread(state []field.Element, d Digest) {
	for pos := range Rate {
		for lane := range Lanes {
			state[pos*Lanes+lane] = d[pos]
		}
	}
}

// Chain runs sixteen leaf chains over some more blocks: state is [pos*Lanes+lane], matrix [(block*Rate+pos)*Lanes+lane] for
// blocks*Rate positions, and out receives the new digests. It is the prover's inner loop.
func Chain(state, matrix []field.Element, blocks int, out *[Lanes][Rate]field.Element) {
	permutation.Compressx16ColumnsWithState(state[:Lanes*Rate], matrix[:Lanes*Rate*blocks], blocks*Rate, out[:])
}

// Nodes compresses pairs: dst[i] = Compress(children[2i], children[2i+1]). dst may be the front of children.
func Nodes(dst, children []Digest) {
	var state, matrix [Lanes * Rate]field.Element
	var out [Lanes][Rate]field.Element
	for start := 0; start < len(dst); start += Lanes {
		n := min(Lanes, len(dst)-start)
		if n < 3 {
			for lane := range n {
				dst[start+lane] = Compress(children[2*(start+lane)], children[2*(start+lane)+1])
			}
			continue
		}
		for lane := range n {
			l, r := &children[2*(start+lane)], &children[2*(start+lane)+1]
			for pos := range Rate {
				state[pos*Lanes+lane] = l[pos]
				matrix[pos*Lanes+lane] = r[pos]
			}
		}
		permutation.Compressx16ColumnsWithState(state[:], matrix[:], Rate, out[:])
		for lane := range n {
			dst[start+lane] = out[lane]
		}
	}
}
