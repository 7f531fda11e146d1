package vm

import "fmt"

type (
	op1Source uint8
	resLogic  uint8
	pcUpdate  uint8
	apUpdate  uint8
	opcode    uint8
)

const (
	sourceOp0 op1Source = iota
	sourceImmediate
	sourceFP
	sourceAP
)

const (
	resOp1 resLogic = iota
	resAdd
	resMul
	resNone // of jnz
)

const (
	pcNext pcUpdate = iota
	pcJump
	pcJumpRel
	pcJnz
)

const (
	apSame apUpdate = iota
	apAddRes
	apAdd1
	apAdd2 // of call
)

const (
	opNop opcode = iota
	opCall
	opRet
	opAssertEq
)

// instruction is one decoded instruction.
type instruction struct {
	offDst, offOp0, offOp1 int32
	hints                  int32 // index into the program's hint lists plus one; 0: none
	dstFP, op0FP           bool  // the base register is fp rather than ap
	valid                  bool
	source                 op1Source
	res                    resLogic
	pc                     pcUpdate
	ap                     apUpdate
	op                     opcode
	size                   uint8
}

// decode reads an instruction word.
//
//	bits  0-15 off_dst, 16-31 off_op0, 32-47 off_op1, each biased by 2^15
//	bit  48 dst_reg, 49 op0_reg (1 = fp)
//	bits 50-52 op1_src (0 op0, 1 immediate, 2 fp, 4 ap)
//	bits 53-54 res_logic (0 op1, 1 add, 2 mul)
//	bits 55-57 pc_update (0 next, 1 absolute, 2 relative, 4 jnz)
//	bits 58-59 ap_update (0, 1 += res, 2 += 1)
//	bits 60-62 opcode (0 nop, 1 call, 2 ret, 4 assert_eq)
//	bits 63-   opcode extension (0 Stone, 1 Blake, 2 BlakeFinalize, 3 QM31)
func decode(v value) (instruction, error) {
	var ins instruction
	if !v.isFelt() {
		return ins, fmt.Errorf("not an instruction: %v", v)
	}
	if !v.fits128() {
		return ins, fmt.Errorf("not an instruction: %v is not below 2^128", v)
	}
	w := v.a
	switch extension := v.a>>63 | v.b<<1; {
	case v.b>>63 != 0 || extension > 3:
		return ins, fmt.Errorf("not an instruction: opcode extension %v is not assigned", v)
	case extension == 1:
		return ins, fmt.Errorf("%w: Blake2s compression (opcode extension 1)", ErrUnsupported)
	case extension == 2:
		return ins, fmt.Errorf("%w: Blake2s finalization (opcode extension 2)", ErrUnsupported)
	case extension == 3:
		return ins, fmt.Errorf("%w: QM31 arithmetic (opcode extension 3)", ErrUnsupported)
	}
	ins.offDst = int32(w&0xffff) - 1<<15
	ins.offOp0 = int32(w>>16&0xffff) - 1<<15
	ins.offOp1 = int32(w>>32&0xffff) - 1<<15
	ins.dstFP = w>>48&1 == 1
	ins.op0FP = w>>49&1 == 1
	ins.size = 1

	bad := func(field string, bits uint64) (instruction, error) {
		return instruction{}, fmt.Errorf("not an instruction: %#x has %s %d", w, field, bits)
	}
	switch bits := w >> 50 & 7; bits {
	case 0:
		ins.source = sourceOp0
	case 1:
		ins.source, ins.size = sourceImmediate, 2
		if ins.offOp1 != 1 {
			return instruction{}, fmt.Errorf("not an instruction: %#x has an immediate at offset %d, not 1", w, ins.offOp1)
		}
	case 2:
		ins.source = sourceFP
	case 4:
		ins.source = sourceAP
	default:
		return bad("op1_src", bits)
	}
	switch bits := w >> 55 & 7; bits {
	case 0:
		ins.pc = pcNext
	case 1:
		ins.pc = pcJump
	case 2:
		ins.pc = pcJumpRel
	case 4:
		ins.pc = pcJnz
	default:
		return bad("pc_update", bits)
	}
	switch bits := w >> 53 & 3; {
	case ins.pc == pcJnz && bits == 0:
		ins.res = resNone
	case ins.pc == pcJnz || bits == 3:
		return bad("res_logic", bits)
	default:
		ins.res = resLogic(bits)
	}
	switch bits := w >> 60 & 7; bits {
	case 0:
		ins.op = opNop
	case 1:
		ins.op = opCall
	case 2:
		ins.op = opRet
	case 4:
		ins.op = opAssertEq
	default:
		return bad("opcode", bits)
	}
	switch bits := w >> 58 & 3; {
	case ins.op == opCall && bits == 0:
		ins.ap = apAdd2
	case ins.op == opCall || bits == 3:
		return bad("ap_update", bits)
	case bits == 1 && ins.res == resNone:
		return bad("ap_update", bits)
	default:
		ins.ap = apUpdate(bits)
	}
	ins.valid = true
	return ins, nil
}
