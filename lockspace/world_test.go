package lockspace

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/seed06907907/fatty/internal/wire"
)

// tester is what *testing.T, *testing.B and *rapid.T have in common.
type tester interface {
	Helper()
	Fatalf(string, ...any)
}

// blockMap keeps blocks as a node does: it adds what a cut brings and, where prune is set, removes what it drops.
type blockMap map[wire.CID][]byte

func (m blockMap) Get(id wire.CID) ([]byte, error) {
	if b, ok := m[id]; ok {
		return b, nil
	}
	return nil, errors.New("no such block")
}

const (
	testChain = "test"
	startTime = Time(1_700_000_000_000_000_000)
)

// world is a lock space with a clock that the test moves, and keys of its accounts.
type world struct {
	t       tester
	blocks  blockMap
	state   *State
	now     Time
	nonces  map[AccountID]uint64
	last    *Result
	program []byte // of the test machine; its content id is programID
}

func key(seed string) ed25519.PrivateKey {
	h := sha256.Sum256([]byte(seed))
	return ed25519.NewKeyFromSeed(h[:])
}

func id(k ed25519.PrivateKey) AccountID { return AccountID(k.Public().(ed25519.PublicKey)) }

var (
	admin, alice, bob = key("admin"), key("alice"), key("bob")
)

// testProgramKey stands for the verifier's: a program is any canonical map, its key is a hash of its bytes.
func testProgramKey(b []byte) (wire.CID, Digest, error) {
	var m map[string]any
	if err := wire.Unmarshal(b, &m); err != nil {
		return wire.CID{}, Digest{}, err
	}
	return wire.Sum(b), sha256.Sum256(b), nil
}

// testSpanInputs stands for the verifier's: a hash of the felts in their order.
func testSpanInputs(runs []Felt) Digest {
	var b []byte
	for _, f := range runs {
		b = append(b, f[:]...)
	}
	return sha256.Sum256(b)
}

// inputsOf is the digest of a span whose runs have these inputs felts.
func inputsOf(felts ...uint64) Digest {
	runs := make([]Felt, len(felts))
	for i, f := range felts {
		runs[i] = FeltOf(f)
	}
	return testSpanInputs(runs)
}

func testConfig(m blockMap) Config {
	return Config{Blocks: m, Functions: Functions{ProgramKey: testProgramKey, SpanInputs: testSpanInputs}}
}

func testGenesis() Genesis {
	return Genesis{Chain: testChain, Time: startTime, Rules: DefaultRules(), Accounts: []GenesisAccount{
		{ID: id(admin), Name: "admin", Grant: true, Quota: DefaultQuota()},
		{ID: id(alice), Name: "alice", Quota: DefaultQuota()},
		{ID: id(bob), Name: "bob", Quota: DefaultQuota()},
	}}
}

func newWorld(t tester) *world { return newWorldFrom(t, testGenesis()) }

func newWorldFrom(t tester, g Genesis) *world {
	t.Helper()
	w := &world{t: t, blocks: blockMap{}, now: startTime, nonces: map[AccountID]uint64{}}
	w.program, _ = wire.Marshal(map[string]any{"bytecode": []byte("program one")})
	s, res, err := New(testConfig(w.blocks), g)
	if err != nil {
		t.Fatalf("genesis: %v", err)
	}
	w.take(s, res)
	return w
}

func (w *world) take(s *State, res *Result) {
	w.t.Helper()
	fresh := map[wire.CID]bool{}
	for _, b := range res.Blocks {
		if wire.Sum(b.Data) != b.ID {
			w.t.Fatalf("block %s does not hash to its id", b.ID)
		}
		if fresh[b.ID] {
			w.t.Fatalf("block %s comes twice", b.ID)
		}
		fresh[b.ID] = true
		w.blocks[b.ID] = b.Data
	}
	for _, id := range res.Dropped {
		if _, ok := w.blocks[id]; !ok || fresh[id] {
			w.t.Fatalf("block %s is dropped, and was not there or is new", id)
		}
		delete(w.blocks, id)
	}
	if s.ID() != res.Root {
		w.t.Fatalf("root %s, state %s", res.Root, s.ID())
	}
	w.state, w.last = s, res
}

func (w *world) sign(k ed25519.PrivateKey, op Op) []byte {
	w.t.Helper()
	w.nonces[id(k)]++
	tx, err := Sign(k, Header{Chain: testChain, Nonce: w.nonces[id(k)], Expiry: w.now + Time(3600*Second)}, op)
	if err != nil {
		w.t.Fatalf("sign: %v", err)
	}
	return tx
}

// cut applies inputs, d after the cut before. A whole-life span whose verdict the test does not give is honest.
func (w *world) cut(d Duration, inputs ...Input) []Receipt {
	w.t.Helper()
	w.now += Time(d)
	for i := range inputs {
		tx := inputs[i].Signed
		if tx == nil {
			tx, _ = Decode(inputs[i].Tx)
		}
		if tx != nil && inputs[i].Whole == nil && len(tx.Attachments()) == 2 {
			inputs[i].Whole = w.wholeLife(tickOf(tx.Op).path)
		}
	}
	s, res, err := w.state.Apply(Cut{Sequence: w.state.Sequence() + 1, Time: w.now, Inputs: inputs})
	if err != nil {
		w.t.Fatalf("apply: %v", err)
	}
	w.take(s, res)
	return res.Receipts
}

// wait lets time pass in cuts of a second, as the ledger's ticks do.
func (w *world) wait(d Duration) {
	w.t.Helper()
	for ; d > 0; d -= Second {
		w.cut(min(d, Second))
	}
}

func tickOf(op Op) tick {
	switch o := op.(type) {
	case *Acquire:
		return o.tick()
	case *Renew:
		return o.tick()
	}
	return tick{}
}

// wholeLife is the true verdict on a machine's whole life as the state has it.
func (w *world) wholeLife(path string) *Verdict {
	w.t.Helper()
	m := w.lock(path).Machine
	return &Verdict{OK: true, Key: testKey(w), S0: m.Start, T1: m.T, S1: m.S, Inputs: Digest{1}}
}

// do applies one operation in a cut of its own, a millisecond later.
func (w *world) do(k ed25519.PrivateKey, op Op) Receipt {
	w.t.Helper()
	return w.cut(1e6, Input{Tx: w.sign(k, op)})[0]
}

// must is do for what has to succeed.
func (w *world) must(k ed25519.PrivateKey, op Op) Receipt {
	w.t.Helper()
	r := w.do(k, op)
	if r.Code != "" {
		w.t.Fatalf("%T: %s: %s", op, r.Code, r.Message)
	}
	return r
}

// refused is do for what has to be refused with a code.
func (w *world) refused(k ed25519.PrivateKey, op Op, want Code) Receipt {
	w.t.Helper()
	r := w.do(k, op)
	if r.Code != want {
		w.t.Fatalf("%T: code %q (%s), want %q", op, r.Code, r.Message, want)
	}
	if len(r.Message) < 10 {
		w.t.Fatalf("%T: message %q says nothing", op, r.Message)
	}
	return r
}

// prove makes the transaction's true verdict: what an honest machine's proof says, ending steps later in state s1.
func (w *world) prove(k ed25519.PrivateKey, op Op, steps uint64, s1 Felt) (tx []byte, v *Verdict) {
	w.t.Helper()
	tx = w.sign(k, op)
	s, err := Decode(tx)
	if err != nil {
		w.t.Fatalf("decode: %v", err)
	}
	need, err := w.state.Precheck(s, w.now+1)
	if err != nil {
		w.t.Fatalf("precheck: %v", err)
	}
	return tx, &Verdict{OK: true, Key: need.Key, Life: need.Life, Anchor: need.Anchor, T0: need.T0, S0: need.S0,
		T1: need.T0 + steps, S1: s1, Inputs: need.Inputs}
}

// proven applies a proving operation with its true verdict, changed by lie where there is one.
func (w *world) proven(k ed25519.PrivateKey, op Op, steps uint64, s1 Felt, lie func(*Verdict)) Receipt {
	w.t.Helper()
	tx, v := w.prove(k, op, steps, s1)
	if lie != nil {
		lie(v)
	}
	return w.cut(1e6, Input{Tx: tx, Verdict: v})[0]
}

func (w *world) programID() wire.CID { return wire.Sum(w.program) }

// machine publishes the test program and makes a lock for it at a path.
func (w *world) machine(path string, start Felt, terms Terms) {
	w.t.Helper()
	if _, err := w.state.Program(w.programID()); err != nil {
		w.must(admin, &Publish{Program: w.program})
	}
	w.must(admin, &CreateMachine{Path: path, Program: w.programID(), Start: start, Terms: terms})
}

func aProof(n uint64) *Proof {
	return &Proof{ID: wire.Sum([]byte(fmt.Sprint("proof ", n))), Length: 1000, Version: 2}
}

// aWhole names the whole-life span of a machine that is due, nil where none is.
func aWhole(m *Machine, fresh bool) *Proof {
	if !m.WholeDue() || (fresh && m.Terms.Succession == Restart) {
		return nil
	}
	return &Proof{ID: wire.Sum([]byte(fmt.Sprint("whole life to ", m.T))), Length: 2000, Version: 2}
}

// runsOf are runs that took one input each, or one run that takes none.
func runsOf(inputs ...int64) []Run {
	if len(inputs) == 0 {
		return []Run{{}}
	}
	var out []Run
	for _, at := range inputs {
		out = append(out, Run{Inputs: []int64{at}})
	}
	return out
}

func (w *world) lock(path string) *Lock {
	w.t.Helper()
	l, _, err := w.state.Lock(path)
	if err != nil {
		w.t.Fatalf("lock: %v", err)
	}
	return l
}

// acquireOp is an honest acquire of a lock as it stands.
func (w *world) acquireOp(path string, inputs ...int64) *Acquire {
	w.t.Helper()
	l := w.lock(path)
	op := &Acquire{Path: path, Instance: l.Instance, Generation: l.Generation + 1, Mode: Exclusive,
		Addresses: []string{"/ip4/10.0.0.1/tcp/4001"}}
	if l.Machine != nil {
		op.Proof, op.Anchor, op.Runs, op.Whole = aProof(w.state.Sequence()), w.state.Sequence(), runsOf(inputs...), aWhole(l.Machine, true)
	}
	return op
}

func (w *world) renewOp(path string, inputs ...int64) *Renew {
	w.t.Helper()
	l := w.lock(path)
	op := &Renew{Path: path, Instance: l.Instance, Generation: l.Generation}
	if l.Machine != nil {
		op.Proof, op.Anchor, op.Runs, op.Whole = aProof(w.state.Sequence()), w.state.Sequence(), runsOf(inputs...), aWhole(l.Machine, false)
	}
	return op
}

func (w *world) holder(path string) Holder {
	w.t.Helper()
	h, err := w.state.Holder(path)
	if err != nil {
		w.t.Fatalf("holder: %v", err)
	}
	return h
}

func u64(n uint64) *uint64 { return &n }

// The whole way: publish, make, acquire, renew, die, wait, take over from the last proven state.
func TestMachineLife(t *testing.T) {
	w := newWorld(t)
	terms := DefaultTerms(w.state.Rules())
	terms.Succession, terms.Opening, terms.Grace = Resume, OpeningSelf, 6*Second
	w.machine("/m", FeltOf(7), terms)
	if r := w.proven(alice, w.acquireOp("/m"), 10, FeltOf(17), nil); r.Code != "" || r.Generation != 1 {
		t.Fatalf("acquire: %+v", r)
	}
	w.wait(10 * Second)
	if r := w.proven(alice, w.renewOp("/m"), 5, FeltOf(22), nil); r.Code != "" {
		t.Fatalf("renew: %+v", r)
	}
	h := w.holder("/m")
	if h.State != Held || h.Account != id(alice) || h.Machine.T != 15 || h.Machine.S != FeltOf(22) || h.Ends != w.now+Time(18*Second) {
		t.Fatalf("holder: %+v", h)
	}
	seq := h.Sequencer
	if got, err := ParseSequencer(seq.String()); err != nil || got != seq || w.state.CheckSequencer(seq) != nil {
		t.Fatalf("sequencer %s: %v %v", seq, got, err)
	}
	w.wait(18*Second - 1)
	if w.holder("/m").State != Held {
		t.Fatalf("the lease ended early")
	}
	w.cut(1)
	if h := w.holder("/m"); h.State != Delayed || w.state.CheckSequencer(seq) == nil {
		t.Fatalf("the lease did not end: %+v", h)
	}
	w.refused(bob, w.acquireOp("/m"), CodeDelay)
	w.wait(2 * Second)
	if r := w.proven(bob, w.acquireOp("/m"), 1, FeltOf(23), nil); r.Code != "" || r.Generation != 2 {
		t.Fatalf("take over: %+v", r)
	}
	if h := w.holder("/m"); h.Machine.T != 16 || h.Account != id(bob) {
		t.Fatalf("after: %+v", h)
	}
	// Proven reads, also of what is not there.
	for _, path := range []string{"/m", "/absent"} {
		want, blocks, err := w.state.ProveHolder(path)
		got, err2 := VerifyHolder(w.state.ID(), raw(blocks), testChain, path)
		if CodeOf(err) != CodeOf(err2) || !reflect.DeepEqual(got, want) {
			t.Fatalf("%s: %v %v", path, err, err2)
		}
	}
	events, _, err := w.state.Events(EventID{}, "/m", 100)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, string(e.Kind))
	}
	if got, want := fmt.Sprint(kinds), "[lock_acquired lock_renewed machine_failed lock_lost lock_free lock_acquired]"; got != want {
		t.Fatalf("events %s, want %s", got, want)
	}
	for _, what := range []wire.CID{h.Lock, h.Machine.ID, w.programID()} {
		if got, err := w.state.Find(what, "", 10); err != nil || fmt.Sprint(got) != "[/m]" {
			t.Fatalf("find: %v %v", got, err)
		}
	}
}

func raw(blocks []Block) (out [][]byte) {
	for _, b := range blocks {
		out = append(out, bytes.Clone(b.Data))
	}
	return out
}
