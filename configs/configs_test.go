// Package configs holds ready-made configurations. Its test holds each of them to what fattyd reads.
package configs

import (
	"crypto/rand"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/libp2p/go-libp2p/core/crypto"

	"github.com/seed06907907/fatty/node/home"
	"github.com/seed06907907/fatty/p2p"
)

// read decodes every config.toml below this folder as fattyd does, without the environment.
func read(t *testing.T) map[string]home.Config {
	t.Helper()
	out := map[string]home.Config{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".toml") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		c, err := home.ParseConfig(string(b), nil)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		out[filepath.ToSlash(path)] = c
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestEveryConfigurationIsValid(t *testing.T) {
	all := read(t)
	for _, want := range []string{"single/config.toml", "cell/v1/config.toml", "cell/v2/config.toml", "cell/v3/config.toml",
		"cell/v4/config.toml", "bootstrap/config.toml"} {
		if _, ok := all[want]; !ok {
			t.Errorf("%s is missing or not valid", want)
		}
	}
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range all {
		// The network's own check, which the configuration file's does not repeat: addresses, relay and hole punching.
		err := p2p.Config{HostKey: key, Chain: "test", Listen: c.P2P.Listen, Announce: c.P2P.Announce, Bootstrap: c.P2P.Bootstrap,
			Server: c.P2P.DHTServer, AllowPrivate: c.P2P.AllowPrivate, Relay: c.P2P.Relay, HolePunch: c.P2P.HolePunching,
			AutoNAT: c.P2P.AutoNAT, Limits: p2p.Limits{Connections: c.P2P.MaxPeers}}.Validate()
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.HasPrefix(c.RPC.Listen, "127.0.0.1:") || !strings.HasPrefix(c.RPC.Health, "127.0.0.1:") {
			t.Errorf("%s: JSON-RPC and health are to be on loopback in what we hand out", name)
		}
	}
}

// TestASmallHostHoldsTheConnections: what a configuration asks for fits the network's share of a host of 1 GiB, an eighth.
func TestASmallHostHoldsTheConnections(t *testing.T) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range read(t) {
		h, err := p2p.New(t.Context(), p2p.Config{HostKey: key, Chain: "test", Limits: p2p.Limits{Memory: 128 << 20, Connections: c.P2P.MaxPeers}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := h.Close(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCellRunsOnOneHost: four validators whose addresses do not meet, and whose files set no other thing differently.
func TestCellRunsOnOneHost(t *testing.T) {
	all := read(t)
	seen := map[string]string{}
	base := all["cell/v1/config.toml"]
	for _, name := range []string{"cell/v1/config.toml", "cell/v2/config.toml", "cell/v3/config.toml", "cell/v4/config.toml"} {
		c := all[name]
		for _, a := range append(append([]string{}, c.P2P.Listen...), c.RPC.Listen, c.RPC.Health) {
			if other, taken := seen[a]; taken {
				t.Errorf("%s and %s both listen on %s", other, name, a)
			}
			seen[a] = name
		}
		c.P2P.Listen, c.RPC.Listen, c.RPC.Health = base.P2P.Listen, base.RPC.Listen, base.RPC.Health
		if c.Text() != base.Text() {
			t.Errorf("%s differs from v1's in more than its addresses", name)
		}
	}
}

// TestUnknownKeyIsRefused shows that the checks above would find a key that does not exist.
func TestUnknownKeyIsRefused(t *testing.T) {
	if _, err := home.ParseConfig("[p2p]\nlisten_on = []\n", nil); err == nil || !strings.Contains(err.Error(), "p2p.listen_on") {
		t.Errorf("got %v", err)
	}
}
