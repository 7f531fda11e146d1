package machine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/prover"
	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier"
)

// oracle is a prover that takes as long as it is told and proves by saying so.
type oracle struct {
	delay func(ticks uint64) time.Duration // of a run; a wrap and a merge take a part of that
	lie   func(*lockspace.Verdict)         // about each span
	wrap  time.Duration
	merge time.Duration
	count *counts
	// program is what the world knows the program as; nil for what it is.
	program *verifier.Program
}

// counts is what an oracle was asked to do.
type counts struct {
	mu                 sync.Mutex
	runs, wraps, joins int
	now, most          int // proofs in the making
}

// seen is how many runs, wraps and merges were asked for.
func (c *counts) seen() (runs, wraps, joins int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.runs, c.wraps, c.joins
}

func (c *counts) begin(what func(*counts)) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	what(c)
	c.now++
	c.most = max(c.most, c.now)
}

func (c *counts) end() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now--
}

func pauseFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (o oracle) Prove(ctx context.Context, p *vm.Program, input []vm.Felt, opt prover.Options) (*prover.Result, error) {
	o.count.begin(func(c *counts) { c.runs++ })
	defer o.count.end()
	res, err := vm.Run(ctx, p, input, vm.StwoConfig(1<<20))
	if err != nil {
		return nil, err
	}
	if err := pauseFor(ctx, o.delay(input[2].Uint64())); err != nil {
		return nil, err
	}
	canonical, err := prover.Canonical(p)
	if err != nil {
		return nil, err
	}
	if o.program != nil {
		canonical = *o.program
	}
	block, err := canonical.Encode()
	if err != nil {
		return nil, err
	}
	_, key, err := programKey(block)
	if err != nil {
		return nil, err
	}
	v := lockspace.Verdict{OK: true, Key: key, Life: opt.Life, Anchor: opt.Anchor, T0: res.Output[0].Uint64(), S0: res.Output[1].Bytes(),
		T1: res.Output[2].Uint64(), S1: res.Output[3].Bytes(), Inputs: spanInputs([]lockspace.Felt{res.Output[4].Bytes()})}
	return &prover.Result{Proof: fakeProof{Verdict: v}.bytes(), Program: canonical, Steps: res.Steps, Output: res.Output, Opening: res.Opening}, nil
}

func (o oracle) span(v lockspace.Verdict) *prover.SpanResult {
	if o.lie != nil {
		o.lie(&v)
	}
	return &prover.SpanResult{Proof: fakeProof{Span: true, Verdict: v}.bytes(), Statement: statement(v)}
}

func (o oracle) Wrap(ctx context.Context, run []byte) (*prover.SpanResult, error) {
	o.count.begin(func(c *counts) { c.wraps++ })
	defer o.count.end()
	f, err := readFake(run)
	if err != nil || f.Span {
		return nil, errors.New("wrap: not a run proof")
	}
	if err := pauseFor(ctx, o.wrap); err != nil {
		return nil, err
	}
	return o.span(f.Verdict), nil
}

// Merge demands what the circuit demands.
func (o oracle) Merge(ctx context.Context, left, right []byte) (*prover.SpanResult, error) {
	o.count.begin(func(c *counts) { c.joins++ })
	defer o.count.end()
	l, err := readFake(left)
	if err != nil || !l.Span {
		return nil, errors.New("merge: the left is no span")
	}
	r, err := readFake(right)
	if err != nil || !r.Span {
		return nil, errors.New("merge: the right is no span")
	}
	a, b := l.Verdict, r.Verdict
	if a.Key != b.Key || a.T1 != b.T0 || a.S1 != b.S0 {
		return nil, errors.New("merge: the spans do not meet")
	}
	if err := pauseFor(ctx, o.merge); err != nil {
		return nil, err
	}
	inputs, err := verifier.JoinInputs(verifier.InputsDigest(a.Inputs), verifier.InputsDigest(b.Inputs))
	if err != nil {
		return nil, err
	}
	out := a
	out.T1, out.S1, out.Inputs = b.T1, b.S1, lockspace.Digest(inputs)
	if a.Life != b.Life {
		out.Life = lockspace.Digest{}
	}
	if a.Anchor != b.Anchor {
		out.Anchor = lockspace.Digest{}
	}
	return o.span(out), nil
}

func takes(d time.Duration) func(uint64) time.Duration {
	return func(uint64) time.Duration { return d }
}
