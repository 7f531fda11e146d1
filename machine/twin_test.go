package machine

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
)

// TestTwoKeepersOfOneKey: two processes sign with one key, as after a second `machine run` from another home. One keeps the
// lock, the other says so and stands by, and its end is not the other's.
func TestTwoKeepersOfOneKey(t *testing.T) {
	for _, name := range []string{"lcg", "pair"} {
		inWorld(t, func(t *testing.T, w *world) {
			l := &link{w: w, key: aliceKey}
			f := example(t, name)
			f.MaxRuns = 1
			quick := oracle{delay: takes(time.Second)}
			var events [2]*log
			var stop [2]func() error
			events[0], stop[0] = keep(t, l, f, quick, t.TempDir())
			pass(15 * time.Second)
			events[1], stop[1] = keep(t, l, f, quick, t.TempDir())
			pass(60 * time.Second)
			by := 0 // who stands by
			if len(events[1].of(Standing)) > 0 {
				by = 1
			}
			idle, busy := events[by], events[1-by]
			if got := idle.of(Standing); len(got) != 1 || !strings.Contains(got[0].Text, "another process with this key") || len(busy.of(Standing)) > 0 {
				t.Fatalf("%s: %+v\n%+v", name, events[0].list, events[1].list)
			}
			if name == "pair" && by != 1 {
				t.Errorf("the second knows nothing of what is behind the state, and keeps it: %+v", events[1].list)
			}
			for _, e := range idle.of(Renewed) {
				if e.Sequence > idle.of(Standing)[0].Sequence {
					t.Errorf("it stood by and renewed: %+v", e)
				}
			}
			proving := len(idle.of(Proving))
			pass(60 * time.Second)
			if n := len(idle.of(Proving)); n != proving {
				t.Errorf("%s: %d proofs for nothing", name, n-proving)
			}
			if err := stop[by](); err != nil {
				t.Error(err)
			}
			renewed := len(busy.of(Renewed))
			pass(24 * time.Second)
			if n := len(busy.of(Renewed)); n < renewed+2 || w.seen(lockspace.EventFailed)+w.seen(lockspace.EventLost) > 0 || len(busy.of(Lost)) > 0 {
				t.Errorf("%s: %d renewals after the other's end: %+v", name, n-renewed, busy.list)
			}
			if err := stop[1-by](); err != nil {
				t.Error(err)
			}
			if n := w.seen(lockspace.EventLost); n != 1 {
				t.Errorf("%s: released %d times", name, n)
			}
		})
	}
}

// TestLeavesWhatItNeverKept: who finds a lease of its key and is stopped before it renewed gives nothing back.
func TestLeavesWhatItNeverKept(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		l := &link{w: w, key: aliceKey}
		_, stopA := start(t, l, "lcg", oracle{delay: takes(time.Second)})
		pass(15 * time.Second)
		second, stopB := start(t, l, "lcg", oracle{delay: takes(time.Second)})
		pass(time.Second)
		if err := stopB(); err != nil {
			t.Error(err)
		}
		if w.seen(lockspace.EventLost) > 0 || len(second.of(Released)) > 0 {
			t.Errorf("%+v", second.list)
		}
		if err := stopA(); err != nil {
			t.Error(err)
		}
	})
}

// TestStandsByForItsSuccessor: a keeper that was cut off for longer than its lease finds that another process with its key
// has taken the lock. It leaves it to that one, until that one is gone.
func TestStandsByForItsSuccessor(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := &link{w: w, key: aliceKey}
		first, stopA := start(t, a, "lcg", oracle{delay: takes(time.Second)})
		pass(15 * time.Second)
		a.breakBy(func(string) error { return errors.New("cut off") })
		pass(10 * time.Second)
		b := &link{w: w, key: aliceKey, nonce: a.nonce}
		second, stopB := start(t, b, "lcg", oracle{delay: takes(time.Second)})
		pass(40 * time.Second)
		a.breakBy(nil)
		w.mu.Lock()
		a.nonce = b.nonce + 100
		w.mu.Unlock()
		pass(30 * time.Second)
		if n := len(first.of(Standing)); n != 1 || len(first.of(Lost)) != 1 || len(second.of(Standing)) > 0 {
			t.Fatalf("%+v\n%+v", first.list, second.list)
		}
		b.breakBy(func(string) error { return errors.New("dead") })
		if err := stopB(); err != nil {
			t.Error(err)
		}
		pass(60 * time.Second)
		if n := len(first.of(Acquired)); n != 2 {
			t.Errorf("acquired %d times: %+v", n, first.list)
		}
		if err := stopA(); err != nil {
			t.Error(err)
		}
	})
}

// deaf is a link without events.
type deaf struct{ *link }

func (deaf) Watch(context.Context, string) <-chan api.Event { return nil }

// TestTwinsOfOneProof: two processes with one key make the same proof in the same moment, and hand it in. It is that one's
// whose transaction the ledger took.
func TestTwinsOfOneProof(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		l := &link{w: w, key: aliceKey}
		quick := oracle{delay: takes(time.Second)}
		_, stop := start(t, l, "lcg", quick)
		pass(3 * time.Second)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		var events [2]log
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 2)
		for i := range events {
			r, err := New(Config{File: example(t, "lcg"), Ledger: deaf{l}, Prover: quick, Account: account(aliceKey), Check: checkFake, Report: events[i].add})
			if err != nil {
				t.Fatal(err)
			}
			go func() { done <- r.Run(ctx) }()
		}
		pass(5 * time.Second)
		count := func(k EventKind) int { return len(events[0].of(k)) + len(events[1].of(k)) }
		if count(Acquired) != 1 || count(Refused) != 1 || count(Standing) != 1 {
			t.Errorf("%+v\n%+v", events[0].list, events[1].list)
		}
		cancel()
		if err := errors.Join(<-done, <-done); err != nil {
			t.Error(err)
		}
		if n := count(Released); n != 1 {
			t.Errorf("released %d times", n)
		}
	})
}

// lagging is a link that can answer what it did last.
type lagging struct {
	*link
	so      atomic.Bool
	head    *api.Head
	machine *api.Machine
}

func (l *lagging) Head(ctx context.Context) (*api.Head, error) {
	if l.so.Load() {
		return l.head, nil
	}
	var err error
	l.head, err = l.link.Head(ctx)
	return l.head, err
}

func (l *lagging) Machine(ctx context.Context, lock string) (*api.Machine, error) {
	if l.so.Load() {
		return l.machine, nil
	}
	var err error
	l.machine, err = l.link.Machine(ctx, lock)
	return l.machine, err
}

// TestKnowsItsOwnByALostAnswer: the answer to a renewal was lost, and the node that is asked next is behind, so that the same
// proof is handed in again and refused. It is this process's own all the same.
func TestKnowsItsOwnByALostAnswer(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := &lagging{link: &link{w: w, key: aliceKey}}
		// Of pair this process alone has what is behind the state.
		events, stop := keepOver(t, a, a.link, example(t, "pair"), oracle{delay: takes(time.Second)}, "")
		pass(15 * time.Second)
		lost := false
		a.breakBy(func(what string) error {
			switch {
			case what == "receipt" && !lost:
				lost = true
				a.so.Store(true)
				return errors.New("connection reset")
			case what == "do" && lost:
				a.so.Store(false)
			}
			return nil
		})
		pass(30 * time.Second)
		if len(events.of(Refused)) != 1 || len(events.of(Trouble)) != 1 || len(events.of(Standing)) > 0 || len(events.of(Lost)) > 0 || len(events.of(Renewed)) < 3 || w.seen(lockspace.EventLost) > 0 {
			t.Errorf("%+v", events.list)
		}
		if err := stop(); err != nil || len(events.of(Released)) != 1 {
			t.Error(err, events.list)
		}
	})
}
