// Package machine keeps a lock by proof: it is what `fatty machine run` does. It reads the lock's clock from a ledger,
// runs the machine's program on from there, proves the run, and renews the lease with the proof, for as long as it is
// left to; when another holds the lock it stands by and takes over from the last proven state.
//
// Its parts: File (a machine file, strictly read), Decide (what to do next, a pure function of what is known), Sizer
// (how many runs of how many transitions a renewal should have, pure too), Spanner (one span proof of many runs), Runner
// (the thin driver around them, with the span of the machine's whole life and a folder for what must survive a crash),
// Ledger and Prover (what a Runner needs of the world).
//
//	file, err := machine.ReadFile("counter.toml")
//	r, err := machine.New(machine.Config{File: file, Ledger: ledger, Account: key, Dir: folder, Report: print})
//	err = r.Run(ctx)      // until ctx ends; the lock is then released
//
// Nothing here is trusted: a mistake makes a renewal that the ledger refuses.
package machine
