package stark_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/prover/stark"
	"github.com/seed06907907/fatty/prover/stark/internal/toy"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

var update = flag.Bool("update", false, "rewrite golden files")

// tiny is a case with a short proof, so that every byte can be tried.
func tiny(t testing.TB) (*toy.Case, []byte) {
	t.Helper()
	p := vstark.Params{LogN: 5, LogBlowup: 1, Queries: 3, QueryGrind: 2, FoldLog: 2, FinalLog: 1}
	cs := newCase(t, p, toy.Heights{Table: 5, Code: 4, Cube: 4, Pairs: 4}, 50)
	b, err := prove(t, cs).Encode(cs.Inst)
	if err != nil {
		t.Fatal(err)
	}
	return cs, b
}

func check(inst *vstark.Instance, b []byte) error {
	p, err := vstark.DecodeProof(b, inst)
	if err != nil {
		return err
	}
	return vstark.Verify(inst, p)
}

// A flip of any bit is refused: every byte once, the bit going round; with the soak tag every bit.
func TestFlippedBitIsRefused(t *testing.T) {
	cs, b := tiny(t)
	if err := check(cs.Inst, b); err != nil {
		t.Fatal(err)
	}
	for i := range b {
		for bit := range 8 {
			if bit != i%8 && !everyBit {
				continue
			}
			b[i] ^= 1 << bit
			if check(cs.Inst, b) == nil {
				t.Fatalf("bit %d of byte %d does not matter", bit, i)
			}
			b[i] ^= 1 << bit
		}
	}
}

func TestTruncatedOrExtendedProofIsRefused(t *testing.T) {
	cs, b := tiny(t)
	for n := range b {
		if _, err := vstark.DecodeProof(b[:n], cs.Inst); !errors.Is(err, vstark.ErrFormat) {
			t.Fatalf("%d of %d bytes: %v", n, len(b), err)
		}
	}
	for _, tail := range [][]byte{{0}, {0, 0, 0, 0}, b} {
		if _, err := vstark.DecodeProof(append(slices.Clone(b), tail...), cs.Inst); !errors.Is(err, vstark.ErrFormat) {
			t.Errorf("%d bytes more: %v", len(tail), err)
		}
	}
	if _, err := vstark.DecodeProof(make([]byte, 1<<26), cs.Inst); !errors.Is(err, vstark.ErrFormat) {
		t.Error("64 MiB are decoded")
	}
}

// Words cut out or put in anywhere are refused, and lengths cannot ask for memory that the bytes do not fill.
func TestMovedWordsAreRefusedInBoundedMemory(t *testing.T) {
	cs, b := tiny(t)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	tries := 0
	for i := 0; i+4 <= len(b); i += 4 {
		for _, v := range []uint32{0, 1, 3, 1 << 16, 1<<31 - 1, 1<<32 - 1} {
			c := slices.Clone(b)
			if binary.BigEndian.Uint32(c[i:]) == v {
				continue
			}
			binary.BigEndian.PutUint32(c[i:], v)
			tries++
			if _, err := vstark.DecodeProof(c, cs.Inst); err == nil {
				continue // a well-formed proof of something else: the flips show that it is refused
			}
		}
		if check(cs.Inst, slices.Delete(slices.Clone(b), i, i+4)) == nil {
			t.Fatalf("word at %d cut out", i)
		}
		if check(cs.Inst, slices.Insert(slices.Clone(b), i, 0, 0, 0, 0)) == nil {
			t.Fatalf("word at %d put in", i)
		}
	}
	runtime.ReadMemStats(&after)
	// Each try may take a few times the proof's length.
	if per := (after.TotalAlloc - before.TotalAlloc) / uint64(tries); per > uint64(40*len(b)) {
		t.Errorf("%d bytes are allocated for each proof of %d", per, len(b))
	}
}

// A decoded proof encodes to the same bytes.
func TestEncodingIsTheOnlyOne(t *testing.T) {
	cs, b := tiny(t)
	p, err := vstark.DecodeProof(b, cs.Inst)
	if err != nil {
		t.Fatal(err)
	}
	c, err := p.Encode(cs.Inst)
	if err != nil || !bytes.Equal(b, c) {
		t.Errorf("another encoding: %v", err)
	}
	l, err := vstark.NewLayout(cs.Inst)
	if err != nil || len(b) > l.MaxBytes() {
		t.Errorf("%d bytes, at most %d: %v", len(b), l.MaxBytes(), err)
	}
}

// The proof of a fixed input is the same on every machine, with assembly and without: its digest is golden. Another one is
// another proof format or another transcript, and needs another version.
func TestGoldenProof(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 60)
	b, err := prove(t, cs).Encode(cs.Inst)
	if err != nil {
		t.Fatal(err)
	}
	again, err := prove(t, cs).Encode(cs.Inst)
	if err != nil || !bytes.Equal(b, again) {
		t.Error("the prover is not deterministic")
	}
	sum := sha256.Sum256(b)
	got := hex.EncodeToString(sum[:])
	file := filepath.Join("testdata", "golden", "toy-proof.hex")
	if *update {
		if err := os.WriteFile(file, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != strings.TrimSpace(string(want)) {
		t.Errorf("the proof's digest is %s", got)
	}
}

func TestProveReportsItsStages(t *testing.T) {
	cs := newCase(t, toy.Params(5), toy.Heights{Table: 5, Code: 4, Cube: 4, Pairs: 4}, 51)
	var seen []string
	_, err := stark.Prove(context.Background(), cs.Inst, cs.Pre, cs.Prog, cs.Trace, stark.Options{
		Progress: func(stage string, done, total int) {
			if done != len(seen) || done > total {
				t.Errorf("stage %s is %d of %d", stage, done, total)
			}
			seen = append(seen, stage)
		}})
	if err != nil || len(seen) != 7 {
		t.Error(err, seen)
	}
}

func TestProveStopsWhenCancelled(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 52)
	for stop := range 6 {
		ctx, cancel := context.WithCancel(context.Background())
		_, err := stark.Prove(ctx, cs.Inst, cs.Pre, cs.Prog, cs.Trace, stark.Options{
			Progress: func(_ string, done, _ int) {
				if done == stop {
					cancel()
				}
			}})
		cancel()
		// The last stage is over before it could be asked to stop.
		if !errors.Is(err, context.Canceled) && stop < 5 {
			t.Errorf("stage %d: %v", stop, err)
		}
	}
}

func TestProveRefusesWhatDoesNotFit(t *testing.T) {
	for name, change := range map[string]func(c *toy.Case){
		"a column too few":          func(c *toy.Case) { c.Trace.Main[3] = c.Trace.Main[3][1:] },
		"a component too few":       func(c *toy.Case) { c.Trace.Main = c.Trace.Main[1:] },
		"a short column":            func(c *toy.Case) { c.Trace.Main[3][0] = c.Trace.Main[3][0][1:] },
		"another height":            func(c *toy.Case) { c.Inst.LogHeights[3]-- },
		"no preprocessed tree":      func(c *toy.Case) { c.Pre = nil },
		"no program tree":           func(c *toy.Case) { c.Prog = nil },
		"the wrong tree":            func(c *toy.Case) { c.Pre = c.Prog },
		"another preprocessed root": func(c *toy.Case) { increment(&c.Inst.Preprocessed[0]) },
		"another program root":      func(c *toy.Case) { increment(&c.Inst.Program[0]) },
		"another size":              func(c *toy.Case) { c.Inst.Params.LogN++ },
		"no queries":                func(c *toy.Case) { c.Inst.Params.Queries = 0 },
		"a scalar too few":          func(c *toy.Case) { c.Inst.Scalars[3] = nil },
	} {
		cs := newCase(t, toy.Params(6), small, 53)
		change(cs)
		if _, err := stark.Prove(context.Background(), cs.Inst, cs.Pre, cs.Prog, cs.Trace, stark.Options{}); err == nil {
			t.Errorf("%s: proven", name)
		}
	}
}

func FuzzDecodeAndVerify(f *testing.F) {
	cs, b := tiny(f)
	f.Add(b)
	f.Add(b[:len(b)/2])
	f.Add([]byte{})
	c := slices.Clone(b)
	c[len(c)/3] ^= 4
	f.Add(c)
	f.Fuzz(func(t *testing.T, in []byte) {
		if err := check(cs.Inst, in); err == nil && !bytes.Equal(in, b) {
			t.Error("another proof of the same statement was made without proving")
		}
	})
}
