// Package client is fatty's Go client: typed calls over JSON-RPC, transactions that are signed and waited for, watches
// that go on by themselves, and answers that are checked against the validators' signatures.
//
// Its parts: Client (the calls, over one or several nodes), Do (sign, hand in, wait), Watch, and Trust with the look-ups
// that need no node to be honest (VerifiedHolder, VerifiedGet).
//
//	c, err := client.New(client.Config{Nodes: []string{"http://127.0.0.1:26657"}, Key: key})
//	receipt, err := c.Do(ctx, &lockspace.Mkdir{Path: "/demo"})
//	h, err := c.VerifiedHolder(ctx, trust, "/demo/lcg")
//
// A node may lie, be slow, or send more than was asked: every answer is bounded in time and size.
package client

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/seed06907907/fatty/node/api"
)

const (
	// maxAnswer bounds an answer's body: the largest honest one is a proof file of 5 MiB in base64.
	maxAnswer = 10 << 20
	// maxNodes bounds the nodes of one client.
	maxNodes = 64
	// dialTimeout bounds connecting to one node, callTimeout one call to one node that waits for nothing.
	dialTimeout = 3 * time.Second
	callTimeout = 20 * time.Second
)

// Config is what a client is made with.
type Config struct {
	// Nodes are JSON-RPC addresses, as http://host:port or host:port, tried in turn from the one that answered last.
	Nodes []string
	// Key signs transactions; a client without one only reads.
	Key ed25519.PrivateKey
	// Token is the bearer token for admin calls, and for reads where a node's operator asks for one.
	Token string
	// Expiry is how long after the ledger's time a transaction may still be executed; 0 for one minute.
	Expiry time.Duration
}

// Client calls nodes. Any number of goroutines may use one.
type Client struct {
	cfg   Config
	nodes []*url.URL
	http  *http.Client

	mu    sync.Mutex
	first int // index of the node that answered last

	signer signer
}

// New checks the configuration and returns a client. It calls nobody.
func New(cfg Config) (*Client, error) {
	if len(cfg.Nodes) == 0 || len(cfg.Nodes) > maxNodes {
		return nil, fmt.Errorf("client: %d node addresses: give 1 to %d, such as http://127.0.0.1:26657", len(cfg.Nodes), maxNodes)
	}
	if len(cfg.Key) != 0 && len(cfg.Key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("client: a private key of %d bytes, want %d", len(cfg.Key), ed25519.PrivateKeySize)
	}
	if cfg.Expiry == 0 {
		cfg.Expiry = time.Minute
	}
	c := &Client{cfg: cfg, signer: newSigner(cfg.Key)}
	for _, n := range cfg.Nodes {
		if !strings.Contains(n, "://") {
			n = "http://" + n
		}
		u, err := url.Parse(n)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("client: node address %.100q: want http://host:port", n)
		}
		c.nodes = append(c.nodes, u)
	}
	c.http = &http.Client{Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute, TLSHandshakeTimeout: dialTimeout,
	}}
	return c, nil
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// order returns the nodes' indexes, the one that answered last first.
func (c *Client) order() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]int, len(c.nodes))
	for i := range out {
		out[i] = (c.first + i) % len(c.nodes)
	}
	return out
}

func (c *Client) prefer(i int) {
	c.mu.Lock()
	c.first = i
	c.mu.Unlock()
}

// ErrUnreachable is wrapped when no node answered.
var ErrUnreachable = errors.New("no node answers: are the addresses right and a node running?")

// elsewhere says whether another node may do what this one could not.
func elsewhere(err error) bool {
	switch api.CodeOf(err) {
	case 0, api.CodeNotReady, api.CodeBusy, api.CodeInternal, api.CodeReadOnly, api.CodeGone, api.CodeParse, api.CodeUnsupported:
		return true
	}
	return false
}

// call does one method on the first node that can.
func call[R any](ctx context.Context, c *Client, limit time.Duration, method string, params any) (*R, error) {
	body, err := json.Marshal(api.Request{Version: "2.0", ID: 1, Method: method, Params: params})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	var failed []error
	for _, i := range c.order() {
		var out R
		err := c.post(ctx, i, limit, body, &out)
		if err == nil {
			c.prefer(i)
			return &out, nil
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if !elsewhere(err) {
			return nil, err
		}
		if api.CodeOf(err) == 0 {
			var at *url.Error
			if errors.As(err, &at) {
				err = at.Err // without the method and the address
			}
			err = fmt.Errorf("%s: %w", c.nodes[i].Host, err)
		}
		failed = append(failed, err)
	}
	// What a node said is worth more than that others were silent, but for what those might do when they are back.
	var silent unanswered
	var cannot error
	for _, err := range failed {
		switch api.CodeOf(err) {
		case 0:
			silent = append(silent, err)
		case api.CodeGone:
			cannot = err
		case api.CodeUnsupported:
			if cannot == nil {
				cannot = err
			}
		default:
			return nil, err
		}
	}
	switch {
	case len(silent) == 0:
		return nil, cannot
	case cannot != nil:
		return nil, fmt.Errorf("%v; of the others %w", cannot, silent)
	}
	return nil, silent
}

// Elsewhere makes the next call begin at another node: the one that answered last is behind, or does not make sense.
func (c *Client) Elsewhere() { c.prefer(c.order()[1%len(c.nodes)]) }

// unanswered is why each node did not answer, on one line. It is ErrUnreachable.
type unanswered []error

func (u unanswered) Error() string {
	var b strings.Builder
	b.WriteString(ErrUnreachable.Error())
	for i, err := range u {
		b.WriteString([]string{" (", "; "}[min(i, 1)])
		b.WriteString(err.Error())
	}
	b.WriteString(")")
	return b.String()
}

func (u unanswered) Unwrap() []error { return append([]error{ErrUnreachable}, u...) }

// post sends one request to one node. The error is an *api.Error where the node answered with one.
func (c *Client) post(ctx context.Context, i int, limit time.Duration, body []byte, out any) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.nodes[i].String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	if c.cfg.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.cfg.Token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return err
	}
	if len(raw) > maxAnswer {
		return fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	}
	var r api.Response
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("the answer is no JSON-RPC (HTTP status %d): is this a fatty node's RPC address?", resp.StatusCode)
	}
	if r.Error != nil {
		return r.Error
	}
	if r.Result == nil {
		return errors.New("the answer has neither result nor error")
	}
	if err := json.Unmarshal(r.Result, out); err != nil {
		return fmt.Errorf("the answer does not fit the method: %w", err)
	}
	return nil
}
