//go:build !soak

package verifier

// wordsOfAMessage is how many words of each message are changed, one at a time; make soak changes more.
const wordsOfAMessage = 2
