package vm

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/big"
	"strings"
)

// hint0 is a Cairo 0 hint the VM knows. Such a hint is Python source in the compiled program; it is an interface between
// the library and a VM, matched as it stands, so the table names it by the SHA-256 of its text.
type hint0 struct {
	digest string // SHA-256 of the hint's text, 64 hex digits
	module string // the library module whose code carries it
	name   string // what it does, with the function it stands in
	run    func(*hintContext) error
}

// indexHints0 joins the tables of the modules.
func indexHints0(tables ...[]hint0) map[string]*hint0 {
	index := make(map[string]*hint0)
	for _, table := range tables {
		for i := range table {
			index[table[i].digest] = &table[i]
		}
	}
	return index
}

// findHint0 looks a hint's text up; nil if it is unknown.
func findHint0(text string) *hint0 {
	digest := sha256.Sum256([]byte(text))
	return hints0[hex.EncodeToString(digest[:])]
}

// compiledHint0 is one hint of a loaded program, ready to run.
type compiledHint0 struct {
	text       string
	known      *hint0                // nil: not in the table
	references map[string]*reference // by the last part of the name: what ids.NAME means here
	tracking   apTracking            // ap's distance from the group's start when the hint runs
	scopes     []string              // accessible scopes, the innermost last
}

// hintContext is what a Cairo 0 hint sees of the run: the names of the function it stands in (ids), registers, memory,
// segments, the stack of scopes and the program's constants. All accessors return errors; none panics.
type hintContext struct {
	vm   *machine
	hint *compiledHint0
	// Registers before the instruction.
	pc, ap, fp address
}

// --- ids -------------------------------------------------------------------------------------------------------------

// value of ids.NAME: a felt, a pointer, or, for a dotted name, the member of a struct: "dict_ptr.prev_value".
func (c *hintContext) value(name string) (value, error) {
	v, _, err := c.resolve(name)
	if err != nil {
		return value{}, err
	}
	if !v.known() {
		return value{}, fmt.Errorf("ids.%s: %w", name, errUnknownCell)
	}
	return v, nil
}

// number is ids.NAME as a field element in regular form.
func (c *hintContext) number(name string) (value, error) {
	v, err := c.value(name)
	if err != nil {
		return value{}, err
	}
	if !v.isFelt() {
		return value{}, fmt.Errorf("ids.%s: %w", name, errNotFelt)
	}
	return v, nil
}

// felt is ids.NAME as a field element.
func (c *hintContext) felt(name string) (Felt, error) {
	v, err := c.number(name)
	if err != nil {
		return Felt{}, err
	}
	return v.felt(), nil
}

// integer is ids.NAME as an integer in [0, P).
func (c *hintContext) integer(name string) (*big.Int, error) {
	v, err := c.number(name)
	if err != nil {
		return nil, err
	}
	return v.big(), nil
}

// uint64 is ids.NAME as a number that has to be below 2^64.
func (c *hintContext) uint64(name string) (uint64, error) {
	v, err := c.number(name)
	if err != nil {
		return 0, err
	}
	n, ok := v.small()
	if !ok {
		return 0, fmt.Errorf("ids.%s is %v, which is not below 2^64", name, v)
	}
	return n, nil
}

// relocatable is ids.NAME where it holds a pointer: where it points.
func (c *hintContext) relocatable(name string) (address, error) {
	v, err := c.value(name)
	if err != nil {
		return address{}, err
	}
	if !v.isAddress() {
		return address{}, fmt.Errorf("ids.%s: %w", name, errNotAddress)
	}
	return v.address(), nil
}

// address is where ids.NAME is stored. For a struct that is where the struct lies, which Python hints call
// ids.NAME.address_; for a pointer to a struct, Python's address_ is the pointer's value: use relocatable.
func (c *hintContext) address(name string) (address, error) {
	_, p, err := c.resolve(name)
	if err != nil {
		return address{}, err
	}
	if !p.isAddress() {
		return address{}, fmt.Errorf("ids.%s is an expression and has no address", name)
	}
	return p.address(), nil
}

// structAddress is Python's ids.NAME.address_: where the struct lies that NAME is or points to.
func (c *hintContext) structAddress(name string) (address, error) {
	place, err := c.lookup(name)
	if err != nil {
		return address{}, err
	}
	return c.structBase(place, name)
}

// member is the address of the cell at an offset in the struct that NAME is or points to.
func (c *hintContext) member(name string, offset int64) (address, error) {
	p, err := c.structAddress(name)
	if err != nil {
		return address{}, err
	}
	q, ok := p.addOffset(offset)
	if !ok {
		return address{}, fmt.Errorf("ids.%s, offset %d: %w", name, offset, errAddressRange)
	}
	return q, nil
}

// setID writes ids.NAME; NAME may be dotted.
func (c *hintContext) setID(name string, v value) error {
	p, err := c.address(name)
	if err != nil {
		return err
	}
	return c.set(p, v)
}

// constant is a constant of the program seen from the hint: "BASE", or "NAME.SIZE" for a struct's size.
func (c *hintContext) constant(name string) (*big.Int, error) {
	if structName, ok := strings.CutSuffix(name, ".SIZE"); ok {
		id, _ := c.vm.program.findIdentifier(c.hint.scopes, structName)
		if id == nil || id.kind != identifierStruct {
			return nil, fmt.Errorf("the program has no struct %s", structName)
		}
		return big.NewInt(id.size), nil
	}
	id, _ := c.vm.program.findIdentifier(c.hint.scopes, name)
	if id == nil || id.kind != identifierConst {
		return nil, fmt.Errorf("the program has no constant %s", name)
	}
	return new(big.Int).Set(id.value), nil
}

// structSize is the number of cells of a struct seen from the hint.
func (c *hintContext) structSize(name string) (int64, error) {
	n, err := c.constant(name + ".SIZE")
	if err != nil {
		return 0, err
	}
	return n.Int64(), nil
}

// memberOffset is the place of a member in a struct seen from the hint.
func (c *hintContext) memberOffset(structName, member string) (int64, error) {
	id, _ := c.vm.program.findIdentifier(c.hint.scopes, structName)
	if id == nil || id.kind != identifierStruct {
		return 0, fmt.Errorf("the program has no struct %s", structName)
	}
	m, ok := id.members[member]
	if !ok {
		return 0, fmt.Errorf("struct %s has no member %s", structName, member)
	}
	return m.offset, nil
}

// label is a label's or function's offset in the program.
func (c *hintContext) label(name string) (address, error) {
	id, _ := c.vm.program.findIdentifier(c.hint.scopes, name)
	if id == nil || (id.kind != identifierLabel && id.kind != identifierFunction) {
		return address{}, fmt.Errorf("the program has no label %s", name)
	}
	return address{seg: programSegment, off: id.pc}, nil
}

// --- memory ----------------------------------------------------------------------------------------------------------

// get reads a cell that has to have a value.
func (c *hintContext) get(p address) (value, error) {
	v, err := c.vm.memory.get(p)
	if err != nil {
		return value{}, err
	}
	if !v.known() {
		return value{}, fmt.Errorf("cell %v: %w", p, errUnknownCell)
	}
	return v, nil
}

// set writes a cell.
func (c *hintContext) set(p address, v value) error { return c.vm.memory.set(p, v) }

// setNext writes [ap].
func (c *hintContext) setNext(v value) error { return c.set(c.ap, v) }

// maxHintRange bounds how many cells one hint reads or writes at once.
const maxHintRange = 1 << 22

// getRange reads n cells from p on; each has to have a value.
func (c *hintContext) getRange(p address, n uint64) ([]value, error) {
	if n > maxHintRange {
		return nil, fmt.Errorf("a hint reads %d cells at once; at most %d can be", n, maxHintRange)
	}
	var out []value
	for i := range int64(n) {
		q, ok := p.addOffset(i)
		if !ok {
			return nil, errAddressRange
		}
		v, err := c.get(q)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// setRange writes consecutive cells from p on.
func (c *hintContext) setRange(p address, vs []value) error {
	for i, v := range vs {
		q, ok := p.addOffset(int64(i))
		if !ok {
			return errAddressRange
		}
		if err := c.set(q, v); err != nil {
			return err
		}
	}
	return nil
}

func (c *hintContext) newSegment() (address, error) { return c.vm.memory.addSegment() }

func (c *hintContext) newTemporarySegment() (address, error) { return c.vm.memory.addTemporary() }

// addRelocationRule places a temporary segment's start at dst.
func (c *hintContext) addRelocationRule(src, dst address) error {
	return c.vm.memory.addRule(src, dst)
}

// --- scopes ----------------------------------------------------------------------------------------------------------

// enterScope opens a scope with the given variables; outer ones are not visible from it.
func (c *hintContext) enterScope(variables map[string]any) error {
	return c.vm.scopes.enter(variables)
}

// exitScope closes the newest scope.
func (c *hintContext) exitScope() error { return c.vm.scopes.exit() }

// variable of the current scope.
func (c *hintContext) variable(name string) (any, bool) {
	v, ok := c.vm.scopes.current()[name]
	return v, ok
}

// setVariable sets a variable of the current scope.
func (c *hintContext) setVariable(name string, v any) { c.vm.scopes.current()[name] = v }

// deleteVariable removes a variable of the current scope.
func (c *hintContext) deleteVariable(name string) { delete(c.vm.scopes.current(), name) }

// scopeVariable is a variable of the current scope that has to exist and be of type T.
func scopeVariable[T any](c *hintContext, name string) (T, error) {
	var none T
	v, ok := c.variable(name)
	if !ok {
		return none, fmt.Errorf("the hint needs the scope variable %s, which no hint before has set", name)
	}
	t, ok := v.(T)
	if !ok {
		return none, fmt.Errorf("the scope variable %s has type %T, not %T", name, v, none)
	}
	return t, nil
}

// input is the run's input vector: Python's program_input.
func (c *hintContext) input() []value { return c.vm.input }

// setOpening hands the machine's new state on to the caller of Run: Python's next_state.
func (c *hintContext) setOpening(vs []value) { c.vm.opening = vs }

// scopeStack is Python's stack of execution scopes. Each is a map of its own; values are what the hints put there.
type scopeStack []map[string]any

// maxScopes bounds how deep a program can nest scopes.
const maxScopes = 1 << 16

func (s *scopeStack) enter(variables map[string]any) error {
	if len(*s) >= maxScopes {
		return fmt.Errorf("%w: more than %d nested hint scopes", ErrMemory, maxScopes)
	}
	if variables == nil {
		variables = make(map[string]any)
	}
	*s = append(*s, variables)
	return nil
}

func (s *scopeStack) exit() error {
	if len(*s) <= 1 {
		return fmt.Errorf("a hint leaves the outermost scope")
	}
	*s = (*s)[:len(*s)-1]
	return nil
}

func (s scopeStack) current() map[string]any { return s[len(s)-1] }
