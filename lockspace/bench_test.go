package lockspace

import (
	"crypto/ed25519"
	"fmt"
	"runtime"
	"testing"
)

// filledWorld has n files in a hundred directories, made by many accounts.
func filledWorld(b tester, n int) (*world, []ed25519.PrivateKey) {
	g := testGenesis()
	var keys []ed25519.PrivateKey
	for i := range 64 {
		k := key(fmt.Sprint("account ", i))
		keys = append(keys, k)
		g.Accounts = append(g.Accounts, GenesisAccount{ID: id(k), Quota: Quota{State: 1 << 40, Refill: Second}})
	}
	w := newWorldFrom(b, g)
	var in []Input
	for i := range 100 {
		in = append(in, w.input(keys[0], &Mkdir{Path: fmt.Sprintf("/d%02d", i)}))
	}
	for i := range n {
		in = append(in, w.input(keys[i%64], &Put{Path: benchPath(i), Content: []byte("content")}))
		if len(in) >= 20000 || i == n-1 {
			w.cut(1e6, in...)
			in = in[:0]
		}
	}
	return w, keys
}

func benchPath(i int) string { return fmt.Sprintf("/d%02d/f%07d", i%100, i/100) }

// input makes an input that counts as decoded and its signature as checked: node does both beside Apply, on all cores.
func (w *world) input(k ed25519.PrivateKey, op Op) Input {
	who := id(k)
	w.nonces[who]++
	h := Header{Chain: testChain, Nonce: w.nonces[who], Expiry: w.now + Time(3600*Second)}
	return Input{Signed: &Signed{Header: h, Signer: who, Kind: op.kind(), Op: op, checked: true}}
}

// BenchmarkApply: one 200-byte put to one of 100,000 files, state committed, signature checked and decoded before as
// node does in parallel; cuts of 1,000.
func BenchmarkApply(b *testing.B) {
	const files, size = 100000, 1000
	w, keys := filledWorld(b, files)
	content := make([]byte, 100)
	var cuts [][]Input
	for i := 0; i < b.N; i += size {
		var in []Input
		for j := i; j < min(i+size, b.N); j++ {
			in = append(in, w.input(keys[j%64], &Put{Path: benchPath(j * 7919 % files), Content: content}))
		}
		cuts = append(cuts, in)
	}
	b.ResetTimer()
	for _, in := range cuts {
		w.cut(50e6, in...)
	}
	b.StopTimer()
	for _, r := range w.last.Receipts {
		if r.Code != "" {
			b.Fatalf("%s: %s", r.Code, r.Message)
		}
	}
}

// BenchmarkDecode: what node does for each transaction before Apply.
func BenchmarkDecode(b *testing.B) {
	w := newWorld(b)
	tx := w.sign(alice, &Put{Path: "/some/file", Content: make([]byte, 100)})
	for range b.N {
		if _, err := Decode(tx); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCheckSignature(b *testing.B) {
	w := newWorld(b)
	s, _ := Decode(w.sign(alice, &Put{Path: "/some/file", Content: make([]byte, 100)}))
	for range b.N {
		s.checked = false
		if err := s.CheckSignature(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkHolder: look-ups of holders among 100,000 files; it reports the growth of the heap, which must be none.
func BenchmarkHolder(b *testing.B) {
	w, _ := filledWorld(b, 100000)
	for i := range 10000 {
		if _, err := w.state.Holder(benchPath(i * 10)); err != nil {
			b.Fatal(err)
		}
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	b.ResetTimer()
	for i := range b.N {
		if _, err := w.state.Holder(benchPath(i * 7919 % 100000)); err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(int64(after.HeapAlloc)-int64(before.HeapAlloc)), "heap-growth-B")
}

// BenchmarkRenew: renewals by proof of 1,000 leases, 100 in a cut, their verdicts given.
func BenchmarkRenew(b *testing.B) {
	const locks = 1000
	w := newWorld(b)
	g := testGenesis()
	g.Accounts[1].Quota.Proofs, g.Accounts[1].Quota.Refill = maxProofs, 1
	w = newWorldFrom(b, g)
	terms := DefaultTerms(w.state.Rules())
	w.machine("/m", FeltOf(0), terms)
	for i := range locks {
		path := fmt.Sprintf("/m%d", i)
		w.must(admin, &CreateMachine{Path: path, Program: w.programID(), Start: FeltOf(0), Terms: terms})
		if r := w.proven(alice, w.acquireOp(path), 1, FeltOf(1), nil); r.Code != "" {
			b.Fatal(r)
		}
	}
	b.ResetTimer()
	for i := 0; i < b.N; {
		b.StopTimer()
		var in []Input
		for ; len(in) < 100; i++ {
			path := fmt.Sprintf("/m%d", i%locks)
			tx, v := w.prove(alice, w.renewOp(path), 1, FeltOf(1))
			s, _ := Decode(tx)
			s.checked = true
			in = append(in, Input{Tx: tx, Signed: s, Verdict: v, Whole: w.wholeLife(path)})
		}
		b.StartTimer()
		for _, r := range w.cut(1e6, in...) {
			if r.Code != "" {
				b.Fatalf("%s: %s", r.Code, r.Message)
			}
		}
	}
}
