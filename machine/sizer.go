package machine

import "time"

// Sizer finds how large one renewal should be, by what earlier ones took: how many transitions a run has, and how many
// runs. It is a value without a clock.
//
// A run proof's time grows in jumps: a table that no longer fits its size takes the next, which is up to four times as
// large. So a run is only doubled when even one that took four and a half times as long would be in time, and one that was
// late is cut in proportion, with some room; where that did not help, what a proof takes does not depend on the run, and
// the smallest is next. Wrapping takes the same for every run, so that few long runs are cheaper than many short ones: a
// renewal gets another run only when its runs do not grow any more.
type Sizer struct {
	Ticks    uint64        // transitions of one run
	Most     uint64        // never more: the machine file's bound, or what a proof can hold
	Runs     uint64        // runs of one renewal
	MostRuns uint64        // never more: the machine file's bound, or the ledger's
	Budget   time.Duration // what a renewal may take: three quarters of a cadence
	Run      time.Duration // what the last renewal took for each of its runs, with wrapping and merging
	Whole    time.Duration // what the last merge of the whole life took, which comes on top
	Slow     bool          // not even the smallest renewal is in time

	late     uint64 // the last run that was late, and what it took
	lateTook time.Duration
}

const (
	// jump is by how much a proof's time can grow when its run is doubled.
	jump = 4.5
	// roomy is how much more time than expected must be left before a renewal gets another run.
	roomy = 1.5
)

// NewSizer begins with a renewal of one run of first transitions.
func NewSizer(first, most, mostRuns uint64, cadence time.Duration) Sizer {
	most = max(most, 1)
	return Sizer{Ticks: min(max(first, 1), most), Most: most, Runs: 1, MostRuns: max(mostRuns, 1), Budget: cadence * 3 / 4}
}

// Last is how long the next renewal will take, as far as is known.
func (s *Sizer) Last() time.Duration { return s.Run * time.Duration(s.Runs) }

// Took learns that a renewal of so many runs of so many transitions took so long.
func (s *Sizer) Took(runs, ticks uint64, took time.Duration) {
	runs = max(runs, 1)
	s.Run, s.Slow = took/time.Duration(runs), false
	budget := max(s.Budget-s.Whole, s.Budget/2)
	switch {
	case took > budget && runs > 1:
		s.Runs = min(runs-1, s.fit(budget*4/5))
	case took > budget && ticks <= 1:
		s.Runs, s.Ticks, s.Slow = 1, 1, true
	case took > budget:
		s.Runs = 1
		s.Ticks = max(1, uint64(float64(ticks)*0.7*float64(budget)/float64(took)))
		if ticks < s.late && took > s.lateTook*3/4 {
			s.Ticks = 1
		}
		s.late, s.lateTook = ticks, took
	case runs == 1 && ticks < s.Most && float64(took)*jump < float64(budget):
		s.Ticks = min(s.Most, max(s.Ticks, 2*ticks))
	default:
		s.Ticks = min(s.Most, s.Ticks)
		if s.Runs <= runs && s.fit(time.Duration(float64(budget)/roomy)) > runs {
			s.Runs = min(runs+1, s.MostRuns)
		}
	}
}

// fit is how many runs go into a time.
func (s *Sizer) fit(d time.Duration) uint64 {
	return min(s.MostRuns, max(1, uint64(d/max(s.Run, time.Millisecond))))
}

// Fit is how many runs one renewal may have now, for a machine whose work waits: what is known to be in time.
func (s *Sizer) Fit() uint64 {
	if s.Run == 0 {
		return 1
	}
	return s.fit(max(s.Budget-s.Whole, s.Budget/2) * 4 / 5)
}

// TooLong learns that a run of so many transitions does not fit a proof. It says whether a smaller one may.
func (s *Sizer) TooLong(ticks uint64) bool {
	if ticks <= 1 {
		return false
	}
	s.Most = max(1, ticks/2)
	s.Ticks = min(s.Ticks, s.Most)
	return true
}
