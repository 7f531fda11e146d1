package stark_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/prover/stark/internal/toy"
	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// Bugs that other proof systems of this kind have had, by their number in the project's list: each of them would let a
// false statement through, and each is a test here, in verifier/hash (7, 20), in verifier/stark (32), or with Cairo's tables
// (from 35 on, verifier/cairo and prover/cairo). Numbers with a C are those of the list about Cairo's tables; of these 1 is
// 09, 2 is 36, 3 is 03, 4 is 37 and 13 is 16 again.

// challengesOf replays a transcript and lists everything it draws, in order.
func challengesOf(inst *vstark.Instance, p *vstark.Proof) (out []string) {
	ch := vstark.NewProverChallenges(inst)
	put := func(xs ...any) { out = append(out, fmt.Sprint(xs...)) }
	z, alpha := ch.Lookup(p.MainRoot)
	put(z)
	put(alpha)
	put(ch.Weight(p.Claims, p.InteractionRoot))
	put(ch.Zeta(p.CompositionRoot))
	put(ch.Deep(&p.Open))
	for _, r := range p.LayerRoots {
		put(ch.Fold(r))
	}
	put(ch.Seed(p.Final))
	low, high := hash.NonceWords(p.Nonce)
	put(ch.Queries(field.FromBase(low), field.FromBase(high), inst.Params.Queries))
	return out
}

func addOne(x *field.Ext) { *x = field.Add(*x, field.One()) }

// audit changes one word of the statement or the proof at a time: exactly the challenges from the given one on change.
func audit(t *testing.T, from int, change func(inst *vstark.Instance, p *vstark.Proof)) {
	t.Helper()
	cs := newCase(t, toy.Params(6), small, 5)
	p := prove(t, cs)
	before := challengesOf(cs.Inst, p)
	inst := *cs.Inst
	inst.Public, inst.PublicDigests, inst.PublicExt = slices.Clone(inst.Public), slices.Clone(inst.PublicDigests), slices.Clone(inst.PublicExt)
	inst.LogHeights = slices.Clone(inst.LogHeights)
	inst.Scalars, inst.Ext = slices.Clone(inst.Scalars), slices.Clone(inst.Ext)
	for i := range toy.Components {
		inst.Scalars[i], inst.Ext[i] = slices.Clone(inst.Scalars[i]), slices.Clone(inst.Ext[i])
	}
	change(&inst, p)
	after := challengesOf(&inst, p)
	for i := range min(len(before), len(after)) {
		if (i < from) != (before[i] == after[i]) {
			t.Errorf("challenge %d: changed is %v, want from %d on", i, before[i] != after[i], from)
		}
	}
	if err := vstark.Verify(&inst, p); err == nil {
		t.Error("accepted")
	}
}

// The challenges' places in challengesOf; the folds begin at drawFold.
const (
	drawZ = iota
	drawAlpha
	drawWeight
	drawZeta
	drawDeep
	drawFold
)

// coordinates lists the six coordinates of x: each is a word of its own.
func coordinates(x *field.Ext) [field.Degree]*field.Element {
	return [field.Degree]*field.Element{&x.B0.A0, &x.B0.A1, &x.B1.A0, &x.B1.A1, &x.B2.A0, &x.B2.A1}
}

// openings lists the opened values by tree, and last those at the previous row.
func openings(o *vstark.Openings[field.Ext]) [][]field.Ext {
	return append(slices.Clone(o.Columns[:]), o.Previous)
}

func TestKnownBug_01_OpeningsAreAbsorbedBeforeBatching(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 5)
	for tree, list := range openings(&prove(t, cs).Open) {
		if len(list) == 0 {
			t.Errorf("tree %d has no column", tree)
		}
		for i := range list {
			t.Run(fmt.Sprintf("tree %d/%d", tree, i), func(t *testing.T) {
				audit(t, drawDeep, func(_ *vstark.Instance, p *vstark.Proof) {
					increment(coordinates(&openings(&p.Open)[tree][i])[i%field.Degree])
				})
			})
		}
	}
	// A value can take all its coordinates: each of one value of each tree.
	for tree := range vstark.Trees + 1 {
		for d := range field.Degree {
			audit(t, drawDeep, func(_ *vstark.Instance, p *vstark.Proof) { increment(coordinates(&openings(&p.Open)[tree][0])[d]) })
		}
	}
	// Values do not move between lists: the last of one tree as the first of the next.
	for tree := range vstark.Trees {
		p := prove(t, cs)
		before := challengesOf(cs.Inst, p)
		lists := openings(&p.Open)
		from, to := lists[tree], lists[tree+1]
		moved := append([]field.Ext{from[len(from)-1]}, to...)
		p.Open.Columns[tree] = from[:len(from)-1]
		if tree+1 < vstark.Trees {
			p.Open.Columns[tree+1] = moved
		} else {
			p.Open.Previous = moved
		}
		if after := challengesOf(cs.Inst, p); after[drawDeep] == before[drawDeep] {
			t.Errorf("a value moves from tree %d to the next", tree)
		}
		if err := refused(t, cs.Inst, p); !errors.Is(err, vstark.ErrFormat) {
			t.Error(err)
		}
	}
}

func TestKnownBug_02_LookupSumsAreAbsorbedBeforeZeta(t *testing.T) {
	for i := range toy.Components {
		for d := range field.Degree {
			audit(t, drawWeight, func(_ *vstark.Instance, p *vstark.Proof) { increment(coordinates(&p.Claims[i])[d]) })
		}
	}
	for w := range hash.Rate {
		audit(t, drawWeight, func(_ *vstark.Instance, p *vstark.Proof) { increment(&p.InteractionRoot[w]) })
		audit(t, drawZeta, func(_ *vstark.Instance, p *vstark.Proof) { increment(&p.CompositionRoot[w]) })
		audit(t, drawZ, func(_ *vstark.Instance, p *vstark.Proof) { increment(&p.MainRoot[w]) })
	}
}

// Two claims that change by opposite amounts still cancel; every later challenge differs all the same.
func TestKnownBug_03_EachClaimIsAbsorbed(t *testing.T) {
	audit(t, drawWeight, func(_ *vstark.Instance, p *vstark.Proof) {
		addOne(&p.Claims[0])
		p.Claims[1] = field.Sub(p.Claims[1], field.One())
	})
}

func TestKnownBug_04_PublicValuesAreAbsorbed(t *testing.T) {
	for i := range 3 {
		audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) { increment(&inst.Public[i]) })
	}
	audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) { increment(&inst.Scalars[toy.Cube][0]) })
	audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) { increment(&inst.Scalars[toy.Pairs][0]) })
	for w := range hash.Rate {
		audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) { increment(&inst.Program[w]) })
		audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) { increment(&inst.Preprocessed[w]) })
		for i := range 2 {
			audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) { increment(&inst.PublicDigests[i][w]) })
		}
	}
	for d := range field.Degree {
		for i := range 3 {
			audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) { increment(coordinates(&inst.PublicExt[i])[d]) })
		}
		for i := range 2 {
			audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) { increment(coordinates(&inst.Ext[toy.Blend][i])[d]) })
		}
	}
	// Two scalars change places.
	audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) { slices.Reverse(inst.Ext[toy.Blend]) })
	audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) { slices.Reverse(inst.PublicExt) })
	audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) { slices.Reverse(inst.PublicDigests) })
	// Every parameter is absorbed, and the description of the tables.
	for _, change := range []func(p *vstark.Params){
		func(p *vstark.Params) { p.Queries++ },
		func(p *vstark.Params) { p.QueryGrind++ },
		func(p *vstark.Params) { p.LogBlowup++ },
	} {
		audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) { change(&inst.Params) })
	}
	audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) {
		set := *inst.Set
		set.Name += "s"
		inst.Set = &set
	})
}

func TestKnownBug_05_HeightsAreAbsorbed(t *testing.T) {
	for i := range toy.Components {
		audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) {
			if inst.LogHeights[i]++; inst.LogHeights[i] > inst.Params.LogN { // a transcript has no words for more
				inst.LogHeights[i] -= 2
			}
		})
	}
	audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) { inst.ProgramLogHeight-- })
}

func TestKnownBug_06_FinalPolynomialAndLayersAreAbsorbed(t *testing.T) {
	layers := len(toy.Params(6).Folds())
	for i := range 4 {
		for d := range field.Degree {
			audit(t, drawFold+layers, func(_ *vstark.Instance, p *vstark.Proof) { increment(coordinates(&p.Final[i])[d]) })
		}
	}
	for i := range layers {
		for w := range hash.Rate {
			audit(t, drawFold+i, func(_ *vstark.Instance, p *vstark.Proof) { increment(&p.LayerRoots[i][w]) })
		}
	}
	audit(t, drawFold+layers+1, func(_ *vstark.Instance, p *vstark.Proof) { p.Nonce++ })
	audit(t, drawFold+layers+1, func(_ *vstark.Instance, p *vstark.Proof) { p.Nonce += 1 << hash.NonceBits })
}

// Words cannot move from one message to the next, and trailing zeros count.
func TestKnownBug_07_PublicWordsAreLengthBound(t *testing.T) {
	audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) { inst.Public = append(inst.Public, field.Element{}) })
	audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) { inst.Public = inst.Public[:2] })
	audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) {
		inst.PublicDigests = append(inst.PublicDigests, hash.Digest{})
	})
	audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) { inst.PublicDigests = inst.PublicDigests[:1] })
	audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) { inst.PublicExt = append(inst.PublicExt, field.Ext{}) })
	audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) { inst.PublicExt = inst.PublicExt[:2] })
	// A digest as eight words, and a value as six.
	audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) {
		inst.Public = append(inst.Public, inst.PublicDigests[0][:]...)
		inst.PublicDigests = inst.PublicDigests[1:]
	})
	audit(t, drawZ, func(inst *vstark.Instance, _ *vstark.Proof) {
		c := field.Coords(&inst.PublicExt[0])
		inst.Public = append(inst.Public, c[:]...)
		inst.PublicExt = inst.PublicExt[1:]
	})
}

// A witness made with other lookup challenges than the transcript's is refused.
func TestKnownBug_08_LookupChallengesAreUsed(t *testing.T) {
	for name, f := range map[string]func(z, alpha field.Ext) (field.Ext, field.Ext){
		"z":     func(z, alpha field.Ext) (field.Ext, field.Ext) { addOne(&z); return z, alpha },
		"alpha": func(z, alpha field.Ext) (field.Ext, field.Ext) { addOne(&alpha); return z, alpha },
	} {
		t.Run(name, func(t *testing.T) {
			cs := newCase(t, toy.Params(5), toy.Heights{Table: 5, Code: 4, Cube: 4, Pairs: 4}, 6)
			n := naiveOf(cs)
			n.lookup = f
			n.sums = func(claims []field.Ext) { balance(cs, n, claims) }
			refused(t, cs.Inst, n.proveCase(t, cs))
		})
	}
}

// A prover that brings its own preprocessed or program tree is refused: their roots are the verifier's.
func TestKnownBug_09_PreprocessedRootIsTheVerifiersOwn(t *testing.T) {
	ours := newCase(t, toy.Params(6), small, 8)
	theirs := newCase(t, toy.Params(6), small, 9) // another program
	p := prove(t, theirs)
	inst := *theirs.Inst
	inst.Program = ours.Inst.Program
	refused(t, &inst, p)
	inst = *theirs.Inst
	increment(&inst.Preprocessed[0])
	refused(t, &inst, p)
}

// A word of high degree in one column does not cancel against the same word in a column of another height.
func TestKnownBug_10_HighDegreeDoesNotCancelAcrossHeights(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 10)
	n := naiveOf(cs)
	n.commit = func(tree int, words [][]field.Element) {
		if tree != vstark.TreeMain {
			return
		}
		a, b := words[n.l.Main[toy.Cube]+1], words[n.l.Main[toy.Pairs]]
		for i := range a {
			e := field.New(uint64(i*i + 1))
			a[i].Add(&a[i], &e)
			b[i].Sub(&b[i], &e)
		}
	}
	refused(t, cs.Inst, n.proveCase(t, cs))
}

// Every term of the DEEP combination has a weight of its own: no two columns, of whatever trees and heights, and no two
// points of one, can cancel. The security calculator counts at least as many.
func TestKnownBug_10_EveryTermHasItsOwnWeight(t *testing.T) {
	beta := field.Add(field.Basis(1), field.Basis(3))
	for _, inst := range []*vstark.Instance{newCase(t, toy.Params(6), small, 10).Inst, newCase(t, toy.Params(10), toy.Heights{Blend: 9}, 10).Inst,
		newNumbers(t, toy.Params(6), "table", 5, 4).inst, newNumbers(t, toy.Params(6), "main", 5, 4).inst, wide(t, 507)} {
		l, err := vstark.NewLayout(inst)
		if err != nil {
			t.Fatal(err)
		}
		exponent := map[field.Ext]int{}
		for e, x := range field.Powers(beta, l.Words()) {
			exponent[x] = e
		}
		if len(exponent) != l.Words() {
			t.Fatal("powers repeat")
		}
		d := vstark.NewDeep(inst, beta)
		seen := map[int]string{}
		add := func(name string, w field.Ext) {
			e, ok := exponent[w]
			if !ok {
				t.Errorf("set %s: the weight of %s is no power below the %d that are counted", inst.Set.Name, name, l.Words())
			}
			if have, ok := seen[e]; ok {
				t.Errorf("set %s: %s and %s have one weight", inst.Set.Name, name, have)
			}
			seen[e] = name
		}
		for tree, columns := range l.Columns {
			if len(d.Weights[tree]) != len(columns) {
				t.Errorf("set %s: tree %d has %d columns and %d weights", inst.Set.Name, tree, len(columns), len(d.Weights[tree]))
			}
			for c, w := range d.Weights[tree] {
				add(fmt.Sprintf("column %d of tree %d", c, tree), w)
			}
		}
		for i := range inst.Set.Components {
			add(fmt.Sprintf("running sum %d at the row before", i), d.Previous[i])
			add(fmt.Sprintf("running sum %d a period on", i), d.Period[i])
		}
	}
}

func TestKnownBug_11_FinalPolynomialHasItsLength(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 11)
	for _, change := range []func(p *vstark.Proof){
		func(p *vstark.Proof) { p.Final = append(p.Final, field.Ext{}) },
		func(p *vstark.Proof) { p.Final = append(p.Final, field.One()) },
		func(p *vstark.Proof) { p.Final = p.Final[:3] },
		func(p *vstark.Proof) { p.Final = nil },
	} {
		p := prove(t, cs)
		change(p)
		if err := refused(t, cs.Inst, p); !errors.Is(err, vstark.ErrFormat) {
			t.Error(err)
		}
		if _, err := p.Encode(cs.Inst); err == nil {
			t.Error("encoded")
		}
	}
}

func TestKnownBug_12_LastFoldIsChecked(t *testing.T) {
	cs := newCase(t, toy.Params(5), toy.Heights{Table: 5, Code: 4, Cube: 4, Pairs: 4}, 12)
	for i := range 4 {
		n := naiveOf(cs)
		n.final = func(c []field.Ext) []field.Ext { addOne(&c[i]); return c }
		refused(t, cs.Inst, n.proveCase(t, cs))
	}
}

func TestKnownBug_13_OpenedCellsAreChecked(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 13)
	for tree := range vstark.Trees {
		for i := range prove(t, cs).Rows[tree] {
			if i%7 > 1 {
				continue
			}
			p := prove(t, cs)
			increment(&p.Rows[tree][i])
			refused(t, cs.Inst, p)
		}
	}
}

// A codeword that is wrong at any single place is refused if that place is drawn.
func TestKnownBug_14_EveryQueryIsChecked(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 14)
	honest := prove(t, cs)
	for layer := range honest.Layers {
		for i := range honest.Layers[layer].Values {
			p := prove(t, cs)
			addOne(&p.Layers[layer].Values[i])
			refused(t, cs.Inst, p)
		}
	}
	// A first layer that is another low-degree word than the DEEP combination.
	n := naiveOf(cs)
	n.layer = func(i int, code []field.Ext) {
		if i == 0 {
			for j := range code {
				addOne(&code[j])
			}
		}
	}
	refused(t, cs.Inst, n.proveCase(t, cs))
	// And a later layer that is another word than the fold.
	n = naiveOf(cs)
	n.layer = func(i int, code []field.Ext) {
		if i == 1 {
			for j := range code {
				addOne(&code[j])
			}
		}
	}
	refused(t, cs.Inst, n.proveCase(t, cs))
}

func TestKnownBug_15_ZeroQueriesAreRefused(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 15)
	p := prove(t, cs)
	for _, change := range []func(p *vstark.Params){
		func(p *vstark.Params) { p.Queries = 0 },
		func(p *vstark.Params) { p.Queries = -1 },
		func(p *vstark.Params) { p.Queries = vstark.MaxQueries + 1 },
		func(p *vstark.Params) { p.LogBlowup = 0 },
		func(p *vstark.Params) { p.LogBlowup = vstark.MaxLogBlowup + 1 },
		func(p *vstark.Params) { p.FoldLog = 0 },
		func(p *vstark.Params) { p.FoldLog = vstark.MaxFoldLog + 1 },
		func(p *vstark.Params) { p.FinalLog = p.LogN },
		func(p *vstark.Params) { p.FinalLog = -1 },
		func(p *vstark.Params) { p.QueryGrind = -1 },
		func(p *vstark.Params) { p.QueryGrind = vstark.MaxQueryGrind + 1 },
		func(p *vstark.Params) { p.LogN = 3 },
		func(p *vstark.Params) { p.LogN = vstark.MaxLogN + 1 },
		func(p *vstark.Params) { p.LogN, p.LogBlowup = 22, 3 },
	} {
		inst := *cs.Inst
		change(&inst.Params)
		if err := refused(t, &inst, p); !errors.Is(err, vstark.ErrParams) {
			t.Error(err)
		}
	}
	// A proof that opens nothing.
	q := *p
	q.Rows, q.Paths = [vstark.Trees][]field.Element{}, [vstark.Trees][]hash.Digest{}
	refused(t, cs.Inst, &q)
}

func TestKnownBug_16_HeightsAreThoseOfTheCommitment(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 16)
	p := prove(t, cs)
	for i := range cs.Inst.LogHeights {
		for _, d := range []int{-1, 1} {
			inst := *cs.Inst
			inst.LogHeights = slices.Clone(inst.LogHeights)
			inst.LogHeights[i] += d
			refused(t, &inst, p)
		}
	}
	for _, d := range []int{-1, 1} {
		inst := *cs.Inst
		inst.Params.LogN += d
		refused(t, &inst, p)
	}
}

func TestKnownBug_17_NoFoldIsLeftOut(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 17)
	p := prove(t, cs)
	for i := range p.Layers {
		q := *p
		q.LayerRoots = slices.Delete(slices.Clone(p.LayerRoots), i, i+1)
		q.Layers = slices.Delete(slices.Clone(p.Layers), i, i+1)
		if err := refused(t, cs.Inst, &q); !errors.Is(err, vstark.ErrFormat) {
			t.Error(err)
		}
	}
	q := *p
	q.LayerRoots, q.Layers = append(q.LayerRoots, q.LayerRoots[0]), append(q.Layers, q.Layers[0])
	refused(t, cs.Inst, &q)
}

// As many places are opened as the transcript draws different ones, each with its own opening.
func TestKnownBug_18_AllDistinctQueriesAreOpened(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 18)
	p := prove(t, cs)
	l, err := vstark.NewLayout(cs.Inst)
	if err != nil {
		t.Fatal(err)
	}
	drawn := distinctPlaces(cs.Inst, p)
	if got := len(p.Rows[vstark.TreeMain]) / len(l.Columns[vstark.TreeMain]); got != len(drawn) || got < 8 {
		t.Errorf("%d places are opened, %d drawn", got, len(drawn))
	}
	q := *p
	for tree := range vstark.Trees {
		q.Rows[tree] = p.Rows[tree][:len(p.Rows[tree])-len(l.Columns[tree])]
	}
	refused(t, cs.Inst, &q)
	for tree := range vstark.Trees {
		q.Rows[tree] = append(slices.Clone(p.Rows[tree]), p.Rows[tree][:len(l.Columns[tree])]...)
	}
	refused(t, cs.Inst, &q)
}

func distinctPlaces(inst *vstark.Instance, p *vstark.Proof) []uint32 {
	ch := vstark.NewProverChallenges(inst)
	ch.Lookup(p.MainRoot)
	ch.Weight(p.Claims, p.InteractionRoot)
	ch.Zeta(p.CompositionRoot)
	ch.Deep(&p.Open)
	for _, r := range p.LayerRoots {
		ch.Fold(r)
	}
	ch.Seed(p.Final)
	return vstark.Queries(ch, p.Nonce, inst.Params)
}

// A proof carries no places: openings of other places than those drawn are refused.
func TestKnownBug_19_QueriesComeFromTheTranscript(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 19)
	p := prove(t, cs)
	l, err := vstark.NewLayout(cs.Inst)
	if err != nil {
		t.Fatal(err)
	}
	// The openings of the first two places change places.
	q := *p
	for tree := range vstark.Trees {
		w := len(l.Columns[tree])
		rows := slices.Clone(p.Rows[tree])
		copy(rows, p.Rows[tree][w:2*w])
		copy(rows[w:], p.Rows[tree][:w])
		q.Rows[tree] = rows
	}
	refused(t, cs.Inst, &q)
	// A nonce that passes draws other places: the openings no longer fit.
	q = *p
	ch := vstark.NewProverChallenges(cs.Inst)
	ch.Lookup(p.MainRoot)
	ch.Weight(p.Claims, p.InteractionRoot)
	ch.Zeta(p.CompositionRoot)
	ch.Deep(&p.Open)
	for _, r := range p.LayerRoots {
		ch.Fold(r)
	}
	seed := ch.Seed(p.Final)
	for q.Nonce++; !hash.Ground(seed, q.Nonce, cs.Inst.Params.QueryGrind); q.Nonce++ {
	}
	refused(t, cs.Inst, &q)
}

// Words that move from one opened leaf to its neighbour keep the list but not the leaves.
func TestKnownBug_21_CellsStayInTheirRow(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 21)
	p := prove(t, cs)
	for tree := range vstark.Trees {
		q := *p
		rows := slices.Clone(p.Rows[tree])
		// The same words in another order.
		rows[0], rows[1] = rows[1], rows[0]
		if rows[0] == rows[1] {
			rows[0], rows[2] = rows[2], rows[0]
		}
		q.Rows[tree] = rows
		refused(t, cs.Inst, &q)
		q.Rows[tree] = append(slices.Clone(p.Rows[tree][1:]), field.Element{})
		refused(t, cs.Inst, &q)
		q.Rows[tree] = append([]field.Element{{}}, p.Rows[tree][:len(p.Rows[tree])-1]...)
		refused(t, cs.Inst, &q)
	}
}

// The parameters are the verifier's: a proof made with weaker ones does not verify under its own.
func TestKnownBug_22_SecurityIsNotReadFromTheProof(t *testing.T) {
	weak := toy.Params(6)
	weak.Queries, weak.QueryGrind = 1, 0
	cs := newCase(t, weak, small, 22)
	p := prove(t, cs)
	if err := vstark.Verify(cs.Inst, p); err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(p *vstark.Params){
		func(p *vstark.Params) { p.Queries = 2 },
		func(p *vstark.Params) { p.QueryGrind = 1 },
		func(p *vstark.Params) { p.FoldLog = 3 },
		func(p *vstark.Params) { p.FinalLog = 3 },
		func(p *vstark.Params) { p.LogBlowup = 2 },
	} {
		inst := *cs.Inst
		change(&inst.Params)
		refused(t, &inst, p)
	}
}

// The order of components is the set's, and the set's whole description is absorbed.
func TestKnownBug_23_ComponentsCannotBePermuted(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 23)
	p := prove(t, cs)
	inst := *cs.Inst
	swapped := *inst.Set
	swapped.Components = slices.Clone(inst.Set.Components)
	swapped.Components[toy.Table], swapped.Components[toy.Pairs] = swapped.Components[toy.Pairs], swapped.Components[toy.Table]
	inst.Set = &swapped
	inst.Scalars = [][]field.Element{nil, inst.Scalars[toy.Pairs], nil, inst.Scalars[toy.Cube], nil, nil}
	refused(t, &inst, p)
	if vstark.Identity(cs.Inst.Set) == vstark.Identity(&swapped) {
		t.Error("the identity does not see the order")
	}
	// Any other description has another identity, though columns and lookups are the same.
	relabel := *cs.Inst.Set
	relabel.Components = slices.Clone(cs.Inst.Set.Components)
	c := *relabel.Components[toy.Cube]
	c.Constraints = slices.Clone(c.Constraints)
	c.Constraints[0].Root = c.Constraints[1].Root
	relabel.Components[toy.Cube] = &c
	if vstark.Identity(cs.Inst.Set) == vstark.Identity(&relabel) {
		t.Error("the identity does not see the constraints")
	}
	for name, change := range map[string]func(c *air.Component){
		"a term's scalar":    func(c *air.Component) { c.Weighted[0].Terms[0].Param = 1 },
		"a term's basis":     func(c *air.Component) { c.Weighted[0].Terms[0].Basis++ },
		"a term's node":      func(c *air.Component) { c.Weighted[0].Terms[0].Node++ },
		"a term less":        func(c *air.Component) { c.Weighted[0].Terms = c.Weighted[0].Terms[1:] },
		"a weighted one out": func(c *air.Component) { c.Weighted = c.Weighted[:1] },
		"a scalar's name":    func(c *air.Component) { c.ExtParams[0] = "delta" },
		"a scalar more":      func(c *air.Component) { c.ExtParams = append(c.ExtParams, "") },
		"a fixed height":     func(c *air.Component) { c.LogHeight = 4 },
		"another table":      func(c *air.Component) { c.Fixed[0].Name = "u" },
		"a term in the next": func(c *air.Component) {
			last := len(c.Weighted[0].Terms) - 1
			c.Weighted[1].Terms = append([]air.Term{c.Weighted[0].Terms[last]}, c.Weighted[1].Terms...)
			c.Weighted[0].Terms = c.Weighted[0].Terms[:last]
		},
	} {
		other := toy.Set() // another copy
		change(other.Components[toy.Blend])
		if vstark.Identity(cs.Inst.Set) == vstark.Identity(other) {
			t.Errorf("the identity does not see %s", name)
		}
	}
	if vstark.Identity(cs.Inst.Set) != vstark.Identity(toy.Set()) {
		t.Error("one description has two identities")
	}
}

// Every word of a proof has one encoding: p more is no word.
func TestKnownBug_26_WordsAreBelowTheModulus(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 26)
	b, err := prove(t, cs).Encode(cs.Inst)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for at := 0; at+4 <= len(b); at += 4 {
		v := uint64(b[at])<<24 | uint64(b[at+1])<<16 | uint64(b[at+2])<<8 | uint64(b[at+3])
		if v+field.Modulus >= 1<<32 {
			continue
		}
		c := slices.Clone(b)
		v += field.Modulus
		c[at], c[at+1], c[at+2], c[at+3] = byte(v>>24), byte(v>>16), byte(v>>8), byte(v)
		// The nonce's words are no field elements: there it is the proof of work that fails.
		if p, err := vstark.DecodeProof(c, cs.Inst); err == nil && vstark.Verify(cs.Inst, p) == nil {
			t.Fatalf("word at %d has two encodings", at)
		}
		found++
	}
	if found < 100 {
		t.Errorf("only %d words tried", found)
	}
}

// A running sum that is not periodic is refused: TestRunningSumThatDriftsIsRefused has the attack in full. Here the period
// alone is broken.
func TestKnownBug_33_RunningSumsArePeriodic(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 33)
	n := naiveOf(cs)
	n.column = func(i int, sums [][]field.Ext, _ []field.Ext) [][]field.Ext {
		if i == toy.Pairs {
			addOne(&sums[len(sums)-1][40])
		}
		return sums
	}
	refused(t, cs.Inst, n.proveCase(t, cs))
}

func TestKnownBug_34_ComponentAboveThePinnedSizeIsRefused(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 34)
	p := prove(t, cs)
	for i, h := range map[int]int{toy.Cube: 7, toy.Table: 30, toy.Pairs: 3, toy.Squares: 5, toy.Program: -1, toy.Blend: 7} {
		inst := *cs.Inst
		inst.LogHeights = slices.Clone(inst.LogHeights)
		inst.LogHeights[i] = h
		if err := refused(t, &inst, p); !errors.Is(err, vstark.ErrInstance) {
			t.Error(err)
		}
	}
}

// wide is a set whose relation can be used uses times 2^22.
func wide(t *testing.T, uses int) *vstark.Instance {
	r := air.NewRelation(1, "R", 1, "")
	b := air.NewBuilder("c", air.AnyHeight)
	x := b.Main("x")
	for range uses {
		b.Use(r, b.Const(1), x)
	}
	b.YieldTimes(r, b.Main("times"), x)
	c, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	set, err := air.NewSet("wide", c)
	if err != nil {
		t.Fatal(err)
	}
	p := vstark.Proven100(22)
	return &vstark.Instance{Set: set, Params: p, LogHeights: []int{22}, Scalars: make([][]field.Element, 1)}
}

// A relation that could be used p times is refused: 508 * 2^22 = p - 1 + 2^24 - .. is past the bound.
func TestKnownBug_36_UsesStayBelowTheCharacteristic(t *testing.T) {
	if _, err := vstark.NewLayout(wide(t, 507)); err != nil {
		t.Error(err)
	}
	if _, err := vstark.NewLayout(wide(t, 508)); !errors.Is(err, vstark.ErrInstance) {
		t.Error("a relation can be used p times")
	}
	// A use with a free multiplicity could be used -1 times.
	inst := wide(t, 1)
	inst.Set.Components[0].Lookups[0].Unit = false
	if _, err := vstark.NewLayout(inst); !errors.Is(err, vstark.ErrInstance) {
		t.Error("a use has a free multiplicity")
	}
}

// Tuples of one relation have one width, and tuples of two never have one denominator.
func TestKnownBug_37_TuplesAreOfTheirRelationsWidth(t *testing.T) {
	inst := wide(t, 1)
	inst.Set.Components[0].Lookups[0].Tuple = append(inst.Set.Components[0].Lookups[0].Tuple, 0)
	if _, err := vstark.NewLayout(inst); !errors.Is(err, vstark.ErrInstance) {
		t.Error("a tuple of another width is laid out")
	}
	inst = wide(t, 1)
	inst.Set.Components[0].Lookups[0].Relation.ID = 0
	if _, err := vstark.NewLayout(inst); !errors.Is(err, vstark.ErrInstance) {
		t.Error("a relation without an id is laid out")
	}
	lk := vstark.NewLookup[field.Ext](field.Arithmetic{}, toy.Set(), field.Basis(1), field.Basis(2))
	if len(lk.Powers) != 3 || lk.Powers[0] != field.Basis(2) || lk.Powers[2] != field.Mul(lk.Powers[0], field.Mul(lk.Powers[0], lk.Powers[0])) {
		t.Error("other powers than alpha, alpha^2, alpha^3")
	}
	seen := map[field.Ext]string{}
	for _, r := range []*air.Relation{toy.Count, toy.Square, toy.Code, toy.Result} {
		for v := range uint64(3) {
			for at := range r.Width {
				if v == 0 && at > 0 {
					continue
				}
				tuple := make([]field.Element, r.Width)
				tuple[at] = field.New(v)
				d := lk.Denominator(field.Arithmetic{}, r, hash.Words(tuple))
				name := fmt.Sprint(r.Name, tuple)
				if have, ok := seen[d]; ok {
					t.Errorf("%s and %s have one denominator", have, name)
				}
				seen[d] = name
			}
		}
	}
}

// Padding yields nothing by itself: the pair (0, 1) is in no row of the squares.
func TestKnownBug_38_PaddingYieldsNothing(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 38)
	x, y := cs.Trace.Main[toy.Pairs][0], cs.Trace.Main[toy.Pairs][1]
	x[3], y[3] = field.Element{}, field.New(1)
	refused(t, cs.Inst, prove(t, cs))
	// Whatever multiplicity the table claims.
	for row := range 1 << toy.SquaresLogHeight {
		cs.Trace.Main[toy.Squares][0][row] = field.New(1)
	}
	refused(t, cs.Inst, prove(t, cs))
}

// Every challenge is drawn from the extension: 31 bits of the base field would be guessed.
func TestKnownBug_C11_ChallengesAreOfTheExtension(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 41)
	p := prove(t, cs)
	ch := vstark.NewProverChallenges(cs.Inst)
	z, alpha := ch.Lookup(p.MainRoot)
	drawn := []field.Ext{z, alpha, ch.Weight(p.Claims, p.InteractionRoot), ch.Zeta(p.CompositionRoot), ch.Deep(&p.Open)}
	for _, r := range p.LayerRoots {
		drawn = append(drawn, ch.Fold(r))
	}
	for i, x := range drawn {
		for d, c := range field.Coords(&x) {
			if c.IsZero() {
				t.Errorf("coordinate %d of challenge %d is zero", d, i)
			}
		}
	}
}

// Nothing in a FRI opening may be missing or left over.
func TestKnownBug_C12_FoldingUsesAllItIsGiven(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 42)
	p := prove(t, cs)
	change := func(i int, f func(l *vstark.Layer)) {
		t.Helper()
		q := *p
		q.Layers = slices.Clone(p.Layers)
		q.Layers[i].Values, q.Layers[i].Path = slices.Clone(p.Layers[i].Values), slices.Clone(p.Layers[i].Path)
		f(&q.Layers[i])
		refused(t, cs.Inst, &q)
	}
	for i := range p.Layers {
		change(i, func(l *vstark.Layer) { l.Values = append(l.Values, field.Ext{}) })
		change(i, func(l *vstark.Layer) { l.Path = append(l.Path, hash.Digest{}) })
		if len(p.Layers[i].Values) > 0 {
			change(i, func(l *vstark.Layer) { l.Values = l.Values[1:] })
			change(i, func(l *vstark.Layer) { l.Values = nil })
		}
		if len(p.Layers[i].Path) > 0 {
			change(i, func(l *vstark.Layer) { l.Path = l.Path[1:] })
			change(i, func(l *vstark.Layer) { increment(&l.Path[0][5]) })
		}
	}
	for tree := range vstark.Trees {
		q := *p
		q.Paths[tree] = append(slices.Clone(p.Paths[tree]), hash.Digest{})
		refused(t, cs.Inst, &q)
		if len(p.Paths[tree]) > 0 {
			q.Paths[tree] = p.Paths[tree][1:]
			refused(t, cs.Inst, &q)
		}
	}
}

// Nonces are bounded and, without proof of work, zero.
func TestKnownBug_C14_NonceIsCheckedAndCanonical(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 40)
	p := prove(t, cs)
	q := *p
	q.Nonce += 1 << 48
	refused(t, cs.Inst, &q)
	free := toy.Params(6)
	free.QueryGrind = 0
	cs = newCase(t, free, small, 40)
	p = prove(t, cs)
	if p.Nonce != 0 {
		t.Error("a nonce that nobody asked for")
	}
	p.Nonce = 1
	if err := refused(t, cs.Inst, p); !errors.Is(err, vstark.ErrRejected) {
		t.Error(err)
	}
	// Nor one that draws the places which are opened: many proofs of one statement for no work.
	n := naiveOf(cs)
	n.nonce = 1
	p = n.proveCase(t, cs)
	if err := refused(t, cs.Inst, p); p.Nonce != 1 || !errors.Is(err, vstark.ErrRejected) || !strings.Contains(err.Error(), "nonce") {
		t.Errorf("nonce %d: %v", p.Nonce, err)
	}
	// With work, any nonce that has it is as good.
	cs = newCase(t, toy.Params(6), small, 40)
	n = naiveOf(cs)
	n.nonce = 1 << 30
	if err := vstark.Verify(cs.Inst, n.proveCase(t, cs)); err != nil {
		t.Error(err)
	}
}
