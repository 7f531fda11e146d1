package cairo

import (
	"context"
	"errors"
	"fmt"

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

// productRow is a row of the multiply table.
type productRow struct {
	ids    [2]uint32
	target limbs
}

// stepColumns are the places of the generic table's columns.
type stepColumns struct {
	enabler, pc, ap, fp, off, flags, addresses, ids, dst, op0, op1, addressTop, result, negative, below, used, taken,
	add, mul, carry, wrap, notPrime, dstInverse, nextPC, nextAP, nextFP, nextAPHigh int
}

func newStepColumns(t *table) stepColumns {
	return stepColumns{
		enabler: t.column("enabler"), pc: t.column("pc"), ap: t.column("ap"), fp: t.column("fp"), off: t.group("off"),
		flags: t.column("dst_fp"), addresses: t.group("address"), ids: t.group("id"), dst: t.group("dst"), op0: t.group("op0"),
		op1: t.group("op1"), addressTop: t.column("address_top"), result: t.group("result"),
		negative: t.column("result_negative"), below: t.column("result_below_minus_1"), used: t.column("res_used"),
		taken: t.column("jnz_taken"), add: t.column("res_add_used"), mul: t.column("res_mul_used"), carry: t.group("carry"),
		wrap: t.column("wrap"), notPrime: t.column("dst_not_prime_inverse"), dstInverse: t.column("dst_inverse"),
		nextPC: t.column("next_pc"), nextAP: t.column("next_ap"), nextFP: t.column("next_fp"),
		nextAPHigh: t.column("next_ap_high"),
	}
}

// Sums of bytes whose inverses steps need: at most 29*255 + 254^2 + 238^2 + 247^2, and 32*255.
const maxByteSum = 29*255 + 254*254 + 238*238 + 247*247

// inverses holds 1/i, by the recursion 1/i = -(p/i) / (p mod i).
var inverses = func() []Element {
	const p = 1<<31 - 1<<24 + 1
	out := make([]Element, maxByteSum+1)
	out[1].SetOne()
	for i := uint64(2); i < uint64(len(out)); i++ {
		var q Element
		q.SetUint64(p - p/i)
		out[i].Mul(&q, &out[p%i])
	}
	return out
}()

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
}

// padStep fills a row with enabler 0, which satisfies every constraint and is seen by nobody.
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
	fill(at.notPrime, inverses[1+17*17+8*8])
	fill(at.nextPC, element(1))
}

// contextInterval is how many rows pass between looks at the context.
const contextInterval = 1 << 12

// steps fills the generic table from a trace; the last row of the trace is the final state and no step.
func steps(ctx context.Context, t *table, trace []vm.TraceRow, m *memory, ins *instructions, rg *ranges) (
	decoded []uint32, products []productRow, err error) {
	at := newStepColumns(t)
	n := len(trace) - 1
	cs := chunks(n)
	workers := make([]*stepWorker, len(cs))
	err = parallel(cs, func(worker int, c chunk) error {
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
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	padStep(t, at, n)
	decoded = make([]uint32, len(ins.list))
	for _, w := range workers {
		for a, u := range w.uses {
			m.uses[a] += u
		}
		for i, u := range w.decoded {
			decoded[i] += u
		}
		rg.add(w.ranges)
		products = append(products, w.products...)
	}
	return decoded, products, nil
}

// operand reads a cell and writes its bytes.
func (w *stepWorker) operand(which, column int, address int64) (uint32, limbs, [cairo.FeltBytes]byte, error) {
	id, err := w.m.id(address)
	if err != nil {
		return 0, limbs{}, [cairo.FeltBytes]byte{}, err
	}
	w.uses[address]++
	w.rows.set(w.at.addresses+which, element(uint32(address)))
	w.rows.set(w.at.ids+which, element(id))
	v := w.m.value(id)
	b := v.bytes()
	top := cairo.FeltBytes
	if v.isSmall() {
		top = cairo.SmallBytes // the rest is zero already
	}
	for i := range top {
		w.rows.set(column+i, elements[b[i]])
	}
	return id, v, b, nil
}

func (w *stepWorker) step(row int) error {
	at := &w.at
	state, next := w.trace[row], w.trace[row+1]
	index := w.ins.row[state.PC] - 1
	ins := &w.ins.list[index]
	w.decoded[index]++
	flags := ins.flags
	on := func(mask uint32) bool { return flags&mask != 0 }
	one := elements[1]

	w.rows.set(at.enabler, one)
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
	_, dst, dstBytes, err := w.operand(0, at.dst, register(on(flagDstFP))+int64(ins.off[0])-offsetBias)
	if err != nil {
		return fmt.Errorf("dst: %w", err)
	}
	id0, op0, op0Bytes, err := w.operand(1, at.op0, register(on(flagOp0FP))+int64(ins.off[1])-offsetBias)
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
			return fmt.Errorf("op0, the base of op1, is no address")
		}
		base, based = int64(op0[0]), true
	}
	id1, op1, _, err := w.operand(2, at.op1, base+int64(ins.off[2])-offsetBias)
	if err != nil {
		return fmt.Errorf("op1: %w", err)
	}

	var top uint32
	if based {
		top += uint32(op0Bytes[3])
	}
	if on(flagCall) {
		top += uint32(op0Bytes[3])
	}
	if on(flagCall | flagRet) {
		top += uint32(dstBytes[3])
	}
	if top >= 32 {
		return fmt.Errorf("an operand is no address that a proof can hold")
	}
	w.rows.set(at.addressTop, elements[top])

	taken := on(flagJnz) && dst != limbs{}
	if taken {
		w.rows.set(at.taken, one)
	}
	moves := on(flagJump|flagJumpRel|flagAPAdd) || taken
	result := int64(0)
	if moves || on(flagAssertEq) {
		if result, err = w.result(flags, moves, id0, id1, &op0, &op1, &dst); err != nil {
			return err
		}
	}
	w.decomposition(result, uint8(top))

	bytesSum, notPrime := uint32(0), uint32(0)
	for _, b := range dstBytes {
		bytesSum += uint32(b)
	}
	square := func(b byte, p int32) uint32 { return uint32((int32(b) - p) * (int32(b) - p)) }
	notPrime = bytesSum - uint32(dstBytes[0]) - uint32(dstBytes[24]) - uint32(dstBytes[31]) +
		square(dstBytes[0], 1) + square(dstBytes[24], 17) + square(dstBytes[31], 8)
	w.rows.set(at.notPrime, inverses[notPrime])
	if taken {
		w.rows.set(at.dstInverse, inverses[bytesSum])
	}

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

// result fills what op0 and op1 make, and returns the number that moves a register.
func (w *stepWorker) result(flags uint32, moves bool, id0, id1 uint32, op0, op1, dst *limbs) (int64, error) {
	at := &w.at
	one := elements[1]
	w.rows.set(at.used, one)
	res, wrap := *op1, false
	switch {
	case flags&flagAdd != 0:
		res, wrap = sum(op0, op1)
		w.rows.set(at.add, one)
		w.carries(op0, op1, &res, wrap)
	case flags&flagMul != 0:
		res = product(op0, op1)
		w.rows.set(at.mul, one)
		w.products = append(w.products, productRow{[2]uint32{id0, id1}, res})
	}
	if flags&flagAssertEq != 0 && res != *dst {
		return 0, fmt.Errorf("the assertion of the instruction does not hold")
	}
	if !moves {
		return 0, nil
	}
	offset, ok := res.offset()
	if !ok {
		return 0, fmt.Errorf("the result that moves a register is not in [-2^29 - 1, 2^29)")
	}
	return offset, nil
}

// carries fills the carries of op0 + op1 = res + wrap*P, in groups of 3 bytes.
func (w *stepWorker) carries(op0, op1, res *limbs, wrap bool) {
	at := &w.at
	p := limbs{}
	if wrap {
		w.rows.set(at.wrap, elements[1])
		p = prime
	}
	carry := int64(0)
	for g := range (cairo.FeltBytes - 1) / 3 {
		carry += group(op0, g) + group(op1, g) - group(res, g) - group(&p, g)
		carry >>= 24 // exact: the equation holds
		if carry != 0 {
			w.rows.set(at.carry+g, signed(carry))
		}
	}
}

// group is bytes 3g .. 3g+2.
func group(l *limbs, g int) int64 {
	bit := 24 * g
	v := l[bit/64] >> (bit % 64)
	if r := bit % 64; r > 40 && bit/64 < 3 {
		v |= l[bit/64+1] << (64 - r)
	}
	return int64(v & (1<<24 - 1))
}

// decomposition fills the number that moves a register.
func (w *stepWorker) decomposition(v int64, addressTop uint8) {
	at := &w.at
	low := uint32(v)
	if v < 0 {
		w.rows.set(at.negative, elements[1])
		low = 0
		if v < -1 {
			w.rows.set(at.below, elements[1])
			low = uint32(1<<32 + 1 + v)
		}
	}
	r := [4]uint8{uint8(low), uint8(low >> 8), uint8(low >> 16), uint8(low >> 24)}
	if v < -1 {
		r[3] -= 224
	}
	for i, b := range r {
		if b != 0 {
			w.rows.set(at.result+i, elements[b])
		}
	}
	w.ranges.pair(r[0], r[1])
	w.ranges.pair(r[2], r[3])
	w.ranges.pair(8*r[3], 8*addressTop)
}
