package cairo

import "github.com/seed06907907/fatty/verifier/air"

// FeltBytes is how many bytes a felt has in memory; P = 2^251 + 17*2^192 + 1, so the highest is at most 8.
const FeltBytes = 32

// The relations. Every use's numerator is 0 or 1, and CheckHeights bounds their number below p; so a tuple that is used
// is yielded by some row. A yield's multiplicity is free: a wrong one makes the sums differ, and a tuple that is yielded
// by no row cannot be used whatever the multiplicities are.
var (
	Opcodes = air.NewRelation(1, "Opcodes", 3,
		"(pc, ap, fp). A generic row uses the state before its step and yields the one after; the public data yield the first "+
			"state and use the last. All numerators are 0 or 1, at most 2^29 rows: what remains after cancelling is a path from the "+
			"first state to the last, beside closed cycles, which write nothing and so prove nothing.")
	VerifyInstruction = air.NewRelation(2, "VerifyInstruction", 6,
		"(pc, off0, off1, off2, flags, extension). Yielded only by the instruction table, whose every row reads its pc in memory; "+
			"used once by each step. Memory is a function, so is decoding.")
	AddressToID = air.NewRelation(3, "AddressToID", 2,
		"(address, id). Yielded only by the address table, whose addresses come from the preprocessed row number: one id an "+
			"address. Used by steps, instructions, builtins, the program table and the public data.")
	IDToValue = air.NewRelation(4, "IDToValue", 1+FeltBytes,
		"(id, byte 0 .. byte 31), lowest first. Yielded only by the two value tables, whose ids come from the preprocessed row "+
			"number in disjoint ranges below p: one value an id. They alone check that values are bytes and below P.")
	Bytes = air.NewRelation(5, "Bytes", 2,
		"(hi, lo), both in 0..255. Yielded only by the byte table, whose tuples are preprocessed.")
	Word = air.NewRelation(6, "Word", 1,
		"(w), in 0..65535. Yielded only by the byte table, whose tuples are preprocessed.")
	Xor = air.NewRelation(7, "Xor", 3,
		"(hi, lo, hi xor lo), all in 0..255. Yielded only by the byte table, whose tuples are preprocessed.")
	Multiply = air.NewRelation(8, "Multiply", 2+FeltBytes,
		"(id of a, id of b, byte 0 .. byte 31 of c) with a*b = c mod P. Yielded, with numerator 0 or 1, only by the multiply table, "+
			"which reads a and b by their ids; c is a tuple of bytes wherever it is used, so the table does not range it again.")
)
