//go:build soak

package bft

// simSeeds is how many seeds a soak takes.
const simSeeds = 20000
