package vm

import (
	"fmt"
	"slices"
)

// hintList is the hints of one offset, in their order.
type hintList[T any] struct {
	pc    uint64
	hints []T
}

// sortHints checks the offsets of a table of hints and puts it in order.
func sortHints[T any](in map[string][]T, bytecode int) ([]hintList[T], error) {
	var out []hintList[T]
	total := 0
	for key, hints := range in {
		pc, err := parseOffset(key)
		if err != nil {
			return nil, fmt.Errorf("the hints' key %.40q is no offset", key)
		}
		if pc >= uint64(bytecode) {
			return nil, fmt.Errorf("there are hints at %d, beyond the bytecode's %d felts", pc, bytecode)
		}
		if total += len(hints); total > MaxHints {
			return nil, fmt.Errorf("it has more than %d hints", MaxHints)
		}
		if len(hints) > 0 {
			out = append(out, hintList[T]{pc: pc, hints: hints})
		}
	}
	slices.SortFunc(out, func(a, b hintList[T]) int { return int(a.pc) - int(b.pc) })
	return out, nil
}

// runHints runs the hints before the instruction at pc.
func (m *machine) runHints(list int) error {
	if m.program.Kind == Cairo2 {
		hints := m.program.hints2[list]
		for i := range hints {
			h := &hints[i]
			if h.known == nil {
				return &HintError{PC: uint64(m.pc.off), Text: cutText(h.text), Unknown: true}
			}
			if err := h.known.run(&coreContext{m: m, hint: h}); err != nil {
				return m.hintError(h.text, err)
			}
		}
		return nil
	}
	hints := m.program.hints0[list]
	for i := range hints {
		h := &hints[i]
		if h.known == nil {
			return &HintError{PC: uint64(m.pc.off), Text: cutText(h.text), Unknown: true}
		}
		c := &m.context
		*c = hintContext{vm: m, hint: h, pc: m.pc, ap: address{executionSegment, m.ap}, fp: m.fp}
		if err := h.known.run(c); err != nil {
			return m.hintError(h.text, err)
		}
	}
	return nil
}

func (m *machine) hintError(text string, err error) error {
	return &HintError{PC: uint64(m.pc.off), Text: cutText(text), Err: err}
}

func cutText(s string) string {
	if len(s) > maxHintErrorText {
		return s[:maxHintErrorText] + "…"
	}
	return s
}
