//go:build soak

package verifier_test

// How many changed proofs a run of the tests takes: every byte of a proof.
const (
	flipStride = 1
	movedWords = 20_000
)
