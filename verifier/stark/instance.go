package stark

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// Instance is everything that the verifier knows beside the proof.
type Instance struct {
	Set        *air.Set
	Params     Params
	LogHeights []int             // log2 of the rows of each component of Set
	Scalars    [][]field.Element // values of each component's Params
	Ext        [][]field.Ext     // values of each component's ExtParams; nil for a set without any

	Preprocessed hash.Digest // root of the preprocessed tree: a constant of (set, LogN, LogBlowup)

	// Program is the root of the program tree, from the program's key, and ProgramLogHeight the log2 of its rows. Both are
	// zero for a set without a program table.
	Program          hash.Digest
	ProgramLogHeight int

	// Public are the words of the statement, absorbed before everything the prover commits to.
	Public []field.Element
	// PublicDigests and PublicExt are more of the statement, behind Public: digests, and values of the extension.
	PublicDigests []hash.Digest
	PublicExt     []field.Ext

	// PublicSum returns the sum of the lookup fractions of the public data, uses positive and yields negative; nil for none.
	// There must be fewer than PublicLookups of them.
	PublicSum func(Lookup[field.Ext]) (field.Ext, error)
}

// PublicLookups bounds the number of fractions in Instance.PublicSum. It enters the bound on uses of a relation.
const PublicLookups = 1 << 20

// MaxPublicWords bounds Instance.Public; the transcript's two length words hold more.
const MaxPublicWords = 1 << 24

// ErrInstance is wrapped by every error about an instance that fits no proof.
var ErrInstance = errors.New("the proof's shape is not one of this set of tables")

// ExtScalars returns the values of component i's ExtParams.
func (inst *Instance) ExtScalars(i int) []field.Ext {
	if inst.Ext == nil {
		return nil
	}
	return inst.Ext[i]
}

// Identity returns the SHA-256 of everything that a set's description says, as 16 words of 16 bits. It is absorbed by
// every transcript, so that a proof made under one description is none under another.
func Identity(s *air.Set) [16]field.Element {
	h := sha256.New()
	buf := make([]byte, 0, 1<<12)
	num := func(vs ...int64) {
		for _, v := range vs {
			buf = binary.BigEndian.AppendUint64(buf, uint64(v))
		}
	}
	text := func(s string) {
		num(int64(len(s)))
		buf = append(buf, s...)
	}
	flag := func(b bool) {
		if b {
			buf = append(buf, 1)
		} else {
			buf = append(buf, 0)
		}
	}
	flush := func() {
		h.Write(buf) // never fails
		buf = buf[:0]
	}
	text(s.Name)
	num(int64(len(s.Components)))
	for _, c := range s.Components {
		text(c.Name)
		num(int64(c.LogHeight), int64(len(c.Main)), int64(len(c.Fixed)), int64(len(c.Params)), int64(len(c.ExtParams)), int64(len(c.Nodes)),
			int64(len(c.Constraints)), int64(len(c.Weighted)), int64(len(c.Lookups)), int64(len(c.Batches)))
		for _, m := range c.Main {
			text(m)
		}
		for _, f := range c.Fixed {
			num(int64(f.Kind))
			text(f.Name)
		}
		for _, p := range c.Params {
			text(p)
		}
		for _, n := range c.Nodes {
			buf = append(buf, byte(n.Op))
			buf = binary.BigEndian.AppendUint32(buf, uint32(n.Index))
			buf = binary.BigEndian.AppendUint32(buf, uint32(n.A))
			buf = binary.BigEndian.AppendUint32(buf, uint32(n.B))
			buf = binary.BigEndian.AppendUint32(buf, uint32(n.Value.Uint64()))
		}
		for _, k := range c.Constraints {
			text(k.Label)
			num(int64(k.Root))
		}
		for _, p := range c.ExtParams {
			text(p)
		}
		for _, w := range c.Weighted {
			text(w.Label)
			num(int64(len(w.Terms)))
			for _, t := range w.Terms {
				num(int64(t.Param), int64(t.Basis), int64(t.Node))
			}
		}
		for _, l := range c.Lookups {
			num(int64(l.Relation.ID), int64(l.Relation.Width), int64(l.Numerator), int64(len(l.Tuple)))
			text(l.Relation.Name)
			flag(l.Yield)
			flag(l.Unit)
			for _, x := range l.Tuple {
				num(int64(x))
			}
		}
		for _, b := range c.Batches {
			num(int64(len(b)))
			for _, x := range b {
				num(int64(x))
			}
		}
		flush()
	}
	flush()
	sum := h.Sum(nil)
	var out [16]field.Element
	for i := range out {
		out[i] = field.New(uint64(sum[2*i])<<8 | uint64(sum[2*i+1]))
	}
	return out
}
