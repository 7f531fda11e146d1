package vm

import (
	"fmt"
	"math/big"
)

// The modular builtins. An instance has seven cells: p in four words of 96 bits, a pointer to a table of values, a
// pointer to a table of offsets, and n, how many operations remain; operation i is a op b = c mod p with a, b, c at the
// offsets 3i, 3i+1, 3i+2 into the values, each of four words. Hints fill the tables; the end of a run checks them.
const (
	modWords      = 4
	modWordBits   = 96
	modValuesPtr  = 4
	modOffsetsPtr = 5
	modN          = 6
	// zeroCells is the size of the shared segment of zeros that empty instances point to.
	zeroCells = 4
	// maxModFill bounds the operations that one hint fills.
	maxModFill = 100_000
)

type modInputs struct {
	p               *big.Int
	words           [modWords]value
	values, offsets address
	n               uint64
}

// readModWords reads a value of four words; nil if a word is missing.
func readModWords(m *memory, p address) (*big.Int, error) {
	n := new(big.Int)
	for i := int64(modWords - 1); i >= 0; i-- {
		v := m.peek(address{p.seg, p.off + i})
		if !v.known() {
			return nil, nil
		}
		if err := (rangeCheck{bits: modWordBits}).check(m, address{p.seg, p.off + i}, v); err != nil {
			return nil, err
		}
		n.Lsh(n, modWordBits).Or(n, v.big())
	}
	return n, nil
}

func writeModWords(m *memory, p address, n *big.Int) error {
	if n.Sign() < 0 || n.BitLen() > modWords*modWordBits {
		return fmt.Errorf("a modular result does not fit four words of %d bits", modWordBits)
	}
	mask := new(big.Int).Lsh(big.NewInt(1), modWordBits)
	mask.Sub(mask, big.NewInt(1))
	rest := new(big.Int).Set(n)
	for i := range int64(modWords) {
		word := new(big.Int).And(rest, mask)
		if err := m.set(address{p.seg, p.off + i}, bigValue(word)); err != nil {
			return err
		}
		rest.Rsh(rest, modWordBits)
	}
	return nil
}

func readModInputs(m *memory, p address) (modInputs, error) {
	var in modInputs
	values, offsets := m.peek(address{p.seg, p.off + modValuesPtr}), m.peek(address{p.seg, p.off + modOffsetsPtr})
	n, ok := m.peek(address{p.seg, p.off + modN}).small()
	if !values.isAddress() || !offsets.isAddress() || !ok || n < 1 {
		return in, fmt.Errorf("modular builtin at %v: its pointers or its n are missing or wrong", p)
	}
	in.values, in.offsets, in.n = values.address(), offsets.address(), n
	for i := range int64(modWords) {
		in.words[i] = m.peek(address{p.seg, p.off + i})
	}
	var err error
	if in.p, err = readModWords(m, p); err != nil {
		return in, err
	}
	if in.p == nil || in.p.Sign() == 0 {
		return in, fmt.Errorf("modular builtin at %v: the modulus is missing or zero", p)
	}
	return in, nil
}

// modOperand is the place of operand i of an operation.
func modOperand(m *memory, in *modInputs, operation uint64, i int64) (address, error) {
	at := address{in.offsets.seg, in.offsets.off + 3*int64(operation) + i}
	offset, ok := m.peek(at).signed()
	if !ok {
		return address{}, fmt.Errorf("modular builtin: there is no offset at %v", at)
	}
	p, ok := in.values.addOffset(offset)
	if !ok {
		return address{}, errAddressRange
	}
	return p, nil
}

// modBuiltin is the arithmetic of one of the two.
type modBuiltin struct {
	kind Builtin
}

// bound is the largest quotient, plus one, that the AIR of the builtin takes.
func (b modBuiltin) bound() *big.Int {
	if b.kind == AddMod {
		return big.NewInt(2)
	}
	return new(big.Int).Lsh(big.NewInt(1), modWords*modWordBits)
}

func (b modBuiltin) apply(x, y, p *big.Int) *big.Int {
	r := new(big.Int)
	if b.kind == AddMod {
		r.Add(x, y)
	} else {
		r.Mul(x, y)
	}
	k := b.bound()
	if r.Cmp(new(big.Int).Mul(k, p)) < 0 {
		return r.Mod(r, p)
	}
	// The quotient is bounded, so that the result of unreduced operands may be p or more.
	return r.Sub(r, k.Sub(k, big.NewInt(1)).Mul(k, p))
}

// solve finds y with x op y = r mod p.
func (b modBuiltin) solve(x, r, p *big.Int) (*big.Int, error) {
	y := new(big.Int)
	if b.kind == AddMod {
		if x.Cmp(r) <= 0 {
			return y.Sub(r, x), nil
		}
		return y.Add(r, p).Sub(y, x), nil
	}
	inverse := y.ModInverse(x, p)
	if inverse == nil {
		return nil, fmt.Errorf("%v has no inverse mod %v", x, p)
	}
	return y.Mul(inverse, r).Mod(y, p), nil
}

// fill completes operation i where one operand is missing; false if more are.
func (b modBuiltin) fill(m *memory, in *modInputs, i uint64) (bool, error) {
	var at [3]address
	var v [3]*big.Int
	missing, where := 0, 0
	for j := range 3 {
		var err error
		if at[j], err = modOperand(m, in, i, int64(j)); err != nil {
			return false, err
		}
		if v[j], err = readModWords(m, at[j]); err != nil {
			return false, err
		}
		if v[j] == nil {
			missing, where = missing+1, j
		}
	}
	var r *big.Int
	var err error
	switch {
	case missing == 0:
		return true, nil
	case missing > 1:
		return false, nil
	case where == 2:
		r = b.apply(v[0], v[1], in.p)
	default:
		if r, err = b.solve(v[1-where], v[2], in.p); err != nil {
			return false, err
		}
	}
	return true, writeModWords(m, at[where], r)
}

// modRun is what a hint asks to be filled of one builtin: n operations from the instance at p on.
type modRun struct {
	p address
	n uint64
}

// fillModMemory completes the instances and the values of add_mod and mul_mod, each nil if it is not used.
func fillModMemory(m *memory, runs [2]*modRun) error {
	builtins := [2]modBuiltin{{AddMod}, {MulMod}}
	var in [2]modInputs
	var n, done [2]uint64
	for i, run := range runs {
		if run == nil || run.n == 0 {
			continue
		}
		var err error
		if in[i], err = readModInputs(m, run.p); err != nil {
			return err
		}
		if in[i].n > maxModFill || run.n > maxModFill {
			return fmt.Errorf("%v builtin: %d operations in one circuit; at most %d can be", builtins[i].kind, in[i].n,
				maxModFill)
		}
		if err := fillModInstances(m, run.p, &in[i]); err != nil {
			return err
		}
		if err := fillModOffsets(m, &in[i], run.n); err != nil {
			return err
		}
		n[i] = run.n
	}
	for done[0] < n[0] || done[1] < n[1] {
		progress := false
		for i := range runs {
			if done[i] < n[i] && !progress {
				filled, err := builtins[i].fill(m, &in[i], done[i])
				if err != nil {
					return err
				}
				if filled {
					done[i]++
					progress = true
				}
			}
		}
		if !progress {
			return fmt.Errorf("the circuit cannot be filled: add_mod stops at %d, mul_mod at %d", done[0], done[1])
		}
	}
	return nil
}

// fillModInstances writes the instances after the first: same p and values, the next offsets, one operation less each.
func fillModInstances(m *memory, p address, in *modInputs) error {
	for i := int64(1); i < int64(in.n); i++ {
		base := address{p.seg, p.off + i*builtinCells[AddMod]}
		cells := append(in.words[:len(in.words):len(in.words)], addressValue(in.values),
			addressValue(address{in.offsets.seg, in.offsets.off + 3*i}), uintValue(in.n-uint64(i)))
		for j, v := range cells {
			if err := m.set(address{base.seg, base.off + int64(j)}, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// fillModOffsets repeats the first operation after operation n, up to the number of instances.
func fillModOffsets(m *memory, in *modInputs, n uint64) error {
	for i := n; i < in.n; i++ {
		for j := range int64(3) {
			v := m.peek(address{in.offsets.seg, in.offsets.off + j})
			if !v.known() {
				return fmt.Errorf("modular builtin: %w", errUnknownCell)
			}
			if err := m.set(address{in.offsets.seg, in.offsets.off + 3*int64(i) + j}, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// verify checks all instances of a builtin's segment at the end of a run.
func (b modBuiltin) verify(m *memory, base address) error {
	cells := m.at(base.seg).used()
	var before modInputs
	for off := int64(0); off < cells; off += builtinCells[b.kind] {
		in, err := readModInputs(m, address{base.seg, off})
		if err != nil {
			return err
		}
		if before.n > 1 && (in.n != before.n-1 || in.p.Cmp(before.p) != 0 || in.values != before.values ||
			in.offsets != (address{before.offsets.seg, before.offsets.off + 3})) {
			return fmt.Errorf("%v builtin at %d does not go on from the instance before", b.kind, off)
		}
		var v [3]*big.Int
		for i := range v {
			at, err := modOperand(m, &in, 0, int64(i))
			if err != nil {
				return err
			}
			if v[i], err = readModWords(m, at); err != nil {
				return err
			}
			if v[i] == nil {
				return fmt.Errorf("%v builtin at %d: operand %d at %v: %w", b.kind, off, i, at, errUnknownCell)
			}
		}
		r := b.apply(v[0], v[1], in.p)
		if r.Sub(r, v[2]).Mod(r, in.p).Sign() != 0 {
			return fmt.Errorf("%v builtin at %d: the operation does not hold", b.kind, off)
		}
		before = in
	}
	if before.n > 1 {
		return fmt.Errorf("%v builtin: %d operations are missing at the end", b.kind, before.n-1)
	}
	return nil
}
