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

// goldenSpans are a wrapped run, the next one, their merge, and that shrunk.
var goldenSpans = [...]string{"testdata/wrapped.proof", "testdata/wrapped-next.proof", "testdata/merged.proof", "testdata/shrunk.proof"}

// TestGoldenSpans keeps span proof files: they must verify on every platform, and the prover must make the same bytes again.
func TestGoldenSpans(t *testing.T) {
	for _, name := range goldenSpans {
		file, err := os.ReadFile(name)
		if err != nil && !*update {
			t.Fatal(err)
		}
		if s, _, err := verifier.VerifyFile(file, verifier.Accept{Kind: verifier.KindSpan}); err != nil && !*update {
			t.Errorf("%s does not verify: %v", name, err)
		} else if err == nil && s.Shrunk != (name == goldenSpans[3]) {
			t.Errorf("%s: shrunk is %t", name, s.Shrunk)
		}
	}
	ctx, pr := context.Background(), new(Prover)
	var proofs [][]byte
	step := func(s *SpanResult, err error) {
		if err != nil {
			t.Fatal(err)
		}
		proofs = append(proofs, s.Proof)
	}
	for _, r := range runsAt(t, pr, verifier.Security100, 3, 2) {
		step(pr.Wrap(ctx, r))
	}
	step(pr.Merge(ctx, proofs[0], proofs[1]))
	step(pr.Shrink(ctx, proofs[2]))
	p, _ := lcg(t, 1)
	program, err := Canonical(p)
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range goldenSpans {
		file, err := verifier.EncodeEnvelope(program, proofs[i])
		if err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile(name, file, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(name); err != nil || !bytes.Equal(file, want) {
			t.Errorf("the prover makes another proof than %s (%v)", name, err)
		}
	}
}
