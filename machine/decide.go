package machine

import (
	"time"

	"github.com/seed06907907/fatty/lockspace"
)

// View is what a ledger says about the lock at one sequence. Times are ledger time.
type View struct {
	Sequence   uint64
	State      lockspace.LockState
	Mine       bool // held, and by this account
	Instance   uint64
	Generation uint64
	T          uint64 // the clock last proven
	S          lockspace.Felt
	LeaseEnd   time.Time // held
	ClosedTill time.Time // delayed
	// The oldest transaction that waits in the inbox, if one does.
	Waiting bool
	Index   uint64
	Input   lockspace.Felt
}

// Job is one segment to run and prove, and what for.
type Job struct {
	Instance   uint64
	Generation uint64 // of the life: the lock's while it is held, the next one to acquire it
	T          uint64
	S          lockspace.Felt
	Ticks      uint64 // transitions
	Took       int64  // inbox index of the transaction that it consumes, or lockspace.Idle
	Input      lockspace.Felt
}

// Ready is a proven job that has not been handed in.
type Ready struct {
	Job
	Anchored time.Time // ledger time of its anchor
}

// Situation is all that a decision depends on.
type Situation struct {
	Now     time.Time // ledger time
	View    *View     // nil: there is no such lock
	Terms   lockspace.Terms
	Start   lockspace.Felt
	Ticks   uint64        // transitions that a segment of a machine that ticks by itself should have
	Prove   time.Duration // how long a proof takes, as far as is known
	Ready   *Ready        // a proof at hand
	Proving *Job          // one in the making
}

// Action is what to do next.
type Action int

// The actions.
const (
	Wait    Action = iota // until Decision.Until or until something happens
	Create                // the lock is not there: make it
	Begin                 // prove Decision.Job
	Acquire               // hand in the proof at hand to take the lock
	Renew                 // hand it in to prolong the lease
	Discard               // the proof at hand, or the one in the making, is of no use any more
)

func (a Action) String() string {
	return [...]string{"wait", "create", "begin", "acquire", "renew", "discard"}[a]
}

// Decision is an action with what belongs to it.
type Decision struct {
	Action Action
	Job    Job       // Begin
	Until  time.Time // Wait: look again then, whatever happens; zero: when something happens
}

const (
	// early is the part of a cadence before its end at which a renewal is handed in, so that the ledger has it in time.
	early = 12
	// minEarly keeps a renewal ahead of time at the shortest cadences.
	minEarly = 200 * time.Millisecond
	// reopen is how long after a lock-delay's end a look shows that it is over, without an event.
	reopen = 500 * time.Millisecond
)

// Decide says what a machine's keeper does next. It is a pure function.
//
// A renewal is handed in shortly before the cadence is over, and its proof is begun so that it is ready within three
// quarters of the cadence. A transaction in the inbox is proven and handed in at once. A free lock is acquired with a
// proof from the last proven state (resume) or from the start (restart); while its lock-delay lasts, that proof is made.
func Decide(s Situation) Decision {
	v := s.View
	if v == nil {
		return Decision{Action: Create}
	}
	if v.State == lockspace.Held && !v.Mine {
		if s.Ready != nil || s.Proving != nil {
			return Decision{Action: Discard}
		}
		return Decision{Until: v.LeaseEnd.Add(reopen)}
	}
	want := s.next()
	if (s.Ready != nil && !s.fits(s.Ready.Job, want)) || (s.Proving != nil && !s.fits(*s.Proving, want)) {
		return Decision{Action: Discard}
	}
	cadence := time.Duration(s.Terms.Cadence)
	if s.Ready != nil {
		if s.stale() {
			return Decision{Action: Discard}
		}
		switch {
		case v.State == lockspace.Free:
			return Decision{Action: Acquire}
		case v.State == lockspace.Delayed:
			return Decision{Until: sooner(v.ClosedTill.Add(reopen), s.expiry())}
		}
		if due := s.due(); !v.Waiting && s.Now.Before(due) {
			return Decision{Until: sooner(due, s.expiry())}
		}
		return Decision{Action: Renew}
	}
	if s.Proving != nil {
		return Decision{}
	}
	if v.State == lockspace.Held && !v.Waiting {
		// Ready by three quarters of the cadence after the last renewal, with a third more time than the last one took.
		renewed := v.LeaseEnd.Add(-cadence - time.Duration(s.Terms.Grace))
		if begin := renewed.Add(cadence*3/4 - s.Prove*4/3); s.Now.Before(begin) {
			return Decision{Until: begin}
		}
	}
	return Decision{Action: Begin, Job: want}
}

// next is the job that the situation asks for.
func (s *Situation) next() Job {
	v := s.View
	j := Job{Instance: v.Instance, Generation: v.Generation, T: v.T, S: v.S, Ticks: max(1, s.Ticks), Took: lockspace.Idle}
	if v.State != lockspace.Held {
		j.Generation++
		if s.Terms.Succession == lockspace.Restart {
			j.T, j.S = 0, s.Start
		}
	}
	if s.Terms.Inputs == lockspace.InputFelt {
		j.Ticks, j.Input = 1, s.Terms.Idle[0]
		if v.Waiting {
			j.Took, j.Input = int64(v.Index), v.Input
		}
	}
	return j
}

// fits says whether a job that was begun before still serves. One with the idle transaction does though another has come
// since: it is handed in at once, and the other is next. One with another number of transitions does too.
func (s *Situation) fits(have, want Job) bool {
	if have.Took == lockspace.Idle {
		want.Took, want.Input = have.Took, have.Input
	}
	want.Ticks = have.Ticks
	return have == want
}

// due is when a renewal is handed in.
func (s *Situation) due() time.Time {
	cadence := time.Duration(s.Terms.Cadence)
	return s.View.LeaseEnd.Add(-time.Duration(s.Terms.Grace) - max(cadence/early, minEarly))
}

// expiry is when the proof at hand becomes too old: the ledger takes anchors of two cadences, less a margin for the way.
func (s *Situation) expiry() time.Time {
	return s.Ready.Anchored.Add(time.Duration(s.Terms.Cadence) * 7 / 4)
}

func (s *Situation) stale() bool { return !s.Now.Before(s.expiry()) }

func sooner(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
