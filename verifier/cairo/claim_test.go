package cairo

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	"github.com/seed06907907/fatty/verifier/stark"
)

// The public data once more, in plain integers: what a Claim says in any arithmetic is held to it.

func plainCheck(d *PublicData, logHeights []int) bool {
	n := uint64(d.Builtins.Count())
	if d.Builtins.Covered() != nil || uint64(len(d.Segments)) != n || len(d.Output) > MaxOutput ||
		CheckHeights(logHeights, d.lookupCount()) != nil {
		return false
	}
	if d.InitialAP <= 3 || d.InitialAP >= MaxAddress || d.FinalAP >= MaxAddress || uint64(d.FinalAP) < uint64(d.InitialAP)+2*n {
		return false
	}
	if d.FrameID >= fieldModulus || d.ReturnID >= fieldModulus || d.Builtins&BuiltinOutput == 0 && len(d.Output) != 0 {
		return false
	}
	for i, b := range d.Builtins.list() {
		s := d.Segments[i]
		if s.StartID >= fieldModulus || s.StopID >= fieldModulus || s.Start == 0 || s.Start > s.Stop || s.Stop >= MaxAddress {
			return false
		}
		used := uint64(s.Stop - s.Start)
		cells, component := b.cells()
		if component == "" {
			if used != uint64(len(d.Output)) {
				return false
			}
			continue
		}
		if used == 0 {
			continue // the table's enabler is 0: its rows read nothing
		}
		_, at := Core().Component(component)
		if room := cells << logHeights[at]; used%cells != 0 || used > room || uint64(s.Start)+room > MaxAddress {
			return false
		}
	}
	return !slices.ContainsFunc(d.Output, func(c OutputCell) bool { return c.ID >= fieldModulus || !Canonical(c.Value) })
}

func plainScalars(d *PublicData) [][]air.Element {
	set := Core()
	out := make([][]air.Element, len(set.Components))
	for i, c := range set.Components {
		out[i] = make([]air.Element, len(c.Params))
	}
	for i, b := range d.Builtins.list() {
		if _, name := b.cells(); name != "" && d.Segments[i].Start != d.Segments[i].Stop {
			c, at := set.Component(name)
			for j, p := range c.Params {
				switch p {
				case paramEnabler:
					out[at][j].SetOne()
				case paramStart:
					out[at][j] = element(d.Segments[i].Start)
				}
			}
		}
	}
	return out
}

func plainLookups(d *PublicData) (out []air.PublicLookup) {
	state := func(yield bool, pc, ap uint32) {
		out = append(out, air.PublicLookup{Relation: Opcodes, Yield: yield,
			Tuple: []air.Element{element(pc), element(ap), element(d.InitialAP)}})
	}
	cell := func(address, id uint32, value [32]byte) {
		tuple := []air.Element{element(id)}
		for at := FeltBytes; at > 0; at -= 3 { // limbs of 24 bits, lowest first; the last one of 16
			limb := uint32(0)
			for _, b := range value[max(0, at-3):at] {
				limb = limb<<8 | uint32(b)
			}
			tuple = append(tuple, element(limb))
		}
		out = append(out, air.PublicLookup{Relation: AddressToID, Tuple: []air.Element{element(address), element(id)}},
			air.PublicLookup{Relation: IDToValue, Tuple: tuple})
	}
	state(true, initialPC, d.InitialAP)
	state(false, finalPC, d.FinalAP)
	cell(d.InitialAP-2, d.FrameID, feltOf(uint64(d.InitialAP)))
	cell(d.InitialAP-1, d.ReturnID, feltOf(0))
	for i, s := range d.Segments {
		cell(d.InitialAP+uint32(i), s.StartID, feltOf(uint64(s.Start)))
		cell(d.FinalAP-uint32(len(d.Segments)-i), s.StopID, feltOf(uint64(s.Stop)))
	}
	for i, c := range d.Output {
		cell(d.Segments[0].Start+uint32(i), c.ID, c.Value)
	}
	return out
}

func plainWords(d *PublicData) (out []air.Element) {
	out = append(out, element(uint32(d.Builtins)), element(d.InitialAP), element(d.FinalAP), element(d.FrameID), element(d.ReturnID))
	at := 0
	for _, b := range []Builtins{BuiltinOutput, BuiltinRangeCheck, BuiltinBitwise} {
		var s Segment
		if d.Builtins&b != 0 {
			s = d.Segments[at]
			at++
		}
		out = append(out, element(s.Start), element(s.Stop), element(s.StartID), element(s.StopID))
	}
	out = append(out, element(uint32(len(d.Output))))
	for _, c := range d.Output {
		out = append(out, element(c.ID))
		for i := FeltBytes - 2; i >= 0; i -= 2 {
			out = append(out, element(uint32(binary.BigEndian.Uint16(c.Value[i:]))))
		}
	}
	return out
}

// randomPublic is public data near what is allowed: every bound, one off, and anything.
func randomPublic(r *rand.Rand) (*PublicData, []int) {
	d, h := sample(), sampleHeights()
	for _, name := range []string{NameRangeCheck, NameBitwise} {
		h[heightOf(name)] = 4 + r.IntN(3)
	}
	keep := Builtins(r.IntN(8))
	mask, segments := Builtins(0), []Segment(nil)
	for i, b := range []Builtins{BuiltinOutput, BuiltinRangeCheck, BuiltinBitwise} {
		if keep>>i&1 == 1 {
			mask, segments = mask|b, append(segments, d.Segments[i])
		}
	}
	d.Builtins, d.Segments = mask, segments
	if mask&BuiltinOutput == 0 {
		d.Output = nil
	}
	near := func() uint32 {
		edge := []uint32{0, 1, 2, 3, 4, 5, 16, 80, 100, 200, 300, 302, 312, 318, 338, MaxAddress - 80, MaxAddress - 16, MaxAddress, fieldModulus,
			1<<30 + 1, 1<<32 - 1, r.Uint32()}
		return edge[r.IntN(len(edge))] + uint32(r.IntN(9)) - 4
	}
	numbers := []*uint32{&d.InitialAP, &d.FinalAP, &d.FrameID, &d.ReturnID}
	for i := range d.Segments {
		numbers = append(numbers, &d.Segments[i].Start, &d.Segments[i].Stop, &d.Segments[i].StartID, &d.Segments[i].StopID)
	}
	for i := range d.Output {
		numbers = append(numbers, &d.Output[i].ID)
	}
	for range r.IntN(3) {
		*numbers[r.IntN(len(numbers))] = near()
	}
	if i := r.IntN(8); i < len(d.Segments) { // a whole segment at some place
		d.Segments[i].Start = near()
		d.Segments[i].Stop = d.Segments[i].Start + uint32(r.IntN(90))
	}
	if len(d.Output) > 0 && r.IntN(6) == 0 {
		d.Output[0].Value[r.IntN(2)] = byte(r.Uint32())
	}
	if r.IntN(12) == 0 {
		d.Output = append(d.Output, OutputCell{})
	}
	return d, h
}

// TestClaimIsThePlainCheck compares public data as a claim, which a circuit can check, with the plain ones.
func TestClaimIsThePlainCheck(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 7))
	accepted, refused := 0, 0
	for range claimTries {
		d, h := randomPublic(r)
		err := d.Check(h)
		if want := plainCheck(d, h); (err == nil) != want {
			t.Fatalf("seed %d: %+v, heights %v: %v, plainly accepted: %v", seed, d, h, err, want)
		}
		if err != nil {
			refused++
			continue
		}
		accepted++
		if !slices.EqualFunc(d.Scalars(), plainScalars(d), slices.Equal) {
			t.Fatalf("seed %d: %+v: other scalars", seed, d)
		}
		if !slices.Equal(d.Words(), plainWords(d)) {
			t.Fatalf("seed %d: %+v: other words", seed, d)
		}
		same := func(a, b air.PublicLookup) bool {
			return a.Relation == b.Relation && a.Yield == b.Yield && slices.Equal(a.Tuple, b.Tuple)
		}
		if !slices.EqualFunc(d.Lookups(), plainLookups(d), same) {
			t.Fatalf("seed %d: %+v: other lookups", seed, d)
		}
		// The sum of their fractions, one by one.
		lk := stark.NewLookup[field.Ext](field.Arithmetic{}, Core(), field.Basis(1), field.Basis(2))
		var want field.Ext
		for _, l := range plainLookups(d) {
			f := lk.Denominator(field.Arithmetic{}, l.Relation, hash.Words(l.Tuple))
			f.Inverse(&f)
			if l.Yield {
				want = field.Sub(want, f)
			} else {
				want = field.Add(want, f)
			}
		}
		if got, err := d.PublicSum(lk); err != nil || got != want {
			t.Fatalf("seed %d: %+v: another sum: %v", seed, d, err)
		}
	}
	if accepted < claimTries/20 || refused < claimTries/20 {
		t.Errorf("%d accepted and %d refused: nothing is compared", accepted, refused)
	}
}

// A fraction without a value is an error, whatever the other fractions are.
func TestPublicSumRefusesAZeroDenominator(t *testing.T) {
	d := sample()
	for i, l := range d.Lookups() {
		lk := stark.NewLookup[field.Ext](field.Arithmetic{}, Core(), field.Ext{}, field.Basis(2))
		lk.Z = lk.Denominator(field.Arithmetic{}, l.Relation, hash.Words(l.Tuple)) // with z = 0
		if _, err := d.PublicSum(lk); !errors.Is(err, stark.ErrRejected) {
			t.Errorf("lookup %d: %v", i, err)
		}
	}
}

// Bits are those of an integer below the bound; anything else fails.
func TestNativeBits(t *testing.T) {
	for _, c := range []struct {
		x  field.Ext
		n  int
		ok bool
	}{
		{field.Ext{}, 0, true}, {field.One(), 0, false}, {field.One(), 1, true}, {field.FromBase(field.New(2)), 1, false},
		{field.FromBase(field.New(1<<29 - 1)), 29, true}, {field.FromBase(field.New(1 << 29)), 29, false},
		{field.FromBase(field.New(fieldModulus - 1)), 30, false}, {field.FromBase(field.New(fieldModulus - 1)), 31, true},
		{field.Basis(1), 29, false}, {field.Add(field.One(), field.Basis(5)), 29, false},
	} {
		ar, failed := stark.NewNative()
		bits := Native{ar}.Bits("some bits", c.x, c.n)
		if len(bits) != c.n || (*failed == nil) != c.ok || !c.ok && !strings.HasPrefix((*failed).Error(), "some bits: ") {
			t.Errorf("%d bits of %s: %v", c.n, c.x.String(), *failed)
		}
		if c.ok && stark.Number(field.Arithmetic{}, bits) != c.x {
			t.Errorf("%d bits of %s are %v", c.n, c.x.String(), bits)
		}
	}
	for _, x := range []field.Ext{field.One(), field.Basis(3), field.FromBase(field.New(fieldModulus - 1))} {
		if (Native{}).NonZero(x) != field.One() {
			t.Errorf("%s is zero", x.String())
		}
	}
	if zero := (Native{}).NonZero(field.Ext{}); !zero.IsZero() {
		t.Error("zero is not zero")
	}
}

// The name of a program is the hash of all that it is made of, each word.
func TestProgramKeySeesEveryWord(t *testing.T) {
	key := func(builtins, felts, height uint64, roots ...hash.Digest) hash.Digest {
		w := func(v uint64) field.Ext { return field.FromBase(field.New(v)) }
		return ProgramKey(hash.Native{}, w(builtins), w(felts), w(height), roots)
	}
	a, b, c := hash.Digest{field.New(1)}, hash.Digest{field.New(2)}, hash.Digest{7: field.New(3)}
	seen := map[hash.Digest]string{}
	add := func(name string, k hash.Digest) {
		if have, ok := seen[k]; ok {
			t.Errorf("%s and %s have one key", name, have)
		}
		seen[k] = name
	}
	add("a program", key(1, 100, 7, a, b, c))
	add("other builtins", key(2, 100, 7, a, b, c))
	add("another length", key(1, 101, 7, a, b, c))
	add("another height", key(1, 100, 8, a, b, c))
	add("roots in another order", key(1, 100, 7, b, a, c))
	add("a root less", key(1, 100, 7, a, b))
	add("a root more", key(1, 100, 7, a, b, c, hash.Digest{}))
	add("no root", key(1, 100, 7))
	for i := range 3 {
		for w := range hash.Rate {
			roots := []hash.Digest{a, b, c}
			roots[i][w] = field.New(99)
			add("another root", key(1, 100, 7, roots...))
		}
	}
}
