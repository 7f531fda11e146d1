// Package node is one fatty node: it puts the libp2p host, the consensus engine, the lock space, the proof verifier and
// JSON-RPC together, and owns the disk, the clock and the keys. It is the only package that knows all the others.
//
// Its parts: Node (the composition), store (the lock space's blocks, roots, receipts and newest proofs in goleveldb,
// each cut in one synced batch), application (what the engine asks: checks, attachments, execution), verdicts (proofs
// checked once, beside the rest, at low priority), transport (the engine's frames over p2p), backend_*.go (what JSON-RPC
// asks).
//
//	n, err := node.Open(ctx, node.Options{Home: h, Config: cfg, Genesis: gen, Logger: log})
//	defer n.Close()
//	fmt.Println(n.API())
//	err = n.Run(ctx)            // until ctx ends, or the replica must stop
package node
