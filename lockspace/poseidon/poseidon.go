// Package poseidon is Cairo's hash of many felts, as programs with the poseidon builtin compute it (poseidon_hash_many):
// a sponge over the Hades permutation of three words (Grassi and others, ePrint 2019/458, with Starknet's parameters). The
// ledger hashes with it what a machine's program hashed, its transactions and its state's opening.
//
// There is a Go library for it, Juno's, which would bring a whole Starknet node's modules along; this is its hundred lines
// on gnark-crypto's field, held by tests to what the reference VM gave.
//
//	digest := poseidon.HashMany(felts)
package poseidon

import (
	"crypto/sha256"
	"strconv"
	"sync"

	"github.com/consensys/gnark-crypto/ecc/stark-curve/fp"
)

// Starknet's parameters: words of the state, of which rate are the input's, and full and partial rounds, cubing.
const (
	width         = 3
	rate          = 2
	fullRounds    = 8
	partialRounds = 83
	rounds        = fullRounds + partialRounds
)

// constants are the round constants: SHA-256 of "Hades" and a counter, mod P.
var constants = sync.OnceValue(func() *[rounds][width]fp.Element {
	var out [rounds][width]fp.Element
	for i := range rounds * width {
		digest := sha256.Sum256([]byte("Hades" + strconv.Itoa(i)))
		out[i/width][i%width].SetBytes(digest[:])
	}
	return &out
})

// HashMany hashes any number of felts, big-endian and below P.
func HashMany[F ~[32]byte](felts []F) (digest F) {
	var s [width]fp.Element
	var x fp.Element
	for i := range felts {
		b := [32]byte(felts[i])
		x.SetBytes(b[:])
		s[i%rate].Add(&s[i%rate], &x)
		if i%rate == rate-1 {
			permute(&s)
		}
	}
	// The padding is one 1 and then zeros, so that no two inputs of different lengths are one.
	x.SetOne()
	s[len(felts)%rate].Add(&s[len(felts)%rate], &x)
	permute(&s)
	return F(s[0].Bytes())
}

// permute is the Hades permutation.
func permute(s *[width]fp.Element) {
	c := constants()
	for r := range c {
		for i := range s {
			s[i].Add(&s[i], &c[r][i])
		}
		if r < fullRounds/2 || r >= fullRounds/2+partialRounds {
			cube(&s[0])
			cube(&s[1])
		}
		cube(&s[2])
		// The matrix (3 1 1, 1 -1 1, 1 1 -2) gives each word the sum of all and a multiple of its own.
		var sum, own fp.Element
		sum.Add(&s[0], &s[1]).Add(&sum, &s[2])
		own.Double(&s[0])
		s[0].Add(&sum, &own)
		own.Double(&s[1])
		s[1].Sub(&sum, &own)
		own.Double(&s[2]).Add(&own, &s[2])
		s[2].Sub(&sum, &own)
	}
}

func cube(x *fp.Element) {
	var t fp.Element
	t.Square(x)
	x.Mul(&t, x)
}
