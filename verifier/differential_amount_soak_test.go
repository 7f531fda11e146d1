//go:build soak

package verifier

const wordsOfAMessage = 200
