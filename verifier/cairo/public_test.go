package cairo

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/air"
)

// sample is public data that pass Check with the heights of sampleHeights.
func sample() *PublicData {
	return &PublicData{
		Builtins:  BuiltinOutput | BuiltinRangeCheck | BuiltinBitwise,
		InitialAP: 100, FinalAP: 200, FrameID: 1, ReturnID: 2,
		Segments: []Segment{{300, 302, 3, 4}, {302, 312, 5, 6}, {318, 338, 7, 8}},
		Output:   []OutputCell{{9, feltOf(77)}, {bigIDs, [32]byte{0: 8, 7: 17}}}, // P - 1
	}
}

func sampleHeights() []int {
	out := make([]int, len(Core().Components))
	for i, c := range Core().Components {
		out[i] = max(4, c.LogHeight)
	}
	return out
}

func heightOf(name string) int {
	_, i := Core().Component(name)
	return i
}

func TestCheckAcceptsHonestPublicData(t *testing.T) {
	if err := sample().Check(sampleHeights()); err != nil {
		t.Fatal(err)
	}
	none := &PublicData{InitialAP: 4, FinalAP: 4}
	if err := none.Check(sampleHeights()); err != nil {
		t.Fatal(err)
	}
}

// TestCheckRefuses has one entry for each check of public data.
func TestCheckRefuses(t *testing.T) {
	p := feltOf(0)
	for i := range p {
		p[i] = primeBytes[FeltBytes-1-i]
	}
	for name, change := range map[string]func(d *PublicData, h []int){
		"first ap 3":                         func(d *PublicData, _ []int) { d.InitialAP = 3 },
		"first ap 0":                         func(d *PublicData, _ []int) { d.InitialAP = 0 },
		"first ap 2^29":                      func(d *PublicData, _ []int) { d.InitialAP = 1 << 29; d.FinalAP = 1<<29 + 50 },
		"last ap before the first":           func(d *PublicData, _ []int) { d.FinalAP = 99 },
		"pointers overlap":                   func(d *PublicData, _ []int) { d.FinalAP = 105 },
		"last ap 2^29":                       func(d *PublicData, _ []int) { d.FinalAP = 1 << 29 },
		"last ap wraps 2^32":                 func(d *PublicData, _ []int) { d.InitialAP, d.FinalAP = 1<<32-3, 2 },
		"id of p":                            func(d *PublicData, _ []int) { d.FrameID = fieldModulus },
		"return id of p":                     func(d *PublicData, _ []int) { d.ReturnID = fieldModulus },
		"start id of p":                      func(d *PublicData, _ []int) { d.Segments[1].StartID = fieldModulus },
		"stop id of p":                       func(d *PublicData, _ []int) { d.Segments[0].StopID = 1<<32 - 1 },
		"output id of p":                     func(d *PublicData, _ []int) { d.Output[1].ID = fieldModulus },
		"output value P":                     func(d *PublicData, _ []int) { d.Output[0].Value = p },
		"output value P + 5":                 func(d *PublicData, _ []int) { d.Output[0].Value = p; d.Output[0].Value[31] = 6 },
		"output with its top bits set":       func(d *PublicData, _ []int) { d.Output[0].Value[0] = 0xf0 },
		"fewer segments":                     func(d *PublicData, _ []int) { d.Segments = d.Segments[:2] },
		"more segments":                      func(d *PublicData, _ []int) { d.Segments = append(d.Segments, Segment{400, 400, 1, 1}) },
		"output shorter than its segment":    func(d *PublicData, _ []int) { d.Output = d.Output[:1] },
		"output longer than its segment":     func(d *PublicData, _ []int) { d.Output = append(d.Output, OutputCell{}) },
		"segment backwards":                  func(d *PublicData, _ []int) { d.Segments[1] = Segment{312, 302, 5, 6} },
		"segment at 0":                       func(d *PublicData, _ []int) { d.Segments[1] = Segment{0, 10, 5, 6} },
		"segment beyond 2^29":                func(d *PublicData, _ []int) { d.Segments[1] = Segment{1<<29 - 4, 1<<29 + 1, 5, 6} },
		"table beyond 2^29":                  func(d *PublicData, _ []int) { d.Segments[1] = Segment{1<<29 - 4, 1<<29 - 1, 5, 6} },
		"more range checks than rows":        func(d *PublicData, _ []int) { d.Segments[1].Stop = 302 + 17 },
		"more bitwise instances than rows":   func(d *PublicData, _ []int) { d.Segments[2].Stop = 318 + 5*17 },
		"part of a bitwise instance":         func(d *PublicData, _ []int) { d.Segments[2].Stop-- },
		"a builtin that proofs do not cover": func(d *PublicData, _ []int) { d.Builtins |= 1 << 1 },
		"a builtin that does not exist":      func(d *PublicData, _ []int) { d.Builtins |= 1 << 11 },
		"another builtin's segment":          func(d *PublicData, _ []int) { d.Builtins ^= BuiltinBitwise },
		"output without the builtin":         func(d *PublicData, _ []int) { d.Builtins ^= BuiltinOutput; d.Segments = d.Segments[1:] },
		"a table of 2^3 rows":                func(_ *PublicData, h []int) { h[heightOf(NameGeneric)] = 3 },
		"a table of 2^21 rows":               func(_ *PublicData, h []int) { h[heightOf(NameGeneric)] = 21 },
		"a negative height":                  func(_ *PublicData, h []int) { h[heightOf(NameBig)] = -1 },
		"a height that overflows a shift":    func(_ *PublicData, h []int) { h[heightOf(NameBig)] = 64 },
		"a byte table of 2^15 rows":          func(_ *PublicData, h []int) { h[heightOf(NameBytes)] = 15 },
		"a byte table of 2^17 rows":          func(_ *PublicData, h []int) { h[heightOf(NameBytes)] = 17 },
	} {
		d, h := sample(), sampleHeights()
		change(d, h)
		if err := d.Check(h); err == nil {
			t.Errorf("%s: accepted", name)
		} else if !errors.Is(err, ErrPublicData) && !errors.Is(err, ErrProgram) {
			t.Errorf("%s: error without a sentinel: %v", name, err)
		}
	}
	if err := sample().Check(sampleHeights()[1:]); err == nil {
		t.Error("one height less: accepted")
	}
}

func TestScalars(t *testing.T) {
	d := sample()
	s := d.Scalars()
	if got := s[heightOf(NameRangeCheck)]; !got[0].IsOne() || got[1] != element(302) {
		t.Errorf("range check: %v", got)
	}
	if got := s[heightOf(NameBitwise)]; !got[0].IsOne() || got[1] != element(318) {
		t.Errorf("bitwise: %v", got)
	}
	d.Segments[1].Stop = d.Segments[1].Start
	if got := d.Scalars()[heightOf(NameRangeCheck)]; !got[0].IsZero() || !got[1].IsZero() {
		t.Errorf("an empty segment's table is enabled: %v", got)
	}
	d.Builtins, d.Segments = BuiltinOutput, d.Segments[:1]
	for _, name := range []string{NameRangeCheck, NameBitwise} {
		if got := d.Scalars()[heightOf(name)]; !got[0].IsZero() {
			t.Errorf("%s is enabled in a program without it", name)
		}
	}
}

// TestWordsTellPublicDataApart checks that every change of a field changes the words that the transcript absorbs, and the
// lookups or the scalars too unless it is a change that means nothing.
func TestWordsTellPublicDataApart(t *testing.T) {
	honest := sample().Words()
	for i, b := range sample().Encode() {
		_ = b
		for bit := range 8 {
			data := sample().Encode()
			data[i] ^= 1 << bit
			d, n, err := DecodePublicData(data, sample().Builtins)
			if err != nil || n != len(data) {
				continue
			}
			if slices.Equal(d.Words(), honest) {
				t.Fatalf("byte %d, bit %d: the words are the same", i, bit)
			}
		}
	}
	d := sample()
	d.Builtins ^= BuiltinRangeCheck
	if slices.Equal(d.Words(), honest) {
		t.Error("the builtins are not absorbed")
	}
	for _, w := range honest {
		if w.Uint64() >= fieldModulus {
			t.Error("a word is not reduced")
		}
	}
	if len(sample().Lookups()) != sample().lookupCount() {
		t.Error("lookupCount is wrong")
	}
	// A builtin that is not there has zeros in its slot, so that no word moves.
	d = sample()
	d.Builtins ^= BuiltinRangeCheck
	d.Segments = []Segment{d.Segments[0], d.Segments[2]}
	words := d.Words()
	if len(words) != len(honest) || !slices.Equal(words[5:9], honest[5:9]) || !slices.Equal(words[13:], honest[13:]) {
		t.Error("words move where a builtin is missing")
	}
	if !slices.Equal(words[9:13], make([]air.Element, 4)) {
		t.Error("a builtin that is not there has words")
	}
}

func TestPublicDataCodec(t *testing.T) {
	data := sample().Encode()
	d, n, err := DecodePublicData(append(slices.Clone(data), 1, 2, 3), sample().Builtins)
	if err != nil || n != len(data) || !bytes.Equal(d.Encode(), data) {
		t.Fatalf("round trip: %v, %d bytes", err, n)
	}
	for i := range data {
		if _, _, err := DecodePublicData(data[:i], sample().Builtins); err == nil {
			t.Fatalf("%d of %d bytes: accepted", i, len(data))
		}
	}
	// An enormous count asks for no memory.
	huge := append(slices.Clone(data[:encodedHead+3*encodedSegment]), 0xff, 0xff, 0xff, 0xff)
	if _, _, err := DecodePublicData(huge, sample().Builtins); err == nil {
		t.Error("an output of 2^32 - 1 felts: accepted")
	}
	if _, _, err := DecodePublicData(data, 1<<7); err == nil {
		t.Error("a builtin that is not covered: accepted")
	}
}

func FuzzDecodePublicData(f *testing.F) {
	f.Add(sample().Encode(), uint16(sample().Builtins))
	f.Add((&PublicData{InitialAP: 4, FinalAP: 4}).Encode(), uint16(0))
	f.Add([]byte{}, uint16(1))
	f.Fuzz(func(t *testing.T, data []byte, mask uint16) {
		d, n, err := DecodePublicData(data, Builtins(mask))
		if err != nil {
			return
		}
		if !bytes.Equal(d.Encode(), data[:n]) {
			t.Error("another encoding of the same public data")
		}
		if d.Check(sampleHeights()) == nil {
			if n := len(d.Lookups()); n != len(plainLookups(d)) || n > d.lookupCount() {
				t.Error("lookupCount is wrong")
			}
		}
		d.Words()
		d.Scalars()
	})
}

// entry is a program that is nothing but its entry code, a return and some data.
func entry(builtins int) [][32]byte {
	var out [][32]byte
	for _, w := range []uint64{opAddAP, uint64(builtins), opCallRel, 4, opJumpRel, 0, 0x208b7fff7fff7ffe} {
		out = append(out, feltOf(w))
	}
	return out
}

func TestCheckProgram(t *testing.T) {
	if err := CheckProgram(entry(2), BuiltinOutput|BuiltinRangeCheck); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(p [][32]byte) ([][32]byte, Builtins){
		"too short":           func(p [][32]byte) ([][32]byte, Builtins) { return p[:5], BuiltinOutput },
		"empty":               func(p [][32]byte) ([][32]byte, Builtins) { return nil, BuiltinOutput },
		"wrong builtin count": func(p [][32]byte) ([][32]byte, Builtins) { return p, BuiltinOutput | BuiltinBitwise },
		"no ap += n":          func(p [][32]byte) ([][32]byte, Builtins) { p[0][31]++; return p, BuiltinOutput },
		"no call":             func(p [][32]byte) ([][32]byte, Builtins) { p[2] = p[4]; return p, BuiltinOutput },
		"no jmp rel":          func(p [][32]byte) ([][32]byte, Builtins) { p[4][31]++; return p, BuiltinOutput },
		"jmp rel 1":           func(p [][32]byte) ([][32]byte, Builtins) { p[5][31]++; return p, BuiltinOutput },
		"a felt of P": func(p [][32]byte) ([][32]byte, Builtins) {
			p[6] = [32]byte{0: 8, 7: 17, 31: 1}
			return p, BuiltinOutput
		},
		"a builtin not covered": func(p [][32]byte) ([][32]byte, Builtins) { return p, 1 << 7 },
	} {
		p, b := change(entry(1))
		if err := CheckProgram(p, b); !errors.Is(err, ErrProgram) {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := entry(1)
	p[3] = feltOf(1 << 20) // where main is, is the program's own business
	if err := CheckProgram(p, BuiltinOutput); err != nil {
		t.Error(err)
	}
}

func TestParseBuiltins(t *testing.T) {
	b, err := ParseBuiltins([]string{"output", "range_check", "bitwise"})
	if err != nil || b != BuiltinOutput|BuiltinRangeCheck|BuiltinBitwise || !slices.Equal(b.Names(), []string{"output", "range_check", "bitwise"}) {
		t.Errorf("%v, %v", b, err)
	}
	for _, names := range [][]string{{"bitwise", "output"}, {"output", "output"}, {"segment_arena"}, {""}} {
		if _, err := ParseBuiltins(names); !errors.Is(err, ErrProgram) {
			t.Errorf("%v: %v", names, err)
		}
	}
	for i, name := range builtinNames {
		b, err := ParseBuiltins([]string{name})
		if err != nil || b != 1<<i {
			t.Errorf("%s: %v, %v", name, b, err)
		}
		if err := b.Covered(); (err == nil) != (b&coveredBuiltins != 0) {
			t.Errorf("%s: covered: %v", name, err)
		}
	}
}

func TestProgramColumns(t *testing.T) {
	columns, log, err := ProgramColumns(entry(1))
	if err != nil || log != air.MinLogHeight || len(columns) != 1+Limbs {
		t.Fatalf("%d columns of 2^%d rows, %v", len(columns), log, err)
	}
	for row := range 1 << log {
		on := columns["flag"][row].IsOne()
		if on != (row < len(entry(1))) {
			t.Errorf("row %d: flag %v", row, on)
		}
	}
	if got := columns["limb_1"][0]; got != element(0x80017f) {
		t.Errorf("limb 1 of 0x40780017fff7fff is %#x", got.Uint64())
	}
	if _, _, err := ProgramColumns(nil); err == nil {
		t.Error("no bytecode: accepted")
	}
}

func TestByteTableIsTheOnlyFixedTable(t *testing.T) {
	columns := TableColumns()
	for _, c := range Core().Components {
		for _, f := range c.Fixed {
			if f.Kind == air.FixedTable && len(columns[f.Name]) != 1<<c.LogHeight {
				t.Errorf("column %s", f.Name)
			}
		}
	}
	for i := range columns[columnHi] {
		hi, lo := columns[columnHi][i].Uint64(), columns[columnLo][i].Uint64()
		if 256*hi+lo != uint64(i) || columns[columnXor][i].Uint64() != hi^lo {
			t.Fatalf("row %d", i)
		}
	}
	if koalabear.Modulus().Uint64() != fieldModulus {
		t.Error("the field's modulus")
	}
}
