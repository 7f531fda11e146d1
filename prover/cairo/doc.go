// Package cairo turns a run of the Cairo VM into the columns that prove it.
//
// Its parts: Witness, which checks that a run can be proven, chooses table heights and fills all tables (witness.go);
// memory.go gives every distinct value an id; steps.go fills the table of steps, multiply.go that of products, tables.go
// the rest. What the columns mean is described in verifier/cairo, once; columns are found by their names there.
//
//	result, err := vm.Run(ctx, program, input, vm.StwoConfig(0))
//	in, err := cairo.Witness(ctx, result)
//	// in.LogN, in.LogHeights, in.Public, in.Main go to the prover, in.Public and in.LogHeights to the verifier
//
// Nothing here is trusted: a mistake makes a proof that does not verify. It is fast instead: flat arrays indexed by
// address and id, no map, and rows filled by all cores.
package cairo
