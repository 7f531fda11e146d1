package vm

import (
	"context"
	"fmt"
	"strings"
)

// machine is one run of a program: registers, memory and what the hints keep.
type machine struct {
	program *Program
	memory  memory
	pc      address
	ap      int64 // always in the execution segment
	fp      address
	steps   uint64
	limit   uint64
	trace   traceLog
	end     address // where the run ends

	// builtins of the run in canonical order, with their segments.
	builtins []builtinSegment
	// zero is the shared segment of zeros for empty add_mod and mul_mod instances; nil without them.
	zero *address

	// What hints see and keep.
	input   []value
	opening []value
	scopes  scopeStack
	context hintContext
	core    coreState
}

// contextInterval is how many steps pass between looks at the context.
const contextInterval = 1 << 12

// runUntil steps until pc is at end; end itself is not executed.
func (m *machine) runUntil(ctx context.Context, end address) error {
	for m.pc != end {
		if m.steps >= m.limit {
			return fmt.Errorf("%w (%d steps)", ErrSteps, m.limit)
		}
		if m.steps%contextInterval == 0 {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("vm: stopped after %d steps: %w", m.steps, err)
			}
		}
		if err := m.step(); err != nil {
			return m.stepError(err)
		}
	}
	return nil
}

// runSteps does n more steps.
func (m *machine) runSteps(ctx context.Context, n uint64) error {
	for range n {
		if m.steps >= m.limit {
			return fmt.Errorf("%w (%d steps)", ErrSteps, m.limit)
		}
		if m.steps%contextInterval == 0 {
			if err := ctx.Err(); err != nil {
				return fmt.Errorf("vm: stopped after %d steps: %w", m.steps, err)
			}
		}
		if err := m.step(); err != nil {
			return m.stepError(err)
		}
	}
	return nil
}

// stepError says where an error arose, unless it says so itself.
func (m *machine) stepError(err error) error {
	if _, ok := err.(*HintError); ok {
		return err
	}
	if data := m.core.panicData; data != nil {
		err = fmt.Errorf("the program panicked with %s: %w", panicText(data), err)
	}
	return &StepError{PC: uint64(m.pc.off), Step: m.steps, Segment: int(m.pc.seg), Err: err}
}

// fetch decodes an instruction that is not in the program's table: one outside the program, or an invalid one.
func (m *machine) fetch() (*instruction, error) {
	v := m.memory.peek(m.pc)
	if !v.known() {
		return nil, fmt.Errorf("no instruction: %w", errUnknownCell)
	}
	ins, err := decode(v)
	return &ins, err
}

// step carries out one instruction with the hints before it.
func (m *machine) step() error {
	var ins *instruction
	if table := m.program.instructions; m.pc.seg == programSegment && uint64(m.pc.off) < uint64(len(table)) &&
		table[m.pc.off].valid {
		ins = &table[m.pc.off]
		if ins.hints != 0 {
			if err := m.runHints(int(ins.hints - 1)); err != nil {
				return err
			}
		}
	} else {
		var err error
		if ins, err = m.fetch(); err != nil {
			return err
		}
	}

	dstAt := address{executionSegment, m.ap + int64(ins.offDst)}
	if ins.dstFP {
		dstAt = address{m.fp.seg, m.fp.off + int64(ins.offDst)}
	}
	op0At := address{executionSegment, m.ap + int64(ins.offOp0)}
	if ins.op0FP {
		op0At = address{m.fp.seg, m.fp.off + int64(ins.offOp0)}
	}
	dst, op0 := m.memory.peek(dstAt), m.memory.peek(op0At)
	dstKnown, op0Known := dst.known(), op0.known()

	var op1At address
	switch ins.source {
	case sourceImmediate:
		op1At = address{m.pc.seg, m.pc.off + 1}
	case sourceFP:
		op1At = address{m.fp.seg, m.fp.off + int64(ins.offOp1)}
	case sourceAP:
		op1At = address{executionSegment, m.ap + int64(ins.offOp1)}
	default:
		if !op0Known {
			var err error
			if op0, err = m.memory.get(op0At); err != nil {
				return err
			}
			if !op0.known() {
				return fmt.Errorf("op0 at %v, the base of op1: %w", op0At, errUnknownCell)
			}
			op0Known = true
		}
		if !op0.isAddress() {
			return fmt.Errorf("op0, the base of op1: %w", errNotAddress)
		}
		op1At = op0.address()
		op1At.off += int64(ins.offOp1)
	}
	op1 := m.memory.peek(op1At)
	op1Known := op1.known()

	// Operands without a value: from the builtin of their segment, else from the instruction's equation.
	if !op0Known || !op1Known {
		if err := m.deduce(ins, op0At, op1At, dst, &op0, &op1); err != nil {
			return err
		}
	}

	var res value
	switch ins.res {
	case resOp1:
		res = op1
	case resAdd:
		if op0.isFelt() && op1.isFelt() {
			res = addFelts(op0, op1)
		} else {
			var err error
			if res, err = addValues(op0, op1); err != nil {
				return err
			}
		}
	case resMul:
		if !op0.isFelt() || !op1.isFelt() {
			return errAddressProduct
		}
		res = mulFelts(op0, op1)
	}

	// dst, and what the opcode asserts.
	switch ins.op {
	case opAssertEq:
		if !dstKnown {
			if ins.res == resNone {
				return fmt.Errorf("dst at %v: %w", dstAt, errUnknownCell)
			}
			dst = res
			if err := m.memory.set(dstAt, dst); err != nil {
				return err
			}
		} else if dst != res && ins.res != resNone {
			return fmt.Errorf("the assertion fails: %v is not %v", dst, res)
		}
	case opCall:
		back := addressValue(address{m.pc.seg, m.pc.off + int64(ins.size)})
		if op0 != back {
			return fmt.Errorf("call: the return address would be %v, the cell for it holds %v", back, op0)
		}
		frame := addressValue(m.fp)
		if !dstKnown {
			dst = frame
			if err := m.memory.set(dstAt, dst); err != nil {
				return err
			}
		} else if dst != frame {
			return fmt.Errorf("call: fp is %v, the cell for it holds %v", frame, dst)
		}
	default:
		if !dstKnown && (ins.op == opRet || ins.pc == pcJnz) {
			var err error
			if dst, err = m.memory.get(dstAt); err != nil {
				return err
			}
			if !dst.known() {
				return fmt.Errorf("dst at %v: %w", dstAt, errUnknownCell)
			}
		} else if !dstKnown {
			// Nothing uses it, but a proof has three accesses a step: the cell has to exist.
			return fmt.Errorf("dst at %v: %w", dstAt, errUnknownCell)
		}
	}
	if !op0Known {
		if err := m.memory.set(op0At, op0); err != nil {
			return err
		}
	}
	if !op1Known {
		if err := m.memory.set(op1At, op1); err != nil {
			return err
		}
	}

	if m.pc.seg != programSegment || m.fp.seg != executionSegment {
		m.trace.far = append(m.trace.far, farRow{row: m.trace.rows, pcSeg: m.pc.seg, fpSeg: m.fp.seg})
	}
	m.trace.add(TraceRow{AP: uint32(m.ap), FP: uint32(m.fp.off), PC: uint32(m.pc.off)})
	m.steps++
	return m.advance(ins, dst, op1, res)
}

// advance updates pc, ap and fp.
func (m *machine) advance(ins *instruction, dst, op1, res value) error {
	pc := m.pc
	switch ins.pc {
	case pcNext:
		pc.off += int64(ins.size)
	case pcJump:
		if !res.isAddress() {
			return fmt.Errorf("jump: %w", errNotAddress)
		}
		pc = res.address()
	case pcJumpRel, pcJnz:
		distance := res
		if ins.pc == pcJnz {
			if dst.isZero() {
				pc.off += int64(ins.size)
				break
			}
			distance = op1
		}
		n, ok := distance.signed()
		if ok {
			pc, ok = pc.addOffset(n)
		}
		if !ok {
			return fmt.Errorf("jump: %w", errAddressRange)
		}
	}
	ap := m.ap
	switch ins.ap {
	case apAddRes:
		n, ok := res.signed()
		if !ok || n > maxAP || n < -maxAP {
			return fmt.Errorf("ap: %w", errAddressRange)
		}
		ap += n
	case apAdd1:
		ap++
	case apAdd2:
		ap += 2
	}
	if ap < 0 || ap > maxAP {
		return fmt.Errorf("ap: %w", errAddressRange)
	}
	switch ins.op {
	case opCall:
		m.fp = address{executionSegment, m.ap + 2}
	case opRet:
		if !dst.isAddress() {
			return fmt.Errorf("ret: fp: %w", errNotAddress)
		}
		m.fp = dst.address()
		if m.fp.off > maxAP {
			return fmt.Errorf("ret: fp: %w", errAddressRange)
		}
	}
	if pc.off > maxAP {
		return fmt.Errorf("pc: %w", errAddressRange)
	}
	m.pc, m.ap = pc, ap
	return nil
}

// maxAP bounds the registers' offsets: no cell can be beyond, and a trace row has 32 bits for each.
const maxAP = MaxMemoryCells + 1<<16

// deduce finds operands that have no value yet.
func (m *machine) deduce(ins *instruction, op0At, op1At address, dst value, op0, op1 *value) error {
	var err error
	if !op0.known() {
		if *op0, err = m.memory.get(op0At); err != nil {
			return err
		}
	}
	if !op1.known() {
		if *op1, err = m.memory.get(op1At); err != nil {
			return err
		}
	}
	if !op0.known() {
		switch {
		case ins.op == opCall:
			*op0 = addressValue(address{m.pc.seg, m.pc.off + int64(ins.size)})
		case ins.op == opAssertEq && dst.known() && op1.known():
			if *op0, err = factor(ins.res, dst, *op1); err != nil {
				return err
			}
		}
		if !op0.known() {
			return fmt.Errorf("op0 at %v: %w", op0At, errUnknownCell)
		}
	}
	if !op1.known() {
		if ins.op == opAssertEq && dst.known() {
			if ins.res == resOp1 {
				*op1 = dst
			} else if *op1, err = factor(ins.res, dst, *op0); err != nil {
				return err
			}
		}
		if !op1.known() {
			return fmt.Errorf("op1 at %v: %w", op1At, errUnknownCell)
		}
	}
	return nil
}

// factor solves dst = x + other or dst = x * other for x; unknown if the instruction has no such equation.
func factor(res resLogic, dst, other value) (value, error) {
	switch res {
	case resAdd:
		return subValues(dst, other)
	case resMul:
		if !dst.isFelt() || !other.isFelt() {
			return value{}, errAddressProduct
		}
		x, ok := divFelts(dst, other)
		if !ok {
			return value{}, fmt.Errorf("an operand would be %v / 0", dst)
		}
		return x, nil
	}
	return value{}, nil
}

// panicText shows the data of a panic: short strings as text, other numbers as such.
func panicText(data []value) string {
	var b strings.Builder
	for i, v := range data {
		if i > 0 {
			b.WriteString(", ")
		}
		var buf [32]byte
		v.putBytes(&buf)
		text := strings.TrimLeft(string(buf[:]), "\x00")
		printable := text != ""
		for _, c := range []byte(text) {
			printable = printable && c >= ' ' && c < 0x7f
		}
		if printable {
			fmt.Fprintf(&b, "%q", text)
		} else {
			b.WriteString(v.String())
		}
	}
	return "[" + b.String() + "]"
}
