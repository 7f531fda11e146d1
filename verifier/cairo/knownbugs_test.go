package cairo

import (
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/stark"
)

// The tests here are named after real bugs of proof systems for virtual machines, with their numbers in docs/known-bugs.md.
// Those that need a witness are in prover/cairo.

// A verifier took numbers of p or more, which are other numbers to the transcript than to the statement.
func TestKnownBug_26_NumbersOfPOrMore(t *testing.T) {
	honest := sample()
	places := 0
	for i := 0; i+4 <= len(honest.Encode()); i += 4 {
		data := honest.Encode()
		v := new(big.Int).SetBytes(data[i : i+4])
		if v.Add(v, big.NewInt(fieldModulus)).BitLen() > 32 {
			continue
		}
		v.FillBytes(data[i : i+4])
		d, n, err := DecodePublicData(data, honest.Builtins)
		if err != nil || n != len(data) {
			continue
		}
		places++
		if d.Check(sampleHeights()) == nil {
			// What is left is inside an output felt: another felt, still below P.
			same := true
			for j, w := range d.Words() {
				same = same && w == honest.Words()[j]
			}
			if same {
				t.Errorf("byte %d: plus p is accepted as the same statement", i)
			}
		}
	}
	if places == 0 {
		t.Error("nothing was tried")
	}
}

// A word of the output was assumed to be zero: here each of its 16 words is absorbed and looked up.
func TestKnownBug_28_OutputWordAssumed(t *testing.T) {
	f := stark.NewLookup[field.Ext](field.Arithmetic{}, Core(), field.FromBase(field.New(12345)), field.Basis(1))
	want, err := sample().PublicSum(f)
	if err != nil {
		t.Fatal(err)
	}
	for i := range FeltBytes {
		d := sample()
		d.Output[0].Value[i] ^= 1
		got, err := d.PublicSum(f)
		if err != nil {
			t.Fatal(err)
		}
		if got.Equal(&want) {
			t.Errorf("byte %d of the output is in no lookup", i)
		}
	}
}

// Heights times uses reached p, so that p uses of a tuple that nobody yields vanished: the bound at p - 1 and p.
func TestKnownBug_36_MultiplicitiesReachP(t *testing.T) {
	h := sampleHeights()
	for _, r := range Core().Relations {
		if r == Opcodes {
			continue
		}
		if err := checkBounds(h, map[uint32]uint64{r.ID: fieldModulus - 1}, 0); err != nil {
			t.Errorf("%s: p - 1 uses: %v", r.Name, err)
		}
		if err := checkBounds(h, map[uint32]uint64{r.ID: fieldModulus}, 0); err == nil {
			t.Errorf("%s: p uses are accepted", r.Name)
		}
		if err := checkBounds(h, map[uint32]uint64{r.ID: fieldModulus - 1}, 1); err == nil {
			t.Errorf("%s: p uses, one of them public, are accepted", r.Name)
		}
	}
	// The tallest tables there can be stay below.
	for i := range h {
		if Core().Components[i].LogHeight == air.AnyHeight {
			h[i] = MaxLogHeight
		}
	}
	if err := CheckHeights(h, stark.PublicLookups); err != nil {
		t.Error(err)
	}
}

// The same bug by its name among Cairo's: the number of rows comes from the verified heights, never from the prover.
func TestKnownBug_C02_MultiplicityWrap(t *testing.T) {
	for _, c := range Core().Components {
		for _, l := range c.Lookups {
			if !l.Unit && !l.Yield {
				t.Errorf("%s uses %s with a free multiplicity", c.Name, l.Relation.Name)
			}
			if l.Unit && l.Yield && l.Relation != Opcodes && l.Relation != Multiply && l.Relation != Offset {
				t.Errorf("%s yields %s with a bit: is that meant?", c.Name, l.Relation.Name)
			}
		}
	}
}

// Tuples of unequal width on one bus: [x] equals [0, x].
func TestKnownBug_37_TuplesOfUnequalWidth(t *testing.T) {
	for _, c := range Core().Components {
		for _, l := range c.Lookups {
			if len(l.Tuple) != l.Relation.Width {
				t.Errorf("%s: a tuple of %d in %s, which has %d", c.Name, len(l.Tuple), l.Relation.Name, l.Relation.Width)
			}
		}
	}
	for _, l := range sample().Lookups() {
		if len(l.Tuple) != l.Relation.Width {
			t.Errorf("public data: a tuple of %d in %s, which has %d", len(l.Tuple), l.Relation.Name, l.Relation.Width)
		}
	}
}

// Tuples of two relations, or with leading or trailing zeros, had one fingerprint. Here the relation's id comes first and
// each relation has one width, so equal denominators mean equal tuples of one relation.
func TestKnownBug_C04_TupleAliasing(t *testing.T) {
	ids := map[uint32]bool{}
	for _, r := range Core().Relations {
		if r.ID == 0 || ids[r.ID] {
			t.Errorf("relation %s has id %d", r.Name, r.ID)
		}
		ids[r.ID] = true
	}
	f := stark.NewLookup[field.Ext](field.Arithmetic{}, Core(), field.FromBase(field.New(5)), field.Basis(2))
	of := func(r *air.Relation, tuple ...uint64) field.Ext {
		if len(tuple) != r.Width {
			t.Fatalf("a tuple of %d in %s, which has %d", len(tuple), r.Name, r.Width)
		}
		var words []field.Ext
		for _, v := range tuple {
			words = append(words, field.FromBase(field.New(v)))
		}
		return f.Denominator(field.Arithmetic{}, r, words)
	}
	seen := map[field.Ext]string{}
	for name, v := range map[string]field.Ext{
		"Word(5)": of(Word, 5), "Bytes(0, 5)": of(Bytes, 0, 5), "Bytes(5, 0)": of(Bytes, 5, 0),
		"Word(0)": of(Word, 0), "Bytes(0, 0)": of(Bytes, 0, 0), "Xor(0, 0, 0)": of(Xor, 0, 0, 0),
	} {
		if other, ok := seen[v]; ok {
			t.Errorf("%s and %s have one denominator", name, other)
		}
		seen[v] = name
	}
	// All entries of all relations count: another entry is another denominator.
	for _, r := range Core().Relations {
		zeros := make([]uint64, r.Width)
		for i := range zeros {
			other := slices.Clone(zeros)
			other[i] = 1
			v := of(r, other...)
			if have, ok := seen[v]; ok {
				t.Errorf("entry %d of %s is %s", i, r.Name, have)
			}
			seen[v] = r.Name
		}
	}
}

// Every relation says why it is sound.
func TestRelationsHaveNotes(t *testing.T) {
	for _, r := range Core().Relations {
		if !strings.Contains(strings.ToLower(r.Note), "yield") || len(r.Note) < 60 {
			t.Errorf("%s: %q", r.Name, r.Note)
		}
	}
}

// ap grew without bound by steps that add 1 or 2: the number of steps is bounded beside the range of ap'.
func TestKnownBug_C06_ApOverflowBySteps(t *testing.T) {
	h := sampleHeights()
	if err := checkBounds(h, map[uint32]uint64{Opcodes.ID: maxOpcodeUses}, 0); err != nil {
		t.Error(err)
	}
	if err := checkBounds(h, map[uint32]uint64{Opcodes.ID: maxOpcodeUses}, 1); err == nil {
		t.Error("2^29 + 1 steps are accepted")
	}
	// ap' = lo + 2^12 hi of two words; a step adds less than 2^29 + 1 to it or takes that away.
	const mostAP = 1<<16 - 1 + (1<<16-1)<<apWordShift
	if mostAP+1<<29 >= fieldModulus || mostAP >= MaxAddress {
		t.Error("ap' can wrap")
	}
}

// Constants carried over from another field: 2^31 as its size, inverses of shifts.
func TestKnownBug_C08_IdiomsOfAnotherField(t *testing.T) {
	if field.Modulus != fieldModulus {
		t.Error("modulus")
	}
	if MaxAddress >= fieldModulus/2 {
		t.Error("an address and an offset can wrap")
	}
	// The value of a relative immediate: low32 - msb - (2^32 mod p) mid.
	two32 := field.Exp(field.New(2), 32)
	if two32 != field.New(1<<32%fieldModulus) {
		t.Error("2^32 mod p")
	}
	for _, c := range Core().Components {
		for _, n := range c.Nodes {
			if n.Op == air.OpConst && n.Value.Uint64() == 1<<31-1 {
				t.Errorf("%s has a constant 2^31 - 1", c.Name)
			}
		}
	}
}

// Two tables of values gave the same ids.
func TestKnownBug_C15_IDRangesMeet(t *testing.T) {
	last := uint64(1)<<MaxLogHeight - 1
	if uint64(SmallID(int(last))) >= uint64(BigID(0)) {
		t.Error("ids of small values reach those of big ones")
	}
	if uint64(BigID(int(last))) >= fieldModulus {
		t.Error("ids of big values reach p")
	}
	h := sampleHeights()
	h[heightOf(NameSmall)] = 31
	if checkBounds(h, nil, 0) == nil {
		t.Error("a small table of 2^31 rows is accepted")
	}
	h = sampleHeights()
	h[heightOf(NameBig)] = 30
	if checkBounds(h, nil, 0) == nil {
		t.Error("a big table of 2^30 rows is accepted")
	}
	h = sampleHeights()
	h[heightOf(NameAddress)] = 25
	if checkBounds(h, nil, 0) == nil {
		t.Error("2^29 addresses are accepted")
	}
}
