package node

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
)

// Proofs is what the node asks of the proof system: pure functions, their versions fixed in genesis.
type Proofs struct {
	// ProgramKey derives a canonical program's content id and key.
	ProgramKey func(program []byte) (wire.CID, lockspace.Digest, error)
	// SpanInputs digests the inputs felts of a span's runs.
	SpanInputs func(runs []lockspace.Felt) lockspace.Digest
	// Verify checks a span proof without envelope and says what it is of; a bad one gives a verdict that is not OK.
	Verify func(proof []byte) lockspace.Verdict
	// Envelope makes a proof file of a canonical program and a proof's bytes.
	Envelope func(program, proof []byte) ([]byte, error)
}

// functions are those that the lock space calls itself.
func (p Proofs) functions() lockspace.Functions {
	return lockspace.Functions{ProgramKey: p.ProgramKey, SpanInputs: p.SpanInputs}
}

// verdicts checks each proof once, a bounded number at a time, on threads of low priority, so that agreement never waits
// for a proof's arithmetic. A verdict is a pure function of bytes: keeping it is always right, and nothing but the bytes
// may ever decide it, least of all a caller that gives up.
type verdicts struct {
	verify  func([]byte) lockspace.Verdict
	work    chan func()   // what execution waits for
	later   chan func()   // what only a caller would like to know; it comes after all work
	done    chan struct{} // closed by Close
	group   sync.WaitGroup
	seconds prometheus.Observer

	mu       sync.Mutex
	size     int
	new, old map[bft.Digest]*verdict // two generations
}

type verdict struct {
	once   sync.Once   // it may be in both queues
	queued atomic.Bool // among the work that execution waits for
	done   chan struct{}
	v      lockspace.Verdict
	err    error // the node was closed before it was checked
}

// queuedProofs bounds the proofs that wait for a worker; more make their caller wait.
const queuedProofs = 64

var errVerdictsClosed = errors.New("the node is closing")

func newVerdicts(p Proofs, workers, size int, seconds prometheus.Observer) *verdicts {
	if workers <= 0 {
		workers = max(1, runtime.GOMAXPROCS(0)/2)
	}
	v := &verdicts{verify: p.Verify, work: make(chan func(), queuedProofs), later: make(chan func(), queuedProofs/4), done: make(chan struct{}), size: size, new: map[bft.Digest]*verdict{}, seconds: seconds}
	for range workers {
		v.group.Add(1)
		go func() {
			defer v.group.Done()
			lowerPriority() // keeps this goroutine on a thread of its own
			for {
				select {
				case f := <-v.work:
					f()
					continue
				default:
				}
				select {
				case f := <-v.work:
					f()
				case f := <-v.later:
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

// add notes a verdict that is begun. The lock is held.
func (v *verdicts) add(id bft.Digest) *verdict {
	if len(v.new) >= v.size {
		v.old, v.new = v.new, map[bft.Digest]*verdict{}
	}
	e := &verdict{done: make(chan struct{})}
	v.new[id] = e
	return e
}

// job is the work of a verdict, done once however often it is queued.
func (v *verdicts) job(e *verdict, proof []byte) func() {
	return func() {
		e.once.Do(func() {
			t := prometheus.NewTimer(v.seconds)
			e.v = v.judge(proof)
			t.ObserveDuration()
			close(e.done)
		})
	}
}

// judge runs the verifier. A proof is anyone's bytes: were one to bring the verifier down, every validator would stop at its
// cut, and again at each start. So it is refused, by all of them alike.
func (v *verdicts) judge(proof []byte) (out lockspace.Verdict) {
	defer func() {
		if p := recover(); p != nil {
			out = lockspace.Verdict{Reason: fmt.Sprintf("the verifier failed on it: %v", p)}
		}
	}()
	return v.verify(proof)
}

// start begins to check a proof that execution needs, unless that is done, and returns where its verdict will be. It waits
// for room in the queue, and is not given up but by Close: another may wait for the same verdict. One that was begun for a
// caller's sake is not left to wait behind others of its kind.
func (v *verdicts) start(id bft.Digest, proof func() ([]byte, error)) (*verdict, error) {
	return v.begin(id, proof, v.work)
}

// ask is start for a caller that execution does not wait for.
func (v *verdicts) ask(id bft.Digest, proof []byte) (*verdict, error) {
	return v.begin(id, func() ([]byte, error) { return proof, nil }, v.later)
}

func (v *verdicts) begin(id bft.Digest, proof func() ([]byte, error), queue chan func()) (*verdict, error) {
	v.mu.Lock()
	e := v.get(id)
	v.mu.Unlock()
	if e != nil && (queue == v.later || e.urgent() || e.ready()) {
		return e, nil
	}
	b, err := proof()
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	if e = v.get(id); e == nil {
		e = v.add(id)
	} else if queue == v.later || e.urgent() { // begun meanwhile
		v.mu.Unlock()
		return e, nil
	}
	if queue == v.work {
		e.queued.Store(true)
	}
	v.mu.Unlock()
	select {
	case queue <- v.job(e, b):
	case <-v.done:
		e.once.Do(func() {
			e.err = errVerdictsClosed
			close(e.done)
		})
	}
	return e, nil
}

// early begins to check a proof if a worker will come to it soon, and otherwise does nothing: the cut will ask again.
func (v *verdicts) early(id bft.Digest, proof []byte) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.get(id) != nil {
		return
	}
	e := v.add(id)
	select {
	case v.later <- v.job(e, proof):
	default:
		delete(v.new, id) // under the same lock: nobody has seen it
	}
}

// urgent says whether execution waits for it already, ready whether it is there.
func (e *verdict) urgent() bool { return e.queued.Load() }

func (e *verdict) ready() bool {
	select {
	case <-e.done:
		return true
	default:
		return false
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
