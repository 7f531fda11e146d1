package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed06907907/fatty/bft"
)

func withAttachment(data []byte) (tx []byte, attachments map[bft.Digest][]byte) {
	id := bft.Digest(sha256.Sum256(data))
	return binary.BigEndian.AppendUint32(append([]byte{'@'}, id[:]...), uint32(len(data))), map[bft.Digest][]byte{id: data}
}

// TestAttachmentsOfWaitingBlocksStay has a certified block wait for days before it is ordered, as a worker can arrange that
// holds its certificate back. What it names must still be there then: the votes vouch for it, and nobody else has it.
func TestAttachmentsOfWaitingBlocksStay(t *testing.T) {
	c := newCell(t, 4)
	var ahead atomic.Int64
	c.tune = func(_ int, cfg *Config) {
		cfg.Now = func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	}
	c.start(0)
	c.start(1)
	tx, attachments := withAttachment([]byte("held back"))
	if err := c.engines[0].Submit(t.Context(), tx, attachments); err != nil {
		t.Fatal(err)
	}
	named := bft.Attachment{Length: uint32(len("held back"))}
	for id := range attachments {
		named.ID = id
	}
	for !c.engines[1].ledger.HasAttachment(named) {
		runtime.Gosched()
	}
	ahead.Store(int64(10 * unexecutedAttachmentsKept))
	for i := range 2 {
		e := c.engines[i]
		for from := e.counts.turns.Load(); e.counts.turns.Load() < from+3; { // it has swept since
			runtime.Gosched()
		}
		if !e.ledger.HasAttachment(named) {
			t.Fatalf("replica %d dropped what a block names that it vouched for", i)
		}
	}
	c.start(2)
	c.start(3)
	for i := range 4 {
		select {
		case <-c.apps[i].executed(tx):
		case <-t.Context().Done():
			t.Fatalf("replica %d has not executed it", i)
		}
	}
}

// TestReplicaCatchesUpWithoutRecentAttachments brings a replica to a ledger whose attachments the others dropped before
// their usual time, for lack of room or by their configuration.
func TestReplicaCatchesUpWithoutRecentAttachments(t *testing.T) {
	c := newCell(t, 4)
	for i := range 3 {
		c.start(i)
	}
	tx, attachments := withAttachment([]byte("short-lived"))
	if err := c.engines[1].Submit(t.Context(), tx, attachments); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		<-c.apps[i].executed(tx)
	}
	head := c.engines[0].Head().Sequence
	for i := range 3 {
		if _, err := c.engines[i].ledger.SweepAttachments(time.Now().Add(1000*time.Hour), nil); err != nil {
			t.Fatal(err)
		}
	}
	c.start(3)
	c.apps[3].reach(t, head)
	if a := c.apps[3]; a.root != c.apps[1].root || a.replays == 0 {
		t.Errorf("root %x, %d replays", a.root, a.replays)
	}
}
