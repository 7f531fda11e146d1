package verifier

import (
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// preprocessedRoots are the roots of the preprocessed tree of cairo.Core, one for each pinned size. They are
// constants of the verifier, never taken from a proof; a test computes them anew.
var preprocessedRoots = [len(pinnedSizes)]hash.Digest{
	rootOf(0x5efc3c78, 0x7010ae9e, 0x31a67764, 0x132fcc3d, 0x78d4eb30, 0x4f16f938, 0x10309198, 0x5d744dc1), // 2^16 rows, blow-up 8
	rootOf(0x709caba9, 0x49680508, 0x57b18296, 0x13f777a2, 0x284f5d95, 0x1b9e6bd5, 0xf58737, 0x730deb08),   // 2^18 rows, blow-up 2
	rootOf(0x4947b713, 0x93be00b, 0x2522c085, 0x56059d36, 0x3fef6eaa, 0x6a4e275b, 0x79af8af8, 0x3a61f100),  // 2^20 rows, blow-up 2
}

func rootOf(words ...uint64) (d hash.Digest) {
	for i, w := range words {
		d[i] = field.New(w)
	}
	return d
}
