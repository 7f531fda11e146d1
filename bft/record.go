package bft

import (
	"fmt"
	"sort"

	"github.com/seed06907907/fatty/internal/wire"
)

// RecordKind tells records apart on disk. Numbers are never reused with another meaning.
type RecordKind byte

// The kinds of records.
const (
	RecordBlock      RecordKind = 1 // a block that is stored, and whether it was voted for
	RecordAccepted   RecordKind = 2 // a proposal accepted in a view, and so prepared
	RecordPrepared   RecordKind = 3 // a cut with a quorum of prepares, and so committed to
	RecordViewChange RecordKind = 4 // our own view change: lower views are left for good
	RecordNewView    RecordKind = 5 // a view entered; a frame
	RecordDecision   RecordKind = 6 // a cut decided
	RecordEvidence   RecordKind = 7 // a lie proven
	RecordLane       RecordKind = 8 // how far a lane was voted for
)

// Record is one thing that a replica must remember before it speaks of it. Data is canonical DAG-CBOR or a frame.
type Record struct {
	Kind RecordKind
	Data []byte
}

type blockRecord struct {
	Voted bool   `cbor:"voted"`
	Frame []byte `cbor:"frame"`
}

type acceptedRecord struct {
	View View   `cbor:"view"`
	Cut  Cut    `cbor:"cut"`
	Sig  []byte `cbor:"sig"` // of the pre-prepare, empty if a new-view proposed it
	Own  []byte `cbor:"own"` // our pre-prepare's frame if we led
}

// restore lives through records again, without speaking.
func (c *Core) restore(records []Record) error {
	for i, r := range records {
		if err := c.restoreOne(r); err != nil {
			return fmt.Errorf("record %d of the vote log, kind %d: %w; the log is damaged, restore this validator from a copy "+
				"or start it anew as another one, for it may not vote again without its log", i, r.Kind, err)
		}
	}
	return nil
}

func (c *Core) restoreOne(r Record) error {
	switch r.Kind {
	case RecordBlock:
		return c.restoreBlock(r.Data)
	case RecordLane:
		var t Tip
		if err := wire.Unmarshal(r.Data, &t); err != nil {
			return err
		}
		if int(t.Worker) >= len(c.lanes) {
			return errMember
		}
		if l := c.lanes[t.Worker]; t.Height > l.voted.Height {
			l.voted = t
		}
	case RecordAccepted:
		var a acceptedRecord
		if err := wire.Unmarshal(r.Data, &a); err != nil {
			return err
		}
		if a.View != c.view || c.changing || a.Cut.Sequence != c.head.Sequence+1 {
			return nil // of a view or a number that is over
		}
		c.slot = &slot{view: a.View, cut: &a.Cut, digest: a.Cut.Digest(), at: c.now}
		c.repropose = nil
		if len(a.Sig) > 0 {
			c.slot.sig = a.Sig
		}
		if len(a.Own) > 0 {
			c.slot.frames = [][]byte{a.Own}
		}
		c.castBallot(PhasePrepare)
	case RecordPrepared:
		p := new(Prepared)
		if err := wire.Unmarshal(r.Data, p); err != nil {
			return err
		}
		if p.Cut.Sequence != c.head.Sequence+1 {
			return nil
		}
		c.prepared = p
		if s := c.slot; s != nil && s.view == p.Certificate.View && !s.committed {
			s.committed = true
			c.castBallot(PhaseCommit)
		}
	case RecordViewChange:
		m := new(ViewChange)
		if err := wire.Unmarshal(r.Data, m); err != nil {
			return err
		}
		f, err := Frame(m)
		if err != nil {
			return err
		}
		c.view, c.changing, c.ownChange, c.slot, c.repropose, c.quorumAt = m.View, true, f, nil, nil, 0
		if c.self >= 0 {
			c.changes[c.self] = m
		}
	case RecordNewView:
		m, err := Decode(r.Data)
		if err != nil {
			return err
		}
		nv, ok := m.(*NewView)
		if !ok {
			return fmt.Errorf("it holds a %s", m.kind())
		}
		c.beginView(nv, r.Data)
	case RecordDecision:
		var d Decision
		if err := wire.Unmarshal(r.Data, &d); err != nil {
			return err
		}
		if d.Cut.Sequence <= c.head.Sequence {
			return nil // the ledger store has it
		}
		if d.Cut.Sequence > c.head.Sequence+1 {
			return fmt.Errorf("it decides cut %d, the one before is %d", d.Cut.Sequence, c.head.Sequence)
		}
		c.decide(&d.Cut, &d.Commit)
		if c.halted {
			return c.out.Halt
		}
	case RecordEvidence:
		e := new(Evidence)
		if err := wire.Unmarshal(r.Data, e); err != nil {
			return err
		}
		c.evidenceSeen[e.key()] = true
	default:
		return fmt.Errorf("unknown kind: a newer version wrote it")
	}
	return nil
}

func (c *Core) restoreBlock(data []byte) error {
	var r blockRecord
	if err := wire.Unmarshal(data, &r); err != nil {
		return err
	}
	m, err := Decode(r.Frame)
	if err != nil {
		return err
	}
	b, ok := m.(*Block)
	if !ok {
		return fmt.Errorf("it holds a %s", m.kind())
	}
	h := b.SignedHeader.Header
	if int(h.Worker) >= len(c.lanes) {
		return errMember
	}
	l := c.lanes[h.Worker]
	s := &stored{block: b, id: b.ID(), frame: r.Frame, voted: r.Voted, at: c.now}
	if r.Voted && h.Height > l.voted.Height {
		l.voted = tipOf(s)
		l.first[h.Height] = b.SignedHeader
	}
	// A block at or below the ledger store's tips was executed; above them it may still be needed.
	if h.Height > l.committed.Height || c.undelivered(h.Worker, h.Height) {
		l.blocks[s.id] = s
		if r.Voted && c.self >= 0 && l.inWindow(h.Height) {
			c.tally(l, c.makeVote(s))
		}
	}
	return nil
}

// undelivered says whether a cut that is decided but not executed takes in a height of a lane.
func (c *Core) undelivered(worker uint16, h Height) bool {
	for _, e := range c.executing {
		for _, s := range e.spans {
			if s.tip.Worker == worker && h > s.base && h <= s.tip.Height {
				return true
			}
		}
	}
	return false
}

// Checkpoint returns records that say all that the replica must still remember, given that the ledger store durably
// holds everything executed. A fresh log that begins with them may replace the old one.
func (c *Core) Checkpoint() ([]Record, error) {
	var out []Record
	var fail error
	add := func(k RecordKind, v any) {
		b, err := wire.Marshal(v)
		if err != nil && fail == nil {
			fail = fmt.Errorf("checkpoint: %w", err)
		}
		out = append(out, Record{k, b})
	}
	// Blocks of cuts that are still executing come first: they are above the ledger store's tips.
	for i, l := range c.lanes {
		list := make([]*stored, 0, len(l.blocks))
		for _, s := range l.blocks {
			list = append(list, s)
		}
		sort.Slice(list, func(i, j int) bool {
			a, b := list[i].block.SignedHeader.Header.Height, list[j].block.SignedHeader.Header.Height
			return a < b || a == b && lessID(list[i].id, list[j].id)
		})
		for _, s := range list {
			add(RecordBlock, blockRecord{s.voted, s.frame})
		}
		if l.voted.Height > 0 {
			t := l.voted
			t.Worker = uint16(i)
			add(RecordLane, t)
		}
	}
	for _, e := range c.executing {
		add(RecordDecision, e.decision)
	}
	if c.newFrame != nil && (!c.changing || c.newView.View < c.view) {
		out = append(out, Record{RecordNewView, c.newFrame})
	}
	if c.changing && c.self >= 0 && c.changes[c.self] != nil {
		add(RecordViewChange, c.changes[c.self])
	}
	if s := c.slot; s != nil {
		a := acceptedRecord{View: s.view, Cut: *s.cut, Sig: s.sig}
		if c.self >= 0 && c.com.Leader(s.view) == c.self && len(s.frames) > 0 && PeekKind(s.frames[0]) == KindPrePrepare {
			a.Own = s.frames[0]
		}
		add(RecordAccepted, a)
	}
	if c.prepared != nil {
		add(RecordPrepared, c.prepared)
	}
	return out, fail
}

// key names the liar and the place of the lie.
func (e *Evidence) key() string {
	if len(e.Blocks) > 0 {
		h := e.Blocks[0].Header
		return fmt.Sprintf("block %d %d", h.Worker, h.Height)
	}
	if len(e.Proposals) > 0 {
		return fmt.Sprintf("proposal %d %d", e.Proposals[0].View, e.Proposals[0].Sequence)
	}
	return ""
}
