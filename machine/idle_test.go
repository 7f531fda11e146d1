package machine

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
)

// TestKeepsItsProofOnAnIdleLedger: while nothing is held a ledger makes no cut by itself, and a gap counts as 5 s at most, so
// that an anchor does not age: a proof that took almost two cadences is taken.
func TestKeepsItsProofOnAnIdleLedger(t *testing.T) {
	for _, cadence := range []time.Duration{3 * time.Second, 6 * time.Second, 12 * time.Second, 40 * time.Second} {
		for _, idle := range []time.Duration{0, 10 * time.Minute} {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, aliceKey, bobKey)
				pass(idle)
				f := example(t, "lcg")
				f.Terms.Cadence = lockspace.Duration(cadence)
				f.Terms.Grace = lockspace.Duration(cadence) + 6*lockspace.Second
				events, stop := keep(t, &link{w: w, key: aliceKey}, f, oracle{delay: takes(cadence * 19 / 10)}, "")
				pass(cadence*19/10 + time.Second)
				if n := len(events.of(Acquired)); n != 1 || len(events.of(Refused)) > 0 || len(events.of(Trouble)) > 0 {
					t.Errorf("a cadence of %v, idle for %v: acquired %d times with %d proofs: %+v", cadence, idle, n, len(events.of(Proving)), events.list)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestAgesWithTheLedger: what another does on an idle ledger makes an anchor no older than the ledger counts; on a busy one a
// proof that has become too old is thrown away.
func TestAgesWithTheLedger(t *testing.T) {
	for name, cut := range map[string]func(second int) bool{
		"one cut": func(second int) bool { return second == 15 },
		"busy":    func(int) bool { return true },
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, aliceKey, bobKey)
			events, stop := start(t, &link{w: w, key: aliceKey}, "lcg", oracle{delay: takes(22 * time.Second)})
			for second := range 24 {
				pass(time.Second)
				if cut(second) {
					w.mu.Lock()
					_, err := w.cut()
					w.mu.Unlock()
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			took, proofs := len(events.of(Acquired)), len(events.of(Proving))
			if (name == "one cut") != (took == 1) || (name == "busy" && proofs != 2) || len(events.of(Refused)) > 0 {
				t.Errorf("%s: acquired %d times with %d proofs: %+v", name, took, proofs, events.list)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestPollsSlowlyWhileTheLedgerStands: the hour that a keeper waits for, the end of another's lease or of a lock-delay, does
// not come on a ledger that stands still. It looks now and then.
func TestPollsSlowlyWhileTheLedgerStands(t *testing.T) {
	for _, name := range []string{"another's lease", "a lock-delay"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, aliceKey, bobKey)
			ctx, cancel := context.WithCancel(t.Context())
			go w.run(ctx)
			a := &link{w: w, key: aliceKey}
			f := example(t, "lcg")
			f.Terms.LockDelay = 10 * lockspace.Second
			_, stopA := keep(t, a, f, oracle{delay: takes(time.Second)}, "")
			pass(30 * time.Second)
			b := &link{w: w, key: bobKey}
			var calls atomic.Int64
			b.breakBy(func(string) error { calls.Add(1); return nil })
			_, stopB := keep(t, b, f, oracle{delay: takes(time.Second)}, "")
			pass(time.Second)
			a.breakBy(func(string) error { return errors.New("dead") })
			if name == "a lock-delay" {
				pass(16 * time.Second)
				w.mu.Lock()
				h, err := w.state.Holder(f.Lock)
				w.mu.Unlock()
				if err != nil || h.State != lockspace.Delayed {
					t.Fatal(h, err)
				}
			}
			cancel()
			for i := range 9 {
				before := calls.Load()
				pass(10 * time.Second)
				if n := calls.Load() - before; n > 20 {
					t.Errorf("%s: %d calls in the ten seconds from %d s on", name, n, 10*i)
				}
			}
			if err := errors.Join(stopB(), stopA()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestWaitsForNoLifeForEverOnAnIdleLedger: an anchor that does not age is no reason to wait for ever for what no node gives.
func TestWaitsForNoLifeForEverOnAnIdleLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, aliceKey, bobKey)
		ctx, cancel := context.WithCancel(t.Context())
		go w.run(ctx)
		_, stopA := start(t, &link{w: w, key: aliceKey}, "lcg", oracle{delay: takes(time.Second)})
		pass(40 * time.Second)
		if err := stopA(); err != nil {
			t.Fatal(err)
		}
		pass(2 * time.Minute)
		cancel()
		b := &link{w: w, key: bobKey}
		b.lacks("whole", errors.New("connection refused"))
		events, stopB := start(t, b, "lcg", oracle{delay: takes(time.Second)})
		pass(15 * time.Second)
		if n := len(events.of(Acquired)); n != 0 {
			t.Errorf("acquired %d times while the whole life may still be had", n)
		}
		pass(20 * time.Second)
		if a, b := len(events.of(Acquired)), len(events.of(Broken)); a != 1 || b != 1 {
			t.Errorf("acquired %d times, broken %d times: %+v", a, b, events.list)
		}
		if err := stopB(); err != nil {
			t.Error(err)
		}
	})
}

// TestChainOfLivesBreaksOnAnIdleLedger: nobody has the whole life any more, and the ledger's clock, by which the lock has to be
// free for a while, goes on only with transactions. The keeper's own let it.
func TestChainOfLivesBreaksOnAnIdleLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, aliceKey, bobKey)
		ctx, cancel := context.WithCancel(t.Context())
		go w.run(ctx)
		f := example(t, "lcg")
		f.Terms.Cadence = 40 * lockspace.Second
		_, stopA := keep(t, &link{w: w, key: aliceKey}, f, oracle{delay: takes(time.Second)}, "")
		pass(100 * time.Second)
		if err := stopA(); err != nil {
			t.Fatal(err)
		}
		cancel()
		b := &link{w: w, key: bobKey}
		b.lacks("whole", api.Errorf(api.CodeGone, "ask another"))
		events, stopB := keep(t, b, f, oracle{delay: takes(time.Second)}, "")
		pass(15 * time.Minute)
		if a, b := len(events.of(Acquired)), len(events.of(Broken)); a != 1 || b != 1 || len(events.of(Refused)) > 20 {
			t.Errorf("acquired %d times, broken %d times: %+v", a, b, events.list)
		}
		if err := stopB(); err != nil {
			t.Error(err)
		}
	})
}
