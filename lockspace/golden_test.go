package lockspace

import (
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/internal/wire"
)

var updateGolden = flag.Bool("update", false, "write testdata/golden anew")

// golden compares bytes with testdata/golden/NAME.hex.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name+".hex")
	if *updateGolden {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(hex.EncodeToString(got)+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: write it with -update", err)
	}
	if strings.TrimSpace(string(want)) != hex.EncodeToString(got) {
		t.Errorf("%s: the encoding changed: old ledgers could no longer be read\n got %x\nwant %s", name, got, want)
	}
}

// sampleOps has one operation of each kind with every field set.
func sampleOps() map[string]Op {
	some := wire.Sum([]byte("some block"))
	proof := &Proof{ID: some, Length: 123456, Version: 2}
	whole := &Proof{ID: wire.Sum([]byte("the whole life")), Length: 234567, Version: 2}
	terms := FeltTerms(DefaultRules(), FeltOf(9))
	terms.Succession, terms.Opening = Resume, OpeningSelf
	terms.Senders, terms.Acquirers = []AccountID{{1}, {2}}, []AccountID{{3}}
	addresses := []string{"/ip4/192.0.2.1/udp/4001/quic-v1", "/dns4/example.org/tcp/4001"}
	return map[string]Op{
		"mkdir":        &Mkdir{Path: "/a"},
		"put":          &Put{Path: "/a/f", Content: []byte("content"), Expect: u64(3), Instance: u64(7), LivesBy: "/a/l"},
		"put-bare":     &Put{Path: "/a/f"},
		"delete":       &Delete{Path: "/a/f", Expect: u64(3), Instance: u64(7)},
		"publish":      &Publish{Program: []byte{0xa0}},
		"machine":      &CreateMachine{Path: "/m", Program: some, Start: FeltOf(5), Terms: terms},
		"acquire":      &Acquire{Path: "/m", Instance: 7, Generation: 2, Mode: Exclusive, Addresses: addresses, Proof: proof, Anchor: 99, Runs: []Run{{Inputs: []int64{4}}, {Inputs: []int64{Idle}}}, Whole: whole},
		"acquire-open": &Acquire{Path: "/m", Instance: 7, Generation: 1, Mode: Exclusive, Addresses: addresses, Proof: proof, Anchor: 99, Runs: []Run{{Inputs: []int64{4, Idle}}}, Opening: []Felt{FeltOf(1), FeltOf(2)}},
		"acquire-own":  &Acquire{Path: "/l", Instance: 7, Generation: 2, Mode: Exclusive, Addresses: []string{}},
		"renew":        &Renew{Path: "/m", Instance: 7, Generation: 2, Addresses: addresses, Proof: proof, Anchor: 100, Runs: []Run{{Inputs: []int64{Idle}}}, Whole: whole},
		"release":      &Release{Path: "/m", Instance: 7, Generation: 2},
		"send":         &Send{Path: "/m", Felts: []Felt{FeltOf(1 << 60)}},
		"grant":        &Grant{Account: AccountID{1, 2, 3}, Name: "name", Grant: true, Quota: DefaultQuota()},
	}
}

func TestGoldenTransactions(t *testing.T) {
	for name, op := range sampleOps() {
		tx, err := Sign(alice, Header{Chain: testChain, Nonce: 42, Expiry: startTime}, op)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		golden(t, "tx-"+name, tx)
		s, err := Decode(tx)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := s.CheckSignature(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if s.Signer != id(alice) || s.Nonce != 42 || s.Kind != op.kind() {
			t.Errorf("%s: %+v", name, s)
		}
		if again, err := wire.Marshal(s.Op); err != nil || !reflect.DeepEqual(s.Op.kind(), op.kind()) {
			t.Errorf("%s: %v", name, err)
		} else if first, _ := wire.Marshal(op); string(first) != string(again) {
			t.Errorf("%s: the operation changed on its way", name)
		}
	}
}

func TestGoldenRecords(t *testing.T) {
	some := wire.Sum([]byte("some block"))
	terms := sampleOps()["machine"].(*CreateMachine).Terms
	one, felt, who := uint64(1), FeltOf(3), AccountID{9}
	for name, v := range map[string]any{
		"root": &Root{Version: 1, Chain: testChain, Rules: some, Sequence: 7, Time: startTime, Outage: 3, Tree: &some, Instances: 9, Timers: 2,
			RootsFrom: 1, EventsFrom: 4, EventsNext: 6, EventCount: 300, EventsGone: 3},
		"rules": DefaultRules(),
		"node-file": &Node{Instance: 3, Content: 2, ACL: 1, Owner: AccountID{1}, Payer: AccountID{2}, Size: 4, Checksum: &some,
			Data: []byte("data"), Created: 1, Modified: 2, LivesBy: "/l", Slot: 5},
		"node-directory": &Node{Directory: true, Instance: 2, Children: 4, Owner: AccountID{1}, Payer: AccountID{1}, Created: 1, Modified: 2},
		"content-ref":    &contentRef{Count: 2},
		"account":        &Account{Name: "n", Grant: true, Quota: DefaultQuota(), State: 5, Inbox: 6, ProofDebt: 7, Nonce: 8, Used: [32]byte{1}},
		"program":        &Program{ID: some, Key: Digest{7}, Size: 100, Publisher: AccountID{1}, Sequence: 4},
		"lock": &Lock{Path: "/m", Instance: 3, Generation: 2, State: Held, Mode: Exclusive, Holder: AccountID{4}, Peer: "12D3", Addresses: []string{"/ip4/192.0.2.1"},
			Ends: 99, Freed: 98, Ephemerals: 5, Sequence: 6, Machine: &Machine{ID: some, Program: some, Start: FeltOf(1), Terms: terms, T: 10, S: FeltOf(11), Proof: &some, T0: 9,
				Whole: &Whole{ID: some, Length: 12, T: 9}, Head: 1, Tail: 3, Dated: 2, Deadline: 55}},
		"inbox-entry": &InboxEntry{From: AccountID{1}, Felts: []Felt{FeltOf(2)}, Sent: 3, Deadline: 4},
		"past-root":   &pastRoot{Root: some, At: 5},
		"event-chunk": &eventChunkRef{Block: some, Sequence: 1, First: 2, Count: 3},
		"event-log": &eventLog{Chunk: 4, Events: []Event{{Sequence: 1, Index: 2, Kind: EventRenewed, Path: "/m", Child: "c", Instance: 3, Generation: 4, Account: &who,
			Peer: "12D3", T: &one, S: &felt, LeaseEnd: 5, Input: &one, CID: &some, Reason: "r"}}},
		"verdict": &Verdict{OK: true, Reason: "r", Key: Digest{1}, Life: Digest{2}, Anchor: Digest{3}, T0: 4, S0: FeltOf(5), T1: 6, S1: FeltOf(7), Inputs: Digest{8}},
		"receipt": &Receipt{ID: some, Code: CodeProof, Message: "m", Instance: 1, Generation: 2, Index: &one, LeaseEnd: 3, CID: &some, Counted: true,
			Verdict: &Verdict{Reason: "no"}, Whole: &Verdict{Reason: "nor that"}},
	} {
		b, err := wire.Marshal(v)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		golden(t, "record-"+name, b)
		back := reflect.New(reflect.Indirect(reflect.ValueOf(v)).Type())
		if err := wire.Unmarshal(b, back.Interface()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if want := reflect.Indirect(reflect.ValueOf(v)).Interface(); !reflect.DeepEqual(back.Elem().Interface(), want) {
			t.Errorf("%s: decodes as %+v", name, back.Elem().Interface())
		}
	}
}

// The digests and ids that machines and clients compute for themselves, and two whole states.
func TestGoldenDigests(t *testing.T) {
	some := wire.Sum([]byte("some block"))
	life, err := Life(testChain, "/m", 7, 2, AccountID{1, 2, 3})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "life", life[:])
	anchor, err := Anchor(99, some)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "anchor", anchor[:])
	lock, err := LockCID(testChain, "/m")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "lock-cid", []byte(lock.String()))
	machine, err := MachineCID(some, FeltOf(5))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "machine-cid", []byte(machine.String()))
	golden(t, "state-genesis", []byte(newWorld(t).state.ID().String()))
	golden(t, "state-held", []byte(heldWorld(t).state.ID().String()))
}
