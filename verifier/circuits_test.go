package verifier_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"go/format"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	proverstark "github.com/seed06907907/fatty/prover/stark"
	"github.com/seed06907907/fatty/verifier"
	"github.com/seed06907907/fatty/verifier/circuit"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	"github.com/seed06907907/fatty/verifier/recursion"
	"github.com/seed06907907/fatty/verifier/stark"
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
	var costs strings.Builder
	costs.WriteString("bits,circuit")
	for _, c := range circuit.Set().Components {
		fmt.Fprintf(&costs, ",%s rows,of 2^", c.Name)
	}
	costs.WriteString(",gates,cells,blow-up,queries,proof bytes,proven bits\n")
	for _, security := range []int{verifier.Security100, verifier.Security124} {
		level := verifier.Recursion(security)
		fmt.Fprintf(&b, "Security%d: {\n", security)
		for _, f := range level.Forms() {
			c, err := level.Blank(f)
			if err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			fixed, err := proverstark.CommitPreprocessed(context.Background(), circuit.Set(), level.Params(f, slices.Max(c.LogHeights)), c.Tables)
			if err != nil {
				t.Fatalf("%s: %v", f, err)
			}
			var root []string
			for _, w := range fixed.Root() {
				root = append(root, fmt.Sprintf("%#x", w.Uint64()))
			}
			heights := strings.Trim(strings.ReplaceAll(fmt.Sprint(c.LogHeights), " ", ", "), "[]")
			fmt.Fprintf(&b, "{[circuit.Tables]int{%s}, rootOf(%s)}, // %s\n", heights, strings.Join(root, ", "), f)
			costs.WriteString(costOf(t, security, f, c))
		}
		b.WriteString("},\n")
	}
	b.WriteString("}\n")
	want, err := format.Source([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		for name, b := range map[string][]byte{file: want, goldenCosts: []byte(costs.String())} {
			if err := os.WriteFile(name, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	if golden, err := os.ReadFile(goldenCosts); err != nil || string(golden) != costs.String() {
		t.Errorf("%s does not hold what the circuits cost (%v); if that is meant, run with -update\n%s", goldenCosts, err, costs.String())
	}
	if !bytes.Equal(have, want) {
		t.Errorf("%s does not hold the circuits that are built; a change to them takes the next proof version and -update", file)
	}
}

// goldenCosts has what each circuit costs: its rows beside those that its tables have, cells of main and interaction columns, how its
// proofs are made, and how long and how sure they are.
const goldenCosts = "testdata/golden/circuits.csv"

func costOf(t *testing.T, security int, f recursion.Form, c *circuit.Circuit) string {
	t.Helper()
	set := circuit.Set()
	inst := &stark.Instance{Set: set, Params: verifier.Recursion(security).Params(f, slices.Max(c.LogHeights)), LogHeights: c.LogHeights,
		Scalars: make([][]field.Element, circuit.Tables), Ext: c.Public.Ext()}
	l, err := stark.NewLayout(inst)
	if err != nil {
		t.Fatal(err)
	}
	shape, err := verifier.ShapeOf(inst)
	if err != nil {
		t.Fatal(err)
	}
	level, err := shape.Level()
	if err != nil {
		t.Fatal(err)
	}
	line := fmt.Sprintf("%d,%s", security, f)
	cells := 0
	for i, comp := range set.Components {
		line += fmt.Sprintf(",%d,%d", c.Rows[i], c.LogHeights[i])
		cells += (len(comp.Main) + field.Degree*len(comp.Batches)) << c.LogHeights[i]
	}
	b, err := drawn(l).Encode(inst)
	if err != nil {
		t.Fatal(err)
	}
	p := inst.Params
	return fmt.Sprintf("%s,%d,%d,%d,%d,%d,%.2f\n", line, c.Gates, cells, 1<<p.LogBlowup, p.Queries, len(b), level.Proven)
}

// drawn is a proof with zeros in it that opens some places drawn by chance: of the length of any other, but for a part in a
// hundred.
func drawn(l *stark.Layout) *stark.Proof {
	r := rand.New(rand.NewPCG(1, 2))
	depth := l.Depth()
	places := make([]uint32, l.Params.Queries)
	for q := range places {
		places[q] = uint32(r.IntN(1 << depth))
	}
	places = stark.Distinct(places)
	// siblings counts those that a multi-proof of distinct places has, above the levels of twins.
	siblings := func(places []uint32, depth, twins int) (n int) {
		for level := range depth {
			up := make([]uint32, len(places))
			for i, place := range places {
				up[i] = place >> 1
			}
			up = stark.Distinct(up)
			if level >= twins {
				n += 2*len(up) - len(places)
			}
			places = up
		}
		return n
	}
	p := stark.Blank(l)
	for t, columns := range l.Columns {
		p.Rows[t] = make([]field.Element, len(places)*len(columns))
		if len(columns) > 0 {
			p.Paths[t] = make([]hash.Digest, siblings(places, depth, l.Twins(t)))
		}
	}
	for i, a := range l.Params.Folds() {
		cosets := make([]uint32, len(places))
		for j, place := range places {
			cosets[j] = place >> a
		}
		cosets = stark.Distinct(cosets)
		depth -= a
		p.Layers[i].Values = make([]field.Ext, len(cosets)<<a-len(places))
		p.Layers[i].Path = make([]hash.Digest, siblings(cosets, depth, 0))
		places = cosets
	}
	return p
}
