package lockspace

import (
	"github.com/seed06907907/fatty/internal/wire"
)

// tick moves a machine's clock by the transaction's proof. l is a copy with the generation and holder that the proof
// must be for, and the clock that it must start from. Everything that is cheap comes before the verdict.
func (x *execution) tick(id wire.CID, l *Lock, p *Proof, anchor uint64, runs []Run) error {
	m := l.Machine
	if p == nil {
		return refuse(CodeInvalid, "%s demands a machine: it is held by proofs", l.Path)
	}
	if !x.acceptsVersion(p.Version) {
		return refuse(CodeInvalid, "proof format version %d: this ledger accepts %v", p.Version, x.s.rules.ProofVersions)
	}
	at := get[pastRoot](x, rootKey(anchor))
	if at == nil || x.clock-at.At > 2*Time(m.Terms.Cadence) {
		return refuse(CodeAnchor, "anchor %d is not a past sequence of at most two cadences ago: prove against a newer root", anchor)
	}
	need := &Need{Proof: *p, Program: m.Program, T0: m.T, S0: m.S}
	took := Idle
	switch inputs := runs[0].Inputs; m.Terms.Inputs {
	case InputNone:
		if len(inputs) != 0 {
			return refuse(CodeInvalid, "%s: its machine takes no inputs, and the run lists some", l.Path)
		}
	case InputFelt:
		if len(inputs) != 1 {
			return refuse(CodeInvalid, "%s: its machine takes exactly one transaction a run", l.Path)
		}
		need.Steps, need.Inputs = 1, m.Terms.Idle[0]
		if took = inputs[0]; took == Idle {
			break
		}
		if uint64(took) != m.Head || m.Head == m.Tail {
			return refuse(CodeConflict, "%s: the run took transaction %d; the inbox has %d to %d, oldest first", l.Path, took, m.Head, m.Tail)
		}
		e := get[InboxEntry](x, inboxKey(id, m.Head))
		if e == nil {
			return refuse(CodeNotFound, "%s: transaction %d is not in the inbox", l.Path, took)
		}
		need.Inputs = e.Felts[0]
	}
	life, err := Life(x.root.Chain, l.Path, l.Instance, l.Generation, l.Holder)
	if err != nil {
		return err
	}
	root, err := Anchor(anchor, at.Root)
	if err != nil {
		return err
	}
	program := get[Program](x, programKey(m.Program))
	if program == nil {
		return refuse(CodeNotFound, "program %s is not published", m.Program)
	}
	need.Key, need.Life, need.Anchor = program.Key, life, root
	v, err := x.judge(need)
	if err != nil {
		return err
	}
	m.T, m.S, m.Proof = v.T1, v.S1, &p.ID
	if took != Idle {
		x.takeInput(id, m.Head)
		m.Head++
		m.Dated = max(m.Dated, m.Head)
	}
	return nil
}

// takeInput removes a transaction from an inbox and gives its sender the room back.
func (x *execution) takeInput(id wire.CID, index uint64) {
	key := inboxKey(id, index)
	e := get[InboxEntry](x, key)
	if e == nil {
		return
	}
	x.del(key)
	if a := get[Account](x, accountKey(e.From)); a != nil {
		c := *a
		c.Inbox -= min(1, c.Inbox)
		c.State -= min(costEntry, c.State)
		x.put(accountKey(e.From), &c)
	}
}

// date gives the first Window transactions that wait a deadline where they have none of this life, and puts the
// oldest's in the lock. The lock is held.
func (x *execution) date(id wire.CID, l *Lock) {
	m := l.Machine
	for m.Dated < min(m.Head+m.Terms.Window, m.Tail) {
		key := inboxKey(id, m.Dated)
		if e := get[InboxEntry](x, key); e != nil {
			c := *e
			c.Deadline = x.clock + Time(m.Terms.Cadence) + Time(m.Terms.Grace)
			x.put(key, &c)
		}
		m.Dated++
	}
	m.Deadline = 0
	if m.Head < m.Tail {
		if e := get[InboxEntry](x, inboxKey(id, m.Head)); e != nil {
			m.Deadline = e.Deadline
		}
	}
}

func (o *Send) run(x *execution) error {
	n, id, err := x.file(o.Path)
	if err != nil {
		return err
	}
	if !n.Machine {
		return refuse(CodeInvalid, "%s has no machine", o.Path)
	}
	old := get[Lock](x, lockKey(id))
	if old == nil || old.Machine == nil {
		return refuse(CodeNotFound, "%s has no machine", o.Path)
	}
	l, m := *old, *old.Machine
	l.Machine = &m
	switch {
	case m.Terms.Inputs == InputNone:
		return refuse(CodeInvalid, "%s: its machine ticks by itself and takes no transactions", o.Path)
	case !allowed(m.Terms.Senders, x.tx.Signer):
		return refuse(CodeForbidden, "%s: its terms do not let %s send", o.Path, x.tx.Signer)
	case m.Tail-m.Head >= m.Terms.InboxMax:
		return refuse(CodeInboxFull, "%s: %d transactions wait, and no more may: send again later", o.Path, m.Tail-m.Head)
	}
	a := get[Account](x, accountKey(x.tx.Signer))
	if a == nil || a.Inbox >= a.Quota.Inbox {
		return refuse(CodeQuota, "account %s has no room left in its inbox quota: wait until what it sent is consumed", x.tx.Signer)
	}
	c := *a
	c.Inbox++
	x.put(accountKey(x.tx.Signer), &c)
	if err := x.charge(x.tx.Signer, costEntry, 0); err != nil {
		return err
	}
	index := m.Tail
	key := inboxKey(id, index)
	get[InboxEntry](x, key)
	x.put(key, &InboxEntry{From: x.tx.Signer, Felts: o.Felts, Sent: x.root.Sequence})
	m.Tail++
	if l.State == Held {
		x.date(id, &l)
	}
	x.setLock(id, old, &l)
	by := x.tx.Signer
	x.event(Event{Kind: EventSent, Path: o.Path, Instance: l.Instance, Account: &by, Input: &index, CID: &m.ID})
	x.receipt.Instance, x.receipt.Index = l.Instance, &index
	return nil
}
