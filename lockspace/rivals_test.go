package lockspace

import (
	"crypto/ed25519"
	"testing"

	"pgregory.net/rapid"
)

// Under random schedules of two rivals and the clock, a lock never has two holders: whoever acts under a sequencer that
// checks is the one holder of its generation, and no generation has two.
func TestNeverTwoHolders(t *testing.T) {
	acquired := 0
	rapid.Check(t, func(t *rapid.T) {
		g := testGenesis()
		for i := range g.Accounts {
			g.Accounts[i].Quota = Quota{State: 1 << 40, Inbox: 1 << 20, Proofs: maxProofs, Refill: 1}
		}
		w := newWorldFrom(t, g)
		w.machine("/m", FeltOf(0), resumeTerms(w))
		owners := map[uint64]AccountID{}
		sequencers := map[AccountID]Sequencer{}
		for range rapid.IntRange(1, 80).Draw(t, "cuts") {
			d := rapid.SampledFrom([]Duration{1, Second, 4 * Second, 20 * Second, 60 * Second}).Draw(t, "gap")
			var in []Input
			for _, k := range rapid.SliceOfN(rapid.SampledFrom([]ed25519.PrivateKey{alice, bob}), 0, 4).Draw(t, "who") {
				l := w.lock("/m")
				v := &Verdict{OK: true, Key: testKey(w), T0: l.Machine.T, S0: l.Machine.S, T1: l.Machine.T + 1, S1: FeltOf(1), Inputs: inputsOf(0)}
				v.Anchor, _ = Anchor(w.state.Sequence(), w.state.ID())
				switch rapid.IntRange(0, 2).Draw(t, "op") {
				case 0:
					v.Life, _ = Life(testChain, "/m", l.Instance, l.Generation+1, id(k))
					in = append(in, Input{Tx: w.sign(k, w.acquireOp("/m")), Verdict: v})
				case 1:
					v.Life, _ = Life(testChain, "/m", l.Instance, l.Generation, id(k))
					in = append(in, Input{Tx: w.sign(k, w.renewOp("/m")), Verdict: v})
				case 2:
					in = append(in, Input{Tx: w.sign(k, &Release{Path: "/m", Instance: l.Instance, Generation: l.Generation})})
				}
			}
			w.cut(d, in...)
			for _, e := range w.last.Events {
				if e.Kind == EventAcquired {
					acquired++
					if o, ok := owners[e.Generation]; ok && o != *e.Account {
						t.Fatalf("generation %d has two holders", e.Generation)
					}
					owners[e.Generation] = *e.Account
				}
			}
			h := w.holder("/m")
			if h.State == Held {
				sequencers[h.Account] = h.Sequencer
			}
			good := 0
			for who, q := range sequencers {
				if w.state.CheckSequencer(q) == nil {
					good++
					if h.State != Held || h.Account != who || owners[q.Generation] != who {
						t.Fatalf("a sequencer of %s checks, the holder is %+v", who, h)
					}
				}
			}
			if good > 1 || (h.State == Held) != (good == 1) {
				t.Fatalf("%d sequencers check, the lock is %s", good, h.State)
			}
		}
	})
	if acquired == 0 {
		t.Error("nobody ever acquired the lock")
	}
}
