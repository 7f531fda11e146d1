//go:build soak

package cairo

// How many random rows are tried with every filling, and how many public data.
const (
	huntSteps    = 10_000
	huntProducts = 20_000
	claimTries   = 500_000
)
