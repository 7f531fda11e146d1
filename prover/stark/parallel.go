package stark

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// each calls f for 0 .. n-1 on all processors, in any order, and returns the first error or the context's. worker is
// the number of the calling goroutine, below workers(), for scratch memory.
func each(ctx context.Context, n int, f func(worker, i int) error) error {
	var next atomic.Int64
	var failed atomic.Pointer[error]
	work := func(worker int) {
		for failed.Load() == nil {
			i := int(next.Add(1)) - 1
			if i >= n {
				return
			}
			err := ctx.Err()
			if err == nil {
				err = f(worker, i)
			}
			if err != nil {
				failed.CompareAndSwap(nil, &err)
				return
			}
		}
	}
	w := min(workers(), n)
	if w <= 1 {
		work(0)
	} else {
		var wg sync.WaitGroup
		for i := range w {
			wg.Go(func() { work(i) })
		}
		wg.Wait()
	}
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// workers is the number of goroutines that each starts at most. It is read once: the runtime follows the processors that a
// container grants, and scratch memory is laid out by worker before each starts them.
var workers = sync.OnceValue(func() int { return runtime.GOMAXPROCS(0) })
