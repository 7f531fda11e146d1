package recursion

import (
	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/cairo"
	"github.com/seed06907907/fatty/verifier/circuit"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	"github.com/seed06907907/fatty/verifier/stark"
)

// RunForm is what a wrap's circuit is made for: runs of one pinned size at one level.
type RunForm struct {
	Params       stark.Params
	Preprocessed hash.Digest     // root of the preprocessed tree of cairo.Core for Params
	Head         []field.Element // first words of a run's statement: version, parameter set, component set
	Roots        int             // program roots in a key, one for each pinned size
	Root         int             // which of them is this size's
	MaxProgram   int             // log2 of the rows of the largest program's table
}

// Run is a run proof with its statement, as a wrap takes it.
type Run struct {
	Life, Anchor [2]hash.Digest
	Felts        uint64        // of bytecode
	LogProgram   int           // log2 of the rows of the program's table
	Roots        []hash.Digest // of the program's trees, one for each pinned size
	LogHeights   []int         // of cairo.Core's components
	Public       *cairo.PublicData
	Proof        *stark.Proof
}

// clockFelts is the length of an output that is the clock ABI: t0, S(t0), t1, S(t1), inputs.
const clockFelts = 5

// minHeight is the smallest height of a table.
const minHeight = air.MinLogHeight

// felt is a Cairo felt as wires: sixteen words of 16 bits, from the bits of eleven limbs of 24 bits.
type felt struct {
	limbs [cairo.Limbs]wire
	words [2 * hash.Rate]wire
	top   []wire // the bits of word 3
}

// limbBits is how many bits a limb has; the last one has what is left of 256.
const limbBits = 24

func (w wires) felt(label string, value [32]byte) felt {
	var f felt
	var bits []wire
	for i := range f.limbs {
		n := min(limbBits, 256-limbBits*i)
		v := uint64(0)
		for b := n/8 - 1; b >= 0; b-- {
			v = v<<8 | uint64(value[31-limbBits/8*i-b])
		}
		f.limbs[i] = w.Advice(field.FromBase(field.New(v)))
		bits = append(bits, w.Bits(label, f.limbs[i], n)...)
	}
	for i := range f.words {
		f.words[i] = stark.Number[wire](w, bits[16*i:16*i+16])
	}
	f.top = bits[16*(clockWords-1) : 16*clockWords]
	return f
}

// blocks are a felt's words in two blocks.
func (w wires) blocks(f felt) [2]block {
	return [2]block{w.blockOf(f.words[:hash.Rate]), w.blockOf(f.words[hash.Rate:])}
}

// Wrap builds the circuit that says: a run proof of a form holds, and is a step of a machine's clock. The builder's values
// are the run's. keyRoot is the root of the list of verifying keys, which the circuit passes on.
func Wrap(b *circuit.Builder, form *RunForm, run *Run, keyRoot hash.Digest) {
	w := wires{b}
	n := form.Params.LogN
	set := cairo.Core()

	// Nothing ranges these words: a native verifier makes them of bytes, and a merge passes them on or gives zeros.
	life, anchor := w.adviceBlocks(run.Life), w.adviceBlocks(run.Anchor)

	// The program: what its key is the hash of. That the table holds the length, and the roots the bytecode, is the key's to
	// say: who has the program derives it.
	var program struct {
		felts  wire
		height stark.Height[wire]
		roots  []block
	}
	program.felts = w.base("the program's length", run.Felts, 20)
	program.height = w.height(n, minHeight, form.MaxProgram, run.LogProgram)
	for i := range form.Roots {
		program.roots = append(program.roots, w.AdviceBlock(run.Roots[i]))
	}

	heights := make([]stark.Height[wire], len(set.Components))
	for i, c := range set.Components {
		switch {
		case c.LogHeight != air.AnyHeight:
			heights[i] = w.fixedHeight(n, c.LogHeight)
		case c.Name == cairo.NameProgram:
			heights[i] = program.height
		default:
			heights[i] = w.height(n, minHeight, n, run.LogHeights[i])
		}
	}

	claim, felts := w.claim(run.Public)
	claim.Check(w, heights)
	key := cairo.ProgramKey[wire, block](w, claim.Mask(w), program.felts, program.height.Log, program.roots)

	var head []wire
	for _, word := range form.Head {
		head = append(head, w.Const(word))
	}
	claim.Words(w, func(words ...wire) { head = append(head, words...) })
	subject := &stark.Subject[wire, block]{Set: set, Params: form.Params, Heights: heights, Scalars: claim.Scalars(w),
		Preprocessed: w.ConstBlock(form.Preprocessed), Program: program.roots[form.Root], ProgramLogHeight: program.height.Log,
		Public:        head,
		PublicDigests: []block{life[0], life[1], anchor[0], anchor[1], key},
		PublicSum:     func(lk stark.Lookup[wire]) wire { return claim.Sum(w, lk) },
	}
	inst := &stark.Instance{Set: set, Params: form.Params, LogHeights: run.LogHeights, Scalars: run.Public.Scalars(),
		ProgramLogHeight: run.LogProgram}
	l, err := stark.NewLayout(inst)
	if err != nil {
		w.Fail(err)
		return
	}
	c := newChild(w, 0, circuit.SideA, l, run.Proof)
	stark.Check(w, subject, c.messages(), c, nil)

	w.Equal("a scalar that is not needed is 0", w.PublicScalar(circuit.SideB, field.Ext{}), w.Const(field.Element{}))

	t0, s0, t1, s1, inputs := felts[0], felts[1], felts[2], felts[3], felts[4]
	w.clocks(t0, t1)
	digest := Digest[wire](w, &Statement[block]{KeyRoot: w.AdviceBlock(keyRoot), Program: key,
		T0: w.blockOf(t0.words[:clockWords]), T1: w.blockOf(t1.words[:clockWords]), S0: w.blocks(s0), S1: w.blocks(s1),
		Inputs: RunInputs[wire](w, w.blocks(inputs)), Life: life, Anchor: anchor})
	w.public(digest)
}

// clocks demands that two felts of an output are clocks below 2^62, and that the first comes before the second.
func (w wires) clocks(t0, t1 felt) {
	zero := w.Const(field.Element{})
	for i := clockWords; i < len(t0.words); i++ {
		w.Equal("the first clock is below 2^64", t0.words[i], zero)
		w.Equal("the last clock is below 2^64", t1.words[i], zero)
	}
	w.Equal("the last clock is below 2^62", stark.Number[wire](w, t1.top[ClockBits-16*(clockWords-1):]), zero)
	w.later("the clock goes on", t0.words[:clockWords], t1.words[:clockWords])
}

// public makes a digest the circuit's public block.
func (w wires) public(digest block) {
	w.EqualBlocks("the public statement is the circuit's", w.PublicBlock(w.BlockValue(digest)), digest)
}

// later demands that clock b, in words of 16 bits, is above clock a: b - a - 1, word by word with borrows, is not negative.
func (w wires) later(label string, a, b []wire) {
	one := w.Const(field.New(1))
	borrow := one
	for i := range a {
		d := w.Sub(w.Sub(b[i], a[i]), borrow)
		v := w.Value(d)
		under := w.bit(label, v.B0.A0.Uint64() >= 1<<16)
		w.Bits(label, w.Add(d, w.Mul(under, w.Const(field.New(1<<16)))), 16)
		borrow = under
	}
	w.Equal(label, borrow, w.Const(field.Element{}))
}

// claim takes public data as advice. Ids are any elements of the field, addresses are ranged by cairo.Claim.
func (w wires) claim(d *cairo.PublicData) (*cairo.Claim[wire], []felt) {
	const id = "an id is of the base field"
	native := d.Claim()
	any := func(label string, x field.Ext) wire { return w.base(label, x.B0.A0.Uint64(), 31) }
	c := &cairo.Claim[wire]{InitialAP: w.Advice(native.InitialAP), FinalAP: w.Advice(native.FinalAP),
		FrameID: any(id, native.FrameID), ReturnID: any(id, native.ReturnID)}
	for i, s := range native.Segments {
		c.Present[i] = w.bit("whether a builtin is there", !native.Present[i].IsZero())
		c.Segments[i] = cairo.ClaimSegment[wire]{Start: w.Advice(s.Start), Stop: w.Advice(s.Stop), StartID: any(id, s.StartID), StopID: any(id, s.StopID)}
	}
	w.Equal("the program has an output", c.Present[0], w.Const(field.New(1)))
	var felts []felt
	var cells []cairo.ClaimCell[wire]
	c.Cells, c.Cell = clockFelts, func(i int) cairo.ClaimCell[wire] { return cells[i] }
	for i := range clockFelts {
		var cell cairo.OutputCell
		if i < len(d.Output) {
			cell = d.Output[i]
		}
		f := w.felt("a felt of the output is in words", cell.Value)
		felts = append(felts, f)
		cells = append(cells, cairo.ClaimCell[wire]{ID: any(id, field.FromBase(field.New(uint64(cell.ID)))), Limbs: f.limbs, Words: f.words})
	}
	return c, felts
}
