// Package p2p is fatty's network: one libp2p host for each node.
//
// Its parts:
//
//   - Host: QUIC and TCP listeners, Noise, yamux, identify, AutoNAT, relay and hole punching by configuration, with
//     resource and connection limits computed from the machine (Limits prints them);
//   - discovery: a Kademlia DHT under /fatty/<chain>, so that nothing leaks into or from the public one, a rendezvous
//     record of the chain, bootstrap addresses tried for ever, known peers kept on disk;
//   - Topic: GossipSub with validation before relay, ids made from content, an allow-list for validators' topics;
//   - Handle and Request: one request and one response on a stream of their own, with deadline and bounds;
//   - HandleMessage and Send: one-way frames on a stream that stays open, with a bounded queue for each peer;
//   - Provide and FindProviders: hints of who has a program, a machine or a lock.
//
// Nothing here knows what the bytes mean, and nothing above may depend on any one of these ways: what gossip loses is
// asked for by a request, what the DHT claims is checked against the ledger.
//
//	host, err := p2p.New(ctx, p2p.Config{HostKey: key, Chain: "cell-1", Listen: []string{"/ip4/0.0.0.0/tcp/4001"},
//		Bootstrap: []string{"/ip4/192.0.2.7/tcp/4001/p2p/12D3KooW..."}, Server: true})
//	defer host.Close()
//	votes, err := host.Join("votes", true, 64<<10, check, deliver)
//	err = votes.Publish(ctx, frame)
//	err = host.Handle("block", p2p.StreamLimits{MaxRequest: 64, MaxResponse: 4 << 20}, serveBlock)
//	block, err := host.Request(ctx, peer, "block", cid, 4<<20)
//
// Sources: the libp2p specifications (github.com/libp2p/specs: connections, noise, yamux, identify, autonat, relay,
// kad-dht, pubsub/gossipsub v1.1 and v1.2).
package p2p
