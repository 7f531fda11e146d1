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

// young is a link to a node that, while it is so, has executed next to nothing.
type young struct {
	*link
	so atomic.Bool
}

func (y *young) Head(ctx context.Context) (*api.Head, error) {
	h, err := y.link.Head(ctx)
	if err == nil && y.so.Load() {
		h.Sequence = 1
	}
	return h, err
}

// TestBelievesNoNodeThatSaysNotFound: a lock that was made is there. A node that does not know it is behind, or does not know
// better: it is not made again and again.
func TestBelievesNoNodeThatSaysNotFound(t *testing.T) {
	for name, most := range map[string]int{"behind": 0, "a liar": 30} { // three transactions a try, and none before its lease is over
		inWorld(t, func(t *testing.T, w *world) {
			a := &young{link: &link{w: w, key: aliceKey}}
			events, stop := keepOver(t, a, a.link, example(t, "lcg"), oracle{delay: takes(time.Second)}, "")
			pass(14 * time.Second)
			created := len(events.of(Created))
			var did atomic.Int64
			a.so.Store(name == "behind")
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
			a.so.Store(false)
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
