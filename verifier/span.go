package verifier

import (
	"encoding/hex"

	"github.com/seed06907907/fatty/verifier/hash"
	"github.com/seed06907907/fatty/verifier/recursion"
)

// InputsDigest names what the runs of a span consumed: the root of a Merkle tree over the inputs felts of its runs. Eight
// KoalaBear words, 4 bytes big-endian each.
type InputsDigest [32]byte

// String returns the digest in hexadecimal.
func (d InputsDigest) String() string { return hex.EncodeToString(d[:]) }

// Span is what a span proof says: a machine went from state S0 at T0 to S1 at T1, by runs whose inputs have this digest.
type Span struct {
	T0, T1 uint64
	S0, S1 Felt
	Inputs InputsDigest
}

// RunInputs is the digest of one run's inputs felt.
func RunInputs(f Felt) InputsDigest { return digestBytes(runInputs(f)) }

func runInputs(f Felt) hash.Digest { return recursion.RunInputs(hash.Native{}, recursion.Words(f)) }

// JoinInputs is the digest of two spans that meet. It fails where an argument's words are not below p.
func JoinInputs(left, right InputsDigest) (InputsDigest, error) {
	l, err := wordsOf(left)
	if err != nil {
		return InputsDigest{}, err
	}
	r, err := wordsOf(right)
	if err != nil {
		return InputsDigest{}, err
	}
	return digestBytes(hash.Compress(l, r)), nil
}

// SpanInputs is the digest of a span over runs with these inputs felts, at least one, in the shape that Split gives.
func SpanInputs(runs []Felt) InputsDigest {
	digests := make([]hash.Digest, len(runs))
	for i, f := range runs {
		digests[i] = runInputs(f)
	}
	return digestBytes(joinAll(digests))
}

func joinAll(runs []hash.Digest) hash.Digest {
	if len(runs) == 1 {
		return runs[0]
	}
	at := Split(len(runs))
	return hash.Compress(joinAll(runs[:at]), joinAll(runs[at:]))
}

// Split says how many of n runs, n at least 2, are in the left half of their span: the largest power of two below n. Runs
// are merged as a binary counter counts, left to right, and what remains is merged from the right: 7 runs are 4, (2, 1).
func Split(n int) int {
	at := 1
	for 2*at < n {
		at *= 2
	}
	return at
}
