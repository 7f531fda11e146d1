package p2p

import (
	"cmp"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// A peer's standing: points for what it did wrong outside GossipSub's own view (streams, the validators' allow-list).
// Points fade, are part of its gossip score, and above banAt the peer is cut off for a while.
const (
	standingHalf   = time.Minute      // after this time half of the points are forgotten
	standingPeers  = 4096             // peers remembered; those with the fewest points make room
	banAt          = 100.0            // points at which a peer that is no validator is cut off
	banTime        = 10 * time.Minute // how long its connections are refused
	pointsOutsider = 1.0              // one frame on a topic that is not its own
	pointsBadFrame = 10.0             // one malformed or oversized frame on a stream
	pointsFlood    = 2.0              // one request or stream beyond its bounds
)

type standing struct {
	mu    sync.Mutex
	peers map[peer.ID]*points
	now   func() time.Time
}

type points struct {
	value  float64
	at     time.Time
	banned time.Time // until when; zero if never
}

func newStanding(now func() time.Time) *standing {
	return &standing{peers: make(map[peer.ID]*points), now: now}
}

func (p *points) faded(now time.Time) float64 {
	return p.value * math.Exp2(-float64(now.Sub(p.at))/float64(standingHalf))
}

// add gives a peer points and says whether it is to be cut off now. exempt peers only collect.
func (s *standing) add(id peer.ID, value float64, exempt bool) (ban bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	p := s.peers[id]
	if p == nil {
		if len(s.peers) >= standingPeers {
			s.evict(now)
		}
		p = &points{at: now}
		s.peers[id] = p
	}
	p.value, p.at = p.faded(now)+value, now
	if exempt || p.value < banAt || now.Before(p.banned) {
		return false
	}
	p.banned = now.Add(banTime)
	return true
}

// evict forgets the quarter of peers with the fewest points, banned ones last: many at once, so that an attacker with
// many identities does not make each of them cost a walk over all.
func (s *standing) evict(now time.Time) {
	type entry struct {
		id    peer.ID
		value float64
	}
	all := make([]entry, 0, len(s.peers))
	for id, p := range s.peers {
		v := p.faded(now)
		if now.Before(p.banned) {
			v += banAt
		}
		all = append(all, entry{id, v})
	}
	slices.SortFunc(all, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.value, b.value), cmp.Compare(a.id, b.id))
	})
	for _, e := range all[:len(all)/4] {
		delete(s.peers, e.id)
	}
}

// score is what the peer's points add to its gossip score: zero or less.
func (s *standing) score(id peer.ID) float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.peers[id]; p != nil {
		return -p.faded(s.now())
	}
	return 0
}

// banned says whether the peer's connections are refused at present.
func (s *standing) banned(id peer.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.peers[id]
	return p != nil && s.now().Before(p.banned)
}

// validatorSet is the allow-list as last read from Config.Validators.
type validatorSet struct {
	set atomic.Pointer[map[peer.ID]bool]
}

func (v *validatorSet) has(id peer.ID) bool {
	m := v.set.Load()
	return m != nil && (*m)[id]
}

func (v *validatorSet) list() []peer.ID {
	m := v.set.Load()
	if m == nil {
		return nil
	}
	out := make([]peer.ID, 0, len(*m))
	for id := range *m {
		out = append(out, id)
	}
	sortPeers(out)
	return out
}

// replace sets the list and returns who came and who went.
func (v *validatorSet) replace(ids []peer.ID) (added, removed []peer.ID) {
	next := make(map[peer.ID]bool, len(ids))
	for _, id := range ids {
		next[id] = true
	}
	prev := v.set.Swap(&next)
	for id := range next {
		if prev == nil || !(*prev)[id] {
			added = append(added, id)
		}
	}
	if prev != nil {
		for id := range *prev {
			if !next[id] {
				removed = append(removed, id)
			}
		}
	}
	sortPeers(added)
	sortPeers(removed)
	return added, removed
}
