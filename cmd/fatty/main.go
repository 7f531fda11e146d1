// Command fatty is everything a person or a script does with fatty: compiled Cairo programs, proofs, keys, machines that
// keep locks by proof, look-ups, and a whole network on one machine to see it all.
//
// Its parts: root.go (the command tree, exit codes, output for people and for scripts), a file for each group of
// commands, ledger.go (how they reach a node and sign), and devnet*.go (the network on one machine).
//
//	fatty devnet --for 60s --kill-after 15s
//	fatty prove lcg.json --input input.json --out lcg.proof && fatty verify lcg.proof
//	fatty machine run examples/counter/counter.toml
//
// It exits 0 on success, 1 on a refusal or a failure, 2 on wrong use.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
