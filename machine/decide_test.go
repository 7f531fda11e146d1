package machine

import (
	"testing"
	"time"

	"github.com/seed06907907/fatty/lockspace"
	"pgregory.net/rapid"
)

func seconds(s float64) time.Time { return time.Unix(1_000_000, 0).Add(time.Duration(s * 1e9)) }

func terms(kind lockspace.InputKind) lockspace.Terms {
	t := lockspace.Terms{Inputs: kind, Succession: lockspace.Resume, Opening: lockspace.OpeningSelf, Cadence: 12 * lockspace.Second,
		Grace: 6 * lockspace.Second, LockDelay: 2 * lockspace.Second}
	if kind == lockspace.InputFelt {
		t.Transaction, t.Idle, t.InboxMax, t.Window = 1, []lockspace.Felt{lockspace.FeltOf(0)}, 8, 1
	}
	return t
}

// Renewed at 0: the cadence ends at 12, the lease at 18.
func held() *View {
	return &View{State: lockspace.Held, Mine: true, Instance: 3, Generation: 7, T: 40, S: lockspace.FeltOf(9), LeaseEnd: seconds(18)}
}

func job(gen, t uint64) Job {
	return Job{Instance: 3, Generation: gen, T: t, S: lockspace.FeltOf(9), Runs: 1, Ticks: 5, Took: lockspace.Idle}
}

func TestDecide(t *testing.T) {
	ready := func(j Job, at float64) *Ready { return &Ready{Job: j, Anchored: seconds(at)} }
	free := &View{Instance: 3, Generation: 7, T: 40, S: lockspace.FeltOf(9)}
	delayed := &View{State: lockspace.Delayed, Instance: 3, Generation: 7, T: 40, S: lockspace.FeltOf(9), ClosedTill: seconds(2)}
	other := held()
	other.Mine = false
	restart := terms(lockspace.InputNone)
	restart.Succession = lockspace.Restart
	j7, j8 := job(7, 40), job(8, 40)
	fresh := Job{Instance: 3, Generation: 8, T: 0, S: lockspace.FeltOf(1), Runs: 1, Ticks: 5, Took: lockspace.Idle}
	for _, c := range []struct {
		name string
		s    Situation
		want Decision
	}{
		{"no lock", Situation{}, Decision{Action: Create}},
		{"free", Situation{View: free}, Decision{Action: Begin, Job: j8}},
		{"free and proving", Situation{View: free, Proving: &j8}, Decision{}},
		{"free and proven", Situation{View: free, Ready: ready(j8, 0)}, Decision{Action: Acquire}},
		{"free, restart", Situation{View: free, Terms: restart, Start: lockspace.FeltOf(1)}, Decision{Action: Begin, Job: fresh}},
		{"closed", Situation{View: delayed}, Decision{Action: Begin, Job: j8}},
		{"closed and proven", Situation{View: delayed, Ready: ready(j8, 0)}, Decision{Until: seconds(2.5)}},
		{"another's", Situation{View: other}, Decision{Until: seconds(18.5)}},
		{"another's, proof at hand", Situation{View: other, Ready: ready(j8, 0)}, Decision{Action: Discard}},
		{"another's, proving", Situation{View: other, Proving: &j8}, Decision{Action: Discard}},
		{"held, time left", Situation{View: held(), Prove: 3 * time.Second}, Decision{Until: seconds(5)}},
		{"held, slow proofs", Situation{View: held(), Prove: 30 * time.Second}, Decision{Action: Begin, Job: j7}},
		{"held, time to prove", Situation{Now: seconds(5), View: held(), Prove: 3 * time.Second}, Decision{Action: Begin, Job: j7}},
		{"held, proven early", Situation{Now: seconds(7), View: held(), Ready: ready(j7, 5)}, Decision{Until: seconds(11)}},
		{"held, due", Situation{Now: seconds(11), View: held(), Ready: ready(j7, 5)}, Decision{Action: Renew}},
		{"held, stale anchor", Situation{Now: seconds(11), View: held(), Ready: ready(j7, -11)}, Decision{Action: Discard}},
		{"held, of an earlier life", Situation{View: held(), Ready: ready(job(6, 40), 0)}, Decision{Action: Discard}},
		{"held, from an older state", Situation{View: held(), Ready: ready(job(7, 39), 0)}, Decision{Action: Discard}},
		{"held, proving an older state", Situation{View: held(), Proving: &Job{Instance: 3, Generation: 7, T: 39}}, Decision{Action: Discard}},
		{"another size of segment", Situation{Now: seconds(11), Ticks: 50, View: held(), Ready: ready(j7, 5)}, Decision{Action: Renew}},
	} {
		if c.s.Now.IsZero() {
			c.s.Now = seconds(0)
		}
		if c.s.Terms.Inputs == "" {
			c.s.Terms = terms(lockspace.InputNone)
		}
		if c.s.Ticks == 0 {
			c.s.Ticks = 5
		}
		if got := Decide(c.s); got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
}

// TestDecideInbox demands that what waits in the inbox is proven and handed in at once, as much as is in time.
func TestDecideInbox(t *testing.T) {
	idle := Job{Instance: 3, Generation: 7, T: 40, S: lockspace.FeltOf(9), Runs: 1, Ticks: 1, Took: lockspace.Idle}
	two := idle
	two.Took, two.Runs, two.Count = 2, 2, 2
	one := two
	one.Runs, one.Count = 1, 1
	waiting := held()
	waiting.Head, waiting.Inbox = 2, [][]lockspace.Felt{{lockspace.FeltOf(55)}, {lockspace.FeltOf(56)}, {lockspace.FeltOf(57)}}
	base := Situation{Now: seconds(1), View: waiting, Terms: terms(lockspace.InputFelt), Prove: time.Second, Ticks: 1000, Runs: 2}
	if got := Decide(base); got != (Decision{Action: Begin, Job: two}) {
		t.Errorf("three wait, two are in time: %+v", got)
	}
	s := base
	s.Runs = 1
	if got := Decide(s); got != (Decision{Action: Begin, Job: one}) {
		t.Errorf("three wait, one is in time: %+v", got)
	}
	s = base
	s.Ready = &Ready{Job: one, Anchored: seconds(0)}
	if got := Decide(s); got.Action != Renew {
		t.Errorf("the first proven: %+v", got)
	}
	// A proof with the idle transaction that is at hand or in the making goes first: it is a step of the clock like any.
	s.Ready = &Ready{Job: idle, Anchored: seconds(0)}
	if got := Decide(s); got.Action != Renew {
		t.Errorf("idle proof at hand: %+v", got)
	}
	s.Ready, s.Proving = nil, &idle
	if got := Decide(s); got.Action != Wait {
		t.Errorf("idle proof in the making: %+v", got)
	}
	// A transaction that is no longer the oldest (its proof was accepted) is not proven again.
	s.Proving = &one
	next := *waiting
	next.Head, next.Inbox, next.T = 3, waiting.Inbox[1:], 41
	s.View = &next
	if got := Decide(s); got.Action != Discard {
		t.Errorf("consumed already: %+v", got)
	}
	// A job that takes more than waits is of another inbox.
	s.View, s.Proving = waiting, &Job{Instance: 3, Generation: 7, T: 40, S: lockspace.FeltOf(9), Runs: 4, Ticks: 1, Took: 2, Count: 4}
	if got := Decide(s); got.Action != Discard {
		t.Errorf("more than waits: %+v", got)
	}
	// With an empty inbox the idle transaction is taken at renewal time, not before.
	s = base
	s.View = held()
	if got := Decide(s); got.Action != Wait || got.Until.IsZero() {
		t.Errorf("empty inbox: %+v", got)
	}
	s.Now = seconds(9)
	if got := Decide(s); got != (Decision{Action: Begin, Job: idle}) {
		t.Errorf("empty inbox at renewal time: %+v", got)
	}
}

// TestDecideSpans: a renewal of many runs is begun as much earlier, is finished if an earlier process had begun it, and
// waits for the whole-life span that goes with it.
func TestDecideSpans(t *testing.T) {
	base := Situation{Now: seconds(0), View: held(), Terms: terms(lockspace.InputNone), Ticks: 5, Runs: 3, Prove: 1500 * time.Millisecond}
	if got := Decide(base); got != (Decision{Until: seconds(3)}) { // three quarters of 12 s, less a third more than 4.5 s
		t.Errorf("three runs: %+v", got)
	}
	begun := job(7, 40)
	begun.Runs, begun.Ticks = 7, 9
	s := base
	s.Begun = &Ready{Job: begun, Anchored: seconds(-20)}
	if got := Decide(s); got != (Decision{Action: Begin, Job: begun}) {
		t.Errorf("begun by an earlier process: %+v", got)
	}
	s.Begun = &Ready{Job: begun, Anchored: seconds(-21)}
	if got := Decide(s); got != (Decision{Until: seconds(3)}) {
		t.Errorf("begun too long ago: %+v", got)
	}
	begun.Generation--
	s.Begun = &Ready{Job: begun, Anchored: seconds(0)}
	if got := Decide(s); got != (Decision{Until: seconds(3)}) {
		t.Errorf("begun in an earlier life: %+v", got)
	}
	s = base
	s.Now, s.Ready = seconds(11), &Ready{Job: job(7, 40), Anchored: seconds(5)}
	s.View.Due = true
	if got := Decide(s); got != (Decision{Until: seconds(26)}) {
		t.Errorf("due, and the whole life is not joined: %+v", got)
	}
	s.Whole = true
	if got := Decide(s); got.Action != Renew {
		t.Errorf("due, and it is joined: %+v", got)
	}
	s.Whole, s.View.State, s.View.Generation, s.View.Broken = false, lockspace.Free, 6, seconds(20)
	if got := Decide(s); got != (Decision{Until: seconds(20.5)}) {
		t.Errorf("free, and nobody has the whole life: %+v", got)
	}
	s.Now = seconds(20.5)
	if got := Decide(s); got.Action != Acquire {
		t.Errorf("free for the time of a lease, and nobody has the whole life: %+v", got)
	}
	// While it may still be had, the proof at hand waits for it as long as it serves: till a twelfth of a cadence before 26.
	s.Mending = true
	if got := Decide(s); got != (Decision{Until: seconds(25)}) {
		t.Errorf("free for the time of a lease, and the whole life is in the making: %+v", got)
	}
	s.Now = seconds(25)
	if got := Decide(s); got.Action != Acquire {
		t.Errorf("the proof at hand would expire: %+v", got)
	}
	s.View.Broken = seconds(30)
	if got := Decide(s); got != (Decision{Until: seconds(26)}) {
		t.Errorf("the ledger would not take it yet: %+v", got)
	}
}

// TestDecideNeverHandsInWhatIsRefused draws situations at random: a proof is handed in only where the ledger's rules
// take it, and whatever is decided, the same situation never asks for the same forever without a time or an event.
func TestDecideNeverHandsInWhatIsRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := &View{State: lockspace.LockState(rapid.IntRange(0, 2).Draw(t, "state")), Mine: rapid.Bool().Draw(t, "mine"), Instance: 3,
			Generation: rapid.Uint64Range(6, 8).Draw(t, "generation"), T: rapid.Uint64Range(39, 41).Draw(t, "t"), S: lockspace.FeltOf(9),
			LeaseEnd: seconds(18), ClosedTill: seconds(2)}
		s := Situation{Now: seconds(rapid.Float64Range(-5, 30).Draw(t, "now")), View: v, Terms: terms(lockspace.InputNone), Ticks: 5,
			Prove: time.Duration(rapid.IntRange(0, 20).Draw(t, "prove")) * time.Second}
		have := job(rapid.Uint64Range(6, 9).Draw(t, "for"), rapid.Uint64Range(39, 41).Draw(t, "from"))
		switch rapid.IntRange(0, 2).Draw(t, "work") {
		case 1:
			s.Ready = &Ready{Job: have, Anchored: seconds(rapid.Float64Range(-30, 30).Draw(t, "anchor"))}
		case 2:
			s.Proving = &have
		}
		d := Decide(s)
		mine := v.State == lockspace.Held && v.Mine
		switch d.Action {
		case Acquire:
			if v.State != lockspace.Free || s.Ready == nil || have.Generation != v.Generation+1 || have.T != v.T || s.Now.Sub(s.Ready.Anchored) > 24*time.Second {
				t.Fatalf("%+v: %+v", s, d)
			}
		case Renew:
			if !mine || s.Ready == nil || have.Generation != v.Generation || have.T != v.T || s.Now.Sub(s.Ready.Anchored) > 24*time.Second {
				t.Fatalf("%+v: %+v", s, d)
			}
		case Begin:
			if s.Ready != nil || s.Proving != nil || (v.State == lockspace.Held && !v.Mine) {
				t.Fatalf("%+v: %+v", s, d)
			}
		case Discard:
			if s.Ready == nil && s.Proving == nil {
				t.Fatalf("nothing to discard: %+v", s)
			}
		case Wait:
			if s.Proving == nil && d.Until.IsZero() {
				t.Fatalf("waits for nothing: %+v", s)
			}
		}
	})
}

func TestSizer(t *testing.T) {
	s := NewSizer(100, 1000, 1, 12*time.Second)
	for _, c := range []struct {
		took  time.Duration
		ticks uint64 // of the next
		slow  bool
	}{
		{time.Second, 200, false},
		{1500 * time.Millisecond, 400, false},
		{1900 * time.Millisecond, 800, false},
		{8 * time.Second, 800, false},  // in time, but twice as much might not be
		{18 * time.Second, 280, false}, // late: half the budget's part, with room
		{time.Second, 560, false},      // again
		{time.Second, 1000, false},     // the file's bound
		{time.Second, 1000, false},     // and no further
		{9000 * time.Second, 1, false}, // hopeless
		{10 * time.Second, 1, true},    // not even the smallest
		{20 * time.Second, 1, true},
		{time.Second, 2, false},
	} {
		s.Took(1, s.Ticks, c.took)
		if s.Ticks != c.ticks || s.Slow != c.slow || s.Runs != 1 {
			t.Fatalf("after %v: %+v, want %d transitions", c.took, s, c.ticks)
		}
	}
	s = NewSizer(1000, 1000, 1, 12*time.Second)
	for range 3 {
		s.Took(1, s.Ticks, 19*time.Second)
	}
	if s.Ticks != 1 || !s.Slow {
		t.Fatalf("shorter runs did not help, and it is at %+v", s)
	}
	s = NewSizer(64, 1<<30, 1, time.Second)
	for n := 0; s.TooLong(s.Ticks); n++ {
		if n > 10 {
			t.Fatal("it never gives up")
		}
	}
	if s.Ticks != 1 || NewSizer(0, 0, 0, 0).Ticks != 1 {
		t.Fatalf("%+v", s)
	}
}

// TestSizerOfRuns: where runs do not grow any more, renewals get more of them as long as there is ample time, with the
// merge of the whole life counted; one that was late gets fewer.
func TestSizerOfRuns(t *testing.T) {
	s := NewSizer(1000, 1000, 8, 12*time.Second)
	for _, c := range []struct {
		took  time.Duration
		whole time.Duration
		runs  uint64 // of the next
	}{
		{2400 * time.Millisecond, time.Second, 2}, // 8 s of budget: two thirds are room for two
		{4800 * time.Millisecond, time.Second, 2}, // and not for three
		{10 * time.Second, time.Second, 1},        // late
		{500 * time.Millisecond, time.Second, 2},
		{time.Second, time.Second, 3},
		{1500 * time.Millisecond, time.Second, 4},
		{2 * time.Second, time.Second, 5},
		{2500 * time.Millisecond, time.Second, 6},
		{3 * time.Second, time.Second, 7},
		{3500 * time.Millisecond, time.Second, 8},
		{4 * time.Second, time.Second, 8},  // the file's bound
		{16 * time.Second, time.Second, 3}, // 2 s each, four fifths of 8 s
	} {
		s.Whole = c.whole
		s.Took(s.Runs, s.Ticks, c.took)
		if s.Runs != c.runs || s.Ticks != 1000 || s.Slow {
			t.Fatalf("after %v: %+v, want %d runs", c.took, s, c.runs)
		}
	}
	// For a machine whose work waits: one run as long as nothing is known, then what fits.
	s = NewSizer(1, 1, 1024, 12*time.Second)
	if n := s.Fit(); n != 1 {
		t.Errorf("%d runs at first", n)
	}
	s.Took(1, 1, 2*time.Second)
	if n := s.Fit(); n != 3 {
		t.Errorf("%d runs of 2 s in 9 s", n)
	}
}
