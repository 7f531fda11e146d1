package lockspace

import (
	"slices"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace/poseidon"
)

// tick moves a machine's clock by the transaction's proof. l is a copy with the generation and holder that the proof
// must be for, and the clock that it must start from. Everything that is cheap comes before the verdict, and of that the
// digest of what the runs consumed comes last.
func (x *execution) tick(id wire.CID, l *Lock, t tick) error {
	m := l.Machine
	if t.proof == nil {
		return refuse(CodeInvalid, "%s demands a machine: it is held by proofs", l.Path)
	}
	for _, p := range []*Proof{t.proof, t.whole} {
		if p != nil && !slices.Contains(x.s.rules.ProofVersions, p.Version) {
			return refuse(CodeInvalid, "proof format version %d: this ledger accepts %v", p.Version, x.s.rules.ProofVersions)
		}
	}
	at := get[pastRoot](x, rootKey(t.anchor))
	if at == nil || x.clock-at.At > 2*Time(m.Terms.Cadence) {
		return refuse(CodeAnchor, "anchor %d is not a past sequence of at most two cadences ago: prove against a newer root", t.anchor)
	}
	if err := x.checkWhole(l, t); err != nil {
		return err
	}
	life, err := Life(x.root.Chain, l.Path, l.Instance, l.Generation, l.Holder)
	if err != nil {
		return err
	}
	anchor, err := Anchor(t.anchor, at.Root)
	if err != nil {
		return err
	}
	program := get[Program](x, programKey(m.Program))
	if program == nil {
		return refuse(CodeNotFound, "program %s is not published", m.Program)
	}
	need := &Need{Proof: *t.proof, Program: m.Program, Key: program.Key, Life: life, Anchor: anchor, T0: m.T, S0: m.S}
	if t.whole != nil {
		need.Whole = &WholeNeed{Proof: *t.whole, Key: program.Key, Start: m.Start, T: m.T, S: m.S}
	}
	if err := x.open(l, t, need); err != nil {
		return err
	}
	took, err := x.consume(id, l, t.runs, need)
	if err != nil {
		return err
	}
	v, err := x.judge(need)
	if err != nil {
		return err
	}
	switch {
	case m.T == 0: // a span from the start is a whole life by itself
		m.Whole = &Whole{ID: t.proof.ID, Length: t.proof.Length, T: v.T1}
	case t.whole != nil:
		m.Whole = &Whole{ID: t.whole.ID, Length: t.whole.Length, T: m.T}
	}
	m.Proof, m.T0, m.T, m.S = &t.proof.ID, v.T0, v.T1, v.S1
	for range took {
		x.takeInput(id, m.Head)
		m.Head++
	}
	m.Dated = max(m.Dated, m.Head)
	return nil
}

// checkWhole refuses a whole-life span that is due and missing, or there and of no use.
func (x *execution) checkWhole(l *Lock, t tick) error {
	m := l.Machine
	if t.whole != nil {
		switch {
		case m.T == 0:
			return refuse(CodeWhole, "%s: this life begins at the machine's start: its first proof is the whole-life span, attach no other", l.Path)
		case m.Whole != nil && m.Whole.T == m.T:
			return refuse(CodeWhole, "%s: the ledger has a whole-life span to t = %d already: attach none", l.Path, m.T)
		}
		return nil
	}
	if !m.WholeDue() {
		return nil
	}
	// Who holds the lock has made the newest proof and brought or made what comes before it. Who succeeds needs the bytes
	// of both from some node, and if no node has them any more the lock must not stay free for ever: after the time of a
	// lease, in which whoever can carry the chain of lives on has had the first right, it may be broken.
	if t.fresh && x.clock-l.Freed >= Time(m.Terms.Cadence)+Time(m.Terms.Grace) {
		return nil
	}
	return refuse(CodeWhole, "%s: attach the whole-life span, from t = 0 to t = %d: the one that the ledger has, to t = %d, merged with the newest proof",
		l.Path, m.T, m.T0)
}

// open holds the transaction to the terms' opening, and makes the state that it brings the file's content: whoever succeeds
// finds it there, whatever its author did.
func (x *execution) open(l *Lock, t tick, need *Need) error {
	if l.Machine.Terms.Opening != OpeningPoseidon {
		if len(t.open) != 0 {
			return refuse(CodeInvalid, "%s: its terms want no opening", l.Path)
		}
		return nil
	}
	if len(t.open) == 0 {
		return refuse(CodeInvalid, "%s: its terms want the opening of the state that the proof ends in", l.Path)
	}
	s := poseidon.HashMany(t.open)
	need.S1 = &s
	content := make([]byte, 0, len(Felt{})*len(t.open))
	for i := range t.open {
		content = append(content, t.open[i][:]...)
	}
	return x.write(l.Path, x.node(l.Path), content)
}

// consume holds what the runs say that they took against the inbox, and says in need what the proof must say of them. It
// returns how many transactions leave the inbox: the oldest ones.
func (x *execution) consume(id wire.CID, l *Lock, runs []Run, need *Need) (took uint64, err error) {
	m := l.Machine
	digests := make([]Felt, len(runs)) // each run's inputs felt
	hashed := uint64(0)                // felts, by Poseidon
	for i, r := range runs {
		switch n := len(r.Inputs); {
		case m.Terms.Inputs == InputNone && n != 0:
			return 0, refuse(CodeInvalid, "%s: its machine takes no inputs, and run %d lists some", l.Path, i)
		case m.Terms.Inputs == InputFelt && n != 1:
			return 0, refuse(CodeInvalid, "%s: run %d lists %d transactions: its machine takes exactly one a run", l.Path, i, n)
		case m.Terms.Inputs == InputPoseidon && n == 0:
			return 0, refuse(CodeInvalid, "%s: run %d lists no transactions: its machine takes one for each transition", l.Path, i)
		}
		if m.Terms.Inputs == InputNone {
			continue
		}
		var felts []Felt
		for _, at := range r.Inputs {
			consumed := m.Terms.Idle
			if at != Idle {
				if consumed, err = x.oldest(id, l, took, at); err != nil {
					return 0, err
				}
				took++
			}
			felts = append(felts, consumed...)
		}
		need.Steps += uint64(len(r.Inputs))
		if m.Terms.Inputs == InputFelt {
			digests[i] = felts[0]
			continue
		}
		if hashed += uint64(len(felts)); hashed > MaxInputFelts {
			return 0, refuse(CodeInvalid, "%s: the runs took transactions of more than %d felts: renew earlier", l.Path, MaxInputFelts)
		}
		digests[i] = poseidon.HashMany(felts)
	}
	if x.s.fns.SpanInputs == nil {
		return 0, refuse(CodeInvalid, "%s: this ledger takes no proofs", l.Path)
	}
	need.Inputs = x.s.fns.SpanInputs(digests)
	return took, nil
}

// oldest returns the transaction at an inbox index, which must be the oldest when so many before it are taken.
func (x *execution) oldest(id wire.CID, l *Lock, taken uint64, at int64) ([]Felt, error) {
	m := l.Machine
	want := m.Head + taken
	switch {
	case want == m.Tail:
		return nil, refuse(CodeConflict, "%s: the runs took transaction %d; the inbox ends before %d", l.Path, at, m.Tail)
	case uint64(at) != want:
		return nil, refuse(CodeConflict, "%s: the runs took transaction %d; the oldest then is %d: take them in order", l.Path, at, want)
	}
	e := get[InboxEntry](x, inboxKey(id, want))
	if e == nil {
		return nil, refuse(CodeNotFound, "%s: transaction %d is not in the inbox", l.Path, at)
	}
	return e.Felts, nil
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
		c.State -= min(e.cost(), c.State)
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
	case uint64(len(o.Felts)) != m.Terms.Transaction:
		return refuse(CodeInvalid, "%s: a transaction of %d felts: its machine's have %d", o.Path, len(o.Felts), m.Terms.Transaction)
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
	e := &InboxEntry{From: x.tx.Signer, Felts: o.Felts, Sent: x.root.Sequence}
	if err := x.charge(x.tx.Signer, e.cost(), 0); err != nil {
		return err
	}
	index := m.Tail
	key := inboxKey(id, index)
	get[InboxEntry](x, key)
	x.put(key, e)
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
