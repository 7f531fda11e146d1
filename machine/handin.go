package machine

import (
	"context"
	"time"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/verifier"
)

// submit hands in the proof at hand.
func (r *Runner) submit(ctx context.Context, a Action) error {
	p := r.ready
	att := &lockspace.Proof{ID: wire.Sum(p.result.Proof), Length: uint64(len(p.result.Proof)), Version: verifier.ProofVersion}
	run := lockspace.Run{Inputs: []int64{}}
	if r.terms.Inputs == lockspace.InputFelt {
		run.Inputs = []int64{p.Took}
	}
	runs := []lockspace.Run{run}
	var op lockspace.Op
	if a == Acquire {
		op = &lockspace.Acquire{Path: r.cfg.File.Lock, Instance: p.Instance, Generation: p.Generation, Mode: lockspace.Exclusive, Peer: r.cfg.Peer,
			Addresses: append([]string{}, r.cfg.Addresses...), Proof: att, Anchor: p.sequence, Runs: runs}
	} else {
		op = &lockspace.Renew{Path: r.cfg.File.Lock, Instance: p.Instance, Generation: p.Generation, Proof: att, Anchor: p.sequence, Runs: runs}
	}
	receipt, err := r.cfg.Ledger.Do(ctx, op, p.result.Proof)
	if err != nil {
		return err // the proof stays at hand: if it did not arrive, it still serves
	}
	r.floor = max(r.floor, receipt.Sequence)
	if !receipt.OK {
		return r.refused(ctx, receipt)
	}
	r.bad, r.troubles = 0, 0
	r.ready = nil
	// What the ledger will say from now on: a release that comes before the next look needs it.
	state := p.result.Output[3].Bytes()
	lease := time.Duration(r.terms.Cadence) + time.Duration(r.terms.Grace)
	r.view = &View{Sequence: receipt.Sequence, State: lockspace.Held, Mine: true, Instance: p.Instance, Generation: p.Generation, T: p.T + p.Ticks, S: state,
		LeaseEnd: receipt.Time.Add(lease)}
	if p.result.Opening != nil {
		clear(r.opening) // of lives that are over
		r.opening[p.Generation] = p.result.Opening
	}
	e := Event{Kind: Renewed, From: p.T, T: r.view.T, State: state, Ticks: p.Ticks, Took: p.Took, LeaseEnd: r.view.LeaseEnd,
		ProofBytes: len(p.result.Proof), ProveSeconds: p.result.Seconds.Total, Sequence: receipt.Sequence}
	if a == Acquire {
		e.Kind, r.held = Acquired, true
	}
	r.report(e)
	return nil
}

// refused handles a refusal of the proof at hand.
func (r *Runner) refused(ctx context.Context, receipt *api.Receipt) error {
	r.report(Event{Kind: Refused, T: r.ready.T, Sequence: receipt.Sequence, Text: receipt.Message})
	r.troubles++
	rest := min(maxPause, pause<<min(r.troubles, 5))
	switch lockspace.Code(receipt.Code) {
	case lockspace.CodeDelay, lockspace.CodeQuota, lockspace.CodeNonce, lockspace.CodeExpired:
		// Later it may do.
	case lockspace.CodeProof:
		r.ready = nil
		if r.bad++; r.bad >= maxBad {
			return fatalf("%d proofs in a row were refused as bad, the last one because: %s", r.bad, receipt.Message)
		}
	case lockspace.CodeAnchor, lockspace.CodeConflict, lockspace.CodeHeld, lockspace.CodeNotHolder, lockspace.CodeNotFound:
		r.ready = nil
		rest = pause
	default:
		return fatalf("%s: %s", r.cfg.File.Lock, receipt.Message)
	}
	r.rest(ctx, rest)
	return nil
}

// release gives the lock back if it is held; ctx may have ended.
func (r *Runner) release(ctx context.Context) {
	if !r.held || r.view == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	receipt, err := r.cfg.Ledger.Do(ctx, &lockspace.Release{Path: r.cfg.File.Lock, Instance: r.view.Instance, Generation: r.view.Generation})
	switch {
	case err != nil:
		r.report(Event{Kind: Trouble, Text: "the lock could not be released and ends with its lease: " + err.Error()})
	case receipt.OK:
		r.held = false
		r.report(Event{Kind: Released, T: r.view.T, State: r.view.S, Sequence: receipt.Sequence})
	}
}
