package vm

import "fmt"

// hints0 is every Cairo 0 hint the VM knows, by the SHA-256 of its text, joined from the modules' tables.
var hints0 = indexHints0(
	hints0Machine,
	hints0Math,
	hints0Arrays,
	hints0Dict,
	hints0Uint256,
	hints0Merkle,
)

// maxHintEntries bounds what the hints of a run keep on the host, in entries of dictionaries, lists and trees of at most
// about 200 bytes each. It counts all that was ever made, for a program can make hints hold on to what they made; each
// entry of honest use costs several steps.
const maxHintEntries = 1 << 23

// entriesVariable is the variable of the outermost scope that counts the entries. No Python variable has such a name.
const entriesVariable = "entries on the host"

// charge counts n entries.
func (c *hintContext) charge(n uint64) error {
	outermost := c.vm.scopes[0]
	used, ok := outermost[entriesVariable].(*uint64)
	if !ok {
		used = new(uint64)
		outermost[entriesVariable] = used
	}
	if n > maxHintEntries-*used {
		return fmt.Errorf("%w: hints keep more than %d entries", ErrMemory, maxHintEntries)
	}
	*used += n
	return nil
}
