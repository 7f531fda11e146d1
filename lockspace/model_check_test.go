package lockspace

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/seed06907907/fatty/internal/wire"
)

// compareWithModel holds every node, lock and inbox of the state to the model, and generations to growing alone.
func compareWithModel(t *rapid.T, w *world, m *model, highest map[string][2]uint64) {
	found := 0
	var visit func(dir string)
	visit = func(dir string) {
		list, err := w.state.List(dir, "", 100)
		if err != nil {
			t.Fatalf("list %s: %v", dir, err)
		}
		if st, _ := w.state.Stat(dir); st.Children != uint64(len(list)) {
			t.Fatalf("%s counts %d children, it has %d", dir, st.Children, len(list))
		}
		for _, e := range list {
			found++
			path := join(dir, e.Name)
			n := m.nodes[path]
			if n == nil || n.dir != e.Directory || n.gen != e.Content || n.owner != e.Owner || n.livesBy != e.LivesBy {
				t.Fatalf("%s: %+v, the model has %+v", path, e, n)
			}
			if n.instance == 0 {
				n.instance = e.Instance
			}
			if n.instance != e.Instance {
				t.Fatalf("%s: instance %d became %d", path, n.instance, e.Instance)
			}
			was := highest[path]
			if e.Instance < was[0] {
				t.Fatalf("%s: instance %d after %d", path, e.Instance, was[0])
			}
			if e.Instance > was[0] {
				was = [2]uint64{e.Instance, 0}
			}
			highest[path] = was
			if e.Directory {
				visit(path)
				continue
			}
			content, _, err := w.state.Get(path)
			if err != nil || string(content) != n.content {
				t.Fatalf("%s: content: %v", path, err)
			}
			h, err := w.state.Holder(path)
			if err != nil {
				t.Fatalf("%s: %v", path, err)
			}
			if h.Generation < was[1] {
				t.Fatalf("%s: lock generation %d after %d", path, h.Generation, was[1])
			}
			highest[path] = [2]uint64{e.Instance, h.Generation}
			compareLock(t, w, h, n.lock)
		}
	}
	visit("/")
	if found != len(m.nodes)-1 {
		t.Fatalf("%d nodes, the model has %d", found, len(m.nodes)-1)
	}
}

func compareLock(t *rapid.T, w *world, h Holder, l *modelLock) {
	if l == nil {
		l = &modelLock{}
	}
	if h.State != l.state || h.Generation != l.gen || h.Account != l.holder || h.Ends != l.ends || (h.Machine != nil) != l.machine {
		t.Fatalf("%s: %+v, the model has %+v", h.Path, h, l)
	}
	if !l.machine {
		return
	}
	if h.Machine.T != l.t || h.Machine.S != l.s {
		t.Fatalf("%s: clock (%d, %s), the model has (%d, %s)", h.Path, h.Machine.T, h.Machine.S, l.t, l.s)
	}
	whole := int64(-1)
	if h.Machine.Whole != nil {
		whole = int64(h.Machine.Whole.T)
	}
	if whole != l.whole || h.Machine.T0 != l.t0 {
		t.Fatalf("%s: whole life to %d, newest proof from %d, the model has %d and %d", h.Path, whole, h.Machine.T0, l.whole, l.t0)
	}
	inbox, head, err := w.state.Inbox(h.Path, 100)
	if err != nil || head != l.consumed || len(inbox) != len(l.inbox) {
		t.Fatalf("%s: inbox of %d from %d, the model has %d from %d: %v", h.Path, len(inbox), head, len(l.inbox), l.consumed, err)
	}
	for i, e := range inbox {
		// Deadlines count while the lock is held alone.
		if !slices.Equal(e.Felts, l.inbox[i].felts) || (h.State == Held && e.Deadline != l.inbox[i].deadline) {
			t.Fatalf("%s: transaction %d: %+v, the model has %+v", h.Path, i, e, l.inbox[i])
		}
	}
}

// checkBlocks holds the store to exactly the blocks that the state refers to, and the state's counters to its records.
func checkBlocks(t tester, w *world) {
	t.Helper()
	timers := uint64(0)
	s := w.state
	all := map[wire.CID]bool{s.root.Rules: true}
	blocks, err := s.Prove(func(v *State) error {
		return v.tree.Scan("", "", func(key string, value []byte) bool {
			var err error
			switch key[:1] {
			case tableTimer:
				timers++
			case tableContent:
				all[wire.FromDigest([32]byte([]byte(key[1:])))] = true
			case tableProgram:
				all[wire.FromDigest([32]byte([]byte(key[1:])))] = true
			case tableEvent:
				var c eventChunkRef
				err = wire.Unmarshal(value, &c)
				all[c.Block] = true
			}
			if err != nil {
				t.Fatalf("record %q: %v", key, err)
			}
			return true
		})
	})
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	for _, b := range blocks {
		all[b.ID] = true
	}
	for id := range all {
		if _, ok := w.blocks[id]; !ok {
			t.Fatalf("block %s is missing", id)
		}
	}
	if len(all) != len(w.blocks) {
		t.Fatalf("%d blocks are stored, the state refers to %d", len(w.blocks), len(all))
	}
	if timers != s.root.Timers {
		t.Fatalf("%d timers are counted, there are %d", s.root.Timers, timers)
	}
}
