package machine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/verifier"
)

// part is a span proof of the machine: from (T0, ..) to (T, S).
type part struct {
	T0, T uint64
	S     lockspace.Felt
	proof []byte
}

// whole is the span of the machine's whole life, from its start on, and what it grows by: one merge for each renewal,
// however long the life.
type whole struct {
	whole   *part // newest, T0 = 0
	last    *part // the renewal that the ledger accepted last, if this keeper made it
	joining *joining
	failed  time.Time // when the last try failed
	target  uint64    // and where it was to end
	why     error     // and why
	broken  uint64    // the clock of which was said last that the whole life up to it is given up
}

// joining is a whole-life span in the making.
type joining struct {
	t      uint64 // where it is to end
	s      lockspace.Felt
	cancel context.CancelFunc
	done   chan *joining // itself, once
	began  time.Time
	merged bool // there was something to merge, and it took from began to ended
	ended  time.Time
	out    *part // valid after done, as merged, ended and err
	err    error
}

// joinAgain is how long after a failure another try is made.
const joinAgain = 3 * time.Second

// done is ready when what is in the making is; nil for nothing.
func (w *whole) done() <-chan *joining {
	if w.joining == nil {
		return nil
	}
	return w.joining.done
}

// stop ends what is in the making.
func (w *whole) stop() {
	if j := w.joining; j != nil {
		j.cancel()
		<-j.done
		w.joining = nil
	}
}

// grow takes a renewal that was accepted. One from the start is a whole life by itself.
func (w *whole) grow(p part) {
	w.last = &p
	if p.T0 == 0 {
		w.whole = &p
	}
}

// reaches says whether the whole-life span is there up to a clock and state.
func (w *whole) reaches(t uint64, s lockspace.Felt) bool {
	return w.whole != nil && w.whole.T == t && w.whole.S == s
}

// meets says whether the whole-life span up to a clock and state can be made of what is at hand.
func (w *whole) meets(t uint64, s lockspace.Felt) bool {
	return w.whole != nil && w.last != nil && w.whole.T == w.last.T0 && w.last.T == t && w.last.S == s
}

// mending says whether the whole-life span up to a clock may still be had: it is in the making, or the last try failed for
// another reason than that no node has the bytes any more.
func (w *whole) mending(t uint64, s lockspace.Felt) bool {
	if j := w.joining; j != nil {
		return j.t == t && j.s == s
	}
	return w.target == t && w.why != nil && api.CodeOf(w.why) != api.CodeGone
}

// breaks says so, once, when an acquire is handed in without the whole life that was due.
func (r *Runner) breaks(t uint64, s lockspace.Felt) {
	w := &r.life
	if w.broken == t {
		return
	}
	w.broken = t
	why := "it could not be made in time"
	if w.target == t && w.why != nil {
		why = w.why.Error()
	}
	r.report(Event{Kind: Broken, T: t, State: s, Text: fmt.Sprintf("the lock is taken without the whole-life span up to t = %d: %s; the machine's history as one proof ends there", t, why)})
}

// extend begins to make the whole-life span up to the last accepted clock, if the next renewal or acquire has to bring it
// and it is not there. It is made beside the next renewal, whose time it takes part of.
func (r *Runner) extend(ctx context.Context) {
	r.unsavable(r.notes.take())
	v := r.view
	w := &r.life
	if v == nil || v.T == 0 {
		return
	}
	mine := v.State == lockspace.Held && v.Mine
	next := v.State != lockspace.Held && r.terms.Succession == lockspace.Resume
	if w.joining != nil && (w.joining.t != v.T || w.joining.s != v.S) {
		w.stop() // for a state that is no longer the last
	}
	switch {
	case !mine && !next, w.joining != nil, w.reaches(v.T, v.S):
		return
	case !v.Due && !w.meets(v.T, v.S): // the ledger has it, or the chain of lives is broken and nobody can make it
		return
	case w.target == v.T && time.Since(w.failed) < joinAgain:
		return
	}
	c, cancel := context.WithCancel(ctx)
	j := &joining{t: v.T, s: v.S, cancel: cancel, done: make(chan *joining, 1), began: time.Now()}
	w.joining = j
	left, right := w.whole, w.last
	if !w.meets(v.T, v.S) {
		left, right = nil, nil
	}
	go func() {
		j.out, j.err = r.join(c, j, left, right)
		j.ended = time.Now()
		j.done <- j
	}()
}

// join merges the whole-life span so far with the renewal that came after it: this keeper's own, or without them what a
// node keeps. It runs beside the loop and reads nothing that the loop changes.
func (r *Runner) join(ctx context.Context, j *joining, left, right *part) (*part, error) {
	if left == nil {
		var err error
		if left, right, err = r.fetch(ctx, j); err != nil || right == nil {
			return left, err
		}
	}
	j.merged = true
	m, err := r.cfg.Prover.Merge(ctx, left.proof, right.proof)
	if err != nil {
		return nil, err
	}
	return &part{T: j.t, S: j.s, proof: m.Proof}, nil
}

// fetch asks a node for the newest renewal and the whole-life span before it, and checks both: with a bad one no proof can
// be made. Where the whole-life span reaches far enough there is nothing to merge it with.
func (r *Runner) fetch(ctx context.Context, j *joining) (left, right *part, err error) {
	is := func(p *part) bool { return p.T == j.t && p.S == j.s }
	if right, err = r.ask(ctx, "newest span", r.cfg.Ledger.MachineProof); err != nil {
		return nil, nil, err
	}
	switch {
	case !is(right):
		return nil, nil, fmt.Errorf("the node's newest span ends at t = %d, the lock's clock is t = %d", right.T, j.t)
	case right.T0 == 0:
		return right, nil, nil
	}
	if left, err = r.ask(ctx, "whole-life span", r.cfg.Ledger.WholeLife); err != nil {
		return nil, nil, err
	}
	switch {
	case left.T0 != 0:
		return nil, nil, errors.New("the node's whole-life span does not begin at t = 0")
	case is(left):
		return left, nil, nil
	case left.T != right.T0:
		return nil, nil, fmt.Errorf("the chain of lives is broken: the node's whole-life span ends at t = %d, its newest span begins at t = %d", left.T, right.T0)
	}
	return left, right, nil
}

// ask fetches one span and checks that it is of this machine.
func (r *Runner) ask(ctx context.Context, what string, call func(context.Context, string) (*api.MachineProof, error)) (*part, error) {
	kept, err := call(ctx, r.cfg.File.Lock)
	if err != nil {
		return nil, fmt.Errorf("the %s: %w", what, err)
	}
	_, proof, err := verifier.DecodeEnvelope(kept.Envelope)
	if err != nil {
		return nil, fmt.Errorf("the node's %s: %w", what, err)
	}
	s, err := r.cfg.Check(proof)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the node's %s: %w", what, err)
	case s.Span == nil || s.Key != r.key:
		return nil, fmt.Errorf("the node's %s is no span of this machine's program", what)
	case s.Security != r.cfg.Security:
		return nil, fmt.Errorf("the node's %s is of %d bits, here are made proofs of %d: %w", what, s.Security, r.cfg.Security, verifier.ErrLevel)
	case s.Span.T0 == 0 && s.Span.S0 != r.cfg.File.Start.Bytes():
		return nil, fmt.Errorf("the node's %s is of another machine: it starts in another state", what)
	}
	return &part{T0: s.Span.T0, T: s.Span.T1, S: lockspace.Felt(s.Span.S1), proof: proof}, nil
}

// joined takes a whole-life span that was made, or why it was not.
func (r *Runner) joined(j *joining) {
	w := &r.life
	if w.joining != j {
		return
	}
	w.joining = nil
	j.cancel()
	if j.err != nil {
		w.failed, w.target, w.why = time.Now(), j.t, j.err
		r.cfg.Ledger.Elsewhere()
		r.report(Event{Kind: Trouble, T: j.t, State: j.s, Text: fmt.Sprintf("the whole-life span up to t = %d: %v", j.t, j.err)})
		return
	}
	w.whole = j.out
	if j.merged {
		r.sizer.Whole = j.ended.Sub(j.began)
	}
	if r.progress != nil {
		r.unsavable(r.progress.join(j.t, j.s, j.out.proof))
	}
	r.report(Event{Kind: Joined, T: j.t, State: j.s, ProofBytes: len(j.out.proof), ProveSeconds: j.ended.Sub(j.began).Seconds(), Whole: r.wholeFile(j.out)})
}

// wholeFile writes a whole-life span as a file and returns its path, or nothing.
func (r *Runner) wholeFile(p *part) string {
	if r.files == nil || p == nil {
		return ""
	}
	path, err := r.files.whole(p.T, p.proof)
	r.unsavable(err)
	return path
}

// spanFile does so for a renewal.
func (r *Runner) spanFile(t0, t1 uint64, proof []byte) string {
	if r.files == nil {
		return ""
	}
	path, err := r.files.span(t0, t1, proof)
	r.unsavable(err)
	return path
}
