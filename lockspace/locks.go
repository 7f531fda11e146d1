package lockspace

import (
	"fmt"

	"github.com/seed06907907/fatty/internal/wire"
)

// setLock writes a lock and moves its timer. old is the record before, nil for a new one.
func (x *execution) setLock(id wire.CID, old, l *Lock) {
	before, after := old.timer(), l.timer()
	path := ""
	if l != nil {
		path = l.Path
	} else if old != nil {
		path = old.Path
	}
	if before != after {
		if before != 0 {
			key := timerKey(before, path)
			get[bool](x, key)
			x.del(key)
			x.root.Timers -= min(1, x.root.Timers)
		}
		if after != 0 {
			key := timerKey(after, path)
			get[bool](x, key)
			yes := true
			x.put(key, &yes)
			x.root.Timers++
		}
	}
	if l == nil {
		x.del(lockKey(id))
		return
	}
	x.put(lockKey(id), l)
}

// periods are the times of a lock's lease: its machine's terms, or the ledger's rules.
func (x *execution) periods(l *Lock) (cadence, grace, delay Duration) {
	if l.Machine != nil {
		t := l.Machine.Terms
		return t.Cadence, t.Grace, t.LockDelay
	}
	r := x.s.rules
	return r.Cadence, r.Grace, r.LockDelay
}

// file returns the lockable file at a path.
func (x *execution) file(path string) (*Node, wire.CID, error) {
	n := x.node(path)
	id, err := x.s.lockID(path)
	switch {
	case err != nil:
		return nil, id, err
	case n == nil:
		return nil, id, refuse(CodeNotFound, "%s is not there", path)
	case n.Directory:
		return nil, id, refuse(CodeInvalid, "%s is a directory: locks are on files", path)
	case n.LivesBy != "":
		return nil, id, refuse(CodeInvalid, "%s is ephemeral, and such files cannot be locked", path)
	}
	return n, id, nil
}

func (o *CreateMachine) run(x *execution) error {
	if err := o.Terms.Validate(*x.s.rules); err != nil {
		return err
	}
	if x.node(o.Path) != nil {
		return refuse(CodeExists, "%s is there already", o.Path)
	}
	if get[Program](x, programKey(o.Program)) == nil {
		return refuse(CodeNotFound, "program %s is not published: publish it first", o.Program)
	}
	machine, err := MachineCID(o.Program, o.Start)
	if err != nil {
		return err
	}
	empty, _, err := contentID(nil)
	if err != nil {
		return err
	}
	if err := x.addChild(o.Path, &Node{Machine: true, Content: 1, Checksum: &empty}); err != nil {
		return err
	}
	id, err := x.s.lockID(o.Path)
	if err != nil {
		return err
	}
	get[Lock](x, lockKey(id))
	x.setLock(id, nil, &Lock{Path: o.Path, Instance: x.receipt.Instance,
		Machine: &Machine{ID: machine, Program: o.Program, Start: o.Start, Terms: o.Terms, S: o.Start}})
	for _, what := range []wire.CID{machine, o.Program} {
		key := findKey(what, id)
		get[string](x, key)
		x.put(key, &o.Path)
	}
	x.receipt.CID = &machine
	return nil
}

// removeLock takes the lock of a file that is being deleted away, if it has one.
func (x *execution) removeLock(path string) error {
	id, err := x.s.lockID(path)
	if err != nil {
		return err
	}
	l := get[Lock](x, lockKey(id))
	if l == nil {
		return nil
	}
	switch l.State {
	case Held:
		return refuse(CodeHeld, "%s is held by %s: it must be released first", path, l.Holder)
	case Delayed:
		return refuse(CodeDelay, "%s stays closed until the lock-delay of its last holder has passed", path)
	}
	if m := l.Machine; m != nil {
		for _, what := range []wire.CID{m.ID, m.Program} {
			key := findKey(what, id)
			get[string](x, key)
			x.del(key)
		}
		for i := m.Head; i < m.Tail; i++ {
			x.takeInput(id, i)
		}
	}
	x.setLock(id, l, nil)
	return nil
}

func (o *Acquire) run(x *execution) error {
	n, id, err := x.file(o.Path)
	if err != nil {
		return err
	}
	old := get[Lock](x, lockKey(id))
	l := &Lock{Path: o.Path, Instance: n.Instance}
	if old != nil {
		c := *old
		l = &c
	}
	switch {
	case n.Instance != o.Instance:
		return refuse(CodeConflict, "%s has instance %d, not %d: it was made anew since", o.Path, n.Instance, o.Instance)
	case l.State == Held:
		return refuse(CodeHeld, "%s is held by %s", o.Path, l.Holder)
	case l.State == Delayed:
		return refuse(CodeDelay, "%s stays closed for a while after its holder failed", o.Path)
	case l.Generation+1 != o.Generation:
		return refuse(CodeConflict, "%s has lock generation %d: an acquire makes %d, not %d", o.Path, l.Generation, l.Generation+1, o.Generation)
	}
	l.Generation = o.Generation
	l.Holder = x.tx.Signer
	note := ""
	if l.Machine != nil {
		m := *l.Machine
		l.Machine = &m
		if !allowed(m.Terms.Acquirers, x.tx.Signer) {
			return refuse(CodeForbidden, "%s: its terms do not let %s acquire it", o.Path, x.tx.Signer)
		}
		if m.Terms.Succession == Restart {
			m.T, m.S, m.T0, m.Whole = 0, m.Start, 0, nil
		}
		if m.WholeDue() && o.Whole == nil {
			note = fmt.Sprintf("the chain of lives is broken: the whole-life span ends at t = %d, this life begins at t = %d", m.Whole.T, m.T)
		}
		if err := x.tick(id, l, o.tick()); err != nil {
			return err
		}
	} else if o.Proof != nil {
		return refuse(CodeInvalid, "%s has no machine: its lock is acquired without a proof", o.Path)
	}
	l.State, l.Mode, l.Peer, l.Addresses, l.Freed = Held, o.Mode, x.tx.Signer.PeerID(), o.Addresses, 0
	x.lease(l)
	if l.Machine != nil {
		x.date(id, l)
	}
	x.setLock(id, old, l)
	x.lockEvent(EventAcquired, l, note)
	x.lockReceipt(l)
	return nil
}

// lease starts the holder's next lease.
func (x *execution) lease(l *Lock) {
	cadence, grace, _ := x.periods(l)
	l.Ends = x.clock + Time(cadence) + Time(grace)
	l.Sequence = x.root.Sequence
}

func (x *execution) lockReceipt(l *Lock) {
	x.receipt.Instance, x.receipt.Generation = l.Instance, l.Generation
	if l.State == Held {
		x.receipt.LeaseEnd = l.Ends + Time(x.root.Outage)
	}
}

// heldBy returns the lock at a path if the signer holds it in that generation.
func (x *execution) heldBy(path string, instance, generation uint64) (wire.CID, *Lock, error) {
	_, id, err := x.file(path)
	if err != nil {
		return id, nil, err
	}
	l := get[Lock](x, lockKey(id))
	switch {
	case l == nil || l.State != Held:
		return id, nil, refuse(CodeNotHolder, "%s is not held: the lease has ended; acquire it anew", path)
	case l.Holder != x.tx.Signer:
		return id, nil, refuse(CodeNotHolder, "%s is held by %s, not by %s", path, l.Holder, x.tx.Signer)
	case l.Instance != instance || l.Generation != generation:
		return id, nil, refuse(CodeNotHolder, "%s has instance %d and lock generation %d, not %d and %d: that lease has ended",
			path, l.Instance, l.Generation, instance, generation)
	}
	return id, l, nil
}

func (o *Renew) run(x *execution) error {
	id, old, err := x.heldBy(o.Path, o.Instance, o.Generation)
	if err != nil {
		return err
	}
	l := *old
	if l.Machine != nil {
		m := *l.Machine
		l.Machine = &m
		if err := x.tick(id, &l, o.tick()); err != nil {
			return err
		}
	} else if o.Proof != nil {
		return refuse(CodeInvalid, "%s has no machine: its lease is renewed without a proof", o.Path)
	}
	if len(o.Addresses) > 0 {
		l.Addresses = o.Addresses
	}
	x.lease(&l)
	if l.Machine != nil {
		x.date(id, &l)
	}
	x.setLock(id, old, &l)
	x.lockEvent(EventRenewed, &l, "")
	x.lockReceipt(&l)
	return nil
}

func (o *Release) run(x *execution) error {
	id, old, err := x.heldBy(o.Path, o.Instance, o.Generation)
	if err != nil {
		return err
	}
	x.lose(id, old, "released", 0)
	x.receipt.Instance, x.receipt.Generation = old.Instance, old.Generation
	return nil
}

// lose ends a holding: ephemeral files go, and the lock is free at once or after delay.
func (x *execution) lose(id wire.CID, old *Lock, reason string, delay Duration) {
	x.lockEvent(EventLost, old, reason)
	for slot := range MaxEphemerals {
		if old.Ephemerals&(1<<slot) == 0 {
			continue
		}
		path := get[string](x, ephemeralKey(id, slot))
		if path == nil {
			x.fail(fmt.Errorf("lock %s: its ephemeral file %d is missing", old.Path, slot))
			return
		}
		if n := x.node(*path); n != nil {
			x.removeNode(*path, n, "its lock was lost")
		}
	}
	l := *get[Lock](x, lockKey(id)) // as removeNode left it
	before := l
	l.State, l.Ends, l.Mode, l.Peer, l.Addresses, l.Ephemerals = Free, 0, "", "", nil, 0
	if l.Machine != nil {
		m := *l.Machine
		m.Deadline, m.Dated = 0, m.Head // whoever succeeds gets fresh deadlines
		l.Machine = &m
	}
	if delay > 0 {
		l.State, l.Ends = Delayed, x.clock+Time(delay)
	} else {
		l.Freed = x.clock
	}
	x.setLock(id, &before, &l)
	if l.State == Free {
		x.lockEvent(EventFree, &l, "")
	}
}

// expireLock ends what is due at a lock.
func (x *execution) expireLock(path string) {
	id, err := x.s.lockID(path)
	if err != nil {
		x.fail(err)
		return
	}
	l := get[Lock](x, lockKey(id))
	if l == nil || l.timer() == 0 || l.timer() > x.clock {
		x.fail(fmt.Errorf("lock %s: its timer does not fit its record", path))
		return
	}
	if l.State == Delayed {
		c := *l
		c.State, c.Ends, c.Freed = Free, 0, x.clock
		x.setLock(id, l, &c)
		x.lockEvent(EventFree, &c, "")
		return
	}
	_, _, delay := x.periods(l)
	reason := "the lease ran out"
	if l.Ends > x.clock {
		reason = fmt.Sprintf("not live: transaction %d was not consumed in time", l.Machine.Head)
	}
	if l.Machine != nil {
		x.lockEvent(EventFailed, l, reason)
	}
	x.lose(id, l, reason, delay)
}
