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

// segment is a growing array of write-once cells.
type segment struct {
	cells []value
	// builtin is set for a builtin's segment: it checks what is written and deduces what is read.
	builtin builtinRunner
	// size is the finalized size, where the runner fixed one; else the used size counts.
	size  int64
	fixed bool
}

// memory is all segments of a run.
type memory struct {
	segments  []segment
	temporary []segment
	// rules says where each temporary segment lies in the end, by its index; unknown values are segments without a rule.
	rules []value
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
	m.rules[i] = addressValue(dst)
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

// peek reads a cell as it is: the zero value if nothing was written.
func (m *memory) peek(p address) value {
	s := m.at(p.seg)
	if s == nil || p.off < 0 || p.off >= int64(len(s.cells)) {
		return value{}
	}
	return s.cells[p.off]
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
	if p.off >= int64(len(s.cells)) || p.off < 0 {
		if err := m.grow(s, p.off+1); err != nil {
			return err
		}
	}
	cell := &s.cells[p.off]
	if cell.known() {
		if *cell == v {
			return nil
		}
		return fmt.Errorf("cell %v holds %v and cannot become %v", p, *cell, v)
	}
	*cell = v
	if s.builtin != nil {
		return s.builtin.check(m, p, v)
	}
	return nil
}

// grow makes room for n cells in a segment, and for as many again so that growing is rare.
func (m *memory) grow(s *segment, n int64) error {
	if n <= 0 {
		return errAddressRange
	}
	old := int64(len(s.cells))
	if n <= old {
		return nil
	}
	want := max(n, 8)
	if want < 2*old {
		want = 2 * old
	}
	if m.cells-old+want > MaxMemoryCells {
		want = n // the last growths before the bound are exact
	}
	if m.cells-old+want > MaxMemoryCells {
		return fmt.Errorf("%w: more than %d cells", ErrMemory, MaxMemoryCells)
	}
	cells := make([]value, want)
	copy(cells, s.cells)
	s.cells = cells
	m.cells += want - old
	return nil
}

// used is one more than the highest written offset.
func (s *segment) used() int64 {
	n := len(s.cells)
	for n > 0 && !s.cells[n-1].known() {
		n--
	}
	return int64(n)
}

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
