package rpc

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"github.com/seed06907907/fatty/node/api"
)

// go-jsonrpc has a WebSocket of its own, which reads messages of any length into memory and starts a goroutine for each
// call without bound, and whose channels speak a protocol that only its own clients know. This one bounds both, and its
// notifications are plain JSON-RPC.

const (
	// maxSubscriptions bounds the watches of one socket.
	maxSubscriptions = 16
	// socketCalls bounds the calls of one socket that are worked on at once.
	socketCalls = 8
	// eventBatch bounds the events in one notification.
	eventBatch = 256
	// pingEvery keeps idle sockets alive through proxies; a peer that misses two is gone.
	pingEvery = 20 * time.Second
)

type socket struct {
	s      *Server
	conn   *websocket.Conn
	ctx    context.Context
	cancel context.CancelFunc
	write  sync.Mutex // one writer at a time, as gorilla/websocket demands

	mu    sync.Mutex
	next  uint64
	count int
}

func (s *Server) upgrade(w http.ResponseWriter, r *http.Request) {
	if !s.sockets.take() {
		http.Error(w, "too many WebSockets on this node: try another", http.StatusServiceUnavailable)
		return
	}
	defer s.sockets.give()
	// The origin was checked before.
	up := websocket.Upgrader{HandshakeTimeout: headerTimeout, ReadBufferSize: 4096, WriteBufferSize: 4096, CheckOrigin: func(*http.Request) bool { return true }}
	req := s.caller(r)
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // Upgrade has answered
	}
	s.group.Add(1)
	defer s.group.Done()
	ctx, cancel := context.WithCancel(s.ctx)
	c := &socket{s: s, conn: conn, ctx: ctx, cancel: cancel}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	c.serve(req)
}

func (c *socket) serve(req *request) {
	var calls sync.WaitGroup
	defer calls.Wait()
	defer c.conn.Close()
	defer c.cancel()
	c.conn.SetReadLimit(maxBody)
	alive := func() { _ = c.conn.SetReadDeadline(time.Now().Add(2*pingEvery + headerTimeout)) }
	c.conn.SetPongHandler(func(string) error { alive(); return nil })
	alive()
	calls.Add(1)
	go func() { defer calls.Done(); c.ping() }()
	gate := newSlots(socketCalls)
	for {
		kind, body, err := c.conn.ReadMessage()
		if err != nil {
			return
		}
		alive()
		if kind != websocket.TextMessage && kind != websocket.BinaryMessage {
			return
		}
		sh, err := inspect(body)
		if err != nil {
			_ = c.send(refusal(err))
			continue
		}
		select { // back pressure: a client that asks more than it may waits
		case gate <- struct{}{}:
		case <-c.ctx.Done():
			return
		}
		calls.Add(1)
		go func() {
			defer calls.Done()
			defer gate.give()
			call := &request{token: req.token, local: req.local, socket: c}
			out, err := c.s.answer(c.ctx, call, body, sh)
			if err != nil {
				out = refusal(err)
			}
			if len(out) > 0 && c.send(out) != nil {
				c.cancel()
				return
			}
			for _, watch := range call.watches {
				c.s.group.Add(1)
				go func() { defer c.s.group.Done(); watch() }()
			}
		}()
	}
}

func (c *socket) ping() {
	t := time.NewTicker(pingEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if c.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(headerTimeout)) != nil {
				c.cancel()
				return
			}
		case <-c.ctx.Done():
			return
		}
	}
}

func (c *socket) send(b []byte) error {
	c.write.Lock()
	defer c.write.Unlock()
	_ = c.conn.SetWriteDeadline(time.Now().Add(c.s.opt.WriteTimeout))
	return c.conn.WriteMessage(websocket.TextMessage, b)
}

// subscribe registers a watch; it starts when its answer is out, so that no event overtakes it.
func (c *socket) subscribe(r *request, p api.WatchParams) (*api.Subscription, error) {
	if p.Path == "" {
		p.Path = "/"
	}
	next := c.s.backend.NextEvent()
	from := p.From
	if from == 0 {
		from = next
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.count >= maxSubscriptions {
		return nil, api.Errorf(api.CodeBusy, "%d watches on one socket: at most %d; open another", c.count, maxSubscriptions)
	}
	c.count++
	c.next++
	id := c.next
	r.watches = append(r.watches, func() { c.watch(id, p.Path, from) })
	return &api.Subscription{Subscription: id, Next: next}, nil
}

// watch sends events until the socket ends. The backend is asked again only when the last batch is written, so a slow
// reader costs one batch and no queue; one that is too slow finds its number gone and is told so.
func (c *socket) watch(id uint64, path string, from uint64) {
	defer func() {
		c.mu.Lock()
		c.count--
		c.mu.Unlock()
	}()
	for {
		events, next, err := c.s.backend.Events(c.ctx, path, from, eventBatch)
		n := api.Events{Subscription: id, Events: events}
		if err != nil {
			if c.ctx.Err() != nil {
				return
			}
			n.Events, n.Closed = []api.Event{}, c.s.explain("lock.watch", err).Error()
			var e *api.Error
			if errors.As(err, &e) {
				n.Closed = e.Message
			}
		}
		if len(n.Events) > 0 || n.Closed != "" {
			params, err := json.Marshal([]api.Events{n})
			if err != nil {
				return
			}
			b, err := json.Marshal(struct {
				Version string          `json:"jsonrpc"`
				Method  string          `json:"method"`
				Params  json.RawMessage `json:"params"`
			}{"2.0", api.NotificationEvent, params})
			if err != nil || c.send(b) != nil {
				c.cancel()
				return
			}
		}
		if n.Closed != "" {
			return
		}
		from = next
	}
}
