package p2p

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
)

// The file of known peers is JSON, because an operator may want to read it:
//
//	{"version": 1, "peers": [{"id": "12D3KooW...", "addrs": ["/ip4/..."], "seen": "2026-01-02T03:04:05Z"}]}
//
// It is a cache: losing it costs a look at the bootstrap peers, so one that cannot be read is put aside, with a
// warning, and not an error.
const (
	knownVersion   = 1
	maxKnownPeers  = 256
	maxKnownBytes  = 1 << 20         // of the file: 256 peers of 16 addresses fit several times
	rememberPause  = time.Second     // after someone came or went, before the file is written
	rememberAlways = 5 * time.Minute // the file is written at least this often: addresses change, too
	forgetAfter    = 30 * 24 * time.Hour
)

type knownFile struct {
	Version int         `json:"version"`
	Peers   []knownPeer `json:"peers"`
}

type knownPeer struct {
	ID    string    `json:"id"`
	Addrs []string  `json:"addrs"`
	Seen  time.Time `json:"seen"`
}

// knownPeers is the file and what it says.
type knownPeers struct {
	path string
	mu   sync.Mutex
	seen map[peer.ID]remembered
}

type remembered struct {
	addrs []ma.Multiaddr
	seen  time.Time
}

// openKnownPeers reads the file, if there is one.
func openKnownPeers(path string, allowPrivate bool, log *slog.Logger) (*knownPeers, error) {
	k := &knownPeers{path: path, seen: make(map[peer.ID]remembered)}
	if path == "" {
		return k, nil
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return k, nil
	}
	if err != nil {
		return nil, fmt.Errorf("p2p: reading known peers: check the rights of %s: %w", path, err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxKnownBytes+1))
	if err != nil {
		return nil, fmt.Errorf("p2p: reading known peers from %s: %w", path, err)
	}
	seen, err := decodeKnown(data, allowPrivate)
	if err != nil {
		aside := path + ".bad"
		if rerr := os.Rename(path, aside); rerr != nil {
			return nil, fmt.Errorf("p2p: the known peers in %s cannot be used (%v): remove the file: %w", path, err, rerr)
		}
		log.Warn("the file of known peers cannot be used: it was put aside, starting without", "file", aside, "error", err)
		return k, nil
	}
	k.seen = seen
	return k, nil
}

// decodeKnown reads the file's bytes. Single addresses that make no sense here are left out, a broken file is an error.
func decodeKnown(data []byte, allowPrivate bool) (map[peer.ID]remembered, error) {
	if len(data) > maxKnownBytes {
		return nil, fmt.Errorf("the file has more than %d bytes", maxKnownBytes)
	}
	var file knownFile
	if err := json.Unmarshal(data, &file); err != nil {
		return nil, err
	}
	if file.Version != knownVersion {
		return nil, fmt.Errorf("the file has version %d, this program knows %d", file.Version, knownVersion)
	}
	if len(file.Peers) > maxKnownPeers {
		return nil, fmt.Errorf("the file has %d peers, at most %d are used", len(file.Peers), maxKnownPeers)
	}
	out := make(map[peer.ID]remembered, len(file.Peers))
	for _, p := range file.Peers {
		id, err := peer.Decode(p.ID)
		if err != nil {
			return nil, fmt.Errorf("peer %.64q: %w", p.ID, err)
		}
		r := remembered{seen: p.Seen}
		for _, s := range p.Addrs[:min(len(p.Addrs), maxAddrsPerPeer)] {
			a, err := ma.NewMultiaddr(s)
			if err != nil {
				return nil, fmt.Errorf("address %.128q: %w", s, err)
			}
			r.addrs = append(r.addrs, a)
		}
		if r.addrs = outwardAddrs(r.addrs, allowPrivate); len(r.addrs) > 0 {
			out[id] = r
		}
	}
	return out, nil
}

// infos returns the known peers, latest first.
func (k *knownPeers) infos() []peer.AddrInfo {
	k.mu.Lock()
	defer k.mu.Unlock()
	var out []peer.AddrInfo
	for _, id := range k.order() {
		out = append(out, peer.AddrInfo{ID: id, Addrs: slices.Clone(k.seen[id].addrs)})
	}
	return out
}

func (k *knownPeers) order() []peer.ID {
	ids := make([]peer.ID, 0, len(k.seen))
	for id := range k.seen {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b peer.ID) int {
		if c := k.seen[b].seen.Compare(k.seen[a].seen); c != 0 {
			return c
		}
		if a < b {
			return -1
		}
		return 1
	})
	return ids
}

func (k *knownPeers) addrs(id peer.ID) []ma.Multiaddr {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.seen[id].addrs)
}

func (k *knownPeers) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.seen)
}

// save notes who is connected now and writes the file: whole, under another name, then renamed.
func (k *knownPeers) save(now []peer.AddrInfo) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	at := time.Now().UTC().Truncate(time.Second)
	for _, info := range now {
		if len(info.Addrs) > 0 {
			k.seen[info.ID] = remembered{addrs: slices.Clone(info.Addrs), seen: at}
		}
	}
	file := knownFile{Version: knownVersion, Peers: []knownPeer{}}
	for i, id := range k.order() {
		r := k.seen[id]
		if i >= maxKnownPeers || at.Sub(r.seen) > forgetAfter {
			delete(k.seen, id)
			continue
		}
		p := knownPeer{ID: id.String(), Seen: r.seen}
		for _, a := range r.addrs {
			p.Addrs = append(p.Addrs, a.String())
		}
		file.Peers = append(file.Peers, p)
	}
	if k.path == "" {
		return nil
	}
	data, err := json.MarshalIndent(file, "", " ")
	if err != nil {
		return fmt.Errorf("p2p: writing known peers: %w", err)
	}
	tmp := k.path + ".new"
	if err := os.MkdirAll(filepath.Dir(k.path), 0o700); err != nil {
		return fmt.Errorf("p2p: writing known peers: %w", err)
	}
	if err := os.WriteFile(tmp, append(data, '\n'), 0o600); err != nil {
		return fmt.Errorf("p2p: writing known peers: is the disk full? %w", err)
	}
	if err := os.Rename(tmp, k.path); err != nil {
		return fmt.Errorf("p2p: writing known peers: %w", err)
	}
	return nil
}

// rememberable lists the connected peers with addresses at which they can be dialled again.
func (h *Host) rememberable() []peer.AddrInfo {
	var out []peer.AddrInfo
	for _, id := range h.host.Network().Peers() {
		info := peer.AddrInfo{ID: id}
		for _, c := range h.host.Network().ConnsToPeer(id) {
			// The address of a dial of our own surely works; what the peer claims may.
			if c.Stat().Direction == network.DirOutbound && !c.Stat().Limited {
				info.Addrs = append(info.Addrs, c.RemoteMultiaddr())
			}
		}
		info.Addrs = append(info.Addrs, h.host.Peerstore().Addrs(id)...)
		for _, m := range mergeInfos([]peer.AddrInfo{info}) {
			m.Addrs = outwardAddrs(m.Addrs, h.cfg.AllowPrivate)
			out = append(out, m)
		}
	}
	return out
}

// rememberPeers keeps the file up to date, so that a killed node finds its peers, too.
func (h *Host) rememberPeers() {
	for {
		wake := h.dial.waker()
		t := time.NewTimer(rememberAlways)
		select {
		case <-wake:
		case <-t.C:
		case <-h.ctx.Done():
			t.Stop()
			return
		}
		t.Stop()
		if !h.pause(rememberPause) {
			return
		}
		if err := h.known.save(h.rememberable()); err != nil {
			h.log.Warn("known peers could not be saved", "error", err)
		}
		h.metrics.known.Set(float64(h.known.count()))
	}
}
