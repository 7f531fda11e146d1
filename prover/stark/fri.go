package stark

import (
	"context"

	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// friLayer is one committed layer: code in bit-reversed order, a leaf for each coset of 2^a neighbours.
type friLayer struct {
	code   []field.Ext
	a      int
	levels [][]hash.Digest
}

// layers commits and folds the codeword down to the final polynomial.
func layers(ctx context.Context, p vstark.Params, codeword extVec, ch *vstark.NativeChallenges) ([]friLayer, []field.Ext, error) {
	k, b := p.LogN, p.LogBlowup
	code := make([]field.Ext, 1<<(k+b))
	err := each(ctx, 1<<b, func(_, beta int) error {
		block := codeword.slice(beta<<k, (beta+1)<<k)
		for j := range 1 << k {
			code[place(k, b, beta, uint64(j))] = block.at(j)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	var out []friLayer
	for _, a := range p.Folds() {
		layer := friLayer{code: code, a: a}
		if err := layer.commit(ctx); err != nil {
			return nil, nil, err
		}
		out = append(out, layer)
		if code, err = fold(ctx, code, k, b, a, ch.Fold(layer.root())); err != nil {
			return nil, nil, err
		}
		k -= a
	}
	return out, finalPolynomial(code, k), nil
}

func (f *friLayer) root() hash.Digest { return f.levels[len(f.levels)-1][0] }

func (f *friLayer) commit(ctx context.Context) error {
	leaves := make([]hash.Digest, len(f.code)>>f.a)
	width := field.Degree << f.a
	const share = 1 << 8
	err := each(ctx, (len(leaves)+share-1)/share, func(_, i int) error {
		part := leaves[i*share : min((i+1)*share, len(leaves))]
		words := make([]field.Element, 0, len(part)*width)
		for j := range len(part) << f.a {
			c := field.Coords(&f.code[i*share<<f.a+j])
			words = append(words, c[:]...)
		}
		hash.Leaves(part, words, width)
		return nil
	})
	if err != nil {
		return err
	}
	t := tree{}
	if err := t.build(ctx, leaves); err != nil {
		return err
	}
	f.levels = t.levels
	return nil
}

// fold folds 2^a neighbours to one; the codeword belongs to columns of 2^k rows at blow-up 2^b.
func fold(ctx context.Context, code []field.Ext, k, b, a int, challenge field.Ext) ([]field.Ext, error) {
	out := make([]field.Ext, len(code)>>a)
	bits := k + b - a // of a coset's number
	table := vstark.NewFoldTable(a)
	s, w := field.Shift(k), field.Root(k+b)
	s.Inverse(&s)
	w.Inverse(&w)
	inverses := make([]field.Element, len(out)) // of Shift(k) * Root(k+b)^i
	inverses[0] = s
	for i := 1; i < len(inverses); i++ {
		inverses[i].Mul(&inverses[i-1], &w)
	}
	const share = 1 << 10
	return out, each(ctx, (len(out)+share-1)/share, func(_, i int) error {
		values := make([]field.Ext, 1<<a)
		for c := i * share; c < min((i+1)*share, len(out)); c++ {
			copy(values, code[c<<a:])
			out[c] = table.Fold(values, inverses[field.Reverse(uint64(c), bits)], challenge)
		}
		return nil
	})
}

// finalPolynomial interpolates the first 2^k values, which are those over Shift(k)<Root(k)>, and returns the coefficients.
func finalPolynomial(code []field.Ext, k int) []field.Ext {
	n := 1 << k
	out := make([]field.Ext, n)
	w, s, scale := field.Root(k), field.Shift(k), field.New(uint64(n))
	w.Inverse(&w)
	s.Inverse(&s)
	scale.Inverse(&scale)
	for i := range out {
		wi := field.Exp(w, uint64(i))
		x := field.New(1)
		for j := range n {
			out[i] = field.Add(out[i], field.Scale(code[field.Reverse(uint64(j), k)], x))
			x.Mul(&x, &wi)
		}
		out[i] = field.Scale(out[i], scale)
		scale.Mul(&scale, &s)
	}
	return out
}

// open returns the values and siblings that a verifier needs at ascending places, and the places of the next layer.
func (f *friLayer) open(places []uint32) (vstark.Layer, []uint32) {
	var out vstark.Layer
	var cosets []uint32
	for q := 0; q < len(places); {
		coset := places[q] >> f.a
		for t := range uint32(1) << f.a {
			if q < len(places) && places[q] == coset<<f.a|t {
				q++
				continue
			}
			out.Values = append(out.Values, f.code[coset<<f.a|t])
		}
		cosets = append(cosets, coset)
	}
	out.Path = siblings(f.levels, cosets, 0)
	return out, cosets
}

// grind finds the smallest nonce that is a proof of work of bits bits on seed.
func grind(ctx context.Context, seed hash.Digest, bits int) (uint64, error) {
	if bits == 0 {
		return 0, nil
	}
	const share = 1 << 12
	found := make([]uint64, workers())
	for start := uint64(0); ; start += uint64(len(found)) * share {
		err := each(ctx, len(found), func(_, i int) error {
			found[i] = search(seed, bits, start+uint64(i)*share, share)
			return nil
		})
		if err != nil {
			return 0, err
		}
		for _, nonce := range found {
			if nonce <= hash.MaxNonce {
				return nonce, nil
			}
		}
	}
}

// search tries n nonces from start, sixteen at a time, and returns the first good one or one above hash.MaxNonce.
func search(seed hash.Digest, bits int, start, n uint64) uint64 {
	var state, matrix [hash.Lanes * hash.Rate]field.Element
	var out [hash.Lanes][hash.Rate]field.Element
	hash.Spread(state[:], seed)
	hash.Spread(matrix[:], hash.GrindBlock(start))
	for at := start; at < start+n; at += hash.Lanes {
		for lane := range hash.Lanes {
			block := hash.GrindBlock(at + uint64(lane))
			matrix[lane], matrix[hash.Lanes+lane] = block[0], block[1]
		}
		hash.Chain(state[:], matrix[:], 1, &out)
		for lane := range out {
			if out[lane][0].Uint64()&(1<<bits-1) == 0 {
				return at + uint64(lane)
			}
		}
	}
	return hash.MaxNonce + 1
}
