package verifier

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/seed06907907/fatty/verifier/recursion"
)

// Kind says what a proof is of.
type Kind string

// The kinds of proofs.
const (
	KindRun  Kind = "run"  // one run of a program, from its entry to its end
	KindSpan Kind = "span" // several runs of a machine, joined
)

// Statement is what a valid proof says.
type Statement struct {
	Kind   Kind
	Key    Key      // the program, by the name that proofs use
	Life   [32]byte // whose the proof is: chain, lock, instance, generation and holder; zero for nobody's
	Anchor [32]byte // when it was made: a recent state root; zero for any time
	Output []Felt   // of a run: its whole output segment
	Span   *Span    // of a span: from where to where
	Shrunk bool     // of a span: it can be merged no more
	Level  Level    // how sure the proof is, for the parameters it was accepted under
	// Security is the level that its parameters are of, Security100 or Security124. Spans of two levels are not merged.
	Security int
}

// Clock is the clock ABI: a machine went from state S0 at T0 to S1 at T1 and consumed transactions with this digest.
type Clock struct {
	T0, T1         uint64
	S0, S1, Inputs Felt
}

const (
	// ClockFelts is the length of an output that is the clock ABI.
	ClockFelts = 5
	// MaxClock bounds a machine's clock: lengths add up without wrapping, in four words of 16 bits.
	MaxClock = 1 << recursion.ClockBits
)

// ErrNotClock is returned for an output that is not the clock ABI.
var ErrNotClock = errors.New("the output is not the clock ABI [t0, S0, t1, S1, inputs] with t0 < t1 < 2^62")

// Clock reads the output as the clock ABI.
func (s Statement) Clock() (Clock, error) {
	if len(s.Output) != ClockFelts {
		return Clock{}, fmt.Errorf("%d felts: %w", len(s.Output), ErrNotClock)
	}
	t0, ok0 := feltUint(s.Output[0])
	t1, ok1 := feltUint(s.Output[2])
	if !ok0 || !ok1 || t0 >= t1 || t1 >= MaxClock {
		return Clock{}, ErrNotClock
	}
	return Clock{T0: t0, S0: s.Output[1], T1: t1, S1: s.Output[3], Inputs: s.Output[4]}, nil
}

// feltUint returns a felt that fits 64 bits.
func feltUint(f Felt) (uint64, bool) {
	for _, b := range f[:feltBytes-8] {
		if b != 0 {
			return 0, false
		}
	}
	return binary.BigEndian.Uint64(f[feltBytes-8:]), true
}
