package vm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// hint2 is one hint of a Cairo 2 executable, with its operands in the order of its coreHint.
type hint2 struct {
	text     string // as the executable has it
	known    *coreHint
	operands []operand2
	cells    []cell2
}

// coreHint is a hint the VM knows. Its operands are read, its cells written; in the file both are fields by name.
type coreHint struct {
	name     string
	operands []string
	cells    []string
	run      func(*coreContext) error
}

// cell2 is [ap + offset] or [fp + offset].
type cell2 struct {
	fp     bool
	offset int64
}

type operandKind uint8

const (
	operandCell   operandKind = iota // [a]
	operandDouble                    // [[a] + n]
	operandNumber                    // n
	operandAdd                       // [a] + [b] or [a] + n
	operandMul                       // [a] * [b] or [a] * n
)

// operand2 is what a hint reads.
type operand2 struct {
	kind      operandKind
	a, b      cell2
	immediate bool // of the sum and the product: the second part is n
	n         value
}

// parseHint2 reads one hint: {"Name": {"field": operand, ..}} or, without fields, "Name".
func parseHint2(raw json.RawMessage) (hint2, error) {
	h := hint2{text: string(raw)}
	var name string
	fields := make(map[string]json.RawMessage)
	if bytes.HasPrefix(bytes.TrimSpace(raw), []byte(`"`)) {
		if err := json.Unmarshal(raw, &name); err != nil {
			return h, err
		}
	} else {
		var outer map[string]json.RawMessage
		if err := json.Unmarshal(raw, &outer); err != nil {
			return h, err
		}
		if len(outer) != 1 {
			return h, fmt.Errorf("it has %d names, not one", len(outer))
		}
		for k, v := range outer {
			name = k
			if err := json.Unmarshal(v, &fields); err != nil {
				return h, fmt.Errorf("%.60q: %w", k, err)
			}
		}
	}
	known, ok := coreHints[name]
	if !ok {
		return h, nil // an error only if it is run: a syscall in a branch that is never taken does no harm
	}
	h.known = known
	if want := len(known.operands) + len(known.cells); len(fields) != want {
		return h, fmt.Errorf("%s has %d fields, not %d", name, len(fields), want)
	}
	for _, field := range known.operands {
		operand, err := parseOperand2(fields[field])
		if err != nil {
			return h, fmt.Errorf("%s: field %s: %w", name, field, err)
		}
		h.operands = append(h.operands, operand)
	}
	for _, field := range known.cells {
		cell, err := parseCell2(fields[field])
		if err != nil {
			return h, fmt.Errorf("%s: field %s: %w", name, field, err)
		}
		h.cells = append(h.cells, cell)
	}
	return h, nil
}

// strictJSON decodes without unknown fields.
func strictJSON(raw json.RawMessage, to any) error {
	if raw == nil {
		return fmt.Errorf("it is missing")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	return d.Decode(to)
}

func parseCell2(raw json.RawMessage) (cell2, error) {
	var f struct {
		Register string `json:"register"`
		Offset   *int16 `json:"offset"`
	}
	if err := strictJSON(raw, &f); err != nil {
		return cell2{}, err
	}
	if f.Offset == nil || f.Register != "AP" && f.Register != "FP" {
		return cell2{}, fmt.Errorf("%.100s is no cell", raw)
	}
	return cell2{fp: f.Register == "FP", offset: int64(*f.Offset)}, nil
}

func parseOperand2(raw json.RawMessage) (operand2, error) {
	var f struct {
		Deref, BinOp json.RawMessage
		DoubleDeref  []json.RawMessage
		Immediate    *string
	}
	if err := strictJSON(raw, &f); err != nil {
		return operand2{}, err
	}
	o := operand2{n: uintValue(0)}
	var err error
	switch {
	case f.Deref != nil && f.BinOp == nil && f.DoubleDeref == nil && f.Immediate == nil:
		o.a, err = parseCell2(f.Deref)
	case f.Deref == nil && f.BinOp == nil && f.DoubleDeref == nil && f.Immediate != nil:
		o.kind = operandNumber
		o.n, err = parseFelt(*f.Immediate)
	case f.Deref == nil && f.BinOp == nil && len(f.DoubleDeref) == 2 && f.Immediate == nil:
		var offset int16
		o.kind = operandDouble
		if err = json.Unmarshal(f.DoubleDeref[1], &offset); err == nil {
			o.n = intValue(int64(offset))
			o.a, err = parseCell2(f.DoubleDeref[0])
		}
	case f.Deref == nil && f.BinOp != nil && f.DoubleDeref == nil && f.Immediate == nil:
		err = o.parseBinOp(f.BinOp)
	default:
		err = fmt.Errorf("%.100s is no operand", raw)
	}
	return o, err
}

func (o *operand2) parseBinOp(raw json.RawMessage) error {
	var f struct {
		Op string          `json:"op"`
		A  json.RawMessage `json:"a"`
		B  struct {
			Deref     json.RawMessage
			Immediate *string
		} `json:"b"`
	}
	if err := strictJSON(raw, &f); err != nil {
		return err
	}
	switch f.Op {
	case "Add":
		o.kind = operandAdd
	case "Mul":
		o.kind = operandMul
	default:
		return fmt.Errorf("%.40q is no operation", f.Op)
	}
	var err error
	if o.a, err = parseCell2(f.A); err != nil {
		return err
	}
	switch {
	case f.B.Deref != nil && f.B.Immediate == nil:
		o.b, err = parseCell2(f.B.Deref)
	case f.B.Deref == nil && f.B.Immediate != nil:
		o.immediate = true
		o.n, err = parseFelt(*f.B.Immediate)
	default:
		err = fmt.Errorf("%.100s is no operand", raw)
	}
	return err
}

// coreContext is what a Cairo 2 hint sees: its operands and cells by their place in the hint's description, and the run.
type coreContext struct {
	m    *machine
	hint *hint2
}

func (c *coreContext) at(cell cell2) address {
	if cell.fp {
		return address{c.m.fp.seg, c.m.fp.off + cell.offset}
	}
	return address{executionSegment, c.m.ap + cell.offset}
}

// read reads a cell that has to have a value.
func (c *coreContext) read(p address) (value, error) {
	v, err := c.m.memory.get(p)
	if err != nil {
		return value{}, err
	}
	if !v.known() {
		return value{}, fmt.Errorf("cell %v: %w", p, errUnknownCell)
	}
	return v, nil
}

// value of operand i: a number or an address.
func (c *coreContext) value(i int) (value, error) {
	o := &c.hint.operands[i]
	if o.kind == operandNumber {
		return o.n, nil
	}
	a, err := c.read(c.at(o.a))
	if err != nil || o.kind == operandCell {
		return a, err
	}
	b := o.n
	if (o.kind == operandAdd || o.kind == operandMul) && !o.immediate {
		if b, err = c.read(c.at(o.b)); err != nil {
			return value{}, err
		}
	}
	switch o.kind {
	case operandAdd:
		return addValues(a, b)
	case operandMul:
		if !a.isFelt() || !b.isFelt() {
			return value{}, errAddressProduct
		}
		return mulFelts(a, b), nil
	}
	p, err := addValues(a, b)
	if err != nil {
		return value{}, err
	}
	if !p.isAddress() {
		return value{}, errNotAddress
	}
	return c.read(p.address())
}

// number is operand i as a field element.
func (c *coreContext) number(i int) (value, error) {
	v, err := c.value(i)
	if err != nil {
		return value{}, err
	}
	if !v.isFelt() {
		return value{}, fmt.Errorf("%s: %w", c.hint.known.operands[i], errNotFelt)
	}
	return v, nil
}

// numbers is all operands as field elements.
func (c *coreContext) numbers() ([]value, error) {
	out := make([]value, len(c.hint.operands))
	for i := range out {
		var err error
		if out[i], err = c.number(i); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// count is operand i as a number that bounds a loop.
func (c *coreContext) count(i int) (uint64, error) {
	v, err := c.number(i)
	if err != nil {
		return 0, err
	}
	n, ok := v.small()
	if !ok || n > maxHintRange {
		return 0, fmt.Errorf("%s is %v; at most %d can be", c.hint.known.operands[i], v, maxHintRange)
	}
	return n, nil
}

// pointer is operand i as an address.
func (c *coreContext) pointer(i int) (address, error) {
	v, err := c.value(i)
	if err != nil {
		return address{}, err
	}
	if !v.isAddress() {
		return address{}, fmt.Errorf("%s: %w", c.hint.known.operands[i], errNotAddress)
	}
	return v.address(), nil
}

// set writes the hint's cell i.
func (c *coreContext) set(i int, v value) error { return c.m.memory.set(c.at(c.hint.cells[i]), v) }

// setAll writes the hint's first cells.
func (c *coreContext) setAll(vs ...value) error {
	for i, v := range vs {
		if err := c.set(i, v); err != nil {
			return err
		}
	}
	return nil
}

// fields splits a list of names, so that the table of hints reads as the hints are written.
func fields(names string) []string { return strings.Fields(names) }
