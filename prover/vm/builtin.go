package vm

import (
	"crypto/sha256"
	"fmt"
	"strconv"
	"sync"

	starkcurve "github.com/consensys/gnark-crypto/ecc/stark-curve"
	"github.com/consensys/gnark-crypto/ecc/stark-curve/fp"
	pedersenhash "github.com/consensys/gnark-crypto/ecc/stark-curve/pedersen-hash"
)

// builtinRunner is the rule of one builtin's segment.
type builtinRunner interface {
	// check refuses a value that may not be written at p.
	check(m *memory, p address, v value) error
	// deduce finds the value of a cell from others; unknown if it cannot.
	deduce(m *memory, p address) (value, error)
}

// builtinSegment is a builtin in a run.
type builtinSegment struct {
	kind     Builtin
	base     address
	included bool // the program names it
	stop     int64
}

// newBuiltinRunner is the rule of a builtin's segment, nil where there is none: output takes anything, the modular
// builtins are filled by hints and checked at the end.
func newBuiltinRunner(b Builtin) builtinRunner {
	switch b {
	case RangeCheck:
		return rangeCheck{bits: 128}
	case RangeCheck96:
		return rangeCheck{bits: 96}
	case Pedersen, Bitwise, ECOp, Poseidon:
		f := map[Builtin]func([]value) ([3]value, error){
			Pedersen: pedersenRule, Bitwise: bitwiseRule, ECOp: ecOpRule, Poseidon: poseidonRule,
		}[b]
		return &functionBuiltin{kind: b, cells: builtinCells[b], inputs: builtinInputs[b], compute: f}
	}
	return nil
}

// rangeCheck takes numbers below 2^bits.
type rangeCheck struct{ bits int }

func (r rangeCheck) check(_ *memory, p address, v value) error {
	if !v.fits128() || r.bits == 96 && v.b>>32 != 0 {
		return fmt.Errorf("range check at %v: %v is not below 2^%d", p, v, r.bits)
	}
	return nil
}

func (rangeCheck) deduce(*memory, address) (value, error) { return value{}, nil }

// functionBuiltin has instances whose first cells are inputs and whose other cells are a function of them.
type functionBuiltin struct {
	kind          Builtin
	cells, inputs int64
	compute       func(inputs []value) ([3]value, error)
	// results keeps what was computed, by instance: cells are written once, so that it stays true.
	results map[int64][3]value
}

func (*functionBuiltin) check(*memory, address, value) error { return nil }

func (b *functionBuiltin) deduce(m *memory, p address) (value, error) {
	instance, cell := p.off/b.cells, p.off%b.cells
	if cell < b.inputs {
		return value{}, nil
	}
	if r, ok := b.results[instance]; ok {
		return r[cell-b.inputs], nil
	}
	var inputs [8]value
	for i := range b.inputs {
		v := m.peek(address{p.seg, p.off - cell + i})
		if !v.known() {
			return value{}, nil
		}
		if !v.isFelt() {
			return value{}, fmt.Errorf("%v builtin, instance %d: input %d: %w", b.kind, instance, i, errNotFelt)
		}
		inputs[i] = v
	}
	r, err := b.compute(inputs[:b.inputs])
	if err != nil {
		return value{}, fmt.Errorf("%v builtin, instance %d: %w", b.kind, instance, err)
	}
	if b.results == nil {
		b.results = make(map[int64][3]value)
	}
	b.results[instance] = r
	return r[cell-b.inputs], nil
}

// pedersenRule is the Pedersen hash of two field elements on the Stark curve (StarkWare's "Pedersen hash function").
func pedersenRule(in []value) ([3]value, error) {
	x, y := in[0].felt(), in[1].felt()
	return [3]value{feltValue(pedersenhash.Pedersen(&x, &y))}, nil
}

// bitwiseRule is x & y, x ^ y, x | y of numbers below 2^251.
func bitwiseRule(in []value) ([3]value, error) {
	x, y := in[0], in[1]
	const limit = 1 << (251 - 192)
	if x.d&^tagMask >= limit || y.d&^tagMask >= limit {
		return [3]value{}, fmt.Errorf("an input is not below 2^251: %v, %v", x, y)
	}
	return [3]value{
		{x.a & y.a, x.b & y.b, x.c & y.c, x.d & y.d},
		{x.a ^ y.a, x.b ^ y.b, x.c ^ y.c, x.d ^ y.d | tagFelt},
		{x.a | y.a, x.b | y.b, x.c | y.c, x.d | y.d},
	}, nil
}

// ecOpScalarBits is the height of the ladder that the AIR walks.
const ecOpScalarBits = 256

// ecOpRule is P + m Q on the Stark curve y^2 = x^3 + x + beta, by the ladder of the AIR: it fails where the ladder would
// add points with equal x, also where no addition takes place.
func ecOpRule(in []value) ([3]value, error) {
	var p, q starkcurve.G1Affine
	p.X, p.Y, q.X, q.Y = in[0].felt(), in[1].felt(), in[2].felt(), in[3].felt()
	for _, point := range []*starkcurve.G1Affine{&p, &q} {
		if point.IsInfinity() || !point.IsOnCurve() {
			return [3]value{}, fmt.Errorf("the point (%s, %s) is not on the curve", point.X.String(), point.Y.String())
		}
	}
	var sum, doubled starkcurve.G1Jac
	sum.FromAffine(&p)
	doubled.FromAffine(&q)
	m := in[4].limbs()
	for i := range ecOpScalarBits {
		// x = X / Z^2
		var left, right fp.Element
		left.Square(&doubled.Z).Mul(&left, &sum.X)
		right.Square(&sum.Z).Mul(&right, &doubled.X)
		if left.Equal(&right) {
			return [3]value{}, fmt.Errorf("the ladder meets two points with the same x at bit %d", i)
		}
		if m[i/64]>>(i%64)&1 == 1 {
			sum.AddAssign(&doubled)
		}
		doubled.DoubleAssign()
	}
	p.FromJacobian(&sum)
	return [3]value{feltValue(p.X), feltValue(p.Y)}, nil
}

// Parameters of Starknet's Poseidon: Hades over the Cairo field with three words, x^3, 8 full and 83 partial rounds.
const (
	poseidonFullRounds    = 8
	poseidonPartialRounds = 83
	poseidonRounds        = poseidonFullRounds + poseidonPartialRounds
)

// poseidonConstants are the round constants: SHA-256 of "Hades" and a counter, mod P.
var poseidonConstants = sync.OnceValue(func() *[poseidonRounds][3]Felt {
	var out [poseidonRounds][3]Felt
	for i := range poseidonRounds * 3 {
		digest := sha256.Sum256([]byte("Hades" + strconv.Itoa(i)))
		out[i/3][i%3].SetBytes(digest[:])
	}
	return &out
})

func poseidonRule(in []value) ([3]value, error) {
	s := [3]Felt{in[0].felt(), in[1].felt(), in[2].felt()}
	hades(&s)
	return [3]value{feltValue(s[0]), feltValue(s[1]), feltValue(s[2])}, nil
}

// hades permutes three words in place.
func hades(s *[3]Felt) {
	constants := poseidonConstants()
	cube := func(x *Felt) {
		var t Felt
		t.Square(x)
		x.Mul(&t, x)
	}
	for round := range poseidonRounds {
		for i := range s {
			s[i].Add(&s[i], &constants[round][i])
		}
		if round < poseidonFullRounds/2 || round >= poseidonFullRounds/2+poseidonPartialRounds {
			cube(&s[0])
			cube(&s[1])
		}
		cube(&s[2])
		// The matrix (3 1 1, 1 -1 1, 1 1 -2) is a sum of all words plus a multiple of one.
		var sum, t Felt
		sum.Add(&s[0], &s[1]).Add(&sum, &s[2])
		s[0].Double(&s[0]).Add(&s[0], &sum)
		s[1].Double(&s[1])
		s[1].Sub(&sum, &s[1])
		t.Double(&s[2]).Add(&t, &s[2])
		s[2].Sub(&sum, &t)
	}
}
