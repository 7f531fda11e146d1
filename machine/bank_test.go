package machine

import (
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/prover"
	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier"
)

// bank is a machine whose state is behind a hash and whose runs take several transactions. Proofs do not cover its builtin
// yet, so that ReadFile refuses it: the world knows the program by another builtin.
func bank(t *testing.T) *File {
	t.Helper()
	b, err := os.ReadFile("testdata/bank/bank.toml")
	if err != nil {
		t.Fatal(err)
	}
	f, _, err := parse(string(b))
	if err != nil {
		t.Fatal(err)
	}
	if b, err = os.ReadFile("testdata/bank/bank.json"); err != nil {
		t.Fatal(err)
	}
	if f.Program, err = vm.Load(b); err != nil {
		t.Fatal(err)
	}
	if f.Canonical, err = prover.Canonical(f.Program); err != nil {
		t.Fatal(err)
	}
	f.Canonical.Builtins[slices.Index(f.Canonical.Builtins, "poseidon")] = "bitwise"
	if _, err := f.Canonical.Key(); err != nil {
		t.Fatal(err)
	}
	return f
}

// TestCarriesItsOpening: a machine whose terms make its state the file's content brings it with each proof, its runs take
// several transactions each, and a successor goes on from what the ledger has.
func TestCarriesItsOpening(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		f := bank(t)
		quick := oracle{delay: takes(time.Second), wrap: 500 * time.Millisecond, merge: 500 * time.Millisecond, program: &f.Canonical}
		a := &link{w: w, key: aliceKey}
		first, stopA := keep(t, a, f, quick, "")
		pass(15 * time.Second)
		sender := &link{w: w, key: bobKey}
		for n := range uint64(11) {
			tx := []lockspace.Felt{lockspace.FeltOf(0), lockspace.FeltOf(1), lockspace.FeltOf(n)}
			if r, err := sender.Do(t.Context(), &lockspace.Send{Path: f.Lock, Felts: tx}); err != nil || !r.OK {
				t.Fatal(r, err)
			}
		}
		pass(25 * time.Second)
		opening := func() []lockspace.Felt {
			w.mu.Lock()
			defer w.mu.Unlock()
			o, err := w.state.Opening(f.Lock)
			if err != nil {
				t.Fatal(err)
			}
			return o
		}
		if got, want := opening(), []lockspace.Felt{lockspace.FeltOf(3), lockspace.FeltOf(45), lockspace.FeltOf(55), lockspace.FeltOf(50)}; !slices.Equal(got, want) {
			t.Errorf("the accounts are %v, want %v", got, want)
		}
		took, most := uint64(0), uint64(0)
		for _, e := range first.of(Renewed) {
			if e.Count > 0 && (e.Ticks != e.Count || e.Runs != (e.Count+3)/4 && e.Count > 4) {
				t.Errorf("%+v", e)
			}
			took, most = took+e.Count, max(most, e.Runs)
		}
		if took != 11 || most < 2 || len(first.of(Refused)) > 0 {
			t.Errorf("%d transactions in renewals of up to %d runs: %+v", took, most, first.list)
		}
		// Another has the state from the ledger alone.
		second, stopB := keep(t, &link{w: w, key: bobKey, nonce: sender.nonce}, f, quick, "")
		a.breakBy(func(string) error { return errors.New("dead") })
		pass(60 * time.Second)
		if got := second.of(Acquired); len(got) != 1 || got[0].From < 11 || len(second.of(Refused)) > 0 || len(second.of(Renewed)) == 0 {
			t.Fatalf("%+v", second.list)
		}
		if got := opening(); got[1] != lockspace.FeltOf(45) {
			t.Errorf("the accounts are %v", got)
		}
		if err := errors.Join(stopB(), stopA()); err != nil {
			t.Error(err)
		}
	})
}

// A whole-life span's file is of the life that it was written for, though another life had one to the same t.
func TestWholeLifeFilesAreOfTheirLife(t *testing.T) {
	f := &proofFiles{dir: t.TempDir(), program: example(t, "counter").Canonical}
	for _, proof := range []string{"of one life", "of the next", "of the next"} {
		path, err := f.whole(2, []byte(proof))
		if err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, got, err := verifier.DecodeEnvelope(file); err != nil || string(got) != proof {
			t.Errorf("%q, %v, want %q", got, err, proof)
		}
	}
}
