package p2p

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// Why something was dropped or refused: the label values of the counters below. They are few and fixed, so that no
// peer can make label values of its own.
const (
	dropValidation  = "validation-queue" // GossipSub's queue before validators was full
	dropOutbound    = "gossip-outbound"  // GossipSub's queue to one peer was full
	dropSubscriber  = "subscriber"       // deliver was too slow for its topic
	dropSendQueue   = "send-queue"       // Send: the queue to one peer was full
	dropSendOffline = "send-offline"     // Send: the peer is not connected, or the stream broke
	dropInFlight    = "in-flight"        // a request beyond the peer's or the protocol's count in flight
	dropRate        = "rate"             // requests or messages beyond the peer's rate
	dropProviders   = "provider-store"   // a provider record beyond the store's bound

	rejectOutsider  = "outsider"   // a publisher or forwarder on a validators' topic that is no validator
	rejectOversized = "oversized"  // a length prefix or a gossip frame above its bound
	rejectMalformed = "malformed"  // a frame that cannot be decoded
	rejectInvalid   = "invalid"    // the topic's check said Reject
	rejectSlow      = "slow"       // a frame that did not arrive, or was not taken, within the deadline
	rejectAttempt   = "attempt"    // a gossip frame with an attempt number out of range
	rejectDialAddr  = "dial-addr"  // a private address that is not dialled
	rejectBanned    = "banned"     // a connection of a peer that misbehaved a short time ago
	rejectUnsolicit = "unexpected" // streams beyond what one peer may keep open
)

// metrics are fatty's own; libp2p registers more under libp2p_*.
type metrics struct {
	peers       prometheus.GaugeFunc
	streams     *prometheus.GaugeVec   // protocol
	drops       *prometheus.CounterVec // reason
	rejects     *prometheus.CounterVec // reason
	gossipIn    *prometheus.CounterVec // topic
	gossipOut   *prometheus.CounterVec // topic
	messagesIn  *prometheus.CounterVec // protocol
	messagesOut *prometheus.CounterVec // protocol
	requestsIn  *prometheus.CounterVec // protocol, result
	requestsOut *prometheus.CounterVec // protocol, result
	requestTime *prometheus.HistogramVec
	announced   *prometheus.CounterVec // result
	provided    prometheus.Gauge
	known       prometheus.Gauge
}

func newMetrics(connected func() int) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "fatty", Subsystem: "p2p", Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.GaugeOpts {
		return prometheus.GaugeOpts{Namespace: "fatty", Subsystem: "p2p", Name: name, Help: help}
	}
	m := &metrics{
		peers:       prometheus.NewGaugeFunc(gauge("peers", "Connected peers."), func() float64 { return float64(connected()) }),
		streams:     prometheus.NewGaugeVec(gauge("streams", "Inbound streams open, by protocol."), []string{"protocol"}),
		drops:       counter("drops_total", "Frames and records dropped for want of room, by place.", "reason"),
		rejects:     counter("rejects_total", "Frames, streams and connections refused, by reason.", "reason"),
		gossipIn:    counter("gossip_received_total", "Gossip frames accepted from peers, by topic.", "topic"),
		gossipOut:   counter("gossip_published_total", "Gossip frames published by this node, by topic.", "topic"),
		messagesIn:  counter("messages_received_total", "One-way frames received, by protocol.", "protocol"),
		messagesOut: counter("messages_sent_total", "One-way frames written, by protocol.", "protocol"),
		requestsIn:  counter("requests_served_total", "Requests of peers, by protocol and result.", "protocol", "result"),
		requestsOut: counter("requests_total", "Requests to peers, by protocol and result.", "protocol", "result"),
		requestTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: "fatty", Subsystem: "p2p",
			Name: "request_seconds", Help: "Time of successful requests to peers, by protocol.",
			Buckets: prometheus.ExponentialBuckets(0.0002, 4, 9)}, []string{"protocol"}),
		announced: counter("announcements_total", "Provider records announced to the DHT, by result.", "result"),
		provided:  prometheus.NewGauge(gauge("provided_records", "Provider records this node keeps alive.")),
		known:     prometheus.NewGauge(gauge("known_peers", "Peers remembered for a restart.")),
	}
	return m
}

func (m *metrics) register(reg prometheus.Registerer) error {
	if reg == nil {
		return nil
	}
	for _, c := range m.collectors() {
		if err := reg.Register(c); err != nil {
			return fmt.Errorf("p2p: registering metrics: give each host a Registerer of its own: %w", err)
		}
	}
	return nil
}

func (m *metrics) drop(reason string)   { m.drops.WithLabelValues(reason).Inc() }
func (m *metrics) reject(reason string) { m.rejects.WithLabelValues(reason).Inc() }

// collectors lists every metric of this package.
func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.peers, m.streams, m.drops, m.rejects, m.gossipIn, m.gossipOut, m.messagesIn,
		m.messagesOut, m.requestsIn, m.requestsOut, m.requestTime, m.announced, m.provided, m.known}
}

// unregister frees the names for a host that is made later with the same registry.
func (m *metrics) unregister(reg prometheus.Registerer) {
	if reg == nil {
		return
	}
	for _, c := range m.collectors() {
		reg.Unregister(c)
	}
}
