package tree

import (
	"fmt"

	"github.com/seed06907907/fatty/internal/wire"
)

// update is one run of Tree.Update: what it has read and replaced so far.
type update struct {
	t       Tree
	dropped []wire.CID
}

// Update applies a batch whose keys are strictly ascending and returns the new tree. Deleting a key that is not there
// changes nothing. Only nodes on the way to a changed key are read and written again. The new blocks are also put in
// the source's cache; the caller stores them before it lets anyone read the new tree.
func (t Tree) Update(batch []Change) (Tree, Diff, error) {
	for i, c := range batch {
		if len(c.Key) == 0 || len(c.Key) > MaxKey || len(c.Value) > MaxValue {
			return t, Diff{}, fmt.Errorf("tree update: key of %d bytes, value of %d: want 1 to %d and at most %d",
				len(c.Key), len(c.Value), MaxKey, MaxValue)
		}
		if i > 0 && batch[i-1].Key >= c.Key {
			return t, Diff{}, fmt.Errorf("tree update: the batch's keys are not strictly ascending at %d", i)
		}
	}
	if len(batch) == 0 {
		return t, Diff{}, nil
	}
	u := &update{t: t}
	var refs []ref
	var err error
	if t.root.Defined() {
		refs, err = u.apply(ref{id: t.root}, span{}, 0, batch)
	} else {
		refs = chunkLeaf("", merge(nil, batch))
	}
	if err != nil {
		return t, Diff{}, err
	}
	for len(refs) > 1 {
		refs = chunkInner("", refs)
	}
	if len(refs) == 0 {
		return Tree{src: t.src}, Diff{Dropped: u.dropped}, nil
	}
	// A root with one child is that child: descend while it is so.
	root := refs[0]
	for root.node != nil && !root.node.leaf() && len(root.node.refs) == 1 {
		root = root.node.refs[0]
	}
	diff := Diff{}
	if root, err = u.seal(root, &diff); err != nil {
		return t, Diff{}, err
	}
	diff.Dropped = u.dropped
	diff.cancel()
	return Tree{src: t.src, root: root.id}, diff, nil
}

// cancel takes away what was both dropped and written: a node that came out as it was.
func (d *Diff) cancel() {
	dropped := make(map[wire.CID]bool, len(d.Dropped))
	for _, id := range d.Dropped {
		dropped[id] = true
	}
	kept := d.New[:0]
	both := make(map[wire.CID]bool)
	for _, b := range d.New {
		if dropped[b.ID] {
			both[b.ID] = true
		} else {
			kept = append(kept, b)
		}
	}
	d.New = kept
	if len(both) == 0 {
		return
	}
	left := d.Dropped[:0]
	for _, id := range d.Dropped {
		if !both[id] {
			left = append(left, id)
		}
	}
	d.Dropped = left
}

// open returns the node behind r, and notes that its block is being replaced when it was a stored one.
func (u *update) open(r ref, s span, depth int) (*node, error) {
	if r.node != nil {
		return r.node, nil
	}
	n, err := u.t.load(r.id, s, depth)
	if err != nil {
		return nil, err
	}
	u.dropped = append(u.dropped, r.id)
	return n, nil
}

// apply returns what stands in the place of r after the batch, each with its lower bound as key: none when the node
// became empty, several when it was split.
func (u *update) apply(r ref, s span, depth int, batch []Change) ([]ref, error) {
	n, err := u.open(r, s, depth)
	if err != nil {
		return nil, err
	}
	if n.leaf() {
		return chunkLeaf(s.lo, merge(n.entries, batch)), nil
	}
	out := make([]ref, 0, len(n.refs)+4)
	for i, c := range n.refs {
		cs := s.child(n, i)
		c.key = cs.lo
		mine := 0
		for mine < len(batch) && (cs.hi == "" || batch[mine].Key < cs.hi) {
			mine++
		}
		next := []ref{c}
		if mine > 0 {
			if next, err = u.apply(c, cs, depth+1, batch[:mine]); err != nil {
				return nil, err
			}
			batch = batch[mine:]
		}
		for _, x := range next {
			if k := len(out); k > 0 && (out[k-1].small() || x.small()) {
				joined, err := u.join(out[k-1], x, cs.hi, depth+1)
				if err != nil {
					return nil, err
				}
				out = append(out[:k-1], joined...)
			} else {
				out = append(out, x)
			}
		}
	}
	return chunkInner(s.lo, out), nil
}

// small says whether a changed node should be joined with a neighbour. Unchanged nodes are left alone.
func (r ref) small() bool {
	return r.node != nil && (r.node.size() < minFill || (!r.node.leaf() && len(r.node.refs) < 2))
}

// join puts two neighbours together and splits the whole again where it is too large.
func (u *update) join(a, b ref, hi string, depth int) ([]ref, error) {
	x, err := u.open(a, span{a.key, b.key}, depth)
	if err != nil {
		return nil, err
	}
	y, err := u.open(b, span{b.key, hi}, depth)
	if err != nil {
		return nil, err
	}
	if x.leaf() != y.leaf() {
		return nil, fmt.Errorf("%w: neighbours at different depths", ErrBlock)
	}
	if x.leaf() {
		return chunkLeaf(a.key, append(append([]entry(nil), x.entries...), y.entries...)), nil
	}
	refs := append([]ref(nil), x.refs...)
	for i, r := range y.refs {
		if i == 0 {
			r.key = b.key
		}
		refs = append(refs, r)
	}
	refs[0].key = a.key
	return chunkInner(a.key, refs), nil
}

// merge applies a batch to the sorted entries of a leaf.
func merge(entries []entry, batch []Change) []entry {
	out := make([]entry, 0, len(entries)+len(batch))
	i := 0
	for _, c := range batch {
		for i < len(entries) && entries[i].key < c.Key {
			out = append(out, entries[i])
			i++
		}
		if i < len(entries) && entries[i].key == c.Key {
			i++
		}
		if c.Value != nil {
			out = append(out, entry{c.Key, c.Value})
		}
	}
	return append(out, entries[i:]...)
}

// cut returns the ends of the chunks into which items of the given sizes are split: one when they fit in Target, else
// as many of about equal size as leave each a quarter free.
func cut(n int, size func(int) int, least int) []int {
	total := 0
	for i := range n {
		total += size(i)
	}
	if total+nodeOverhead <= Target || n <= least {
		return []int{n}
	}
	room := Target * 3 / 4
	want := total / ((total + room - 1) / room)
	var ends []int
	sum, from := 0, 0
	for i := range n {
		if i-from >= least && n-i >= least && (sum >= want || sum+size(i)+nodeOverhead > Target) {
			ends = append(ends, i)
			sum, from = 0, i
		}
		sum += size(i)
	}
	return append(ends, n)
}

// chunkLeaf makes leaves of entries; the first has the lower bound lo, the others the shortest key that parts them
// from their left neighbour.
func chunkLeaf(lo string, entries []entry) []ref {
	if len(entries) == 0 {
		return nil
	}
	var out []ref
	from := 0
	for _, end := range cut(len(entries), func(i int) int { return entries[i].size() }, 1) {
		if from > 0 {
			lo = separator(entries[from-1].key, entries[from].key)
		}
		out = append(out, ref{key: lo, node: &node{entries: append([]entry(nil), entries[from:end]...)}})
		from = end
	}
	return out
}

// chunkInner makes inner nodes of refs, at least two children in each where there are two.
func chunkInner(lo string, refs []ref) []ref {
	if len(refs) == 0 {
		return nil
	}
	var out []ref
	from := 0
	for _, end := range cut(len(refs), func(i int) int { return refs[i].size() }, 2) {
		if from > 0 {
			lo = refs[from].key
		}
		mine := append([]ref(nil), refs[from:end]...)
		mine[0].key = "" // its lower bound is the node's own
		out = append(out, ref{key: lo, node: &node{refs: mine}})
		from = end
	}
	return out
}

// separator returns the shortest key above a and not above b; a < b.
func separator(a, b string) string {
	for i := range len(b) {
		if i >= len(a) || a[i] != b[i] {
			return b[:i+1]
		}
	}
	return b
}

// seal encodes the changed nodes below r, children first, and returns r as a link.
func (u *update) seal(r ref, d *Diff) (ref, error) {
	if r.node == nil {
		return r, nil
	}
	n := r.node
	for i, c := range n.refs {
		sealed, err := u.seal(c, d)
		if err != nil {
			return ref{}, err
		}
		n.refs[i] = sealed
	}
	data, err := n.encode()
	if err != nil {
		return ref{}, err
	}
	id := wire.Sum(data)
	d.New = append(d.New, Block{ID: id, Data: data})
	u.t.src.keep(id, n, len(data))
	return ref{key: r.key, id: id}, nil
}
