package verifier_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"go/format"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/prover/stark"
	"github.com/seed06907907/fatty/verifier"
	"github.com/seed06907907/fatty/verifier/circuit"
)

var update = flag.Bool("update", false, "rewrite golden files and constants")

// TestCircuitsAreThoseOfTheirKeys builds every circuit anew and compares it with what is compiled into the verifier: the
// heights of its tables and the root of its preprocessed columns. With -update it writes the constants: another circuit is
// another proof version.
func TestCircuitsAreThoseOfTheirKeys(t *testing.T) {
	const file = "circuits.go"
	const begin = "map[int][]compiled{\n"
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(have, []byte(begin))
	var b strings.Builder
	b.Write(have[:at+len(begin)])
	for _, security := range []int{verifier.Security100, verifier.Security124} {
		level := verifier.Recursion(security)
		fmt.Fprintf(&b, "Security%d: {\n", security)
		for _, f := range level.Forms() {
			c, err := level.Blank(f)
			if err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			fixed, err := stark.CommitPreprocessed(context.Background(), circuit.Set(), level.Params(f, slices.Max(c.LogHeights)), c.Tables)
			if err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			var root []string
			for _, w := range fixed.Root() {
				root = append(root, fmt.Sprintf("%#x", w.Uint64()))
			}
			heights := strings.Trim(strings.ReplaceAll(fmt.Sprint(c.LogHeights), " ", ", "), "[]")
			fmt.Fprintf(&b, "{[circuit.Tables]int{%s}, rootOf(%s)}, // %s\n", heights, strings.Join(root, ", "), f)
			t.Logf("%d bits, %s: rows %v, %d gates", security, f, c.Rows, c.Gates)
		}
		b.WriteString("},\n")
	}
	b.WriteString("}\n")
	want, err := format.Source([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(file, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(have, want) {
		t.Errorf("%s does not hold the circuits that are built; a change to them takes the next proof version and -update", file)
	}
}
