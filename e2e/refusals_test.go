package e2e

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// ends runs a program that has to end by itself with 1, and returns what it said.
func ends(t *testing.T, env []string, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, program, args...)
	c.Env = append(os.Environ(), env...)
	b, err := c.CombinedOutput()
	var e *exec.ExitError
	if !errors.As(err, &e) || e.ExitCode() != 1 {
		t.Errorf("%s %v: %v, want exit code 1\n%s", filepath.Base(program), args, err, b)
	}
	return string(b)
}

// TestNodesRefuse: what an operator can get wrong ends a node at once with a sentence that says what to do, and harms
// neither the node that runs nor what is on its disk.
func TestNodesRefuse(t *testing.T) {
	c := newCellOf(t, 1)
	m := c.nodes[0]
	free := []string{"FATTY_P2P_LISTEN=/ip4/127.0.0.1/tcp/0", "FATTY_RPC_LISTEN=127.0.0.1:0", "FATTY_RPC_HEALTH="}
	if said := ends(t, free, bin.fattyd, "start", "--home", m.home); !strings.Contains(said, "in use by another process") {
		t.Errorf("a home in use: %s", said)
	}
	// A home of its own with the same keys meets the ports.
	twin := filepath.Join(c.dir, "twin")
	if err := os.CopyFS(filepath.Join(twin, "keys"), os.DirFS(filepath.Join(m.home, "keys"))); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"host.key", "validator.key"} {
		if err := os.Chmod(filepath.Join(twin, "keys", k), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run[map[string]any](t, bin.fattyd, "init", "--home", twin, "--chain", filepath.Join(c.dir, "genesis.json"))
	used := append([]string{}, free...)
	used[1] = "FATTY_RPC_LISTEN=" + m.rpc
	if said := ends(t, used, bin.fattyd, "start", "--home", twin); !strings.Contains(said, "another process has the port") {
		t.Errorf("a used port: %s", said)
	}
	// Another chain's genesis, keys that are in none, a configuration with a slip.
	other := filepath.Join(c.dir, "other.json")
	stranger := filepath.Join(c.dir, "stranger")
	card := run[struct{ Card string }](t, bin.fattyd, "init", "--home", stranger).Card
	run[map[string]any](t, bin.fattyd, "genesis", "--out", other, "--validator", card)
	if said := ends(t, nil, bin.fattyd, "init", "--home", twin, "--chain", other); !strings.Contains(said, "belongs to chain") {
		t.Errorf("another chain's genesis: %s", said)
	}
	run[map[string]any](t, bin.fattyd, "init", "--home", stranger, "--chain", filepath.Join(c.dir, "genesis.json"))
	if said := ends(t, free, bin.fattyd, "start", "--home", stranger); !strings.Contains(said, "is not in genesis.json") {
		t.Errorf("a key that is in no genesis: %s", said)
	}
	if said := ends(t, append(free, "FATTY_P2P_LISTNE=x"), bin.fattyd, "start", "--home", twin); !strings.Contains(said, "FATTY_P2P_LISTNE") {
		t.Errorf("a slip in the configuration: %s", said)
	}
	// All the while the node worked, and it still does.
	if s, err := m.client.Status(t.Context()); err != nil || !s.Ready {
		t.Errorf("%+v, %v", s, err)
	}
	// The same file written again is the same; what was written over an older one is refused.
	file := filepath.Join(c.dir, "file")
	if err := os.WriteFile(file, []byte("hello"), 0o600); err != nil {
		t.Fatal(err)
	}
	fatty[map[string]any](c, "lock", "put", "--parents", "/a/b/file", file, "--expect", "0")
	if code := refused(t, bin.fatty, "--home", c.home, "lock", "put", "/a/b/file", file, "--expect", "0"); code != "conflict" && code != "exists" {
		t.Errorf("written over: %s", code)
	}
	if got := fatty[struct{ Data []byte }](c, "lock", "get", "/a/b/file"); string(got.Data) != "hello" {
		t.Errorf("%q", got.Data)
	}
	m.kill()
	c.restart(m)
	if got := fatty[struct{ Data []byte }](c, "lock", "get", "/a/b/file"); string(got.Data) != "hello" {
		t.Errorf("after a crash: %q", got.Data)
	}
}
