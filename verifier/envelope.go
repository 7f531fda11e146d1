package verifier

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// A proof file, all numbers big-endian: "FATTYENV" | version u16 | length of the program u32 | canonical program | proof.
// Whoever reads it derives the program's two names anew, so the file need not be trusted for what the key stands for.
const (
	envelopeMagic   = "FATTYENV"
	envelopeVersion = 1
	envelopeHead    = len(envelopeMagic) + 2 + 4
	// MaxEnvelopeBytes bounds a proof file.
	MaxEnvelopeBytes = envelopeHead + MaxProofBytes + MaxProgramBytes
)

// EncodeEnvelope puts a program before a proof about it.
func EncodeEnvelope(p Program, proof []byte) ([]byte, error) {
	block, err := p.Encode()
	if err != nil {
		return nil, err
	}
	b := binary.BigEndian.AppendUint16([]byte(envelopeMagic), envelopeVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(len(block)))
	return append(append(b, block...), proof...), nil
}

// DecodeEnvelope reads a proof file. The proof is not checked.
func DecodeEnvelope(file []byte) (Program, []byte, error) {
	if len(file) > MaxEnvelopeBytes {
		return Program{}, nil, fmt.Errorf("proof file of %d bytes, at most %d: %w", len(file), MaxEnvelopeBytes, ErrFormat)
	}
	if len(file) < envelopeHead || !bytes.HasPrefix(file, []byte(envelopeMagic)) {
		return Program{}, nil, fmt.Errorf("it does not begin as a proof file, as `fatty prove` writes them: %w", ErrFormat)
	}
	r := file[len(envelopeMagic):]
	if v := binary.BigEndian.Uint16(r); v != envelopeVersion {
		return Program{}, nil, fmt.Errorf("proof file of version %d, this program reads %d: %w", v, envelopeVersion, ErrVersion)
	}
	n := binary.BigEndian.Uint32(r[2:])
	r = r[6:]
	if uint64(n) > uint64(len(r)) {
		return Program{}, nil, fmt.Errorf("proof file: the program has %d bytes, %d are left: %w", n, len(r), ErrFormat)
	}
	p, err := DecodeProgram(r[:n])
	if err != nil {
		return Program{}, nil, fmt.Errorf("%w: %w", err, ErrFormat)
	}
	return p, r[n:], nil
}

// VerifyFile checks a proof file: the proof holds, and it is about the program that the file carries.
func VerifyFile(file []byte, accept Accept) (Statement, Program, error) {
	p, proof, err := DecodeEnvelope(file)
	if err != nil {
		return Statement{}, Program{}, err
	}
	s, err := Verify(proof, accept)
	if err != nil {
		return Statement{}, p, err
	}
	key, err := p.Key()
	if err != nil {
		return Statement{}, p, fmt.Errorf("%w: %w", err, ErrInvalid)
	}
	if key != s.Key {
		return Statement{}, p, fmt.Errorf("the proof is about another program than the file's: %w", ErrInvalid)
	}
	return s, p, nil
}
