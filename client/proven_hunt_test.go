package client

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/ipfs/go-cid"
	car "github.com/ipld/go-car/v2"
	"github.com/ipld/go-car/v2/storage"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
)

// blockMap is a store of blocks.
type blockMap map[wire.CID][]byte

func (m blockMap) Get(id wire.CID) ([]byte, error) {
	if b, ok := m[id]; ok {
		return b, nil
	}
	return nil, errors.New("no such block")
}

// proven makes a ledger of one validator with a file on it, and an honest node's answer about that file.
func proven(t *testing.T) (Trust, api.Contents) {
	t.Helper()
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	id := lockspace.AccountID(key.Public().(ed25519.PublicKey))
	blocks := blockMap{}
	start := lockspace.Time(time.Now().UnixNano())
	s, res, err := lockspace.New(lockspace.Config{Blocks: blocks}, lockspace.Genesis{Chain: "c", Time: start, Rules: lockspace.DefaultRules(),
		Accounts: []lockspace.GenesisAccount{{ID: id, Quota: lockspace.DefaultQuota()}}})
	if err != nil {
		t.Fatal(err)
	}
	keep := func() {
		for _, b := range res.Blocks {
			blocks[b.ID] = b.Data
		}
	}
	keep()
	tx, err := lockspace.Sign(key, lockspace.Header{Chain: "c", Nonce: 1, Expiry: start + 1<<40}, &lockspace.Put{Path: "/f", Content: []byte("content")})
	if err != nil {
		t.Fatal(err)
	}
	if s, res, err = s.Apply(lockspace.Cut{Sequence: 1, Time: start + 1, Inputs: []lockspace.Input{{Tx: tx}}}); err != nil || res.Receipts[0].Code != "" {
		t.Fatal(err, res)
	}
	keep()
	_, _, shown, err := s.ProveGet("/f")
	if err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	w, err := storage.NewWritable(struct{ io.Writer }{&file}, []cid.Cid{s.ID().Cid()}, car.WriteAsCarV1(true))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range shown {
		if err := w.Put(context.Background(), string(b.ID.Cid().Bytes()), b.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Finalize(); err != nil {
		t.Fatal(err)
	}
	body, err := wire.Marshal(struct {
		Chain    string         `cbor:"chain"`
		Sequence bft.Sequence   `cbor:"sequence"`
		Time     bft.LedgerTime `cbor:"time"`
		Root     wire.CID       `cbor:"root"`
	}{"c", 1, bft.LedgerTime(start + 1), s.ID()})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := wire.Marshal(bft.StateCertificate{Sequence: 1, Time: bft.LedgerTime(start + 1), Root: s.ID(),
		Set: bft.SignatureSet{Signers: []byte{1}, Signatures: bft.Key(key).Sign(wire.DomainState, body)}})
	if err != nil {
		t.Fatal(err)
	}
	trust := Trust{Chain: "c", Validators: []bft.Validator{{ID: bft.Key(key).ID(), Weight: 1}}}
	out := api.Contents{Data: []byte("content")}
	out.Proof = &api.Proof{Certificate: cert, CAR: file.Bytes()}
	return trust, out
}

// TestLiarAmongNodes asks on where a node lies: among several, one honest node is enough, and an answer that is proven
// about another file, with a block more or less, or on another chain is a lie.
func TestLiarAmongNodes(t *testing.T) {
	trust, good := proven(t)
	asked := 0
	answer := func(a api.Contents) string {
		return serve(t, func(string, json.RawMessage) any { asked++; return a })
	}
	bare := answer(api.Contents{Data: []byte("lie")})
	cut := good
	cut.Proof = &api.Proof{Certificate: good.Proof.Certificate, CAR: good.Proof.CAR[:len(good.Proof.CAR)/2]}
	content, n, cert, err := newClient(t, bare, answer(cut), answer(good)).VerifiedGet(context.Background(), trust, "/f")
	if err != nil || string(content) != "content" || n.Size != 7 || cert.Sequence != 1 || asked != 3 {
		t.Fatalf("%q, %+v, %+v, %v after %d questions", content, n, cert, err, asked)
	}
	asked = 0
	if _, _, _, err := newClient(t, bare, answer(cut)).VerifiedGet(context.Background(), trust, "/f"); !errors.Is(err, ErrUnproven) || asked != 2 {
		t.Fatalf("%v after %d questions", err, asked)
	}
	other := trust
	other.Chain = "d"
	if _, _, _, err := newClient(t, answer(good)).VerifiedGet(context.Background(), other, "/f"); !errors.Is(err, ErrUnproven) {
		t.Errorf("of another chain: %v", err)
	}
	if _, _, _, err := newClient(t, answer(good)).VerifiedGet(context.Background(), trust, "/g"); !errors.Is(err, ErrUnproven) {
		t.Errorf("of another file: %v", err)
	}
	asked = 0
	if _, _, err := newClient(t, bare, answer(good)).VerifiedHolder(context.Background(), trust, "/f"); !errors.Is(err, ErrFree) || asked != 2 {
		t.Errorf("a lock that was never taken: %v after %d questions", err, asked)
	}
}
