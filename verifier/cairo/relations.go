package cairo

import "github.com/seed06907907/fatty/verifier/air"

// FeltBytes is how many bytes a felt has in memory; P = 2^251 + 17*2^192 + 1, so the highest is at most 8.
const FeltBytes = 32

// A felt is read in limbs of 3 bytes wherever its bytes are not needed one by one: 11 columns and not 32. Sums of a few limbs
// stay far below p, and P's own bits fall on whole limbs: 1, 17 * 2^192, 2^11 * 2^240.
const (
	limbBytes = 3
	// Limbs is how many limbs a felt has; the last holds 2 bytes.
	Limbs   = (FeltBytes + limbBytes - 1) / limbBytes
	limbOne = 1 << (8 * limbBytes)
)

// primeBytes is P, lowest byte first.
var primeBytes = [FeltBytes]uint8{0: 1, 24: 17, 31: 8}

// primeLimbs is P.
var primeLimbs = [Limbs]int64{0: 1, 8: 17, 10: 1 << 11}

// The relations. Every use's numerator is 0 or 1, and CheckHeights bounds their number below p; so a tuple that is used
// is yielded by some row. A yield's multiplicity may be free: a wrong one makes the sums differ, and a tuple that is yielded
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
	IDToValue = air.NewRelation(4, "IDToValue", 1+Limbs,
		"(id, limb 0 .. limb 10), lowest first, of 24 bits each. Yielded only by the two value tables, whose ids come from the "+
			"preprocessed row number in disjoint ranges below p: one value an id. They alone check that values are bytes, so that "+
			"limbs are in range, and below P.")
	Bytes = air.NewRelation(5, "Bytes", 2,
		"(hi, lo), both in 0..255. Yielded only by the byte table, whose tuples are preprocessed.")
	Word = air.NewRelation(6, "Word", 1,
		"(w), in 0..65535. Yielded only by the byte table, whose tuples are preprocessed.")
	Xor = air.NewRelation(7, "Xor", 3,
		"(hi, lo, hi xor lo), all in 0..255. Yielded only by the byte table, whose tuples are preprocessed.")
	Multiply = air.NewRelation(8, "Multiply", 3,
		"(id of a, id of b, id of c) with a*b = c mod P. Yielded, with numerator 0 or 1, only by the multiply table, which reads all "+
			"three values by their ids.")
	Offset = air.NewRelation(9, "Offset", 2,
		"(id, n): the value of that id is n mod P, and n, read as a signed number, is in [-2^29 - 1, 2^29). Yielded, with numerator 0 "+
			"or 1, only by the offset table, which reads the value by its id.")
	IDToBytes = air.NewRelation(10, "IDToBytes", 1+FeltBytes,
		"(id, byte 0 .. byte 31), lowest first. Yielded by the same rows as IDToValue, with the same argument, for tables that need "+
			"bytes.")
)
