package node

import (
	"errors"
	"log/slog"
	"testing"

	"github.com/syndtr/goleveldb/leveldb/storage"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/bft/engine"
	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
)

// A ledger is replayed without its proofs from the verdicts in the receipts, to the certified root of every cut. Records
// that lie lead elsewhere: they are refused, and the state is as before.
func TestReplayWithoutProofs(t *testing.T) {
	c := newCell(t, 1)
	n := c.start(0)
	w := newMachineWorld(c)
	w.create(0)
	w.acquire(0, 1)
	lie := w.renew(0, 1, func(v *lockspace.Verdict) { v.S0 = lockspace.FeltOf(99) })
	if r := w.renew(0, 1, nil); lie.OK || !r.OK {
		t.Fatalf("%+v, %+v", lie, r)
	}
	// From here on there are two verdicts: both good, and one bad.
	if r := w.renew(0, 1, nil); !r.OK {
		t.Fatalf("%+v", r)
	}
	tx, files := w.renewal(0, 1, nil, func(v *lockspace.Verdict) { v.S1 = lockspace.FeltOf(99) })
	if r, err := c.try(0, tx, files...); err != nil || r.Code != string(lockspace.CodeBadWhole) {
		t.Fatalf("%+v, %v", r, err)
	}
	good := w.renew(0, 1, nil)
	if !good.OK {
		t.Fatalf("%+v", good)
	}

	st, err := openStoreOn(storage.NewMemStorage(), "", 1, 100, n.chain)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	gen, err := lockGenesis(c.gen)
	if err != nil {
		t.Fatal(err)
	}
	// The second application has no verdicts to ask for: it must not need any.
	cfg := lockspace.Config{Blocks: st, Functions: n.proofs.functions()}
	late, err := openApplication(st, nil, cfg, gen, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	for seq := bft.Sequence(1); seq <= bft.Sequence(good.Sequence); seq++ {
		d, err := n.engine.Cut(seq)
		if err != nil {
			t.Fatal(err)
		}
		ids, err := n.engine.CutBlocks(seq)
		if err != nil {
			t.Fatal(err)
		}
		cut := engine.Decided{Sequence: seq, Time: d.Cut.Time}
		for _, id := range ids {
			b, err := n.engine.Block(id)
			if err != nil {
				t.Fatal(err)
			}
			cut.Transactions = append(cut.Transactions, b.Transactions...)
		}
		record, err := n.app.Record(seq, cut.Transactions)
		if err != nil {
			t.Fatal(err)
		}
		truth, err := n.store.Cut(uint64(seq))
		if err != nil {
			t.Fatal(err)
		}
		before := late.State().ID()
		for what, bad := range lies(t, record) {
			if _, err := late.Replay(t.Context(), cut, bad, truth.Root); err == nil {
				t.Errorf("cut %d: %s was believed", seq, what)
			}
			if late.State().ID() != before || late.store.Head().Sequence != uint64(seq)-1 {
				t.Fatalf("cut %d: %s changed the state", seq, what)
			}
		}
		r, err := late.Replay(t.Context(), cut, record, truth.Root)
		if err != nil || r.StateRoot != truth.Root {
			t.Fatalf("cut %d: %v", seq, err)
		}
	}
	// Its state names both proofs, and it has the bytes of neither.
	l, id, err := late.State().Lock(w.path)
	if err != nil || l.Machine.Whole.T != 30 || !l.Machine.WholeDue() {
		t.Fatalf("%+v, %v", l, err)
	}
	for _, table := range []byte{tableProof, tableWhole} {
		if _, err := st.Proof(proofKey{table, id}); !errors.Is(err, errNoRecord) {
			t.Errorf("table %c: %v", table, err)
		}
		if r, err := n.store.Proof(proofKey{table, id}); err != nil || len(r.Proof) == 0 {
			t.Errorf("the one that had them, table %c: %+v, %v", table, r, err)
		}
	}
	if r, err := n.app.Record(bft.Sequence(good.Sequence)+1000, nil); err != nil || r != nil {
		t.Errorf("a record of the future: %x, %v", r, err)
	}
}

// lies are changed records: of the verdicts, if there are any, and of the encoding.
func lies(t *testing.T, record []byte) map[string][]byte {
	t.Helper()
	out := map[string][]byte{"garbage": {0xff}, "a trailing byte": append(append([]byte{}, record...), 0)}
	var list []recordedVerdict
	if err := wire.Unmarshal(record, &list); err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		return out
	}
	put := func(what string, l []recordedVerdict) {
		b, err := wire.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		out[what] = b
	}
	change := func(what string, f func(*recordedVerdict)) {
		l := append([]recordedVerdict{}, list...)
		f(&l[0])
		put(what, l)
	}
	put("no verdict", []recordedVerdict{})
	change("a verdict of another place", func(r *recordedVerdict) { r.Index += 1 << 40 })
	if list[0].Verdict.S0 == lockspace.FeltOf(99) {
		return out // it is refused whatever else it says, so another lie about it is the truth to the ledger
	}
	if v := list[0].Whole; v != nil {
		change("no verdict on the whole life", func(r *recordedVerdict) { r.Whole = nil })
		if v.S1 == lockspace.FeltOf(99) {
			return out // as above
		}
		change("another whole life", func(r *recordedVerdict) { w := *v; w.T1++; r.Whole = &w })
	}
	change("a verdict turned round", func(r *recordedVerdict) { r.Verdict.OK = !r.Verdict.OK })
	change("another state", func(r *recordedVerdict) { r.Verdict.S1 = lockspace.FeltOf(12345) })
	return out
}
