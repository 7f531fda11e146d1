package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"testing"
	"time"
)

// TestDevnet: the one command that shows it all, with the leading validator killed in the middle. It counts renewals, so it
// runs at the cadence that people have: at a shorter one a busy machine is late.
func TestDevnet(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	c := exec.CommandContext(ctx, bin.fatty, "devnet", "--for", "84s", "--kill-after", "14s", "--kill-validator", "50s", "--home", t.TempDir()+"/home", "--json")
	tie(c)
	var complaints bytes.Buffer
	c.Stderr = &complaints
	out, err := c.Output()
	seen := map[string]int{}
	s := bufio.NewScanner(bytes.NewReader(out))
	var last struct {
		Time               time.Time
		Event              string
		OK                 bool
		Renewals           int
		SecondsToFirstLock float64 `json:"seconds_to_first_lock"`
		LeaseEnd           string  `json:"lease_end"`
		ProofBytes         int     `json:"proof_bytes"`
		Lock, Holder       string
		Machine, Keeper    string
		Span               string
		WholeLife          string `json:"whole_life"`
		Seen               map[string]bool
	}
	type files struct{ machine, span, whole string }
	newest := map[string]files{} // by keeper
	for s.Scan() {
		last.Time, last.Span, last.WholeLife = time.Time{}, "", ""
		if err := json.Unmarshal(s.Bytes(), &last); err != nil || last.Event == "" || last.Time.IsZero() {
			t.Fatalf("%v: %s", err, s.Text())
		}
		seen[last.Event]++
		if last.Span != "" {
			newest[last.Keeper] = files{last.Machine, last.Span, last.WholeLife}
		}
	}
	if err != nil || last.Event != "summary" || !last.OK {
		t.Fatalf("%v\n%s%s", err, out, complaints.String())
	}
	for _, e := range []string{"validator_ready", "peer_connected", "lock_acquired", "lease_renewed", "machine_killed", "lease_expired", "lock_taken_over", "validator_killed", "view_changed"} {
		if seen[e] == 0 {
			t.Errorf("%s was not seen: %v", e, seen)
		}
	}
	if last.SecondsToFirstLock > 30 {
		t.Logf("the first lock took %.1f s, 30 are promised on two idle cores", last.SecondsToFirstLock)
	}
	// What the last event of each machine names is there for anyone to check.
	for _, keeper := range []string{"A", "B"} {
		f := newest[keeper]
		type verified struct {
			Valid bool
			Kind  string
			Span  struct{ T0, T1 uint64 }
		}
		if v := run[verified](t, bin.fatty, "verify", f.whole, "--machine", f.machine); !v.Valid || v.Kind != "span" || v.Span.T0 != 0 || v.Span.T1 == 0 {
			t.Errorf("the whole life of machine %s: %+v", keeper, v)
		}
		if v := run[verified](t, bin.fatty, "verify", f.span); !v.Valid || v.Kind != "span" || v.Span.T0 >= v.Span.T1 {
			t.Errorf("the newest span of machine %s: %+v", keeper, v)
		}
	}
}
