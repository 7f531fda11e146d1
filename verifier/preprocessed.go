package verifier

import (
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// preprocessedRoots are the roots of the preprocessed tree of cairo.Core at blow-up 2, one for each pinned size. They are
// constants of the verifier, never taken from a proof; a test computes them anew.
var preprocessedRoots = [len(pinnedSizes)]hash.Digest{
	rootOf(0x3db5860d, 0x356f6c48, 0x2905d7a5, 0x557641b9, 0x70ea724c, 0x7d1d1acc, 0x440df90d, 0x71e67bc9), // 2^16 rows
	rootOf(0x709caba9, 0x49680508, 0x57b18296, 0x13f777a2, 0x284f5d95, 0x1b9e6bd5, 0xf58737, 0x730deb08),   // 2^18 rows
	rootOf(0x4947b713, 0x93be00b, 0x2522c085, 0x56059d36, 0x3fef6eaa, 0x6a4e275b, 0x79af8af8, 0x3a61f100),  // 2^20 rows
}

func rootOf(words ...uint64) (d hash.Digest) {
	for i, w := range words {
		d[i] = field.New(w)
	}
	return d
}
