package e2e

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/seed06907907/fatty/node/api"
)

// holderAnswer is what `fatty lock holder --json` prints.
type holderAnswer struct {
	Lock, Machine, Program, Holder, State, Sequencer string
	T                                                api.Clock
	Sequence                                         uint64
	Verified                                         bool
}

// TestLifeOfALock: four validators that know one address find each other; a machine takes a lock and keeps it; everyone
// can look it up and check the answer; it is killed; another takes over from the last proven state.
func TestLifeOfALock(t *testing.T) {
	c := newCell(t, "a", "b")
	c.until("everyone knows everyone", func(ctx context.Context) bool {
		for _, m := range c.nodes {
			p, err := m.client.Peers(ctx)
			if err != nil {
				return false
			}
			n := 0
			for _, x := range p.Peers {
				if x.Validator != "" {
					n++
				}
			}
			if n < len(c.nodes)-1 {
				return false
			}
		}
		return true
	})
	lock := c.follow("/demo/lcg")
	a := c.machine("a", "lcg", "--publish", "/ip4/192.0.2.1/tcp/7")
	got := lock.next("lock_acquired")
	if got.T == 0 {
		t.Fatalf("acquired without a transition: %+v", got)
	}
	b := c.machine("b", "lcg")
	renewed := lock.next("lock_renewed")
	renewed = lock.next("lock_renewed")
	if renewed.T <= got.T || renewed.Holder != got.Holder {
		t.Fatalf("renewed to %+v after %+v", renewed, got)
	}
	// Each way to ask gives the same answer, checked against the validators' signatures.
	for _, ref := range []string{"/demo/lcg", got.Machine} {
		h := fatty[holderAnswer](c, "lock", "holder", "--prove", ref)
		if !h.Verified || h.Lock != "/demo/lcg" || h.Holder != got.Holder || h.T < renewed.T {
			t.Errorf("%s: %+v", ref, h)
		}
	}
	if h := fatty[holderAnswer](c, "lock", "holder", "/demo/lcg"); h.Verified {
		t.Error("an answer that nobody checked is called verified")
	}
	if code := refused(t, bin.fatty, "--home", c.home, "lock", "holder", "--prove", "/demo/none"); code != "not_found" {
		t.Errorf("a lock that is not there: %s", code)
	}
	c.until("the program is found in the DHT", func(ctx context.Context) bool {
		f, err := c.nodes[3].client.Find(ctx, fatty[holderAnswer](c, "lock", "holder", "/demo/lcg").Program)
		return err == nil && f.Kind == "program" && len(f.Holders) == 1 && len(f.Providers) > 0
	})

	a.kill()
	last := lock.next("lock_lost")
	if last.Detail == "released" {
		t.Fatal("a killed machine released its lock")
	}
	taken := lock.next("lock_acquired")
	if taken.Holder == got.Holder || taken.T <= last.T {
		t.Fatalf("taken over at %+v, the last proven was %+v", taken, last)
	}
	if next := lock.next("lock_renewed"); next.Holder != taken.Holder || next.T <= taken.T {
		t.Fatalf("renewed to %+v after the take-over %+v", next, taken)
	}
	// Stopped, and not killed, it gives the lock back.
	if err := b.cmd.Process.Signal(interrupt); err != nil {
		t.Fatal(err)
	}
	if e := lock.next("lock_lost"); e.Detail != "released" {
		t.Errorf("stopped: %+v", e)
	}
	<-b.ended
	if code := b.cmd.ProcessState.ExitCode(); code != 0 {
		t.Errorf("exit code %d: %s", code, b.complaints())
	}
	if code := refused(t, bin.fatty, "--home", c.home, "lock", "holder", "--prove", "/demo/lcg"); code != "not_held" {
		t.Errorf("a free lock: %s", code)
	}
}

// TestCounterTakesTransactions: what is sent moves the machine's clock and state within two cadences, and that is proven.
func TestCounterTakesTransactions(t *testing.T) {
	c := newCell(t, "a")
	lock := c.follow("/demo/counter")
	// What waits is proven at once, however long the cadence: with a long one nothing idle is proven instead.
	const long = 12 * time.Second
	c.machine("a", "counter", "--cadence", long.String())
	lock.next("lock_acquired")
	type sent struct {
		Index, Sequence uint64
		T               api.Clock
	}
	var s sent
	for i, n := range []string{"50", "0x5"} {
		began := time.Now()
		s = fatty[sent](c, "send", "/demo/counter", n, "--timeout", (patience / 4 * 3).String())
		if d := time.Since(began); d > 2*long {
			t.Logf("%s was consumed after %s; two cadences of %s are promised on two idle cores", n, d, long)
		}
		if s.Index != uint64(i) || s.T == 0 {
			t.Errorf("sent %s: %+v", n, s)
		}
	}
	var h holderAnswer
	c.until("the new state is certified", func(context.Context) bool {
		h = fatty[holderAnswer](c, "lock", "holder", "--prove", "/demo/counter")
		return h.Sequence >= s.Sequence
	})
	if h.State != "55" || h.T < s.T || !h.Verified {
		t.Errorf("%+v after %+v", h, s)
	}
	// The same by other ways: the events from the first on, the machine, the listings.
	watch := spawn(t, nil, bin.fatty, "--home", c.home, "lock", "watch", "/demo", "--from", "1", "--json")
	for seen := map[string]bool{}; !seen["child_added"] || !seen["lock_acquired"] || !seen["inbox_sent"] || !seen["lock_renewed"]; {
		var e api.Event
		if err := json.Unmarshal([]byte(watch.line(t)), &e); err != nil {
			t.Fatal(err)
		}
		seen[e.Kind] = true
	}
	if m := fatty[struct {
		Lock, Machine, State string
		T                    api.Clock
	}](c, "machine", "show", h.Machine); m.Lock != "/demo/counter" || m.State != "55" || m.T < h.T || m.Machine != h.Machine {
		t.Errorf("machine show: %+v", m)
	}
	if l := fatty[api.List](c, "lock", "ls", "/demo"); len(l.Children) != 1 || l.Children[0].Name != "counter" || !l.Children[0].Locked {
		t.Errorf("lock ls: %+v", l)
	}
	if a := fatty[api.Accounts](c, "account", "ls"); len(a.Accounts) != 2 {
		t.Errorf("account ls: %+v", a)
	}
	if s := fatty[api.Status](c, "status"); !s.Ready || s.Leases != 1 || s.Chain == "" {
		t.Errorf("status: %+v", s)
	}
	if code := refused(t, bin.fatty, "--home", c.home, "send", "/demo/none", "1"); code != "not_found" {
		t.Errorf("sent to nobody: %s", code)
	}
	if code := refused(t, bin.fatty, "--home", c.home, "send", "/demo/counter", "1", "2"); code != "invalid" && code != "params" {
		t.Errorf("sent two felts: %s", code)
	}
	// An account that nobody granted may not send.
	run[map[string]any](t, bin.fatty, "key", "new", c.dir+"/stranger.key")
	refused(t, bin.fatty, "--home", c.home, "--key", c.dir+"/stranger.key", "send", "/demo/counter", "1")
}

// TestKeeperComesBack: a keeper that is killed goes on in the same life when it is started again in time, with what it had
// proven, and anyone can check the machine's whole life, which a node serves.
func TestKeeperComesBack(t *testing.T) {
	c := newCell(t, "a")
	lock := c.follow("/demo/lcg")
	// A lease that outlasts a slow start of a process, and a proof that is not too old then, nor handed in before the kill.
	patient := []string{"--cadence", "8s", "--grace", "60s"}
	a := c.machine("a", "lcg", patient...)
	first := lock.next("lock_acquired")
	lock.next("lock_renewed")
	before := lock.next("lock_renewed")
	type said struct {
		Event, Message string
		T              api.Clock
	}
	says := func(p *process) (l said) {
		if err := json.Unmarshal([]byte(p.line(t)), &l); err != nil {
			t.Fatal(err)
		}
		return l
	}
	at := says(a)
	for at.Event != "proving" || at.T < before.T {
		at = says(a)
	}
	c.until("a part of the next renewal is proven", func(context.Context) bool {
		pieces, err := filepath.Glob(filepath.Join(c.home, "machines", before.Holder, "*", "data", "*-*.progress"))
		if err != nil {
			t.Fatal(err)
		}
		return len(pieces) > 0
	})
	a.kill()
	again := c.machine("a", "lcg", patient...)
	if l := says(again); l.Event != "resumed" || l.T != at.T {
		t.Fatalf("started again, it says first: %+v; it was %+v", l, at)
	}
	lock.next("lock_renewed")
	after := lock.next("lock_renewed")
	if n := lock.count("lock_lost") + lock.count("lock_acquired"); n != 1 || after.T <= before.T {
		t.Errorf("killed and started again: %d events of another life; renewed to %+v after %+v", n, after, before)
	}
	shown := fatty[struct {
		T, Proof_T0, Whole_Life_T api.Clock
		Proof, Whole_Life         string
	}](c, "machine", "show", "/demo/lcg")
	if shown.Proof == "" || shown.Whole_Life == "" || shown.Proof == shown.Whole_Life || shown.Whole_Life_T == 0 || shown.Whole_Life_T != shown.Proof_T0 || shown.T <= shown.Proof_T0 {
		t.Errorf("machine show: %+v", shown)
	}
	for _, m := range c.nodes {
		p, err := m.client.WholeLife(t.Context(), "/demo/lcg")
		if err != nil || p.T0 != 0 || p.T1 < shown.Whole_Life_T {
			t.Errorf("%s: %+v %v", m.name, p, err)
			continue
		}
		file := filepath.Join(c.dir, m.name+".proof")
		if err := os.WriteFile(file, p.Envelope, 0o600); err != nil {
			t.Fatal(err)
		}
		if v := run[struct {
			Valid bool
			Kind  string
		}](t, bin.fatty, "verify", file, "--machine", first.Machine); !v.Valid || v.Kind != "span" {
			t.Errorf("%s: %+v", m.name, v)
		}
	}
}
