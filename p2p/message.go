package p2p

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// One-way frames go on one stream for each peer and protocol, which stays open. Nothing waits for more frames to
// come: the writer takes what is queued and writes it at once.
const (
	messageStreams   = 4               // inbound streams one peer may keep open on one protocol; a reconnect needs two
	messageBuffer    = 32 << 10        // read buffer of an inbound stream
	messagePerSecond = 1024            // frames a second read from a peer that is no validator; more wait in its stream
	openTimeout      = 5 * time.Second // for opening the stream on a connection that exists
	coalesceBytes    = 256 << 10       // queued frames are written together up to this
	drainOnFailure   = 2               // attempts for what is queued: a stream may have broken while it was idle
)

// ErrQueueFull is returned by Send when the peer does not take frames as fast as they are sent.
var ErrQueueFull = errors.New("p2p: the queue to the peer is full: the frame was dropped")

type messageTable struct {
	h *Host

	mu       sync.Mutex
	handlers map[string]*messageHandler
	senders  map[senderKey]*sender
	closed   bool
}

type senderKey struct {
	to   peer.ID
	name string
}

type messageHandler struct {
	h       *Host
	name    string
	max     int
	f       func(from peer.ID, data []byte)
	mu      sync.Mutex
	streams map[peer.ID]int
}

func (t *messageTable) init(h *Host) {
	t.h, t.handlers, t.senders = h, make(map[string]*messageHandler), make(map[senderKey]*sender)
}

// HandleMessage receives one-way frames of a protocol, a name without slashes, of at most max bytes. f is called on a
// goroutine for each peer, in the order of sending; while it runs, that peer waits. f may keep data.
func (h *Host) HandleMessage(name string, max int, f func(from peer.ID, data []byte)) error {
	if err := checkName("protocol", name, maxProtocolName); err != nil {
		return err
	}
	if max <= 0 || max > maxFrameSize {
		return fmt.Errorf("p2p: protocol %s: frames must be between 1 and %d bytes", name, maxFrameSize)
	}
	if f == nil {
		return fmt.Errorf("p2p: protocol %s: no handler is given", name)
	}
	m := &messageHandler{h: h, name: name, max: max, f: f, streams: make(map[peer.ID]int)}
	h.messages.mu.Lock()
	defer h.messages.mu.Unlock()
	if h.messages.handlers[name] != nil {
		return fmt.Errorf("p2p: protocol %s has a handler already", name)
	}
	h.messages.handlers[name] = m
	h.host.SetStreamHandler(h.protocolID(name), m.handle)
	return nil
}

func (m *messageHandler) handle(s network.Stream) {
	from := s.Conn().RemotePeer()
	m.mu.Lock()
	if m.streams[from] >= messageStreams {
		m.mu.Unlock()
		m.h.metrics.reject(rejectUnsolicit)
		m.h.penalize(from, pointsFlood)
		_ = s.ResetWithError(network.StreamRateLimited)
		return
	}
	m.streams[from]++
	m.mu.Unlock()
	gauge := m.h.metrics.streams.WithLabelValues(m.name)
	gauge.Inc()
	defer func() {
		gauge.Dec()
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.streams[from]--; m.streams[from] == 0 {
			delete(m.streams, from)
		}
	}()
	if err := m.read(s, from); err != nil && !errors.Is(err, io.EOF) {
		m.h.blame(from, err)
		_ = s.Reset()
		return
	}
	_ = s.Close()
}

// read hands frames on until the stream ends or misbehaves.
func (m *messageHandler) read(s network.Stream, from peer.ID) error {
	in := m.h.metrics.messagesIn.WithLabelValues(m.name)
	r := bufio.NewReaderSize(s, messageBuffer)
	var rate bucket
	for {
		// Between frames the stream may rest as long as it likes; inside one there is a deadline.
		if r.Buffered() == 0 {
			if err := s.SetReadDeadline(time.Time{}); err != nil {
				return err
			}
			if _, err := r.Peek(1); err != nil {
				return err
			}
		}
		if !wholeFrame(r) {
			if err := s.SetReadDeadline(time.Now().Add(m.h.cfg.Limits.FrameTimeout)); err != nil {
				return err
			}
		}
		// Memory of frames is not reserved on the stream's scope, which would count every frame until the stream
		// ends: one frame of at most max bytes is held for each stream, and streams are counted.
		data, err := readFrame(r, m.max, nil)
		if err != nil {
			return err
		}
		if !m.h.validators.has(from) {
			if wait := rate.take(time.Now(), messagePerSecond); wait > 0 && !m.h.pause(wait) {
				return io.EOF
			}
		}
		in.Inc()
		m.f(from, data)
	}
}

// wholeFrame says whether the reader holds a complete frame, so that no deadline is needed to read it.
func wholeFrame(r *bufio.Reader) bool {
	if r.Buffered() < frameHeader {
		return false
	}
	head, err := r.Peek(frameHeader)
	if err != nil {
		return false
	}
	n := uint64(head[0])<<24 | uint64(head[1])<<16 | uint64(head[2])<<8 | uint64(head[3])
	return uint64(r.Buffered()) >= frameHeader+n
}

// sender is the queue and the stream to one peer on one protocol.
type sender struct {
	h    *Host
	key  senderKey
	wake chan struct{} // one token when the queue has something, or is closed

	mu     sync.Mutex
	queue  [][]byte
	bytes  int
	closed bool

	done chan struct{} // closed by forget: the writer ends
}

// Send queues a frame for a connected peer and returns at once. The frame is sent best effort: an error says that it
// was dropped here (ErrNotConnected, ErrQueueFull), nil says nothing of its arrival. The caller must not change data
// afterwards.
func (h *Host) Send(to peer.ID, name string, data []byte) error {
	if len(data) > maxFrameSize {
		return fmt.Errorf("p2p: frame for %s has %d bytes, at most %d are allowed", name, len(data), maxFrameSize)
	}
	if !h.Connected(to) {
		h.metrics.drop(dropSendOffline)
		return ErrNotConnected
	}
	s, err := h.messages.sender(senderKey{to, name})
	if err != nil {
		return err
	}
	return s.push(data)
}

func (t *messageTable) sender(key senderKey) (*sender, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, ErrClosed
	}
	s := t.senders[key]
	if s == nil {
		s = &sender{h: t.h, key: key, wake: make(chan struct{}, 1), done: make(chan struct{})}
		if !t.h.spawn(s.write) {
			return nil, ErrClosed
		}
		t.senders[key] = s
	}
	return s, nil
}

// forget ends the senders to a peer that is gone.
func (t *messageTable) forget(id peer.ID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, s := range t.senders {
		if key.to == id {
			delete(t.senders, key)
			s.end()
		}
	}
}

func (t *messageTable) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	for key, s := range t.senders {
		delete(t.senders, key)
		s.end()
	}
}

// end closes the queue; the frames in it count as dropped.
func (s *sender) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.closed = true
	close(s.done)
	for range s.queue {
		s.h.metrics.drop(dropSendOffline)
	}
	s.queue, s.bytes = nil, 0
}

func (s *sender) push(data []byte) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.h.metrics.drop(dropSendOffline)
		return ErrNotConnected
	}
	if len(s.queue) >= s.h.cfg.Limits.SendQueueFrames || s.bytes+len(data) > s.h.cfg.Limits.SendQueueBytes && len(s.queue) > 0 {
		s.mu.Unlock()
		s.h.metrics.drop(dropSendQueue)
		return ErrQueueFull
	}
	s.queue = append(s.queue, data)
	s.bytes += len(data)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// take waits for frames and takes as many as go into one write; ok is false when the sender ends.
func (s *sender) take() (frames [][]byte, ok bool) {
	for {
		s.mu.Lock()
		if len(s.queue) > 0 {
			n, size := 0, 0
			for n < len(s.queue) && (n == 0 || size+len(s.queue[n]) <= coalesceBytes) {
				size += len(s.queue[n])
				n++
			}
			frames = append([][]byte(nil), s.queue[:n]...)
			rest := copy(s.queue, s.queue[n:])
			clear(s.queue[rest:])
			s.queue = s.queue[:rest]
			s.bytes -= size
			s.mu.Unlock()
			return frames, true
		}
		s.mu.Unlock()
		select {
		case <-s.wake:
		case <-s.done:
			return nil, false
		case <-s.h.ctx.Done():
			return nil, false
		}
	}
}

// write is the sender's goroutine.
func (s *sender) write() {
	var stream network.Stream
	defer func() {
		if stream != nil {
			_ = stream.Reset()
		}
	}()
	out := s.h.metrics.messagesOut.WithLabelValues(s.key.name)
	var buf []byte
	for {
		frames, ok := s.take()
		if !ok {
			return
		}
		buf = buf[:0]
		for _, f := range frames {
			buf = appendFrame(buf, f)
		}
		var err error
		for range drainOnFailure {
			fresh := stream == nil
			if fresh {
				if stream, err = s.open(); err != nil {
					stream = nil
					break
				}
			}
			if err = stream.SetWriteDeadline(time.Now().Add(s.h.cfg.Limits.FrameTimeout)); err == nil {
				_, err = stream.Write(buf)
			}
			if err == nil {
				break
			}
			_ = stream.Reset()
			stream = nil
			if fresh {
				break // a new stream that fails at once will do so again
			}
		}
		if err != nil {
			for range frames {
				s.h.metrics.drop(dropSendOffline)
			}
			s.h.log.Debug("one-way frames could not be written", "peer", s.key.to, "protocol", s.key.name, "frames", len(frames), "error", err)
			continue
		}
		out.Add(float64(len(frames)))
		if cap(buf) > 4*coalesceBytes {
			buf = nil // a huge frame's buffer is not kept
		}
	}
}

func (s *sender) open() (network.Stream, error) {
	ctx, cancel := context.WithTimeout(s.h.ctx, openTimeout)
	defer cancel()
	return s.h.host.NewStream(network.WithNoDial(ctx, "one-way frames go to connected peers"), s.key.to, s.h.protocolID(s.key.name))
}
