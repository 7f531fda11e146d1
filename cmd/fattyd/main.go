// Command fattyd is a fatty node: it makes keys and genesis files, and runs a validator or one that only follows.
//
// Its parts: root.go (the command tree, exit codes), genesis.go and init.go (a chain's beginning and a node's home),
// start.go (the node), check.go (what an operator asks before and after).
//
//	fattyd init                                      # on each host: makes keys, prints a card
//	fattyd genesis --chain cell --validator a=CARD.. # once: writes genesis.json
//	fattyd init --chain genesis.json                 # on each host
//	fattyd start
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
