package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/bft/wal"
	"github.com/seed06907907/fatty/internal/wire"
)

// Decided is a cut as execution sees it.
type Decided struct {
	Sequence     bft.Sequence
	Time         bft.LedgerTime // of this cut
	Prev         bft.LedgerTime // of the one before; 0 at sequence 1
	Transactions [][]byte       // in order; must not be changed
	Decision     bft.Decision   // the cut and its commit certificate
	// Attachment returns the bytes of an attachment that a transaction here names; all are held.
	Attachment func(id bft.Digest) ([]byte, error)
}

// Executed is what execution says of the state it reached.
type Executed struct {
	StateRoot   wire.CID // signed by the replicas
	TicksNeeded bool     // something waits for time to pass: empty cuts keep coming
}

// Application is the replicated state machine. CheckTx and Attachments are called from many goroutines at once.
type Application interface {
	// CheckTx is asked before a transaction enters a block, and before this replica votes for a block with it. It must
	// be cheap, and agree among honest replicas but for a little: form, signature, known account.
	CheckTx(tx []byte) error
	// Attachments lists what a transaction names by id and length. Replicas vote for its block only when they hold
	// them all.
	Attachments(tx []byte) []bft.Attachment
	// Execute applies a decided cut. It is called in the order of sequence numbers, exactly once for each after the one
	// that Executed reports when the engine opens, and the result is durable when it returns. An error halts the replica.
	Execute(ctx context.Context, cut Decided) (Executed, error)
	// Executed returns the last sequence executed, 0 at genesis, and what its execution gave.
	Executed() (bft.Sequence, Executed)
	// Record returns what executing a cut took from its attachments, for a replica that comes when they are gone; nothing
	// for a cut that is not executed here. transactions are the cut's.
	Record(seq bft.Sequence, transactions [][]byte) ([]byte, error)
	// Replay is Execute with a record in place of the attachments. The record is another node's word, so the cut counts
	// as executed only if it leads to root, which a quorum signed; else Replay returns an error and nothing has changed.
	Replay(ctx context.Context, cut Decided, record []byte, root wire.CID) (Executed, error)
}

// Transport carries frames and requests. No call but Request may block.
type Transport interface {
	// Broadcast sends a frame to all validators and followers, best effort.
	Broadcast(topic string, frame []byte)
	// Send sends a frame to one validator, best effort.
	Send(to bft.ValidatorID, frame []byte)
	// Request asks one validator and returns its answer, of at most maxResponse bytes.
	Request(ctx context.Context, to bft.ValidatorID, req []byte, maxResponse int) ([]byte, error)
}

// The topics that frames are broadcast on.
const (
	TopicBlocks       = "blocks"       // blocks: the large ones
	TopicConsensus    = "consensus"    // pre-prepares, ballots, view changes, new views, votes, status
	TopicCertificates = "certificates" // availability certificates and evidence
	TopicState        = "state"        // state votes and certificates, and decisions
)

// Topics lists all topics and the most bytes of a frame on each.
func Topics() map[string]int {
	return map[string]int{TopicBlocks: bft.MaxBlockBytes + 1<<10, TopicConsensus: bft.MaxFrameBytes,
		TopicCertificates: 16 << 10, TopicState: 32 << 10}
}

// TopicOf returns the topic of a kind of frame, "" for an unknown kind.
func TopicOf(k bft.Kind) string {
	switch k {
	case bft.KindBlock:
		return TopicBlocks
	case bft.KindPrePrepare, bft.KindBallot, bft.KindViewChange, bft.KindNewView, bft.KindVote, bft.KindStatus:
		return TopicConsensus
	case bft.KindCertificate, bft.KindEvidence:
		return TopicCertificates
	case bft.KindStateVote, bft.KindStateCertificate, bft.KindDecision:
		return TopicState
	}
	return ""
}

// Verdict is what gossip should do with a frame.
type Verdict int

// The verdicts, in the meaning of GossipSub.
const (
	Accept Verdict = iota // relay it
	Ignore                // drop it, nobody is to blame
	Reject                // drop it, and hold it against whoever sent it
)

// Config is what an Engine is made with. Zero durations take the defaults of bft.DefaultConfig.
type Config struct {
	Chain      string
	Validators []bft.Validator
	// Key is the validator's key; nil for a node that only follows. A key that is not in Validators follows too.
	Key bft.Key
	// Dir is the folder of the vote log and the ledger store; it must be this process's alone.
	Dir string
	// FS is the file system of the vote log; wal.Disk{} if nil.
	FS          wal.FS
	Application Application
	Transport   Transport

	Ahead, Behind, IdlePeriod, ViewTimeout, StallTimeout, Retransmit time.Duration

	// KeepAttachments is how long attachments stay after a quorum signed the root of the cut that executed them; 1 h if 0.
	KeepAttachments time.Duration
	// Logger gets what a human should know; quiet if nil.
	Logger *slog.Logger
	// Now is the clock; time.Now if nil.
	Now func() time.Time
	// OnStateCertificate, if set, is called for each new state certificate, in no particular order, and must not block.
	OnStateCertificate func(*bft.StateCertificate)
}

func (c *Config) fill() error {
	switch {
	case c.Application == nil:
		return errors.New("engine configuration: no application")
	case c.Transport == nil:
		return errors.New("engine configuration: no transport")
	case c.Dir == "":
		return errors.New("engine configuration: no folder for the vote log and the ledger")
	case c.Key != nil && len(c.Key) != 64:
		return fmt.Errorf("engine configuration: a key of %d bytes, want 64 (Ed25519)", len(c.Key))
	}
	if c.FS == nil {
		c.FS = wal.Disk{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.KeepAttachments == 0 {
		c.KeepAttachments = time.Hour
	}
	return nil
}

func (c *Config) core(com *bft.Committee) bft.Config {
	self, signer := -1, bft.Signer(nil)
	if c.Key != nil {
		if i := com.Index(c.Key.ID()); i >= 0 {
			self, signer = i, c.Key
		}
	}
	out := bft.DefaultConfig(com, self, signer)
	for _, d := range []struct {
		from time.Duration
		to   *time.Duration
	}{{c.Ahead, &out.Ahead}, {c.Behind, &out.Behind}, {c.IdlePeriod, &out.IdlePeriod}, {c.ViewTimeout, &out.ViewTimeout},
		{c.StallTimeout, &out.StallTimeout}, {c.Retransmit, &out.Retransmit}} {
		if d.from != 0 {
			*d.to = d.from
		}
	}
	return out
}
