package machine

import (
	"context"
	"crypto/ed25519"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/prover/vm"
)

var (
	aliceKey = ed25519.NewKeyFromSeed([]byte(strings.Repeat("a", 32)))
	bobKey   = ed25519.NewKeyFromSeed([]byte(strings.Repeat("b", 32)))
)

// log gathers what a Runner reports.
type log struct {
	mu   sync.Mutex
	list []Event
}

func (l *log) add(e Event) { l.mu.Lock(); l.list = append(l.list, e); l.mu.Unlock() }

func (l *log) of(k EventKind) (out []Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.list {
		if e.Kind == k {
			out = append(out, e)
		}
	}
	return out
}

// start makes and runs a keeper of an example machine in the bubble; the function returned stops it and gives its error.
func start(t *testing.T, l *link, name string, p Prover) (*log, func() error) {
	t.Helper()
	return keep(t, l, example(t, name), p, "")
}

// example reads a machine file, with a devnet's grace.
func example(t *testing.T, name string) *File {
	t.Helper()
	file := "../examples/" + name + "/" + name + ".toml"
	if name == "pair" {
		file = "testdata/pair/pair.toml"
	}
	f, err := ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	f.Terms.Grace = 6 * lockspace.Second
	return f
}

// keep does so for a machine file that was read, with a folder.
func keep(t *testing.T, l *link, f *File, p Prover, dir string) (*log, func() error) {
	t.Helper()
	return keepOver(t, l, l, f, p, dir)
}

// keepOver does so over a ledger that is made of a link.
func keepOver(t *testing.T, over Ledger, l *link, f *File, p Prover, dir string) (*log, func() error) {
	t.Helper()
	events := &log{}
	l.w.mu.Lock()
	l.w.program = f.Canonical
	l.w.mu.Unlock()
	r, err := New(Config{File: f, Ledger: over, Prover: p, Account: account(l.key), AtOnce: 2, Dir: dir, Check: checkFake, Report: events.add})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	return events, func() error { cancel(); return <-done }
}

// inWorld runs a story in a bubble with a ledger.
func inWorld(t *testing.T, story func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, aliceKey, bobKey)
		ctx, cancel := context.WithCancel(t.Context())
		go w.run(ctx)
		story(t, w)
		cancel()
		synctest.Wait()
	})
}

// pass lets so much time of the bubble go by; nobody waits for it outside.
func pass(d time.Duration) { <-time.After(d); synctest.Wait() }

func TestKeepsItsLock(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		events, stop := start(t, &link{w: w, key: aliceKey}, "lcg", oracle{delay: takes(2 * time.Second)})
		pass(65 * time.Second)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if n := len(events.of(Acquired)); n != 1 {
			t.Errorf("acquired %d times", n)
		}
		if n := len(events.of(Renewed)); n != 5 { // each 11 s: a twelfth of the cadence ahead of its end
			t.Errorf("%d renewals in 65 s, want 5", n)
		}
		if w.seen(lockspace.EventFailed) > 0 || len(events.of(Refused)) > 0 || len(events.of(Trouble)) > 0 {
			t.Errorf("%+v", events.list)
		}
		if len(events.of(Released)) != 1 {
			t.Error("it did not release the lock")
		}
		list := events.of(Renewed)
		for i := 1; i < len(list); i++ {
			if list[i].From != list[i-1].T {
				t.Errorf("renewal %d goes from %d, the one before ended at %d", i, list[i].From, list[i-1].T)
			}
		}
	})
}

func TestTakesOver(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := &link{w: w, key: aliceKey}
		first, stopA := start(t, a, "lcg", oracle{delay: takes(time.Second)})
		pass(3 * time.Second)
		second, stopB := start(t, &link{w: w, key: bobKey}, "lcg", oracle{delay: takes(time.Second)})
		pass(30 * time.Second)
		if len(second.of(Standing)) != 1 || len(second.of(Acquired)) != 0 {
			t.Fatalf("the second does not stand by: %+v", second.list)
		}
		a.breakBy(func(string) error { return errors.New("dead") })
		last := first.of(Renewed)
		pass(45 * time.Second)
		took := second.of(Acquired)
		if len(took) != 1 || took[0].From != last[len(last)-1].T {
			t.Fatalf("take-over %+v, the last proven clock is %d", took, last[len(last)-1].T)
		}
		if len(second.of(Renewed)) < 1 || w.seen(lockspace.EventFailed) != 1 {
			t.Errorf("%d renewals by the second, %d failures", len(second.of(Renewed)), w.seen(lockspace.EventFailed))
		}
		// The first comes back, sees that it lost the lock, and stands by.
		a.breakBy(nil)
		pass(10 * time.Second)
		if len(first.of(Lost)) != 1 || len(first.of(Standing)) != 1 {
			t.Errorf("the first came back and said %+v", first.list)
		}
		if err := stopA(); err != nil {
			t.Error(err)
		}
		if err := stopB(); err != nil {
			t.Error(err)
		}
	})
}

func TestConsumesItsInbox(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		events, stop := start(t, &link{w: w, key: aliceKey}, "counter", oracle{delay: takes(time.Second)})
		pass(15 * time.Second)
		sender := &link{w: w, key: bobKey}
		for _, n := range []uint64{50, 5} {
			r, err := sender.Do(t.Context(), &lockspace.Send{Path: "/demo/counter", Felts: []lockspace.Felt{lockspace.FeltOf(n)}})
			if err != nil || !r.OK {
				t.Fatal(r, err)
			}
		}
		pass(4 * time.Second)
		h, err := w.state.Holder("/demo/counter")
		if err != nil || h.Machine.S != lockspace.FeltOf(55) || h.Machine.Head != 2 {
			t.Errorf("%+v %v", h.Machine, err)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if len(events.of(Refused)) > 0 {
			t.Errorf("%+v", events.of(Refused))
		}
	})
}

// TestSaysWhenProofsAreTooSlow: a renewal that takes longer than a lease is never in time.
func TestSaysWhenProofsAreTooSlow(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		events, stop := start(t, &link{w: w, key: aliceKey}, "lcg", oracle{delay: takes(19 * time.Second)})
		pass(150 * time.Second)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		slow := events.of(Slow)
		if len(slow) == 0 || !strings.Contains(slow[0].Text, "cannot be kept") || !strings.Contains(slow[0].Text, "more cores") {
			t.Errorf("%+v", slow)
		}
	})
}

// TestSizesItsSegments: proofs take as long as they have transitions; the segments come to fit three quarters of a cadence.
func TestSizesItsSegments(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		events, stop := start(t, &link{w: w, key: aliceKey}, "lcg", oracle{delay: func(n uint64) time.Duration { return time.Duration(n) * 15 * time.Millisecond }})
		pass(100 * time.Second)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		list := events.of(Renewed)
		if len(list) < 6 {
			t.Fatalf("%d renewals", len(list))
		}
		if n := list[len(list)-1].Ticks; n > 600 || n < 100 {
			t.Errorf("segments of %d transitions, 600 take three quarters of the cadence", n)
		}
	})
}

func TestBadProofsEndIt(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		f := example(t, "lcg")
		f.MaxRuns = 1 // what does not hold cannot be merged
		events, stop := keep(t, &link{w: w, key: aliceKey}, f, oracle{delay: takes(time.Second), lie: func(v *lockspace.Verdict) { v.S1 = lockspace.FeltOf(7); v.OK = false }}, "")
		pass(60 * time.Second)
		if err := stop(); err == nil || !strings.Contains(err.Error(), "refused as bad") {
			t.Errorf("it ended with %v", err)
		}
		if len(events.of(Refused)) != maxBad || len(events.of(Acquired)) != 0 {
			t.Errorf("%+v", events.list)
		}
	})
}

func TestBearsAbsentNodes(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		l := &link{w: w, key: aliceKey}
		calls := 0
		l.breakBy(func(string) error {
			if calls++; calls%11 == 0 {
				return errors.New("connection refused")
			}
			return nil
		})
		events, stop := start(t, l, "lcg", oracle{delay: takes(time.Second)})
		pass(60 * time.Second)
		l.breakBy(nil)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if len(events.of(Trouble)) == 0 || len(events.of(Renewed)) < 4 || w.seen(lockspace.EventFailed) > 0 {
			t.Errorf("%d troubles, %d renewals: %+v", len(events.of(Trouble)), len(events.of(Renewed)), events.list)
		}
	})
}

// TestRefusesAnothersLock: a lock that demands another machine is not for this file.
func TestRefusesAnothersLock(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		_, stop := start(t, &link{w: w, key: aliceKey}, "lcg", oracle{delay: takes(time.Second)})
		pass(5 * time.Second)
		f, err := ReadFile("../examples/lcg/lcg.toml")
		if err != nil {
			t.Fatal(err)
		}
		f.Start.SetUint64(2)
		r, err := New(Config{File: f, Ledger: &link{w: w, key: bobKey}, Prover: oracle{delay: takes(time.Second)}, Account: account(bobKey)})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "demands machine") {
			t.Error(err)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestRefusesBrokenMachines: what fails in its first transitions is refused before anything is sent.
func TestRefusesBrokenMachines(t *testing.T) {
	f, err := ReadFile("../examples/lcg/lcg.toml")
	if err != nil {
		t.Fatal(err)
	}
	f.Opening = []vm.Felt{{}} // lcg takes no witness
	if _, err := New(Config{File: f}); err == nil || !strings.Contains(err.Error(), "first 1 transitions") {
		t.Error(err)
	}
}

// TestCarriesWhatIsBehindItsState: a state of more than one felt goes from run to run inside the keeper, and each holder
// begins anew. A keeper that comes back after a crash and finds its own lease has not got it any more: when that was not
// renewed in time, so that nobody else keeps it, it gives the lock back and begins anew too.
func TestCarriesWhatIsBehindItsState(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := &link{w: w, key: aliceKey}
		first, stopFirst := start(t, a, "pair", oracle{delay: takes(time.Second)})
		pass(40 * time.Second)
		list := first.of(Renewed)
		if len(list) < 3 || list[0].From != 5 || list[1].From != list[0].T || list[1].Ticks%5 != 0 || list[1].Runs < 2 {
			t.Fatalf("%+v", first.list)
		}
		// It crashes: cut off, it can release nothing.
		a.breakBy(func(string) error { return errors.New("dead") })
		if err := stopFirst(); err != nil {
			t.Fatal(err)
		}
		again := &link{w: w, key: aliceKey, nonce: a.nonce}
		second, stopSecond := start(t, again, "pair", oracle{delay: takes(time.Second)})
		pass(32 * time.Second)
		if got := second.of(Acquired); len(got) != 1 || got[0].From != 0 || got[0].T%5 != 0 {
			t.Fatalf("%+v", second.list)
		}
		if len(second.of(Renewed)) == 0 || len(second.of(Refused)) > 0 || w.seen(lockspace.EventFailed) > 0 {
			t.Errorf("%+v", second.list)
		}
		if err := stopSecond(); err != nil {
			t.Error(err)
		}
	})
}

// TestOpeningIsOfItsState: what was behind a state is no other state's, though a lock that was made again under the same name
// has come to the same generation and clock.
func TestOpeningIsOfItsState(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := &link{w: w, key: aliceKey}
		events, stop := start(t, a, "pair", oracle{delay: takes(time.Second)})
		pass(3 * time.Second)
		if err := stop(); err != nil || len(events.of(Acquired)) != 1 {
			t.Fatal(err, events.list)
		}
		r, err := New(Config{File: example(t, "pair"), Ledger: a, Prover: oracle{delay: takes(time.Second)}, Account: account(aliceKey), Check: checkFake})
		if err != nil {
			t.Fatal(err)
		}
		j := job(7, 40)
		want := []vm.Felt{{}, {}}
		r.accepted(begun{Job: Job{Instance: j.Instance, Generation: j.Generation, T: 35}}, Piece{T: j.T, S: felts([]lockspace.Felt{j.S})[0], Opening: want}, 0)
		if got, err := r.openingOf(t.Context(), j); err != nil || len(got) != len(want) {
			t.Errorf("%v %v", got, err)
		}
		for name, change := range map[string]func(*Job){
			"instance":   func(j *Job) { j.Instance++ },
			"generation": func(j *Job) { j.Generation++ },
			"clock":      func(j *Job) { j.T++ },
			"state":      func(j *Job) { j.S = lockspace.FeltOf(10) },
		} {
			other := j
			change(&other)
			if got, err := r.openingOf(t.Context(), other); err == nil || got != nil {
				t.Errorf("another %s: %v", name, got)
			}
		}
	})
}
