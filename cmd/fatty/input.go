package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"

	"github.com/seed06907907/fatty/cmd/internal/cli"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/prover/vm"
)

// maxInputBytes bounds an input file: the longest input vector, each felt with the digits of the prime.
const maxInputBytes = vm.MaxInput * 84

// readFile reads at most max bytes of a file, or of standard input for "-".
func (a *app) readFile(path string, max int) ([]byte, error) {
	var r io.Reader = a.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, coded{"read", err}
		}
		defer f.Close()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, int64(max)+1))
	if err != nil {
		return nil, coded{"read", err}
	}
	if len(b) > max {
		return nil, codedf("too_large", "%s has more than %d bytes: this is not what is wanted here", path, max)
	}
	return b, nil
}

// loadProgram reads a compiled Cairo program, Cairo 0 or Cairo 2.
func (a *app) loadProgram(path string) (*vm.Program, error) {
	b, err := a.readFile(path, vm.MaxProgramBytes)
	if err != nil {
		return nil, err
	}
	p, err := vm.Load(b)
	if err != nil {
		return nil, codedf("program", "%s: %w", path, err)
	}
	return p, nil
}

// readInput reads an input vector: a JSON list of felts, numbers or decimal or 0x strings.
func (a *app) readInput(path string) ([]vm.Felt, error) {
	b, err := a.readFile(path, maxInputBytes)
	if err != nil {
		return nil, err
	}
	felts, err := parseInput(b)
	if err != nil {
		return nil, codedf("input", "%s: %w", path, err)
	}
	return felts, nil
}

func parseInput(b []byte) ([]vm.Felt, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var list []any
	if err := d.Decode(&list); err != nil {
		return nil, fmt.Errorf("want a JSON list of felts: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("want one JSON list of felts, and there is more behind it")
	}
	if list == nil {
		return nil, errors.New("want a JSON list of felts, not null")
	}
	if len(list) > vm.MaxInput {
		return nil, fmt.Errorf("%d felts: at most %d", len(list), vm.MaxInput)
	}
	out := make([]vm.Felt, len(list))
	for i, v := range list {
		var text string
		switch v := v.(type) {
		case json.Number:
			text = v.String()
		case string:
			text = v
		default:
			return nil, fmt.Errorf("element %d is no felt: want a number, or a decimal or 0x string", i)
		}
		f, err := parseFelt(text)
		if err != nil {
			return nil, fmt.Errorf("element %d: %w", i, err)
		}
		out[i] = f
	}
	return out, nil
}

// parseFelt reads a felt in decimal, or in hexadecimal behind 0x.
func parseFelt(s string) (f vm.Felt, err error) {
	b, err := lockspace.ParseFelt(s)
	if err != nil {
		return f, err
	}
	return f, f.SetBytesCanonical(b[:])
}

// feltText writes a felt in decimal, from 0 to P-1.
func feltText(f vm.Felt) string { return f.BigInt(new(big.Int)).String() }

func feltTexts(list []vm.Felt) []string {
	out := make([]string, len(list))
	for i := range list {
		out[i] = feltText(list[i])
	}
	return out
}

// parseDigest reads 32 bytes in hexadecimal, with or without 0x.
func parseDigest(what, s string) (d [32]byte, err error) {
	b, err := hex.DecodeString(trim0x(s))
	if err != nil || len(b) != len(d) {
		return d, cli.Usagef("--%s %.80q: want 32 bytes, 64 hexadecimal digits", what, s)
	}
	copy(d[:], b)
	return d, nil
}

func trim0x(s string) string {
	if len(s) > 1 && s[0] == '0' && s[1] == 'x' {
		return s[2:]
	}
	return s
}
