package recursion

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/circuit"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	"github.com/seed06907907/fatty/verifier/internal/cheat"
	"github.com/seed06907907/fatty/verifier/stark"
)

func number(v uint64) field.Ext { return field.FromBase(field.New(v)) }

func randomDigest(r *rand.Rand) (d hash.Digest) {
	for i := range d {
		d[i] = field.New(r.Uint64N(field.Modulus))
	}
	return d
}

// gadget builds a part of the circuits alone. Its statement is what it is about: xs, then blocks.
func gadget(t testing.TB, build func(w wires) (xs []wire, blocks []block)) (*circuit.Builder, *circuit.Circuit) {
	t.Helper()
	return gadgetOf(t, build, circuit.SideA, circuit.SideB)
}

// gadgetOf is gadget for a part that has scalars of its own on the other sides than idle ones.
func gadgetOf(t testing.TB, build func(w wires) (xs []wire, blocks []block), idle ...circuit.Side) (*circuit.Builder, *circuit.Circuit) {
	t.Helper()
	b := circuit.NewBuilder()
	w := wires{b}
	xs, blocks := build(w)
	for _, side := range idle {
		w.Equal("no scalar", w.PublicScalar(side, field.Ext{}), w.Const(field.Element{}))
	}
	w.public(chain(w, 1, append(w.Pack(xs), blocks...)...))
	c, err := b.Finish(circuit.Heights{})
	if err != nil {
		t.Fatal(err)
	}
	return b, c
}

// holds says whether a part's values satisfy it; builder, columns and oracle must agree.
func holds(t testing.TB, what string, build func(w wires) ([]wire, []block)) bool {
	t.Helper()
	b, c := gadget(t, build)
	columns, oracle := cheat.New(c).Holds(), check(c)
	if (b.Err() == nil) != (columns == nil) || (columns == nil) != (oracle == nil) {
		t.Fatalf("%s: the builder says %v, the columns %v, the oracle %v", what, b.Err(), columns, oracle)
	}
	return oracle == nil
}

// check is the oracle over a circuit's tables.
func check(c *circuit.Circuit) error {
	tables := make([]air.Table, circuit.Tables)
	for i, comp := range circuit.Set().Components {
		for _, m := range c.Main[i] {
			tables[i].Main = append(tables[i].Main, m)
		}
		for _, f := range comp.Fixed {
			tables[i].Fixed = append(tables[i].Fixed, c.Tables[f.Name])
		}
		tables[i].Ext = c.Public.Ext()[i]
	}
	var public []air.PublicLookup
	for _, tuple := range c.Public.Tuples() {
		public = append(public, air.PublicLookup{Relation: circuit.WireRelation, Yield: true, Tuple: tuple})
	}
	return air.Check(circuit.Set(), tables, public)
}

// forgeries tells each lie about each value of a part that its prover chooses, one at a time, and returns those targets with
// which the statement becomes another that nothing finds. What is in given may be chosen freely by who says another statement.
func forgeries(t testing.TB, c *circuit.Circuit, given map[field.Ext]bool) (out []string) {
	t.Helper()
	w := cheat.New(c)
	if err := w.Holds(); err != nil {
		t.Fatal(err)
	}
	for _, a := range w.Targets() {
		was := w.At(a).Ext()
		if given[was] {
			continue
		}
		for _, v := range []field.Ext{field.Add(was, number(1)), field.Sub(was, number(1)), field.Sub(number(1), was), {},
			field.Add(was, number(1<<16)), field.Sub(was, number(1<<16)), field.Add(was, field.Basis(1)), field.Add(was, field.Basis(5))} {
			if v == was {
				continue
			}
			if lie := w.Lie(map[int32]cheat.Words{a: cheat.Value(v)}); lie.Found == nil && (lie.Public || lie.Changed > 1) {
				out = append(out, was.String()+" -> "+v.String())
			}
		}
	}
	return out
}

// TestClocksGoOn compares clocks at all edges of their words. The difference has 16 bits in each word and a borrow, which the
// prover says: he cannot say another.
func TestClocksGoOn(t *testing.T) {
	clocks := []uint64{0, 1, 2, 1<<16 - 1, 1 << 16, 1<<16 + 1, 1<<32 - 1, 1 << 32, 1<<48 - 1, 1 << 48, 1<<48 + 1<<16, 1<<62 - 1, 1 << 62,
		1 << 63, 1<<64 - 1}
	for _, a := range clocks {
		for _, b := range clocks {
			build := func(w wires) ([]wire, []block) {
				x, y := w.clock(a), w.clock(b)
				w.later("the clock goes on", x, y)
				return nil, []block{w.blockOf(x), w.blockOf(y)}
			}
			if got := holds(t, "clocks", build); got != (a < b) {
				t.Errorf("from %d to %d: %t", a, b, got)
			}
			// Words of an honest pair are free to be another pair that goes on: which is another statement. All other values are not.
			if a < b {
				given := map[field.Ext]bool{}
				for i := range clockWords {
					given[number(a>>(16*i)&0xffff)], given[number(b>>(16*i)&0xffff)] = true, true
				}
				_, c := gadget(t, build)
				if f := forgeries(t, c, given); len(f) > 0 {
					t.Errorf("from %d to %d: nothing finds %v", a, b, f)
				}
			}
		}
	}
}

// TestKnownBug_31_WordsOfClocksAreRanged has a clock of words that are not of 16 bits: 2^16 in one, or 1 less in the next,
// would be another way to write the same clock, and p - 1 a clock that is below 0.
func TestKnownBug_31_WordsOfClocksAreRanged(t *testing.T) {
	const clock = 5<<16 + 3
	_, c := gadget(t, func(w wires) ([]wire, []block) {
		x := w.clock(clock)
		w.later("the clock goes on", x, w.clock(1<<40))
		return nil, []block{w.blockOf(x)}
	})
	w := cheat.New(c)
	at := map[uint64]int32{}
	for _, a := range w.Targets() {
		v := w.At(a).Ext()
		if !w.IsBlock(a) && !w.IsBit(a) && field.InBase(&v) && at[v.B0.A0.Uint64()] == 0 {
			at[v.B0.A0.Uint64()] = a
		}
	}
	low, high := at[3], at[5]
	if low == 0 || high == 0 {
		t.Fatal("the clock's words are not among what the prover chooses")
	}
	words := func(x, y uint64) map[int32]cheat.Words {
		return map[int32]cheat.Words{low: cheat.Value(number(x)), high: cheat.Value(number(y))}
	}
	if lie := w.Lie(words(7, 4)); lie.Found != nil || !lie.Public {
		t.Errorf("another clock is refused: %v", lie.Found)
	}
	for what, lie := range map[string]map[int32]cheat.Words{
		"a carry undone":  words(3+1<<16, 4),
		"beyond 16 bits":  words(1<<16, 5),
		"below 0":         words(3, field.Modulus-1),
		"far beyond":      words(field.Modulus-5, 5),
		"of an extension": {low: cheat.Value(field.Add(number(3), field.Basis(2)))},
	} {
		if w.Lie(lie).Found == nil {
			t.Errorf("%s: nothing finds it", what)
		}
	}
}

// TestWordsOfBothClocksAreRanged: a difference of 16 bits alone would let both clocks have the same word too high.
func TestWordsOfBothClocksAreRanged(t *testing.T) {
	_, c := gadget(t, func(w wires) ([]wire, []block) {
		x, y := w.clock(3), w.clock(5)
		w.later("the clock goes on", x, y)
		return nil, []block{w.blockOf(x), w.blockOf(y)}
	})
	w := cheat.New(c)
	lie := map[int32]cheat.Words{}
	for _, a := range w.Targets() {
		if v := w.At(a).Ext(); !w.IsBit(a) && (v == number(3) || v == number(5)) {
			lie[a] = cheat.Value(field.Add(v, number(1<<16)))
		}
	}
	if len(lie) != 2 {
		t.Fatalf("%d words", len(lie))
	}
	if w.Lie(lie).Found == nil {
		t.Error("words of 17 bits in both clocks")
	}
}

// TestClocksOfOutputs gives felts to what a wrap says of t0 and t1: each word of them that must be 0, and their order.
func TestClocksOfOutputs(t *testing.T) {
	said := func(t0, t1 [32]byte) (string, bool) {
		what := ""
		ok := holds(t, "clocks of an output", func(w wires) ([]wire, []block) {
			x, y := w.felt("t0", t0), w.felt("t1", t1)
			w.clocks(x, y)
			if err := w.Err(); err != nil {
				what = err.Error()
			}
			return x.limbs[:], nil
		})
		return what, ok
	}
	felt := func(word int, v uint16) (f [32]byte) {
		f[30-2*word], f[31-2*word] = byte(v>>8), byte(v)
		return f
	}
	for word := range 16 {
		for _, v := range []uint16{1, 1 << 15, 1<<16 - 1} {
			what, ok := said(felt(word, v), felt(3, 1<<14-1))
			if below := word < 3 || word == 3 && v < 1<<14-1; ok != below || !ok && word > 3 && !strings.HasPrefix(what, "the first clock is below 2^64") {
				t.Errorf("t0 with %#x in word %d: %t, %s", v, word, ok, what)
			}
			what, ok = said([32]byte{}, felt(word, v))
			if below := word < 3 || word == 3 && v < 1<<14; ok != below || !ok && word > 3 && !strings.HasPrefix(what, "the last clock is below 2^64") {
				t.Errorf("t1 with %#x in word %d: %t, %s", v, word, ok, what)
			}
		}
	}
	for bit := range 64 {
		var t1 [32]byte
		t1[31-bit/8] = 1 << (bit % 8)
		if what, ok := said([32]byte{}, t1); ok != (bit < ClockBits) || !ok && !strings.HasPrefix(what, "the last clock is below 2^62") {
			t.Errorf("t1 of 2^%d: %t, %s", bit, ok, what)
		}
		if _, ok := said(t1, t1); ok {
			t.Errorf("from 2^%d to itself", bit)
		}
	}
}

// TestCoordinatesAreOfTheBaseField: six words make a value in one way only, as none has coordinates of its own. What one has too
// much, another could have too little.
func TestCoordinatesAreOfTheBaseField(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 9))
	d := randomDigest(r)
	_, c := gadget(t, func(w wires) ([]wire, []block) { return w.blockWords(w.ConstBlock(d)), nil })
	if f := forgeries(t, c, nil); len(f) > 0 {
		t.Errorf("nothing finds %v", f)
	}
	w := cheat.New(c)
	var at [field.Degree]int32
	for _, a := range w.Targets() {
		for i := range at {
			if w.At(a).Ext() == field.FromBase(d[i]) {
				at[i] = a
			}
		}
	}
	for i := range at {
		for j := range at {
			for k := 1; k < field.Degree && i != j; k++ {
				if at[i] == 0 || at[j] == 0 {
					t.Fatal("a word is not among what is chosen")
				}
				// basis(i) basis(k) more in one is as much less in the other, divided by basis(j).
				less := field.Basis(j)
				less.Inverse(&less)
				less = field.Mul(less, field.Mul(field.Basis(i), field.Basis(k)))
				lie := w.Lie(map[int32]cheat.Words{at[i]: cheat.Value(field.Add(field.FromBase(d[i]), field.Basis(k))),
					at[j]: cheat.Value(field.Sub(field.FromBase(d[j]), less))})
				var broken *air.Violation
				if !errors.As(lie.Found, &broken) || broken.Component != circuit.NamePack {
					t.Fatalf("words %d and %d, coordinate %d: %v", i, j, k, lie.Found)
				}
			}
		}
	}
}

// TestLivesAgreeWholly: a life is kept if all its words agree, else it is zero; who merges cannot choose.
func TestLivesAgreeWholly(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for i := -1; i < 2*hash.Rate; i++ {
		x := [2]hash.Digest{randomDigest(r), randomDigest(r)}
		y := x
		if i >= 0 {
			bump(&y[i/hash.Rate][i%hash.Rate])
		}
		var out [2]block
		b, c := gadget(t, func(w wires) ([]wire, []block) {
			p := [2]block{w.ConstBlock(x[0]), w.ConstBlock(x[1])}
			q := [2]block{w.ConstBlock(y[0]), w.ConstBlock(y[1])}
			out = w.agree(p, q)
			return nil, out[:]
		})
		if err := check(c); err != nil {
			t.Fatal(err)
		}
		want := x
		if i >= 0 {
			want = [2]hash.Digest{}
		}
		if got := [2]hash.Digest{b.BlockValue(out[0]), b.BlockValue(out[1])}; got != want {
			t.Errorf("word %d: %v", i, got)
		}
		if f := forgeries(t, c, nil); len(f) > 0 {
			t.Errorf("word %d: nothing finds %v", i, f)
		}
	}
}

func bump(e *field.Element) {
	one := field.New(1)
	e.Add(e, &one)
}

// TestZeroOrNot: what is 0 and what is not, in every coordinate; the prover's inverse cannot say otherwise.
func TestZeroOrNot(t *testing.T) {
	for _, v := range []field.Ext{{}, number(1), number(field.Modulus - 1), field.Basis(1), field.Basis(5), field.Add(number(7), field.Basis(3))} {
		var e wire
		b, c := gadget(t, func(w wires) ([]wire, []block) {
			e = w.NonZero(w.ConstExt(v))
			return []wire{e}, nil
		})
		want := number(1)
		if v.IsZero() {
			want = field.Ext{}
		}
		if got := b.Value(e); got != want || check(c) != nil {
			t.Errorf("%s: %s", v.String(), got.String())
		}
		if f := forgeries(t, c, nil); len(f) > 0 {
			t.Errorf("%s: nothing finds %v", v.String(), f)
		}
	}
}

// TestKnownBug_C13_OneHeightForAll: a table's height is one choice, and everything that depends on it, what the transcript
// absorbs, the rows, the share, the period, the row counter, is a sum over its indicators, of which exactly one is 1. So no proof is
// committed at one height and evaluated at another.
func TestKnownBug_C13_OneHeightForAll(t *testing.T) {
	const n = 9
	counters := make([]field.Ext, n-minHeight+1)
	for i := range counters {
		counters[i] = number(uint64(1000 + i))
	}
	build := func(k int, h *stark.Height[wire]) func(w wires) ([]wire, []block) {
		return func(w wires) ([]wire, []block) {
			*h = w.height(n, minHeight, n, k)
			vs := make([]wire, len(counters))
			for i, v := range counters {
				vs[i] = w.ConstExt(v)
			}
			return []wire{h.Log, h.Rows, h.Share, h.Turn, h.Pick(w, vs)}, nil
		}
	}
	var h stark.Height[wire]
	for k := minHeight; k <= n; k++ {
		b, c := gadget(t, build(k, &h))
		if err := check(c); err != nil {
			t.Fatal(err)
		}
		native := stark.HeightOf(n, k)
		for i, pair := range [][2]field.Ext{{b.Value(h.Log), native.Log}, {b.Value(h.Rows), native.Rows}, {b.Value(h.Share), native.Share},
			{b.Value(h.Turn), native.Turn}, {native.Log, number(uint64(k))}, {native.Rows, number(1 << k)}, {native.Pick(field.Arithmetic{}, counters), counters[k-minHeight]}} {
			if pair[0] != pair[1] {
				t.Errorf("2^%d rows, part %d: %s and %s", k, i, pair[0].String(), pair[1].String())
			}
		}
		w := cheat.New(c)
		var bits []int32
		for _, a := range w.Targets() {
			if w.IsBit(a) {
				bits = append(bits, a)
			}
		}
		if len(bits) != len(counters) {
			t.Fatalf("%d indicators", len(bits))
		}
		set := func(i int, v uint64) map[int32]cheat.Words {
			return map[int32]cheat.Words{bits[i]: cheat.Value(number(v))}
		}
		at := k - minHeight
		other := (at + 1) % len(bits)
		if lie := w.Lie(set(at, 0)); lie.Found == nil {
			t.Error("no height at all")
		}
		if lie := w.Lie(set(other, 1)); lie.Found == nil {
			t.Error("two heights at once")
		}
		half := set(at, 1<<30) // 1/2 each is none either
		half[bits[other]] = half[bits[at]]
		if lie := w.Lie(half); lie.Found == nil {
			t.Error("half of each of two heights")
		}
		both := set(at, 0)
		both[bits[other]] = cheat.Value(number(1))
		if lie := w.Lie(both); lie.Found != nil || !lie.Public {
			t.Errorf("another height: %v", lie.Found)
		}
	}
	for _, k := range []int{0, minHeight - 1, n + 1, 40} {
		if holds(t, "a height", build(k, &h)) {
			t.Errorf("2^%d rows are a height", k)
		}
	}
	// A height that is bounded below what is pinned, as the program's is.
	for k := minHeight; k <= n; k++ {
		if got := holds(t, "a bounded height", func(w wires) ([]wire, []block) {
			return []wire{w.height(n, minHeight+1, n-2, k).Log}, nil
		}); got != (minHeight+1 <= k && k <= n-2) {
			t.Errorf("2^%d rows of 2^%d to 2^%d: %t", k, minHeight+1, n-2, got)
		}
	}
}

// TestKnownBug_35_PlacesHaveOneWayToBeRead: 31 bits can also say w + p where a word w is small. It would be another place.
func TestKnownBug_35_PlacesHaveOneWayToBeRead(t *testing.T) {
	for _, word := range []uint64{0, 1, 77, 1<<24 - 2, 1<<24 - 1, 1 << 24, field.Modulus - 1, 127 << 24, 126<<24 + 1<<24 - 1} {
		const places, depth = 9, 18
		blocks := []hash.Digest{{0: field.New(word), 7: field.New(field.Modulus - 2)}, {0: field.New(12345)}}
		b, c := gadget(t, func(w wires) ([]wire, []block) {
			got := w.Places([]block{w.ConstBlock(blocks[0]), w.ConstBlock(blocks[1])}, places, depth)
			native, _ := stark.NewNative()
			var xs []wire
			for q, p := range native.Places(blocks, places, depth) {
				if len(got) != places || got[q].Value != p.Value || len(got[q].Bits) != depth {
					t.Fatalf("place %d of word %d is %d, natively %d", q, word, got[q].Value, p.Value)
				}
				for j, bit := range got[q].Bits {
					if w.Value(bit) != p.Bits[j] {
						t.Fatalf("bit %d of place %d", j, q)
					}
				}
				xs = append(xs, stark.Number[wire](w, got[q].Bits))
			}
			return xs, nil
		})
		if b.Err() != nil || check(c) != nil {
			t.Fatal(word, b.Err(), check(c))
		}
		if f := forgeries(t, c, nil); len(f) > 0 {
			t.Errorf("word %d: nothing finds %v", word, f)
		}
		if word+field.Modulus >= 1<<31 {
			continue
		}
		// The first word's bits are the first 31 that are to be chosen, highest first.
		w := cheat.New(c)
		lie, n := map[int32]cheat.Words{}, 0
		for _, a := range w.Targets() {
			if w.IsBit(a) && n < 31 {
				i := 30 - n
				if got, want := w.At(a).Ext(), number(word>>i&1); got != want {
					t.Fatalf("bit %d of word %d is %s", i, word, got.String())
				}
				lie[a] = cheat.Value(number((word + field.Modulus) >> i & 1))
				n++
			}
		}
		if found := w.Lie(lie).Found; found == nil {
			t.Errorf("bits of %d + p for %d: nothing finds them", word, word)
		}
	}
}

// TestWorkIsOfTheFirstWord demands zeros in the lowest bits of a digest's first word.
func TestWorkIsOfTheFirstWord(t *testing.T) {
	for _, c := range []struct {
		word uint64
		bits int
		ok   bool
	}{{0, 20, true}, {1 << 20, 20, true}, {1 << 19, 20, false}, {1, 1, false}, {2, 1, true}, {field.Modulus - 1, 24, true}, {3 << 23, 24, false}} {
		d := hash.Digest{field.New(c.word), field.New(1)}
		ar, failed := stark.NewNative()
		ar.Work("work", d, c.bits)
		if got := holds(t, "work", func(w wires) ([]wire, []block) {
			x := w.ConstBlock(d)
			w.Work("work", x, c.bits)
			return nil, []block{x}
		}); got != c.ok || (*failed == nil) != c.ok {
			t.Errorf("%d bits of %d: %t, natively %v", c.bits, c.word, got, *failed)
		}
	}
}

// TestFeltsAreWordsAndLimbs: an output felt's limbs, which lookups into memory take, and its words, which the statement takes,
// are of the same bits.
func TestFeltsAreWordsAndLimbs(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 5))
	for range 4 {
		var value [32]byte
		for i := range value {
			value[i] = byte(r.Uint32())
		}
		var f felt
		b, c := gadget(t, func(w wires) ([]wire, []block) {
			f = w.felt("a felt", value)
			blocks := w.blocks(f)
			return f.limbs[:], blocks[:]
		})
		if err := check(c); err != nil {
			t.Fatal(err)
		}
		for i, want := range Words(value) {
			for j := range want {
				if got := b.Value(f.words[hash.Rate*i+j]); got != field.FromBase(want[j]) {
					t.Errorf("word %d is %s", hash.Rate*i+j, got.String())
				}
			}
		}
		// Another limb is another felt in both. A limb alone, or a word alone, is none.
		w := cheat.New(c)
		limbs, free := 0, 0
		for _, a := range w.Targets() {
			was := w.At(a).Ext()
			if lie := w.Lie(map[int32]cheat.Words{a: cheat.Value(field.Add(was, number(1<<24)))}); lie.Found == nil {
				t.Error("a limb of more than 24 bits")
			}
			flip := field.FromBase(field.New(was.B0.A0.Uint64() ^ 1))
			if lie := w.Lie(map[int32]cheat.Words{a: cheat.Value(flip)}); lie.Found == nil && lie.Public {
				limbs++
			} else if lie.Found == nil {
				free++
			}
		}
		if limbs != len(f.limbs) || free != 0 {
			t.Errorf("%d values make another felt, %d change nothing", limbs, free)
		}
	}
}

// TestStatementsSeeEveryWord changes each word of a statement, of a verifying key and of a run's inputs: each digest is another. Natively
// and in a circuit they are the same.
func TestStatementsSeeEveryWord(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 6))
	var blocks [statementBlocks]hash.Digest
	for i := range blocks {
		blocks[i] = randomDigest(r)
	}
	of := func() Statement[hash.Digest] {
		b := &blocks
		return Statement[hash.Digest]{b[0], b[1], b[2], b[3], [2]hash.Digest(b[4:6]), [2]hash.Digest(b[6:8]), b[8], [2]hash.Digest(b[9:11]), [2]hash.Digest(b[11:13])}
	}
	s := of()
	honest := Digest(hash.Native{}, &s)
	for i := range blocks {
		for j := range blocks[i] {
			was := blocks[i][j]
			bump(&blocks[i][j])
			if s := of(); Digest(hash.Native{}, &s) == honest {
				t.Errorf("word %d of block %d does not count", j, i)
			}
			blocks[i][j] = was
		}
	}
	var digest block
	b, c := gadget(t, func(w wires) ([]wire, []block) {
		digest = Digest[wire](w, &Statement[block]{w.ConstBlock(s.KeyRoot), w.ConstBlock(s.Program), w.ConstBlock(s.T0), w.ConstBlock(s.T1),
			w.adviceBlocks(s.S0), w.adviceBlocks(s.S1), w.ConstBlock(s.Inputs), w.adviceBlocks(s.Life), w.adviceBlocks(s.Anchor)})
		return nil, []block{digest}
	})
	if check(c) != nil || b.BlockValue(digest) != honest {
		t.Error("a circuit has another digest")
	}

	native, _ := stark.NewNative()
	p := stark.Params{LogN: 14, LogBlowup: 4, Queries: 43, QueryGrind: 20, FoldLog: 3, FinalLog: 5}
	logs := []field.Ext{number(7), number(10), number(11), number(14), number(15)}
	key := Key(native, p, logs, blocks[0])
	seen := map[hash.Digest]string{key: "the key"}
	add := func(name string, k hash.Digest) {
		if have, ok := seen[k]; ok {
			t.Errorf("%s and %s have one key", name, have)
		}
		seen[k] = name
	}
	for i, change := range []func(p *stark.Params){func(p *stark.Params) { p.LogN++ }, func(p *stark.Params) { p.LogBlowup++ }, func(p *stark.Params) { p.Queries-- },
		func(p *stark.Params) { p.QueryGrind-- }, func(p *stark.Params) { p.FoldLog++ }, func(p *stark.Params) { p.FinalLog++ }} {
		q := p
		change(&q)
		add("parameter "+string(rune('0'+i)), Key(native, q, logs, blocks[0]))
	}
	for i := range logs {
		was := logs[i]
		logs[i] = number(4)
		add("height "+string(rune('0'+i)), Key(native, p, logs, blocks[0]))
		logs[i] = was
	}
	for j := range blocks[0] {
		d := blocks[0]
		bump(&d[j])
		add("root "+string(rune('0'+j)), Key(native, p, logs, d))
	}
}

// TestListHasAPlaceForEachKey opens keys in lists, natively and in a circuit, and what is none of them.
func TestListHasAPlaceForEachKey(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 7))
	keys := make([]hash.Digest, 7)
	for i := range keys {
		keys[i] = randomDigest(r)
	}
	levels := List(keys)
	if len(levels) != ListDepth+1 || len(levels[ListDepth]) != 1 {
		t.Fatalf("%d levels", len(levels))
	}
	open := func(key hash.Digest, index uint32, path []hash.Digest) bool {
		return holds(t, "a list", func(w wires) ([]wire, []block) {
			root := w.ConstBlock(levels[ListDepth][0])
			w.Root(0, root)
			k := w.AdviceBlock(key)
			bits := w.bits("a place", index, len(path))
			w.Open(0, len(path), w.BlockLeaf(k), stark.Number[wire](w, bits), index, path)
			return nil, []block{root, k}
		})
	}
	for i, k := range keys {
		if !open(k, uint32(i), ListPath(levels, uint32(i))) {
			t.Errorf("key %d is not in the list", i)
		}
		if open(k, uint32(i)^1, ListPath(levels, uint32(i))) || open(k, uint32(i), ListPath(levels, uint32(i)^2)) {
			t.Errorf("key %d is somewhere else", i)
		}
	}
	if open(randomDigest(r), 2, ListPath(levels, 2)) {
		t.Error("a key that is not listed")
	}
}

// TestCheckFindsWhatIsFalse: the oracle behind these tests is not blind.
func TestCheckFindsWhatIsFalse(t *testing.T) {
	_, c := gadget(t, func(w wires) ([]wire, []block) {
		x := w.Advice(number(3))
		w.Equal("x", w.Mul(x, x), w.Const(field.New(10)))
		return []wire{x}, nil
	})
	var broken *air.Violation
	if err := check(c); !errors.As(err, &broken) {
		t.Errorf("3 squared is 10: %v", err)
	}
}
