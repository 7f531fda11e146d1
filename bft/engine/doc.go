// Package engine drives a bft.Core: it owns the goroutines, the clock, the disk, the transport and the application.
//
// Its parts: Engine (one loop owns the core; messages are checked in parallel before they reach it, cuts execute in a
// goroutine of their own), the faces that the node implements (Application, Transport), the mempool behind Submit, and
// the fetching and serving of blocks, decided cuts and attachments over requests.
//
//	e, err := engine.Open(engine.Config{Chain: chain, Validators: vs, Key: key, Dir: dir, Application: app, Transport: net})
//	go e.Run(ctx)                                // until ctx ends or the replica must halt
//	e.Deliver(from, topic, frame)                // what the network brings
//	response, err := e.Serve(ctx, from, request) // what others ask
//	err = e.Submit(ctx, tx, attachments)         // in a block on this replica's disk when it returns
//
// Disk before send: all records of one turn of the loop are appended with one fsync, then its messages leave, then its
// cuts go to execution. While the disk works, what arrives gathers for the next turn, so that fsyncs are shared under
// load and the latency at idle is that of the disk.
package engine
