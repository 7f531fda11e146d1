package node

import (
	"fmt"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/home"
	"github.com/seed06907907/fatty/verifier"
)

// verifierProofs is the real proof system with the versions and the level that genesis fixes.
func verifierProofs(r home.ProofRules) Proofs {
	// A renewal is a clock: whoever puts more into its output only makes validators work.
	accept := verifier.Accept{Security: r.SecurityBits, MaxOutput: verifier.ClockFelts}
	for _, v := range r.Versions {
		accept.Versions = append(accept.Versions, uint16(v))
	}
	return Proofs{
		ProgramKey: programKey,
		Verify: func(proof []byte) lockspace.Verdict {
			s, err := verifier.Verify(proof, accept)
			if err != nil {
				return lockspace.Verdict{Reason: err.Error()}
			}
			c, err := s.Clock()
			if err != nil {
				return lockspace.Verdict{Reason: err.Error()}
			}
			return lockspace.Verdict{OK: true, Key: lockspace.Digest(s.Key), Life: s.Life, Anchor: s.Anchor, T0: c.T0, S0: c.S0, T1: c.T1, S1: c.S1, Inputs: c.Inputs}
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
