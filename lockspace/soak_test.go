//go:build soak

package lockspace

import (
	"runtime"
	"testing"
)

// A million files: look-ups of all of them leave the heap no larger than the cache may be.
func TestSoakLookupsDoNotGrowMemory(t *testing.T) {
	const files = 1_000_000
	w, _ := filledWorld(t, files)
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	look := func(from, step int) {
		for i := from; i < files; i += step {
			if _, err := w.state.Holder(benchPath(i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	look(0, 3)
	before := heap()
	look(1, 3)
	look(2, 3)
	if grown := heap() - before; grown > DefaultCache/2 {
		t.Fatalf("a million look-ups grew the heap by %d bytes", grown)
	}
	// An answer that would need the whole tree is refused, and not gathered first.
	if _, err := w.state.Prove(func(s *State) error {
		return s.tree.Scan("", "", func(string, []byte) bool { return true })
	}); CodeOf(err) != CodeInvalid {
		t.Fatalf("a proof of everything: %v", err)
	}
}
