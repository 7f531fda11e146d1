package keyfile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/lockspace"
)

func TestRoundTrip(t *testing.T) {
	dir := t.TempDir()
	key, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for name, pass := range map[string][]byte{"clear": nil, "sealed": []byte("correct horse")} {
		p := filepath.Join(dir, name)
		if err := Write(p, key, pass); err != nil {
			t.Fatal(err)
		}
		got, err := Read(p, func() ([]byte, error) { return pass, nil })
		if err != nil || !got.Equal(key) {
			t.Fatalf("%s: %v", name, err)
		}
		if err := Write(p, key, pass); err == nil || !strings.Contains(err.Error(), "never overwritten") {
			t.Errorf("%s: a second write gave %v", name, err)
		}
		b, _ := os.ReadFile(p)
		if name == "sealed" && bytes.Contains(b, []byte("seed")) {
			t.Error("a sealed key shows its seed")
		}
	}
	if _, err := Read(filepath.Join(dir, "sealed"), func() ([]byte, error) { return []byte("wrong"), nil }); !errors.Is(err, ErrPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if _, err := Read(filepath.Join(dir, "sealed"), nil); err == nil {
		t.Error("a sealed key opened with nobody to ask")
	}
	if runtime.GOOS != "windows" {
		if err := os.Chmod(filepath.Join(dir, "clear"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(filepath.Join(dir, "clear"), nil); err == nil || !strings.Contains(err.Error(), "chmod 0600") {
			t.Errorf("a key that all can read: %v", err)
		}
	}
}

func TestCard(t *testing.T) {
	v, _ := New()
	h, _ := New()
	id, err := PeerID(Public(h))
	if got := lockspace.AccountID(Public(h)).PeerID(); got != id.String() { // the ledger computes it without libp2p
		t.Errorf("an account's peer id is %s, want %s", got, id)
	}
	if err != nil {
		t.Fatal(err)
	}
	c, err := NewCard(v, id)
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseCard(c.String())
	if err != nil || got.String() != c.String() {
		t.Fatal(got, err)
	}
	// Another host under the same signature is refused.
	other, _ := New()
	c.Host, _ = PeerID(Public(other))
	if _, err := ParseCard(c.String()); err == nil {
		t.Error("a card with another host passed")
	}
	for _, s := range []string{"", "@#", "x@y#z", strings.Repeat("0", 64) + "@" + id.String() + "#"} {
		if _, err := ParseCard(s); err == nil {
			t.Errorf("%q passed", s)
		}
	}
}

func FuzzDecode(f *testing.F) {
	key, _ := New()
	b, _ := Encode(key, nil)
	f.Add(b)
	f.Add([]byte(`{"version":1,"kind":"ed25519","public":"","sealed":{"scrypt_n":2,"scrypt_r":8,"scrypt_p":1,"salt":"","nonce":"","box":""}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = Decode(b, nil) // never asks, so never runs scrypt
		_, _ = ParseCard(string(b))
	})
}
