package stark

import (
	"errors"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

func randomElement(r *rand.Rand) field.Element { return field.New(r.Uint64N(field.Modulus)) }

func randomExt(r *rand.Rand) field.Ext {
	var c [field.Degree]field.Element
	for d := range c {
		c[d] = randomElement(r)
	}
	return field.FromCoords(c)
}

// checkZeta holds a proof of zeros to the constraints at zeta and returns what fails.
func checkZeta(zeta field.Ext) error {
	number := air.NewRelation(1, "Number", 1, "")
	b := air.NewBuilder("counter", air.AnyHeight)
	b.YieldTimes(number, b.Main("times"), b.Seq())
	set, err := air.NewSet("zeta", b.MustBuild())
	if err != nil {
		return err
	}
	ar, failed := NewNative()
	p := Params{LogN: 5, LogBlowup: 1, Queries: 1, FoldLog: 1}
	c := columnsOf(set, p.LogN)
	s := &Subject[field.Ext, hash.Digest]{Set: set, Params: p, Heights: []Height[field.Ext]{HeightOf(5, 4)}, Scalars: make([][]field.Ext, 1)}
	m := &Messages[field.Ext, hash.Digest]{Claims: make([]field.Ext, 1), Open: Openings[field.Ext]{Previous: make([]field.Ext, 1)}}
	for t, w := range c.width {
		m.Open.Columns[t] = make([]field.Ext, w)
	}
	checkConstraints[field.Ext, hash.Digest](ar, s, m, c, NewLookup[field.Ext](ar, set, field.Basis(1), field.Basis(2)), field.One(), zeta)
	return *failed
}

// A degenerate out-of-domain point unbound the opened values: a denominator, or a coefficient, was zero. Here the point is
// refused where it lies in the base field, as the domains do, and nowhere else: zeta^p = zeta holds in the base field alone,
// not in the other subfields.
func TestKnownBug_32_OutOfDomainPointLiesOutsideOfTheBaseField(t *testing.T) {
	refused := func(err error) bool {
		return err != nil && strings.HasPrefix(err.Error(), labelDomain) && errors.Is(err, ErrRejected)
	}
	r := rand.New(rand.NewPCG(11, 1))
	base := []field.Element{{}, field.New(1), field.New(2), field.New(3), field.New(field.Modulus - 1), field.Root(field.TwoAdicity), field.Shift(24)}
	for k := range field.TwoAdicity + 1 {
		base = append(base, field.Root(k), field.Shift(k), field.Point(min(k, 20), 1, uint64(k)))
	}
	for range 50 {
		base = append(base, randomElement(r))
	}
	for _, x := range base {
		if err := checkZeta(field.FromBase(x)); !refused(err) {
			t.Errorf("the point %s is accepted: %v", x.String(), err)
		}
	}
	// All constraints of a trace of zeros hold at any point, so what is outside is not refused at all.
	p := big.NewInt(field.Modulus)
	for i := range 200 {
		var c [field.Degree]field.Element
		for d := range c {
			if i%64>>d&1 == 1 {
				c[d] = randomElement(r)
			}
		}
		x := field.FromCoords(c)
		var frobenius field.Ext
		frobenius.Exp(x, p)
		if (frobenius == x) != field.InBase(&x) {
			t.Fatal("another map than Frobenius")
		}
		if err := checkZeta(x); refused(err) != field.InBase(&x) || err != nil && !refused(err) {
			t.Errorf("the point %s: %v", x.String(), err)
		}
	}
}

// What Native does not find it remembers, the first failure alone.
func TestNativeRemembersTheFirstFailure(t *testing.T) {
	ar, failed := NewNative()
	ar.Equal("one", field.One(), field.One())
	if x := ar.Inverse("inverse of 2", field.FromBase(field.New(2))); field.Mul(x, field.FromBase(field.New(2))) != field.One() || *failed != nil {
		t.Fatal("no inverse", *failed)
	}
	ar.Work("no work", hash.Digest{field.New(3)}, 0)
	ar.Work("three bits", hash.Digest{field.New(24)}, 3)
	if *failed != nil {
		t.Fatal(*failed)
	}
	for name, f := range map[string]func(ar Native){
		"equal":   func(ar Native) { ar.Equal("equal", field.One(), field.Basis(5)) },
		"inverse": func(ar Native) { ar.Inverse("inverse", field.Ext{}) },
		"work":    func(ar Native) { ar.Work("work", hash.Digest{field.New(24)}, 4) },
	} {
		ar, failed := NewNative()
		f(ar)
		ar.Equal("later", field.One(), field.Ext{})
		if !errors.Is(*failed, ErrRejected) || !strings.HasPrefix((*failed).Error(), name+": ") {
			t.Errorf("%s: %v", name, *failed)
		}
	}
}

// Places are the lowest bits of the blocks' words, in order, with their bits lowest first.
func TestPlacesAreTheLowestBits(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 2))
	blocks := make([]hash.Digest, 3)
	for i := range blocks {
		for j := range blocks[i] {
			blocks[i][j] = randomElement(r)
		}
	}
	ar, _ := NewNative()
	for _, bits := range []int{1, 5, 17, 24} {
		for _, n := range []int{1, 8, 9, 24} {
			places := ar.Places(blocks, n, bits)
			if len(places) != n {
				t.Fatal(len(places))
			}
			for q, p := range places {
				if want := blocks[q/8][q%8].Uint64() % (1 << bits); uint64(p.Value) != want || len(p.Bits) != bits ||
					Number[field.Ext](ar, p.Bits) != field.FromBase(field.New(want)) {
					t.Fatalf("place %d is %d, must be %d", q, p.Value, want)
				}
				for a := range bits {
					if up := p.above(a); up.Value != p.Value>>a || Number[field.Ext](ar, up.Bits) != field.FromBase(field.New(uint64(up.Value))) {
						t.Fatalf("place %d has another node %d levels up", p.Value, a)
					}
				}
			}
		}
	}
}

func placeOf(ar Native, v uint32, bits int) Place[field.Ext] {
	return ar.Places([]hash.Digest{{field.New(uint64(v))}}, 1, bits)[0]
}

// A place's point, the choice of a value by bits, and the fold of a coset, in the forms that a circuit can take, are what their
// plain forms give.
func TestBitwiseFormsAreThePlainOnes(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 3))
	ar, failed := NewNative()
	for _, p := range []Params{{LogN: 4, LogBlowup: 1}, {LogN: 7, LogBlowup: 3}, {LogN: 16, LogBlowup: 5}, {LogN: 22, LogBlowup: 2}} {
		n := p.LogN + p.LogBlowup
		for range 40 {
			v := uint32(r.Uint64N(1 << n))
			for a := 1; a <= min(MaxFoldLog, n); a++ {
				x, first := pointOf[field.Ext](ar, p, placeOf(ar, v, n), a)
				if x != field.FromBase(field.Point(p.LogN, p.LogBlowup, uint64(v))) {
					t.Fatalf("2^%d: place %d has another point", n, v)
				}
				if first != field.FromBase(field.Point(p.LogN, p.LogBlowup, uint64(v>>a<<a))) {
					t.Fatalf("2^%d: the coset of 2^%d of place %d begins at another point", n, a, v)
				}
			}
		}
	}
	for a := 1; a <= MaxFoldLog; a++ {
		values := make([]field.Ext, 1<<a)
		for i := range values {
			values[i] = randomExt(r)
		}
		for v := range uint32(1 << a) {
			if choose[field.Ext](ar, placeOf(ar, v, a).Bits, values) != values[v] {
				t.Errorf("value %d of %d is another", v, len(values))
			}
		}
		x, challenge := randomElement(r), randomExt(r)
		var inverse field.Element
		inverse.Inverse(&x)
		want := NewFoldTable(a).Fold(slices.Clone(values), inverse, challenge)
		if foldCoset[field.Ext](ar, a, values, field.Scale(challenge, inverse)) != want {
			t.Errorf("2^%d values fold to another", a)
		}
	}
	for range 50 {
		x, e := randomExt(r), r.IntN(200)
		want := field.One()
		for range e {
			want = field.Mul(want, x)
		}
		if power[field.Ext](ar, x, e) != want {
			t.Errorf("power %d is another", e)
		}
	}
	c := []field.Ext{randomExt(r), randomExt(r), randomExt(r)}
	x := randomExt(r)
	if horner[field.Ext](ar, c, x) != field.Add(c[0], field.Mul(x, field.Add(c[1], field.Mul(x, c[2])))) {
		t.Error("Horner's rule is another")
	}
	coords := make([]field.Ext, field.Degree)
	var want field.Ext
	for d := range coords {
		coords[d] = randomExt(r)
		want = field.Add(want, field.Mul(coords[d], field.Basis(d)))
	}
	if combine[field.Ext](ar, coords) != want {
		t.Error("coordinates combine to another value")
	}
	if *failed != nil {
		t.Error(*failed)
	}
}

// A height's values are those of its one indicator.
func TestHeightsAsValues(t *testing.T) {
	base := func(v uint64) field.Ext { return field.FromBase(field.New(v)) }
	for _, n := range []int{4, 9, 22} {
		for k := 4; k <= n; k++ {
			h := HeightOf(n, k)
			if h.Log != base(uint64(k)) || h.Rows != base(1<<k) || field.Mul(h.Share, h.Rows) != field.One() {
				t.Errorf("2^%d of 2^%d: %v, %v, %v", k, n, h.Log, h.Rows, h.Share)
			}
			if h.Turn != field.FromBase(field.Exp(field.Root(n), 1<<k)) {
				t.Errorf("2^%d of 2^%d: another turn", k, n)
			}
			vs := make([]field.Ext, n-3)
			for i := range vs {
				vs[i] = base(uint64(100 + i))
			}
			if len(h.Is) != len(vs) || h.Pick(field.Arithmetic{}, vs) != base(uint64(100+k-4)) {
				t.Errorf("2^%d of 2^%d: another value is picked", k, n)
			}
		}
	}
}

// given opens what a test gives it, whatever is known: as the openings of a circuit may be that nothing else binds.
type given struct{ cosets [][][]field.Ext }

func (g *given) Leaves(int, hash.Digest, []Place[field.Ext], field.Ext, []int) ([]field.Ext, [][]field.Ext) {
	return nil, nil
}

func (g *given) Cosets(layer, _ int, _ hash.Digest, _ []Place[field.Ext], _ []field.Ext) [][]field.Ext {
	return g.cosets[layer]
}

// Every value of every opened coset counts: the one at the query's place must be the value that leads there, the others go
// into the fold. A constant codeword folds to itself.
func TestKnownBug_14_EveryOpenedValueCounts(t *testing.T) {
	p := Params{LogN: 7, LogBlowup: 2, Queries: 3, FoldLog: 3, FinalLog: 2}
	r := rand.New(rand.NewPCG(11, 4))
	c := randomExt(r)
	challenges := []field.Ext{randomExt(r), randomExt(r)}
	check := func(change func(g *given, m *Messages[field.Ext, hash.Digest], values []field.Ext)) error {
		ar, failed := NewNative()
		g, m := &given{}, &Messages[field.Ext, hash.Digest]{Layers: make([]hash.Digest, 2), Final: make([]field.Ext, 4)}
		m.Final[0] = c
		for _, a := range p.Folds() {
			var layer [][]field.Ext
			for range p.Queries {
				layer = append(layer, slices.Repeat([]field.Ext{c}, 1<<a))
			}
			g.cosets = append(g.cosets, layer)
		}
		var places []Place[field.Ext]
		var firsts []field.Ext
		for _, v := range []uint32{5, 130, 511} {
			places = append(places, placeOf(ar, v, p.LogN+p.LogBlowup))
			_, first := pointOf[field.Ext](ar, p, places[len(places)-1], p.Folds()[0])
			firsts = append(firsts, first)
		}
		values := slices.Repeat([]field.Ext{c}, p.Queries)
		change(g, m, values)
		checkLayers[field.Ext, hash.Digest](ar, p, m, g, challenges, places, firsts, values)
		return *failed
	}
	if err := check(func(*given, *Messages[field.Ext, hash.Digest], []field.Ext) {}); err != nil {
		t.Fatal(err)
	}
	places := []uint32{5, 130, 511}
	for layer, a := range p.Folds() {
		for q := range p.Queries {
			for i := range 1 << a {
				err := check(func(g *given, _ *Messages[field.Ext, hash.Digest], _ []field.Ext) {
					g.cosets[layer][q][i] = field.Add(c, field.One())
				})
				want := labelFinal
				if layer+1 < len(p.Folds()) {
					want = labelLayer
				}
				if at := places[q] >> (3 * layer); uint32(i) == at%(1<<a) {
					want = labelLayer
				}
				if err == nil || !strings.HasPrefix(err.Error(), want) {
					t.Errorf("layer %d, query %d, value %d: %v", layer, q, i, err)
				}
			}
		}
	}
	for q := range p.Queries {
		if err := check(func(_ *given, _ *Messages[field.Ext, hash.Digest], values []field.Ext) { values[q] = field.One() }); err == nil {
			t.Errorf("query %d: another value of the codeword", q)
		}
	}
	for i := range 4 {
		if err := check(func(_ *given, m *Messages[field.Ext, hash.Digest], _ []field.Ext) {
			m.Final[i] = field.Add(m.Final[i], field.One())
		}); err == nil {
			t.Errorf("another coefficient %d of the final polynomial", i)
		}
	}
}
