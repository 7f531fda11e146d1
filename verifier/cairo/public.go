package cairo

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	"github.com/seed06907907/fatty/verifier/stark"
)

// ErrPublicData is wrapped by every error about public data or heights that no honest proof has.
var ErrPublicData = errors.New("the public data are not those of a Cairo run")

// Builtins is a program's builtins: bit i stands for builtinNames[i]. It comes from the program's key alone.
type Builtins uint16

// builtinNames are Cairo's builtins in the order in which their pointers lie on the stack.
var builtinNames = [...]string{"output", "pedersen", "range_check", "ecdsa", "bitwise", "ec_op", "keccak", "poseidon",
	"range_check96", "add_mod", "mul_mod"}

// The builtins that Core proves.
const (
	BuiltinOutput     Builtins = 1 << 0
	BuiltinRangeCheck Builtins = 1 << 2
	BuiltinBitwise    Builtins = 1 << 4
	coveredBuiltins            = BuiltinOutput | BuiltinRangeCheck | BuiltinBitwise
)

// Count is the number of builtins.
func (b Builtins) Count() int { return bits.OnesCount16(uint16(b)) }

// Covered returns an error that names a builtin which Core does not prove.
func (b Builtins) Covered() error {
	rest := b &^ coveredBuiltins
	if rest == 0 {
		return nil
	}
	i := bits.TrailingZeros16(uint16(rest))
	if i >= len(builtinNames) {
		return fmt.Errorf("builtin number %d does not exist: %w", i, ErrProgram)
	}
	return fmt.Errorf("the program uses the builtin %s, which proofs do not cover yet (they cover output, range_check, bitwise): %w",
		builtinNames[i], ErrProgram)
}

// ParseBuiltins reads a program's builtins by name, which come in stack order, each at most once.
func ParseBuiltins(names []string) (Builtins, error) {
	var out Builtins
	next := 0
	for _, name := range names {
		for next < len(builtinNames) && builtinNames[next] != name {
			next++
		}
		if next == len(builtinNames) {
			return 0, fmt.Errorf("builtin %.40q is unknown, repeated or out of order; the order is %v: %w", name, builtinNames, ErrProgram)
		}
		out |= 1 << next
		next++
	}
	return out, nil
}

// Names are the builtins' names in stack order.
func (b Builtins) Names() (out []string) {
	for i, name := range builtinNames {
		if b>>i&1 == 1 {
			out = append(out, name)
		}
	}
	return out
}

// list returns the builtins one by one, in stack order.
func (b Builtins) list() (out []Builtins) {
	for i := range builtinNames {
		if one := Builtins(1) << i; b&one != 0 {
			out = append(out, one)
		}
	}
	return out
}

// Segment is a builtin's segment of memory with the ids of the two stack cells that hold its bounds.
type Segment struct {
	Start, Stop     uint32 // addresses; Stop is one behind the last cell the program used
	StartID, StopID uint32
}

// OutputCell is a cell of the output segment.
type OutputCell struct {
	ID    uint32
	Value [32]byte // big-endian, below P
}

// MaxOutput bounds the felts of an output; PublicData then encode to at most 2.3 MB and make fewer public lookups than
// stark.PublicLookups.
const MaxOutput = 1 << 16

// PublicData are what a proof shows of a run beside its program: where it began and ended on the stack, its builtins'
// segments and its output. pc starts at 1 and ends at 5, fp starts and ends as the first ap, so neither is carried. Ids are
// the prover's names of values; they carry no meaning.
type PublicData struct {
	Builtins           Builtins // of the program's key; not encoded
	InitialAP, FinalAP uint32
	FrameID, ReturnID  uint32    // ids of the cells at InitialAP - 2, which holds InitialAP, and InitialAP - 1, which holds 0
	Segments           []Segment // one for each builtin, in stack order
	Output             []OutputCell
}

// cells is an instance's cells, and the component that checks the segment; none for output.
func (b Builtins) cells() (n uint64, component string) {
	switch b {
	case BuiltinRangeCheck:
		return RangeCheckCells, NameRangeCheck
	case BuiltinBitwise:
		return BitwiseCells, NameBitwise
	}
	return 1, ""
}

// Check holds the public data to everything a Cairo run has whatever the proof says; logHeights are those of Core's
// components. A proof is only as good as this check.
func (d *PublicData) Check(logHeights []int) error {
	if err := d.Builtins.Covered(); err != nil {
		return err
	}
	n := uint32(d.Builtins.Count())
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), ErrPublicData)
	}
	if len(d.Segments) != int(n) {
		return bad("%d segments for %d builtins", len(d.Segments), n)
	}
	if len(d.Output) > MaxOutput {
		return bad("output of %d felts, at most %d", len(d.Output), MaxOutput)
	}
	if err := CheckHeights(logHeights, d.lookupCount()); err != nil {
		return err
	}
	if d.InitialAP <= 3 || d.InitialAP >= MaxAddress {
		return bad("first ap %d, must be 4 to 2^29 - 1", d.InitialAP)
	}
	// The stack holds n first pointers, and later n last ones, in cells of their own.
	if d.FinalAP >= MaxAddress || d.FinalAP < d.InitialAP+2*n {
		return bad("last ap %d, must be %d to 2^29 - 1", d.FinalAP, d.InitialAP+2*n)
	}
	if d.FrameID >= fieldModulus || d.ReturnID >= fieldModulus {
		return bad("an id is not below p")
	}
	if d.Builtins&BuiltinOutput == 0 && len(d.Output) != 0 {
		return bad("output of a program without the output builtin")
	}
	for i, b := range d.Builtins.list() {
		if err := d.checkSegment(b, d.Segments[i], logHeights); err != nil {
			return err
		}
	}
	for i, c := range d.Output {
		if c.ID >= fieldModulus {
			return bad("output %d: the id is not below p", i)
		}
		if !Canonical(c.Value) {
			return bad("output %d is not below P", i)
		}
	}
	return nil
}

func (d *PublicData) checkSegment(b Builtins, s Segment, logHeights []int) error {
	name := builtinNames[bits.TrailingZeros16(uint16(b))]
	bad := func(format string, args ...any) error {
		return fmt.Errorf("segment %s: %s: %w", name, fmt.Sprintf(format, args...), ErrPublicData)
	}
	if s.StartID >= fieldModulus || s.StopID >= fieldModulus {
		return bad("an id is not below p")
	}
	if s.Start == 0 || s.Start > s.Stop || s.Stop >= MaxAddress {
		return bad("from %d to %d, must be 0 < start <= stop < 2^29", s.Start, s.Stop)
	}
	used := uint64(s.Stop - s.Start)
	cells, component := b.cells()
	if component == "" {
		if used != uint64(len(d.Output)) {
			return bad("%d cells, the output has %d", used, len(d.Output))
		}
		return nil
	}
	if used%cells != 0 {
		return bad("%d cells are no whole number of instances", used)
	}
	if used == 0 {
		return nil // the table's enabler is 0: its rows read nothing
	}
	_, at := Core().Component(component)
	room := cells << logHeights[at]
	if used > room || uint64(s.Start)+room > MaxAddress {
		return bad("%d cells from %d, the table reads %d", used, s.Start, room)
	}
	return nil
}

// Scalars returns the values of the components' Params.
func (d *PublicData) Scalars() [][]air.Element {
	set := Core()
	out := make([][]air.Element, len(set.Components))
	for i, c := range set.Components {
		out[i] = make([]air.Element, len(c.Params))
	}
	for i, b := range d.Builtins.list() {
		if _, name := b.cells(); name != "" && i < len(d.Segments) && d.Segments[i].Start != d.Segments[i].Stop {
			c, at := set.Component(name)
			for j, p := range c.Params {
				switch p {
				case paramEnabler:
					out[at][j].SetOne()
				case paramStart:
					out[at][j] = field.New(uint64(d.Segments[i].Start))
				}
			}
		}
	}
	return out
}

// lookupCount is the number of Lookups.
func (d *PublicData) lookupCount() int { return 2 + 2*(2+2*len(d.Segments)+len(d.Output)) }

// Lookups returns the public data's lookups: the first state is yielded, the last one used, and the public cells of memory
// are read. Check must have passed.
func (d *PublicData) Lookups() []air.PublicLookup {
	out := make([]air.PublicLookup, 0, d.lookupCount())
	state := func(yield bool, pc, ap uint32) {
		out = append(out, air.PublicLookup{Relation: Opcodes, Yield: yield,
			Tuple: []air.Element{element(pc), element(ap), element(d.InitialAP)}})
	}
	cell := func(address, id uint32, value [32]byte) {
		tuple := make([]air.Element, 0, 1+Limbs)
		tuple = append(tuple, element(id))
		for _, limb := range feltLimbs(value) {
			tuple = append(tuple, element(uint32(limb)))
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
	if d.Builtins&BuiltinOutput != 0 && len(d.Segments) > 0 {
		for i, c := range d.Output {
			cell(d.Segments[0].Start+uint32(i), c.ID, c.Value)
		}
	}
	return out
}

// PublicSum returns the sum of the public lookups' fractions. Check must have passed.
func (d *PublicData) PublicSum(lk stark.Lookup[field.Ext]) (sum field.Ext, err error) {
	for _, l := range d.Lookups() {
		den := lk.Denominator(field.Arithmetic{}, l.Relation, hash.Words(l.Tuple))
		if den.IsZero() {
			return sum, fmt.Errorf("a lookup's denominator is zero: %w", ErrPublicData)
		}
		var f field.Ext
		f.Inverse(&den)
		if l.Yield {
			sum = field.Sub(sum, f)
		} else {
			sum = field.Add(sum, f)
		}
	}
	return sum, nil
}

func element(v uint32) air.Element { return field.New(uint64(v)) }
