package lockspace

import (
	"fmt"
	"sort"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace/tree"
)

// execution is one cut being applied: the records it has read and written, over the state before. Records are changed
// by copy: what get returns is never written to. A failure to read a block is kept in err, and the cut as a whole is
// then given up, so that the operations need not ask after each read.
type execution struct {
	s       *State
	now     Time // the cut's ledger time
	clock   Time // the lease clock then
	root    Root
	records map[string]slot
	undo    []undo
	blocks  map[wire.CID][]byte // contents that may become new blocks
	fresh   []Block             // blocks that are new whatever else happens, such as programs
	dropped []wire.CID
	events  []Event
	err     error

	// The transaction in execution.
	tx      *Signed
	verdict *Verdict
	whole   *Verdict // on its whole-life span
	dry     bool     // Precheck: stop where a verdict is needed
	need    *Need
	receipt *Receipt
	mark    marks
}

type slot struct {
	value any  // a pointer to a record, nil when there is none
	was   bool // there is one in the state before
	dirty bool
}

type undo struct {
	key string
	old slot
	had bool
}

// marks is where a transaction began, to go back to.
type marks struct {
	root          Root
	fresh, events int
}

func newExecution(s *State, now Time) *execution {
	return &execution{s: s, now: now, clock: now - Time(s.root.Outage), root: s.root,
		records: make(map[string]slot), blocks: make(map[wire.CID][]byte)}
}

// get returns the record of key, or nil.
func get[T any](x *execution, key string) *T {
	if sl, ok := x.records[key]; ok {
		v, _ := sl.value.(*T)
		return v
	}
	v, err := record[T](x.s, key)
	if err != nil {
		x.fail(err)
		return nil
	}
	sl := slot{was: v != nil}
	if v != nil {
		sl.value = v
	}
	x.records[key] = sl
	return v
}

func (x *execution) fail(err error) {
	if x.err == nil {
		x.err = err
	}
}

// put sets a record. The key has been read before or cannot exist.
func (x *execution) put(key string, value any) {
	old, had := x.records[key]
	x.undo = append(x.undo, undo{key, old, had})
	x.records[key] = slot{value: value, was: old.was, dirty: true}
}

// del removes a record that has been read before.
func (x *execution) del(key string) { x.put(key, nil) }

// begin starts what rollback undoes.
func (x *execution) begin() {
	x.undo = x.undo[:0]
	x.mark = marks{x.root, len(x.fresh), len(x.events)}
}

func (x *execution) rollback() {
	for i := len(x.undo) - 1; i >= 0; i-- {
		u := x.undo[i]
		if u.had {
			x.records[u.key] = u.old
		} else {
			delete(x.records, u.key)
		}
	}
	x.undo = x.undo[:0]
	x.root = x.mark.root
	x.fresh = x.fresh[:x.mark.fresh]
	x.events = x.events[:x.mark.events]
}

// commit writes the changed records and the root, and returns the new state.
func (x *execution) commit() (*State, *Result, error) {
	x.logEvents()
	if x.err != nil {
		return nil, nil, x.err
	}
	keys := make([]string, 0, len(x.records))
	for k, sl := range x.records {
		if sl.dirty && (sl.was || sl.value != nil) {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	res := &Result{Events: x.events, Dropped: x.dropped}
	batch := make([]tree.Change, 0, len(keys))
	for _, k := range keys {
		sl := x.records[k]
		c := tree.Change{Key: k}
		if sl.value != nil {
			b, err := wire.Marshal(sl.value)
			if err != nil {
				return nil, nil, fmt.Errorf("write a record of the state (table %.1q): %w", k, err)
			}
			c.Value = b
		}
		batch = append(batch, c)
		if k[:1] == tableContent && sl.was != (sl.value != nil) {
			id := wire.FromDigest([32]byte([]byte(k[1:])))
			if sl.was {
				res.Dropped = append(res.Dropped, id)
			} else {
				res.Blocks = append(res.Blocks, Block{ID: id, Data: x.blocks[id]})
			}
		}
	}
	res.Blocks = append(res.Blocks, x.fresh...)
	next, diff, err := x.s.tree.Update(batch)
	if err != nil {
		return nil, nil, err
	}
	res.Blocks = append(res.Blocks, diff.New...)
	res.Dropped = append(res.Dropped, diff.Dropped...)
	if id := next.Root(); id.Defined() {
		x.root.Tree = &id
	} else {
		x.root.Tree = nil
	}
	b, err := wire.Marshal(x.root)
	if err != nil {
		return nil, nil, err
	}
	res.Root = wire.Sum(b)
	res.Blocks = append(res.Blocks, Block{ID: res.Root, Data: b})
	if x.s.id.Defined() {
		res.Dropped = append(res.Dropped, x.s.id)
	}
	res.TicksNeeded = x.root.Timers > 0
	return &State{id: res.Root, root: x.root, rules: x.s.rules, tree: next, src: x.s.src, fns: x.s.fns}, res, nil
}

// charge moves an account's state use by what is added and taken away, and refuses more than its quota.
func (x *execution) charge(who AccountID, add, sub uint64) error {
	a := get[Account](x, accountKey(who))
	if a == nil {
		return refuse(CodeAccount, "account %s is not on this ledger", who)
	}
	c := *a
	c.State += add
	c.State -= min(sub, c.State)
	// A quota that was lowered below what is used refuses growth alone.
	if c.State > c.Quota.State && c.State > a.State {
		return refuse(CodeQuota, "account %s: %d bytes of state, its quota is %d: delete something or ask for more",
			who, c.State, c.Quota.State)
	}
	x.put(accountKey(who), &c)
	return nil
}

// keepContent notes one more file with that content, which is not inlined.
func (x *execution) keepContent(id wire.CID, block []byte) {
	key := contentKey(id)
	c := contentRef{}
	if r := get[contentRef](x, key); r != nil {
		c = *r
	}
	c.Count++
	x.put(key, &c)
	x.blocks[id] = block
}

func (x *execution) dropContent(id wire.CID) {
	key := contentKey(id)
	r := get[contentRef](x, key)
	if r == nil {
		x.fail(fmt.Errorf("content %s is not counted", id))
		return
	}
	if r.Count <= 1 {
		x.del(key)
		return
	}
	x.put(key, &contentRef{Count: r.Count - 1})
}
