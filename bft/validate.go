package bft

import (
	"fmt"
	"math"

	"github.com/seed06907907/fatty/internal/wire"
)

// Verified is a message whose form, membership and signatures a Committee has checked. Only Validate makes one, so that
// a Core cannot be stepped with anything else.
type Verified struct {
	m     Message
	frame []byte
	id    Digest // of a block
}

// Message returns the message; it must not be changed.
func (v Verified) Message() Message { return v.m }

// Frame returns the bytes that were checked.
func (v Verified) Frame() []byte { return v.frame }

// Validate decodes a frame and checks everything that can be checked without the state of a replica: bounds, canonical
// form, membership of each signer, each signature, each quorum. It is pure; gossip calls it before it relays.
func (c *Committee) Validate(frame []byte) (Verified, error) {
	m, err := Decode(frame)
	if err != nil {
		return Verified{}, err
	}
	v := Verified{m: m, frame: frame}
	if err := c.verify(m, &v); err != nil {
		return Verified{}, fmt.Errorf("%w: %s: %w", ErrFrame, m.kind(), err)
	}
	return v, nil
}

var (
	errSignature = fmt.Errorf("a signature does not verify")
	errMember    = fmt.Errorf("it names a validator that is not in the committee")
	errQuorum    = fmt.Errorf("too few signatures")
)

func (c *Committee) verify(m Message, v *Verified) error {
	switch m := m.(type) {
	case *Block:
		if err := c.verifyHeader(m.SignedHeader); err != nil {
			return err
		}
		h := m.SignedHeader.Header
		if len(m.Transactions) != int(h.Count) {
			return fmt.Errorf("%d transactions, the header says %d", len(m.Transactions), h.Count)
		}
		for _, tx := range m.Transactions {
			if len(tx) == 0 || len(tx) > MaxTransactionBytes {
				return fmt.Errorf("a transaction of %d bytes: 1 to %d are allowed", len(tx), MaxTransactionBytes)
			}
		}
		if d, n := payloadOf(m.Transactions); d != h.Payload || n != int(h.Size) {
			return fmt.Errorf("the transactions are not those of the header")
		}
		v.id = m.ID()
		return nil
	case *Vote:
		if int(m.Worker) >= c.Size() || m.Height == 0 {
			return errMember
		}
		return c.one(int(m.Signer), wire.DomainVote, voteBody{c.chain, m.Worker, m.Height, m.Block}, m.Sig)
	case *Certificate:
		return c.verifyCertificate(m)
	case *PrePrepare:
		return c.verifyPrePrepare(m)
	case *Ballot:
		if m.Phase != PhasePrepare && m.Phase != PhaseCommit || m.Sequence == 0 {
			return fmt.Errorf("phase %d, sequence %d", m.Phase, m.Sequence)
		}
		return c.one(int(m.Signer), wire.DomainConsensus, c.ballotBody(m.Phase, m.View, m.Sequence, m.Time, m.Cut), m.Sig)
	case *ViewChange:
		return c.verifyViewChange(m)
	case *NewView:
		return c.verifyNewView(m)
	case *StateVote:
		if m.Sequence == 0 {
			return fmt.Errorf("the genesis state is not voted on")
		}
		return c.one(int(m.Signer), wire.DomainState, stateBody{c.chain, m.Sequence, m.Time, m.Root}, m.Sig)
	case *StateCertificate:
		return c.verifyState(m)
	case *Decision:
		if err := c.verifyCut(&m.Cut); err != nil {
			return err
		}
		if m.Commit.Sequence != m.Cut.Sequence || m.Commit.Time != m.Cut.Time || m.Commit.Cut != m.Cut.Digest() {
			return fmt.Errorf("the certificate is of another cut")
		}
		return c.verifyBallots(&m.Commit, PhaseCommit)
	case *Status:
		return c.one(int(m.Signer), wire.DomainConsensus, statusBody{"status", c.chain, m.View, m.Changing, m.Decided}, m.Sig)
	case *Evidence:
		return c.verifyEvidence(m)
	}
	return fmt.Errorf("no rule for it")
}

func (c *Committee) one(signer int, d wire.Domain, body any, sig []byte) error {
	if signer >= c.Size() {
		return errMember
	}
	if len(sig) != signatureSize || !c.signed(signer, d, body, sig) {
		return errSignature
	}
	return nil
}

// set checks that at least need validators signed body. Shape comes before any signature is computed.
func (c *Committee) set(s SignatureSet, need int, d wire.Domain, body any) error {
	if len(s.Signers) != (c.Size()+7)/8 {
		return fmt.Errorf("a bitmap of %d bytes for %d validators", len(s.Signers), c.Size())
	}
	idx := s.Indices()
	if len(idx) > 0 && idx[len(idx)-1] >= c.Size() {
		return errMember
	}
	if len(idx) < need {
		return fmt.Errorf("%w: %d of %d", errQuorum, len(idx), need)
	}
	if len(s.Signatures) != len(idx)*signatureSize {
		return fmt.Errorf("%d bytes of signatures for %d signers", len(s.Signatures), len(idx))
	}
	b, err := wire.Marshal(body)
	if err != nil {
		return err
	}
	for k, i := range idx {
		if !c.check.Check(c.members[i].ID, d, b, s.Signatures[k*signatureSize:(k+1)*signatureSize]) {
			return errSignature
		}
	}
	return nil
}

func (c *Committee) ballotBody(p Phase, v View, s Sequence, t LedgerTime, cut Digest) ballotBody {
	return ballotBody{p.String(), c.chain, v, s, t, cut}
}

func (c *Committee) verifyHeader(h SignedHeader) error {
	x := h.Header
	switch {
	case x.Chain != c.chain:
		return fmt.Errorf("chain %.64q, this is %q", x.Chain, c.chain)
	case int(x.Worker) >= c.Size():
		return errMember
	case x.Height == 0 || (x.Height == 1) != (x.Prev == Digest{}):
		return fmt.Errorf("height %d does not fit its predecessor", x.Height)
	case x.Count == 0 || x.Count > MaxBlockTransactions || x.Size > MaxBlockBytes:
		return fmt.Errorf("%d transactions of %d bytes: 1 to %d of at most %d are allowed", x.Count, x.Size, MaxBlockTransactions, MaxBlockBytes)
	}
	return c.one(int(x.Worker), wire.DomainBlock, x, h.Sig)
}

func (c *Committee) verifyCertificate(m *Certificate) error {
	if int(m.Worker) >= c.Size() || m.Height == 0 {
		return errMember
	}
	return c.set(m.Set, c.Available(), wire.DomainVote, voteBody{c.chain, m.Worker, m.Height, m.Block})
}

func (c *Committee) verifyCut(cut *Cut) error {
	if cut.Chain != c.chain {
		return fmt.Errorf("chain %.64q, this is %q", cut.Chain, c.chain)
	}
	if cut.Sequence == 0 || (cut.Sequence == 1) != (cut.Prev == Digest{}) || cut.Time < 0 || cut.Time == math.MaxInt64 {
		return fmt.Errorf("sequence %d, time %d do not fit", cut.Sequence, cut.Time)
	}
	if len(cut.Tips) > c.Size() {
		return errMember
	}
	for i, t := range cut.Tips {
		if int(t.Worker) >= c.Size() || t.Height == 0 || i > 0 && cut.Tips[i-1].Worker >= t.Worker {
			return fmt.Errorf("its tips are not those of workers in ascending order")
		}
	}
	return nil
}

func (c *Committee) verifyPrePrepare(m *PrePrepare) error {
	if err := c.verifyCut(&m.Cut); err != nil {
		return err
	}
	if len(m.Certificates) != len(m.Cut.Tips) {
		return fmt.Errorf("%d certificates for %d tips", len(m.Certificates), len(m.Cut.Tips))
	}
	for i, t := range m.Cut.Tips {
		if k := m.Certificates[i]; (Tip{k.Worker, k.Height, k.Block}) != t {
			return fmt.Errorf("certificate %d is not of its tip", i)
		}
	}
	body := proposalBody{"pre-prepare", c.chain, m.View, m.Cut.Sequence, m.Cut.Digest()}
	if err := c.one(c.Leader(m.View), wire.DomainConsensus, body, m.Sig); err != nil {
		return err
	}
	for i := range m.Certificates {
		if err := c.verifyCertificate(&m.Certificates[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *Committee) verifyBallots(b *BallotCertificate, p Phase) error {
	if b.Sequence == 0 {
		return fmt.Errorf("a certificate for genesis")
	}
	return c.set(b.Set, c.Quorum(), wire.DomainConsensus, c.ballotBody(p, b.View, b.Sequence, b.Time, b.Cut))
}

func (c *Committee) verifyViewChange(m *ViewChange) error {
	if err := c.shapeViewChange(m); err != nil {
		return err
	}
	body := viewChangeBody{"view-change", c.chain, m.View, m.Decided, m.Prepared}
	if err := c.one(int(m.Signer), wire.DomainConsensus, body, m.Sig); err != nil {
		return err
	}
	if m.Decided != nil {
		if err := c.verifyBallots(m.Decided, PhaseCommit); err != nil {
			return err
		}
	}
	for i := range m.Prepared {
		if err := c.verifyBallots(&m.Prepared[i].Certificate, PhasePrepare); err != nil {
			return err
		}
	}
	return nil
}

// shapeViewChange checks what needs no signature. Views are bounded so that the next one always exists.
func (c *Committee) shapeViewChange(m *ViewChange) error {
	if m.View == 0 || m.View > maxView {
		return fmt.Errorf("view %d cannot be changed to", m.View)
	}
	if len(m.Prepared) > Window {
		return fmt.Errorf("%d prepared cuts in a window of %d", len(m.Prepared), Window)
	}
	var after Sequence
	if m.Decided != nil {
		after = m.Decided.Sequence
	}
	for i := range m.Prepared {
		p := &m.Prepared[i]
		if err := c.verifyCut(&p.Cut); err != nil {
			return err
		}
		k := &p.Certificate
		if p.Cut.Sequence != after+1+Sequence(i) || k.View >= m.View {
			return fmt.Errorf("it prepared sequence %d of view %d after %d", p.Cut.Sequence, k.View, after)
		}
		if k.Sequence != p.Cut.Sequence || k.Time != p.Cut.Time || k.Cut != p.Cut.Digest() {
			return fmt.Errorf("a prepared certificate is of another cut")
		}
	}
	return nil
}

// maxView is the highest view that a message may name.
const maxView View = 1 << 62

func (c *Committee) verifyNewView(m *NewView) error {
	if m.View == 0 || m.View > maxView {
		return fmt.Errorf("view %d needs none", m.View)
	}
	if len(m.Changes) < c.Quorum() || len(m.Changes) > c.Size() {
		return fmt.Errorf("%w: %d view changes", errQuorum, len(m.Changes))
	}
	for i := range m.Changes {
		if m.Changes[i].View != m.View || i > 0 && m.Changes[i-1].Signer >= m.Changes[i].Signer {
			return fmt.Errorf("its view changes are not to this view, one of each signer, in order")
		}
	}
	body := newViewBody{"new-view", c.chain, m.View, digestOf(m.Changes)}
	if err := c.one(c.Leader(m.View), wire.DomainConsensus, body, m.Sig); err != nil {
		return err
	}
	for i := range m.Changes {
		if err := c.verifyViewChange(&m.Changes[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *Committee) verifyState(m *StateCertificate) error {
	if m.Sequence == 0 || !m.Root.Defined() {
		return fmt.Errorf("sequence %d, root %q", m.Sequence, m.Root)
	}
	return c.set(m.Set, c.Quorum(), wire.DomainState, stateBody{c.chain, m.Sequence, m.Time, m.Root})
}

// VerifyStateCertificate checks that a quorum of the validators signed the state root. It is all that a light client
// needs of this package; validators and chain come from the genesis file.
func VerifyStateCertificate(validators []Validator, chain string, cert *StateCertificate) error {
	c, err := NewCommittee(chain, validators, Ed25519{})
	if err != nil {
		return err
	}
	if cert == nil {
		return fmt.Errorf("state certificate: there is none")
	}
	if err := c.verifyState(cert); err != nil {
		return fmt.Errorf("state certificate: %w", err)
	}
	return nil
}

func (c *Committee) verifyEvidence(m *Evidence) error {
	switch {
	case len(m.Blocks) == 2 && len(m.Proposals) == 0:
		a, b := m.Blocks[0].Header, m.Blocks[1].Header
		if a.Worker != b.Worker || a.Height != b.Height || a == b {
			return fmt.Errorf("the two blocks do not conflict")
		}
		for _, h := range m.Blocks {
			if err := c.verifyHeader(h); err != nil {
				return err
			}
		}
		return nil
	case len(m.Proposals) == 2 && len(m.Blocks) == 0:
		a, b := m.Proposals[0], m.Proposals[1]
		if a.View != b.View || a.Sequence != b.Sequence || a.Cut == b.Cut {
			return fmt.Errorf("the two proposals do not conflict")
		}
		for _, p := range m.Proposals {
			body := proposalBody{"pre-prepare", c.chain, p.View, p.Sequence, p.Cut}
			if err := c.one(c.Leader(p.View), wire.DomainConsensus, body, p.Sig); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("it must hold two blocks or two proposals")
}
