package stark_test

import (
	"testing"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/prover/stark/internal/toy"
	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// naive is a second prover, written from the protocol alone: every column is a polynomial of degree below 2^n, given by
// its values on all 2^n rows, and everything is evaluated by Horner's rule at every point. It shares no transform, tree or
// vector code with the real one, so that equal bytes check all its conventions; and it lets a test cheat where the real one
// cannot: in windows of short columns that differ.
type naive struct {
	inst *vstark.Instance
	l    *vstark.Layout
	// rows[tree][column] are the values on the 2^n rows.
	rows [vstark.Trees][][]field.Element
	// word[tree][column] are the committed words over the extension domain, in bit-reversed order.
	word [vstark.Trees][][]field.Element
	coef [vstark.Trees][][]field.Element

	claims []field.Ext

	// What a cheat may change; nil for none.
	main   func(rows [][]field.Element)                                     // the main columns, before they are committed
	lookup func(z, alpha field.Ext) (field.Ext, field.Ext)                  // the challenges used for the sums
	sums   func(claims []field.Ext)                                         // the claims, before the sums close
	commit func(tree int, words [][]field.Element)                          // the committed words
	final  func(coefficients []field.Ext) []field.Ext                       // the final polynomial
	open   func(o *vstark.Openings[field.Ext])                              // the opened values
	layer  func(i int, code []field.Ext)                                    // a FRI layer, before it is committed
	nonce  uint64                                                           // the first one to try
	column func(i int, sums [][]field.Ext, total []field.Ext) [][]field.Ext // a component's interaction columns
}

func lift(v koalabear.Vector, n int) []field.Element {
	out := make([]field.Element, 1<<n)
	for i := range out {
		out[i] = v[i%len(v)]
	}
	return out
}

// interpolateNaive returns the coefficients of the polynomial with these values on <Root(n)>.
func interpolateNaive(v []field.Element, n int) []field.Element {
	out := make([]field.Element, len(v))
	w := field.Root(n)
	w.Inverse(&w)
	scale := field.New(uint64(len(v)))
	scale.Inverse(&scale)
	for i := range out {
		x, wi := field.New(1), field.Exp(w, uint64(i))
		for j := range v {
			var t field.Element
			t.Mul(&v[j], &x)
			out[i].Add(&out[i], &t)
			x.Mul(&x, &wi)
		}
		out[i].Mul(&out[i], &scale)
	}
	return out
}

func evalBase(c []field.Element, x field.Element) (r field.Element) {
	for i := len(c) - 1; i >= 0; i-- {
		r.Mul(&r, &x)
		r.Add(&r, &c[i])
	}
	return r
}

func evalExt(c []field.Element, x field.Ext) (r field.Ext) {
	for i := len(c) - 1; i >= 0; i-- {
		r = field.Add(field.Mul(r, x), field.FromBase(c[i]))
	}
	return r
}

func (v *naive) tree(t int) (root hash.Digest, levels [][]hash.Digest) {
	p := v.inst.Params
	if v.coef[t] == nil {
		for _, rows := range v.rows[t] {
			v.coef[t] = append(v.coef[t], interpolateNaive(rows, p.LogN))
		}
	}
	v.word[t] = nil
	for _, c := range v.coef[t] {
		word := make([]field.Element, 1<<(p.LogN+p.LogBlowup))
		for i := range word {
			word[i] = evalBase(c, field.Point(p.LogN, p.LogBlowup, uint64(i)))
		}
		v.word[t] = append(v.word[t], word)
	}
	if v.commit != nil {
		v.commit(t, v.word[t])
	}
	leaves := make([]hash.Digest, 1<<(p.LogN+p.LogBlowup))
	for i := range leaves {
		leaves[i] = hash.Leaf(v.row(t, i))
	}
	return levelsOf(leaves)
}

func (v *naive) row(t, i int) (row []field.Element) {
	for _, w := range v.word[t] {
		row = append(row, w[i])
	}
	return row
}

func levelsOf(leaves []hash.Digest) (hash.Digest, [][]hash.Digest) {
	levels := [][]hash.Digest{leaves}
	for len(leaves) > 1 {
		up := make([]hash.Digest, len(leaves)/2)
		for i := range up {
			up[i] = hash.Compress(leaves[2*i], leaves[2*i+1])
		}
		levels = append(levels, up)
		leaves = up
	}
	return leaves[0], levels
}

// path lists the siblings of ascending places; twin levels need none.
func path(levels [][]hash.Digest, places []uint32, twins int) (out []hash.Digest) {
	known := map[uint32]bool{}
	for _, p := range places {
		known[p] = true
	}
	for d := range len(levels) - 1 {
		up := map[uint32]bool{}
		for i := range uint32(len(levels[d])) {
			if known[i] {
				up[i>>1] = true
			} else if known[i^1] && d >= twins {
				out = append(out, levels[d][i])
			}
		}
		known = up
	}
	return out
}

// prove runs the protocol. tree columns of the preprocessed and program trees come as rows.
func (v *naive) prove(t testing.TB, trace [][]koalabear.Vector, fixed [2][]koalabear.Vector) *vstark.Proof {
	t.Helper()
	var err error
	if v.l, err = vstark.NewLayout(v.inst); err != nil {
		t.Fatal(err)
	}
	p, set, l := v.inst.Params, v.inst.Set, v.l
	n, b := p.LogN, p.LogBlowup
	size := 1 << (n + b)
	var levels [vstark.Trees][][]hash.Digest
	for tr, cols := range fixed {
		for _, c := range cols {
			v.rows[tr] = append(v.rows[tr], lift(c, n))
		}
		if len(cols) > 0 {
			_, levels[tr] = v.tree(tr)
		}
	}
	for _, c := range trace {
		for _, col := range c {
			v.rows[vstark.TreeMain] = append(v.rows[vstark.TreeMain], lift(col, n))
		}
	}
	if v.main != nil {
		v.main(v.rows[vstark.TreeMain])
	}
	proof := &vstark.Proof{}
	ch := vstark.NewProverChallenges(v.inst)
	proof.MainRoot, levels[vstark.TreeMain] = v.tree(vstark.TreeMain)
	z, alpha := ch.Lookup(proof.MainRoot)
	if v.lookup != nil {
		z, alpha = v.lookup(z, alpha)
	}
	// Interaction columns: fractions by definition, on all rows; the claim is window 0's.
	for i, c := range set.Components {
		k := v.inst.LogHeights[i]
		columns := make([][]field.Ext, len(c.Batches))
		total := make([]field.Ext, 1<<n)
		for r := range 1 << n {
			nodes, err := air.Eval(c, air.Base{}, v.baseRow(i, r))
			if err != nil {
				t.Fatal(err)
			}
			var s field.Ext
			for j, batch := range c.Batches {
				for _, li := range batch {
					lk := c.Lookups[li]
					// id + alpha v_0 + alpha^2 v_1 + .. - z
					d := field.Sub(field.FromBase(field.New(uint64(lk.Relation.ID))), z)
					power := alpha
					for _, x := range lk.Tuple {
						d = field.Add(d, field.Scale(power, nodes[x]))
						power = field.Mul(power, alpha)
					}
					num := nodes[lk.Numerator]
					if lk.Yield {
						num.Neg(&num)
					}
					d.Inverse(&d)
					s = field.Add(s, field.Scale(d, num))
				}
				columns[j] = append(columns[j], s)
			}
			total[r] = s
		}
		var claim field.Ext
		for r := range 1 << k {
			claim = field.Add(claim, total[r])
		}
		v.claims = append(v.claims, claim)
		share := vstark.Share(claim, k)
		var run field.Ext
		for r := range total {
			run = field.Sub(field.Add(run, total[r]), share)
			columns[len(columns)-1][r] = run
		}
		if v.column != nil {
			columns = v.column(i, columns, total)
		}
		for _, col := range columns {
			for d := range field.Degree {
				base := make([]field.Element, len(col))
				for r := range col {
					base[r] = field.Coords(&col[r])[d]
				}
				v.rows[vstark.TreeInteraction] = append(v.rows[vstark.TreeInteraction], base)
			}
		}
	}
	if v.sums != nil {
		v.sums(v.claims)
	}
	proof.Claims = v.claims
	proof.InteractionRoot, levels[vstark.TreeInteraction] = v.tree(vstark.TreeInteraction)
	weight := ch.Weight(proof.Claims, proof.InteractionRoot)

	// The composition polynomial from its values on 2^(n+1) points, whatever the blow-up.
	lk := vstark.Lookup[field.Ext]{Z: z, Powers: field.Powers(alpha, 4)[1:]}
	points := make([]field.Element, 2<<n)
	values := make([]field.Ext, len(points))
	for i := range points {
		points[i] = field.Point(n, 1, uint64(i))
		x := field.FromBase(points[i])
		vanishing := field.Sub(field.Square2(x, n), field.One())
		vanishing.Inverse(&vanishing)
		values[i] = field.Mul(v.weighted(t, v.openAt(x), lk, weight), vanishing)
	}
	h := interpolatePoints(values, n)
	for half := range 2 {
		for d := range field.Degree {
			c := make([]field.Element, 1<<n)
			for i := range c {
				c[i] = field.Coords(&h[half<<n+i])[d]
			}
			v.coef[vstark.TreeComposition] = append(v.coef[vstark.TreeComposition], c)
		}
	}
	proof.CompositionRoot, levels[vstark.TreeComposition] = v.tree(vstark.TreeComposition)
	zeta := ch.Zeta(proof.CompositionRoot)
	proof.Open = *v.openAt(zeta)
	if v.open != nil {
		v.open(&proof.Open)
	}
	beta := ch.Deep(&proof.Open)

	// The DEEP combination, term by term. A tree's columns have the weights of their blocks of eight, from the last cell of
	// the last block down; the next tree's come after all of those, whether a column has them or not.
	code := make([]field.Ext, size)
	wn := field.Root(n)
	inv := wn
	inv.Inverse(&inv)
	var powers []field.Ext
	for range l.Words() + 1 {
		if len(powers) == 0 {
			powers = append(powers, field.One())
		} else {
			powers = append(powers, field.Mul(powers[len(powers)-1], beta))
		}
	}
	o := &proof.Open
	for i := range code {
		x := field.FromBase(field.Point(n, b, uint64(i)))
		term := func(exponent int, f, value field.Ext, point field.Ext) {
			d := field.Sub(x, point)
			d.Inverse(&d)
			code[i] = field.Add(code[i], field.Mul(powers[exponent], field.Mul(field.Sub(f, value), d)))
		}
		next := 0
		for tr, vals := range o.Columns {
			next += (len(vals) + 7) / 8 * 8
			for c, val := range vals {
				term(next-1-c, field.FromBase(v.word[tr][c][i]), val, zeta)
			}
		}
		running := func(c int) field.Ext {
			var e [field.Degree]field.Element
			for d := range e {
				e[d] = v.word[vstark.TreeInteraction][v.last(c)*field.Degree+d][i]
			}
			return field.FromCoords(e)
		}
		for c := range set.Components {
			term(next, running(c), o.Previous[c], field.Scale(zeta, inv))
			next++
		}
		for c, k := range v.inst.LogHeights {
			atZeta := join(o.Columns[vstark.TreeInteraction][v.last(c)*field.Degree:][:field.Degree])
			term(next, running(c), atZeta, field.Scale(zeta, field.Exp(wn, 1<<k)))
			next++
		}
	}

	// FRI: f = even(x^2) + x odd(x^2), pair by pair.
	type opened struct {
		code   []field.Ext
		a      int
		levels [][]hash.Digest
	}
	var layers []opened
	k := n
	for i, a := range p.Folds() {
		if v.layer != nil {
			v.layer(i, code)
		}
		leaves := make([]hash.Digest, len(code)>>a)
		for c := range leaves {
			var words []field.Element
			for _, x := range code[c<<a : (c+1)<<a] {
				e := field.Coords(&x)
				words = append(words, e[:]...)
			}
			leaves[c] = hash.Leaf(words)
		}
		root, lv := levelsOf(leaves)
		proof.LayerRoots = append(proof.LayerRoots, root)
		layers = append(layers, opened{code, a, lv})
		challenge := ch.Fold(root)
		for range a {
			next := make([]field.Ext, len(code)/2)
			for j := range next {
				two, x := field.New(2), field.Point(k, b, uint64(2*j))
				x.Mul(&x, &two).Inverse(&x)
				two.Inverse(&two)
				even := field.Scale(field.Add(code[2*j], code[2*j+1]), two)
				odd := field.Scale(field.Sub(code[2*j], code[2*j+1]), x)
				next[j] = field.Add(even, field.Mul(challenge, odd))
			}
			code, challenge = next, field.Mul(challenge, challenge)
			k--
		}
	}
	proof.Final = interpolateAt(code[:1<<k], k)
	if v.final != nil {
		proof.Final = v.final(proof.Final)
	}
	proof.Nonce = v.nonce
	seed := ch.Seed(proof.Final)
	for !hash.Ground(seed, proof.Nonce, p.QueryGrind) {
		proof.Nonce++
	}
	places := vstark.Queries(ch, proof.Nonce, p)
	for tr := range vstark.Trees {
		if levels[tr] == nil {
			continue
		}
		for _, i := range places {
			proof.Rows[tr] = append(proof.Rows[tr], v.row(tr, int(i))...)
		}
		proof.Paths[tr] = path(levels[tr], places, l.Twins(tr))
	}
	for _, ly := range layers {
		var out vstark.Layer
		known := map[uint32]bool{}
		var cosets []uint32
		for _, i := range places {
			known[i] = true
			if c := i >> ly.a; len(cosets) == 0 || cosets[len(cosets)-1] != c {
				cosets = append(cosets, c)
			}
		}
		for _, c := range cosets {
			for i := c << ly.a; i < (c+1)<<ly.a; i++ {
				if !known[i] {
					out.Values = append(out.Values, ly.code[i])
				}
			}
		}
		out.Path = path(ly.levels, cosets, 0)
		proof.Layers = append(proof.Layers, out)
		places = cosets
	}
	return proof
}

func (v *naive) last(c int) int {
	if c+1 < len(v.l.Interaction) {
		return v.l.Interaction[c+1] - 1
	}
	return v.l.Batches - 1
}

func (v *naive) baseRow(i, r int) air.Row[field.Element] {
	c := v.inst.Set.Components[i]
	row := air.Row[field.Element]{Params: v.inst.Scalars[i]}
	for j := range c.Main {
		row.Main = append(row.Main, v.rows[vstark.TreeMain][v.l.Main[i]+j][r])
	}
	for _, ref := range v.l.Fixed[i] {
		row.Fixed = append(row.Fixed, v.rows[ref.Tree][ref.Column][r])
	}
	return row
}

// join is the extension value of coordinates that are values at a point.
func join(vals []field.Ext) (s field.Ext) {
	for d, x := range vals {
		s = field.Add(s, field.Mul(field.Basis(d), x))
	}
	return s
}

// openAt evaluates all columns at x, the running sums at x/w_n too.
func (v *naive) openAt(x field.Ext) *vstark.Openings[field.Ext] {
	o := &vstark.Openings[field.Ext]{}
	for tr := range vstark.Trees {
		for _, c := range v.coef[tr] {
			o.Columns[tr] = append(o.Columns[tr], evalExt(c, x))
		}
	}
	w := field.Root(v.inst.Params.LogN)
	w.Inverse(&w)
	back := field.Scale(x, w)
	for c := range v.inst.Set.Components {
		var vals []field.Ext
		for d := range field.Degree {
			vals = append(vals, evalExt(v.coef[vstark.TreeInteraction][v.last(c)*field.Degree+d], back))
		}
		o.Previous = append(o.Previous, join(vals))
	}
	return o
}

// weighted is the weighted sum of all constraints on opened values.
func (v *naive) weighted(t testing.TB, o *vstark.Openings[field.Ext], lk vstark.Lookup[field.Ext], weight field.Ext) (sum field.Ext) {
	power := field.One()
	for i, c := range v.inst.Set.Components {
		vals := vstark.Values[field.Ext]{
			Row:      air.Row[field.Ext]{Main: o.Columns[vstark.TreeMain][v.l.Main[i] : v.l.Main[i]+len(c.Main)]},
			Previous: o.Previous[i],
			Share:    vstark.Share(v.claims[i], v.inst.LogHeights[i]),
		}
		if v.inst.Ext != nil {
			vals.Ext = v.inst.Ext[i]
		}
		for j := range c.Batches {
			at := field.Degree * (v.l.Interaction[i] + j)
			vals.Sums = append(vals.Sums, join(o.Columns[vstark.TreeInteraction][at:at+field.Degree]))
		}
		for _, ref := range v.l.Fixed[i] {
			vals.Row.Fixed = append(vals.Row.Fixed, o.Columns[ref.Tree][ref.Column])
		}
		for _, s := range v.inst.Scalars[i] {
			vals.Row.Params = append(vals.Row.Params, field.FromBase(s))
		}
		cs, err := vstark.Constraints(c, field.Arithmetic{}, vals, lk)
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range cs {
			sum = field.Add(sum, field.Mul(power, x))
			power = field.Mul(power, weight)
		}
	}
	return sum
}

// interpolatePoints interpolates values on field.Point(n, 1, .), interpolateAt on field.Point(k, 0, .): coefficients.
func interpolatePoints(values []field.Ext, n int) []field.Ext { return interpolateOver(values, n, 1) }

func interpolateAt(values []field.Ext, k int) []field.Ext { return interpolateOver(values, k, 0) }

func interpolateOver(values []field.Ext, k, b int) []field.Ext {
	out := make([]field.Ext, len(values))
	scale := field.New(uint64(len(values)))
	scale.Inverse(&scale)
	for j, val := range values {
		x := field.Point(k, b, uint64(j))
		x.Inverse(&x)
		c := field.Scale(val, scale)
		for i := range out {
			out[i] = field.Add(out[i], c)
			c = field.Scale(c, x)
		}
	}
	return out
}

// naiveOf prepares the naive prover for a toy case.
func naiveOf(c *toy.Case) *naive { return &naive{inst: c.Inst} }

func (v *naive) proveCase(t testing.TB, c *toy.Case) *vstark.Proof {
	t.Helper()
	return v.prove(t, c.Trace.Main, c.Fixed)
}
