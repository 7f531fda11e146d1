package node

import (
	"crypto/ed25519"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/node/home"
	"github.com/seed06907907/fatty/node/keyfile"
)

// BenchmarkCommitLatency is the time from tx.submit to the receipt at the same validator, four validators in one process
// on loopback with their disks, nothing else going on.
func BenchmarkCommitLatency(b *testing.B) {
	c := newCell(b, 4)
	for i := range 4 {
		c.start(i)
	}
	c.do(0, &lockspace.Mkdir{Path: "/a"})
	var took []time.Duration
	b.ResetTimer()
	for i := range b.N {
		tx := c.sign(&lockspace.Put{Path: "/a/f", Content: []byte(fmt.Sprint(i))})
		t := time.Now()
		if _, err := c.try(i%4, tx); err != nil {
			b.Fatal(err)
		}
		took = append(took, time.Since(t))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// BenchmarkThroughput is signed transactions of about 200 bytes of 32 accounts from submit to receipt, over four
// validators at once, 1,024 in flight. Signing is not counted.
func BenchmarkThroughput(b *testing.B) {
	const accounts, each = 32, 32 // in flight: fewer than the nonce window
	c := newCell(b, 4)
	keys := make([]ed25519.PrivateKey, accounts)
	for i := range keys {
		keys[i], _ = keyfile.New()
		c.gen.Accounts = append(c.gen.Accounts, home.GenesisAccount{Key: keyfile.Text(keyfile.Public(keys[i]))})
	}
	for i := range 4 {
		c.start(i)
	}
	c.do(0, &lockspace.Mkdir{Path: "/a"})
	txs := make([][][]byte, accounts)
	for i := range b.N {
		k := i % accounts
		tx, err := lockspace.Sign(keys[k], lockspace.Header{Chain: c.gen.ChainID(), Nonce: uint64(len(txs[k]) + 1), Expiry: lockspace.Time(time.Now().Add(time.Hour).UnixNano())},
			&lockspace.Put{Path: fmt.Sprintf("/a/%d", i%100), Content: []byte("x")})
		if err != nil {
			b.Fatal(err)
		}
		txs[k] = append(txs[k], tx)
	}
	b.SetBytes(int64(len(txs[0][0])))
	b.ResetTimer()
	var group sync.WaitGroup
	for k := range accounts {
		be := backend{c.nodes[k%4]}
		var next atomic.Int64
		for range each {
			group.Add(1)
			go func() {
				defer group.Done()
				for i := int(next.Add(1)) - 1; i < len(txs[k]); i = int(next.Add(1)) - 1 {
					s, err := be.Submit(b.Context(), api.SubmitParams{Transaction: txs[k][i]})
					if err == nil {
						_, err = be.Wait(b.Context(), api.WaitParams{ID: s.ID})
					}
					if err != nil {
						b.Error(err)
						return
					}
				}
			}()
		}
	}
	group.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
}
