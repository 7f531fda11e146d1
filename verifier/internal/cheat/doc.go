// Package cheat takes finished circuits apart, for tests: it knows from the columns alone which values a prover computes and
// which it chooses, has it choose others, and says what finds that out.
//
// Its parts: Witness, the wires and blocks of a circuit by their addresses; Witness.Targets, those that a prover chooses;
// Witness.Lie, which changes some and computes anew what follows, as a prover would who does not want to be found out.
//
//	w := cheat.New(c)
//	for _, target := range w.Targets() {
//		lie := w.Lie(map[int32]cheat.Words{target: other})
//		// lie.Found is nil if nothing finds it, lie.Changed how much else follows from it
//	}
//
// A lie is carried on as far as rows say what they make: gates, hashes, rows that copy. Where a row compares a value
// with one that nobody computes, such as an inverse or bits, the latter is solved for. The public data follow, too: a
// prover publishes what comes out. A lie is found by a row that does not hold, or where a leaf or root is none of those that stand
// in its tree: who changes a leaf and keeps the root has found a collision.
//
// The structure comes from preprocessed columns alone, so that nothing is taken on trust of what a circuit.Builder meant.
// What a lie cannot do is to choose a whole proof anew: for that, tests give a false proof to the circuit.
package cheat
