package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/seed06907907/fatty/cmd/internal/cli"
)

func TestMain(m *testing.M) {
	if os.Getenv(asFattyd) != "" {
		main()
	}
	testscript.Main(m, map[string]func(){"fattyd": main})
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Cmds: map[string]func(*testscript.TestScript, bool, []string){
		"awaitfile": awaitFile, "setjson": setJSON,
	}})
}

// awaitFile waits until a file is there, for a bounded time.
func awaitFile(ts *testscript.TestScript, neg bool, args []string) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 1500 {
		if _, err := os.Stat(ts.MkAbs(args[0])); (err == nil) != neg {
			return
		}
		<-tick.C
	}
	ts.Fatalf("%s did not come", args[0])
}

// setJSON sets environment variables to fields of the JSON object that the last command printed: NAME=field...
func setJSON(ts *testscript.TestScript, _ bool, args []string) {
	var v map[string]any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	for _, a := range args {
		name, field, _ := strings.Cut(a, "=")
		s, ok := v[field].(string)
		if !ok {
			ts.Fatalf("there is no text %q in %v", field, v)
		}
		ts.Setenv(name, s)
	}
}

// Every command has a page and a sentence; completion comes from the same definitions.
func TestDocumentation(t *testing.T) {
	var out bytes.Buffer
	dir := t.TempDir()
	if code := run(context.Background(), []string{"docs", dir}, strings.NewReader(""), &out, io.Discard); code != cli.ExitOK {
		t.Fatal(code, out.String())
	}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Short == "" {
			t.Errorf("%s has no sentence", c.CommandPath())
		}
		if c.IsAvailableCommand() {
			page := filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".8")
			if _, err := os.Stat(page); err != nil {
				t.Error(err)
			}
		}
		for _, s := range c.Commands() {
			walk(s)
		}
	}
	walk((&app{}).command())
	if code := run(context.Background(), []string{"completion", "bash"}, strings.NewReader(""), &out, io.Discard); code != cli.ExitOK || !strings.Contains(out.String(), "fattyd") {
		t.Error(code)
	}
}

// The exit codes that scripts rely on.
func TestExitCodes(t *testing.T) {
	home := t.TempDir()
	for _, c := range []struct {
		args string
		want int
	}{
		{"--help", cli.ExitOK}, {"--version", cli.ExitOK}, {"", cli.ExitOK}, {"nonsense", cli.ExitUsage}, {"start x", cli.ExitUsage}, {"--what", cli.ExitUsage},
		{"genesis", cli.ExitUsage}, {"start --role boss", cli.ExitUsage}, {"genesis --validator x", cli.ExitFailure}, {"start", cli.ExitFailure}, {"check", cli.ExitFailure},
	} {
		var out, errw bytes.Buffer
		args := append([]string{"--home", home}, strings.Fields(c.args)...)
		if got := run(context.Background(), args, strings.NewReader(""), &out, &errw); got != c.want {
			t.Errorf("%q: exit %d, want %d: %s", c.args, got, c.want, errw.String())
		}
	}
}
