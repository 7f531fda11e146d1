package cairo

import (
	"context"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/prover/stark"
	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/cairo"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// The tests here are named after real bugs, as those in verifier/cairo: each makes the witness that the bug let through, fits
// everything that depends on it, and expects the oracle to refuse.

// generic is short for the table of most attacks.
const generic = cairo.NameGeneric

// A row's copy of a memory cell was not bound to memory.
func TestKnownBug_29_MemoryCopyUnbound(t *testing.T) {
	in := everything(t)
	for _, group := range operandGroups {
		f := forge(t, in)
		row := f.rows(generic, "enabler")[3]
		f.add(generic, group+"_0", row, signed(1))
		f.solve(tableIndex(generic), row)
		f.mustRefuse("IDToValue", "is ", "range of", "result")
	}
	for _, c := range []struct{ component, column string }{
		{cairo.NameRangeCheck, "byte_3"}, {cairo.NameBitwise, "x_0"}, {cairo.NameMultiply, "a_5"}, {cairo.NameMultiply, "c_7"},
		{cairo.NameInstruction, "byte_2"}, {cairo.NameOffset, "limb_0"}, {cairo.NameOffset, "top"},
	} {
		f := forge(t, in)
		f.add(c.component, c.column, 0, signed(1))
		f.mustRefuse()
	}
}

func tableIndex(name string) int {
	_, i := cairo.Core().Component(name)
	return i
}

// A guessed 16-bit number was not ranged.
func TestKnownBug_31_WordUnranged(t *testing.T) {
	in := everything(t)
	f := forge(t, in)
	row := f.rows(generic, "enabler")[0]
	f.add(generic, "next_ap_high", row, signed(-16)) // the low word grows by 2^16
	f.mustRefuse("Word")
	for _, name := range []string{"factor", "carry_13", "carry_20", "carry_28"} {
		f := forge(t, in)
		row := f.rows(cairo.NameMultiply, "enabler")[0]
		i, col := f.at(cairo.NameMultiply, name)
		high := &f.tables[i].Main[col+1][row]
		word := &f.tables[i].Main[col][row]
		if high.IsOne() {
			*high = signed(0)
			*word = signed(int64(word.Uint64()) + 1<<16)
		} else {
			*high = signed(1)
			*word = signed(int64(word.Uint64()) - 1<<16)
		}
		f.mustRefuse("Word")
	}
}

// aliases are programs in which 4 bytes hold a number; k and k + p, both below 2^32, are the same to the field.
var aliases = []struct {
	name string
	body func(a *assembler)
	row  func(f *forger) int // the row
	id   string              // which operand holds the number
}{
	{"jmp rel", func(a *assembler) { a.immInt(unused|flagJumpRel, -1, -1, 2) },
		func(f *forger) int { return f.rows(generic, "pc_jump_rel", "op1_imm", "dst_fp")[0] }, "2"},
	{"ap +=", func(a *assembler) { a.immInt(unused|flagAPAdd, -1, -1, 2) },
		func(f *forger) int { return f.rows(generic, "ap_add", "op1_imm", "dst_fp")[1] }, "2"},
	{"jnz", func(a *assembler) { a.pushInt(9); a.immInt(flagOp0FP|flagJnz, -1, -1, 2) },
		func(f *forger) int { return f.rows(generic, "jnz_taken")[0] }, "2"},
	{"the base of op1", func(a *assembler) { inCall(a, func() { a.op(flagOp0FP|assertPush, 0, -2, -1) }) },
		func(f *forger) int {
			for _, r := range f.rows(generic, "assert_eq") {
				if f.get(generic, "op1_imm", r)+f.get(generic, "op1_fp", r)+f.get(generic, "op1_ap", r) == 0 {
					return r
				}
			}
			return -1
		}, "1"},
	{"the saved fp", func(a *assembler) { inCall(a, func() {}) }, func(f *forger) int { return f.rows(generic, "ret")[0] }, "0"},
	{"the saved pc", func(a *assembler) {}, func(f *forger) int { return f.rows(generic, "ret")[0] }, "2"},
}

// inCall runs a body of at most one word in a function of its own: the fp that its frame saves is no public value.
func inCall(a *assembler, body func()) {
	a.immInt(flagJumpRel|flagCall, 0, 1, 4)
	a.immInt(unused|flagJumpRel, -1, -1, 4)
	start := len(a.words)
	body()
	a.ret()
	for len(a.words) < start+2 {
		a.ret()
	}
}

// 0 was also accepted as the bits of p; the top limb was ranged to 8 bits instead of 6, so that it wrapped past p.
func TestKnownBug_46_NumberPlusP(t *testing.T) {
	for _, c := range aliases {
		t.Run(c.name, func(t *testing.T) {
			a := newAssembler(0)
			c.body(a)
			a.ret()
			in := witness(t, run(t, a.load(t), nil))
			f := forge(t, in)
			row := c.row(f)
			id := f.get(generic, "id_"+c.id, row)
			group := operandGroups[c.id[0]-'0']
			n := f.value(generic, group, row)
			n.Add(n, big.NewInt(1<<31-1<<24+1))
			f.rewrite(id, n)
			// The program follows. The number that moves a register is the same to the field.
			for _, r := range f.rows(generic, "enabler") {
				f.solve(tableIndex(generic), r)
			}
			for i, w := range f.in.Bytecode {
				if new(big.Int).SetBytes(w[:]).Cmp(new(big.Int).Sub(n, big.NewInt(1<<31-1<<24+1))) == 0 && c.id == "2" {
					f.in.Bytecode = slices.Clone(f.in.Bytecode)
					n.FillBytes(f.in.Bytecode[i][:])
				}
			}
			f.tables = airTables(t, f.in)
			f.mustRefuse("Bytes")
		})
	}
}

// A padding row was looked up. Rows with enabler 0 yield nothing; with enabler 1 they must be true.
func TestKnownBug_38_PaddingLookedUp(t *testing.T) {
	in := everything(t)
	f := forge(t, in)
	row := len(f.rows(generic, "enabler"))
	f.set(generic, "enabler", row, 1)
	f.mustRefuse()
	f = forge(t, in)
	row = len(f.rows(cairo.NameMultiply, "enabler"))
	f.set(cairo.NameMultiply, "enabler", row, 1)
	f.set(cairo.NameMultiply, "c_0", row, 1) // 0 * 0 = 1
	f.mustRefuse("product")
	// Padding of the instruction table repeats a row: with another word it would read memory that is not there.
	f = forge(t, in)
	i, _ := f.at(cairo.NameInstruction, "uses")
	last := len(f.tables[i].Main[0]) - 1
	f.add(cairo.NameInstruction, "byte_0", last, signed(1))
	f.mustRefuse("IDToBytes")
}

// An inverse was never constrained, so a jump was taken, or not, at will.
func TestKnownBug_39_InverseUnconstrained(t *testing.T) {
	in := everything(t)
	a := newAttack(t, in)
	f := forge(t, in)
	g := tableIndex(generic)
	taken := f.rows(generic, "jnz_taken")[0]
	cells := func(row int, set map[string]int64) map[int]air.Element {
		out := map[int]air.Element{}
		for name, v := range set {
			_, col := f.at(generic, name)
			out[col] = signed(v)
		}
		a.repair(t, g, row, out)
		return out
	}
	if why := a.try(t, g, taken, cells(taken, map[string]int64{"jnz_taken": 0, "dst_inverse": 0, "res_used": 0, "wrap": 0, "carry_shift": 0}), nil); !strings.Contains(why, "not taken means") {
		t.Errorf("a jump not taken: %q", why)
	}
	if why := a.try(t, g, taken, cells(taken, map[string]int64{"dst_inverse": 7}), nil); !strings.Contains(why, "taken means") {
		t.Errorf("a wrong inverse: %q", why)
	}
	for _, row := range f.rows(generic, "pc_jnz") {
		if f.get(generic, "jnz_taken", row) == 0 {
			if why := a.try(t, g, row, cells(row, map[string]int64{"jnz_taken": 1, "dst_inverse": 1}), nil); !strings.Contains(why, "taken means") &&
				!strings.Contains(why, "is constrained") {
				t.Errorf("a jump taken at zero: %q", why)
			}
		}
	}
}

// Only differences of addresses were ranged, so that an address could be 2^32 and more.
func TestKnownBug_41_AddressBeyondItsRange(t *testing.T) {
	for _, n := range []*big.Int{big.NewInt(1 << 29), big.NewInt(1 << 32), new(big.Int).Lsh(big.NewInt(1), 248)} {
		a := newAssembler(0)
		a.op(flagOp0FP|assertPush, 0, -2, -1)
		a.ret()
		f := forge(t, witness(t, run(t, a.load(t), nil)))
		row := aliases[3].row(f)
		f.rewrite(f.get(generic, "id_1", row), new(big.Int).Add(f.value(generic, "op0", row), n))
		f.mustRefuse()
	}
}

// A builtin's rows started in the middle of an instance.
func TestKnownBug_42_SegmentStartUnaligned(t *testing.T) {
	in := everything(t)
	for _, name := range []string{cairo.NameRangeCheck, cairo.NameBitwise} {
		for _, shift := range []int64{1, -1} {
			f := forge(t, in)
			scalars := slices.Clone(in.Public.Scalars()[tableIndex(name)])
			d := signed(shift)
			scalars[1].Add(&scalars[1], &d)
			f.params = map[string][]air.Element{name: scalars}
			f.mustRefuse("AddressToID")
		}
	}
}

// Two reads of one cell in a step gave two values.
func TestKnownBug_43_TwoReadsOfOneCell(t *testing.T) {
	a := newAssembler(0)
	a.pushInt(7)
	a.op(flagOp1AP|flagAssertEq, -1, -1, -1) // dst, op0 and op1 are one cell
	a.ret()
	in := witness(t, run(t, a.load(t), nil))
	at := newAttack(t, in)
	f := forge(t, in)
	for _, row := range f.rows(generic, "assert_eq", "op1_ap") {
		for _, group := range operandGroups {
			_, col := f.at(generic, group+"_0")
			cells := map[int]air.Element{col: signed(8)}
			at.repair(t, tableIndex(generic), row, cells)
			if at.try(t, tableIndex(generic), row, cells, nil) == "" {
				t.Errorf("%s alone differs: accepted", group)
			}
		}
	}
}

// Division had two results: here a product or a sum has one, since a value has no second form v + P.
func TestKnownBug_44_TwoResults(t *testing.T) {
	for _, kind := range []string{"res_mul_used", "res_add_used"} {
		f := forge(t, everything(t))
		row := -1
		for _, r := range f.rows(generic, kind, "assert_eq") {
			if f.value(generic, "dst", r).BitLen() < 251 {
				row = r
				break
			}
		}
		if row < 0 {
			t.Fatal("no small result")
		}
		n := f.value(generic, "dst", row)
		f.rewrite(f.get(generic, "id_0", row), n.Add(n, bigPrime))
		if kind == "res_add_used" {
			f.set(generic, "wrap", row, 1-int64(f.get(generic, "wrap", row)))
			f.solve(tableIndex(generic), row)
		}
		f.mustRefuse(cairo.NameBig, "result, limb", "product", "Bytes")
	}
}

// The next state was not constrained: change it, and the row that starts from it.
func TestKnownBug_45_NextStateUnconstrained(t *testing.T) {
	in := everything(t)
	for _, register := range []string{"pc", "ap", "fp"} {
		for _, row := range []int{0, 5, 20} {
			f := forge(t, in)
			f.add(generic, "next_"+register, row, signed(1))
			f.add(generic, register, row+1, signed(1))
			for r := row + 1; register != "pc" && r < row+2; r++ {
				i, _ := f.at(generic, register)
				a := &attack{set: cairo.Core(), tables: f.tables}
				cells := map[int]air.Element{}
				a.repair(t, i, r, cells)
				for col, v := range cells {
					f.tables[i].Main[col][r] = v
				}
			}
			f.mustRefuse("next " + register)
		}
	}
}

// A carry was ranged after scaling only. Solve all equations of a wrong product over the field: c's byte 22 grows by 1,
// so position 0 does; K and all carries follow, and only their ranges refuse.
func TestKnownBug_47_CarrySolvedInTheField(t *testing.T) {
	in := everything(t)
	f := forge(t, in)
	row := f.rows(cairo.NameMultiply, "enabler")[0]
	f.add(cairo.NameMultiply, "c_22", row, signed(1))
	// sum_j 256^j o_j = K sum_j 256^j P_j over the field as well: K grows by 1/P(256).
	var prime256, power, base air.Element
	power.SetOne()
	base.SetUint64(256)
	for _, b := range primeBytes {
		d := element(uint32(b))
		d.Mul(&d, &power)
		prime256.Add(&prime256, &d)
		power.Mul(&power, &base)
	}
	prime256.Inverse(&prime256)
	f.add(cairo.NameMultiply, "factor", row, prime256)
	f.solve(tableIndex(cairo.NameMultiply), row)
	c, i := cairo.Core().Component(cairo.NameMultiply)
	if err := air.CheckConstraints(c, f.tables[i]); err != nil {
		t.Fatalf("the equations should hold: %v", err)
	}
	f.mustRefuse("Word", "IDToBytes")
	// And over the sums: a carry that is 1/2^24 off.
	f = forge(t, in)
	row = f.rows(generic, "res_add_used")[0]
	f.add(generic, "dst_0", row, signed(1))
	f.solve(tableIndex(generic), row)
	f.mustRefuse("range of carry", "result, limb", "IDToValue")
}

// A bit was not boolean: 2, and -1.
func TestKnownBug_48_BitsOfTwo(t *testing.T) {
	in := everything(t)
	a := newAttack(t, in)
	n := 0
	for i, c := range cairo.Core().Components {
		for _, k := range c.Constraints {
			name, ok := strings.CutSuffix(k.Label, " is a bit")
			if !ok {
				continue
			}
			n++
			for _, v := range []int64{2, -1} {
				violated := map[string]bool{}
				a.try(t, i, 0, map[int]air.Element{slices.Index(c.Main, name): signed(v)}, violated)
				if !violated[k.Label] {
					t.Errorf("%s: %s = %d is accepted", c.Name, name, v)
				}
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d bits", n)
	}
}

// The program was not checked: a proof of one program passed for another.
func TestKnownBug_49_AnotherProgram(t *testing.T) {
	in := everything(t)
	inst, pre, program := instance(t, in)
	proof, err := stark.Prove(context.Background(), inst, pre, program, &stark.Trace{Main: in.Main}, stark.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := vstark.Verify(inst, proof); err != nil {
		t.Fatal(err)
	}
	other := *in
	other.Bytecode = slices.Clone(in.Bytecode)
	other.Bytecode[9][31] ^= 1
	foreign, _, _ := instance(t, &other)
	if vstark.Verify(foreign, proof) == nil {
		t.Error("accepted for another program")
	}
	// Nor can the witness be proven for the other program.
	if err := air.Check(cairo.Core(), airTables(t, &other), in.Public.Lookups()); err == nil {
		t.Error("the oracle accepts another program")
	}
	// Another preprocessed tree is another machine.
	wrong := *inst
	wrong.Preprocessed[0].SetUint64(1)
	if vstark.Verify(&wrong, proof) == nil {
		t.Error("accepted with another preprocessed root")
	}
}

// Second forms v + P of a value: in jnz, in bitwise, and in memory at all.
func TestKnownBug_C05_SecondFormOfAValue(t *testing.T) {
	in := everything(t)
	a := newAttack(t, in)
	f := forge(t, in)
	// jnz on P is not taken at all: a cell that holds 0 cannot hold P.
	for _, row := range f.rows(generic, "pc_jnz") {
		if f.get(generic, "jnz_taken", row) == 0 {
			g := forge(t, in)
			g.rewrite(g.get(generic, "id_0", row), bigPrime)
			g.set(generic, "jnz_taken", row, 1)
			g.set(generic, "res_used", row, 1)
			g.solve(tableIndex(generic), row)
			g.mustRefuse()
		}
	}
	// Memory: values that are P or more, in every way to set the table's bits.
	c, i := cairo.Core().Component(cairo.NameBig)
	plus := func(v int64) *big.Int { return new(big.Int).Add(bigPrime, big.NewInt(v)) }
	hi := func(b24 int64, low int64) *big.Int {
		n := new(big.Int).Lsh(big.NewInt(1), 251)
		n.Add(n, new(big.Int).Lsh(big.NewInt(b24), 192))
		return n.Add(n, big.NewInt(low))
	}
	row := len(f.tables[i].Main[0]) - 1
	try := func(n *big.Int, bits, u, x int64) string {
		b := bytesOf(n)
		cells := map[int]air.Element{}
		set := func(name string, v int64) { _, col := f.at(cairo.NameBig, name); cells[col] = signed(v) }
		for j := range cairo.FeltBytes - 1 {
			set("byte_"+itoa(j), int64(b[j]))
		}
		set("w", int64(b[31])-8*bits)
		set("t", bits)
		set("u", u)
		set("x", x)
		return a.try(t, i, row, cells, nil)
	}
	all := func(n *big.Int) (accepted bool) {
		b := bytesOf(n)
		for bits := int64(0); bits < 2; bits++ {
			for u := int64(0); u < 2; u++ {
				for _, x := range []int64{0, 15 * (int64(b[24]) + 1) * (bits - u), 255} {
					accepted = accepted || try(n, bits, u, x) == ""
				}
			}
		}
		return accepted
	}
	for _, n := range []*big.Int{plus(-1), plus(-2), plus(-1 << 62), hi(16, 0), hi(0, 0), hi(15, 99), big.NewInt(0),
		new(big.Int).Sub(hi(0, 0), big.NewInt(1))} {
		if !all(n) {
			t.Errorf("%s: %v is below P and refused", c.Name, n)
		}
	}
	for _, n := range []*big.Int{plus(0), plus(1), plus(255), plus(1 << 40), hi(17, 1), hi(18, 0), hi(255, 0),
		new(big.Int).Lsh(big.NewInt(9), 248), new(big.Int).Lsh(big.NewInt(15), 248), new(big.Int).Lsh(big.NewInt(1), 252),
		new(big.Int).Add(hi(0, 0), new(big.Int).Lsh(big.NewInt(1), 200)), new(big.Int).Add(hi(0, 0), new(big.Int).Lsh(big.NewInt(1), 247))} {
		if all(n) {
			t.Errorf("%s: %v is P or more and accepted", c.Name, n)
		}
	}
	// Bitwise: x + P fits 32 bytes, but its top byte times 32 is no byte.
	f = forge(t, in)
	x := f.value(cairo.NameBitwise, "y", 0)
	f.setValue(cairo.NameBitwise, "y", 0, x.Add(x, bigPrime))
	f.mustRefuse()
}

// ap left its range by a large step, up or down.
func TestKnownBug_C06_ApOverflow(t *testing.T) {
	a := newAssembler(0)
	a.immInt(unused|flagAPAdd, -1, -1, 2)
	a.ret()
	in := witness(t, run(t, a.load(t), nil))
	at := newAttack(t, in)
	f := forge(t, in)
	g := tableIndex(generic)
	row := f.rows(generic, "ap_add", "dst_fp")[1]
	ap := int64(f.get(generic, "ap", row))
	for _, target := range []int64{-1, -2, -1 << 28, 1<<28 + 1<<16, 1 << 29, 1<<29 + ap - 1} {
		d := target - ap
		n := new(big.Int).Mod(big.NewInt(d), bigPrime)
		cells := map[int]air.Element{}
		set := func(name string, v int64) { _, col := f.at(generic, name); cells[col] = signed(v) }
		for i, v := range limbsOf(n) {
			set("op1_"+itoa(i), v)
		}
		set("move", d)
		set("wrap", 0)
		if d < 0 {
			set("wrap", 1)
		}
		for _, high := range []int64{0, 1<<16 - 1, max(0, target) >> 12 & 0xffff} {
			set("next_ap_high", high)
			at.repair(t, g, row, cells)
			why := at.try(t, g, row, cells, nil)
			if why != "range of Word" {
				t.Errorf("ap' = %d: %q", target, why)
			}
		}
	}
}

// The frame below the first, through which a program could return to where it likes, was not checked.
func TestKnownBug_C07_SafeCall(t *testing.T) {
	in := everything(t)
	for _, address := range []uint32{in.Public.InitialAP - 2, in.Public.InitialAP - 1} {
		f := forge(t, in)
		id := in.Public.FrameID
		if address == in.Public.InitialAP-1 {
			id = in.Public.ReturnID
		}
		f.rewrite(uint64(id), big.NewInt(77))
		f.mustRefuse()
	}
}

// Padding rows broke a constraint, such as "dst is not P"; tables without an enabler did not count their padding's lookups.
func TestKnownBug_C09_PaddingRows(t *testing.T) {
	a := newAssembler(0)
	a.ret()
	in := witness(t, run(t, a.load(t), nil)) // no product, no builtin, no big value but one, few instructions
	checkOracle(t, in)
	tables := airTables(t, in)
	for i, c := range cairo.Core().Components {
		if c.Name != cairo.NameBytes && in.LogHeights[i] > 5 {
			t.Errorf("%s has 2^%d rows in a program without work", c.Name, in.LogHeights[i])
		}
		if err := air.CheckConstraints(c, tables[i]); err != nil {
			t.Error(err)
		}
	}
	g := tableIndex(generic)
	last := len(tables[g].Main[0]) - 1
	v, err := tables[g].EvalRow(cairo.Core().Components[g], last)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range cairo.Core().Components[g].Lookups {
		if !v[l.Numerator].IsZero() {
			t.Errorf("a padding step uses %s", l.Relation.Name)
		}
	}
	if err := proveAndVerify(t, in); err != nil {
		t.Error(err)
	}
}

// Constraints were written and never wired. TestEveryColumnIsBound finds, for each, a change that breaks it. Here most are
// broken alone, so that no other hides a missing one, and some of these go through prover and verifier.
func TestKnownBug_40_ConstraintNeverWired(t *testing.T) {
	in := everything(t)
	a := newAttack(t, in)
	inst, pre, program := instance(t, in)
	type flaw struct {
		label          string
		component, row int
		cells          map[int]air.Element
	}
	var alone []flaw
	total := 0
	for i, c := range cairo.Core().Components {
		total += len(c.Constraints)
		if len(c.Constraints) == 0 {
			continue
		}
		seen := map[string]bool{}
		for col := range c.Main {
			for row := range min(len(a.tables[i].Main[0]), 200) {
				for _, d := range []int64{1, -1} {
					e := signed(d)
					e.Add(&e, &a.tables[i].Main[col][row])
					cells := map[int]air.Element{col: e}
					for repaired := range 2 {
						if repaired == 1 {
							if row%32 != 5 {
								break // solving is slow
							}
							a.repair(t, i, row, cells)
						}
						violated := map[string]bool{}
						a.try(t, i, row, cells, violated)
						for l := range violated {
							if len(violated) == 1 && !seen[l] {
								seen[l] = true
								alone = append(alone, flaw{l, i, row, maps.Clone(cells)})
							}
						}
					}
				}
			}
		}
	}
	if len(alone) < total/2 {
		t.Errorf("only %d of %d constraints are broken alone", len(alone), total)
	}
	t.Logf("%d of %d constraints broken alone", len(alone), total)
	for range provenFlaws / 20 {
		x := alone[rand.IntN(len(alone))]
		flawed := clone(in)
		for col, v := range x.cells {
			flawed.Main[x.component][col][x.row] = v
		}
		refit(t, flawed)
		proof, err := stark.Prove(context.Background(), inst, pre, program, &stark.Trace{Main: flawed.Main}, stark.Options{})
		if err == nil {
			err = vstark.Verify(inst, proof)
		}
		if err == nil {
			t.Errorf("%s, row %d: %q is broken and accepted", cairo.Core().Components[x.component].Name, x.row, x.label)
		}
	}
}
