// Package bft agrees on an order of opaque transactions: a mempool whose blocks carry availability certificates, and
// Practical Byzantine Fault Tolerance over cuts of it. It does not know what a transaction means.
//
// Its parts: the messages and their strict frames (Frame, Decode), the stateless check of a frame's signatures and
// membership (Committee.Validate), the replica itself (Core), the records that must be on disk (Record), and the
// signatures over executed state that light clients check (VerifyStateCertificate). Package bft/wal keeps the records,
// package bft/engine drives a Core with a clock, a disk, a transport and an application.
//
// A Core is a value: no clock, no goroutine, no disk, no network. It is stepped, and then asked what is to be done:
//
//	core.Tick(now)                        // the time, as an argument
//	core.Step(verified)                   // a message that Committee.Validate accepted
//	out := core.Ready()
//	log.Append(out.Persist)               // 1. on disk,
//	for _, s := range out.Send { ... }    // 2. then to the others,
//	for _, d := range out.Deliver { ... } // 3. and to execution
//	core.Executed(sequence, root, ticks)  // what execution found
//
// # Agreement
//
// There are n validators of which f = (n-1)/3 may be Byzantine. A quorum is floor((n+f)/2)+1, which is 2f+1 for
// n = 3f+1; any two quorums share an honest replica. An availability certificate has f+1 votes, so that one honest
// replica has the block and all its ancestors.
//
// Each validator has a lane: a chain of blocks that it alone makes. A cut names, for each lane that has moved, the
// highest certified block. Sequence s+1 is proposed once s is decided: the pipeline is one deep. The messages carry
// sequence numbers and lists so that a deeper one needs no new format; a cut names the digest of the one before it, and
// a replica that prepares only upon a prepared predecessor then never leaves a gap for a view change to fill.
//
// Sources: Castro and Liskov, Practical Byzantine Fault Tolerance (OSDI 1999), sections 4.2 to 4.5; Danezis and others,
// Narwhal and Tusk (EuroSys 2022), section 3; Giridharan and others, Autobahn (SOSP 2024), sections 5.1 and 5.2.
package bft
