package lockspace

import (
	"strings"
	"testing"
)

// renewed is an honest renewal that has to succeed.
func (w *world) renewed(path string, steps uint64, s1 Felt) {
	w.t.Helper()
	if r := w.proven(alice, w.renewOp(path), steps, s1, nil); r.Code != "" {
		w.t.Fatalf("renew: %s: %s", r.Code, r.Message)
	}
}

// The first proof of all is a whole life by itself; the first renewal brings none, and each after it one that ends where
// the renewal begins. A successor goes on in the same way.
func TestWholeLife(t *testing.T) {
	w := heldWorld(t)
	check := func(what string, whole uint64, due bool) {
		t.Helper()
		m := w.lock("/m").Machine
		if m.Whole == nil || m.Whole.T != whole || m.WholeDue() != due {
			t.Fatalf("%s: whole life %+v, due %v; want one to %d, %v", what, m.Whole, m.WholeDue(), whole, due)
		}
	}
	m := w.lock("/m").Machine
	if check("acquired", 10, false); m.Whole.ID != *m.Proof || m.Whole.Length != 1000 {
		t.Fatalf("the first proof is the whole life: %+v", m)
	}
	w.renewed("/m", 5, FeltOf(15))
	check("first renewal", 10, true)
	w.renewed("/m", 5, FeltOf(20))
	check("second renewal", 15, true)
	if m = w.lock("/m").Machine; m.Whole.Length != 2000 || m.Whole.ID == *m.Proof || m.T0 != 15 {
		t.Fatalf("the attached one is kept: %+v", m)
	}
	w.must(alice, &Release{Path: "/m", Instance: w.lock("/m").Instance, Generation: 1})
	r := w.proven(bob, w.acquireOp("/m"), 1, FeltOf(21), nil)
	if check("take-over", 20, true); r.Code != "" || r.Verdict == nil || r.Whole == nil || r.Whole.T1 != 20 {
		t.Fatalf("the receipt has both verdicts: %+v", r)
	}
	// Without the verdict on the whole life the cut cannot be applied.
	op := w.renewOp("/m")
	tx, v := w.prove(bob, op, 1, FeltOf(22))
	if _, _, err := w.state.Apply(Cut{Sequence: w.state.Sequence() + 1, Time: w.now + 1, Inputs: []Input{{Tx: tx, Verdict: v}}}); err == nil {
		t.Error("applied without the second verdict")
	}

	// Each life of a machine that restarts begins a chain of its own.
	w = newWorld(t)
	w.machine("/m", FeltOf(0), DefaultTerms(w.state.Rules()))
	for _, end := range []uint64{7, 3} {
		if r := w.proven(alice, w.acquireOp("/m"), end, FeltOf(end), nil); r.Code != "" {
			t.Fatal(r)
		}
		check("restarted", end, false)
		w.renewed("/m", 1, FeltOf(1))
		check("restarted, renewed", end, true)
		w.renewed("/m", 1, FeltOf(2))
		w.must(alice, &Release{Path: "/m", Instance: w.lock("/m").Instance, Generation: w.lock("/m").Generation})
	}
}

// dueWorld has /m held by alice at t = 15, with a whole life to 10 and so one to 15 due.
func dueWorld(t tester) *world {
	t.Helper()
	w := heldWorld(t)
	w.renewed("/m", 5, FeltOf(15))
	return w
}

// A whole-life span that is not the machine's from its start to the clock renews nothing, and counts against its author.
func TestBadWholeLife(t *testing.T) {
	for name, lie := range map[string]func(w *world, own, v *Verdict){
		"does not verify":          func(_ *world, _, v *Verdict) { *v = Verdict{Reason: "query 3 is wrong"} },
		"not ok though all fits":   func(_ *world, _, v *Verdict) { v.OK = false },
		"another program":          func(_ *world, _, v *Verdict) { v.Key[0]++ },
		"starts late":              func(_ *world, _, v *Verdict) { v.T0 = 1 },
		"starts in another state":  func(_ *world, _, v *Verdict) { v.S0 = FeltOf(1) },
		"ends before":              func(_ *world, _, v *Verdict) { v.T1--; v.S1 = FeltOf(14) },
		"ends behind":              func(_ *world, _, v *Verdict) { v.T1++; v.S1 = FeltOf(16) },
		"ends in another state":    func(_ *world, _, v *Verdict) { v.S1 = FeltOf(16) },
		"no length":                func(_ *world, _, v *Verdict) { v.T1, v.S1 = 0, v.S0 },
		"the one before":           func(_ *world, _, v *Verdict) { v.T1, v.S1 = 10, FeltOf(10) },
		"the renewal's own":        func(_ *world, own, v *Verdict) { *v = *own },
		"with the renewal in it":   func(_ *world, own, v *Verdict) { v.T1, v.S1 = own.T1, own.S1 },
		"the newest proof":         func(_ *world, _, v *Verdict) { v.T0, v.S0 = 10, FeltOf(10) },
		"the one of another start": func(w *world, _, v *Verdict) { v.S0[31]++; v.S1[31]++ },
	} {
		w := dueWorld(t)
		before, proofs := w.lock("/m"), w.proofsLeft(alice)
		tx, v := w.prove(alice, w.renewOp("/m"), 5, FeltOf(20))
		whole := w.wholeLife("/m")
		lie(w, v, whole)
		r := w.cut(1e6, Input{Tx: tx, Verdict: v, Whole: whole})[0]
		after := w.lock("/m")
		if r.Code != CodeBadWhole || r.Verdict == nil || r.Whole == nil || !r.Counted {
			t.Errorf("%s: code %q: %s", name, r.Code, r.Message)
		}
		if after.Ends != before.Ends || after.Machine.T != 15 || *after.Machine.Whole != *before.Machine.Whole {
			t.Errorf("%s: the lock changed: %+v", name, after)
		}
		if got, want := proofs-w.proofsLeft(alice), 2+w.state.Rules().BadProof; got != want {
			t.Errorf("%s: it cost %d proofs, want %d", name, got, want)
		}
		w.renewed("/m", 5, FeltOf(20))
	}
	// Whose it is, when it was made and what its runs consumed do not matter.
	w := dueWorld(t)
	tx, v := w.prove(alice, w.renewOp("/m"), 5, FeltOf(20))
	whole := w.wholeLife("/m")
	whole.Life, whole.Anchor, whole.Inputs = Digest{1}, Digest{2}, Digest{3}
	if r := w.cut(1e6, Input{Tx: tx, Verdict: v, Whole: whole})[0]; r.Code != "" {
		t.Errorf("a life, an anchor and inputs: %+v", r)
	}
	// Where both lie, the proof is judged alone and its author punished once.
	tx, v = w.prove(alice, w.renewOp("/m"), 5, FeltOf(25))
	proofs := w.proofsLeft(alice)
	v.OK = false
	r := w.cut(1e6, Input{Tx: tx, Verdict: v, Whole: &Verdict{}})[0]
	if got, want := proofs-w.proofsLeft(alice), 2+w.state.Rules().BadProof; r.Code != CodeProof || r.Whole != nil || got != want {
		t.Errorf("two lies cost %d: %+v", got, r)
	}
}

// A whole life that is missing or of no use is refused before any proof is looked at, and is no lie.
func TestWholeLifeWhereItBelongs(t *testing.T) {
	stray := aProof(1 << 40)
	w := newWorld(t)
	w.machine("/m", FeltOf(0), resumeTerms(w))
	acquire := w.acquireOp("/m")
	acquire.Whole = stray
	w.refused(alice, acquire, CodeWhole)
	if r := w.proven(alice, w.acquireOp("/m"), 10, FeltOf(10), nil); r.Code != "" {
		t.Fatal(r)
	}
	renew := w.renewOp("/m")
	renew.Whole = stray
	w.refused(alice, renew, CodeWhole)
	w.renewed("/m", 5, FeltOf(15))
	for _, version := range []uint64{0, 1, 3} {
		renew = w.renewOp("/m")
		renew.Whole.Version = version
		w.refused(alice, renew, CodeInvalid)
	}
	renew = w.renewOp("/m")
	renew.Whole = nil
	proofs := w.proofsLeft(alice)
	w.refused(alice, renew, CodeWhole)
	if got := proofs - w.proofsLeft(alice); got != 1 {
		t.Errorf("it cost %d proofs", got)
	}
	w.must(admin, &Put{Path: "/plain"})
	r := w.must(alice, w.acquireOp("/plain"))
	if _, err := Sign(alice, Header{Chain: testChain, Nonce: 1}, &Renew{Path: "/plain", Instance: r.Instance, Generation: 1, Whole: stray}); CodeOf(err) != CodeInvalid {
		t.Errorf("a whole life without a proof: %v", err)
	}
}

// Nobody can carry a chain of lives on whose proofs are lost. A lock is not lost with them: when it was free for the time of
// a lease, a successor may begin without. From there on nothing is due, until someone who found the proofs mends the chain.
func TestBrokenChain(t *testing.T) {
	w := dueWorld(t)
	w.wait(60 * Second) // 57 s of lease, 2 s of lock-delay
	free := w.lock("/m")
	if free.State != Free || free.Freed == 0 || free.Ends != 0 {
		t.Fatalf("%+v", free)
	}
	without := func() *Acquire {
		op := w.acquireOp("/m")
		op.Whole = nil
		return op
	}
	w.refused(bob, without(), CodeWhole)
	w.wait(Duration(free.Freed+Time(57*Second)-w.now) - 2e6)
	w.refused(bob, without(), CodeWhole)
	w.cut(1e6)
	if r := w.proven(bob, without(), 1, FeltOf(16), nil); r.Code != "" || r.Whole != nil {
		t.Fatalf("a lease's time after: %+v", r)
	}
	if e := w.last.Events[0]; e.Kind != EventAcquired || !strings.Contains(e.Reason, "chain of lives is broken") {
		t.Errorf("no event says so: %+v", e)
	}
	l := w.lock("/m")
	if l.Machine.Whole.T != 10 || l.Machine.T0 != 15 || l.Machine.WholeDue() || l.Freed != 0 {
		t.Fatalf("broken: %+v", l)
	}
	if r := w.proven(bob, w.renewOp("/m"), 4, FeltOf(20), nil); r.Code != "" {
		t.Fatal(r)
	}
	mend := w.renewOp("/m")
	mend.Whole = aProof(77)
	if r := w.proven(bob, mend, 5, FeltOf(25), nil); r.Code != "" || r.Whole.T1 != 20 {
		t.Fatalf("mend: %+v", r)
	}
	if l = w.lock("/m"); l.Machine.Whole.T != 20 || !l.Machine.WholeDue() {
		t.Fatalf("mended: %+v", l)
	}
	// The time counts from the end of the lock-delay and only for a new life, and a successor that has the proofs need not wait.
	renew := w.renewOp("/m")
	renew.Whole = nil
	w.refused(bob, renew, CodeWhole)
	w.must(bob, &Release{Path: "/m", Instance: l.Instance, Generation: l.Generation})
	w.refused(alice, without(), CodeWhole)
	if r := w.proven(alice, w.acquireOp("/m"), 5, FeltOf(30), nil); r.Code != "" {
		t.Fatal(r)
	}
}

// A span of several runs takes the oldest transactions in order, across its runs, and gives all their senders room.
func TestSpanConsumesInOrder(t *testing.T) {
	start := func() *world {
		w := feltWorld(t, func(t *Terms) { t.Window = 2 })
		for n := range uint64(6) {
			w.send(10 + n)
		}
		if r := w.proven(alice, w.acquireOp("/m", 0), 1, FeltOf(1), nil); r.Code != "" {
			t.Fatal(r)
		}
		return w
	}
	w := start()
	for name, c := range map[string]struct {
		runs []Run
		want Code
	}{
		"a gap":                 {runsOf(1, 3), CodeConflict},
		"a gap at the start":    {runsOf(2, 3), CodeConflict},
		"twice":                 {runsOf(1, 2, 2), CodeConflict},
		"backwards":             {runsOf(2, 1), CodeConflict},
		"consumed already":      {runsOf(0, 1), CodeConflict},
		"behind the end":        {runsOf(1, 2, 3, 4, 5, 6), CodeConflict},
		"two in one run":        {[]Run{{Inputs: []int64{1, 2}}}, CodeInvalid},
		"a run that takes none": {[]Run{{Inputs: []int64{1}}, {}}, CodeInvalid},
	} {
		op := w.renewOp("/m", Idle)
		op.Runs = c.runs
		if w.refused(alice, op, c.want); w.lock("/m").Machine.Head != 1 {
			t.Fatalf("%s: consumed", name)
		}
	}
	runs := []int64{1, Idle, 2, 3, Idle}
	for name, lie := range map[string]func(*Verdict){
		"another order":      func(v *Verdict) { v.Inputs = inputsOf(11, 99, 13, 12, 99) },
		"idle left out":      func(v *Verdict) { v.Inputs = inputsOf(11, 12, 13, 99) },
		"idle elsewhere":     func(v *Verdict) { v.Inputs = inputsOf(11, 12, 99, 13, 99) },
		"another felt":       func(v *Verdict) { v.Inputs = inputsOf(11, 99, 12, 14, 99) },
		"a transition less":  func(v *Verdict) { v.T1-- },
		"a transition more":  func(v *Verdict) { v.T1++ },
		"of the first alone": func(v *Verdict) { v.Inputs, v.T1 = inputsOf(11), v.T0+1 },
	} {
		w := start()
		if r := w.proven(alice, w.renewOp("/m", runs...), 5, FeltOf(2), lie); r.Code != CodeProof || w.lock("/m").Machine.Head != 1 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	before, _ := w.state.Account(id(bob))
	if r := w.proven(alice, w.renewOp("/m", runs...), 5, FeltOf(2), nil); r.Code != "" {
		t.Fatalf("renew: %+v", r)
	}
	after, _ := w.state.Account(id(bob))
	if before.Inbox-after.Inbox != 3 || before.State-after.State != 3*costEntry {
		t.Errorf("the sender's room: %+v, then %+v", before, after)
	}
	m := w.lock("/m").Machine
	if m.T != 6 || m.Head != 4 || m.Tail != 6 || m.Dated != 6 || m.Deadline != w.now+Time(57*Second) {
		t.Errorf("the clock and inbox: %+v", m)
	}
	// All that wait, with an idle run behind.
	if r := w.proven(alice, w.renewOp("/m", 4, 5, Idle), 3, FeltOf(3), nil); r.Code != "" {
		t.Fatalf("renew: %+v", r)
	}
	if m = w.lock("/m").Machine; m.Head != 6 || m.Dated != 6 || m.Deadline != 0 {
		t.Errorf("an empty inbox: %+v", m)
	}
}

// A machine that takes no inputs lists its runs all the same: their number is in the span's digest, not in its length.
func TestSpanOfManyRuns(t *testing.T) {
	w := heldWorld(t)
	for _, n := range []int{3, MaxRuns} {
		op := w.renewOp("/m")
		op.Runs = make([]Run, n)
		tx, v := w.prove(alice, op, 1_000_000, FeltOf(15))
		if v.Inputs != testSpanInputs(make([]Felt, n)) {
			t.Fatalf("%d runs: the digest needed is %s", n, v.Inputs)
		}
		if r := w.cut(1e6, Input{Tx: tx, Verdict: v})[0]; r.Code != "" {
			t.Fatalf("%d runs: %+v", n, r)
		}
	}
	op := w.renewOp("/m")
	op.Runs = make([]Run, 3)
	tx, v := w.prove(alice, op, 1, FeltOf(16))
	v.Inputs = inputsOf(0, 0)
	if r := w.cut(1e6, Input{Tx: tx, Verdict: v})[0]; r.Code != CodeProof {
		t.Errorf("two runs of three: %+v", r)
	}
	op.Runs = []Run{{}, {Inputs: []int64{Idle}}}
	w.refused(alice, op, CodeInvalid)
}
