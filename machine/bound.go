package machine

import (
	"context"
	"runtime"

	"github.com/seed06907907/fatty/prover"
	"github.com/seed06907907/fatty/prover/vm"
)

// proofsAtOnce is how many proofs are made side by side: a run while another is wrapped. Each keeps two cores busy (on two,
// side by side gains 2%), and has its own memory, a gigabyte or more.
func proofsAtOnce() int { return min(2, max(1, runtime.GOMAXPROCS(0)/2)) }

// Bound makes a Prover of which so many calls run at once; 0 for what the cores are worth.
func Bound(p Prover, atOnce int) Prover {
	if atOnce <= 0 {
		atOnce = proofsAtOnce()
	}
	return bounded{p, make(chan struct{}, atOnce)}
}

// bounded is a Prover of which as many calls run at once as room has places.
type bounded struct {
	Prover
	room chan struct{}
}

// enter waits for room.
func (b bounded) enter(ctx context.Context) error {
	select {
	case b.room <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b bounded) Prove(ctx context.Context, p *vm.Program, input []vm.Felt, opt prover.Options) (*prover.Result, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer func() { <-b.room }()
	return b.Prover.Prove(ctx, p, input, opt)
}

func (b bounded) Wrap(ctx context.Context, run []byte) (*prover.SpanResult, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer func() { <-b.room }()
	return b.Prover.Wrap(ctx, run)
}

func (b bounded) Merge(ctx context.Context, left, right []byte) (*prover.SpanResult, error) {
	if err := b.enter(ctx); err != nil {
		return nil, err
	}
	defer func() { <-b.room }()
	return b.Prover.Merge(ctx, left, right)
}
