package lockspace

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace/tree"
)

// provenWorld has enough files that the tree is several nodes deep.
func provenWorld(t tester) *world {
	t.Helper()
	w := heldWorld(t)
	w.must(admin, &Mkdir{Path: "/d"})
	var in []Input
	for i := range 300 {
		in = append(in, Input{Tx: w.sign(admin, &Put{Path: fmt.Sprintf("/d/f%03d", i), Content: bytes.Repeat([]byte{byte(i)}, i*7)})})
	}
	w.cut(1e6, in...)
	return w
}

// reads are all that a client may ask with a proof; each returns its answer as a value.
func reads(w *world) map[string]func(*State) (any, error) {
	h := w.holder("/m")
	return map[string]func(*State) (any, error){
		"holder":         func(s *State) (any, error) { return s.Holder("/m") },
		"holder absent":  func(s *State) (any, error) { return s.Holder("/n") },
		"stat":           func(s *State) (any, error) { return s.Stat("/d/f123") },
		"stat absent":    func(s *State) (any, error) { return s.Stat("/d/f123x") },
		"stat directory": func(s *State) (any, error) { return s.Stat("/d") },
		"get small":      func(s *State) (any, error) { b, _, err := s.Get("/d/f010"); return b, err },
		"get large":      func(s *State) (any, error) { b, _, err := s.Get("/d/f299"); return b, err },
		"list":           func(s *State) (any, error) { return s.List("/d", "f100", 50) },
		"list the end":   func(s *State) (any, error) { return s.List("/d", "f290", 50) },
		"find lock":      func(s *State) (any, error) { return s.Find(h.Lock, "", 10) },
		"find machine":   func(s *State) (any, error) { return s.Find(h.Machine.ID, "", 10) },
		"find nothing":   func(s *State) (any, error) { return s.Find(wire.Sum(nil), "", 10) },
		"account":        func(s *State) (any, error) { return s.Account(id(alice)) },
		"accounts":       func(s *State) (any, error) { return s.Accounts(nil, 10) },
		"program":        func(s *State) (any, error) { return s.Program(w.programID()) },
		"program bytes":  func(s *State) (any, error) { return s.ProgramBytes(w.programID()) },
		"sequencer":      func(s *State) (any, error) { return nil, s.CheckSequencer(h.Sequencer) },
		"events":         func(s *State) (any, error) { e, _, err := s.Events(EventID{}, "/m", 10); return e, err },
	}
}

func verified(root wire.CID, blocks [][]byte, ask func(*State) (any, error)) (v any, err error) {
	err = Verify(root, blocks, func(s *State) error { v, err = ask(s); return err })
	return v, err
}

// Every read can be repeated from its blocks alone, and from no others: none missing, altered, added, swapped.
func TestProofsOfReads(t *testing.T) {
	w := provenWorld(t)
	root := w.state.ID()
	foreign := newWorld(t)
	for name, ask := range reads(w) {
		want, wantErr := ask(w.state)
		list, err := w.state.Prove(func(s *State) error { _, err := ask(s); return err })
		if CodeOf(err) != CodeOf(wantErr) {
			t.Fatalf("%s: prove: %v", name, err)
		}
		blocks := raw(list)
		got, err := verified(root, blocks, ask)
		if CodeOf(err) != CodeOf(wantErr) || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v %v, want %+v %v", name, got, err, want, wantErr)
		}
		bad := func(what string, b [][]byte) {
			if _, err := verified(root, b, ask); !errors.Is(err, ErrProof) {
				t.Errorf("%s: %s: %v", name, what, err)
			}
		}
		for i := range blocks {
			bad(fmt.Sprintf("without block %d", i), append(append([][]byte{}, blocks[:i]...), blocks[i+1:]...))
			flipped := raw(list)
			flipped[i][len(flipped[i])/2] ^= 4
			bad(fmt.Sprintf("block %d flipped", i), flipped)
			longer := raw(list)
			longer[i] = append(longer[i], 0)
			bad(fmt.Sprintf("block %d longer", i), longer)
			bad(fmt.Sprintf("block %d twice", i), append(append(append([][]byte{}, blocks[:i+1]...), blocks[i]), blocks[i+1:]...))
			if i > 0 {
				swapped := raw(list)
				swapped[i], swapped[i-1] = swapped[i-1], swapped[i]
				bad(fmt.Sprintf("blocks %d and before swapped", i), swapped)
			}
		}
		bad("one more block", append(raw(list), []byte{0xa0}))
		bad("none", nil)
		bad("too many", make([][]byte, MaxProofBlocks+1))
		bad("too much", [][]byte{make([]byte, MaxProofBytes+1)})
		if _, err := verified(foreign.state.ID(), blocks, ask); !errors.Is(err, ErrProof) {
			t.Errorf("%s: under another root: %v", name, err)
		}
	}
	_, _, blocks, _ := w.state.ProveGet("/d/f299")
	if got, _, err := VerifyGet(root, raw(blocks), testChain, "/d/f299"); err != nil || len(got) != 299*7 {
		t.Errorf("get: %d bytes, %v", len(got), err)
	}
	if _, _, err := VerifyGet(root, raw(blocks), "other", "/d/f299"); err == nil {
		t.Error("a state of another ledger is accepted")
	}
	_, blocks, _ = w.state.ProveHolder("/m")
	if _, err := VerifyHolder(root, raw(blocks), "other", "/m"); err == nil {
		t.Error("a state of another ledger is accepted")
	}
	// The blocks of one answer are not those of another elsewhere in the tree.
	if _, err := VerifyHolder(root, raw(blocks), testChain, "/d/f150"); !errors.Is(err, ErrProof) {
		t.Errorf("the blocks of /m for /d/f150: %v", err)
	}
}

// A state opened anew reads and goes on as the one that made it, and refuses a store that is not whole.
func TestOpen(t *testing.T) {
	w := provenWorld(t)
	again, err := Open(testConfig(w.blocks), w.state.ID())
	if err != nil {
		t.Fatal(err)
	}
	for name, ask := range reads(w) {
		want, err1 := ask(w.state)
		got, err2 := ask(again)
		if CodeOf(err1) != CodeOf(err2) || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v %v, want %+v %v", name, got, err2, want, err1)
		}
	}
	rules := w.state.root.Rules
	for name, lose := range map[string]wire.CID{"root": w.state.ID(), "rules": rules} {
		b := w.blocks[lose]
		delete(w.blocks, lose)
		if _, err := Open(testConfig(w.blocks), w.state.ID()); !errors.Is(err, tree.ErrBlock) {
			t.Errorf("without its %s: %v", name, err)
		}
		w.blocks[lose] = append([]byte{0xff}, b...)
		if _, err := Open(testConfig(w.blocks), w.state.ID()); !errors.Is(err, tree.ErrBlock) {
			t.Errorf("with another %s: %v", name, err)
		}
		w.blocks[lose] = b
	}
	// With a block of the tree lost, a cut that needs it is an error and not a wrong state.
	small := testConfig(w.blocks)
	small.Cache = 1
	again, err = Open(small, w.state.ID())
	if err != nil {
		t.Fatal(err)
	}
	delete(w.blocks, *w.state.root.Tree)
	if _, _, err := again.Apply(Cut{Sequence: w.state.Sequence() + 1, Time: w.now + 1}); !errors.Is(err, tree.ErrBlock) {
		t.Errorf("apply without the tree: %v", err)
	}
	if _, err := again.Holder("/m"); !errors.Is(err, tree.ErrBlock) {
		t.Errorf("read without the tree: %v", err)
	}
	next := &Root{Version: 2, Chain: testChain, Rules: rules}
	b, _ := wire.Marshal(next)
	w.blocks[wire.Sum(b)] = b
	if _, err := Open(testConfig(w.blocks), wire.Sum(b)); err == nil {
		t.Error("a layout of the future is opened")
	}
}

// The same inputs make the same roots, whether the state was kept, opened anew, or its cache is tiny.
func TestDeterminism(t *testing.T) {
	a, b := provenWorld(t), provenWorld(t)
	if a.state.ID() != b.state.ID() {
		t.Fatal("two runs differ")
	}
	config := testConfig(b.blocks)
	config.Cache = 1
	s, err := Open(config, b.state.ID())
	if err != nil {
		t.Fatal(err)
	}
	b.state = s
	for i := range 20 {
		path := fmt.Sprintf("/d/f%03d", i*13)
		for _, w := range []*world{a, b} {
			if i%2 == 0 {
				w.must(admin, &Delete{Path: path})
			} else {
				w.must(bob, &Put{Path: path, Content: make([]byte, 3000)})
			}
			w.wait(2 * Second)
		}
		if a.state.ID() != b.state.ID() {
			t.Fatalf("after step %d the roots differ", i)
		}
	}
}

// FuzzDecode: a transaction that decodes is the one encoding of what it says, and executing it never fails the cut.
func FuzzDecode(f *testing.F) {
	for _, op := range sampleOps() {
		tx, err := Sign(alice, Header{Chain: testChain, Nonce: 7, Expiry: startTime + 1e18}, op)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(tx)
	}
	f.Add([]byte{})
	w := heldWorld(f)
	f.Fuzz(func(t *testing.T, tx []byte) {
		s, err := Decode(tx)
		if err != nil {
			if CodeOf(err) == "" {
				t.Fatalf("an error without a code: %v", err)
			}
			return
		}
		op, err := wire.Marshal(s.Op)
		if err != nil {
			t.Fatal(err)
		}
		inner, err := wire.Marshal(body{Chain: s.Chain, Signer: s.Signer, Nonce: s.Nonce, Expiry: s.Expiry, Kind: s.Kind, Op: op})
		if err != nil {
			t.Fatal(err)
		}
		again, err := wire.Marshal(envelope{Body: inner, Signature: s.raw.Signature})
		if err != nil || !bytes.Equal(again, tx) {
			t.Fatalf("%x encodes as %x: %v", tx, again, err)
		}
		// As if it were signed by someone with an account: what the fields say must not matter.
		s.Chain, s.Signer, s.checked = testChain, id(alice), true
		if s.Nonce > MaxNonceJump {
			s.Nonce = 100
		}
		if _, err := w.state.Precheck(s, w.now); err != nil && CodeOf(err) == "" {
			t.Fatalf("precheck: %v", err)
		}
		in := Input{Tx: tx, Signed: s, Verdict: &Verdict{OK: true}}
		if _, _, err := w.state.Apply(Cut{Sequence: w.state.Sequence() + 1, Time: w.now + 1, Inputs: []Input{in}}); err != nil {
			t.Fatalf("apply: %v", err)
		}
	})
}

// FuzzVerify: whatever the blocks are, Verify neither panics nor accepts an answer that the state does not give. The
// input is a list of mutations of the honest blocks, or else one raw block under its own root.
func FuzzVerify(f *testing.F) {
	w := provenWorld(f)
	all := reads(w)
	f.Add("holder", []byte{}, false)
	f.Add("stat absent", []byte{1, 5, 1}, false)
	f.Add("list", []byte{0, 0, 255}, false)
	for name := range all {
		f.Add(name, []byte{2, 0, 1}, false)
	}
	f.Add("holder", w.blocks[w.state.ID()], true)
	f.Add("holder", w.blocks[*w.state.root.Tree], true)
	f.Fuzz(func(t *testing.T, name string, b []byte, forged bool) {
		ask := all[name]
		if ask == nil {
			return
		}
		if forged {
			// A root that nobody certified: only that it is an error or an answer, in bounded time.
			_, _ = verified(wire.Sum(b), [][]byte{b}, ask)
			return
		}
		list, _ := w.state.Prove(func(s *State) error { _, err := ask(s); return err })
		blocks := raw(list)
		changed := false
		for i := 0; i+2 < len(b) && len(blocks) > 0; i += 3 {
			x := blocks[int(b[i])%len(blocks)]
			if len(x) > 0 && b[i+2] != 0 {
				x[int(b[i+1])*251%len(x)] ^= b[i+2]
				changed = true
			}
		}
		want, wantErr := ask(w.state)
		got, err := verified(w.state.ID(), blocks, ask)
		if errors.Is(err, ErrProof) {
			if !changed {
				t.Fatalf("the honest blocks are refused: %v", err)
			}
			return
		}
		if CodeOf(err) != CodeOf(wantErr) || !reflect.DeepEqual(got, want) {
			t.Fatalf("accepted %+v %v, want %+v %v", got, err, want, wantErr)
		}
	})
}
