package vm

// What a padded run has to know about its own use of range checks and memory.

// rangeCheckLimits is the least and the greatest 16-bit value that the instructions' offsets and the range checks hold.
func (r *runner) rangeCheckLimits() (low, high uint16) {
	low = 1<<16 - 1
	take := func(n uint16) { low, high = min(low, n), max(high, n) }
	r.eachInstruction(func(ins *instruction) {
		take(uint16(ins.offDst + 1<<15))
		take(uint16(ins.offOp0 + 1<<15))
		take(uint16(ins.offOp1 + 1<<15))
	})
	for _, b := range r.builtins {
		parts := 0
		switch b.kind {
		case RangeCheck:
			parts = 8
		case RangeCheck96:
			parts = 6
		}
		if parts == 0 {
			continue
		}
		r.memory.segments[b.base.seg].chunks(func(_ int64, cells []value) {
			for _, v := range cells {
				if !v.known() {
					continue
				}
				for i := range parts {
					take(uint16(v.limbs()[i/4] >> (16 * (i % 4))))
				}
			}
		})
	}
	return low, high
}

// eachInstruction visits the distinct instructions that were executed in the program, and each step outside of it.
func (r *runner) eachInstruction(visit func(ins *instruction)) {
	seen := make([]bool, len(r.program.instructions))
	for _, at := range r.trace.all() {
		if at.pc.seg == programSegment && at.pc.off < int64(len(seen)) {
			if seen[at.pc.off] {
				continue
			}
			seen[at.pc.off] = true
		}
		if ins := r.instructionAt(at.pc); ins != nil {
			visit(ins)
		}
	}
}

// instructionAt is the instruction at a pc; nil if there is none.
func (r *runner) instructionAt(pc address) *instruction {
	if pc.seg == programSegment && pc.off < int64(len(r.program.instructions)) {
		return &r.program.instructions[pc.off]
	}
	ins, err := decode(r.memory.peek(pc))
	if err != nil {
		return nil
	}
	return &ins
}

// holes counts the cells below the segments' ends that no instruction and no builtin accesses. The program counts as
// accessed as a whole.
func (r *runner) holes() int64 {
	accessed := make([][]bool, len(r.memory.segments))
	for i := range accessed {
		accessed[i] = make([]bool, r.memory.segments[i].used())
	}
	touch := func(p address) {
		if q, ok := r.memory.place(p); ok {
			p = q
		}
		if p.seg >= 0 && int(p.seg) < len(accessed) && p.off >= 0 && p.off < int64(len(accessed[p.seg])) {
			accessed[p.seg][p.off] = true
		}
	}
	for t, at := range r.trace.all() {
		pc, fp := at.pc, at.fp
		ins := r.instructionAt(pc)
		if ins == nil {
			continue
		}
		ap := address{executionSegment, int64(t.AP)}
		base := func(useFP bool, off int32) address {
			p := ap
			if useFP {
				p = fp
			}
			p.off += int64(off)
			return p
		}
		op0 := base(ins.op0FP, ins.offOp0)
		touch(pc)
		touch(base(ins.dstFP, ins.offDst))
		touch(op0)
		switch ins.source {
		case sourceImmediate:
			touch(address{pc.seg, pc.off + 1})
		case sourceFP, sourceAP:
			touch(base(ins.source == sourceFP, ins.offOp1))
		default:
			if v := r.memory.peek(op0); v.isAddress() {
				p := v.address()
				p.off += int64(ins.offOp1)
				touch(p)
			}
		}
	}
	var holes int64
	for i := range accessed {
		if i == programSegment || r.isBuiltin(int32(i)) || r.zero != nil && r.zero.seg == int32(i) {
			continue
		}
		for _, used := range accessed[i] {
			if !used {
				holes++
			}
		}
	}
	return holes
}

// isBuiltin tells whether a segment is a builtin's other than output: its cells are all the builtin's.
func (r *runner) isBuiltin(seg int32) bool {
	for _, b := range r.builtins {
		if b.base.seg == seg && b.kind != Output {
			return true
		}
	}
	return false
}
