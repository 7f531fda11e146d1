package bft

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"sort"

	"github.com/seed06907907/fatty/internal/wire"
)

// MaxValidators bounds a committee: messages are linear in it, and a new-view quadratic.
const MaxValidators = 100

type (
	// ValidatorID is a validator's Ed25519 public key.
	ValidatorID = [32]byte
	// Height counts the blocks of one lane from 1.
	Height uint64
	// View counts leaders from 0; view v is led by validator v mod n.
	View uint64
	// Sequence counts cuts from 1; 0 is genesis.
	Sequence uint64
	// LedgerTime is nanoseconds since the Unix epoch, as decided by the ledger.
	LedgerTime int64
	// Digest is a SHA-256 digest of canonical bytes.
	Digest [32]byte
)

// String is the first eight bytes in hexadecimal, enough to tell digests apart in a log.
func (d Digest) String() string { return hex.EncodeToString(d[:8]) }

// CID returns the content id whose digest is d.
func (d Digest) CID() wire.CID { return wire.FromDigest(d) }

// Validator is one member of the committee.
type Validator struct {
	ID ValidatorID
	// Weight is 1 for now; the field keeps its place for weighted quorums.
	Weight uint64
}

// Attachment names bytes that travel beside a transaction: SHA-256 of the raw bytes, and their length.
type Attachment struct {
	ID     Digest
	Length uint32
}

// Checker says whether a signature under a domain is a validator's. It is a face so that a simulation can use a cheap
// scheme, and a driver one that remembers what it has seen.
type Checker interface {
	Check(id ValidatorID, d wire.Domain, body, sig []byte) bool
}

// Signer signs for one validator. The same body must give the same signature, so that a replica that comes back from a
// crash repeats itself to the byte; Ed25519 does.
type Signer interface {
	Sign(d wire.Domain, body []byte) []byte
}

// Ed25519 is the scheme of the real ledger.
type Ed25519 struct{}

// Check implements Checker.
func (Ed25519) Check(id ValidatorID, d wire.Domain, body, sig []byte) bool {
	return wire.Verify(id[:], d, body, sig)
}

// Key is an Ed25519 private key as a Signer.
type Key ed25519.PrivateKey

// Sign implements Signer.
func (k Key) Sign(d wire.Domain, body []byte) []byte {
	return wire.Sign(ed25519.PrivateKey(k), d, body)
}

// ID returns the validator id that belongs to the key.
func (k Key) ID() (id ValidatorID) {
	copy(id[:], k[32:])
	return id
}

// Committee is the set of validators of one chain, in the canonical order of their ids. It is immutable and safe for
// use by many goroutines if its Checker is.
type Committee struct {
	chain   string
	members []Validator
	index   map[ValidatorID]int
	check   Checker
}

// MaxChainLength bounds a chain id, which every signed body repeats.
const MaxChainLength = 64

// NewCommittee checks and orders the validators. The position of a validator in the result is its index in messages.
func NewCommittee(chain string, validators []Validator, check Checker) (*Committee, error) {
	if chain == "" || len(chain) > MaxChainLength {
		return nil, fmt.Errorf("chain id of %d bytes: give it 1 to %d", len(chain), MaxChainLength)
	}
	if len(validators) == 0 || len(validators) > MaxValidators {
		return nil, fmt.Errorf("%d validators: a committee has 1 to %d", len(validators), MaxValidators)
	}
	c := &Committee{chain: chain, members: append([]Validator(nil), validators...), index: map[ValidatorID]int{}, check: check}
	sort.Slice(c.members, func(i, j int) bool { return lessID(c.members[i].ID, c.members[j].ID) })
	for i, v := range c.members {
		if v.Weight != 1 {
			return nil, fmt.Errorf("validator %x has weight %d: only weight 1 is supported", v.ID[:8], v.Weight)
		}
		if _, twice := c.index[v.ID]; twice {
			return nil, fmt.Errorf("validator %x is listed twice", v.ID[:8])
		}
		c.index[v.ID] = i
	}
	return c, nil
}

func lessID(a, b ValidatorID) bool {
	for i := range a {
		if a[i] != b[i] {
			return a[i] < b[i]
		}
	}
	return false
}

// Chain returns the chain id.
func (c *Committee) Chain() string { return c.chain }

// Size returns n.
func (c *Committee) Size() int { return len(c.members) }

// Faulty returns f, the number of Byzantine validators that are borne.
func (c *Committee) Faulty() int { return (len(c.members) - 1) / 3 }

// Quorum returns the size of a quorum: any two share at least f+1 validators, so one honest one.
func (c *Committee) Quorum() int { return (len(c.members)+c.Faulty())/2 + 1 }

// Available returns the votes of an availability certificate, f+1.
func (c *Committee) Available() int { return c.Faulty() + 1 }

// Validators returns the members in canonical order.
func (c *Committee) Validators() []Validator { return append([]Validator(nil), c.members...) }

// Member returns the validator at an index.
func (c *Committee) Member(i int) ValidatorID { return c.members[i].ID }

// Index returns a validator's index, or -1.
func (c *Committee) Index(id ValidatorID) int {
	if i, ok := c.index[id]; ok {
		return i
	}
	return -1
}

// Leader returns the index of a view's leader.
func (c *Committee) Leader(v View) int { return int(uint64(v) % uint64(len(c.members))) }

func (c *Committee) signed(i int, d wire.Domain, body any, sig []byte) bool {
	if i < 0 || i >= len(c.members) {
		return false
	}
	b, err := wire.Marshal(body)
	return err == nil && c.check.Check(c.members[i].ID, d, b, sig)
}
