package cairo

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
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
	if d.Builtins&BuiltinOutput == 0 && len(d.Output) != 0 {
		return bad("output of a program without the output builtin")
	}
	for _, id := range d.ids() {
		if id >= fieldModulus {
			return bad("id %d is not below p", id)
		}
	}
	for _, a := range d.addresses() {
		if a >= MaxAddress {
			return bad("address %d, must be below 2^29", a)
		}
	}
	for i, c := range d.Output {
		if !Canonical(c.Value) {
			return bad("output %d is not below P", i)
		}
	}
	ar, failed := stark.NewNative()
	c := d.Claim()
	heights := make([]stark.Height[field.Ext], len(logHeights))
	for i, k := range logHeights {
		heights[i] = stark.HeightOf(MaxLogHeight, k)
	}
	c.Check(Native{ar}, heights)
	c.lookups(Native{ar}, func(claimLookup[field.Ext]) {})
	if *failed != nil {
		return fmt.Errorf("%w: %w", *failed, ErrPublicData)
	}
	return nil
}

// addresses lists every address.
func (d *PublicData) addresses() []uint32 {
	out := []uint32{d.InitialAP, d.FinalAP}
	for _, s := range d.Segments {
		out = append(out, s.Start, s.Stop)
	}
	return out
}

// Scalars returns the values of the components' Params. Check must have passed.
func (d *PublicData) Scalars() [][]air.Element {
	ar, _ := stark.NewNative()
	var out [][]air.Element
	for _, scalars := range d.Claim().Scalars(Native{ar}) {
		words := make([]air.Element, len(scalars))
		for i, x := range scalars {
			words[i] = x.B0.A0
		}
		out = append(out, words)
	}
	return out
}

// lookupCount is the number of Lookups at most: a builtin's two pointers, whether it has them or not, and the output.
func (d *PublicData) lookupCount() int { return 2 + 2*(2+2*Slots+len(d.Output)) }

// Lookups returns the public data's lookups, for oracles. Check must have passed.
func (d *PublicData) Lookups() (out []air.PublicLookup) {
	ar, _ := stark.NewNative()
	d.Claim().lookups(Native{ar}, func(l claimLookup[field.Ext]) {
		if l.on.IsZero() {
			return
		}
		p := air.PublicLookup{Relation: l.relation, Yield: !l.on.IsOne()}
		for _, x := range l.tuple {
			p.Tuple = append(p.Tuple, x.B0.A0)
		}
		out = append(out, p)
	})
	return out
}

// PublicSum returns the sum of the public lookups' fractions. Check must have passed.
func (d *PublicData) PublicSum(lk stark.Lookup[field.Ext]) (field.Ext, error) {
	ar, failed := stark.NewNative()
	sum := d.Claim().Sum(Native{ar}, lk)
	return sum, *failed
}

func element(v uint32) air.Element { return field.New(uint64(v)) }
