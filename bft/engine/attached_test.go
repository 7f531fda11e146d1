package engine

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/bft/wal"
)

// naming makes a transaction of chainApp that names an attachment of a length.
func naming(mark byte, length uint32) []byte {
	id := bft.Digest{mark}
	return binary.BigEndian.AppendUint32(append([]byte{'@'}, id[:]...), length)
}

// Attachments of a block are bounded together: an honest worker keeps to it, and nobody fetches, or votes for, what a lying
// one names beyond it.
func TestBlockAttachmentsAreBounded(t *testing.T) {
	var m mempool
	for i := range byte(5) {
		if _, err := m.add(naming(i, wal.MaxAttachmentBytes), wal.MaxAttachmentBytes, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []int{2, 2, 1} {
		if got := len(m.take()); got != want {
			t.Errorf("a block of %d transactions, want %d", got, want)
		}
	}
	c := newCell(t, 1)
	c.start(0)
	b := &bft.Block{Transactions: [][]byte{naming(1, wal.MaxAttachmentBytes+1)}}
	if err := c.engines[0].examineBlock(b); err == nil || !strings.Contains(err.Error(), "attachment of") {
		t.Errorf("one too large: %v", err)
	}
	b = &bft.Block{}
	for i := range byte(3) {
		b.Transactions = append(b.Transactions, naming(i, wal.MaxAttachmentBytes))
	}
	if err := c.engines[0].examineBlock(b); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("three of the largest: %v", err)
	}
	if err := c.engines[0].Submit(t.Context(), naming(9, wal.MaxAttachmentBytes+1), nil); !errors.Is(err, ErrRefused) {
		t.Errorf("submitted: %v", err)
	}
}
