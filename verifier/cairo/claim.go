package cairo

import (
	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/stark"
)

// Arithmetic is what public data are checked with: natively (Native), or as wires of a circuit.
type Arithmetic[E any] interface {
	stark.Ring[E]
	Equal(label string, x, y E)
	Inverse(label string, x E) E
	// Bits demands that x is an integer below 2^n and returns its bits, lowest first.
	Bits(label string, x E, n int) []E
	// NonZero returns 0 for 0 and 1 for anything else.
	NonZero(x E) E
}

// Slots are the builtins that Core proves, in stack order: public data have a slot for each, zero where a program lacks it,
// so that their words stand at the same places whatever the program uses.
var slots = [...]Builtins{BuiltinOutput, BuiltinRangeCheck, BuiltinBitwise}

// Slots is the number of builtins that Core proves.
const Slots = len(slots)

// Claim is public data as values of some arithmetic. All values are of the base field; who makes one sees to that.
type Claim[E any] struct {
	Present                               [Slots]E // 1 if the program has the builtin, else 0
	InitialAP, FinalAP, FrameID, ReturnID E
	Segments                              [Slots]ClaimSegment[E]
	// Cells is the length of the output, Cell its i-th cell: an output may be long.
	Cells int
	Cell  func(i int) ClaimCell[E]
}

// ClaimSegment is a Segment.
type ClaimSegment[E any] struct{ Start, Stop, StartID, StopID E }

// ClaimCell is an OutputCell: its value in limbs of 24 bits, as memory's tables have it, and in words of 16 bits.
type ClaimCell[E any] struct {
	ID    E
	Limbs [Limbs]E
	Words [FeltBytes / 2]E
}

type claimLookup[E any] struct {
	relation *air.Relation
	on       E // numerator: 1 or 0, or -1 for a yield
	tuple    []E
}

// addressBits bounds addresses.
const addressBits = 29

// Check demands what is so of every Cairo run, in any arithmetic; heights are those of Core's components. A proof is only as
// good as this check. Two things it need not ask: values of the output are below P, as memory's tables hold no others, and
// ids are field elements, hence below p.
func (c *Claim[E]) Check(ar Arithmetic[E], heights []stark.Height[E]) {
	konst := func(v uint64) E { return ar.Const(field.New(v)) }
	ar.Bits("the first ap is at least 4", ar.Sub(c.InitialAP, konst(4)), addressBits)
	ar.Bits("the last ap is below 2^29", c.FinalAP, addressBits)
	// The stack holds the builtins' first pointers, and later the last ones, in cells of their own.
	ar.Bits("the last ap is behind all builtins' pointers",
		ar.Sub(ar.Sub(c.FinalAP, c.InitialAP), ar.Mul(konst(2), c.count(ar))), addressBits)
	for i, b := range slots {
		on, s := c.Present[i], c.Segments[i]
		name := "segment " + b.Names()[0] + ": "
		for _, x := range []E{s.Start, s.Stop, s.StartID, s.StopID} {
			ar.Equal(name+"a builtin that is not there has none", ar.Mul(on, x), x)
		}
		ar.Bits(name+"it does not start at address 0", ar.Sub(s.Start, on), addressBits)
		used := ar.Sub(s.Stop, s.Start)
		ar.Bits(name+"it starts before it ends", used, addressBits)
		cells, component := b.cells()
		if component == "" {
			ar.Equal(name+"its cells are the output", used, konst(uint64(c.Cells)))
			continue
		}
		if cells > 1 {
			inverse := field.New(cells)
			inverse.Inverse(&inverse)
			ar.Bits(name+"its cells are whole instances", ar.Mul(used, ar.Const(inverse)), addressBits-2)
		}
		enabler := ar.NonZero(used)
		_, at := Core().Component(component)
		room := ar.Mul(konst(cells), heights[at].Rows)
		ar.Bits(name+"the table reads all its cells", ar.Mul(enabler, ar.Sub(room, used)), addressBits)
		ar.Bits(name+"the table reads addresses below 2^29",
			ar.Mul(enabler, ar.Sub(konst(MaxAddress), ar.Add(s.Start, room))), addressBits+1)
	}
}

// count is the number of builtins.
func (c *Claim[E]) count(ar stark.Ring[E]) E {
	n := c.Present[0]
	for _, on := range c.Present[1:] {
		n = ar.Add(n, on)
	}
	return n
}

// Scalars returns the values of the Params of Core's components. A table whose segment is empty has enabler 0 and reads
// nothing.
func (c *Claim[E]) Scalars(ar Arithmetic[E]) [][]E {
	set := Core()
	out := make([][]E, len(set.Components))
	for i, comp := range set.Components {
		for range comp.Params {
			out[i] = append(out[i], ar.Const(field.Element{}))
		}
	}
	for i, b := range slots {
		_, name := b.cells()
		if name == "" {
			continue
		}
		enabler := ar.NonZero(ar.Sub(c.Segments[i].Stop, c.Segments[i].Start))
		comp, at := set.Component(name)
		for j, p := range comp.Params {
			switch p {
			case paramEnabler:
				out[at][j] = enabler
			case paramStart:
				out[at][j] = ar.Mul(enabler, c.Segments[i].Start)
			}
		}
	}
	return out
}

// lookups lists the public lookups: the first state is yielded, the last one used, and the public cells of memory are read.
// Addresses that are values of cells are held below 2^29 by the way. each must not keep a tuple: its memory is used again.
func (c *Claim[E]) lookups(ar Arithmetic[E], each func(claimLookup[E])) {
	zero, one := ar.Const(field.Element{}), ar.Const(field.New(1))
	buffer := make([]E, 0, 1+Limbs)
	read := func(on, address, id E, limbs []E) {
		each(claimLookup[E]{AddressToID, on, append(buffer[:0], address, id)})
		tuple := append(append(buffer[:0], id), limbs...)
		for len(tuple) < 1+Limbs {
			tuple = append(tuple, zero)
		}
		each(claimLookup[E]{IDToValue, on, tuple})
	}
	each(claimLookup[E]{Opcodes, ar.Sub(zero, one), []E{ar.Const(field.New(initialPC)), c.InitialAP, c.InitialAP}})
	each(claimLookup[E]{Opcodes, one, []E{ar.Const(field.New(finalPC)), c.FinalAP, c.InitialAP}})
	read(one, ar.Sub(c.InitialAP, ar.Const(field.New(2))), c.FrameID,
		addressLimbs(ar, ar.Bits("the first ap is below 2^29", c.InitialAP, addressBits)))
	read(one, ar.Sub(c.InitialAP, one), c.ReturnID, nil)
	count, position := c.count(ar), zero
	for i, b := range slots {
		on, s := c.Present[i], c.Segments[i]
		name := "segment " + b.Names()[0] + ": "
		read(on, ar.Add(c.InitialAP, position), s.StartID,
			addressLimbs(ar, ar.Bits(name+"its start is below 2^29", s.Start, addressBits)))
		read(on, ar.Add(ar.Sub(c.FinalAP, count), position), s.StopID,
			addressLimbs(ar, ar.Bits(name+"its end is below 2^29", s.Stop, addressBits)))
		position = ar.Add(position, on)
	}
	for i := range c.Cells {
		cell := c.Cell(i)
		read(one, ar.Add(c.Segments[0].Start, ar.Const(field.New(uint64(i)))), cell.ID, cell.Limbs[:])
	}
}

// addressLimbs are the limbs of an address, from its bits.
func addressLimbs[E any](ar stark.Ring[E], bits []E) []E {
	const low = 8 * limbBytes
	return []E{stark.Number(ar, bits[:low]), stark.Number(ar, bits[low:])}
}

// Sum returns the sum of the public lookups' fractions.
func (c *Claim[E]) Sum(ar Arithmetic[E], lk stark.Lookup[E]) E {
	sum := ar.Const(field.Element{})
	c.lookups(ar, func(l claimLookup[E]) {
		den := lk.Denominator(ar, l.relation, l.tuple)
		sum = ar.Add(sum, ar.Mul(l.on, ar.Inverse("a public lookup's denominator is zero", den)))
	})
	return sum
}

// Mask is the program's builtins as one word.
func (c *Claim[E]) Mask(ar stark.Ring[E]) E {
	mask := ar.Const(field.Element{})
	for i, b := range slots {
		mask = ar.Add(mask, ar.Mul(c.Present[i], ar.Const(field.New(uint64(b)))))
	}
	return mask
}

// Words hands out what the transcript absorbs of the public data: felts as 16 words of 16 bits, lowest first. The number
// of output cells comes before them, so no two public data have the same words.
func (c *Claim[E]) Words(ar stark.Ring[E], each func(words ...E)) {
	each(c.Mask(ar), c.InitialAP, c.FinalAP, c.FrameID, c.ReturnID)
	for _, s := range c.Segments {
		each(s.Start, s.Stop, s.StartID, s.StopID)
	}
	each(ar.Const(field.New(uint64(c.Cells))))
	for i := range c.Cells {
		cell := c.Cell(i)
		each(cell.ID)
		each(cell.Words[:]...)
	}
}

// Native is the arithmetic of values themselves.
type Native struct{ stark.Native }

// Bits returns the bits of an integer below 2^n.
func (n Native) Bits(label string, x field.Ext, bits int) []field.Ext {
	out := make([]field.Ext, bits)
	v := x.B0.A0.Uint64()
	if !field.InBase(&x) || v>>bits != 0 {
		n.Equal(label, field.Ext{}, field.One())
		return out
	}
	for i := range out {
		out[i] = field.FromBase(field.New(v >> i & 1))
	}
	return out
}

// NonZero returns 0 for 0 and 1 for anything else.
func (Native) NonZero(x field.Ext) field.Ext {
	if x.IsZero() {
		return x
	}
	return field.One()
}

// Claim is the public data as values. Segments must be as many as builtins.
func (d *PublicData) Claim() *Claim[field.Ext] {
	num := func(v uint32) field.Ext { return field.FromBase(element(v)) }
	c := &Claim[field.Ext]{InitialAP: num(d.InitialAP), FinalAP: num(d.FinalAP), FrameID: num(d.FrameID), ReturnID: num(d.ReturnID)}
	at := 0
	for i, b := range slots {
		if d.Builtins&b == 0 || at >= len(d.Segments) {
			continue
		}
		s := d.Segments[at]
		at++
		c.Present[i] = field.One()
		c.Segments[i] = ClaimSegment[field.Ext]{num(s.Start), num(s.Stop), num(s.StartID), num(s.StopID)}
	}
	c.Cells = len(d.Output)
	c.Cell = func(i int) (cell ClaimCell[field.Ext]) {
		o := d.Output[i]
		cell.ID = num(o.ID)
		for j, limb := range feltLimbs(o.Value) {
			cell.Limbs[j] = field.FromBase(field.New(limb))
		}
		for j := range cell.Words {
			at := FeltBytes - 2*(j+1)
			cell.Words[j] = num(uint32(o.Value[at])<<8 | uint32(o.Value[at+1]))
		}
		return cell
	}
	return c
}
