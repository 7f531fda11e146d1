package vm

import "fmt"

// Builtin is one of the builtins, in their canonical order.
type Builtin uint8

const (
	Output Builtin = iota
	Pedersen
	RangeCheck
	ECDSA
	Bitwise
	ECOp
	Keccak
	Poseidon
	RangeCheck96
	AddMod
	MulMod
	builtinCount = iota
)

var builtinNames = [builtinCount]string{
	"output", "pedersen", "range_check", "ecdsa", "bitwise", "ec_op", "keccak", "poseidon", "range_check96", "add_mod",
	"mul_mod",
}

// builtinCells is the number of memory cells of one instance, builtinInputs how many of them the program writes.
var (
	builtinCells  = [builtinCount]int64{1, 3, 1, 2, 5, 7, 16, 6, 1, 7, 7}
	builtinInputs = [builtinCount]int64{1, 2, 1, 2, 2, 5, 8, 3, 1, 7, 7}
)

func (b Builtin) String() string {
	if int(b) < len(builtinNames) {
		return builtinNames[b]
	}
	return fmt.Sprintf("builtin(%d)", uint8(b))
}

// parseBuiltin finds a builtin by its name.
func parseBuiltin(name string) (Builtin, error) {
	for i, n := range builtinNames {
		if n == name {
			return Builtin(i), nil
		}
	}
	return 0, fmt.Errorf("the program uses the builtin %.60q, which this VM does not have", name)
}

// layout is a set of builtins with their share of the trace. It decides how far a padded proof-mode run goes, and where
// its segments lie; a run itself does not depend on it. All layouts have 8 memory units a step.
type layout struct {
	// ratio is steps per instance of each builtin; 0 where the layout has none. Output has no ratio.
	ratio  [builtinCount]int64
	output bool
	// rangeCheckUnits is 16-bit range-check cells a step.
	rangeCheckUnits int64
	// publicFraction is the part of the memory units that public memory has: one in so many.
	publicFraction int64
	// dilutedUnits is cells of the diluted pool a step, 0 where the layout has no pool.
	dilutedUnits int64
}

const memoryUnits = 8

// layouts by name, with the ratios of the reference runners.
var layouts = map[string]layout{
	"plain": {rangeCheckUnits: 16, publicFraction: 4},
	"small": {
		ratio:  [builtinCount]int64{Pedersen: 8, RangeCheck: 8, ECDSA: 512},
		output: true, rangeCheckUnits: 16, publicFraction: 4,
	},
	"starknet": {
		ratio:  [builtinCount]int64{Pedersen: 32, RangeCheck: 16, ECDSA: 2048, Bitwise: 64, ECOp: 1024, Poseidon: 32},
		output: true, rangeCheckUnits: 4, publicFraction: 8, dilutedUnits: 2,
	},
	"starknet_with_keccak": {
		ratio: [builtinCount]int64{Pedersen: 32, RangeCheck: 16, ECDSA: 2048, Bitwise: 64, ECOp: 1024, Keccak: 2048,
			Poseidon: 32},
		output: true, rangeCheckUnits: 4, publicFraction: 8, dilutedUnits: 16,
	},
	"all_cairo": {
		ratio: [builtinCount]int64{Pedersen: 256, RangeCheck: 8, ECDSA: 2048, Bitwise: 16, ECOp: 1024, Keccak: 2048,
			Poseidon: 256, RangeCheck96: 8, AddMod: 128, MulMod: 256},
		output: true, rangeCheckUnits: 4, publicFraction: 8, dilutedUnits: 16,
	},
	"all_cairo_stwo": {
		ratio: [builtinCount]int64{Pedersen: 256, RangeCheck: 8, Bitwise: 16, ECOp: 1024, Poseidon: 256, RangeCheck96: 8,
			AddMod: 128, MulMod: 256},
		output: true, rangeCheckUnits: 4, publicFraction: 8, dilutedUnits: 16,
	},
}

// has tells whether the layout has a builtin.
func (l *layout) has(b Builtin) bool { return l.ratio[b] != 0 || b == Output && l.output }

// keccakComponent is how many keccak instances the AIR handles together: a run is at least that many times the ratio.
const keccakComponent = 16

// dilutedCells is how many cells of the diluted pool one instance takes.
func dilutedCells(b Builtin) int64 {
	switch b {
	case Bitwise:
		// 251 bits in chunks of 4*16; 4 columns of 4 residues each, and the parts cut off at the top.
		const bits, spacing, chunk = 251, 4, 16
		var parts, trimmed int64
		for i := 0; i < bits; i += spacing * chunk {
			for j := i; j < i+spacing && j < bits; j++ {
				parts++
				if j+spacing*(chunk-1)+1 > bits {
					trimmed++
				}
			}
		}
		return 4*parts + trimmed
	case Keccak:
		return 4 * 64 * 1024 / 16
	}
	return 0
}

// dilutedPool is the number of values in the diluted pool: all 16-bit ones.
const dilutedPool = 1 << 16
