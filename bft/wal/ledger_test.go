package wal

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/syndtr/goleveldb/leveldb/storage"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/internal/wire"
)

// chainOf makes n deliveries that follow each other, each with one block of lane 0.
func chainOf(n int) (out []bft.Delivery) {
	var prev, block bft.Digest
	for i := 1; i <= n; i++ {
		h := bft.BlockHeader{Chain: "test", Height: bft.Height(i), Prev: block, Count: 1}
		b := &bft.Block{SignedHeader: bft.SignedHeader{Header: h, Sig: []byte{1}}, Transactions: [][]byte{{byte(i)}}}
		block = b.ID()
		cut := bft.Cut{Chain: "test", Sequence: bft.Sequence(i), Time: bft.LedgerTime(i * 10), Prev: prev, Tips: []bft.Tip{{Height: bft.Height(i), Block: block}}}
		prev = cut.Digest()
		d := bft.Delivery{Decision: bft.Decision{Cut: cut, Commit: bft.BallotCertificate{Sequence: cut.Sequence, Time: cut.Time, Cut: prev}}, Blocks: []*bft.Block{b}}
		if i > 1 {
			d.Prev = bft.LedgerTime((i - 1) * 10)
		}
		out = append(out, d)
	}
	return out
}

func TestLedgerKeepsWhatItAcknowledged(t *testing.T) {
	dir := t.TempDir()
	l, err := OpenLedger(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLedger(dir); err == nil {
		t.Error("a second process opens the same store")
	}
	ds := chainOf(10)
	if err := errors.Join(l.Append(ds[:3]), l.Append(ds[3:4])); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(ds[5:6]); err == nil {
		t.Error("a cut that does not follow is stored")
	}
	if err := l.PutStateCertificate(&bft.StateCertificate{Sequence: 3, Root: wire.Sum(nil)}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if l, err = OpenLedger(dir); err != nil {
		t.Fatal(err)
	}
	head, tips := l.Head()
	if head.Sequence != 4 || head.Cut != ds[3].Decision.Cut.Digest() || len(tips) != 1 || tips[0].Height != 4 {
		t.Errorf("head %+v, tips %+v", head, tips)
	}
	for i := range 4 {
		d, err := l.Delivery(bft.Sequence(i + 1))
		if err != nil || d.Prev != ds[i].Prev || len(d.Blocks) != 1 || d.Blocks[0].ID() != ds[i].Blocks[0].ID() {
			t.Errorf("cut %d: %+v, %v", i+1, d, err)
		}
	}
	if _, err := l.Decision(5); !errors.Is(err, ErrNotFound) {
		t.Errorf("a cut that is not there: %v", err)
	}
	if k, err := l.LastStateCertificate(); err != nil || k.Sequence != 3 {
		t.Errorf("the last state certificate: %v, %v", k, err)
	}
	if err := l.Append(ds[4:]); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(chainOf(11)[10:]); !errors.Is(err, ErrStore) {
		t.Errorf("append to a closed store: %v", err)
	}
}

func TestAttachmentsAreKeptAndSwept(t *testing.T) {
	st := storage.NewMemStorage()
	l, err := OpenLedgerOn(st)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_700_000_000, 0)
	one, two := []byte("a proof"), []byte("another")
	if err := errors.Join(l.PutAttachment(one, now.Add(time.Hour)), l.PutAttachment(two, now.Add(2*time.Hour)), l.PutAttachment(one, now)); err != nil {
		t.Fatal(err)
	}
	if err := l.PutAttachment(make([]byte, MaxAttachmentBytes+1), now); err == nil {
		t.Error("an attachment over the bound is stored")
	}
	id := bft.Digest(wire.Sum(one).Digest())
	if !l.HasAttachment(bft.Attachment{ID: id, Length: uint32(len(one))}) || l.HasAttachment(bft.Attachment{ID: id, Length: 1}) {
		t.Error("what is held is told wrongly")
	}
	if err := l.KeepAttachment(id, now.Add(3*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n, err := l.SweepAttachments(now.Add(150*time.Minute), nil); n != 1 || err != nil {
		t.Errorf("%d swept, %v", n, err)
	}
	if b, err := l.Attachment(id); err != nil || !bytes.Equal(b, one) {
		t.Errorf("what was kept: %q, %v", b, err)
	}
	if n, err := l.SweepAttachments(now.Add(4*time.Hour), nil); n != 1 || err != nil {
		t.Errorf("%d swept, %v", n, err)
	}
	if _, err := l.Attachment(id); !errors.Is(err, ErrNotFound) {
		t.Errorf("what was swept: %v", err)
	}
}
