package p2p

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// A request is a stream of its own: one frame there, the writing side closed, one frame back. A response's payload
// starts with a status byte.
const (
	responseOK    = 0
	responseError = 1 // the rest is text for a human

	maxErrorText = 512 // bytes of an error's text that cross the network

	defaultDeadline   = 10 * time.Second // for a whole request, on either side
	defaultInFlight   = 16               // requests of one peer that are served at once, on one protocol
	defaultTotal      = 256              // requests of all peers that are no validators, on one protocol
	defaultPerSecond  = 256              // requests of one peer that is no validator, on one protocol
	smallFrame        = 64 << 10         // up to this a frame is copied behind its header, so that it is one write
	maxFrameSize      = 8 << 20          // no protocol may ask for larger frames: libp2p lets a stream use 16 MiB
	maxTrackedPeers   = 8192             // peers with a count or a rate; above it idle ones are forgotten
	rateBurst         = 2                // seconds' worth of requests that may come at once
	waitFactor        = 4                // requests waiting or served, as a multiple of those served
	responseMaxExtras = 1                // the status byte
)

// Errors of Request.
var (
	// ErrBusy is returned when the peer refused a request because too many are in flight.
	ErrBusy = errors.New("p2p: the peer is busy: ask another one or later")
	// ErrNotConnected is returned by Send for a peer without a connection.
	ErrNotConnected = errors.New("p2p: the peer is not connected")
)

// RemoteError is what the peer's handler returned, as text. The text is the peer's: not to be trusted.
type RemoteError struct{ Text string }

func (e *RemoteError) Error() string { return "p2p: the peer answered: " + e.Text }

// StreamLimits bound one request protocol on the serving side. Zero fields have a default.
type StreamLimits struct {
	MaxRequest      int           // bytes; required
	MaxResponse     int           // bytes; required
	Deadline        time.Duration // from the stream's start to its end; 0: 10 s
	InFlightPerPeer int           // served at once; as many times four may wait, more are refused; 0: 16
	InFlight        int           // the same of all peers that are no validators together; 0: 256
	PerSecond       int           // of one peer that is no validator; 0: 256
}

type requestHandler struct {
	h     *Host
	name  string
	limit StreamLimits
	serve func(ctx context.Context, from peer.ID, req []byte) ([]byte, error)

	mu    sync.Mutex
	total int           // requests of peers that are no validators, served or waiting
	slots chan struct{} // theirs
	peers map[peer.ID]*usage
}

// usage is what one peer uses of one protocol.
type usage struct {
	inFlight int           // served or waiting
	slots    chan struct{} // one token for each that is served
	rate     bucket
}

// bucket is a token bucket.
type bucket struct {
	tokens float64
	at     time.Time
}

// take takes one token, or says how long to wait for it.
func (b *bucket) take(now time.Time, perSecond int) (wait time.Duration) {
	burst := float64(perSecond * rateBurst)
	if b.at.IsZero() {
		b.tokens = burst
	} else {
		b.tokens = min(burst, b.tokens+now.Sub(b.at).Seconds()*float64(perSecond))
	}
	b.at = now
	if b.tokens < 1 {
		return max(1, time.Duration((1-b.tokens)/float64(perSecond)*float64(time.Second))) // never 0: that means taken
	}
	b.tokens--
	return 0
}

type requestTable struct {
	mu       sync.Mutex
	handlers map[string]*requestHandler
}

func (t *requestTable) init(*Host) { t.handlers = make(map[string]*requestHandler) }

// Handle serves requests of a protocol, a name without slashes. f runs on a goroutine for each request, with a ctx
// that ends at the deadline; its error's text goes to the peer.
func (h *Host) Handle(name string, lim StreamLimits, f func(ctx context.Context, from peer.ID, req []byte) ([]byte, error)) error {
	if err := checkName("protocol", name, maxProtocolName); err != nil {
		return err
	}
	if lim.MaxRequest < 0 || lim.MaxRequest > maxFrameSize || lim.MaxResponse < 0 || lim.MaxResponse >= maxFrameSize {
		return fmt.Errorf("p2p: protocol %s: MaxRequest and MaxResponse must be between 0 and %d", name, maxFrameSize)
	}
	if lim.Deadline < 0 || lim.InFlightPerPeer < 0 || lim.InFlight < 0 || lim.PerSecond < 0 {
		return fmt.Errorf("p2p: protocol %s: limits cannot be negative", name)
	}
	if f == nil {
		return fmt.Errorf("p2p: protocol %s: no handler is given", name)
	}
	if lim.Deadline == 0 {
		lim.Deadline = defaultDeadline
	}
	for p, v := range map[*int]int{&lim.InFlightPerPeer: defaultInFlight, &lim.InFlight: defaultTotal, &lim.PerSecond: defaultPerSecond} {
		if *p == 0 {
			*p = v
		}
	}
	r := &requestHandler{h: h, name: name, limit: lim, serve: f, peers: make(map[peer.ID]*usage), slots: make(chan struct{}, lim.InFlight)}
	h.requests.mu.Lock()
	defer h.requests.mu.Unlock()
	if h.requests.handlers[name] != nil {
		return fmt.Errorf("p2p: protocol %s has a handler already", name)
	}
	h.requests.handlers[name] = r
	h.host.SetStreamHandler(h.protocolID(name), r.handle)
	return nil
}

// enter counts a request in, if there is room for it to be served or to wait.
func (r *requestHandler) enter(id peer.ID, validator bool) (u *usage, reason string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u = r.peers[id]
	if u == nil {
		if len(r.peers) >= maxTrackedPeers {
			r.sweep()
		}
		u = &usage{slots: make(chan struct{}, r.limit.InFlightPerPeer)}
		r.peers[id] = u
	}
	if u.inFlight >= waitFactor*r.limit.InFlightPerPeer || !validator && r.total >= waitFactor*r.limit.InFlight {
		return nil, dropInFlight
	}
	if !validator && u.rate.take(time.Now(), r.limit.PerSecond) > 0 {
		return nil, dropRate
	}
	u.inFlight++
	if !validator {
		r.total++
	}
	return u, ""
}

func (r *requestHandler) leave(u *usage, validator bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	u.inFlight--
	if !validator {
		r.total--
	}
}

// acquire waits for a slot until ctx ends. An honest peer's burst waits here, and so does a request whose
// predecessors have been answered but not yet been put away.
func acquire(ctx context.Context, slots chan struct{}) bool {
	select {
	case slots <- struct{}{}:
		return true
	default:
	}
	select {
	case slots <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// sweep forgets idle peers whose buckets are full again: forgetting them gives them nothing.
func (r *requestHandler) sweep() {
	for id, u := range r.peers {
		if u.inFlight == 0 && time.Since(u.rate.at) > rateBurst*time.Second {
			delete(r.peers, id)
		}
	}
}

func (r *requestHandler) handle(s network.Stream) {
	from := s.Conn().RemotePeer()
	m := r.h.metrics
	validator := r.h.validators.has(from)
	u, reason := r.enter(from, validator)
	if reason != "" {
		m.drop(reason)
		m.requestsIn.WithLabelValues(r.name, "busy").Inc()
		r.h.penalize(from, pointsFlood)
		_ = s.ResetWithError(network.StreamRateLimited)
		return
	}
	defer r.leave(u, validator)
	gauge := m.streams.WithLabelValues(r.name)
	gauge.Inc()
	defer gauge.Dec()
	ctx, cancel := context.WithTimeout(r.h.ctx, r.limit.Deadline)
	defer cancel()
	ok := acquire(ctx, u.slots)
	if ok {
		defer func() { <-u.slots }()
		if !validator {
			if ok = acquire(ctx, r.slots); ok {
				defer func() { <-r.slots }()
			}
		}
	}
	if !ok {
		m.drop(dropInFlight)
		m.requestsIn.WithLabelValues(r.name, "busy").Inc()
		_ = s.ResetWithError(network.StreamRateLimited)
		return
	}
	m.requestsIn.WithLabelValues(r.name, r.answer(ctx, s, from)).Inc()
}

// answer reads, serves and writes one request and says how it went.
func (r *requestHandler) answer(ctx context.Context, s network.Stream, from peer.ID) (result string) {
	if d, ok := ctx.Deadline(); ok {
		if err := s.SetDeadline(d); err != nil {
			_ = s.Reset()
			return "failed"
		}
	}
	req, err := readFrame(s, r.limit.MaxRequest, reserver(s))
	if err != nil {
		_ = s.Reset()
		return r.h.blame(from, err)
	}
	resp, err := r.serve(ctx, from, req)
	if err == nil && len(resp) > r.limit.MaxResponse {
		r.h.log.Error("a response is larger than its protocol allows", "protocol", r.name, "bytes", len(resp), "most", r.limit.MaxResponse)
		err = errors.New("the response would be too large")
	}
	status, result := byte(responseOK), "ok"
	if err != nil {
		text := err.Error()
		status, resp, result = responseError, []byte(text[:min(len(text), maxErrorText)]), "error"
	}
	if err := writeFrame(s, []byte{status}, resp); err != nil {
		_ = s.Reset()
		return r.h.blame(from, err)
	}
	if err := s.Close(); err != nil {
		_ = s.Reset()
		return "failed"
	}
	return result
}

// reserver asks the resource manager before a frame's buffer grows; the stream's end gives the memory back.
func reserver(s network.Stream) func(int) error {
	return func(n int) error { return s.Scope().ReserveMemory(n, network.ReservationPriorityMedium) }
}

// writeFrame writes a frame: small ones in one write, the payload of large ones uncopied.
func writeFrame(s network.Stream, prefix, payload []byte) error {
	if len(payload) <= smallFrame {
		_, err := s.Write(appendFrame(make([]byte, 0, frameHeader+len(prefix)+len(payload)), prefix, payload))
		return err
	}
	n := len(prefix) + len(payload)
	head := append([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, prefix...)
	if _, err := s.Write(head); err != nil {
		return err
	}
	_, err := s.Write(payload)
	return err
}

// blame sorts what went wrong with a peer's frame, counts it, and gives points for what an honest peer never does.
func (h *Host) blame(from peer.ID, err error) (result string) {
	switch {
	case errors.Is(err, ErrFrameTooLarge):
		h.metrics.reject(rejectOversized)
		h.penalize(from, pointsBadFrame)
		return rejectOversized
	case errors.Is(err, ErrFrameTruncated):
		h.metrics.reject(rejectMalformed)
		h.penalize(from, pointsBadFrame)
		return rejectMalformed
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		h.metrics.reject(rejectSlow)
		h.penalize(from, pointsFlood)
		return rejectSlow
	default:
		return "failed" // it hung up: no fault
	}
}

// Request asks a peer and waits for its answer of at most maxResponse bytes. It dials if it must and may. Without a
// deadline in ctx it ends after 10 s. Errors: RemoteError, ErrBusy, ErrFrameTooLarge, or why it could not be asked.
func (h *Host) Request(ctx context.Context, to peer.ID, name string, req []byte, maxResponse int) ([]byte, error) {
	if len(req) > maxFrameSize || maxResponse < 0 || maxResponse >= maxFrameSize {
		return nil, fmt.Errorf("p2p: request on %s: request and response must be below %d bytes", name, maxFrameSize)
	}
	ctx, cancel := context.WithTimeout(ctx, defaultDeadline)
	if d, ok := ctx.Deadline(); ok && time.Until(d) <= 0 {
		cancel()
		return nil, fmt.Errorf("p2p: request on %s: %w", name, context.DeadlineExceeded)
	}
	defer cancel()
	start := time.Now()
	resp, err := h.request(ctx, to, h.protocolID(name), req, maxResponse)
	var result string
	switch remote := (*RemoteError)(nil); {
	case err == nil:
		h.metrics.requestsOut.WithLabelValues(name, "ok").Inc()
		h.metrics.requestTime.WithLabelValues(name).Observe(time.Since(start).Seconds())
		return resp, nil
	case errors.As(err, &remote):
		result = "error"
	case errors.Is(err, ErrBusy):
		result = "busy"
	case ctx.Err() != nil || errors.Is(err, os.ErrDeadlineExceeded):
		result = "timeout"
		err = fmt.Errorf("%w: %w", context.DeadlineExceeded, err)
		if cause := ctx.Err(); cause != nil && !errors.Is(cause, context.DeadlineExceeded) {
			err = cause
		}
	default:
		result = "failed"
	}
	h.metrics.requestsOut.WithLabelValues(name, result).Inc()
	return nil, fmt.Errorf("p2p: request on %s to %s: %w", name, to, err)
}

func (h *Host) request(ctx context.Context, to peer.ID, id protocol.ID, req []byte, maxResponse int) ([]byte, error) {
	s, err := h.host.NewStream(ctx, to, id)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = s.Reset() })
	defer stop()
	if d, ok := ctx.Deadline(); ok {
		if err := s.SetDeadline(d); err != nil {
			_ = s.Reset()
			return nil, err
		}
	}
	resp, err := exchange(s, req, maxResponse)
	if err != nil {
		_ = s.Reset()
		var se *network.StreamError
		if errors.As(err, &se) && se.Remote && se.ErrorCode == network.StreamRateLimited {
			return nil, ErrBusy
		}
		if errors.Is(err, ErrFrameTooLarge) || errors.Is(err, ErrFrameTruncated) {
			h.blame(to, err)
		}
		return nil, err
	}
	_ = s.Close() // everything has been read; how the peer ends its side changes nothing
	if resp[0] == responseOK {
		return resp[responseMaxExtras:], nil
	}
	text := resp[responseMaxExtras:]
	return nil, &RemoteError{Text: string(text[:min(len(text), maxErrorText)])}
}

func exchange(s network.Stream, req []byte, maxResponse int) ([]byte, error) {
	// A peer that refuses, or has answered and closed before our side is closed, makes writing fail: only reading
	// tells the two apart, and gives the reason.
	werr := writeFrame(s, nil, req)
	if werr == nil {
		_ = s.CloseWrite()
	}
	resp, err := readFrame(s, max(maxResponse, maxErrorText)+responseMaxExtras, reserver(s))
	if err != nil {
		if werr != nil && (errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded)) {
			err = werr
		}
		return nil, err
	}
	if len(resp) == 0 || resp[0] > responseError {
		return nil, fmt.Errorf("%w: a response without a known status", ErrFrameTruncated)
	}
	if resp[0] == responseOK && len(resp)-responseMaxExtras > maxResponse {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrFrameTooLarge, len(resp)-responseMaxExtras, maxResponse)
	}
	return resp, nil
}
