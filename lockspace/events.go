package lockspace

import (
	"fmt"
	"math"
	"sort"

	"github.com/seed06907907/fatty/internal/wire"
)

// EventKind says what happened.
type EventKind string

// The kinds of event.
const (
	EventContent  EventKind = "content_changed"
	EventAdded    EventKind = "child_added"   // Path is the directory, Child the name
	EventRemoved  EventKind = "child_removed" // as above
	EventAcquired EventKind = "lock_acquired"
	EventRenewed  EventKind = "lock_renewed" // for a machine: the clock advanced
	EventLost     EventKind = "lock_lost"
	EventFree     EventKind = "lock_free"
	EventFailed   EventKind = "machine_failed" // not renewed or not live in time; lock_lost follows
	EventSent     EventKind = "inbox_sent"
	EventProgram  EventKind = "program_published"
)

// Event is one thing that happened, named by sequence and index; both ascend without gaps in index.
type Event struct {
	Sequence   uint64     `cbor:"sequence"`
	Index      uint64     `cbor:"index"`
	Kind       EventKind  `cbor:"kind"`
	Path       string     `cbor:"path,omitempty"`
	Child      string     `cbor:"child,omitempty"`
	Instance   uint64     `cbor:"instance,omitempty"`
	Generation uint64     `cbor:"generation,omitempty"` // of the content, or of the lock
	Account    *AccountID `cbor:"account,omitempty"`    // who did it, or who held the lock
	Peer       string     `cbor:"peer,omitempty"`
	T          *uint64    `cbor:"t,omitempty"` // a machine's clock and state after it
	S          *Felt      `cbor:"s,omitempty"`
	LeaseEnd   Time       `cbor:"leaseEnd,omitempty"` // ledger time, if no outage comes
	Input      *uint64    `cbor:"input,omitempty"`    // inbox index
	CID        *wire.CID  `cbor:"cid,omitempty"`      // content, machine or program
	Reason     string     `cbor:"reason,omitempty"`
}

// EventID is a place in the event log.
type EventID struct{ Sequence, Index uint64 }

// After is the place behind all events of a sequence: where one who has read its state goes on.
func After(sequence uint64) EventID { return EventID{sequence, math.MaxUint64} }

// eventLog is one chunk's block; it holds its chunk number, so that no two chunks are the same block.
type eventLog struct {
	Chunk  uint64  `cbor:"chunk"`
	Events []Event `cbor:"events"`
}

// eventChunkRef is a chunk's record.
type eventChunkRef struct {
	Block    wire.CID `cbor:"block"`
	Sequence uint64   `cbor:"sequence"` // of all its events
	First    uint64   `cbor:"first"`    // index of the first
	Count    uint64   `cbor:"count"`
}

func (x *execution) event(e Event) {
	e.Sequence, e.Index = x.root.Sequence, uint64(len(x.events))
	x.events = append(x.events, e)
}

// lockEvent raises an event about a lock, with what a watcher wants to know of it.
func (x *execution) lockEvent(kind EventKind, l *Lock, reason string) {
	e := Event{Kind: kind, Path: l.Path, Instance: l.Instance, Generation: l.Generation, Reason: reason}
	if kind != EventFree {
		holder := l.Holder
		e.Account, e.Peer = &holder, l.Peer
	}
	if m := l.Machine; m != nil {
		t, s, id := m.T, m.S, m.ID
		e.T, e.S, e.CID = &t, &s, &id
	}
	if kind == EventAcquired || kind == EventRenewed {
		e.LeaseEnd = l.Ends + Time(x.root.Outage)
	}
	x.event(e)
}

// logEvents appends the cut's events to the log in chunks and forgets the oldest chunks above the window.
func (x *execution) logEvents() {
	for from := 0; from < len(x.events); from += eventChunk {
		some := x.events[from:min(from+eventChunk, len(x.events))]
		b, err := wire.Marshal(eventLog{Chunk: x.root.EventsNext, Events: some})
		if err != nil {
			x.fail(err)
			return
		}
		id := wire.Sum(b)
		x.fresh = append(x.fresh, Block{ID: id, Data: b})
		x.put(eventKey(x.root.EventsNext), &eventChunkRef{Block: id, Sequence: x.root.Sequence, First: uint64(from), Count: uint64(len(some))})
		x.root.EventsNext++
		x.root.EventCount += uint64(len(some))
	}
	// A chunk written by this very cut stays, so that a cut never both makes and drops a block.
	for x.root.EventCount > x.s.rules.EventWindow && x.root.EventsFrom < x.s.root.EventsNext {
		key := eventKey(x.root.EventsFrom)
		c := get[eventChunkRef](x, key)
		if c == nil {
			x.fail(fmt.Errorf("the event log has no chunk %d", x.root.EventsFrom))
			return
		}
		x.del(key)
		x.dropped = append(x.dropped, c.Block)
		x.root.EventsFrom++
		x.root.EventCount -= min(c.Count, x.root.EventCount)
		x.root.EventsGone = c.Sequence
	}
}

// Events returns up to limit events after the given place, of paths at or under a prefix, and the place to go on from:
// asking again from there misses and repeats nothing. When fewer than limit come back, the log has been read to the
// state's end. A place from before the window is ErrEventsGone.
func (s *State) Events(after EventID, prefix string, limit int) ([]Event, EventID, error) {
	if err := CheckPath(prefix); err != nil {
		return nil, after, err
	}
	limit = min(max(limit, 1), MaxList)
	// A chunk that was dropped may have held events after the place, unless the place is past its whole sequence.
	if gone := s.root.EventsGone; gone > 0 && (after.Sequence < gone || after.Sequence == gone && after.Index != math.MaxUint64) {
		return nil, after, fmt.Errorf("events after sequence %d: %w: kept are those from sequence %d on",
			after.Sequence, ErrEventsGone, s.root.EventsGone+1)
	}
	var failed error
	chunk := func(n uint64) *eventChunkRef {
		c, err := record[eventChunkRef](s, eventKey(n))
		if err == nil && c == nil {
			err = fmt.Errorf("the event log has no chunk %d", n)
		}
		if err != nil && failed == nil {
			failed = err
		}
		return c
	}
	// The first chunk with an event after the place.
	n := s.root.EventsFrom + uint64(sort.Search(int(s.root.EventsNext-s.root.EventsFrom), func(i int) bool {
		c := chunk(s.root.EventsFrom + uint64(i))
		return c != nil && (c.Sequence > after.Sequence || (c.Sequence == after.Sequence && c.First+c.Count-1 > after.Index))
	}))
	var out []Event
	for ; n < s.root.EventsNext && failed == nil; n++ {
		c := chunk(n)
		if c == nil {
			break
		}
		b, err := s.src.Block(c.Block, MaxTransaction)
		if err != nil {
			return nil, after, err
		}
		var log eventLog
		if err := wire.Unmarshal(b, &log); err != nil {
			return nil, after, err
		}
		for _, e := range log.Events {
			if e.Sequence < after.Sequence || (e.Sequence == after.Sequence && e.Index <= after.Index) {
				continue
			}
			if len(out) == limit {
				return out, after, nil
			}
			after = EventID{e.Sequence, e.Index}
			if prefix == "/" || (e.Path != "" && under(e.Path, prefix)) {
				out = append(out, e)
			}
		}
	}
	if end := After(s.root.Sequence); failed == nil && after.Sequence <= end.Sequence {
		after = end
	}
	return out, after, failed
}
