package bft

import (
	"time"

	"github.com/seed06907907/fatty/internal/wire"
)

const (
	// statusEvery is how often a replica tells others where it stands; in a larger committee to statusFanout at a time.
	statusEvery  = time.Second
	statusFanout = 4
	// blocksRepeated bounds how many own blocks are sent again at a time.
	blocksRepeated = 4
	// rangeAsked bounds the decisions asked for at a time. They are asked for while as many more may wait for execution.
	rangeAsked = maxExecuting / 2
)

// repeat sends again what has had no answer for a while. Messages may be lost; nothing else makes up for it.
func (c *Core) repeat() {
	if c.self < 0 || c.halted {
		return
	}
	if c.since(c.statusAt) >= statusEvery {
		c.statusAt = c.now
		c.sendStatus()
	}
	if c.since(c.repeatedAt) < c.cfg.Retransmit {
		return
	}
	c.repeatedAt = c.now
	old := func(t LedgerTime) bool { return c.since(t) >= c.cfg.Retransmit }
	if c.changing {
		c.sendFrame(Everyone, c.ownChange)
	}
	if s := c.slot; s != nil && old(s.at) {
		for _, f := range s.frames {
			c.sendFrame(Everyone, f)
		}
	}
	c.repeatLane(old)
	c.remindLeader(old)
	if st := c.states[c.executed]; st != nil && st.own != nil && st.cert == nil {
		c.send(Everyone, st.own)
	}
}

// repeatLane sends the own lane's uncertified blocks again, lowest first, and its certificate while it waits.
func (c *Core) repeatLane(old func(LedgerTime) bool) {
	l := c.lanes[c.self]
	if l.cert != nil && l.waiting != 0 && old(l.waiting) {
		c.send(Everyone, l.cert)
	}
	byHeight := map[Height]*stored{}
	for _, s := range l.blocks {
		if s.voted {
			byHeight[s.block.SignedHeader.Header.Height] = s
		}
	}
	from := max(l.committed.Height, l.certified()) + 1
	for h := from; h <= l.voted.Height && h < from+blocksRepeated; h++ {
		if s := byHeight[h]; s != nil && old(s.at) {
			c.sendFrame(Everyone, s.frame)
		}
	}
}

// remindLeader hands the leader the certificates that wait. A worker that keeps its own from the leader alone could
// otherwise have leader after leader replaced for proposing nothing.
func (c *Core) remindLeader(old func(LedgerTime) bool) {
	leader := c.com.Leader(c.view)
	for i, l := range c.lanes {
		if i != c.self && l.waiting != 0 && old(l.waiting) && !c.changing {
			c.send(leader, l.cert)
		}
	}
}

func (c *Core) sendStatus() {
	m := c.status()
	n := c.com.Size()
	if n <= 2*statusFanout {
		c.send(Everyone, m)
		return
	}
	for range statusFanout {
		c.statusTurn = (c.statusTurn + 1) % n
		c.send(c.statusTurn, m)
	}
}

func (c *Core) status() *Status {
	m := &Status{View: c.view, Changing: c.changing, Decided: c.head.Sequence, Signer: uint16(c.self)}
	m.Sig = c.sign(wire.DomainConsensus, statusBody{"status", c.com.chain, m.View, m.Changing, m.Decided})
	return m
}

// onStatus helps a validator that is behind, and notes one that is ahead.
func (c *Core) onStatus(m *Status) {
	from := int(m.Signer)
	c.known[from] = max(c.known[from], m.Decided)
	if c.self < 0 || from == c.self {
		return
	}
	behind := m.Decided < c.head.Sequence
	lost := c.newFrame != nil && !c.changing && (m.View < c.view || m.View == c.view && m.Changing)
	if (behind || lost) && c.help(from) {
		if lost {
			c.sendFrame(from, c.newFrame)
		}
		if behind {
			c.send(from, c.status())
		}
	}
}

// tellHead helps a validator that still works on a sequence number decided here some time ago.
func (c *Core) tellHead(to int) {
	if c.self < 0 || c.since(c.decideAt) < c.cfg.Retransmit || c.head.Commit == nil || !c.help(to) {
		return
	}
	c.send(to, c.status())
}

// tellView helps a validator that has not seen the current view begin.
func (c *Core) tellView(to int) {
	if c.self >= 0 && !c.changing && c.newFrame != nil && c.help(to) {
		c.sendFrame(to, c.newFrame)
	}
}

// wantDecisions asks for the ledger's next cuts when someone is said to have them. A liar costs one question at a time.
func (c *Core) wantDecisions() {
	var from []int
	last := c.head.Sequence
	for i, k := range c.known {
		if k > c.head.Sequence && i != c.self {
			from = append(from, i)
			last = max(last, k)
		}
	}
	if len(from) == 0 || len(c.executing) > maxExecuting-rangeAsked || c.since(c.decideAt) < wantDelay {
		return
	}
	if c.rangeHead == c.head.Sequence && c.since(c.rangeAt) < c.cfg.Retransmit {
		return
	}
	c.rangeAt, c.rangeHead = c.now, c.head.Sequence
	first := c.head.Sequence + 1
	turn := int(uint64(first)+uint64(c.now/LedgerTime(c.cfg.Retransmit))) % len(from)
	from = append(from[turn:], from[:turn]...)
	c.out.Wants = append(c.out.Wants, Want{First: first, Last: min(last, c.head.Sequence+rangeAsked), From: from})
}

// evidence keeps proof of a validator's lie, hands it on and puts it on disk, once for each liar and place.
func (c *Core) evidence(e *Evidence) {
	key := e.key()
	if c.evidenceSeen[key] || len(c.evidenceSeen) >= maxEvidence {
		return
	}
	c.evidenceSeen[key] = true
	c.persist(RecordEvidence, e)
	c.out.Evidence = append(c.out.Evidence, e)
	if c.self >= 0 {
		c.send(Everyone, e)
	}
}

// maxEvidence bounds the evidence kept: a validator that has lied once has lied.
const maxEvidence = 4 * MaxValidators

func (c *Core) onEvidence(e *Evidence) { c.evidence(e) }
