package prover

import (
	"context"
	"fmt"
	"time"

	"github.com/seed06907907/fatty/prover/stark"
	"github.com/seed06907907/fatty/verifier"
	"github.com/seed06907907/fatty/verifier/circuit"
)

// SpanResult is a span proof with what it says.
type SpanResult struct {
	Proof     []byte // for a ledger; verifier.EncodeEnvelope makes a file of it
	Statement verifier.Statement
	Seconds   float64
}

// Wrap proves that a run proof holds and is a step of a machine's clock: one run becomes one span. It has the run's level.
func (pr *Prover) Wrap(ctx context.Context, run []byte) (*SpanResult, error) {
	return pr.span(ctx, "wrap", func() (*verifier.Assignment, error) {
		if _, err := verifier.Verify(run, verifier.Accept{}); err != nil {
			return nil, err
		}
		return verifier.AssignWrap(run)
	})
}

// Merge proves that two span proofs hold and meet: the left one ends where the right one begins.
func (pr *Prover) Merge(ctx context.Context, left, right []byte) (*SpanResult, error) {
	return pr.span(ctx, "merge", func() (*verifier.Assignment, error) {
		a, err := verifier.AssignMerge(left, right)
		if err != nil {
			return nil, err
		}
		for i, p := range [][]byte{left, right} {
			if _, err := verifier.Verify(p, verifier.Accept{}); err != nil {
				return nil, fmt.Errorf("the %s span: %w", [2]string{"left", "right"}[i], err)
			}
		}
		return a, nil
	})
}

// Shrink proves a span once more for the smallest proof. What it makes cannot be merged.
func (pr *Prover) Shrink(ctx context.Context, span []byte) (*SpanResult, error) {
	return pr.span(ctx, "shrink", func() (*verifier.Assignment, error) {
		if _, err := verifier.Verify(span, verifier.Accept{}); err != nil {
			return nil, err
		}
		return verifier.AssignShrink(span)
	})
}

// span proves what an assignment holds.
func (pr *Prover) span(ctx context.Context, what string, assign func() (*verifier.Assignment, error)) (*SpanResult, error) {
	start := time.Now()
	a, err := assign()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if a.Violated != nil {
		return nil, fmt.Errorf("%s: the circuit refuses what the verifier accepted, please report this: %w", what, a.Violated)
	}
	proof, err := pr.ProveCircuit(ctx, a)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	s, err := verifier.Verify(proof, verifier.Accept{Kind: verifier.KindSpan})
	if err != nil {
		return nil, fmt.Errorf("%s: the proof that was made does not verify, please report this: %w", what, err)
	}
	return &SpanResult{Proof: proof, Statement: s, Seconds: time.Since(start).Seconds()}, nil
}

// ProveCircuit makes the proof of an assignment, whether its values hold or not.
func (pr *Prover) ProveCircuit(ctx context.Context, a *verifier.Assignment) ([]byte, error) {
	key, err := pr.circuit(ctx, a)
	if err != nil {
		return nil, err
	}
	inst, err := a.Head.Instance()
	if err != nil {
		return nil, err
	}
	proof, err := stark.Prove(ctx, inst, key, nil, &stark.Trace{Main: a.Circuit.Main}, stark.Options{})
	if err != nil {
		return nil, err
	}
	return a.Head.Encode(inst, proof)
}

// circuit returns the committed preprocessed columns of an assignment's circuit, checked against its verifying key. They are
// kept for the next proof.
func (pr *Prover) circuit(ctx context.Context, a *verifier.Assignment) (*stark.Fixed, error) {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	return pr.circuitKey(ctx, a.ID(), a.Circuit)
}

func (pr *Prover) circuitKey(ctx context.Context, id verifier.CircuitID, c *circuit.Circuit) (*stark.Fixed, error) {
	if key := pr.circuits[id]; key != nil {
		return key, nil
	}
	_, root, p := verifier.Circuit(id)
	key, err := stark.CommitPreprocessed(ctx, circuit.Set(), p, c.Tables)
	if err != nil {
		return nil, err
	}
	if key.Root() != root {
		return nil, fmt.Errorf("the circuit that was built is not the one of its verifying key, please report this")
	}
	if pr.circuits == nil {
		pr.circuits = map[verifier.CircuitID]*stark.Fixed{}
	}
	pr.circuits[id] = key
	return key, nil
}

// warmCircuit builds a circuit's key if it is not at hand.
func (pr *Prover) warmCircuit(ctx context.Context, id verifier.CircuitID) error {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	if pr.circuits[id] != nil {
		return nil
	}
	c, err := verifier.BlankCircuit(id)
	if err != nil {
		return err
	}
	_, err = pr.circuitKey(ctx, id, c)
	return err
}
