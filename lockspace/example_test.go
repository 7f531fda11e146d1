package lockspace_test

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
)

// store keeps blocks in memory, as a node keeps them on disk.
type store map[wire.CID][]byte

func (s store) Get(id wire.CID) ([]byte, error) {
	if b, ok := s[id]; ok {
		return b, nil
	}
	return nil, errors.New("no such block")
}

func (s store) write(res *lockspace.Result) {
	for _, b := range res.Blocks {
		s[b.ID] = b.Data
	}
}

// ledger is a small ledger of one account, for the examples below.
type ledger struct {
	blocks store
	state  *lockspace.State
	key    ed25519.PrivateKey
	nonce  uint64
}

func newLedger() *ledger {
	l := &ledger{blocks: store{}, key: ed25519.NewKeyFromSeed(make([]byte, 32))}
	who := lockspace.AccountID(l.key.Public().(ed25519.PublicKey))
	config := lockspace.Config{Blocks: l.blocks, Functions: lockspace.Functions{
		// A node hands in the verifier's derivation of program keys.
		ProgramKey: func(program []byte) (wire.CID, lockspace.Digest, error) {
			return wire.Sum(program), sha256.Sum256(program), nil
		},
		// And its digest of what a span's runs consumed.
		SpanInputs: func(runs []lockspace.Felt) lockspace.Digest { return sha256.Sum256([]byte(fmt.Sprint(runs))) },
	}}
	state, res, err := lockspace.New(config, lockspace.Genesis{
		Chain: "example", Time: 1_000_000_000, Rules: lockspace.DefaultRules(),
		Accounts: []lockspace.GenesisAccount{{ID: who, Name: "me", Grant: true, Quota: lockspace.DefaultQuota()}},
	})
	if err != nil {
		panic(err)
	}
	l.blocks.write(res)
	l.state = state
	return l
}

// execute applies one transaction in a cut of its own, a second after the cut before.
func (l *ledger) execute(op lockspace.Op, verdict *lockspace.Verdict) lockspace.Receipt {
	l.nonce++
	root := l.state.Root()
	tx, err := lockspace.Sign(l.key, lockspace.Header{Chain: "example", Nonce: l.nonce, Expiry: root.Time + lockspace.Time(60*lockspace.Second)}, op)
	if err != nil {
		panic(err)
	}
	cut := lockspace.Cut{Sequence: root.Sequence + 1, Time: root.Time + lockspace.Time(lockspace.Second), Inputs: []lockspace.Input{{Tx: tx, Verdict: verdict}}}
	next, res, err := l.state.Apply(cut)
	if err != nil {
		panic(err)
	}
	l.blocks.write(res) // before anyone reads the new state
	l.state = next
	return res.Receipts[0]
}

// A file is written with compare-and-set, and read with the blocks that prove it.
func ExampleState_Prove() {
	l := newLedger()
	absent := uint64(0)
	l.execute(&lockspace.Put{Path: "/motd", Content: []byte("hello"), Expect: &absent}, nil)
	r := l.execute(&lockspace.Put{Path: "/motd", Content: []byte("again"), Expect: &absent}, nil)
	fmt.Println(r.Code)

	_, _, blocks, _ := l.state.ProveGet("/motd")
	var carried [][]byte // as a CAR file would
	for _, b := range blocks {
		carried = append(carried, b.Data)
	}
	content, node, err := lockspace.VerifyGet(l.state.ID(), carried, "example", "/motd")
	fmt.Println(string(content), node.Content, err)
	// Output:
	// conflict
	// hello 1 <nil>
}

// A machine's lock is acquired by a proof. The verdict stands for the verifier's here.
func ExampleState_Precheck() {
	l := newLedger()
	program := []byte{0xa0}
	l.execute(&lockspace.Publish{Program: program}, nil)
	terms := lockspace.DefaultTerms(l.state.Rules())
	l.execute(&lockspace.CreateMachine{Path: "/m", Program: wire.Sum(program), Terms: terms}, nil)

	lock, _, _ := l.state.Lock("/m")
	acquire := &lockspace.Acquire{Path: "/m", Instance: lock.Instance, Generation: lock.Generation + 1, Mode: lockspace.Exclusive,
		Addresses: []string{"/ip4/192.0.2.1/tcp/4001"},
		Proof:     &lockspace.Proof{ID: wire.Sum([]byte("the proof")), Length: 9, Version: 2}, Anchor: l.state.Sequence(), Runs: []lockspace.Run{{}}}
	tx, _ := lockspace.Sign(l.key, lockspace.Header{Chain: "example", Nonce: 99, Expiry: 1 << 60}, acquire)
	signed, _ := lockspace.Decode(tx)
	need, err := l.state.Precheck(signed, l.state.Root().Time+1)
	fmt.Println("needed: from t =", need.T0, err)

	r := l.execute(acquire, &lockspace.Verdict{OK: true, Key: need.Key, Life: need.Life, Anchor: need.Anchor, T0: 0, T1: 1000, S1: lockspace.FeltOf(42), Inputs: need.Inputs})
	h, _ := l.state.Holder("/m")
	fmt.Printf("%q %s t=%d %s\n", r.Code, h.State, h.Machine.T, h.Sequencer)

	// The same proof again is worth nothing: the clock has moved on.
	again := *acquire
	renew := &lockspace.Renew{Path: "/m", Instance: again.Instance, Generation: again.Generation, Proof: again.Proof, Anchor: again.Anchor, Runs: again.Runs}
	r = l.execute(renew, &lockspace.Verdict{OK: true, Key: need.Key, Life: need.Life, Anchor: need.Anchor, T0: 0, T1: 1000, S1: lockspace.FeltOf(42), Inputs: need.Inputs})
	fmt.Println(r.Code)
	// Output:
	// needed: from t = 0 <nil>
	// "" held t=1000 exclusive:2:1:12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN:/m
	// bad_proof
}

// Events are read from a place on; asking again from where the answer ended misses and repeats nothing.
func ExampleState_Events() {
	l := newLedger()
	l.execute(&lockspace.Mkdir{Path: "/d"}, nil)
	from := lockspace.After(l.state.Sequence())
	l.execute(&lockspace.Put{Path: "/d/f", Content: []byte("1")}, nil)
	l.execute(&lockspace.Delete{Path: "/d/f"}, nil)
	events, _, err := l.state.Events(from, "/d", 10)
	for _, e := range events {
		fmt.Println(e.Sequence, e.Kind, e.Path+":"+e.Child)
	}
	fmt.Println(err)
	// Output:
	// 2 child_added /d:f
	// 2 content_changed /d/f:
	// 3 child_removed /d:f
	// <nil>
}
