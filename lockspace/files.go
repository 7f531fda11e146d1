package lockspace

import (
	"github.com/seed06907907/fatty/internal/wire"
)

// contentID returns the content id of a content, and the block: its DAG-CBOR byte string.
func contentID(content []byte) (wire.CID, []byte, error) {
	b, err := wire.Marshal(content)
	return wire.Sum(b), b, err
}

// node returns the record at a path, or nil.
func (x *execution) node(path string) *Node { return get[Node](x, nodeKey(path)) }

// addChild puts a new node in its directory.
func (x *execution) addChild(path string, n *Node) error {
	dir, name := split(path)
	d := x.node(dir)
	switch {
	case d == nil:
		return refuse(CodeNotFound, "%s: there is no directory %s: make it first", path, dir)
	case !d.Directory:
		return refuse(CodeInvalid, "%s: %s is a file", path, dir)
	}
	x.root.Instances++
	n.Instance = x.root.Instances
	n.Owner, n.Payer = x.tx.Signer, x.tx.Signer
	n.Created, n.Modified = x.now, x.now
	if err := x.charge(n.Payer, n.cost(path), 0); err != nil {
		return err
	}
	c := *d
	c.Children++
	c.Modified = x.now
	x.put(nodeKey(dir), &c)
	x.put(nodeKey(path), n)
	by := x.tx.Signer
	x.event(Event{Kind: EventAdded, Path: dir, Child: name, Instance: n.Instance, Account: &by})
	x.receipt.Instance, x.receipt.Generation = n.Instance, n.Content
	return nil
}

// removeNode takes a file or empty directory away; its lock is gone already.
func (x *execution) removeNode(path string, n *Node, reason string) {
	dir, name := split(path)
	if n.Checksum != nil && n.Size > InlineContent {
		x.dropContent(*n.Checksum)
	}
	if n.LivesBy != "" {
		x.freeSlot(n)
	}
	// Taking away never goes over a quota.
	if err := x.charge(n.Payer, 0, n.cost(path)); err != nil {
		x.fail(err)
		return
	}
	if d := x.node(dir); d != nil {
		c := *d
		c.Children -= min(1, c.Children)
		c.Modified = x.now
		x.put(nodeKey(dir), &c)
	}
	x.del(nodeKey(path))
	x.event(Event{Kind: EventRemoved, Path: dir, Child: name, Instance: n.Instance, Reason: reason})
}

// freeSlot gives an ephemeral file's place at its lock back.
func (x *execution) freeSlot(n *Node) {
	id, err := x.s.lockID(n.LivesBy)
	if err != nil {
		x.fail(err)
		return
	}
	key := ephemeralKey(id, int(n.Slot))
	if get[string](x, key) != nil {
		x.del(key)
	}
	if l := get[Lock](x, lockKey(id)); l != nil {
		c := *l
		c.Ephemerals &^= 1 << n.Slot
		x.put(lockKey(id), &c)
	}
}

// compare checks what the author expects the node to be.
func compare(path string, n *Node, expect, instance *uint64) error {
	if instance != nil && *instance != n.Instance {
		return refuse(CodeConflict, "%s has instance %d, not %d: it was made anew since", path, n.Instance, *instance)
	}
	if expect != nil && *expect != n.Content {
		return refuse(CodeConflict, "%s has content generation %d, not %d: read it again", path, n.Content, *expect)
	}
	return nil
}

func (o *Mkdir) run(x *execution) error {
	if x.node(o.Path) != nil {
		return refuse(CodeExists, "%s is there already", o.Path)
	}
	return x.addChild(o.Path, &Node{Directory: true})
}

func (o *Put) run(x *execution) error {
	old := x.node(o.Path)
	if old == nil {
		return o.create(x)
	}
	if err := compare(o.Path, old, o.Expect, o.Instance); err != nil {
		return err
	}
	switch {
	case old.Directory:
		return refuse(CodeInvalid, "%s is a directory", o.Path)
	case o.LivesBy != "":
		return refuse(CodeExists, "%s is there already: only a new file can be made ephemeral", o.Path)
	case old.Machine && x.tx.Signer != old.Owner && !x.holds(o.Path, x.tx.Signer):
		return refuse(CodeForbidden, "%s is a machine's lock: its holder and %s, who made it, may write there", o.Path, old.Owner)
	case old.Machine && x.opens(o.Path):
		return refuse(CodeForbidden, "%s is a machine's lock, and its content the opening of the machine's state, which comes with its proofs", o.Path)
	}
	return x.write(o.Path, old, o.Content)
}

// write replaces a file's content. Who writes pays.
func (x *execution) write(path string, old *Node, content []byte) error {
	n := *old
	if err := x.content(&n, content); err != nil {
		return err
	}
	n.Payer = x.tx.Signer
	if old.Payer == n.Payer {
		if err := x.charge(n.Payer, n.cost(path), old.cost(path)); err != nil {
			return err
		}
	} else {
		if err := x.charge(n.Payer, n.cost(path), 0); err != nil {
			return err
		}
		if err := x.charge(old.Payer, 0, old.cost(path)); err != nil {
			return err
		}
	}
	if old.Checksum != nil && old.Size > InlineContent {
		x.dropContent(*old.Checksum)
	}
	n.Modified = x.now
	x.put(nodeKey(path), &n)
	x.contentEvent(path, &n)
	x.receipt.Instance, x.receipt.Generation = n.Instance, n.Content
	return nil
}

func (o *Put) create(x *execution) error {
	if o.Instance != nil || (o.Expect != nil && *o.Expect != 0) {
		return refuse(CodeNotFound, "%s is not there", o.Path)
	}
	n := &Node{}
	if o.LivesBy != "" {
		if err := x.bind(o.Path, o.LivesBy, n); err != nil {
			return err
		}
	}
	if err := x.content(n, o.Content); err != nil {
		return err
	}
	if err := x.addChild(o.Path, n); err != nil {
		return err
	}
	x.contentEvent(o.Path, n)
	return nil
}

// content gives the node a content and counts its block.
func (x *execution) content(n *Node, content []byte) error {
	id, block, err := contentID(content)
	if err != nil {
		return err
	}
	n.Content++
	n.Size, n.Checksum, n.Data = uint64(len(content)), &id, nil
	if len(content) <= InlineContent {
		n.Data = content
	} else {
		x.keepContent(id, block)
	}
	return nil
}

func (x *execution) contentEvent(path string, n *Node) {
	by := x.tx.Signer
	x.event(Event{Kind: EventContent, Path: path, Instance: n.Instance, Generation: n.Content, Account: &by, CID: n.Checksum})
}

// bind makes a new file live by a lock that the signer holds.
func (x *execution) bind(path, by string, n *Node) error {
	if by == path {
		return refuse(CodeInvalid, "%s cannot live by its own lock", path)
	}
	id, err := x.s.lockID(by)
	if err != nil {
		return err
	}
	l := get[Lock](x, lockKey(id))
	if l == nil || l.State != Held || l.Holder != x.tx.Signer {
		return refuse(CodeNotHolder, "%s is to live by the lock %s, which %s does not hold", path, by, x.tx.Signer)
	}
	for slot := range MaxEphemerals {
		if l.Ephemerals&(1<<slot) != 0 {
			continue
		}
		c := *l
		c.Ephemerals |= 1 << slot
		x.put(lockKey(id), &c)
		key := ephemeralKey(id, slot)
		get[string](x, key)
		x.put(key, &path)
		n.LivesBy, n.Slot = by, uint64(slot)
		return nil
	}
	return refuse(CodeQuota, "lock %s has %d ephemeral files already, and no more are allowed", by, MaxEphemerals)
}

// opens says whether the content of a machine's file is its state's opening.
func (x *execution) opens(path string) bool {
	id, err := x.s.lockID(path)
	if err != nil {
		x.fail(err)
		return false
	}
	l := get[Lock](x, lockKey(id))
	return l != nil && l.Machine != nil && l.Machine.Terms.Opening == OpeningPoseidon
}

// holds says whether an account holds the lock at a path.
func (x *execution) holds(path string, who AccountID) bool {
	id, err := x.s.lockID(path)
	if err != nil {
		x.fail(err)
		return false
	}
	l := get[Lock](x, lockKey(id))
	return l != nil && l.State == Held && l.Holder == who
}

func (o *Delete) run(x *execution) error {
	n := x.node(o.Path)
	if n == nil {
		return refuse(CodeNotFound, "%s is not there", o.Path)
	}
	if err := compare(o.Path, n, o.Expect, o.Instance); err != nil {
		return err
	}
	if n.Directory && n.Children > 0 {
		return refuse(CodeConflict, "%s holds %d entries: delete them first", o.Path, n.Children)
	}
	if n.Machine && x.tx.Signer != n.Owner {
		return refuse(CodeForbidden, "%s is a machine's lock: only %s, who made it, may delete it", o.Path, n.Owner)
	}
	if !n.Directory {
		if err := x.removeLock(o.Path); err != nil {
			return err
		}
	}
	x.removeNode(o.Path, n, "")
	x.receipt.Instance = n.Instance
	return nil
}

func (o *Grant) run(x *execution) error {
	by := get[Account](x, accountKey(x.tx.Signer))
	if by == nil || !by.Grant {
		return refuse(CodeForbidden, "account %s may not grant", x.tx.Signer)
	}
	key := accountKey(o.Account)
	c := Account{}
	if a := get[Account](x, key); a != nil {
		c = *a
	} else if err := x.charge(x.tx.Signer, costAccount, 0); err != nil {
		return err
	}
	c.Name, c.Grant, c.Quota = o.Name, o.Grant, o.Quota
	x.put(key, &c)
	return nil
}

func (o *Publish) run(x *execution) error {
	if x.s.fns.ProgramKey == nil {
		return refuse(CodeInvalid, "publish: this ledger derives no program keys")
	}
	id := wire.Sum(o.Program)
	key := programKey(id)
	if get[Program](x, key) != nil {
		return refuse(CodeExists, "program %s is published already", id)
	}
	// Its author pays before the key is derived, which is the costly part.
	if err := x.charge(x.tx.Signer, uint64(costProgram+len(o.Program)), 0); err != nil {
		return err
	}
	got, programKey, err := x.s.fns.ProgramKey(o.Program)
	if err != nil {
		return refuse(CodeInvalid, "publish: not a canonical program: %.300s", err.Error())
	}
	if got != id {
		return refuse(CodeInvalid, "publish: the program's content id is %s, its bytes hash to %s", got, id)
	}
	by := x.tx.Signer
	x.put(key, &Program{ID: id, Key: programKey, Size: uint64(len(o.Program)), Publisher: by, Sequence: x.root.Sequence})
	x.fresh = append(x.fresh, Block{ID: id, Data: o.Program})
	x.event(Event{Kind: EventProgram, Account: &by, CID: &id})
	x.receipt.CID = &id
	return nil
}
