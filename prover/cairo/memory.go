package cairo

import (
	"encoding/binary"
	"fmt"

	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier/cairo"
)

// limbs is a felt below P, four words from the lowest on.
type limbs [4]uint64

func (l *limbs) isSmall() bool { return l[1]|l[2]|l[3] == 0 }

func (l *limbs) bytes() (out [cairo.FeltBytes]byte) {
	for i, w := range l {
		binary.LittleEndian.PutUint64(out[8*i:], w)
	}
	return out
}

// noID marks a cell without a value.
const noID = ^uint32(0)

// memory is the run's memory as the tables hold it: an id for each address, a value for each id. Equal values share an id.
type memory struct {
	ids []uint32 // by address; noID where there is no value
	// uses and byteUses count, by address, the reads of limbs and of bytes: each uses the address's id and one form of its value.
	uses, byteUses []uint32
	small          []uint64
	big            []limbs

	smallIndex []uint32 // open addressing: index into small plus one
	bigIndex   []uint32
}

// newMemory numbers the values of a VM's memory. top is one more than the highest address that any table reads.
func newMemory(m *vm.Memory, top int) *memory {
	n := max(m.Len(), top, 1)
	out := &memory{ids: make([]uint32, n), uses: make([]uint32, n), byteUses: make([]uint32, n),
		smallIndex: make([]uint32, 1<<12), bigIndex: make([]uint32, 1<<12)}
	for a := range out.ids {
		out.ids[a] = noID
		if v, known := m.Limbs(uint32(a)); known {
			out.ids[a] = out.number(limbs(v))
		}
	}
	return out
}

// mix is a hash of a word; the constants are those of the finalizer of MurmurHash3.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

func (l *limbs) hash() uint64 { return mix(mix(mix(l[0])+l[1])+l[2]) + mix(l[3]) }

// number returns the id of a value, a new one for a new value.
func (m *memory) number(v limbs) uint32 {
	if v.isSmall() {
		if 2*len(m.small) >= len(m.smallIndex) {
			m.smallIndex = grow(m.smallIndex, len(m.small), func(i int) uint64 { return mix(m.small[i]) })
		}
		mask := uint64(len(m.smallIndex) - 1)
		for at := mix(v[0]) & mask; ; at = (at + 1) & mask {
			switch i := m.smallIndex[at]; {
			case i == 0:
				m.small = append(m.small, v[0])
				m.smallIndex[at] = uint32(len(m.small))
				return cairo.SmallID(len(m.small) - 1)
			case m.small[i-1] == v[0]:
				return cairo.SmallID(int(i - 1))
			}
		}
	}
	if 2*len(m.big) >= len(m.bigIndex) {
		m.bigIndex = grow(m.bigIndex, len(m.big), func(i int) uint64 { return m.big[i].hash() })
	}
	mask := uint64(len(m.bigIndex) - 1)
	for at := v.hash() & mask; ; at = (at + 1) & mask {
		switch i := m.bigIndex[at]; {
		case i == 0:
			m.big = append(m.big, v)
			m.bigIndex[at] = uint32(len(m.big))
			return cairo.BigID(len(m.big) - 1)
		case m.big[i-1] == v:
			return cairo.BigID(int(i - 1))
		}
	}
}

// grow makes an index of n entries twice as large.
func grow(index []uint32, n int, hash func(int) uint64) []uint32 {
	out := make([]uint32, 2*len(index))
	mask := uint64(len(out) - 1)
	for i := range n {
		at := hash(i) & mask
		for out[at] != 0 {
			at = (at + 1) & mask
		}
		out[at] = uint32(i + 1)
	}
	return out
}

// value is the value of an id that number returned.
func (m *memory) value(id uint32) limbs {
	if first := cairo.BigID(0); id >= first {
		return m.big[id-first]
	}
	return limbs{m.small[id]}
}

// id is the id at an address.
func (m *memory) id(address int64) (uint32, error) {
	if address <= 0 || address >= int64(len(m.ids)) || m.ids[address] == noID {
		return 0, fmt.Errorf("%w: the cell at address %d has no value", ErrRun, address)
	}
	return m.ids[address], nil
}

// read is id, counted as a read of limbs.
func (m *memory) read(address int64) (uint32, error) {
	id, err := m.id(address)
	if err == nil {
		m.uses[address]++
	}
	return id, err
}

// readBytes is id, counted as a read of bytes.
func (m *memory) readBytes(address int64) (uint32, error) {
	id, err := m.id(address)
	if err == nil {
		m.byteUses[address]++
	}
	return id, err
}

// fill gives a cell a value if it has none.
func (m *memory) fill(address int64, v limbs) {
	if m.ids[address] == noID {
		m.ids[address] = m.number(v)
	}
}
