package engine

import (
	"context"
	"encoding/binary"
	"sort"
	"sync"
	"testing"
	"time"

	"crypto/ed25519"
	"crypto/sha256"

	"github.com/seed06907907/fatty/internal/wire"
)

// BenchmarkCommitLatency is submit to executed at the submitter, idle, four engines in one process, real fsyncs.
func BenchmarkCommitLatency(b *testing.B) {
	c := newCell(b, 4)
	c.startAll()
	c.commit(0, []byte("warm"), 0, 1, 2, 3)
	var times []time.Duration
	tx := make([]byte, 200)
	b.ResetTimer()
	for i := range b.N {
		binary.BigEndian.PutUint64(tx[1:], uint64(i))
		t := append([]byte(nil), tx...)
		start := time.Now()
		c.commit(i%4, t, i%4)
		times = append(times, time.Since(start))
	}
	b.StopTimer()
	sort.Slice(times, func(i, j int) bool { return times[i] < times[j] })
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(times[len(times)*99/100].Microseconds())/1000, "p99-ms")
}

// signedApp checks an Ed25519 signature at the head of each transaction, once in each replica that asks.
type signedApp struct {
	*chainApp
	key ed25519.PublicKey
}

func (a signedApp) CheckTx(tx []byte) error {
	if len(tx) < 65 || !wire.Verify(a.key, wire.DomainTransaction, tx[65:], tx[1:65]) {
		return errUnreachable
	}
	return nil
}

// BenchmarkThroughput is signed 200-byte transactions a second, handed to all four engines by many clients, each checked
// by every replica.
func BenchmarkThroughput(b *testing.B) {
	c := newCell(b, 4)
	seed := sha256.Sum256([]byte("client"))
	key := ed25519.NewKeyFromSeed(seed[:])
	c.tune = func(i int, cfg *Config) { cfg.Application = signedApp{c.apps[i], key.Public().(ed25519.PublicKey)} }
	c.startAll()
	txs := make([][]byte, b.N)
	for i := range txs {
		body := make([]byte, 135)
		binary.BigEndian.PutUint64(body, uint64(i))
		txs[i] = append(append([]byte{'s'}, wire.Sign(key, wire.DomainTransaction, body)...), body...)
	}
	b.ResetTimer()
	var wg sync.WaitGroup
	next := make(chan []byte, 1024)
	for w := range 512 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for tx := range next {
				if err := c.engines[w%4].Submit(context.Background(), tx, nil); err != nil {
					b.Error(err)
					return
				}
				select {
				case <-c.apps[w%4].executed(tx):
				case <-time.After(time.Minute):
					b.Errorf("not executed after a minute: %+v", c.engines[w%4].Status())
					return
				}
			}
		}()
	}
	for _, tx := range txs {
		next <- tx
	}
	close(next)
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "tx/s")
}
