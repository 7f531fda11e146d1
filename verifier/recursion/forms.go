package recursion

import (
	"fmt"

	"github.com/seed06907907/fatty/verifier/cairo"
	"github.com/seed06907907/fatty/verifier/circuit"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	"github.com/seed06907907/fatty/verifier/stark"
)

// Shape is the size and parameters of a span proof that may be merged.
type Shape int

// The shapes: merged spans and wrapped short runs are narrow, wrapped long runs wide.
const (
	Narrow Shape = iota
	Wide
	Shapes
)

// Kind is what a circuit does.
type Kind int

// The kinds.
const (
	KindWrap Kind = iota
	KindMerge
	KindShrink
)

// Form is one of the circuits of a level.
type Form struct {
	Kind        Kind
	Run         int   // wrap: which pinned size
	Left, Right Shape // merge: of the two spans; shrink: Left alone
}

// String names a form.
func (f Form) String() string {
	names := [Shapes]string{"narrow", "wide"}
	switch f.Kind {
	case KindWrap:
		return fmt.Sprintf("wrap %d", f.Run)
	case KindMerge:
		return "merge " + names[f.Left] + " " + names[f.Right]
	}
	return "shrink " + names[f.Left]
}

// Level has the parameters of all circuits of one level of security.
type Level struct {
	Runs   []RunForm
	Shapes [Shapes]stark.Params
	Shrink stark.Params
}

// Forms lists a level's circuits in the order of their keys; those that may be merged come first.
func (l *Level) Forms() (out []Form) {
	for i := range l.Runs {
		out = append(out, Form{Kind: KindWrap, Run: i})
	}
	for left := range Shapes {
		for right := range Shapes {
			out = append(out, Form{Kind: KindMerge, Left: left, Right: right})
		}
	}
	for left := range Shapes {
		out = append(out, Form{Kind: KindShrink, Left: left})
	}
	return out
}

// Params are the parameters of a form's proofs, given the log2 height of its circuit's tallest table.
func (l *Level) Params(f Form, tallest int) stark.Params {
	switch {
	case f.Kind == KindShrink:
		return l.Shrink
	case f.Kind == KindWrap && tallest > l.Shapes[Narrow].LogN:
		return l.Shapes[Wide]
	}
	return l.Shapes[Narrow]
}

// Listed is the number of forms whose keys are in the list: a shrunk proof is the last.
func (l *Level) Listed() int { return len(l.Runs) + int(Shapes*Shapes) }

// ListDepth is the depth of the tree over the list of keys.
const ListDepth = 3

// List returns the levels of the tree over a list of keys, leaves first, filled up with zeros.
func List(keys []hash.Digest) [][]hash.Digest {
	level := make([]hash.Digest, 1<<ListDepth)
	copy(level, keys)
	out := [][]hash.Digest{level}
	for len(level) > 1 {
		up := make([]hash.Digest, len(level)/2)
		hash.Nodes(up, level)
		out, level = append(out, up), up
	}
	return out
}

// ListPath returns a key's siblings in the list, from the leaf up.
func ListPath(levels [][]hash.Digest, index uint32) (out []hash.Digest) {
	for _, level := range levels[:ListDepth] {
		out = append(out, level[index^1])
		index >>= 1
	}
	return out
}

// Blank builds a form's circuit with meaningless values: its key is made from it.
func (l *Level) Blank(f Form) (*circuit.Circuit, error) {
	b := circuit.NewBuilder()
	switch f.Kind {
	case KindWrap:
		form := &l.Runs[f.Run]
		run, err := blankRun(form)
		if err != nil {
			return nil, err
		}
		Wrap(b, form, run, hash.Digest{})
	case KindMerge:
		left, err := blankSpan(l.Shapes[f.Left])
		if err != nil {
			return nil, err
		}
		right, err := blankSpan(l.Shapes[f.Right])
		if err != nil {
			return nil, err
		}
		Merge(b, l.Shapes[f.Left], l.Shapes[f.Right], left, right)
	case KindShrink:
		s, err := blankSpan(l.Shapes[f.Left])
		if err != nil {
			return nil, err
		}
		Shrink(b, l.Shapes[f.Left], s)
	}
	return b.Finish(circuit.Heights{})
}

func blankRun(form *RunForm) (*Run, error) {
	set := cairo.Core()
	r := &Run{LogProgram: minHeight, Roots: make([]hash.Digest, form.Roots), Public: &cairo.PublicData{}}
	for _, c := range set.Components {
		r.LogHeights = append(r.LogHeights, max(minHeight, c.LogHeight))
	}
	l, err := stark.NewLayout(&stark.Instance{Set: set, Params: form.Params, LogHeights: r.LogHeights, Scalars: r.Public.Scalars(), ProgramLogHeight: minHeight})
	if err != nil {
		return nil, err
	}
	r.Proof = stark.Blank(l)
	return r, nil
}

func blankSpan(p stark.Params) (*Span, error) {
	s := &Span{Path: make([]hash.Digest, ListDepth)}
	for range circuit.Tables {
		s.LogHeights = append(s.LogHeights, minHeight)
	}
	l, err := stark.NewLayout(spanInstance(p, s))
	if err != nil {
		return nil, err
	}
	s.Proof = stark.Blank(l)
	return s, nil
}

// spanInstance is a span's instance as far as its layout needs.
func spanInstance(p stark.Params, s *Span) *stark.Instance {
	return &stark.Instance{Set: circuit.Set(), Params: p, LogHeights: s.LogHeights, Scalars: make([][]field.Element, circuit.Tables),
		Ext: circuit.ExtScalars[field.Ext](field.Arithmetic{}, s.Scalars[0], s.Scalars[1])}
}
