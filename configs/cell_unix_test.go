//go:build unix

package configs

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/node/home"
)

// TestMakeCell runs the script that makes four homes, twice, and reads what it made as fattyd will.
func TestMakeCell(t *testing.T) {
	bin, dir := t.TempDir(), filepath.Join(t.TempDir(), "cell")
	if out, err := exec.Command("go", "build", "-o", bin+"/", "../cmd/fatty", "../cmd/fattyd").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	var first *home.Genesis
	for range 2 {
		c := exec.Command("bash", "cell/make.sh", dir, "test")
		c.Env = append(os.Environ(), "FATTY="+filepath.Join(bin, "fatty"), "FATTYD="+filepath.Join(bin, "fattyd"))
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("make.sh: %v\n%s", err, out)
		}
		for _, v := range []string{"v1", "v2", "v3", "v4"} {
			h := home.At(filepath.Join(dir, v))
			b, err := os.ReadFile(h.Path("config.toml"))
			if err != nil {
				t.Fatal(err)
			}
			cfg, err := home.ParseConfig(string(b), nil)
			if err != nil {
				t.Fatalf("%s: %v", v, err)
			}
			if joins := len(cfg.P2P.Bootstrap) == 1 && strings.Contains(cfg.P2P.Bootstrap[0], "/udp/7070/quic-v1/p2p/12D3"); joins == (v == "v1") {
				t.Errorf("%s: bootstrap is %q", v, cfg.P2P.Bootstrap)
			}
			g, err := h.Genesis()
			if err != nil {
				t.Fatalf("%s: %v", v, err)
			}
			if len(g.Validators) != 4 || len(g.Accounts) != 1 || !g.Accounts[0].Grant || g.Chain != "test" {
				t.Errorf("%s: genesis %+v", v, g)
			}
			if first == nil {
				first = g
			}
			if g.ChainID() != first.ChainID() {
				t.Errorf("%s: chain %s, the first is %s", v, g.ChainID(), first.ChainID())
			}
			for _, key := range []string{h.HostKey(), h.ValidatorKey()} {
				if st, err := os.Stat(key); err != nil || st.Mode().Perm() != 0o600 {
					t.Errorf("%s: %v, %v", key, st, err)
				}
			}
		}
		if _, err := home.At(filepath.Join(dir, "client")).Genesis(); err != nil {
			t.Errorf("the client's home: %v", err)
		}
	}
}
