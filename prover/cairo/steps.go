package cairo

import (
	"context"
	"errors"
	"fmt"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier/cairo"
)

// Flags of an instruction, by bit.
const (
	flagDstFP = 1 << iota
	flagOp0FP
	flagImm
	flagOp1FP
	flagOp1AP
	flagAdd
	flagMul
	flagJump
	flagJumpRel
	flagJnz
	flagAPAdd
	flagAPAdd1
	flagCall
	flagRet
	flagAssertEq
	flagCount = iota
)

const offsetBias = 1 << 15

// instruction is a decoded word, one for each distinct pc.
type instruction struct {
	pc, id uint32
	off    [3]uint32 // biased
	flags  uint32
}

// program of the run: the distinct pcs.
type instructions struct {
	list []instruction
	row  []int32 // by address: index into list plus one
}

// decode finds the instructions of a trace.
func decode(trace []vm.TraceRow, m *memory) (*instructions, error) {
	out := &instructions{row: make([]int32, len(m.ids))}
	for i := range trace {
		pc := trace[i].PC
		if int64(pc) < int64(len(out.row)) && out.row[pc] != 0 {
			continue
		}
		id, err := m.id(int64(pc))
		if err != nil {
			return nil, fmt.Errorf("step %d: instruction: %w", i, err)
		}
		v := m.value(id)
		if !v.isSmall() || v[0]>>63 != 0 {
			return nil, fmt.Errorf("%w: step %d: the word at pc %d is no instruction of the base set", ErrRun, i, pc)
		}
		w := v[0]
		out.list = append(out.list, instruction{pc: pc, id: id, flags: uint32(w >> 48),
			off: [3]uint32{uint32(w & 0xffff), uint32(w >> 16 & 0xffff), uint32(w >> 32 & 0xffff)}})
		if err := out.list[len(out.list)-1].checkForm(); err != nil {
			return nil, fmt.Errorf("%w: step %d: the instruction at pc %d: %w", ErrRun, i, pc, err)
		}
		out.row[pc] = int32(len(out.list))
	}
	return out, nil
}

// checkForm refuses instructions that a lenient VM runs and the tables do not prove; no compiler makes them.
func (n *instruction) checkForm() error {
	on := func(mask uint32) bool { return n.flags&mask != 0 }
	off := func(i int) int { return int(n.off[i]) - offsetBias }
	switch {
	case on(flagJnz) && on(flagAPAdd|flagAssertEq|flagAdd|flagMul):
		return errors.New("a conditional jump has no result to use")
	case on(flagImm) && off(2) != 1:
		return errors.New("an immediate must follow its instruction")
	case on(flagCall) && (off(0) != 0 || off(1) != 1 || on(flagDstFP|flagOp0FP|flagAPAdd|flagAPAdd1)):
		return errors.New("a call must save fp and pc at ap")
	case on(flagRet) && (off(0) != -2 || off(2) != -1 || n.flags&(flagDstFP|flagOp1FP|flagJump|flagAdd|flagMul) != flagDstFP|flagOp1FP|flagJump):
		return errors.New("a return must take fp and pc from the frame")
	case on(flagRet) && on(flagAssertEq|flagCall), on(flagCall) && on(flagAssertEq):
		return errors.New("an instruction has one opcode")
	}
	return nil
}

// productRow is a row of the multiply table: ids of a, b and a*b.
type productRow struct{ ids [3]uint32 }

// offsetRow is a row of the offset table: the value of id is n mod P.
type offsetRow struct {
	id uint32
	n  int64
}

// offsetReach is what the first carry of a step, and the offset table's second limb, are biased by.
const offsetReach = 32

// unnumbered is a product that moves a register and has no id yet: it need not be in memory.
type unnumbered struct {
	row, product, offset int // the step's row; indices into the worker's products and offsets
	value                limbs
}

// taken is a jump taken at a dst whose limbs add up to sum.
type taken struct {
	row int
	sum Element
}

// stepColumns are the places of the generic table's columns.
type stepColumns struct {
	enabler, pc, ap, fp, off, flags, addresses, ids, dst, op0, op1, addressTop, move, used, taken, add, mul, resID, byID,
	carry, wrap, shift, dstInverse, nextPC, nextAP, nextFP, nextAPHigh int
}

func newStepColumns(t *table) stepColumns {
	return stepColumns{
		enabler: t.column("enabler"), pc: t.column("pc"), ap: t.column("ap"), fp: t.column("fp"), off: t.group("off"),
		flags: t.column("dst_fp"), addresses: t.group("address"), ids: t.group("id"), dst: t.group("dst"), op0: t.group("op0"),
		op1: t.group("op1"), addressTop: t.column("address_top"), move: t.column("move"), used: t.column("res_used"),
		taken: t.column("jnz_taken"), add: t.column("res_add_used"), mul: t.column("res_mul_used"), resID: t.column("res_id"),
		byID: t.column("move_by_id"), carry: t.group("carry"), wrap: t.column("wrap"), shift: t.column("carry_shift"),
		dstInverse: t.column("dst_inverse"), nextPC: t.column("next_pc"), nextAP: t.column("next_ap"),
		nextFP: t.column("next_fp"), nextAPHigh: t.column("next_ap_high"),
	}
}

// stepWorker fills rows of the generic table.
type stepWorker struct {
	rows     *block
	at       stepColumns
	m        *memory
	ins      *instructions
	trace    []vm.TraceRow
	uses     []uint32 // of addresses
	decoded  []uint32 // uses of instructions
	ranges   *ranges
	products []productRow
	offsets  []offsetRow
	later    []unnumbered
	taken    []taken
}

// padStep fills rows with enabler 0, which satisfy every constraint and are seen by nobody.
func padStep(t *table, at stepColumns, from int) {
	fill := func(column int, v Element) {
		col := t.main[column]
		for i := from; i < len(col); i++ {
			col[i] = v
		}
	}
	for i := range 3 {
		fill(at.off+i, element(offsetBias))
	}
	fill(at.nextPC, element(1))
}

// contextInterval is how many rows pass between looks at the context.
const contextInterval = 1 << 12

// stepResults is what the steps ask of other tables.
type stepResults struct {
	decoded  []uint32 // uses of each instruction
	products []productRow
	offsets  []offsetRow
}

// steps fills the generic table from a trace; the last row of the trace is the final state and no step.
func steps(ctx context.Context, t *table, trace []vm.TraceRow, m *memory, ins *instructions, rg *ranges) (*stepResults, error) {
	at := newStepColumns(t)
	n := len(trace) - 1
	cs := chunks(n)
	workers := make([]*stepWorker, len(cs))
	err := parallel(cs, func(worker int, c chunk) error {
		w := &stepWorker{rows: newBlock(t, c.from), at: at, m: m, ins: ins, trace: trace, uses: make([]uint32, len(m.ids)),
			decoded: make([]uint32, len(ins.list)), ranges: newRanges()}
		workers[worker] = w
		for i := c.from; i < c.to; i++ {
			if i%contextInterval == 0 && ctx.Err() != nil {
				return fmt.Errorf("witness stopped: %w", ctx.Err())
			}
			if err := w.step(i); err != nil {
				return fmt.Errorf("%w: step %d at pc %d: %w", ErrRun, i, trace[i].PC, err)
			}
			w.rows.next()
		}
		w.rows.flush()
		w.invert(t)
		return nil
	})
	if err != nil {
		return nil, err
	}
	padStep(t, at, n)
	out := &stepResults{decoded: make([]uint32, len(ins.list))}
	for _, w := range workers {
		for a, u := range w.uses {
			m.uses[a] += u
		}
		for i, u := range w.decoded {
			out.decoded[i] += u
		}
		rg.add(w.ranges)
		// Numbering is one at a time, and in the order of steps, so that ids do not depend on the number of cores.
		for _, x := range w.later {
			id := m.number(x.value)
			t.main[at.resID][x.row] = element(id)
			w.products[x.product].ids[2], w.offsets[x.offset].id = id, id
		}
		out.products = append(out.products, w.products...)
		out.offsets = append(out.offsets, w.offsets...)
	}
	return out, nil
}

// invert fills the inverses of the jumps taken.
func (w *stepWorker) invert(t *table) {
	sums := make([]Element, len(w.taken))
	for i := range sums {
		sums[i] = w.taken[i].sum
	}
	for i, v := range koalabear.BatchInvert(sums) {
		t.main[w.at.dstInverse][w.taken[i].row] = v
	}
}

// operand reads a cell and writes its limbs.
func (w *stepWorker) operand(which, column int, address int64) (uint32, limbs, error) {
	id, err := w.m.id(address)
	if err != nil {
		return 0, limbs{}, err
	}
	w.uses[address]++
	w.rows.set(w.at.addresses+which, element(uint32(address)))
	w.rows.set(w.at.ids+which, element(id))
	v := w.m.value(id)
	top := feltLimbs
	if v.isSmall() {
		top = 3 // the rest is zero already
	}
	for i := range top {
		w.rows.set(column+i, element(v.limb(i)))
	}
	return id, v, nil
}

func (w *stepWorker) step(row int) error {
	at := &w.at
	state, next := w.trace[row], w.trace[row+1]
	index := w.ins.row[state.PC] - 1
	ins := &w.ins.list[index]
	w.decoded[index]++
	flags := ins.flags
	on := func(mask uint32) bool { return flags&mask != 0 }

	w.rows.set(at.enabler, elements[1])
	w.rows.set(at.pc, element(state.PC))
	w.rows.set(at.ap, element(state.AP))
	w.rows.set(at.fp, element(state.FP))
	for i := range 3 {
		w.rows.set(at.off+i, elements[ins.off[i]])
	}
	for i := range flagCount {
		w.rows.set(at.flags+i, elements[flags>>i&1])
	}

	pc, ap, fp := int64(state.PC), int64(state.AP), int64(state.FP)
	register := func(fromFP bool) int64 {
		if fromFP {
			return fp
		}
		return ap
	}
	dstID, dst, err := w.operand(0, at.dst, register(on(flagDstFP))+int64(ins.off[0])-offsetBias)
	if err != nil {
		return fmt.Errorf("dst: %w", err)
	}
	op0ID, op0, err := w.operand(1, at.op0, register(on(flagOp0FP))+int64(ins.off[1])-offsetBias)
	if err != nil {
		return fmt.Errorf("op0: %w", err)
	}
	base, based := int64(0), false
	switch {
	case on(flagImm):
		base = pc
	case on(flagOp1FP):
		base = fp
	case on(flagOp1AP):
		base = ap
	default:
		if !op0.isSmall() || op0[0] >= cairo.MaxAddress {
			return errors.New("op0, the base of op1, is no address")
		}
		base, based = int64(op0[0]), true
	}
	op1ID, op1, err := w.operand(2, at.op1, base+int64(ins.off[2])-offsetBias)
	if err != nil {
		return fmt.Errorf("op1: %w", err)
	}

	var top uint32
	if based {
		top += op0.limb(1)
	}
	if on(flagCall) {
		top += op0.limb(1)
	}
	if on(flagCall | flagRet) {
		top += dst.limb(1)
	}
	if top >= offsetReach {
		return errors.New("an operand is no address that a proof can hold")
	}
	w.rows.set(at.addressTop, elements[top])

	jumps := on(flagJnz) && dst != limbs{}
	if jumps {
		sum := uint32(0)
		for i := range feltLimbs {
			sum += dst.limb(i)
		}
		w.rows.set(at.taken, elements[1])
		w.taken = append(w.taken, taken{row, element(sum)})
	}
	carry := int64(0)
	if moves := on(flagJump|flagJumpRel|flagAPAdd) || jumps; moves || on(flagAssertEq) {
		if carry, err = w.result(row, flags, moves, [3]uint32{op0ID, op1ID, dstID}, &op0, &op1, &dst); err != nil {
			return err
		}
	}
	w.ranges.pair(uint8(4*(carry+offsetReach)), uint8(8*top))

	// The next state is that of the trace. If the VM made another step than the tables prove, some constraint fails.
	if next.AP >= 1<<28 {
		return fmt.Errorf("ap is %d, must stay below 2^28", next.AP)
	}
	w.rows.set(at.nextPC, element(next.PC))
	w.rows.set(at.nextAP, element(next.AP))
	w.rows.set(at.nextFP, element(next.FP))
	high := next.AP >> 12
	w.rows.set(at.nextAPHigh, elements[high])
	w.ranges.words[next.AP&(1<<12-1)]++
	w.ranges.words[high]++
	return nil
}

var (
	errAssertion = errors.New("the assertion of the instruction does not hold")
	errMove      = errors.New("the result that moves a register is not in [-2^29 - 1, 2^29)")
)

// result fills what op0 and op1 make, and returns the first carry. ids are those of op0, op1 and dst.
func (w *stepWorker) result(row int, flags uint32, moves bool, ids [3]uint32, op0, op1, dst *limbs) (int64, error) {
	at := &w.at
	asserts, product := flags&flagAssertEq != 0, flags&flagMul != 0
	w.rows.set(at.used, elements[1])
	res := *op1
	switch {
	case flags&flagAdd != 0:
		res = sum(op0, op1)
		w.rows.set(at.add, elements[1])
	case product:
		res = times(op0, op1)
		w.rows.set(at.mul, elements[1])
		w.products = append(w.products, productRow{ids})
	}
	if asserts {
		if res != *dst {
			return 0, errAssertion
		}
		w.rows.set(at.resID, element(ids[2]))
	}
	move := int64(0)
	if moves {
		var ok bool
		if move, ok = res.offset(); !ok {
			return 0, errMove
		}
		w.rows.set(at.move, signed(move))
		if asserts || product {
			w.rows.set(at.byID, elements[1])
			w.offsets = append(w.offsets, offsetRow{ids[2], move})
			if !asserts {
				w.later = append(w.later, unnumbered{row, len(w.products) - 1, len(w.offsets) - 1, res})
			}
		}
	}
	if product {
		return 0, nil
	}
	// The equation (op0 +) op1 = target + wrap*P: target is dst, or a single signed limb.
	left := *op1
	if flags&flagAdd != 0 {
		left = left.plus(op0)
	}
	target, negative := res, false
	if !asserts {
		target, negative = limbs{}, move < 0
	}
	wrap := uint32(0)
	for rest := left; ; wrap++ {
		// left - wrap*P is the target, or P - k for the target -k, which takes one wrap more.
		if rest == res {
			break
		}
		var borrow uint64
		if rest, borrow = rest.minus(&prime); borrow != 0 {
			return 0, fmt.Errorf("%w: a sum is not what it is", ErrInternal)
		}
	}
	if negative {
		wrap++
		w.rows.set(at.shift, elements[1])
	}
	w.rows.set(at.wrap, elements[wrap])
	carry, first := int64(0), int64(0)
	for i := range feltLimbs - 1 {
		carry += int64(op1.limb(i)) - int64(target.limb(i)) - int64(wrap)*int64(prime.limb(i))
		if flags&flagAdd != 0 {
			carry += int64(op0.limb(i))
		}
		if i == 0 && !asserts {
			carry -= move
		}
		carry >>= limbBits // exact: the equation holds
		if i == 0 {
			first = carry
		}
		if carry != 0 {
			w.rows.set(at.carry+i, signed(carry))
		}
	}
	return first, nil
}
