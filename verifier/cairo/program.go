package cairo

import (
	"errors"
	"fmt"
	"math/bits"

	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/hash"
)

// ErrProgram is wrapped by every error about a program that the tables cannot prove.
var ErrProgram = errors.New("the program cannot be proven")

// maxRows bounds a program: its table has at most 2^MaxLogHeight rows.
const maxRows = 1 << MaxLogHeight

// programTable says that memory begins with the program: cell 1 + row holds the bytecode's felt. Bytecode and flag are
// preprocessed, in a tree whose root is in the program's key. The flag is the numerator, never a multiplicity.
func programTable() *air.Component {
	b := air.NewBuilder(NameProgram, air.AnyHeight)
	flag := b.Program(columnFlag)
	value := make([]air.Expr, Limbs)
	for i := range value {
		value[i] = b.Program(limbColumn(i))
	}
	read(b, flag, b.Seq().Plus(1), b.Main("id"), value)
	return b.MustBuild()
}

// ProgramColumns returns the columns of the program table by their names (flag, limb_0 .. limb_10, lowest first) and the
// log2 of its rows. Felts are big-endian.
func ProgramColumns(bytecode [][32]byte) (columns map[string]koalabear.Vector, logHeight int, err error) {
	if len(bytecode) == 0 || len(bytecode) > maxRows {
		return nil, 0, fmt.Errorf("bytecode of %d felts, want 1 to %d: %w", len(bytecode), maxRows, ErrProgram)
	}
	logHeight = max(air.MinLogHeight, bits.Len(uint(len(bytecode)-1)))
	columns = map[string]koalabear.Vector{}
	column := func(name string) koalabear.Vector {
		v := make(koalabear.Vector, 1<<logHeight)
		columns[name] = v
		return v
	}
	flag := column(columnFlag)
	var value [Limbs]koalabear.Vector
	for i := range value {
		value[i] = column(limbColumn(i))
	}
	for row, f := range bytecode {
		if !Canonical(f) {
			return nil, 0, fmt.Errorf("bytecode: felt %d is not below P: %w", row, ErrProgram)
		}
		flag[row].SetOne()
		for i, limb := range feltLimbs(f) {
			value[i][row].SetUint64(limb)
		}
	}
	return columns, logHeight, nil
}

// Columns of the program table in the program tree.
const columnFlag = "flag"

func limbColumn(i int) string { return fmt.Sprintf("limb_%d", i) }

// feltLimbs are the limbs of a big-endian felt.
func feltLimbs(f [32]byte) (out [Limbs]uint64) {
	for i := range f {
		out[i/limbBytes] |= uint64(f[FeltBytes-1-i]) << (8 * (i % limbBytes))
	}
	return out
}

// Canonical says whether a big-endian felt is below P.
func Canonical(f [32]byte) bool {
	for i := range f {
		if p := primeBytes[FeltBytes-1-i]; f[i] != p {
			return f[i] < p
		}
	}
	return false
}

// Instructions of the entry code that every compiler of Cairo writes in proof mode.
const (
	opAddAP   = 0x40780017fff7fff  // ap += immediate
	opCallRel = 0x1104800180018000 // call rel immediate
	opJumpRel = 0x10780017fff7fff  // jmp rel immediate
	// entryFelts is the length of the entry code; finalPC is the address of its last instruction, jmp rel 0.
	entryFelts = 6
	initialPC  = 1
	finalPC    = 5
)

// CheckProgram checks that a program is one that Core proves: its builtins are covered, and it begins with
//
//	ap += number of builtins; call rel main; jmp rel 0
//
// so that a run which reaches address 5 has returned from main with its builtins' pointers on the stack. A key is
// only ever made of a program that passes; a proof carries the key and not the bytecode.
func CheckProgram(bytecode [][32]byte, builtins Builtins) error {
	if err := builtins.Covered(); err != nil {
		return err
	}
	if len(bytecode) < entryFelts || len(bytecode) > maxRows {
		return fmt.Errorf("bytecode of %d felts, want %d to %d: %w", len(bytecode), entryFelts, maxRows, ErrProgram)
	}
	for i, f := range bytecode {
		if !Canonical(f) {
			return fmt.Errorf("bytecode: felt %d is not below P: %w", i, ErrProgram)
		}
	}
	want := [entryFelts]uint64{opAddAP, uint64(builtins.Count()), opCallRel, 0, opJumpRel, 0}
	for i, w := range want {
		if i != 3 && bytecode[i] != feltOf(w) {
			return fmt.Errorf("the program does not begin with proof mode's entry code (felt %d differs): compile a Cairo 0 program "+
				"with --proof_mode, a Cairo 2 one as a standalone executable: %w", i, ErrProgram)
		}
	}
	return nil
}

// feltOf is v as a big-endian felt.
func feltOf(v uint64) (f [32]byte) {
	for i := range 8 {
		f[FeltBytes-1-i] = byte(v >> (8 * i))
	}
	return f
}

// keyLabel is the transcript label of keys: another list of fields is another label.
const keyLabel = "fatty program key 2"

// ProgramKey is the name that proofs use for a program: the hash of its builtins, its number of felts, the log2 of the rows
// of its table, and the roots of that table's tree, one for each accepted size.
func ProgramKey[E, D any](ar hash.Blocks[E, D], builtins, felts, logHeight E, roots []D) D {
	t := hash.NewTranscript(ar, keyLabel)
	t.AbsorbWords(0, builtins, felts, logHeight)
	for _, r := range roots {
		t.AbsorbDigest(1, r)
	}
	return t.Digest(2)
}
