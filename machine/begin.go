package machine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/lockspace/poseidon"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/prover"
	"github.com/seed06907907/fatty/prover/vm"
)

// proving is a renewal in the making.
type proving struct {
	begun  begun
	again  bool // it began with pieces of an earlier process
	cancel context.CancelFunc
	done   chan *proof // one value, nil if it failed
	err    error       // valid after done
	began  time.Time
	since  time.Time // local time since when its anchor ages
}

// create makes the lock: its directories, its program, the file with the machine's terms. What is there already is fine, but
// for the lock itself, of which a node has just said that it is not.
func (r *Runner) create(ctx context.Context) error {
	f := r.cfg.File
	block, err := f.Canonical.Encode()
	if err != nil {
		return fatal{err}
	}
	var ops []lockspace.Op
	for i := 1; i < len(f.Lock); i++ {
		if f.Lock[i] == '/' {
			ops = append(ops, &lockspace.Mkdir{Path: f.Lock[:i]})
		}
	}
	ops = append(ops, &lockspace.Publish{Program: block},
		&lockspace.CreateMachine{Path: f.Lock, Program: wire.Sum(block), Start: f.Start.Bytes(), Terms: f.Terms})
	for _, op := range ops {
		receipt, err := r.do(ctx, op)
		if err != nil {
			return err
		}
		r.floor = max(r.floor, receipt.Sequence)
		if !receipt.OK && receipt.Code != string(lockspace.CodeExists) {
			return fatalf("make %s: %s", f.Lock, receipt.Message)
		}
		if _, last := op.(*lockspace.CreateMachine); last && !receipt.OK {
			return fmt.Errorf("%s exists, though the node said that it does not: looking again", f.Lock)
		}
	}
	r.report(Event{Kind: Created, State: f.Start.Bytes(), Sequence: r.floor, Text: "machine " + r.id.String()})
	return nil
}

// begin starts to make a renewal: the one that an earlier process had begun, or a new one, anchored at the newest root.
func (r *Runner) begin(ctx context.Context, j Job) error {
	opening, err := r.openingOf(ctx, j)
	if err != nil {
		return err
	}
	head, err := r.cfg.Ledger.Head(ctx)
	if err != nil {
		return err
	}
	life, err := lockspace.Life(head.Chain, r.cfg.File.Lock, j.Instance, j.Generation, r.cfg.Account)
	if err != nil {
		return err
	}
	b, have := r.takeUp(j, life)
	if b == nil {
		root, err := wire.ParseCID(head.StateRoot)
		if err != nil {
			return err
		}
		anchor, err := lockspace.Anchor(head.Sequence, root)
		if err != nil {
			return err
		}
		b = &begun{Job: j, Life: life, Anchor: anchor, Sequence: head.Sequence, Anchored: head.Time.UnixNano()}
		r.forget()
	}
	proveCtx, cancel := context.WithCancel(ctx)
	p := &proving{begun: *b, again: len(have) > 0, cancel: cancel, done: make(chan *proof, 1), began: time.Now()}
	p.since = r.since(*b, head.Sequence)
	r.proving = p
	r.report(Event{Kind: Proving, T: j.T, State: j.S, Ticks: j.End() - j.T, Runs: j.Runs, Took: j.Took, Count: j.Count})
	w := Work{Program: r.cfg.File.Program, T: j.T, Opening: opening, Runs: r.segments(j), Options: prover.Options{Life: life, Anchor: b.Anchor, Security: r.cfg.Security}}
	w.S.SetBytes(j.S[:])
	s := Spanner{Prover: r.cfg.Prover, Have: have, Keep: r.keep(*b)}
	go func() {
		made, err := s.Make(proveCtx, w)
		if err != nil {
			p.err = err
			p.done <- nil
			return
		}
		p.done <- &proof{Job: j, begun: *b, made: made}
	}()
	return nil
}

// segments are the runs of a job, with the transactions that each consumes.
func (r *Runner) segments(j Job) []Segment {
	out := make([]Segment, j.Runs)
	for i := range out {
		out[i].Ticks = j.Ticks
		switch {
		case r.terms.Inputs == lockspace.InputNone:
		case j.Count == 0:
			out[i].Transactions = felts(r.terms.Idle)
		default:
			from, to := j.takes(i)
			out[i].Ticks = to - from
			for _, tx := range r.view.Inbox[from:to] {
				out[i].Transactions = append(out[i].Transactions, felts(tx)...)
			}
		}
	}
	return out
}

// takes says which of the transactions that a job consumes its run i does.
func (j Job) takes(i int) (from, to uint64) {
	from = uint64(i) * j.Ticks
	return from, min(from+j.Ticks, j.Count)
}

// openingOf returns the felts behind the state that a job starts from.
func (r *Runner) openingOf(ctx context.Context, j Job) ([]vm.Felt, error) {
	if len(r.cfg.File.Opening) == 0 {
		return nil, nil
	}
	if j.T == 0 {
		return r.cfg.File.Opening, nil
	}
	if r.opening.of(place{j.Instance, j.Generation, j.T, j.S}) {
		return r.opening.felts, nil
	}
	if r.terms.Opening == lockspace.OpeningPoseidon {
		if poseidon.HashMany(r.view.Opening) != j.S {
			return nil, fmt.Errorf("%s: what the node gives as the opening of S = %s is not: another may do better", r.cfg.File.Lock, j.S)
		}
		return felts(r.view.Opening), nil
	}
	// An earlier process of this account held the lock and took what is behind the state with it: only a new life helps. That
	// it is gone shows in its lease, which Decide lets run to where it would have been renewed.
	receipt, err := r.do(ctx, &lockspace.Release{Path: r.cfg.File.Lock, Instance: j.Instance, Generation: j.Generation})
	if err != nil {
		return nil, err
	}
	r.floor = max(r.floor, receipt.Sequence)
	if !receipt.OK {
		return nil, fmt.Errorf("what is behind the machine's state was lost with an earlier process, and the lock is not released, to begin anew: %s", receipt.Message)
	}
	return nil, errors.New("what is behind the machine's state was lost with an earlier process: the lock was released, to begin anew")
}

// blind says whether what is behind a state is wanted and not to be had.
func (r *Runner) blind(at place) bool {
	return len(r.cfg.File.Opening) > 0 && at.t > 0 && r.terms.Opening != lockspace.OpeningPoseidon && !r.opening.of(at)
}

// wait lasts until something happens: an event, a proof, the time. It says whether the ledger should be looked at again. Where
// the time is past though the ledger was just looked at, it stands still: that is no reason to ask it without rest.
func (r *Runner) wait(ctx context.Context, until time.Time, fresh bool, events *<-chan api.Event) (bool, error) {
	d := pollEvery
	if left := until.Sub(r.now()); !until.IsZero() && left > 0 {
		d = max(pause/5, min(d, left))
	} else if !until.IsZero() && !fresh {
		return true, nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	var done chan *proof
	if r.proving != nil {
		done = r.proving.done
	}
	select {
	case <-ctx.Done():
		return false, nil
	case _, ok := <-*events:
		if !ok {
			*events = nil // the watch ended, with ctx as a rule; polling goes on
		}
		return true, nil
	case <-timer.C:
		// At the hour that was waited for, what is known still holds unless an event said otherwise; without one to wait for,
		// one may have been lost.
		return until.IsZero() || d == pollEvery || r.view.State != lockspace.Held || !r.view.Mine, nil
	case p := <-done:
		return r.proven(p)
	case j := <-r.life.done():
		r.joined(j)
		return false, nil
	}
}

// proven takes a finished proof.
func (r *Runner) proven(p *proof) (bool, error) {
	was := r.proving
	r.proving = nil
	was.cancel()
	took := time.Since(was.began)
	job := was.begun.Job
	if p == nil {
		switch {
		case errors.Is(was.err, prover.ErrTooLong) && r.sizer.TooLong(job.Ticks):
			return false, nil
		case was.again: // the pieces fit in every way that could be checked, and the next try does without them
			r.forget()
			return false, fmt.Errorf("go on with what an earlier process had proven: %w", was.err)
		}
		return false, fatalf("prove %d transitions from t = %d: %w", job.End()-job.T, job.T, was.err)
	}
	if !was.again { // else it took less than it takes
		slow := r.sizer.Slow
		r.sizer.Took(job.Runs, job.Ticks, took)
		if r.sizer.Slow && !slow {
			r.slow(took)
		}
	}
	r.ready, p.since, p.at = p, was.since, time.Now()
	return false, nil
}

// since is the local time since when the anchor of what was begun ages.
func (r *Runner) since(b begun, newest uint64) time.Time {
	return r.ageless(time.Now().Add(-max(0, r.now().Sub(time.Unix(0, b.Anchored)))), b.Sequence, newest)
}

// ageless returns since when an anchor ages, by the local clock: since when it did so far, but as long as no cut has come
// after it, no longer than the next one can count.
func (r *Runner) ageless(since time.Time, anchor, newest uint64) time.Time {
	if least := time.Now().Add(-time.Duration(lockspace.OutageAfter)); anchor >= newest && since.Before(least) {
		return least
	}
	return since
}

// slow says that proofs take too long here.
func (r *Runner) slow(took time.Duration) {
	lease := time.Duration(r.terms.Cadence) + time.Duration(r.terms.Grace)
	text := fmt.Sprintf("the smallest proof took %.1f s here, and should be ready within three quarters of the cadence, %.1f s: renewals will be late", took.Seconds(), r.sizer.Budget.Seconds())
	if took > lease {
		text = fmt.Sprintf("the smallest proof took %.1f s here, longer than a lease of %.1f s: the lock cannot be kept", took.Seconds(), lease.Seconds())
	}
	r.report(Event{Kind: Slow, Ticks: 1, Runs: 1, ProveSeconds: took.Seconds(), Text: text + "; more cores, fewer other processes, or a lock with a longer cadence would help"})
}

// abandon drops the proof at hand and the one in the making.
func (r *Runner) abandon() {
	r.ready = nil
	if p := r.proving; p != nil {
		p.cancel()
		<-p.done
		r.proving = nil
	}
}
