package p2p

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p"
	dht "github.com/libp2p/go-libp2p-kad-dht"
	pubsub "github.com/libp2p/go-libp2p-pubsub"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/host/autorelay"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/proto"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

const (
	eventQueue       = 1024        // connectedness events waiting for the host's own bookkeeping
	validatorRefresh = time.Second // how often Config.Validators is read
	validatorTag     = "fatty-validator"
	userAgent        = "fatty"
)

// Host is a node's place in the network. All methods may be called at any time from any goroutine, until Close.
type Host struct {
	cfg        Config
	log        *slog.Logger
	host       host.Host
	made       chan struct{} // closed when host is set: what libp2p calls back may come before
	dht        *dht.IpfsDHT
	gossip     *pubsub.PubSub
	limits     limits
	metrics    *metrics
	standing   *standing
	validators validatorSet
	scores     atomic.Pointer[map[peer.ID]float64] // of GossipSub, with standing's points in them
	topics     topicTable
	known      *knownPeers
	provided   providedSet
	requests   requestTable
	messages   messageTable
	dial       *dialer

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when a peer comes or goes
	closing bool          // nothing is spawned any more
}

// PeerInfo is a connected peer.
type PeerInfo struct {
	ID        peer.ID
	Addrs     []string // remote addresses of its connections
	Inbound   bool     // it dialled
	Relayed   bool     // only through a relay
	Validator bool     // on the allow-list
	Agent     string   // what it calls itself; not to be trusted
	Score     float64  // its gossip score, up to a second old: below -400 it is ignored
	Streams   int
	Since     time.Time
}

// New makes a host, listens, and starts discovery. ctx bounds the start alone; Close ends the host.
func New(ctx context.Context, cfg Config) (*Host, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("p2p: starting: %w", err)
	}
	h := &Host{cfg: cfg, log: cfg.Logger, standing: newStanding(time.Now), changed: make(chan struct{}), dial: newDialer(), made: make(chan struct{})}
	h.ctx, h.cancel = context.WithCancel(context.Background())
	h.metrics = newMetrics(h.connectedCount)
	if err := h.start(); err != nil {
		return nil, joinClose(err, h.Close())
	}
	return h, nil
}

func joinClose(err, closing error) error {
	if closing != nil {
		return fmt.Errorf("%w (and closing what had started: %v)", err, closing)
	}
	return err
}

func (h *Host) start() error {
	// First, because libp2p panics with a registry that refuses its metrics.
	if err := h.metrics.register(h.cfg.Registerer); err != nil {
		return err
	}
	if err := h.startHost(); err != nil {
		return err
	}
	close(h.made)
	h.messages.init(h)
	h.requests.init(h)
	h.refreshValidators()
	if err := h.startGossip(); err != nil {
		return err
	}
	if err := h.startDHT(); err != nil {
		return err
	}
	var err error
	if h.known, err = openKnownPeers(h.cfg.PeerStore, h.cfg.AllowPrivate, h.log); err != nil {
		return err
	}
	sub, err := h.host.EventBus().Subscribe(new(event.EvtPeerConnectednessChanged), eventbus.BufSize(eventQueue), eventbus.Name("fatty"))
	if err != nil {
		return fmt.Errorf("p2p: subscribing to connection events: %w", err)
	}
	h.wg.Go(func() { h.watchPeers(sub) })
	h.wg.Go(h.watchValidators)
	if err := h.listen(); err != nil {
		return err
	}
	return h.startDiscovery()
}

// startHost makes the libp2p host from the configuration.
func (h *Host) startHost() error {
	cfg := h.cfg
	rm, cm, lim, err := buildLimits(cfg)
	if err != nil {
		return err
	}
	h.limits = lim
	announce, err := parseAddrs(cfg.Announce)
	if err != nil {
		return err
	}
	boot, err := parseAddrs(cfg.Bootstrap)
	if err != nil {
		return err
	}
	g := &gater{h: h, permitted: make(map[string]bool)}
	for _, a := range boot {
		if bare, _ := peer.SplitAddr(a); bare != nil {
			g.permitted[string(bare.Bytes())] = true
		}
	}
	opts := []libp2p.Option{
		libp2p.Identity(cfg.HostKey),
		libp2p.Transport(quic.NewTransport),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.ResourceManager(rm),
		libp2p.ConnectionManager(cm),
		libp2p.ConnectionGater(g),
		libp2p.DialRanker(rankDials),
		libp2p.UserAgent(userAgent),
		libp2p.ProtocolVersion("fatty/" + cfg.Chain),
		libp2p.NonPublicAddrPublishing(cfg.AllowPrivate),
		libp2p.AddrsFactory(func(own []ma.Multiaddr) []ma.Multiaddr {
			if len(announce) > 0 {
				own = append(append([]ma.Multiaddr{}, announce...), relayedOnly(own)...)
			}
			return outwardAddrs(own, cfg.AllowPrivate)
		}),
	}
	// The host listens at the end of start, when there is someone to answer.
	opts = append(opts, libp2p.NoListenAddrs)
	if cfg.Registerer != nil {
		opts = append(opts, libp2p.PrometheusRegisterer(cfg.Registerer))
	} else {
		opts = append(opts, libp2p.DisableMetrics())
	}
	opts, err = h.reachOptions(opts)
	if err != nil {
		return joinClose(err, rm.Close())
	}
	h.host, err = libp2p.New(opts...)
	if err != nil {
		return fmt.Errorf("p2p: starting the host: %w", err)
	}
	return nil
}

// listen opens every configured address. libp2p itself is content with one of them, and an operator who asked for two
// would not learn that only one works.
func (h *Host) listen() error {
	addrs, err := parseAddrs(h.cfg.Listen)
	if err != nil {
		return err
	}
	for _, a := range addrs {
		if err := h.host.Network().Listen(a); err != nil {
			return fmt.Errorf("p2p: listening on %s: is the port in use, or the address not of this machine? Choose another or end the other program: %w", a, err)
		}
	}
	return nil
}

// rankDials prefers TCP over QUIC on loopback, where it moves twice as much for the same CPU; elsewhere libp2p's own
// order holds (QUIC first).
func rankDials(addrs []ma.Multiaddr) []network.AddrDelay {
	var local, other []ma.Multiaddr
	tcpToo := false
	for _, a := range addrs {
		if manet.IsIPLoopback(a) {
			local = append(local, a)
			_, err := a.ValueForProtocol(ma.P_TCP)
			tcpToo = tcpToo || err == nil
			continue
		}
		other = append(other, a)
	}
	out := swarm.DefaultDialRanker(other)
	for _, a := range local {
		var delay time.Duration
		if _, err := a.ValueForProtocol(ma.P_TCP); err != nil && tcpToo {
			delay = swarm.PrivateTCPDelay
		}
		out = append(out, network.AddrDelay{Addr: a, Delay: delay})
	}
	return out
}

// reachOptions adds what a configuration says about NATs and relays.
func (h *Host) reachOptions(opts []libp2p.Option) ([]libp2p.Option, error) {
	cfg := h.cfg
	if cfg.Relay {
		opts = append(opts, libp2p.EnableRelay())
		static, err := parseAddrs(cfg.Relays)
		if err != nil {
			return nil, err
		}
		if len(static) > 0 {
			infos, err := resolvePeers(h.ctx, static, resolveDNS)
			if len(infos) == 0 {
				return nil, fmt.Errorf("p2p: none of the configured relays could be resolved: check Relays and the name server: %w", err)
			}
			opts = append(opts, libp2p.EnableAutoRelayWithStaticRelays(infos))
		} else {
			opts = append(opts, libp2p.EnableAutoRelayWithPeerSource(h.relayCandidates, autorelay.WithMinInterval(10*time.Second)))
		}
	} else {
		opts = append(opts, libp2p.DisableRelay())
	}
	if cfg.RelayService {
		opts = append(opts, libp2p.EnableRelayService())
	}
	if cfg.HolePunch {
		opts = append(opts, libp2p.EnableHolePunching())
	}
	if cfg.AutoNAT {
		opts = append(opts, libp2p.EnableNATService(), libp2p.EnableAutoNATv2())
	}
	if cfg.NATPortMap {
		opts = append(opts, libp2p.NATPortMap())
	}
	switch cfg.Reachability {
	case ReachabilityPublic:
		opts = append(opts, libp2p.ForceReachabilityPublic())
	case ReachabilityPrivate:
		opts = append(opts, libp2p.ForceReachabilityPrivate())
	}
	return opts, nil
}

// relayCandidates offers connected peers that run the relay service.
func (h *Host) relayCandidates(ctx context.Context, num int) <-chan peer.AddrInfo {
	out := make(chan peer.AddrInfo, num)
	defer close(out)
	select {
	case <-h.made:
	default:
		return out // asked while the host is still being made
	}
	for _, id := range h.host.Network().Peers() {
		if len(out) == cap(out) || ctx.Err() != nil {
			break
		}
		if ok, err := h.host.Peerstore().SupportsProtocols(id, proto.ProtoIDv2Hop); err == nil && len(ok) > 0 {
			out <- h.host.Peerstore().PeerInfo(id)
		}
	}
	return out
}

// relayedOnly keeps the addresses through relays: Announce cannot know them beforehand.
func relayedOnly(in []ma.Multiaddr) []ma.Multiaddr {
	var out []ma.Multiaddr
	for _, a := range in {
		if _, err := a.ValueForProtocol(ma.P_CIRCUIT); err == nil {
			out = append(out, a)
		}
	}
	return out
}

// watchPeers keeps the books of who is connected.
func (h *Host) watchPeers(sub event.Subscription) {
	defer sub.Close()
	for {
		select {
		case <-h.ctx.Done():
			return
		case e, ok := <-sub.Out():
			if !ok {
				return
			}
			ev := e.(event.EvtPeerConnectednessChanged)
			up := ev.Connectedness == network.Connected
			if up {
				h.dial.arrived(ev.Peer)
			} else {
				h.messages.forget(ev.Peer)
				h.dial.left(ev.Peer)
			}
			h.mu.Lock()
			close(h.changed)
			h.changed = make(chan struct{})
			h.mu.Unlock()
			if h.cfg.PeerChange != nil {
				h.cfg.PeerChange(ev.Peer, up)
			}
		}
	}
}

// watchValidators follows the allow-list.
func (h *Host) watchValidators() {
	tick := time.NewTicker(validatorRefresh)
	defer tick.Stop()
	for {
		select {
		case <-h.ctx.Done():
			return
		case <-tick.C:
			h.refreshValidators()
		}
	}
}

func (h *Host) refreshValidators() {
	added, removed := h.validators.replace(h.cfg.Validators())
	for _, id := range added {
		h.host.ConnManager().Protect(id, validatorTag)
	}
	for _, id := range removed {
		h.host.ConnManager().Unprotect(id, validatorTag)
	}
	if h.gossip == nil {
		return
	}
	// A peer announces its topics once, when it connects, and who was no validator then was not noted on validators'
	// topics (or is noted and must not be any longer): it has to come again.
	for _, id := range append(added, removed...) {
		if id != h.host.ID() && h.connectedAtAll(id) {
			h.log.Info("the validator set changed: connecting anew", "peer", id)
			h.spawn(func() { _ = h.host.Network().ClosePeer(id) })
		}
	}
}

func (h *Host) score(id peer.ID) float64 {
	if m := h.scores.Load(); m != nil {
		return (*m)[id]
	}
	return 0
}

func (h *Host) connectedAtAll(id peer.ID) bool { return len(h.host.Network().ConnsToPeer(id)) > 0 }

// penalize notes misbehaviour and cuts the peer off when it has gone on for too long.
func (h *Host) penalize(id peer.ID, value float64) {
	validator := h.validators.has(id)
	if !h.standing.add(id, value, validator || id == h.host.ID()) {
		return
	}
	h.log.Warn("peer cut off for misbehaviour", "peer", id, "for", banTime)
	h.spawn(func() { _ = h.host.Network().ClosePeer(id) })
}

// spawn runs f on a goroutine that Close waits for; false after Close began.
func (h *Host) spawn(f func()) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closing {
		return false
	}
	h.wg.Go(f)
	return true
}

// protocolID is the full name of one of fatty's protocols on this chain.
func (h *Host) protocolID(name string) protocol.ID {
	return protocol.ID("/fatty/" + h.cfg.Chain + "/" + name + "/1")
}

// ID returns the host's own id.
func (h *Host) ID() peer.ID { return h.host.ID() }

// Addrs returns the addresses that are announced, each ending in /p2p/<id>.
func (h *Host) Addrs() []ma.Multiaddr { return h.withID(h.host.Addrs()) }

// ListenAddrs returns the addresses that are listened on, with the ports that were chosen for port 0, each ending in
// /p2p/<id>; they may make no sense elsewhere.
func (h *Host) ListenAddrs() []ma.Multiaddr {
	addrs, err := h.host.Network().InterfaceListenAddresses()
	if err != nil {
		addrs = h.host.Network().ListenAddresses()
	}
	return h.withID(addrs)
}

func (h *Host) withID(addrs []ma.Multiaddr) []ma.Multiaddr {
	if len(addrs) == 0 {
		return nil
	}
	full, err := peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: h.host.ID(), Addrs: addrs})
	if err != nil {
		return nil
	}
	return full
}

// Peers returns the connected peers, sorted by id.
func (h *Host) Peers() []PeerInfo {
	ids := h.host.Network().Peers()
	sortPeers(ids)
	out := make([]PeerInfo, 0, len(ids))
	for _, id := range ids {
		info := PeerInfo{ID: id, Validator: h.validators.has(id), Score: h.score(id), Relayed: true}
		for _, c := range h.host.Network().ConnsToPeer(id) {
			info.Addrs = append(info.Addrs, c.RemoteMultiaddr().String())
			info.Inbound = info.Inbound || c.Stat().Direction == network.DirInbound
			info.Relayed = info.Relayed && c.Stat().Limited
			info.Streams += len(c.GetStreams())
			if info.Since.IsZero() || c.Stat().Opened.Before(info.Since) {
				info.Since = c.Stat().Opened
			}
		}
		if len(info.Addrs) == 0 {
			continue // it left while we looked
		}
		if agent, err := h.host.Peerstore().Get(id, "AgentVersion"); err == nil {
			if s, ok := agent.(string); ok {
				info.Agent = s[:min(len(s), maxProtocolName)]
			}
		}
		out = append(out, info)
	}
	return out
}

// Connected says whether there is a direct connection to the peer.
func (h *Host) Connected(id peer.ID) bool {
	return h.host.Network().Connectedness(id) == network.Connected
}

func (h *Host) connectedCount() int {
	select {
	case <-h.made:
	default:
		return 0 // a scrape while the host is being made
	}
	return len(h.host.Network().Peers())
}

// Connect dials a peer at the given addresses, besides those already known, unless it is connected.
func (h *Host) Connect(ctx context.Context, info peer.AddrInfo) error {
	// A dial that failed a moment ago keeps libp2p from trying again; who calls has decided to.
	if s, ok := h.host.Network().(*swarm.Swarm); ok {
		s.Backoff().Clear(info.ID)
	}
	if err := h.host.Connect(ctx, info); err != nil {
		return fmt.Errorf("p2p: connecting to %s: %w", info.ID, err)
	}
	return nil
}

// WaitConnected waits until all of the given peers are connected, or ctx ends.
func (h *Host) WaitConnected(ctx context.Context, ids ...peer.ID) error {
	return h.waitUntil(ctx, func() error {
		for _, id := range ids {
			if id != h.host.ID() && !h.Connected(id) {
				return fmt.Errorf("p2p: %s is not connected yet", id)
			}
		}
		return nil
	})
}

// WaitPeers waits until at least n peers are connected, or ctx ends.
func (h *Host) WaitPeers(ctx context.Context, n int) error {
	return h.waitUntil(ctx, func() error {
		if got := h.connectedCount(); got < n {
			return fmt.Errorf("p2p: %d of %d peers are connected", got, n)
		}
		return nil
	})
}

// waitUntil looks again after each peer that comes or goes.
func (h *Host) waitUntil(ctx context.Context, ready func() error) error {
	for {
		h.mu.Lock()
		changed := h.changed
		h.mu.Unlock()
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", err, ctx.Err())
		case <-h.ctx.Done():
			return ErrClosed
		}
	}
}

// Close ends everything the host started and saves the known peers. It is safe to call it twice.
func (h *Host) Close() error {
	h.mu.Lock()
	if h.closing {
		h.mu.Unlock()
		h.wg.Wait()
		return nil
	}
	h.closing = true
	h.mu.Unlock()
	h.cancel()
	var errs []error
	keep := func(err error) {
		if err != nil {
			errs = append(errs, err)
		}
	}
	if h.known != nil && h.host != nil {
		keep(h.known.save(h.rememberable()))
	}
	h.messages.close()
	if h.dht != nil {
		keep(h.dht.Close())
	}
	if h.host != nil {
		keep(h.host.Close())
	}
	h.wg.Wait()
	h.metrics.unregister(h.cfg.Registerer)
	if len(errs) > 0 {
		return fmt.Errorf("p2p: closing: %w", errs[0])
	}
	return nil
}
