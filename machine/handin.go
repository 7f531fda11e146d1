package machine

import (
	"context"
	"time"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/verifier"
)

// attach names a proof as an attachment.
func attach(proof []byte) *lockspace.Proof {
	return &lockspace.Proof{ID: wire.Sum(proof), Length: uint64(len(proof)), Version: verifier.ProofVersion}
}

// do has an operation done. One that breaks a rule by itself does so each time.
func (r *Runner) do(ctx context.Context, op lockspace.Op, attachments ...[]byte) (*api.Receipt, error) {
	receipt, err := r.cfg.Ledger.Do(ctx, op, attachments...)
	if lockspace.CodeOf(err) == lockspace.CodeInvalid {
		err = fatalf("%s: a transaction that no ledger would take: %w", r.cfg.File.Lock, err)
	}
	return receipt, err
}

// submit hands in the proof at hand, with the whole-life span where the ledger has none that reaches so far.
func (r *Runner) submit(ctx context.Context, a Action) error {
	p := r.ready
	proof, attachments := attach(p.made.Proof), [][]byte{p.made.Proof}
	var before *lockspace.Proof
	whole := r.view.Whole
	if p.T > 0 && r.view.Whole != p.T && r.life.reaches(p.T, p.S) {
		before, whole = attach(r.life.whole.proof), p.T
		attachments = append(attachments, r.life.whole.proof)
	}
	if p.T == 0 {
		whole = p.made.T
	}
	if a == Acquire && r.view.Due && p.T > 0 && before == nil {
		r.breaks(p.T, p.S)
	}
	var opening []lockspace.Felt // for whoever succeeds
	if r.terms.Opening == lockspace.OpeningPoseidon {
		if len(p.made.Opening) == 0 {
			return fatalf("%s: its terms want the opening of each state, and the program hands none on: see next_state in the examples", r.cfg.File.Lock)
		}
		for _, f := range p.made.Opening {
			opening = append(opening, f.Bytes())
		}
	}
	var op lockspace.Op
	if a == Acquire {
		op = &lockspace.Acquire{Path: r.cfg.File.Lock, Instance: p.Instance, Generation: p.Generation, Mode: lockspace.Exclusive,
			Addresses: append([]string{}, r.cfg.Addresses...), Proof: proof, Anchor: p.begun.Sequence, Runs: r.runs(p.Job), Whole: before, Opening: opening}
	} else {
		op = &lockspace.Renew{Path: r.cfg.File.Lock, Instance: p.Instance, Generation: p.Generation, Proof: proof, Anchor: p.begun.Sequence, Runs: r.runs(p.Job), Whole: before, Opening: opening}
	}
	if id := proof.ID.String(); r.handed != id {
		r.handed, r.unsure = id, false
	}
	receipt, err := r.do(ctx, op, attachments...)
	if err != nil {
		r.unsure = true
		return err // the proof stays at hand: if it did not arrive, it still serves
	}
	r.floor = max(r.floor, receipt.Sequence)
	if !receipt.OK {
		return r.refused(ctx, receipt)
	}
	r.bad, r.troubles = 0, 0
	r.ready, r.keeps = nil, true
	// What the ledger will say from now on: a release that comes before the next look needs it.
	state := lockspace.Felt(p.made.S.Bytes())
	lease := time.Duration(r.terms.Cadence) + time.Duration(r.terms.Grace)
	r.view = &View{Sequence: receipt.Sequence, State: lockspace.Held, Mine: true, Instance: p.Instance, Generation: p.Generation, T: p.made.T, S: state,
		LeaseEnd: receipt.Time.Add(lease), Opening: opening}
	e := Event{Kind: Renewed, From: p.T, T: p.made.T, State: state, Ticks: p.made.T - p.T, Runs: p.Runs, Took: p.Took, Count: p.Count, LeaseEnd: r.view.LeaseEnd,
		ProofBytes: len(p.made.Proof), ProveSeconds: p.made.Seconds.Total, Sequence: receipt.Sequence, Span: r.spanFile(p.T, p.made.T, p.made.Proof)}
	if before != nil {
		e.Whole = r.wholeFile(r.life.whole)
	}
	if a == Acquire {
		e.Kind = Acquired
	}
	r.accepted(p.begun, p.made.Piece, whole)
	if e.Whole == "" && r.life.whole != nil { // the first is a whole life by itself, and is what there is until the second
		e.Whole = r.wholeFile(r.life.whole)
	}
	r.report(e)
	return nil
}

// runs lists what each run of a job took from the inbox.
func (r *Runner) runs(j Job) []lockspace.Run {
	out := make([]lockspace.Run, j.Runs)
	for i := range out {
		out[i].Inputs = []int64{}
		switch {
		case r.terms.Inputs == lockspace.InputNone:
		case j.Count == 0:
			out[i].Inputs = []int64{lockspace.Idle}
		default:
			for from, to := j.takes(i); from < to; from++ {
				out[i].Inputs = append(out[i].Inputs, j.Took+int64(from))
			}
		}
	}
	return out
}

// refused handles a refusal of the proof at hand.
func (r *Runner) refused(ctx context.Context, receipt *api.Receipt) error {
	r.report(Event{Kind: Refused, T: r.ready.T, Sequence: receipt.Sequence, Text: receipt.Message})
	r.troubles++
	rest := min(maxPause, pause<<min(r.troubles, 5))
	if r.unsure { // it may have been taken before; the next look is at no older state than this refusal, and shows it
		r.unsure = false
		r.rest(ctx, pause)
		return nil
	}
	r.handed = "" // what another process makes of the same is not this one's
	switch lockspace.Code(receipt.Code) {
	case lockspace.CodeDelay, lockspace.CodeQuota, lockspace.CodeNonce, lockspace.CodeExpired, lockspace.CodeWhole:
		// Later it may do: a whole-life span that nobody has any more is asked for no longer than a lease.
	case lockspace.CodeProof, lockspace.CodeBadWhole:
		r.ready = nil
		if lockspace.Code(receipt.Code) == lockspace.CodeBadWhole {
			r.life.whole = nil
		}
		r.forget()
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

// release gives the lock back if this process keeps it; ctx may have ended.
func (r *Runner) release(ctx context.Context) {
	if !r.keeps || r.view == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	receipt, err := r.do(ctx, &lockspace.Release{Path: r.cfg.File.Lock, Instance: r.view.Instance, Generation: r.view.Generation})
	switch {
	case err != nil:
		r.report(Event{Kind: Trouble, Text: "the lock could not be released and ends with its lease: " + err.Error()})
	case receipt.OK:
		r.keeps = false
		r.report(Event{Kind: Released, T: r.view.T, State: r.view.S, Sequence: receipt.Sequence})
	}
}
