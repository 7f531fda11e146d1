package lockspace

import (
	"testing"
)

// feltWorld has a machine that takes one felt a renewal, with an idle transaction of 99, held by alice.
func feltWorld(t tester, change func(*Terms)) *world {
	t.Helper()
	w := newWorld(t)
	terms := FeltTerms(w.state.Rules(), FeltOf(99))
	terms.Succession, terms.Opening = Resume, OpeningSelf
	if change != nil {
		change(&terms)
	}
	w.machine("/m", FeltOf(0), terms)
	return w
}

func (w *world) send(n uint64) uint64 {
	w.t.Helper()
	return *w.must(bob, &Send{Path: "/m", Felts: []Felt{FeltOf(n)}}).Index
}

// A felt machine takes the oldest waiting transaction, or its idle one, one a renewal, and its proof must say so.
func TestFeltMachineConsumesInOrder(t *testing.T) {
	start := func() *world {
		w := feltWorld(t, nil)
		if got := []uint64{w.send(5), w.send(6), w.send(7)}; got[0] != 0 || got[1] != 1 || got[2] != 2 {
			t.Fatalf("indexes %v", got)
		}
		// The acquire itself consumes.
		if r := w.proven(alice, w.acquireOp("/m", 0), 1, FeltOf(5), nil); r.Code != "" {
			t.Fatalf("acquire: %+v", r)
		}
		return w
	}
	w := start()
	for name, c := range map[string]struct {
		inputs []int64
		want   Code
	}{
		"consumed already": {[]int64{0}, CodeConflict},
		"out of order":     {[]int64{2}, CodeConflict},
		"not there":        {[]int64{3}, CodeConflict},
		"none":             {nil, CodeInvalid},
	} {
		if w.refused(alice, w.renewOp("/m", c.inputs...), c.want); w.lock("/m").Machine.Head != 1 {
			t.Fatalf("%s: consumed", name)
		}
	}
	for name, lie := range map[string]func(*Verdict){
		"another felt":    func(v *Verdict) { v.Inputs = inputsOf(7) },
		"idle instead":    func(v *Verdict) { v.Inputs = inputsOf(99) },
		"no input":        func(v *Verdict) { v.Inputs = inputsOf(0) },
		"two runs":        func(v *Verdict) { v.Inputs = inputsOf(6, 7) },
		"two transitions": func(v *Verdict) { v.T1++ },
	} {
		w := start()
		if r := w.proven(alice, w.renewOp("/m", 1), 1, FeltOf(11), lie); r.Code != CodeProof || w.lock("/m").Machine.Head != 1 {
			t.Errorf("%s: %+v", name, r)
		}
		if r := w.proven(alice, w.renewOp("/m", Idle), 1, FeltOf(11), nil); r.Code != "" {
			t.Errorf("%s: then idle: %+v", name, r)
		}
	}
	before, _ := w.state.Account(id(bob))
	if r := w.proven(alice, w.renewOp("/m", 1), 1, FeltOf(11), nil); r.Code != "" {
		t.Fatalf("renew: %+v", r)
	}
	after, _ := w.state.Account(id(bob))
	if before.Inbox != after.Inbox+1 || before.State <= after.State {
		t.Errorf("the sender's room: %+v, then %+v", before, after)
	}
	list, head, err := w.state.Inbox("/m", 10)
	if err != nil || head != 2 || len(list) != 1 || list[0].Felts[0] != FeltOf(7) {
		t.Errorf("inbox: %v %d %v", list, head, err)
	}
}

// A machine that renews idly while a transaction waits is not live: its lock is freed at the deadline.
func TestNotLive(t *testing.T) {
	w := feltWorld(t, nil)
	if r := w.proven(alice, w.acquireOp("/m", Idle), 1, FeltOf(1), nil); r.Code != "" {
		t.Fatal(r)
	}
	w.send(5)
	sent := w.now
	w.send(6)
	list, _, _ := w.state.Inbox("/m", 10)
	if list[0].Deadline != sent+Time(57*Second) || list[1].Deadline != 0 {
		t.Fatalf("deadlines: %+v", list)
	}
	for range 5 {
		w.wait(11 * Second)
		if r := w.proven(alice, w.renewOp("/m", Idle), 1, FeltOf(1), nil); r.Code != "" {
			t.Fatal(r)
		}
	}
	w.cut(Duration(sent+Time(57*Second)-w.now) - 1)
	if w.holder("/m").State != Held {
		t.Fatal("freed early")
	}
	w.cut(1)
	if h := w.holder("/m"); h.State != Delayed {
		t.Fatalf("the machine is not live and keeps its lock: %+v", h)
	}
	found := false
	for _, e := range w.last.Events {
		found = found || e.Kind == EventFailed
	}
	if !found {
		t.Errorf("no event says so: %+v", w.last.Events)
	}
	// The transactions stay, in order, without deadlines until someone takes over, and then with fresh ones.
	w.wait(100 * Second)
	list, head, _ := w.state.Inbox("/m", 10)
	if len(list) != 2 || head != 0 || w.state.TicksNeeded() {
		t.Fatalf("inbox after: %+v, ticks %v", list, w.state.TicksNeeded())
	}
	if r := w.proven(bob, w.acquireOp("/m", 0), 1, FeltOf(6), nil); r.Code != "" {
		t.Fatal(r)
	}
	list, head, _ = w.state.Inbox("/m", 10)
	if len(list) != 1 || head != 1 || list[0].Deadline != w.now+Time(57*Second) {
		t.Fatalf("inbox of the successor: %+v", list)
	}
}

// Consuming in time moves the deadline on to the next transaction.
func TestDeadlineMovesOn(t *testing.T) {
	w := feltWorld(t, func(t *Terms) { t.Window = 2 })
	for n := range uint64(4) {
		w.send(n)
	}
	if r := w.proven(alice, w.acquireOp("/m", Idle), 1, FeltOf(1), nil); r.Code != "" {
		t.Fatal(r)
	}
	first := w.now + Time(57*Second)
	w.wait(10 * Second)
	if r := w.proven(alice, w.renewOp("/m", 0), 1, FeltOf(1), nil); r.Code != "" {
		t.Fatal(r)
	}
	list, _, _ := w.state.Inbox("/m", 10)
	if list[0].Deadline != first || list[1].Deadline != w.now+Time(57*Second) || list[2].Deadline != 0 {
		t.Fatalf("deadlines: %+v", list)
	}
	if got := w.lock("/m").Machine.Deadline; got != first {
		t.Fatalf("the lock's deadline: %d, want %d", got, first)
	}
}

func TestInboxBounds(t *testing.T) {
	w := feltWorld(t, func(t *Terms) { t.InboxMax = 3; t.Senders = []AccountID{id(bob)} })
	w.refused(alice, &Send{Path: "/m", Felts: []Felt{FeltOf(1)}}, CodeForbidden)
	for range 3 {
		w.send(1)
	}
	w.refused(bob, &Send{Path: "/m", Felts: []Felt{FeltOf(1)}}, CodeInboxFull)
	w.must(admin, &Put{Path: "/plain"})
	w.refused(bob, &Send{Path: "/plain", Felts: []Felt{FeltOf(1)}}, CodeInvalid)
	w.refused(bob, &Send{Path: "/nothing", Felts: []Felt{FeltOf(1)}}, CodeNotFound)
	w.machine("/ticks", FeltOf(0), resumeTerms(w))
	w.refused(bob, &Send{Path: "/ticks", Felts: []Felt{FeltOf(1)}}, CodeInvalid)
	// Deleting the lock gives the senders their room back.
	w.must(admin, &Delete{Path: "/m"})
	if a, _ := w.state.Account(id(bob)); a.Inbox != 0 || a.State != 0 {
		t.Errorf("bob after the delete: %+v", a)
	}

	g := testGenesis()
	g.Accounts[2].Quota.Inbox = 2
	w = newWorldFrom(t, g)
	w.machine("/m", FeltOf(0), FeltTerms(w.state.Rules(), FeltOf(0)))
	w.send(1)
	w.send(2)
	w.refused(bob, &Send{Path: "/m", Felts: []Felt{FeltOf(1)}}, CodeQuota)
}

func TestAcquirers(t *testing.T) {
	w := feltWorld(t, func(t *Terms) { t.Acquirers = []AccountID{id(bob)} })
	w.refused(alice, w.acquireOp("/m", Idle), CodeForbidden)
	if r := w.proven(bob, w.acquireOp("/m", Idle), 1, FeltOf(1), nil); r.Code != "" {
		t.Fatal(r)
	}
}
