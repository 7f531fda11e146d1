//go:build !soak

package cairo

// How many random rows are tried with every filling.
const (
	huntSteps    = 300
	huntProducts = 120
)
