package node

import (
	"sync"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
)

// waiters tells those who wait for a receipt that it is there, and nobody else: with thousands of them, looking into the
// store again after each cut would cost more than the cuts.
type waiters struct {
	mu sync.Mutex
	by map[wire.CID]*waiting
}

type waiting struct {
	done  chan struct{}
	count int
}

// join returns a channel that is closed when the transaction has a receipt from now on; leave must be called.
func (w *waiters) join(id wire.CID) <-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := w.by[id]
	if e == nil {
		if w.by == nil {
			w.by = map[wire.CID]*waiting{}
		}
		e = &waiting{done: make(chan struct{})}
		w.by[id] = e
	}
	e.count++
	return e.done
}

func (w *waiters) leave(id wire.CID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e := w.by[id]; e != nil {
		if e.count--; e.count == 0 {
			delete(w.by, id)
		}
	}
}

// tell wakes those who wait for any of the receipts. They are in the store already.
func (w *waiters) tell(list []lockspace.Receipt) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.by) == 0 {
		return
	}
	for i := range list {
		if e := w.by[list[i].ID]; e != nil {
			select {
			case <-e.done: // told before: it stands twice
			default:
				close(e.done)
			}
		}
	}
}
