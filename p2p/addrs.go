package p2p

import (
	"context"
	"fmt"
	"slices"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	madns "github.com/multiformats/go-multiaddr-dns"
	manet "github.com/multiformats/go-multiaddr/net"
)

// Bounds of the addresses that others give.
const (
	maxAddrsPerPeer = 16 // addresses of one peer that are kept, announced or dialled
	maxDNSAnswers   = 32 // peers that one dnsaddr may name
	maxDNSDepth     = 3  // dnsaddr records that point to dnsaddr records
)

func sortPeers(ids []peer.ID) { slices.Sort(ids) }

// outwardAddrs keeps what may be announced or used: without allowPrivate only public addresses and names.
func outwardAddrs(in []ma.Multiaddr, allowPrivate bool) []ma.Multiaddr {
	out := make([]ma.Multiaddr, 0, min(len(in), maxAddrsPerPeer))
	for _, a := range in {
		if a == nil || !allowPrivate && !isOutward(a) {
			continue
		}
		if out = append(out, a); len(out) == maxAddrsPerPeer {
			break
		}
	}
	return out
}

// isOutward says whether an address makes sense outside the own network: a public IP, or a DNS name, which is judged
// when it is resolved.
func isOutward(a ma.Multiaddr) bool {
	if ps := a.Protocols(); len(ps) > 0 {
		switch ps[0].Code {
		case ma.P_DNS, ma.P_DNS4, ma.P_DNS6, ma.P_DNSADDR:
			return true
		}
	}
	return manet.IsPublicAddr(a)
}

// parseAddrs reads configured multiaddrs; Config.Validate has accepted them.
func parseAddrs(in []string) ([]ma.Multiaddr, error) {
	out := make([]ma.Multiaddr, 0, len(in))
	for _, s := range in {
		a, err := ma.NewMultiaddr(s)
		if err != nil {
			return nil, fmt.Errorf("p2p: address %q is not a multiaddr: %w", s, err)
		}
		out = append(out, a)
	}
	return out, nil
}

// resolvePeers turns configured addresses into peers: those with /p2p/<id> as they stand, dnsaddr ones looked up. An
// address that cannot be resolved now is reported beside the others.
func resolvePeers(ctx context.Context, addrs []ma.Multiaddr, resolve func(context.Context, ma.Multiaddr) ([]ma.Multiaddr, error)) ([]peer.AddrInfo, error) {
	var infos []peer.AddrInfo
	var first error
	queue := addrs
	for depth := 0; len(queue) > 0; depth++ {
		var next []ma.Multiaddr
		for _, a := range queue {
			if info, err := peer.AddrInfoFromP2pAddr(a); err == nil && !isDNSAddr(a) {
				infos = append(infos, *info)
				continue
			}
			if depth >= maxDNSDepth {
				continue
			}
			got, err := resolve(ctx, a)
			if err != nil {
				if first == nil {
					first = fmt.Errorf("p2p: looking up %s: %w", a, err)
				}
				continue
			}
			next = append(next, got[:min(len(got), maxDNSAnswers)]...)
		}
		queue = next[:min(len(next), maxDNSAnswers)]
	}
	return mergeInfos(infos), first
}

func resolveDNS(ctx context.Context, a ma.Multiaddr) ([]ma.Multiaddr, error) {
	return madns.DefaultResolver.Resolve(ctx, a)
}

// mergeInfos joins the addresses of each peer, in order of first mention.
func mergeInfos(in []peer.AddrInfo) []peer.AddrInfo {
	at := make(map[peer.ID]int, len(in))
	var out []peer.AddrInfo
	for _, info := range in {
		i, ok := at[info.ID]
		if !ok {
			i = len(out)
			at[info.ID] = i
			out = append(out, peer.AddrInfo{ID: info.ID})
		}
		for _, a := range info.Addrs {
			if len(out[i].Addrs) < maxAddrsPerPeer && !ma.Contains(out[i].Addrs, a) {
				out[i].Addrs = append(out[i].Addrs, a)
			}
		}
	}
	return out
}

// gater refuses connections: of peers that misbehaved, and to private addresses that someone else made up (a node must
// not become a scanner of its operator's network).
type gater struct {
	h         *Host
	permitted map[string]bool // private addresses of the configuration
}

func (g *gater) InterceptPeerDial(p peer.ID) bool { return !g.h.standing.banned(p) }

func (g *gater) InterceptAddrDial(_ peer.ID, a ma.Multiaddr) bool {
	if g.h.cfg.AllowPrivate || isOutward(a) || g.permitted[string(a.Bytes())] {
		return true
	}
	if _, err := a.ValueForProtocol(ma.P_CIRCUIT); err == nil {
		return true // the relay is dialled by its own address, which is judged then
	}
	g.h.metrics.reject(rejectDialAddr)
	return false
}

func (g *gater) InterceptAccept(network.ConnMultiaddrs) bool { return true }

func (g *gater) InterceptSecured(_ network.Direction, p peer.ID, _ network.ConnMultiaddrs) bool {
	if g.h.standing.banned(p) {
		g.h.metrics.reject(rejectBanned)
		return false
	}
	return true
}

func (g *gater) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }
