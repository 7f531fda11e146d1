package prover

import (
	"bytes"
	"context"
	"flag"
	"os"
	"testing"

	"github.com/seed06907907/fatty/verifier"
)

var update = flag.Bool("update", false, "rewrite golden files")

const goldenProof = "testdata/lcg.proof"

// TestGoldenProof keeps one proof file: it must verify on every platform, with and without assembly, and the prover must
// make the same bytes again. A change to tables, transcript or format changes it, and takes the next ProofVersion.
func TestGoldenProof(t *testing.T) {
	p, input := lcg(t, 3)
	r, err := Prove(context.Background(), p, input, Options{Life: [32]byte{1}, Anchor: [32]byte{2}})
	if err != nil {
		t.Fatal(err)
	}
	file, err := verifier.EncodeEnvelope(r.Program, r.Proof)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(goldenProof, file, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(goldenProof)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := verifier.VerifyFile(want, verifier.Accept{}); err != nil {
		t.Errorf("the golden proof does not verify: %v", err)
	}
	if !bytes.Equal(file, want) {
		t.Error("the prover makes another proof than the golden one")
	}
}
