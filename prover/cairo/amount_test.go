//go:build !soak

package cairo

// How much of the product of columns, rows and changes a run of the tests takes; the soak build takes far more.
const (
	changedRows  = 40  // rows of a column that are changed
	repairedRows = 1   // of these, rows whose derived columns are computed anew
	provenFlaws  = 200 // changed witnesses that go through prover and verifier
)
