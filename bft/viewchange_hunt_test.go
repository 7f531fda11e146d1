package bft

import (
	"testing"
)

// only keeps the waiting frames that keep accepts.
func (s *script) only(keep func(w waitingFrame) bool) {
	var left []waitingFrame
	for _, w := range s.queue {
		if keep(w) {
			left = append(left, w)
		}
	}
	s.queue = left
}

// TestViewChangeToSeveralViews has one replica, which hears the others but is not heard, give up view 1 for view 2 while
// the others wait for it in view 1, and a fourth that is down. Once all three hear each other, they must meet in a view:
// that one of them is ahead shows the others that a quorum has left view 1's predecessors, and starts their patience.
func TestViewChangeToSeveralViews(t *testing.T) {
	s := &script{t: t, now: simStart}
	s.do([]string{"cell", "4"})
	s.do([]string{"tick", "1s"})
	s.deliver("")
	s.do([]string{"crash", "3"})
	for i := range 3 {
		s.cores[i].startViewChange(1)
		s.settle(i)
	}
	const mute = 2
	for range 100 {
		s.only(func(w waitingFrame) bool { return w.from != mute })
		s.deliver("")
		if s.cores[mute].view > 1 {
			break
		}
		s.do([]string{"tick", "100ms"})
	}
	if v := s.cores[mute].view; v != 2 {
		t.Fatalf("the mute replica is in view %d, want it to have given up view 1", v)
	}
	for _, i := range []int{0, 1} {
		if c := s.cores[i]; c.view != 1 || !c.changing {
			t.Fatalf("replica %d is in view %d, changing %v", i, c.view, c.changing)
		}
	}
	together := func() bool {
		for i := range 3 {
			if c := s.cores[i]; c.changing || c.view != s.cores[0].view {
				return false
			}
		}
		return true
	}
	for range 600 { // a minute
		s.deliver("")
		if together() {
			return
		}
		s.do([]string{"tick", "100ms"})
	}
	for i := range 3 {
		t.Logf("replica %d: view %d, changing %v", i, s.cores[i].view, s.cores[i].changing)
	}
	t.Fatal("three of four replicas that hear each other do not agree on a view")
}
