package machine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
)

// look reads the lock's place from the ledger. A node that is behind what this keeper has seen is not believed.
func (r *Runner) look(ctx context.Context) error {
	head, err := r.cfg.Ledger.Head(ctx)
	if err != nil {
		return err
	}
	// A cut that was there before says nothing of the time: the ledger is idle, or stands still.
	if skew := time.Until(head.Time.Time); skew > r.skew || (time.Since(r.skewAt) > skewKept && head.Sequence != r.newest) {
		r.skew, r.skewAt = skew, time.Now()
	}
	r.newest = head.Sequence
	if err := r.behind(head.Sequence); err != nil {
		return err
	}
	m, err := r.cfg.Ledger.Machine(ctx, r.cfg.File.Lock)
	before := r.view
	holds := r.keeps && before != nil && r.now().Before(before.LeaseEnd) // as a receipt said
	switch api.CodeOf(err) {
	case api.CodeNotFound:
		if holds {
			return r.better("the node does not know %s", r.cfg.File.Lock)
		}
		r.view = nil
		return nil
	case api.CodeParams: // a folder, or a lock without a machine
		return r.doubt("%s cannot be kept: %w; name another lock", r.cfg.File.Lock, err)
	}
	if err != nil {
		return err
	}
	if err := r.behind(m.Sequence); err != nil { // another node's, maybe
		return err
	}
	if m.Machine != r.id.String() {
		return r.doubt("%s demands machine %s; %s describes machine %s: give it another lock, or take the machine's own file", r.cfg.File.Lock, m.Machine, r.cfg.File.Path, r.id)
	}
	v, err := r.read(m)
	if err != nil {
		return r.doubt("%s: the node's answer does not make sense: %w", r.cfg.File.Lock, err)
	}
	if m.Waiting > 0 {
		if err := r.readInbox(ctx, m, v); err != nil {
			return err
		}
	}
	if holds && v.Instance == before.Instance {
		switch {
		case v.State != lockspace.Held || !v.Mine: // a lease that nobody gave back ends at its end
			return r.better("the node says that %s is not held by this key", r.cfg.File.Lock)
		case v.Generation < before.Generation || (v.Generation == before.Generation && v.T < before.T):
			return r.better("the node says that %s is at generation %d, t = %d", r.cfg.File.Lock, v.Generation, v.T)
		}
	}
	r.view, r.seen, r.doubts = v, true, 0
	if p := r.ready; p != nil {
		p.since = r.ageless(p.since, p.begun.Sequence, v.Sequence)
	}
	if p := r.proving; p != nil {
		p.since = r.ageless(p.since, p.begun.Sequence, v.Sequence)
	}
	r.adopt(m)
	r.tell(m, r.claim(m, before))
	return nil
}

// doubt is what a node said against what this keeper has seen of the lock. A node may lie, or be of another ledger: what
// is said again and again, by one node after the other, is believed. Where nothing was seen yet the first word is, so that
// who named the wrong lock learns it at once.
func (r *Runner) doubt(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if r.doubts++; r.doubts >= maxDoubts || !r.seen {
		return fatal{err}
	}
	return err
}

// better is what a node said of a lock that is held from here, as this keeper knows by a receipt. It is not believed before
// the lease is over.
func (r *Runner) better(format string, args ...any) error {
	return fmt.Errorf(format+"; it is held from here until %s, at generation %d and t = %d: another may know better",
		append(args, r.view.LeaseEnd.UTC().Format(time.RFC3339), r.view.Generation, r.view.T)...)
}

// behind says that a node at a sequence knows less than this keeper.
func (r *Runner) behind(sequence uint64) error {
	if sequence >= r.floor {
		return nil
	}
	return fmt.Errorf("the node is at sequence %d, the lock's last transaction is in %d: waiting for it", sequence, r.floor)
}

// readInbox reads the transactions that wait, as many as one answer lists.
func (r *Runner) readInbox(ctx context.Context, m *api.Machine, v *View) error {
	in, err := r.cfg.Ledger.Inbox(ctx, r.cfg.File.Lock, lockspace.MaxList)
	if err != nil {
		return err
	}
	if in.Sequence < m.Sequence {
		return fmt.Errorf("the node is at sequence %d, the lock was read at %d: waiting for it", in.Sequence, m.Sequence)
	}
	for i, item := range in.Items {
		if i == 0 {
			v.Head = item.Index
		}
		if item.Index != v.Head+uint64(i) || uint64(len(item.Felts)) != r.terms.Transaction {
			return r.doubt("%s: transaction %d of %d felts stands %d. in the inbox: the node's answer does not make sense", r.cfg.File.Lock, item.Index, len(item.Felts), i+1)
		}
		var tx []lockspace.Felt
		for _, s := range item.Felts {
			f, err := lockspace.ParseFelt(s)
			if err != nil {
				return err
			}
			tx = append(tx, f)
		}
		v.Inbox = append(v.Inbox, tx)
	}
	return nil
}

// read turns a node's answer into a View and takes the lock's terms from it.
func (r *Runner) read(m *api.Machine) (*View, error) {
	v := &View{Sequence: m.Sequence, Instance: m.Instance, Generation: m.Generation, T: uint64(m.T), LeaseEnd: m.LeaseEnd.Time, ClosedTill: m.ClosedTill.Time,
		Whole: uint64(m.WholeLifeT), Due: m.WholeLifeDue, Broken: m.WholeLifeTill.Time}
	var err error
	if v.S, err = lockspace.ParseFelt(m.State); err != nil {
		return nil, err
	}
	switch {
	case m.Held:
		v.State, v.Mine = lockspace.Held, m.Holder == r.cfg.Account.PeerID()
	case !m.ClosedTill.IsZero():
		v.State = lockspace.Delayed
	}
	for _, s := range m.Opening {
		f, err := lockspace.ParseFelt(s)
		if err != nil {
			return nil, err
		}
		v.Opening = append(v.Opening, f)
	}
	t := &r.terms
	t.Opening = m.Terms.Opening
	t.Inputs, t.Succession, t.Transaction = lockspace.InputKind(m.Terms.Inputs), lockspace.Succession(m.Terms.Succession), uint64(m.Terms.Transaction)
	seconds := func(s float64) lockspace.Duration { return lockspace.Duration(s * float64(lockspace.Second)) }
	t.Cadence, t.Grace, t.LockDelay = seconds(m.Terms.Cadence), seconds(m.Terms.Grace), seconds(m.Terms.LockDelay)
	t.Idle = nil
	for _, s := range m.Terms.Idle {
		f, err := lockspace.ParseFelt(s)
		if err != nil {
			return nil, err
		}
		t.Idle = append(t.Idle, f)
	}
	if t.Inputs != lockspace.InputNone && (t.Transaction == 0 || uint64(len(t.Idle)) != t.Transaction) {
		return nil, errors.New("the terms name no idle transaction")
	}
	r.sizer.Budget = time.Duration(t.Cadence) * 3 / 4
	return v, nil
}

// claim says whether this process keeps the lock: whether the newest proof that the ledger took is its own, or of its folder.
// A lease of its key alone does not say so, as another process may have that key. One that was there when this process came
// may be a dead one's, and is renewed; where it moves without this process, another keeps it, and then it is not Mine.
func (r *Runner) claim(m *api.Machine, before *View) bool {
	v := r.view
	if v.State != lockspace.Held || !v.Mine {
		return false
	}
	same := before != nil && before.State == lockspace.Held && before.Instance == v.Instance && before.Generation == v.Generation
	switch {
	case r.made(m.Proof):
		return true
	case before == nil || (same && before.T == v.T && !r.twin):
		return false
	}
	v.Mine = false
	return false
}

// made says whether a proof is one that this process handed in or that its folder says was accepted.
func (r *Runner) made(id string) bool {
	return id != "" && (id == r.handed || (r.life.last != nil && id == wire.Sum(r.life.last.proof).String()))
}

// tell reports what changed about who holds the lock.
func (r *Runner) tell(m *api.Machine, keeps bool) {
	v := r.view
	other := v.State == lockspace.Held && !v.Mine
	twin := other && m.Holder == r.cfg.Account.PeerID()
	if r.keeps && !keeps {
		text := "the lease ended: it was not renewed in time"
		if twin {
			text = "another process with this key has renewed it"
		}
		r.report(Event{Kind: Lost, T: v.T, State: v.S, Text: text})
	}
	if other && (!r.standby || twin != r.twin) {
		text := "held by " + m.Holder
		if twin {
			text = "another process with this key keeps it: stop one of the two, or give each its own key"
		}
		r.report(Event{Kind: Standing, T: v.T, State: v.S, LeaseEnd: v.LeaseEnd, Sequence: v.Sequence, Text: text})
	}
	r.keeps, r.standby, r.twin = keeps, other, twin
}

// adopt takes up a renewal that the ledger accepted without this keeper having learned it: the answer was lost, or the
// process that had handed it in was killed.
func (r *Runner) adopt(m *api.Machine) {
	v := r.view
	if v.State != lockspace.Held || !v.Mine {
		return
	}
	is := func(j Job, end Piece) bool {
		return end.First == 0 && uint64(end.Runs) == j.Runs && end.Wrapped && j.Instance == v.Instance && j.Generation == v.Generation && j.T < v.T && end.T == v.T && end.S.Bytes() == v.S &&
			m.Proof == wire.Sum(end.Proof).String() // last: it hashes the proof
	}
	if p := r.ready; p != nil && m.Proof == r.handed && is(p.Job, p.made.Piece) {
		r.ready = nil
		r.learned(p.begun, p.made.Piece)
		return
	}
	for _, p := range r.pieces {
		if is(r.begun.Job, p) {
			b := *r.begun
			r.begun, r.pieces = nil, nil
			r.learned(b, p)
			return
		}
	}
}

// learned takes a renewal of which the ledger's clock shows that it was accepted.
func (r *Runner) learned(b begun, made Piece) {
	r.accepted(b, made, r.view.Whole)
	r.report(Event{Kind: Renewed, From: b.Job.T, T: made.T, State: r.view.S, Ticks: made.T - b.Job.T, Runs: b.Job.Runs, Took: b.Job.Took, Count: b.Job.Count,
		LeaseEnd: r.view.LeaseEnd, ProofBytes: len(made.Proof), Sequence: r.view.Sequence, Span: r.spanFile(b.Job.T, made.T, made.Proof)})
}
