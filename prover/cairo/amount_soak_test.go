//go:build soak

package cairo

// How much of the product of columns, rows and changes a run of the tests takes.
const (
	changedRows  = 1 << 20
	repairedRows = 64
	provenFlaws  = 2000
)
