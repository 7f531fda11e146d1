package lint

import (
	"os"
	"strings"
	"testing"
)

// TestRepository is the lint itself.
func TestRepository(t *testing.T) {
	problems, err := Tree(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
}

// TestRulesBite gives each rule a file that breaks it.
func TestRulesBite(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"verifier/x.go", "package v\nimport _ \"os\"\n", "pure package imports os"},
		{"verifier/x.go", "package v\nimport \"time\"\nvar _ = time.Now\n", "reads the clock"},
		{"bft/x.go", "package b\nfunc f() { go f() }\n", "starts a goroutine"},
		{"bft/engine/x.go", "package e\nimport _ \"os\"\nfunc f() { go f() }\n", ""},
		{"lockspace/x.go", "package l\nimport _ \"" + Module + "/bft\"\n", "one way only"},
		{"lockspace/x_test.go", "package l\nimport _ \"" + Module + "/verifier\"\n", ""},
		{"prover/x.go", "package p\nimport _ \"" + Module + "/verifier/air\"\n", ""},
		{"verifier/x.go", "package v\nimport _ \"" + Module + "/prover\"\n", "one way only"},
		{"node/x.go", "package n\n// TO" + "DO later\n", "unfinished"},
		{"node/x.go", "package n\n" + strings.Repeat("\n", MaxLines), "split the file"},
		{"node/x.go", "package", "expected"},
	} {
		got := strings.Join(File(c.name, []byte(c.src)), "; ")
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
