package machine

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed06907907/fatty/lockspace"
)

func TestReadExamples(t *testing.T) {
	for name, want := range map[string]lockspace.InputKind{"counter": lockspace.InputFelt, "lcg": lockspace.InputNone} {
		f, err := ReadFile(filepath.Join("../examples", name, name+".toml"))
		if err != nil {
			t.Fatal(err)
		}
		if f.Lock != "/demo/"+name || f.Terms.Inputs != want || time.Duration(f.Terms.Cadence) != 12*time.Second || time.Duration(f.Terms.Grace) != defaultGrace {
			t.Errorf("%s: %+v", name, f.Terms)
		}
	}
}

const goodFile = `program = "counter.json"
lock = "/demo/counter"
[start]
state = "0x0"
opening = []
[clock]
transaction = 1
inputs = "felt"
succession = "resume"
opening = "self"
idle = ["0"]
ticks = 0
cadence = "12s"
`

func TestRefusedFiles(t *testing.T) {
	if _, _, err := parse(goodFile); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{"[start]", "colour = 1\n[start]", "unknown colour"},
		{`lock = "/demo/counter"`, ``, "lock is missing"},
		{`"/demo/counter"`, `"demo"`, "absolute path"},
		{`"/demo/counter"`, `"/"`, "the root is a directory"},
		{`"0x0"`, `"-1"`, "start.state"},
		{`opening = []`, `opening = ["1"]`, "start.opening must be empty"},
		{`inputs = "felt"`, `inputs = "poseidon"` + "\nsegments = 3", "clock.segments"},
		{`opening = "self"`, `opening = "poseidon"`, "poseidon_hash_many of start.opening"},
		{`inputs = "felt"`, `inputs = "none"`, "clock"},
		{`idle = ["0"]`, `idle = []`, "idle"},
		{`cadence = "12s"`, `cadence = "12"`, "clock.cadence"},
		{`cadence = "12s"`, `cadence = "12s"` + "\ngrace = \"1s\"", "grace"},
		{`cadence = "12s"`, `cadence = "12s"` + "\nsenders = [\"zz\"]", "clock.senders"},
		{`cadence = "12s"`, `cadence = "12s"` + "\nwindow = 99", "window"},
		{`"counter.json"`, `""`, "program is empty"},
		{`[start]`, `[start`, "toml"},
	} {
		if _, _, err := parse(strings.Replace(goodFile, c.old, c.new, 1)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s for %s: %v, want %q", c.new, c.old, err, c.want)
		}
	}
	if _, err := ReadFile("missing.toml"); err == nil {
		t.Error("a missing file was read")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(goodFile)
	f.Add("program = 1")
	f.Fuzz(func(t *testing.T, s string) {
		file, program, err := parse(s)
		if err == nil && (program == "" || lockspace.CheckPath(file.Lock) != nil) {
			t.Fatalf("%q: %+v", s, file)
		}
	})
}
