package stark_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/seed06907907/fatty/prover/stark/internal/toy"
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
