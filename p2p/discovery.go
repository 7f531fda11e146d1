package p2p

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	dht "github.com/libp2p/go-libp2p-kad-dht"
	"github.com/libp2p/go-libp2p-kad-dht/records"
	kbucket "github.com/libp2p/go-libp2p-kbucket"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"
	"golang.org/x/sync/errgroup"

	"github.com/seed06907907/fatty/internal/wire"
)

// How a node finds others: bootstrap addresses and peers known from before first; then the DHT, in which every server
// provides one record, the chain's rendezvous, that everyone looks up. Pauses between attempts double up to a bound.
const (
	dialTimeout       = 10 * time.Second
	firstPause        = 250 * time.Millisecond // after the first failure, or the first look
	validatorPauseMax = 15 * time.Second       // longest pause between attempts to reach one validator
	dialAtOnce        = 8                      // dials in flight for known and for found peers, each
	lookTimeout       = 20 * time.Second       // for one look at a provider record
	provideTimeout    = 30 * time.Second       // for storing one provider record
	providersLooked   = 20                     // providers of one record that are looked at: anyone can make a record
	maxPauses         = 1024                   // peers whose pauses are remembered; above it those that are over are forgotten
	routingRefresh    = 5 * time.Minute        // of the DHT's routing table
)

// rendezvous is the content id under which the nodes of a chain announce themselves.
func rendezvous(chain string) wire.CID {
	return wire.FromDigest(sha256.Sum256([]byte("fatty/rendezvous/" + chain)))
}

// startDHT starts Kademlia under fatty's own prefix.
func (h *Host) startDHT() error {
	mode := dht.ModeClient
	if h.cfg.Server {
		mode = dht.ModeServer
	}
	store := newBoundedStore(providerRecords, providerRecordsPerPeer, func() { h.metrics.drop(dropProviders) })
	allowPrivate := h.cfg.AllowPrivate
	d, err := dht.New(h.host,
		dht.ProtocolPrefix(protocol.ID("/fatty/"+h.cfg.Chain)),
		dht.Mode(mode),
		dht.DisableValues(), // fatty has no use for signed records; peers could fill a store with them
		dht.ProviderDatastore(store),
		dht.ProviderManagerOpts(
			records.ProvideValidity(h.cfg.ProviderValidity),
			records.ProviderAddrTTL(h.cfg.ProviderValidity),
			records.CleanupInterval(max(h.cfg.ProviderValidity/8, time.Second)),
		),
		dht.RoutingTableRefreshPeriod(routingRefresh),
		dht.AddressFilter(func(in []ma.Multiaddr) []ma.Multiaddr { return outwardAddrs(in, allowPrivate) }),
	)
	if err != nil {
		return fmt.Errorf("p2p: starting the DHT: %w", err)
	}
	h.dht = d
	return nil
}

// dialer remembers who is to be connected and how long to pause.
type dialer struct {
	mu     sync.Mutex
	pauses map[peer.ID]*pause
	wake   chan struct{} // closed and replaced when someone comes or goes
}

// pause doubles after each failure up to a bound, and starts anew after a success.
type pause struct {
	length time.Duration
	until  time.Time
	busy   bool
}

func newDialer() *dialer {
	return &dialer{pauses: make(map[peer.ID]*pause), wake: make(chan struct{})}
}

func (d *dialer) signal() {
	close(d.wake)
	d.wake = make(chan struct{})
}

func (d *dialer) arrived(id peer.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.pauses, id)
	d.signal()
}

func (d *dialer) left(peer.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.signal()
}

func (d *dialer) waker() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.wake
}

// start says whether an attempt at a peer is due, and notes that it has begun.
func (d *dialer) start(id peer.ID, now time.Time) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	p := d.pauses[id]
	if p == nil {
		if len(d.pauses) >= maxPauses { // anyone can make up peers that are never reached
			for other, q := range d.pauses {
				if !q.busy && now.After(q.until) {
					delete(d.pauses, other)
				}
			}
		}
		p = new(pause)
		d.pauses[id] = p
	}
	if p.busy || now.Before(p.until) {
		return false
	}
	p.busy = true
	return true
}

func (d *dialer) failed(id peer.ID, now time.Time, most time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if p := d.pauses[id]; p != nil {
		p.length = grow(p.length, most)
		p.until, p.busy = now.Add(jitter(p.length)), false
	}
}

func (d *dialer) succeeded(id peer.ID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.pauses, id)
}

func grow(d, most time.Duration) time.Duration {
	return min(max(2*d, firstPause), most)
}

// jitter spreads attempts by a quarter, so that nodes that failed together do not come back together.
func jitter(d time.Duration) time.Duration {
	return d - d/8 + time.Duration(rand.Int64N(int64(d/4)+1))
}

func (h *Host) startDiscovery() error {
	boot, err := parseAddrs(h.cfg.Bootstrap)
	if err != nil {
		return err
	}
	h.provided.init(h)
	for _, a := range boot {
		h.wg.Go(func() { h.keepBootstrap(a) })
	}
	h.wg.Go(h.dialKnown)
	h.wg.Go(h.keepValidators)
	h.wg.Go(h.discover)
	h.wg.Go(h.provided.keep)
	h.wg.Go(h.rememberPeers)
	if h.cfg.Server {
		h.provided.add(rendezvous(h.cfg.Chain))
	}
	return nil
}

// pause waits, and says whether the host is still open.
func (h *Host) pause(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-h.ctx.Done():
		return false
	}
}

// keepBootstrap keeps one configured address connected, for ever: it may name several peers (dnsaddr), one of which
// is enough.
func (h *Host) keepBootstrap(a ma.Multiaddr) {
	var length time.Duration
	var reached peer.ID
	for {
		wake := h.dial.waker()
		var err error
		if reached == "" || reached != h.host.ID() && !h.Connected(reached) {
			reached, err = h.reachBootstrap(a)
		}
		if h.ctx.Err() != nil {
			return
		}
		if err == nil {
			length = 0
			select { // until someone leaves, at least
			case <-wake:
				continue
			case <-h.ctx.Done():
				return
			}
		}
		length = grow(length, h.cfg.ReconnectMax)
		h.log.Info("bootstrap peer not reached, trying again", "address", a, "pause", length, "error", err)
		if !h.pause(jitter(length)) {
			return
		}
	}
}

// reachBootstrap connects to one of the peers that an address names, and returns which.
func (h *Host) reachBootstrap(a ma.Multiaddr) (peer.ID, error) {
	ctx, cancel := context.WithTimeout(h.ctx, dialTimeout)
	defer cancel()
	infos, err := resolvePeers(ctx, []ma.Multiaddr{a}, resolveDNS)
	for _, info := range infos {
		if info.ID == h.host.ID() || h.Connected(info.ID) {
			return info.ID, nil // a bootstrap node may list itself
		}
	}
	for _, info := range infos {
		if err = h.Connect(ctx, info); err == nil {
			return info.ID, nil
		}
	}
	if err == nil {
		err = errors.New("p2p: the address names no peers")
	}
	return "", err
}

// dialKnown tries the peers of the last run once; validators among them are tried on by keepValidators.
func (h *Host) dialKnown() {
	g, ctx := errgroup.WithContext(h.ctx)
	g.SetLimit(dialAtOnce)
	for _, info := range h.known.infos() {
		if info.ID == h.host.ID() {
			continue
		}
		h.host.Peerstore().AddAddrs(info.ID, info.Addrs, peerstore.RecentlyConnectedAddrTTL)
		g.Go(func() error {
			if ctx.Err() == nil && !h.Connected(info.ID) && h.connectedCount() < h.limits.low {
				dctx, cancel := context.WithTimeout(ctx, dialTimeout)
				defer cancel()
				_ = h.Connect(dctx, info) // it may be gone for good; the DHT finds others
			}
			return nil
		})
	}
	_ = g.Wait()
}

// keepValidators keeps every validator connected to this node, if it is one itself or serves the DHT: machines and
// clients need one or two peers, not all.
func (h *Host) keepValidators() {
	for {
		wake := h.dial.waker()
		now := time.Now()
		due := h.validators.list()
		if !h.cfg.Server && !h.validators.has(h.host.ID()) {
			due = nil
		}
		for _, id := range due {
			if id == h.host.ID() || h.Connected(id) || !h.dial.start(id, now) {
				continue
			}
			if !h.spawn(func() { h.reachValidator(id) }) {
				return
			}
		}
		t := time.NewTimer(validatorRefresh)
		select {
		case <-wake:
		case <-t.C:
		case <-h.ctx.Done():
			t.Stop()
			return
		}
		t.Stop()
	}
}

func (h *Host) reachValidator(id peer.ID) {
	ctx, cancel := context.WithTimeout(h.ctx, dialTimeout)
	defer cancel()
	info := h.host.Peerstore().PeerInfo(id)
	info.Addrs = append(info.Addrs, h.known.addrs(id)...)
	err := kbucket.ErrLookupFailure
	if len(info.Addrs) > 0 {
		err = h.Connect(ctx, info)
	}
	if err != nil {
		// Its addresses are unknown or old: others may know new ones.
		if found, ferr := h.dht.FindPeer(ctx, id); ferr == nil {
			err = h.Connect(ctx, found)
		}
	}
	if err != nil {
		h.dial.failed(id, time.Now(), validatorPauseMax)
		h.log.Debug("validator not reached", "peer", id, "error", err)
		return
	}
	h.dial.succeeded(id)
}

// discover looks at the chain's rendezvous record again and again and connects to whom it names.
func (h *Host) discover() {
	var length time.Duration
	for {
		wake := h.dial.waker()
		if h.connectedCount() > 0 && h.connectedCount() < h.limits.low {
			h.look()
		}
		length = grow(length, h.cfg.DiscoverEvery)
		t := time.NewTimer(jitter(length))
		select {
		case <-t.C:
		case <-wake:
			t.Stop()
			// Someone came or went: look soon, but not at once for each of many.
			if length > 2*firstPause {
				length = 0
			}
			if !h.pause(firstPause) {
				return
			}
		case <-h.ctx.Done():
			t.Stop()
			return
		}
	}
}

func (h *Host) look() {
	ctx, cancel := context.WithTimeout(h.ctx, lookTimeout)
	defer cancel()
	infos, err := h.FindProviders(ctx, rendezvous(h.cfg.Chain), providersLooked)
	if err != nil {
		h.log.Debug("looking for peers in the DHT", "error", err)
	}
	g, gctx := errgroup.WithContext(h.ctx)
	g.SetLimit(dialAtOnce)
	for _, info := range infos {
		if h.Connected(info.ID) || h.standing.banned(info.ID) || !h.dial.start(info.ID, time.Now()) {
			continue
		}
		g.Go(func() error {
			dctx, cancel := context.WithTimeout(gctx, dialTimeout)
			defer cancel()
			if err := h.Connect(dctx, info); err != nil {
				h.dial.failed(info.ID, time.Now(), h.cfg.DiscoverEvery)
				return nil
			}
			h.dial.succeeded(info.ID)
			return nil
		})
	}
	_ = g.Wait()
}
