package vm

import "fmt"

// Bounds on a run's memory. A cell takes 32 bytes.
const (
	// MaxMemoryCells bounds the cells of all segments together (1 GiB), whatever a program writes where.
	MaxMemoryCells = 1 << 25
	// MaxSegments bounds how many segments, temporary ones included, a run may make.
	MaxSegments = 1 << 20
)

// Segments that every run has.
const (
	programSegment   = 0
	executionSegment = 1
)

// A segment's first cells are one slice that doubles, so that small segments are small; the rest are pages, so that
// growing copies nothing.
const (
	pageBits  = 11
	pageCells = 1 << pageBits
	// MaxSegmentCells bounds a segment's highest offset, written or not.
	MaxSegmentCells = MaxMemoryCells
)

type page [pageCells]value

// segment is a growing array of write-once cells.
type segment struct {
	first []value // the cells below pageCells
	pages []*page // pages[i] is the cells from (i+1) * pageCells on; nil where nothing was written
	top   int64   // one more than the highest written offset
	// builtin is set for a builtin's segment: it checks what is written and deduces what is read.
	builtin builtinRunner
	// size is the finalized size, where the runner fixed one; else the used size counts.
	size  int64
	fixed bool
}

// read is a cell as it is: the zero value if nothing was written.
func (s *segment) read(off int64) value {
	if uint64(off) < uint64(len(s.first)) {
		return s.first[off]
	}
	if i := uint64(off-pageCells) >> pageBits; i < uint64(len(s.pages)) && off >= pageCells {
		if p := s.pages[i]; p != nil {
			return p[off&(pageCells-1)]
		}
	}
	return value{}
}

// chunks visits the written parts in order; the slices may be changed in place.
func (s *segment) chunks(visit func(start int64, cells []value)) {
	visit(0, s.first)
	for i, p := range s.pages {
		if p != nil {
			visit(int64(i+1)*pageCells, p[:])
		}
	}
}

// memory is all segments of a run.
type memory struct {
	segments  []segment
	temporary []segment
	// rules says where each temporary segment lies in the end, by its index; unknown values are segments without a rule.
	rules []value
	ruled bool // there are rules: values read are relocated by them
	cells int64
}

// addSegment makes a new segment and returns its base.
func (m *memory) addSegment() (address, error) {
	if len(m.segments)+len(m.temporary) >= MaxSegments {
		return address{}, fmt.Errorf("%w: more than %d segments", ErrMemory, MaxSegments)
	}
	m.segments = append(m.segments, segment{})
	return address{seg: int32(len(m.segments) - 1)}, nil
}

// addTemporary makes a new temporary segment, whose place a relocation rule gives later.
func (m *memory) addTemporary() (address, error) {
	if len(m.segments)+len(m.temporary) >= MaxSegments {
		return address{}, fmt.Errorf("%w: more than %d segments", ErrMemory, MaxSegments)
	}
	m.temporary = append(m.temporary, segment{})
	m.rules = append(m.rules, value{})
	return address{seg: -int32(len(m.temporary))}, nil
}

// addRule places a temporary segment at dst.
func (m *memory) addRule(src, dst address) error {
	i := -int(src.seg) - 1
	if src.seg >= 0 || i >= len(m.temporary) {
		return fmt.Errorf("a relocation rule is for a temporary segment, not for segment %d", src.seg)
	}
	if src.off != 0 {
		return fmt.Errorf("a relocation rule is for a segment's start, not for offset %d", src.off)
	}
	if m.rules[i].known() {
		return fmt.Errorf("temporary segment %d has a relocation rule already", src.seg)
	}
	// Rules never form a cycle: following them always ends.
	if q, _ := m.place(dst); q.seg == src.seg {
		return fmt.Errorf("temporary segment %d cannot lie in itself", src.seg)
	}
	m.rules[i] = addressValue(dst)
	m.ruled = true
	return nil
}

// at is the segment of an address, nil if there is none.
func (m *memory) at(seg int32) *segment {
	if seg >= 0 {
		if int(seg) < len(m.segments) {
			return &m.segments[seg]
		}
		return nil
	}
	if i := -int(seg) - 1; i < len(m.temporary) {
		return &m.temporary[i]
	}
	return nil
}

// peek reads a cell as it is: the zero value if nothing was written. Of an address in a temporary segment that has a
// rule already, it gives the place the rule says, as the reference runners do.
func (m *memory) peek(p address) value {
	var v value
	if uint32(p.seg) < uint32(len(m.segments)) {
		v = m.segments[p.seg].read(p.off)
	} else if s := m.at(p.seg); s != nil {
		v = s.read(p.off)
	}
	if m.ruled {
		return m.relocated(v)
	}
	return v
}

// relocated is a value after the relocation rules so far.
func (m *memory) relocated(v value) value {
	if v.isAddress() && v.address().seg < 0 {
		p, _ := m.place(v.address())
		return addressValue(p)
	}
	return v
}

// get reads a cell, deduced by its segment's builtin if need be.
func (m *memory) get(p address) (value, error) {
	if v := m.peek(p); v.known() {
		return v, nil
	}
	s := m.at(p.seg)
	if s == nil || s.builtin == nil {
		return value{}, nil
	}
	v, err := s.builtin.deduce(m, p)
	if err != nil || !v.known() {
		return value{}, err
	}
	return v, m.set(p, v)
}

// set writes a cell once; writing the same again is fine.
func (m *memory) set(p address, v value) error {
	s := m.at(p.seg)
	if s == nil {
		return fmt.Errorf("there is no segment %d", p.seg)
	}
	var cell *value
	if i := uint64(p.off-pageCells) >> pageBits; p.off >= pageCells && i < uint64(len(s.pages)) && s.pages[i] != nil {
		cell = &s.pages[i][p.off&(pageCells-1)]
	} else if uint64(p.off) < uint64(len(s.first)) {
		cell = &s.first[p.off]
	} else {
		var err error
		if cell, err = m.grow(s, p.off); err != nil {
			return err
		}
	}
	if cell.known() {
		if *cell == v || m.ruled && m.relocated(*cell) == m.relocated(v) {
			return nil
		}
		return fmt.Errorf("cell %v holds %v and cannot become %v", p, *cell, v)
	}
	*cell = v
	if p.off >= s.top {
		s.top = p.off + 1
	}
	if s.builtin != nil {
		return s.builtin.check(m, p, v)
	}
	return nil
}

// grow makes room for the cell at an offset.
func (m *memory) grow(s *segment, off int64) (*value, error) {
	if off < 0 {
		return nil, errAddressRange
	}
	if off >= MaxSegmentCells {
		return nil, fmt.Errorf("%w: offset %d of a segment; at most %d can be", ErrMemory, off, MaxSegmentCells)
	}
	if off < pageCells {
		want := min(max(off+1, 8, 2*int64(len(s.first))), pageCells)
		if err := m.take(want - int64(len(s.first))); err != nil {
			return nil, err
		}
		first := make([]value, want)
		copy(first, s.first)
		s.first = first
		return &first[off], nil
	}
	if err := m.take(pageCells); err != nil {
		return nil, err
	}
	i := int(off>>pageBits) - 1
	if i >= len(s.pages) {
		s.pages = append(s.pages, make([]*page, i+1-len(s.pages))...)
	}
	s.pages[i] = new(page)
	return &s.pages[i][off&(pageCells-1)], nil
}

// take counts cells that are about to be allocated.
func (m *memory) take(n int64) error {
	if m.cells+n > MaxMemoryCells {
		return fmt.Errorf("%w: more than %d cells", ErrMemory, MaxMemoryCells)
	}
	m.cells += n
	return nil
}

// used is one more than the highest written offset.
func (s *segment) used() int64 { return s.top }

// effectiveSize is the finalized size if there is one, else the used size.
func (s *segment) effectiveSize() int64 {
	if s.fixed {
		return s.size
	}
	return s.used()
}

func (p address) String() string { return fmt.Sprintf("%d:%d", p.seg, p.off) }

func (x value) String() string {
	switch {
	case x.isFelt():
		return x.big().String()
	case x.isAddress():
		return x.address().String()
	}
	return "nothing"
}
