package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
)

// Domain separates what one key signs for different purposes: a signature under one domain says nothing under another.
// A domain's text is never reused with another meaning; a changed message gets the next number.
type Domain string

// The domains of fatty, one for each kind of signed message.
const (
	DomainTransaction Domain = "fatty/transaction/1" // a client's transaction
	DomainBlock       Domain = "fatty/block/1"       // a mempool worker's block header
	DomainVote        Domain = "fatty/vote/1"        // a replica's availability vote for a block
	DomainConsensus   Domain = "fatty/consensus/1"   // PBFT messages: pre-prepare, prepare, commit, view change, new view
	DomainState       Domain = "fatty/state/1"       // a replica's signature of a state root
	DomainHost        Domain = "fatty/host/1"        // binds a validator key to its libp2p host key
	DomainHolder      Domain = "fatty/holder/1"      // a holder's statements beside the ledger: its addresses
)

// preimage is what is hashed and signed: the domain, a zero byte that no domain contains, and the canonical bytes.
func preimage(d Domain, body []byte) []byte {
	m := make([]byte, 0, len(d)+1+len(body))
	return append(append(append(m, d...), 0), body...)
}

// Sign signs canonical bytes under a domain with Ed25519 (RFC 8032).
func Sign(key ed25519.PrivateKey, d Domain, body []byte) []byte {
	return ed25519.Sign(key, preimage(d, body))
}

// Verify checks a signature that Sign made. Keys and signatures of a wrong length are refused, never a panic.
func Verify(key ed25519.PublicKey, d Domain, body, sig []byte) bool {
	return len(key) == ed25519.PublicKeySize && len(sig) == ed25519.SignatureSize &&
		ed25519.Verify(key, preimage(d, body), sig)
}

// Hash is SHA-256 of the canonical encoding of the list [tag, fields...]: the form of every digest that is not a
// content id, such as a lease's life and anchor.
func Hash(tag string, fields ...any) ([32]byte, error) {
	b, err := Marshal(append([]any{tag}, fields...))
	if err != nil {
		return [32]byte{}, fmt.Errorf("hash %s: %w", tag, err)
	}
	return sha256.Sum256(b), nil
}
