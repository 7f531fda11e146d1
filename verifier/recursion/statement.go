package recursion

import (
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	"github.com/seed06907907/fatty/verifier/stark"
)

// Statement is what a span proof says, in blocks of eight words. Felts and digests of 32 bytes are two blocks of 16 words
// of 16 bits, lowest first; a clock is four such words and four zeros.
type Statement[D any] struct {
	KeyRoot D // root of the list of verifying keys
	Program D // key of the program
	T0, T1  D
	S0, S1  [2]D
	Inputs  D
	Life    [2]D
	Anchor  [2]D
}

// statementBlocks is the number of blocks of a statement.
const statementBlocks = 13

// tags of chains, in the first word of their initial state; the second is the number of blocks.
const (
	tagStatement = 0x5350414e // "SPAN"
	tagKey       = 0x564b4559 // "VKEY"
)

func chain[E, D any](ar hash.Blocks[E, D], tag uint64, blocks ...D) D {
	var start hash.Digest
	start[0], start[1] = field.New(tag), field.New(uint64(len(blocks)))
	h := ar.Block(start)
	for _, b := range blocks {
		h = ar.Compress(h, b)
	}
	return h
}

// Digest is the statement as one block, which is what a circuit makes public.
func Digest[E, D any](ar hash.Blocks[E, D], s *Statement[D]) D {
	return chain(ar, tagStatement, s.KeyRoot, s.Program, s.T0, s.T1, s.S0[0], s.S0[1], s.S1[0], s.S1[1], s.Inputs,
		s.Life[0], s.Life[1], s.Anchor[0], s.Anchor[1])
}

// Key is a circuit's verifying key: the hash of its parameters, of the heights of its tables and of the root of its
// preprocessed columns.
func Key[E, D any](ar interface {
	hash.Blocks[E, D]
	Const(field.Element) E
}, p stark.Params, logHeights []E, preprocessed D) D {
	var words []E
	for _, v := range []int{p.LogN, p.LogBlowup, p.Queries, p.QueryGrind, p.FoldLog, p.FinalLog} {
		words = append(words, ar.Const(field.New(uint64(v))))
	}
	words = append(words, logHeights...)
	var xs []E
	for from := 0; from < len(words); from += field.Degree {
		xs = append(xs, ar.Join(words[from:min(from+field.Degree, len(words))]))
	}
	return chain(ar, tagKey, append(ar.Pack(xs), preprocessed)...)
}

// RunInputs is the digest of a run's inputs felt, in two blocks of words: the hash of a leaf of 16 words.
func RunInputs[E, D any](ar hash.Blocks[E, D], felt [2]D) D {
	h := ar.Block(hash.LeafState(2 * hash.Rate))
	return ar.Compress(ar.Compress(h, felt[0]), felt[1])
}

// Words lays out bytes, whose last is the lowest, as 16 words of 16 bits in two blocks, lowest first.
func Words(b [32]byte) (out [2]hash.Digest) {
	for i := range 2 * hash.Rate {
		at := 30 - 2*i
		out[i/hash.Rate][i%hash.Rate] = field.New(uint64(b[at])<<8 | uint64(b[at+1]))
	}
	return out
}

// Clock lays out a clock in a block.
func Clock(t uint64) (d hash.Digest) {
	for i := range clockWords {
		d[i] = field.New(t >> (16 * i) & 0xffff)
	}
	return d
}

// clockWords is the number of words of a clock, ClockBits how many bits it may have.
const (
	clockWords = 4
	ClockBits  = 62
)
