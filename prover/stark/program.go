package stark

import (
	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
)

// A program is one component's description compiled to vector code for one proof: scalars are folded into it, every
// expression is computed once a chunk, and registers are reused as soon as their value is dead, so that a chunk's working
// set stays in the first two levels of cache.
type program struct {
	c         *air.Component
	columns   int // slots of main and fixed columns
	constants []field.Element
	registers int
	code      []instruction
	lookups   []compiledLookup
}

type opcode uint8

const (
	opAdd opcode = iota
	opSub
	opMul
	opScale      // dst = a * scalar
	opConstraint // value a of constraint number dst
	opBatch      // all entries of interaction column dst are computed
)

type instruction struct {
	op     opcode
	dst    int32
	a, b   int32
	scalar field.Element
}

// operand is a vector in a slot, or a scalar.
type operand struct {
	slot   int32
	vector bool
	scalar field.Element
}

type compiledLookup struct {
	numerator operand
	tuple     []operand
	yield     bool
	id        uint32
}

// chunk is the number of rows that a program handles at once; tables are never shorter than 2^air.MinLogHeight.
const chunk = 256

// group is how many constraints are computed before they are added up together: instructions opConstraint stand in runs of
// that many, and no register is written within a run.
const group = 8

type compiler struct {
	*program
	params []field.Element
	done   []bool
	value  []operand
	konst  map[field.Element]int32
	// virtual registers until allocate, numbered from base.
	base, next int32
}

// compile makes the program of a component. Without constraints it computes lookups alone.
func compile(c *air.Component, params []field.Element, constraints bool) *program {
	p := &program{c: c, columns: len(c.Main) + len(c.Fixed)}
	k := &compiler{program: p, params: params, done: make([]bool, len(c.Nodes)), value: make([]operand, len(c.Nodes)),
		konst: map[field.Element]int32{}, base: 1 << 20}
	if constraints {
		roots := constraintRoots(c)
		for from := 0; from < len(roots); from += group {
			to := min(from+group, len(roots))
			var slots []int32
			for _, root := range roots[from:to] {
				slots = append(slots, k.vector(k.node(root)))
			}
			for i, s := range slots {
				p.code = append(p.code, instruction{op: opConstraint, dst: int32(from + i), a: s})
			}
		}
	}
	p.lookups = make([]compiledLookup, len(c.Lookups))
	for j, batch := range c.Batches {
		for _, i := range batch {
			l := &c.Lookups[i]
			cl := compiledLookup{yield: l.Yield, id: l.Relation.ID, numerator: k.node(l.Numerator)}
			for _, t := range l.Tuple {
				cl.tuple = append(cl.tuple, k.node(t))
			}
			p.lookups[i] = cl
		}
		p.code = append(p.code, instruction{op: opBatch, dst: int32(j)})
	}
	k.allocate()
	return p
}

// constraintRoots lists the base field expressions that are weighted and summed: the constraints, and the terms of the
// weighted ones, which differ from constraints by their weights alone.
func constraintRoots(c *air.Component) (roots []int32) {
	for _, k := range c.Constraints {
		roots = append(roots, k.Root)
	}
	for _, w := range c.Weighted {
		for _, t := range w.Terms {
			roots = append(roots, t.Node)
		}
	}
	return roots
}

// constraintWeights are the weights of constraintRoots, from one weight a constraint and the coefficients of the terms.
func constraintWeights(c *air.Component, powers, coefficients []field.Ext) []field.Ext {
	out := append([]field.Ext(nil), powers[:len(c.Constraints)]...)
	at := 0
	for i, w := range c.Weighted {
		for range w.Terms {
			out = append(out, field.Mul(powers[len(c.Constraints)+i], coefficients[at]))
			at++
		}
	}
	return out
}

// vector returns a slot that holds an operand's value.
func (k *compiler) vector(o operand) int32 {
	if o.vector {
		return o.slot
	}
	if s, ok := k.konst[o.scalar]; ok {
		return s
	}
	s := int32(k.columns + len(k.constants))
	k.constants = append(k.constants, o.scalar)
	k.konst[o.scalar] = s
	return s
}

// node emits what computes a node. Descriptions are topologically sorted and may be deep, so this walks a stack.
func (k *compiler) node(root int32) operand {
	stack := []int32{root}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		if k.done[i] {
			stack = stack[:len(stack)-1]
			continue
		}
		n := k.c.Nodes[i]
		if n.Op >= air.OpAdd {
			wait := false
			for _, arg := range [2]int32{n.B, n.A} {
				if !k.done[arg] {
					stack = append(stack, arg)
					wait = true
				}
			}
			if wait {
				continue
			}
		}
		k.value[i], k.done[i] = k.compute(n), true
		stack = stack[:len(stack)-1]
	}
	return k.value[root]
}

func (k *compiler) compute(n air.Node) operand {
	switch n.Op {
	case air.OpConst:
		return operand{scalar: n.Value}
	case air.OpParam:
		return operand{scalar: k.params[n.Index]}
	case air.OpMain:
		return operand{vector: true, slot: n.Index}
	case air.OpFixed:
		return operand{vector: true, slot: int32(len(k.c.Main)) + n.Index}
	}
	a, b := k.value[n.A], k.value[n.B]
	var r field.Element
	one := field.New(1)
	switch {
	case !a.vector && !b.vector:
		switch n.Op {
		case air.OpAdd:
			r.Add(&a.scalar, &b.scalar)
		case air.OpSub:
			r.Sub(&a.scalar, &b.scalar)
		default:
			r.Mul(&a.scalar, &b.scalar)
		}
		return operand{scalar: r}
	case n.Op == air.OpMul && !(a.vector && b.vector):
		if !a.vector {
			a, b = b, a
		}
		if b.scalar.IsZero() {
			return operand{}
		}
		if b.scalar == one {
			return a
		}
		return k.emit(instruction{op: opScale, a: a.slot, scalar: b.scalar})
	case !b.vector && b.scalar.IsZero():
		return a
	case n.Op == air.OpAdd && !a.vector && a.scalar.IsZero():
		return b
	}
	op := map[air.Op]opcode{air.OpAdd: opAdd, air.OpSub: opSub, air.OpMul: opMul}[n.Op]
	return k.emit(instruction{op: op, a: k.vector(a), b: k.vector(b)})
}

func (k *compiler) emit(in instruction) operand {
	in.dst = k.base + k.next
	k.next++
	k.code = append(k.code, in)
	return operand{vector: true, slot: in.dst}
}

// allocate maps virtual registers to real ones: a register is free after its value's last use.
func (k *compiler) allocate() {
	last := make([]int, k.next)
	touch := func(slot int32, at int) {
		if slot >= k.base {
			last[slot-k.base] = at
		}
	}
	uses := func(at int, f func(*int32)) {
		in := &k.code[at]
		switch in.op {
		case opAdd, opSub, opMul:
			f(&in.a)
			f(&in.b)
		case opScale, opConstraint:
			f(&in.a)
		case opBatch:
			for _, i := range k.c.Batches[in.dst] {
				l := &k.lookups[i]
				if l.numerator.vector {
					f(&l.numerator.slot)
				}
				for t := range l.tuple {
					if l.tuple[t].vector {
						f(&l.tuple[t].slot)
					}
				}
			}
		}
	}
	for at := range k.code {
		uses(at, func(s *int32) { touch(*s, at) })
	}
	real := make([]int32, k.next)
	var free []int32
	first := int32(k.columns + len(k.constants))
	for at := range k.code {
		var dead []int32
		uses(at, func(s *int32) {
			if *s < k.base {
				return
			}
			v := *s - k.base
			*s = real[v]
			if last[v] == at {
				last[v] = -1 // several uses in one instruction free it once
				dead = append(dead, real[v])
			}
		})
		// A result may take the place of an operand that dies: kernels work entry by entry.
		free = append(free, dead...)
		if in := &k.code[at]; in.op <= opScale {
			v := in.dst - k.base
			if len(free) > 0 {
				real[v] = free[len(free)-1]
				free = free[:len(free)-1]
			} else {
				real[v] = first + int32(k.registers)
				k.registers++
			}
			in.dst = real[v]
		}
	}
}

// frame is one worker's memory for running a program.
type frame struct {
	p     *program
	slots []koalabear.Vector // columns, constants, registers; of the current chunk's length
	full  []koalabear.Vector // constants and registers at full length
}

func newFrame(p *program) *frame {
	f := &frame{p: p, slots: make([]koalabear.Vector, p.columns+len(p.constants)+p.registers)}
	n := len(p.constants) + p.registers
	all := make(koalabear.Vector, n*chunk)
	for i := range n {
		v := all[i*chunk : (i+1)*chunk]
		if i < len(p.constants) {
			fill(v, p.constants[i])
		}
		f.full = append(f.full, v)
	}
	return f
}

// load points the slots at rows [from, from+n) of columns; n is at most chunk.
func (f *frame) load(columns []koalabear.Vector, from, n int) {
	for i, c := range columns {
		f.slots[i] = c[from : from+n]
	}
	for i, v := range f.full {
		f.slots[f.p.columns+i] = v[:n]
	}
}

// run executes the program on the loaded chunk.
func (f *frame) run(constraint func(i int, v koalabear.Vector), batch func(j int)) {
	s := f.slots
	for i := range f.p.code {
		in := &f.p.code[i]
		switch in.op {
		case opAdd:
			addVec(s[in.dst], s[in.a], s[in.b])
		case opSub:
			subVec(s[in.dst], s[in.a], s[in.b])
		case opMul:
			mulVec(s[in.dst], s[in.a], s[in.b])
		case opScale:
			scaleVec(s[in.dst], s[in.a], in.scalar)
		case opConstraint:
			constraint(int(in.dst), s[in.a])
		case opBatch:
			batch(int(in.dst))
		}
	}
}
