package bft

import (
	"testing"
)

// TestCertificateKeptFromTheLeader has a worker show its block and its certificate to all but the leader, and then fall
// silent. The others hand the leader what it lacks, and it orders the block; it is not replaced for what it cannot know.
func TestCertificateKeptFromTheLeader(t *testing.T) {
	const leader, liar = 0, 3
	s := &script{t: t, now: simStart}
	s.do([]string{"cell", "4"})
	s.do([]string{"tick", "1s"})
	s.deliver("")
	s.do([]string{"submit", "3", "hidden"})
	s.only(func(w waitingFrame) bool { return w.to == 1 }) // replica 1 alone gets the block
	s.deliver("block")
	s.only(func(w waitingFrame) bool { return w.to == liar })
	s.deliver("vote")
	s.only(func(w waitingFrame) bool { return w.to != leader })
	s.deliver("certificate")
	s.do([]string{"crash", "3"})
	if c := s.cores[1].lanes[liar].certified(); c != 1 {
		t.Fatalf("replica 1 knows a certificate of height %d", c)
	}
	if c := s.cores[leader].lanes[liar].certified(); c != 0 {
		t.Fatalf("the leader knows a certificate of height %d", c)
	}
	for range 12 {
		s.do([]string{"tick", "100ms"})
		s.deliver("")
	}
	for i := range 3 {
		if c := s.cores[i]; c.view != 0 || c.head.Sequence != 1 {
			t.Errorf("replica %d is in view %d at cut %d, want view 0 and cut 1", i, c.view, c.head.Sequence)
		}
	}
}
