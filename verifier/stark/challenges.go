package stark

import (
	"errors"

	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// protocol is the label of the transcript. Another order of messages is another protocol and needs another label.
const protocol = "fatty stark 1"

// Tags of the transcript's messages and challenges, in their order.
const (
	tagParams = iota + 1
	tagIdentity
	tagPublic
	tagHeights
	tagScalars
	tagPreprocessed
	tagProgram
	tagMain
	tagZ
	tagAlpha
	tagClaims
	tagInteraction
	tagWeight
	tagComposition
	tagZeta
	tagOpenPreprocessed
	tagOpenProgram
	tagOpenMain
	tagOpenInteraction
	tagOpenComposition
	tagOpenPrevious
	tagDeep
	tagLayer
	tagFold
	tagFinal
	tagGrindSeed
	tagNonce
	tagQueries
)

// ErrZeta is returned if the out-of-domain point lies in the base field, where the domains are. An honest prover meets it
// with probability 2^-155.
var ErrZeta = errors.New("the out-of-domain point lies in the base field")

// Challenges is the transcript of one proof. Prover and verifier call its methods in the order in which they stand here.
type Challenges struct{ t *hash.Transcript }

// NewChallenges absorbs what both sides know beforehand.
func NewChallenges(inst *Instance) *Challenges {
	t := hash.NewTranscript(protocol)
	t.Absorb(tagParams, inst.Params.words()...)
	id := Identity(inst.Set)
	t.Absorb(tagIdentity, id[:]...)
	t.Absorb(tagPublic, inst.Public...)
	heights := make([]field.Element, 0, len(inst.LogHeights)+1)
	for _, k := range inst.LogHeights {
		heights = append(heights, field.New(uint64(k)))
	}
	t.Absorb(tagHeights, append(heights, field.New(uint64(inst.ProgramLogHeight)))...)
	for _, s := range inst.Scalars {
		t.Absorb(tagScalars, s...)
	}
	t.AbsorbDigest(tagPreprocessed, inst.Preprocessed)
	t.AbsorbDigest(tagProgram, inst.Program)
	return &Challenges{t}
}

// Lookup absorbs the root of the main columns and draws the challenges of the lookup argument.
func (c *Challenges) Lookup(main hash.Digest) Fingerprint {
	c.t.AbsorbDigest(tagMain, main)
	return Fingerprint{Z: c.t.Ext(tagZ), Alpha: c.t.Ext(tagAlpha)}
}

// Weight absorbs the claimed sums and the root of the interaction columns and draws the weight of the constraints.
func (c *Challenges) Weight(claims []field.Ext, interaction hash.Digest) field.Ext {
	c.t.AbsorbExt(tagClaims, claims...)
	c.t.AbsorbDigest(tagInteraction, interaction)
	return c.t.Ext(tagWeight)
}

// Zeta absorbs the root of the composition columns and draws the out-of-domain point.
func (c *Challenges) Zeta(composition hash.Digest) (field.Ext, error) {
	c.t.AbsorbDigest(tagComposition, composition)
	zeta := c.t.Ext(tagZeta)
	return zeta, checkZeta(zeta)
}

// checkZeta refuses a point at which opened values would bind nothing. All domains lie in the base field, and so do all
// roots of x^(2^n) - 1: outside of it no denominator vanishes.
func checkZeta(zeta field.Ext) error {
	if field.InBase(&zeta) {
		return ErrZeta
	}
	return nil
}

// Deep absorbs the opened values and draws the weight of the DEEP terms.
func (c *Challenges) Deep(o *Openings) field.Ext {
	c.t.AbsorbExt(tagOpenPreprocessed, o.Preprocessed...)
	c.t.AbsorbExt(tagOpenProgram, o.Program...)
	c.t.AbsorbExt(tagOpenMain, o.Main...)
	c.t.AbsorbExt(tagOpenInteraction, o.Interaction...)
	c.t.AbsorbExt(tagOpenComposition, o.Composition[:]...)
	c.t.AbsorbExt(tagOpenPrevious, o.Previous...)
	return c.t.Ext(tagDeep)
}

// Fold absorbs the root of a FRI layer and draws its fold challenge.
func (c *Challenges) Fold(layer hash.Digest) field.Ext {
	c.t.AbsorbDigest(tagLayer, layer)
	return c.t.Ext(tagFold)
}

// Seed absorbs the final polynomial and draws what the proof of work is made on.
func (c *Challenges) Seed(final []field.Ext) hash.Digest {
	c.t.AbsorbExt(tagFinal, final...)
	return c.t.Digest(tagGrindSeed)
}

// Queries absorbs the nonce and draws the places, with repetition, in the order drawn.
func (c *Challenges) Queries(nonce uint64, p Params) []uint32 {
	c.t.Absorb(tagNonce, field.New(nonce&0xffffff), field.New(nonce>>24))
	return c.t.Indices(tagQueries, p.Queries, p.LogN+p.LogBlowup)
}
