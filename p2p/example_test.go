package p2p_test

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/seed06907907/fatty/p2p"
)

// Two hosts on loopback: the second finds the first by its bootstrap address and asks it for a block.
func Example() {
	ctx := context.Background()
	start := func(bootstrap ...string) *p2p.Host {
		key, _, err := crypto.GenerateEd25519Key(rand.Reader)
		if err != nil {
			panic(err)
		}
		h, err := p2p.New(ctx, p2p.Config{HostKey: key, Chain: "example", Server: true, AllowPrivate: true,
			Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Bootstrap: bootstrap})
		if err != nil {
			panic(err)
		}
		return h
	}
	first := start()
	defer first.Close()
	blocks := map[string]string{"1": "the first block"}
	limits := p2p.StreamLimits{MaxRequest: 64, MaxResponse: 1 << 20}
	err := first.Handle("block", limits, func(_ context.Context, _ peer.ID, req []byte) ([]byte, error) {
		block, ok := blocks[string(req)]
		if !ok {
			return nil, fmt.Errorf("no block %q", req)
		}
		return []byte(block), nil
	})
	if err != nil {
		panic(err)
	}

	second := start(first.Addrs()[0].String())
	defer second.Close()
	if err := second.WaitConnected(ctx, first.ID()); err != nil {
		panic(err)
	}
	block, err := second.Request(ctx, first.ID(), "block", []byte("1"), 1<<20)
	fmt.Printf("%s %v\n", block, err)
	// Output: the first block <nil>
}
