package vm

import (
	"errors"
	"fmt"
)

// Errors that callers branch on.
var (
	// ErrSteps ends a run that has not come to its end within Config.MaxSteps.
	ErrSteps = errors.New("vm: the run did not end within its step bound; raise the bound or shorten the input")
	// ErrMemory ends a run that needs more cells or segments than the package's bounds allow.
	ErrMemory = errors.New("vm: the run needs more memory than the VM's bounds allow")
	// ErrProgram is wrapped by every error of Load.
	ErrProgram = errors.New("vm: want a compiled Cairo program, the JSON file of a Cairo 0 program or of a Cairo 2 executable")
	// ErrUnsupported names an extension of the instruction set that this VM leaves out.
	ErrUnsupported = errors.New("vm: instruction set extension not supported")
)

var (
	errAddressSum        = errors.New("an address cannot be added to an address")
	errAddressDifference = errors.New("only addresses in one segment can be subtracted from each other")
	errAddressRange      = errors.New("address arithmetic leaves the segment")
	errAddressProduct    = errors.New("an address cannot be multiplied")
	errUnknownCell       = errors.New("the cell has no value")
	errNotFelt           = errors.New("the value is an address where a number is needed")
	errNotAddress        = errors.New("the value is a number where an address is needed")
)

// HintError is a hint that could not be run: it failed, or its text is in no table.
type HintError struct {
	PC      uint64 // offset in the program
	Text    string // the hint as the program has it, cut at maxHintErrorText bytes
	Unknown bool   // the VM does not know the hint
	Err     error  // why it failed; nil if Unknown
}

// maxHintErrorText bounds how much of a hint's text an error repeats.
const maxHintErrorText = 2000

func (e *HintError) Error() string {
	if e.Unknown {
		return fmt.Sprintf("vm: at pc %d the program needs a hint that this VM does not know: %s", e.PC, e.Text)
	}
	return fmt.Sprintf("vm: the hint at pc %d failed: %v (hint: %s)", e.PC, e.Err, e.Text)
}

func (e *HintError) Unwrap() error { return e.Err }

// StepError is an instruction that cannot be carried out.
type StepError struct {
	PC   uint64 // offset of the instruction in its segment, the program's unless Segment says otherwise
	Step uint64 // steps done before
	// Segment is the segment of PC: 0 is the program.
	Segment int
	Err     error
}

func (e *StepError) Error() string {
	return fmt.Sprintf("vm: step %d at pc %d:%d: %v", e.Step, e.Segment, e.PC, e.Err)
}

func (e *StepError) Unwrap() error { return e.Err }

func programErrorf(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrProgram, fmt.Errorf(format, args...))
}
