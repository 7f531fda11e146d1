package bft

import (
	"github.com/seed06907907/fatty/internal/wire"
)

// slot is the proposal that a replica has accepted, and so prepared, in its view at the sequence number after its head.
type slot struct {
	view      View
	cut       *Cut
	digest    Digest
	sig       []byte // of the pre-prepare; nil if a new-view proposed it
	at        LedgerTime
	committed bool     // the commit is sent
	frames    [][]byte // what we sent for it, to be repeated
}

func newBallots(n int) (b [2][]*Ballot) {
	for i := range b {
		b[i] = make([]*Ballot, n)
	}
	return b
}

// propose makes a fresh proposal if this replica leads, nothing is in flight, and there is something to order.
func (c *Core) propose() bool {
	if c.self < 0 || c.changing || c.slot != nil || c.com.Leader(c.view) != c.self || c.now == 0 ||
		c.head.Sequence < c.base || c.repropose != nil || c.head.Sequence-min(c.executed, c.head.Sequence) > maxUnexecuted {
		return false
	}
	cut := &Cut{Chain: c.com.chain, Sequence: c.head.Sequence + 1, Time: max(c.now, c.head.Time+1), Prev: c.head.Cut}
	m := &PrePrepare{View: c.view}
	for i, l := range c.lanes {
		if l.certified() > l.committed.Height {
			cut.Tips = append(cut.Tips, Tip{uint16(i), l.cert.Height, l.cert.Block})
			m.Certificates = append(m.Certificates, *l.cert)
		}
	}
	if len(cut.Tips) == 0 && !(c.ticks && c.executed >= c.head.Sequence && c.since(c.head.Time) >= c.cfg.IdlePeriod) {
		return false
	}
	m.Cut = *cut
	digest := cut.Digest()
	m.Sig = c.sign(wire.DomainConsensus, proposalBody{"pre-prepare", c.com.chain, c.view, cut.Sequence, digest})
	frame := c.send(Everyone, m)
	c.accept(cut, digest, m.Sig, frame)
	return true
}

// onPrePrepare keeps a proposal for takeProposal, which takes it when the replica stands right before it.
func (c *Core) onPrePrepare(m *PrePrepare) {
	leader := c.com.Leader(m.View)
	if m.Cut.Sequence <= c.head.Sequence {
		c.tellHead(leader)
		return
	}
	if m.View < c.view {
		c.tellView(leader)
		return
	}
	if s := c.slot; s != nil && s.view == m.View && m.Cut.Sequence == s.cut.Sequence {
		if d := m.Cut.Digest(); d != s.digest {
			if s.sig != nil {
				c.evidence(&Evidence{Proposals: []SignedProposal{
					{s.view, s.cut.Sequence, s.digest, s.sig}, {m.View, m.Cut.Sequence, d, m.Sig}}})
			}
			if !c.changing {
				c.startViewChange(c.view + 1) // the leader contradicts itself
			}
		}
		return
	}
	if e := c.early[leader]; e == nil || m.View > e.View || m.View == e.View && m.Cut.Sequence > e.Cut.Sequence {
		c.early[leader] = m
	}
}

// takeProposal accepts the cut that a new-view hands on, or the leader's pre-prepare, when it is next in order.
func (c *Core) takeProposal() bool {
	if c.changing || c.slot != nil || c.full() {
		return false
	}
	if r := c.repropose; r != nil {
		if c.head.Sequence >= r.Sequence {
			c.repropose = nil
			return true
		}
		if c.head.Sequence+1 == r.Sequence && c.head.Cut == r.Prev && r.Time > c.head.Time {
			c.repropose = nil
			c.accept(r, r.Digest(), nil, nil) // keeps its time and skips the window
			return true
		}
		return false
	}
	leader := c.com.Leader(c.view)
	m := c.early[leader]
	if m == nil || m.View != c.view || m.Cut.Sequence != c.head.Sequence+1 || leader == c.self || c.head.Sequence < c.base || !c.fits(m) {
		return false
	}
	for i := range m.Certificates {
		c.adopt(&m.Certificates[i])
	}
	c.accept(&m.Cut, m.Cut.Digest(), m.Sig, nil)
	return true
}

// fits checks a fresh proposal against the head and the clock. One that does not fit is kept: its time may come, or a
// quorum may decide it.
func (c *Core) fits(m *PrePrepare) bool {
	t := m.Cut.Time
	if m.Cut.Prev != c.head.Cut || t <= c.head.Time {
		return false
	}
	if ahead := t - c.now; ahead > LedgerTime(c.cfg.Ahead) || -ahead > LedgerTime(c.cfg.Behind) {
		return false
	}
	if len(m.Cut.Tips) == 0 && t-c.head.Time < LedgerTime(c.cfg.IdlePeriod)/2 {
		return false // empty cuts are for the passing of time alone
	}
	for _, tip := range m.Cut.Tips {
		if !c.lanes[tip.Worker].inWindow(tip.Height) {
			return false
		}
	}
	return true
}

// accept takes a cut as the proposal of the current view and prepares it.
func (c *Core) accept(cut *Cut, digest Digest, sig, frame []byte) {
	c.slot = &slot{view: c.view, cut: cut, digest: digest, sig: sig, at: c.now}
	c.proposedAt = c.now
	c.persist(RecordAccepted, acceptedRecord{View: c.view, Cut: *cut, Sig: sig, Own: frame})
	if len(frame) > 0 {
		c.slot.frames = append(c.slot.frames, frame)
	}
	c.castBallot(PhasePrepare)
}

func (c *Core) castBallot(p Phase) {
	if c.self < 0 {
		return
	}
	s := c.slot
	b := &Ballot{Phase: p, View: s.view, Sequence: s.cut.Sequence, Time: s.cut.Time, Cut: s.digest, Signer: uint16(c.self)}
	b.Sig = c.sign(wire.DomainConsensus, c.com.ballotBody(p, b.View, b.Sequence, b.Time, b.Cut))
	s.frames = append(s.frames, c.send(Everyone, b))
	c.keepBallot(b)
}

func (c *Core) onBallot(b *Ballot) {
	if b.Sequence <= c.head.Sequence {
		c.tellHead(int(b.Signer))
		return
	}
	c.known[b.Signer] = max(c.known[b.Signer], b.Sequence-1)
	c.keepBallot(b)
}

// keepBallot keeps for each signer and phase the ballot of the highest view: an honest replica votes once in a view and
// goes on to higher ones.
func (c *Core) keepBallot(b *Ballot) {
	at := b.Sequence - c.head.Sequence - 1
	if at >= ballotsAhead {
		return
	}
	row := c.ballots[at][b.Phase-1]
	if o := row[b.Signer]; o == nil || b.View > o.View {
		row[b.Signer] = b
	}
}

// quorum returns a certificate of ballots equal to like, if there are enough.
func (c *Core) quorum(p Phase, like *Ballot) *BallotCertificate {
	sigs, count := make([][]byte, c.com.Size()), 0
	for i, b := range c.ballots[0][p-1] {
		if b != nil && b.View == like.View && b.Cut == like.Cut && b.Time == like.Time && count < c.com.Quorum() {
			sigs[i] = b.Sig
			count++
		}
	}
	if count < c.com.Quorum() {
		return nil
	}
	return &BallotCertificate{like.View, like.Sequence, like.Time, like.Cut, newSignatureSet(sigs)}
}

// countBallots moves the sequence number after the head on: from pre-prepared to prepared, and to decided.
func (c *Core) countBallots() bool {
	if s := c.slot; s != nil && !s.committed && !c.changing {
		like := &Ballot{View: s.view, Sequence: s.cut.Sequence, Time: s.cut.Time, Cut: s.digest}
		if k := c.quorum(PhasePrepare, like); k != nil {
			s.committed = true
			c.prepared = &Prepared{Cut: *s.cut, Certificate: *k}
			c.persist(RecordPrepared, c.prepared)
			c.castBallot(PhaseCommit)
			return true
		}
	}
	for i, b := range c.ballots[0][PhaseCommit-1] {
		if b == nil || c.full() || c.countedBefore(i, b) {
			continue
		}
		if k := c.quorum(PhaseCommit, b); k != nil {
			if cut := c.body(b.Cut); cut != nil {
				c.decide(cut, k)
				return true
			}
		}
	}
	return false
}

// countedBefore says that a lower signer's commit is equal, so that its quorum was counted already.
func (c *Core) countedBefore(i int, b *Ballot) bool {
	for _, o := range c.ballots[0][PhaseCommit-1][:i] {
		if o != nil && o.View == b.View && o.Cut == b.Cut && o.Time == b.Time {
			return true
		}
	}
	return false
}

// body finds the cut behind a digest among the proposals at hand.
func (c *Core) body(d Digest) *Cut {
	if c.slot != nil && c.slot.digest == d {
		return c.slot.cut
	}
	if c.prepared != nil && c.prepared.Certificate.Cut == d {
		return &c.prepared.Cut
	}
	if c.repropose != nil && c.repropose.Digest() == d {
		return c.repropose
	}
	for _, m := range c.early {
		if m != nil && m.Cut.Sequence == c.head.Sequence+1 && m.Cut.Digest() == d {
			return &m.Cut
		}
	}
	return nil
}

// onDecision takes a decided cut from someone who is ahead.
func (c *Core) onDecision(m *Decision) {
	if m.Cut.Sequence == c.head.Sequence+1 && !c.full() {
		c.decide(&m.Cut, &m.Commit)
	}
}

// decide appends a cut that a quorum committed to the ledger.
func (c *Core) decide(cut *Cut, k *BallotCertificate) {
	if cut.Prev != c.head.Cut || cut.Time <= c.head.Time && c.head.Sequence > 0 {
		c.halt("a quorum decided cut %d (%s), which does not follow cut %d (%s) here: more validators are faulty than can be borne, "+
			"or this replica's ledger is damaged; keep its disk and compare it with others", cut.Sequence, k.Cut, c.head.Sequence, c.head.Cut)
		return
	}
	d := Decision{Cut: *cut, Commit: *k}
	c.persist(RecordDecision, d)
	e := &execution{decision: d, prev: c.head.Time}
	for _, t := range cut.Tips {
		l := c.lanes[t.Worker]
		if t.Height <= l.committed.Height || t.Height > l.committed.Height+MaxLaneBlocks {
			c.halt("a quorum decided cut %d, whose lane %d goes from height %d to %d: more validators are faulty than can be borne",
				cut.Sequence, t.Worker, l.committed.Height, t.Height)
			return
		}
		for h := l.committed.Height + 1; h <= t.Height; h++ {
			if s := l.pending[h]; s != nil {
				c.store(l, s)
			}
		}
		e.spans = append(e.spans, span{tip: t, base: l.committed.Height})
		l.commit(t)
		l.waiting = 0
		if l.certified() > t.Height {
			l.waiting = c.now
		}
	}
	c.executing = append(c.executing, e)
	c.head = Head{cut.Sequence, cut.Time, k.Cut, k}
	c.decideAt, c.proposedAt = c.now, c.now
	c.slot, c.prepared = nil, nil
	copy(c.ballots[:], c.ballots[1:])
	c.ballots[ballotsAhead-1] = newBallots(c.com.Size())
	if c.attempts > 0 && !c.changing {
		c.attempts--
	}
}
