package air

import (
	"fmt"
	"sort"

	"github.com/seed06907907/fatty/verifier/field"
)

// PublicLookup is a lookup of the public data: a use, or a yield, of one tuple.
type PublicLookup struct {
	Relation *Relation
	Yield    bool
	Tuple    []Element
}

// Table is a component's columns, row by row in natural order.
type Table struct {
	Main   [][]Element // one list of 2^k rows a main column
	Fixed  [][]Element // one list of 2^k rows an entry of Component.Fixed
	Params []Element
	Ext    []field.Ext // one value an entry of Component.ExtParams
}

// Violation is the first constraint that a table breaks.
type Violation struct {
	Component, Label string
	Row              int
}

func (v *Violation) Error() string {
	return fmt.Sprintf("component %s, row %d: %s", v.Component, v.Row, v.Label)
}

// Imbalance is a tuple that is not used as often as it is yielded.
type Imbalance struct {
	Relation string
	Tuple    []Element
	Excess   Element // uses less yields
}

func (e *Imbalance) Error() string {
	return fmt.Sprintf("relation %s: tuple %v is used %v times more than it is yielded", e.Relation, e.Tuple, e.Excess.String())
}

// Rows returns the number of rows of a table of c, or an error if its columns do not fit the description.
func (t Table) Rows(c *Component) (int, error) {
	if len(t.Main) != len(c.Main) || len(t.Fixed) != len(c.Fixed) || len(t.Params) != len(c.Params) || len(t.Ext) != len(c.ExtParams) {
		return 0, fmt.Errorf("component %s: %d main, %d fixed, %d params, want %d, %d, %d: %w", c.Name,
			len(t.Main), len(t.Fixed), len(t.Params), len(c.Main), len(c.Fixed), len(c.Params), ErrShape)
	}
	n := 0
	for _, list := range [][][]Element{t.Main, t.Fixed} {
		if len(list) > 0 {
			n = len(list[0])
		}
	}
	for _, list := range [][][]Element{t.Main, t.Fixed} {
		for _, col := range list {
			if len(col) != n {
				return 0, fmt.Errorf("component %s: a column of %d rows, want %d: %w", c.Name, len(col), n, ErrShape)
			}
		}
	}
	return n, nil
}

func (t Term) coefficient(ext []field.Ext) field.Ext {
	c := field.Basis(t.Basis)
	if t.Param >= 0 {
		c = field.Mul(c, ext[t.Param])
	}
	return c
}

// Coefficients returns the coefficient of each term of each Weighted of c, in order, given the values of its ExtParams.
func (c *Component) Coefficients(ext []field.Ext) (out []field.Ext) {
	for _, w := range c.Weighted {
		for _, t := range w.Terms {
			out = append(out, t.coefficient(ext))
		}
	}
	return out
}

// EvalRow returns the value of every node of c over row i of t, whose shape Rows has checked.
func (t Table) EvalRow(c *Component, i int) ([]Element, error) {
	row := Row[Element]{Main: make([]Element, len(t.Main)), Fixed: make([]Element, len(t.Fixed)), Params: t.Params}
	for j, col := range t.Main {
		row.Main[j] = col[i]
	}
	for j, col := range t.Fixed {
		row.Fixed[j] = col[i]
	}
	return Eval(c, Base{}, row)
}

// CheckConstraints returns the first row and label of c that t breaks, as a *Violation.
func CheckConstraints(c *Component, t Table) error {
	n, err := t.Rows(c)
	if err != nil {
		return err
	}
	for i := range n {
		v, err := t.EvalRow(c, i)
		if err != nil {
			return err
		}
		for _, k := range c.Constraints {
			if !v[k.Root].IsZero() {
				return &Violation{c.Name, k.Label, i}
			}
		}
		for _, w := range c.Weighted {
			var sum field.Ext
			for _, term := range w.Terms {
				sum = field.Add(sum, field.Scale(term.coefficient(t.Ext), v[term.Node]))
			}
			if !sum.IsZero() {
				return &Violation{c.Name, w.Label, i}
			}
		}
	}
	return nil
}

// Bus counts tuples: how often each is used less how often it is yielded, mod p, as LogUp's sum does with probability
// near 1. It is the oracle beside LogUp.
type Bus struct {
	counts map[string]Element
}

// NewBus returns an empty count.
func NewBus() *Bus { return &Bus{counts: map[string]Element{}} }

// Add counts one tuple with a numerator.
func (b *Bus) Add(r *Relation, yield bool, numerator Element, tuple []Element) {
	if numerator.IsZero() {
		return
	}
	key := make([]byte, 0, 4*(len(tuple)+1))
	key = append(key, byte(r.ID>>24), byte(r.ID>>16), byte(r.ID>>8), byte(r.ID))
	for i := range tuple {
		e := tuple[i].Bytes()
		key = append(key, e[:]...)
	}
	n := b.counts[string(key)]
	if yield {
		n.Sub(&n, &numerator)
	} else {
		n.Add(&n, &numerator)
	}
	if n.IsZero() {
		delete(b.counts, string(key))
	} else {
		b.counts[string(key)] = n
	}
}

// AddTable counts all lookups of a table, whose shape must fit. It returns an error for a numerator that a Unit lookup may
// not have.
func (b *Bus) AddTable(c *Component, t Table) error {
	n, err := t.Rows(c)
	if err != nil {
		return err
	}
	for i := range n {
		v, err := t.EvalRow(c, i)
		if err != nil {
			return err
		}
		if err := b.addRow(c, v, i, false); err != nil {
			return err
		}
	}
	return nil
}

// addRow counts the lookups of one evaluated row, or takes them back.
func (b *Bus) addRow(c *Component, v []Element, row int, remove bool) error {
	var tuple []Element
	for _, l := range c.Lookups {
		num := v[l.Numerator]
		if l.Unit && !num.IsZero() && !num.IsOne() {
			return &Violation{c.Name, "numerator of " + l.Relation.Name + " is 0 or 1", row}
		}
		tuple = tuple[:0]
		for _, id := range l.Tuple {
			tuple = append(tuple, v[id])
		}
		b.Add(l.Relation, l.Yield != remove, num, tuple)
	}
	return nil
}

// ReplaceRow takes the lookups of row i of before out of the count and puts those of the same row of after in.
func (b *Bus) ReplaceRow(c *Component, before, after Table, i int) error {
	old, err := before.EvalRow(c, i)
	if err != nil {
		return err
	}
	fresh, err := after.EvalRow(c, i)
	if err != nil {
		return err
	}
	if err := b.addRow(c, old, i, true); err != nil {
		return err
	}
	return b.addRow(c, fresh, i, false)
}

// AddPublic counts the lookups of the public data.
func (b *Bus) AddPublic(lookups []PublicLookup) {
	var one Element
	one.SetOne()
	for _, l := range lookups {
		b.Add(l.Relation, l.Yield, one, l.Tuple)
	}
}

// Check returns the imbalance of the smallest tuple, by relation and entries, as an *Imbalance; nil if uses and yields are equal as
// multisets. relations are those of the set, to name what is found.
func (b *Bus) Check(relations []*Relation) error {
	if len(b.counts) == 0 {
		return nil
	}
	keys := make([]string, 0, len(b.counts))
	for k := range b.counts {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	k := keys[0]
	out := &Imbalance{Relation: "unknown", Excess: b.counts[k]}
	id := uint32(k[0])<<24 | uint32(k[1])<<16 | uint32(k[2])<<8 | uint32(k[3])
	for _, r := range relations {
		if r.ID == id {
			out.Relation = r.Name
		}
	}
	for i := 4; i < len(k); i += 4 {
		var e Element
		e.SetBytes([]byte(k[i : i+4]))
		out.Tuple = append(out.Tuple, e)
	}
	return out
}

// Check is the oracle: it evaluates every constraint of every row and compares uses and yields of every relation as
// multisets, public lookups included. It is slow and obvious, for tests and for finding a prover's mistake; it returns a
// *Violation, an *Imbalance or an error about shapes.
func Check(s *Set, tables []Table, public []PublicLookup) error {
	if len(tables) != len(s.Components) {
		return fmt.Errorf("set %s has %d components, got %d tables: %w", s.Name, len(s.Components), len(tables), ErrShape)
	}
	bus := NewBus()
	for i, c := range s.Components {
		if err := CheckConstraints(c, tables[i]); err != nil {
			return err
		}
		if err := bus.AddTable(c, tables[i]); err != nil {
			return err
		}
	}
	bus.AddPublic(public)
	return bus.Check(s.Relations)
}
