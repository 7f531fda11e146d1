package vm

// builtinRunner is the rule of one builtin's segment.
type builtinRunner interface {
	// check refuses a value that may not be written at p.
	check(m *memory, p address, v value) error
	// deduce finds the value of an unwritten cell from others; unknown if it cannot.
	deduce(m *memory, p address) (value, error)
}

// builtinSegment is a builtin in a run.
type builtinSegment struct {
	kind     Builtin
	base     address
	included bool // the program names it
	stop     int64
}
