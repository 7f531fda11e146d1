package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/cmd/internal/cli"
)

// What `machine run` cannot use is refused as wrong use before anything is done, even the machine file is read.
func TestMachineRunFlags(t *testing.T) {
	t.Setenv("FATTY_HOME", t.TempDir())
	for _, c := range []struct{ flag, value, want string }{
		{"--publish", "192.0.2.1:7070", "a multiaddr, such as /ip4/"},
		{"--publish", "/ip4/192.0.2.1/tcp/x", "a multiaddr, such as /ip4/"},
		{"--publish", "/", "a multiaddr, such as /ip4/"},
		{"--publish", "/dns4/" + strings.Repeat("x", 200) + "/tcp/7", "at most 192"},
		{"--publish", strings.Repeat("/ip4/192.0.2.1/tcp/7,", 8) + "/ip4/192.0.2.1/tcp/7", "9 addresses: at most 8"},
		{"--lock", "/", "a path such as /demo/counter"},
		{"--lock", "", "a path such as /demo/counter"},
		{"--lock", "demo", "a path such as /demo/counter"},
		{"--lock", "/a//b", "a path such as /demo/counter"},
		{"--cadence", "-5s", "more than 0"},
		{"--cadence", "0s", "more than 0"},
		{"--grace", "-5s", "more than 0"},
		{"--lock-delay", "-1s", "0 or more"},
		{"--nice", "-5", "0 to 19"},
		{"--nice", "20", "0 to 19"},
		{"--security", "99", "100 or 124"},
	} {
		var out, errw bytes.Buffer
		code := run(t.Context(), []string{"machine", "run", "none.toml", c.flag + "=" + c.value}, strings.NewReader(""), &out, &errw)
		if said := errw.String(); code != cli.ExitUsage || !strings.Contains(said, c.flag) || !strings.Contains(said, c.want) {
			t.Errorf("%s %q: exit code %d, %s", c.flag, c.value, code, said)
		}
	}
	for _, args := range [][]string{{"--lock-delay=0s"}, {"--nice=0", "--cadence=5s", "--grace=1m"}, {"--publish=/ip4/192.0.2.1/tcp/7", "--publish=/dns4/a.example/udp/7/quic-v1"}, {"--lock=/a/b"}} {
		var out, errw bytes.Buffer
		if code := run(t.Context(), append([]string{"machine", "run", "none.toml"}, args...), strings.NewReader(""), &out, &errw); code != cli.ExitFailure || !strings.Contains(errw.String(), "none.toml") {
			t.Errorf("%s: exit code %d, %s", args, code, errw.String())
		}
	}
}

// Every path that the ledger takes has a folder of its own that a file system takes.
func TestLockFolder(t *testing.T) {
	dir := t.TempDir()
	long := "/" + strings.Repeat("x", 200) + "/" + strings.Repeat("é", 100)
	seen := map[string]string{}
	for _, path := range []string{"/demo/counter", "/demo", "/demo%2Fcounter", long, long + "x", long[:199], "/" + strings.Repeat("%", 170), "/" + strings.Repeat("x/", 31) + strings.Repeat("日", 80)} {
		name := lockFolder(path)
		if was, ok := seen[name]; ok {
			t.Errorf("%s and %s have one folder %s", path, was, name)
		}
		seen[name] = path
		if strings.ContainsAny(name, `/\`) || lockFolder(path) != name {
			t.Errorf("%s: %s", path, name)
		}
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if got := lockFolder("/demo/counter"); got != "demo%2Fcounter" {
		t.Error(got)
	}
}
