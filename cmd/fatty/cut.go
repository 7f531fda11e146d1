package main

import (
	"context"

	"github.com/seed06907907/fatty/cmd/internal/cli"
	"github.com/seed06907907/fatty/machine"
	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier"
)

const (
	// maxSegments bounds the runs of a span that is made by hand: a day of proving, or a slip.
	maxSegments = 1 << 16
	// headFelts are the felts of an input vector before its witness: [t0, S0, n, k, ..].
	headFelts = 4
	// cutSteps bounds the run that finds out how long a machine's opening is.
	cutSteps = vm.DefaultMaxSteps
)

// cutting says how the transitions of an input vector become runs.
type cutting struct {
	segments    int
	transaction int // felts in one transaction; -1: not said
}

// work parts an input vector [t0, S0, n, k, w_1 .. w_k] into runs as even as can be, the longer ones first. w is the
// opening of S0 and then n transactions, of which each run gets those of its transitions; the opening of the next run's
// state is what the run before hands on.
func (c cutting) work(ctx context.Context, p *vm.Program, in []vm.Felt) (machine.Work, error) {
	w := machine.Work{Program: p}
	if len(in) < headFelts {
		return w, codedf("input", "an input vector of %d felts: a machine's is [t0, S0, n, k, w_1 .. w_k]", len(in))
	}
	t0, n, k := in[0], in[2], in[3]
	witness := in[headFelts:]
	switch {
	case !k.IsUint64() || k.Uint64() != uint64(len(witness)):
		return w, codedf("input", "the input vector says k = %s, and %d felts follow", feltText(k), len(witness))
	case n.IsZero():
		return w, codedf("input", "n = 0: a span has at least one transition")
	case !t0.IsUint64() || !n.IsUint64() || n.Uint64() >= verifier.MaxClock || t0.Uint64() >= verifier.MaxClock-n.Uint64():
		return w, codedf("input", "t0 = %s, n = %s: a machine's clock stays below 2^62", feltText(t0), feltText(n))
	case n.Uint64() < uint64(c.segments):
		return w, cli.Usagef("--segments %d: %d transitions make at most %d runs", c.segments, n.Uint64(), n.Uint64())
	}
	w.T, w.S = t0.Uint64(), in[1]
	if c.segments == 1 {
		// Where the opening ends and the transactions begin is the program's own affair.
		w.Runs = []machine.Segment{{Ticks: n.Uint64(), Transactions: witness}}
		return w, nil
	}
	each, err := c.felts(ctx, p, in)
	if err != nil {
		return w, err
	}
	split := len(witness) - each*int(n.Uint64())
	w.Opening = witness[:split]
	rest := witness[split:]
	for i := range uint64(c.segments) {
		ticks := n.Uint64() / uint64(c.segments)
		if i < n.Uint64()%uint64(c.segments) {
			ticks++
		}
		part := each * int(ticks)
		w.Runs = append(w.Runs, machine.Segment{Ticks: ticks, Transactions: rest[:part]})
		rest = rest[part:]
	}
	return w, nil
}

// felts is how many felts one transaction has: what the caller says, or what is left of the witness when the opening that
// the program hands on, which is as long as the one that it got, is taken away. A program that fails on all transitions at
// once, as one that takes a single transaction a run, is taken for one without opening.
func (c cutting) felts(ctx context.Context, p *vm.Program, in []vm.Felt) (int, error) {
	n, k := in[2].Uint64(), uint64(len(in)-headFelts)
	if c.transaction >= 0 {
		if uint64(c.transaction) > k/n {
			return 0, cli.Usagef("--transaction %d: %d felts follow in the input, too few for %d transactions", c.transaction, k, n)
		}
		return c.transaction, nil
	}
	if k == 0 {
		return 0, nil
	}
	opening := uint64(0)
	if r, err := vm.Run(ctx, p, in, vm.Config{MaxSteps: cutSteps}); err == nil {
		opening = uint64(len(r.Opening))
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if opening > k || (k-opening)%n != 0 {
		return 0, codedf("input", "%d felts follow in the input, of which %d seem to be the opening: that leaves no whole number for each of %d transitions; say with --transaction how many felts one has", k, opening, n)
	}
	return int((k - opening) / n), nil
}
