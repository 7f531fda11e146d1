package cairo

import (
	"context"
	"errors"
	"fmt"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier"
	"github.com/seed06907907/fatty/verifier/cairo"
)

// Errors that callers branch on.
var (
	// ErrTooLong is wrapped when a run needs more rows than a proof can have. The error names the table.
	ErrTooLong = errors.New("the run is too long for one proof")
	// ErrRun is wrapped for a run that no proof can be made of, such as one without proof mode.
	ErrRun = errors.New("the run cannot be proven")
	// ErrInternal is wrapped for a contradiction inside this package.
	ErrInternal = errors.New("the witness contradicts itself, please report this")
)

// Input is what a proof is made of.
type Input struct {
	LogN       int   // pinned size
	LogHeights []int // log2 of the rows of each component of cairo.Core
	Public     *cairo.PublicData
	Bytecode   [][32]byte // felts, big-endian
	// Main holds the main columns, by component and column, in natural row order.
	Main [][]koalabear.Vector
}

// segment is a builtin's segment with its table.
type segment struct {
	name            string
	start, stop     uint32
	cells           int
	used, instances int // both 0 without a use
}

// Witness fills the tables that prove a run, made in proof mode with vm.StwoConfig. Errors wrap ErrTooLong, ErrRun,
// cairo.ErrProgram or the context's error.
func Witness(ctx context.Context, res *vm.Result) (*Input, error) {
	bytecode, builtins, err := program(res)
	if err != nil {
		return nil, err
	}
	if err := checkEnds(res); err != nil {
		return nil, err
	}
	segments, top, err := builtinSegments(res)
	if err != nil {
		return nil, err
	}
	// Before anything is allocated by the run's length.
	if err := fits(cairo.NameGeneric, len(res.Trace)-1); err != nil {
		return nil, err
	}
	if err := fits(cairo.NameAddress, (max(res.Memory.Len(), top)+cairo.AddressesPerRow-1)/cairo.AddressesPerRow); err != nil {
		return nil, err
	}
	m := newMemory(&res.Memory, top)
	for _, s := range segments {
		if s.instances > 0 {
			completeSegment(m, s)
		}
	}
	in := &Input{Bytecode: bytecode}
	if in.Public, err = publicData(res, builtins, segments, m); err != nil {
		return nil, err
	}
	if err := in.fill(ctx, res, segments, m); err != nil {
		return nil, err
	}
	if err := in.Public.Check(in.LogHeights); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRun, err)
	}
	return in, nil
}

// program returns the run's program, if its tables can be proven.
func program(res *vm.Result) ([][32]byte, cairo.Builtins, error) {
	felts, names, entry := res.Program.Canonical()
	builtins, err := cairo.ParseBuiltins(names)
	if err != nil {
		return nil, 0, err
	}
	bytecode := make([][32]byte, len(felts))
	for i := range felts {
		bytecode[i] = felts[i].Bytes()
	}
	if err := cairo.CheckProgram(bytecode, builtins); err != nil {
		return nil, 0, err
	}
	if entry != 0 {
		return nil, 0, fmt.Errorf("%w: its entry is %d, not 0", cairo.ErrProgram, entry)
	}
	return bytecode, builtins, nil
}

// checkEnds checks that a run begins and ends as a proof says it does.
func checkEnds(res *vm.Result) error {
	if len(res.Trace) < 2 {
		return fmt.Errorf("%w: it has no step", ErrRun)
	}
	first, last := res.Trace[0], res.Trace[len(res.Trace)-1]
	if first.PC != 1 || first.FP != first.AP || last.PC != 5 || last.FP != first.FP {
		return fmt.Errorf("%w: it does not go from the program's entry to its end; run it in proof mode", ErrRun)
	}
	return nil
}

// fits checks that a component has at most 2^MaxLogHeight rows.
func fits(component string, rows int) error {
	if rows > 1<<cairo.MaxLogHeight {
		return fmt.Errorf("%w: component %s needs %d rows, at most %d: prove fewer transitions per run", ErrTooLong, component, rows,
			1<<cairo.MaxLogHeight)
	}
	return nil
}

// builtinSegments returns the segments of the builtins that have a table, and one more than the highest address of them.
func builtinSegments(res *vm.Result) (out []segment, top int, err error) {
	for _, s := range []segment{{name: cairo.NameRangeCheck, cells: cairo.RangeCheckCells}, {name: cairo.NameBitwise, cells: cairo.BitwiseCells}} {
		if info, ok := res.Segment(s.name); ok && info.Stop > info.Begin {
			s.start, s.stop = info.Begin, info.Stop
			used := int(info.Stop - info.Begin)
			s.used, s.instances = (used+s.cells-1)/s.cells, 1<<logHeight((used+s.cells-1)/s.cells)
			if s.instances*s.cells > int(info.Size) {
				return nil, 0, fmt.Errorf("%w: segment %s has no room for %d instances; run it with vm.StwoConfig", ErrRun, s.name, s.instances)
			}
			if err := fits(s.name, s.instances); err != nil {
				return nil, 0, err
			}
			top = max(top, int(s.start)+s.instances*s.cells)
		}
		out = append(out, s)
	}
	return out, top, nil
}

// publicData reads the public cells.
func publicData(res *vm.Result, builtins cairo.Builtins, segments []segment, m *memory) (*cairo.PublicData, error) {
	last := res.Trace[len(res.Trace)-1]
	d := &cairo.PublicData{Builtins: builtins, InitialAP: res.Trace[0].AP, FinalAP: last.AP}
	var err error
	cell := func(address int64) uint32 {
		id, e := m.read(address)
		if e != nil && err == nil {
			err = e
		}
		return id
	}
	ap0 := int64(d.InitialAP)
	d.FrameID, d.ReturnID = cell(ap0-2), cell(ap0-1)
	n := int64(builtins.Count())
	for i, name := range builtins.Names() {
		info, ok := res.Segment(name)
		if !ok {
			return nil, fmt.Errorf("%w: it has no segment %s", ErrRun, name)
		}
		d.Segments = append(d.Segments, cairo.Segment{Start: info.Begin, Stop: info.Stop,
			StartID: cell(ap0 + int64(i)), StopID: cell(int64(last.AP) - n + int64(i))})
		if name == "output" {
			for a := info.Begin; a < info.Stop && len(d.Output) <= cairo.MaxOutput; a++ {
				c := cairo.OutputCell{ID: cell(int64(a))}
				if err == nil {
					v := m.value(c.ID)
					b := v.bytes()
					for j := range b {
						c.Value[j] = b[len(b)-1-j]
					}
				}
				d.Output = append(d.Output, c)
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return d, nil
}

// fill makes all tables.
func (in *Input) fill(ctx context.Context, res *vm.Result, segments []segment, m *memory) error {
	trace := res.Trace
	ins, err := decode(trace[:len(trace)-1], m)
	if err != nil {
		return err
	}
	rows := map[string]int{
		cairo.NameProgram: len(in.Bytecode), cairo.NameInstruction: len(ins.list), cairo.NameGeneric: len(trace) - 1,
		cairo.NameAddress: (len(m.ids) - 1 + cairo.AddressesPerRow - 1) / cairo.AddressesPerRow,
		cairo.NameSmall:   len(m.small), cairo.NameBig: len(m.big), cairo.NameBytes: 1 << cairo.ByteLogHeight,
	}
	for _, s := range segments {
		rows[s.name] = s.instances
	}
	for _, c := range cairo.Core().Components {
		if err := fits(c.Name, rows[c.Name]); err != nil {
			return err
		}
	}
	tables := map[string]*table{}
	make1 := func(name string) *table {
		t := newTable(name, logHeight(rows[name]))
		tables[name] = t
		return t
	}
	rg := newRanges()
	done, err := steps(ctx, make1(cairo.NameGeneric), trace, m, ins, rg)
	if err != nil {
		return err
	}
	// Products that move a register have values of their own.
	rows[cairo.NameMultiply], rows[cairo.NameOffset] = len(done.products), len(done.offsets)
	rows[cairo.NameSmall], rows[cairo.NameBig] = len(m.small), len(m.big)
	for _, name := range []string{cairo.NameSmall, cairo.NameBig} {
		if err := fits(name, rows[name]); err != nil {
			return err
		}
	}
	if err := multiply(ctx, make1(cairo.NameMultiply), done.products, m, rg); err != nil {
		return err
	}
	offsetTable(make1(cairo.NameOffset), done.offsets, m, rg)
	if err := instructionTable(make1(cairo.NameInstruction), ins, done.decoded, m, rg); err != nil {
		return err
	}
	if err := programTable(make1(cairo.NameProgram), len(in.Bytecode), m); err != nil {
		return err
	}
	for _, s := range segments {
		t := make1(s.name)
		if s.instances == 0 {
			continue
		}
		if s.name == cairo.NameRangeCheck {
			err = rangeCheckTable(t, s.start, m)
		} else {
			err = bitwiseTable(t, s.start, m, rg)
		}
		if err != nil {
			return err
		}
	}
	// All reads are counted by now, the public ones among them.
	addressTable(make1(cairo.NameAddress), m)
	uses := newValueUses(m)
	for i := range done.products {
		for _, id := range done.products[i].ids {
			uses.add(asBytes, id, 1)
		}
	}
	for _, o := range done.offsets {
		uses.add(asLimbs, o.id, 1)
	}
	if err := valueTables(make1(cairo.NameSmall), make1(cairo.NameBig), m, uses, rg); err != nil {
		return err
	}
	byteTable(make1(cairo.NameBytes), rg)

	sizes := verifier.PinnedSizes()
	in.LogN = sizes[0]
	for _, c := range cairo.Core().Components {
		t := tables[c.Name]
		in.LogHeights = append(in.LogHeights, t.log)
		in.Main = append(in.Main, t.main)
		for _, size := range sizes {
			if in.LogN < t.log {
				in.LogN = size
			}
		}
	}
	return nil
}
