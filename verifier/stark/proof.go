package stark

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// Proof is a proof about an Instance. Its lengths follow from the instance and from the places that the transcript draws.
type Proof struct {
	MainRoot, InteractionRoot, CompositionRoot hash.Digest

	Claims []field.Ext // the sum of each component's lookup fractions
	Open   Openings[field.Ext]

	LayerRoots []hash.Digest // of the FRI layers
	Final      []field.Ext   // coefficients of the final polynomial, constant term first
	Nonce      uint64        // proof of work before the queries

	// Rows are the opened leaves of each tree: one after the other, by ascending place; Paths their Merkle siblings.
	Rows  [Trees][]field.Element
	Paths [Trees][]hash.Digest

	// Layers are the opened cosets of the FRI layers.
	Layers []Layer
}

// Layer opens cosets of one FRI layer. Values are those that the layer before does not give, by ascending place.
type Layer struct {
	Values []field.Ext
	Path   []hash.Digest
}

// Blank is a proof of a layout's lengths with zeros in it, as if all places drawn were one.
func Blank(l *Layout) *Proof {
	p := &Proof{Claims: make([]field.Ext, len(l.Main)), Final: make([]field.Ext, 1<<l.Params.FinalLog)}
	for t, columns := range l.Columns {
		p.Open.Columns[t] = make([]field.Ext, len(columns))
		p.Rows[t] = make([]field.Element, len(columns))
	}
	p.Open.Previous = make([]field.Ext, len(l.Main))
	folds := l.Params.Folds()
	p.LayerRoots, p.Layers = make([]hash.Digest, len(folds)), make([]Layer, len(folds))
	return p
}

// ErrFormat is wrapped by every error about bytes that are no proof of their instance's shape.
var ErrFormat = errors.New("malformed proof")

const (
	digestBytes = hash.Rate * field.Bytes
	extBytes    = field.Degree * field.Bytes
)

// MaxBytes bounds the length of an encoded proof of this layout: every query at another place, nothing shared.
func (l *Layout) MaxBytes() int {
	p := l.Params
	open := 0
	for _, columns := range l.Columns {
		open += len(columns)
	}
	size := 3*digestBytes + 2*len(l.Main)*extBytes + open*extBytes
	folds := p.Folds()
	size += len(folds)*(digestBytes+8) + extBytes<<p.FinalLog + 8 + 4 + 4*Trees
	for t := range Trees {
		size += p.Queries * (len(l.Columns[t])*field.Bytes + l.Depth()*digestBytes)
	}
	for _, a := range folds {
		size += p.Queries * (extBytes<<a + l.Depth()*digestBytes)
	}
	return size
}

type writer struct{ b []byte }

func (w *writer) u32(v int) { w.b = binary.BigEndian.AppendUint32(w.b, uint32(v)) }
func (w *writer) elements(es []field.Element) {
	for i := range es {
		w.u32(int(es[i].Uint64()))
	}
}
func (w *writer) exts(xs []field.Ext) {
	for i := range xs {
		c := field.Coords(&xs[i])
		w.elements(c[:])
	}
}
func (w *writer) digests(ds []hash.Digest) {
	for i := range ds {
		w.elements(ds[i][:])
	}
}

// Encode returns the proof's bytes. Numbers are big-endian, elements 4 bytes below p, lists in the order of the fields.
// Lists whose length is not fixed by the instance are preceded by it; the number of opened places by its own word.
func (p *Proof) Encode(inst *Instance) ([]byte, error) {
	l, err := NewLayout(inst)
	if err != nil {
		return nil, err
	}
	places := 0
	if w := len(l.Columns[TreeMain]); w > 0 {
		places = len(p.Rows[TreeMain]) / w
	}
	if err := p.check(l, places); err != nil {
		return nil, err
	}
	w := &writer{b: make([]byte, 0, 1<<16)}
	w.digests([]hash.Digest{p.MainRoot, p.InteractionRoot, p.CompositionRoot})
	w.exts(p.Claims)
	for _, values := range p.Open.Columns {
		w.exts(values)
	}
	w.exts(p.Open.Previous)
	w.digests(p.LayerRoots)
	w.exts(p.Final)
	w.b = binary.BigEndian.AppendUint64(w.b, p.Nonce)
	w.u32(places)
	for t := range Trees {
		w.elements(p.Rows[t])
		w.u32(len(p.Paths[t]))
		w.digests(p.Paths[t])
	}
	for _, layer := range p.Layers {
		w.u32(len(layer.Values))
		w.exts(layer.Values)
		w.u32(len(layer.Path))
		w.digests(layer.Path)
	}
	return w.b, nil
}

// check compares every length with the layout.
func (p *Proof) check(l *Layout, places int) error {
	folds := l.Params.Folds()
	if places < 1 || places > l.Params.Queries {
		return fmt.Errorf("%d opened places, must be 1 to %d: %w", places, l.Params.Queries, ErrFormat)
	}
	for _, c := range []struct {
		name      string
		got, want int
	}{
		{"claimed sums", len(p.Claims), len(l.Main)},
		{"preprocessed openings", len(p.Open.Columns[TreePreprocessed]), len(l.Columns[TreePreprocessed])},
		{"program openings", len(p.Open.Columns[TreeProgram]), len(l.Columns[TreeProgram])},
		{"main openings", len(p.Open.Columns[TreeMain]), len(l.Columns[TreeMain])},
		{"interaction openings", len(p.Open.Columns[TreeInteraction]), len(l.Columns[TreeInteraction])},
		{"composition openings", len(p.Open.Columns[TreeComposition]), len(l.Columns[TreeComposition])},
		{"previous-row openings", len(p.Open.Previous), len(l.Main)},
		{"FRI roots", len(p.LayerRoots), len(folds)},
		{"FRI layers", len(p.Layers), len(folds)},
		{"final coefficients", len(p.Final), 1 << l.Params.FinalLog},
		{"preprocessed cells", len(p.Rows[TreePreprocessed]), places * len(l.Columns[TreePreprocessed])},
		{"program cells", len(p.Rows[TreeProgram]), places * len(l.Columns[TreeProgram])},
		{"main cells", len(p.Rows[TreeMain]), places * len(l.Columns[TreeMain])},
		{"interaction cells", len(p.Rows[TreeInteraction]), places * len(l.Columns[TreeInteraction])},
		{"composition cells", len(p.Rows[TreeComposition]), places * len(l.Columns[TreeComposition])},
	} {
		if c.got != c.want {
			return fmt.Errorf("%d %s, must be %d: %w", c.got, c.name, c.want, ErrFormat)
		}
	}
	for t := range Trees {
		if len(p.Paths[t]) > places*l.Depth() || len(l.Columns[t]) == 0 && len(p.Paths[t]) != 0 {
			return fmt.Errorf("%d Merkle siblings in tree %d for %d places: %w", len(p.Paths[t]), t, places, ErrFormat)
		}
	}
	for i, layer := range p.Layers {
		if len(layer.Values) > places<<folds[i] || len(layer.Path) > places*l.Depth() {
			return fmt.Errorf("%d values and %d siblings in FRI layer %d for %d places: %w", len(layer.Values), len(layer.Path), i, places, ErrFormat)
		}
	}
	return nil
}

// reader takes fixed-width numbers off the front of a proof. Its first error sticks.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err == nil && len(r.b) < n {
		r.err = fmt.Errorf("it ends too early: %w", ErrFormat)
	}
	if r.err != nil {
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

// elements reads n elements. Nothing is allocated before the bytes are known to be there.
func (r *reader) elements(n int) []field.Element {
	raw := r.take(n * field.Bytes)
	if r.err != nil {
		return nil
	}
	out := make([]field.Element, n)
	for i := range out {
		e, err := field.GetElement(raw[i*field.Bytes:])
		if err != nil {
			r.err = fmt.Errorf("%w: %w", err, ErrFormat)
			return nil
		}
		out[i] = e
	}
	return out
}

func (r *reader) exts(n int) []field.Ext {
	es := r.elements(n * field.Degree)
	if r.err != nil {
		return nil
	}
	out := make([]field.Ext, n)
	for i := range out {
		out[i] = field.FromCoords([field.Degree]field.Element(es[i*field.Degree:]))
	}
	return out
}

func (r *reader) digests(n int) []hash.Digest {
	es := r.elements(n * hash.Rate)
	if r.err != nil {
		return nil
	}
	out := make([]hash.Digest, n)
	for i := range out {
		out[i] = hash.Digest(es[i*hash.Rate:])
	}
	return out
}

// count reads a length that must be at most most.
func (r *reader) count(most int) int {
	raw := r.take(4)
	if r.err != nil {
		return 0
	}
	v := binary.BigEndian.Uint32(raw)
	if uint64(v) > uint64(most) {
		r.err = fmt.Errorf("a list of %d, at most %d: %w", v, most, ErrFormat)
		return 0
	}
	return int(v)
}

// DecodeProof reads a proof about an instance. The bytes must be exactly one proof in its one encoding.
func DecodeProof(b []byte, inst *Instance) (*Proof, error) {
	l, err := NewLayout(inst)
	if err != nil {
		return nil, err
	}
	if most := l.MaxBytes(); len(b) > most {
		return nil, fmt.Errorf("%d bytes, at most %d: %w", len(b), most, ErrFormat)
	}
	r := &reader{b: b}
	p := &Proof{}
	if roots := r.digests(3); r.err == nil {
		p.MainRoot, p.InteractionRoot, p.CompositionRoot = roots[0], roots[1], roots[2]
	}
	p.Claims = r.exts(len(l.Main))
	for t := range p.Open.Columns {
		p.Open.Columns[t] = r.exts(len(l.Columns[t]))
	}
	p.Open.Previous = r.exts(len(l.Main))
	folds := l.Params.Folds()
	p.LayerRoots = r.digests(len(folds))
	p.Final = r.exts(1 << l.Params.FinalLog)
	if raw := r.take(8); r.err == nil {
		p.Nonce = binary.BigEndian.Uint64(raw)
	}
	places := r.count(l.Params.Queries)
	for t := range Trees {
		p.Rows[t] = r.elements(places * len(l.Columns[t]))
		p.Paths[t] = r.digests(r.count(places * l.Depth()))
	}
	for _, a := range folds {
		var layer Layer
		layer.Values = r.exts(r.count(places << a))
		layer.Path = r.digests(r.count(places * l.Depth()))
		p.Layers = append(p.Layers, layer)
	}
	if r.err != nil {
		return nil, r.err
	}
	if len(r.b) != 0 {
		return nil, fmt.Errorf("%d bytes are left over: %w", len(r.b), ErrFormat)
	}
	return p, p.check(l, places)
}
