package bft

import (
	"crypto/sha256"
	"math/bits"

	"github.com/seed06907907/fatty/internal/wire"
)

const (
	// MaxTransactionBytes bounds one transaction: the largest of the lock space carries a program of 1 MiB.
	MaxTransactionBytes = 1<<20 + 1<<16
	// MaxBlockBytes bounds the encoded transactions of a block: one largest transaction and its framing.
	MaxBlockBytes = MaxTransactionBytes + 1<<10
	// MaxBlockTransactions bounds the transactions of a block.
	MaxBlockTransactions = 1 << 14
	// MaxLaneBlocks is how far a lane may run ahead of what is committed: honest replicas vote no further, so that
	// what waits stays bounded whatever a worker does.
	MaxLaneBlocks = 32
	// Window is the depth of the pipeline: how many sequence numbers may be in flight. Messages have room for more.
	Window = 1
	// signatureSize is the length of every signature.
	signatureSize = 64
)

// SignatureSet is signatures of several validators over one body: a bitmap of the signers (bit i%8 of byte i/8 is
// validator i) and their signatures in the order of the bits.
type SignatureSet struct {
	Signers    []byte `cbor:"m"`
	Signatures []byte `cbor:"s"`
}

// Count returns the number of signers.
func (s SignatureSet) Count() (n int) {
	for _, b := range s.Signers {
		n += bits.OnesCount8(b)
	}
	return n
}

// Has says whether validator i signed.
func (s SignatureSet) Has(i int) bool {
	return i >= 0 && i/8 < len(s.Signers) && s.Signers[i/8]&(1<<(i%8)) != 0
}

// Indices returns the signers in order.
func (s SignatureSet) Indices() (out []int) {
	for i := range len(s.Signers) * 8 {
		if s.Has(i) {
			out = append(out, i)
		}
	}
	return out
}

// newSignatureSet packs the non-empty signatures, indexed by validator.
func newSignatureSet(sigs [][]byte) SignatureSet {
	s := SignatureSet{Signers: make([]byte, (len(sigs)+7)/8)}
	for i, sig := range sigs {
		if len(sig) == signatureSize {
			s.Signers[i/8] |= 1 << (i % 8)
			s.Signatures = append(s.Signatures, sig...)
		}
	}
	return s
}

// BlockHeader is what a worker signs, under DomainBlock; its digest is the block's id.
type BlockHeader struct {
	Chain   string `cbor:"chain"`
	Worker  uint16 `cbor:"worker"`  // index of the validator whose lane it is
	Height  Height `cbor:"height"`  // from 1
	Prev    Digest `cbor:"prev"`    // id of the lane's block at Height-1; zero at height 1
	Payload Digest `cbor:"payload"` // SHA-256 of the canonical list of transactions
	Size    uint32 `cbor:"size"`    // bytes of that list
	Count   uint32 `cbor:"count"`   // transactions in it, at least 1
}

// ID returns the block's id.
func (h BlockHeader) ID() Digest { return digestOf(h) }

// SignedHeader is a header with its worker's signature.
type SignedHeader struct {
	Header BlockHeader `cbor:"header"`
	Sig    []byte      `cbor:"sig"`
}

// Block is a block of a lane with its transactions.
type Block struct {
	SignedHeader SignedHeader `cbor:"signed"`
	Transactions [][]byte     `cbor:"txs"`
}

// ID returns the block's id.
func (b *Block) ID() Digest { return b.SignedHeader.Header.ID() }

// Vote says that a replica has stored a block, all before it in the lane, and all attachments that they name.
type Vote struct {
	Worker uint16 `cbor:"worker"`
	Height Height `cbor:"height"`
	Block  Digest `cbor:"block"`
	Signer uint16 `cbor:"signer"`
	Sig    []byte `cbor:"sig"`
}

// voteBody is signed under DomainVote.
type voteBody struct {
	Chain  string `cbor:"chain"`
	Worker uint16 `cbor:"worker"`
	Height Height `cbor:"height"`
	Block  Digest `cbor:"block"`
}

// Certificate is f+1 votes for a block: it and its ancestors can be fetched from an honest replica.
type Certificate struct {
	Worker uint16       `cbor:"worker"`
	Height Height       `cbor:"height"`
	Block  Digest       `cbor:"block"`
	Set    SignatureSet `cbor:"set"`
}

// Tip is the highest block of a lane that a cut takes in.
type Tip struct {
	Worker uint16 `cbor:"worker"`
	Height Height `cbor:"height"`
	Block  Digest `cbor:"block"`
}

// Cut is what is ordered: the lanes that have moved since the cut before it, by worker.
type Cut struct {
	Chain    string     `cbor:"chain"`
	Sequence Sequence   `cbor:"sequence"`
	Time     LedgerTime `cbor:"time"`
	Prev     Digest     `cbor:"prev"` // digest of the cut before; zero at sequence 1
	Tips     []Tip      `cbor:"tips"` // strictly ascending by worker
}

// Digest identifies the cut.
func (c *Cut) Digest() Digest { return digestOf(c) }

// PrePrepare is a leader's proposal of a fresh cut, with a certificate for each tip in the tips' order.
type PrePrepare struct {
	View         View          `cbor:"view"`
	Cut          Cut           `cbor:"cut"`
	Certificates []Certificate `cbor:"certs"`
	Sig          []byte        `cbor:"sig"`
}

// proposalBody is signed under DomainConsensus.
type proposalBody struct {
	Kind     string   `cbor:"kind"` // "pre-prepare"
	Chain    string   `cbor:"chain"`
	View     View     `cbor:"view"`
	Sequence Sequence `cbor:"sequence"`
	Cut      Digest   `cbor:"cut"`
}

// Phase tells prepare from commit.
type Phase uint8

// The phases of PBFT that are voted on.
const (
	PhasePrepare Phase = 1
	PhaseCommit  Phase = 2
)

// String names the phase.
func (p Phase) String() string {
	if p == PhasePrepare {
		return "prepare"
	}
	return "commit"
}

// Ballot is a replica's prepare or commit.
type Ballot struct {
	Phase    Phase      `cbor:"phase"`
	View     View       `cbor:"view"`
	Sequence Sequence   `cbor:"sequence"`
	Time     LedgerTime `cbor:"time"` // the cut's time, so that a certificate proves it without the cut
	Cut      Digest     `cbor:"cut"`
	Signer   uint16     `cbor:"signer"`
	Sig      []byte     `cbor:"sig"`
}

// ballotBody is signed under DomainConsensus.
type ballotBody struct {
	Kind     string     `cbor:"kind"` // "prepare" or "commit"
	Chain    string     `cbor:"chain"`
	View     View       `cbor:"view"`
	Sequence Sequence   `cbor:"sequence"`
	Time     LedgerTime `cbor:"time"`
	Cut      Digest     `cbor:"cut"`
}

// BallotCertificate is a quorum of equal ballots of one phase; the phase is given by where it stands.
type BallotCertificate struct {
	View     View         `cbor:"view"`
	Sequence Sequence     `cbor:"sequence"`
	Time     LedgerTime   `cbor:"time"`
	Cut      Digest       `cbor:"cut"`
	Set      SignatureSet `cbor:"set"`
}

// Prepared is a cut with a quorum of prepares.
type Prepared struct {
	Cut         Cut               `cbor:"cut"`
	Certificate BallotCertificate `cbor:"cert"`
}

// ViewChange is a replica's promise to take no further part in views below View, with all it has to hand on: the last
// cut it saw decided (absent at genesis) and what it prepared after it, ascending by sequence.
type ViewChange struct {
	View     View               `cbor:"view"`
	Decided  *BallotCertificate `cbor:"decided,omitempty"`
	Prepared []Prepared         `cbor:"prepared"`
	Signer   uint16             `cbor:"signer"`
	Sig      []byte             `cbor:"sig"`
}

// viewChangeBody is signed under DomainConsensus.
type viewChangeBody struct {
	Kind     string             `cbor:"kind"` // "view-change"
	Chain    string             `cbor:"chain"`
	View     View               `cbor:"view"`
	Decided  *BallotCertificate `cbor:"decided,omitempty"`
	Prepared []Prepared         `cbor:"prepared"`
}

// NewView is a leader's proof that a quorum left for its view. What it must propose again follows from Changes alone
// (see reproposal), so it is not repeated.
type NewView struct {
	View    View         `cbor:"view"`
	Changes []ViewChange `cbor:"changes"` // a quorum, strictly ascending by signer
	Sig     []byte       `cbor:"sig"`
}

// newViewBody is signed under DomainConsensus.
type newViewBody struct {
	Kind    string `cbor:"kind"` // "new-view"
	Chain   string `cbor:"chain"`
	View    View   `cbor:"view"`
	Changes Digest `cbor:"changes"` // SHA-256 of the canonical list
}

// StateVote is a replica's signature of the state after a sequence number.
type StateVote struct {
	Sequence Sequence   `cbor:"sequence"`
	Time     LedgerTime `cbor:"time"`
	Root     wire.CID   `cbor:"root"`
	Signer   uint16     `cbor:"signer"`
	Sig      []byte     `cbor:"sig"`
}

// stateBody is signed under DomainState.
type stateBody struct {
	Chain    string     `cbor:"chain"`
	Sequence Sequence   `cbor:"sequence"`
	Time     LedgerTime `cbor:"time"`
	Root     wire.CID   `cbor:"root"`
}

// StateCertificate is a quorum of equal state votes; light clients check it with VerifyStateCertificate.
type StateCertificate struct {
	Sequence Sequence     `cbor:"sequence"`
	Time     LedgerTime   `cbor:"time"`
	Root     wire.CID     `cbor:"root"`
	Set      SignatureSet `cbor:"set"`
}

// Decision is a cut with a quorum of commits: it proves itself to anyone.
type Decision struct {
	Cut    Cut               `cbor:"cut"`
	Commit BallotCertificate `cbor:"commit"`
}

// Status tells others where a replica stands, so that whoever is ahead can help whoever is behind.
type Status struct {
	View     View     `cbor:"view"`
	Changing bool     `cbor:"changing"` // the view is wanted, not yet entered
	Decided  Sequence `cbor:"decided"`
	Signer   uint16   `cbor:"signer"`
	Sig      []byte   `cbor:"sig"`
}

// statusBody is signed under DomainConsensus.
type statusBody struct {
	Kind     string   `cbor:"kind"` // "status"
	Chain    string   `cbor:"chain"`
	View     View     `cbor:"view"`
	Changing bool     `cbor:"changing"`
	Decided  Sequence `cbor:"decided"`
}

// SignedProposal is the signed part of a pre-prepare.
type SignedProposal struct {
	View     View     `cbor:"view"`
	Sequence Sequence `cbor:"sequence"`
	Cut      Digest   `cbor:"cut"`
	Sig      []byte   `cbor:"sig"`
}

// Evidence proves that a validator signed two things of which an honest one signs at most one: two blocks of a lane at
// one height, or two proposals of a view at one sequence number. Exactly one of the lists has two entries.
type Evidence struct {
	Blocks    []SignedHeader   `cbor:"blocks"`
	Proposals []SignedProposal `cbor:"proposals"`
}

// digestOf is SHA-256 of the canonical encoding. All values here encode; a failure would be a bug of this package and
// gives the zero digest, which no message may carry where it matters.
func digestOf(v any) Digest {
	b, err := wire.Marshal(v)
	if err != nil {
		return Digest{}
	}
	return sha256.Sum256(b)
}

// payloadOf returns the digest and the length of a list of transactions.
func payloadOf(txs [][]byte) (Digest, int) {
	b, err := wire.Marshal(txs)
	if err != nil {
		return Digest{}, 0
	}
	return sha256.Sum256(b), len(b)
}
