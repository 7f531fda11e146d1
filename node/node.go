package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/bft/engine"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/home"
	"github.com/seed06907907/fatty/node/keyfile"
	"github.com/seed06907907/fatty/node/rpc"
	"github.com/seed06907907/fatty/p2p"
)

// Release is the version of this program.
const Release = "0.1.0"

// Options are what a node is made of. Home must be open (locked).
type Options struct {
	Home    *home.Home
	Config  home.Config
	Genesis *home.Genesis
	Logger  *slog.Logger
	// Level, if set, is what admin.logLevel changes.
	Level *slog.LevelVar
	// Passphrase is asked for sealed keys; nil: there is nobody to ask.
	Passphrase func() ([]byte, error)
	// Proofs replaces the proof system, for tests of everything else. Zero: package verifier.
	Proofs *Proofs
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// Node is one running node.
type Node struct {
	opt      Options
	log      *slog.Logger
	name     string // of this validator in genesis, or "follower"
	chain    string
	peers    map[bft.ValidatorID]peer.ID
	names    map[peer.ID]string
	proofs   Proofs
	registry *prometheus.Registry
	metrics  *metrics
	store    *store
	verdicts *verdicts
	app      *application
	host     *p2p.Host
	net      *transport
	frames   atomic.Pointer[transport] // net, for callbacks that may come before it is there
	engine   *engine.Engine
	rpc      *rpc.Server
	health   *http.Server
	listen   net.Listener
	listenH  net.Listener
	started  time.Time
	readOnly atomic.Bool
	certSeq  atomic.Uint64 // newest certified sequence
	skew     atomic.Int64  // nanoseconds that this clock is ahead of the ledger's, as far as is known
	provide  *providing
	waiters  waiters
	ctx      context.Context
	cancel   context.CancelFunc

	closeOnce sync.Once
	closeErr  error
}

// Run starts the node of a home folder and runs it until ctx ends. It is what a process of its own does: ready, if set,
// is called when JSON-RPC answers.
func Run(ctx context.Context, dir string, log *slog.Logger, level *slog.LevelVar, ask func() ([]byte, error), ready func(*Node)) error {
	h, err := home.Open(dir)
	if err != nil {
		return err
	}
	defer h.Close()
	cfg, err := h.Config()
	if err != nil {
		return err
	}
	gen, err := h.Genesis()
	if err != nil {
		return err
	}
	n, err := Open(ctx, Options{Home: h, Config: cfg, Genesis: gen, Logger: log, Level: level, Passphrase: ask})
	if err != nil {
		return err
	}
	defer n.Close()
	if ready != nil {
		ready(n)
	}
	return errors.Join(n.Run(ctx), n.Close())
}

// Open makes a node, its listeners included; Run serves. ctx bounds the opening alone.
func Open(ctx context.Context, opt Options) (_ *Node, err error) {
	n := &Node{opt: opt, log: opt.Logger, name: "follower", chain: opt.Genesis.ChainID(), peers: map[bft.ValidatorID]peer.ID{},
		names: map[peer.ID]string{}, registry: prometheus.NewRegistry(), started: time.Now()}
	if n.log == nil {
		n.log = slog.New(slog.DiscardHandler)
	}
	if n.opt.Now == nil {
		n.opt.Now = time.Now
	}
	if opt.Proofs != nil {
		n.proofs = *opt.Proofs
	} else {
		n.proofs = verifierProofs(opt.Genesis.Proofs)
	}
	n.metrics = newMetrics(n.registry)
	n.ctx, n.cancel = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	hostKey, validatorKey, err := n.keys()
	if err != nil {
		return nil, err
	}
	if err := n.openState(); err != nil {
		return nil, err
	}
	if err := n.openNetwork(ctx, hostKey); err != nil {
		return nil, err
	}
	if err := n.openEngine(validatorKey); err != nil {
		return nil, err
	}
	return n, n.openRPC()
}

// keys reads the keys and holds them to genesis.
func (n *Node) keys() (host, validator ed25519.PrivateKey, err error) {
	h := n.opt.Home
	if host, err = keyfile.Read(h.HostKey(), n.opt.Passphrase); err != nil {
		return nil, nil, fmt.Errorf("%w: run `fattyd init`", err)
	}
	id, err := keyfile.PeerID(keyfile.Public(host))
	if err != nil {
		return nil, nil, err
	}
	for _, v := range n.opt.Genesis.Validators {
		c, err := v.Card()
		if err != nil {
			return nil, nil, err
		}
		n.peers[c.Key], n.names[c.Host] = c.Host, v.Name
	}
	if n.opt.Config.Node.Role != "validator" {
		return host, nil, nil
	}
	if validator, err = keyfile.Read(h.ValidatorKey(), n.opt.Passphrase); err != nil {
		return nil, nil, fmt.Errorf("%w: run `fattyd init`, or set node.role to replica", err)
	}
	want, ok := n.peers[keyfile.Public(validator)]
	switch {
	case !ok:
		return nil, nil, fmt.Errorf("validator key %s is not in genesis.json of chain %s: take the right genesis or key, or set node.role to replica", keyfile.Text(keyfile.Public(validator)), n.chain)
	case want != id:
		return nil, nil, fmt.Errorf("genesis binds validator %s to host %s, keys/host.key is %s: put the host key back that the card was made with", n.names[want], want, id)
	}
	n.name = n.names[id]
	return host, validator, nil
}

func (n *Node) openState() (err error) {
	c := n.opt.Config
	if n.store, err = openStore(n.opt.Home.Path("data", "state"), c.Ledger.CacheMiB, uint64(c.Ledger.History), n.chain); err != nil {
		return err
	}
	gen, err := lockGenesis(n.opt.Genesis)
	if err != nil {
		return err
	}
	n.verdicts = newVerdicts(n.proofs, c.Proofs.Workers, c.Proofs.CacheSize, n.metrics.verify)
	cfg := lockspace.Config{Blocks: n.store, Functions: n.proofs.functions()}
	n.app, err = openApplication(n.store, n.verdicts, cfg, gen, n.log)
	if err != nil {
		return err
	}
	n.app.executed = n.onExecuted
	// A clock behind the ledger's cannot be right: what is executed was real time when it was agreed.
	if ahead := time.Duration(int64(n.store.Head().Time) - n.opt.Now().UnixNano()); ahead > clockTolerance {
		return fmt.Errorf("this host's clock is %s behind the ledger's: set it (by NTP) and start again; a validator with a wrong clock cannot vote", ahead.Round(time.Second))
	}
	return nil
}

// clockTolerance is the difference between clocks above which one of them is wrong and a human should know: well above
// the window of a proposal's time.
const clockTolerance = 10 * time.Second

// lockGenesis is the lock space's part of a genesis.
func lockGenesis(g *home.Genesis) (lockspace.Genesis, error) {
	out := lockspace.Genesis{Chain: g.ChainID(), Rules: lockspace.DefaultRules()}
	r := &out.Rules
	ns := func(s float64) lockspace.Duration { return lockspace.Duration(home.Seconds(s)) }
	r.Cadence, r.Grace, r.LockDelay = ns(g.Lease.Cadence), ns(g.Lease.Grace), ns(g.Lease.LockDelay)
	r.MaxCadence, r.MaxGrace = max(r.MaxCadence, r.Cadence), max(r.MaxGrace, r.Grace)
	r.ProofVersions = nil
	for _, v := range g.Proofs.Versions {
		r.ProofVersions = append(r.ProofVersions, uint64(v))
	}
	for _, a := range g.Accounts {
		k, err := keyfile.ParsePublic(a.Key)
		if err != nil {
			return out, err
		}
		out.Accounts = append(out.Accounts, lockspace.GenesisAccount{ID: k, Name: a.Name, Grant: a.Grant, Quota: lockspace.DefaultQuota()})
	}
	return out, out.Validate()
}

func (n *Node) openNetwork(ctx context.Context, key ed25519.PrivateKey) error {
	c := n.opt.Config.P2P
	hk, err := keyfile.Host(key)
	if err != nil {
		return err
	}
	ids := make([]peer.ID, 0, len(n.names))
	for id := range n.names {
		ids = append(ids, id)
	}
	reach := p2p.ReachabilityAuto
	if c.ForcePublic {
		reach = p2p.ReachabilityPublic
	}
	n.host, err = p2p.New(ctx, p2p.Config{
		HostKey: hk, Chain: n.chain, Listen: c.Listen, Announce: c.Announce, Bootstrap: c.Bootstrap, Server: c.DHTServer,
		AllowPrivate: c.AllowPrivate, Relay: c.Relay, RelayService: c.DHTServer && c.Relay, HolePunch: c.HolePunching, AutoNAT: c.AutoNAT, Reachability: reach,
		PeerStore: n.opt.Home.Path("data", "peers"), Validators: func() []peer.ID { return ids },
		PeerChange: n.onPeer, Limits: p2p.Limits{Connections: c.MaxPeers, MaxGossip: 2 * bft.MaxFrameBytes}, Registerer: n.registry, Logger: n.log,
	})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(n.opt.Home.Path("data"), 0o700); err != nil {
		return err
	}
	n.net, err = newTransport(n.ctx, n.host, n.peers, n.names[n.host.ID()] != "", n.log)
	n.frames.Store(n.net)
	return err
}

// onPeer is told who comes and goes.
func (n *Node) onPeer(id peer.ID, connected bool) {
	if t := n.frames.Load(); t != nil && connected && n.names[id] == "" {
		t.newcomer()
	}
}

func (n *Node) openEngine(key ed25519.PrivateKey) error {
	g := n.opt.Genesis
	cfg := engine.Config{
		Chain: n.chain, Dir: n.opt.Home.Path("data"), Application: n.app, Transport: n.net, Logger: n.log, Now: n.opt.Now,
		Ahead: home.Seconds(g.Agreement.Ahead), Behind: home.Seconds(g.Agreement.Behind), IdlePeriod: home.Seconds(g.Agreement.IdleCut),
		ViewTimeout: home.Seconds(g.Agreement.ViewTimeout), KeepAttachments: time.Duration(n.opt.Config.Ledger.ProofHours) * time.Hour,
		OnStateCertificate: n.onCertificate,
	}
	if key != nil {
		cfg.Key = bft.Key(key)
	}
	for id := range n.peers {
		cfg.Validators = append(cfg.Validators, bft.Validator{ID: id, Weight: 1})
	}
	e, err := engine.Open(cfg)
	if err != nil {
		return err
	}
	n.engine = e
	if c, err := e.LastStateCertificate(); err == nil {
		n.certSeq.Store(uint64(c.Sequence))
	}
	n.net.engine.Store(e)
	n.provide = newProviding(n.host, n.app, n.log)
	return nil
}

func (n *Node) openRPC() error {
	c := n.opt.Config.RPC
	token, err := n.opt.Home.Token()
	if err != nil {
		return fmt.Errorf("token: %w", err)
	}
	n.rpc = rpc.New(backend{n}, rpc.Options{Token: token, ReadToken: c.ReadToken, RemoteAdmin: c.AllowRemote, Origins: c.Origins, MaxInFlight: c.MaxInFlight,
		MaxBatch: c.MaxBatch, MaxWatchers: c.MaxWatchers, IdleTimeout: time.Duration(c.IdleTimeout), BodyTimeout: time.Duration(c.BodyTimeout),
		CallTimeout: time.Duration(c.CallTimeout), WriteTimeout: time.Duration(c.WriteTimeout), Logger: n.log, Registerer: n.registry})
	if n.listen, err = net.Listen("tcp", c.Listen); err != nil {
		return fmt.Errorf("JSON-RPC: %w: another process has the port, or it needs rights: change rpc.listen", err)
	}
	if c.Health != "" {
		if n.listenH, err = net.Listen("tcp", c.Health); err != nil {
			return fmt.Errorf("health and metrics: %w: another process has the port, or it needs rights: change rpc.health", err)
		}
		n.health = rpc.HealthServer(rpc.Health(n.Ready, n.registry))
	}
	n.registerGauges()
	return n.opt.Home.WriteAPI(n.API())
}

// Run serves until ctx ends or the replica must stop.
func (n *Node) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return n.rpc.Serve(n.listen) })
	if n.health != nil {
		g.Go(func() error {
			if err := n.health.Serve(n.listenH); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		})
	}
	g.Go(func() error { n.provide.run(ctx); return nil })
	g.Go(func() error {
		err := n.engine.Run(ctx)
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("the replica stopped: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		n.rpc.Close()
		if n.health != nil {
			n.health.Close()
		}
		return nil
	})
	return g.Wait()
}

// Close ends everything in the order of dependence. What was acknowledged is on disk already.
func (n *Node) Close() error {
	n.closeOnce.Do(func() {
		n.cancel()
		var errs []error
		if n.rpc != nil {
			errs = append(errs, n.opt.Home.WriteAPI(""), n.rpc.Close())
		}
		for _, l := range []net.Listener{n.listen, n.listenH} {
			if l != nil {
				l.Close() // closed by its server before, as a rule
			}
		}
		if n.engine != nil {
			errs = append(errs, n.engine.Close())
		}
		if n.host != nil {
			errs = append(errs, n.host.Close())
		}
		if n.verdicts != nil {
			n.verdicts.Close()
		}
		if n.store != nil {
			errs = append(errs, n.store.Close())
		}
		n.closeErr = errors.Join(errs...)
	})
	return n.closeErr
}

// API returns the URL of JSON-RPC.
func (n *Node) API() string { return "http://" + reachable(n.listen.Addr()) }

// Health returns the URL of the second port, empty if there is none.
func (n *Node) Health() string {
	if n.listenH == nil {
		return ""
	}
	return "http://" + reachable(n.listenH.Addr())
}

// reachable turns a listener's wildcard address into one that local tools can dial.
func reachable(a net.Addr) string {
	t, ok := a.(*net.TCPAddr)
	if !ok || !t.IP.IsUnspecified() {
		return a.String()
	}
	return net.JoinHostPort("127.0.0.1", fmt.Sprint(t.Port))
}

// Host returns the libp2p host.
func (n *Node) Host() *p2p.Host { return n.host }

// Name returns the validator's name in genesis, or "follower".
func (n *Node) Name() string { return n.name }

// Chain returns the chain id.
func (n *Node) Chain() string { return n.chain }

// Ready says why the node cannot serve well, or nil.
func (n *Node) Ready() error {
	s := n.engine.Status()
	if s.Failure != nil {
		return fmt.Errorf("the replica stopped: %w", s.Failure)
	}
	if skew := time.Duration(n.skew.Load()); skew > clockTolerance || skew < -clockTolerance {
		return fmt.Errorf("this host's clock differs from the ledger's by %s: set it by NTP", skew.Round(time.Second))
	}
	if s.Lag > 10 {
		return fmt.Errorf("%d cuts behind the others: catching up", s.Lag)
	}
	connected := 0
	for id := range n.names {
		if id == n.host.ID() || n.host.Connected(id) {
			connected++
		}
	}
	if need := (len(n.peers)+(len(n.peers)-1)/3)/2 + 1; s.Validator && connected < need {
		return fmt.Errorf("%d of %d validators are connected, a quorum is %d: check p2p.bootstrap and the network", connected, len(n.peers), need)
	}
	return nil
}

// onCertificate notes the newest certificate, and how far this clock is from the ledger's.
func (n *Node) onCertificate(c *bft.StateCertificate) {
	seq := uint64(c.Sequence)
	for old := n.certSeq.Load(); seq > old && !n.certSeq.CompareAndSwap(old, seq); old = n.certSeq.Load() {
	}
	if !n.opt.Config.Ledger.ClockCheck || n.engine == nil || uint64(n.store.Head().Sequence) != seq || n.engine.Status().Lag > 0 {
		return // an old cut's time says nothing about clocks
	}
	skew := n.opt.Now().UnixNano() - int64(c.Time)
	before := time.Duration(n.skew.Swap(skew))
	if d := time.Duration(skew); (d > clockTolerance || d < -clockTolerance) && before < clockTolerance && before > -clockTolerance {
		n.log.Error("this host's clock differs from the ledger's: set it by NTP; a validator with a wrong clock cannot vote", "ahead", d.Round(time.Second))
	}
}

func (n *Node) onExecuted(cut engine.Decided, res *lockspace.Result) {
	n.waiters.tell(res.Receipts)
	n.metrics.cuts.Inc()
	n.metrics.transactions.Add(float64(len(cut.Transactions)))
	for i := range res.Receipts {
		result := "accepted"
		if res.Receipts[i].Code != "" {
			result = "refused"
		}
		for _, v := range []*lockspace.Verdict{res.Receipts[i].Verdict, res.Receipts[i].Whole} {
			if v != nil {
				n.metrics.proofs.WithLabelValues(result).Inc()
			}
		}
	}
	if n.provide != nil {
		n.provide.events(res.Events)
	}
}
