package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/seed06907907/fatty/verifier"
)

// check asks for the holder and for the newest proof, and believes nobody: signatures and proof are checked here.
func (d *devnet) check(ctx context.Context) error {
	a := *d.a
	a.home = d.plan.home.Dir
	var h *holderResult
	var err error
	for h == nil { // between two holders nobody has the lock for a while
		if h, _, err = a.holder(ctx, d.client, d.lock, true); err != nil {
			select {
			case <-time.After(statusPoll):
			case <-ctx.Done():
				return fmt.Errorf("look the holder up with proof: %w", err)
			}
		}
	}
	d.seen[seenVerified] = true
	p, err := d.client.MachineProof(ctx, d.lock)
	if err != nil {
		return fmt.Errorf("fetch the newest proof: %w", err)
	}
	s, program, err := verifier.VerifyFile(p.Envelope, verifier.Accept{Kind: verifier.KindSpan})
	if err != nil {
		return fmt.Errorf("check the newest proof: %w", err)
	}
	id, err := program.CID()
	if err != nil {
		return err
	}
	if id.String() != h.Program || s.Span.T1 < uint64(h.T) {
		return fmt.Errorf("the newest proof is of program %s up to t = %d; the lock's holder runs %s and is at t = %d", id, s.Span.T1, h.Program, uint64(h.T))
	}
	d.seen[seenProof] = true
	whole, err := d.checkWhole(ctx, uint64(h.T))
	if err != nil {
		return err
	}
	d.seen[seenWhole] = true
	if !d.a.json {
		fmt.Fprintf(d.a.out, "\n%s is held by %s at t = %d: 2f+1 validators signed that, and the proof up to t = %d holds (%.0f bits); one proof of %d kB shows its life from t = 0 to %d\n\n",
			h.Lock, h.Holder, uint64(h.T), s.Span.T1, s.Level.Proven, (whole.bytes+500)/1000, whole.t)
	}
	return nil
}

// wholeLife is a checked whole-life span.
type wholeLife struct {
	t     uint64
	bytes int
}

// checkWhole checks the whole-life span that the validators keep, or, where a holder's first renewals left nothing to keep
// yet, the newest span, which is one by itself: it starts at the machine's t = 0. Then it does the same with the file that the
// last lock event of each machine named.
func (d *devnet) checkWhole(ctx context.Context, t uint64) (w wholeLife, err error) {
	p, err := d.client.WholeLife(ctx, d.lock)
	if err != nil {
		return w, fmt.Errorf("fetch the whole-life span: %w", err)
	}
	check := func(file []byte) error {
		s, program, err := verifier.VerifyFile(file, verifier.Accept{Kind: verifier.KindSpan})
		if err != nil {
			return err
		}
		id, err := program.CID()
		if err != nil {
			return err
		}
		if err := checkMachine(s, id, d.machine); err != nil {
			return err
		}
		w = wholeLife{s.Span.T1, len(file)}
		return nil
	}
	if err := check(p.Envelope); err != nil {
		return w, fmt.Errorf("the validators' whole-life span: %w", err)
	}
	if len(d.files) == 0 {
		return w, errors.New("no machine has written a whole-life span")
	}
	kept := w
	for _, name := range sortedKeys(d.files) {
		file, err := os.ReadFile(d.files[name].whole)
		if err == nil {
			err = check(file)
		}
		if err != nil {
			return w, fmt.Errorf("the whole-life span of machine %s: %w", name, err)
		}
	}
	return kept, nil
}
