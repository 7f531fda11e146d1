// Package verifier is the trusted base of fatty: what a proof says, and whether it holds. It is a set of pure functions
// of bytes, small enough to read.
//
// Its parts: Program and its two names, CID for people and Key for proofs; Verify and VerifyFile; Statement and the
// clock ABI that it holds for a machine; the security calculator (Shape, Level). Below it: air describes tables, cairo
// describes Cairo's, stark checks the lifted STARK, hash and field are its arithmetic. The format of a proof is drawn in
// proof.go, the argument why a false one fails in docs/proof-system.md.
//
//	s, err := verifier.Verify(proof, verifier.Accept{Security: verifier.Security100})
//	if err != nil { ... }             // ErrFormat, ErrVersion or ErrInvalid, with the reason
//	if s.Key != key || s.Life != life || s.Anchor != anchor { ... }
//	clock, err := s.Clock()           // from (T0, S0) to (T1, S1)
package verifier
