package verifier

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/seed06907907/fatty/verifier/cairo"
	"github.com/seed06907907/fatty/verifier/circuit"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	"github.com/seed06907907/fatty/verifier/recursion"
	"github.com/seed06907907/fatty/verifier/stark"
)

// A span proof, all numbers big-endian:
//
//	"FATTYSPN" | version u16 | level u8 | circuit u8
//	program key 32 | t0 u64 | t1 u64 | S0 32 | S1 32 | inputs 32 | life 32 | anchor 32
//	two scalars of the circuit, six words each
//	the STARK (see verifier/stark)
const (
	spanMagic = "FATTYSPN"
	// spanHead is the length of what comes before the STARK.
	spanHead = len(spanMagic) + 2 + 1 + 1 + 32 + 8 + 8 + 5*32 + 2*field.Degree*field.Bytes
	// MaxSpanBytes bounds a span proof, as an attachment of a transaction.
	MaxSpanBytes = 1 << 20
)

// SpanHead is the part of a span proof before the STARK: with the verifier's own constants it is the whole statement.
type SpanHead struct {
	security     int
	form         int // place in the level's forms
	Key          Key
	Span         Span
	Life, Anchor [32]byte
	Scalars      [2]field.Ext
}

// levelNumbers are how span proofs name levels; a number is never reused.
var levelNumbers = map[int]byte{Security100: 1, Security124: 2}

// lists are the levels' trees of verifying keys, by security.
var lists = sync.OnceValue(func() map[int][][]hash.Digest {
	out := map[int][][]hash.Digest{}
	for security, level := range levels() {
		keys := make([]hash.Digest, level.Listed())
		for i := range keys {
			keys[i] = circuitKey(security, i)
		}
		out[security] = recursion.List(keys)
	}
	return out
})

// KeyRoot returns the root of a level's list of verifying keys.
func KeyRoot(security int) hash.Digest { return lists()[security][recursion.ListDepth][0] }

// formParams are the parameters by which a form's proofs are made.
func formParams(security, form int) stark.Params {
	level := levels()[security]
	return level.Params(level.Forms()[form], slices.Max(circuits[security][form].heights[:]))
}

// shapeOf is the shape of a form's proofs, if they may be merged.
func shapeOf(security, form int) (recursion.Shape, bool) {
	level := levels()[security]
	p := formParams(security, form)
	for s := range recursion.Shapes {
		if form < level.Listed() && level.Shapes[s] == p {
			return s, true
		}
	}
	return 0, false
}

// circuitKey is the verifying key of a circuit.
func circuitKey(security, form int) hash.Digest {
	c := &circuits[security][form]
	logs := make([]field.Ext, len(c.heights))
	for i, k := range c.heights {
		logs[i] = field.FromBase(field.New(uint64(k)))
	}
	n, _ := stark.NewNative()
	return recursion.Key(n, formParams(security, form), logs, c.root)
}

// statement is what the circuit's public block is the digest of.
func (h *SpanHead) statement() (s recursion.Statement[hash.Digest], err error) {
	s.KeyRoot = KeyRoot(h.security)
	if s.Program, err = wordsOf(h.Key); err != nil {
		return s, fmt.Errorf("the program's key: %w: %w", err, ErrFormat)
	}
	if s.Inputs, err = wordsOf(h.Span.Inputs); err != nil {
		return s, fmt.Errorf("the inputs' digest: %w: %w", err, ErrFormat)
	}
	s.T0, s.T1 = recursion.Clock(h.Span.T0), recursion.Clock(h.Span.T1)
	s.S0, s.S1 = recursion.Words(h.Span.S0), recursion.Words(h.Span.S1)
	s.Life, s.Anchor = recursion.Words(h.Life), recursion.Words(h.Anchor)
	return s, nil
}

// Instance returns what the STARK's verifier checks, and its prover proves.
func (h *SpanHead) Instance() (*stark.Instance, error) {
	if h.Span.T0 >= h.Span.T1 || h.Span.T1 >= MaxClock {
		return nil, fmt.Errorf("a span from t = %d to %d: want t0 < t1 < 2^62: %w", h.Span.T0, h.Span.T1, ErrFormat)
	}
	if !cairo.Canonical(h.Span.S0) || !cairo.Canonical(h.Span.S1) {
		return nil, fmt.Errorf("a state is not below the Cairo prime: %w", ErrFormat)
	}
	s, err := h.statement()
	if err != nil {
		return nil, err
	}
	digest := recursion.Digest(hash.Native{}, &s)
	c := &circuits[h.security][h.form]
	a, b := h.Scalars[0], h.Scalars[1]
	public := circuit.Public{Statement: digest, A: a, B: b}
	return &stark.Instance{Set: circuit.Set(), Params: formParams(h.security, h.form), LogHeights: c.heights[:],
		Scalars: make([][]field.Element, circuit.Tables), Ext: public.Ext(),
		Preprocessed: c.root, PublicDigests: []hash.Digest{circuitKey(h.security, h.form), digest}, PublicExt: []field.Ext{a, b},
		PublicSum: public.Sum}, nil
}

// Encode writes a whole proof.
func (h *SpanHead) Encode(inst *stark.Instance, proof *stark.Proof) ([]byte, error) {
	tail, err := proof.Encode(inst)
	if err != nil {
		return nil, err
	}
	b := append([]byte(spanMagic), 0, ProofVersion, levelNumbers[h.security], byte(h.form))
	b = append(b, h.Key[:]...)
	b = binary.BigEndian.AppendUint64(b, h.Span.T0)
	b = binary.BigEndian.AppendUint64(b, h.Span.T1)
	for _, d := range [][32]byte{h.Span.S0, h.Span.S1, h.Span.Inputs, h.Life, h.Anchor} {
		b = append(b, d[:]...)
	}
	for _, x := range h.Scalars {
		for _, c := range field.Coords(&x) {
			b = binary.BigEndian.AppendUint32(b, uint32(c.Uint64()))
		}
	}
	return append(b, tail...), nil
}

// isSpan says whether bytes begin as a span proof does.
func isSpan(b []byte) bool { return bytes.HasPrefix(b, []byte(spanMagic)) }

// decodeSpan reads a span proof's head and returns the STARK's bytes behind it.
func decodeSpan(b []byte, accept Accept) (*SpanHead, []byte, error) {
	if len(b) > MaxSpanBytes {
		return nil, nil, fmt.Errorf("span proof of %d bytes, at most %d: %w", len(b), MaxSpanBytes, ErrFormat)
	}
	if len(b) < spanHead || !isSpan(b) {
		return nil, nil, fmt.Errorf("it does not begin as a span proof: %w", ErrFormat)
	}
	r := b[len(spanMagic):]
	version, number, form := binary.BigEndian.Uint16(r), r[2], int(r[3])
	h := &SpanHead{form: form}
	for security, n := range levelNumbers {
		if n == number {
			h.security = security
		}
	}
	if err := accept.check(version, h.security); err != nil {
		return nil, nil, err
	}
	if form >= len(circuits[h.security]) {
		return nil, nil, fmt.Errorf("a span proof of level %d by circuit %d: there is none: %w", h.security, form, ErrVersion)
	}
	r = r[4:]
	take := func() (d [32]byte) { r = r[copy(d[:], r):]; return d }
	h.Key = take()
	h.Span.T0, h.Span.T1 = binary.BigEndian.Uint64(r), binary.BigEndian.Uint64(r[8:])
	r = r[16:]
	h.Span.S0, h.Span.S1, h.Span.Inputs, h.Life, h.Anchor = take(), take(), InputsDigest(take()), take(), take()
	for i := range h.Scalars {
		var c [field.Degree]field.Element
		for j := range c {
			var err error
			if c[j], err = field.GetElement(r); err != nil {
				return nil, nil, fmt.Errorf("scalar %d: %w: %w", i, err, ErrFormat)
			}
			r = r[field.Bytes:]
		}
		h.Scalars[i] = field.FromCoords(c)
	}
	return h, r, nil
}

// verifySpan checks a span proof and returns what it says.
func verifySpan(proof []byte, accept Accept) (Statement, error) {
	h, tail, err := decodeSpan(proof, accept)
	if err != nil {
		return Statement{}, err
	}
	inst, p, err := decodeBody(h, tail)
	if err != nil {
		return Statement{}, err
	}
	if err := stark.Verify(inst, p); err != nil {
		return Statement{}, fmt.Errorf("%w: %w", err, ErrInvalid)
	}
	span := h.Span
	_, mergeable := shapeOf(h.security, h.form)
	return Statement{Shrunk: !mergeable, Kind: KindSpan, Key: h.Key, Life: h.Life, Anchor: h.Anchor, Span: &span, Level: spanLevels[h.security](),
		Security: h.security}, nil
}

// spanLevels is how sure a span proof of each level is: as sure as the weakest proof that may be in it, with all tables as tall
// as they can be.
var spanLevels = map[int]func() Level{
	Security100: sync.OnceValue(func() Level { return weakest(levels()[Security100]) }),
	Security124: sync.OnceValue(func() Level { return weakest(levels()[Security124]) }),
}

func weakest(level *recursion.Level) Level {
	least := Level{Proven: math.Inf(1)}
	consider := func(inst *stark.Instance) {
		shape, err := ShapeOf(inst)
		l := Level{} // a mistake in this package's constants gives no level
		if err == nil {
			if found, err := shape.Level(); err == nil {
				l = found
			}
		}
		if l.Proven < least.Proven {
			least = l
		}
	}
	for _, r := range level.Runs {
		consider(tallestRun(r.Params))
	}
	for _, p := range append(level.Shapes[:], level.Shrink) {
		inst := &stark.Instance{Set: circuit.Set(), Params: p, Scalars: make([][]field.Element, circuit.Tables), Ext: new(circuit.Public).Ext()}
		for range circuit.Tables {
			inst.LogHeights = append(inst.LogHeights, p.LogN)
		}
		consider(inst)
	}
	return least
}

// tallestRun is an instance of runs with every table as tall as it can be.
func tallestRun(p stark.Params) *stark.Instance {
	set := cairo.Core()
	inst := &stark.Instance{Set: set, Params: p, Scalars: make([][]field.Element, len(set.Components)), ProgramLogHeight: maxProgramLog}
	for i, c := range set.Components {
		k := p.LogN
		switch {
		case c.LogHeight != 0:
			k = c.LogHeight
		case c.Name == cairo.NameProgram:
			k = maxProgramLog
		}
		inst.LogHeights = append(inst.LogHeights, k)
		inst.Scalars[i] = make([]field.Element, len(c.Params))
	}
	return inst
}
