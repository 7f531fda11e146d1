//go:build soak

package verifier

const (
	wordsOfAMessage = 200
	liesAValue      = 24
	cellsAColumn    = 2000
)
