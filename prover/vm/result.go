package vm

import "fmt"

// SegmentInfo is a segment of the relocated memory.
type SegmentInfo struct {
	Name  string // program, execution or a builtin's name
	Begin uint32 // its first address
	// Stop is where its used part ends: a builtin's stop pointer, the program's end, the final ap.
	Stop uint32
	Size uint32 // its addresses, up to the next segment
}

// PublicCell is a memory cell that a verifier sees.
type PublicCell struct {
	Address uint32
	Value   Felt
	Page    int
}

// Memory is a relocated memory. Addresses begin at 1.
type Memory struct {
	cells []value // by address
}

// Len is one more than the highest address that has a value.
func (m *Memory) Len() int { return len(m.cells) }

// Get reads a cell; false if it has no value.
func (m *Memory) Get(addr uint32) (Felt, bool) {
	if int64(addr) >= int64(len(m.cells)) || !m.cells[addr].known() {
		return Felt{}, false
	}
	return m.cells[addr].felt(), true
}

// Limbs reads a cell in regular form, four 64-bit limbs from the lowest on; false if it has no value. It is faster than
// Get, since the VM keeps its cells that way.
func (m *Memory) Limbs(addr uint32) ([4]uint64, bool) {
	if int64(addr) >= int64(len(m.cells)) || !m.cells[addr].known() {
		return [4]uint64{}, false
	}
	return m.cells[addr].limbs(), true
}

// Result is a run.
type Result struct {
	Program *Program
	Config  Config
	Steps   uint64
	// Output is the cells of the output segment.
	Output []Felt
	// BuiltinInstances counts the used instances of the program's builtins, by their names.
	BuiltinInstances map[string]int
	// Opening is the machine's new state that it handed on; nil if it handed none on.
	Opening []Felt

	Trace        []TraceRow
	Memory       Memory
	Segments     []SegmentInfo // program, execution, then the builtins of the run in canonical order
	PublicMemory []PublicCell  // program, initial stack, final builtin pointers, output; nil without proof mode

	InitialPC, InitialAP, InitialFP uint32
	FinalPC, FinalAP, FinalFP       uint32
	// RangeCheckMin and RangeCheckMax bound the 16-bit values in offsets and range checks.
	RangeCheckMin, RangeCheckMax uint16
}

// Segment finds a segment by its name.
func (r *Result) Segment(name string) (SegmentInfo, bool) {
	for _, s := range r.Segments {
		if s.Name == name {
			return s, true
		}
	}
	return SegmentInfo{}, false
}

// result relocates everything.
func (r *runner) result() (*Result, error) {
	m := &r.machine
	out := &Result{Program: m.program, Config: r.config, Steps: m.steps, BuiltinInstances: make(map[string]int)}
	out.RangeCheckMin, out.RangeCheckMax = r.rangeCheckLimits()
	bases, err := m.memory.bases()
	if err != nil {
		return nil, fmt.Errorf("vm: %w", err)
	}
	for _, b := range m.builtins {
		used := m.memory.segments[b.base.seg].used()
		if b.included {
			out.BuiltinInstances[b.kind.String()] = int(ceilDiv(used, builtinCells[b.kind]))
		}
	}
	if err := r.relocateMemory(out, bases); err != nil {
		return nil, fmt.Errorf("vm: %w", err)
	}
	if err := r.relocateRegisters(out, bases); err != nil {
		return nil, fmt.Errorf("vm: %w", err)
	}
	r.describeSegments(out, bases)
	for _, v := range m.opening {
		out.Opening = append(out.Opening, v.felt())
	}
	if m.opening != nil && out.Opening == nil {
		out.Opening = []Felt{}
	}
	return out, r.readPublic(out, bases)
}

func (r *runner) relocateMemory(out *Result, bases []int64) error {
	m := &r.machine
	length := int64(0)
	for i := len(m.memory.segments) - 1; i >= 0 && length == 0; i-- {
		if used := m.memory.segments[i].used(); used > 0 {
			length = bases[i] + used
		}
	}
	cells := make([]value, length)
	for i := range m.memory.segments {
		s := &m.memory.segments[i]
		base := bases[i]
		var failed error
		s.chunks(func(start int64, from []value) {
			for j, v := range from {
				if !v.known() {
					continue
				}
				if v.isAddress() {
					var err error
					if v, err = relocateValue(v, bases); err != nil {
						failed = err
						return
					}
				}
				cells[base+start+int64(j)] = v
			}
		})
		if failed != nil {
			return failed
		}
	}
	out.Memory = Memory{cells: cells}
	return nil
}

func (r *runner) relocateRegisters(out *Result, bases []int64) error {
	m := &r.machine
	base := func(p address) (int64, error) {
		q := p
		if p.seg < 0 {
			q, _ = m.memory.place(p)
		}
		v, err := relocateValue(addressValue(q), bases)
		return int64(v.a), err
	}
	program, execution := bases[programSegment], bases[executionSegment]
	out.Trace = make([]TraceRow, 0, m.trace.rows)
	for t, at := range m.trace.all() {
		row := TraceRow{AP: uint32(execution + int64(t.AP)), FP: uint32(execution + int64(t.FP)),
			PC: uint32(program + int64(t.PC))}
		if at.pc.seg != programSegment || at.fp.seg != executionSegment {
			pc, err := base(at.pc)
			if err != nil {
				return err
			}
			fp, err := base(at.fp)
			if err != nil {
				return err
			}
			row.PC, row.FP = uint32(pc), uint32(fp)
		}
		out.Trace = append(out.Trace, row)
	}
	m.trace = traceLog{}
	pc, err := base(m.pc)
	if err != nil {
		return err
	}
	fp, err := base(m.fp)
	if err != nil {
		return err
	}
	out.InitialPC, out.InitialAP = uint32(program+r.initialPC), uint32(execution+r.initialAP)
	out.InitialFP = out.InitialAP
	out.FinalPC, out.FinalAP, out.FinalFP = uint32(pc), uint32(execution+m.ap), uint32(fp)
	return nil
}

func (r *runner) describeSegments(out *Result, bases []int64) {
	add := func(name string, seg int, stop int64) {
		out.Segments = append(out.Segments, SegmentInfo{Name: name, Begin: uint32(bases[seg]),
			Stop: uint32(bases[seg] + stop), Size: uint32(bases[seg+1] - bases[seg])})
	}
	add("program", programSegment, int64(len(r.program.code)))
	add("execution", executionSegment, r.ap)
	for _, b := range r.builtins {
		add(b.kind.String(), int(b.base.seg), b.stop)
	}
}

// readPublic reads the output and, in proof mode, the public memory.
func (r *runner) readPublic(out *Result, bases []int64) error {
	public := func(p int64) {
		if v, ok := out.Memory.Get(uint32(p)); ok {
			out.PublicMemory = append(out.PublicMemory, PublicCell{Address: uint32(p), Value: v})
		}
	}
	if r.config.ProofMode {
		for i := range r.program.code {
			public(bases[programSegment] + int64(i))
		}
		for _, off := range r.public {
			public(bases[executionSegment] + off)
		}
	}
	for _, b := range r.builtins {
		if b.kind != Output {
			continue
		}
		for off := range b.stop {
			v, ok := out.Memory.Get(uint32(bases[b.base.seg] + off))
			if !ok {
				return fmt.Errorf("vm: output cell %d has no value", off)
			}
			out.Output = append(out.Output, v)
			if r.config.ProofMode {
				public(bases[b.base.seg] + off)
			}
		}
	}
	return nil
}
