package hash

import (
	"github.com/seed06907907/fatty/verifier/field"
)

// Transcript turns what a verifier learns into its challenges (Fiat-Shamir). It is a sponge in overwrite mode, rate 8,
// capacity 8 (Bertoni et al., "Cryptographic sponge functions", overwrite mode). Every absorb is one message: a block with
// its tag and length, then its words padded with zeros, so that no two sequences of messages give one stream of blocks.
// Every challenge is preceded by a block with a tag that no absorb uses.
type Transcript struct {
	state [Width]field.Element
}

// Tags of blocks that draw, and the kind of block in word 7. Absorbs carry kindAbsorb and a caller's tag.
const (
	kindAbsorb = 1
	kindDraw   = 2
	kindStart  = 3
)

// NewTranscript starts a transcript for one protocol, named by a short label.
func NewTranscript(label string) *Transcript {
	t := &Transcript{}
	t.block(kindStart, uint64(len(label)))
	words := make([]field.Element, 0, len(label))
	for _, c := range []byte(label) {
		words = append(words, field.New(uint64(c)))
	}
	t.Absorb(0, words...)
	return t
}

func (t *Transcript) block(kind uint64, words ...uint64) {
	for i := range Rate {
		t.state[i].SetZero()
	}
	for i, w := range words {
		t.state[i].SetUint64(w)
	}
	t.state[Rate-1].SetUint64(kind)
	permute(&t.state)
}

// Absorb takes in one message of words under a tag.
func (t *Transcript) Absorb(tag uint64, words ...field.Element) {
	// The length has two words: p is below 2^31.
	t.block(kindAbsorb, tag, uint64(len(words))&0xffff, uint64(len(words))>>16)
	for len(words) > 0 {
		n := copy(t.state[:Rate], words)
		for i := n; i < Rate; i++ {
			t.state[i].SetZero()
		}
		words = words[n:]
		permute(&t.state)
	}
}

// AbsorbExt takes in one message of extension field elements.
func (t *Transcript) AbsorbExt(tag uint64, xs ...field.Ext) {
	words := make([]field.Element, 0, field.Degree*len(xs))
	for i := range xs {
		c := field.Coords(&xs[i])
		words = append(words, c[:]...)
	}
	t.Absorb(tag, words...)
}

// AbsorbDigest takes in one message of a digest.
func (t *Transcript) AbsorbDigest(tag uint64, d Digest) { t.Absorb(tag, d[:]...) }

// Ext draws a challenge from the extension field.
func (t *Transcript) Ext(tag uint64) field.Ext {
	t.block(kindDraw, tag, 1)
	return field.FromCoords([field.Degree]field.Element(t.state[:field.Degree]))
}

// Digest draws 8 words.
func (t *Transcript) Digest(tag uint64) Digest {
	t.block(kindDraw, tag, 2)
	return Digest(t.state[:Rate])
}

// Indices draws n places of bits bits each, with repetition. bits is at most field.TwoAdicity, where the low bits of a
// word are uniform but for 2^-31: p - 1 is a multiple of 2^24.
func (t *Transcript) Indices(tag uint64, n, bits int) []uint32 {
	out := make([]uint32, 0, n)
	for round := uint64(0); len(out) < n; round++ {
		t.block(kindDraw, tag, 3, round)
		for i := 0; i < Rate && len(out) < n; i++ {
			out = append(out, uint32(t.state[i].Uint64()&(1<<bits-1)))
		}
	}
	return out
}

// The block that a grinding nonce fills: nonce low, nonce high, tag, zeros.
const tagGrind = 0x4752494e

// GrindBlock is the message that is compressed after a drawn digest to check a nonce.
func GrindBlock(nonce uint64) (d Digest) {
	d[0].SetUint64(nonce & 0xffffff)
	d[1].SetUint64(nonce >> 24 & 0xffffff)
	d[2].SetUint64(tagGrind)
	return d
}

// MaxNonce bounds a nonce: 48 bits, so that each of its two words is below p.
const MaxNonce = 1<<48 - 1

// Ground reports whether nonce is a proof of work of bits bits on seed: the lowest bits of the first word of
// Compress(seed, GrindBlock(nonce)) are 0.
func Ground(seed Digest, nonce uint64, bits int) bool {
	if nonce > MaxNonce {
		return false
	}
	d := Compress(seed, GrindBlock(nonce))
	return d[0].Uint64()&(1<<bits-1) == 0
}
