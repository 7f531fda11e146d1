package prover

import (
	"context"
	"errors"

	"github.com/seed06907907/fatty/verifier"
)

// SpanResult is a span proof with what it says.
type SpanResult struct {
	Proof     []byte // for a ledger; verifier.EncodeEnvelope makes a file of it
	Statement verifier.Statement
	Seconds   float64
}

// Wrap proves that a run proof holds and is a step of a machine's clock: one run becomes one span. It has the run's level.
func (pr *Prover) Wrap(ctx context.Context, run []byte) (*SpanResult, error) {
	return nil, errors.New("wrap: under construction")
}

// Merge proves that two span proofs hold and meet: the left one ends where the right one begins.
func (pr *Prover) Merge(ctx context.Context, left, right []byte) (*SpanResult, error) {
	return nil, errors.New("merge: under construction")
}

// Shrink proves a span once more for the smallest proof. What it makes cannot be merged.
func (pr *Prover) Shrink(ctx context.Context, span []byte) (*SpanResult, error) {
	return nil, errors.New("shrink: under construction")
}
