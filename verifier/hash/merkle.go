package hash

import (
	"errors"
	"fmt"
)

// ErrMerkle is wrapped by every error about an opening that does not lead to its root.
var ErrMerkle = errors.New("Merkle opening does not lead to the root")

// VerifyMulti checks an opening of several leaves of one tree of 2^depth leaves against its root.
//
// indices are the leaves' places, strictly ascending, leaves their digests in the same order. The lowest twins levels of
// the tree belong to columns that are shorter than the tree: there both children of a node are the same digest. nodes are
// the other digests that are needed, level by level from the leaves up and by ascending place within a level; a missing
// or unused one is an error.
func VerifyMulti(root Digest, depth, twins int, indices []uint32, leaves, nodes []Digest) error {
	if depth < 0 || depth > 32 || twins < 0 || twins > depth {
		return fmt.Errorf("a tree of depth %d with %d twin levels: %w", depth, twins, ErrMerkle)
	}
	if len(indices) == 0 || len(indices) != len(leaves) {
		return fmt.Errorf("%d indices and %d leaves: %w", len(indices), len(leaves), ErrMerkle)
	}
	for i, x := range indices {
		if uint64(x)>>depth != 0 || i > 0 && indices[i-1] >= x {
			return fmt.Errorf("leaf indices are not ascending places of the tree: %w", ErrMerkle)
		}
	}
	at := append([]uint32(nil), indices...)
	have := append([]Digest(nil), leaves...)
	children := make([]Digest, 0, 2*len(at))
	for level := range depth {
		children = children[:0]
		parents := 0
		for i := 0; i < len(at); {
			x := at[i]
			pair := i+1 < len(at) && at[i+1] == x^1
			switch {
			case level < twins:
				if pair && have[i] != have[i+1] {
					return fmt.Errorf("leaves of a short column differ: %w", ErrMerkle)
				}
				children = append(children, have[i], have[i])
			case pair:
				children = append(children, have[i], have[i+1])
			case len(nodes) == 0:
				return fmt.Errorf("a sibling is missing at level %d: %w", level, ErrMerkle)
			case x&1 == 0:
				children = append(children, have[i], nodes[0])
				nodes = nodes[1:]
			default:
				children = append(children, nodes[0], have[i])
				nodes = nodes[1:]
			}
			at[parents] = x >> 1
			parents++
			i++
			if pair {
				i++
			}
		}
		at, have = at[:parents], have[:parents]
		Nodes(have, children)
	}
	if len(nodes) != 0 {
		return fmt.Errorf("%d siblings are left over: %w", len(nodes), ErrMerkle)
	}
	if len(have) != 1 || have[0] != root {
		return ErrMerkle
	}
	return nil
}

// Expand returns, for each leaf of an opening that VerifyMulti reads, its siblings from the leaf up: what a verifier that
// looks at one leaf at a time needs, as a circuit does. It never fails: where nodes are missing, siblings are zero, and the
// paths of a false opening lead to another root.
func Expand(depth, twins int, indices []uint32, leaves, nodes []Digest) [][]Digest {
	paths := make([][]Digest, len(leaves))
	node := make([]int, len(leaves)) // which of have a leaf lies under
	for j := range leaves {
		node[j] = j
		paths[j] = make([]Digest, 0, depth)
	}
	at := append([]uint32(nil), indices...)
	have := append([]Digest(nil), leaves...)
	for level := range depth {
		siblings := make([]Digest, len(at))
		parent := make([]int, len(at))
		children := make([]Digest, 0, 2*len(at))
		parents := 0
		for i := 0; i < len(at); {
			pair := i+1 < len(at) && at[i+1] == at[i]^1
			switch {
			case pair:
				siblings[i], siblings[i+1] = have[i+1], have[i]
			case level < twins:
				siblings[i] = have[i]
			case len(nodes) > 0:
				siblings[i], nodes = nodes[0], nodes[1:]
			}
			if at[i]&1 == 0 {
				children = append(children, have[i], siblings[i])
			} else {
				children = append(children, siblings[i], have[i])
			}
			parent[i] = parents
			at[parents] = at[i] >> 1
			i++
			if pair {
				parent[i] = parents
				i++
			}
			parents++
		}
		for j := range leaves {
			paths[j] = append(paths[j], siblings[node[j]])
			node[j] = parent[node[j]]
		}
		at, have = at[:parents], have[:parents]
		Nodes(have, children)
	}
	return paths
}
