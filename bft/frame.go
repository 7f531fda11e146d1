package bft

import (
	"errors"
	"fmt"

	"github.com/seed06907907/fatty/internal/wire"
)

// Kind is the first byte of a frame. Numbers are never reused with another meaning.
type Kind byte

// The kinds of frames.
const (
	KindBlock            Kind = 1
	KindVote             Kind = 2
	KindCertificate      Kind = 3
	KindPrePrepare       Kind = 4
	KindBallot           Kind = 5
	KindViewChange       Kind = 6
	KindNewView          Kind = 7
	KindStateVote        Kind = 8
	KindStateCertificate Kind = 9
	KindDecision         Kind = 10
	KindStatus           Kind = 11
	KindEvidence         Kind = 12
)

// kinds gives each kind its name and the most bytes that its frame may have. The bounds follow from MaxValidators: a
// certificate of a hundred signatures is below 7 KiB, a cut below 8 KiB.
var kinds = map[Kind]struct {
	name string
	max  int
}{
	KindBlock:            {"block", MaxBlockBytes + 1<<10},
	KindVote:             {"vote", 1 << 10},
	KindCertificate:      {"certificate", 8 << 10},
	KindPrePrepare:       {"pre-prepare", 512 << 10}, // a cut and f+1 signatures for each of 100 lanes
	KindBallot:           {"ballot", 1 << 10},
	KindViewChange:       {"view-change", 64 << 10},
	KindNewView:          {"new-view", 4 << 20}, // a quorum of view changes
	KindStateVote:        {"state vote", 1 << 10},
	KindStateCertificate: {"state certificate", 8 << 10},
	KindDecision:         {"decision", 32 << 10},
	KindStatus:           {"status", 1 << 10},
	KindEvidence:         {"evidence", 4 << 10},
}

// MaxFrameBytes is the length of the longest frame of any kind.
const MaxFrameBytes = 4 << 20

// String names the kind.
func (k Kind) String() string {
	if e, ok := kinds[k]; ok {
		return e.name
	}
	return fmt.Sprintf("kind %d", byte(k))
}

// ErrFrame is wrapped by every refusal of a frame: malformed, oversized, from outside the committee, badly signed.
var ErrFrame = errors.New("frame refused")

// Message is one of the message types of this package, as a pointer.
type Message interface{ kind() Kind }

func (*Block) kind() Kind            { return KindBlock }
func (*Vote) kind() Kind             { return KindVote }
func (*Certificate) kind() Kind      { return KindCertificate }
func (*PrePrepare) kind() Kind       { return KindPrePrepare }
func (*Ballot) kind() Kind           { return KindBallot }
func (*ViewChange) kind() Kind       { return KindViewChange }
func (*NewView) kind() Kind          { return KindNewView }
func (*StateVote) kind() Kind        { return KindStateVote }
func (*StateCertificate) kind() Kind { return KindStateCertificate }
func (*Decision) kind() Kind         { return KindDecision }
func (*Status) kind() Kind           { return KindStatus }
func (*Evidence) kind() Kind         { return KindEvidence }

// Frame encodes a message: its kind, then its canonical DAG-CBOR.
func Frame(m Message) ([]byte, error) {
	b, err := wire.Marshal(m)
	if err != nil {
		return nil, err
	}
	return append([]byte{byte(m.kind())}, b...), nil
}

// PeekKind returns the kind of a frame without decoding it, 0 when it is empty.
func PeekKind(frame []byte) Kind {
	if len(frame) == 0 {
		return 0
	}
	return Kind(frame[0])
}

// Decode reads a frame strictly and checks its shape, not its signatures: that needs a Committee.
func Decode(frame []byte) (Message, error) {
	k := PeekKind(frame)
	e, ok := kinds[k]
	if !ok {
		return nil, fmt.Errorf("%w: unknown %s", ErrFrame, k)
	}
	if len(frame) > e.max {
		return nil, fmt.Errorf("%w: %s of %d bytes, at most %d are allowed", ErrFrame, k, len(frame), e.max)
	}
	m := newMessage(k)
	if err := wire.Unmarshal(frame[1:], m); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFrame, k, err)
	}
	return m, nil
}

func newMessage(k Kind) Message {
	switch k {
	case KindBlock:
		return new(Block)
	case KindVote:
		return new(Vote)
	case KindCertificate:
		return new(Certificate)
	case KindPrePrepare:
		return new(PrePrepare)
	case KindBallot:
		return new(Ballot)
	case KindViewChange:
		return new(ViewChange)
	case KindNewView:
		return new(NewView)
	case KindStateVote:
		return new(StateVote)
	case KindStateCertificate:
		return new(StateCertificate)
	case KindDecision:
		return new(Decision)
	case KindStatus:
		return new(Status)
	default:
		return new(Evidence)
	}
}
