package stark

import (
	"errors"
	"fmt"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
)

// Bounds of Params. They keep every length of a proof small enough to allocate.
const (
	MaxLogN       = 22  // two-adicity 24 leaves room for blow-up 4
	MaxLogBlowup  = 5   // blow-up 32, an outermost shrink
	MaxQueries    = 512 // 128 bits at blow-up 2 take 230
	MaxQueryGrind = 24  // a nonce is found in under a minute on one core
	MaxFoldLog    = 4   // a leaf of a FRI layer has at most 96 words
	MaxFinalLog   = 7   // the final polynomial has at most 128 coefficients
)

// Params are the parameters of the proof system. They come from the verifier's own configuration.
type Params struct {
	LogN       int // pinned size: every component has at most 2^LogN rows
	LogBlowup  int // log2 of the inverse rate
	Queries    int // places drawn, with repetition
	QueryGrind int // bits of proof of work before the places are drawn
	FoldLog    int // a FRI layer folds 2^FoldLog to one; the last one may fold less
	FinalLog   int // FRI stops at a polynomial of 2^FinalLog coefficients
}

// Proven100 returns the parameters that reach 100 proven bits in the Johnson regime at blow-up 2.
func Proven100(logN int) Params {
	return Params{LogN: logN, LogBlowup: 1, Queries: 173, QueryGrind: 20, FoldLog: 3, FinalLog: 6}
}

// Proven124 returns the parameters that reach 124 proven bits, the ceiling of a digest of 8 words.
func Proven124(logN int) Params {
	return Params{LogN: logN, LogBlowup: 1, Queries: 222, QueryGrind: 20, FoldLog: 3, FinalLog: 6}
}

// ErrParams is wrapped by every error about parameters out of their bounds.
var ErrParams = errors.New("proof parameters are out of bounds")

// Validate checks that the parameters make a protocol at all. It does not say how secure they are: Verify accepts one
// query where its caller asks for it, as tests do, but never none.
func (p Params) Validate() error {
	for _, c := range []struct {
		name           string
		v, least, most int
	}{
		{"LogN", p.LogN, air.MinLogHeight, MaxLogN},
		{"LogBlowup", p.LogBlowup, 1, MaxLogBlowup},
		{"Queries", p.Queries, 1, MaxQueries},
		{"QueryGrind", p.QueryGrind, 0, MaxQueryGrind},
		{"FoldLog", p.FoldLog, 1, MaxFoldLog},
		{"FinalLog", p.FinalLog, 0, min(MaxFinalLog, p.LogN-1)},
		{"LogN + LogBlowup", p.LogN + p.LogBlowup, 0, field.TwoAdicity},
	} {
		if c.v < c.least || c.v > c.most {
			return fmt.Errorf("%s is %d, must be %d to %d: %w", c.name, c.v, c.least, c.most, ErrParams)
		}
	}
	return nil
}

// Folds returns the log of how many values each FRI layer folds to one.
func (p Params) Folds() []int {
	var out []int
	for left := p.LogN - p.FinalLog; left > 0; {
		a := min(p.FoldLog, left)
		out = append(out, a)
		left -= a
	}
	return out
}

func (p Params) words() []field.Element {
	out := make([]field.Element, 0, 6)
	for _, v := range []int{p.LogN, p.LogBlowup, p.Queries, p.QueryGrind, p.FoldLog, p.FinalLog} {
		out = append(out, field.New(uint64(v)))
	}
	return out
}
