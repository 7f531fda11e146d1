package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/internal/wire"
)

const (
	// cutsTogether bounds how many cuts go to the ledger store with one fsync while catching up.
	cutsTogether = 32
	// attachmentPatience is how long one round of asking for an attachment lasts.
	attachmentPatience = 10 * time.Second
)

// execQueue is what waits for the executor. It is not bounded here: the core stops asking for decisions while many of
// them are not delivered.
type execQueue struct {
	mu     sync.Mutex
	cond   *sync.Cond
	cuts   []bft.Delivery
	certs  []*bft.StateCertificate
	closed bool
}

func (q *execQueue) init() { q.cond = sync.NewCond(&q.mu) }

func (q *execQueue) push(ds []bft.Delivery, certs []*bft.StateCertificate) {
	if len(ds)+len(certs) == 0 {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.cuts = append(q.cuts, ds...)
	q.certs = append(q.certs, certs...)
	q.cond.Signal()
}

func (q *execQueue) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	q.cond.Signal()
}

// pop waits for work. State certificates come with it.
func (q *execQueue) pop() (ds []bft.Delivery, certs []*bft.StateCertificate, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.cuts)+len(q.certs) == 0 && !q.closed {
		q.cond.Wait()
	}
	if q.closed {
		return nil, nil, false
	}
	n := min(len(q.cuts), cutsTogether)
	ds = append(ds, q.cuts[:n]...)
	q.cuts = append(q.cuts[:0], q.cuts[n:]...)
	certs, q.certs = q.certs, nil
	return ds, certs, true
}

// executor stores and executes delivered cuts. The store's fsync runs beside the execution of the same cuts: a crash may
// leave the application ahead of the store, and the vote log, which had the decisions before they were delivered, fills
// the gap.
func (e *Engine) executor() {
	attached := map[bft.Sequence][]bft.Digest{} // attachments of cuts whose state is not certified yet
	if err := e.finishReplay(attached); err != nil {
		if e.ctx.Err() == nil {
			e.fail(err)
		}
		return
	}
	for {
		ds, certs, ok := e.exec.pop()
		if !ok {
			return
		}
		if err := e.executeAll(ds, attached); err != nil {
			if e.ctx.Err() == nil {
				e.fail(err)
			}
			return
		}
		for _, k := range certs {
			if err := e.keepCertificate(k, attached); err != nil {
				e.fail(err)
				return
			}
		}
	}
}

// finishReplay executes what Open left: cuts of the ledger store whose attachments must be asked for.
func (e *Engine) finishReplay(attached map[bft.Sequence][]bft.Digest) error {
	done, _ := e.cfg.Application.Executed()
	head, _ := e.ledger.Head()
	for seq := done + 1; seq <= head.Sequence; seq++ {
		d, err := e.ledger.Delivery(seq)
		if err != nil {
			return fmt.Errorf("execute cut %d again: %w", seq, err)
		}
		r, err := e.executeOne(d, attached)
		if err != nil {
			return err
		}
		e.postWait(event{executed: &r})
	}
	return nil
}

func (e *Engine) executeAll(ds []bft.Delivery, attached map[bft.Sequence][]bft.Digest) error {
	if len(ds) == 0 {
		return nil
	}
	stored := make(chan error, 1)
	go func() { stored <- e.ledger.Append(ds) }()
	results := make([]executed, 0, len(ds))
	var fail error
	for _, d := range ds {
		r, err := e.executeOne(d, attached)
		if err != nil {
			fail = err
			break
		}
		results = append(results, r)
	}
	if err := <-stored; err != nil {
		return err
	}
	for i := range results {
		e.postWait(event{executed: &results[i]})
	}
	return fail
}

func (e *Engine) executeOne(d bft.Delivery, attached map[bft.Sequence][]bft.Digest) (executed, error) {
	seq := d.Decision.Cut.Sequence
	done, last := e.cfg.Application.Executed()
	if seq <= done {
		if seq < done { // executed before a crash; its root is not known any more
			return executed{seq, Executed{TicksNeeded: last.TicksNeeded}}, nil
		}
		return executed{seq, last}, nil
	}
	for {
		r, err := e.executeCut(d, attached)
		switch {
		case err == nil && !r.StateRoot.Defined():
			return executed{}, fmt.Errorf("execute cut %d: the application gave no state root", seq)
		case err == nil:
			return executed{seq, r}, nil
		case e.ctx.Err() != nil || !errors.Is(err, errMissing):
			return executed{}, fmt.Errorf("execute cut %d: %w", seq, err)
		}
		e.log.Warn("what execution needs is with nobody who answers; asking again", "sequence", seq, "error", err)
		if err := e.pause(); err != nil {
			return executed{}, err
		}
	}
}

// errMissing says that neither a cut's attachments nor another replica's record of it were to be had this time.
var errMissing = errors.New("the attachments of a cut are not to be had")

// executeCut executes a cut with its attachments: the votes for its blocks vouch for them. Of a cut that others executed
// long ago they may be gone for good, which only its record and certified root can tell from their being out of reach for a
// while; so where they are not to be had, the record is asked for.
func (e *Engine) executeCut(d bft.Delivery, attached map[bft.Sequence][]bft.Digest) (Executed, error) {
	ids, err := e.needAttachments(d)
	if err == nil {
		attached[d.Decision.Cut.Sequence] = ids
		return e.cfg.Application.Execute(e.ctx, e.decided(d))
	}
	r, e2 := e.replayCut(d)
	if e2 != nil {
		return r, fmt.Errorf("%w: %w; nor can it be replayed: %w", errMissing, err, e2)
	}
	return r, nil
}

// needAttachments gets the attachments of a decided cut.
func (e *Engine) needAttachments(d bft.Delivery) (ids []bft.Digest, err error) {
	for _, b := range d.Blocks {
		for _, tx := range b.Transactions {
			for _, a := range e.cfg.Application.Attachments(tx) {
				if err := e.needAttachment(a, b); err != nil {
					return nil, fmt.Errorf("attachment %s: %w", a.ID, err)
				}
				ids = append(ids, a.ID)
			}
		}
	}
	return ids, nil
}

func (e *Engine) needAttachment(a bft.Attachment, b *bft.Block) error {
	if e.ledger.HasAttachment(a) {
		return nil
	}
	ctx, cancel := context.WithTimeout(e.ctx, attachmentPatience)
	defer cancel()
	return e.fetchAttachment(ctx, a, int(b.SignedHeader.Header.Worker))
}

// pause lets a second pass between two rounds of asking.
func (e *Engine) pause() error {
	select {
	case <-time.After(time.Second):
		return nil
	case <-e.ctx.Done():
		return e.ctx.Err()
	}
}

// replayCut executes a cut without its attachments, by another node's record and the root that a quorum signed.
func (e *Engine) replayCut(d bft.Delivery) (r Executed, err error) {
	seq := d.Decision.Cut.Sequence
	ctx, cancel := context.WithTimeout(e.ctx, attachmentPatience)
	defer cancel()
	root, err := e.certifiedRoot(ctx, seq)
	if err != nil {
		return r, err
	}
	err = e.ask(ctx, e.others(0), request{Kind: requestRecord, First: seq}, MaxResponseBytes, func(answer []byte) (err error) {
		r, err = e.cfg.Application.Replay(e.ctx, e.decided(d), answer, root)
		return err
	})
	return r, err
}

// certifiedRoot returns the state root of a sequence number that a quorum signed, from the store or from others.
func (e *Engine) certifiedRoot(ctx context.Context, seq bft.Sequence) (root wire.CID, err error) {
	if k, err := e.ledger.StateCertificate(seq); err == nil {
		return k.Root, nil
	}
	err = e.ask(ctx, e.others(0), request{Kind: requestRange, First: seq, Last: seq}, MaxResponseBytes, func(answer []byte) error {
		var r rangeAnswer
		if err := wire.Unmarshal(answer, &r); err != nil {
			return err
		}
		if len(r.Cuts) != 1 || len(r.Cuts[0].State) == 0 {
			return errNowhere
		}
		v, err := e.com.Validate(r.Cuts[0].State)
		if err != nil {
			return err
		}
		k, ok := v.Message().(*bft.StateCertificate)
		if !ok || k.Sequence != seq {
			return fmt.Errorf("the answer is not the state certificate asked for")
		}
		root = k.Root
		return nil
	})
	return root, err
}

// record asks the application for what another replica needs to replay a cut.
func (e *Engine) record(seq bft.Sequence) ([]byte, error) {
	ids, err := e.ledger.BlockIDs(seq)
	if err != nil {
		return nil, err
	}
	var txs [][]byte
	for _, id := range ids {
		b, err := e.ledger.Block(id)
		if err != nil {
			return nil, err
		}
		txs = append(txs, b.Transactions...)
	}
	return e.cfg.Application.Record(seq, txs)
}

func (e *Engine) decided(d bft.Delivery) Decided {
	out := Decided{Sequence: d.Decision.Cut.Sequence, Time: d.Decision.Cut.Time, Prev: d.Prev, Decision: d.Decision,
		Attachment: e.ledger.Attachment}
	for _, b := range d.Blocks {
		out.Transactions = append(out.Transactions, b.Transactions...)
	}
	return out
}

// keepCertificate stores a state certificate; from now on the attachments of its cut have their last hour.
func (e *Engine) keepCertificate(k *bft.StateCertificate, attached map[bft.Sequence][]bft.Digest) error {
	if err := e.ledger.PutStateCertificate(k); err != nil {
		return err
	}
	until := e.cfg.Now().Add(e.cfg.KeepAttachments)
	var errs []error
	for _, id := range attached[k.Sequence] {
		errs = append(errs, e.ledger.KeepAttachment(id, until))
	}
	delete(attached, k.Sequence)
	if f := e.cfg.OnStateCertificate; f != nil {
		f(k)
	}
	return errors.Join(errs...)
}
