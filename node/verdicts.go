package node

import (
	"context"
	"runtime"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
)

// Proofs is what the node asks of the proof system: two pure functions of bytes, their versions fixed in genesis.
type Proofs struct {
	// ProgramKey derives a canonical program's content id and key.
	ProgramKey func(program []byte) (wire.CID, lockspace.Digest, error)
	// Verify checks a proof without envelope and says what it is of; a bad one gives a verdict that is not OK.
	Verify func(proof []byte) lockspace.Verdict
	// Envelope makes a proof file of a canonical program and a proof's bytes.
	Envelope func(program, proof []byte) ([]byte, error)
}

// verdicts checks each proof once, a bounded number at a time, on threads of low priority, so that agreement never waits
// for a proof's arithmetic. A verdict is a pure function of bytes: keeping it is always right.
type verdicts struct {
	verify func([]byte) lockspace.Verdict
	work   chan func()
	group  sync.WaitGroup

	mu       sync.Mutex
	size     int
	new, old map[bft.Digest]*verdict // two generations
	seconds  prometheus.Observer
}

type verdict struct {
	done chan struct{}
	v    lockspace.Verdict
}

// queuedProofs bounds the proofs that wait for a worker; more make their caller wait.
const queuedProofs = 64

func newVerdicts(p Proofs, workers, size int, seconds prometheus.Observer) *verdicts {
	if workers <= 0 {
		workers = max(1, runtime.GOMAXPROCS(0)/2)
	}
	v := &verdicts{verify: p.Verify, work: make(chan func(), queuedProofs), size: size, new: map[bft.Digest]*verdict{}, seconds: seconds}
	for range workers {
		v.group.Add(1)
		go func() {
			defer v.group.Done()
			lowerPriority() // keeps this goroutine on a thread of its own
			for f := range v.work {
				f()
			}
		}()
	}
	return v
}

func (v *verdicts) Close() {
	close(v.work)
	v.group.Wait()
}

// start begins to check a proof unless that was begun before, and returns where its verdict will be.
func (v *verdicts) start(ctx context.Context, id bft.Digest, proof func() ([]byte, error)) (*verdict, error) {
	v.mu.Lock()
	for _, g := range []map[bft.Digest]*verdict{v.new, v.old} {
		if e := g[id]; e != nil {
			v.mu.Unlock()
			return e, nil
		}
	}
	v.mu.Unlock()
	b, err := proof()
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	if e := v.new[id]; e != nil { // begun meanwhile
		v.mu.Unlock()
		return e, nil
	}
	if len(v.new) >= v.size {
		v.old, v.new = v.new, map[bft.Digest]*verdict{}
	}
	e := &verdict{done: make(chan struct{})}
	v.new[id] = e
	v.mu.Unlock()
	job := func() {
		t := prometheus.NewTimer(v.seconds)
		e.v = v.verify(b)
		t.ObserveDuration()
		close(e.done)
	}
	select {
	case v.work <- job:
		return e, nil
	case <-ctx.Done():
		v.mu.Lock()
		delete(v.new, id) // nobody works on it: the next who asks begins anew
		v.mu.Unlock()
		e.v = lockspace.Verdict{Reason: ctx.Err().Error()}
		close(e.done)
		return nil, ctx.Err()
	}
}

// wait returns the verdict when it is there.
func (e *verdict) wait(ctx context.Context) (*lockspace.Verdict, error) {
	select {
	case <-e.done:
		return &e.v, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
