package node

import (
	"errors"
	"fmt"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/home"
	"github.com/seed06907907/fatty/verifier"
)

// verifierProofs is the real proof system with the versions and the level that genesis fixes.
func verifierProofs(r home.ProofRules) Proofs {
	accept := verifier.Accept{Security: r.SecurityBits, Kind: verifier.KindSpan}
	for _, v := range r.Versions {
		accept.Versions = append(accept.Versions, uint16(v))
	}
	return Proofs{
		ProgramKey: programKey,
		SpanInputs: spanInputs,
		Verify: func(proof []byte) lockspace.Verdict {
			s, err := verifier.Verify(proof, accept)
			return spanVerdict(r.SecurityBits, s, err)
		},
		Envelope: func(program, proof []byte) ([]byte, error) {
			p, err := verifier.DecodeProgram(program)
			if err != nil {
				return nil, err
			}
			return verifier.EncodeEnvelope(p, proof)
		},
	}
}

// spanVerdict is what a verified proof says to the lock space, which takes spans of one level alone.
func spanVerdict(security int, s verifier.Statement, err error) lockspace.Verdict {
	const only = "renewals carry span proofs"
	switch {
	case errors.Is(err, verifier.ErrKind), errors.Is(err, verifier.ErrFormat), errors.Is(err, verifier.ErrVersion):
		return lockspace.Verdict{Reason: only + ": " + err.Error()}
	case err != nil:
		return lockspace.Verdict{Reason: err.Error()}
	case s.Kind != verifier.KindSpan || s.Span == nil:
		return lockspace.Verdict{Reason: only + ", and this is the proof of a run: wrap it"}
	case s.Security != security:
		// It is surer, but no span of the ledger's level can be merged with it: the chain of lives would end.
		return lockspace.Verdict{Reason: fmt.Sprintf("a span proof of level %d: this ledger takes those of level %d alone, as the two are not merged", s.Security, security)}
	case s.Shrunk:
		// A successor could not extend it: the chain of lives would end with whoever hands one in.
		return lockspace.Verdict{Reason: "a shrunk span proof can be merged no more: hand in the one that it was made from"}
	}
	return lockspace.Verdict{OK: true, Key: lockspace.Digest(s.Key), Life: s.Life, Anchor: s.Anchor,
		T0: s.Span.T0, S0: lockspace.Felt(s.Span.S0), T1: s.Span.T1, S1: lockspace.Felt(s.Span.S1), Inputs: lockspace.Digest(s.Span.Inputs)}
}

// spanInputs is the verifier's digest of what a span's runs consumed.
func spanInputs(runs []lockspace.Felt) lockspace.Digest {
	list := make([]verifier.Felt, len(runs))
	for i, f := range runs {
		list[i] = verifier.Felt(f)
	}
	return lockspace.Digest(verifier.SpanInputs(list))
}

// programKey names a canonical program. A panic, which would be a bug of the verifier, refuses the program on every replica
// alike and stops none of them.
func programKey(program []byte) (id wire.CID, key lockspace.Digest, err error) {
	defer func() {
		if r := recover(); r != nil {
			id, key, err = wire.CID{}, lockspace.Digest{}, fmt.Errorf("the program's key cannot be derived, please report it: %v", r)
		}
	}()
	p, err := verifier.DecodeProgram(program)
	if err != nil {
		return wire.CID{}, lockspace.Digest{}, err
	}
	k, err := p.Key()
	return wire.Sum(program), lockspace.Digest(k), err
}
