package verifier

import (
	"fmt"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/verifier/cairo"
)

const (
	// MaxProgramBytes bounds a canonical program, as published on a ledger or carried by a proof file.
	MaxProgramBytes = 1 << 20
	// MaxBytecode bounds a program's felts: what fits MaxProgramBytes beside the few bytes of names.
	MaxBytecode = (MaxProgramBytes - 256) / 32
	feltBytes   = 32
)

// Felt is a Cairo field element, 32 bytes big-endian, below P = 2^251 + 17*2^192 + 1.
type Felt = [feltBytes]byte

// Program is what a proof is about: bytecode, builtins, entry. Hints and debug information are no part of it: they help
// the prover and bind nobody.
type Program struct {
	Bytecode []Felt
	Builtins []string
	Entry    uint64
}

// programBlock is the canonical encoding: its keys and their meaning are part of a program's name for ever.
type programBlock struct {
	Bytecode []byte   `cbor:"bytecode"`
	Builtins []string `cbor:"builtins"`
	Entry    uint64   `cbor:"entry"`
}

// Validate checks what every program must be, whoever made it: its size, canonical felts, builtins known, distinct and
// in order, entry 0 (a proof starts at the first instruction).
func (p Program) Validate() error {
	if len(p.Bytecode) == 0 || len(p.Bytecode) > MaxBytecode {
		return fmt.Errorf("program of %d felts: want 1 to %d", len(p.Bytecode), MaxBytecode)
	}
	for i, f := range p.Bytecode {
		if !cairo.Canonical(f) {
			return fmt.Errorf("program: felt %d is not below the Cairo prime: reduce it", i)
		}
	}
	if _, err := cairo.ParseBuiltins(p.Builtins); err != nil {
		return fmt.Errorf("program: %w", err)
	}
	if p.Entry != 0 {
		return fmt.Errorf("program: entry %d: only programs that start at their first instruction can be proven; compile it in proof mode", p.Entry)
	}
	return nil
}

// Encode returns the canonical program: DAG-CBOR of {builtins, bytecode, entry}.
func (p Program) Encode() ([]byte, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	b := programBlock{Bytecode: make([]byte, 0, feltBytes*len(p.Bytecode)), Builtins: p.Builtins, Entry: p.Entry}
	for _, f := range p.Bytecode {
		b.Bytecode = append(b.Bytecode, f[:]...)
	}
	return wire.Marshal(b)
}

// DecodeProgram reads what Encode wrote and refuses everything else.
func DecodeProgram(data []byte) (Program, error) {
	if len(data) > MaxProgramBytes {
		return Program{}, fmt.Errorf("program of %d bytes: at most %d", len(data), MaxProgramBytes)
	}
	var b programBlock
	if err := wire.Unmarshal(data, &b); err != nil {
		return Program{}, fmt.Errorf("program: %w", err)
	}
	if len(b.Bytecode)%feltBytes != 0 {
		return Program{}, fmt.Errorf("program: bytecode of %d bytes: want a multiple of %d", len(b.Bytecode), feltBytes)
	}
	p := Program{Bytecode: make([]Felt, len(b.Bytecode)/feltBytes), Builtins: b.Builtins, Entry: b.Entry}
	for i := range p.Bytecode {
		copy(p.Bytecode[i][:], b.Bytecode[feltBytes*i:])
	}
	return p, p.Validate()
}

// CID returns the name that people use: the content id of the canonical program.
func (p Program) CID() (wire.CID, error) {
	b, err := p.Encode()
	if err != nil {
		return wire.CID{}, err
	}
	return wire.Sum(b), nil
}
