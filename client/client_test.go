package client

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
)

// serve starts a node that answers each method as told; an *api.Error is answered as one.
func serve(t *testing.T, answer func(method string, params json.RawMessage) any) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var req struct {
			Method string          `json:"method"`
			Params json.RawMessage `json:"params"`
		}
		if err := json.NewDecoder(r.Body).Decode(&req); err != nil {
			t.Error(err)
		}
		out := answer(req.Method, req.Params)
		var resp any = map[string]any{"jsonrpc": "2.0", "id": 1, "result": out}
		if e, ok := out.(*api.Error); ok {
			resp = map[string]any{"jsonrpc": "2.0", "id": 1, "error": e}
		}
		_ = json.NewEncoder(w).Encode(resp)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func newClient(t *testing.T, nodes ...string) *Client {
	t.Helper()
	c, err := New(Config{Nodes: nodes, Key: ed25519.NewKeyFromSeed(make([]byte, 32))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestNewRefuses(t *testing.T) {
	for _, cfg := range []Config{
		{}, {Nodes: []string{"ftp://x"}}, {Nodes: []string{"http://"}}, {Nodes: make([]string, maxNodes+1)},
		{Nodes: []string{"x:1"}, Key: make([]byte, 3)},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v accepted", cfg)
		}
	}
}

// TestAnotherNode goes on when a node is down, busy or talks nonsense, and stays with the one that answers.
func TestAnotherNode(t *testing.T) {
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	nonsense := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>") }))
	defer nonsense.Close()
	busy := serve(t, func(string, json.RawMessage) any { return api.Errorf(api.CodeBusy, "busy") })
	good := serve(t, func(string, json.RawMessage) any { return api.Head{Chain: "c", Sequence: 5} })
	c := newClient(t, down.URL, nonsense.URL, busy, good)
	for range 2 {
		h, err := c.Head(context.Background())
		if err != nil || h.Sequence != 5 {
			t.Fatalf("%+v, %v", h, err)
		}
	}
	if c.order()[0] != 3 {
		t.Errorf("the node that answered is not asked first: %v", c.order())
	}
	if _, err := newClient(t, down.URL).Head(context.Background()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v", err)
	}
	if _, err := newClient(t, down.URL, nonsense.URL).Head(context.Background()); err == nil || strings.ContainsAny(err.Error(), "\n\"") || strings.Count(err.Error(), down.Listener.Addr().String()) > 2 {
		t.Errorf("not one line that says each address once or twice: %v", err)
	}
	// A node that only follows the ledger is no end of it, and where the others are silent they may take it later.
	follows := serve(t, func(string, json.RawMessage) any { return api.Errorf(api.CodeUnsupported, "only follows") })
	for _, nodes := range [][]string{{follows, good}, {down.URL, follows, good}} {
		if h, err := newClient(t, nodes...).Head(context.Background()); err != nil || h.Sequence != 5 {
			t.Errorf("a follower among the nodes: %+v, %v", h, err)
		}
	}
	if _, err := newClient(t, follows, down.URL).Head(context.Background()); !errors.Is(err, ErrUnreachable) || !transient(err) {
		t.Errorf("a follower, and a validator that is down: %v", err)
	}
	if _, err := newClient(t, follows, follows).Head(context.Background()); api.CodeOf(err) != api.CodeUnsupported || transient(err) {
		t.Errorf("followers alone: %v", err)
	}
	gone := serve(t, func(string, json.RawMessage) any { return api.Errorf(api.CodeGone, "not kept here") })
	if _, err := newClient(t, gone, down.URL).Head(context.Background()); !errors.Is(err, ErrUnreachable) || api.CodeOf(err) != 0 || !strings.HasPrefix(err.Error(), "not kept here") {
		t.Errorf("gone here, and the other is down: %v", err)
	}
	if _, err := newClient(t, gone, busy).Head(context.Background()); api.CodeOf(err) != api.CodeBusy {
		t.Errorf("gone here, and the other is busy: %v", err)
	}
	if _, err := newClient(t, follows, gone, follows).Head(context.Background()); api.CodeOf(err) != api.CodeGone {
		t.Errorf("gone everywhere: %v", err)
	}
	// Its caller may know that an answer is wrong.
	c = newClient(t, good, serve(t, func(string, json.RawMessage) any { return api.Head{Chain: "c", Sequence: 6} }))
	for i, want := range []uint64{5, 5, 6, 6, 5} {
		if i == 2 || i == 4 {
			c.Elsewhere()
		}
		if h, err := c.Head(context.Background()); err != nil || h.Sequence != want {
			t.Errorf("call %d: %+v, %v, want sequence %d", i, h, err, want)
		}
	}
	// What a node knows to be so ends the search.
	c = newClient(t, serve(t, func(string, json.RawMessage) any { return api.Errorf(api.CodeNotHeld, "free") }), good)
	if _, err := c.Holder(context.Background(), "/x"); api.CodeOf(err) != api.CodeNotHeld {
		t.Errorf("got %v", err)
	}
}

// TestLyingNode bounds what a node can make a client read, and how long.
func TestLyingNode(t *testing.T) {
	huge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range 2 * maxAnswer / 1024 {
			if _, err := w.Write([]byte(strings.Repeat(" ", 1024))); err != nil {
				return
			}
		}
	}))
	defer huge.Close()
	if _, err := newClient(t, huge.URL).Head(context.Background()); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("got %v", err)
	}
	release := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer slow.Close()
	defer close(release)
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := newClient(t, slow.URL).Head(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	proof := &api.Proof{Certificate: []byte{0xff}, CAR: []byte{1}}
	lying := serve(t, func(string, json.RawMessage) any { return api.Holder{Lock: "/x", Proof: proof} })
	if _, _, err := newClient(t, lying).VerifiedHolder(context.Background(), Trust{Chain: "c"}, "/x"); !errors.Is(err, ErrUnproven) {
		t.Errorf("got %v", err)
	}
	proof = nil
	if _, _, err := newClient(t, lying).VerifiedHolder(context.Background(), Trust{Chain: "c"}, "/x"); !errors.Is(err, ErrUnproven) {
		t.Errorf("got %v", err)
	}
}

// TestDo takes a nonce from the ledger, hands the same bytes in again while a node is not ready, and takes a newer nonce
// when another client of the key was faster.
func TestDo(t *testing.T) {
	var submits, nonce atomic.Uint64
	nonce.Store(6)
	var first string
	node := serve(t, func(method string, params json.RawMessage) any {
		switch method {
		case "ledger.head":
			return api.Head{Chain: "c", Sequence: 1, Time: api.FromNano(time.Now().UnixNano())}
		case "account.list":
			var p api.AccountParams
			_ = json.Unmarshal(params, &p)
			return api.Accounts{Accounts: []api.Account{{Key: p.Key, Nonce: nonce.Load()}}}
		case "tx.submit":
			var p api.SubmitParams
			_ = json.Unmarshal(params, &p)
			tx, err := lockspace.Decode(p.Transaction)
			if err != nil {
				t.Error(err)
				return api.Errorf(api.CodeParams, "%v", err)
			}
			switch submits.Add(1) {
			case 1:
				first = tx.ID.String()
				return api.Errorf(api.CodeNotReady, "not yet")
			case 2:
				if tx.ID.String() != first {
					t.Error("other bytes were handed in")
				}
				nonce.Store(9)
				return &api.Error{Code: api.CodeRefused, Message: "nonce 7 was used already", Data: string(lockspace.CodeNonce)}
			}
			if tx.Nonce != 10 {
				t.Errorf("nonce %d, want 10", tx.Nonce)
			}
			return api.Submitted{ID: tx.ID.String()}
		case "tx.wait":
			var p api.WaitParams
			_ = json.Unmarshal(params, &p)
			if submits.Load() < 3 {
				return api.Errorf(api.CodeTimeout, "no receipt")
			}
			return api.Receipt{ID: p.ID, OK: true, Sequence: 4}
		}
		return api.Errorf(api.CodeMethod, "no method %s", method)
	})
	r, err := newClient(t, node).Do(context.Background(), &lockspace.Mkdir{Path: "/x"})
	if err != nil || !r.OK || r.Sequence != 4 {
		t.Fatalf("%+v, %v", r, err)
	}
	c, err := New(Config{Nodes: []string{node}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(context.Background(), &lockspace.Mkdir{Path: "/x"}); !errors.Is(err, ErrNoKey) {
		t.Errorf("got %v", err)
	}
}

// TestDoAfterAccepted: a transaction that a node took is waited for whatever other nodes say of it later, as a node that
// only follows does; one that no node took ends with what they said.
func TestDoAfterAccepted(t *testing.T) {
	var submits atomic.Uint64
	accept, now := true, time.Now
	refusal := api.Errorf(api.CodeUnsupported, "this node only follows the ledger")
	answer := func(method string, params json.RawMessage) any {
		switch method {
		case "ledger.head":
			return api.Head{Chain: "c", Sequence: 1, Time: api.FromNano(now().UnixNano())}
		case "account.list":
			var p api.AccountParams
			_ = json.Unmarshal(params, &p)
			return api.Accounts{Accounts: []api.Account{{Key: p.Key}}}
		case "tx.submit":
			if submits.Add(1) == 1 && accept {
				return api.Submitted{}
			}
			return refusal
		case "tx.wait":
			var p api.WaitParams
			_ = json.Unmarshal(params, &p)
			if submits.Load() < 2 || !accept {
				return api.Errorf(api.CodeTimeout, "no receipt")
			}
			return api.Receipt{ID: p.ID, OK: true, Sequence: 4}
		}
		return api.Errorf(api.CodeMethod, "no method %s", method)
	}
	for _, refusal = range []*api.Error{refusal, api.Errorf(api.CodeReadOnly, "read-only"), {Code: api.CodeRefused, Message: "quota", Data: string(lockspace.CodeQuota)}} {
		submits.Store(0)
		r, err := newClient(t, serve(t, answer), serve(t, answer)).Do(t.Context(), &lockspace.Mkdir{Path: "/x"})
		if err != nil || !r.OK || r.Sequence != 4 {
			t.Errorf("%v after the transaction was accepted: %+v, %v", refusal, r, err)
		}
	}
	accept, refusal = false, api.Errorf(api.CodeUnsupported, "this node only follows the ledger")
	began := time.Now()
	if _, err := newClient(t, serve(t, answer), serve(t, answer)).Do(t.Context(), &lockspace.Mkdir{Path: "/x"}); api.CodeOf(err) != api.CodeUnsupported || time.Since(began) > 10*time.Second {
		t.Errorf("followers alone: %v after %v", err, time.Since(began))
	}
	refusal = api.Errorf(api.CodeBusy, "the mempool is full")
	c := newClient(t, serve(t, answer))
	c.cfg.Expiry = 100 * time.Millisecond
	if _, err := c.Do(t.Context(), &lockspace.Mkdir{Path: "/x"}); !errors.Is(err, ErrExpired) || !strings.Contains(err.Error(), "mempool is full") {
		t.Errorf("no node took it: %v", err)
	}
	// The clock of an idle ledger stands, and then nodes alone say that the time is over.
	accept, refusal = true, &api.Error{Code: api.CodeRefused, Message: "expired", Data: string(lockspace.CodeExpired)}
	submits.Store(0)
	before := time.Now()
	now = func() time.Time { return before }
	idle := newClient(t, serve(t, func(method string, params json.RawMessage) any {
		if method == "tx.wait" {
			return api.Errorf(api.CodeTimeout, "no receipt")
		}
		return answer(method, params)
	}))
	idle.cfg.Expiry = 800 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if _, err := idle.Do(ctx, &lockspace.Mkdir{Path: "/x"}); !errors.Is(err, ErrExpired) || submits.Load() < 2 {
		t.Errorf("expired on an idle ledger: %v after %d tries", err, submits.Load())
	}
	if err := (unanswered{context.DeadlineExceeded}); !transient(err) {
		t.Error("nodes that are slow are an end of it")
	}
}

// TestWatchGoesOn breaks the connection after every event: none is lost and none comes twice.
func TestWatchGoesOn(t *testing.T) {
	up := websocket.Upgrader{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer conn.Close()
		var req struct {
			Params api.WatchParams `json:"params"`
		}
		if err := conn.ReadJSON(&req); err != nil {
			return
		}
		from := req.Params.From
		if from == 0 {
			from = 3
		}
		_ = conn.WriteJSON(map[string]any{"jsonrpc": "2.0", "id": 1, "result": api.Subscription{Subscription: 1, Next: from}})
		_ = conn.WriteJSON(map[string]any{"jsonrpc": "2.0", "method": api.NotificationEvent,
			"params": []api.Events{{Subscription: 1, Events: []api.Event{{Number: from - 1}, {Number: from}}}}})
	}))
	defer s.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	events := newClient(t, s.URL).Watch(ctx, "/")
	for want := uint64(3); want < 6; want++ {
		if e := <-events; e.Number != want {
			t.Fatalf("event %d, want %d", e.Number, want)
		}
	}
	cancel()
	for range events { // drains what was on its way, and ends
	}
}
