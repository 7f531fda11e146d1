package bft

import (
	"sort"

	"github.com/seed06907907/fatty/internal/wire"
)

// checkTimeouts starts a view change when the leader does not do its part: a certified block waits, a proposal is not
// decided, or time does not pass while execution needs it to. A replica that is behind, be it with execution alone, waits
// for nobody: it catches up.
func (c *Core) checkTimeouts() {
	if c.self < 0 || c.halted {
		return
	}
	if c.changing {
		if c.quorumAt != 0 && c.since(c.quorumAt) > c.patience(c.cfg.StallTimeout) {
			c.startViewChange(c.view + 1)
		}
		return
	}
	if c.credible() > c.head.Sequence || c.full() {
		c.enteredAt = c.now
		return
	}
	stall := c.patience(c.cfg.StallTimeout)
	late := func(since LedgerTime) bool { return c.since(max(since, c.enteredAt)) > stall }
	switch {
	case c.slot != nil && late(c.slot.at), c.repropose != nil && late(c.enteredAt),
		c.ticks && c.executed >= c.head.Sequence && c.since(max(c.proposedAt, c.enteredAt)) > c.patience(c.cfg.ViewTimeout):
		c.startViewChange(c.view + 1)
		return
	}
	for _, l := range c.lanes {
		if l.waiting != 0 && late(l.waiting) && c.head.Sequence-min(c.executed, c.head.Sequence) <= maxUnexecuted {
			c.startViewChange(c.view + 1)
			return
		}
	}
}

// credible is the highest sequence number that f+1 validators say is decided: one of them is honest.
func (c *Core) credible() Sequence {
	k := append([]Sequence(nil), c.known...)
	sort.Slice(k, func(i, j int) bool { return k[i] > k[j] })
	return k[c.com.Faulty()]
}

// startViewChange leaves the current view for good and asks for view v.
func (c *Core) startViewChange(v View) {
	if c.self < 0 || v > maxView {
		return
	}
	c.view, c.changing, c.quorumAt = v, true, 0
	c.slot, c.repropose = nil, nil
	c.attempts++
	m := &ViewChange{View: v, Decided: c.head.Commit, Signer: uint16(c.self)}
	if c.prepared != nil {
		m.Prepared = []Prepared{*c.prepared}
	}
	m.Sig = c.sign(wire.DomainConsensus, viewChangeBody{"view-change", c.com.chain, v, m.Decided, m.Prepared})
	c.persist(RecordViewChange, m)
	c.ownChange = c.send(Everyone, m)
	c.repeatedAt = c.now
	c.onViewChange(m)
}

func (c *Core) onViewChange(m *ViewChange) {
	if m.Decided != nil {
		c.known[m.Signer] = max(c.known[m.Signer], m.Decided.Sequence)
	}
	if m.View < c.view || m.View == c.view && !c.changing {
		c.tellView(int(m.Signer))
		return
	}
	if o := c.changes[m.Signer]; o != nil && o.View >= m.View {
		return
	}
	c.changes[m.Signer] = m
	if c.self < 0 {
		return
	}
	c.joinViewChange()
	c.makeNewView()
}

// joinViewChange follows f+1 validators that have left for higher views, to the lowest of those: one of them is honest.
func (c *Core) joinViewChange() {
	var higher []View
	for _, o := range c.changes {
		if o != nil && o.View > c.view {
			higher = append(higher, o.View)
		}
	}
	if len(higher) <= c.com.Faulty() {
		return
	}
	sort.Slice(higher, func(i, j int) bool { return higher[i] < higher[j] })
	c.startViewChange(higher[0])
}

// makeNewView starts the view if this replica leads it and a quorum has asked for it.
func (c *Core) makeNewView() {
	if !c.changing {
		return
	}
	var set []ViewChange
	left := 0
	for _, o := range c.changes {
		if o == nil || o.View < c.view {
			continue
		}
		left++
		if o.View == c.view && len(set) < c.com.Quorum() {
			set = append(set, *o)
		}
	}
	// One that is in a higher view already counts for the patience: it never comes back, and the others must go after it.
	if left >= c.com.Quorum() && c.quorumAt == 0 {
		c.quorumAt = c.now
	}
	if len(set) < c.com.Quorum() || c.com.Leader(c.view) != c.self {
		return
	}
	m := &NewView{View: c.view, Changes: set}
	m.Sig = c.sign(wire.DomainConsensus, newViewBody{"new-view", c.com.chain, c.view, digestOf(set)})
	c.enterView(m, c.send(Everyone, m))
}

func (c *Core) onNewView(m *NewView, frame []byte) {
	if m.View < c.view || m.View == c.view && !c.changing {
		return
	}
	c.enterView(m, frame)
}

// enterView starts a view from its new-view.
func (c *Core) enterView(m *NewView, frame []byte) {
	c.out.Persist = append(c.out.Persist, Record{Kind: RecordNewView, Data: frame})
	c.beginView(m, frame)
	base, _ := reproposal(m.Changes)
	if base != nil {
		for i := range m.Changes {
			if d := m.Changes[i].Decided; d != nil {
				s := m.Changes[i].Signer
				c.known[s] = max(c.known[s], d.Sequence)
			}
		}
	}
}

// beginView is enterView without a record: what a restart repeats.
func (c *Core) beginView(m *NewView, frame []byte) {
	c.view, c.changing, c.quorumAt = m.View, false, 0
	c.newView, c.newFrame, c.ownChange = m, frame, nil
	c.slot = nil
	c.enteredAt = c.now
	c.proposedAt = c.now
	base, cut := reproposal(m.Changes)
	c.base, c.repropose = 0, cut
	if base != nil {
		c.base = base.Sequence
	}
	for i, o := range c.changes {
		if o != nil && o.View <= c.view {
			c.changes[i] = nil
		}
	}
	c.resetWaiting()
}

// reproposal computes from the view changes in a new-view where it starts: the certificate of the highest decided cut,
// nil for genesis, and the cut that the leader must propose again after it, nil if none may have been decided. Any
// replica computes the same. If a cut was decided after base by anyone, a quorum prepared it in some view, so one honest
// member of this quorum reports it, and nothing prepared in a higher view differs (PBFT, section 4.4).
func reproposal(changes []ViewChange) (base *BallotCertificate, cut *Cut) {
	var from Sequence
	for i := range changes {
		if d := changes[i].Decided; d != nil && d.Sequence > from {
			base, from = d, d.Sequence
		}
	}
	var best View
	for i := range changes {
		for k := range changes[i].Prepared {
			p := &changes[i].Prepared[k]
			if p.Cut.Sequence == from+1 && (cut == nil || p.Certificate.View > best) {
				cut, best = &p.Cut, p.Certificate.View
			}
		}
	}
	return base, cut
}
