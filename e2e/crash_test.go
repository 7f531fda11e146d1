package e2e

import (
	"context"
	"testing"

	"github.com/seed06907907/fatty/node/api"
)

// TestValidatorsCrash: a validator that is killed misses renewals and catches up when it is back; then the leader is
// killed, another leads, and the leases go on.
func TestValidatorsCrash(t *testing.T) {
	c := newCell(t, "a")
	lock := c.follow("/demo/lcg")
	c.machine("a", "lcg")
	lock.next("lock_acquired")
	lead := func(from *member) string {
		s, err := from.client.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s.Leader
	}
	first := lead(c.nodes[0])
	var follower *member
	for _, m := range c.nodes[1:] { // not the one that the others found each other by
		if m.name != first {
			follower = m
		}
	}
	follower.kill()
	lock.next("lock_renewed")
	missed := lock.next("lock_renewed")
	c.restart(follower)
	c.caughtUp(follower, missed.Sequence)

	leader := c.member(lead(follower))
	before, err := follower.client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	leader.kill()
	c.until("another leads", func(ctx context.Context) bool {
		s, err := follower.client.Status(ctx)
		return err == nil && s.View > before.View && s.Leader != leader.name
	})
	after := lock.next("lock_renewed")
	for after.Sequence <= before.Sequence {
		after = lock.next("lock_renewed")
	}
	c.restart(leader)
	c.caughtUp(leader, after.Sequence)
	if n := lock.count("lock_lost"); n > 0 {
		t.Errorf("the lease was lost %d times", n)
	}
}

func (c *cell) member(name string) *member {
	c.t.Helper()
	for _, m := range c.nodes {
		if m.name == name {
			return m
		}
	}
	c.t.Fatalf("there is no validator %q", name)
	return nil
}

// caughtUp waits until a validator has executed a sequence and stands where the others stand.
func (c *cell) caughtUp(m *member, sequence uint64) {
	c.t.Helper()
	other := c.nodes[0]
	if other == m {
		other = c.nodes[1]
	}
	c.until(m.name+" catches up", func(ctx context.Context) bool {
		mine, err := m.client.Head(ctx)
		if err != nil || mine.Sequence < sequence {
			return false
		}
		theirs, err := other.client.Head(ctx)
		if err != nil || theirs.Sequence != mine.Sequence {
			return false // a cut came between
		}
		if mine.StateRoot != theirs.StateRoot {
			c.t.Fatalf("after cut %d %s has root %s, %s has %s", mine.Sequence, m.name, mine.StateRoot, other.name, theirs.StateRoot)
		}
		return true
	})
	var a, b *api.Machine
	var err error
	if a, err = m.client.Machine(c.t.Context(), "/demo/lcg"); err != nil {
		c.t.Fatal(err)
	}
	if b, err = other.client.Machine(c.t.Context(), "/demo/lcg"); err != nil {
		c.t.Fatal(err)
	}
	if a.Machine != b.Machine || a.Generation != b.Generation {
		c.t.Errorf("%s says %+v, %s says %+v", m.name, a, other.name, b)
	}
}
