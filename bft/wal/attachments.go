package wal

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/storage"
	"github.com/syndtr/goleveldb/leveldb/util"

	"github.com/seed06907907/fatty/bft"
)

const (
	// MaxAttachmentBytes bounds one attachment: a proof of 4 MiB.
	MaxAttachmentBytes = 4 << 20
	// MaxAttachmentsBytes bounds all attachments held, so that they cannot fill the disk.
	MaxAttachmentsBytes = 2 << 30
)

// ErrAttachmentsFull is returned when no more attachments can be held.
var ErrAttachmentsFull = errors.New("the store of attachments is full: wait until older ones have been executed and dropped")

// attachments is the part of the store that holds them: an index in memory over keys a and x.
type attachments struct {
	storage storage.Storage
	mu      sync.Mutex
	held    map[bft.Digest]heldAttachment
	bytes   int64
}

type heldAttachment struct {
	length uint32
	until  int64 // ns since the epoch
}

func (h heldAttachment) encode() []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(nil, h.length), uint64(h.until))
}

func (a *attachments) loadAttachments(db *leveldb.DB) error {
	a.held = map[bft.Digest]heldAttachment{}
	it := db.NewIterator(util.BytesPrefix([]byte{'x'}), nil)
	defer it.Release()
	for it.Next() {
		k, v := it.Key(), it.Value()
		if len(k) != 33 || len(v) != 12 {
			return fmt.Errorf("the ledger store is damaged: an attachment's entry is malformed")
		}
		h := heldAttachment{binary.BigEndian.Uint32(v), int64(binary.BigEndian.Uint64(v[4:]))}
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

// PutAttachment stores bytes under their digest and keeps them at least until a time. It is durable when it returns.
func (l *Ledger) PutAttachment(data []byte, until time.Time) error {
	if len(data) > MaxAttachmentBytes {
		return fmt.Errorf("an attachment of %d bytes: at most %d are allowed", len(data), MaxAttachmentBytes)
	}
	id := bft.Digest(sha256.Sum256(data))
	h := heldAttachment{uint32(len(data)), until.UnixNano()}
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

// KeepAttachment sets until when an attachment is kept.
func (l *Ledger) KeepAttachment(id bft.Digest, until time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, ok := l.held[id]
	if !ok {
		return nil
	}
	h.until = until.UnixNano()
	if err := l.db.Put(named('x', id), h.encode(), nil); err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	l.held[id] = h
	return nil
}

// SweepAttachments drops attachments whose time is over and returns how many.
func (l *Ledger) SweepAttachments(now time.Time) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	batch, n := new(leveldb.Batch), 0
	var gone []bft.Digest
	for id, h := range l.held {
		if h.until < now.UnixNano() {
			batch.Delete(named('a', id))
			batch.Delete(named('x', id))
			gone = append(gone, id)
			n++
		}
	}
	if n == 0 {
		return 0, nil
	}
	if err := l.db.Write(batch, nil); err != nil {
		return 0, fmt.Errorf("%w: %w", ErrStore, err)
	}
	for _, id := range gone {
		l.bytes -= int64(l.held[id].length)
		delete(l.held, id)
	}
	return n, nil
}
