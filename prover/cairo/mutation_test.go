package cairo

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/cairo"
)

// everything is a program that keeps every table busy.
func everything(t testing.TB) *Input {
	t.Helper()
	a := newAssembler(3)
	// main's arguments: [fp - 5] output, [fp - 4] range check, [fp - 3] bitwise.
	store := func(value int64, pointer, off int) {
		a.pushInt(value)
		a.op(flagOp0FP|flagAssertEq, -1, pointer, off)
	}
	store(1234, -5, 0)
	store(-1, -5, 1)
	store(1<<40+5, -4, 0)
	a.push(hardFelts()[12]) // 2^128 - 1
	a.op(flagOp0FP|flagAssertEq, -1, -4, 1)
	for i := range 2 {
		a.push(hardFelts()[7]) // 2^251 - 1
		a.op(flagOp0FP|flagAssertEq, -1, -3, 5*i)
		store(0x5ac3+int64(i), -3, 5*i+1)
		for j := range 3 {
			a.op(flagOp0FP|assertPush, 0, -3, 5*i+2+j)
		}
	}
	for _, x := range hardFelts()[4:10] {
		for _, y := range hardFelts()[7:10] {
			a.push(x)
			a.push(y)
			a.op(flagOp1AP|flagAdd|assertPush, 0, -2, -1)
			a.op(flagOp1AP|flagMul|assertPush, 0, -3, -2)
		}
	}
	a.push(hardFelts()[17])
	a.push(hardFelts()[18])
	a.op(flagOp1AP|flagMul|assertPush, 0, -2, -1)
	// Moves of pc and ap in every direction, then a loop with a jump back, and a call.
	a.immInt(unused|flagAPAdd, -1, -1, -1)
	a.immInt(unused|flagAPAdd, -1, -1, 1)
	a.pushInt(-3)
	a.op(unused|flagAPAdd|flagOp1AP, -1, -1, -1)
	a.immInt(unused|flagAPAdd, -1, -1, 3)
	a.immInt(unused|flagJumpRel, -1, -1, 2)
	a.immInt(flagOp0FP|flagAdd|assertPush, 0, -1, 0) // [fp - 1] = 5, an address
	a.immInt(flagDstFP|flagOp0FP|flagAdd|flagJump, -1, -1, a.here()+2-5)
	a.pushInt(-1)
	a.pushInt(4)
	a.op(flagDstFP|flagAPAdd|flagMul|flagOp1AP, -1, -2, -1)
	a.immInt(unused|flagAPAdd, -1, -1, 4)
	for _, d := range []int64{4, -3} { // assertions that move ap
		a.pushInt(d)
		a.immInt(flagOp0FP|flagAPAdd|flagAssertEq, -1, -1, d)
		a.immInt(unused|flagAPAdd, -1, -1, -d)
	}
	a.pushInt(6)
	for range 4 { // results that nothing uses, and some steps more than a power of two
		a.op(flagDstFP|flagMul|flagOp1AP, -1, -1, -1)
		a.op(flagDstFP|flagAdd|flagOp1AP, -1, -1, -1)
	}
	a.pushInt(2)
	a.immInt(flagAdd|assertPush, 0, -1, -1)
	a.immInt(flagOp0FP|flagJnz, -1, -1, -2)
	a.immInt(flagJumpRel|flagCall, 0, 1, 8)
	a.immInt(flagOp0FP|flagAdd|assertPush, 0, -5, 2)
	a.immInt(flagOp0FP|flagAdd|assertPush, 0, -4, 2)
	a.immInt(flagOp0FP|flagAdd|assertPush, 0, -3, 10)
	// The function of the call lies behind main's ret.
	a.words[len(a.words)-7].SetInt64(9)
	a.ret()
	a.ret()
	return witness(t, run(t, a.load(t, "output", "range_check", "bitwise"), nil))
}

// attack is the oracle for one changed row, with everything that depends on it done again as an attacker would: all
// multiplicities are free to fit. It keeps how often each tuple is used, less its yields with numerator 0 or 1, and in how many
// rows each tuple could be yielded with a free multiplicity.
type attack struct {
	set    *air.Set
	tables []air.Table
	net    map[string]int
	free   map[string]int
}

func tupleKey(r *air.Relation, tuple []air.Element) string {
	key := []byte{byte(r.ID)}
	for i := range tuple {
		b := tuple[i].Bytes()
		key = append(key, b[:]...)
	}
	return string(key)
}

// ranged reports whether the byte table yields the tuple; ok is false for other relations.
func ranged(r *air.Relation, tuple []air.Element) (in, ok bool) {
	v := func(i int) uint64 { return tuple[i].Uint64() }
	switch r {
	case cairo.Bytes:
		return v(0) < 256 && v(1) < 256, true
	case cairo.Word:
		return v(0) < 1<<16, true
	case cairo.Xor:
		return v(0) < 256 && v(1) < 256 && v(2) == v(0)^v(1), true
	}
	return false, false
}

func newAttack(t testing.TB, in *Input) *attack {
	t.Helper()
	a := &attack{set: cairo.Core(), tables: airTables(t, in), net: map[string]int{}, free: map[string]int{}}
	for i, c := range a.set.Components {
		if c.Name == cairo.NameBytes {
			continue
		}
		for row := range a.tables[i].Main[0] {
			if bad := a.count(i, a.eval(t, i, row), 1, nil); bad != "" {
				t.Fatalf("honest %s, row %d: %s", c.Name, row, bad)
			}
		}
	}
	for _, l := range in.Public.Lookups() {
		if l.Yield {
			a.net[tupleKey(l.Relation, l.Tuple)]--
		} else {
			a.net[tupleKey(l.Relation, l.Tuple)]++
		}
	}
	for k, n := range a.net {
		if n != 0 && a.free[k] == 0 {
			t.Fatalf("the honest witness has a tuple of relation %d that nobody yields", k[0])
		}
	}
	return a
}

func (a *attack) eval(t testing.TB, component, row int) []air.Element {
	t.Helper()
	v, err := a.tables[component].EvalRow(a.set.Components[component], row)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// count adds an evaluated row's lookups, times sign, and appends the tuples to touched. It returns what is wrong at once.
func (a *attack) count(component int, v []air.Element, sign int, touched *[]string) (bad string) {
	for _, l := range a.set.Components[component].Lookups {
		tuple := make([]air.Element, len(l.Tuple))
		for j, n := range l.Tuple {
			tuple[j] = v[n]
		}
		num := v[l.Numerator]
		if l.Unit && num.IsZero() {
			continue
		}
		if l.Unit && !num.IsOne() {
			bad = "numerator of " + l.Relation.Name
			continue
		}
		if in, ok := ranged(l.Relation, tuple); ok {
			if !in {
				bad = "range of " + l.Relation.Name
			}
			continue
		}
		key := tupleKey(l.Relation, tuple)
		if touched != nil {
			*touched = append(*touched, key)
		}
		switch {
		case !l.Unit:
			a.free[key] += sign
		case l.Yield:
			a.net[key] -= sign
		default:
			a.net[key] += sign
		}
	}
	return bad
}

// try changes cells of a row and returns what refuses it, or "" if nothing does. violated, if not nil, gets the label of
// every constraint that the row then breaks.
func (a *attack) try(t testing.TB, component, row int, cells map[int]air.Element, violated map[string]bool) string {
	t.Helper()
	c, table := a.set.Components[component], a.tables[component]
	before := a.eval(t, component, row)
	old := map[int]air.Element{}
	for col, v := range cells {
		old[col] = table.Main[col][row]
		table.Main[col][row] = v
	}
	after := a.eval(t, component, row)
	for col, v := range old {
		table.Main[col][row] = v
	}
	refused := ""
	for _, k := range c.Constraints {
		if !after[k.Root].IsZero() {
			if violated != nil {
				violated[k.Label] = true
			}
			if refused == "" {
				refused = k.Label
			}
		}
	}
	if refused != "" {
		return refused
	}
	if c.Name == cairo.NameBytes {
		return "" // only multiplicities: all free here
	}
	var touched []string
	a.count(component, before, -1, &touched)
	refused = a.count(component, after, 1, &touched)
	for _, k := range touched {
		if refused == "" && a.net[k] != 0 && a.free[k] <= 0 {
			refused = "lookup of " + a.relation(k)
		}
	}
	a.count(component, after, -1, nil)
	a.count(component, before, 1, nil)
	return refused
}

func (a *attack) relation(key string) string {
	for _, r := range a.set.Relations {
		if byte(r.ID) == key[0] {
			return r.Name
		}
	}
	return "unknown"
}

// freeCells says which single cells may hold anything, and why no harm is in it. Everything else must be refused.
func freeCells(a *attack, component, col, row int) string {
	c, main := a.set.Components[component], a.tables[component].Main
	cell := func(name string) *air.Element { return &main[slices.Index(c.Main, name)][row] }
	name := c.Main[col]
	switch c.Name {
	case cairo.NameBytes:
		return "a multiplicity: fitted to the uses"
	case cairo.NameGeneric:
		if cell("enabler").IsZero() {
			return "a padding row uses and yields nothing"
		}
		if name == "dst_inverse" && cell("jnz_taken").IsZero() {
			return "the inverse is only read by a taken jnz"
		}
		on := func(names ...string) bool {
			return slices.ContainsFunc(names, func(f string) bool { return cell(f).IsOne() })
		}
		switch {
		case name == "move" && !on("pc_jump", "pc_jump_rel", "ap_add", "jnz_taken"):
			return "no register moves by the number"
		case name == "res_id" && !on("assert_eq", "res_mul_used", "move_by_id"):
			return "no product or move by id"
		}
	case cairo.NameMultiply, cairo.NameOffset:
		if cell("enabler").IsZero() {
			return "a padding row uses and yields nothing"
		}
	case cairo.NameRangeCheck, cairo.NameBitwise:
		if a.tables[component].Params[0].IsZero() {
			return "the table is disabled"
		}
	case cairo.NameProgram:
		if a.tables[component].Fixed[0][row].IsZero() {
			return "the row is behind the program's end"
		}
	case cairo.NameAddress:
		if n := slices.Index(c.Main, "uses_0"); col >= n {
			return "a multiplicity: fitted to the uses"
		} else if main[col+n][row].IsZero() {
			return "nobody reads the address"
		}
	case cairo.NameBig, cairo.NameSmall:
		if isUses(name) {
			return "a multiplicity: fitted to the uses"
		}
		if cell("limb_uses").IsZero() && cell("byte_uses").IsZero() {
			return "nobody reads the value"
		}
	case cairo.NameInstruction:
		if name == "uses" {
			return "a multiplicity: fitted to the uses"
		}
	}
	return ""
}

// derived lists the columns that an attacker computes anew after a change: each follows from the others by one constraint.
var derived = map[string][][2]string{
	cairo.NameGeneric: append([][2]string{{"address of dst", "address_0"}, {"address of op0", "address_1"},
		{"address of op1", "address_2"}, {"second limbs of addresses", "address_top"}, {"sum used", "res_add_used"},
		{"product used", "res_mul_used"}, {"what is asserted is dst", "res_id"}, {"taken means dst is not 0", "dst_inverse"},
		{"next pc", "next_pc"}, {"next ap", "next_ap"}, {"next fp", "next_fp"}}, numbered("result, limb", "carry", 10)...),
	cairo.NameMultiply: numbered("product, byte", "carry", 31),
	cairo.NameBig:      {{"below P - 1, byte 24 is at most 16", "x"}},
}

func numbered(label, column string, n int) (out [][2]string) {
	for i := range n {
		out = append(out, [2]string{fmt.Sprintf("%s %d", label, i), fmt.Sprintf("%s_%d", column, i)})
	}
	return out
}

// repair computes the derived columns anew, in order, each from the constraint that it solves; the changed column stays.
func (a *attack) repair(t testing.TB, component, row int, cells map[int]air.Element) {
	t.Helper()
	c, table := a.set.Components[component], a.tables[component]
	old := make([]air.Element, len(c.Main))
	for col := range c.Main {
		old[col] = table.Main[col][row]
	}
	for col, v := range cells {
		table.Main[col][row] = v
	}
	one := signed(1)
	for _, d := range derived[c.Name] {
		k := slices.IndexFunc(c.Constraints, func(k air.Constraint) bool { return k.Label == d[0] })
		col := slices.Index(c.Main, d[1])
		if _, changed := cells[col]; changed {
			continue
		}
		cell := &table.Main[col][row]
		r0 := a.eval(t, component, row)[c.Constraints[k].Root]
		if r0.IsZero() {
			continue
		}
		cell.Add(cell, &one)
		slope := a.eval(t, component, row)[c.Constraints[k].Root]
		cell.Sub(cell, &one)
		if slope.Sub(&slope, &r0); slope.IsZero() {
			continue
		}
		slope.Inverse(&slope)
		r0.Mul(&r0, &slope)
		cell.Sub(cell, &r0)
		cells[col] = *cell
	}
	for col := range c.Main {
		table.Main[col][row] = old[col]
	}
}

// harmless says whether a changed value means the same: either window of carries will do where both hold them all.
func harmless(column string, v air.Element) bool {
	return column == "carry_shift" && (v.IsZero() || v.IsOne())
}

// deltas are what a cell is changed by: the neighbours, the byte bound, a multiple of p's complement, and anything.
func deltas(r *rand.Rand) []air.Element {
	out := []air.Element{signed(1), signed(-1), signed(256), signed(-256), signed(1 << 16)}
	var e air.Element
	e.SetUint64(uint64(r.Uint32()))
	return append(out, e)
}

// TestEveryColumnIsBound changes a cell of every column in many rows, each in several ways, and expects the oracle to refuse
// all but the documented free cells. Every constraint is broken by some change: none is dead.
func TestEveryColumnIsBound(t *testing.T) {
	in := everything(t)
	checkOracle(t, in)
	a := newAttack(t, in)
	r := rand.New(rand.NewPCG(3, 4))
	for i, c := range a.set.Components {
		violated := map[string]bool{}
		n := len(a.tables[i].Main[0])
		rows := r.Perm(n)
		for col, name := range c.Main {
			bound := 0
			for _, row := range rows[:min(n, 250)] {
				if freeCells(a, i, col, row) != "" {
					continue
				}
				bound++
				for _, d := range deltas(r) {
					if d.IsZero() || bound > changedRows {
						continue
					}
					v := a.tables[i].Main[col][row]
					if v.Add(&v, &d); harmless(name, v) {
						continue
					}
					cells := map[int]air.Element{col: v}
					if refused := a.try(t, i, row, cells, violated); refused == "" {
						t.Errorf("%s, column %s, row %d: %v + %v is accepted", c.Name, name, row,
							a.tables[i].Main[col][row].Uint64(), d.String())
					}
					if bound > repairedRows {
						continue
					}
					a.repair(t, i, row, cells)
					if len(cells) == 1 {
						continue
					}
					if refused := a.try(t, i, row, cells, violated); refused == "" {
						t.Errorf("%s, column %s, row %d: %v + %v is accepted with %d cells computed anew", c.Name, name, row,
							a.tables[i].Main[col][row].Uint64(), d.String(), len(cells)-1)
					}
				}
			}
			if bound == 0 && !isUses(name) {
				t.Errorf("%s, column %s: no row in which it is bound", c.Name, name)
			}
		}
		for _, k := range c.Constraints {
			if !violated[k.Label] {
				t.Errorf("%s: no change breaks %q", c.Name, k.Label)
			}
		}
	}
}

func isUses(name string) bool {
	return strings.HasPrefix(name, "uses") || strings.HasSuffix(name, "_uses")
}

// TestEveryMultiplicityIsBound changes a multiplicity and fits nothing: uses and yields no longer agree.
func TestEveryMultiplicityIsBound(t *testing.T) {
	in := everything(t)
	tables := airTables(t, in)
	set := cairo.Core()
	bus := air.NewBus()
	for i, c := range set.Components {
		if err := bus.AddTable(c, tables[i]); err != nil {
			t.Fatal(err)
		}
	}
	bus.AddPublic(in.Public.Lookups())
	if err := bus.Check(set.Relations); err != nil {
		t.Fatal(err)
	}
	for i, c := range set.Components {
		for col, name := range c.Main {
			if !isUses(name) {
				continue
			}
			row := len(tables[i].Main[col]) / 3
			changed := tables[i]
			changed.Main = slices.Clone(changed.Main)
			changed.Main[col] = slices.Clone(changed.Main[col])
			one := signed(1)
			changed.Main[col][row].Add(&changed.Main[col][row], &one)
			if err := bus.ReplaceRow(c, tables[i], changed, row); err != nil {
				t.Fatal(err)
			}
			if bus.Check(set.Relations) == nil {
				t.Errorf("%s, column %s: a wrong multiplicity is accepted", c.Name, name)
			}
			if err := bus.ReplaceRow(c, changed, tables[i], row); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := bus.Check(set.Relations); err != nil {
		t.Fatal(fmt.Errorf("after taking all changes back: %w", err))
	}
}
