// Package cairo describes the tables that prove a Cairo run, and checks the public data that goes with them.
//
// Its parts: Core, the component set, one description a table (generic.go proves a step, multiply.go a product mod P,
// offset.go reads a felt as a small number, instruction.go decodes, memory.go stores, bytes.go ranges, builtins.go and
// program.go hold their own segments); PublicData with its strict codec (public*.go), and Claim, the same as values of any
// Arithmetic, with its checks, its words and its share of the LogUp sum (claim.go): natively and in a circuit one code;
// CheckHeights, which says how tall tables may be; CheckProgram, ProgramColumns and ProgramKey for the program.
//
//	pd, err := cairo.DecodePublicData(data, builtins)
//	err = pd.Check(logHeights)
//	inst.Set, inst.Scalars, inst.Public = cairo.Core(), pd.Scalars(), pd.Words()
//	inst.PublicSum = pd.PublicSum
//
// The machine is the one of "Cairo: a Turing-complete STARK-friendly CPU architecture" (Goldberg, Papini, Riabzev,
// ePrint 2021/1063). The arrangement in many tables joined by LogUp follows S-two's; felts are 32 bytes in memory, not 28
// limbs of 9 bits, so that one table of 2^16 rows serves every range check, and steps read them as 11 limbs of 24 bits.
// docs/air.md has the tables, their bounds and what differs from S-two and why.
package cairo
