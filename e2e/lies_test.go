package e2e

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seed06907907/fatty/client"
	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/machine"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/prover"
	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier"
)

// liar holds a lock by a true proof and then tries everything else.
type liar struct {
	t      *testing.T
	client *client.Client
	prover *prover.Prover
	lock   string
	file   *machine.File
}

// claim is what a proof is made for.
type claim struct {
	file     *machine.File // whose program runs
	holder   lockspace.AccountID
	lock     string
	instance uint64
	life     uint64 // generation
	t        uint64
	s        lockspace.Felt
	ticks    uint64
	bare     bool // the run proof itself
}

func (l *liar) claim() claim {
	return claim{file: l.file, holder: l.client.ID(), lock: l.lock}
}

// prove makes a real proof of a claim, anchored now.
func (l *liar) prove(c claim) (proof []byte, anchor uint64) {
	l.t.Helper()
	head, err := l.client.Head(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	root, err := wire.ParseCID(head.StateRoot)
	if err != nil {
		l.t.Fatal(err)
	}
	a, err := lockspace.Anchor(head.Sequence, root)
	if err != nil {
		l.t.Fatal(err)
	}
	life, err := lockspace.Life(head.Chain, c.lock, c.instance, c.life, c.holder)
	if err != nil {
		l.t.Fatal(err)
	}
	var in [5]vm.Felt
	in[0].SetUint64(c.t)
	in[1].SetBytes(c.s[:])
	in[2].SetUint64(c.ticks)
	input := in[:4]
	if c.file.Terms.Inputs == lockspace.InputFelt { // one transaction, 0
		in[3].SetUint64(1)
		input = in[:5]
	}
	res, err := l.prover.Prove(l.t.Context(), c.file.Program, input, prover.Options{Life: life, Anchor: a})
	if err != nil {
		l.t.Fatal(err)
	}
	if c.bare {
		return res.Proof, head.Sequence
	}
	span, err := l.prover.Wrap(l.t.Context(), res.Proof)
	if err != nil {
		l.t.Fatal(err)
	}
	return span.Proof, head.Sequence
}

// do hands in an operation and returns the word of its refusal, empty for none, wherever it was refused.
func do(t *testing.T, c *client.Client, op lockspace.Op, attachments ...[]byte) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := c.Do(ctx, op, attachments...)
	var e *api.Error
	if errors.As(err, &e) {
		if word, ok := e.Data.(string); ok {
			return word
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return r.Code
}

func attachment(proof []byte) *lockspace.Proof {
	return &lockspace.Proof{ID: wire.Sum(proof), Length: uint64(len(proof)), Version: verifier.ProofVersion}
}

// TestLiesRenewNothing: real proofs of the wrong thing, proofs of others, old proofs and broken ones move neither the clock
// nor the lease; the true one then does.
func TestLiesRenewNothing(t *testing.T) {
	c := newCell(t, "liar", "other")
	key := run[struct{ Key string }](t, bin.fatty, "key", "show", c.keys["liar"]).Key
	// Each bad proof drains the allowance: this story needs more of it than people do.
	fatty[map[string]any](c, "account", "grant", key, "--name", "liar", "--proofs", "1000", "--refill", "1ms")
	l := &liar{t: t, client: c.dial("liar", c.urls()...), prover: new(prover.Prover), lock: "/lies/lcg"}
	other := c.dial("other", c.urls()...)
	var err error
	if l.file, err = machine.ReadFile("../examples/lcg/lcg.toml"); err != nil {
		t.Fatal(err)
	}
	counter, err := machine.ReadFile("../examples/counter/counter.toml")
	if err != nil {
		t.Fatal(err)
	}
	terms := l.file.Terms
	terms.Cadence, terms.Grace, terms.LockDelay = 300*lockspace.Second, 60*lockspace.Second, 0 // it outlasts all lies
	if word := do(t, l.client, &lockspace.Mkdir{Path: "/lies"}); word != "" {
		t.Fatal(word)
	}
	var programs []wire.CID
	for _, f := range []*machine.File{l.file, counter} {
		block, err := f.Canonical.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if word := do(t, l.client, &lockspace.Publish{Program: block}); word != "" {
			t.Fatal(word)
		}
		programs = append(programs, wire.Sum(block))
	}
	if word := do(t, l.client, &lockspace.CreateMachine{Path: l.lock, Program: programs[0], Start: l.file.Start.Bytes(), Terms: terms}); word != "" {
		t.Fatal(word)
	}
	look := func() *api.Machine {
		m, err := l.client.Machine(t.Context(), l.lock)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := look()
	first := l.claim()
	first.instance, first.life, first.s, first.ticks = m.Instance, 1, l.file.Start.Bytes(), 3
	proof, anchor := l.prove(first)
	none := []lockspace.Run{{Inputs: []int64{}}}
	acquire := lockspace.Acquire{Path: l.lock, Instance: m.Instance, Generation: 1, Mode: lockspace.Exclusive, Proof: attachment(proof), Anchor: anchor, Runs: none}
	// Another cannot take the lock with a proof that it saw go by.
	if word := do(t, other, &acquire, proof); word != string(lockspace.CodeProof) {
		t.Fatalf("another acquires with the liar's proof: %q", word)
	}
	if word := do(t, l.client, &acquire, proof); word != "" {
		t.Fatal(word)
	}
	held := look()
	if !held.Held || held.T != 3 {
		t.Fatalf("%+v", held)
	}
	state, err := lockspace.ParseFelt(held.State)
	if err != nil {
		t.Fatal(err)
	}
	good := first
	good.t, good.s = 3, state
	vary := func(change func(*claim)) claim { x := good; change(&x); return x }
	goodProof, goodAnchor := l.prove(good)
	flipped := append([]byte(nil), goodProof...)
	flipped[len(flipped)/2] ^= 1
	renew := func(proof []byte, anchor uint64) *lockspace.Renew {
		return &lockspace.Renew{Path: l.lock, Instance: held.Instance, Generation: held.Generation, Proof: attachment(proof), Anchor: anchor, Runs: none}
	}
	for _, lie := range []struct {
		name string
		by   *client.Client
		made func() ([]byte, uint64)
		want lockspace.Code
	}{
		{"from another state", l.client, func() ([]byte, uint64) { return l.prove(vary(func(c *claim) { c.s = lockspace.FeltOf(1) })) }, lockspace.CodeProof},
		{"from a later clock", l.client, func() ([]byte, uint64) { return l.prove(vary(func(c *claim) { c.t = 4 })) }, lockspace.CodeProof},
		{"the proof of the acquire again", l.client, func() ([]byte, uint64) { return proof, anchor }, lockspace.CodeProof},
		{"for another holder", l.client, func() ([]byte, uint64) { return l.prove(vary(func(c *claim) { c.holder = other.ID() })) }, lockspace.CodeProof},
		{"for another lock", l.client, func() ([]byte, uint64) { return l.prove(vary(func(c *claim) { c.lock = "/lies/none" })) }, lockspace.CodeProof},
		{"of another life", l.client, func() ([]byte, uint64) { return l.prove(vary(func(c *claim) { c.life = 2 })) }, lockspace.CodeProof},
		{"of another program", l.client, func() ([]byte, uint64) { return l.prove(vary(func(c *claim) { c.file, c.ticks = counter, 1 })) }, lockspace.CodeProof},
		{"of a run, not wrapped", l.client, func() ([]byte, uint64) { return l.prove(vary(func(c *claim) { c.bare = true })) }, lockspace.CodeProof},
		{"with one bit changed", l.client, func() ([]byte, uint64) { return flipped, goodAnchor }, lockspace.CodeProof},
		{"that is no proof", l.client, func() ([]byte, uint64) { return []byte(strings.Repeat("proof", 1000)), goodAnchor }, lockspace.CodeProof},
		{"with another anchor named", l.client, func() ([]byte, uint64) { return goodProof, goodAnchor - 1 }, lockspace.CodeProof},
		{"with an anchor that is no past", l.client, func() ([]byte, uint64) { return goodProof, goodAnchor + 100000 }, lockspace.CodeAnchor},
		{"the true one, by another", other, func() ([]byte, uint64) { return goodProof, goodAnchor }, lockspace.CodeNotHolder},
	} {
		p, at := lie.made()
		if word := do(t, lie.by, renew(p, at), p); word != string(lie.want) {
			t.Errorf("%s: refused as %q, want %q", lie.name, word, lie.want)
		}
	}
	miscounted := renew(goodProof, goodAnchor)
	miscounted.Runs = append(miscounted.Runs, miscounted.Runs...)
	if word := do(t, l.client, miscounted, goodProof); word != string(lockspace.CodeProof) {
		t.Errorf("a span of one run, called one of two: refused as %q", word)
	}
	useless := renew(goodProof, goodAnchor)
	useless.Whole = attachment(proof)
	if word := do(t, l.client, useless, goodProof, proof); word != string(lockspace.CodeWhole) {
		t.Errorf("a whole life where none is due: refused as %q", word)
	}
	if now := look(); now.T != held.T || now.State != held.State || !now.LeaseEnd.Equal(held.LeaseEnd.Time) {
		t.Errorf("lies moved the lock from %+v to %+v", held, now)
	}
	if word := do(t, l.client, renew(goodProof, goodAnchor), goodProof); word != "" {
		t.Fatalf("the true proof: %s", word)
	}
	if now := look(); now.T != 6 || !now.LeaseEnd.After(held.LeaseEnd.Time.Add(-time.Second)) {
		t.Errorf("the true proof moved the lock to %+v", now)
	}
	// A stranger's file about the same machine verifies by the proof that nodes keep of it.
	newest, err := l.client.MachineProof(t.Context(), l.lock)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := verifier.VerifyFile(newest.Envelope, verifier.Accept{}); err != nil || newest.T1 != 6 {
		t.Errorf("the newest proof ends at %d: %v", newest.T1, err)
	}
}
