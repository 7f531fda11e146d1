package vm

import (
	"errors"
	"math/big"
	"testing"
)

// hintBench is a machine in which a hint finds whatever the bytes of a fuzz input say: any cell may be unset, a number of
// any size or an address anywhere, any scope variable may be missing or of another hint's type.
type hintBench struct {
	bytes []byte
	m     machine
}

func (b *hintBench) next() byte {
	if len(b.bytes) == 0 {
		return 0
	}
	x := b.bytes[0]
	b.bytes = b.bytes[1:]
	return x
}

// value draws a cell; unknown now and then.
func (b *hintBench) value() value {
	kind := b.next()
	switch kind % 8 {
	case 0:
		return value{}
	case 1, 2:
		return uintValue(uint64(kind / 8))
	case 3:
		return intValue(-int64(kind / 8))
	case 4:
		n := new(big.Int).Lsh(big.NewInt(1), uint(b.next()))
		return bigValue(n.Add(n, big.NewInt(int64(int8(b.next())))))
	case 5:
		return addressValue(address{executionSegment, 100 + int64(int8(b.next()))})
	case 6:
		return addressValue(address{int32(b.next()%8) - 2, int64(b.next() % 64)})
	default:
		return addressValue(address{int32(int8(b.next())), int64(int8(b.next())) * (maxOffset >> 8)})
	}
}

// variable draws a scope variable of some hint's type.
func (b *hintBench) variable() any {
	tracker := &dictTracker{
		data:   map[value]value{b.value(): b.value(), uintValue(1): uintValue(2)},
		absent: b.value(),
		end:    address{int32(b.next() % 8), int64(b.next() % 64)},
	}
	node := &updateNode{leaf: b.value()}
	switch b.next() % 12 {
	case 0:
		return nil
	case 1:
		return b.value()
	case 2:
		return []value{b.value(), b.value()}
	case 3:
		return map[value]value{b.value(): b.value()}
	case 4:
		return &countdown{uint64(b.next() % 3)}
	case 5:
		return int(b.next() % 4)
	case 6:
		return &usortState{positions: map[value][]uint64{b.value(): {0, 3}}, current: []uint64{2, 9}[:b.next()%3]}
	case 7:
		return &dictManager{trackers: map[int32]*dictTracker{tracker.end.seg: tracker}}
	case 8:
		key := b.value()
		return &squashState{accesses: map[value][]uint64{key: {1, 4}}, keys: []value{key}[:b.next()%2], key: key,
			left: []uint64{4}[:b.next()%2]}
	case 9:
		return treePreimages{b.value(): {b.value(), b.value()}}
	case 10:
		return updateCase([]updateCase{updateLeaf, updateLeft, updateRight, updateBoth}[b.next()%4])
	default:
		parent := &updateNode{left: node, right: &updateNode{leaf: b.value()}}
		if b.next()%2 == 0 {
			parent.left = nil
		}
		return parent
	}
}

var scopeNames = []string{"__dict_manager", "initial_dict", "squash_dict", "usort", "n", "excluded", "auth_path", "node",
	"preimage", "case", "left_child", "right_child", "__find_element_index", "__find_element_max_size", "__usort_max_size",
	"__squash_dict_max_size"}

// usual gives a scope variable the type that its hints give it, most of the time, so that the hints get far.
func (b *hintBench) usual(name string) any {
	if b.next()%4 == 0 {
		return b.variable()
	}
	for range 64 {
		v := b.variable()
		switch name {
		case "__dict_manager":
			if m, ok := v.(*dictManager); ok {
				return m
			}
		case "squash_dict":
			if s, ok := v.(*squashState); ok {
				return s
			}
		case "usort":
			if s, ok := v.(*usortState); ok {
				return s
			}
		case "node", "left_child", "right_child":
			if n, ok := v.(*updateNode); ok {
				return n
			}
		case "preimage":
			if p, ok := v.(treePreimages); ok {
				return p
			}
		default:
			return v
		}
	}
	return nil
}

func newHintBench(program *Program, data []byte) *hintBench {
	b := &hintBench{bytes: data}
	b.m.program, b.m.limit = program, 1
	for range 6 {
		if _, err := b.m.memory.addSegment(); err != nil {
			panic(err)
		}
	}
	b.m.memory.segments[2].builtin = newBuiltinRunner(RangeCheck)
	if _, err := b.m.memory.addTemporary(); err != nil {
		panic(err)
	}
	scope := make(map[string]any)
	for _, name := range scopeNames {
		if b.next()%4 != 0 {
			scope[name] = b.usual(name)
		}
	}
	b.m.scopes = scopeStack{make(map[string]any), scope}
	for off := int64(84); off < 116; off++ {
		if v := b.value(); v.known() {
			if err := b.m.memory.set(address{executionSegment, off}, v); err != nil {
				panic(err)
			}
		}
	}
	for off := range int64(12) {
		if v := b.value(); v.known() {
			if err := b.m.memory.set(address{4, off}, v); err != nil {
				panic(err)
			}
		}
	}
	b.m.input = []value{uintValue(1)}
	return b
}

// FuzzHints0 runs single hints in hostile surroundings: they may fail, and must not panic, nor write outside the bounds.
func FuzzHints0(f *testing.F) {
	var programs []*Program
	for _, name := range hintPrograms {
		program, _ := loadHintProgram(f, name)
		programs = append(programs, program)
	}
	seed := make([]byte, 400)
	state := uint32(1)
	for i := range 600 {
		for j := range seed {
			state = state*1664525 + 1013904223
			seed[j] = byte(state >> 24)
		}
		f.Add(uint8(i%len(programs)), uint16(i/len(programs)), seed)
	}
	f.Fuzz(func(t *testing.T, which uint8, index uint16, data []byte) {
		if len(data) > 4096 {
			return // more bytes than a bench reads
		}
		program := programs[int(which)%len(programs)]
		list := program.hints0[int(index)%len(program.hints0)]
		for i := range list {
			b := newHintBench(program, data)
			b.m.context = hintContext{vm: &b.m, hint: &list[i], pc: address{}, ap: address{executionSegment, 108},
				fp: address{executionSegment, 100}}
			err := list[i].known.run(&b.m.context)
			if b.m.memory.cells > MaxMemoryCells {
				t.Fatalf("%s: %d cells", list[i].known.name, b.m.memory.cells)
			}
			if errors.Is(err, ErrMemory) && b.m.memory.cells == 0 {
				t.Fatalf("%s: %v without a cell", list[i].known.name, err)
			}
		}
	})
}

// TestHostBudget demands that what hints keep is bounded, also when it is made again and again.
func TestHostBudget(t *testing.T) {
	program, _ := loadHintProgram(t, "dicts")
	b := newHintBench(program, nil)
	c := hintContext{vm: &b.m}
	if err := c.charge(maxHintEntries - 1); err != nil {
		t.Fatal(err)
	}
	if err := c.enterScope(nil); err != nil {
		t.Fatal(err)
	}
	if err := c.charge(2); !errors.Is(err, ErrMemory) {
		t.Errorf("got %v; want the memory bound", err)
	}
	if err := c.charge(1); err != nil {
		t.Errorf("the last entry: %v", err)
	}
	if err := c.charge(1 << 63); !errors.Is(err, ErrMemory) {
		t.Errorf("got %v; want the memory bound", err)
	}
}
