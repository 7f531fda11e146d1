package node

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/storage"
	"github.com/syndtr/goleveldb/leveldb/util"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
)

// The store's tables. A key is a letter and what follows, numbers are 8 bytes big-endian:
//
//	b  digest        8 bytes: the sequence that wrote it last; then the block
//	d  sequence      digests of the blocks that this sequence's state no longer needs
//	g                the chain id: the store belongs to one chain
//	h                headRecord: what is executed
//	p  lock digest   proofRecord: the newest accepted proof
//	q  sequence      cutRecord: what a sequence gave
//	r  tx digest     receiptRecord
//	w  lock digest   proofRecord: the newest whole-life span
const (
	tableBlock   = 'b'
	tableDropped = 'd'
	keyChain     = "g"
	keyHead      = "h"
	tableProof   = 'p'
	tableCut     = 'q'
	tableReceipt = 'r'
	tableWhole   = 'w'
)

// headRecord is the newest executed place.
type headRecord struct {
	Sequence uint64         `cbor:"sequence"`
	Time     lockspace.Time `cbor:"time"`
	Root     wire.CID       `cbor:"root"`
	Ticks    bool           `cbor:"ticks"`
	Pruned   uint64         `cbor:"pruned"` // dropped blocks of sequences up to it are gone
}

// cutRecord is what a sequence gave.
type cutRecord struct {
	Time  lockspace.Time `cbor:"time"`
	Root  wire.CID       `cbor:"root"`
	Count uint64         `cbor:"count"` // transactions
}

// receiptRecord is a receipt and where it is.
type receiptRecord struct {
	Receipt  lockspace.Receipt `cbor:"receipt"`
	Sequence uint64            `cbor:"sequence"`
	Index    uint64            `cbor:"index"`
}

// proofKey names a proof that is kept: the table, and the lock.
type proofKey struct {
	table byte
	lock  wire.CID
}

// proofRecord is an accepted proof of the machine under a lock. The state names the one that counts, by ID: after a replay
// from verdicts the bytes at hand may be older.
type proofRecord struct {
	ID       wire.CID `cbor:"id"`
	Program  wire.CID `cbor:"program"`
	T0       uint64   `cbor:"t0"`
	T1       uint64   `cbor:"t1"`
	Sequence uint64   `cbor:"sequence"`
	Proof    []byte   `cbor:"proof"`
}

// errNoRecord says that the store has no such record.
var errNoRecord = errors.New("not in the store")

// pruneStep bounds the old sequences whose blocks one cut's batch removes, so that no cut waits for a long clean-up.
const pruneStep = 4

// store keeps the lock space on disk. A cut's blocks, root, receipts and proofs are one synced batch: after a crash all
// of a cut is there or nothing, and what Execute returned is there.
type store struct {
	db      *leveldb.DB
	disk    storage.Storage
	history uint64

	mu   sync.Mutex // of head; writes are the executor's alone
	head headRecord
}

func openStore(dir string, cacheMiB int, history uint64, chain string) (*store, error) {
	disk, err := storage.OpenFile(dir, false)
	if err != nil {
		return nil, fmt.Errorf("state store %s: %w", dir, err)
	}
	s, err := openStoreOn(disk, dir, cacheMiB, history, chain)
	if err != nil {
		disk.Close()
		return nil, err
	}
	s.disk = disk
	return s, nil
}

// openStoreOn opens the store on any storage; dir is for messages.
func openStoreOn(disk storage.Storage, dir string, cacheMiB int, history uint64, chain string) (*store, error) {
	db, err := leveldb.Open(disk, &opt.Options{
		BlockCacheCapacity: cacheMiB << 20, WriteBuffer: cacheMiB << 20, Filter: filter.NewBloomFilter(10),
		// Damaged tables are an error that a human must see. A journal's torn end is not: a kill or a power failure in the
		// middle of a write leaves one, of a batch that nobody was told of, and StrictJournal would refuse to open it.
		ErrorIfMissing: false, Strict: opt.StrictAll &^ (opt.StrictJournal | opt.StrictManifest),
	})
	if err != nil {
		return nil, fmt.Errorf("state store %s: %w: restore the home from a backup, or begin with an empty data folder and catch up", dir, err)
	}
	s := &store{db: db, history: max(history, 1)}
	if err := s.load(chain); err != nil {
		db.Close()
		return nil, err
	}
	return s, nil
}

func (s *store) load(chain string) error {
	have, err := s.db.Get([]byte(keyChain), nil)
	switch {
	case errors.Is(err, leveldb.ErrNotFound):
		if err := s.db.Put([]byte(keyChain), []byte(chain), &opt.WriteOptions{Sync: true}); err != nil {
			return err
		}
	case err != nil:
		return err
	case string(have) != chain:
		return fmt.Errorf("the data folder is of chain %s, genesis.json of chain %s: put the right genesis back, or take another home", have, chain)
	}
	err = s.record([]byte(keyHead), &s.head)
	if errors.Is(err, errNoRecord) {
		return nil
	}
	return err
}

func (s *store) Close() error {
	err := s.db.Close()
	if s.disk != nil {
		err = errors.Join(err, s.disk.Close())
	}
	return err
}

func (s *store) record(key []byte, v any) error {
	b, err := s.db.Get(key, nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return errNoRecord
	}
	if err != nil {
		return err
	}
	return wire.Unmarshal(b, v)
}

func digestKey(table byte, id wire.CID) []byte {
	d := id.Digest()
	return append([]byte{table}, d[:]...)
}

func numberKey(table byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{table}, n)
}

// Get implements lockspace.Blocks.
func (s *store) Get(id wire.CID) ([]byte, error) {
	b, err := s.db.Get(digestKey(tableBlock, id), nil)
	if err != nil {
		return nil, fmt.Errorf("block %s: %w", id, err)
	}
	if len(b) < 8 {
		return nil, fmt.Errorf("block %s: the store is damaged: restore the home from a backup", id)
	}
	return b[8:], nil
}

// executedCut is what one cut changes in the store.
type executedCut struct {
	sequence uint64
	time     lockspace.Time
	result   *lockspace.Result
	proofs   map[proofKey]*proofRecord // nil: to forget
}

// write makes a cut durable.
func (s *store) write(c executedCut) error {
	b := new(leveldb.Batch)
	put := func(key []byte, v any) error {
		enc, err := wire.Marshal(v)
		if err == nil {
			b.Put(key, enc)
		}
		return err
	}
	var stamp [8]byte
	binary.BigEndian.PutUint64(stamp[:], c.sequence)
	for _, blk := range c.result.Blocks {
		b.Put(digestKey(tableBlock, blk.ID), append(stamp[:8:8], blk.Data...))
	}
	if len(c.result.Dropped) > 0 {
		list := make([]byte, 0, 32*len(c.result.Dropped))
		for _, id := range c.result.Dropped {
			d := id.Digest()
			list = append(list, d[:]...)
		}
		b.Put(numberKey(tableDropped, c.sequence), list)
	}
	for i := range c.result.Receipts {
		r := &c.result.Receipts[i]
		key := digestKey(tableReceipt, r.ID)
		if !r.Counted { // the one that used the nonce tells the transaction's fate
			var old receiptRecord
			if err := s.record(key, &old); err == nil {
				continue
			} else if !errors.Is(err, errNoRecord) {
				return err
			}
			if counted(c.result.Receipts, r.ID) {
				continue
			}
		}
		if err := put(key, receiptRecord{*r, c.sequence, uint64(i)}); err != nil {
			return err
		}
	}
	for k, p := range c.proofs {
		key := digestKey(k.table, k.lock)
		if p == nil {
			b.Delete(key)
		} else if err := put(key, p); err != nil {
			return err
		}
	}
	head := headRecord{Sequence: c.sequence, Time: c.time, Root: c.result.Root, Ticks: c.result.TicksNeeded, Pruned: s.head.Pruned}
	if err := s.prune(b, &head, c.result.Blocks); err != nil {
		return err
	}
	if err := put(numberKey(tableCut, c.sequence), cutRecord{c.time, c.result.Root, uint64(len(c.result.Receipts))}); err != nil {
		return err
	}
	if err := put([]byte(keyHead), head); err != nil {
		return err
	}
	if err := s.db.Write(b, &opt.WriteOptions{Sync: true}); err != nil {
		return fmt.Errorf("write the state after cut %d: %w: is the disk full? Nothing that was acknowledged is lost; free some space and start again", c.sequence, err)
	}
	s.mu.Lock()
	s.head = head
	s.mu.Unlock()
	return nil
}

func counted(list []lockspace.Receipt, id wire.CID) bool {
	for i := range list {
		if list[i].ID == id && list[i].Counted {
			return true
		}
	}
	return false
}

// prune removes, a few sequences at a time, the blocks that no state within the history needs. A block that was written
// again after it was dropped stays: a later record of its own will name it.
func (s *store) prune(b *leveldb.Batch, head *headRecord, blocks []lockspace.Block) error {
	written := make(map[string]bool, len(blocks)) // by this batch
	for i := range blocks {
		written[string(digestKey(tableBlock, blocks[i].ID))] = true
	}
	for n := 0; n < pruneStep && head.Pruned+s.history < head.Sequence; n++ {
		seq := head.Pruned + 1
		list, err := s.db.Get(numberKey(tableDropped, seq), nil)
		if err != nil && !errors.Is(err, leveldb.ErrNotFound) {
			return err
		}
		for ; len(list) >= 32; list = list[32:] {
			key := digestKey(tableBlock, wire.FromDigest([32]byte(list[:32])))
			old, err := s.db.Get(key, nil)
			if errors.Is(err, leveldb.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			if len(old) >= 8 && binary.BigEndian.Uint64(old) <= seq {
				// This batch may write the block again; a delete comes first then, so it must not come at all.
				if !written[string(key)] {
					b.Delete(key)
				}
			}
		}
		b.Delete(numberKey(tableDropped, seq))
		head.Pruned = seq
	}
	return nil
}

// Head returns what is executed; the zero head in an empty store.
func (s *store) Head() headRecord {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.head
}

// Cut returns what a sequence gave.
func (s *store) Cut(seq uint64) (c cutRecord, err error) {
	return c, s.record(numberKey(tableCut, seq), &c)
}

// Receipt returns a transaction's receipt.
func (s *store) Receipt(id wire.CID) (r receiptRecord, err error) {
	return r, s.record(digestKey(tableReceipt, id), &r)
}

// Proof returns a proof that is kept.
func (s *store) Proof(k proofKey) (p proofRecord, err error) {
	return p, s.record(digestKey(k.table, k.lock), &p)
}

// size returns the approximate bytes on disk.
func (s *store) size() int64 {
	n, err := s.db.SizeOf([]util.Range{{}})
	if err != nil {
		return 0
	}
	return n.Sum()
}
