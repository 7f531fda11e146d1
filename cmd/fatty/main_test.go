package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"fatty": main})
}

// TestScripts runs what a user would type; each file in testdata/script is one story.
func TestScripts(t *testing.T) {
	examples, err := filepath.Abs("../../examples")
	if err != nil {
		t.Fatal(err)
	}
	program, err := wire.ParseCID("bafyreihvl3sdbm67j2dzuehasdvue7f7jhmx63fxapizoavxu5tlidezsy") // as program.txtar has it
	if err != nil {
		t.Fatal(err)
	}
	lcg, err := lockspace.MachineCID(program, lockspace.FeltOf(1))
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("EXAMPLES", examples)
			e.Setenv("LCG", lcg.String())
			e.Setenv("FATTY_HOME", filepath.Join(e.WorkDir, "home"))
			return os.Mkdir(filepath.Join(e.WorkDir, "home"), 0o700)
		},
	})
}
