//go:build !soak

package cairo

// jointChanges is how many changes of several cells at once each table is tried with.
const jointChanges = 200
