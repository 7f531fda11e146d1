package recursion

import (
	"github.com/seed06907907/fatty/verifier/circuit"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	"github.com/seed06907907/fatty/verifier/stark"
)

// wires is the verifier's arithmetic as wires of a circuit: of package stark, of public data (package cairo) and of the
// transcript.
type wires struct{ *circuit.Builder }

type (
	wire  = circuit.Wire
	block = circuit.Block
)

// Block is a constant.
func (w wires) Block(d hash.Digest) block { return w.ConstBlock(d) }

// Head is the value that a block begins with.
func (w wires) Head(d block) wire { return w.Unpack([]block{d}, 1)[0] }

// coordinates splits a value into its six words.
func (w wires) coordinates(x wire) (words []wire) {
	v := w.Value(x)
	for _, c := range field.Coords(&v) {
		words = append(words, w.Advice(field.FromBase(c)))
	}
	w.Base("a coordinate", words...)
	w.Equal("a value's coordinates", w.Join(words), x)
	return words
}

// Work demands that the lowest bits of the first word of d are 0.
func (w wires) Work(label string, d block, bits int) {
	split := w.CanonicalBits(label, w.coordinates(w.Head(d))[0])
	w.Equal(label, stark.Number[wire](w, split[:bits]), w.Const(field.Element{}))
}

// Places reads places off blocks, eight words a block.
func (w wires) Places(blocks []block, n, bits int) []stark.Place[wire] {
	values := (n + field.Degree - 1) / field.Degree
	for hash.Rate*len(blocks) < field.Degree*values {
		blocks = append(blocks, w.ConstBlock(hash.Digest{}))
	}
	var out []stark.Place[wire]
	for _, x := range w.Unpack(blocks, values) {
		for _, word := range w.coordinates(x) {
			if len(out) < n {
				v := w.Value(word)
				split := w.CanonicalBits("a query's place", word)
				out = append(out, stark.Place[wire]{Value: uint32(v.B0.A0.Uint64() & (1<<bits - 1)), Bits: split[:bits]})
			}
		}
	}
	return out
}

// NonZero is 0 for 0 and 1 for anything else: x/x, where the inverse of 0 is free.
func (w wires) NonZero(x wire) wire {
	v := w.Value(x)
	inverse := field.Ext{}
	if !v.IsZero() {
		inverse.Inverse(&v)
	}
	e := w.Mul(x, w.Advice(inverse))
	w.Equal("a value times (1 - whether it is not 0)", w.Mul(x, e), x)
	return e
}

// bit is an advice that is 0 or 1.
func (w wires) bit(label string, on bool) wire {
	v := uint64(0)
	if on {
		v = 1
	}
	return w.Bits(label, w.Advice(field.FromBase(field.New(v))), 1)[0]
}

// base is an advice of the base field, of at most so many bits.
func (w wires) base(label string, v uint64, bits int) wire {
	x := w.Advice(field.FromBase(field.New(v)))
	if bits > field.TwoAdicity+6 {
		w.Base(label, x)
	} else {
		w.Bits(label, x, bits)
	}
	return x
}

// height is an advice of a height from least to most, as indicators.
func (w wires) height(n, least, most, k int) stark.Height[wire] {
	const label = "a table's height"
	is := make([]wire, n-minHeight+1)
	sum := w.Const(field.Element{})
	for i := range is {
		is[i] = w.Const(field.Element{})
		if h := minHeight + i; h >= least && h <= most {
			is[i] = w.bit(label, h == k)
			sum = w.Add(sum, is[i])
		}
	}
	w.Equal(label, sum, w.Const(field.New(1)))
	return stark.NewHeight[wire](w, n, is)
}

// fixedHeight is a constant height.
func (w wires) fixedHeight(n, k int) stark.Height[wire] {
	is := make([]wire, n-minHeight+1)
	for i := range is {
		is[i] = w.Const(field.Element{})
	}
	is[k-minHeight] = w.Const(field.New(1))
	return stark.NewHeight[wire](w, n, is)
}

// blockOf packs at most eight words into a block.
func (w wires) blockOf(words []wire) block {
	var xs []wire
	for from := 0; from < len(words); from += field.Degree {
		xs = append(xs, w.Join(words[from:min(from+field.Degree, len(words))]))
	}
	return w.Pack(xs)[0]
}

func (w wires) adviceBlocks(ds [2]hash.Digest) [2]block {
	return [2]block{w.AdviceBlock(ds[0]), w.AdviceBlock(ds[1])}
}

// blockWords splits a block into its eight words.
func (w wires) blockWords(d block) (out []wire) {
	for _, x := range w.Unpack([]block{d, w.ConstBlock(hash.Digest{}), w.ConstBlock(hash.Digest{})}, 2) {
		out = append(out, w.coordinates(x)...)
	}
	return out[:hash.Rate]
}
