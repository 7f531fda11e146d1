package stark

import (
	"context"
	"math/bits"
	"slices"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// tree is a committed list of extended columns.
type tree struct {
	n, b    int
	heights []int              // log2 of the rows of each column
	columns []koalabear.Vector // extensions, by blocks
	top     int                // log2 of the rows of the tallest column
	// levels[0] holds the digests of the 2^(top+b) different leaves at the level where the tree has that many nodes, that
	// is after the twin levels; levels[i+1] their parents; the last one the root.
	levels [][]hash.Digest
}

func (t *tree) root() hash.Digest { return t.levels[len(t.levels)-1][0] }

// tile is the number of groups of sixteen leaves that are hashed together: their cells fit the second-level cache.
const tile = 16

// commit hashes columns into a tree of depth n+b. A leaf's chain is computed at the largest height absorbed so far and
// shared by all the leaves above it.
func commit(ctx context.Context, n, b int, heights []int, columns []koalabear.Vector) (*tree, error) {
	t := &tree{n: n, b: b, heights: heights, columns: columns}
	// The states of 2^h chains a block, by groups of sixteen: states[(beta<<h + 16*g) * Rate + pos*16 + lane].
	var states koalabear.Vector
	at := 0
	for c := 0; c < len(columns); {
		// A run is the blocks of eight columns that are absorbed at one height.
		h := max(t.top, slices.Max(heights[c:min(c+hash.Rate, len(heights))]))
		end := c
		for end < len(columns) && max(h, slices.Max(heights[end:min(end+hash.Rate, len(heights))])) == h {
			end += hash.Rate
		}
		end = min(end, len(columns))
		var err error
		states, err = t.absorb(ctx, states, at, h, c, end)
		if err != nil {
			return nil, err
		}
		t.top, at, c = h, h, end
	}
	leaves := make([]hash.Digest, 1<<(t.top+b))
	err := each(ctx, 1<<b, func(_, beta int) error {
		for g := 0; g < 1<<t.top; g += hash.Lanes {
			group := states[(beta<<t.top+g)*hash.Rate:]
			for lane := range hash.Lanes {
				d := &leaves[place(t.top, b, beta, uint64(g+lane))]
				for pos := range hash.Rate {
					d[pos] = group[pos*hash.Lanes+lane]
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return t, t.build(ctx, leaves)
}

// absorb continues the chains with columns [from, to) at height h; the states so far are of height at.
func (t *tree) absorb(ctx context.Context, states koalabear.Vector, at, h, from, to int) (koalabear.Vector, error) {
	out := make(koalabear.Vector, hash.Rate<<(h+t.b))
	blocks := hash.Steps(to - from)
	groups := 1 << (h + t.b) / hash.Lanes
	start := make([]field.Element, hash.Lanes*hash.Rate)
	hash.Spread(start, hash.LeafState(len(t.columns)))
	scratch := make([]koalabear.Vector, workers())
	err := each(ctx, (groups+tile-1)/tile, func(worker, i int) error {
		size := hash.Lanes * hash.Rate * blocks
		if scratch[worker] == nil {
			scratch[worker] = make(koalabear.Vector, tile*size)
		}
		matrix := scratch[worker]
		first := i * tile
		last := min(first+tile, groups)
		for c := from; c < to; c++ {
			k, column := t.heights[c], t.columns[c]
			for g := first; g < last; g++ {
				beta, j := g*hash.Lanes>>h, g*hash.Lanes&(1<<h-1)
				dst := (*[hash.Lanes]field.Element)(matrix[(g-first)*size+(c-from)*hash.Lanes:])
				*dst = [hash.Lanes]field.Element(column[beta<<k|j&(1<<k-1):])
			}
		}
		var digests [hash.Lanes][hash.Rate]field.Element
		for g := first; g < last; g++ {
			state := start
			if states != nil {
				beta, j := g*hash.Lanes>>h, g*hash.Lanes&(1<<h-1)
				state = states[(beta<<at|j&(1<<at-1))*hash.Rate:][:hash.Lanes*hash.Rate]
			}
			hash.Chain(state, matrix[(g-first)*size:], blocks, &digests)
			dst := out[g*hash.Lanes*hash.Rate:]
			for l := range digests {
				for pos := range hash.Rate {
					dst[pos*hash.Lanes+l] = digests[l][pos]
				}
			}
		}
		return nil
	})
	return out, err
}

// build hashes the levels above the leaves, the twin levels first.
func (t *tree) build(ctx context.Context, leaves []hash.Digest) error {
	for range t.n - t.top {
		pairs := make([]hash.Digest, 2*len(leaves))
		for i, d := range leaves {
			pairs[2*i], pairs[2*i+1] = d, d
		}
		if err := nodes(ctx, leaves, pairs); err != nil {
			return err
		}
	}
	t.levels = append(t.levels, leaves)
	for len(leaves) > 1 {
		up := make([]hash.Digest, len(leaves)/2)
		if err := nodes(ctx, up, leaves); err != nil {
			return err
		}
		t.levels = append(t.levels, up)
		leaves = up
	}
	return nil
}

// nodes compresses a level on all processors.
func nodes(ctx context.Context, dst, children []hash.Digest) error {
	const share = 1 << 10
	return each(ctx, (len(dst)+share-1)/share, func(_, i int) error {
		end := min(len(dst), (i+1)*share)
		hash.Nodes(dst[i*share:end], children[2*i*share:2*end])
		return nil
	})
}

// rows returns the cells of the leaves at ascending places.
func (t *tree) rows(places []uint32) []field.Element {
	out := make([]field.Element, 0, len(places)*len(t.columns))
	for _, p := range places {
		for c, column := range t.columns {
			k := t.heights[c]
			out = append(out, column[t.entry(k, uint64(p)>>(t.n-k))])
		}
	}
	return out
}

// entry is where entry i, in bit-reversed order, of a column of 2^k rows stands.
func (t *tree) entry(k int, i uint64) uint64 {
	return field.Reverse(i>>k, t.b)<<k | field.Reverse(i&(1<<k-1), k)
}

// path returns the siblings that an opening of ascending places needs (hash.VerifyMulti).
func (t *tree) path(places []uint32) []hash.Digest {
	return siblings(t.levels, places, t.n-t.top)
}

func siblings(levels [][]hash.Digest, places []uint32, twins int) []hash.Digest {
	var out []hash.Digest
	at := make([]uint32, 0, len(places))
	for _, p := range places {
		if p >>= twins; len(at) == 0 || at[len(at)-1] != p {
			at = append(at, p)
		}
	}
	for _, level := range levels[:len(levels)-1] {
		parents := at[:0]
		for i := 0; i < len(at); i++ {
			x := at[i]
			if i+1 < len(at) && at[i+1] == x^1 {
				i++
			} else {
				out = append(out, level[x^1])
			}
			parents = append(parents, x>>1)
		}
		at = parents
	}
	return out
}

// log2 of a power of two.
func log2(n int) int { return bits.TrailingZeros(uint(n)) }
