//go:build !soak

package bft

// simSeeds is how many seeds each CI run takes.
const simSeeds = 200
