package cairo

import (
	"fmt"
	"sync"

	"github.com/seed06907907/fatty/verifier/air"
)

// Names of the components.
const (
	NameProgram     = "program"
	NameInstruction = "verify_instruction"
	NameRangeCheck  = "range_check"
	NameBitwise     = "bitwise"
	NameAddress     = "memory_address_to_id"
	NameOffset      = "offset"
	NameMultiply    = "multiply"
	NameBig         = "memory_id_to_big"
	NameSmall       = "memory_id_to_small"
	NameGeneric     = "generic_opcode"
	NameBytes       = "bytes"
)

// coreSet is made once: a description is a constant, and making it takes some milliseconds.
var coreSet = sync.OnceValue(func() *air.Set {
	set, err := air.NewSet("core", programTable(), instructionTable(), rangeCheckTable(), bitwiseTable(), offsetTable(), addressTable(),
		multiplyTable(), bigTable(), smallTable(), genericTable(), byteTable())
	if err != nil {
		panic(err) // a mistake in the descriptions of this package, found by its first test
	}
	return set
})

// Core is the component set of programs that use no builtin beyond output, range_check and bitwise. Usually short tables
// come first and the usually tallest last, because a leaf's chain is computed at the largest height absorbed so far.
// The set must not be changed.
func Core() *air.Set { return coreSet() }

// MaxLogHeight bounds a component's log2 height: the largest pinned size.
const MaxLogHeight = 20

// maxOpcodeUses bounds the steps of a proof, far above what MaxLogHeight allows. No state wraps p anyhow: every step ranges
// ap' below 2^28 + 2^16.
const maxOpcodeUses = 1 << 29

// CheckHeights checks log2 heights, one a component of Core, against what the soundness of the tables needs whatever else
// holds: heights within bounds, ids and addresses below p and 2^29, uses of each relation below p. public is the number
// of public lookups.
func CheckHeights(logHeights []int, public int) error {
	set := Core()
	if len(logHeights) != len(set.Components) {
		return fmt.Errorf("set %s has %d components, got %d heights: %w", set.Name, len(set.Components), len(logHeights), ErrPublicData)
	}
	uses := map[uint32]uint64{}
	for i, c := range set.Components {
		h := logHeights[i]
		if h < air.MinLogHeight || h > MaxLogHeight || c.LogHeight != air.AnyHeight && h != c.LogHeight {
			return fmt.Errorf("component %s cannot have 2^%d rows: %w", c.Name, h, ErrPublicData)
		}
		for _, l := range c.Lookups {
			if l.Unit {
				uses[l.Relation.ID] += 1 << h
			}
		}
	}
	return checkBounds(logHeights, uses, uint64(public))
}

// checkBounds is CheckHeights' arithmetic, apart so that tests reach bounds that MaxLogHeight keeps out of reach.
func checkBounds(logHeights []int, uses map[uint32]uint64, public uint64) error {
	set := Core()
	for i, c := range set.Components {
		rows := uint64(1) << logHeights[i]
		switch c.Name {
		case NameAddress:
			if AddressesPerRow*rows >= MaxAddress {
				return fmt.Errorf("%d addresses, must be below 2^29: %w", AddressesPerRow*rows, ErrPublicData)
			}
		case NameSmall:
			if rows > bigIDs {
				return fmt.Errorf("ids of small values would meet those of big ones: %w", ErrPublicData)
			}
		case NameBig:
			if bigIDs+rows > fieldModulus {
				return fmt.Errorf("ids of big values would wrap the field: %w", ErrPublicData)
			}
		}
	}
	for _, r := range set.Relations {
		n := uses[r.ID] + public
		if n >= fieldModulus {
			return fmt.Errorf("relation %s would be used %d times, must be below p: %w", r.Name, n, ErrPublicData)
		}
		if r == Opcodes && n > maxOpcodeUses {
			return fmt.Errorf("relation %s would be used %d times, at most 2^29: %w", r.Name, n, ErrPublicData)
		}
	}
	return nil
}
