// Package verifier is the trusted base of fatty: what a proof says, and whether it holds. It is a set of pure functions
// of bytes, small enough to read.
//
// Its parts: Program and its two names, CID for people and Key for proofs; Verify and VerifyFile, for proofs of runs and of
// spans; Statement, the clock ABI that it holds for a machine, and Span; the security calculator (Shape, Level); for a prover
// of spans, the circuits and their values (AssignWrap, AssignMerge, AssignShrink). Below it: air describes tables, cairo
// describes Cairo's, circuit those of circuits, recursion the circuits that verify proofs; stark checks the lifted STARK, over
// values or wires; hash and field are its arithmetic. The formats of proofs are drawn in proof.go and spanproof.go, the argument
// why a false one fails is in docs/proof-system.md.
//
//	s, err := verifier.Verify(proof, verifier.Accept{Security: verifier.Security100, Kind: verifier.KindSpan})
//	if err != nil { ... }             // ErrFormat, ErrVersion, ErrKind or ErrInvalid, with the reason
//	if s.Key != key || s.Life != life || s.Anchor != anchor { ... }
//	s.Span                            // from (T0, S0) to (T1, S1), by runs with these inputs
package verifier
