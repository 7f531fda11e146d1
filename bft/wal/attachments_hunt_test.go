package wal

import (
	"testing"
	"time"

	"github.com/syndtr/goleveldb/leveldb/storage"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/internal/wire"
)

// TestCrowdedAttachments drops executed attachments before their time where there is no room, oldest first, and neither
// those that nothing has executed yet nor those that a block names again.
func TestCrowdedAttachments(t *testing.T) {
	l, err := OpenLedgerOn(storage.NewMemStorage())
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	now := time.Unix(1_700_000_000, 0)
	const size = 100
	var ids []bft.Digest
	for i := range 6 {
		data := make([]byte, size)
		data[0] = byte(i)
		if err := l.PutAttachment(data, now.Add(24*time.Hour)); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, bft.Digest(wire.Sum(data).Digest()))
	}
	for i := range 5 { // 5 is not executed; the higher, the sooner its time is over
		if err := l.KeepAttachment(ids[i], now.Add(time.Duration(60-i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	if !l.HoldAttachment(bft.Attachment{ID: ids[4], Length: size}, now.Add(24*time.Hour)) || l.HoldAttachment(bft.Attachment{ID: ids[4], Length: 1}, now) {
		t.Fatal("what is held is told wrongly")
	}
	if n, err := l.SweepAttachments(now, nil); n != 0 || err != nil {
		t.Fatalf("%d went though there is room, %v", n, err)
	}
	l.crowded = 4 * size
	if n, err := l.SweepAttachments(now, map[bft.Digest]bool{ids[3]: true}); n != 2 || err != nil {
		t.Fatalf("%d went, %v; want 2", n, err)
	}
	for i, id := range ids {
		if have := l.HasAttachment(bft.Attachment{ID: id, Length: size}); have != (i != 1 && i != 2) {
			t.Errorf("attachment %d is held: %v", i, have)
		}
	}
	if n, err := l.SweepAttachments(now.Add(1000*time.Hour), map[bft.Digest]bool{ids[3]: true}); n != 3 || err != nil {
		t.Errorf("%d went, %v; want all but the one that is needed", n, err)
	}
	if l.bytes != size {
		t.Errorf("%d bytes are counted, want %d", l.bytes, size)
	}
}
