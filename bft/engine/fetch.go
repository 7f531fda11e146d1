package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/bft/wal"
	"github.com/seed06907907/fatty/internal/wire"
)

const (
	// MaxRequestBytes bounds a request between nodes.
	MaxRequestBytes = 1 << 10
	// MaxResponseBytes bounds any answer.
	MaxResponseBytes = 8 << 20
	// rangeBytes is the size at which an answer with decided cuts ends.
	rangeBytes = 4 << 20
	// rangeCuts bounds the decided cuts in one answer.
	rangeCuts = 512
	// requestPatience is how long one node is asked before the next.
	requestPatience = 3 * time.Second
	// fetchers bounds the blocks of one lane that are asked for at once.
	fetchers = 4
	// examiners bounds the blocks of one lane that are examined at once, examineQueue those that wait for it. Each lane has
	// its own, so that a worker whose blocks name what nobody has keeps nobody else's waiting.
	examiners    = 2
	examineQueue = 2 * bft.MaxLaneBlocks
)

// The kinds of requests.
const (
	requestBlock      = 1 // ID: a block's id; the answer is its frame
	requestRange      = 2 // First to Last: decided cuts with their blocks; the answer is a rangeAnswer
	requestAttachment = 3 // ID: its digest; the answer is its bytes
	requestRecord     = 4 // First: a sequence number; the answer is the application's record of it
)

// request is what nodes ask of each other. An empty answer says that the node does not have it.
type request struct {
	Kind  uint8        `cbor:"kind"`
	ID    bft.Digest   `cbor:"id"`
	First bft.Sequence `cbor:"first"`
	Last  bft.Sequence `cbor:"last"`
}

type rangeAnswer struct {
	Cuts []rangeCut `cbor:"cuts"`
}

// rangeCut is a decided cut as frames, with its blocks in their order and its state certificate, if known.
type rangeCut struct {
	Decision []byte   `cbor:"decision"`
	Blocks   [][]byte `cbor:"blocks"`
	State    []byte   `cbor:"state"`
}

// errNowhere says that nobody who was asked had it.
var errNowhere = errors.New("nobody who answers has it")

type fetcher struct {
	mu        sync.Mutex
	busy      map[bft.Digest]bool // blocks and attachments being fetched
	examining map[bft.Digest]bool
	ranging   bool
	lanes     []laneSlots // by worker
}

type laneSlots struct {
	fetch, examine chan struct{}
	queued         int
}

func (f *fetcher) init(com *bft.Committee) {
	f.busy, f.examining = map[bft.Digest]bool{}, map[bft.Digest]bool{}
	for range com.Size() {
		f.lanes = append(f.lanes, laneSlots{fetch: make(chan struct{}, fetchers), examine: make(chan struct{}, examiners)})
	}
}

// spawn runs f unless the engine has stopped; Run waits for it.
func (e *Engine) spawn(f func()) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ctx.Err() != nil {
		return // Run may be waiting already
	}
	e.wg.Add(1)
	go func() {
		defer e.wg.Done()
		f()
	}()
}

// want fetches what the core misses.
func (e *Engine) want(w bft.Want) {
	f := &e.fetch
	f.mu.Lock()
	if w.First > 0 && f.ranging || w.First == 0 && f.busy[w.Block] {
		f.mu.Unlock()
		return
	}
	if w.First > 0 {
		f.ranging = true
	} else {
		f.busy[w.Block] = true
	}
	f.mu.Unlock()
	e.spawn(func() {
		var err error
		if w.First > 0 {
			err = e.fetchRange(e.ctx, w)
		} else {
			slots := f.lanes[w.Worker].fetch
			slots <- struct{}{}
			err = e.fetchBlock(e.ctx, w)
			<-slots
		}
		f.mu.Lock()
		if w.First > 0 {
			f.ranging = false
		} else {
			delete(f.busy, w.Block)
		}
		f.mu.Unlock()
		if err != nil && e.ctx.Err() == nil {
			e.log.Debug("fetch", "block", w.Block, "first", w.First, "error", err)
		}
	})
}

// ask puts a request to validators by turns until accept takes an answer.
func (e *Engine) ask(ctx context.Context, from []int, r request, limit int, accept func([]byte) error) error {
	body, err := wire.Marshal(r)
	if err != nil {
		return err
	}
	last := errNowhere
	for _, i := range from {
		one, cancel := context.WithTimeout(ctx, requestPatience)
		answer, err := e.cfg.Transport.Request(one, e.com.Member(i), body, limit)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		switch {
		case err != nil:
			last = err
		case len(answer) > limit:
			last = fmt.Errorf("an answer of %d bytes, %d were allowed", len(answer), limit)
		case len(answer) > 0:
			if last = accept(answer); last == nil {
				e.counts.fetched.Add(1)
				return nil
			}
		}
	}
	return last
}

func (e *Engine) fetchBlock(ctx context.Context, w bft.Want) error {
	return e.ask(ctx, w.From, request{Kind: requestBlock, ID: w.Block}, bft.MaxBlockBytes+1<<10, func(answer []byte) error {
		c, err := e.check(answer)
		if err != nil {
			return err
		}
		b, ok := c.v.Message().(*bft.Block)
		if !ok || b.ID() != w.Block {
			return fmt.Errorf("the answer is not the block asked for")
		}
		e.postWait(event{v: c.v, supply: true}) // what is decided needs it, whatever we think of it
		e.examine(c.v, b)
		return nil
	})
}

// fetchRange gets decided cuts and hands them to the core, each with its blocks. Everything is checked: a cut by its
// certificate, a block by being asked for by the core once it knows the cut.
func (e *Engine) fetchRange(ctx context.Context, w bft.Want) error {
	return e.ask(ctx, w.From, request{Kind: requestRange, First: w.First, Last: w.Last}, MaxResponseBytes, func(answer []byte) error {
		var r rangeAnswer
		if err := wire.Unmarshal(answer, &r); err != nil {
			return err
		}
		if len(r.Cuts) == 0 || len(r.Cuts) > rangeCuts {
			return fmt.Errorf("an answer of %d cuts", len(r.Cuts))
		}
		for i, c := range r.Cuts {
			v, err := e.com.Validate(c.Decision)
			if err != nil {
				return err
			}
			d, ok := v.Message().(*bft.Decision)
			if !ok || d.Cut.Sequence != w.First+bft.Sequence(i) {
				return fmt.Errorf("the answer is not the cuts asked for")
			}
			e.postWait(event{v: v})
			// From the highest block of a lane down: so each is asked for when it comes.
			for k := len(c.Blocks) - 1; k >= 0; k-- {
				b, err := e.com.Validate(c.Blocks[k])
				if err != nil {
					return err
				}
				e.postWait(event{v: b, supply: true})
			}
			if len(c.State) > 0 {
				s, err := e.com.Validate(c.State)
				if err != nil {
					return err
				}
				e.postWait(event{v: s})
			}
		}
		return nil
	})
}

// fetchAttachment gets an attachment and stores it; first from the worker whose block names it.
func (e *Engine) fetchAttachment(ctx context.Context, a bft.Attachment, worker int) error {
	if a.Length > wal.MaxAttachmentBytes {
		return fmt.Errorf("an attachment of %d bytes: at most %d are allowed", a.Length, wal.MaxAttachmentBytes)
	}
	return e.ask(ctx, e.others(worker), request{Kind: requestAttachment, ID: a.ID}, int(a.Length), func(answer []byte) error {
		if len(answer) != int(a.Length) || sha256.Sum256(answer) != a.ID {
			return fmt.Errorf("the answer is not the attachment asked for")
		}
		return e.putAttachment(answer)
	})
}

// others lists the validators but this one, beginning with the given one.
func (e *Engine) others(first int) []int {
	var out []int
	for k := range e.com.Size() {
		if i := (first + k) % e.com.Size(); i != e.coreCfg.Self {
			out = append(out, i)
		}
	}
	return out
}

// examine checks a block's transactions, gets the attachments that they name, and then lets the core vote.
func (e *Engine) examine(v bft.Verified, b *bft.Block) {
	f := &e.fetch
	id := b.ID()
	lane := &f.lanes[b.SignedHeader.Header.Worker]
	f.mu.Lock()
	if f.examining[id] || lane.queued >= examineQueue {
		f.mu.Unlock()
		return
	}
	f.examining[id] = true
	lane.queued++
	f.mu.Unlock()
	e.spawn(func() {
		lane.examine <- struct{}{}
		err := e.examineBlock(b)
		<-lane.examine
		f.mu.Lock()
		delete(f.examining, id)
		lane.queued--
		f.mu.Unlock()
		if err != nil {
			e.log.Debug("a block that this replica does not vote for", "worker", b.SignedHeader.Header.Worker,
				"height", b.SignedHeader.Header.Height, "error", err)
		}
		e.postWait(event{v: v, supply: err != nil})
	})
}

func (e *Engine) examineBlock(b *bft.Block) error {
	ctx, cancel := context.WithTimeout(e.ctx, attachmentPatience)
	defer cancel()
	var all []bft.Attachment
	total := 0
	for _, tx := range b.Transactions {
		if err := e.cfg.Application.CheckTx(tx); err != nil {
			return err
		}
		named, size, err := e.named(tx)
		if err != nil {
			return err
		}
		if total += size; total > blockAttachments {
			return fmt.Errorf("the block names attachments of more than %d bytes", blockAttachments)
		}
		all = append(all, named...)
	}
	for _, a := range all {
		if e.holdAttachment(a) {
			continue
		}
		if err := e.fetchAttachment(ctx, a, int(b.SignedHeader.Header.Worker)); err != nil {
			return fmt.Errorf("attachment %s: %w", a.ID, err)
		}
	}
	return nil
}

// Serve answers another node's request. Whoever asks may be anyone; the node bounds how often.
func (e *Engine) Serve(ctx context.Context, from string, req []byte) ([]byte, error) {
	if len(req) > MaxRequestBytes {
		return nil, fmt.Errorf("a request of %d bytes: at most %d are allowed", len(req), MaxRequestBytes)
	}
	var r request
	if err := wire.Unmarshal(req, &r); err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var out []byte
	var err error
	switch r.Kind {
	case requestBlock:
		out, err = e.blockFrame(r.ID)
	case requestRange:
		out, err = e.rangeFrames(r.First, r.Last)
	case requestAttachment:
		out, err = e.ledger.Attachment(r.ID)
	case requestRecord:
		out, err = e.record(r.First)
	default:
		return nil, fmt.Errorf("request of kind %d: this node does not know it", r.Kind)
	}
	if errors.Is(err, wal.ErrNotFound) {
		return nil, nil
	}
	return out, err
}

func (e *Engine) rangeFrames(first, last bft.Sequence) ([]byte, error) {
	var r rangeAnswer
	size := 0
	for seq := first; seq <= last && seq > 0 && len(r.Cuts) < rangeCuts && size < rangeBytes; seq++ {
		d, err := e.ledger.Decision(seq)
		if errors.Is(err, wal.ErrNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		var c rangeCut
		if c.Decision, err = bft.Frame(d); err != nil {
			return nil, err
		}
		ids, err := e.ledger.BlockIDs(seq)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			f, err := e.ledger.BlockFrame(id)
			if err != nil {
				return nil, err
			}
			if size += len(f); size > rangeBytes && len(r.Cuts) > 0 {
				break
			}
			c.Blocks = append(c.Blocks, f)
		}
		if size > MaxResponseBytes-rangeBytes/4 { // the blocks of one cut alone: the core asks for them one by one
			c.Blocks = nil
		}
		if k, err := e.ledger.StateCertificate(seq); err == nil {
			if c.State, err = bft.Frame(k); err != nil {
				return nil, err
			}
		}
		size += len(c.Decision) + len(c.State)
		r.Cuts = append(r.Cuts, c)
	}
	if len(r.Cuts) == 0 {
		return nil, wal.ErrNotFound
	}
	return wire.Marshal(r)
}
