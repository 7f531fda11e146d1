// Package recursion describes the circuits that prove proofs: what a span proof is a proof of. It runs the one verifier,
// stark.Check, over wires of package circuit; there is no second one.
//
// Its parts: Wrap, Merge and Shrink, the circuits; Form and Level, which circuits there are and by which parameters they are
// proven; Statement with its Digest, and Key, the verifying key of a circuit, both over any arithmetic; List, the list of
// keys. Package verifier holds the constants, the format of span proofs, and what turns proofs into values (assign.go there).
//
//	b := circuit.NewBuilder()
//	recursion.Merge(b, params, params, left, right)   // *Span: two proofs, their statements, where their keys are listed
//	if err := b.Err(); err != nil { ... }             // what does not hold: no proof of these values is accepted
//	c, err := b.Finish(heights)
//	public := c.Public                                // the digest of the joined statement, and two scalars
//
// # What the circuits say
//
//	wrap    a run proof of one pinned size holds; its output is the clock ABI with t0 < t1 < 2^62; the statement is the
//	        output's, the key is hashed from its preimage
//	merge   two span proofs of some shapes hold, each made by a listed circuit; they are of one program and one list,
//	        the left one ends where the right one begins; each has t0 < t1
//	shrink  one span proof holds, by a listed circuit; the statement is its own
//
// A circuit must be the same whatever proofs it is filled with: everything that decides which calls are made is a constant of
// its form. Heights are indicators, openings are as many as queries, and Blank fills a form with values that mean nothing.
//
// # What holds them together
//
// The circuits that may stand below a merge are listed by key; the list's root is in every statement. No circuit knows it: a wrap takes
// it, a merge demands one of both halves, and who verifies natively compares it with its own. A key is the hash of
// parameters, heights and root of preprocessed columns. Shrinks are not in the list.
//
// The weight of a checked proof's openings is a public scalar of the circuit (circuit.Side): the circuit says that it is the
// one that its transcript drew, and the next verifier, that it is the one in the proof's transcript, coefficients and public
// data. Words of felts are ranged in a wrap, where they are an output's; later only clocks are, where they are compared. Each
// merge shows t0 < t1 of both halves: so an extractor's way down ends.
//
// docs/proof-system.md has the argument in full: what an accepted span implies, and where every public value is bound.
package recursion
