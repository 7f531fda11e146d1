package vm

import "fmt"

// place is where an address lies after the relocation rules; false if that is still in a temporary segment. Rules may
// lead from one temporary segment to another; what is followed is shortened, so that long chains are walked once.
func (m *memory) place(p address) (address, bool) {
	q, hops := p, 0
	for ; q.seg < 0; hops++ {
		next, ok := m.follow(q)
		if !ok {
			break
		}
		q = next
	}
	for ; hops > 1; hops-- {
		next, _ := m.follow(p)
		m.rules[-int(p.seg)-1] = addressValue(address{q.seg, q.off - p.off})
		p = next
	}
	return q, q.seg >= 0
}

// follow applies the rule of one temporary segment.
func (m *memory) follow(p address) (address, bool) {
	i := -int(p.seg) - 1
	if i >= len(m.rules) || !m.rules[i].known() {
		return p, false
	}
	return m.rules[i].address().addOffset(p.off)
}

// placeTemporary moves the temporary segments where their rules say, first in the values, then in the addresses.
func (m *memory) placeTemporary() error {
	if len(m.temporary) == 0 {
		return nil
	}
	move := func(_ int64, cells []value) {
		for i := range cells {
			if cells[i].isAddress() {
				if q, ok := m.place(cells[i].address()); ok {
					cells[i] = addressValue(q)
				}
			}
		}
	}
	for i := range m.segments {
		m.segments[i].chunks(move)
	}
	for i := range m.temporary {
		m.temporary[i].chunks(move)
	}
	for i := range m.temporary {
		base, ok := m.place(address{seg: -int32(i) - 1})
		if !ok {
			continue // nothing may refer to it; the final relocation of values sees to that
		}
		var failed error
		m.temporary[i].chunks(func(start int64, cells []value) {
			for j, v := range cells {
				if !v.known() || failed != nil {
					continue
				}
				p, ok := base.addOffset(start + int64(j))
				if !ok {
					failed = errAddressRange
				} else if err := m.set(p, v); err != nil {
					failed = fmt.Errorf("a temporary segment does not fit where its relocation rule puts it: %w", err)
				}
			}
		})
		if failed != nil {
			return failed
		}
	}
	return nil
}

// bases is the relocated address of each segment's start; the last entry is the end of memory.
func (m *memory) bases() ([]int64, error) {
	bases := make([]int64, len(m.segments)+1)
	at := int64(1)
	for i := range m.segments {
		s := &m.segments[i]
		size := s.effectiveSize()
		if s.fixed && s.used() > size {
			return nil, fmt.Errorf("segment %d has %d cells, but room for %d", i, s.used(), size)
		}
		bases[i] = at
		at += size
		if at > MaxRelocatedCells {
			return nil, fmt.Errorf("%w: the relocated memory has more than %d addresses", ErrMemory, MaxRelocatedCells)
		}
	}
	bases[len(m.segments)] = at
	return bases, nil
}

// MaxRelocatedCells bounds the addresses of the relocated memory, holes included.
const MaxRelocatedCells = 1 << 26

// relocateValue turns an address into a number.
func relocateValue(v value, bases []int64) (value, error) {
	if !v.isAddress() {
		return v, nil
	}
	p := v.address()
	if p.seg < 0 || int(p.seg) >= len(bases)-1 {
		return value{}, fmt.Errorf("an address in segment %d is left at the end of the run, which has no place", p.seg)
	}
	return uintValue(uint64(bases[p.seg] + p.off)), nil
}
