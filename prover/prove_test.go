package prover

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier"
)

func load(t testing.TB, path ...string) *vm.Program {
	t.Helper()
	file := filepath.Join(path...)
	var data []byte
	var err error
	if strings.HasSuffix(file, ".gz") {
		data = gunzip(t, file)
	} else if data, err = os.ReadFile(file); err != nil {
		t.Fatal(err)
	}
	p, err := vm.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func gunzip(t testing.TB, path string) []byte {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func feltList(vs ...uint64) []vm.Felt {
	out := make([]vm.Felt, len(vs))
	for i, v := range vs {
		out[i].SetUint64(v)
	}
	return out
}

// lcg returns the example machine and an input of n ticks: 31 steps each.
func lcg(t testing.TB, n uint64) (*vm.Program, []vm.Felt) {
	return load(t, "..", "examples", "lcg", "lcg.json"), feltList(7, 12345, n, 0)
}

// TestProveOnce makes one proof with the real parameters, checks its file, and changes each part of what it says.
func TestProveOnce(t *testing.T) {
	p, input := lcg(t, 3)
	life, anchor := [32]byte{1, 2, 3}, [32]byte{31: 9}
	stages := 0
	r, err := Prove(context.Background(), p, input, Options{Life: life, Anchor: anchor, Progress: func(string, int, int) { stages++ }})
	if err != nil {
		t.Fatal(err)
	}
	if stages != ownStages+starkStages+1 { // the last one says that all is done
		t.Errorf("%d stages reported", stages)
	}
	file, err := verifier.EncodeEnvelope(r.Program, r.Proof)
	if err != nil {
		t.Fatal(err)
	}
	s, program, err := verifier.VerifyFile(file, verifier.Accept{})
	if err != nil {
		t.Fatal(err)
	}
	want, err := program.CID()
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Program.CID()
	if err != nil || got != want || s.Key != r.Key || s.Life != life || s.Anchor != anchor {
		t.Fatalf("statement %+v of program %v, want key %v of %v", s, want, r.Key, got)
	}
	if s.Level.Proven < verifier.Security100 {
		t.Errorf("%.1f bits proven", s.Level.Proven)
	}
	c, err := s.Clock()
	if err != nil || c.T0 != 7 || c.T1 != 10 || c.Inputs != (verifier.Felt{}) {
		t.Fatalf("clock %+v, %v", c, err)
	}
	if _, err := verifier.Verify(r.Proof, verifier.Accept{Security: verifier.Security124}); !errors.Is(err, verifier.ErrVersion) {
		t.Errorf("124 bits asked of a proof of 100: %v", err)
	}
	if _, err := verifier.Verify(r.Proof, verifier.Accept{Kind: verifier.KindSpan}); !errors.Is(err, verifier.ErrKind) {
		t.Errorf("a span asked of a run: %v", err)
	}
	for _, version := range []uint16{0, verifier.ProofVersion - 1, verifier.ProofVersion + 1} {
		if _, err := verifier.Verify(r.Proof, verifier.Accept{Versions: []uint16{version}}); !errors.Is(err, verifier.ErrVersion) {
			t.Errorf("version %d asked of a proof of version %d: %v", version, verifier.ProofVersion, err)
		}
		// Nor does a proof that says to be of another version pass where both are accepted.
		bad := bytes.Clone(r.Proof)
		bad[8], bad[9] = byte(version>>8), byte(version)
		if _, err := verifier.Verify(bad, verifier.Accept{Versions: []uint16{version, verifier.ProofVersion}}); !errors.Is(err, verifier.ErrVersion) {
			t.Errorf("a proof that says version %d: %v", version, err)
		}
	}
	if _, err := verifier.Verify(r.Proof, verifier.Accept{Versions: []uint16{verifier.ProofVersion - 1, verifier.ProofVersion}}); err != nil {
		t.Errorf("one of two versions: %v", err)
	}
	t.Run("every part of the head is bound", func(t *testing.T) { flipHead(t, r.Proof) })
	t.Run("another program's file", func(t *testing.T) {
		other, err := Canonical(load(t, "..", "examples", "counter", "counter.json"))
		if err != nil {
			t.Fatal(err)
		}
		file, err := verifier.EncodeEnvelope(other, r.Proof)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := verifier.VerifyFile(file, verifier.Accept{}); !errors.Is(err, verifier.ErrInvalid) {
			t.Errorf("accepted: %v", err)
		}
	})
	t.Run("the same proof again", func(t *testing.T) {
		again, err := Prove(context.Background(), p, input, Options{Life: life, Anchor: anchor})
		if err != nil || !bytes.Equal(again.Proof, r.Proof) {
			t.Errorf("another proof of the same run: %v", err)
		}
	})
}

// flipHead flips a bit of every byte of a proof's head, its public data included, and of a sample of the rest.
func flipHead(t *testing.T, proof []byte) {
	const head = 700
	for i := 0; i < len(proof); {
		bad := bytes.Clone(proof)
		bad[i] ^= 1 << (i % 8)
		if _, err := verifier.Verify(bad, verifier.Accept{}); err == nil {
			t.Fatalf("byte %d of %d flipped and accepted", i, len(proof))
		}
		if i < head {
			i++
		} else {
			i += len(proof) / 97
		}
	}
	for _, bad := range [][]byte{nil, proof[:1], proof[:head], proof[:len(proof)-1], append(bytes.Clone(proof), 0)} {
		if _, err := verifier.Verify(bad, verifier.Accept{}); err == nil {
			t.Errorf("%d of %d bytes accepted", len(bad), len(proof))
		}
	}
}

// TestProveRefuses gives the reasons, before any work is done.
func TestProveRefuses(t *testing.T) {
	ctx := context.Background()
	t.Run("a run that does not end", func(t *testing.T) {
		p, input := lcg(t, 1000)
		if _, err := Prove(ctx, p, input, Options{MaxSteps: 500}); !errors.Is(err, vm.ErrSteps) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a run that is too long", func(t *testing.T) {
		p, input := lcg(t, 40000)
		if _, err := Prove(ctx, p, input, Options{}); !errors.Is(err, ErrTooLong) || !strings.Contains(err.Error(), "generic_opcode") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a builtin without a table", func(t *testing.T) {
		p := load(t, "vm", "testdata", "programs0", "poseidon_chain.json.gz")
		if _, err := Prove(ctx, p, feltList(0, 0, 1, 1, 5), Options{}); err == nil || !strings.Contains(err.Error(), "poseidon") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a context that has ended", func(t *testing.T) {
		p, input := lcg(t, 3)
		done, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := Prove(done, p, input, Options{}); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("an unknown level", func(t *testing.T) {
		p, input := lcg(t, 3)
		if _, err := Prove(ctx, p, input, Options{Security: 80}); !errors.Is(err, verifier.ErrVersion) {
			t.Errorf("got %v", err)
		}
	})
}

// benchmark proves runs of about 2^log steps with warm tables and reports steps a second and the proof's size.
func benchmark(b *testing.B, log int) {
	p, input := lcg(b, (1<<log-49)/31)
	pr := new(Prover)
	first, err := pr.Prove(context.Background(), p, input, Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for range b.N {
		if _, err := pr.Prove(context.Background(), p, input, Options{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(first.Steps)*float64(b.N)/b.Elapsed().Seconds(), "steps/s")
	b.ReportMetric(float64(len(first.Proof)), "proof-bytes")
}

func BenchmarkProve14(b *testing.B) { benchmark(b, 14) }
func BenchmarkProve16(b *testing.B) { benchmark(b, 16) }
func BenchmarkProve18(b *testing.B) { benchmark(b, 18) }

// BenchmarkVerify18 verifies a proof of 2^18 steps, on one core.
func BenchmarkVerify18(b *testing.B) {
	p, input := lcg(b, (1<<18-49)/31)
	r, err := Prove(context.Background(), p, input, Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for range b.N {
		if _, err := verifier.Verify(r.Proof, verifier.Accept{}); err != nil {
			b.Fatal(err)
		}
	}
}
