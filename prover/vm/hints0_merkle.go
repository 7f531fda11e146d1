package vm

import (
	"errors"
	"fmt"
	"slices"

	pedersen "github.com/consensys/gnark-crypto/ecc/stark-curve/pedersen-hash"
)

// hints0Merkle is the hints of the modules merkle_update, merkle_multi_update and small_merkle_tree.
var hints0Merkle = []hint0{
	{
		digest: "a3df9456d1d85f65ca3a456936ed4da29380c95ac32869945df8848c53c9e248",
		module: "starkware.cairo.common.merkle_update", name: "merkle_update: is it the right child", run: hintMerkleSide,
	},
	{
		digest: "4025c3c7553a811658e6eeb987d5155fdb99a52f08726e1a434523a45b927613",
		module: "starkware.cairo.common.merkle_update", name: "merkle_update: the right sibling", run: hintMerkleSibling("y"),
	},
	{
		digest: "54b0ad9a05075b89dbf5bd39644d3e908be606eb4843661c048c464e03313885",
		module: "starkware.cairo.common.merkle_update", name: "merkle_update: the left sibling", run: hintMerkleSibling("x"),
	},
	{
		digest: "c174b74827b40a8f61a172145265dba4e104ff4fddb99d6028734eda493dd203",
		module: "starkware.cairo.common.merkle_update", name: "merkle_update: no sibling is left", run: hintMerklePathEnd,
	},
	{
		digest: "626fb17939d1105b981c5c4dc50f39a6411eb13af001982792702f967734c272",
		module: "starkware.cairo.common.merkle_multi_update", name: "merkle_multi_update: the tree of updates", run: hintUpdateTree,
	},
	{
		digest: "bf26630c30a664f1fa6e82a4eadf2ed1041958b948136f5ab97014a59a78df6e",
		module: "starkware.cairo.common.merkle_multi_update", name: "merkle_multi_update_inner: a node", run: hintUpdateNode,
	},
	{
		digest: "65fe67c1edf6fc582f1c1ce2ed6a797827fef49b5ec38a76a0d65e5995d4ec87",
		module: "starkware.cairo.common.merkle_multi_update", name: "merkle_multi_update_inner: not only the left", run: hintUpdateNotLeft,
	},
	{
		digest: "4e24328b933198c916c423946e13602cce66457180f48df01350dab2c62f25fa",
		module: "starkware.cairo.common.merkle_multi_update", name: "merkle_multi_update_inner: to the left", run: hintUpdateDescend("left_child"),
	},
	{
		digest: "863c38d8af3e4ddca95513a09d6afb52259242aa6b341aca05a5611c9b63243a",
		module: "starkware.cairo.common.merkle_multi_update", name: "merkle_multi_update_inner: to the right", run: hintUpdateDescend("right_child"),
	},
	{
		digest: "1229e4e8dc8a632c986294d677263bdb5af2e404361e7847bf82fe81c4be0239",
		module: "starkware.cairo.common.merkle_multi_update", name: "merkle_multi_update_inner: it is a leaf", run: hintUpdateCase(updateLeaf),
	},
	{
		digest: "38a99e57d00fcf126a78d4adafecea789c6f7cf5f7bd3a955842cc4ee328642d",
		module: "starkware.cairo.common.merkle_multi_update", name: "merkle_multi_update_inner: it is both", run: hintUpdateCase(updateBoth),
	},
	{
		digest: "329a2a6fe1b7a25f040ef3e9dc068669caed1b76d1c29beca1139b8e99e93eda",
		module: "starkware.cairo.common.small_merkle_tree", name: "small_merkle_tree_update: a scope", run: hintSmallTreeScope,
	},
	{
		digest: "15a1a9dd5d3291b0b4efe52450f8fb19e7a5bd63a0fb54a97142f9d3e277a237",
		module: "starkware.cairo.common.small_merkle_tree", name: "small_merkle_tree_update: the roots", run: hintSmallTreeRoots,
	},
}

// maxTreeHeight bounds the trees that hints build on the host: no leaf's index has more bits.
const maxTreeHeight = 252

// half is a field element's integer divided by two.
func half(v value) value {
	l := v.limbs()
	return value{
		a: l[0]>>1 | l[1]<<63,
		b: l[1]>>1 | l[2]<<63,
		c: l[2]>>1 | l[3]<<63,
		d: l[3]>>1 | tagFelt,
	}
}

// odd reports whether a field element's integer is odd.
func odd(v value) bool { return v.a&1 != 0 }

// treeHeight reads ids.height where a tree of that height is to be built.
func (c *hintContext) treeHeight() (int, error) {
	height, err := c.count("height")
	if err != nil {
		return 0, err
	}
	if height > maxTreeHeight {
		return 0, fmt.Errorf("a Merkle tree of height %d is too high; at most %d can be", height, maxTreeHeight)
	}
	return int(height), nil
}

// --- merkle_update ---------------------------------------------------------------------------------------------------

func hintMerkleSide(c *hintContext) error {
	index, err := c.number("index")
	if err != nil {
		return err
	}
	return c.setNext(boolValue(odd(index)))
}

// hintMerkleSibling takes the last node of the path as the sibling before and after the update.
func hintMerkleSibling(side string) func(*hintContext) error {
	return func(c *hintContext) error {
		path, err := scopeVariable[[]value](c, "auth_path")
		if err != nil {
			return err
		}
		if len(path) == 0 {
			return errors.New("merkle_update: auth_path is shorter than the tree is high")
		}
		last := len(path) - 1
		c.setVariable("auth_path", path[:last])
		if err := c.setID("prev_node_hash."+side, path[last]); err != nil {
			return err
		}
		return c.setID("new_node_hash."+side, path[last])
	}
}

func hintMerklePathEnd(c *hintContext) error {
	path, err := scopeVariable[[]value](c, "auth_path")
	if err != nil {
		return err
	}
	if len(path) != 0 {
		return fmt.Errorf("merkle_update: auth_path has %d nodes too many", len(path))
	}
	return nil
}

// --- merkle_multi_update ---------------------------------------------------------------------------------------------

// updateNode is a node of the tree of updates: only the nodes above an updated leaf are in it.
type updateNode struct {
	leaf        value // the new value; unknown above the leaves
	left, right *updateNode
}

// indexedNode is a node with its place in its level.
type indexedNode struct {
	index value
	node  *updateNode
}

// updateTree builds the tree of updates over leaves, of which a later one replaces an earlier one with the same index.
func (c *hintContext) updateTree(height int, leaves []indexedNode) (*updateNode, error) {
	slices.SortStableFunc(leaves, func(x, y indexedNode) int { return compareFelts(x.index, y.index) })
	level := leaves[:0]
	for _, leaf := range leaves {
		if n := len(level); n > 0 && level[n-1].index == leaf.index {
			level[n-1] = leaf
		} else {
			level = append(level, leaf)
		}
	}
	for range height {
		if err := c.charge(uint64(len(level))); err != nil {
			return nil, err
		}
		parents := level[:0]
		for _, child := range level {
			index := half(child.index)
			if n := len(parents); n == 0 || parents[n-1].index != index {
				parents = append(parents, indexedNode{index, new(updateNode)})
			}
			parent := parents[len(parents)-1].node
			if odd(child.index) {
				parent.right = child.node
			} else {
				parent.left = child.node
			}
		}
		level = parents
	}
	if len(level) != 1 || !level[0].index.isZero() {
		return nil, fmt.Errorf("merkle_multi_update: a key is not below 2^%d", height)
	}
	return level[0].node, nil
}

// treePreimages maps the hash of a node to its children: the scope variable preimage.
type treePreimages map[value][2]value

// dictAccess reads one access of a list.
type dictAccess struct{ key, before, after value }

// dictAccesses reads n accesses from ids.NAME on, whatever order the struct has its members in.
func (c *hintContext) dictAccesses(name string, n uint64) ([]dictAccess, error) {
	size, err := c.structSize("DictAccess")
	if err != nil {
		return nil, err
	}
	if size <= 0 {
		return nil, errEmptyAccess
	}
	var offsets [3]int64
	for i, member := range []string{"key", "prev_value", "new_value"} {
		if offsets[i], err = c.memberOffset("DictAccess", member); err != nil {
			return nil, err
		}
	}
	base, err := c.structAddress(name)
	if err != nil {
		return nil, err
	}
	var list []dictAccess
	for range n {
		if err := c.charge(1); err != nil {
			return nil, err
		}
		var access [3]value
		for i, offset := range offsets {
			p, ok := base.addOffset(offset)
			if !ok {
				return nil, errAddressRange
			}
			if access[i], err = c.get(p); err != nil {
				return nil, err
			}
			if !access[i].isFelt() {
				return nil, fmt.Errorf("access %d: %w", len(list), errNotFelt)
			}
		}
		list = append(list, dictAccess{key: access[0], before: access[1], after: access[2]})
		var ok bool
		if base, ok = base.addOffset(size); !ok {
			return nil, errAddressRange
		}
	}
	return list, nil
}

func hintUpdateTree(c *hintContext) error {
	n, err := c.count("n_updates")
	if err != nil {
		return err
	}
	list, err := c.dictAccesses("update_ptr", n)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errors.New("merkle_multi_update: there is no update")
	}
	height, err := c.treeHeight()
	if err != nil {
		return err
	}
	leaves := make([]indexedNode, len(list))
	for i, access := range list {
		leaves[i] = indexedNode{access.key, &updateNode{leaf: access.after}}
	}
	root, err := c.updateTree(height, leaves)
	if err != nil {
		return err
	}
	return c.enterUpdate(root)
}

// enterUpdate opens the scope in which a node is updated.
func (c *hintContext) enterUpdate(node *updateNode) error {
	preimages, err := scopeVariable[treePreimages](c, "preimage")
	if err != nil {
		return err
	}
	return c.enterScope(map[string]any{"node": node, "preimage": preimages})
}

// updateCase is where below a node the updates are.
type updateCase string

const (
	updateLeaf  updateCase = "leaf"
	updateLeft  updateCase = "left"
	updateRight updateCase = "right"
	updateBoth  updateCase = "both"
)

// hintUpdateNode finds out where below the node the updates are, and writes the children of the node before and after
// as the inputs of two hashes.
func hintUpdateNode(c *hintContext) error {
	node, err := scopeVariable[*updateNode](c, "node")
	if err != nil {
		return err
	}
	height, err := c.number("height")
	if err != nil {
		return err
	}
	after, err := c.value("new_root")
	if err != nil {
		return err
	}
	if height.isZero() {
		if !node.leaf.known() || node.leaf != after {
			return fmt.Errorf("merkle_multi_update: the leaf has to become %v, not %v", node.leaf, after)
		}
		c.setVariable("case", updateLeaf)
		return c.setNext(boolValue(true))
	}
	before, err := c.value("prev_root")
	if err != nil {
		return err
	}
	var which updateCase
	switch {
	case node.left != nil && node.right != nil:
		which = updateBoth
	case node.left != nil:
		which = updateLeft
	case node.right != nil:
		which = updateRight
	default:
		return errors.New("merkle_multi_update: the tree of updates is lower than the tree")
	}
	if err := c.writeChildren(before, after); err != nil {
		return err
	}
	c.setVariable("left_child", node.left)
	c.setVariable("right_child", node.right)
	c.setVariable("case", which)
	return c.setNext(boolValue(which != updateRight))
}

// writeChildren writes the children of each node as the inputs of the hashes from ids.hash_ptr on.
func (c *hintContext) writeChildren(nodes ...value) error {
	preimages, err := scopeVariable[treePreimages](c, "preimage")
	if err != nil {
		return err
	}
	size, err := c.structSize("HashBuiltin")
	if err != nil {
		return err
	}
	for i, node := range nodes {
		children, ok := preimages[node]
		if !ok {
			return fmt.Errorf("merkle_multi_update: the children of the node %v are not in preimage", node)
		}
		for side, member := range []string{"x", "y"} {
			offset, err := c.memberOffset("HashBuiltin", member)
			if err != nil {
				return err
			}
			p, err := c.member("hash_ptr", int64(i)*size+offset)
			if err != nil {
				return err
			}
			if err := c.set(p, children[side]); err != nil {
				return err
			}
		}
	}
	return nil
}

func hintUpdateNotLeft(c *hintContext) error {
	which, err := scopeVariable[updateCase](c, "case")
	if err != nil {
		return err
	}
	return c.setNext(boolValue(which != updateLeft))
}

// hintUpdateCase asserts where the updates are.
func hintUpdateCase(want updateCase) func(*hintContext) error {
	return func(c *hintContext) error {
		which, err := scopeVariable[updateCase](c, "case")
		if err != nil {
			return err
		}
		if which != want {
			return fmt.Errorf("merkle_multi_update: the node's case is %s, not %s", which, want)
		}
		return nil
	}
}

// hintUpdateDescend opens the scope of a child.
func hintUpdateDescend(name string) func(*hintContext) error {
	return func(c *hintContext) error {
		child, err := scopeVariable[*updateNode](c, name)
		if err != nil {
			return err
		}
		if child == nil {
			return fmt.Errorf("merkle_multi_update: there is no %s", name)
		}
		return c.enterUpdate(child)
	}
}

// --- small_merkle_tree -----------------------------------------------------------------------------------------------

func hintSmallTreeScope(c *hintContext) error {
	m, err := c.dictManager(false)
	if err != nil {
		return err
	}
	return c.enterScope(map[string]any{"__dict_manager": m})
}

// smallTree is a Merkle tree of Pedersen hashes whose leaves are 0 but for some.
type smallTree struct {
	height    int
	root      value
	levels    []map[value]value // from the leaves up, what is there beside the defaults
	defaults  []value           // from the leaf up, the node over nothing but default leaves
	preimages treePreimages
}

func newSmallTree(height int) *smallTree {
	t := &smallTree{height: height, preimages: make(treePreimages)}
	node := uintValue(0)
	for range height + 1 {
		t.defaults = append(t.defaults, node)
		t.levels = append(t.levels, make(map[value]value))
		node = pedersenHash(node, node)
	}
	t.root = t.defaults[height]
	return t
}

func pedersenHash(x, y value) value {
	a, b := x.felt(), y.felt()
	return feltValue(pedersen.Pedersen(&a, &b))
}

// node at a level, counted from the leaves, or its default.
func (t *smallTree) node(level int, index value) value {
	if v, ok := t.levels[level][index]; ok {
		return v
	}
	return t.defaults[level]
}

// leafValue is one leaf of a tree.
type leafValue struct{ index, value value }

// set changes leaves and hashes the nodes above them.
func (t *smallTree) set(c *hintContext, leaves []leafValue) error {
	if len(leaves) == 0 {
		return nil
	}
	changed := make([]value, 0, len(leaves))
	for _, leaf := range leaves {
		t.levels[0][leaf.index] = leaf.value
		changed = append(changed, leaf.index)
	}
	slices.SortFunc(changed, compareFelts)
	changed = slices.Compact(changed)
	for level := range t.height {
		if err := c.charge(uint64(len(changed))); err != nil {
			return err
		}
		parents := changed[:0]
		for _, index := range changed {
			if index = half(index); len(parents) == 0 || parents[len(parents)-1] != index {
				parents = append(parents, index)
			}
		}
		for _, index := range parents {
			first := addFelts(index, index)
			children := [2]value{t.node(level, first), t.node(level, addFelts(first, uintValue(1)))}
			hash := pedersenHash(children[0], children[1])
			t.levels[level+1][index] = hash
			t.preimages[hash] = children
		}
		changed = parents
	}
	if len(changed) != 1 || !changed[0].isZero() {
		return fmt.Errorf("small_merkle_tree_update: a key is not below 2^%d", t.height)
	}
	t.root = t.node(t.height, changed[0])
	return nil
}

// hintSmallTreeRoots computes the root over the dictionary's contents, which are those after the update, then goes back
// to the values before, and keeps the children of all nodes that it met.
func hintSmallTreeRoots(c *hintContext) error {
	t, err := c.dictTracker("squashed_dict_end")
	if err != nil {
		return err
	}
	size, err := c.structSize("DictAccess")
	if err != nil {
		return err
	}
	start, err := c.structAddress("squashed_dict_start")
	if err != nil {
		return err
	}
	end, err := c.structAddress("squashed_dict_end")
	if err != nil {
		return err
	}
	length := end.off - start.off
	if start.seg != end.seg || length < 0 || size <= 0 || length%size != 0 {
		return fmt.Errorf("small_merkle_tree_update: from %v to %v is no list of accesses", start, end)
	}
	list, err := c.dictAccesses("squashed_dict_start", uint64(length/size))
	if err != nil {
		return err
	}
	var before []leafValue
	for _, access := range list {
		have, err := t.get(c, access.key)
		if err != nil {
			return err
		}
		if have != access.after {
			return fmt.Errorf("small_merkle_tree_update: key %v has the value %v, not %v", access.key, have, access.after)
		}
		before = append(before, leafValue{access.key, access.before})
	}
	height, err := c.treeHeight()
	if err != nil {
		return err
	}
	if err := c.charge(uint64(len(t.data))); err != nil {
		return err
	}
	var after []leafValue
	for key, v := range t.data {
		if !key.isFelt() || !v.isFelt() {
			return fmt.Errorf("small_merkle_tree_update: key %v with the value %v: %w", key, v, errNotFelt)
		}
		after = append(after, leafValue{key, v})
	}
	slices.SortFunc(after, func(x, y leafValue) int { return compareFelts(x.index, y.index) })

	tree := newSmallTree(height)
	if err := tree.set(c, after); err != nil {
		return err
	}
	if err := c.setID("new_root", tree.root); err != nil {
		return err
	}
	if err := tree.set(c, before); err != nil {
		return err
	}
	c.setVariable("preimage", tree.preimages)
	return c.setID("prev_root", tree.root)
}
