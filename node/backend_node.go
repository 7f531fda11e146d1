package node

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"sort"
	"time"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/bft/engine"
	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/node/keyfile"
)

func sequence(n uint64) bft.Sequence { return bft.Sequence(n) }

// Head implements ledger.head.
func (b backend) Head(context.Context, api.None) (*api.Head, error) {
	h := b.n.store.Head()
	return &api.Head{Chain: b.n.chain, Sequence: h.Sequence, Time: api.FromNano(int64(h.Time)), StateRoot: h.Root.String(), Certified: b.n.certSeq.Load()}, nil
}

// Cut implements ledger.cut.
func (b backend) Cut(_ context.Context, p api.SequenceParams) (*api.Cut, error) {
	seq := p.Sequence
	if seq == 0 {
		seq = b.n.store.Head().Sequence
	}
	d, err := b.n.engine.Cut(sequence(seq))
	if err != nil {
		return nil, absent(err, "cut %d is not here", seq)
	}
	ids, err := b.n.engine.CutBlocks(sequence(seq))
	if err != nil {
		return nil, absent(err, "the blocks of cut %d are not here", seq)
	}
	out := &api.Cut{Sequence: uint64(d.Cut.Sequence), View: uint64(d.Commit.View), Time: api.FromNano(int64(d.Cut.Time)), Blocks: []api.BlockRef{}}
	for _, id := range ids {
		blk, err := b.n.engine.Block(id)
		if err != nil {
			return nil, absent(err, "block %s is not here", id.CID())
		}
		out.Blocks = append(out.Blocks, b.blockRef(id, blk))
		out.Transactions += len(blk.Transactions)
	}
	return out, nil
}

func absent(err error, format string, args ...any) error {
	if errors.Is(err, engine.ErrNotFound) {
		return api.Errorf(api.CodeNotFound, format, args...)
	}
	return err
}

func (b backend) blockRef(id bft.Digest, blk *bft.Block) api.BlockRef {
	h := blk.SignedHeader.Header
	ref := api.BlockRef{Height: uint64(h.Height), CID: id.CID().String()}
	if vs := b.n.engine.Validators(); int(h.Worker) < len(vs) {
		ref.Worker = b.n.names[b.n.peers[vs[h.Worker].ID]]
	}
	return ref
}

// Block implements ledger.block.
func (b backend) Block(_ context.Context, p api.BlockParams) (*api.Block, error) {
	c, err := wire.ParseCID(p.CID)
	if err != nil {
		return nil, api.Errorf(api.CodeParams, "%v", err)
	}
	id := bft.Digest(c.Digest())
	blk, err := b.n.engine.Block(id)
	if err != nil {
		return nil, absent(err, "block %s is not here", c)
	}
	return &api.Block{BlockRef: b.blockRef(id, blk), Transactions: blk.Transactions}, nil
}

// Certificate implements ledger.certificate.
func (b backend) Certificate(_ context.Context, p api.SequenceParams) (*api.Certificate, error) {
	var c *bft.StateCertificate
	var err error
	if p.Sequence == 0 {
		c, err = b.n.engine.LastStateCertificate()
	} else {
		c, err = b.n.engine.StateCertificate(sequence(p.Sequence))
	}
	if err != nil {
		return nil, absent(err, "no state certificate of sequence %d here (0: none at all yet)", p.Sequence)
	}
	enc, err := wire.Marshal(c)
	if err != nil {
		return nil, err
	}
	out := &api.Certificate{Sequence: uint64(c.Sequence), Time: api.FromNano(int64(c.Time)), StateRoot: c.Root.String(), Signers: []string{}, Bytes: enc}
	vs := b.n.engine.Validators()
	for _, i := range c.Set.Indices() {
		if i < len(vs) {
			out.Signers = append(out.Signers, b.n.names[b.n.peers[vs[i].ID]])
		}
	}
	return out, nil
}

// Validators implements ledger.validators.
func (b backend) Validators(context.Context, api.None) (*api.Validators, error) {
	vs := b.n.engine.Validators()
	f := (len(vs) - 1) / 3
	out := &api.Validators{Chain: b.n.chain, Faulty: f, Quorum: (len(vs)+f)/2 + 1, Validators: []api.Validator{}}
	for _, v := range vs {
		id := b.n.peers[v.ID]
		out.Validators = append(out.Validators, api.Validator{Name: b.n.names[id], Key: keyfile.Text(v.ID), Peer: id.String(), Weight: v.Weight})
	}
	return out, nil
}

// Genesis implements ledger.genesis.
func (b backend) Genesis(context.Context, api.None) (*api.Genesis, error) {
	file, err := b.n.opt.Genesis.Encode()
	return &api.Genesis{Chain: b.n.chain, File: file}, err
}

// Status implements node.status.
func (b backend) Status(context.Context, api.None) (*api.Status, error) {
	n := b.n
	s := n.engine.Status()
	h := n.store.Head()
	out := &api.Status{Name: n.name, Role: n.opt.Config.Node.Role, Version: Release, Chain: n.chain, Peer: n.host.ID().String(), Listen: []string{},
		Peers: len(n.host.Peers()), View: uint64(s.View), Leader: n.names[n.peers[s.Leader]], Sequence: h.Sequence, Committed: uint64(s.Head.Sequence),
		Lag: uint64(s.Lag), Time: api.FromNano(int64(h.Time)), StateRoot: h.Root.String(), Leases: int(n.app.State().Root().Timers), ReadOnly: n.readOnly.Load(),
		Uptime: time.Since(n.started).Seconds()}
	for _, a := range n.host.ListenAddrs() {
		out.Listen = append(out.Listen, a.String())
	}
	if err := n.Ready(); err != nil {
		out.Reason = err.Error()
	} else {
		out.Ready = true
	}
	return out, nil
}

// Peers implements node.peers.
func (b backend) Peers(context.Context, api.None) (*api.Peers, error) {
	out := &api.Peers{Peers: []api.Peer{}}
	for _, p := range b.n.host.Peers() {
		out.Peers = append(out.Peers, api.Peer{ID: p.ID.String(), Addresses: append([]string{}, p.Addrs...), Validator: b.n.names[p.ID]})
	}
	sort.Slice(out.Peers, func(i, j int) bool { return out.Peers[i].ID < out.Peers[j].ID })
	return out, nil
}

// Version implements node.version.
func (b backend) Version(context.Context, api.None) (*api.Version, error) {
	return &api.Version{Version: Release, Go: runtime.Version(), API: api.Version1}, nil
}

// ReadOnly implements admin.readOnly.
func (b backend) ReadOnly(_ context.Context, p api.ReadOnlyParams) (*api.Done, error) {
	b.n.readOnly.Store(p.On)
	b.n.log.Warn("read-only mode", "on", p.On)
	return &api.Done{OK: true}, nil
}

// LogLevel implements admin.logLevel.
func (b backend) LogLevel(_ context.Context, p api.LogLevelParams) (*api.Done, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(p.Level)); err != nil {
		return nil, api.Errorf(api.CodeParams, "level %.20q: want debug, info, warn or error", p.Level)
	}
	if b.n.opt.Level == nil {
		return nil, api.Errorf(api.CodeUnsupported, "this node's log level was fixed when it started")
	}
	b.n.opt.Level.Set(l)
	return &api.Done{OK: true}, nil
}
