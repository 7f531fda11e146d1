//go:build soak

package cairo

// How many random rows are tried with every filling.
const (
	huntSteps    = 10_000
	huntProducts = 20_000
)
