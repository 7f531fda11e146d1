package stark

import (
	"errors"
	"fmt"

	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// ErrRejected is wrapped by every error about a well-formed proof of something that is not so.
var ErrRejected = errors.New("the proof does not hold")

// Verify checks a proof about an instance. It trusts the instance and nothing of the proof.
func Verify(inst *Instance, proof *Proof) error {
	l, err := NewLayout(inst)
	if err != nil {
		return err
	}
	if err := proof.check(l, proof.places(l)); err != nil {
		return err
	}
	if inst.Params.QueryGrind == 0 && proof.Nonce != 0 || proof.Nonce > hash.MaxNonce {
		return fmt.Errorf("a nonce that no proof of work needs: %w", ErrRejected)
	}
	n, failed := NewNative()
	Check(n, inst.subject(n), proof.Messages(), &opener{n: n, l: l, p: proof}, func() bool { return *failed == nil })
	return *failed
}

// Messages is what the prover says before the queries.
func (p *Proof) Messages() *Messages[field.Ext, hash.Digest] {
	low, high := hash.NonceWords(p.Nonce)
	return &Messages[field.Ext, hash.Digest]{Main: p.MainRoot, Interaction: p.InteractionRoot, Composition: p.CompositionRoot,
		Claims: p.Claims, Open: p.Open, Layers: p.LayerRoots, Final: p.Final, NonceLow: field.FromBase(low), NonceHigh: field.FromBase(high)}
}

// places is the number of leaves that a proof opens in each tree.
func (p *Proof) places(l *Layout) int { return len(p.Rows[TreeMain]) / len(l.Columns[TreeMain]) }

// Share returns claim / 2^k.
func Share(claim field.Ext, k int) field.Ext {
	inv := field.New(1 << k)
	inv.Inverse(&inv)
	return field.Scale(claim, inv)
}
