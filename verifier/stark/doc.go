// Package stark verifies proofs about any set of described tables (package air): the lifted STARK.
//
// Its parts: Params and Instance, what the verifier knows beside the proof; Layout, which column lies where in which tree;
// Proof and its strict codec; Challenges, the transcript; Constraints, one component's equations; Check, the verifier, over
// any Arithmetic and Opener of trees; Native, the arithmetic of values themselves, and Verify, which is Check over it. Package
// recursion has the arithmetic of wires.
//
//	inst := &stark.Instance{Set: set, Params: params, LogHeights: heights, ...}
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
//	parameters, the set's identity; public words, digests and values; heights, scalars
//	roots of the preprocessed, program and main trees          -> z, alpha (lookups)
//	claimed sum of each component; root of interaction tree    -> weight of the constraints
//	root of the composition tree                               -> zeta, outside of the base field
//	all opened values                                          -> weight of the DEEP terms
//	root of each FRI layer                                     -> its fold challenge
//	final polynomial, proof of work                            -> query places
//
// A component's interaction column j holds the sum of the row's fractions of batches 0..j (air.Component.Batches). The last
// one is also summed over the rows, less claim/2^k a row, so that it closes on itself without a first or last row. Columns
// over the extension are committed and opened coordinate by coordinate; deep.go has the weights of the openings.
//
// # Why short columns need not be shown to be periodic
//
// Let w = w_n, and let a verifier accept. Then (but for the errors that the security calculator sums) there are polynomials
// of degree below 2^n behind all trees, and zeta, drawn after they were fixed, shows polynomial identities of them:
//
//	(1) each constraint of each component vanishes on all 2^n rows w^r, where "the previous row" is w^(r-1);
//	(2) the last interaction column S of each component satisfies S(w^(2^k) x) = S(x): the value that the proof opens at
//	    zeta is used for the DEEP term at zeta * w^(2^k) as well.
//
// Main and interaction columns of a component of 2^k rows are not known to be periodic. Read them on the rows as 2^(n-k)
// windows of 2^k. Preprocessed columns are periodic: their commitments are known, a component reads the row counter of its
// own height, fixed tables at theirs, the program table at the height in the program's key, and a circuit's tables at those
// in its verifying key.
//
// Claim: window 0 alone, with the claimed sum, is a satisfying trace of the component on 2^k rows. The constraints of the
// description and those of all interaction columns but the last read one row only, so by (1) they hold in each row of
// window 0; its preprocessed cells are those of a table of 2^k rows. The last column's constraint reads S at the previous
// row. For the rows 1 .. 2^k - 1 of window 0 that is a row of window 0; for row 0 it is row 2^n - 1, the last of the last
// window, where S has by (2) the value of row 2^k - 1. So S closes over window 0: adding its constraint up over the rows
// gives that the fractions of window 0 sum to 2^k times the share, which is the claim. The other windows satisfy the same
// with their own cells, which no statement speaks of.
//
// Without (2) a claim need only be the mean of the windows' sums: window 0 could yield what nobody yields and the other
// windows take it back. The argument needs that nothing but running sums reads another row: a description has no means to.
//
// The sum of all claims and of the public fractions is zero, so the lookups of the windows 0 of all components, with the
// public ones, cancel (Haboeck, ePrint 2022/1530). Numerators of uses are 0 or 1 and NewLayout bounds their number below
// p, so that each used tuple is yielded by some row of a table that may. (Circuits have balances instead, which NewLayout
// does not count: package circuit has their argument.)
//
// # What a caller must bring
//
// Verify trusts its Instance. The preprocessed root must be the caller's own constant for the set and Params, the program
// root must come from the program's key, Params from the caller's configuration, never from the proof, and Public,
// PublicDigests and PublicExt must together hold every word of the statement. A root alone does not say how high its columns
// are: where components of any height read a preprocessed table or a program, what names the root must name their heights.
package stark
