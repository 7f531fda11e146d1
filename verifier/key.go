package verifier

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/consensys/gnark-crypto/field/koalabear"
	"github.com/consensys/gnark-crypto/field/koalabear/fft"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/cairo"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// Key is the name that proofs use for a program: eight KoalaBear words, 4 bytes big-endian each. Who has the bytecode
// derives it; who has only the key trusts nobody for what it stands for.
type Key [32]byte

// String returns the key in hexadecimal.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// MarshalText writes a key as String does.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (k *Key) UnmarshalText(b []byte) error {
	raw, err := hex.DecodeString(string(b))
	if err != nil || len(raw) != len(k) {
		return fmt.Errorf("program key %.70q: want 64 hexadecimal digits", b)
	}
	copy(k[:], raw)
	return nil
}

// pinnedSizes are the sizes that a proof may have, each with its blow-up and the size at which FRI stops, all as log2, in the
// order in which a key lists the roots of the program's table. Short runs take blow-up 8: what a wrap costs grows with the
// queries, so the second that a run takes longer saves more than that (docs/performance.md).
var pinnedSizes = [...]struct{ n, blowup, final int }{{16, 3, 4}, {18, 1, 3}, {20, 1, 5}}

// programID is what a key is the hash of, and what a proof carries of its program: all but the bytecode.
type programID struct {
	builtins  cairo.Builtins
	length    uint32 // felts of bytecode
	logHeight int    // log2 of the rows of the program table
	roots     [len(pinnedSizes)]hash.Digest
}

// Key hashes the program's identity.
func (id *programID) Key() Key {
	words := hash.Words([]field.Element{field.New(uint64(id.builtins)), field.New(uint64(id.length)), field.New(uint64(id.logHeight))})
	return digestBytes(cairo.ProgramKey(hash.Native{}, words[0], words[1], words[2], id.roots[:]))
}

func digestBytes(d hash.Digest) (out [32]byte) {
	for i := range d {
		field.PutElement(out[4*i:], d[i])
	}
	return out
}

// wordsOf reads eight words below p.
func wordsOf(b [32]byte) (d hash.Digest, err error) {
	for i := range d {
		if d[i], err = field.GetElement(b[4*i:]); err != nil {
			return d, err
		}
	}
	return d, nil
}

// Key derives the program's key from its bytecode: it commits to the program table for each pinned size, in about fifteen
// microseconds a felt on one core. It fails, with a reason, for programs that proofs do not cover.
func (p Program) Key() (Key, error) {
	id, err := p.id()
	if err != nil {
		return Key{}, err
	}
	return id.Key(), nil
}

func (p Program) id() (*programID, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	builtins, err := cairo.ParseBuiltins(p.Builtins)
	if err != nil {
		return nil, err
	}
	if err := cairo.CheckProgram(p.Bytecode, builtins); err != nil {
		return nil, err
	}
	named, k, err := cairo.ProgramColumns(p.Bytecode)
	if err != nil {
		return nil, err
	}
	columns, err := programOrder(named)
	if err != nil {
		return nil, err
	}
	id := &programID{builtins: builtins, length: uint32(len(p.Bytecode)), logHeight: k}
	leaves := map[int][]hash.Digest{} // by blow-up
	for i, size := range pinnedSizes {
		if leaves[size.blowup] == nil {
			leaves[size.blowup] = commit(columns, k, size.blowup)
		}
		id.roots[i] = liftedRoot(leaves[size.blowup], size.n-k)
	}
	return id, nil
}

// programOrder puts the program table's columns in the order in which its tree's leaves absorb them.
func programOrder(named map[string]koalabear.Vector) ([]koalabear.Vector, error) {
	var out []koalabear.Vector
	for _, name := range cairo.Core().FixedNames(air.FixedProgram) {
		v, ok := named[name]
		if !ok {
			return nil, fmt.Errorf("the program table has no column %s, which the set reads", name)
		}
		out = append(out, v)
	}
	return out, nil
}

// commit returns the leaves, in bit-reversed order, of the extensions of columns of 2^k rows at blow-up 2^b. The prover has
// a fast one; this one is small enough to trust, and a test holds them to each other.
func commit(columns []koalabear.Vector, k, b int) []hash.Digest {
	size, width := 1<<(k+b), len(columns)
	small, large := fft.NewDomain(1<<k), fft.NewDomain(uint64(size))
	one := fft.WithNbTasks(1) // a verifier starts no goroutines
	words := make([]koalabear.Element, size*width)
	values := make([]koalabear.Element, size)
	shift := field.Shift(k)
	for c, column := range columns {
		clear(values)
		copy(values, column)
		small.FFTInverse(values[:1<<k], fft.DIF, one)
		fft.BitReverse(values[:1<<k])
		x := field.New(1)
		for i := range values[:1<<k] {
			values[i].Mul(&values[i], &x)
			x.Mul(&x, &shift)
		}
		large.FFT(values, fft.DIF, one) // leaves its output in bit-reversed order, as trees want it
		for i := range values {
			words[i*width+c] = values[i]
		}
	}
	leaves := make([]hash.Digest, size)
	hash.Leaves(leaves, words, width)
	return leaves
}

// liftedRoot is the root of the tree in which each leaf stands 2^twins times side by side.
func liftedRoot(leaves []hash.Digest, twins int) hash.Digest {
	level := make([]hash.Digest, len(leaves))
	copy(level, leaves)
	for range twins {
		pairs := make([]hash.Digest, 2*len(level))
		for i, d := range level {
			pairs[2*i], pairs[2*i+1] = d, d
		}
		hash.Nodes(level, pairs)
	}
	for len(level) > 1 {
		half := len(level) / 2
		hash.Nodes(level[:half], level)
		level = level[:half]
	}
	return level[0]
}

// idBytes is the length of an encoded programID: builtins 2, length 4, height 1, a root for each pinned size.
const idBytes = 2 + 4 + 1 + 32*len(pinnedSizes)

func (id *programID) encode() []byte {
	b := binary.BigEndian.AppendUint16(nil, uint16(id.builtins))
	b = binary.BigEndian.AppendUint32(b, id.length)
	b = append(b, byte(id.logHeight))
	for _, r := range id.roots {
		raw := digestBytes(r)
		b = append(b, raw[:]...)
	}
	return b
}

// decodeID reads idBytes bytes. The heights and builtins are checked for what a program can have; that the roots are those
// of some bytecode only the key says.
func decodeID(b []byte) (*programID, error) {
	id := &programID{builtins: cairo.Builtins(binary.BigEndian.Uint16(b)), length: binary.BigEndian.Uint32(b[2:]), logHeight: int(b[6])}
	if err := id.builtins.Covered(); err != nil {
		return nil, err
	}
	if id.length == 0 || id.length > MaxBytecode || id.logHeight > maxProgramLog || 1<<id.logHeight < id.length {
		return nil, fmt.Errorf("program of %d felts in a table of 2^%d rows: %w", id.length, id.logHeight, ErrFormat)
	}
	for i := range id.roots {
		var err error
		if id.roots[i], err = wordsOf([32]byte(b[7+32*i : 39+32*i])); err != nil {
			return nil, fmt.Errorf("program root %d: %w: %w", i, err, ErrFormat)
		}
	}
	return id, nil
}

// maxProgramLog is log2 of the rows that MaxBytecode felts take.
const maxProgramLog = 15
