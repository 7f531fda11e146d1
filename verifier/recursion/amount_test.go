//go:build !soak

package recursion

// claimTries is how many public data are compared; make soak compares more.
const claimTries = 250
