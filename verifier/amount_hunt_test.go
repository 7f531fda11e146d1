//go:build !soak

package verifier_test

// How many changed proofs a run of the tests takes; the soak build takes far more.
const (
	flipStride = 5003 // bytes from one flip to the next
	movedWords = 60
)
