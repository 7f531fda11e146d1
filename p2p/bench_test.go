package p2p

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/seed06907907/fatty/internal/wire"
)

// transports are benchmarked one by one: which one two hosts use is decided by what they listen on.
var transports = map[string][]string{
	"tcp":  {"/ip4/127.0.0.1/tcp/0"},
	"quic": {"/ip4/127.0.0.1/udp/0/quic-v1"},
}

// percentiles reports the middle and the slow end of round trips, in microseconds.
func percentiles(b *testing.B, times []time.Duration) {
	slices.Sort(times)
	b.ReportMetric(float64(times[len(times)/2].Nanoseconds())/1000, "p50-µs")
	b.ReportMetric(float64(times[len(times)*99/100].Nanoseconds())/1000, "p99-µs")
}

func benchHosts(b *testing.B, transport string, n int) []*Host {
	return validatorHosts(b, n, func(_ int, c *Config) { c.Listen = transports[transport] })
}

// BenchmarkSignedGossipRoundTrip: a signed frame there, checked and answered by a signed frame, checked: two hops.
func BenchmarkSignedGossipRoundTrip(b *testing.B) {
	for _, transport := range []string{"tcp", "quic"} {
		b.Run(transport, func(b *testing.B) {
			hosts := benchHosts(b, transport, 2)
			public, key, err := ed25519.GenerateKey(nil)
			if err != nil {
				b.Fatal(err)
			}
			sign := func(body []byte) []byte { return append(wire.Sign(key, wire.DomainConsensus, body), body...) }
			check := func(_ peer.ID, f []byte) Verdict {
				if len(f) > ed25519.SignatureSize && wire.Verify(public, wire.DomainConsensus, f[64:], f[:64]) {
					return Accept
				}
				return Reject
			}
			back := make(chan struct{}, 1)
			ctx := context.Background()
			var topics [2]*Topic
			topics[0], err = hosts[0].Join("bench", true, 1024, check, func(_ peer.ID, f []byte) {
				if f[64] == 'b' {
					back <- struct{}{}
				}
			})
			if err != nil {
				b.Fatal(err)
			}
			topics[1], err = hosts[1].Join("bench", true, 1024, check, func(_ peer.ID, f []byte) {
				if f[64] == 'a' {
					topics[1].Publish(ctx, sign(append([]byte{'b'}, f[65:]...)))
				}
			})
			if err != nil {
				b.Fatal(err)
			}
			waitMesh(b, topics[:]...)
			times := make([]time.Duration, 0, b.N)
			body := make([]byte, 200)
			body[0] = 'a'
			i := uint64(0)
			for b.Loop() {
				start := time.Now()
				i++
				binary.BigEndian.PutUint64(body[1:], i)
				if err := topics[0].Publish(ctx, sign(body)); err != nil {
					b.Fatal(err)
				}
				<-back
				times = append(times, time.Since(start))
			}
			percentiles(b, times)
		})
	}
}

// BenchmarkSendRoundTrip: a one-way frame there and one back.
func BenchmarkSendRoundTrip(b *testing.B) {
	for _, transport := range []string{"tcp", "quic"} {
		b.Run(transport, func(b *testing.B) {
			hosts := benchHosts(b, transport, 2)
			back := make(chan struct{}, 1)
			if err := hosts[0].HandleMessage("pong", 1024, func(peer.ID, []byte) { back <- struct{}{} }); err != nil {
				b.Fatal(err)
			}
			if err := hosts[1].HandleMessage("ping", 1024, func(from peer.ID, data []byte) { hosts[1].Send(from, "pong", data) }); err != nil {
				b.Fatal(err)
			}
			frame := make([]byte, 200)
			times := make([]time.Duration, 0, b.N)
			for b.Loop() {
				start := time.Now()
				if err := hosts[0].Send(hosts[1].ID(), "ping", frame); err != nil {
					b.Fatal(err)
				}
				<-back
				times = append(times, time.Since(start))
			}
			percentiles(b, times)
		})
	}
}

// BenchmarkRequest: a request on a stream of its own and its response, small and large.
func BenchmarkRequest(b *testing.B) {
	for _, transport := range []string{"tcp", "quic"} {
		for _, size := range []int{200, 256 << 10, 4 << 20} {
			b.Run(fmt.Sprintf("%s/%d", transport, size), func(b *testing.B) {
				hosts := benchHosts(b, transport, 2)
				resp := make([]byte, size)
				err := hosts[1].Handle("block", StreamLimits{MaxRequest: 64, MaxResponse: size}, func(context.Context, peer.ID, []byte) ([]byte, error) {
					return resp, nil
				})
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(size))
				times := make([]time.Duration, 0, b.N)
				for b.Loop() {
					start := time.Now()
					if _, err := hosts[0].Request(context.Background(), hosts[1].ID(), "block", make([]byte, 32), size); err != nil {
						b.Fatal(err)
					}
					times = append(times, time.Since(start))
				}
				percentiles(b, times)
			})
		}
	}
}

// BenchmarkBroadcastToThree: one 300-byte frame sent to three validators and acknowledged by all, as in a cell of four.
func BenchmarkBroadcastToThree(b *testing.B) {
	for _, transport := range []string{"tcp", "quic"} {
		b.Run(transport, func(b *testing.B) {
			hosts := benchHosts(b, transport, 4)
			back := make(chan struct{}, 3)
			if err := hosts[0].HandleMessage("pong", 1024, func(peer.ID, []byte) { back <- struct{}{} }); err != nil {
				b.Fatal(err)
			}
			for _, h := range hosts[1:] {
				if err := h.HandleMessage("ping", 1024, func(from peer.ID, data []byte) { h.Send(from, "pong", data) }); err != nil {
					b.Fatal(err)
				}
			}
			frame := make([]byte, 300)
			times := make([]time.Duration, 0, b.N)
			for b.Loop() {
				start := time.Now()
				for _, h := range hosts[1:] {
					if err := hosts[0].Send(h.ID(), "ping", frame); err != nil {
						b.Fatal(err)
					}
				}
				for range 3 {
					<-back
				}
				times = append(times, time.Since(start))
			}
			percentiles(b, times)
		})
	}
}

// BenchmarkGossipThroughput: 200-byte frames from one of four validators to the three others, as fast as they are taken.
// An operation is one frame delivered to all.
func BenchmarkGossipThroughput(b *testing.B) {
	for _, transport := range []string{"tcp", "quic"} {
		b.Run(transport, func(b *testing.B) {
			hosts := benchHosts(b, transport, 4)
			topics := make([]*Topic, 4)
			window := make(chan struct{}, 3*256) // deliveries on the way: below every queue's size
			for i, h := range hosts {
				var err error
				if topics[i], err = h.Join("bench", true, 1024, accept, func(peer.ID, []byte) { <-window }); err != nil {
					b.Fatal(err)
				}
			}
			waitMesh(b, topics...)
			frame := make([]byte, 200)
			i := uint64(0)
			for b.Loop() {
				i++
				binary.BigEndian.PutUint64(frame, i)
				for range 3 {
					window <- struct{}{}
				}
				if err := topics[0].Publish(context.Background(), frame); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
