package node

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/bft/engine"
	"github.com/seed06907907/fatty/p2p"
)

const (
	// protocolFrame carries consensus frames straight to a validator, protocolFetch requests for blocks, decided cuts and
	// attachments.
	protocolFrame = "frame"
	protocolFetch = "fetch"
	// maxFetchRequest bounds a request: a kind and an id, or a range of sequence numbers.
	maxFetchRequest = 4 << 10
	// topicStatus carries the validators' signed word of where they stand to those who only follow: on an idle ledger
	// nothing else would tell one that came late that there is something to fetch.
	topicStatus = "status"
	maxStatus   = 1 << 10
	// statusEvery is how often an unchanged status is published: p2p takes the same bytes 16 times in two minutes.
	statusEvery = 10 * time.Second
	// maxFetchResponse bounds an answer, an attachment or a range of cuts. The engine's bound is the length that p2p's
	// frames no longer have, one byte more than the longest.
	maxFetchResponse = engine.MaxResponseBytes - 1
)

// transport carries the engine's frames: straight to every validator that is connected, and by gossip where that does
// not reach all or where those who only follow listen.
type transport struct {
	host   *p2p.Host
	self   peer.ID
	peers  map[bft.ValidatorID]peer.ID
	ids    []peer.ID // of the other validators
	topics map[string]*p2p.Topic
	log    *slog.Logger
	ctx    context.Context
	engine atomic.Pointer[engine.Engine] // set once, before frames matter

	statusMu   sync.Mutex
	statusSent []byte    // what was published last
	statusAt   time.Time // and when; zero when somebody new is there
}

// validatorTopics are the topics that only validators may join; the others carry what followers live on.
var validatorTopics = map[string]bool{engine.TopicBlocks: true, engine.TopicConsensus: true}

func newTransport(ctx context.Context, host *p2p.Host, peers map[bft.ValidatorID]peer.ID, validator bool, log *slog.Logger) (*transport, error) {
	t := &transport{host: host, self: host.ID(), peers: peers, topics: map[string]*p2p.Topic{}, log: log, ctx: ctx}
	for _, id := range peers {
		if id != t.self {
			t.ids = append(t.ids, id)
		}
	}
	for name, limit := range engine.Topics() {
		if validatorTopics[name] && !validator {
			continue
		}
		topic, err := host.Join(name, validatorTopics[name], limit,
			func(_ peer.ID, data []byte) p2p.Verdict { return t.check(name, data) },
			func(from peer.ID, data []byte) { t.deliver(from, name, data) })
		if err != nil {
			return nil, fmt.Errorf("join topic %s: %w", name, err)
		}
		t.topics[name] = topic
	}
	status, err := host.Join(topicStatus, false, maxStatus,
		func(_ peer.ID, data []byte) p2p.Verdict {
			if bft.PeekKind(data) != bft.KindStatus {
				return p2p.Reject
			}
			return t.check(engine.TopicConsensus, data)
		},
		func(from peer.ID, data []byte) { t.deliver(from, engine.TopicConsensus, data) })
	if err != nil {
		return nil, fmt.Errorf("join topic %s: %w", topicStatus, err)
	}
	t.topics[topicStatus] = status
	if err := host.HandleMessage(protocolFrame, bft.MaxBlockBytes+1<<10, func(from peer.ID, data []byte) {
		// Frames straight from others than validators serve nobody, and each costs a signature's check.
		if slices.Contains(t.ids, from) {
			t.deliver(from, "", data)
		}
	}); err != nil {
		return nil, err
	}
	err = host.Handle(protocolFetch, p2p.StreamLimits{MaxRequest: maxFetchRequest, MaxResponse: maxFetchResponse}, t.serve)
	return t, err
}

func (t *transport) check(topic string, data []byte) p2p.Verdict {
	e := t.engine.Load()
	if e == nil {
		return p2p.Ignore
	}
	switch e.Validate(topic, data) {
	case engine.Accept:
		return p2p.Accept
	case engine.Reject:
		return p2p.Reject
	}
	return p2p.Ignore
}

func (t *transport) deliver(from peer.ID, topic string, data []byte) {
	if e := t.engine.Load(); e != nil {
		e.Deliver(from.String(), topic, data)
	}
}

func (t *transport) serve(ctx context.Context, from peer.ID, req []byte) ([]byte, error) {
	e := t.engine.Load()
	if e == nil {
		return nil, fmt.Errorf("this node is starting: ask again")
	}
	return e.Serve(ctx, from.String(), req)
}

// Broadcast implements engine.Transport.
func (t *transport) Broadcast(topic string, frame []byte) {
	all := true
	for _, id := range t.ids {
		if t.host.Send(id, protocolFrame, frame) != nil {
			all = false
		}
	}
	t.tellFollowers(frame)
	tp := t.topics[topic]
	if tp == nil || (all && validatorTopics[topic]) {
		return
	}
	if err := tp.Publish(t.ctx, frame); err != nil && t.ctx.Err() == nil {
		t.log.Debug("publish", "topic", topic, "error", err)
	}
}

// tellFollowers publishes a status when it says something new, when somebody new is there, and now and then.
func (t *transport) tellFollowers(frame []byte) {
	if bft.PeekKind(frame) != bft.KindStatus {
		return
	}
	t.statusMu.Lock()
	due := !bytes.Equal(frame, t.statusSent) || time.Since(t.statusAt) >= statusEvery
	if due {
		t.statusSent, t.statusAt = frame, time.Now()
	}
	t.statusMu.Unlock()
	if !due {
		return
	}
	if err := t.topics[topicStatus].Publish(t.ctx, frame); err != nil && t.ctx.Err() == nil {
		t.log.Debug("publish", "topic", topicStatus, "error", err)
	}
}

// newcomer makes the next status go out to a peer that has just come.
func (t *transport) newcomer() {
	t.statusMu.Lock()
	defer t.statusMu.Unlock()
	t.statusAt = time.Time{}
}

// Send implements engine.Transport.
func (t *transport) Send(to bft.ValidatorID, frame []byte) {
	t.tellFollowers(frame)
	if id, ok := t.peers[to]; ok && id != t.self {
		_ = t.host.Send(id, protocolFrame, frame) // best effort: the engine repeats what matters
	}
}

// Request implements engine.Transport.
func (t *transport) Request(ctx context.Context, to bft.ValidatorID, req []byte, limit int) ([]byte, error) {
	id, ok := t.peers[to]
	if !ok {
		return nil, fmt.Errorf("validator %x is not in the genesis", to[:8])
	}
	return t.host.Request(ctx, id, protocolFetch, req, min(limit, maxFetchResponse))
}
