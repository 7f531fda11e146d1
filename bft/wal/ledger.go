package wal

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/filter"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/storage"
	"github.com/syndtr/goleveldb/leveldb/util"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/internal/wire"
)

// The ledger store's keys: one byte, then
//
//	c sequence   decision, a frame
//	o sequence   ids of the blocks that the cut takes in, in their order of execution, 32 bytes each
//	b block id   block, a frame
//	h            head: sequence and committed tips
//	s sequence   state certificate, a frame
//	a id         attachment, raw
//	x id         attachment's length and until when it is kept
//	v            format version
//
// Numbers are big-endian, so that sequences come in order.
const ledgerVersion = 1

// ErrNotFound is returned for what the store does not hold.
var ErrNotFound = errors.New("the ledger store does not hold it")

// ErrStore is wrapped by failed writes.
var ErrStore = errors.New("the ledger store failed: this replica must stop; see that the disk is healthy and has room, then start it again")

// Ledger is the store of decided cuts. It is safe for concurrent use; only one goroutine may append.
type Ledger struct {
	db   *leveldb.DB
	head bft.Head
	tips map[uint16]bft.Tip
	attachments
}

type headRecord struct {
	Sequence bft.Sequence `cbor:"sequence"`
	Tips     []bft.Tip    `cbor:"tips"`
}

// OpenLedger opens or creates the store in a folder.
func OpenLedger(dir string) (*Ledger, error) {
	st, err := storage.OpenFile(dir, false)
	if err != nil {
		return nil, fmt.Errorf("open the ledger store in %s: %w; is another node using this home?", dir, err)
	}
	l, err := OpenLedgerOn(st)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return l, nil
}

// OpenLedgerOn opens or creates the store on a leveldb storage, which tests make fail. The storage is closed by Close.
func OpenLedgerOn(st storage.Storage) (*Ledger, error) {
	db, err := leveldb.Open(st, &opt.Options{Filter: filter.NewBloomFilter(10), WriteBuffer: 8 << 20, OpenFilesCacheCapacity: 64})
	if err != nil {
		return nil, fmt.Errorf("open the ledger store: %w", err)
	}
	l := &Ledger{db: db, tips: map[uint16]bft.Tip{}}
	l.storage = st
	if err := l.load(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return l, nil
}

func (l *Ledger) load() error {
	switch v, err := l.db.Get([]byte("v"), nil); {
	case errors.Is(err, leveldb.ErrNotFound):
		if err := l.db.Put([]byte("v"), []byte{ledgerVersion}, &opt.WriteOptions{Sync: true}); err != nil {
			return fmt.Errorf("%w: %w", ErrStore, err)
		}
	case err != nil:
		return fmt.Errorf("read the ledger store: %w", err)
	case len(v) != 1 || v[0] != ledgerVersion:
		return fmt.Errorf("the ledger store has format %x, this program knows %d: use the version that wrote it or a newer one", v, ledgerVersion)
	}
	if err := l.loadAttachments(l.db); err != nil {
		return err
	}
	raw, err := l.db.Get([]byte("h"), nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return nil
	}
	var h headRecord
	if err == nil {
		err = wire.Unmarshal(raw, &h)
	}
	if err != nil {
		return fmt.Errorf("read the ledger's head: %w", err)
	}
	for _, t := range h.Tips {
		l.tips[t.Worker] = t
	}
	d, err := l.Decision(h.Sequence)
	if err != nil {
		return fmt.Errorf("read the ledger's head, cut %d: %w", h.Sequence, err)
	}
	l.head = headOf(d)
	return nil
}

func headOf(d *bft.Decision) bft.Head {
	k := d.Commit
	return bft.Head{Sequence: k.Sequence, Time: k.Time, Cut: k.Cut, Commit: &k}
}

// Head returns the last cut stored and the lanes' committed tips there, as of the time of opening; whoever appends
// knows the rest.
func (l *Ledger) Head() (bft.Head, []bft.Tip) {
	return l.head, l.tipList()
}

func (l *Ledger) tipList() (out []bft.Tip) {
	for w := range uint16(bft.MaxValidators) {
		if t, ok := l.tips[w]; ok {
			out = append(out, t)
		}
	}
	return out
}

func numbered(prefix byte, n uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{prefix}, n)
}

func named(prefix byte, id bft.Digest) []byte { return append([]byte{prefix}, id[:]...) }

// Append stores delivered cuts that follow the head, with their blocks, as one unit. It is durable when it returns.
func (l *Ledger) Append(ds []bft.Delivery) error {
	if len(ds) == 0 {
		return nil
	}
	batch := new(leveldb.Batch)
	head, tips := l.head, make(map[uint16]bft.Tip, len(l.tips))
	for w, t := range l.tips {
		tips[w] = t
	}
	for i := range ds {
		d := &ds[i].Decision
		if d.Cut.Sequence != head.Sequence+1 || d.Cut.Prev != head.Cut {
			return fmt.Errorf("append cut %d to the ledger store, which ends at %d: it does not follow", d.Cut.Sequence, head.Sequence)
		}
		frame, err := bft.Frame(d)
		if err != nil {
			return fmt.Errorf("append cut %d: %w", d.Cut.Sequence, err)
		}
		batch.Put(numbered('c', uint64(d.Cut.Sequence)), frame)
		var order []byte
		for _, b := range ds[i].Blocks {
			id := b.ID()
			frame, err := bft.Frame(b)
			if err != nil {
				return fmt.Errorf("append cut %d: %w", d.Cut.Sequence, err)
			}
			order = append(order, id[:]...)
			batch.Put(named('b', id), frame)
		}
		batch.Put(numbered('o', uint64(d.Cut.Sequence)), order)
		head = headOf(d)
		for _, t := range d.Cut.Tips {
			tips[t.Worker] = t
		}
	}
	l2 := Ledger{tips: tips}
	h, err := wire.Marshal(headRecord{head.Sequence, l2.tipList()})
	if err != nil {
		return fmt.Errorf("append to the ledger store: %w", err)
	}
	batch.Put([]byte("h"), h)
	if err := l.db.Write(batch, &opt.WriteOptions{Sync: true}); err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	l.head, l.tips = head, tips
	return nil
}

func (l *Ledger) get(key []byte) ([]byte, error) {
	v, err := l.db.Get(key, nil)
	if errors.Is(err, leveldb.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read the ledger store: %w", err)
	}
	return v, nil
}

// Decision returns the decided cut of a sequence number.
func (l *Ledger) Decision(seq bft.Sequence) (*bft.Decision, error) {
	return decode[*bft.Decision](l, numbered('c', uint64(seq)))
}

// Block returns a committed block.
func (l *Ledger) Block(id bft.Digest) (*bft.Block, error) {
	return decode[*bft.Block](l, named('b', id))
}

// BlockFrame returns a committed block's frame.
func (l *Ledger) BlockFrame(id bft.Digest) ([]byte, error) { return l.get(named('b', id)) }

// StateCertificate returns the certificate of the state after a sequence number.
func (l *Ledger) StateCertificate(seq bft.Sequence) (*bft.StateCertificate, error) {
	return decode[*bft.StateCertificate](l, numbered('s', uint64(seq)))
}

// LastStateCertificate returns the newest state certificate.
func (l *Ledger) LastStateCertificate() (*bft.StateCertificate, error) {
	it := l.db.NewIterator(util.BytesPrefix([]byte{'s'}), nil)
	defer it.Release()
	if !it.Last() {
		return nil, ErrNotFound
	}
	return decode[*bft.StateCertificate](l, append([]byte(nil), it.Key()...))
}

// PutStateCertificate stores a state certificate. It is not synced: others have it too.
func (l *Ledger) PutStateCertificate(k *bft.StateCertificate) error {
	f, err := bft.Frame(k)
	if err != nil {
		return err
	}
	if err := l.db.Put(numbered('s', uint64(k.Sequence)), f, nil); err != nil {
		return fmt.Errorf("%w: %w", ErrStore, err)
	}
	return nil
}

func decode[T bft.Message](l *Ledger, key []byte) (out T, err error) {
	raw, err := l.get(key)
	if err != nil {
		return out, err
	}
	m, err := bft.Decode(raw)
	if err != nil {
		return out, fmt.Errorf("the ledger store is damaged: %w", err)
	}
	out, ok := m.(T)
	if !ok {
		return out, fmt.Errorf("the ledger store is damaged: a %T stands where another message should", m)
	}
	return out, nil
}

// BlockIDs returns the ids of the blocks that a cut takes in, in their order of execution.
func (l *Ledger) BlockIDs(seq bft.Sequence) ([]bft.Digest, error) {
	raw, err := l.get(numbered('o', uint64(seq)))
	if err != nil {
		return nil, err
	}
	out := make([]bft.Digest, len(raw)/32)
	for i := range out {
		copy(out[i][:], raw[i*32:])
	}
	return out, nil
}

// Delivery returns what was delivered at a sequence number, to be executed again.
func (l *Ledger) Delivery(seq bft.Sequence) (bft.Delivery, error) {
	d, err := l.Decision(seq)
	if err != nil {
		return bft.Delivery{}, err
	}
	out := bft.Delivery{Decision: *d}
	if seq > 1 {
		prev, err := l.Decision(seq - 1)
		if err != nil {
			return bft.Delivery{}, err
		}
		out.Prev = prev.Cut.Time
	}
	ids, err := l.BlockIDs(seq)
	if err != nil {
		return bft.Delivery{}, err
	}
	for _, id := range ids {
		b, err := l.Block(id)
		if err != nil {
			return bft.Delivery{}, err
		}
		out.Blocks = append(out.Blocks, b)
	}
	return out, nil
}

// Close closes the store.
func (l *Ledger) Close() error { return errors.Join(l.db.Close(), l.storage.Close()) }
