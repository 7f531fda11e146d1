package machine

import "time"

// Sizer finds how many transitions one segment should have, by what earlier proofs took. It is a value without a clock.
//
// A proof's time grows in jumps: a table that no longer fits its size takes the next, which is up to four times as large.
// So a segment is only doubled when even a proof four and a half times as long would be in time, and one that was late is
// cut in proportion, with some room; where that did not help, what a proof takes does not depend on the segment, and the
// smallest is next.
type Sizer struct {
	Ticks  uint64        // of the next segment
	Most   uint64        // never more: the machine file's bound, or what a proof can hold
	Budget time.Duration // what a proof may take: three quarters of a cadence
	Last   time.Duration // what the last one took
	Slow   bool          // not even the smallest segment is in time

	late     uint64 // the last segment that was late, and what it took
	lateTook time.Duration
}

// jump is by how much a proof's time can grow when its segment is doubled.
const jump = 4.5

// NewSizer begins with first transitions.
func NewSizer(first, most uint64, cadence time.Duration) Sizer {
	most = max(most, 1)
	return Sizer{Ticks: min(max(first, 1), most), Most: most, Budget: cadence * 3 / 4}
}

// Took learns that a proof of so many transitions took so long.
func (s *Sizer) Took(ticks uint64, took time.Duration) {
	s.Last = took
	s.Slow = false
	switch {
	case took > s.Budget && ticks <= 1:
		s.Ticks, s.Slow = 1, true
	case took > s.Budget:
		s.Ticks = max(1, uint64(float64(ticks)*0.7*float64(s.Budget)/float64(took)))
		if ticks < s.late && took > s.lateTook*3/4 {
			s.Ticks = 1
		}
		s.late, s.lateTook = ticks, took
	case float64(took)*jump < float64(s.Budget):
		s.Ticks = min(s.Most, max(s.Ticks, 2*ticks))
	default:
		s.Ticks = min(s.Most, max(1, min(s.Ticks, ticks)))
	}
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
