package vm

import (
	"fmt"
	"math/big"
	"strings"
)

// Bounds on a compiled program. The largest programs of the field, whole operating systems, stay below them.
const (
	MaxProgramBytes  = 64 << 20 // the JSON file
	MaxBytecode      = 1 << 20  // field elements
	MaxHints         = 1 << 18
	MaxReferences    = 1 << 20
	MaxIdentifiers   = 1 << 20
	MaxJSONDepth     = 64 // nesting; the compilers write about 12
	maxNumberText    = 80 // bytes of a number; P has 63 hex or 76 decimal digits
	maxStructMembers = 1 << 12
)

// Kind tells the two compilers' outputs apart.
type Kind uint8

const (
	Cairo0 Kind = iota // a compiled program with Python hints
	Cairo2             // an executable with core hints
)

func (k Kind) String() string {
	if k == Cairo2 {
		return "Cairo 2"
	}
	return "Cairo 0"
}

// Program is a loaded compiled program. It does not change and may be run many times at once.
type Program struct {
	Kind     Kind
	Bytecode []Felt
	Builtins []Builtin // in the program's order, which is the canonical one
	Entry    uint64    // the offset where a proof-mode run starts; it ends 4 further on

	code []value // Bytecode in the VM's form
	// instructions holds the decoded instruction at each offset, with its hints' place in hintLists plus one.
	instructions []instruction
	hints0       [][]compiledHint0 // Cairo 0
	hints2       [][]hint2         // Cairo 2

	main        uint64 // Cairo 0: the offset of main, for a run without proof mode
	hasMain     bool
	hasStart    bool // Cairo 0: built for proof mode
	function    *entrypoint2
	identifiers map[string]*identifier
}

// entrypoint2 is the Bootloader entry of an executable: a function that takes the builtins and returns them.
type entrypoint2 struct {
	offset   uint64
	builtins []Builtin
}

// identifier is one name of a Cairo 0 program.
type identifier struct {
	kind        identifierKind
	value       *big.Int // a constant's
	size        int64    // a struct's
	members     map[string]structMember
	pc          int64  // a label's or function's
	destination string // an alias's
}

type structMember struct {
	offset int64
	typ    string
}

// Canonical is what identifies a program whatever file it came in: bytecode, builtins' names in order, entry offset.
func (p *Program) Canonical() (bytecode []Felt, builtins []string, entry uint64) {
	bytecode = append([]Felt(nil), p.Bytecode...)
	for _, b := range p.Builtins {
		builtins = append(builtins, b.String())
	}
	return bytecode, builtins, p.Entry
}

// parseFelt reads a number as compilers write it: decimal or 0x hex, perhaps with a minus sign, reduced mod P if
// negative. A number of P or more is refused: it is of another field or not canonical.
func parseFelt(s string) (value, error) {
	if len(s) == 0 || len(s) > maxNumberText {
		return value{}, fmt.Errorf("%.90q is not a field element", s)
	}
	digits, negative := strings.CutPrefix(s, "-")
	base := 10
	if hex, ok := strings.CutPrefix(digits, "0x"); ok {
		digits, base = hex, 16
	}
	if digits == "" || strings.ContainsAny(digits, "+-_") {
		return value{}, fmt.Errorf("%q is not a field element", s)
	}
	n, ok := new(big.Int).SetString(digits, base)
	if !ok {
		return value{}, fmt.Errorf("%q is not a field element", s)
	}
	if n.Cmp(prime) >= 0 {
		return value{}, fmt.Errorf("%s is not below the prime of the Cairo field", s)
	}
	if negative {
		n.Neg(n)
	}
	return bigValue(n), nil
}
