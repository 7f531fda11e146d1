package verifier

import (
	"sync"

	"github.com/seed06907907/fatty/verifier/recursion"
	"github.com/seed06907907/fatty/verifier/stark"
)

// levels are the circuits of each level of security.
var levels = sync.OnceValue(func() map[int]*recursion.Level {
	out := map[int]*recursion.Level{}
	for _, security := range []int{Security100, Security124} {
		l := &recursion.Level{}
		for i := range parameterSets {
			s := &parameterSets[i]
			if s.security != security {
				continue
			}
			// Both levels have one blow-up for each pinned size, and so one root.
			l.Runs = append(l.Runs, recursion.RunForm{Params: s.params, Preprocessed: preprocessedRoots[len(l.Runs)], Head: s.head(),
				Roots: len(pinnedSizes), Root: len(l.Runs), MaxProgram: maxProgramLog})
		}
		out[security] = l
	}
	shape := func(n, blowup, queries, grind, final int) stark.Params {
		return stark.Params{LogN: n, LogBlowup: blowup, Queries: queries, QueryGrind: grind, FoldLog: 3, FinalLog: final}
	}
	out[Security100].Shapes = [recursion.Shapes]stark.Params{shape(14, 4, 43, 20, 5), shape(16, 4, 43, 20, 4)}
	out[Security100].Shrink = shape(13, 5, 33, 24, 4)
	out[Security124].Shapes = [recursion.Shapes]stark.Params{shape(15, 4, 56, 20, 6), shape(16, 4, 56, 20, 4)}
	out[Security124].Shrink = shape(14, 5, 44, 24, 5)
	return out
})

// Recursion returns the circuits of a level of security, Security100 or Security124.
func Recursion(security int) *recursion.Level { return levels()[security] }
