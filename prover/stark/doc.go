// Package stark proves satisfying traces of any set of described tables; package verifier/stark says what it proves and
// in which format.
//
// Its parts: Fixed, a committed preprocessed or program tree that many proofs share; Trace, the main columns; Prove.
//
//	pre, err := stark.CommitPreprocessed(ctx, set, params, tables) // once a process: kept for the next proof
//	inst.Preprocessed = pre.Root()                        // a verifier compares with its own constant
//	proof, err := stark.Prove(ctx, inst, pre, nil, trace, stark.Options{})
//	bytes, err := proof.Encode(inst)
//
// # Order of values
//
// Columns stand in natural row order everywhere. The extension of a column of 2^k rows at blow-up 2^b is 2^b blocks, block
// beta over the coset Shift(k) * Root(k+b)^beta * <Root(k)>, entry j at Root(k)^j. So the previous row is the previous entry,
// a short column over a long domain is the same block over and over, and no vector is ever permuted: only digests are, once,
// into the bit-reversed order of the trees, and the FRI codeword.
package stark
