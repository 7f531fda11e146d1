package verifier

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/prover/stark"
	"github.com/seed06907907/fatty/verifier/cairo"
	"github.com/seed06907907/fatty/verifier/hash"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// TestGoldenPreprocessedRoots recomputes the constants with the prover's own code. A change to the byte table or to the
// row counters changes them, and with them the proof version.
func TestGoldenPreprocessedRoots(t *testing.T) {
	var text strings.Builder
	ok := true
	for i, size := range pinnedSizes {
		n := size.n
		params, err := Params(Security100, n)
		if err != nil {
			t.Fatal(err)
		}
		fixed, err := stark.CommitPreprocessed(context.Background(), cairo.Core(), params, cairo.TableColumns())
		if err != nil {
			t.Fatal(err)
		}
		root := fixed.Root()
		ok = ok && root == preprocessedRoots[i]
		fmt.Fprintf(&text, "\trootOf(%s), // 2^%d rows\n", rootText(root), n)
	}
	if !ok {
		t.Errorf("the preprocessed tables changed; if that is meant, take the next ProofVersion and these roots:\n%s", text.String())
	}
}

func rootText(d hash.Digest) string {
	var words []string
	for _, w := range d {
		words = append(words, fmt.Sprintf("%#x", w.Uint64()))
	}
	return strings.Join(words, ", ")
}

// TestProgramRootsAreTheProvers holds the small commitment that keys are made of to the prover's fast one.
func TestProgramRootsAreTheProvers(t *testing.T) {
	for _, length := range []int{6, 16, 17, 300} {
		p := testProgram(length)
		id, err := p.id()
		if err != nil {
			t.Fatal(err)
		}
		columns, _, err := cairo.ProgramColumns(p.Bytecode)
		if err != nil {
			t.Fatal(err)
		}
		for i, size := range pinnedSizes {
			n := size.n
			params, err := Params(Security100, n)
			if err != nil {
				t.Fatal(err)
			}
			fixed, err := stark.CommitProgram(context.Background(), cairo.Core(), params, columns)
			if err != nil {
				t.Fatal(err)
			}
			if fixed.Root() != id.roots[i] {
				t.Errorf("%d felts, 2^%d rows: roots differ", length, n)
			}
		}
	}
}

// testProgram is entry code and length-6 arbitrary felts behind it.
func testProgram(length int) Program {
	p := Program{Builtins: []string{"output"}}
	for _, w := range []uint64{0x40780017fff7fff, 1, 0x1104800180018000, 4, 0x10780017fff7fff, 0} {
		p.Bytecode = append(p.Bytecode, uintFelt(w))
	}
	for i := 6; i < length; i++ {
		p.Bytecode = append(p.Bytecode, uintFelt(uint64(i)*0x9e3779b97f4a7c15))
	}
	return p
}

func uintFelt(v uint64) (f Felt) {
	for i := range 8 {
		f[31-i] = byte(v >> (8 * i))
	}
	return f
}

// TestParameterSetsReachTheirLevel computes the level of every parameter set with every table at the pinned size: the worst
// shape that a proof can have.
func TestParameterSetsReachTheirLevel(t *testing.T) {
	ids := map[byte]bool{}
	for _, s := range parameterSets {
		if ids[s.id] {
			t.Errorf("parameter set %d appears twice", s.id)
		}
		ids[s.id] = true
		inst := tallestRun(s.params)
		if err := cairo.CheckHeights(inst.LogHeights, vstark.PublicLookups); err != nil {
			t.Errorf("a circuit for 2^%d rows does not ask what heights are, so all must do: %v", s.params.LogN, err)
		}
		shape, err := ShapeOf(inst)
		if err != nil {
			t.Fatal(err)
		}
		l, err := shape.Level()
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("set %d, 2^%d rows, blow-up 2^%d, %d queries: %.2f bits proven (multiplicity %d)", s.id, s.params.LogN,
			s.params.LogBlowup, s.params.Queries, l.Proven, l.Regime.M)
		if l.Proven < float64(s.security) {
			t.Errorf("parameter set %d reaches %.2f bits, made for %d", s.id, l.Proven, s.security)
		}
	}
}
