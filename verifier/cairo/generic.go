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
)

// genericStep holds the columns of a step while its constraints are written.
type genericStep struct {
	b              *air.Builder
	one, zero      air.Expr
	on             air.Expr
	pc, ap, fp     air.Expr
	off            []air.Expr
	f              map[string]air.Expr // flags by name
	op1Base        air.Expr            // one-hot: op1 at [op0 + off]
	resOp1, pcNext air.Expr            // one-hot: the plain result, the plain update of pc
	size           air.Expr

	addresses, ids []air.Expr
	dst, op0, op1  []air.Expr // limbs
	move           air.Expr   // the signed number that moves pc or ap
	moves          air.Expr   // not zero if pc or ap moves by the result of op0 and op1; jnz apart

	resOn, resAdd, resMul, taken   air.Expr
	resID, byID                    air.Expr
	firstCarry, addressTop         air.Expr
	nextPC, nextAP, nextFP, apHigh air.Expr
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
	s.results()
	s.equation()
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
	s.moves = air.Sum(f["pc_jump"], f["pc_jump_rel"], f["ap_add"])
}

// operands constrains where the three operands are.
func (s *genericStep) operands() {
	b, f := s.b, s.f
	s.addresses, s.ids = b.MainN("address", 3), b.MainN("id", 3)
	s.dst, s.op0, s.op1 = b.MainN("dst", Limbs), b.MainN("op0", Limbs), b.MainN("op1", Limbs)
	register := func(fromFP air.Expr) air.Expr { return s.ap.Add(fromFP.Mul(s.fp.Sub(s.ap))) }
	b.Equal("address of dst", s.addresses[0], register(f["dst_fp"]).Add(s.off[0]).Plus(-offsetBias))
	b.Equal("address of op0", s.addresses[1], register(f["op0_fp"]).Add(s.off[1]).Plus(-offsetBias))
	base := s.op1Base.Mul(address(s.op0)).Add(f["op1_imm"].Mul(s.pc)).Add(f["op1_fp"].Mul(s.fp)).Add(f["op1_ap"].Mul(s.ap))
	b.Equal("address of op1", s.addresses[2], base.Add(s.off[2]).Plus(-offsetBias))

	// Operands that are addresses: two limbs, the second below 32. One column ranges the second limbs of all that apply:
	// weights are small and not negative, so each limb is at most the sum. Without it k and k + p would be one address.
	op0Is, dstIs := s.op1Base.Add(f["call"]), f["ret"].Add(f["call"])
	b.Zero("op0 is an address", op0Is.Mul(air.Sum(s.op0[2:]...)))
	b.Zero("dst is an address", dstIs.Mul(air.Sum(s.dst[2:]...)))
	s.addressTop = b.Main("address_top")
	b.Equal("second limbs of addresses", s.addressTop, op0Is.Mul(s.op0[1]).Add(dstIs.Mul(s.dst[1])))
}

// address is the number that the two lowest limbs make.
func address(v []air.Expr) air.Expr { return v[0].Add(v[1].Scale(limbOne)) }

// results says what becomes of op0 and op1, if anything does. There are no columns for the result: what assert_eq uses is
// dst, what moves a register is one signed number.
func (s *genericStep) results() {
	b, f := s.b, s.f
	s.move = b.Main("move")
	s.resOn, s.taken = b.Bit("res_used"), b.Bit("jnz_taken")
	s.resAdd, s.resMul = b.Main("res_add_used"), b.Main("res_mul_used")
	b.Zero("a result that is used is constrained", s.resOn.Not().Mul(s.moves.Add(f["assert_eq"]).Add(s.taken)))
	b.Equal("sum used", s.resAdd, s.resOn.Mul(f["res_add"]))
	b.Equal("product used", s.resMul, s.resOn.Mul(f["res_mul"]))

	// A product, by ids: of dst, or of a felt that need not be in memory. What moves a register and is a product, or is asserted
	// as well, is read by the offset table.
	s.resID, s.byID = b.Main("res_id"), b.Bit("move_by_id")
	b.Zero("what is asserted is dst", f["assert_eq"].Mul(s.resID.Sub(s.ids[0])))
	b.Zero("a move by a product or an assertion is by id", s.moves.Mul(f["assert_eq"].Add(s.resMul)).Mul(s.byID.Not()))
}

// equation constrains (op0 +) op1 = target + wrap*P, limb by limb with carries. The target is dst if that is asserted, else
// the number that moves a register, as a single signed limb: then the first carry, from -32 to 31, bounds it. The other
// carries are -1, 0 or 1, and for a negative number, which is one summand more on the left, 0, 1 or 2.
func (s *genericStep) equation() {
	b := s.b
	carries := b.MainN("carry", Limbs-1)
	wrap, shift := b.Main("wrap"), b.Bit("carry_shift")
	b.Zero("wrap is 0, 1 or 2", wrap.Mul(wrap.Sub(s.one)).Mul(wrap.Plus(-2)))
	linear := s.resOn.Sub(s.resMul) // op1 alone, or a sum
	in := s.zero
	for i := range Limbs {
		target := s.f["assert_eq"].Mul(s.dst[i])
		if i == 0 {
			target = s.move.Add(s.f["assert_eq"].Mul(s.dst[0].Sub(s.move)))
		}
		sum := s.resAdd.Mul(s.op0[i]).Add(linear.Mul(s.op1[i].Sub(target))).Add(in)
		if p := primeLimbs[i]; p != 0 {
			sum = sum.Sub(wrap.Scale(p))
		}
		out := s.zero
		if i < len(carries) {
			out = carries[i]
			if i > 0 {
				c := out.Sub(shift)
				b.Zero(label("range of carry", i), c.Mul(c.Mul(c).Sub(s.one)))
			}
		}
		b.Equal(label("result, limb", i), sum, out.Scale(limbOne))
		in = out
	}
	s.firstCarry = carries[0]
}

// conditionalJump constrains jnz: taken if and only if dst is not zero. The sum of limbs is below 2^28, so it is zero only if all
// are. dst cannot be P, a second form of zero: memory holds values below P only.
func (s *genericStep) conditionalJump() {
	b, jnz := s.b, s.f["pc_jnz"]
	sum := air.Sum(s.dst...)
	b.Zero("only jnz is taken", s.taken.Mul(jnz.Not()))
	b.Zero("not taken means dst = 0", jnz.Sub(s.taken).Mul(sum))
	b.Zero("taken means dst is not 0", s.taken.Mul(sum.Mul(b.Main("dst_inverse")).Sub(s.one)))
}

// callsAndReturns constrains the two instructions that have but one form.
func (s *genericStep) callsAndReturns() {
	b, call, ret := s.b, s.f["call"], s.f["ret"]
	b.Zero("call saves fp at ap", call.Mul(s.off[0].Plus(-offsetBias)))
	b.Zero("call saves pc at ap + 1", call.Mul(s.off[1].Plus(-offsetBias-1)))
	b.Zero("call saves at ap, not fp", call.Mul(s.f["dst_fp"].Add(s.f["op0_fp"])))
	b.Zero("call saves fp", call.Mul(address(s.dst).Sub(s.fp)))
	b.Zero("call saves the return address", call.Mul(address(s.op0).Sub(s.pc).Sub(s.size)))
	b.Zero("ret takes fp from fp - 2", ret.Mul(s.off[0].Plus(-offsetBias+2)))
	b.Zero("ret takes pc from fp - 1", ret.Mul(s.off[2].Plus(-offsetBias+1)))
	b.Zero("ret has one form", ret.Mul(air.Sum(s.f["pc_jump"], s.f["dst_fp"], s.f["op1_fp"], s.resOp1).Plus(-4)))
}

// registers constrains the state after the step.
func (s *genericStep) registers() {
	b, f := s.b, s.f
	s.nextPC, s.nextAP, s.nextFP, s.apHigh = b.Main("next_pc"), b.Main("next_ap"), b.Main("next_fp"), b.Main("next_ap_high")
	onward := s.pcNext.Add(f["pc_jnz"]).Sub(s.taken)
	b.Equal("next pc", s.nextPC, air.Sum(onward.Mul(s.pc.Add(s.size)), f["pc_jump"].Mul(s.move),
		f["pc_jump_rel"].Add(s.taken).Mul(s.pc.Add(s.move))))
	b.Equal("next ap", s.nextAP, air.Sum(s.ap, f["ap_add"].Mul(s.move), f["ap_add1"], f["call"].Scale(2)))
	kept := f["call"].Add(f["ret"]).Not()
	b.Equal("next fp", s.nextFP, air.Sum(kept.Mul(s.fp), f["ret"].Mul(address(s.dst)), f["call"].Mul(s.ap.Plus(2))))
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
	b.Use(Bytes, s.on, s.firstCarry.Plus(offsetReach).Scale(4), s.addressTop.Scale(8))
	b.Use(Word, s.on, s.nextAP.Sub(s.apHigh.Scale(1<<apWordShift)))
	b.Use(Word, s.on, s.apHigh)
	b.Use(Multiply, s.resMul, s.ids[1], s.ids[2], s.resID)
	b.Use(Offset, s.byID, s.resID, s.move)
}
