package p2p

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	ds "github.com/ipfs/go-datastore"
	dsq "github.com/ipfs/go-datastore/query"
	dssync "github.com/ipfs/go-datastore/sync"
	kbucket "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/seed06907907/fatty/internal/wire"
)

// Bounds of provider records, own and others'.
const (
	maxProvided            = 1 << 16 // records this node keeps alive
	providerRecords        = 1 << 18 // records of others that a server stores: about 60 MiB
	providerRecordsPerPeer = 1 << 14 // of one provider
	provideRetryMax        = 10 * time.Minute
)

// ErrNotAnnounced is returned by Provide while no DHT peer is known: the record is kept and announced later.
var ErrNotAnnounced = errors.New("p2p: no DHT peer is known yet: the record will be announced when one is")

// providedSet is what this node provides, with the times at which it must do so again.
type providedSet struct {
	h    *Host
	mu   sync.Mutex
	due  map[wire.CID]*pause
	wake chan struct{}
}

func (p *providedSet) init(h *Host) {
	p.h, p.due, p.wake = h, make(map[wire.CID]*pause), make(chan struct{}, 1)
}

// add registers a record, due at once; false if there are too many.
func (p *providedSet) add(id wire.CID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.due[id] == nil {
		if len(p.due) >= maxProvided {
			return false
		}
		p.due[id] = new(pause)
		p.h.metrics.provided.Set(float64(len(p.due)))
	}
	select {
	case p.wake <- struct{}{}:
	default:
	}
	return true
}

func (p *providedSet) remove(id wire.CID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.due, id)
	p.h.metrics.provided.Set(float64(len(p.due)))
}

// next returns a record that is due, or how long to wait.
func (p *providedSet) next(now time.Time) (id wire.CID, wait time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wait = time.Hour
	for c, d := range p.due {
		if d.busy {
			continue
		}
		left := d.until.Sub(now)
		if left <= 0 {
			d.busy = true
			return c, 0, true
		}
		wait = min(wait, left)
	}
	return wire.CID{}, wait, false
}

func (p *providedSet) done(id wire.CID, err error, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := p.due[id]
	if d == nil {
		return
	}
	d.busy = false
	half := p.h.cfg.ProviderValidity / 2
	if err == nil {
		d.length, d.until = 0, now.Add(half)
		return
	}
	d.length = grow(d.length, min(half, provideRetryMax))
	d.until = now.Add(jitter(d.length))
}

// keep provides what is due, one record after the other.
func (p *providedSet) keep() {
	for {
		id, wait, ok := p.next(time.Now())
		if ok {
			err := p.h.announce(p.h.ctx, id)
			p.done(id, err, time.Now())
			if err != nil && !errors.Is(err, ErrNotAnnounced) && p.h.ctx.Err() == nil {
				p.h.log.Debug("a provider record could not be announced, trying again", "cid", id, "error", err)
			}
			if p.h.ctx.Err() != nil {
				return
			}
			continue
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-p.wake:
		case <-p.h.ctx.Done():
			t.Stop()
			return
		}
		t.Stop()
	}
}

func (h *Host) announce(ctx context.Context, id wire.CID) error {
	ctx, cancel := context.WithTimeout(ctx, provideTimeout)
	defer cancel()
	err := h.dht.Provide(ctx, id.Cid(), true)
	switch {
	case err == nil:
		h.metrics.announced.WithLabelValues("ok").Inc()
	case errors.Is(err, kbucket.ErrLookupFailure):
		err = ErrNotAnnounced
	default:
		h.metrics.announced.WithLabelValues("failed").Inc()
	}
	return err
}

// Provide announces in the DHT that this node has what id names, and keeps announcing it, at half of the records'
// validity, until Unprovide. It returns after the first attempt; an error does not end the later ones.
func (h *Host) Provide(ctx context.Context, id wire.CID) error {
	if !id.Defined() {
		return errors.New("p2p: an undefined id cannot be provided")
	}
	if !h.provided.add(id) {
		return fmt.Errorf("p2p: %d records are provided already: Unprovide some", maxProvided)
	}
	if err := h.announce(ctx, id); err != nil {
		return fmt.Errorf("p2p: providing %s: %w", id, err)
	}
	h.provided.done(id, nil, time.Now())
	return nil
}

// Unprovide stops announcing id. Records that others hold cannot be deleted: they end with their validity.
func (h *Host) Unprovide(id wire.CID) { h.provided.remove(id) }

// FindProviders asks the DHT who has what id names, and returns at most max of them, and never more than 20, without
// this node. They are hints: anyone can make a record. What was found until ctx ended, or 20 s passed, is returned.
func (h *Host) FindProviders(ctx context.Context, id wire.CID, max int) ([]peer.AddrInfo, error) {
	if !id.Defined() {
		return nil, errors.New("p2p: an undefined id has no providers")
	}
	if max <= 0 || max > providersLooked {
		max = providersLooked
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	var out []peer.AddrInfo
	// One more than asked for, because this node may be among them. A provider may come twice, first without
	// addresses.
	for info := range h.dht.FindProvidersAsync(ctx, id.Cid(), max+1) {
		if info.ID == h.host.ID() {
			continue
		}
		info.Addrs = outwardAddrs(info.Addrs, h.cfg.AllowPrivate)
		out = append(out, info)
	}
	out = mergeInfos(out)
	if len(out) > max {
		out = out[:max]
	}
	if h.ctx.Err() != nil {
		return out, ErrClosed
	}
	if err := ctx.Err(); err != nil && len(out) == 0 {
		return nil, fmt.Errorf("p2p: looking for providers of %s: %w", id, err)
	}
	return out, nil
}

// boundedStore is the datastore of provider records: in memory (their providers announce them anew after a restart),
// with a bound for all and for each provider, above which records are refused. Refusing, not replacing: otherwise who
// makes the most records would push out all others.
type boundedStore struct {
	ds.Batching
	mu      sync.Mutex
	keys    map[ds.Key]bool
	perPeer map[string]int
	most    int
	perMost int
	refused func()
}

var errStoreFull = errors.New("p2p: the store of provider records is full")

func newBoundedStore(most, perPeer int, refused func()) *boundedStore {
	return &boundedStore{Batching: dssync.MutexWrap(ds.NewMapDatastore()), keys: make(map[ds.Key]bool),
		perPeer: make(map[string]int), most: most, perMost: perPeer, refused: refused}
}

// provider is the part of a key that names the provider: the last.
func provider(k ds.Key) string {
	s := k.String()
	return s[strings.LastIndexByte(s, '/')+1:]
}

// Put implements ds.Datastore.
func (b *boundedStore) Put(ctx context.Context, k ds.Key, v []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.keys[k] {
		who := provider(k)
		if len(b.keys) >= b.most || b.perPeer[who] >= b.perMost {
			b.refused()
			return errStoreFull
		}
		b.keys[k] = true
		b.perPeer[who]++
	}
	return b.Batching.Put(ctx, k, v)
}

// Delete implements ds.Datastore.
func (b *boundedStore) Delete(ctx context.Context, k ds.Key) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.keys[k] {
		delete(b.keys, k)
		who := provider(k)
		if b.perPeer[who]--; b.perPeer[who] == 0 {
			delete(b.perPeer, who)
		}
	}
	return b.Batching.Delete(ctx, k)
}

// Batch implements ds.Batching with operations one by one, so that the bounds hold there, too.
func (b *boundedStore) Batch(context.Context) (ds.Batch, error) { return ds.NewBasicBatch(b), nil }

// Query implements ds.Datastore.
func (b *boundedStore) Query(ctx context.Context, q dsq.Query) (dsq.Results, error) {
	return b.Batching.Query(ctx, q)
}
