package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestDevnetExpectations: what there is time for is demanded, and nothing else.
func TestDevnetExpectations(t *testing.T) {
	o := devnetOptions{forTime: 120 * time.Second, killAfter: 40 * time.Second, killValidator: 60 * time.Second, cadence: 12 * time.Second, validators: 4}
	all := o.expected(true, 40*time.Second, true)
	for _, e := range []string{evReady, evPeer, evAcquired, evRenewed, evMachineKilled, evExpired, evTakenOver, seenContinued, seenRenewedAfter,
		evValidatorKilled, evView, seenRestarted, seenVerified, seenProof} {
		if !slices.Contains(all, e) {
			t.Errorf("%s is not demanded of 120 s", e)
		}
	}
	if n := o.renewals(true, 40*time.Second); n < 4 {
		t.Errorf("%d renewals are demanded of 120 s, want 4 at least", n)
	}
	o = devnetOptions{forTime: 20 * time.Second, cadence: 12 * time.Second, validators: 1}
	few := o.expected(true, 15*time.Second, false)
	for _, e := range []string{evExpired, evTakenOver, seenRenewedAfter, evPeer, evValidatorKilled} {
		if slices.Contains(few, e) {
			t.Errorf("%s is demanded of 20 s with one validator", e)
		}
	}
	if n := o.renewals(false, 0); n != 0 {
		t.Errorf("%d renewals are demanded of 20 s", n)
	}
}

// TestDevnetSetup: a devnet's homes are whole, and never written over.
func TestDevnetSetup(t *testing.T) {
	dir := t.TempDir()
	p, err := setup(dir, 4, 12*time.Second, "counter")
	if err != nil {
		t.Fatal(err)
	}
	if len(p.validators) != 4 || len(p.machines) != 2 || p.genesis.ChainID() == "" {
		t.Fatalf("%+v", p)
	}
	for i, v := range p.validators {
		c, err := v.home.Config()
		if err != nil || (len(c.P2P.Bootstrap) == 0) != (i == 0) {
			t.Errorf("%s: %v %v", v.name, c.P2P.Bootstrap, err)
		}
		if g, err := v.home.Genesis(); err != nil || g.ChainID() != p.genesis.ChainID() {
			t.Errorf("%s: %v", v.name, err)
		}
	}
	if api, err := p.home.API(); err != nil || len(api) != 4 {
		t.Error(api, err)
	}
	if _, err := setup(dir, 4, 12*time.Second, "counter"); bodyOf(err).Code != "home" {
		t.Errorf("a second network in the same home: %v", err)
	}
}

// TestDevnetTidy: of a temporary home the proof files stay where events named them, and nothing where none did.
func TestDevnetTidy(t *testing.T) {
	for _, named := range []bool{true, false} {
		dir := filepath.Join(t.TempDir(), "home")
		proof := filepath.Join(dir, "machine-A", "machines", "peer", "lock", "proofs", "whole-life-5.proof")
		for _, path := range []string{proof, filepath.Join(dir, "v1", "data", "votes"), filepath.Join(dir, "genesis.json"), filepath.Join(dir, "machine-A", "keys", "client.key")} {
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		tidy(dir, named)
		var left []string
		_ = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
			if err == nil && !e.IsDir() {
				left = append(left, path)
			}
			return nil
		})
		if named && (len(left) != 1 || left[0] != proof) {
			t.Errorf("left are %q", left)
		}
		if _, err := os.Stat(dir); !named && !os.IsNotExist(err) {
			t.Errorf("the home is there: %v", err)
		}
		if _, err := os.Stat(filepath.Join(dir, "v1")); !os.IsNotExist(err) {
			t.Errorf("an empty folder is there: %v", err)
		}
	}
}
