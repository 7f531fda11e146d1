package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/keyfile"
)

// TestTornWrite cuts the store's journal off at every place of its last batch, as a kill in the middle of a write does.
// The store opens with the cut before, and with the last one when its batch is whole.
func TestTornWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	st, err := openStore(dir, 1, 100, "c")
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	key, err := keyfile.New()
	if err != nil {
		t.Fatal(err)
	}
	s, res, err := lockspace.New(lockspace.Config{Blocks: st}, lockspace.Genesis{Chain: "c", Rules: lockspace.DefaultRules(),
		Accounts: []lockspace.GenesisAccount{{ID: keyfile.Public(key), Quota: lockspace.DefaultQuota()}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.write(executedCut{result: res}); err != nil {
		t.Fatal(err)
	}
	journal := func() (string, int64) {
		logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
		if err != nil || len(logs) != 1 {
			t.Fatalf("journals %v, %v", logs, err)
		}
		info, err := os.Stat(logs[0])
		if err != nil {
			t.Fatal(err)
		}
		return filepath.Base(logs[0]), info.Size()
	}
	var sizes []int64
	for i := uint64(1); i <= 3; i++ {
		tx, err := lockspace.Sign(key, lockspace.Header{Chain: "c", Nonce: i, Expiry: 1 << 60}, &lockspace.Put{Path: "/f", Content: []byte(strings.Repeat("x", 20000))})
		if err != nil {
			t.Fatal(err)
		}
		next, res, err := s.Apply(lockspace.Cut{Sequence: i, Time: lockspace.Time(i * 1e9), Inputs: []lockspace.Input{{Tx: tx}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := st.write(executedCut{sequence: i, time: next.Root().Time, result: res}); err != nil {
			t.Fatal(err)
		}
		s = next
		_, size := journal()
		sizes = append(sizes, size)
	}
	name, whole := journal()
	before := sizes[1]
	open := func(what string, size int64, zeros int, want uint64) {
		image := filepath.Join(t.TempDir(), "image")
		if err := os.CopyFS(image, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(filepath.Join(image, name), size); err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(filepath.Join(image, name), size+int64(zeros)); err != nil {
			t.Fatal(err)
		}
		torn, err := openStore(image, 1, 100, "c")
		if err != nil {
			t.Fatalf("%s at %d of %d: %v", what, size, whole, err)
		}
		defer torn.Close()
		head := torn.Head()
		if head.Sequence != want {
			t.Errorf("%s at %d of %d: head is %d, want %d", what, size, whole, head.Sequence, want)
		}
		state, err := lockspace.Open(lockspace.Config{Blocks: torn}, head.Root)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := state.Get("/f"); err != nil {
			t.Errorf("%s at %d of %d: %v", what, size, whole, err)
		}
	}
	for size := before; size < whole; size += max(1, (whole-before)/60) {
		open("cut off", size, 0, 2)
		open("cut off and filled with zeros", size, 500, 2)
	}
	open("whole", whole, 0, 3)
	open("whole, with zeros behind", whole, 500, 3)
}
