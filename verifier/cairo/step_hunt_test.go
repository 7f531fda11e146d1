package cairo

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed06907907/fatty/verifier/air"
)

// A step as the Cairo whitepaper (ePrint 2021/1063, section 4.5) has it, in integers, beside every way in which an attacker can
// fill the free columns of its row. Whatever row satisfies the constraints and ranges must be the whitepaper's step.

var huntPrime = func() *big.Int {
	p := new(big.Int)
	for i := Limbs - 1; i >= 0; i-- {
		p.Lsh(p, 8*limbBytes).Add(p, big.NewInt(primeLimbs[i]))
	}
	return p
}()

// huntStep is what memory and the state before say: all of it is bound by lookups.
type huntStep struct {
	flags         uint32
	off           [3]int64
	pc, ap, fp    int64
	dst, op0, op1 *big.Int
}

func (s *huntStep) flag(name string) int64 {
	return int64(s.flags >> slices.Index(flagNames[:], name) & 1)
}

// outcome is the state after a step and the three addresses that it reads.
type outcome struct {
	state     [3]*big.Int
	addresses [3]*big.Int
}

// reference returns the step of the whitepaper, or why there is none.
func (s *huntStep) reference() (out outcome, refusal string) {
	f := s.flag
	i := big.NewInt
	pick := func(fp bool) int64 {
		if fp {
			return s.fp
		}
		return s.ap
	}
	size := 1 + f("op1_imm")
	if f("op1_imm")+f("op1_fp")+f("op1_ap") > 1 || f("res_add")+f("res_mul")+f("pc_jnz") > 1 ||
		f("pc_jump")+f("pc_jump_rel")+f("pc_jnz") > 1 || f("ap_add")+f("ap_add1")+f("call") > 1 || f("call")+f("ret")+f("assert_eq") > 1 {
		return out, "two of a group"
	}
	out.addresses[0], out.addresses[1] = i(pick(f("dst_fp") == 1)+s.off[0]), i(pick(f("op0_fp") == 1)+s.off[1])
	switch {
	case f("op1_imm") == 1:
		if s.off[2] != 1 {
			return out, "an immediate elsewhere"
		}
		out.addresses[2] = i(s.pc + 1)
	case f("op1_fp") == 1:
		out.addresses[2] = i(s.fp + s.off[2])
	case f("op1_ap") == 1:
		out.addresses[2] = i(s.ap + s.off[2])
	default:
		out.addresses[2] = new(big.Int).Add(s.op0, i(s.off[2]))
	}
	res := new(big.Int).Set(s.op1)
	if f("res_add") == 1 {
		res.Add(s.op0, s.op1)
	} else if f("res_mul") == 1 {
		res.Mul(s.op0, s.op1)
	}
	res.Mod(res, huntPrime)
	if f("pc_jnz") == 1 && f("ap_add")+f("assert_eq") > 0 {
		return out, "jnz has no result"
	}
	pc, ap, fp := i(s.pc+size), i(s.ap+f("ap_add1")+2*f("call")), i(s.fp)
	switch {
	case f("pc_jump") == 1:
		pc = res
	case f("pc_jump_rel") == 1:
		pc = new(big.Int).Add(i(s.pc), res)
	case f("pc_jnz") == 1 && s.dst.Sign() != 0:
		pc = new(big.Int).Add(i(s.pc), s.op1)
	}
	if f("ap_add") == 1 {
		ap = new(big.Int).Add(i(s.ap), res)
	}
	if f("assert_eq") == 1 && s.dst.Cmp(res) != 0 {
		return out, "an assertion fails"
	}
	if f("call") == 1 {
		if s.dst.Cmp(i(s.fp)) != 0 || s.op0.Cmp(i(s.pc+size)) != 0 {
			return out, "a call saves something else"
		}
		fp = i(s.ap + 2)
	}
	if f("ret") == 1 {
		fp = s.dst
	}
	out.state = [3]*big.Int{pc, ap, fp}
	return out, ""
}

// huntRow fills a row for one choice of the columns that nothing but constraints binds.
type huntRow struct {
	c     *air.Component
	index map[string]int
	cells []air.Element
}

func (r *huntRow) set(name string, v air.Element) { r.cells[r.index[name]] = v }
func (r *huntRow) num(name string, v int64) {
	var e air.Element
	e.SetInt64(v)
	r.set(name, e)
}
func (r *huntRow) value(name string, v *big.Int) {
	for i, limb := range huntLimbs(v) {
		r.num(fmt.Sprintf("%s_%d", name, i), limb)
	}
}

func huntLimbs(v *big.Int) (out [Limbs]int64) {
	for i := range out {
		out[i] = new(big.Int).And(new(big.Int).Rsh(v, uint(8*limbBytes*i)), big.NewInt(limbOne-1)).Int64()
	}
	return out
}

// The ids of a step's values: dst, op0, op1 and a product that need not be in memory.
const productID = 3

// holds evaluates constraints and ranges. Lookups of memory hold by construction, those of products and offsets if they are
// true of the values.
func (r *huntRow) holds(t *testing.T, s *huntStep) bool {
	t.Helper()
	v, err := air.Eval(r.c, air.Base{}, air.Row[air.Element]{Main: r.cells})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range r.c.Constraints {
		if !v[k.Root].IsZero() {
			return false
		}
	}
	values := s.values()
	for _, l := range r.c.Lookups {
		if v[l.Numerator].IsZero() {
			continue
		}
		at := func(i int) uint64 { return v[l.Tuple[i]].Uint64() }
		switch l.Relation {
		case Bytes:
			if at(0) > 255 || at(1) > 255 {
				return false
			}
		case Word:
			if at(0) > 1<<16-1 {
				return false
			}
		case Multiply:
			if at(0) != 1 || at(1) != 2 || at(2) > productID || values[at(2)].Cmp(values[productID]) != 0 {
				return false
			}
		case Offset:
			if at(0) > productID {
				return false
			}
			n, ok := nearZero(values[at(0)])
			var e air.Element
			if e.SetInt64(n); !ok || e != v[l.Tuple[1]] {
				return false
			}
		}
	}
	return true
}

// values are the felts by their ids.
func (s *huntStep) values() [productID + 1]*big.Int {
	product := new(big.Int).Mul(s.op0, s.op1)
	return [...]*big.Int{s.dst, s.op0, s.op1, product.Mod(product, huntPrime)}
}

// nearZero reads a felt as a number in [-2^29 - 1, 2^29).
func nearZero(v *big.Int) (int64, bool) {
	n := new(big.Int).Set(v)
	if n.BitLen() > 200 {
		n.Sub(n, huntPrime)
	}
	return n.Int64(), n.IsInt64() && n.Int64() >= -1<<29-1 && n.Int64() < 1<<29
}

// choices calls f with every filling of the row that could satisfy it: for each use of the result, wrap of the sum, range of
// the carries, way of the number and direction of jnz, the constraints leave one value for every other column.
func (s *huntStep) choices(t *testing.T, r *huntRow, rnd *rand.Rand, f func()) {
	t.Helper()
	for bits := range 32 {
		taken, used, byID, shift, spare := int64(bits&1), int64(bits>>1&1), int64(bits>>2&1), int64(bits>>3&1), bits>>4
		for wrap := range int64(3) {
			clear(r.cells)
			r.num("enabler", 1)
			for i, name := range flagNames {
				r.num(name, int64(s.flags>>i&1))
			}
			for i, o := range s.off {
				r.num(fmt.Sprintf("off_%d", i), o+offsetBias)
				r.num(fmt.Sprintf("id_%d", i), int64(i))
			}
			r.num("pc", s.pc)
			r.num("ap", s.ap)
			r.num("fp", s.fp)
			r.value("dst", s.dst)
			r.value("op0", s.op0)
			r.value("op1", s.op1)
			id := int64(productID)
			if s.flag("assert_eq") == 1 {
				id = 0
			}
			r.num("res_id", id)
			r.num("move_by_id", byID)
			r.num("jnz_taken", taken)
			r.num("res_used", used)
			r.num("res_add_used", used*s.flag("res_add"))
			r.num("res_mul_used", used*s.flag("res_mul"))
			r.num("wrap", wrap)
			r.num("carry_shift", shift)
			// The carries follow from the last limb down, and then the number.
			linear := used - used*s.flag("res_mul")
			op0, op1, dst := huntLimbs(s.op0), huntLimbs(s.op1), huntLimbs(s.dst)
			var carry, unit air.Element
			unit.SetUint64(limbOne)
			for i := Limbs - 1; i >= 0; i-- {
				x := used*s.flag("res_add")*op0[i] + linear*(op1[i]-s.flag("assert_eq")*dst[i]) - wrap*primeLimbs[i]
				var e air.Element
				e.SetInt64(x)
				carry.Mul(&carry, &unit).Sub(&carry, &e)
				if i > 0 {
					r.set(fmt.Sprintf("carry_%d", i-1), carry)
				}
			}
			carry.Neg(&carry)
			n, _ := nearZero(s.values()[id])
			switch {
			case byID == 1 && spare == 1:
				r.num("move", n)
			case spare == 1:
				r.num("move", int64(rnd.Uint32()>>3))
			default:
				r.set("move", carry)
			}
			s.solve(t, r)
			f()
		}
	}
}

// solved pairs a column with the one constraint that gives it.
var solved = [][2]string{{"address_0", "address of dst"}, {"address_1", "address of op0"}, {"address_2", "address of op1"},
	{"address_top", "second limbs of addresses"}, {"dst_inverse", "taken means dst is not 0"},
	{"next_pc", "next pc"}, {"next_ap", "next ap"}, {"next_fp", "next fp"}}

// solve fills the columns that one constraint gives, whatever the others say: each constraint is linear in its column, and none
// reads the column of another.
func (s *huntStep) solve(t *testing.T, r *huntRow) {
	t.Helper()
	eval := func() map[string]air.Element {
		v, err := air.Eval(r.c, air.Base{}, air.Row[air.Element]{Main: r.cells})
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]air.Element{}
		for _, k := range r.c.Constraints {
			out[k.Label] = v[k.Root]
		}
		return out
	}
	zeros := eval()
	for _, c := range solved {
		r.num(c[0], 1)
	}
	ones := eval()
	for _, c := range solved {
		at, zero, slope := r.index[c[0]], zeros[c[1]], ones[c[1]]
		if slope.Sub(&slope, &zero); slope.IsZero() {
			r.cells[at].SetZero()
			continue
		}
		slope.Inverse(&slope)
		zero.Mul(&zero, &slope)
		r.cells[at].Neg(&zero)
	}
	// An honest split of ap'; lo = ap' - 2^12 hi, both words.
	r.num("next_ap_high", int64(r.cells[r.index["next_ap"]].Uint64()>>apWordShift&(1<<17-1)))
}

// congruent says whether a cell is a felt read as a number near zero.
func congruent(cell air.Element, want *big.Int) bool {
	v := new(big.Int).Mod(want, huntPrime)
	if v.BitLen() > 200 {
		v.Sub(v, huntPrime)
	}
	if v.BitLen() > 30 { // no number near zero: nothing that a register can be
		return false
	}
	var e air.Element
	e.SetInt64(v.Int64())
	return e == cell
}

// within says whether a step stays where every run does: addresses and moves below 2^28.
func (s *huntStep) within(o outcome) bool {
	address := func(on int64, v *big.Int) bool { return on == 0 || v.BitLen() <= 28 }
	base := 1 - s.flag("op1_imm") - s.flag("op1_fp") - s.flag("op1_ap")
	if !address(base, s.op0) || !address(s.flag("ret"), s.dst) || base+s.flag("call") == 2 {
		return false
	}
	if s.flag("call") == 1 && !address(1, s.dst) {
		return false
	}
	res := new(big.Int).Set(s.op1)
	if s.flag("res_add") == 1 {
		res.Add(s.op0, s.op1)
	} else if s.flag("res_mul") == 1 {
		res.Mul(s.op0, s.op1)
	}
	n, near := nearZero(res.Mod(res, huntPrime))
	near = near && max(n, -n) < 1<<28
	taken := s.flag("pc_jnz") == 1 && s.dst.Sign() != 0
	if (s.flag("pc_jump")+s.flag("pc_jump_rel")+s.flag("ap_add") > 0 || taken) && !near {
		return false
	}
	ap := new(big.Int).Mod(o.state[1], huntPrime)
	return s.flag("ret") == 0 && ap.Cmp(big.NewInt(1<<28)) < 0
}

func randomStep(rnd *rand.Rand) *huntStep {
	s := &huntStep{}
	one := func(names ...string) {
		if i := rnd.IntN(len(names) + 1); i < len(names) {
			s.flags |= 1 << slices.Index(flagNames[:], names[i])
		}
	}
	if rnd.IntN(8) == 0 {
		s.flags = rnd.Uint32() & (1<<15 - 1)
	} else {
		one("dst_fp")
		one("op0_fp")
		one("op1_imm", "op1_fp", "op1_ap")
		one("res_add", "res_mul")
		one("pc_jump", "pc_jump_rel", "pc_jnz")
		one("ap_add", "ap_add1", "call")
		if s.flag("call") == 0 {
			one("ret", "assert_eq", "assert_eq")
		}
	}
	state := func() int64 {
		return []int64{1, 5, int64(rnd.Uint32N(1 << 24)), 1<<28 + 1<<16 - 1, 1 << 28, int64(rnd.Uint32N(1 << 28))}[rnd.IntN(6)]
	}
	s.pc, s.ap, s.fp = 1+int64(rnd.Uint32N(1<<24)), state(), state()
	for i := range s.off {
		s.off[i] = []int64{0, 1, -1, -2, -3, 32767, -32768, int64(rnd.IntN(1<<16)) - 1<<15}[rnd.IntN(8)]
	}
	if s.flag("op1_imm") == 1 && rnd.IntN(20) > 0 {
		s.off[2] = 1
	}
	if s.flag("ret") == 1 && rnd.IntN(20) > 0 {
		s.flags |= 1<<0 | 1<<3 | 1<<7 // dst_fp, op1_fp, pc_jump
		s.flags &^= 1<<2 | 1<<4 | 1<<5 | 1<<6 | 1<<8 | 1<<9
		s.off[0], s.off[2] = -2, -1
	}
	s.dst, s.op0, s.op1 = huntFelt(rnd), huntFelt(rnd), huntFelt(rnd)
	if s.flag("call") == 1 && rnd.IntN(20) > 0 {
		s.off[0], s.off[1] = 0, 1
		s.flags &^= 1<<0 | 1<<1
		s.dst, s.op0 = big.NewInt(s.fp), big.NewInt(s.pc+1+s.flag("op1_imm"))
		switch rnd.IntN(8) { // what a call must not save
		case 0:
			s.dst.Add(s.dst, big.NewInt(fieldModulus))
		case 1:
			s.op0.Add(s.op0, big.NewInt(fieldModulus))
		case 2:
			s.op0.Add(s.op0, big.NewInt(int64(rnd.IntN(3))-1))
		}
	}
	res := new(big.Int).Set(s.op1)
	if rnd.IntN(2) == 0 { // aim the result at a number near zero
		aim := big.NewInt([]int64{0, 1, -1, -2, -3, 1<<29 - 1, 1 << 29, -1 << 29, -1<<29 - 1, -1<<29 - 2, 1 << 24, 5}[rnd.IntN(12)])
		aim.Mod(aim, huntPrime)
		switch {
		case s.flag("res_add") == 1:
			s.op1.Sub(aim, s.op0).Mod(s.op1, huntPrime)
		case s.flag("res_mul") == 1 && s.op0.Sign() != 0:
			s.op1.Mul(aim, new(big.Int).ModInverse(s.op0, huntPrime)).Mod(s.op1, huntPrime)
		default:
			s.op1 = aim
		}
	}
	switch {
	case s.flag("res_add") == 1:
		res.Add(s.op0, s.op1).Mod(res, huntPrime)
	case s.flag("res_mul") == 1:
		res.Mul(s.op0, s.op1).Mod(res, huntPrime)
	default:
		res.Set(s.op1)
	}
	if s.flag("assert_eq") == 1 && rnd.IntN(4) > 0 {
		s.dst = res
	}
	return s
}

// huntFelt is a canonical felt where forms, carries and ranges end.
func huntFelt(rnd *rand.Rand) *big.Int {
	pow := func(n uint) *big.Int { return new(big.Int).Lsh(big.NewInt(1), n) }
	v := new(big.Int)
	switch rnd.IntN(9) {
	case 0:
		v.SetUint64(uint64(rnd.IntN(4)))
	case 1: // an address
		v.SetUint64(uint64(rnd.Uint32N(1 << 29)))
	case 2: // near zero, negative
		v.Sub(huntPrime, big.NewInt(int64(rnd.Uint32N(1<<30))+1))
	case 3: // k + p, an alias in the proof's field
		v.SetUint64(fieldModulus + uint64(rnd.Uint32N(1<<29)))
	case 4: // low bytes all set
		v.Sub(pow(uint(8*(1+rnd.IntN(31)))), big.NewInt(1))
	case 5:
		v = pow(uint(rnd.IntN(252)))
	case 6: // beside P/2
		v.Rsh(huntPrime, 1).Add(v, big.NewInt(int64(rnd.IntN(3))-1))
	case 7: // P - k for k a few bytes long: forms that are almost those of a small negative number
		v.Sub(huntPrime, pow(uint(rnd.IntN(200))))
	default:
		for range 4 {
			v.Lsh(v, 64).Add(v, new(big.Int).SetUint64(rnd.Uint64()))
		}
	}
	return v.Mod(v, huntPrime)
}

func TestStepIsTheWhitepapersWhateverFillsItsRow(t *testing.T) {
	c, _ := Core().Component(NameGeneric)
	r := &huntRow{c: c, index: map[string]int{}, cells: make([]air.Element, len(c.Main))}
	for i, name := range c.Main {
		r.index[name] = i
	}
	rnd := rand.New(rand.NewPCG(11, 13))
	accepted, possible, refused := 0, 0, map[string]int{}
	for range huntSteps {
		s := randomStep(rnd)
		want, refusal := s.reference()
		any := false
		s.choices(t, r, rnd, func() {
			if !r.holds(t, s) {
				return
			}
			any = true
			if refusal != "" {
				t.Fatalf("a row holds for a step that is none (%s): %+v", refusal, s)
			}
			for i, name := range []string{"next_pc", "next_ap", "next_fp"} {
				if got := r.cells[r.index[name]]; !congruent(got, want.state[i]) {
					t.Fatalf("%s is %v, want %v: %+v", name, got.Uint64(), want.state[i], s)
				}
			}
			for i := range want.addresses {
				if got := r.cells[r.index[fmt.Sprintf("address_%d", i)]]; !congruent(got, want.addresses[i]) {
					t.Fatalf("address %d is %v, want %v: %+v", i, got.Uint64(), want.addresses[i], s)
				}
			}
		})
		if any {
			accepted++
		} else if refusal == "" && s.within(want) {
			t.Fatalf("a step of the whitepaper within the tables' ranges has no row: %+v", s)
		}
		if refusal == "" {
			possible++
		} else {
			refused[refusal]++
		}
	}
	t.Logf("%d steps: %d have a row, %d are steps of the whitepaper; refused: %v", huntSteps, accepted, possible, refused)
	if accepted < huntSteps/10 {
		t.Errorf("only %d of %d steps have a row: the test says little", accepted, huntSteps)
	}
}

// TestOffsetRowIsTrue reads felts in every form that the columns allow.
func TestOffsetRowIsTrue(t *testing.T) {
	l := newLine(t, NameOffset)
	l.set("enabler", 1)
	r := rand.New(rand.NewPCG(13, 14))
	held := 0
	for range 4000 {
		v := huntFelt(r)
		limbs := huntLimbs(v)
		any := false
		for bits := range 4 {
			negative, below := int64(bits&1), int64(bits>>1)
			l.set("negative", negative)
			l.set("below_minus_1", below)
			l.set("limb_0", limbs[0])
			l.set("top", limbs[1]+offsetReach-below*limbOne)
			if _, ok := l.holds(); !ok {
				continue
			}
			w := l.eval()
			memory, number := true, air.Element{}
			for _, x := range l.c.Lookups {
				switch x.Relation {
				case IDToValue:
					for i, limb := range limbs {
						var e air.Element
						memory = memory && w[x.Tuple[1+i]] == *e.SetInt64(limb)
					}
				case Offset:
					number = w[x.Tuple[1]]
				}
			}
			if !memory {
				continue
			}
			any = true
			n, ok := nearZero(v)
			var e air.Element
			if !ok || number != *e.SetInt64(n) {
				t.Fatalf("%v is read as %v", v, number.String())
			}
		}
		if _, ok := nearZero(v); ok != any {
			t.Fatalf("%v is near zero: %v, has a row: %v", v, ok, any)
		} else if ok {
			held++
		}
	}
	if held < 400 {
		t.Errorf("only %d felts were near zero", held)
	}
}
