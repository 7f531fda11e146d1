package lockspace

import (
	"crypto/ed25519"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"github.com/seed06907907/fatty/internal/wire"
)

// Kind names an operation in a transaction.
type Kind string

// The kinds of transaction.
const (
	KindMkdir   Kind = "mkdir"
	KindPut     Kind = "put"
	KindDelete  Kind = "delete"
	KindPublish Kind = "publish"
	KindMachine Kind = "machine"
	KindAcquire Kind = "acquire"
	KindRenew   Kind = "renew"
	KindRelease Kind = "release"
	KindSend    Kind = "send"
	KindGrant   Kind = "grant"
)

// Op is an operation: one of the structs of operations.go.
type Op interface {
	kind() Kind
	// check refuses what no state could make right. It runs before anything of the state is read.
	check() error
	// run executes it. What it changed is undone when it returns an error.
	run(x *execution) error
}

// Header is what a transaction says beside its operation.
type Header struct {
	Chain  string // the ledger that it is for
	Nonce  uint64 // above 0, each used once; see NonceWindow
	Expiry Time   // ledger time after which it does nothing
}

// body is what is signed: its canonical encoding is the envelope's first field.
type body struct {
	Chain  string          `cbor:"chain"`
	Signer AccountID       `cbor:"signer"`
	Nonce  uint64          `cbor:"nonce"`
	Expiry Time            `cbor:"expiry"`
	Kind   Kind            `cbor:"kind"`
	Op     cbor.RawMessage `cbor:"op"`
}

// envelope is a transaction as it travels.
type envelope struct {
	Body      []byte `cbor:"body"`
	Signature []byte `cbor:"sig"`
}

// Signed is a decoded transaction. Its signature is checked once, when CheckSignature is called or on execution.
type Signed struct {
	Header
	ID     wire.CID // content id of the whole transaction, by which receipts are found
	Signer AccountID
	Kind   Kind
	Op     Op

	raw     envelope
	size    int
	checked bool
}

// Sign returns the encoded transaction of an operation, or why no ledger would take it.
func Sign(key ed25519.PrivateKey, h Header, op Op) ([]byte, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("sign a transaction: a private key of %d bytes, want %d", len(key), ed25519.PrivateKeySize)
	}
	if err := op.check(); err != nil {
		return nil, err
	}
	raw, err := wire.Marshal(op)
	if err != nil {
		return nil, err
	}
	b := body{Chain: h.Chain, Signer: AccountID(key.Public().(ed25519.PublicKey)), Nonce: h.Nonce, Expiry: h.Expiry, Kind: op.kind(), Op: raw}
	if err := b.check(); err != nil {
		return nil, err
	}
	inner, err := wire.Marshal(b)
	if err != nil {
		return nil, err
	}
	tx, err := wire.Marshal(envelope{Body: inner, Signature: wire.Sign(key, wire.DomainTransaction, inner)})
	if err == nil && len(tx) > MaxTransaction {
		err = refuse(CodeInvalid, "transaction of %d bytes: at most %d", len(tx), MaxTransaction)
	}
	return tx, err
}

func (b *body) check() error {
	switch {
	case b.Chain == "" || len(b.Chain) > MaxChain:
		return refuse(CodeMalformed, "transaction: chain id of %d bytes: want 1 to %d", len(b.Chain), MaxChain)
	case b.Nonce == 0:
		return refuse(CodeMalformed, "transaction: nonce 0: they begin at 1")
	case b.Expiry < 0:
		return refuse(CodeMalformed, "transaction: expiry %d: want nanoseconds since the Unix epoch", b.Expiry)
	}
	return nil
}

// Decode reads a transaction strictly. It does not check the signature, nor anything that depends on a state.
func Decode(tx []byte) (*Signed, error) {
	if len(tx) > MaxTransaction {
		return nil, refuse(CodeMalformed, "transaction of %d bytes: at most %d", len(tx), MaxTransaction)
	}
	s := &Signed{ID: wire.Sum(tx), size: len(tx)}
	var b body
	if err := wire.Unmarshal(tx, &s.raw); err != nil {
		return nil, refuse(CodeMalformed, "transaction: %v", err)
	}
	if len(s.raw.Signature) != ed25519.SignatureSize {
		return nil, refuse(CodeMalformed, "transaction: a signature of %d bytes, want %d", len(s.raw.Signature), ed25519.SignatureSize)
	}
	if err := wire.Unmarshal(s.raw.Body, &b); err != nil {
		return nil, refuse(CodeMalformed, "transaction: %v", err)
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	op, err := decodeOp(b.Kind, b.Op)
	if err != nil {
		return nil, err
	}
	s.Header = Header{Chain: b.Chain, Nonce: b.Nonce, Expiry: b.Expiry}
	s.Signer, s.Kind, s.Op = b.Signer, b.Kind, op
	return s, nil
}

func decodeOp(kind Kind, raw []byte) (Op, error) {
	var op Op
	switch kind {
	case KindMkdir:
		op = new(Mkdir)
	case KindPut:
		op = new(Put)
	case KindDelete:
		op = new(Delete)
	case KindPublish:
		op = new(Publish)
	case KindMachine:
		op = new(CreateMachine)
	case KindAcquire:
		op = new(Acquire)
	case KindRenew:
		op = new(Renew)
	case KindRelease:
		op = new(Release)
	case KindSend:
		op = new(Send)
	case KindGrant:
		op = new(Grant)
	default:
		return nil, refuse(CodeMalformed, "transaction: kind %.20q is unknown; a newer node may know it", kind)
	}
	if err := wire.Unmarshal(raw, op); err != nil {
		return nil, refuse(CodeMalformed, "transaction: %v", err)
	}
	if err := op.check(); err != nil {
		return nil, err
	}
	return op, nil
}

// CheckSignature checks the signer's signature and remembers that it is good. Not for two goroutines at once.
func (s *Signed) CheckSignature() error {
	if !s.checked && !wire.Verify(s.Signer[:], wire.DomainTransaction, s.raw.Body, s.raw.Signature) {
		return refuse(CodeSignature, "transaction %s is not signed by %s", s.ID, s.Signer)
	}
	s.checked = true
	return nil
}

// Attachments returns the proofs that the transaction names: none, one, or that and a whole-life span.
func (s *Signed) Attachments() []Proof {
	var t tick
	switch op := s.Op.(type) {
	case *Acquire:
		t = op.tick()
	case *Renew:
		t = op.tick()
	}
	switch {
	case t.proof == nil:
		return nil
	case t.whole == nil:
		return []Proof{*t.proof}
	}
	return []Proof{*t.proof, *t.whole}
}
