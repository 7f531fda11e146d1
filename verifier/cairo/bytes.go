package cairo

import (
	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/air"
)

// ByteLogHeight is the log2 of the byte table's rows: all pairs of bytes. No other table is preprocessed, so a short run
// stays short.
const ByteLogHeight = 16

// Columns of the byte table in the preprocessed tree.
const (
	columnHi  = "hi"
	columnLo  = "lo"
	columnXor = "xor"
)

// byteTable yields all pairs of bytes, as pairs, as words of 16 bits and with their xor.
func byteTable() *air.Component {
	b := air.NewBuilder(NameBytes, ByteLogHeight)
	hi, lo, xor := b.Table(columnHi), b.Table(columnLo), b.Table(columnXor)
	b.YieldTimes(Bytes, b.Main("pair_uses"), hi, lo)
	b.YieldTimes(Word, b.Main("word_uses"), hi.Scale(256).Add(lo))
	b.YieldTimes(Xor, b.Main("xor_uses"), hi, lo, xor)
	return b.MustBuild()
}

// TableColumns returns the fixed tables' columns by their names in the preprocessed tree: 2^ByteLogHeight rows, row
// 256 hi + lo.
func TableColumns() map[string]koalabear.Vector {
	hi, lo, xor := make(koalabear.Vector, 1<<ByteLogHeight), make(koalabear.Vector, 1<<ByteLogHeight), make(koalabear.Vector, 1<<ByteLogHeight)
	for i := range hi {
		h, l := uint64(i>>8), uint64(i&255)
		hi[i].SetUint64(h)
		lo[i].SetUint64(l)
		xor[i].SetUint64(h ^ l)
	}
	return map[string]koalabear.Vector{columnHi: hi, columnLo: lo, columnXor: xor}
}
