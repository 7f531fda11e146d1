package vm

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// What the Cairo 2 compiler writes into an executable, as far as a VM needs it.
type (
	file2 struct {
		Program struct {
			Bytecode []string     `json:"bytecode"`
			Hints    []fileHints2 `json:"hints"`
		} `json:"program"`
		Entries []fileEntry2 `json:"entrypoints"`
	}
	fileEntry2 struct {
		Builtins []string `json:"builtins"`
		Offset   int64    `json:"offset"`
		Kind     string   `json:"kind"`
	}
	// fileHints2 is a pair: an offset and the hints there.
	fileHints2 struct {
		pc    int64
		hints []json.RawMessage
	}
)

func (f *fileHints2) UnmarshalJSON(data []byte) error {
	var pair []json.RawMessage
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	if len(pair) != 2 {
		return fmt.Errorf("an entry of the hints has %d parts, not an offset and a list", len(pair))
	}
	if err := json.Unmarshal(pair[0], &f.pc); err != nil {
		return err
	}
	return json.Unmarshal(pair[1], &f.hints)
}

// Kinds of entry points: Standalone begins with the six felts "ap += n; call rel 4; jmp rel 0", Bootloader is a function.
const (
	kindStandalone = "Standalone"
	kindBootloader = "Bootloader"
)

func loadCairo2(data []byte) (*Program, error) {
	p := &Program{Kind: Cairo2}
	var f file2
	if err := json.NewDecoder(bytes.NewReader(data)).Decode(&f); err != nil {
		return p, wrongJSON(err)
	}
	if err := p.setBytecode(f.Program.Bytecode); err != nil {
		return p, err
	}
	total := 0
	seen := make(map[int64]bool)
	for _, entry := range f.Program.Hints {
		if entry.pc < 0 || entry.pc >= int64(len(p.code)) {
			return p, fmt.Errorf("there are hints at %d, beyond the bytecode's %d felts", entry.pc, len(p.code))
		}
		if seen[entry.pc] {
			return p, fmt.Errorf("the hints at %d are listed twice", entry.pc)
		}
		seen[entry.pc] = true
		if total += len(entry.hints); total > MaxHints {
			return p, fmt.Errorf("it has more than %d hints", MaxHints)
		}
		var hints []hint2
		for _, raw := range entry.hints {
			h, err := parseHint2(raw)
			if err != nil {
				return p, fmt.Errorf("the hint at %d: %w", entry.pc, err)
			}
			hints = append(hints, h)
		}
		if len(hints) > 0 {
			p.hints2 = append(p.hints2, hints)
			p.instructions[entry.pc].hints = int32(len(p.hints2))
		}
	}
	return p, p.setEntry2(f.Entries)
}

// setEntry2 finds the Standalone entry, which is what is proved, and the Bootloader entry.
func (p *Program) setEntry2(entries []fileEntry2) error {
	for _, e := range entries {
		builtins, err := parseBuiltins(e.Builtins)
		if err != nil {
			return err
		}
		if e.Offset < 0 || e.Offset >= int64(len(p.code)) {
			return fmt.Errorf("the entry point at %d is beyond the bytecode", e.Offset)
		}
		switch {
		case e.Kind == kindStandalone && !p.hasStart:
			if e.Offset+startLength >= int64(len(p.code)) {
				return fmt.Errorf("the Standalone entry point at %d has no room for its jump at the end", e.Offset)
			}
			p.hasStart, p.Entry, p.Builtins = true, uint64(e.Offset), builtins
		case e.Kind == kindBootloader && p.function == nil:
			p.function = &entrypoint2{offset: uint64(e.Offset), builtins: builtins}
		default:
			return fmt.Errorf("there are two entry points of the kind %.40q, or the kind is unknown", e.Kind)
		}
	}
	if !p.hasStart {
		return fmt.Errorf("it has no entry point of the kind %s", kindStandalone)
	}
	return nil
}
