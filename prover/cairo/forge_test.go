package cairo

import (
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/cairo"
)

// forger changes many cells of a witness the way an attacker would, who knows the tables: all places that must agree.
type forger struct {
	t      testing.TB
	in     *Input
	tables []air.Table
	params map[string][]air.Element // scalars other than those of the public data
}

func forge(t testing.TB, in *Input) *forger {
	t.Helper()
	out := clone(in)
	public := *in.Public
	public.Segments, public.Output = slices.Clone(public.Segments), slices.Clone(public.Output)
	out.Public = &public
	return &forger{t: t, in: out, tables: airTables(t, out)}
}

func (f *forger) at(component, column string) (int, int) {
	c, i := cairo.Core().Component(component)
	j := slices.Index(c.Main, column)
	if j < 0 {
		f.t.Fatalf("%s has no column %s", component, column)
	}
	return i, j
}

func (f *forger) get(component, column string, row int) uint64 {
	i, j := f.at(component, column)
	return f.tables[i].Main[j][row].Uint64()
}

func (f *forger) set(component, column string, row int, v int64) {
	i, j := f.at(component, column)
	f.tables[i].Main[j][row] = signed(v)
}

func (f *forger) add(component, column string, row int, v air.Element) {
	i, j := f.at(component, column)
	c := &f.tables[i].Main[j][row]
	c.Add(c, &v)
}

// rows returns the rows of a table in which all the named columns are 1.
func (f *forger) rows(component string, columns ...string) (out []int) {
	i, _ := f.at(component, columns[0])
	for row := range f.tables[i].Main[0] {
		if !slices.ContainsFunc(columns, func(c string) bool { return f.get(component, c, row) != 1 }) {
			out = append(out, row)
		}
	}
	if len(out) == 0 {
		f.t.Fatalf("%s has no row with %v", component, columns)
	}
	return out
}

// bytesOf is the lowest 32 bytes of a number below 2^256.
func bytesOf(n *big.Int) (out [cairo.FeltBytes]byte) {
	var buf [cairo.FeltBytes]byte
	n.FillBytes(buf[:])
	for i := range out {
		out[i] = buf[len(buf)-1-i]
	}
	return out
}

// value reads a felt: limbs in a step, bytes elsewhere.
func (f *forger) value(component, group string, row int) *big.Int {
	n, parts, bits := new(big.Int), cairo.FeltBytes, uint(8)
	if component == generic {
		parts, bits = feltLimbs, limbBits
	}
	for i := parts - 1; i >= 0; i-- {
		n.Lsh(n, bits).Add(n, new(big.Int).SetUint64(f.get(component, group+"_"+itoa(i), row)))
	}
	return n
}

func itoa(i int) string { return big.NewInt(int64(i)).String() }

func (f *forger) setValue(component, group string, row int, n *big.Int) {
	if component == generic {
		for i, v := range limbsOf(n) {
			f.set(component, group+"_"+itoa(i), row, v)
		}
		return
	}
	for i, b := range bytesOf(n) {
		f.set(component, group+"_"+itoa(i), row, int64(b))
	}
}

// limbsOf is the limbs of a number below 2^256.
func limbsOf(n *big.Int) (out [feltLimbs]int64) {
	for i, b := range bytesOf(n) {
		out[i/3] |= int64(b) << (8 * (i % 3))
	}
	return out
}

// operandGroups are the places of a step's operands: value and the suffix of its address and id.
var operandGroups = []string{"dst", "op0", "op1"}

// rewrite changes a value in memory and in every row that reads it by this id, and computes anew what follows in those
// rows. A value of more than 8 bytes moves to a padding row of the big table, with a new id.
func (f *forger) rewrite(id uint64, n *big.Int) {
	next := id
	b := bytesOf(n)
	big0 := uint64(cairo.BigID(0))
	row := int(id)
	if id >= big0 {
		row = int(id - big0)
	} else if n.BitLen() > 64 {
		row = -1
		i, _ := f.at(cairo.NameBig, "limb_uses")
		for r := range f.tables[i].Main[0] {
			if f.get(cairo.NameBig, "limb_uses", r)+f.get(cairo.NameBig, "byte_uses", r) == 0 {
				row = r
				break
			}
		}
		if row < 0 {
			f.t.Fatal("the big table has no padding row")
		}
		next = big0 + uint64(row)
	}
	if next < big0 {
		for i := range cairo.SmallBytes {
			f.set(cairo.NameSmall, "byte_"+itoa(i), row, int64(b[i]))
		}
	} else {
		for i := range cairo.FeltBytes - 1 {
			f.set(cairo.NameBig, "byte_"+itoa(i), row, int64(b[i]))
		}
		f.set(cairo.NameBig, "w", row, int64(b[31]&7))
		f.set(cairo.NameBig, "t", row, int64(b[31]>>3))
		f.set(cairo.NameBig, "u", row, 0)
		f.set(cairo.NameBig, "x", row, 15*int64(b[31]>>3)*(int64(b[24])+1))
	}
	i, first := f.at(cairo.NameAddress, "id_0")
	for j := range cairo.AddressesPerRow {
		for r, v := range f.tables[i].Main[first+j] {
			if v.Uint64() == id && f.tables[i].Main[first+j+cairo.AddressesPerRow][r] != (air.Element{}) {
				f.tables[i].Main[first+j][r] = signed(int64(next))
			}
		}
	}
	at, _ := f.at(cairo.NameGeneric, "enabler")
	for _, r := range f.rows(cairo.NameGeneric, "enabler") {
		reads := false
		for k, group := range operandGroups {
			if f.get(cairo.NameGeneric, "id_"+itoa(k), r) == id {
				f.set(cairo.NameGeneric, "id_"+itoa(k), r, int64(next))
				f.setValue(cairo.NameGeneric, group, r, n)
				reads = true
			}
		}
		if reads {
			f.solve(at, r)
		}
	}
	m, _ := f.at(cairo.NameMultiply, "enabler")
	for r := range f.tables[m].Main[0] {
		for k, group := range []string{"a", "b", "c"} {
			if f.get(cairo.NameMultiply, "enabler", r) == 1 && f.get(cairo.NameMultiply, "id_"+itoa(k), r) == id {
				f.set(cairo.NameMultiply, "id_"+itoa(k), r, int64(next))
				f.setValue(cairo.NameMultiply, group, r, n)
				f.solve(m, r)
			}
		}
	}
}

// solve computes the derived columns of a row anew.
func (f *forger) solve(component, row int) {
	a := &attack{set: cairo.Core(), tables: f.tables}
	cells := map[int]air.Element{}
	a.repair(f.t, component, row, cells)
	for col, v := range cells {
		f.tables[component].Main[col][row] = v
	}
}

// refused fits all multiplicities and returns what the oracle says.
func (f *forger) verdict() error {
	f.t.Helper()
	refit(f.t, f.in)
	tables := airTables(f.t, f.in)
	for name, p := range f.params {
		_, i := cairo.Core().Component(name)
		tables[i].Params = p
	}
	return air.Check(cairo.Core(), tables, f.in.Public.Lookups())
}

// mustRefuse expects the oracle to refuse, for a reason that contains one of the words.
func (f *forger) mustRefuse(because ...string) {
	f.t.Helper()
	err := f.verdict()
	if err == nil {
		f.t.Error("accepted")
		return
	}
	for _, w := range because {
		if strings.Contains(err.Error(), w) {
			return
		}
	}
	if len(because) > 0 {
		f.t.Errorf("refused, but not for %q: %v", because, err)
	}
}

func TestForgerWithoutAChange(t *testing.T) {
	f := forge(t, everything(t))
	if err := f.verdict(); err != nil {
		t.Fatal(err)
	}
	// A value rewritten to what it was, and every row solved anew, is what it was.
	id := f.get(cairo.NameGeneric, "id_0", f.rows(cairo.NameGeneric, "res_mul_used")[0])
	f.rewrite(id, f.value(cairo.NameGeneric, "dst", f.rows(cairo.NameGeneric, "res_mul_used")[0]))
	if err := f.verdict(); err != nil {
		t.Fatal(err)
	}
}
