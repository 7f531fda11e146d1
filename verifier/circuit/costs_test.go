package circuit

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite golden files")

// TestCosts holds each table's cost to a golden file: a change of a description is a change of every circuit's verifying key.
func TestCosts(t *testing.T) {
	var b strings.Builder
	b.WriteString("component,main columns,preprocessed columns,lookups,interaction columns (degree 6),constraints,weighted constraints,nodes\n")
	for _, c := range Set().Components {
		fmt.Fprintf(&b, "%s,%d,%d,%d,%d,%d,%d,%d\n", c.Name, len(c.Main), len(c.Fixed), len(c.Lookups), len(c.Batches),
			len(c.Constraints), len(c.Weighted), len(c.Nodes))
	}
	const path = "testdata/costs.csv"
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != b.String() {
		t.Errorf("costs differ from %s; if that is meant, run with -update\n%s", path, b.String())
	}
}
