package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ipld/go-car/v2"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
)

// Trust is what a client believes without being told by a node: the chain and its validators, from a genesis file of its
// own. At most f of n = 3f + 1 validators may lie.
type Trust struct {
	Chain      string
	Validators []bft.Validator
}

// Certified is when an answer was true: the place in the ledger whose root 2f+1 validators signed, and its time.
type Certified struct {
	Sequence uint64
	Time     time.Time
	Root     wire.CID
}

// ErrUnproven is wrapped for an answer that its proof does not show. The node lies, or is of another chain.
var ErrUnproven = errors.New("the node's proof does not show its answer: ask another node")

// ErrStale is wrapped for a proven answer that is about the past only: the lease that it shows has ended.
var ErrStale = errors.New("the answer is proven but old: ask another node")

// ErrFree is returned when it is proven that nobody holds the lock.
var ErrFree = errors.New("nobody holds the lock")

// VerifiedHolder says who holds a lock, by path, lock CID or machine CID, and checks the answer with nothing but Trust:
// the certificate's signatures, and the blocks from the certified root to the lock's record. It is held against this
// host's clock too, so that a node cannot show a holder whose lease is over. Where one node's answer is unproven or old, the
// others are asked.
func (c *Client) VerifiedHolder(ctx context.Context, trust Trust, lock string) (h *lockspace.Holder, cert *Certified, err error) {
	err = c.untilProven(func() error {
		a, err := read[api.Holder](ctx, c, "lock.holder", api.HolderParams{Lock: lock, Prove: true})
		if err != nil {
			return err
		}
		h, cert, err = trust.Holder(a, lock, time.Now())
		return err
	})
	return h, cert, err
}

// untilProven asks one node after the other until one does not answer with a lie or with what is over.
func (c *Client) untilProven(ask func() error) (err error) {
	for range c.nodes {
		if err = ask(); !errors.Is(err, ErrUnproven) && !errors.Is(err, ErrStale) {
			return err
		}
		c.Elsewhere()
	}
	return err
}

// Holder checks an answer of lock.holder with proof to a question about a path, lock CID or machine CID.
func (t Trust) Holder(a *api.Holder, lock string, now time.Time) (*lockspace.Holder, *Certified, error) {
	cert, blocks, err := t.open(a.Proof)
	if err != nil {
		return nil, nil, err
	}
	path := a.Lock
	if strings.HasPrefix(lock, "/") {
		path = lock
	}
	h, err := lockspace.VerifyHolder(cert.Root, blocks, t.Chain, path)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUnproven, err)
	}
	if !strings.HasPrefix(lock, "/") {
		id, err := wire.ParseCID(lock)
		if err != nil {
			return nil, nil, err
		}
		if id != h.Lock && (h.Machine == nil || h.Machine.ID != id) {
			return nil, nil, fmt.Errorf("%w: asked for %s, shown lock %s", ErrUnproven, id, h.Lock)
		}
	}
	if h.State != lockspace.Held {
		return nil, cert, fmt.Errorf("%s: %w", path, ErrFree)
	}
	if end := time.Unix(0, int64(h.Ends)); end.Before(now) {
		return nil, cert, fmt.Errorf("%s: the lease shown ended at %s: %w", path, end.UTC().Format(time.RFC3339), ErrStale)
	}
	return &h, cert, nil
}

// VerifiedGet returns a file's content and checks it with nothing but Trust. Certified says when it was so; a node can
// show any certified past.
func (c *Client) VerifiedGet(ctx context.Context, trust Trust, path string) (content []byte, n *lockspace.Node, cert *Certified, err error) {
	err = c.untilProven(func() error {
		a, err := read[api.Contents](ctx, c, "lock.get", api.PathParams{Path: path, Prove: true})
		if err != nil {
			return err
		}
		content, n, cert, err = trust.get(a, path)
		return err
	})
	return content, n, cert, err
}

func (t Trust) get(a *api.Contents, path string) ([]byte, *lockspace.Node, *Certified, error) {
	cert, blocks, err := t.open(a.Proof)
	if err != nil {
		return nil, nil, nil, err
	}
	content, n, err := lockspace.VerifyGet(cert.Root, blocks, t.Chain, path)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%w: %w", ErrUnproven, err)
	}
	return content, &n, cert, nil
}

// open checks a proof's certificate and returns its blocks, in order.
func (t Trust) open(p *api.Proof) (*Certified, [][]byte, error) {
	if p == nil {
		return nil, nil, fmt.Errorf("%w: there is none", ErrUnproven)
	}
	var cert bft.StateCertificate
	if err := wire.Unmarshal(p.Certificate, &cert); err != nil {
		return nil, nil, fmt.Errorf("%w: state certificate: %w", ErrUnproven, err)
	}
	if err := bft.VerifyStateCertificate(t.Validators, t.Chain, &cert); err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUnproven, err)
	}
	r, err := car.NewBlockReader(bytes.NewReader(p.CAR), car.MaxAllowedSectionSize(lockspace.MaxTransaction+1<<10), car.MaxAllowedHeaderSize(1<<10))
	if err != nil {
		return nil, nil, fmt.Errorf("%w: CAR: %w", ErrUnproven, err)
	}
	if r.Version != 1 || len(r.Roots) != 1 || r.Roots[0] != cert.Root.Cid() {
		return nil, nil, fmt.Errorf("%w: the CAR's root is not the certified one", ErrUnproven)
	}
	var blocks [][]byte
	for {
		b, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%w: CAR: %w", ErrUnproven, err)
		}
		if len(blocks) == lockspace.MaxProofBlocks {
			return nil, nil, fmt.Errorf("%w: more than %d blocks", ErrUnproven, lockspace.MaxProofBlocks)
		}
		blocks = append(blocks, b.RawData())
	}
	return &Certified{Sequence: uint64(cert.Sequence), Time: time.Unix(0, int64(cert.Time)).UTC(), Root: cert.Root}, blocks, nil
}
