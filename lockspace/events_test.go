package lockspace

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
)

// Reading from any place, in pieces of any size, gives every event after it, once, in order.
func TestEventsResume(t *testing.T) {
	w := newWorld(t)
	var all []Event
	keep := func() { all = append(all, w.last.Events...) }
	w.must(alice, &Mkdir{Path: "/d"})
	keep()
	for round := range 3 {
		var in []Input
		for i := range []int{1, 200, 3}[round] {
			in = append(in, Input{Tx: w.sign(alice, &Put{Path: fmt.Sprintf("/d/%d-%d", round, i)})})
		}
		w.cut(1e6, in...)
		keep()
		w.cut(1e6) // a cut without events
		keep()
	}
	if len(all) != 1+2*204 {
		t.Fatalf("%d events", len(all))
	}
	for i, e := range all {
		if i > 0 && (e.Sequence < all[i-1].Sequence || (e.Sequence == all[i-1].Sequence && e.Index != all[i-1].Index+1)) {
			t.Fatalf("event %d is %d/%d after %d/%d", i, e.Sequence, e.Index, all[i-1].Sequence, all[i-1].Index)
		}
	}
	for from := -1; from < len(all); from += 17 {
		at := EventID{}
		if from >= 0 {
			at = EventID{all[from].Sequence, all[from].Index}
		}
		for _, limit := range []int{1, 7, 256, 1000} {
			if limit == 1 && from < len(all)-30 {
				continue
			}
			var got []Event
			for at := at; ; {
				some, next, err := w.state.Events(at, "/", limit)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, some...)
				at = next
				if len(some) < limit {
					if at != After(w.state.Sequence()) {
						t.Fatalf("read to the end, and goes on from %+v", at)
					}
					break
				}
			}
			if !reflect.DeepEqual(got, append([]Event(nil), all[from+1:]...)) {
				t.Fatalf("from %d by %d: %d events, want %d", from, limit, len(got), len(all)-from-1)
			}
		}
	}
	only, _, err := w.state.Events(EventID{}, "/d/2-1", 10)
	if err != nil || len(only) != 1 || only[0].Path != "/d/2-1" {
		t.Errorf("under a path: %+v %v", only, err)
	}
	if some, at, err := w.state.Events(After(w.state.Sequence()+5), "/", 10); err != nil || len(some) != 0 || at.Sequence != w.state.Sequence()+5 {
		t.Errorf("in the future: %v %+v %v", some, at, err)
	}
	if _, _, err := w.state.Events(EventID{}, "no path", 10); CodeOf(err) != CodeInvalid {
		t.Errorf("a bad prefix: %v", err)
	}
}

// Old events are forgotten; to resume from before them is an error that says so, never a gap.
func TestEventsWindow(t *testing.T) {
	g := testGenesis()
	g.Rules.EventWindow = 10
	w := newWorldFrom(t, g)
	var all []Event
	w.must(alice, &Put{Path: "/f"})
	all = append(all, w.last.Events...)
	for range 30 {
		w.must(alice, &Put{Path: "/f"})
		all = append(all, w.last.Events...)
	}
	if n := w.state.root.EventCount; n != 10 {
		t.Fatalf("%d events are kept", n)
	}
	gone := w.state.root.EventsGone
	for _, e := range all {
		some, _, err := w.state.Events(After(e.Sequence), "/", 1000)
		if e.Sequence < gone {
			if !errors.Is(err, ErrEventsGone) {
				t.Fatalf("from %d: %v", e.Sequence, err)
			}
			continue
		}
		if err != nil || (len(some) > 0 && some[0].Sequence != e.Sequence+1) {
			t.Fatalf("from %d: %v %v", e.Sequence, some, err)
		}
	}
	if _, _, err := w.state.Events(EventID{gone, 0}, "/", 10); !errors.Is(err, ErrEventsGone) {
		t.Errorf("from within a forgotten cut: %v", err)
	}
	checkBlocks(t, w)
	// A single cut with more events than the window keeps them all until the next.
	var in []Input
	for i := range 20 {
		in = append(in, Input{Tx: w.sign(alice, &Put{Path: fmt.Sprintf("/g%d", i)})})
	}
	w.cut(1e6, in...)
	checkBlocks(t, w)
	if some, _, err := w.state.Events(After(w.state.Sequence()-1), "/", 1000); err != nil || len(some) != 40 {
		t.Fatalf("%d events: %v", len(some), err)
	}
}

// A refused operation leaves nothing behind but its author's nonce.
func TestRefusedLeavesNothing(t *testing.T) {
	g := testGenesis()
	g.Accounts[1].Quota.State = 900
	w := newWorldFrom(t, g)
	w.must(admin, &Put{Path: "/l"})
	w.must(alice, w.acquireOp("/l"))
	dump := func() map[string]string {
		m := map[string]string{}
		if err := w.state.tree.Scan("", "", func(k string, v []byte) bool {
			if k[:1] != tableAccount && k[:1] != tableRoot {
				m[k] = string(v)
			}
			return true
		}); err != nil {
			t.Fatal(err)
		}
		return m
	}
	before, root := dump(), w.state.Root()
	w.refused(alice, &Put{Path: "/e", LivesBy: "/l", Content: make([]byte, 5000)}, CodeQuota)
	w.refused(alice, &Put{Path: "/l", Content: make([]byte, 5000)}, CodeQuota)
	if !reflect.DeepEqual(dump(), before) {
		t.Error("records changed")
	}
	after := w.state.Root()
	if after.Instances != root.Instances || after.Timers != root.Timers || after.EventCount != root.EventCount {
		t.Errorf("root %+v, then %+v", root, after)
	}
	checkBlocks(t, w)
}
