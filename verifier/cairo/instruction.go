package cairo

import "github.com/seed06907907/fatty/verifier/air"

// instructionTable decodes, one row for each distinct pc. An instruction is 9 bytes: three offsets of 16 bits, biased by
// 2^15, 15 flags, and an opcode extension of 2 bits across bytes 7 and 8. Every row reads memory, padding too (a copy of
// another row with no uses), so none can invent an instruction.
func instructionTable() *air.Component {
	b := air.NewBuilder(NameInstruction, air.AnyHeight)
	pc, uses, id := b.Main("pc"), b.Main("uses"), b.Main("id")
	v := b.MainN("byte", 7)
	flagsHi, ext0, ext1 := b.Main("flags_hi"), b.Bit("extension_0"), b.Bit("extension_1")

	one := b.Const(1)
	b.Use(Bytes, one, flagsHi, flagsHi.Scale(2)) // 7 bits: the flag byte's top bit belongs to the extension
	readBytes(b, one, pc, id, append(append([]air.Expr{}, v...), flagsHi.Add(ext0.Scale(128)), ext1))
	b.YieldTimes(VerifyInstruction, uses, pc, v[0].Add(v[1].Scale(256)), v[2].Add(v[3].Scale(256)),
		v[4].Add(v[5].Scale(256)), v[6].Add(flagsHi.Scale(256)), ext0.Add(ext1.Scale(2)))
	return b.MustBuild()
}
