package bft

import (
	"github.com/seed06907907/fatty/internal/wire"
)

// execution is a decided cut on its way through execution.
type execution struct {
	decision  Decision
	prev      LedgerTime
	spans     []span
	delivered bool
}

// span is the blocks of a lane that a cut takes in: from tip back to the height above base.
type span struct {
	tip    Tip
	base   Height
	blocks []*Block // from the tip down, as far as they are stored
	next   Tip      // the next one needed
}

// stateTally is what is known of the state after one sequence number.
type stateTally struct {
	own   *StateVote
	votes []*StateVote // by signer
	cert  *StateCertificate
}

// deliver hands on decided cuts, in order, whose blocks are all stored. Where a worker has equivocated, a tip's chain
// may leave the one that was committed: the blocks of the tip's own chain count, by height, which every replica finds
// the same by their hashes.
func (c *Core) deliver() {
	for _, e := range c.executing {
		if e.delivered {
			continue
		}
		complete := true
		for i := range e.spans {
			complete = c.complete(&e.spans[i], e.decision.Commit.Set) && complete
		}
		if !complete {
			return
		}
		d := Delivery{Decision: e.decision, Prev: e.prev}
		for _, s := range e.spans {
			for k := len(s.blocks) - 1; k >= 0; k-- {
				d.Blocks = append(d.Blocks, s.blocks[k])
			}
		}
		e.delivered = true
		c.out.Deliver = append(c.out.Deliver, d)
	}
}

// complete walks a span down as far as blocks are stored, asks for the first that is not, and says whether none is
// missing.
func (c *Core) complete(s *span, voters SignatureSet) bool {
	if len(s.blocks) == 0 {
		s.next = s.tip
	}
	l := c.lanes[s.tip.Worker]
	for s.next.Height > s.base {
		b := l.blocks[s.next.Block]
		if b == nil {
			c.want(s.next, voters.Indices()).needed = true
			return false
		}
		s.blocks = append(s.blocks, b.block)
		h := b.block.SignedHeader.Header
		s.next = Tip{h.Worker, h.Height - 1, h.Prev}
	}
	return true
}

// Executed tells the replica what execution of a delivered cut gave: the state's root, and whether the passing of time
// matters to it. It must be durable, as must be the cut in the ledger store. An undefined root is not voted on: that of
// a cut which was executed before a restart, and others after it.
func (c *Core) Executed(seq Sequence, root wire.CID, ticksNeeded bool) {
	if c.halted || seq == 0 || seq < c.executed {
		return
	}
	c.executed, c.ticks = seq, ticksNeeded
	var t LedgerTime
	for len(c.executing) > 0 && c.executing[0].decision.Cut.Sequence <= seq {
		t = c.executing[0].decision.Cut.Time
		c.forget(c.executing[0])
		c.executing = c.executing[1:]
	}
	if seq == c.head.Sequence {
		t = c.head.Time
	}
	for s := range c.states {
		if s+statesKept < seq {
			delete(c.states, s)
		}
	}
	if t > 0 && root.Defined() {
		c.voteForState(seq, t, root)
	}
	c.advance()
}

// forget drops the blocks at and below the heights of an executed cut, and what was asked for there.
func (c *Core) forget(e *execution) {
	for _, s := range e.spans {
		for id, b := range c.lanes[s.tip.Worker].blocks {
			if b.block.SignedHeader.Header.Height <= s.tip.Height {
				delete(c.lanes[s.tip.Worker].blocks, id)
			}
		}
		for id, w := range c.wants {
			if w.worker == s.tip.Worker && w.height <= s.tip.Height {
				delete(c.wants, id)
			}
		}
	}
}

func (c *Core) voteForState(seq Sequence, t LedgerTime, root wire.CID) {
	v := &StateVote{Sequence: seq, Time: t, Root: root}
	st := c.state(seq)
	if st == nil || st.own != nil {
		return
	}
	st.own = v
	if c.self >= 0 {
		v.Signer = uint16(c.self)
		v.Sig = c.sign(wire.DomainState, stateBody{c.com.chain, seq, t, root})
		c.send(Everyone, v)
		st.votes[c.self] = v
	}
	c.countStates(st)
}

// state returns the tally of a sequence number, nil if it is too far from what is executed.
func (c *Core) state(seq Sequence) *stateTally {
	if seq+statesKept < c.executed || seq > c.executed+statesKept {
		return nil
	}
	st := c.states[seq]
	if st == nil {
		st = &stateTally{votes: make([]*StateVote, c.com.Size())}
		c.states[seq] = st
	}
	return st
}

func (c *Core) onStateVote(v *StateVote) {
	c.known[v.Signer] = max(c.known[v.Signer], v.Sequence)
	st := c.state(v.Sequence)
	if st == nil {
		return
	}
	if st.votes[v.Signer] != nil {
		if st.cert != nil && c.self >= 0 && c.help(int(v.Signer)) {
			c.send(int(v.Signer), st.cert) // it repeats itself: it has no certificate yet
		}
		return
	}
	st.votes[v.Signer] = v
	c.countStates(st)
}

func (c *Core) onStateCertificate(k *StateCertificate) {
	if st := c.state(k.Sequence); st != nil && st.cert == nil {
		c.certifyState(st, k)
	}
}

// countStates makes a state certificate of any quorum of equal votes, be it for our own root or against it.
func (c *Core) countStates(st *stateTally) {
	if st.cert != nil {
		c.certifyState(st, st.cert)
		return
	}
	for _, like := range st.votes {
		if like == nil {
			continue
		}
		sigs, count := make([][]byte, c.com.Size()), 0
		for i, v := range st.votes {
			if v != nil && v.Root == like.Root && v.Time == like.Time && count < c.com.Quorum() {
				sigs[i] = v.Sig
				count++
			}
		}
		if count >= c.com.Quorum() {
			c.certifyState(st, &StateCertificate{like.Sequence, like.Time, like.Root, newSignatureSet(sigs)})
			return
		}
	}
}

// certifyState keeps a certificate, hands it on once, and halts the replica if its own state differs.
func (c *Core) certifyState(st *stateTally, k *StateCertificate) {
	if st.cert == nil {
		st.cert = k
		c.out.StateCertificates = append(c.out.StateCertificates, k)
	}
	if st.own != nil && (st.own.Root != k.Root || st.own.Time != k.Time) {
		c.halt("the state after cut %d is %s here, but a quorum of validators signed %s: this replica's execution or disk is at fault; "+
			"it has left consensus, keep its data for examination and restore from a snapshot", k.Sequence, st.own.Root, k.Root)
	}
}
