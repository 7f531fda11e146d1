package lockspace

import (
	"crypto/ed25519"
	"testing"

	"github.com/seed06907907/fatty/internal/wire"
)

// resumeTerms are a machine that ticks by itself and goes on from the last proven state.
func resumeTerms(w *world) Terms {
	t := DefaultTerms(w.state.Rules())
	t.Succession, t.Opening = Resume, OpeningSelf
	return t
}

// heldWorld has two machine locks of one program, /m held by alice at t = 10, S = 10, and a second program.
func heldWorld(t tester) *world {
	t.Helper()
	w := newWorld(t)
	w.machine("/m", FeltOf(0), resumeTerms(w))
	w.machine("/other", FeltOf(0), resumeTerms(w))
	if r := w.proven(alice, w.acquireOp("/m"), 10, FeltOf(10), nil); r.Code != "" {
		t.Fatalf("acquire: %+v", r)
	}
	w.wait(2 * Second)
	return w
}

// A proof that is not exactly the one needed renews nothing, and counts against its author.
func TestBadProofsRenewNothing(t *testing.T) {
	life := func(w *world, chain, path string, instance, generation uint64, who ed25519.PrivateKey) Digest {
		d, err := Life(chain, path, instance, generation, id(who))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for name, lie := range map[string]func(*world, *Verdict){
		"does not verify":         func(_ *world, v *Verdict) { *v = Verdict{Reason: "query 3 is wrong"} },
		"not ok though all fits":  func(_ *world, v *Verdict) { v.OK = false },
		"another program":         func(_ *world, v *Verdict) { v.Key[0]++ },
		"no program":              func(_ *world, v *Verdict) { v.Key = Digest{} },
		"zero life":               func(_ *world, v *Verdict) { v.Life = Digest{} },
		"zero anchor":             func(_ *world, v *Verdict) { v.Anchor = Digest{} },
		"another anchor":          func(_ *world, v *Verdict) { v.Anchor, _ = Anchor(1, wire.Sum(nil)) },
		"stolen from a holder":    func(w *world, v *Verdict) { v.Life = life(w, testChain, "/m", w.lock("/m").Instance, 1, bob) },
		"of another lock":         func(w *world, v *Verdict) { v.Life = life(w, testChain, "/other", w.lock("/m").Instance, 1, alice) },
		"of another chain":        func(w *world, v *Verdict) { v.Life = life(w, "other", "/m", w.lock("/m").Instance, 1, alice) },
		"of another instance":     func(w *world, v *Verdict) { v.Life = life(w, testChain, "/m", w.lock("/m").Instance+1, 1, alice) },
		"of the generation below": func(w *world, v *Verdict) { v.Life = life(w, testChain, "/m", w.lock("/m").Instance, 0, alice) },
		"of the generation above": func(w *world, v *Verdict) { v.Life = life(w, testChain, "/m", w.lock("/m").Instance, 2, alice) },
		"from an older t":         func(_ *world, v *Verdict) { v.T0-- },
		"from a later t":          func(_ *world, v *Verdict) { v.T0++ },
		"from the start":          func(_ *world, v *Verdict) { v.T0, v.S0 = 0, FeltOf(0) },
		"from another state":      func(_ *world, v *Verdict) { v.S0[31]++ },
		"no transition":           func(_ *world, v *Verdict) { v.T1 = v.T0 },
		"backwards":               func(_ *world, v *Verdict) { v.T1 = v.T0 - 1 },
		"clock too large":         func(_ *world, v *Verdict) { v.T1 = MaxClock },
		"state not a felt":        func(_ *world, v *Verdict) { v.S1 = primeBytes },
		"with inputs":             func(_ *world, v *Verdict) { v.Inputs = inputsOf(1) },
		"of two runs":             func(_ *world, v *Verdict) { v.Inputs = inputsOf(0, 0) },
	} {
		w := heldWorld(t)
		before, proofs := w.lock("/m"), w.proofsLeft(alice)
		r := w.proven(alice, w.renewOp("/m"), 5, FeltOf(15), func(v *Verdict) { lie(w, v) })
		after := w.lock("/m")
		if r.Code != CodeProof || r.Verdict == nil {
			t.Errorf("%s: code %q: %s", name, r.Code, r.Message)
		}
		if after.Ends != before.Ends || after.Machine.T != before.Machine.T || after.Machine.S != before.Machine.S || after.Sequence != before.Sequence {
			t.Errorf("%s: the lock changed: %+v", name, after)
		}
		if got, want := proofs-w.proofsLeft(alice), 1+w.state.Rules().BadProof; got != want {
			t.Errorf("%s: it cost %d proofs, want %d", name, got, want)
		}
		if !r.Counted {
			t.Errorf("%s: the nonce was not used", name)
		}
		// The honest proof still renews.
		if r := w.proven(alice, w.renewOp("/m"), 5, FeltOf(15), nil); r.Code != "" {
			t.Errorf("%s: the honest proof after it: %s", name, r.Message)
		}
	}
}

func (w *world) proofsLeft(k ed25519.PrivateKey) uint64 {
	a, err := w.state.Account(id(k))
	if err != nil {
		w.t.Fatalf("account: %v", err)
	}
	return w.state.Proofs(a)
}

// A renewal that was accepted once is worth nothing a second time: not as the same transaction, and not its proof in a
// new one.
func TestReplayedRenewalRenewsNothing(t *testing.T) {
	w := heldWorld(t)
	op := w.renewOp("/m")
	tx, v := w.prove(alice, op, 5, FeltOf(15))
	if r := w.cut(1e6, Input{Tx: tx, Verdict: v})[0]; r.Code != "" {
		t.Fatalf("renew: %s", r.Message)
	}
	before := w.lock("/m")
	if r := w.cut(Second, Input{Tx: tx, Verdict: v})[0]; r.Code != CodeNonce || r.Counted {
		t.Errorf("the same transaction: %+v", r)
	}
	op.Whole = aWhole(w.lock("/m").Machine, false)
	if r := w.cut(Second, Input{Tx: w.sign(alice, op), Verdict: v})[0]; r.Code != CodeProof {
		t.Errorf("the same proof: %+v", r)
	}
	if got := w.lock("/m"); got.Ends != before.Ends || got.Machine.T != 15 {
		t.Errorf("the lock changed: %+v", got)
	}
}

// Another account cannot renew with the holder's proof, nor acquire with the proof that it saw go by.
func TestStolenProofs(t *testing.T) {
	w := heldWorld(t)
	_, v := w.prove(alice, w.renewOp("/m"), 5, FeltOf(15))
	if r := w.cut(1e6, Input{Tx: w.sign(bob, w.renewOp("/m")), Verdict: v})[0]; r.Code != CodeNotHolder {
		t.Errorf("renew by another: %+v", r)
	}
	_, v = w.prove(alice, w.acquireOp("/other"), 5, FeltOf(5))
	if r := w.cut(1e6, Input{Tx: w.sign(bob, w.acquireOp("/other")), Verdict: v})[0]; r.Code != CodeProof {
		t.Errorf("acquire by another: %+v", r)
	}
	if h := w.holder("/other"); h.State != Free || h.Generation != 0 {
		t.Errorf("it took the lock: %+v", h)
	}
}

// A proof made for a life that has ended is worth nothing to the same holder in its next life.
func TestProofOfAnEndedLife(t *testing.T) {
	w := heldWorld(t)
	_, old := w.prove(alice, w.renewOp("/m"), 5, FeltOf(15))
	stale := w.renewOp("/m")
	w.wait(58 * Second)
	if r := w.cut(1e6, Input{Tx: w.sign(alice, stale), Verdict: old})[0]; r.Code != CodeNotHolder {
		t.Errorf("after the lease: %+v", r)
	}
	w.wait(2 * Second)
	if r := w.cut(1e6, Input{Tx: w.sign(alice, w.acquireOp("/m")), Verdict: old})[0]; r.Code != CodeProof {
		t.Errorf("acquire with the old life's proof: %+v", r)
	}
	if r := w.proven(alice, w.acquireOp("/m"), 1, FeltOf(11), nil); r.Code != "" || r.Generation != 2 {
		t.Fatalf("acquire: %+v", r)
	}
	if r := w.cut(1e6, Input{Tx: w.sign(alice, stale), Verdict: old})[0]; r.Code != CodeNotHolder {
		t.Errorf("renew the old generation: %+v", r)
	}
}

// An anchor is good for two cadences, not longer, and never in the future or unknown; an outage prolongs it.
func TestAnchorAge(t *testing.T) {
	w := heldWorld(t)
	op := w.renewOp("/m")
	tx, v := w.prove(alice, op, 5, FeltOf(15))
	w.wait(23 * Second)
	old := w.sign(alice, op)
	s, _ := Decode(old)
	if _, err := w.state.Precheck(s, w.now+Time(2*Second)); CodeOf(err) != CodeAnchor {
		t.Errorf("precheck with an anchor of 25 s ago: %v", err)
	}
	if r := w.cut(Second, Input{Tx: tx, Verdict: v})[0]; r.Code != "" {
		t.Errorf("an anchor of 24 s ago: %+v", r)
	}
	op = w.renewOp("/m")
	tx, v = w.prove(alice, op, 5, FeltOf(20))
	w.wait(24 * Second)
	if r := w.cut(1, Input{Tx: tx, Verdict: v})[0]; r.Code != CodeAnchor || r.Verdict != nil {
		t.Errorf("an anchor of above 24 s ago: %+v", r)
	}
	for _, anchor := range []uint64{w.state.Sequence() + 1, w.state.Sequence() + 100, 1 << 63} {
		op := w.renewOp("/m")
		op.Anchor = anchor
		w.refused(alice, op, CodeAnchor)
	}
	// 30 s without a cut are 25 s of outage.
	op = w.renewOp("/m")
	tx, v = w.prove(alice, op, 5, FeltOf(20))
	if r := w.cut(29*Second, Input{Tx: tx, Verdict: v})[0]; r.Code != "" {
		t.Errorf("an anchor from before an outage: %+v", r)
	}
}

// Where two cuts are more than 5 s apart, leases end that much later.
func TestOutageProlongsLeases(t *testing.T) {
	w := heldWorld(t)
	left := w.holder("/m").Ends - w.now
	w.cut(1000 * Second)
	h := w.holder("/m")
	if h.State != Held || h.Ends-w.now != left-Time(OutageAfter) {
		t.Fatalf("after an outage: %s, %d left, want %d", h.State, h.Ends-w.now, left-Time(OutageAfter))
	}
	w.cut(OutageAfter)
	if got := w.holder("/m"); got.Ends != h.Ends {
		t.Fatalf("a gap of just 5 s counts as an outage")
	}
	w.wait(Duration(h.Ends-w.now) - 1)
	if w.holder("/m").State != Held {
		t.Fatalf("ended early")
	}
	w.cut(1)
	if w.holder("/m").State == Held {
		t.Fatalf("did not end")
	}
}

// Cheap checks come before the verdict is used: without it, they decide.
func TestCheapChecksNeedNoVerdict(t *testing.T) {
	w := heldWorld(t)
	version := w.renewOp("/m")
	version.Proof.Version = 9
	runs := w.renewOp("/m", 3)
	generation := w.renewOp("/m")
	generation.Generation++
	stale := w.renewOp("/m")
	stale.Anchor = 1 << 40
	for _, c := range []struct {
		k    ed25519.PrivateKey
		op   Op
		want Code
	}{
		{alice, version, CodeInvalid}, {alice, runs, CodeInvalid}, {alice, generation, CodeNotHolder}, {alice, stale, CodeAnchor},
		{bob, w.renewOp("/m"), CodeNotHolder}, {bob, w.acquireOp("/m"), CodeHeld},
	} {
		before := w.proofsLeft(c.k)
		w.refused(c.k, c.op, c.want)
		if got := before - w.proofsLeft(c.k); got > 1 {
			t.Errorf("%T %s: it cost %d proofs", c.op, c.want, got)
		}
	}
	// Without the verdict, a transaction that comes to need it stops the cut, and nothing has changed.
	tx := w.sign(alice, w.renewOp("/m"))
	root := w.state.ID()
	if _, _, err := w.state.Apply(Cut{Sequence: w.state.Sequence() + 1, Time: w.now + 1, Inputs: []Input{{Tx: tx}}}); err == nil || w.state.ID() != root {
		t.Fatalf("applied without a verdict: %v", err)
	}
}

// An account out of allowance has no further check made for it in the same cut, as it has nothing executed.
func TestPrechecksUseUpTheAllowance(t *testing.T) {
	w := heldWorld(t)
	left := w.proofsLeft(alice)
	checks, err := w.state.Prechecks(w.now + 1)
	if err != nil {
		t.Fatal(err)
	}
	check := func(k ed25519.PrivateKey, op Op) error {
		s, err := Decode(w.sign(k, op))
		if err != nil {
			t.Fatal(err)
		}
		need, err := checks.Next(s)
		if (need == nil) != (err != nil) {
			t.Fatalf("need %v, %v", need, err)
		}
		return err
	}
	for n := range left {
		op, want := w.renewOp("/m"), Code("")
		if n%2 == 1 {
			op.Generation, want = op.Generation+1, CodeNotHolder
		}
		if err := check(alice, op); CodeOf(err) != want {
			t.Fatalf("transaction %d of %d: %v, want %q", n, left, err, want)
		}
	}
	for range 3 {
		if err := check(alice, w.renewOp("/m")); CodeOf(err) != CodeQuota {
			t.Fatalf("above the allowance: %v", err)
		}
	}
	if err := check(bob, w.acquireOp("/other")); err != nil {
		t.Fatalf("another account: %v", err)
	}
	// A nonce is used up as well, and the state is as it was.
	s, _ := Decode(w.sign(bob, w.acquireOp("/other")))
	if _, err := checks.Next(s); err != nil {
		t.Fatal(err)
	}
	if _, err := checks.Next(s); CodeOf(err) != CodeNonce {
		t.Fatalf("the same again: %v", err)
	}
	if got := w.proofsLeft(alice); got != left {
		t.Fatalf("%d proofs left of %d after checks alone", got, left)
	}
}

// With restart, each life begins at (0, start); a proof from the last state is refused, and the reverse with resume.
func TestSuccession(t *testing.T) {
	for _, c := range []struct {
		name string
		set  func(*Terms)
		t0   uint64
		s0   Felt
	}{
		{"restart", func(t *Terms) { t.Succession, t.Opening = Restart, "" }, 0, FeltOf(4)},
		{"resume", func(*Terms) {}, 10, FeltOf(14)},
	} {
		w := newWorld(t)
		terms := resumeTerms(w)
		c.set(&terms)
		w.machine("/m", FeltOf(4), terms)
		if r := w.proven(alice, w.acquireOp("/m"), 10, FeltOf(14), nil); r.Code != "" {
			t.Fatalf("%s: %+v", c.name, r)
		}
		w.must(alice, &Release{Path: "/m", Instance: w.lock("/m").Instance, Generation: 1})
		tx, v := w.prove(bob, w.acquireOp("/m"), 3, FeltOf(9))
		if v.T0 != c.t0 || v.S0 != c.s0 {
			t.Fatalf("%s: the next life starts at (%d, %s)", c.name, v.T0, v.S0)
		}
		wrong := *v
		if v.T0 == 0 {
			wrong.T0, wrong.S0 = 10, FeltOf(14)
		} else {
			wrong.T0, wrong.S0 = 0, FeltOf(4)
		}
		wrong.T1 = wrong.T0 + 3
		if r := w.cut(1e6, Input{Tx: w.sign(bob, w.acquireOp("/m")), Verdict: &wrong})[0]; r.Code != CodeProof {
			t.Errorf("%s: the other start: %+v", c.name, r)
		}
		if r := w.cut(1e6, Input{Tx: tx, Verdict: v})[0]; r.Code != CodeProof {
			// The failed attempt above did not change the lock, so the anchor and generation still fit.
			if r.Code != "" || w.lock("/m").Machine.T != c.t0+3 {
				t.Errorf("%s: %+v", c.name, r)
			}
		} else {
			t.Errorf("%s: the honest proof: %+v", c.name, r)
		}
	}
}

// Of two honest acquires in one cut, the first wins, and the other is not punished as a liar.
func TestAcquireRace(t *testing.T) {
	w := newWorld(t)
	w.machine("/m", FeltOf(0), resumeTerms(w))
	tx1, v1 := w.prove(alice, w.acquireOp("/m"), 1, FeltOf(1))
	tx2, v2 := w.prove(bob, w.acquireOp("/m"), 1, FeltOf(1))
	before := w.proofsLeft(bob)
	r := w.cut(1e6, Input{Tx: tx1, Verdict: v1}, Input{Tx: tx2, Verdict: v2})
	if r[0].Code != "" || r[1].Code != CodeHeld || w.holder("/m").Account != id(alice) {
		t.Fatalf("race: %+v", r)
	}
	if got := before - w.proofsLeft(bob); got != 1 {
		t.Fatalf("the loser lost %d proofs", got)
	}
}

// A lock file made anew is another lock for proofs and sequencers, though its path and generation are the same.
func TestRecreatedLockIsAnother(t *testing.T) {
	w := heldWorld(t)
	_, old := w.prove(alice, w.acquireOp("/other"), 5, FeltOf(5))
	oldOp := w.acquireOp("/other")
	if r := w.proven(alice, w.acquireOp("/other"), 1, FeltOf(1), nil); r.Code != "" {
		t.Fatalf("acquire: %+v", r)
	}
	seq := w.holder("/other").Sequencer
	w.must(alice, &Release{Path: "/other", Instance: seq.Instance, Generation: 1})
	w.must(admin, &Delete{Path: "/other"})
	w.machine("/other", FeltOf(0), resumeTerms(w))
	if got := w.lock("/other"); got.Instance <= seq.Instance {
		t.Fatalf("instance %d after %d", got.Instance, seq.Instance)
	}
	w.refused(alice, oldOp, CodeConflict)
	fresh := w.acquireOp("/other")
	if r := w.cut(1e6, Input{Tx: w.sign(alice, fresh), Verdict: old})[0]; r.Code != CodeProof {
		t.Errorf("a proof for the deleted lock: %+v", r)
	}
	if r := w.proven(alice, w.acquireOp("/other"), 1, FeltOf(1), nil); r.Code != "" {
		t.Fatalf("acquire: %+v", r)
	}
	w.refused(alice, &Release{Path: "/other", Instance: seq.Instance, Generation: 1}, CodeNotHolder)
	if err := w.state.CheckSequencer(seq); CodeOf(err) != CodeNotHolder {
		t.Errorf("the sequencer of the deleted lock: %v", err)
	}
}
