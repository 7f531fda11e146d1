// Package tree is a copy-on-write B+-tree of content-addressed blocks: an ordered map from byte keys to canonical
// DAG-CBOR values, named by the content id of its root block.
//
// Its parts: Tree (Get, Scan, Update), Source (blocks with a bounded cache of decoded nodes), Cache, and the strict
// codec of the two block shapes in codec.go. Update takes one sorted batch and returns a new tree, the blocks that are
// new and the ids of those that it no longer refers to; the old tree stays readable as long as its blocks are kept.
//
//	src := tree.NewSource(blocks, tree.NewCache(64<<20))
//	t := tree.Open(src, wire.CID{})                          // the empty tree has no block
//	next, diff, err := t.Update([]tree.Change{{Key: "a", Value: one}})
//	for _, b := range diff.New { store(b.ID, b.Data) }        // before anyone reads next
//	v, ok, err := next.Get("a")
//
// The tree's shape depends on its history, which all replicas share. Every block holds each of its keys once in the
// whole tree, so no two nodes of one tree are the same block, and a block that an update drops is not referred to by
// any other node of that tree.
//
// Source: R. Bayer, E. McCreight, "Organization and maintenance of large ordered indices" (1972), in the leaf-linked
// form with values in leaves alone; the batch update is bottom-up as in copy-on-write file systems.
package tree

import (
	"errors"
	"fmt"
	"strings"

	"github.com/seed06907907/fatty/internal/wire"
)

const (
	// MaxKey bounds a key in bytes: the longest path with its table prefix, and room.
	MaxKey = 1024
	// MaxValue bounds a value's encoding in bytes; longer contents are blocks of their own, linked from the value.
	MaxValue = 8 << 10
	// Target is the encoded size in bytes above which a node with more than one entry is split.
	Target = 4 << 10
	// minFill is the size below which a changed node is joined with a neighbour.
	minFill = Target / 4
	// MaxBlock bounds a node's block in bytes: Target, or one entry of the largest key and value.
	MaxBlock = MaxKey + MaxValue + 32
	// MaxDepth bounds how far a look-up descends. Inner nodes have at least two children and mostly more than
	// thirty, so only forged blocks reach it.
	MaxDepth = 24
)

// ErrBlock is wrapped by every error about a block that is absent, altered, or not shaped as a node of its tree.
var ErrBlock = errors.New("bad tree block")

// Blocks is where a tree's blocks are read from. Get returns the block's bytes, which nobody changes afterwards.
type Blocks interface {
	Get(wire.CID) ([]byte, error)
}

// Change sets Key to Value, or deletes it when Value is nil.
type Change struct {
	Key   string
	Value []byte
}

// Block is a new block and its id.
type Block struct {
	ID   wire.CID
	Data []byte
}

// Diff says what an update did to the set of blocks: New in the order in which children precede parents, Dropped in
// the order of the walk.
type Diff struct {
	New     []Block
	Dropped []wire.CID
}

// Tree is an immutable ordered map. The zero root names the empty tree.
type Tree struct {
	src  *Source
	root wire.CID
}

// Open returns the tree with the given root; nothing is read before it is asked for.
func Open(src *Source, root wire.CID) Tree { return Tree{src: src, root: root} }

// Root returns the root's id, undefined for the empty tree.
func (t Tree) Root() wire.CID { return t.root }

// span is the half-open range of keys that a node may hold; an empty hi means no bound.
type span struct{ lo, hi string }

func (s span) holds(key string) bool { return key >= s.lo && (s.hi == "" || key < s.hi) }

// child returns the span of the i-th child of n within s.
func (s span) child(n *node, i int) span {
	if i > 0 {
		s.lo = n.refs[i].key
	}
	if i+1 < len(n.refs) {
		s.hi = n.refs[i+1].key
	}
	return s
}

// check refuses a node whose keys lie outside the span that its parents gave it.
func (n *node) check(s span) error {
	first, last := "", ""
	if n.leaf() {
		first, last = n.entries[0].key, n.entries[len(n.entries)-1].key
	} else {
		// The first child's lower bound is the node's own, so the first key that counts is the second child's.
		first, last = n.refs[1].key, n.refs[len(n.refs)-1].key
	}
	if !s.holds(first) || !s.holds(last) {
		return fmt.Errorf("%w: a key lies outside its node's range", ErrBlock)
	}
	return nil
}

// load reads the node behind a link and checks it against its span.
func (t Tree) load(id wire.CID, s span, depth int) (*node, error) {
	if depth >= MaxDepth {
		return nil, fmt.Errorf("%w: deeper than %d nodes", ErrBlock, MaxDepth)
	}
	n, err := t.src.node(id)
	if err != nil {
		return nil, err
	}
	return n, n.check(s)
}

// search returns the number of refs whose key is <= key, less one: the child that may hold key.
func (n *node) search(key string) int {
	lo, hi := 1, len(n.refs)
	for lo < hi {
		mid := (lo + hi) / 2
		if n.refs[mid].key <= key {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo - 1
}

// find returns the first position in a leaf whose key is >= key.
func (n *node) find(key string) int {
	lo, hi := 0, len(n.entries)
	for lo < hi {
		mid := (lo + hi) / 2
		if n.entries[mid].key < key {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

// Get returns the value of key, and whether there is one. The value must not be changed.
func (t Tree) Get(key string) ([]byte, bool, error) {
	id, s := t.root, span{}
	if !id.Defined() {
		return nil, false, nil
	}
	for depth := 0; ; depth++ {
		n, err := t.load(id, s, depth)
		if err != nil {
			return nil, false, err
		}
		if n.leaf() {
			i := n.find(key)
			if i < len(n.entries) && n.entries[i].key == key {
				return n.entries[i].value, true, nil
			}
			return nil, false, nil
		}
		i := n.search(key)
		s = s.child(n, i)
		id = n.refs[i].id
	}
}

// Scan calls f for each key in [from, to) in order, until f returns false; an empty to means to the end.
func (t Tree) Scan(from, to string, f func(key string, value []byte) bool) error {
	if !t.root.Defined() || (to != "" && from >= to) {
		return nil
	}
	_, err := t.scan(t.root, span{}, 0, from, to, f)
	return err
}

func (t Tree) scan(id wire.CID, s span, depth int, from, to string, f func(string, []byte) bool) (bool, error) {
	n, err := t.load(id, s, depth)
	if err != nil {
		return false, err
	}
	if n.leaf() {
		for _, e := range n.entries[n.find(from):] {
			if (to != "" && e.key >= to) || !f(e.key, e.value) {
				return false, nil
			}
		}
		return true, nil
	}
	for i := n.search(from); i < len(n.refs); i++ {
		c := s.child(n, i)
		if to != "" && c.lo >= to {
			return false, nil
		}
		if more, err := t.scan(n.refs[i].id, c, depth+1, from, to, f); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// PrefixEnd returns the end of the range of keys that begin with prefix: the to of a Scan from prefix.
func PrefixEnd(prefix string) string {
	p := strings.TrimRight(prefix, "\xff")
	if p == "" {
		return ""
	}
	return p[:len(p)-1] + string([]byte{p[len(p)-1] + 1})
}
