//go:build !soak

package cairo

// How many random rows are tried with every filling, and how many public data.
const (
	huntSteps    = 300
	huntProducts = 120
	claimTries   = 20_000
)
