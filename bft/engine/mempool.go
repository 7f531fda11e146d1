package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/bft/wal"
)

const (
	// maxPending and maxPendingBytes bound the transactions that wait for a block.
	maxPending      = 1 << 16
	maxPendingBytes = 64 << 20
	// blockTarget is the size at which a block is made though others are not certified yet.
	blockTarget = 256 << 10
	// gatherFor is how long transactions are gathered while a block of ours is not certified; none when idle.
	gatherFor = 4 * time.Millisecond
	// blocksInFlight bounds own blocks made by the passing of gatherFor alone.
	blocksInFlight = 8
	// unexecutedAttachmentsKept is how long an attachment stays that nothing has executed.
	unexecutedAttachmentsKept = 24 * time.Hour
	// maxTransactionAttachments bounds what one transaction may name.
	maxTransactionAttachments = 8
	// blockAttachments bounds the bytes of attachments that one block may name: twelve proofs of the usual size, two of the
	// largest. Blocks of a lane that wait for votes are few, so no lane alone fills the store of attachments.
	blockAttachments = 8 << 20
)

// Errors of Submit that callers tell apart.
var (
	// ErrFull says that too many transactions wait already.
	ErrFull = errors.New("the mempool is full: try again in a second, or another node")
	// ErrRefused says that the transaction is not acceptable, and trying again will not help.
	ErrRefused = errors.New("transaction refused")
	// ErrFollower says that this node is no validator.
	ErrFollower = errors.New("this node is not a validator: submit to one")
	// ErrStopped says that the engine has halted or was closed.
	ErrStopped = errors.New("this replica has stopped: submit to another node")
)

// pendingTx is a transaction on its way into a block.
type pendingTx struct {
	tx       []byte
	attached int // bytes of the attachments that it names
	at       time.Time
	done     chan struct{} // closed when it is durable in a block
}

// mempool holds transactions until a block takes them. The same bytes are taken once while they wait and for a while
// after.
type mempool struct {
	mu       sync.Mutex
	queue    []*pendingTx
	bytes    int
	new, old map[[32]byte]*pendingTx // two generations
}

func (m *mempool) add(tx []byte, attached int, now time.Time) (*pendingTx, error) {
	key := sha256.Sum256(tx)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, g := range []map[[32]byte]*pendingTx{m.new, m.old} {
		if p := g[key]; p != nil {
			return p, nil
		}
	}
	if len(m.queue) >= maxPending || m.bytes+len(tx) > maxPendingBytes {
		return nil, ErrFull
	}
	p := &pendingTx{tx: tx, attached: attached, at: now, done: make(chan struct{})}
	if m.new == nil || len(m.new) >= maxPending {
		m.old, m.new = m.new, map[[32]byte]*pendingTx{}
	}
	m.new[key] = p
	m.queue = append(m.queue, p)
	m.bytes += len(tx)
	return p, nil
}

// due says whether a block should be made, and if not yet, how long to wait.
func (m *mempool) due(uncertified int, now time.Time) (bool, time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.queue) == 0 {
		return false, 0
	}
	if uncertified == 0 || m.bytes >= blockTarget {
		return true, 0
	}
	age := now.Sub(m.queue[0].at)
	if age >= gatherFor && uncertified < blocksInFlight {
		return true, 0
	}
	return false, max(gatherFor-age, time.Millisecond)
}

// take removes the transactions of the next block: at least one, up to the target size and the bound on attachments.
func (m *mempool) take() []*pendingTx {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, size, attached := 0, 0, 0
	for n < len(m.queue) && n < bft.MaxBlockTransactions {
		s := len(m.queue[n].tx) + 8 // its framing
		if n > 0 && (size+s > blockTarget || attached+m.queue[n].attached > blockAttachments) {
			break
		}
		size += s
		attached += m.queue[n].attached
		n++
	}
	out := append([]*pendingTx(nil), m.queue[:n]...)
	m.queue = append(m.queue[:0], m.queue[n:]...)
	for _, p := range out {
		m.bytes -= len(p.tx)
	}
	return out
}

func (m *mempool) size() (int, int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.queue), m.bytes
}

// Submit hands in a transaction with the attachments it names, by id. When it returns nil, the transaction is in a block
// on this replica's disk and will be ordered; what became of it, the application tells. An error that is ErrFull, or that
// of the context, leaves open whether it will be.
func (e *Engine) Submit(ctx context.Context, tx []byte, attachments map[bft.Digest][]byte) error {
	if e.coreCfg.Self < 0 {
		return ErrFollower
	}
	if len(tx) == 0 || len(tx) > bft.MaxTransactionBytes {
		return fmt.Errorf("%w: %d bytes, 1 to %d are allowed", ErrRefused, len(tx), bft.MaxTransactionBytes)
	}
	if err := e.cfg.Application.CheckTx(tx); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	attached, err := e.takeAttachments(tx, attachments)
	if err != nil {
		return err
	}
	p, err := e.pool.add(tx, attached, e.cfg.Now())
	if err != nil {
		return err
	}
	select {
	case e.kick <- struct{}{}:
	default:
	}
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the transaction waits for a block, which the ledger has no room for yet: %w", ctx.Err())
	case <-e.stopped:
		return ErrStopped
	}
}

// named lists what a transaction names, and how many bytes it is together, or says what no block may hold.
func (e *Engine) named(tx []byte) (list []bft.Attachment, size int, err error) {
	list = e.cfg.Application.Attachments(tx)
	if len(list) > maxTransactionAttachments {
		return nil, 0, fmt.Errorf("it names %d attachments, at most %d are allowed", len(list), maxTransactionAttachments)
	}
	for _, a := range list {
		if a.Length > wal.MaxAttachmentBytes {
			return nil, 0, fmt.Errorf("an attachment of %d bytes, at most %d are allowed", a.Length, wal.MaxAttachmentBytes)
		}
		size += int(a.Length)
	}
	if size > blockAttachments {
		return nil, 0, fmt.Errorf("attachments of %d bytes, at most %d are allowed", size, blockAttachments)
	}
	return list, size, nil
}

// takeAttachments stores what a transaction names and returns how many bytes that is.
func (e *Engine) takeAttachments(tx []byte, given map[bft.Digest][]byte) (int, error) {
	named, size, err := e.named(tx)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	for _, a := range named {
		if e.holdAttachment(a) {
			continue
		}
		data, ok := given[a.ID]
		if !ok {
			return 0, fmt.Errorf("%w: it names attachment %x, which did not come with it", ErrRefused, a.ID[:8])
		}
		if len(data) != int(a.Length) || sha256.Sum256(data) != a.ID {
			return 0, fmt.Errorf("%w: attachment %x is not what the transaction names", ErrRefused, a.ID[:8])
		}
		if err := e.putAttachment(data); err != nil {
			return 0, err
		}
	}
	return size, nil
}

func (e *Engine) putAttachment(data []byte) error {
	err := e.ledger.PutAttachment(data, e.cfg.Now().Add(unexecutedAttachmentsKept))
	switch {
	case errors.Is(err, wal.ErrStore):
		e.fail(err)
	case errors.Is(err, wal.ErrAttachmentsFull):
		e.crowded.Store(true)
	}
	return err
}

// holdAttachment says whether an attachment is held already, and keeps it for the block that is to name it.
func (e *Engine) holdAttachment(a bft.Attachment) bool {
	return e.ledger.HoldAttachment(a, e.cfg.Now().Add(unexecutedAttachmentsKept))
}
