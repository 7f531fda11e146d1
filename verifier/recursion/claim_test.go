package recursion

import (
	"math/rand/v2"
	"testing"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/cairo"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/internal/cheat"
	"github.com/seed06907907/fatty/verifier/stark"
)

// samplePublic are public data of a run with all builtins, and the heights of its tables.
func samplePublic() (*cairo.PublicData, []int) {
	d := &cairo.PublicData{Builtins: cairo.BuiltinOutput | cairo.BuiltinRangeCheck | cairo.BuiltinBitwise, InitialAP: 100, FinalAP: 200, FrameID: 1,
		ReturnID: 2, Segments: []cairo.Segment{{Start: 300, Stop: 305, StartID: 3, StopID: 4}, {Start: 305, Stop: 317, StartID: 5, StopID: 6},
			{Start: 321, Stop: 341, StartID: 7, StopID: 8}}}
	for i := range clockFelts {
		d.Output = append(d.Output, cairo.OutputCell{ID: uint32(9 + i), Value: [32]byte{31: byte(i), 12: 200, 1: 7}})
	}
	var heights []int
	for _, c := range cairo.Core().Components {
		heights = append(heights, max(minHeight, c.LogHeight))
	}
	return d, heights
}

// publicTables are the places of the tables that public data speak of.
func publicTables() [2]int {
	_, a := cairo.Core().Component(cairo.NameRangeCheck)
	_, b := cairo.Core().Component(cairo.NameBitwise)
	return [2]int{a, b}
}

// claimed describes what a wrap says of public data alone: the data are its statement.
func claimed(d *cairo.PublicData, heights []int) func(w wires) ([]wire, []block) {
	return func(w wires) ([]wire, []block) {
		claim, _ := w.claim(d)
		hs := make([]stark.Height[wire], len(heights))
		for i, c := range cairo.Core().Components {
			if c.LogHeight != air.AnyHeight {
				hs[i] = w.fixedHeight(cairo.MaxLogHeight, c.LogHeight)
			} else {
				hs[i] = w.height(cairo.MaxLogHeight, minHeight, cairo.MaxLogHeight, heights[i])
			}
		}
		claim.Check(w, hs)
		z, alpha := field.Add(field.Basis(3), number(5)), field.Add(field.Basis(4), number(6))
		var xs []wire
		claim.Words(w, func(words ...wire) { xs = append(xs, words...) })
		for _, i := range publicTables() {
			xs = append(xs, hs[i].Log)
		}
		for _, scalars := range claim.Scalars(w) {
			xs = append(xs, scalars...)
		}
		xs = append(xs, claim.Sum(w, stark.NewLookup[wire](w, cairo.Core(), w.ConstExt(z), w.ConstExt(alpha))))
		return xs, nil
	}
}

// nearPublic is public data near what is allowed: every bound, one off, and anything.
func nearPublic(r *rand.Rand) (*cairo.PublicData, []int) {
	d, heights := samplePublic()
	for _, i := range publicTables() {
		heights[i] = minHeight + r.IntN(3)
	}
	if drop := r.IntN(4); drop < 3 { // of range_check and bitwise, either or both
		keep := cairo.BuiltinOutput
		segments := d.Segments[:1:1]
		for i, b := range []cairo.Builtins{cairo.BuiltinRangeCheck, cairo.BuiltinBitwise} {
			if drop != i && drop != 2 {
				keep, segments = keep|b, append(segments, d.Segments[1+i])
			}
		}
		d.Builtins, d.Segments = keep, segments
	}
	near := func() uint32 {
		edge := []uint32{4, 16, 80, 100, 103, 106, 200, 305, 321, cairo.MaxAddress - 80, cairo.MaxAddress - 16, cairo.MaxAddress, 1 << 30, field.Modulus - 5,
			r.Uint32N(field.Modulus - 4)}
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
	if i := r.IntN(9); i < len(d.Segments) { // a whole segment at some place
		d.Segments[i].Start = near()
		d.Segments[i].Stop = (d.Segments[i].Start + uint32(r.IntN(90))) % field.Modulus
	}
	return d, heights
}

// TestClaimsAreRefusedByBoth gives public data of runs, one or two numbers of which are wrong or on the edge, to the native check
// and to the wrap's: apart from the STARK they refuse the same.
func TestClaimsAreRefusedByBoth(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 11))
	accepted, refused := 0, 0
	for range claimTries {
		d, heights := nearPublic(r)
		native := d.Check(heights)
		b, c := gadget(t, claimed(d, heights))
		columns := cheat.New(c).Holds()
		if (native == nil) != (columns == nil) || (columns == nil) != (b.Err() == nil) {
			t.Fatalf("seed %d: %+v, heights %v: natively %v, the columns %v, the builder %v", seed, d, heights, native, columns, b.Err())
		}
		if native == nil {
			accepted++
		} else {
			refused++
		}
	}
	if accepted < claimTries/20 || refused < claimTries/20 {
		t.Errorf("%d accepted and %d refused: nothing is compared", accepted, refused)
	}
}

// TestClaimsThatOnlyACircuitCouldTake has the wires of honest public data hold what no public data in memory can be: numbers
// beyond the base field, a builtin that is half there, a segment of one that is not there, an enabler that lies.
func TestClaimsThatOnlyACircuitCouldTake(t *testing.T) {
	full, heights := samplePublic()
	plain := *full
	plain.Builtins, plain.Segments = cairo.BuiltinOutput, full.Segments[:1]
	empty := *full
	empty.Segments = []cairo.Segment{full.Segments[0], {Start: 305, Stop: 305, StartID: 5, StopID: 6}, {Start: 321, Stop: 321, StartID: 7, StopID: 8}}
	for name, d := range map[string]*cairo.PublicData{"all builtins": full, "output alone": &plain, "builtins that are not used": &empty} {
		if err := d.Check(heights); err != nil {
			t.Fatal(name, err)
		}
		b, c := gadget(t, claimed(d, heights))
		if b.Err() != nil {
			t.Fatal(name, b.Err())
		}
		w := cheat.New(c)
		if err := w.Holds(); err != nil {
			t.Fatal(name, err)
		}
		for _, a := range w.Targets() {
			was := w.At(a).Ext()
			for coordinate := 1; coordinate < field.Degree; coordinate++ {
				lie := w.Lie(map[int32]cheat.Words{a: cheat.Value(field.Add(was, field.Basis(coordinate)))})
				// What may lie beyond the base field are inverses of zero alone, which nothing depends on.
				if lie.Found == nil && lie.Changed > 1 {
					t.Errorf("%s, address %d: %s with coordinate %d: nothing finds it", name, a, was.String(), coordinate)
				}
			}
			if w.IsBit(a) { // what is half there, or three times
				for _, v := range []uint64{2, 3, field.Modulus - 1, (field.Modulus + 1) / 2} {
					if lie := w.Lie(map[int32]cheat.Words{a: cheat.Value(number(v))}); lie.Found == nil {
						t.Errorf("%s, address %d: a bit of %d", name, a, v)
					}
				}
			}
		}
	}
}
