package hash

import (
	"github.com/seed06907907/fatty/verifier/field"
)

// Blocks is what a transcript computes with, natively (Native) or as wires of a circuit: extension values E and blocks D of
// eight words.
type Blocks[E, D any] interface {
	// Block is a constant.
	Block(Digest) D
	Compress(l, r D) D
	// Join is the value with these coordinates, at most six, each a base field element.
	Join(words []E) E
	// Pack lays out coordinates in order, eight a block, with zeros at the end. Head is the value that a block begins with.
	Pack(xs []E) []D
	Head(D) E
}

// Transcript turns what a verifier learns into its challenges (Fiat-Shamir). It is a chain of compressions: h <- Compress(h,
// block). Every absorb is one message: a block with its tag and length, then its words padded with zeros; so no two
// sequences of messages give one sequence of blocks, and none is the beginning of another's up to a draw. A draw compresses
// h with a block of a kind that no message begins with, and leaves h as it is: draws with different tags or rounds are
// independent (Coron, Dodis, Malinaud, Puniya, "Merkle-Damgard revisited", section 3.1: prefix-free encodings).
//
// A chain and not a sponge: one form of row in a circuit serves leaves, nodes and transcript.
type Transcript[E, D any] struct {
	ar Blocks[E, D]
	h  D
}

// Kinds of blocks, in word 7, and the first word of a transcript's initial state.
const (
	kindAbsorb    = 1
	kindDraw      = 2
	tagTranscript = 0x5452414e
)

// What a draw is for, in word 1.
const (
	drawExt = iota + 1
	drawDigest
	drawIndices
)

// NewTranscript starts a transcript for one protocol, named by a short label.
func NewTranscript[E, D any](ar Blocks[E, D], label string) *Transcript[E, D] {
	t := &Transcript[E, D]{ar: ar, h: ar.Block(blockOf(tagTranscript, uint64(len(label))))}
	words := make([]field.Element, 0, len(label))
	for _, c := range []byte(label) {
		words = append(words, field.New(uint64(c)))
	}
	t.AbsorbConst(0, words...)
	return t
}

func blockOf(words ...uint64) (d Digest) {
	for i, w := range words {
		d[i].SetUint64(w)
	}
	return d
}

func kindBlock(kind uint64, words ...uint64) Digest {
	d := blockOf(words...)
	d[Rate-1].SetUint64(kind)
	return d
}

func (t *Transcript[E, D]) absorb(tag uint64, words int, blocks []D) {
	// The length has two words: p is below 2^31.
	t.h = t.ar.Compress(t.h, t.ar.Block(kindBlock(kindAbsorb, tag, uint64(words)&0xffff, uint64(words)>>16)))
	for _, b := range blocks {
		t.h = t.ar.Compress(t.h, b)
	}
}

// AbsorbConst takes in one message of words that both sides know whatever is proven.
func (t *Transcript[E, D]) AbsorbConst(tag uint64, words ...field.Element) {
	blocks := make([]D, 0, Steps(len(words)))
	for from := 0; from < len(words); from += Rate {
		var d Digest
		copy(d[:], words[from:])
		blocks = append(blocks, t.ar.Block(d))
	}
	t.absorb(tag, len(words), blocks)
}

// AbsorbWords takes in one message of words: values of the base field.
func (t *Transcript[E, D]) AbsorbWords(tag uint64, words ...E) {
	xs := make([]E, 0, (len(words)+field.Degree-1)/field.Degree)
	for from := 0; from < len(words); from += field.Degree {
		xs = append(xs, t.ar.Join(words[from:min(from+field.Degree, len(words))]))
	}
	// The last value's coordinates behind the last word are zero, as padding is.
	t.absorb(tag, len(words), t.ar.Pack(xs)[:Steps(len(words))])
}

// AbsorbExt takes in one message of extension field elements.
func (t *Transcript[E, D]) AbsorbExt(tag uint64, xs ...E) {
	t.absorb(tag, field.Degree*len(xs), t.ar.Pack(xs))
}

// AbsorbDigest takes in one message of a digest.
func (t *Transcript[E, D]) AbsorbDigest(tag uint64, d D) { t.absorb(tag, Rate, []D{d}) }

func (t *Transcript[E, D]) draw(tag, what, round uint64) D {
	return t.ar.Compress(t.h, t.ar.Block(kindBlock(kindDraw, tag, what, round)))
}

// Ext draws a challenge from the extension field.
func (t *Transcript[E, D]) Ext(tag uint64) E { return t.ar.Head(t.draw(tag, drawExt, 0)) }

// Digest draws 8 words.
func (t *Transcript[E, D]) Digest(tag uint64) D { return t.draw(tag, drawDigest, 0) }

// Indices draws blocks that hold n words, each of which gives a place: its lowest bits, of which those below
// field.TwoAdicity are uniform but for 2^-31, as p - 1 is a multiple of 2^24.
func (t *Transcript[E, D]) Indices(tag uint64, n int) (out []D) {
	for round := range Steps(n) {
		out = append(out, t.draw(tag, drawIndices, uint64(round)))
	}
	return out
}

// Native is the arithmetic of a transcript's values themselves.
type Native struct{}

// Block returns d.
func (Native) Block(d Digest) Digest { return d }

// Compress is Compress.
func (Native) Compress(l, r Digest) Digest { return Compress(l, r) }

// Join returns the value with these coordinates.
func (Native) Join(words []field.Ext) field.Ext {
	var c [field.Degree]field.Element
	for i := range words {
		c[i] = words[i].B0.A0
	}
	return field.FromCoords(c)
}

// Pack lays out coordinates in blocks.
func (Native) Pack(xs []field.Ext) []Digest {
	out := make([]Digest, Steps(field.Degree*len(xs)))
	for i := range xs {
		for j, c := range field.Coords(&xs[i]) {
			at := field.Degree*i + j
			out[at/Rate][at%Rate] = c
		}
	}
	return out
}

// Head returns the first value of a block.
func (Native) Head(d Digest) field.Ext {
	return field.FromCoords([field.Degree]field.Element(d[:field.Degree]))
}

// Words embeds words of the base field, as AbsorbWords takes them.
func Words(ws []field.Element) []field.Ext {
	out := make([]field.Ext, len(ws))
	for i, w := range ws {
		out[i] = field.FromBase(w)
	}
	return out
}

// The block that a grinding nonce fills: nonce low, nonce high, tag, zeros.
const tagGrind = 0x4752494e

// NonceBits is how many bits of a nonce are in its low word.
const NonceBits = 24

// NonceWords are the two words of a nonce.
func NonceWords(nonce uint64) (low, high field.Element) {
	return field.New(nonce & (1<<NonceBits - 1)), field.New(nonce >> NonceBits & (1<<NonceBits - 1))
}

// GrindBlock is the message that is compressed after a drawn digest to check a nonce.
func GrindBlock(nonce uint64) (d Digest) {
	d[0], d[1] = NonceWords(nonce)
	d[2].SetUint64(tagGrind)
	return d
}

// Grind compresses a drawn digest with the two words of a nonce: the lowest bits of its first word are the work.
func Grind[E, D any](ar interface {
	Blocks[E, D]
	Const(field.Element) E
}, seed D, low, high E) D {
	return ar.Compress(seed, ar.Pack([]E{ar.Join([]E{low, high, ar.Const(field.New(tagGrind))})})[0])
}

// MaxNonce bounds a nonce: 48 bits, so that each of its two words is below p.
const MaxNonce = 1<<(2*NonceBits) - 1

// Ground reports whether nonce is a proof of work of bits bits on seed: the lowest bits of the first word of
// Compress(seed, GrindBlock(nonce)) are 0.
func Ground(seed Digest, nonce uint64, bits int) bool {
	if nonce > MaxNonce {
		return false
	}
	d := Compress(seed, GrindBlock(nonce))
	return d[0].Uint64()&(1<<bits-1) == 0
}
