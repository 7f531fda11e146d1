package stark

import (
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// protocol is the label of the transcript. Another order of messages is another protocol and needs another label.
const protocol = "fatty stark 2"

// Tags of the transcript's messages and challenges, in their order.
const (
	tagParams = iota + 1
	tagIdentity
	tagPublic
	tagPublicDigest
	tagPublicExt
	tagHeights
	tagScalars
	tagExtScalars
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

// Challenges is the transcript of one proof. Prover and verifier call its methods in the order in which they stand here.
type Challenges[E, D any] struct{ t *hash.Transcript[E, D] }

// NewChallenges absorbs what both sides know beforehand.
func NewChallenges[E, D any](ar hash.Blocks[E, D], s *Subject[E, D]) *Challenges[E, D] {
	t := hash.NewTranscript(ar, protocol)
	t.AbsorbConst(tagParams, s.Params.words()...)
	id := Identity(s.Set)
	t.AbsorbConst(tagIdentity, id[:]...)
	t.AbsorbWords(tagPublic, s.Public...)
	for _, d := range s.PublicDigests {
		t.AbsorbDigest(tagPublicDigest, d)
	}
	t.AbsorbExt(tagPublicExt, s.PublicExt...)
	heights := make([]E, 0, len(s.Heights)+1)
	for _, h := range s.Heights {
		heights = append(heights, h.Log)
	}
	t.AbsorbWords(tagHeights, append(heights, s.ProgramLogHeight)...)
	for _, scalars := range s.Scalars {
		t.AbsorbWords(tagScalars, scalars...)
	}
	for i, c := range s.Set.Components {
		if len(c.ExtParams) > 0 {
			t.AbsorbExt(tagExtScalars, s.Ext[i]...)
		}
	}
	t.AbsorbDigest(tagPreprocessed, s.Preprocessed)
	t.AbsorbDigest(tagProgram, s.Program)
	return &Challenges[E, D]{t}
}

// Lookup absorbs the root of the main columns and draws the challenges of the lookup argument.
func (c *Challenges[E, D]) Lookup(main D) (z, alpha E) {
	c.t.AbsorbDigest(tagMain, main)
	return c.t.Ext(tagZ), c.t.Ext(tagAlpha)
}

// Weight absorbs the claimed sums and the root of the interaction columns and draws the weight of the constraints.
func (c *Challenges[E, D]) Weight(claims []E, interaction D) E {
	c.t.AbsorbExt(tagClaims, claims...)
	c.t.AbsorbDigest(tagInteraction, interaction)
	return c.t.Ext(tagWeight)
}

// Zeta absorbs the root of the composition columns and draws the out-of-domain point.
func (c *Challenges[E, D]) Zeta(composition D) E {
	c.t.AbsorbDigest(tagComposition, composition)
	return c.t.Ext(tagZeta)
}

// Deep absorbs the opened values and draws the weight of the DEEP terms.
func (c *Challenges[E, D]) Deep(o *Openings[E]) E {
	c.t.AbsorbExt(tagOpenPreprocessed, o.Columns[TreePreprocessed]...)
	c.t.AbsorbExt(tagOpenProgram, o.Columns[TreeProgram]...)
	c.t.AbsorbExt(tagOpenMain, o.Columns[TreeMain]...)
	c.t.AbsorbExt(tagOpenInteraction, o.Columns[TreeInteraction]...)
	c.t.AbsorbExt(tagOpenComposition, o.Columns[TreeComposition]...)
	c.t.AbsorbExt(tagOpenPrevious, o.Previous...)
	return c.t.Ext(tagDeep)
}

// Fold absorbs the root of a FRI layer and draws its fold challenge.
func (c *Challenges[E, D]) Fold(layer D) E {
	c.t.AbsorbDigest(tagLayer, layer)
	return c.t.Ext(tagFold)
}

// Seed absorbs the final polynomial and draws what the proof of work is made on.
func (c *Challenges[E, D]) Seed(final []E) D {
	c.t.AbsorbExt(tagFinal, final...)
	return c.t.Digest(tagGrindSeed)
}

// Queries absorbs the words of the nonce and draws the blocks that hold n places.
func (c *Challenges[E, D]) Queries(low, high E, n int) []D {
	c.t.AbsorbWords(tagNonce, low, high)
	return c.t.Indices(tagQueries, n)
}

// NativeChallenges is the transcript of a prover.
type NativeChallenges = Challenges[field.Ext, hash.Digest]

// Queries draws the distinct places of a proof, ascending.
func Queries(c *NativeChallenges, nonce uint64, p Params) []uint32 {
	low, high := hash.NonceWords(nonce)
	places := Native{}.places(c.Queries(field.FromBase(low), field.FromBase(high), p.Queries), p.Queries, p.LogN+p.LogBlowup)
	return Distinct(places)
}
