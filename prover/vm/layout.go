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
// its segments lie; a run itself does not depend on it.
type layout struct {
	name string
	// ratio is steps per instance of each builtin; 0 where the layout has none. Output has no ratio.
	ratio [builtinCount]int64
	has   [builtinCount]bool
	// rangeCheckUnits is 16-bit range-check cells a step, memory units are 8 a step in all layouts here.
	rangeCheckUnits int64
	// dilutedUnits is cells of the diluted pool a step, 0 where the layout has no pool.
	dilutedUnits int64
}
