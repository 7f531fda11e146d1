package engine

import (
	"runtime"
	"testing"
	"time"
)

// TestRestartWhileWaitingForAttachments stops a replica whose ledger has a cut that it could not execute, for want of what
// the cut's transactions name. It must open again and wait on: opening asks nobody.
func TestRestartWhileWaitingForAttachments(t *testing.T) {
	c := newCell(t, 4)
	for i := range 3 {
		c.start(i)
	}
	tx, attachments := withAttachment([]byte("hard to get"))
	if err := c.engines[1].Submit(t.Context(), tx, attachments); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		<-c.apps[i].executed(tx)
		c.apps[i].mu.Lock()
		c.apps[i].lies = true
		c.apps[i].mu.Unlock()
		if _, err := c.engines[i].ledger.SweepAttachments(time.Now().Add(1000*time.Hour), nil); err != nil {
			t.Fatal(err)
		}
	}
	head := c.engines[0].Head().Sequence
	c.start(3)
	for {
		if _, err := c.engines[3].ledger.Decision(head); err == nil {
			break
		}
		runtime.Gosched()
	}
	if err := c.stop[3](); err != nil {
		t.Fatal(err)
	}
	if done, _ := c.apps[3].Executed(); done >= head {
		t.Fatalf("it executed cut %d without what it names", done)
	}
	for i := range 3 {
		c.apps[i].mu.Lock()
		c.apps[i].lies = false
		c.apps[i].mu.Unlock()
	}
	c.start(3)
	c.apps[3].reach(t, head)
	c.commit(3, []byte("and on"), 0, 1, 2, 3)
}
