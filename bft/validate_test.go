package bft

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/internal/wire"
)

// golden is four validators with fixed Ed25519 keys, in canonical order.
type golden struct {
	t    testing.TB
	com  *Committee
	keys []Key
}

func newGolden(t testing.TB) *golden {
	g := &golden{t: t, keys: make([]Key, 4)}
	var all []Key
	var vs []Validator
	for i := range 4 {
		seed := make([]byte, 32)
		seed[0] = byte(i + 1)
		k := Key(ed25519.NewKeyFromSeed(seed))
		all = append(all, k)
		vs = append(vs, Validator{ID: k.ID(), Weight: 1})
	}
	var err error
	if g.com, err = NewCommittee("golden", vs, Ed25519{}); err != nil {
		t.Fatal(err)
	}
	for _, k := range all {
		g.keys[g.com.Index(k.ID())] = k
	}
	return g
}

func (g *golden) sign(i int, d wire.Domain, body any) []byte {
	b, err := wire.Marshal(body)
	if err != nil {
		g.t.Fatal(err)
	}
	return g.keys[i].Sign(d, b)
}

func (g *golden) set(d wire.Domain, body any, signers ...int) SignatureSet {
	sigs := make([][]byte, 4)
	for _, i := range signers {
		sigs[i] = g.sign(i, d, body)
	}
	return newSignatureSet(sigs)
}

func (g *golden) frame(m Message) []byte {
	f, err := Frame(m)
	if err != nil {
		g.t.Fatal(err)
	}
	return f
}

func (g *golden) ballots(p Phase, cut *Cut, view View, signers ...int) BallotCertificate {
	k := BallotCertificate{View: view, Sequence: cut.Sequence, Time: cut.Time, Cut: cut.Digest()}
	k.Set = g.set(wire.DomainConsensus, g.com.ballotBody(p, view, k.Sequence, k.Time, k.Cut), signers...)
	return k
}

func (g *golden) viewChange(i int, v View, decided *BallotCertificate, prepared ...Prepared) *ViewChange {
	m := &ViewChange{View: v, Decided: decided, Prepared: prepared, Signer: uint16(i)}
	m.Sig = g.sign(i, wire.DomainConsensus, viewChangeBody{"view-change", "golden", v, decided, m.Prepared})
	return m
}

// messages is one valid message of each kind.
func (g *golden) messages() []Message {
	txs := [][]byte{[]byte("one"), []byte("two")}
	payload, size := payloadOf(txs)
	h := BlockHeader{Chain: "golden", Worker: 1, Height: 1, Payload: payload, Size: uint32(size), Count: 2}
	block := &Block{SignedHeader{h, g.sign(1, wire.DomainBlock, h)}, txs}
	other := h
	other.Count, other.Size = 1, 5
	vb := voteBody{"golden", 1, 1, block.ID()}
	vote := &Vote{1, 1, block.ID(), 2, g.sign(2, wire.DomainVote, vb)}
	cert := &Certificate{1, 1, block.ID(), g.set(wire.DomainVote, vb, 1, 2)}
	cut := Cut{Chain: "golden", Sequence: 1, Time: 1_700_000_000_000_000_000, Tips: []Tip{{1, 1, block.ID()}}}
	proposal := proposalBody{"pre-prepare", "golden", 0, 1, cut.Digest()}
	pre := &PrePrepare{0, cut, []Certificate{*cert}, g.sign(0, wire.DomainConsensus, proposal)}
	ballot := &Ballot{PhaseCommit, 0, 1, cut.Time, cut.Digest(), 3, nil}
	ballot.Sig = g.sign(3, wire.DomainConsensus, g.com.ballotBody(PhaseCommit, 0, 1, cut.Time, cut.Digest()))
	prepared := Prepared{cut, g.ballots(PhasePrepare, &cut, 0, 0, 1, 2)}
	nv := &NewView{View: 1}
	for i := range 3 {
		var p []Prepared
		if i == 1 {
			p = []Prepared{prepared}
		}
		nv.Changes = append(nv.Changes, *g.viewChange(i, 1, nil, p...))
	}
	nv.Sig = g.sign(1, wire.DomainConsensus, newViewBody{"new-view", "golden", 1, digestOf(nv.Changes)})
	root := wire.Sum([]byte("root"))
	sb := stateBody{"golden", 1, cut.Time, root}
	status := &Status{1, true, 7, 2, g.sign(2, wire.DomainConsensus, statusBody{"status", "golden", 1, true, 7})}
	return []Message{block, vote, cert, pre, ballot, g.viewChange(2, 1, nil, prepared), nv,
		&StateVote{1, cut.Time, root, 0, g.sign(0, wire.DomainState, sb)},
		&StateCertificate{1, cut.Time, root, g.set(wire.DomainState, sb, 0, 1, 3)},
		&Decision{cut, g.ballots(PhaseCommit, &cut, 0, 1, 2, 3)}, status,
		&Evidence{Blocks: []SignedHeader{block.SignedHeader, {other, g.sign(1, wire.DomainBlock, other)}}}}
}

// TestGoldenFrames pins the bytes of every kind of frame. With -update they are written anew.
func TestGoldenFrames(t *testing.T) {
	g := newGolden(t)
	for _, m := range g.messages() {
		f := g.frame(m)
		if _, err := g.com.Validate(f); err != nil {
			t.Errorf("%s: %v", m.kind(), err)
		}
		path := filepath.Join("testdata", "golden", strings.ReplaceAll(m.kind().String(), " ", "-")+".hex")
		if *update {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(hex.EncodeToString(f)+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || strings.TrimSpace(string(want)) != hex.EncodeToString(f) {
			t.Errorf("%s: its frame is not the golden one (%v)", m.kind(), err)
		}
	}
}

// TestEveryByteCounts flips each byte of each golden frame: none passes.
func TestEveryByteCounts(t *testing.T) {
	g := newGolden(t)
	for _, m := range g.messages() {
		f := g.frame(m)
		for at := range f {
			bad := append([]byte(nil), f...)
			bad[at] ^= 1 << (at % 8)
			if _, err := g.com.Validate(bad); err == nil {
				t.Fatalf("%s: byte %d of %d may be changed", m.kind(), at, len(f))
			} else if !errors.Is(err, ErrFrame) {
				t.Fatalf("%s: %v is no ErrFrame", m.kind(), err)
			}
		}
		for cut := range f {
			if _, err := g.com.Validate(f[:cut]); err == nil {
				t.Fatalf("%s: the first %d bytes pass", m.kind(), cut)
			}
		}
	}
}

// TestForgedCertificates are well formed and well signed, but prove nothing.
func TestForgedCertificates(t *testing.T) {
	g := newGolden(t)
	all := g.messages()
	pre, cert := all[3].(*PrePrepare), all[2].(*Certificate)
	cut := pre.Cut
	next := Cut{Chain: "golden", Sequence: 2, Time: cut.Time + 1, Prev: cut.Digest()}
	decided := g.ballots(PhaseCommit, &cut, 0, 0, 1, 2)
	twice := g.ballots(PhaseCommit, &cut, 0, 0, 1)
	twice.Set.Signatures = append(twice.Set.Signatures, twice.Set.Signatures[:64]...)
	outside := g.ballots(PhaseCommit, &cut, 0, 0, 1, 2)
	outside.Set.Signers[0] |= 0x10
	short := *cert
	short.Set = g.set(wire.DomainVote, voteBody{"golden", 1, 1, cert.Block}, 2)
	foreign := *cert
	foreign.Set = g.set(wire.DomainVote, voteBody{"other", 1, 1, cert.Block}, 1, 2)
	other := *pre
	other.Cut.Tips = []Tip{{1, 2, cert.Block}}
	other.Sig = g.sign(0, wire.DomainConsensus, proposalBody{"pre-prepare", "golden", 0, 1, other.Cut.Digest()})
	bare := *pre
	bare.Certificates = nil
	notLeader := *pre
	notLeader.View = 2
	notLeader.Sig = g.sign(0, wire.DomainConsensus, proposalBody{"pre-prepare", "golden", 2, 1, cut.Digest()})
	few := *all[6].(*NewView)
	few.Changes = few.Changes[:2]
	few.Sig = g.sign(1, wire.DomainConsensus, newViewBody{"new-view", "golden", 1, digestOf(few.Changes)})
	same := *all[6].(*NewView)
	same.Changes = []ViewChange{same.Changes[0], same.Changes[0], same.Changes[2]}
	same.Sig = g.sign(1, wire.DomainConsensus, newViewBody{"new-view", "golden", 1, digestOf(same.Changes)})
	for name, m := range map[string]Message{
		"two commits of four":                     &Decision{cut, g.ballots(PhaseCommit, &cut, 0, 0, 1)},
		"prepares for commits":                    &Decision{cut, g.ballots(PhasePrepare, &cut, 0, 0, 1, 2)},
		"one commit twice":                        &Decision{cut, twice},
		"a signer outside the committee":          &Decision{cut, outside},
		"the commits of another cut":              &Decision{next, decided},
		"one vote of two":                         &short,
		"votes of another chain":                  &foreign,
		"a tip without its certificate":           &other,
		"no certificates":                         &bare,
		"a proposal by another than the leader":   &notLeader,
		"a new-view of two":                       &few,
		"a new-view with one twice":               &same,
		"prepared in the view that is asked for":  g.viewChange(1, 1, nil, Prepared{cut, g.ballots(PhasePrepare, &cut, 1, 0, 1, 2)}),
		"prepared with a gap":                     g.viewChange(1, 1, nil, Prepared{next, g.ballots(PhasePrepare, &next, 0, 0, 1, 2)}),
		"prepared by two":                         g.viewChange(1, 1, nil, Prepared{cut, g.ballots(PhasePrepare, &cut, 0, 0, 1)}),
		"evidence of one block twice":             &Evidence{Blocks: []SignedHeader{all[0].(*Block).SignedHeader, all[0].(*Block).SignedHeader}},
		"more prepared than the window":           g.viewChange(1, 1, nil, Prepared{cut, g.ballots(PhasePrepare, &cut, 0, 0, 1, 2)}, Prepared{next, g.ballots(PhasePrepare, &next, 0, 0, 1, 2)}),
		"a view change to the view that is first": g.viewChange(1, 0, nil),
		"a state vote for the genesis":            &StateVote{0, 1, wire.Sum(nil), 0, g.sign(0, wire.DomainState, stateBody{"golden", 0, 1, wire.Sum(nil)})},
		"a state certificate of two":              &StateCertificate{1, 1, wire.Sum(nil), g.set(wire.DomainState, stateBody{"golden", 1, 1, wire.Sum(nil)}, 0, 1)},
	} {
		if _, err := g.com.Validate(g.frame(m)); err == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func TestStateCertificateForClients(t *testing.T) {
	g := newGolden(t)
	k := g.messages()[8].(*StateCertificate)
	vs := g.com.Validators()
	if err := VerifyStateCertificate([]Validator{vs[2], vs[0], vs[3], vs[1]}, "golden", k); err != nil {
		t.Error(err)
	}
	if VerifyStateCertificate(vs, "other", k) == nil || VerifyStateCertificate(vs[:3], "golden", k) == nil ||
		VerifyStateCertificate(vs, "golden", nil) == nil || VerifyStateCertificate(nil, "golden", k) == nil {
		t.Error("a certificate passes that is not of this chain and its validators")
	}
	k.Root = wire.Sum([]byte("another root"))
	if VerifyStateCertificate(vs, "golden", k) == nil {
		t.Error("a certificate passes for another root")
	}
}

// TestReproposalTakesTheHighestView: what was prepared later wins, and what is decided is not proposed again.
func TestReproposalTakesTheHighestView(t *testing.T) {
	g := newGolden(t)
	cut := func(seq Sequence, time LedgerTime) *Cut {
		return &Cut{Chain: "golden", Sequence: seq, Time: time}
	}
	at := func(c *Cut, v View) []Prepared {
		return []Prepared{{*c, BallotCertificate{View: v, Sequence: c.Sequence, Cut: c.Digest()}}}
	}
	one, two := cut(1, 10), cut(1, 20)
	for range 3 {
		changes := []ViewChange{{Prepared: at(one, 3)}, {Prepared: at(two, 5)}, {}, {Prepared: at(one, 4)}}
		if base, c := reproposal(changes); base != nil || c.Digest() != two.Digest() {
			t.Errorf("it proposes %v after %v", c, base)
		}
	}
	d := g.ballots(PhaseCommit, one, 3, 0, 1, 2)
	if base, c := reproposal([]ViewChange{{Decided: &d}, {Prepared: at(two, 5)}, {}}); base != &d || c != nil {
		t.Errorf("it proposes %v after %v", c, base)
	}
}

func TestQuorums(t *testing.T) {
	for n := 1; n <= MaxValidators; n++ {
		c := simCommittee(t, n)
		f, q := c.Faulty(), c.Quorum()
		if 2*q-n <= f || q > n-f || c.Available() <= f || n == 3*f+1 && q != 2*f+1 {
			t.Errorf("n %d: f %d, quorum %d", n, f, q)
		}
	}
}
