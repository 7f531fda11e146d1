//go:build soak

package e2e

import (
	"math/rand/v2"
	"testing"
)

// TestCrashesForLong kills one validator after another, the leader as often as chance has it, while a machine keeps its
// lock. The seed is in each failure's output.
func TestCrashesForLong(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	c := newCell(t, "a")
	lock := c.follow("/demo/lcg")
	c.machine("a", "lcg")
	lock.next("lock_acquired")
	for range 100 {
		m := c.nodes[r.IntN(len(c.nodes))]
		m.kill()
		for range 1 + r.IntN(2) {
			lock.next("lock_renewed")
		}
		c.restart(m)
		c.caughtUp(m, lock.next("lock_renewed").Sequence)
		if n := lock.count("lock_lost"); n > 0 {
			t.Fatalf("the lease was lost after %s was killed", m.name)
		}
	}
}
