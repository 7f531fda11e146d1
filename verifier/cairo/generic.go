package cairo

import "github.com/seed06907907/fatty/verifier/air"

// flagNames are the 15 flags of an instruction from bit 48 on.
var flagNames = [...]string{"dst_fp", "op0_fp", "op1_imm", "op1_fp", "op1_ap", "res_add", "res_mul", "pc_jump", "pc_jump_rel",
	"pc_jnz", "ap_add", "ap_add1", "call", "ret", "assert_eq"}

const (
	offsetBias = 1 << 15
	// apWordShift splits ap' into two overlapping words: ap' = lo + 2^12 hi, so ap' is below 2^28 + 2^16. No table of memory
	// reaches that far, and two ranged values added stay far below p.
	apWordShift = 12
	// addGroup is how many bytes of a sum share a carry: 3 * 2^24 with carries is far below p.
	addGroup  = 3
	addGroups = (FeltBytes + addGroup - 1) / addGroup
)

// genericStep holds the columns of a step while its constraints are written.
type genericStep struct {
	b                                *air.Builder
	on                               air.Expr
	pc, ap, fp                       air.Expr
	off                              []air.Expr
	f                                map[string]air.Expr
	op1Base, resOp1, pcNext          air.Expr
	dst, op0, op1, target            []air.Expr
	small                            []air.Expr // the bytes that the decomposed result stands for
	result                           air.Expr   // and its value as a signed number
	ids, addresses                   []air.Expr
	resOn, resAdd, resMul            air.Expr
	taken                            air.Expr
	nextPC, nextAP, nextFP, apHigh   air.Expr
	r                                []air.Expr // bytes 0..2 of the result, and byte 3 without its sign bits
	msb, mid, addressTop, size, one  air.Expr
	dstSum, dstAddress, op0Address   air.Expr
	addressOfOp0, addressOfDst, zero air.Expr
}

// genericTable proves one step of any instruction a row. A row with enabler 0 uses and yields nothing; it still satisfies
// every constraint.
func genericTable() *air.Component {
	b := air.NewBuilder(NameGeneric, air.AnyHeight)
	s := &genericStep{b: b, one: b.Const(1), zero: b.Const(0)}
	s.on = b.Bit("enabler")
	s.pc, s.ap, s.fp = b.Main("pc"), b.Main("ap"), b.Main("fp")
	s.off = b.MainN("off", 3)
	s.decode()
	s.operands()
	s.decompose()
	s.results()
	s.conditionalJump()
	s.callsAndReturns()
	s.registers()
	s.lookups()
	return b.MustBuild()
}

// decode constrains the flags: each a bit, and at most one of each group.
func (s *genericStep) decode() {
	b := s.b
	s.f = map[string]air.Expr{}
	for _, name := range flagNames {
		s.f[name] = b.Bit(name)
	}
	f := s.f
	bit := func(label string, x air.Expr) air.Expr {
		b.Zero(label, x.Mul(x.Sub(s.one)))
		return x
	}
	s.op1Base = bit("one source of op1", s.one.Sub(f["op1_imm"]).Sub(f["op1_fp"]).Sub(f["op1_ap"]))
	s.resOp1 = bit("one kind of result", s.one.Sub(f["res_add"]).Sub(f["res_mul"]).Sub(f["pc_jnz"]))
	s.pcNext = bit("one update of pc", s.one.Sub(f["pc_jump"]).Sub(f["pc_jump_rel"]).Sub(f["pc_jnz"]))
	bit("one update of ap", s.one.Sub(f["ap_add"]).Sub(f["ap_add1"]).Sub(f["call"]))
	bit("one opcode", s.one.Sub(f["call"]).Sub(f["ret"]).Sub(f["assert_eq"]))
	b.Zero("jnz has no result to use", f["pc_jnz"].Mul(f["ap_add"].Add(f["assert_eq"])))
	b.Zero("an immediate follows its instruction", f["op1_imm"].Mul(s.off[2].Plus(-offsetBias-1)))
	s.size = f["op1_imm"].Plus(1)
}

// operands constrains where the three operands are.
func (s *genericStep) operands() {
	b, f := s.b, s.f
	s.addresses, s.ids = b.MainN("address", 3), b.MainN("id", 3)
	s.dst, s.op0, s.op1 = b.MainN("dst", FeltBytes), b.MainN("op0", FeltBytes), b.MainN("op1", FeltBytes)
	s.dstAddress, s.op0Address = low4(s.dst), low4(s.op0)
	register := func(fromFP air.Expr) air.Expr { return s.ap.Add(fromFP.Mul(s.fp.Sub(s.ap))) }
	b.Equal("address of dst", s.addresses[0], register(f["dst_fp"]).Add(s.off[0]).Plus(-offsetBias))
	b.Equal("address of op0", s.addresses[1], register(f["op0_fp"]).Add(s.off[1]).Plus(-offsetBias))
	base := s.op1Base.Mul(s.op0Address).Add(f["op1_imm"].Mul(s.pc)).Add(f["op1_fp"].Mul(s.fp)).Add(f["op1_ap"].Mul(s.ap))
	b.Equal("address of op1", s.addresses[2], base.Add(s.off[2]).Plus(-offsetBias))

	// Operands that are addresses: 4 bytes, the highest below 32. One column ranges the highest bytes of all that apply:
	// weights are small and not negative, so each byte is at most the sum. Without it k and k + p would be one address.
	s.addressOfOp0, s.addressOfDst = s.op1Base.Add(f["call"]), f["ret"].Add(f["call"])
	b.Zero("op0 is an address", s.addressOfOp0.Mul(air.Sum(s.op0[4:]...)))
	b.Zero("dst is an address", s.addressOfDst.Mul(air.Sum(s.dst[4:]...)))
	s.addressTop = b.Main("address_top")
	b.Equal("top bytes of addresses", s.addressTop, s.addressOfOp0.Mul(s.op0[3]).Add(s.addressOfDst.Mul(s.dst[3])))
}

// low4 is the number that the lowest 4 bytes make.
func low4(v []air.Expr) air.Expr {
	return v[0].Add(v[1].Scale(1 << 8)).Add(v[2].Scale(1 << 16)).Add(v[3].Scale(1 << 24))
}

// decompose introduces a result that moves pc or ap: a number in [-2^29 - 1, 2^29). A negative one, P - k, has bytes
// 4..23 all 255 (mid = 1) and ends in 16, 0.., 8; P - 1 has them 0 (mid = 0) and ends in 17, 0.., 8.
func (s *genericStep) decompose() {
	b := s.b
	s.r = b.MainN("result", 4)
	s.msb, s.mid = b.Bit("result_negative"), b.Bit("result_below_minus_1")
	b.Zero("below -1 is negative", s.mid.Mul(s.msb.Not()))
	top := s.r[3].Add(s.mid.Scale(224))
	low := low4([]air.Expr{s.r[0], s.r[1], s.r[2], top})
	b.Zero("a number from -1 on has one form", s.msb.Sub(s.mid).Mul(low))
	s.result = low.Sub(s.msb).Sub(s.mid.Scale(1 << 32 % fieldModulus))

	s.small = []air.Expr{s.r[0], s.r[1], s.r[2], top}
	for i := 4; i < FeltBytes; i++ {
		switch {
		case i < 24:
			s.small = append(s.small, s.mid.Scale(255))
		case i == 24:
			s.small = append(s.small, s.msb.Scale(17).Sub(s.mid))
		case i < FeltBytes-1:
			s.small = append(s.small, s.zero)
		default:
			s.small = append(s.small, s.msb.Scale(8))
		}
	}
}

// results constrains what op0 and op1 make, if anything uses it: dst for assert_eq, else the decomposed number. There are no
// columns for the result itself.
func (s *genericStep) results() {
	b, f := s.b, s.f
	s.resOn, s.taken = b.Bit("res_used"), b.Bit("jnz_taken")
	s.resAdd, s.resMul = b.Main("res_add_used"), b.Main("res_mul_used")
	moves := air.Sum(f["pc_jump"], f["pc_jump_rel"], f["ap_add"])
	b.Zero("a result that is used is constrained", s.resOn.Not().Mul(moves.Add(f["assert_eq"]).Add(s.taken)))
	b.Equal("sum used", s.resAdd, s.resOn.Mul(f["res_add"]))
	b.Equal("product used", s.resMul, s.resOn.Mul(f["res_mul"]))
	for i := range s.dst {
		s.target = append(s.target, s.small[i].Add(f["assert_eq"].Mul(s.dst[i].Sub(s.small[i]))))
		b.Zero(label("dst is the number that moves a register", i), f["assert_eq"].Mul(moves).Mul(s.dst[i].Sub(s.small[i])))
	}
	copied := s.resOn.Sub(s.resAdd).Sub(s.resMul)
	for i := range s.dst {
		b.Zero(label("result is op1", i), copied.Mul(s.target[i].Sub(s.op1[i])))
	}

	// op0 + op1 = target + wrap*P in groups of 3 bytes with carries -1, 0, 1: the gap is below 2^26.
	carries := b.MainN("carry", addGroups-1)
	wrap := b.Bit("wrap")
	in := s.zero
	for g := range addGroups {
		sum, prime := s.zero, int64(0)
		for i := addGroup * g; i < min(addGroup*(g+1), FeltBytes); i++ {
			unit := int64(1) << (8 * (i - addGroup*g))
			sum = sum.Add(s.op0[i].Add(s.op1[i]).Sub(s.target[i]).Scale(unit))
			prime += unit * int64(primeBytes[i])
		}
		out := s.zero
		if g < addGroups-1 {
			out = carries[g]
			b.Zero(label("carry is -1, 0 or 1,", g), out.Mul(out.Mul(out).Sub(s.one)))
		}
		b.Zero(label("result is op0 + op1, group", g),
			s.resAdd.Mul(sum).Sub(wrap.Scale(prime)).Add(in).Sub(out.Scale(1<<(8*addGroup))))
		in = out
	}
}

// primeBytes is P, lowest byte first.
var primeBytes = [FeltBytes]uint8{0: 1, 24: 17, 31: 8}

// conditionalJump constrains jnz: taken if and only if dst is not zero. The sum of bytes is zero only if all are. That dst
// is not P, a second form of zero, holds for all of memory; it is constrained here once more, in every row.
func (s *genericStep) conditionalJump() {
	b, jnz := s.b, s.f["pc_jnz"]
	s.dstSum = air.Sum(s.dst...)
	notPrime := s.zero
	for i, d := range s.dst {
		if p := int64(primeBytes[i]); p != 0 {
			notPrime = notPrime.Add(d.Plus(-p).Mul(d.Plus(-p)))
		} else {
			notPrime = notPrime.Add(d)
		}
	}
	b.Zero("dst is not P", notPrime.Mul(b.Main("dst_not_prime_inverse")).Sub(s.one))
	b.Zero("only jnz is taken", s.taken.Mul(jnz.Not()))
	b.Zero("not taken means dst = 0", jnz.Sub(s.taken).Mul(s.dstSum))
	b.Zero("taken means dst is not 0", s.taken.Mul(s.dstSum.Mul(b.Main("dst_inverse")).Sub(s.one)))
}

// callsAndReturns constrains the two instructions that have but one form.
func (s *genericStep) callsAndReturns() {
	b, call, ret := s.b, s.f["call"], s.f["ret"]
	b.Zero("call saves fp at ap", call.Mul(s.off[0].Plus(-offsetBias)))
	b.Zero("call saves pc at ap + 1", call.Mul(s.off[1].Plus(-offsetBias-1)))
	b.Zero("call saves at ap, not fp", call.Mul(s.f["dst_fp"].Add(s.f["op0_fp"])))
	b.Zero("call saves fp", call.Mul(s.dstAddress.Sub(s.fp)))
	b.Zero("call saves the return address", call.Mul(s.op0Address.Sub(s.pc).Sub(s.size)))
	b.Zero("ret takes fp from fp - 2", ret.Mul(s.off[0].Plus(-offsetBias+2)))
	b.Zero("ret takes pc from fp - 1", ret.Mul(s.off[2].Plus(-offsetBias+1)))
	b.Zero("ret has one form", ret.Mul(air.Sum(s.f["pc_jump"], s.f["dst_fp"], s.f["op1_fp"], s.resOp1).Plus(-4)))
}

// registers constrains the state after the step.
func (s *genericStep) registers() {
	b, f := s.b, s.f
	s.nextPC, s.nextAP, s.nextFP, s.apHigh = b.Main("next_pc"), b.Main("next_ap"), b.Main("next_fp"), b.Main("next_ap_high")
	onward := s.pcNext.Add(f["pc_jnz"]).Sub(s.taken)
	b.Equal("next pc", s.nextPC, air.Sum(onward.Mul(s.pc.Add(s.size)), f["pc_jump"].Mul(s.result),
		f["pc_jump_rel"].Add(s.taken).Mul(s.pc.Add(s.result))))
	b.Equal("next ap", s.nextAP, air.Sum(s.ap, f["ap_add"].Mul(s.result), f["ap_add1"], f["call"].Scale(2)))
	kept := f["call"].Add(f["ret"]).Not()
	b.Equal("next fp", s.nextFP, air.Sum(kept.Mul(s.fp), f["ret"].Mul(s.dstAddress), f["call"].Mul(s.ap.Plus(2))))
}

func (s *genericStep) lookups() {
	b := s.b
	flags := s.zero
	for i, name := range flagNames {
		flags = flags.Add(s.f[name].Scale(1 << i))
	}
	b.Use(Opcodes, s.on, s.pc, s.ap, s.fp)
	b.Yield(Opcodes, s.on, s.nextPC, s.nextAP, s.nextFP)
	b.Use(VerifyInstruction, s.on, s.pc, s.off[0], s.off[1], s.off[2], flags, s.zero)
	for i, value := range [][]air.Expr{s.dst, s.op0, s.op1} {
		read(b, s.on, s.addresses[i], s.ids[i], value)
	}
	b.Use(Bytes, s.on, s.r[0], s.r[1])
	b.Use(Bytes, s.on, s.r[2], s.r[3])
	b.Use(Bytes, s.on, s.r[3].Scale(8), s.addressTop.Scale(8))
	b.Use(Word, s.on, s.nextAP.Sub(s.apHigh.Scale(1<<apWordShift)))
	b.Use(Word, s.on, s.apHigh)
	// Last, because its tuple has degree 2 and takes an interaction column of its own.
	b.Use(Multiply, s.resMul, append([]air.Expr{s.ids[1], s.ids[2]}, s.target...)...)
}
