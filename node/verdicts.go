package node

import (
	"context"
	"errors"
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
// for a proof's arithmetic. A verdict is a pure function of bytes: keeping it is always right, and nothing but the bytes
// may ever decide it, least of all a caller that gives up.
type verdicts struct {
	verify  func([]byte) lockspace.Verdict
	work    chan func()
	done    chan struct{} // closed by Close
	group   sync.WaitGroup
	seconds prometheus.Observer

	mu       sync.Mutex
	size     int
	new, old map[bft.Digest]*verdict // two generations
}

type verdict struct {
	done chan struct{}
	v    lockspace.Verdict
	err  error // the node was closed before it was checked
}

// queuedProofs bounds the proofs that wait for a worker; more make their caller wait.
const queuedProofs = 64

var errVerdictsClosed = errors.New("the node is closing")

func newVerdicts(p Proofs, workers, size int, seconds prometheus.Observer) *verdicts {
	if workers <= 0 {
		workers = max(1, runtime.GOMAXPROCS(0)/2)
	}
	v := &verdicts{verify: p.Verify, work: make(chan func(), queuedProofs), done: make(chan struct{}), size: size, new: map[bft.Digest]*verdict{}, seconds: seconds}
	for range workers {
		v.group.Add(1)
		go func() {
			defer v.group.Done()
			lowerPriority() // keeps this goroutine on a thread of its own
			for {
				select {
				case f := <-v.work:
					f()
				case <-v.done:
					return
				}
			}
		}()
	}
	return v
}

// Close ends the workers after the proofs at hand.
func (v *verdicts) Close() {
	close(v.done)
	v.group.Wait()
}

// get returns the verdict that was begun on a proof, or nil. The lock is held.
func (v *verdicts) get(id bft.Digest) *verdict {
	if e := v.new[id]; e != nil {
		return e
	}
	return v.old[id]
}

// add notes a verdict that is begun, and makes the work. The lock is held.
func (v *verdicts) add(id bft.Digest, proof []byte) (*verdict, func()) {
	if len(v.new) >= v.size {
		v.old, v.new = v.new, map[bft.Digest]*verdict{}
	}
	e := &verdict{done: make(chan struct{})}
	v.new[id] = e
	return e, func() {
		t := prometheus.NewTimer(v.seconds)
		e.v = v.verify(proof)
		t.ObserveDuration()
		close(e.done)
	}
}

// start begins to check a proof unless that was begun before, and returns where its verdict will be. It waits for room
// in the queue, and is not given up but by Close: another may wait for the same verdict.
func (v *verdicts) start(id bft.Digest, proof func() ([]byte, error)) (*verdict, error) {
	v.mu.Lock()
	e := v.get(id)
	v.mu.Unlock()
	if e != nil {
		return e, nil
	}
	b, err := proof()
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	if e = v.get(id); e != nil { // begun meanwhile
		v.mu.Unlock()
		return e, nil
	}
	e, job := v.add(id, b)
	v.mu.Unlock()
	select {
	case v.work <- job:
	case <-v.done:
		e.err = errVerdictsClosed
		close(e.done)
	}
	return e, nil
}

// early begins to check a proof if a worker will come to it soon, and otherwise does nothing: the cut will ask again.
func (v *verdicts) early(id bft.Digest, proof []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.get(id) != nil || len(v.work) >= queuedProofs/4 {
		return
	}
	_, job := v.add(id, proof)
	select {
	case v.work <- job: // room for it was seen, and only start can have taken it meanwhile
	default:
		delete(v.new, id) // under the same lock: nobody has seen it
	}
}

// wait returns the verdict when it is there.
func (e *verdict) wait(ctx context.Context) (*lockspace.Verdict, error) {
	select {
	case <-e.done:
		if e.err != nil {
			return nil, e.err
		}
		return &e.v, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
