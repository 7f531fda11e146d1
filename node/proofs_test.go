package node

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/lockspace/poseidon"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/node/home"
	"github.com/seed06907907/fatty/verifier"
)

// A run proof that holds is refused, and says what is wanted; so is what is no proof.
func TestRenewalsCarrySpans(t *testing.T) {
	file, err := os.ReadFile("../prover/testdata/lcg.proof")
	if err != nil {
		t.Fatal(err)
	}
	_, run, err := verifier.DecodeEnvelope(file)
	if err != nil {
		t.Fatal(err)
	}
	p := verifierProofs(home.DefaultGenesis("x").Proofs)
	for what, proof := range map[string][]byte{"a run proof": run, "half of one": run[:len(run)/2], "nothing": nil, "garbage": []byte("garbage")} {
		if v := p.Verify(proof); v.OK || !strings.Contains(v.Reason, "renewals carry span proofs") {
			t.Errorf("%s: %+v", what, v)
		}
	}
}

// What the lock space cannot import and says for itself is what the verifier says.
func TestLockSpaceAgreesWithTheVerifier(t *testing.T) {
	if lockspace.MaxProof != verifier.MaxSpanBytes || lockspace.MaxClock != verifier.MaxClock {
		t.Error("the bounds of a proof or a clock differ")
	}
	if v := lockspace.DefaultRules().ProofVersions; len(v) != 1 || v[0] != verifier.ProofVersion {
		t.Errorf("the default rules take versions %v", v)
	}
}

// The lock space gets a span's statement word for word, and the reason why there is none.
func TestSpanVerdict(t *testing.T) {
	span := verifier.Span{T0: 3, S0: lockspace.FeltOf(4), T1: 5, S1: lockspace.FeltOf(6), Inputs: verifier.InputsDigest{7}}
	s := verifier.Statement{Kind: verifier.KindSpan, Key: verifier.Key{1}, Life: [32]byte{2}, Anchor: [32]byte{3}, Span: &span, Security: verifier.Security100}
	want := lockspace.Verdict{OK: true, Key: lockspace.Digest{1}, Life: lockspace.Digest{2}, Anchor: lockspace.Digest{3},
		T0: 3, S0: lockspace.FeltOf(4), T1: 5, S1: lockspace.FeltOf(6), Inputs: lockspace.Digest{7}}
	if got := spanVerdict(verifier.Security100, s, nil); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	bad := fmt.Errorf("query 3: %w", verifier.ErrInvalid)
	shrunk := s
	shrunk.Shrunk = true
	if got := spanVerdict(verifier.Security100, shrunk, nil); got.OK || got.Key != (lockspace.Digest{}) {
		t.Errorf("a shrunk span, which no successor can extend, is taken: %+v", got)
	}
	if got := spanVerdict(verifier.Security124, s, nil); got.OK || !strings.Contains(got.Reason, "level 100") {
		t.Errorf("a span of another level, which none of the ledger's can be merged with, is taken: %+v", got)
	}
	surer := s
	surer.Security = verifier.Security124
	if got := spanVerdict(verifier.Security100, surer, nil); got.OK || !strings.Contains(got.Reason, "level 124") {
		t.Errorf("a span of another level, which none of the ledger's can be merged with, is taken: %+v", got)
	}
	if got := spanVerdict(verifier.Security100, verifier.Statement{}, bad); got.OK || got.Reason != bad.Error() {
		t.Errorf("%+v", got)
	}
	run := verifier.Statement{Kind: verifier.KindRun, Key: s.Key, Output: make([]verifier.Felt, verifier.ClockFelts)}
	if got := spanVerdict(verifier.Security100, run, nil); got.OK || got.Key != (lockspace.Digest{}) {
		t.Errorf("%+v", got)
	}
	felts := []lockspace.Felt{lockspace.FeltOf(1), lockspace.FeltOf(2), {}}
	if got := spanInputs(felts); got != lockspace.Digest(verifier.SpanInputs([]verifier.Felt{felts[0], felts[1], felts[2]})) || got == spanInputs(felts[:2]) {
		t.Errorf("inputs %s", got)
	}
}

// What is kept to serve goes with its lock, and a node that does not have the bytes that the state names says so.
func TestKeptProofs(t *testing.T) {
	c := newCell(t, 1)
	n := c.start(0)
	w := newMachineWorld(c)
	w.create(0)
	b := backend{n}
	ask := func(what string, newest, whole int) {
		t.Helper()
		for i, want := range []int{newest, whole} {
			f := []func() (*api.MachineProof, error){
				func() (*api.MachineProof, error) {
					return b.MachineProof(t.Context(), api.MachineParams{Machine: w.path})
				},
				func() (*api.MachineProof, error) { return b.WholeLife(t.Context(), api.MachineParams{Machine: w.path}) },
			}[i]
			if _, err := f(); api.CodeOf(err) != want {
				t.Errorf("%s, proof %d: %v, want code %d", what, i, err, want)
			}
		}
	}
	ask("before the first", api.CodeNotFound, api.CodeNotFound)
	if r := w.acquire(0, 1); !r.OK {
		t.Fatalf("%+v", r)
	}
	for range 2 {
		if r := w.renew(0, 1, nil); !r.OK {
			t.Fatalf("%+v", r)
		}
	}
	ask("renewed", 0, 0)
	l, id, err := n.app.State().Lock(w.path)
	if err != nil {
		t.Fatal(err)
	}
	// As after a replay, which had no bytes.
	if err := n.store.db.Delete(digestKey(tableWhole, id), nil); err != nil {
		t.Fatal(err)
	}
	ask("without the whole life", 0, api.CodeGone)
	if r := c.do(0, &lockspace.Release{Path: w.path, Instance: l.Instance, Generation: 1}); !r.OK {
		t.Fatalf("%+v", r)
	}
	m, err := b.Machine(t.Context(), api.MachineParams{Machine: w.path})
	if err != nil || !m.WholeLifeDue || m.WholeLifeTill.IsZero() || m.Proof == "" || m.WholeLifeT != 20 || m.ProofT0 != 20 {
		t.Errorf("the free lock: %+v, %v", m, err)
	}
	if r := c.do(0, &lockspace.Delete{Path: w.path}); !r.OK {
		t.Fatalf("%+v", r)
	}
	if _, err := n.store.Proof(proofKey{tableProof, id}); !errors.Is(err, errNoRecord) {
		t.Errorf("the deleted lock's proof: %v", err)
	}
}

// A successor reads the opening of a state where the last holder's proof left it.
func TestOpeningIsServed(t *testing.T) {
	c := newCell(t, 1)
	c.start(0)
	w := newMachineWorld(c)
	w.terms.Opening = lockspace.OpeningPoseidon
	w.create(0)
	open := []lockspace.Felt{lockspace.FeltOf(17), lockspace.FeltOf(4)}
	p, anchor, file := w.proof(0, 1, func(v *lockspace.Verdict) { v.S1 = poseidon.HashMany(open) })
	l, _, err := c.nodes[0].app.State().Lock(w.path)
	if err != nil {
		t.Fatal(err)
	}
	acquire := &lockspace.Acquire{Path: w.path, Instance: l.Instance, Generation: 1, Mode: lockspace.Exclusive, Proof: p,
		Anchor: anchor, Runs: threeRuns, Opening: open}
	if r := c.do(0, acquire, file); !r.OK {
		t.Fatalf("%+v", r)
	}
	m, err := backend{c.nodes[0]}.Machine(t.Context(), api.MachineParams{Machine: w.path})
	if err != nil || strings.Join(m.Opening, " ") != "17 4" || m.Terms.Opening != "poseidon" {
		t.Fatalf("%+v, %v", m, err)
	}
}
