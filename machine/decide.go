package machine

import (
	"time"

	"github.com/seed06907907/fatty/lockspace"
)

// View is what a ledger says about the lock at one sequence. Times are ledger time.
type View struct {
	Sequence   uint64
	State      lockspace.LockState
	Mine       bool // held by this account, and not known to be kept by another process of it
	Instance   uint64
	Generation uint64
	T          uint64 // the clock last proven
	S          lockspace.Felt
	LeaseEnd   time.Time // held
	ClosedTill time.Time // delayed
	// Whole is where the ledger's whole-life span ends; 0 for none. With Due the next proof from (T, S) must bring one that
	// reaches T; a lock that has been free till Broken is taken without.
	Whole  uint64
	Due    bool
	Broken time.Time
	// Inbox are the oldest transactions that wait, in order, the first of index Head.
	Head  uint64
	Inbox [][]lockspace.Felt
	// Opening is what is behind S, of a machine whose terms make it the file's content.
	Opening []lockspace.Felt
}

// Job is one renewal to make: consecutive runs from a clock and state on, and what for.
type Job struct {
	Instance   uint64         `cbor:"instance"`
	Generation uint64         `cbor:"generation"` // of the life: the lock's while it is held, the next one to acquire it
	T          uint64         `cbor:"t"`
	S          lockspace.Felt `cbor:"s"`
	Runs       uint64         `cbor:"runs"`
	Ticks      uint64         `cbor:"ticks"` // transitions of each run; the last one has fewer where Count says so
	Took       int64          `cbor:"took"`  // inbox index of the first transaction that it consumes, or lockspace.Idle
	Count      uint64         `cbor:"count"` // how many of the inbox it consumes
}

// End is the clock that the job leads to.
func (j Job) End() uint64 {
	if j.Count > 0 {
		return j.T + j.Count
	}
	return j.T + j.Runs*j.Ticks
}

// Ready is a proven job that has not been handed in.
type Ready struct {
	Job
	Anchored time.Time // ledger time since when its anchor ages
}

// Situation is all that a decision depends on.
type Situation struct {
	Now     time.Time // ledger time
	View    *View     // nil: there is no such lock
	Terms   lockspace.Terms
	Start   lockspace.Felt
	Ticks   uint64        // transitions that a run should have; of a machine that takes transactions, at most
	Runs    uint64        // runs that a renewal should have; likewise
	Prove   time.Duration // how long a run takes, wrapped and merged, as far as is known
	Ready   *Ready        // a proof at hand
	Proving *Job          // one in the making
	Begun   *Ready        // one that an earlier process had begun, of which there are pieces
	Whole   bool          // the whole-life span up to the last proven clock is at hand
	Mending bool          // it is not, but may still be had: it is in the making, or a node may give what it is made of
	Blind   bool          // what is behind the state of a lease that another process took is not here: only a new life helps
}

// Action is what to do next.
type Action int

// The actions.
const (
	Wait    Action = iota // until Decision.Until or until something happens
	Create                // the lock is not there: make it
	Begin                 // make Decision.Job
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
// quarters of the cadence. Transactions in the inbox are proven and handed in at once, as many in one renewal as are in
// time. A free lock is acquired with a proof from the last proven state (resume) or from the start (restart); while its
// lock-delay lasts, that proof is made. What an earlier process had begun is finished first, if it still serves.
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
		if s.stale(s.Ready) {
			return Decision{Action: Discard}
		}
		switch {
		case v.State == lockspace.Delayed:
			return Decision{Until: sooner(v.ClosedTill.Add(reopen), s.expiry(s.Ready))}
		case s.lacks():
			// It is in the making, or nobody has what it is made of.
			if v.State == lockspace.Held || v.Broken.IsZero() {
				return Decision{Until: s.expiry(s.Ready)}
			}
			till := v.Broken.Add(reopen)
			if last := s.last(s.Ready); s.Mending && till.Before(last) {
				till = last
			}
			return Decision{Until: sooner(till, s.expiry(s.Ready))}
		case v.State == lockspace.Free:
			return Decision{Action: Acquire}
		}
		if due := s.due(); len(v.Inbox) == 0 && s.Now.Before(due) {
			return Decision{Until: sooner(due, s.expiry(s.Ready))}
		}
		return Decision{Action: Renew}
	}
	if s.Proving != nil {
		return Decision{}
	}
	if s.Blind && v.State == lockspace.Held {
		// Who lives renews before the cadence is over.
		if dead := v.LeaseEnd.Add(-time.Duration(s.Terms.Grace) / 2); s.Now.Before(dead) {
			return Decision{Until: dead}
		}
	}
	if s.Begun != nil && s.fits(s.Begun.Job, want) && !s.stale(s.Begun) {
		return Decision{Action: Begin, Job: s.Begun.Job}
	}
	if v.State == lockspace.Held && len(v.Inbox) == 0 {
		// Ready by three quarters of the cadence after the last renewal, with a third more time than is expected.
		renewed := v.LeaseEnd.Add(-cadence - time.Duration(s.Terms.Grace))
		if begin := renewed.Add(cadence*3/4 - time.Duration(want.Runs)*s.Prove*4/3); s.Now.Before(begin) {
			return Decision{Until: begin}
		}
	}
	return Decision{Action: Begin, Job: want}
}

// lacks says whether the proof at hand has to wait for the whole-life span before it: it would be refused without, or would
// break the chain of lives for good while that span may still be had. For that it waits no longer than it serves itself: a
// lock must not stay free for ever because of a node that never gives what it has.
func (s *Situation) lacks() bool {
	v := s.View
	broken := v.State == lockspace.Free && !v.Broken.IsZero() && s.Now.After(v.Broken) && !(s.Mending && s.Now.Before(s.last(s.Ready)))
	return v.Due && s.Ready.T > 0 && !s.Whole && !broken
}

// next is the job that the situation asks for.
func (s *Situation) next() Job {
	v := s.View
	j := Job{Instance: v.Instance, Generation: v.Generation, T: v.T, S: v.S, Runs: max(1, s.Runs), Ticks: max(1, s.Ticks), Took: lockspace.Idle}
	if v.State != lockspace.Held {
		j.Generation++
		if s.Terms.Succession == lockspace.Restart {
			j.T, j.S = 0, s.Start
		}
	}
	if s.Terms.Inputs == lockspace.InputNone {
		return j
	}
	if s.Terms.Inputs == lockspace.InputFelt {
		j.Ticks = 1
	}
	most := min(lockspace.MaxInputs, lockspace.MaxInputFelts/max(1, s.Terms.Transaction))
	j.Count = min(j.Runs*j.Ticks, uint64(len(v.Inbox)), most)
	if j.Count == 0 {
		j.Runs, j.Ticks = 1, 1
		return j
	}
	j.Took = int64(v.Head)
	j.Ticks = min(j.Ticks, j.Count)
	j.Runs = (j.Count + j.Ticks - 1) / j.Ticks
	return j
}

// fits says whether a job that was begun before still serves. One with the idle transaction does though another has come
// since: it is handed in at once, and the other is next. One with another number of transitions, or with fewer
// transactions than wait by now, does too.
func (s *Situation) fits(have, want Job) bool {
	if have.Took == lockspace.Idle {
		want.Took = have.Took
	}
	want.Runs, want.Ticks, want.Count = have.Runs, have.Ticks, have.Count
	return have == want && have.Count <= uint64(len(s.View.Inbox))
}

// due is when a renewal is handed in.
func (s *Situation) due() time.Time {
	return s.View.LeaseEnd.Add(-time.Duration(s.Terms.Grace) - s.ahead())
}

// ahead is how long before its end something is handed in.
func (s *Situation) ahead() time.Duration {
	return max(time.Duration(s.Terms.Cadence)/early, minEarly)
}

// expiry is when a proof becomes too old: the ledger takes anchors of two cadences, less a margin for the way.
func (s *Situation) expiry(r *Ready) time.Time {
	return r.Anchored.Add(time.Duration(s.Terms.Cadence) * 7 / 4)
}

// last is when a proof that has waited for something is handed in without it, before it is too old.
func (s *Situation) last(r *Ready) time.Time { return s.expiry(r).Add(-s.ahead()) }

func (s *Situation) stale(r *Ready) bool { return !s.Now.Before(s.expiry(r)) }

func sooner(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
