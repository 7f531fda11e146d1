package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/bft/wal"
)

const (
	// inbox is how many checked messages may wait for the loop; more are dropped, and repeated by their senders.
	inbox = 1 << 13
	// turn is how many messages the loop takes before it writes and sends.
	turn = 512
	// tickEvery is how often the core's clock moves when nothing happens.
	tickEvery = 10 * time.Millisecond
	// rotateBytes is the length at which the vote log is begun anew, unless what must stay is more than half of it.
	rotateBytes = 64 << 20
	// sweepEvery is how often attachments whose time is over are dropped; sweepPause how soon again where there is no room.
	sweepEvery, sweepPause = time.Minute, time.Second
)

// clockBack is how far a clock may go back while a replica runs: the core holds its time until then, and longer than its
// time-outs it must not.
const clockBack = 10 * time.Second

// event is one thing for the loop: a checked message, a block to be stored only, or an executed cut.
type event struct {
	v        bft.Verified
	supply   bool
	executed *executed
}

// lookup asks the loop for a block that is not committed yet.
type lookup struct {
	id     bft.Digest
	answer chan *bft.Block
}

type executed struct {
	seq bft.Sequence
	Executed
}

// Engine is one running replica.
type Engine struct {
	cfg      Config
	com      *bft.Committee
	coreCfg  bft.Config
	core     *bft.Core // of the loop alone
	votes    *wal.Log  // of the loop alone
	rotateAt int64     // length of votes; of the loop alone
	ledger   *wal.Ledger
	log      *slog.Logger
	frames   *frames
	pool     mempool
	events   chan event
	kick     chan struct{}
	lookups  chan lookup
	stopped  chan struct{}
	counts   counters
	wg       sync.WaitGroup

	exec    execQueue
	fetch   fetcher
	running atomic.Bool
	crowded atomic.Bool // an attachment found no room

	mu       sync.Mutex
	failure  error
	progress bft.Progress
	cancel   context.CancelFunc
	ctx      context.Context
	evidence []*bft.Evidence
}

type counters struct {
	refused, dropped, fetched, turns, syncs atomic.Uint64
}

// Open reads the disk, lets the application catch up with the ledger there, and makes the replica ready to Run.
func Open(cfg Config) (*Engine, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	com, err := bft.NewCommittee(cfg.Chain, cfg.Validators, newChecker())
	if err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg, com: com, coreCfg: cfg.core(com), log: cfg.Logger, frames: newFrames(),
		events: make(chan event, inbox), kick: make(chan struct{}, 1), lookups: make(chan lookup), stopped: make(chan struct{})}
	e.rotateAt = rotateBytes
	e.ctx, e.cancel = context.WithCancel(context.Background())
	e.exec.init()
	e.fetch.init(com)
	if err := e.open(); err != nil {
		return nil, errors.Join(err, e.closeDisk())
	}
	return e, nil
}

func (e *Engine) open() (err error) {
	if e.ledger, err = wal.OpenLedger(filepath.Join(e.cfg.Dir, "ledger")); err != nil {
		return err
	}
	log, records, err := wal.Open(e.cfg.FS, filepath.Join(e.cfg.Dir, "votes"))
	if err != nil {
		return err
	}
	e.votes = log
	head, tips := e.ledger.Head()
	if err := e.replay(head.Sequence); err != nil {
		return err
	}
	done, last := e.cfg.Application.Executed()
	base := bft.Base{Head: head, Tips: tips, Executed: done, TicksNeeded: last.TicksNeeded}
	if e.core, err = bft.New(e.coreCfg, base, records); err != nil {
		return err
	}
	if p := e.core.Progress(); done > p.Head.Sequence {
		return fmt.Errorf("the application has executed cut %d, the ledger ends at %d: they are of different homes or the ledger was lost; "+
			"restore both from one copy", done, p.Head.Sequence)
	}
	e.core.Executed(min(done, head.Sequence), last.StateRoot, last.TicksNeeded)
	e.progress = e.core.Progress()
	return nil
}

// replay executes again what the ledger store has and the application has not, up to a cut whose attachments are not here:
// a replica that was stopped while it waited for them must come back to wait on, and only a running one can ask for them.
func (e *Engine) replay(head bft.Sequence) error {
	done, _ := e.cfg.Application.Executed()
	for seq := done + 1; seq <= head; seq++ {
		d, err := e.ledger.Delivery(seq)
		if err != nil {
			return fmt.Errorf("execute cut %d again: %w", seq, err)
		}
		if !e.holdsAttachments(d) {
			return nil
		}
		if _, err := e.cfg.Application.Execute(e.ctx, e.decided(d)); err != nil {
			return fmt.Errorf("execute cut %d again: %w", seq, err)
		}
	}
	return nil
}

func (e *Engine) holdsAttachments(d bft.Delivery) bool {
	for _, b := range d.Blocks {
		for _, tx := range b.Transactions {
			for _, a := range e.cfg.Application.Attachments(tx) {
				if !e.ledger.HasAttachment(a) {
					return false
				}
			}
		}
	}
	return true
}

// Run drives the replica until ctx ends, which gives nil, or until it must halt, which gives the reason: a failed disk,
// an application that cannot execute, a state that a quorum contradicts. The disk is closed when it returns.
func (e *Engine) Run(ctx context.Context) error {
	if e.running.Swap(true) {
		return errors.New("the engine runs already or has been closed")
	}
	stop := context.AfterFunc(ctx, e.cancel)
	defer stop()
	e.wg.Add(1)
	go func() { defer e.wg.Done(); e.executor() }()
	e.loop()
	e.mu.Lock()
	e.cancel() // under the lock of spawn: nothing is added to what is waited for below
	e.mu.Unlock()
	close(e.stopped)
	e.exec.close()
	e.wg.Wait()
	if err := e.closeDisk(); err != nil {
		e.fail(err)
	}
	return e.Failure()
}

// Close stops a running engine without waiting, or frees the disk of one that never ran.
func (e *Engine) Close() error {
	e.cancel()
	if !e.running.Swap(true) {
		close(e.stopped)
		return e.closeDisk()
	}
	return nil
}

func (e *Engine) closeDisk() error {
	var errs []error
	if e.votes != nil {
		errs = append(errs, e.votes.Close())
	}
	if e.ledger != nil {
		errs = append(errs, e.ledger.Close())
	}
	return errors.Join(errs...)
}

// fail stops the engine for good and says why, once.
func (e *Engine) fail(err error) {
	e.mu.Lock()
	first := e.failure == nil
	if first {
		e.failure = err
	}
	e.mu.Unlock()
	if first {
		e.log.Error("this replica has halted", "error", err)
		e.cancel()
	}
}

// Failure returns why the replica halted, nil while it has not.
func (e *Engine) Failure() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.failure
}

// Stopped is closed when the engine has stopped.
func (e *Engine) Stopped() <-chan struct{} { return e.stopped }

// post hands a message to the loop, or drops it if too many wait.
func (e *Engine) post(ev event) {
	select {
	case e.events <- ev:
	default:
		e.counts.dropped.Add(1)
	}
}

// postWait hands over what nobody would repeat.
func (e *Engine) postWait(ev event) {
	select {
	case e.events <- ev:
	case <-e.ctx.Done():
	}
}

func (e *Engine) loop() {
	tick := time.NewTicker(tickEvery)
	defer tick.Stop()
	gather := time.NewTimer(time.Hour)
	defer gather.Stop()
	sweep := e.cfg.Now()
	latest := sweep.UnixNano()
	for {
		select {
		case <-e.ctx.Done():
			return
		case ev := <-e.events:
			e.take(ev)
			e.drain()
		case q := <-e.lookups:
			q.answer <- e.core.Block(q.id)
			continue
		case <-tick.C:
		case <-e.kick:
		case <-gather.C:
		}
		now := e.cfg.Now()
		// By the wall clock: the difference of two readings in one process would hide a step.
		if back := time.Duration(latest - now.UnixNano()); back > clockBack {
			e.fail(fmt.Errorf("this host's clock went back by %s: see that it is right, and start again; until its clock is where it was "+
				"a running replica could neither vote nor tell whether others are late", back.Round(time.Millisecond)))
			return
		}
		latest = max(latest, now.UnixNano())
		e.core.Tick(bft.LedgerTime(now.UnixNano()))
		waiting, wait := e.makeBlocks(now)
		if wait > 0 {
			gather.Reset(wait)
		}
		if err := e.settle(waiting); err != nil {
			e.fail(err)
			return
		}
		if d := now.Sub(sweep); d > sweepEvery || d > sweepPause && e.crowded.Swap(false) {
			sweep = now
			if _, err := e.ledger.SweepAttachments(now, e.vouchedFor()); err != nil {
				e.fail(err)
				return
			}
		}
	}
}

// vouchedFor returns the attachments that blocks name which are not executed yet. However long a worker or leader holds
// such a block back, once it is ordered all replicas need them, and may have nowhere else to get them.
func (e *Engine) vouchedFor() map[bft.Digest]bool {
	out := map[bft.Digest]bool{}
	for _, b := range e.core.Unexecuted() {
		for _, tx := range b.Transactions {
			for _, a := range e.cfg.Application.Attachments(tx) {
				out[a.ID] = true
			}
		}
	}
	return out
}

func (e *Engine) take(ev event) {
	switch {
	case ev.executed != nil:
		e.core.Executed(ev.executed.seq, ev.executed.StateRoot, ev.executed.TicksNeeded)
	case ev.supply:
		e.core.Supply(ev.v)
	default:
		e.core.Step(ev.v)
	}
}

func (e *Engine) drain() {
	for range turn {
		select {
		case ev := <-e.events:
			e.take(ev)
		default:
			return
		}
	}
}

// makeBlocks turns waiting transactions into blocks: at once when idle, by size or a few milliseconds under load. It
// returns the transactions that will be durable with the next write.
func (e *Engine) makeBlocks(now time.Time) (taken []*pendingTx, wait time.Duration) {
	for {
		free, uncertified := e.core.Room()
		if free <= 0 {
			return taken, 0 // a decision makes room, and wakes the loop
		}
		due, later := e.pool.due(uncertified, now)
		if !due {
			return taken, later
		}
		list := e.pool.take()
		txs := make([][]byte, len(list))
		for i, p := range list {
			txs[i] = p.tx
		}
		if _, err := e.core.AddBlock(txs); err != nil {
			e.fail(fmt.Errorf("make a block: %w", err))
			return taken, 0
		}
		for _, p := range list {
			p.tx = nil // the mempool remembers for long that it had it, and needs no bytes for that
		}
		taken = append(taken, list...)
	}
}

// settle does what the core wants done: disk, then send, then execution.
func (e *Engine) settle(taken []*pendingTx) error {
	out := e.core.Ready()
	e.counts.turns.Add(1)
	if len(out.Persist) > 0 {
		e.counts.syncs.Add(1)
		if err := e.votes.Append(out.Persist); err != nil {
			return err
		}
	}
	for _, p := range taken {
		close(p.done)
	}
	for _, s := range out.Send {
		if s.To == bft.Everyone {
			e.cfg.Transport.Broadcast(TopicOf(bft.PeekKind(s.Frame)), s.Frame)
		} else {
			e.cfg.Transport.Send(e.com.Member(s.To), s.Frame)
		}
	}
	p := e.core.Progress()
	e.mu.Lock()
	before := e.progress
	e.progress = p
	e.evidence = append(e.evidence, out.Evidence...)
	e.mu.Unlock()
	if p.View != before.View || p.Changing != before.Changing {
		e.log.Info("view", "view", p.View, "changing", p.Changing, "head", p.Head.Sequence)
	}
	for _, x := range out.Evidence {
		e.log.Warn("a validator contradicts itself", "blocks", len(x.Blocks), "proposals", len(x.Proposals))
	}
	e.exec.push(out.Deliver, out.StateCertificates)
	for _, w := range out.Wants {
		e.want(w)
	}
	if out.Halt != nil {
		return out.Halt
	}
	if e.votes.Size() <= e.rotateAt {
		return nil
	}
	records, err := e.core.Checkpoint()
	if err != nil {
		return err
	}
	err = e.votes.Rotate(records)
	e.rotateAt = nextRotation(e.votes.Size())
	return err
}

// nextRotation is the length at which a vote log that was just begun with some bytes is begun anew. Where much waits to be
// ordered or executed, that is twice as much, so that writing it again costs no more than writing it once did.
func nextRotation(size int64) int64 { return max(rotateBytes, 2*size) }
