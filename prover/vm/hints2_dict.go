package vm

import (
	"errors"
	"fmt"
	"math/big"
	"slices"
)

// coreDict is the present contents of a Cairo 2 dictionary, which the program knows only as a list of accesses.
type coreDict struct {
	data  map[value]value
	index uint64 // in the list of dictionaries
}

// coreAccessCells is the cells of one access: key, previous value, new value.
const coreAccessCells = 3

var errNoDict = errors.New("the pointer is not into a dictionary's segment")

func (c *coreContext) dict(p address) (*coreDict, error) {
	d, ok := c.m.core.dicts[p.seg]
	if !ok {
		return nil, errNoDict
	}
	return d, nil
}

// coreAllocDict makes a dictionary. The first one's segment is real, later ones are temporary: the squashing code joins
// them to the first, one after the other.
func coreAllocDict(c *coreContext) error {
	arena, err := c.pointer(0)
	if err != nil {
		return err
	}
	n, err := c.read(address{arena.seg, arena.off - 2})
	if err != nil {
		return err
	}
	infos, err := c.read(address{arena.seg, arena.off - 3})
	if err != nil {
		return err
	}
	count, ok := n.small()
	if !ok || count > MaxSegments || !infos.isAddress() {
		return fmt.Errorf("the segment arena has %v dictionaries in the list %v", n, infos)
	}
	s := &c.m.core
	var base address
	if len(s.dicts) == 0 {
		base, err = c.m.memory.addSegment()
	} else {
		base, err = c.m.memory.addTemporary()
	}
	if err != nil {
		return err
	}
	if s.dicts == nil {
		s.dicts = make(map[int32]*coreDict)
	}
	s.dicts[base.seg] = &coreDict{data: make(map[value]value), index: uint64(len(s.dicts))}
	p, ok := infos.address().addOffset(coreAccessCells * int64(count))
	if !ok {
		return errAddressRange
	}
	return c.m.memory.set(p, addressValue(base))
}

// previous is a key's value, 0 if it has none.
func (d *coreDict) previous(key value) value {
	if v, ok := d.data[key]; ok {
		return v
	}
	return uintValue(0)
}

func coreDictEntryInit(c *coreContext) error {
	p, err := c.pointer(0)
	if err != nil {
		return err
	}
	key, err := c.number(1)
	if err != nil {
		return err
	}
	d, err := c.dict(p)
	if err != nil {
		return err
	}
	return c.m.memory.set(address{p.seg, p.off + 1}, d.previous(key))
}

// coreDictEntryUpdate sets the value of the entry whose access ends at the pointer.
func coreDictEntryUpdate(c *coreContext) error {
	p, err := c.pointer(0)
	if err != nil {
		return err
	}
	key, err := c.read(address{p.seg, p.off - coreAccessCells})
	if err != nil {
		return err
	}
	v, err := c.value(1)
	if err != nil {
		return err
	}
	d, err := c.dict(p)
	if err != nil {
		return err
	}
	if !key.isFelt() {
		return errNotFelt
	}
	d.data[key] = v
	return nil
}

func coreDictRead(c *coreContext) error {
	p, err := c.pointer(0)
	if err != nil {
		return err
	}
	key, err := c.number(1)
	if err != nil {
		return err
	}
	d, err := c.dict(p)
	if err != nil {
		return err
	}
	return c.set(0, d.previous(key))
}

func coreDictWrite(c *coreContext) error {
	p, err := c.pointer(0)
	if err != nil {
		return err
	}
	key, err := c.number(1)
	if err != nil {
		return err
	}
	v, err := c.value(2)
	if err != nil {
		return err
	}
	d, err := c.dict(p)
	if err != nil {
		return err
	}
	if err := c.m.memory.set(address{p.seg, p.off + 1}, d.previous(key)); err != nil {
		return err
	}
	d.data[key] = v
	return nil
}

func coreArenaIndex(c *coreContext) error {
	p, err := c.pointer(0)
	if err != nil {
		return err
	}
	d, err := c.dict(p)
	if err != nil {
		return err
	}
	return c.set(0, uintValue(d.index))
}

// coreSquash is the accesses that squashing still has to go through.
type coreSquash struct {
	accesses map[value][]uint64 // of each key, the last to be handled first
	keys     []value            // the smallest, which is the next one, last
}

var errNoSquash = errors.New("no dictionary is being squashed, or all its accesses are used up")

func coreInitSquash(c *coreContext) error {
	base, err := c.pointer(0)
	if err != nil {
		return err
	}
	n, err := c.count(2)
	if err != nil {
		return err
	}
	if n == 0 {
		return errors.New("a dictionary without accesses is squashed")
	}
	s := &coreSquash{accesses: make(map[value][]uint64)}
	for i := range n {
		key, err := c.read(address{base.seg, base.off + coreAccessCells*int64(i)})
		if err != nil {
			return err
		}
		if !key.isFelt() {
			return errNotFelt
		}
		if s.accesses[key] == nil {
			s.keys = append(s.keys, key)
		}
		s.accesses[key] = append(s.accesses[key], i)
	}
	for _, indices := range s.accesses {
		slices.Reverse(indices)
	}
	slices.SortFunc(s.keys, func(a, b value) int {
		switch {
		case b.less(a):
			return -1
		case a.less(b):
			return 1
		}
		return 0
	})
	c.m.core.squash = s
	return c.setAll(boolValue(!s.keys[0].fits128()), s.keys[len(s.keys)-1])
}

// current is the accesses of the present key that are left.
func (c *coreContext) current() ([]uint64, error) {
	s := c.m.core.squash
	if s == nil || len(s.keys) == 0 {
		return nil, errNoSquash
	}
	indices := s.accesses[s.keys[len(s.keys)-1]]
	if len(indices) == 0 {
		return nil, errNoSquash
	}
	return indices, nil
}

func coreAccessIndex(c *coreContext) error {
	p, err := c.pointer(0)
	if err != nil {
		return err
	}
	indices, err := c.current()
	if err != nil {
		return err
	}
	return c.m.memory.set(p, uintValue(indices[len(indices)-1]))
}

func coreSkipSquash(c *coreContext) error {
	indices, err := c.current()
	if err != nil {
		return err
	}
	return c.set(0, boolValue(len(indices) <= 1))
}

func coreContinueSquash(c *coreContext) error {
	indices, err := c.current()
	if err != nil {
		return err
	}
	return c.set(0, boolValue(len(indices) > 1))
}

func coreAccessDelta(c *coreContext) error {
	indices, err := c.current()
	if err != nil {
		return err
	}
	if len(indices) < 2 {
		return errNoSquash
	}
	s := c.m.core.squash
	before, next := indices[len(indices)-1], indices[len(indices)-2]
	s.accesses[s.keys[len(s.keys)-1]] = indices[:len(indices)-1]
	return c.set(0, uintValue(next-before-1))
}

func coreNextKey(c *coreContext) error {
	indices, err := c.current()
	if err != nil {
		return err
	}
	s := c.m.core.squash
	if len(indices) != 1 || len(s.keys) < 2 {
		return errNoSquash
	}
	delete(s.accesses, s.keys[len(s.keys)-1])
	s.keys = s.keys[:len(s.keys)-1]
	return c.set(0, s.keys[len(s.keys)-1])
}

// coreCircuit is a modular circuit whose values are being filled.
type coreCircuit struct {
	m                      *memory
	values                 address
	addOffsets, mulOffsets address
	modulus                *big.Int
}

// operand is the place and the value, nil if there is none, of an operand of a gate.
func (c *coreCircuit) operand(offsets address, i uint64) (address, *big.Int, error) {
	in := modInputs{values: c.values, offsets: offsets}
	p, err := modOperand(c.m, &in, i/3, int64(i%3))
	if err != nil {
		return p, nil, err
	}
	v, err := readModWords(c.m, p)
	return p, v, err
}

// addGate fills a + b = c where b and one of the others are known; false if they are not.
func (c *coreCircuit) addGate(i uint64) (bool, error) {
	var at [3]address
	var v [3]*big.Int
	for j := range at {
		var err error
		if at[j], v[j], err = c.operand(c.addOffsets, 3*i+uint64(j)); err != nil {
			return false, err
		}
	}
	r := new(big.Int)
	switch {
	case v[0] != nil && v[1] != nil:
		return true, writeModWords(c.m, at[2], r.Add(v[0], v[1]).Mod(r, c.modulus))
	case v[0] == nil && v[1] != nil && v[2] != nil:
		return true, writeModWords(c.m, at[0], r.Sub(v[2], v[1]).Mod(r, c.modulus))
	}
	return false, nil
}

// mulGate fills a * b = c: the product, or the inverse of b; false if b has none, where it fills in a number whose
// product with b is zero.
func (c *coreCircuit) mulGate(i uint64) (bool, error) {
	var at [3]address
	var v [3]*big.Int
	for j := range at {
		var err error
		if at[j], v[j], err = c.operand(c.mulOffsets, 3*i+uint64(j)); err != nil {
			return false, err
		}
	}
	r := new(big.Int)
	switch {
	case v[1] == nil:
		return false, errors.New("a multiplication gate has no input")
	case v[0] != nil:
		return true, writeModWords(c.m, at[2], r.Mul(v[0], v[1]).Mod(r, c.modulus))
	}
	if g := new(big.Int).GCD(nil, nil, v[1], c.modulus); g.Cmp(big.NewInt(1)) != 0 {
		return false, writeModWords(c.m, at[0], r.Div(c.modulus, g))
	}
	return true, writeModWords(c.m, at[0], r.ModInverse(v[1], c.modulus))
}

// coreEvalCircuit fills the values of a circuit and the builtins' instances for its gates, up to the first inverse that
// does not exist.
func coreEvalCircuit(c *coreContext) error {
	adds, err := c.count(0)
	if err != nil {
		return err
	}
	muls, err := c.count(2)
	if err != nil {
		return err
	}
	if adds > maxModFill || muls > maxModFill {
		return fmt.Errorf("%d + %d gates in one circuit; at most %d can be of each kind", adds, muls, maxModFill)
	}
	addAt, err := c.pointer(1)
	if err != nil {
		return err
	}
	mulAt, err := c.pointer(3)
	if err != nil {
		return err
	}
	m := &c.m.memory
	field := func(p address, offset int64) (address, error) {
		v, err := c.read(address{p.seg, p.off + offset})
		if err == nil && !v.isAddress() {
			err = errNotAddress
		}
		return v.address(), err
	}
	circuit := coreCircuit{m: m}
	if circuit.values, err = field(mulAt, modValuesPtr); err != nil {
		return err
	}
	if circuit.mulOffsets, err = field(mulAt, modOffsetsPtr); err != nil {
		return err
	}
	if adds > 0 {
		if circuit.addOffsets, err = field(addAt, modOffsetsPtr); err != nil {
			return err
		}
	}
	if circuit.modulus, err = readModWords(m, mulAt); err != nil {
		return err
	}
	if circuit.modulus == nil || circuit.modulus.Sign() == 0 {
		return errors.New("the circuit's modulus is missing or zero")
	}
	computed, err := circuit.fill(adds, muls)
	if err != nil {
		return err
	}
	var words [modWords]value
	for i := range words {
		words[i] = m.peek(address{mulAt.seg, mulAt.off + int64(i)})
	}
	if err := circuit.instances(addAt, adds, words, circuit.addOffsets); err != nil {
		return err
	}
	return circuit.instances(mulAt, computed, words, circuit.mulOffsets)
}

// fill evaluates the gates, additions as soon as they can be, and returns how many multiplications there are before the
// first that failed.
func (c *coreCircuit) fill(adds, muls uint64) (uint64, error) {
	computed := muls
	var add uint64
	for mul := uint64(0); ; mul++ {
		for add < adds {
			ok, err := c.addGate(add)
			if err != nil {
				return 0, err
			}
			if !ok {
				break
			}
			add++
		}
		if mul == muls {
			return computed, nil
		}
		ok, err := c.mulGate(mul)
		if err != nil {
			return 0, err
		}
		if !ok && computed == muls {
			computed = mul
		}
	}
}

// instances writes n instances of a modular builtin.
func (c *coreCircuit) instances(p address, n uint64, words [modWords]value, offsets address) error {
	if n == 0 {
		return nil
	}
	in := modInputs{words: words, values: c.values, offsets: offsets, n: n}
	first := append(words[:], addressValue(c.values), addressValue(offsets), uintValue(n))
	for i, v := range first {
		if err := c.m.set(address{p.seg, p.off + int64(i)}, v); err != nil {
			return err
		}
	}
	return fillModInstances(c.m, p, &in)
}
