package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/websocket"

	"github.com/seed06907907/fatty/node/api"
)

const (
	// watchQueue is how many events wait for a slow reader before the node has to.
	watchQueue = 256
	// silence is how long a socket may say nothing, pings included, before it is taken for dead.
	silence = time.Minute
	// maxPause bounds the growing pause between two dials.
	maxPause = 5 * time.Second
)

// Watch returns the events under a path from now on.
func (c *Client) Watch(ctx context.Context, path string) <-chan api.Event {
	return c.WatchFrom(ctx, path, 0)
}

// WatchFrom returns the events under a path whose number is at least from; 0 means from now on. When a connection breaks it
// dials again, another node if need be, and goes on behind the last event, so that none is lost and none comes twice, but
// for events that no node keeps any longer: then it goes on with those that are kept. The channel closes when ctx ends.
func (c *Client) WatchFrom(ctx context.Context, path string, from uint64) <-chan api.Event {
	out := make(chan api.Event, watchQueue)
	go func() {
		defer close(out)
		wait := retryPause
		for n := 0; ctx.Err() == nil; n++ {
			order := c.order()
			i := order[n%len(order)]
			got, err := c.watch(ctx, i, path, &from, out)
			if got {
				wait, n = retryPause, -1
				c.prefer(i)
			}
			if errors.Is(err, errGone) {
				from = 0
			}
			if pause(ctx, wait) != nil {
				return
			}
			wait = min(2*wait, maxPause)
		}
	}()
	return out
}

// errGone says that a node keeps events from a later number on only.
var errGone = errors.New("events that far back are gone")

// watch follows one node until it fails. from moves behind each event that was handed out; got says that the node took
// the subscription.
func (c *Client) watch(ctx context.Context, i int, path string, from *uint64, out chan<- api.Event) (got bool, err error) {
	u := *c.nodes[i]
	u.Scheme = map[string]string{"http": "ws", "https": "wss"}[u.Scheme]
	header := http.Header{}
	if c.cfg.Token != "" {
		header.Set("Authorization", "Bearer "+c.cfg.Token)
	}
	conn, err := dialSocket(ctx, &u, header)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	conn.SetReadLimit(maxAnswer)
	alive := func() { _ = conn.SetReadDeadline(time.Now().Add(silence)) }
	ping := conn.PingHandler()
	conn.SetPingHandler(func(s string) error { alive(); return ping(s) })
	alive()
	if err := conn.WriteJSON(api.Request{Version: "2.0", ID: 1, Method: "lock.watch", Params: api.WatchParams{Path: path, From: *from}}); err != nil {
		return false, err
	}
	for {
		_, raw, err := conn.ReadMessage()
		if err != nil {
			return got, err
		}
		alive()
		var r api.Response
		if err := json.Unmarshal(raw, &r); err != nil {
			return got, fmt.Errorf("a message that is no JSON-RPC: %w", err)
		}
		switch {
		case r.Error != nil:
			if r.Error.Code == api.CodeGone {
				return got, errGone
			}
			return got, r.Error
		case r.Method == "":
			var s api.Subscription
			if err := json.Unmarshal(r.Result, &s); err != nil {
				return got, err
			}
			got = true
			if *from == 0 {
				*from = s.Next
			}
		case r.Method == api.NotificationEvent:
			var list []api.Events
			if err := json.Unmarshal(r.Params, &list); err != nil || len(list) != 1 {
				return got, fmt.Errorf("a notification that does not fit lock.event: %w", err)
			}
			for _, e := range list[0].Events {
				if e.Number < *from {
					continue
				}
				select {
				case out <- e:
					*from = e.Number + 1
				case <-ctx.Done():
					return got, ctx.Err()
				}
			}
			if list[0].Closed != "" {
				return got, errGone
			}
		}
	}
}

func dialSocket(ctx context.Context, u *url.URL, header http.Header) (*websocket.Conn, error) {
	d := websocket.Dialer{HandshakeTimeout: dialTimeout}
	conn, resp, err := d.DialContext(ctx, u.String(), header)
	if resp != nil && resp.Body != nil {
		resp.Body.Close()
	}
	return conn, err
}
