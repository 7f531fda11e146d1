// Package stark verifies proofs about any set of described tables (package air): the lifted STARK.
//
// Its parts: Params and Instance, what the verifier knows beside the proof; Layout, which column lies where in which tree;
// Proof and its strict codec; Constraints, one component's equations over any arithmetic; Verify.
//
//	inst := &stark.Instance{Set: set, Params: stark.Proven100(16), LogHeights: heights, ...}
//	proof, err := stark.DecodeProof(bytes, inst)
//	if err == nil {
//		err = stark.Verify(inst, proof)
//	}
//
// # The protocol
//
// A size n is pinned. A column of 2^k rows, read as the polynomial f, stands for f(x^m), m = 2^(n-k), of degree below 2^n.
// So all components share one out-of-domain point zeta, one previous-row point zeta/w_n, one vanishing polynomial
// x^(2^n) - 1, one composition polynomial and one FRI codeword. The order of the transcript:
//
//	parameters, the set's identity, public words, heights, scalars
//	roots of the preprocessed, program and main trees          -> z, alpha (lookups)
//	claimed sum of each component; root of interaction tree    -> weight of the constraints
//	root of the composition tree                               -> zeta
//	all opened values                                          -> weight of the DEEP terms
//	root of each FRI layer                                     -> its fold challenge
//	final polynomial, proof of work                            -> query places
//
// A component's interaction column j holds the sum of the row's fractions of batches 0..j (air.Component.Batches). The last
// one is also summed over the rows, less claim/2^k a row, so that it closes on itself without a first or last row.
//
// # Why short columns need not be shown to be periodic
//
// Read a committed polynomial of degree below 2^n on its 2^n rows as windows of 2^k. Preprocessed columns are periodic
// because their commitment is known, and a component reads the columns of its own height. The only cells that a constraint
// reads from another row are the previous ones of running sums. Each running sum's value at zeta is also its value at
// zeta * w_n^(2^k), checked by one more DEEP term, so it is periodic. So each window's sum telescopes to the same
// claim, and window 0 by itself is a satisfying trace of 2^k rows with the claimed sum, whatever main columns hold in the
// other windows.
//
// # What a caller must bring
//
// Verify trusts its Instance. The preprocessed root must be the caller's own constant for the set and Params, the program
// root must come from the program's key, Params from the caller's configuration, never from the proof, and
// Public must hold every word of the statement.
package stark
