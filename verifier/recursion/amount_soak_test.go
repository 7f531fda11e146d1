//go:build soak

package recursion

const claimTries = 50000
