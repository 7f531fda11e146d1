package home

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/node/keyfile"
)

func TestConfigText(t *testing.T) {
	c := Default()
	c.RPC.Listen = "127.0.0.1:0"
	c.P2P.Bootstrap = []string{"/dnsaddr/a", "/dnsaddr/b"}
	got, err := ParseConfig(c.Text(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Text() != c.Text() {
		t.Error("written and read again it differs")
	}
	if n := strings.Count(c.Text(), "# Default: "); n < 30 {
		t.Errorf("%d keys with a default", n)
	}
}

func TestConfigRefuses(t *testing.T) {
	for _, bad := range []string{"x = 1", "[rpc]\nlistne = \"a\"", "[node]\nrole = \"boss\"", "[rpc]\nmax_batch = 0", "[p2p]\nlisten = []",
		"[rpc]\nidle_timeout = \"2 minutes\"", "[p2p]\nrelay = false", "[", "[rpc]\nmax_batch = \"many\""} {
		if _, err := ParseConfig(bad, nil); err == nil {
			t.Errorf("%q passed", bad)
		}
	}
	if _, err := ParseConfig(strings.Repeat("#", maxConfig+1), nil); err == nil {
		t.Error("a huge file passed")
	}
}

func TestConfigEnvironment(t *testing.T) {
	c, err := ParseConfig("", []string{"FATTY_RPC_LISTEN=127.0.0.1:9", "FATTY_P2P_BOOTSTRAP=/dnsaddr/a, /dnsaddr/b", "FATTY_RPC_IDLE_TIMEOUT=3s",
		"FATTY_P2P_RELAY=false", "FATTY_P2P_HOLE_PUNCHING=false", "FATTY_RPC_MAX_BATCH=7", "FATTY_HOME=x", "PATH=y"})
	if err != nil {
		t.Fatal(err)
	}
	if c.RPC.Listen != "127.0.0.1:9" || len(c.P2P.Bootstrap) != 2 || c.P2P.Relay || c.RPC.MaxBatch != 7 || c.RPC.IdleTimeout != Duration(3e9) {
		t.Errorf("%+v", c)
	}
	for _, bad := range []string{"FATTY_RPC_LISTNE=x", "FATTY_RPC_MAX_BATCH=x", "FATTY_P2P_RELAY=maybe", "FATTY_NODE_ROLE=boss"} {
		if _, err := ParseConfig("", []string{bad}); err == nil {
			t.Errorf("%s passed", bad)
		}
	}
}

// testGenesis has n validators and one account.
func testGenesis(t *testing.T, n int) *Genesis {
	t.Helper()
	g := DefaultGenesis("test")
	for i := range n {
		v, _ := keyfile.New()
		h, _ := keyfile.New()
		id, err := keyfile.PeerID(keyfile.Public(h))
		if err != nil {
			t.Fatal(err)
		}
		c, err := keyfile.NewCard(v, id)
		if err != nil {
			t.Fatal(err)
		}
		g.Validators = append(g.Validators, Validator(string(rune('A'+i)), c))
	}
	a, _ := keyfile.New()
	g.Accounts = append(g.Accounts, GenesisAccount{Key: keyfile.Text(keyfile.Public(a)), Grant: true})
	return &g
}

func TestGenesis(t *testing.T) {
	g := testGenesis(t, 4)
	b, err := g.Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseGenesis(b)
	if err != nil || got.ChainID() != g.ChainID() {
		t.Fatal(got, err)
	}
	again, _ := got.Encode()
	if !bytes.Equal(again, b) {
		t.Error("written again it differs")
	}
	for name, spoil := range map[string]func(*Genesis){
		"chain":          func(g *Genesis) { g.Chain = "Über" },
		"no validators":  func(g *Genesis) { g.Validators = nil },
		"twice":          func(g *Genesis) { g.Validators[1] = g.Validators[0] },
		"same name":      func(g *Genesis) { g.Validators[1].Name = "A" },
		"foreign host":   func(g *Genesis) { g.Validators[0].Host = g.Validators[1].Host },
		"upper case key": func(g *Genesis) { g.Validators[0].Key = strings.ToUpper(g.Validators[0].Key) },
		"short grace":    func(g *Genesis) { g.Lease.Grace = 5 },
		"no cadence":     func(g *Genesis) { g.Lease.Cadence = 0 },
		"weak proofs":    func(g *Genesis) { g.Proofs.SecurityBits = 20 },
		"no versions":    func(g *Genesis) { g.Proofs.Versions = nil },
		"idle":           func(g *Genesis) { g.Agreement.IdleCut = 3 },
		"window":         func(g *Genesis) { g.Agreement.Ahead = 0 },
		"account":        func(g *Genesis) { g.Accounts[0].Key = "x" },
		"account twice":  func(g *Genesis) { g.Accounts = append(g.Accounts, g.Accounts[0]) },
	} {
		var c Genesis
		if err := json.Unmarshal(b, &c); err != nil {
			t.Fatal(err)
		}
		id := c.ChainID()
		spoil(&c)
		if c.Validate() == nil {
			t.Errorf("%s passed", name)
		}
		if c.ChainID() == id {
			t.Errorf("%s: the same chain id", name)
		}
	}
	for _, bad := range []string{"", "{}", `{"chain":"x","what":1}`, string(b) + "x", "[]"} {
		if _, err := ParseGenesis([]byte(bad)); err == nil {
			t.Errorf("%.40q passed", bad)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"chain":"x","validators":[{"name":"A","key":"00","host":"1","binding":"x"}]}`))
	f.Add([]byte("[rpc]\nlisten = \"x\""))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = ParseGenesis(b)
		_, _ = ParseConfig(string(b), nil)
	})
}

func TestHome(t *testing.T) {
	dir := t.TempDir()
	h, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrLocked) {
		t.Fatalf("a second one opened it: %v", err)
	}
	g := testGenesis(t, 1)
	if _, err := h.Genesis(); err == nil {
		t.Error("a genesis out of nothing")
	}
	if err := h.WriteGenesis(g); err != nil {
		t.Fatal(err)
	}
	if err := h.WriteGenesis(testGenesis(t, 1)); err == nil || !strings.Contains(err.Error(), "belongs to chain") {
		t.Errorf("another chain's genesis: %v", err)
	}
	tok, err := h.Token()
	if err != nil || len(tok) != 64 {
		t.Fatal(tok, err)
	}
	if again, _ := h.Token(); again != tok {
		t.Error("another token the second time")
	}
	if err := h.WriteAPI("http://127.0.0.1:1"); err != nil {
		t.Fatal(err)
	}
	if a, err := h.API(); err != nil || a[0] != "http://127.0.0.1:1" {
		t.Error(a, err)
	}
	if err := h.WriteAPI(""); err != nil {
		t.Fatal(err)
	}
	if _, err := h.API(); err == nil {
		t.Error("an address of a stopped node")
	}
	if err := h.WriteConfig(Default()); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Config(); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h, err = Open(dir)
	if err != nil {
		t.Fatalf("after Close: %v", err)
	}
	h.Close()
	if _, err := os.Stat(h.Path("keys")); err != nil {
		t.Error(err)
	}
}
