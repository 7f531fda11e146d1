//go:build !soak

package verifier

// How much of what a prover may lie about is tried, one at a time; make soak tries more.
const (
	wordsOfAMessage = 1 // of each message of a proof
	liesAValue      = 1 // about each value of a circuit
	cellsAColumn    = 3 // of each column of a circuit
)
