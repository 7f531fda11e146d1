//go:build soak

package stark_test

// everyBit makes TestFlippedBitIsRefused try all bits.
const everyBit = true
