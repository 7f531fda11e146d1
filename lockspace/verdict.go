package lockspace

import (
	"errors"
	"fmt"

	"github.com/seed06907907/fatty/internal/wire"
)

// Verdict is what the verifier says about one span proof: a pure function of its bytes, which node computes beforehand.
type Verdict struct {
	OK     bool   `cbor:"ok"`
	Reason string `cbor:"reason,omitempty"` // why not
	Key    Digest `cbor:"key"`              // the program key that the proof is for
	Life   Digest `cbor:"life"`
	Anchor Digest `cbor:"anchor"`
	T0     uint64 `cbor:"t0"` // the clock: (T0, S0) -> (T1, S1), by runs whose inputs have the digest Inputs
	S0     Felt   `cbor:"s0"`
	T1     uint64 `cbor:"t1"`
	S1     Felt   `cbor:"s1"`
	Inputs Digest `cbor:"inputs"`
}

// Need says what the verdicts on a transaction's proofs must be, as of some state: node knows from it which bytes are
// worth the time to verify them.
type Need struct {
	Proof   Proof
	Program wire.CID
	Key     Digest
	Life    Digest
	Anchor  Digest
	T0      uint64
	S0      Felt
	Inputs  Digest // of the runs that the transaction lists
	Steps   uint64 // t1-t0, where the terms fix it; 0 means any
	// S1 is where the span must end, where the transaction brings the state that it ends in.
	S1 *Felt
	// Whole is what the whole-life span must say, where the transaction attaches one.
	Whole *WholeNeed
}

// WholeNeed is a span from the machine's start to the last accepted (t, S). Whose it is, when it was made and what it
// consumed do not matter: it goes through many lives, and what each of them consumed was checked when it came.
type WholeNeed struct {
	Proof Proof
	Key   Digest
	Start Felt
	T     uint64
	S     Felt
}

// Match says why a verdict is not the one needed, or nil. A wrong one counts against its author.
func (n *Need) Match(v *Verdict) error {
	switch {
	case !v.OK:
		return refuse(CodeProof, "the proof does not verify: %.200s", v.Reason)
	case v.Key != n.Key:
		return refuse(CodeProof, "the proof is of another program: key %s, want %s", v.Key, n.Key)
	case v.Life != n.Life:
		return refuse(CodeProof, "the proof was made for another lock, generation or holder: life %s, want %s", v.Life, n.Life)
	case v.Anchor != n.Anchor:
		return refuse(CodeProof, "the proof has another anchor: %s, want %s", v.Anchor, n.Anchor)
	case v.T0 != n.T0 || v.S0 != n.S0:
		return refuse(CodeProof, "the proof starts at t = %d, S = %s; the lock's clock is t = %d, S = %s", v.T0, v.S0, n.T0, n.S0)
	case v.T1 <= v.T0 || v.T1 >= MaxClock || !v.S1.Valid():
		return refuse(CodeProof, "the proof ends at t = %d: want above %d and below 2^62", v.T1, v.T0)
	case n.Steps != 0 && v.T1-v.T0 != n.Steps:
		return refuse(CodeProof, "the proof makes %d transitions; its runs consumed %d transactions", v.T1-v.T0, n.Steps)
	case v.Inputs != n.Inputs:
		return refuse(CodeProof, "the proof's runs are others, or consumed other inputs: digest %s, want %s", v.Inputs, n.Inputs)
	case n.S1 != nil && v.S1 != *n.S1:
		return refuse(CodeProof, "the proof ends in S = %s; the opening that came with it is of %s", v.S1, *n.S1)
	}
	return nil
}

// Match is Need.Match for the whole-life span.
func (n *WholeNeed) Match(v *Verdict) error {
	switch {
	case !v.OK:
		return refuse(CodeBadWhole, "the whole-life span does not verify: %.200s", v.Reason)
	case v.Key != n.Key:
		return refuse(CodeBadWhole, "the whole-life span is of another program: key %s, want %s", v.Key, n.Key)
	case v.T0 != 0 || v.S0 != n.Start:
		return refuse(CodeBadWhole, "the whole-life span starts at t = %d, S = %s: want the machine's start, t = 0, S = %s", v.T0, v.S0, n.Start)
	case v.T1 != n.T || v.S1 != n.S:
		return refuse(CodeBadWhole, "the whole-life span ends at t = %d, S = %s: want what was accepted last, t = %d, S = %s", v.T1, v.S1, n.T, n.S)
	}
	return nil
}

// judge compares the verdicts on the transaction's proofs with what is needed. In Precheck there are none yet. The
// whole-life span's is looked at only when the other is right: one lie is punished once.
func (x *execution) judge(n *Need) (*Verdict, error) {
	if x.dry {
		x.need = n
		return nil, errDry
	}
	if x.verdict == nil {
		return nil, fmt.Errorf("the verdict on proof %s is missing", n.Proof.ID)
	}
	x.receipt.Verdict = x.verdict
	if err := n.Match(x.verdict); err != nil || n.Whole == nil {
		return x.verdict, err
	}
	if x.whole == nil {
		return nil, fmt.Errorf("the verdict on whole-life span %s is missing", n.Whole.Proof.ID)
	}
	x.receipt.Whole = x.whole
	return x.verdict, n.Whole.Match(x.whole)
}

// errDry ends a Precheck where the verdicts would be needed.
var errDry = errors.New("the verdict is needed")

// chargeProofs takes so many proofs from the signer's allowance, which the transaction uses up whatever becomes of it.
func (x *execution) chargeProofs(n int) error {
	a := *get[Account](x, accountKey(x.tx.Signer))
	q := a.Quota
	debt := max(a.ProofDebt, x.clock) + Time(q.Refill)*Time(n)
	if debt > x.clock+Time(q.Refill)*Time(q.Proofs) {
		return refuse(CodeQuota, "account %s has used its proof allowance: %d at once, one more each %d ms", x.tx.Signer, q.Proofs, q.Refill/1e6)
	}
	a.ProofDebt = debt
	x.put(accountKey(x.tx.Signer), &a)
	return nil
}

// punish drains the allowance of one whose proof was bad. chargeProofs has let it be empty at most, so that it ends at
// most BadProof below.
func (x *execution) punish() {
	a := *get[Account](x, accountKey(x.tx.Signer))
	a.ProofDebt = max(a.ProofDebt, x.clock) + Time(a.Quota.Refill)*Time(x.s.rules.BadProof)
	x.put(accountKey(x.tx.Signer), &a)
}
