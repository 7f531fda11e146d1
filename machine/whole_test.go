package machine

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
)

// wholeOf is the whole-life span that the world has of a lock, and where the lock's clock is.
func wholeOf(t *testing.T, w *world, lock string) (whole, newest lockspace.Verdict, m lockspace.Machine) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	h, err := w.state.Holder(lock)
	if err != nil {
		t.Fatal(err)
	}
	return *judged(w.whole[lock]), *judged(w.newest[lock]), *h.Machine
}

// TestCarriesItsWholeLife: from the third proof on each renewal brings the span from the start to where it begins, by one
// merge each; the fortieth costs what the second did.
func TestCarriesItsWholeLife(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		f := example(t, "lcg")
		f.MaxRuns = 1
		c := &counts{}
		events, stop := keep(t, &link{w: w, key: aliceKey}, f, oracle{delay: takes(time.Second), wrap: time.Second, merge: time.Second, count: c}, "")
		pass(30 * time.Second)
		_, _, early := c.seen()
		first, before := events.of(Renewed)[1], w.bytes()
		pass(440 * time.Second)
		list := events.of(Renewed)
		if len(list) < 42 || w.seen(lockspace.EventFailed) > 0 || len(events.of(Refused)) > 0 || len(events.of(Trouble)) > 0 {
			t.Fatalf("%d renewals: %+v %+v", len(list), events.of(Refused), events.of(Trouble))
		}
		if _, _, n := c.seen(); n-early != len(list)-2 {
			t.Errorf("%d merges for %d renewals", n-early, len(list)-2)
		}
		if fortieth := list[39]; fortieth.ProofBytes > first.ProofBytes+16 || fortieth.ProveSeconds > first.ProveSeconds {
			t.Errorf("the fortieth renewal cost %d bytes and %v s, the second %d and %v", fortieth.ProofBytes, fortieth.ProveSeconds, first.ProofBytes, first.ProveSeconds)
		}
		if each := (w.bytes() - before) / (len(list) - 2); each > 3*first.ProofBytes {
			t.Errorf("%d bytes attached a renewal, a proof has %d", each, first.ProofBytes)
		}
		whole, newest, m := wholeOf(t, w, f.Lock)
		if whole.T0 != 0 || whole.S0 != lockspace.FeltOf(1) || whole.T1 != newest.T0 || newest.T1 != m.T || m.Whole.T != newest.T0 {
			t.Errorf("whole life to %d, newest from %d to %d, clock %d", whole.T1, newest.T0, newest.T1, m.T)
		}
		if whole.Life != newest.Life || whole.Anchor != (lockspace.Digest{}) {
			t.Error("one life, many anchors")
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestSuccessorCarriesTheWholeLifeOn: it takes over with the span of all that was before, which a node had, and so does a
// keeper that comes back without anything.
func TestSuccessorCarriesTheWholeLifeOn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		quick := oracle{delay: takes(time.Second), wrap: 500 * time.Millisecond, merge: 500 * time.Millisecond}
		a := &link{w: w, key: aliceKey}
		_, stopA := start(t, a, "lcg", quick)
		pass(28 * time.Second)
		second, stopB := start(t, &link{w: w, key: bobKey}, "lcg", quick)
		a.breakBy(func(string) error { return errors.New("dead") })
		pass(60 * time.Second)
		took := second.of(Acquired)
		if len(took) != 1 || len(second.of(Refused)) > 0 || len(second.of(Renewed)) < 2 {
			t.Fatalf("%+v", second.list)
		}
		whole, newest, m := wholeOf(t, w, "/demo/lcg")
		if whole.T0 != 0 || whole.T1 != newest.T0 || whole.T1 <= took[0].T || whole.Life != (lockspace.Digest{}) || m.T != newest.T1 {
			t.Errorf("whole life to %d by %s, newest from %d, the second took over from %d", whole.T1, whole.Life, newest.T0, took[0].From)
		}
		// Stopped, it gives the lock back; the first, begun anew with nothing, goes on from the same life.
		if err := stopB(); err != nil {
			t.Error(err)
		}
		if err := stopA(); err != nil {
			t.Error(err)
		}
		again := &link{w: w, key: aliceKey, nonce: a.nonce}
		third, stopC := start(t, again, "lcg", quick)
		pass(20 * time.Second)
		if got := third.of(Acquired); len(got) != 1 || got[0].From != m.T || len(third.of(Refused)) > 0 {
			t.Fatalf("%+v", third.list)
		}
		if whole, _, after := wholeOf(t, w, "/demo/lcg"); whole.T1 < m.T || after.Whole.T != whole.T1 {
			t.Errorf("whole life to %d, the third took over at %d", whole.T1, m.T)
		}
		if err := stopC(); err != nil {
			t.Error(err)
		}
	})
}

// TestChainOfLivesBreaks: where no node has the bytes any more, the lock does not stay free for ever: after the time of a
// lease it is taken without them, and the keeper says so.
func TestChainOfLivesBreaks(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		quick := oracle{delay: takes(time.Second)}
		a := &link{w: w, key: aliceKey}
		_, stopA := start(t, a, "lcg", quick)
		pass(28 * time.Second)
		a.breakBy(func(string) error { return errors.New("dead") })
		if err := stopA(); err != nil {
			t.Error(err)
		}
		b := &link{w: w, key: bobKey}
		b.lacks("whole", api.Errorf(api.CodeGone, "ask another"))
		second, stopB := start(t, b, "lcg", quick)
		pass(50 * time.Second)
		troubles := len(second.of(Trouble))
		pass(30 * time.Second)
		if n := len(second.of(Trouble)) - troubles; n > 0 {
			t.Errorf("it goes on complaining: %+v", second.of(Trouble)[troubles:])
		}
		got := second.of(Acquired)
		if len(got) != 1 || got[0].From == 0 || len(second.of(Renewed)) < 2 || len(second.of(Refused)) > 0 {
			t.Fatalf("%+v", second.list)
		}
		said := false
		for _, e := range second.of(Trouble) {
			said = said || strings.Contains(e.Text, "whole-life span up to")
		}
		if !said {
			t.Errorf("it did not say why it waited: %+v", second.of(Trouble))
		}
		if broken := second.of(Broken); len(broken) != 1 || broken[0].T != got[0].From || !strings.Contains(broken[0].Text, "ask another") {
			t.Errorf("it did not say what it breaks: %+v", broken)
		}
		if err := stopB(); err != nil {
			t.Error(err)
		}
	})
}

// TestLateKeeperBreaksNoChain: a lock has been free for so long that the ledger takes an acquire without the whole life. Who
// comes then has its proof before the whole life, of which nodes have every byte, even where they fail for a while.
func TestLateKeeperBreaksNoChain(t *testing.T) {
	for name, ill := range map[string]time.Duration{"nodes answer": 0, "nodes fail at first": 8 * time.Second} {
		inWorld(t, func(t *testing.T, w *world) {
			f := example(t, "lcg")
			f.MaxRuns = 1
			_, stopA := keep(t, &link{w: w, key: aliceKey}, f, oracle{delay: takes(time.Second), wrap: 500 * time.Millisecond, merge: 500 * time.Millisecond}, "")
			pass(40 * time.Second)
			if err := stopA(); err != nil {
				t.Fatal(err)
			}
			_, _, before := wholeOf(t, w, f.Lock)
			if !before.WholeDue() {
				t.Fatalf("%+v", before)
			}
			pass(2 * time.Minute)
			b := &link{w: w, key: bobKey}
			well := time.Now().Add(ill)
			b.breakBy(func(what string) error {
				if what == "proof" && time.Now().Before(well) {
					return errors.New("connection refused")
				}
				return nil
			})
			second, stopB := keep(t, b, f, oracle{delay: takes(time.Second), wrap: 500 * time.Millisecond, merge: 3 * time.Second}, "")
			pass(60 * time.Second)
			whole, newest, m := wholeOf(t, w, f.Lock)
			if got := second.of(Acquired); len(got) != 1 || got[0].From != before.T || len(second.of(Joined)) == 0 {
				t.Errorf("%s: %+v", name, second.list)
			}
			if whole.T0 != 0 || whole.T1 != newest.T0 || newest.T1 != m.T || whole.T1 <= before.T || len(second.of(Broken))+len(second.of(Refused)) > 0 {
				t.Errorf("%s: whole life to %d, newest from %d, clock %d: %+v", name, whole.T1, newest.T0, m.T, second.list)
			}
			if err := stopB(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestRefusesForeignWholeLives: what a node gives is checked before it becomes part of a proof.
func TestRefusesForeignWholeLives(t *testing.T) {
	for why, lie := range map[string]func(*lockspace.Verdict){
		"no span of this machine's program": func(v *lockspace.Verdict) { v.Key[0] ^= 1 },
		"starts in another state":           func(v *lockspace.Verdict) { v.S0 = lockspace.FeltOf(2) },
		"does not begin at t = 0":           func(v *lockspace.Verdict) { v.T0 = 7 },
		"chain of lives is broken":          func(v *lockspace.Verdict) { v.T1-- },
		"it does not hold":                  func(v *lockspace.Verdict) { v.OK, v.Reason = false, "it does not hold" },
	} {
		inWorld(t, func(t *testing.T, w *world) {
			quick := oracle{delay: takes(time.Second)}
			_, stopA := start(t, &link{w: w, key: aliceKey}, "lcg", quick)
			pass(28 * time.Second)
			if err := stopA(); err != nil {
				t.Fatal(err)
			}
			f, err := readFake(w.whole["/demo/lcg"])
			if err != nil {
				t.Fatal(err)
			}
			lie(&f.Verdict)
			w.mu.Lock()
			w.whole["/demo/lcg"] = f.bytes()
			w.mu.Unlock()
			second, stopB := start(t, &link{w: w, key: bobKey}, "lcg", quick)
			pass(10 * time.Second)
			found := false
			for _, e := range second.of(Trouble) {
				found = found || strings.Contains(e.Text, why)
			}
			if !found || len(second.of(Acquired)) > 0 || len(second.of(Refused)) > 0 {
				t.Errorf("%s: %+v", why, second.list)
			}
			if err := stopB(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTakesWhatWaits: several transactions that wait become several runs of one renewal, as many as are in time.
func TestTakesWhatWaits(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		events, stop := start(t, &link{w: w, key: aliceKey}, "counter", oracle{delay: takes(time.Second), wrap: 500 * time.Millisecond, merge: 500 * time.Millisecond})
		pass(15 * time.Second)
		sender := &link{w: w, key: bobKey}
		for n := range uint64(9) {
			if r, err := sender.Do(t.Context(), &lockspace.Send{Path: "/demo/counter", Felts: []lockspace.Felt{lockspace.FeltOf(10 + n)}}); err != nil || !r.OK {
				t.Fatal(r, err)
			}
		}
		pass(24 * time.Second)
		h, err := w.state.Holder("/demo/counter")
		if err != nil || h.Machine.S != lockspace.FeltOf(9*10+36) || h.Machine.Head != 9 || w.seen(lockspace.EventFailed) > 0 {
			t.Errorf("%+v %v", h.Machine, err)
		}
		most, sum := uint64(0), uint64(0)
		for _, e := range events.of(Renewed) {
			if e.Count > 0 && (e.Runs != e.Count || e.Took != int64(sum)) {
				t.Errorf("%+v", e)
			}
			most, sum = max(most, e.Count), sum+e.Count
		}
		if most < 3 || most > 5 || sum != 9 {
			t.Errorf("%d of %d transactions in one renewal; a run takes 2 s of 9", most, sum)
		}
		if err := stop(); err != nil || len(events.of(Refused)) > 0 {
			t.Errorf("%v %+v", err, events.of(Refused))
		}
	})
}
