package p2p

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strings"
	"sync"
	"time"

	pubsub "github.com/libp2p/go-libp2p-pubsub"
	pb "github.com/libp2p/go-libp2p-pubsub/pb"
	"github.com/libp2p/go-libp2p/core/peer"
)

// A gossip frame on the wire is one attempt byte and the payload. A message's id is a hash of topic, attempt and
// payload and of nothing else, for three reasons. An id of author and number, GossipSub's default, would hide a
// replica that says two things. Authors stay out of it, and out of the message (the policy is "no signature": what
// fatty sends is signed inside by the key that matters), because a copy under another author would be another message
// and could be multiplied at will. And GossipSub remembers every id it saw for a minute or more, so that bytes
// published again in that time would go nowhere: the attempt makes them pass, a bounded number of times.
//
// Nodes that are not allowed on a topic are dropped before GossipSub marks a message as seen: otherwise an outsider
// that repeats a validator's message first would make the validator's own copy a duplicate of a refused one.
const (
	gossipAttempts  = 16                     // times the same bytes can be published before the network forgets them
	attemptHeader   = 1                      // the attempt byte
	gossipQueue     = 4096                   // validation queue, outbound queue of each peer, and queue of each topic
	gossipHeartbeat = 150 * time.Millisecond // a lost frame is learnt of within two of these
	gossipSeen      = time.Minute            // GossipSub sweeps once a minute, so an id is remembered for up to twice as long
	gossipHistory   = 20                     // heartbeats (3 s) a message can be asked for
	gossipAdvertise = 6                      // heartbeats (0.9 s) a message is advertised
	gossipOverhead  = 64 << 10               // room for GossipSub's own fields beside the largest frame
	smallCell       = 12                     // validators up to which everyone is in everyone's mesh
	foreignTopics   = 256                    // topics of others that are remembered, though not joined here
	subsPerRPC      = 64                     // subscriptions one message may carry
)

// Peer score (GossipSub v1.1). Invalid frames weigh by the square of their number: 1 costs 20, 5 cost 500.
const (
	scoreGossip    = -100.0 // below: no gossip with the peer
	scorePublish   = -200.0 // below: nothing is published to it
	scoreGraylist  = -400.0 // below: everything from it is ignored
	invalidWeight  = -20.0
	invalidFade    = 10 * time.Minute
	colocateWeight = -10.0
	colocateFree   = 8 // peers behind one address that cost nothing
	behaviourFree  = 6 // broken promises and early grafts that cost nothing: a restart looks like that
)

// Verdict is what a topic's check says of a frame.
type Verdict int

const (
	// Accept delivers the frame and relays it.
	Accept Verdict = iota
	// Ignore neither delivers nor relays it, at no cost for its sender. The same bytes are not shown again for a
	// minute or two, so what came early but may become valid is better accepted and kept.
	Ignore
	// Reject is for frames that no honest node relays: it costs the sender score.
	Reject
)

// ErrClosed is returned after Close.
var ErrClosed = errors.New("p2p: the host is closed")

// ErrTooManyAttempts is returned by Publish for bytes that were published again and again in a short time.
var ErrTooManyAttempts = fmt.Errorf("p2p: the same bytes were published %d times within two minutes: wait or change them", gossipAttempts)

// Topic is a joined gossip topic.
type Topic struct {
	h              *Host
	name           string // short
	full           string
	validatorsOnly bool
	maxSize        int
	check          func(from peer.ID, data []byte) Verdict
	deliver        func(from peer.ID, data []byte)
	topic          *pubsub.Topic
	sub            *pubsub.Subscription
	attempts       attempts
}

// topicTable is what the filters need to know of the joined topics, readable from GossipSub's own loop.
type topicTable struct {
	mu      sync.RWMutex
	joined  map[string]*Topic // by full name
	foreign map[string]bool   // names of others' topics
	prefix  string
	h       *Host
}

func (t *topicTable) get(full string) *Topic {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.joined[full]
}

// CanSubscribe implements pubsub.SubscriptionFilter: topics of this chain, and of others a bounded number.
func (t *topicTable) CanSubscribe(full string) bool {
	short, ok := strings.CutPrefix(full, t.prefix)
	if !ok || checkName("topic", short, maxProtocolName) != nil {
		return false
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.joined[full] != nil || t.foreign[full] {
		return true
	}
	if len(t.foreign) >= foreignTopics {
		return false
	}
	t.foreign[full] = true
	return true
}

// FilterIncomingSubscriptions implements pubsub.SubscriptionFilter.
// Outsiders on validators' topics are not even noted: what this node publishes would be sent to them.
func (t *topicTable) FilterIncomingSubscriptions(from peer.ID, opts []*pb.RPC_SubOpts) ([]*pb.RPC_SubOpts, error) {
	if len(opts) > subsPerRPC {
		return nil, pubsub.ErrTooManySubscriptions
	}
	return pubsub.FilterSubscriptions(opts, func(full string) bool {
		return t.CanSubscribe(full) && t.h.peerMayJoin(from, full)
	}), nil
}

// messageID is SHA-256 over the length of the topic's name, the name, and the frame with its attempt byte.
func messageID(m *pb.Message) string {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(m.GetTopic())))
	d := sha256.New()
	d.Write(n[:])
	d.Write([]byte(m.GetTopic()))
	d.Write(m.GetData())
	return string(d.Sum(nil))
}

func (h *Host) startGossip() error {
	h.topics = topicTable{joined: make(map[string]*Topic), foreign: make(map[string]bool), prefix: "/fatty/" + h.cfg.Chain + "/", h: h}
	params := gossipParams(len(h.validators.list()))
	score := &pubsub.PeerScoreParams{
		AppSpecificScore:            h.standing.score,
		AppSpecificWeight:           1,
		IPColocationFactorWeight:    colocateWeight,
		IPColocationFactorThreshold: colocateFree,
		BehaviourPenaltyWeight:      -5,
		BehaviourPenaltyThreshold:   behaviourFree,
		BehaviourPenaltyDecay:       pubsub.ScoreParameterDecay(invalidFade),
		DecayInterval:               pubsub.DefaultDecayInterval,
		DecayToZero:                 pubsub.DefaultDecayToZero,
		RetainScore:                 invalidFade, // a reconnect does not clear the slate
		SeenMsgTTL:                  gossipSeen,
		Topics:                      make(map[string]*pubsub.TopicScoreParams),
	}
	if h.cfg.AllowPrivate {
		for _, s := range append(append([]string{}, privatePrefixes...), privatePrefixes6...) {
			_, block, err := net.ParseCIDR(s)
			if err != nil {
				return fmt.Errorf("p2p: private prefix %s: %w", s, err)
			}
			score.IPColocationFactorWhitelist = append(score.IPColocationFactorWhitelist, block)
		}
	}
	thresholds := &pubsub.PeerScoreThresholds{GossipThreshold: scoreGossip, PublishThreshold: scorePublish,
		GraylistThreshold: scoreGraylist, AcceptPXThreshold: 1000, OpportunisticGraftThreshold: 1}
	var err error
	h.gossip, err = pubsub.NewGossipSub(h.ctx, h.host,
		pubsub.WithGossipSubParams(params),
		pubsub.WithMessageSignaturePolicy(pubsub.StrictNoSign),
		pubsub.WithNoAuthor(),
		pubsub.WithMessageIdFn(messageID),
		pubsub.WithPeerScore(score, thresholds),
		pubsub.WithPeerScoreInspect(func(m map[peer.ID]float64) { h.scores.Store(&m) }, time.Second),
		pubsub.WithPeerExchange(false),
		// In a small cell the mesh is everyone, so a flood makes no more copies than the mesh would, and a frame
		// published before the first heartbeat has made the mesh is not lost. In a large one it would be n-1 copies
		// that IDONTWANT cannot hold back.
		pubsub.WithFloodPublish(len(h.validators.list()) <= smallCell),
		pubsub.WithMaxMessageSize(h.cfg.Limits.MaxGossip+gossipOverhead),
		pubsub.WithValidateQueueSize(gossipQueue),
		pubsub.WithValidateWorkers(max(2, runtime.NumCPU())),
		pubsub.WithPeerOutboundQueueSize(gossipQueue),
		pubsub.WithSeenMessagesTTL(gossipSeen),
		pubsub.WithSubscriptionFilter(&h.topics),
		pubsub.WithPeerFilter(h.peerMayJoin),
		pubsub.WithAppSpecificRpcInspector(h.inspect),
		pubsub.WithRawTracer(dropCounter{m: h.metrics}),
	)
	if err != nil {
		return fmt.Errorf("p2p: starting gossip: %w", err)
	}
	return nil
}

// gossipParams sizes the mesh for n validators: all of them while they are few, GossipSub's usual degree above. The
// degree is never below the usual one, because open topics have other nodes, too.
func gossipParams(n int) pubsub.GossipSubParams {
	p := pubsub.DefaultGossipSubParams()
	p.HeartbeatInterval = gossipHeartbeat
	p.HistoryLength, p.HistoryGossip = gossipHistory, gossipAdvertise
	p.SlowHeartbeatWarning = 1 // in heartbeats: the default of a tenth warns on every loaded machine
	if n <= smallCell && n-1 > p.D {
		p.D = n - 1
	}
	if n <= smallCell {
		p.Dlo = max(p.Dlo, min(n-1, p.D))
	}
	p.Dhi = max(p.Dhi, 2*p.D)
	return p
}

// peerMayJoin keeps validators' topics to validators.
func (h *Host) peerMayJoin(id peer.ID, full string) bool {
	t := h.topics.get(full)
	return t == nil || !t.validatorsOnly || h.validators.has(id)
}

// inspect sees every RPC before GossipSub does. It takes out messages of outsiders; it runs in GossipSub's loop.
func (h *Host) inspect(from peer.ID, rpc *pubsub.RPC) error {
	kept := rpc.Publish[:0]
	for _, m := range rpc.Publish {
		if m == nil {
			continue
		}
		if len(m.ProtoReflect().GetUnknown()) > 0 {
			// The id does not cover unknown fields, and GossipSub would relay them: ballast for everyone.
			h.metrics.reject(rejectMalformed)
			h.penalize(from, pointsBadFrame)
			continue
		}
		if t := h.topics.get(m.GetTopic()); t != nil && t.validatorsOnly && !h.validators.has(from) {
			h.metrics.reject(rejectOutsider)
			h.penalize(from, pointsOutsider)
			continue
		}
		kept = append(kept, m)
	}
	rpc.Publish = kept
	return nil
}

// Join takes part in a topic. maxSize bounds its frames in bytes. check runs before a frame is relayed or delivered,
// on several goroutines at once, must be quick, must not keep data, and must depend on the bytes alone: from is who
// forwarded them. deliver gets every frame accepted from others, in order, one at a time; own frames are not
// delivered back. On a topic that is validatorsOnly, frames of peers that are not in Config.Validators are refused and
// cost them score; a node that is no validator gains nothing by joining it.
func (h *Host) Join(topic string, validatorsOnly bool, maxSize int, check func(from peer.ID, data []byte) Verdict, deliver func(from peer.ID, data []byte)) (*Topic, error) {
	if err := checkName("topic", topic, maxProtocolName); err != nil {
		return nil, err
	}
	if maxSize <= 0 || maxSize > h.cfg.Limits.MaxGossip {
		return nil, fmt.Errorf("p2p: topic %s: maxSize is %d, it must be between 1 and Limits.MaxGossip, %d", topic, maxSize, h.cfg.Limits.MaxGossip)
	}
	if check == nil || deliver == nil {
		return nil, fmt.Errorf("p2p: topic %s: check and deliver must be given", topic)
	}
	t := &Topic{h: h, name: topic, full: h.topics.prefix + topic, validatorsOnly: validatorsOnly, maxSize: maxSize,
		check: check, deliver: deliver}
	h.topics.mu.Lock()
	if h.topics.joined[t.full] != nil {
		h.topics.mu.Unlock()
		return nil, fmt.Errorf("p2p: topic %s is joined already", topic)
	}
	h.topics.joined[t.full] = t
	h.topics.mu.Unlock()
	if err := t.open(); err != nil {
		h.topics.mu.Lock()
		delete(h.topics.joined, t.full)
		h.topics.mu.Unlock()
		return nil, fmt.Errorf("p2p: joining topic %s: %w", topic, err)
	}
	if !h.spawn(t.receive) {
		return nil, ErrClosed
	}
	if validatorsOnly {
		// Outsiders that announced the topic before this node knew what it is were noted: let them come again.
		for _, id := range h.gossip.ListPeers(t.full) {
			if !h.validators.has(id) {
				h.spawn(func() { _ = h.host.Network().ClosePeer(id) })
			}
		}
	}
	return t, nil
}

func (t *Topic) open() (err error) {
	g := t.h.gossip
	if err = g.RegisterTopicValidator(t.full, t.validate, pubsub.WithValidatorInline(true)); err != nil {
		return err
	}
	if t.topic, err = g.Join(t.full); err != nil {
		return err
	}
	err = t.topic.SetScoreParams(&pubsub.TopicScoreParams{
		SkipAtomicValidation: true,
		TopicWeight:          1,
		TimeInMeshWeight:     0.01, TimeInMeshQuantum: time.Second, TimeInMeshCap: 300,
		FirstMessageDeliveriesWeight: 0.05, FirstMessageDeliveriesDecay: pubsub.ScoreParameterDecay(time.Minute), FirstMessageDeliveriesCap: 200,
		InvalidMessageDeliveriesWeight: invalidWeight, InvalidMessageDeliveriesDecay: pubsub.ScoreParameterDecay(invalidFade),
	})
	if err != nil {
		return err
	}
	t.sub, err = t.topic.Subscribe(pubsub.WithBufferSize(gossipQueue))
	return err
}

// validate judges one frame, on one of GossipSub's workers. It is inline: what is checked is cheap, and a goroutine
// for each frame would cost more than the check.
func (t *Topic) validate(_ context.Context, from peer.ID, m *pubsub.Message) (r pubsub.ValidationResult) {
	if m.Local || from == t.h.host.ID() {
		return pubsub.ValidationAccept
	}
	data := m.GetData()
	switch {
	case len(data) < attemptHeader:
		t.h.metrics.reject(rejectMalformed)
		return pubsub.ValidationReject
	case data[0] >= gossipAttempts:
		t.h.metrics.reject(rejectAttempt)
		return pubsub.ValidationReject
	case len(data)-attemptHeader > t.maxSize:
		t.h.metrics.reject(rejectOversized)
		return pubsub.ValidationReject
	}
	switch t.check(from, data[attemptHeader:]) {
	case Accept:
		return pubsub.ValidationAccept
	case Ignore:
		return pubsub.ValidationIgnore
	default:
		t.h.metrics.reject(rejectInvalid)
		return pubsub.ValidationReject
	}
}

// receive hands accepted frames on.
func (t *Topic) receive() {
	defer t.sub.Cancel()
	in := t.h.metrics.gossipIn.WithLabelValues(t.name)
	for {
		m, err := t.sub.Next(t.h.ctx)
		if err != nil {
			return
		}
		if m.ReceivedFrom == t.h.host.ID() || len(m.GetData()) < attemptHeader {
			continue
		}
		in.Inc()
		t.deliver(m.ReceivedFrom, m.GetData()[attemptHeader:])
	}
}

// Publish sends a frame to everyone on the topic, as far as there are peers. The same bytes may be published again,
// up to 16 times within two minutes: each time is a new attempt that peers do not take for a duplicate. After a restart
// the count starts anew, and bytes that were published before it reach those alone that had not seen them.
func (t *Topic) Publish(ctx context.Context, data []byte) error {
	if len(data) > t.maxSize {
		return fmt.Errorf("p2p: topic %s: frame has %d bytes, at most %d are allowed", t.name, len(data), t.maxSize)
	}
	n, ok := t.attempts.next(sha256.Sum256(data), time.Now())
	if !ok {
		return ErrTooManyAttempts
	}
	frame := make([]byte, attemptHeader+len(data))
	frame[0] = n
	copy(frame[attemptHeader:], data)
	if err := t.topic.Publish(ctx, frame); err != nil {
		if t.h.ctx.Err() != nil {
			return ErrClosed
		}
		return fmt.Errorf("p2p: publishing on %s: %w", t.name, err)
	}
	t.h.metrics.gossipOut.WithLabelValues(t.name).Inc()
	return nil
}

// Peers returns the peers known to be on the topic.
func (t *Topic) Peers() []peer.ID {
	ids := t.topic.ListPeers()
	sortPeers(ids)
	return ids
}

// attempts counts how often this node published the same bytes of late, in two generations, so that it is bounded by
// what is published in four minutes.
type attempts struct {
	mu       sync.Mutex
	now, old map[[32]byte]byte
	since    time.Time
}

// next returns the attempt number for a frame with this hash.
func (a *attempts) next(id [32]byte, t time.Time) (byte, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.now == nil || t.Sub(a.since) > 2*gossipSeen {
		a.now, a.old, a.since = make(map[[32]byte]byte), a.now, t
	}
	n, ok := a.now[id]
	if !ok {
		n = a.old[id]
	}
	if n >= gossipAttempts {
		return 0, false
	}
	a.now[id] = n + 1
	return n, true
}
