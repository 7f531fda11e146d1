package machine

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
)

// cell is a ledger of two nodes, of which the one that is asked first may lie.
type cell struct {
	*link
	lie atomic.Pointer[func(head *api.Head, m *api.Machine) error]
	all atomic.Bool // both do
	at  atomic.Int64
}

func (c *cell) Elsewhere() { c.at.Add(1) }

func (c *cell) lied(head *api.Head, m *api.Machine) error {
	if f := c.lie.Load(); f != nil && (c.at.Load()%2 == 0 || c.all.Load()) {
		return (*f)(head, m)
	}
	return nil
}

func (c *cell) Head(ctx context.Context) (*api.Head, error) {
	h, err := c.link.Head(ctx)
	if err == nil {
		err = c.lied(h, &api.Machine{})
	}
	return h, err
}

func (c *cell) Machine(ctx context.Context, path string) (*api.Machine, error) {
	m, err := c.link.Machine(ctx, path)
	if err == nil {
		err = c.lied(&api.Head{}, m)
	}
	return m, err
}

// behindForEver is the lie of a node that has executed next to nothing.
var behindForEver = func(h *api.Head, _ *api.Machine) error { h.Sequence = 1; return nil }

// TestBelievesNoNodeThatSaysNotFound: a lock that was made is there. A node that does not know it is behind, or does not know
// better: it is not made again and again.
func TestBelievesNoNodeThatSaysNotFound(t *testing.T) {
	for name, most := range map[string]int{"behind": 0, "a liar": 30} { // three transactions a try, and none before its lease is over
		inWorld(t, func(t *testing.T, w *world) {
			a := &cell{link: &link{w: w, key: aliceKey}}
			events, stop := keepOver(t, a, a.link, example(t, "lcg"), oracle{delay: takes(time.Second)}, "")
			pass(14 * time.Second)
			created := len(events.of(Created))
			var did atomic.Int64
			if name == "behind" {
				a.all.Store(true)
				a.lie.Store(&behindForEver)
			}
			a.breakBy(func(what string) error {
				switch what {
				case "machine":
					return api.Errorf(api.CodeNotFound, "no such lock")
				case "do":
					did.Add(1)
				}
				return nil
			})
			pass(12 * time.Second)
			if n := did.Load(); n > 0 {
				t.Errorf("%s: %d transactions to make what it holds", name, n)
			}
			pass(28 * time.Second)
			dos := int(did.Load())
			if dos > most || (dos == 0) != (most == 0) || len(events.of(Created)) != 1 || created != 1 {
				t.Errorf("%s: %d transactions in 40 s, created %d times", name, dos, len(events.of(Created)))
			}
			said := events.of(Trouble)
			if len(said) == 0 || len(said) > 16 || !strings.Contains(said[0].Text, "the node") {
				t.Errorf("%s: %+v", name, said)
			}
			a.lie.Store(nil)
			a.breakBy(nil)
			pass(40 * time.Second)
			if len(events.of(Created)) != 1 || len(events.of(Renewed)) < 3 {
				t.Errorf("%s: %+v", name, events.list)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLyingNode: what one node says that cannot be neither ends a keeper nor costs it its lease, as others know better.
func TestLyingNode(t *testing.T) {
	word := func(code int, text string) func(*api.Head, *api.Machine) error {
		return func(_ *api.Head, m *api.Machine) error {
			if m.Lock == "" { // only when asked for the machine
				return nil
			}
			return api.Errorf(code, "%s", text)
		}
	}
	for name, lie := range map[string]func(*api.Head, *api.Machine) error{
		"behind for ever":   behindForEver,
		"no such lock":      word(api.CodeNotFound, "no such lock"),
		"a folder":          word(api.CodeParams, "/demo/lcg is a directory"),
		"no such method":    word(api.CodeMethod, "no such method"),
		"another machine":   func(_ *api.Head, m *api.Machine) error { m.Machine = "bafyother"; return nil },
		"another holder":    func(_ *api.Head, m *api.Machine) error { m.Holder = account(bobKey).PeerID(); return nil },
		"nobody holds it":   func(_ *api.Head, m *api.Machine) error { m.Held, m.Holder = false, ""; return nil },
		"an older state":    func(_ *api.Head, m *api.Machine) error { m.T = 1; return nil },
		"an older life":     func(_ *api.Head, m *api.Machine) error { m.Generation = 0; return nil },
		"no state":          func(_ *api.Head, m *api.Machine) error { m.State = "x"; return nil },
		"no idle":           func(_ *api.Head, m *api.Machine) error { m.Terms.Inputs = "felt"; return nil },
		"something waiting": func(_ *api.Head, m *api.Machine) error { m.Waiting = 1; m.Sequence += 1000; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				a := &cell{link: &link{w: w, key: aliceKey}}
				events, stop := keepOver(t, a, a.link, example(t, "lcg"), oracle{delay: takes(time.Second)}, "")
				pass(14 * time.Second)
				a.at.Store(0)
				a.lie.Store(&lie)
				pass(60 * time.Second)
				if len(events.of(Lost)) > 0 || len(events.of(Renewed)) < 4 || len(events.of(Created)) != 1 || len(events.of(Trouble)) == 0 {
					t.Errorf("%+v", events.list)
				}
				if err := stop(); err != nil {
					t.Error(err)
				}
			})
		})
	}
	// What every node says is so: the lock was taken away, and another made under its name.
	inWorld(t, func(t *testing.T, w *world) {
		a := &cell{link: &link{w: w, key: aliceKey}}
		events, stop := keepOver(t, a, a.link, example(t, "lcg"), oracle{delay: takes(time.Second)}, "")
		pass(14 * time.Second)
		lie := word(api.CodeParams, "/demo/lcg is a lock without a machine")
		a.all.Store(true)
		a.lie.Store(&lie)
		pass(60 * time.Second)
		if err := stop(); err == nil || !strings.Contains(err.Error(), "without a machine") || len(events.of(Trouble)) != maxDoubts-1 {
			t.Errorf("all nodes: %v, %+v", err, events.of(Trouble))
		}
	})
}

// TestEndsWhereNoRetryMends: what is wrong with the lock or with what the keeper is to say ends it, in words.
func TestEndsWhereNoRetryMends(t *testing.T) {
	for _, c := range []struct {
		name, why string
		before    []lockspace.Op
		change    func(*Config)
	}{
		{"a folder", "is a directory", []lockspace.Op{&lockspace.Mkdir{Path: "/demo"}, &lockspace.Mkdir{Path: "/demo/lcg"}}, func(*Config) {}},
		{"a lock without machine", "without a machine", []lockspace.Op{&lockspace.Mkdir{Path: "/demo"}, &lockspace.Put{Path: "/demo/lcg"}}, func(*Config) {}},
		{"an address", "want a multiaddr", nil, func(c *Config) { c.Addresses = []string{"nonsense"} }},
	} {
		inWorld(t, func(t *testing.T, w *world) {
			a := &link{w: w, key: aliceKey}
			for _, op := range c.before {
				if r, err := a.Do(t.Context(), op); err != nil || !r.OK {
					t.Fatal(r, err)
				}
			}
			events := &log{}
			cfg := Config{File: example(t, "lcg"), Ledger: a, Prover: oracle{delay: takes(time.Second)}, Account: account(aliceKey), Check: checkFake, Report: events.add}
			c.change(&cfg)
			r, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := r.Run(ctx); err == nil || !strings.Contains(err.Error(), c.why) || !strings.Contains(err.Error(), "/demo/lcg") || len(events.of(Trouble)) > 0 {
				t.Errorf("%s: %v, %+v", c.name, err, events.list)
			}
		})
	}
}
