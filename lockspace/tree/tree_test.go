package tree

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed06907907/fatty/internal/wire"
)

// store is a map of blocks that the tests fill from diffs and prune as a node would.
type store map[wire.CID][]byte

func (s store) Get(id wire.CID) ([]byte, error) {
	if b, ok := s[id]; ok {
		return b, nil
	}
	return nil, errors.New("no such block")
}

func (s store) take(t interface{ Fatalf(string, ...any) }, d Diff) {
	for _, id := range d.Dropped {
		if _, ok := s[id]; !ok {
			t.Fatalf("dropped %s, which is not stored", id)
		}
		delete(s, id)
	}
	for _, b := range d.New {
		if wire.Sum(b.Data) != b.ID {
			t.Fatalf("block %s does not hash to its id", b.ID)
		}
		if _, ok := s[b.ID]; ok {
			t.Fatalf("block %s is new twice", b.ID)
		}
		s[b.ID] = b.Data
	}
}

func value(n int, fill byte) []byte {
	v, _ := wire.Marshal(bytes.Repeat([]byte{fill}, n))
	return v
}

// walk checks the shape of the whole tree and returns the blocks that it refers to.
func walk(t interface{ Fatalf(string, ...any) }, tr Tree) map[wire.CID]bool {
	seen := map[wire.CID]bool{}
	leaves := -1
	var visit func(id wire.CID, s span, depth int)
	visit = func(id wire.CID, s span, depth int) {
		if seen[id] {
			t.Fatalf("block %s is in the tree twice", id)
		}
		seen[id] = true
		n, err := tr.load(id, s, depth)
		if err != nil {
			t.Fatalf("%v", err)
		}
		if n.leaf() {
			if leaves >= 0 && leaves != depth {
				t.Fatalf("leaves at depths %d and %d", leaves, depth)
			}
			leaves = depth
			return
		}
		for i, r := range n.refs {
			visit(r.id, s.child(n, i), depth+1)
		}
	}
	if tr.root.Defined() {
		visit(tr.root, span{}, 0)
	}
	return seen
}

// The tree agrees with a sorted map under random batches; the blocks in the store are those of the tree and no others.
func TestTreeAgreesWithMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		blocks, oracle := store{}, map[string][]byte{}
		cache := NewCache(rapid.SampledFrom([]int{1, 1 << 20}).Draw(t, "cache"))
		tr := Open(NewSource(blocks, cache), wire.CID{})
		keyLen := rapid.SampledFrom([]int{3, 40, MaxKey}).Draw(t, "key length")
		valLen := rapid.SampledFrom([]int{4, 300, MaxValue - 8}).Draw(t, "value length")
		for round := range rapid.IntRange(1, 8).Draw(t, "rounds") {
			size := rapid.SampledFrom([]int{1, 5, 60, 200}).Draw(t, "batch")
			batch := map[string][]byte{}
			erase := rapid.IntRange(0, 9).Draw(t, "erase tenths")
			for i := range size {
				n := rapid.IntRange(0, 300).Draw(t, "key")
				key := fmt.Sprintf("%03d", n)
				if n%3 == 0 {
					key += string(bytes.Repeat([]byte{'x'}, keyLen-3))
				}
				if i%10 < erase {
					batch[key] = nil
				} else {
					batch[key] = value(rapid.IntRange(0, valLen).Draw(t, "length"), byte(round))
				}
			}
			var changes []Change
			for k, v := range batch {
				changes = append(changes, Change{k, v})
				if v == nil {
					delete(oracle, k)
				} else {
					oracle[k] = v
				}
			}
			sort.Slice(changes, func(i, j int) bool { return changes[i].Key < changes[j].Key })
			next, diff, err := tr.Update(changes)
			if err != nil {
				t.Fatalf("update: %v", err)
			}
			blocks.take(t, diff)
			// A fresh source reads the blocks alone.
			tr = next
			fresh := Open(NewSource(blocks, nil), next.Root())
			if seen := walk(t, fresh); len(seen) != len(blocks) {
				t.Fatalf("%d blocks stored, %d referred to", len(blocks), len(seen))
			}
			var keys []string
			for k := range oracle {
				keys = append(keys, k)
			}
			sort.Strings(keys)
			from := fmt.Sprintf("%03d", rapid.IntRange(0, 300).Draw(t, "from"))
			to := fmt.Sprintf("%03d", rapid.IntRange(0, 300).Draw(t, "to"))
			for _, r := range [][2]string{{"", ""}, {from, to}, {from, ""}} {
				var got, want []string
				if err := fresh.Scan(r[0], r[1], func(k string, v []byte) bool {
					if !bytes.Equal(v, oracle[k]) {
						t.Fatalf("scan %q: wrong value", k)
					}
					got = append(got, k)
					return true
				}); err != nil {
					t.Fatalf("scan: %v", err)
				}
				for _, k := range keys {
					if k >= r[0] && (r[1] == "" || k < r[1]) {
						want = append(want, k)
					}
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Fatalf("scan %q to %q: got %d keys, want %d", r[0], r[1], len(got), len(want))
				}
			}
			for range 10 {
				k := fmt.Sprintf("%03d", rapid.IntRange(0, 300).Draw(t, "look up"))
				v, ok, err := tr.Get(k)
				if err != nil || ok != (oracle[k] != nil) || !bytes.Equal(v, oracle[k]) {
					t.Fatalf("get %q: %v %v", k, ok, err)
				}
			}
		}
	})
}

func TestUpdateRefusesBadBatches(t *testing.T) {
	tr := Open(NewSource(store{}, nil), wire.CID{})
	for name, batch := range map[string][]Change{
		"empty key":  {{"", value(1, 0)}},
		"long key":   {{string(make([]byte, MaxKey+1)), value(1, 0)}},
		"long value": {{"a", make([]byte, MaxValue+1)}},
		"twice":      {{"a", value(1, 0)}, {"a", value(2, 0)}},
		"descending": {{"b", value(1, 0)}, {"a", value(2, 0)}},
	} {
		if _, _, err := tr.Update(batch); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A block that is altered, swapped for another, too long or absent is an error and never another answer.
func TestGetRefusesForgedBlocks(t *testing.T) {
	blocks := store{}
	var batch []Change
	for i := range 500 {
		batch = append(batch, Change{fmt.Sprintf("key %04d", i), value(50, byte(i))})
	}
	tr, diff, err := Open(NewSource(blocks, nil), wire.CID{}).Update(batch)
	if err != nil {
		t.Fatal(err)
	}
	blocks.take(t, diff)
	id := diff.New[0].ID
	good := blocks[id]
	for name, bad := range map[string][]byte{
		"flipped": append([]byte{good[0] ^ 1}, good[1:]...), "cut": good[:len(good)-1], "long": append(append([]byte{}, good...), 0),
		"another": diff.New[1].Data, "huge": make([]byte, MaxBlock+1), "empty": {},
	} {
		blocks[id] = bad
		if _, _, err := Open(NewSource(blocks, nil), tr.Root()).Get("key 0000"); !errors.Is(err, ErrBlock) {
			t.Errorf("%s: %v", name, err)
		}
	}
	delete(blocks, id)
	if _, _, err := Open(NewSource(blocks, nil), tr.Root()).Get("key 0000"); !errors.Is(err, ErrBlock) {
		t.Errorf("absent: %v", err)
	}
	// A well-formed tree whose child lies outside the range that its parent gives it.
	leaf := func(key string) ref {
		n := &node{entries: []entry{{key, value(1, 1)}}}
		b, _ := n.encode()
		blocks[wire.Sum(b)] = b
		return ref{key: key, id: wire.Sum(b)}
	}
	l, r := leaf("a"), leaf("q")
	l.key, r.key = "", "r"
	root, _ := (&node{refs: []ref{l, r}}).encode()
	blocks[wire.Sum(root)] = root
	if _, _, err := Open(NewSource(blocks, nil), wire.Sum(root)).Get("z"); !errors.Is(err, ErrBlock) {
		t.Errorf("child out of range: %v", err)
	}
}

func TestPrefixEnd(t *testing.T) {
	for prefix, want := range map[string]string{"a": "b", "a\xff": "b", "": "", "\xff": "", "a\x00": "a\x01"} {
		if got := PrefixEnd(prefix); got != want {
			t.Errorf("%q: %q, want %q", prefix, got, want)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := NewCache(1 << 16)
	for i := range 10000 {
		b := value(100, byte(i))
		b[3] = byte(i >> 8)
		c.put(wire.Sum(b), &node{}, 100)
	}
	if got, most := c.Len(), (1<<16)/decodedFactor/100+2*cacheShards; got > most {
		t.Fatalf("%d nodes, at most %d", got, most)
	}
}

// FuzzDecode: what decode accepts is canonical, and reads as DAG-CBOR does.
func FuzzDecode(f *testing.F) {
	n := &node{entries: []entry{{"a", value(3, 1)}, {"b", []byte{0xa1, 0x61, 'x', 0x18, 0x18}}}}
	b, _ := n.encode()
	f.Add(b)
	n = &node{refs: []ref{{id: wire.Sum(b)}, {key: "m", id: wire.Sum(nil)}}}
	b, _ = n.encode()
	f.Add(b)
	f.Add([]byte{0x82, 0x00, 0x81, 0x82, 0x41, 'k', 0xf9, 0, 0})
	f.Add([]byte{0x82, 0x00, 0x81, 0x82, 0x41, 'k', 0x3b, 0xff, 0, 0, 0, 0, 0, 0, 0}) // below -2^63
	f.Add([]byte{0x82, 0x00, 0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := decode(b)
		if err != nil {
			return
		}
		again, err := n.encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x decodes, and encodes as %x: %v", b, again, err)
		}
		for _, e := range n.entries {
			var v any
			if err := wire.Unmarshal(e.value, &v); err != nil {
				t.Fatalf("value %x is not canonical: %v", e.value, err)
			}
		}
	})
}

func BenchmarkGet(b *testing.B) {
	blocks := store{}
	tr := Open(NewSource(blocks, NewCache(256<<20)), wire.CID{})
	for from := 0; from < 1000000; from += 100000 {
		var batch []Change
		for i := range 100000 {
			batch = append(batch, Change{fmt.Sprintf("key %08d", from+i), value(100, byte(i))})
		}
		next, diff, err := tr.Update(batch)
		if err != nil {
			b.Fatal(err)
		}
		blocks.take(b, diff)
		tr = next
	}
	b.ResetTimer()
	for i := range b.N {
		if _, ok, _ := tr.Get(fmt.Sprintf("key %08d", i*7919%1000000)); !ok {
			b.Fatal("not found")
		}
	}
}
