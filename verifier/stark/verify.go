package stark

import (
	"errors"
	"fmt"

	"github.com/seed06907907/fatty/verifier/air"
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
	places := len(proof.Rows[TreeMain]) / len(l.Columns[TreeMain])
	if err := proof.check(l, places); err != nil {
		return err
	}
	ch := NewChallenges(inst)
	fp := ch.Lookup(proof.MainRoot)
	if err := checkClaims(inst, fp, proof.Claims); err != nil {
		return err
	}
	weight := ch.Weight(proof.Claims, proof.InteractionRoot)
	zeta, err := ch.Zeta(proof.CompositionRoot)
	if err != nil {
		return err
	}
	if err := checkConstraints(inst, l, proof, fp, weight, zeta); err != nil {
		return err
	}
	deep := NewDeep(l, inst.LogHeights, ch.Deep(&proof.Open))
	folds := make([]field.Ext, len(proof.LayerRoots))
	for i, root := range proof.LayerRoots {
		folds[i] = ch.Fold(root)
	}
	seed := ch.Seed(proof.Final)
	if inst.Params.QueryGrind == 0 && proof.Nonce != 0 || !hash.Ground(seed, proof.Nonce, inst.Params.QueryGrind) {
		return fmt.Errorf("the proof of work is not one of %d bits: %w", inst.Params.QueryGrind, ErrRejected)
	}
	opened := Distinct(ch.Queries(proof.Nonce, inst.Params))
	if len(opened) != places {
		return fmt.Errorf("the transcript draws %d places, the proof opens %d: %w", len(opened), places, ErrRejected)
	}
	if err := checkRows(inst, l, proof, opened); err != nil {
		return err
	}
	return verifyLayers(inst.Params, proof, folds, opened, deep.codeword(inst.Params, proof, zeta, opened))
}

// checkClaims checks that all lookups together, those of the public data included, cancel.
func checkClaims(inst *Instance, fp Fingerprint, claims []field.Ext) error {
	var total field.Ext
	for _, c := range claims {
		total = field.Add(total, c)
	}
	if inst.PublicSum != nil {
		public, err := inst.PublicSum(fp)
		if err != nil {
			return err
		}
		total = field.Add(total, public)
	}
	if !total.IsZero() {
		return fmt.Errorf("some lookup finds nothing: the claimed sums do not cancel: %w", ErrRejected)
	}
	return nil
}

// checkConstraints compares the weighted constraints at zeta, evaluated from the opened values, with the composition
// polynomial there: sum = (h_0 + zeta^(2^n) h_1) * (zeta^(2^n) - 1).
func checkConstraints(inst *Instance, l *Layout, proof *Proof, fp Fingerprint, weight, zeta field.Ext) error {
	var ar field.Arithmetic
	lk := Lookup[field.Ext]{Z: fp.Z, Powers: field.Powers(fp.Alpha, WidestRelation(inst.Set)+1)[1:]}
	power := field.One()
	var sum field.Ext
	for i, c := range inst.Set.Components {
		values := Values[field.Ext]{
			Row: air.Row[field.Ext]{
				Main:   proof.Open.Main[l.Main[i] : l.Main[i]+len(c.Main)],
				Fixed:  make([]field.Ext, len(c.Fixed)),
				Params: make([]field.Ext, len(c.Params)),
			},
			Sums:     proof.Open.Interaction[l.Interaction[i] : l.Interaction[i]+len(c.Batches)],
			Previous: proof.Open.Previous[i],
			Share:    Share(proof.Claims[i], inst.LogHeights[i]),
		}
		for j, ref := range l.Fixed[i] {
			if ref.Tree == TreeProgram {
				values.Row.Fixed[j] = proof.Open.Program[ref.Column]
			} else {
				values.Row.Fixed[j] = proof.Open.Preprocessed[ref.Column]
			}
		}
		for j, s := range inst.Scalars[i] {
			values.Row.Params[j] = field.FromBase(s)
		}
		cs, err := Constraints(c, ar, values, lk)
		if err != nil {
			return err
		}
		for _, v := range cs {
			sum = field.Add(sum, field.Mul(power, v))
			power = field.Mul(power, weight)
		}
	}
	zn := field.Square2(zeta, inst.Params.LogN)
	h := field.Add(proof.Open.Composition[0], field.Mul(zn, proof.Open.Composition[1]))
	if sum != field.Mul(h, field.Sub(zn, field.One())) {
		return fmt.Errorf("the constraints do not hold at the out-of-domain point: %w", ErrRejected)
	}
	return nil
}

// Share returns claim / 2^k.
func Share(claim field.Ext, k int) field.Ext {
	inv := field.New(1 << k)
	inv.Inverse(&inv)
	return field.Scale(claim, inv)
}

// checkRows checks the opened leaves of all trees against their roots.
func checkRows(inst *Instance, l *Layout, proof *Proof, places []uint32) error {
	roots := [Trees]hash.Digest{inst.Preprocessed, inst.Program, proof.MainRoot, proof.InteractionRoot, proof.CompositionRoot}
	leaves := make([]hash.Digest, len(places))
	for t, root := range roots {
		width := len(l.Columns[t])
		if width == 0 {
			continue
		}
		hash.Leaves(leaves, proof.Rows[t], width)
		if err := hash.VerifyMulti(root, l.Depth(), l.Twins(t), places, leaves, proof.Paths[t]); err != nil {
			return fmt.Errorf("tree %d: %w", t, err)
		}
	}
	return nil
}
