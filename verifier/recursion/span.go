package recursion

import (
	"github.com/seed06907907/fatty/verifier/circuit"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	"github.com/seed06907907/fatty/verifier/stark"
)

// Span is a span proof with its statement, as a merge takes it.
type Span struct {
	Statement Statement[hash.Digest]
	T0, T1    uint64 // as in Statement
	// The circuit that it was made by: heights of its tables, root of its preprocessed columns, and where its key stands in
	// the list of verifying keys.
	LogHeights   []int
	Preprocessed hash.Digest
	Index        uint32
	Path         []hash.Digest // siblings in the list's tree
	// Scalars are the public weights of the openings that the circuit checked.
	Scalars [2]field.Ext
	Proof   *stark.Proof
}

// half is a checked span as wires; how two fit is Merge's to check.
type half struct {
	Statement[block]
	t0, t1 []wire // words of the clocks
}

// verifySpan demands that a span proof of a shape holds and that its circuit is in the list.
func (w wires) verifySpan(number int, side circuit.Side, p stark.Params, s *Span) half {
	var h half
	n := p.LogN
	h.t0, h.t1 = w.clock(s.T0), w.clock(s.T1)
	st := s.Statement
	h.Statement = Statement[block]{KeyRoot: w.AdviceBlock(st.KeyRoot), Program: w.AdviceBlock(st.Program), T0: w.blockOf(h.t0),
		T1: w.blockOf(h.t1), S0: w.adviceBlocks(st.S0), S1: w.adviceBlocks(st.S1), Inputs: w.AdviceBlock(st.Inputs),
		Life: w.adviceBlocks(st.Life), Anchor: w.adviceBlocks(st.Anchor)}
	// Each child is at least 1 long, hence shorter than its parent: an extractor's way down ends.
	w.later("a span's clock goes on", h.t0, h.t1)

	set := circuit.Set()
	heights := make([]stark.Height[wire], len(set.Components))
	logs := make([]wire, len(heights))
	for i := range heights {
		heights[i] = w.height(n, minHeight, n, s.LogHeights[i])
		logs[i] = heights[i].Log
	}
	preprocessed := w.AdviceBlock(s.Preprocessed)
	key := Key[wire, block](w, p, logs, preprocessed)
	list := number*treesPerChild + treesPerChild - 1
	w.Root(list, h.KeyRoot)
	index := w.bits("a key's place in the list", s.Index, len(s.Path))
	w.Open(list, len(s.Path), w.BlockLeaf(key), stark.Number[wire](w, index), s.Index, s.Path)

	a, b := w.Advice(s.Scalars[0]), w.Advice(s.Scalars[1])
	digest := Digest[wire](w, &h.Statement)
	subject := &stark.Subject[wire, block]{Set: set, Params: p, Heights: heights, Scalars: make([][]wire, len(heights)),
		Ext:          circuit.ExtScalars[wire](w, a, b),
		Preprocessed: preprocessed, Program: w.ConstBlock(hash.Digest{}), ProgramLogHeight: w.Const(field.Element{}),
		PublicDigests: []block{key, digest}, PublicExt: []wire{a, b},
		PublicSum: func(lk stark.Lookup[wire]) wire {
			sum := w.Const(field.Element{})
			for _, tuple := range circuit.PublicTuples[wire](w, w.blockWords(digest), w.coordinates(a), w.coordinates(b)) {
				f := w.Inverse("a public lookup's denominator is zero", lk.Denominator(w, circuit.WireRelation, tuple))
				sum = w.Sub(sum, f) // yields
			}
			return sum
		},
	}
	l, err := stark.NewLayout(spanInstance(p, s))
	if err != nil {
		w.Fail(err)
		return h
	}
	c := newChild(w, number, side, l, s.Proof)
	stark.Check(w, subject, c.messages(), c, nil)
	return h
}

// clock takes the words of a clock as advice: four of 16 bits.
func (w wires) clock(t uint64) (out []wire) {
	for i := range clockWords {
		out = append(out, w.base("a word of a clock", t>>(16*i)&0xffff, 16))
	}
	return out
}

// bits takes an integer as advice, bit by bit, lowest first.
func (w wires) bits(label string, v uint32, n int) (out []wire) {
	for i := range n {
		out = append(out, w.bit(label, v>>i&1 == 1))
	}
	return out
}

// agree returns the words on which two digests agree wholly, else zeros.
func (w wires) agree(x, y [2]block) (out [2]block) {
	pad := w.ConstBlock(hash.Digest{})
	xs, ys := w.Unpack([]block{x[0], x[1], pad}, 4), w.Unpack([]block{y[0], y[1], pad}, 4)
	one := w.Const(field.New(1))
	same := one
	for i := range xs {
		same = w.Mul(same, w.Sub(one, w.NonZero(w.Sub(xs[i], ys[i]))))
	}
	for i := range xs {
		xs[i] = w.Mul(same, xs[i])
	}
	blocks := w.Pack(xs)
	return [2]block{blocks[0], blocks[1]}
}

// Merge builds the circuit that says: two span proofs, of these parameters, hold and meet. The left one's clock ends where the
// right one's begins, in the same state of the same program.
func Merge(b *circuit.Builder, left, right stark.Params, l, r *Span) {
	w := wires{b}
	x, y := w.verifySpan(0, circuit.SideA, left, l), w.verifySpan(1, circuit.SideB, right, r)
	w.EqualBlocks(labelKeyRoot, x.KeyRoot, y.KeyRoot)
	w.EqualBlocks(labelProgram, x.Program, y.Program)
	w.EqualBlocks(labelClock, x.T1, y.T0)
	for i := range x.S1 {
		w.EqualBlocks(labelState, x.S1[i], y.S0[i])
	}
	w.public(Digest[wire](w, &Statement[block]{KeyRoot: x.KeyRoot, Program: x.Program, T0: x.T0, T1: y.T1, S0: x.S0, S1: y.S1,
		Inputs: w.Compress(x.Inputs, y.Inputs), Life: w.agree(x.Life, y.Life), Anchor: w.agree(x.Anchor, y.Anchor)}))
}

// Shrink builds the circuit that says: one span proof, of these parameters, holds. The statement is the same.
func Shrink(b *circuit.Builder, p stark.Params, s *Span) {
	w := wires{b}
	h := w.verifySpan(0, circuit.SideA, p, s)
	w.Equal("a scalar that is not needed is 0", w.PublicScalar(circuit.SideB, field.Ext{}), w.Const(field.Element{}))
	w.public(Digest[wire](w, &h.Statement))
}

// What may not hold where two spans are merged.
const (
	labelKeyRoot = "the spans were made under one list of verifying keys"
	labelProgram = "the spans are of one program"
	labelClock   = "the right span begins at the clock where the left one ends"
	labelState   = "the right span begins in the state where the left one ends"
)
