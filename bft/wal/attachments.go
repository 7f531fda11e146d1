package wal

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sort"
	"sync"
	"time"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/storage"
	"github.com/syndtr/goleveldb/leveldb/util"

	"github.com/seed06907907/fatty/bft"
)

const (
	// MaxAttachmentBytes bounds one attachment; a span proof has at most 1 MiB.
	MaxAttachmentBytes = 4 << 20
	// MaxAttachmentsBytes bounds all attachments held, so that they cannot fill the disk.
	MaxAttachmentsBytes = 2 << 30
	// crowdedBytes is from where on those that have been executed go before their time.
	crowdedBytes = MaxAttachmentsBytes / 4 * 3
)

// ErrAttachmentsFull is returned when no more attachments can be held.
var ErrAttachmentsFull = errors.New("the store of attachments is full: wait until older ones have been executed and dropped")

// attachments is the part of the store that holds them: an index in memory over keys a and x.
type attachments struct {
	storage storage.Storage
	mu      sync.Mutex
	held    map[bft.Digest]heldAttachment
	bytes   int64
	crowded int64 // crowdedBytes, or less in tests
}

type heldAttachment struct {
	length   uint32
	until    int64 // ns since the epoch
	executed bool  // since the start, and not held for another block since; not on disk
}

func (h heldAttachment) encode() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(nil, h.length), uint64(h.until))
}

func (a *attachments) loadAttachments(db *leveldb.DB) error {
	a.held, a.crowded = map[bft.Digest]heldAttachment{}, crowdedBytes
	it := db.NewIterator(util.BytesPrefix([]byte{'x'}), nil)
	defer it.Release()
	for it.Next() {
		k, v := it.Key(), it.Value()
		if len(k) != 33 || len(v) != 12 {
			return fmt.Errorf("the ledger store is damaged: an attachment's entry is malformed")
		}
		h := heldAttachment{length: binary.BigEndian.Uint32(v), until: int64(binary.BigEndian.Uint64(v[4:]))}
		a.held[bft.Digest(k[1:])] = h
		a.bytes += int64(h.length)
	}
	return it.Error()
}

// HasAttachment says whether an attachment is held.
func (l *Ledger) HasAttachment(a bft.Attachment) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, ok := l.held[a.ID]
	return ok && h.length == a.Length
}

// HoldAttachment says whether an attachment is held, and if so keeps it at least until a time, whatever executed it before:
// a vote for another block that names it vouches for it again.
func (l *Ledger) HoldAttachment(a bft.Attachment, until time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, ok := l.held[a.ID]
	if !ok || h.length != a.Length {
		return false
	}
	h.until, h.executed = max(h.until, until.UnixNano()), false
	l.held[a.ID] = h
	return true
}

// PutAttachment stores bytes under their digest and keeps them at least until a time. It is durable when it returns.
func (l *Ledger) PutAttachment(data []byte, until time.Time) error {
	if len(data) > MaxAttachmentBytes {
		return fmt.Errorf("an attachment of %d bytes: at most %d are allowed", len(data), MaxAttachmentBytes)
	}
	id := bft.Digest(sha256.Sum256(data))
	h := heldAttachment{length: uint32(len(data)), until: until.UnixNano()}
	l.mu.Lock()
	_, have := l.held[id]
	full := l.bytes+int64(len(data)) > MaxAttachmentsBytes
	l.mu.Unlock()
	if have {
		return nil
	}
	if full {
		return ErrAttachmentsFull
	}
	batch := new(leveldb.Batch)
	batch.Put(named('a', id), data)
	batch.Put(named('x', id), h.encode())
	if err := l.db.Write(batch, &opt.WriteOptions{Sync: true}); err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, have := l.held[id]; !have {
		l.held[id] = h
		l.bytes += int64(len(data))
	}
	return nil
}

// Attachment returns an attachment's bytes.
func (l *Ledger) Attachment(id bft.Digest) ([]byte, error) { return l.get(named('a', id)) }

// KeepAttachment sets until when an attachment is kept that has been executed. Where room is scarce it goes earlier.
func (l *Ledger) KeepAttachment(id bft.Digest, until time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, ok := l.held[id]
	if !ok {
		return nil
	}
	h.until, h.executed = until.UnixNano(), true
	if err := l.db.Put(named('x', id), h.encode(), nil); err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	l.held[id] = h
	return nil
}

// SweepAttachments drops attachments whose time is over, and where the store is crowded, executed ones, those first whose
// time is over first. What is needed stays whatever its time. It returns how many went.
func (l *Ledger) SweepAttachments(now time.Time, needed map[bft.Digest]bool) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var gone, executed []bft.Digest
	left := l.bytes
	for id, h := range l.held {
		switch {
		case needed[id]:
		case h.until < now.UnixNano():
			gone = append(gone, id)
			left -= int64(h.length)
		case h.executed:
			executed = append(executed, id)
		}
	}
	sort.Slice(executed, func(i, j int) bool { return l.held[executed[i]].until < l.held[executed[j]].until })
	for _, id := range executed {
		if left <= l.crowded {
			break
		}
		gone = append(gone, id)
		left -= int64(l.held[id].length)
	}
	if len(gone) == 0 {
		return 0, nil
	}
	batch := new(leveldb.Batch)
	for _, id := range gone {
		batch.Delete(named('a', id))
		batch.Delete(named('x', id))
	}
	if err := l.db.Write(batch, nil); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrStore, err)
	}
	for _, id := range gone {
		delete(l.held, id)
	}
	l.bytes = left
	return len(gone), nil
}
