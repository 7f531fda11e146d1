package engine

import (
	"fmt"
	"testing"
	"time"
)

func TestFourReplicasCommit(t *testing.T) {
	c := newCell(t, 4)
	c.startAll()
	for i := range 20 {
		start := time.Now()
		c.commit(i%4, fmt.Appendf(nil, "transaction %d", i), 0, 1, 2, 3)
		t.Logf("%d: %s", i, time.Since(start))
	}
	for i := 1; i < 4; i++ {
		if err := c.stop[i](); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSingleReplicaCommits(t *testing.T) {
	c := newCell(t, 1)
	c.startAll()
	for i := range 20 {
		c.commit(0, fmt.Appendf(nil, "transaction %d", i), 0)
	}
	if err := c.stop[0](); err != nil {
		t.Fatal(err)
	}
	c.start(0)
	c.commit(0, []byte("after the restart"), 0)
}
