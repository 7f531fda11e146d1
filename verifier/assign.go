package verifier

import (
	"errors"
	"fmt"
	"slices"

	"github.com/seed06907907/fatty/verifier/circuit"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	"github.com/seed06907907/fatty/verifier/recursion"
	"github.com/seed06907907/fatty/verifier/stark"
)

// Errors of proofs that do not go together, which callers branch on.
var (
	ErrLevel   = errors.New("the proofs are of different levels of security")
	ErrProgram = errors.New("the spans are of different programs")
	ErrGap     = errors.New("the spans do not meet: the right one must begin at the clock and in the state where the left one ends")
	ErrShrunk  = errors.New("a shrunk span proof is the last: only what it was made from can be merged or shrunk")
)

// CircuitID names a circuit by its level of security and its place among those of that level.
type CircuitID struct{ Security, Form int }

// Assignment is a circuit with the values of the proofs that it verifies, and the head of the proof that is to be made.
type Assignment struct {
	Head    *SpanHead
	Circuit *circuit.Circuit
	// Violated is the first constraint that the values break, nil if none: no proof of broken values is accepted.
	Violated error
}

// ID names the assignment's circuit.
func (a *Assignment) ID() CircuitID { return CircuitID{a.Head.security, a.Head.form} }

// Circuit returns what a verifier knows of a circuit: the heights of its tables, the root of its preprocessed columns, and the
// parameters of its proofs.
func Circuit(id CircuitID) (heights []int, root hash.Digest, p stark.Params) {
	c := &circuits[id.Security][id.Form]
	return c.heights[:], c.root, formParams(id.Security, id.Form)
}

// AssignWrap fills the wrap of a run proof. The proof is decoded, not verified: that is what the circuit does.
func AssignWrap(proof []byte) (*Assignment, error) {
	if isSpan(proof) {
		return nil, fmt.Errorf("it is a span proof already; wrap takes a run proof: %w", ErrKind)
	}
	h, tail, err := decodeHead(proof, Accept{})
	if err != nil {
		return nil, err
	}
	_, p, err := decodeBody(h, tail)
	if err != nil {
		return nil, err
	}
	s := Statement{Kind: KindRun}
	for _, c := range h.Public.Output {
		s.Output = append(s.Output, c.Value)
	}
	clock, err := s.Clock()
	if err != nil {
		return nil, err
	}
	return h.assign(p, clock)
}

// assign is AssignWrap for a decoded proof.
func (h *Head) assign(p *stark.Proof, clock Clock) (*Assignment, error) {
	form := -1
	for i, size := range pinnedSizes {
		if size.n == h.set.params.LogN {
			form = i
		}
	}
	level := levels()[h.set.security]
	run := &recursion.Run{Life: recursion.Words(h.Life), Anchor: recursion.Words(h.Anchor), Felts: uint64(h.program.length),
		LogProgram: h.program.logHeight, Roots: h.program.roots[:], LogHeights: h.LogHeights, Public: h.Public, Proof: p}
	b := circuit.NewBuilder()
	recursion.Wrap(b, &level.Runs[form], run, KeyRoot(h.set.security))
	head := &SpanHead{security: h.set.security, form: form, Key: h.Key(), Life: h.Life, Anchor: h.Anchor,
		Span: Span{T0: clock.T0, T1: clock.T1, S0: clock.S0, S1: clock.S1, Inputs: RunInputs(clock.Inputs)}}
	return finish(b, head)
}

func finish(b *circuit.Builder, head *SpanHead) (*Assignment, error) {
	c, err := b.Finish(circuits[head.security][head.form].heights)
	if err != nil {
		return nil, err
	}
	head.Scalars = [2]field.Ext{c.Public.A, c.Public.B}
	return &Assignment{Head: head, Circuit: c, Violated: b.Err()}, nil
}

// childSpan is a decoded span proof as a circuit takes it.
type childSpan struct {
	head  *SpanHead
	shape recursion.Shape
	span  *recursion.Span
}

func decodeChild(proof []byte) (*childSpan, error) {
	if !isSpan(proof) {
		return nil, fmt.Errorf("it is no span proof; wrap a run proof first: %w", ErrKind)
	}
	h, tail, err := decodeSpan(proof, Accept{})
	if err != nil {
		return nil, err
	}
	_, p, err := decodeBody(h, tail)
	if err != nil {
		return nil, err
	}
	return h.child(p)
}

func (h *SpanHead) child(p *stark.Proof) (*childSpan, error) {
	shape, ok := shapeOf(h.security, h.form)
	if !ok {
		return nil, ErrShrunk
	}
	s, err := h.statement()
	if err != nil {
		return nil, err
	}
	c := &circuits[h.security][h.form]
	return &childSpan{h, shape, &recursion.Span{Statement: s, T0: h.Span.T0, T1: h.Span.T1, LogHeights: c.heights[:], Preprocessed: c.root,
		Index: uint32(h.form), Path: recursion.ListPath(lists()[h.security], uint32(h.form)), Scalars: h.Scalars, Proof: p}}, nil
}

// AssignMerge fills the merge of two span proofs. They are decoded, not verified.
func AssignMerge(left, right []byte) (*Assignment, error) {
	l, err := decodeChild(left)
	if err != nil {
		return nil, fmt.Errorf("the left span: %w", err)
	}
	r, err := decodeChild(right)
	if err != nil {
		return nil, fmt.Errorf("the right span: %w", err)
	}
	a, b := l.head, r.head
	switch {
	case a.security != b.security:
		return nil, fmt.Errorf("%d and %d bits: %w", a.security, b.security, ErrLevel)
	case a.Key != b.Key:
		return nil, fmt.Errorf("of keys %s and %s: %w", a.Key, b.Key, ErrProgram)
	case a.Span.T1 != b.Span.T0:
		return nil, fmt.Errorf("t = %d to %d and t = %d to %d: %w", a.Span.T0, a.Span.T1, b.Span.T0, b.Span.T1, ErrGap)
	case a.Span.S1 != b.Span.S0:
		return nil, fmt.Errorf("two states at t = %d: %w", a.Span.T1, ErrGap)
	}
	return merge(l, r)
}

func merge(l, r *childSpan) (*Assignment, error) {
	a, b := l.head, r.head
	head := &SpanHead{security: a.security, Key: a.Key, Span: Span{T0: a.Span.T0, T1: b.Span.T1, S0: a.Span.S0, S1: b.Span.S1}}
	var err error
	if head.Span.Inputs, err = JoinInputs(a.Span.Inputs, b.Span.Inputs); err != nil {
		return nil, fmt.Errorf("%w: %w", err, ErrFormat)
	}
	if a.Life == b.Life {
		head.Life = a.Life
	}
	if a.Anchor == b.Anchor {
		head.Anchor = a.Anchor
	}
	level := levels()[a.security]
	form := recursion.Form{Kind: recursion.KindMerge, Left: l.shape, Right: r.shape}
	head.form = formOf(level, form)
	bd := circuit.NewBuilder()
	recursion.Merge(bd, level.Shapes[l.shape], level.Shapes[r.shape], l.span, r.span)
	return finish(bd, head)
}

func formOf(level *recursion.Level, form recursion.Form) int {
	for i, f := range level.Forms() {
		if f == form {
			return i
		}
	}
	return -1
}

// AssignShrink fills the shrink of a span proof, which makes the smallest proof. The span is decoded, not verified.
func AssignShrink(span []byte) (*Assignment, error) {
	c, err := decodeChild(span)
	if err != nil {
		return nil, err
	}
	head := *c.head
	level := levels()[head.security]
	head.form = formOf(level, recursion.Form{Kind: recursion.KindShrink, Left: c.shape})
	b := circuit.NewBuilder()
	recursion.Shrink(b, level.Shapes[c.shape], c.span)
	return finish(b, &head)
}

// SpanCircuits lists the circuits of a pinned size's first spans: the wrap, the merge of two wraps, that of two merged spans.
func SpanCircuits(security, logN int) (out []CircuitID) {
	level := levels()[security]
	for i, size := range pinnedSizes {
		if size.n != logN {
			continue
		}
		shape, _ := shapeOf(security, i)
		out = append(out, CircuitID{security, i})
		for _, m := range []recursion.Form{{Kind: recursion.KindMerge, Left: shape, Right: shape}, {Kind: recursion.KindMerge}} {
			if id := (CircuitID{security, formOf(level, m)}); !slices.Contains(out, id) {
				out = append(out, id)
			}
		}
	}
	return out
}

// BlankCircuit builds a circuit with meaningless values: its key is made from it.
func BlankCircuit(id CircuitID) (*circuit.Circuit, error) {
	level := levels()[id.Security]
	return level.Blank(level.Forms()[id.Form])
}
