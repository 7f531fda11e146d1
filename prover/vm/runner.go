package vm

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// DefaultMaxSteps is the step bound of a run whose Config has none.
const DefaultMaxSteps = 1 << 23

// MaxInput bounds the input vector.
const MaxInput = 1 << 20

// Config says how a program is run.
type Config struct {
	// Layout is plain, small, starknet, starknet_with_keccak, all_cairo or all_cairo_stwo; empty is all_cairo_stwo. A
	// program may use only builtins that its layout has.
	Layout string
	// ProofMode runs from the proof-mode entry with all builtins of the layout, as a prover needs it. Without it a Cairo
	// 0 program runs its main function, an executable its function entry.
	ProofMode bool
	// Pad goes on, in proof mode, to a power of two of steps that holds every builtin at the layout's ratios. Without it
	// a used builtin's segment holds a power of two of instances, 16 at least.
	Pad bool
	// FillHoles completes the builtins' instances at the end of the run.
	FillHoles bool
	// MaxSteps bounds the steps, padding included; 0 is DefaultMaxSteps.
	MaxSteps uint64
}

// StwoConfig is what the prover uses: layout all_cairo_stwo in proof mode, no padding, holes filled.
func StwoConfig(maxSteps uint64) Config {
	return Config{Layout: "all_cairo_stwo", ProofMode: true, FillHoles: true, MaxSteps: maxSteps}
}

// minInstances is the least number of instances in a used builtin's segment without padding.
const minInstances = 16

// Run runs a program on an input vector. It stops with the context, at the step bound and at the memory bounds. Errors
// are a *HintError, a *StepError, or wrap ErrSteps, ErrMemory or the context's error.
func Run(ctx context.Context, p *Program, input []Felt, cfg Config) (*Result, error) {
	if len(input) > MaxInput {
		return nil, fmt.Errorf("vm: the input has %d felts; at most %d can be", len(input), MaxInput)
	}
	if cfg.Layout == "" {
		cfg.Layout = "all_cairo_stwo"
	}
	l, ok := layouts[cfg.Layout]
	if !ok {
		return nil, fmt.Errorf("vm: there is no layout %.40q; use plain, small, starknet, starknet_with_keccak, all_cairo "+
			"or all_cairo_stwo", cfg.Layout)
	}
	r := newRunner(p, input, cfg, &l)
	m := &r.machine
	if err := r.initialize(); err != nil {
		return nil, fmt.Errorf("vm: %w", err)
	}
	if err := m.runUntil(ctx, m.end); err != nil {
		return nil, err
	}
	if cfg.ProofMode {
		// One more step, so that the last one executed is the jump at the end to itself.
		if err := m.runSteps(ctx, 1); err != nil {
			return nil, err
		}
	}
	if err := r.endRun(ctx); err != nil {
		return nil, err
	}
	return r.result()
}

// runner sets a machine up and ends its run.
type runner struct {
	machine
	config    Config
	layout    *layout
	initialPC int64
	initialAP int64
	// public is the cells of the execution segment that belong to the public memory.
	public []int64
	// named is the builtins of the entry, in the order of the stack.
	named []Builtin
}

func newRunner(p *Program, input []Felt, cfg Config, l *layout) *runner {
	if cfg.MaxSteps == 0 {
		cfg.MaxSteps = DefaultMaxSteps
	}
	r := &runner{config: cfg, layout: l}
	r.program, r.limit = p, cfg.MaxSteps
	r.scopes = scopeStack{make(map[string]any)}
	for i := range input {
		r.input = append(r.input, feltValue(input[i]))
	}
	return r
}

// initialize makes the segments and the stack.
func (r *runner) initialize() error {
	m, p := &r.machine, r.program
	builtins, entry := p.Builtins, p.Entry
	if !r.config.ProofMode {
		switch {
		case p.Kind == Cairo2 && p.function == nil:
			return errors.New("the executable has no function entry (kind Bootloader): run it in proof mode")
		case p.Kind == Cairo2:
			builtins, entry = p.function.builtins, p.function.offset
		case !p.hasMain:
			return errors.New("the program has no main function: run it in proof mode")
		default:
			entry = p.main
		}
	} else if p.Kind == Cairo0 && !p.hasStart {
		return errors.New("the program is not built for proof mode: compile it with --proof_mode")
	}
	if _, err := m.memory.addSegment(); err != nil { // the program
		return err
	}
	if _, err := m.memory.addSegment(); err != nil { // execution
		return err
	}
	for b := Builtin(0); b < builtinCount; b++ {
		included := slices.Contains(builtins, b)
		if !r.layout.has(b) || !included && !r.config.ProofMode {
			continue
		}
		base, err := m.memory.addSegment()
		if err != nil {
			return err
		}
		m.memory.segments[base.seg].builtin = newBuiltinRunner(b)
		m.builtins = append(m.builtins, builtinSegment{kind: b, base: base, included: included})
	}
	for i, v := range p.code {
		if err := m.memory.set(address{programSegment, int64(i)}, v); err != nil {
			return err
		}
	}
	m.pc = address{programSegment, int64(entry)}
	r.initialPC = m.pc.off

	// A builtin that the layout lacks is passed as 0 and has to come back as 0: programs for many layouts rely on it.
	r.named = builtins
	var stack []value
	for _, b := range builtins {
		v := uintValue(0)
		for _, s := range m.builtins {
			if s.kind == b {
				v = addressValue(s.base)
			}
		}
		stack = append(stack, v)
	}
	if r.config.ProofMode {
		// [fp - 2] is fp itself, so that a verifier can demand it of the frame below the first.
		frame := []value{addressValue(address{executionSegment, 2}), uintValue(0)}
		stack = append(frame, stack...)
		for i := range stack {
			r.public = append(r.public, int64(i))
		}
		m.ap = 2
		m.end = address{programSegment, m.pc.off + startLength}
	} else {
		returnFP, err := m.memory.addSegment()
		if err != nil {
			return err
		}
		if m.end, err = m.memory.addSegment(); err != nil {
			return err
		}
		stack = append(stack, addressValue(returnFP), addressValue(m.end))
		m.ap = int64(len(stack))
	}
	r.initialAP = m.ap
	m.fp = address{executionSegment, m.ap}
	for i, v := range stack {
		if err := m.memory.set(address{executionSegment, int64(i)}, v); err != nil {
			return err
		}
	}
	for _, b := range m.builtins {
		if b.kind == AddMod || b.kind == MulMod {
			return r.addZeros()
		}
	}
	return nil
}

// addZeros makes the segment of zeros that empty modular instances point to.
func (r *runner) addZeros() error {
	m := &r.machine
	zero, err := m.memory.addSegment()
	if err != nil {
		return err
	}
	for i := range int64(zeroCells) {
		if err := m.memory.set(address{zero.seg, i}, uintValue(0)); err != nil {
			return err
		}
	}
	m.zero = &zero
	return nil
}

// endRun relocates temporary segments, checks the builtins, pads, reads the stop pointers and fixes the sizes.
func (r *runner) endRun(ctx context.Context) error {
	m := &r.machine
	if len(m.scopes) != 1 {
		return fmt.Errorf("vm: %d hint scopes are still open at the end of the run", len(m.scopes)-1)
	}
	if err := m.memory.placeTemporary(); err != nil {
		return fmt.Errorf("vm: %w", err)
	}
	if err := r.checkBuiltins(); err != nil {
		return fmt.Errorf("vm: %w", err)
	}
	if used := m.memory.segments[programSegment].used(); used > int64(len(m.program.code)) {
		return fmt.Errorf("vm: the run wrote to the program's segment, beyond the program")
	}
	if r.config.ProofMode && r.config.Pad {
		if err := r.pad(ctx); err != nil {
			return err
		}
	}
	if err := r.readStopPointers(); err != nil {
		return fmt.Errorf("vm: %w", err)
	}
	if r.config.ProofMode {
		r.fixSizes()
	}
	return nil
}

// checkBuiltins recomputes what the builtins' rules give and compares; with FillHoles it completes the instances.
func (r *runner) checkBuiltins() error {
	m := &r.machine
	for _, b := range m.builtins {
		if b.kind == AddMod || b.kind == MulMod {
			if err := (modBuiltin{b.kind}).verify(&m.memory, b.base); err != nil {
				return err
			}
		}
		rule := m.memory.segments[b.base.seg].builtin
		if rule == nil {
			continue
		}
		cells := m.memory.segments[b.base.seg].used()
		if r.config.FillHoles {
			cells = ceilDiv(cells, builtinCells[b.kind]) * builtinCells[b.kind]
		}
		for off := range cells {
			p := address{b.base.seg, off}
			v, err := rule.deduce(&m.memory, p)
			if err != nil {
				return err
			}
			if !v.known() {
				continue
			}
			if old := m.memory.peek(p); old.known() && old != v {
				return fmt.Errorf("%v builtin, cell %d: it holds %v, but its inputs give %v", b.kind, off, old, v)
			} else if !old.known() && r.config.FillHoles {
				if err := m.memory.set(p, v); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// pad goes on at the final jump to a power of two of steps until everything fits the layout.
func (r *runner) pad(ctx context.Context) error {
	for {
		if err := r.runSteps(ctx, nextPowerOfTwo(r.steps)-r.steps); err != nil {
			return err
		}
		if r.fits() {
			return nil
		}
		if err := r.runSteps(ctx, 1); err != nil {
			return err
		}
	}
}

// fits tells whether the layout's cells for this many steps hold the run.
func (r *runner) fits() bool {
	steps := int64(r.steps)
	var rangeCheckUsed, memoryUsed, dilutedUsed int64
	for _, b := range r.builtins {
		if b.kind == Output {
			continue
		}
		ratio := r.layout.ratio[b.kind]
		least := ratio
		if b.kind == Keccak {
			least *= keccakComponent
		}
		if steps < least {
			return false
		}
		used, size := r.memory.segments[b.base.seg].used(), steps/ratio*builtinCells[b.kind]
		if used > size {
			return false
		}
		memoryUsed += size
		dilutedUsed += steps / ratio * dilutedCells(b.kind)
		switch b.kind {
		case RangeCheck:
			rangeCheckUsed += used * 8
		case RangeCheck96:
			rangeCheckUsed += used * 6
		}
	}
	low, high := r.rangeCheckLimits()
	if (r.layout.rangeCheckUnits-3)*steps-rangeCheckUsed < int64(high)-int64(low) {
		return false
	}
	total := memoryUnits * steps
	if total-total/r.layout.publicFraction-4*steps-memoryUsed < r.holes() {
		return false
	}
	return r.layout.dilutedUnits == 0 || r.layout.dilutedUnits*steps-dilutedUsed >= dilutedPool
}

// readStopPointers reads the builtins' final pointers off the stack, the last builtin's first.
func (r *runner) readStopPointers() error {
	m := &r.machine
	at := m.ap
	for _, name := range slices.Backward(r.named) {
		at--
		v := m.memory.peek(address{executionSegment, at})
		i := slices.IndexFunc(m.builtins, func(b builtinSegment) bool { return b.kind == name })
		if i < 0 {
			if !v.isZero() {
				return fmt.Errorf("the layout %s has no builtin %v, but its pointer is %v at the end, not 0",
					r.config.Layout, name, v)
			}
			continue
		}
		b := &m.builtins[i]
		used := m.memory.segments[b.base.seg].used()
		if used > 0 && (name == ECDSA || name == Keccak) {
			return fmt.Errorf("the program uses the builtin %v: %w", name, errors.ErrUnsupported)
		}
		want := address{b.base.seg, ceilDiv(used, builtinCells[b.kind]) * builtinCells[b.kind]}
		if !v.isAddress() || v.address() != want {
			return fmt.Errorf("the stop pointer of the %v builtin is %v; %d cells are used, so it has to be %v", b.kind, v,
				used, want)
		}
		b.stop = want.off
	}
	for off := at; off < m.ap; off++ {
		r.public = append(r.public, off)
	}
	return nil
}

// fixSizes gives the segments their sizes for a proof.
func (r *runner) fixSizes() {
	m := &r.machine
	fix := func(p address, size int64) {
		s := &m.memory.segments[p.seg]
		s.size, s.fixed = size, true
	}
	fix(address{seg: programSegment}, int64(len(m.program.code)))
	for _, b := range m.builtins {
		used := m.memory.segments[b.base.seg].used()
		instances := ceilDiv(used, builtinCells[b.kind])
		switch {
		case b.kind == Output:
			fix(b.base, used)
		case r.config.Pad:
			fix(b.base, int64(m.steps)/r.layout.ratio[b.kind]*builtinCells[b.kind])
		case instances == 0:
			fix(b.base, 0)
		default:
			fix(b.base, max(minInstances, int64(nextPowerOfTwo(uint64(instances))))*builtinCells[b.kind])
		}
	}
	if m.zero != nil {
		fix(*m.zero, zeroCells)
	}
}

func ceilDiv(a, b int64) int64 { return (a + b - 1) / b }

// nextPowerOfTwo is the least power of two that is n or more.
func nextPowerOfTwo(n uint64) uint64 {
	if n <= 1 {
		return 1
	}
	return 1 << bits.Len64(n-1)
}
