package bft

import (
	"testing"
	"time"

	"github.com/seed06907907/fatty/internal/wire"
)

// TestBacklogIsBounded has a replica whose execution stands still while three others go on. What it holds in memory, and
// must write into each new vote log, may not grow with the ledger; nobody calls for a view change on its account; and when
// its execution goes on, it catches up.
func TestBacklogIsBounded(t *testing.T) {
	const n, slow, cuts = 4, 3, maxExecuting + 60
	com := simCommittee(t, n)
	cores := make([]*Core, n)
	var err error
	for i := range cores {
		if cores[i], err = New(DefaultConfig(com, i, tagSigner(com.Member(i))), Base{TicksNeeded: true}, nil); err != nil {
			t.Fatal(err)
		}
	}
	var decided, held []Delivery // by replica 0; waiting for the slow replica's execution
	execute := func(i int, d Delivery) {
		seq := d.Decision.Cut.Sequence
		cores[i].Executed(seq, wire.Sum([]byte{byte(seq), byte(seq >> 8)}), true)
	}
	stuck := true
	settle := func() {
		for again := true; again; {
			again = false
			for i, c := range cores {
				out := c.Ready()
				if out.Halt != nil {
					t.Fatal(out.Halt)
				}
				for _, e := range out.Send {
					again = true
					v, err := com.Validate(e.Frame)
					if err != nil {
						t.Fatal(err)
					}
					if _, ok := v.Message().(*ViewChange); ok {
						t.Fatalf("replica %d calls for a view change at cut %d", i, c.head.Sequence)
					}
					for k := range cores {
						if k != i && (e.To == Everyone || e.To == k) {
							cores[k].Step(v)
						}
					}
				}
				for _, d := range out.Deliver {
					again = true
					if i == 0 {
						decided = append(decided, d)
					}
					if i == slow && stuck {
						held = append(held, d)
					} else {
						execute(i, d)
					}
				}
				for _, w := range out.Wants {
					for seq := w.First; seq > 0 && seq <= w.Last && int(seq) <= len(decided); seq++ {
						again = true
						f, err := Frame(&decided[seq-1].Decision)
						if err != nil {
							t.Fatal(err)
						}
						v, err := com.Validate(f)
						if err != nil {
							t.Fatal(err)
						}
						c.Step(v)
					}
				}
			}
		}
	}
	now := simStart
	tick := func(d time.Duration) {
		now += LedgerTime(d)
		for _, c := range cores {
			c.Tick(now)
		}
		settle()
	}
	for range cuts + 5 {
		tick(500 * time.Millisecond)
		tick(510 * time.Millisecond)
		if k := len(cores[slow].executing); k > maxExecuting {
			t.Fatalf("%d cuts wait for execution, at most %d may", k, maxExecuting)
		}
	}
	if h := cores[0].head.Sequence; h < cuts {
		t.Fatalf("the others are at cut %d, want %d at least", h, cuts)
	}
	if !cores[slow].full() {
		t.Fatalf("the slow replica has %d cuts waiting, want it full", len(cores[slow].executing))
	}
	stuck = false
	for _, d := range held {
		execute(slow, d)
	}
	settle()
	for range 20 {
		tick(100 * time.Millisecond)
	}
	if a, b := cores[slow].head.Sequence, cores[0].head.Sequence; a != b || cores[slow].executed != b {
		t.Fatalf("the slow replica is at cut %d and has executed %d; the others are at %d", a, cores[slow].executed, b)
	}
}
