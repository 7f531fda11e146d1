package client

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
)

const (
	// waitSlice is how long one call waits for a receipt before the transaction is handed in again.
	waitSlice = 5 * time.Second
	// retryPause is between two tries when no node answers.
	retryPause = 500 * time.Millisecond
	// briefly is how long to wait for a receipt that is there or not.
	briefly = 200 * time.Millisecond
	// maxNonces bounds the nonces that one call of Do tries: so many races with other clients of the key are not lost by
	// chance, and a node that makes them up is not asked for ever.
	maxNonces = 16
)

// ErrExpired is wrapped when a transaction's time ran out without a receipt: it did nothing and never will.
var ErrExpired = errors.New("the transaction expired without being executed")

// ErrNoKey is returned by Do of a client that has no key.
var ErrNoKey = errors.New("this client has no key to sign with: give it one with --key or --home")

// signer gives out nonces. Each client keeps to its own; two clients of one key may take the same nonce, and the one that
// comes second takes another.
type signer struct {
	key   ed25519.PrivateKey
	id    lockspace.AccountID
	mu    *sync.Mutex
	chain *string
	next  *uint64
}

func newSigner(key ed25519.PrivateKey) signer {
	s := signer{key: key, mu: new(sync.Mutex), chain: new(string), next: new(uint64)}
	if len(key) == ed25519.PrivateKeySize {
		s.id = lockspace.AccountID(key.Public().(ed25519.PublicKey))
	}
	return s
}

// ID is the account that the client signs for; zero without a key.
func (c *Client) ID() lockspace.AccountID { return c.signer.id }

// Do signs an operation, hands it in with its attachments, and waits for its receipt until ctx ends or the transaction
// expires. Where it cannot know whether the transaction arrived it hands in the same bytes again, which the ledger executes
// once. A refusal by the ledger is a receipt that is not OK, not an error; errors mean that nothing is known to have been
// executed, but for ctx's own.
func (c *Client) Do(ctx context.Context, op lockspace.Op, attachments ...[]byte) (*api.Receipt, error) {
	if len(c.cfg.Key) == 0 {
		return nil, ErrNoKey
	}
	for range maxNonces {
		r, again, err := c.once(ctx, op, attachments)
		if !again {
			return r, err
		}
	}
	return nil, fmt.Errorf("%d nonces in a row were taken: other programs sign with the same key; give each its own account", maxNonces)
}

// once tries with one nonce; again asks for another try with a newer one.
func (c *Client) once(ctx context.Context, op lockspace.Op, attachments [][]byte) (r *api.Receipt, again bool, err error) {
	head, err := c.Head(ctx)
	if err != nil {
		return nil, false, err
	}
	nonce, err := c.nonce(ctx, head.Chain)
	if err != nil {
		return nil, false, err
	}
	expiry := head.Time.Add(c.cfg.Expiry)
	if head.Sequence == 0 || head.Time.IsZero() || time.Since(head.Time.Time) > 0 {
		// An idle ledger's clock stands still until the next cut, which then jumps to the present.
		if now := time.Now(); now.After(head.Time.Time) {
			expiry = now.Add(c.cfg.Expiry)
		}
	}
	tx, err := lockspace.Sign(c.cfg.Key, lockspace.Header{Chain: head.Chain, Nonce: nonce, Expiry: lockspace.Time(expiry.UnixNano())}, op)
	if err != nil {
		return nil, false, err
	}
	id := wire.Sum(tx).String()
	signed := time.Now()
	accepted := false // by some node: from then on only a receipt or the expiry says what became of it
	for {
		_, refusal := c.Submit(ctx, tx, attachments...)
		if isRefusal(refusal, lockspace.CodeNonce) {
			c.forget()
			// The refusal may be of the very bytes that arrived before: their receipt says so.
			if r, err := c.Wait(ctx, id, briefly); err == nil && r.Code != string(lockspace.CodeNonce) {
				return r, false, nil
			}
			return nil, true, nil
		}
		accepted = accepted || refusal == nil
		if refusal != nil && !accepted && !transient(refusal) {
			return nil, false, refusal
		}
		if accepted {
			r, err := c.Wait(ctx, id, waitSlice)
			if err == nil && r.Code == string(lockspace.CodeNonce) {
				// Another client of the key used the nonce in the same moment: these bytes did nothing and never will.
				c.forget()
				return nil, true, nil
			}
			if err == nil {
				return r, false, nil
			}
			if !transient(err) {
				return nil, false, err
			}
		}
		if err := pause(ctx, retryPause); err != nil {
			return nil, false, err
		}
		// A node that takes a transaction and does not order it may be cut off, or censor: another comes next.
		c.Elsewhere()
		// The clock of an idle ledger stands: there a node says that the time is over, and this clock that it may be.
		over := isRefusal(refusal, lockspace.CodeExpired) && time.Since(signed) > c.cfg.Expiry
		if head, err := c.Head(ctx); over || err == nil && head.Time.After(expiry) {
			// What is executed from now on cannot be ours; it may have been just before.
			if r, err := c.Wait(ctx, id, briefly); err == nil {
				return r, false, nil
			}
			if !accepted {
				return nil, false, fmt.Errorf("%s: %w, no node took it: %v", id, ErrExpired, refusal)
			}
			return nil, false, fmt.Errorf("%s: %w", id, ErrExpired)
		}
	}
}

// transient says whether the same call may do later: a node that does not answer in time is no end of it, and that ctx
// ended is seen where it is waited on.
func transient(err error) bool {
	switch api.CodeOf(err) {
	case 0, api.CodeNotReady, api.CodeBusy, api.CodeTimeout, api.CodeInternal:
		return true
	}
	return false
}

func isRefusal(err error, code lockspace.Code) bool {
	var e *api.Error
	return errors.As(err, &e) && e.Data == string(code)
}

// nonce returns the next nonce of the client's account on this chain.
func (c *Client) nonce(ctx context.Context, chain string) (uint64, error) {
	s := &c.signer
	s.mu.Lock()
	defer s.mu.Unlock()
	if *s.next == 0 || *s.chain != chain {
		page, err := c.Account(ctx, s.id.String())
		if err != nil {
			return 0, err
		}
		if len(page.Accounts) != 1 || page.Accounts[0].Key != s.id.String() {
			return 0, fmt.Errorf("account %s does not exist on ledger %s: have it made by `fatty account grant`", s.id, chain)
		}
		*s.next, *s.chain = page.Accounts[0].Nonce+1, chain
	}
	n := *s.next
	*s.next++
	return n, nil
}

// forget makes the next nonce be read from the ledger.
func (c *Client) forget() {
	c.signer.mu.Lock()
	*c.signer.next = 0
	c.signer.mu.Unlock()
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
