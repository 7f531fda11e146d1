// Package vm runs compiled Cairo programs and hands on what a proof needs.
//
// It loads what the official compilers write, Cairo 0 programs and Cairo 2 executables, runs them on an input vector of
// field elements, and returns the run with all addresses relocated: the trace, the memory, the segments, the public
// memory and the program's output. It proves nothing by itself.
//
// Parts: program*.go loads, hint0.go and hint2.go are the two hint mechanisms with their hints in hints0_*.go and
// hints2_*.go, machine.go is the step loop over memory.go, builtin*.go are the builtins, runner.go sets a run up and
// ends it, result.go and files.go relocate and write.
//
//	program, err := vm.Load(data)
//	result, err := vm.Run(ctx, program, input, vm.StwoConfig(0))
//	for _, row := range result.Trace { ... row.PC ... }
//	word, known := result.Memory.Get(address)
//
// The semantics are those of the paper "Cairo: a Turing-complete STARK-friendly CPU architecture" (Goldberg, Papini,
// Riabzev, 2021) and of the reference runners; a step bound always holds, and no input, program or hint can make the
// package panic or take more memory than its named bounds.
package vm
