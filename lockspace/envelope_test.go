package lockspace

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/internal/wire"
)

func TestEnvelope(t *testing.T) {
	w := newWorld(t)
	good := Header{Chain: testChain, Nonce: 1, Expiry: w.now + Time(60*Second)}
	sign := func(k ed25519.PrivateKey, change func(*Header)) []byte {
		h := good
		if change != nil {
			change(&h)
		}
		tx, err := Sign(k, h, &Mkdir{Path: "/a"})
		if err != nil {
			t.Fatal(err)
		}
		return tx
	}
	var env envelope
	if err := wire.Unmarshal(sign(alice, nil), &env); err != nil {
		t.Fatal(err)
	}
	env.Signature[7] ^= 1
	forged, _ := wire.Marshal(env)
	// Bob's signature on alice's body.
	env.Signature = wire.Sign(bob, wire.DomainTransaction, env.Body)
	swapped, _ := wire.Marshal(env)
	// Alice's signature under another domain.
	env.Signature = wire.Sign(alice, wire.DomainVote, env.Body)
	domain, _ := wire.Marshal(env)
	for name, c := range map[string]struct {
		tx   []byte
		want Code
	}{
		"empty":          {nil, CodeMalformed},
		"cut":            {sign(alice, nil)[:50], CodeMalformed},
		"trailing byte":  {append(sign(alice, nil), 0), CodeMalformed},
		"huge":           {make([]byte, MaxTransaction+1), CodeMalformed},
		"flipped":        {forged, CodeSignature},
		"another's":      {swapped, CodeSignature},
		"other domain":   {domain, CodeSignature},
		"other chain":    {sign(alice, func(h *Header) { h.Chain = "other" }), CodeChain},
		"no account":     {sign(key("nobody"), nil), CodeAccount},
		"expired":        {sign(alice, func(h *Header) { h.Expiry = w.now }), CodeExpired},
		"nonce too high": {sign(alice, func(h *Header) { h.Nonce = MaxNonceJump + 1 }), CodeNonce},
	} {
		before, _ := w.state.Account(id(alice))
		if r := w.cut(1e6, Input{Tx: c.tx})[0]; r.Code != c.want || r.Counted || r.ID != wire.Sum(c.tx) {
			t.Errorf("%s: %+v", name, r)
		}
		if after, _ := w.state.Account(id(alice)); after != before {
			t.Errorf("%s: it changed the account", name)
		}
	}
	for name, h := range map[string]Header{
		"nonce 0": {Chain: testChain, Expiry: 1}, "no chain": {Nonce: 1}, "long chain": {Chain: strings.Repeat("c", MaxChain+1), Nonce: 1},
		"expiry below 0": {Chain: testChain, Nonce: 1, Expiry: -1},
	} {
		if _, err := Sign(alice, h, &Mkdir{Path: "/a"}); CodeOf(err) != CodeMalformed {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Sign(alice[:5], good, &Mkdir{Path: "/a"}); err == nil {
		t.Error("signed with a short key")
	}
	// A transaction of an unknown kind, and one with a field too many.
	for _, op := range []any{map[string]any{"path": "/a"}, map[string]any{"path": "/a", "mode": 7}} {
		raw, _ := wire.Marshal(op)
		kind := Kind("mkdir")
		if len(op.(map[string]any)) == 1 {
			kind = "rmdir"
		}
		inner, _ := wire.Marshal(body{Chain: testChain, Signer: id(alice), Nonce: 1, Expiry: good.Expiry, Kind: kind, Op: raw})
		tx, _ := wire.Marshal(envelope{Body: inner, Signature: wire.Sign(alice, wire.DomainTransaction, inner)})
		if _, err := Decode(tx); CodeOf(err) != CodeMalformed {
			t.Errorf("%v: %v", op, err)
		}
	}
}

// Each nonce is used once, in any order within the window.
func TestNonceWindow(t *testing.T) {
	a := &Account{}
	used := map[uint64]bool{}
	for _, n := range []uint64{5, 1, 9, 300, 44, 45, 46, 299, 556, 301, 300, 812, 557, 556, 813, 1 << 20, 1<<20 - 255, 1<<20 - 256} {
		highest := a.Nonce
		ok := !used[n] && n+NonceWindow > highest
		if err := a.useNonce(n); (err == nil) != ok {
			t.Errorf("nonce %d, highest %d, used before %v: %v", n, highest, used[n], err)
		}
		if ok {
			used[n] = true
			if a.useNonce(n) == nil {
				t.Errorf("nonce %d is accepted twice", n)
			}
		}
	}
	if err := a.useNonce(a.Nonce + MaxNonceJump + 1); CodeOf(err) != CodeNonce {
		t.Errorf("a jump too far: %v", err)
	}
}

// The same transaction through several workers executes once.
func TestExecutesOnce(t *testing.T) {
	w := newWorld(t)
	tx := w.sign(alice, &Put{Path: "/f", Content: []byte("x")})
	r := w.cut(1e6, Input{Tx: tx}, Input{Tx: tx})
	if r[0].Code != "" || !r[0].Counted || r[1].Code != CodeNonce || r[1].Counted || r[0].ID != r[1].ID {
		t.Fatalf("%+v", r)
	}
	if st, _ := w.state.Stat("/f"); st.Content != 1 {
		t.Errorf("written %d times", st.Content)
	}
}

// Every operation refuses fields that no state could make right, when it is signed and when it is decoded.
func TestBadFields(t *testing.T) {
	long := strings.Repeat("x", MaxPath)
	notFelt := Felt(primeBytes)
	proof := func(change func(*Proof)) *Proof {
		p := *aProof(1)
		change(&p)
		return &p
	}
	runs := []Run{{}}
	acquire := func(change func(*Acquire)) *Acquire {
		o := &Acquire{Path: "/l", Instance: 2, Generation: 1, Mode: Exclusive}
		change(o)
		return o
	}
	for name, op := range map[string]Op{
		"mkdir root":          &Mkdir{Path: "/"},
		"mkdir long":          &Mkdir{Path: "/" + long},
		"put root":            &Put{Path: "/"},
		"put huge":            &Put{Path: "/a", Content: make([]byte, MaxContent+1)},
		"put lives by ..":     &Put{Path: "/a", LivesBy: "/.."},
		"delete root":         &Delete{Path: "/"},
		"publish nothing":     &Publish{},
		"publish huge":        &Publish{Program: make([]byte, MaxProgram+1)},
		"machine no felt":     &CreateMachine{Path: "/m", Program: wire.Sum(nil), Start: notFelt},
		"machine bad path":    &CreateMachine{Path: "m", Program: wire.Sum(nil)},
		"acquire shared":      acquire(func(o *Acquire) { o.Mode = "shared" }),
		"acquire addresses":   acquire(func(o *Acquire) { o.Addresses = make([]string, MaxAddresses+1) }),
		"acquire address":     acquire(func(o *Acquire) { o.Addresses = []string{"10.0.0.1"} }),
		"acquire long addr":   acquire(func(o *Acquire) { o.Addresses = []string{"/" + long} }),
		"acquire stray runs":  acquire(func(o *Acquire) { o.Runs = runs }),
		"acquire stray anch":  acquire(func(o *Acquire) { o.Anchor = 1 }),
		"proof of 0 bytes":    acquire(func(o *Acquire) { o.Proof, o.Runs = proof(func(p *Proof) { p.Length = 0 }), runs }),
		"proof too long":      acquire(func(o *Acquire) { o.Proof, o.Runs = proof(func(p *Proof) { p.Length = MaxProof + 1 }), runs }),
		"proof without runs":  acquire(func(o *Acquire) { o.Proof = aProof(1) }),
		"many runs":           acquire(func(o *Acquire) { o.Proof, o.Runs = aProof(1), make([]Run, MaxRuns+1) }),
		"many inputs":         acquire(func(o *Acquire) { o.Proof, o.Runs = aProof(1), []Run{{}, {Inputs: make([]int64, MaxInputs+1)}} }),
		"acquire stray whole": acquire(func(o *Acquire) { o.Whole = aProof(1) }),
		"whole of 0 bytes": acquire(func(o *Acquire) {
			o.Proof, o.Runs, o.Whole = aProof(1), runs, proof(func(p *Proof) { p.ID, p.Length = wire.Sum(nil), 0 })
		}),
		"whole too long": acquire(func(o *Acquire) {
			o.Proof, o.Runs, o.Whole = aProof(1), runs, proof(func(p *Proof) { p.ID, p.Length = wire.Sum(nil), MaxProof+1 })
		}),
		"whole is the proof": acquire(func(o *Acquire) { o.Proof, o.Runs, o.Whole = aProof(1), runs, aProof(1) }),
		"stray opening":      acquire(func(o *Acquire) { o.Opening = make([]Felt, 1) }),
		"long opening":       acquire(func(o *Acquire) { o.Proof, o.Runs, o.Opening = aProof(1), runs, make([]Felt, MaxOpening+1) }),
		"opening no felt":    acquire(func(o *Acquire) { o.Proof, o.Runs, o.Opening = aProof(1), runs, []Felt{notFelt} }),
		"input -2":           acquire(func(o *Acquire) { o.Proof, o.Runs = aProof(1), []Run{{Inputs: []int64{-2}}} }),
		"acquire root":       acquire(func(o *Acquire) { o.Path = "/" }),
		"renew root":         &Renew{Path: "/"},
		"renew address":      &Renew{Path: "/l", Addresses: []string{"/a b"}},
		"renew stray runs":   &Renew{Path: "/l", Runs: runs},
		"release root":       &Release{Path: "/"},
		"send nothing":       &Send{Path: "/m"},
		"send many":          &Send{Path: "/m", Felts: make([]Felt, MaxTransactionFelts+1)},
		"send no felt":       &Send{Path: "/m", Felts: []Felt{notFelt}},
		"send to root":       &Send{Path: "/", Felts: make([]Felt, 1)},
		"grant long name":    &Grant{Name: long, Quota: DefaultQuota()},
		"grant no refill":    &Grant{},
		"grant slow refill":  &Grant{Quota: Quota{Refill: maxRefill + 1}},
		"grant many proofs":  &Grant{Quota: Quota{Refill: 1, Proofs: maxProofs + 1}},
		"grant huge":         &Grant{Quota: Quota{Refill: 1, State: 1 << 51}},
	} {
		if _, err := Sign(alice, Header{Chain: testChain, Nonce: 1}, op); CodeOf(err) != CodeInvalid {
			t.Errorf("%s: signed: %v", name, err)
		}
		raw, err := wire.Marshal(op)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeOp(op.kind(), raw); CodeOf(err) != CodeInvalid {
			t.Errorf("%s: decoded: %v", name, err)
		}
	}
}

func TestTermsAreChecked(t *testing.T) {
	r := DefaultRules()
	if err := DefaultTerms(r).Validate(r); err != nil {
		t.Fatal(err)
	}
	if err := FeltTerms(r, FeltOf(1)).Validate(r); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Terms){
		"inputs":              func(t *Terms) { t.Inputs = "keccak" },
		"no transaction":      func(t *Terms) { t.Inputs, t.Transaction, t.Idle = InputPoseidon, 0, nil },
		"long transaction":    func(t *Terms) { t.Inputs, t.Transaction, t.Idle = InputPoseidon, 17, make([]Felt, 17) },
		"idle of another len": func(t *Terms) { t.Inputs, t.Transaction = InputPoseidon, 2 },
		"transaction of none": func(t *Terms) { t.Inputs = InputNone },
		"two felts":           func(t *Terms) { t.Transaction = 2 },
		"no idle":             func(t *Terms) { t.Idle = nil },
		"idle no felt":        func(t *Terms) { t.Idle = []Felt{primeBytes} },
		"no inbox":            func(t *Terms) { t.InboxMax = 0 },
		"huge inbox":          func(t *Terms) { t.InboxMax = MaxInboxBound + 1 },
		"no window":           func(t *Terms) { t.Window = 0 },
		"huge window":         func(t *Terms) { t.Window = MaxWindow + 1 },
		"succession":          func(t *Terms) { t.Succession = "" },
		"opening":             func(t *Terms) { t.Opening = "keccak" },
		"resume, no opening":  func(t *Terms) { t.Succession = Resume },
		"fast":                func(t *Terms) { t.Cadence = r.MinCadence - 1 },
		"slow":                func(t *Terms) { t.Cadence = r.MaxCadence + 1 },
		"grace of 5 s":        func(t *Terms) { t.Grace = OutageAfter },
		"long grace":          func(t *Terms) { t.Grace = r.MaxGrace + 1 },
		"negative delay":      func(t *Terms) { t.LockDelay = -1 },
		"long delay":          func(t *Terms) { t.LockDelay = r.MaxLockDelay + 1 },
		"senders twice":       func(t *Terms) { t.Senders = []AccountID{{1}, {1}} },
		"acquirers unsorted":  func(t *Terms) { t.Acquirers = []AccountID{{2}, {1}} },
		"many senders":        func(t *Terms) { t.Senders = make([]AccountID, MaxMembers+1) },
	} {
		terms := FeltTerms(r, FeltOf(1))
		change(&terms)
		if err := terms.Validate(r); CodeOf(err) != CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGenesisIsChecked(t *testing.T) {
	for name, change := range map[string]func(*Genesis){
		"no chain":      func(g *Genesis) { g.Chain = "" },
		"negative time": func(g *Genesis) { g.Time = -1 },
		"account twice": func(g *Genesis) { g.Accounts = append(g.Accounts, g.Accounts[0]) },
		"long name":     func(g *Genesis) { g.Accounts[0].Name = strings.Repeat("x", MaxAccountName+1) },
		"bad quota":     func(g *Genesis) { g.Accounts[0].Quota.Refill = 0 },
		"no version":    func(g *Genesis) { g.Rules.ProofVersions = nil },
		"grace of 5 s":  func(g *Genesis) { g.Rules.Grace = OutageAfter },
		"cadence":       func(g *Genesis) { g.Rules.Cadence = 0 },
		"cadences":      func(g *Genesis) { g.Rules.MaxCadence = 0 },
		"lock-delay":    func(g *Genesis) { g.Rules.LockDelay = -1 },
		"event window":  func(g *Genesis) { g.Rules.EventWindow = 0 },
	} {
		g := testGenesis()
		change(&g)
		if _, _, err := New(testConfig(blockMap{}), g); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	// The order of the accounts does not matter.
	g := testGenesis()
	g.Accounts[0], g.Accounts[2] = g.Accounts[2], g.Accounts[0]
	if a, b := newWorld(t), newWorldFrom(t, g); a.state.ID() != b.state.ID() {
		t.Error("the order of the accounts changes the root")
	}
}

func TestCutsAreChecked(t *testing.T) {
	w := heldWorld(t)
	seq := w.state.Sequence()
	for name, c := range map[string]Cut{
		"same sequence": {Sequence: seq, Time: w.now + 1}, "skipped": {Sequence: seq + 2, Time: w.now + 1},
		"same time": {Sequence: seq + 1, Time: w.now}, "backwards": {Sequence: seq + 1, Time: w.now - 1},
		"end of time": {Sequence: seq + 1, Time: 1<<63 - 1},
	} {
		if _, _, err := w.state.Apply(c); err == nil {
			t.Errorf("%s: applied", name)
		}
	}
	if _, err := w.state.Precheck(&Signed{Op: &Mkdir{}}, 1<<63-1); err == nil {
		t.Error("precheck at the end of time")
	}
}

func TestQuotas(t *testing.T) {
	g := testGenesis()
	g.Accounts[1].Quota = Quota{State: 2000, Proofs: 4, Refill: 10 * Second}
	w := newWorldFrom(t, g)
	w.must(alice, &Put{Path: "/a", Content: make([]byte, 1000)})
	w.refused(alice, &Put{Path: "/b", Content: make([]byte, 1000)}, CodeQuota)
	w.refused(alice, &Put{Path: "/a", Content: make([]byte, 2000)}, CodeQuota)
	// Who writes last pays.
	w.must(bob, &Put{Path: "/a", Content: make([]byte, 2000)})
	w.must(alice, &Put{Path: "/b", Content: make([]byte, 1000)})
	large, _ := wire.Marshal(map[string]any{"bytecode": make([]byte, 800)})
	w.refused(alice, &Publish{Program: large}, CodeQuota) // 1,258 bytes are in use
	w.refused(alice, &Mkdir{Path: "/a/b"}, CodeInvalid)
	// Lowering a quota below what is used forbids growth alone.
	q := g.Accounts[1].Quota
	q.State = 100
	w.must(admin, &Grant{Account: id(alice), Quota: q})
	w.must(alice, &Put{Path: "/b", Content: make([]byte, 900)})
	w.refused(alice, &Put{Path: "/b", Content: make([]byte, 901)}, CodeQuota)
	w.must(alice, &Delete{Path: "/b"})

	// Four proofs at once, then one each ten seconds; a bad one takes eight more. The second renewal and all after it
	// carry two.
	w.machine("/m", FeltOf(0), resumeTerms(w))
	w.must(admin, &Grant{Account: id(alice), Quota: g.Accounts[1].Quota})
	if r := w.proven(alice, w.acquireOp("/m"), 1, FeltOf(1), nil); r.Code != "" {
		t.Fatal(r)
	}
	for range 2 {
		if r := w.proven(alice, w.renewOp("/m"), 1, FeltOf(1), nil); r.Code != "" {
			t.Fatal(r)
		}
	}
	w.refused(alice, w.renewOp("/m"), CodeQuota)
	w.wait(20 * Second)
	if r := w.proven(alice, w.renewOp("/m"), 1, FeltOf(1), func(v *Verdict) { v.OK = false }); r.Code != CodeProof {
		t.Fatal(r)
	}
	// It owes eight: no two before 100 s have passed.
	w.wait(50 * Second)
	w.refused(alice, w.renewOp("/m"), CodeQuota)
	w.wait(40 * Second)
	w.refused(alice, w.acquireOp("/m"), CodeQuota)
	w.wait(10 * Second)
	if r := w.proven(alice, w.acquireOp("/m"), 1, FeltOf(1), nil); r.Code != "" {
		t.Fatal(r)
	}
}

func TestGrants(t *testing.T) {
	w := newWorld(t)
	carol := key("carol")
	w.refused(alice, &Grant{Account: id(carol), Quota: DefaultQuota()}, CodeForbidden)
	w.refused(alice, &Grant{Account: id(alice), Grant: true, Quota: DefaultQuota()}, CodeForbidden)
	w.must(admin, &Grant{Account: id(carol), Name: "carol", Quota: DefaultQuota()})
	w.must(carol, &Mkdir{Path: "/carol"})
	before, _ := w.state.Account(id(carol))
	w.must(admin, &Grant{Account: id(carol), Name: "Carol", Grant: true, Quota: DefaultQuota()})
	after, _ := w.state.Account(id(carol))
	if after.Nonce != before.Nonce || after.State != before.State || after.Name != "Carol" {
		t.Errorf("granting again: %+v, then %+v", before, after)
	}
	w.must(carol, &Grant{Account: id(carol), Name: "C", Grant: true, Quota: DefaultQuota()})
	list, err := w.state.Accounts(nil, 2)
	if err != nil || len(list) != 2 {
		t.Fatal(err)
	}
	rest, err := w.state.Accounts(&list[1].ID, 10)
	if err != nil || len(rest) != 2 {
		t.Fatalf("%d more accounts: %v", len(rest), err)
	}
	if _, err := w.state.Account(AccountID{}); CodeOf(err) != CodeAccount {
		t.Errorf("no account: %v", err)
	}
}

func TestPrograms(t *testing.T) {
	w := newWorld(t)
	if r := w.must(alice, &Publish{Program: w.program}); *r.CID != w.programID() {
		t.Fatalf("%+v", r)
	}
	w.refused(bob, &Publish{Program: w.program}, CodeExists)
	p, err := w.state.Program(w.programID())
	want, _ := func() (Digest, error) { _, d, err := testProgramKey(w.program); return d, err }()
	if err != nil || p.Key != want || p.Publisher != id(alice) {
		t.Errorf("%+v %v", p, err)
	}
	if b, err := w.state.ProgramBytes(w.programID()); err != nil || string(b) != string(w.program) {
		t.Errorf("bytes: %v", err)
	}
	if _, err := w.state.Program(wire.CID{}); CodeOf(err) != CodeInvalid {
		t.Errorf("undefined: %v", err)
	}
	if _, err := w.state.Find(wire.CID{}, "", 1); CodeOf(err) != CodeInvalid {
		t.Errorf("undefined: %v", err)
	}
	for i := range 5 {
		w.machine(fmt.Sprintf("/m%d", i), FeltOf(uint64(i/3)), DefaultTerms(w.state.Rules()))
	}
	machine, _ := MachineCID(w.programID(), FeltOf(0))
	if got, err := w.state.Find(machine, "", 10); err != nil || len(got) != 3 {
		t.Errorf("find the machine: %v %v", got, err)
	}
	first, err := w.state.Find(w.programID(), "", 2)
	if err != nil || len(first) != 2 {
		t.Fatalf("find the program: %v %v", first, err)
	}
	if rest, err := w.state.Find(w.programID(), first[1], 10); err != nil || len(rest) != 3 {
		t.Errorf("the rest: %v %v", rest, err)
	}
	if _, err := w.state.Find(wire.Sum([]byte("x")), "", 10); !errors.Is(err, ErrNotFound) {
		t.Errorf("nothing to find: %v", err)
	}
}
