package engine

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestClockThatGoesBack sets one validator's clock back by an hour, as NTP does after a wrong start. A core that holds its
// time would be mute for an hour without a word; it must say what is wrong, and take part again once it is started anew.
func TestClockThatGoesBack(t *testing.T) {
	c := newCell(t, 4)
	var ahead atomic.Int64
	c.tune = func(i int, cfg *Config) {
		if i == 3 {
			cfg.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		}
	}
	ahead.Store(int64(time.Hour))
	c.startAll()
	c.commit(0, []byte("with a wrong clock"), 0, 1, 2)
	ahead.Store(int64(time.Hour - clockBack/2)) // little by little is fine
	c.commit(0, []byte("a little back"), 0, 1, 2, 3)
	ahead.Store(0)
	select {
	case <-c.engines[3].Stopped():
	case <-t.Context().Done():
		t.Fatal("the replica goes on")
	}
	if err := c.stop[3](); err == nil || !strings.Contains(err.Error(), "clock went back") {
		t.Fatalf("it stopped with %v", err)
	}
	c.start(3)
	c.commit(3, []byte("with the right clock"), 0, 1, 2, 3)
}
