package engine

import (
	"errors"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/bft/wal"
)

// ErrNotFound is returned for what this node does not hold.
var ErrNotFound = wal.ErrNotFound

// Status is where this replica stands.
type Status struct {
	bft.Progress
	Validator    bool         // votes; false for a follower
	Lag          bft.Sequence // cuts that others decided and this node has not executed
	Pending      int          // transactions that wait for a block
	PendingBytes int
	Refused      uint64 // frames refused since the start
	Dropped      uint64 // messages dropped because too many waited
	Fetched      uint64 // requests answered to this node
	Syncs        uint64 // fsyncs of the vote log
	Evidence     int    // lies of validators proven since the start
	Failure      error  // why the replica halted
}

// Status returns where this replica stands.
func (e *Engine) Status() Status {
	n, bytes := e.pool.size()
	e.mu.Lock()
	defer e.mu.Unlock()
	s := Status{Progress: e.progress, Validator: e.coreCfg.Self >= 0, Pending: n, PendingBytes: bytes,
		Refused: e.counts.refused.Load(), Dropped: e.counts.dropped.Load(), Fetched: e.counts.fetched.Load(),
		Syncs: e.counts.syncs.Load(), Evidence: len(e.evidence), Failure: e.failure}
	if s.Highest > s.Executed {
		s.Lag = s.Highest - s.Executed
	}
	return s
}

// Evidence returns the lies of validators proven since the start.
func (e *Engine) Evidence() []*bft.Evidence {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]*bft.Evidence(nil), e.evidence...)
}

// Head returns the last decided cut.
func (e *Engine) Head() bft.Head {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.progress.Head
}

// Cut returns a stored cut with its commit certificate.
func (e *Engine) Cut(seq bft.Sequence) (*bft.Decision, error) { return e.ledger.Decision(seq) }

// CutBlocks returns the ids of the blocks of a cut, in their order of execution.
func (e *Engine) CutBlocks(seq bft.Sequence) ([]bft.Digest, error) { return e.ledger.BlockIDs(seq) }

// Block returns a committed block.
func (e *Engine) Block(id bft.Digest) (*bft.Block, error) { return e.ledger.Block(id) }

// blockFrame returns the frame of a committed block, or of one that the loop holds.
func (e *Engine) blockFrame(id bft.Digest) ([]byte, error) {
	f, err := e.ledger.BlockFrame(id)
	if !errors.Is(err, wal.ErrNotFound) {
		return f, err
	}
	answer := make(chan *bft.Block, 1)
	select {
	case e.lookups <- lookup{id, answer}:
	case <-e.ctx.Done():
		return nil, ErrStopped
	}
	select {
	case b := <-answer:
		if b == nil {
			return nil, wal.ErrNotFound
		}
		return bft.Frame(b)
	case <-e.ctx.Done():
		return nil, ErrStopped
	}
}

// StateCertificate returns the certificate of the state after a sequence number.
func (e *Engine) StateCertificate(seq bft.Sequence) (*bft.StateCertificate, error) {
	return e.ledger.StateCertificate(seq)
}

// LastStateCertificate returns the newest state certificate.
func (e *Engine) LastStateCertificate() (*bft.StateCertificate, error) {
	return e.ledger.LastStateCertificate()
}

// Validators returns the committee in canonical order: the position is the index in messages.
func (e *Engine) Validators() []bft.Validator { return e.com.Validators() }

// Chain returns the chain id.
func (e *Engine) Chain() string { return e.com.Chain() }
