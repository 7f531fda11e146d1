package vm

import (
	"fmt"
	"strconv"
	"strings"
)

// Bounds on a reference's expression.
const (
	maxReferenceText  = 1024 // bytes; the compiler writes about 100
	maxReferenceDepth = 16   // nested brackets and casts; the compiler writes about 4
)

// apTracking is the compiler's knowledge of ap: within one group of instructions, differences of offsets are
// differences of ap.
type apTracking struct {
	group, offset int64
}

// reference says where or what a name of a Cairo 0 function is: an expression over ap, fp and memory, such as
// [cast(fp + (-3), felt*)] or cast([ap + (-5)] + 1, felt), with the type it is cast to.
type reference struct {
	expr     *expression
	deref    bool   // the expression is in outer brackets: expr is an address
	typ      string // of the value: felt, a struct's full name, or either with asterisks
	tracking apTracking
}

type expressionKind uint8

const (
	exprNumber expressionKind = iota
	exprAP
	exprFP
	exprAdd
	exprSub
	exprMul
	exprDeref
	exprTuple // (e, e): a struct's members, which no hint can take as one value
)

type expression struct {
	kind        expressionKind
	number      value
	left, right *expression
}

// parseReference reads a reference's value.
func parseReference(text string) (*reference, error) {
	if len(text) > maxReferenceText {
		return nil, fmt.Errorf("a reference's expression has %d bytes; at most %d can be", len(text), maxReferenceText)
	}
	p := expressionParser{text: text}
	e, typ, err := p.sum(0)
	if err != nil {
		return nil, fmt.Errorf("reference %q: %w", text, err)
	}
	p.space()
	if p.pos != len(p.text) {
		return nil, fmt.Errorf("reference %q: unexpected %q", text, p.text[p.pos:])
	}
	r := &reference{expr: e, typ: typ}
	if e.kind == exprDeref {
		// The outer brackets undo one level of pointer: [cast(fp, felt*)] is a felt stored at fp.
		r.deref, r.expr = true, e.left
		inner, ok := strings.CutSuffix(typ, "*")
		if !ok {
			return nil, fmt.Errorf("reference %q: brackets around type %q, which is no pointer", text, typ)
		}
		r.typ = inner
	}
	return r, nil
}

// expressionParser is a recursive descent over sum, product, factor. Each returns the type of the last cast that
// covers the whole expression, "" if there is none; brackets keep the type of what is in them.
type expressionParser struct {
	text string
	pos  int
}

func (p *expressionParser) space() {
	for p.pos < len(p.text) && p.text[p.pos] == ' ' {
		p.pos++
	}
}

func (p *expressionParser) take(token string) bool {
	p.space()
	if strings.HasPrefix(p.text[p.pos:], token) {
		p.pos += len(token)
		return true
	}
	return false
}

func (p *expressionParser) sum(depth int) (*expression, string, error) {
	left, typ, err := p.product(depth)
	if err != nil {
		return nil, "", err
	}
	for {
		kind := exprAdd
		if !p.take("+") {
			if !p.take("-") {
				return left, typ, nil
			}
			kind = exprSub
		}
		right, _, err := p.product(depth)
		if err != nil {
			return nil, "", err
		}
		left, typ = &expression{kind: kind, left: left, right: right}, ""
	}
}

func (p *expressionParser) product(depth int) (*expression, string, error) {
	left, typ, err := p.factor(depth)
	if err != nil {
		return nil, "", err
	}
	for p.take("*") {
		right, _, err := p.factor(depth)
		if err != nil {
			return nil, "", err
		}
		left, typ = &expression{kind: exprMul, left: left, right: right}, ""
	}
	return left, typ, nil
}

func (p *expressionParser) factor(depth int) (*expression, string, error) {
	if depth > maxReferenceDepth {
		return nil, "", fmt.Errorf("nested deeper than %d", maxReferenceDepth)
	}
	switch {
	case p.take("["):
		e, typ, err := p.sum(depth + 1)
		if err != nil {
			return nil, "", err
		}
		if !p.take("]") {
			return nil, "", fmt.Errorf("] is missing")
		}
		return &expression{kind: exprDeref, left: e}, typ, nil
	case p.take("cast("):
		e, _, err := p.sum(depth + 1)
		if err != nil {
			return nil, "", err
		}
		if !p.take(",") {
			return nil, "", fmt.Errorf("a cast without a type")
		}
		typ, err := p.typeName()
		return e, typ, err
	case p.take("("):
		e, typ, err := p.sum(depth + 1)
		if err != nil {
			return nil, "", err
		}
		for p.take(",") {
			// A tuple; its members may have names, and a comma may end it.
			e, typ = &expression{kind: exprTuple}, ""
			if p.take(")") {
				return e, typ, nil
			}
			if _, _, err := p.sum(depth + 1); err != nil {
				return nil, "", err
			}
		}
		if !p.take(")") {
			return nil, "", fmt.Errorf(") is missing")
		}
		return e, typ, nil
	case p.take("-"):
		e, _, err := p.factor(depth + 1)
		if err != nil {
			return nil, "", err
		}
		return &expression{kind: exprSub, left: &expression{number: uintValue(0)}, right: e}, "", nil
	case p.take("ap"):
		return &expression{kind: exprAP}, "", nil
	case p.take("fp"):
		return &expression{kind: exprFP}, "", nil
	}
	start := p.pos
	for p.pos < len(p.text) && p.text[p.pos] >= '0' && p.text[p.pos] <= '9' {
		p.pos++
	}
	n, err := parseFelt(p.text[start:p.pos])
	if err != nil {
		return nil, "", fmt.Errorf("at byte %d: neither ap, fp, a number, a bracket nor a cast", start)
	}
	return &expression{number: n}, "", nil
}

// typeName reads up to the bracket that closes the cast; a type may be a tuple with brackets of its own.
func (p *expressionParser) typeName() (string, error) {
	p.space()
	start, open := p.pos, 0
	for ; p.pos < len(p.text); p.pos++ {
		switch p.text[p.pos] {
		case '(':
			open++
		case ')':
			if open == 0 {
				typ := strings.TrimSpace(p.text[start:p.pos])
				p.pos++
				return typ, nil
			}
			open--
		}
	}
	return "", fmt.Errorf("a cast that does not end")
}

// place is what a name is: a value of a type, or a cell or struct at an address.
type place struct {
	stored bool // v is the address where a value of type typ lies
	v      value
	typ    string
}

// resolve evaluates a possibly dotted name: its value (unknown if its cell is not set, or if it is a whole struct), and
// the address of its cell (unknown if it is an expression).
func (c *hintContext) resolve(name string) (v, at value, err error) {
	pl, err := c.lookup(name)
	if err != nil {
		return value{}, value{}, err
	}
	if !pl.stored {
		return pl.v, value{}, nil
	}
	v, err = c.vm.memory.get(pl.v.address())
	return v, pl.v, err
}

// lookup walks a dotted name through the structs of the program.
func (c *hintContext) lookup(name string) (place, error) {
	base, path, dotted := strings.Cut(name, ".")
	ref, ok := c.hint.references[base]
	if !ok {
		return place{}, fmt.Errorf("ids.%s is no name the hint can see", base)
	}
	pl, err := c.evaluateReference(ref)
	if err != nil {
		return place{}, fmt.Errorf("ids.%s: %w", base, err)
	}
	for dotted {
		var member string
		member, path, dotted = strings.Cut(path, ".")
		p, err := c.structBase(pl, name)
		if err != nil {
			return place{}, err
		}
		structName := strings.TrimRight(pl.typ, "*")
		id := c.vm.program.resolveIdentifier(structName)
		if id == nil || id.kind != identifierStruct {
			return place{}, fmt.Errorf("ids.%s: the program has no struct %s", name, structName)
		}
		m, ok := id.members[member]
		if !ok {
			return place{}, fmt.Errorf("ids.%s: struct %s has no member %s", name, structName, member)
		}
		q, ok := p.addOffset(m.offset)
		if !ok {
			return place{}, fmt.Errorf("ids.%s: %w", name, errAddressRange)
		}
		pl = place{stored: true, v: addressValue(q), typ: m.typ}
	}
	return pl, nil
}

// structBase is where the struct lies that a place is or points to.
func (c *hintContext) structBase(pl place, name string) (address, error) {
	v := pl.v
	if strings.HasSuffix(pl.typ, "*") && pl.stored {
		var err error
		if v, err = c.get(pl.v.address()); err != nil {
			return address{}, fmt.Errorf("ids.%s: %w", name, err)
		}
	}
	if !v.isAddress() {
		return address{}, fmt.Errorf("ids.%s: %w", name, errNotAddress)
	}
	return v.address(), nil
}

func (c *hintContext) evaluateReference(r *reference) (place, error) {
	v, err := c.evaluate(r.expr, r)
	if err != nil {
		return place{}, err
	}
	if r.deref && !v.isAddress() {
		return place{}, errNotAddress
	}
	return place{stored: r.deref, v: v, typ: r.typ}, nil
}

func (c *hintContext) evaluate(e *expression, r *reference) (value, error) {
	switch e.kind {
	case exprNumber:
		return e.number, nil
	case exprFP:
		return addressValue(c.fp), nil
	case exprTuple:
		return value{}, fmt.Errorf("it is a tuple, not a value")
	case exprAP:
		// The reference was taken elsewhere: ap has moved since by the difference of the tracked offsets.
		if r.tracking.group != c.hint.tracking.group {
			return value{}, fmt.Errorf("its place relative to ap is not known any more")
		}
		p, ok := c.ap.addOffset(r.tracking.offset - c.hint.tracking.offset)
		if !ok {
			return value{}, errAddressRange
		}
		return addressValue(p), nil
	}
	left, err := c.evaluate(e.left, r)
	if err != nil {
		return value{}, err
	}
	if e.kind == exprDeref {
		if !left.isAddress() {
			return value{}, errNotAddress
		}
		return c.get(left.address())
	}
	right, err := c.evaluate(e.right, r)
	if err != nil {
		return value{}, err
	}
	switch e.kind {
	case exprAdd:
		return addValues(left, right)
	case exprSub:
		return subValues(left, right)
	default:
		if !left.isFelt() || !right.isFelt() {
			return value{}, errAddressProduct
		}
		return mulFelts(left, right), nil
	}
}

// identifiers of a Cairo 0 program, as far as hints can see them.
type identifierKind uint8

const (
	identifierOther identifierKind = iota
	identifierConst
	identifierStruct
	identifierLabel
	identifierFunction
	identifierAlias
)

// maxAliases bounds a chain of aliases; the compiler writes one or two.
const maxAliases = 16

// resolveIdentifier follows aliases from a full name.
func (p *Program) resolveIdentifier(name string) *identifier {
	for range maxAliases {
		id := p.identifiers[name]
		if id == nil {
			// A name inside an aliased scope: replace the longest aliased prefix.
			prefix, rest := name, ""
			for id == nil {
				i := strings.LastIndexByte(prefix, '.')
				if i < 0 {
					return nil
				}
				prefix, rest = prefix[:i], prefix[i:]+rest
				if a := p.identifiers[prefix]; a != nil && a.kind == identifierAlias {
					id = a
				}
			}
			name = id.destination + rest
			continue
		}
		if id.kind != identifierAlias {
			return id
		}
		name = id.destination
	}
	return nil
}

// findIdentifier looks a short name up from the innermost scope outwards.
func (p *Program) findIdentifier(scopes []string, name string) (*identifier, string) {
	for i := len(scopes) - 1; i >= 0; i-- {
		if id := p.resolveIdentifier(scopes[i] + "." + name); id != nil {
			return id, scopes[i]
		}
	}
	return nil, ""
}

// parseOffset reads a decimal number that JSON has as an object's key.
func parseOffset(s string) (uint64, error) {
	if len(s) > 1 && s[0] == '0' {
		return 0, fmt.Errorf("%q is not an offset", s)
	}
	return strconv.ParseUint(s, 10, 32)
}
