package engine

import (
	"crypto/sha256"
	"sync"
	"time"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/internal/wire"
)

const (
	// signaturesRemembered bounds the memory of checked signatures: two generations of this many.
	signaturesRemembered = 1 << 15
	// framesRemembered and framesBytes bound the memory of checked frames, each of two generations.
	framesRemembered = 1 << 13
	framesBytes      = 32 << 20
	// repeatWindow is how long the same frame from several ways counts as one: below the time after which a replica
	// repeats itself, for a repetition asks for an answer.
	repeatWindow = 150 * time.Millisecond
)

// checker is Ed25519 with a memory of signatures that were good: a vote is seen alone first and in certificates after.
type checker struct {
	mu       sync.Mutex
	new, old map[[32]byte]struct{}
}

func newChecker() *checker { return &checker{new: map[[32]byte]struct{}{}} }

// Check implements bft.Checker.
func (c *checker) Check(id bft.ValidatorID, d wire.Domain, body, sig []byte) bool {
	h := sha256.New()
	h.Write(id[:])
	h.Write([]byte(d))
	h.Write([]byte{0})
	h.Write(sig) // of fixed length, or the check below fails
	h.Write(body)
	key := [32]byte(h.Sum(nil))
	c.mu.Lock()
	_, a := c.new[key]
	_, b := c.old[key]
	c.mu.Unlock()
	if a || b {
		return true
	}
	if len(sig) != 64 || !wire.Verify(id[:], d, body, sig) {
		return false
	}
	c.mu.Lock()
	if len(c.new) >= signaturesRemembered {
		c.old, c.new = c.new, make(map[[32]byte]struct{}, signaturesRemembered)
	}
	c.new[key] = struct{}{}
	c.mu.Unlock()
	return true
}

// frames remembers frames that were checked: gossip asks for a verdict before it delivers, and the same frame comes by
// several ways.
type frames struct {
	mu       sync.Mutex
	new, old map[[32]byte]*checkedFrame
	bytes    int
}

type checkedFrame struct {
	v           bft.Verified
	deliveredAt time.Time
}

func newFrames() *frames { return &frames{new: map[[32]byte]*checkedFrame{}} }

func (f *frames) get(key [32]byte) *checkedFrame {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e := f.new[key]; e != nil {
		return e
	}
	return f.old[key]
}

func (f *frames) put(key [32]byte, v bft.Verified) *checkedFrame {
	f.mu.Lock()
	defer f.mu.Unlock()
	if e := f.new[key]; e != nil {
		return e
	}
	if len(f.new) >= framesRemembered || f.bytes > framesBytes {
		f.old, f.new, f.bytes = f.new, map[[32]byte]*checkedFrame{}, 0
	}
	e := &checkedFrame{v: v}
	f.new[key] = e
	f.bytes += len(v.Frame())
	return e
}

// first says whether a frame counts as new at a time, and notes it.
func (f *frames) first(e *checkedFrame, now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !e.deliveredAt.IsZero() && now.Sub(e.deliveredAt) < repeatWindow {
		return false
	}
	e.deliveredAt = now
	return true
}

func (e *Engine) check(frame []byte) (*checkedFrame, error) {
	key := sha256.Sum256(frame)
	if c := e.frames.get(key); c != nil {
		return c, nil
	}
	v, err := e.com.Validate(frame)
	if err != nil {
		return nil, err
	}
	return e.frames.put(key, v), nil
}

// Validate says whether gossip may relay a frame that came on a topic. It is safe to call from many goroutines.
func (e *Engine) Validate(topic string, frame []byte) Verdict {
	if TopicOf(bft.PeekKind(frame)) != topic || topic == "" {
		return Reject
	}
	if _, err := e.check(frame); err != nil {
		e.counts.refused.Add(1)
		return Reject
	}
	return Accept
}

// Deliver takes a frame from the network: from gossip on a topic, or sent straight here with topic "". It does not
// block for long; when the engine has more to do than it can hold, the frame is dropped and counted.
func (e *Engine) Deliver(from string, topic string, frame []byte) {
	if topic != "" && TopicOf(bft.PeekKind(frame)) != topic {
		e.counts.refused.Add(1)
		return
	}
	c, err := e.check(frame)
	if err != nil {
		e.counts.refused.Add(1)
		e.log.Debug("frame refused", "from", from, "error", err)
		return
	}
	if !e.frames.first(c, e.cfg.Now()) {
		return
	}
	if b, ok := c.v.Message().(*bft.Block); ok {
		e.examine(c.v, b)
		return
	}
	e.post(event{v: c.v})
}
