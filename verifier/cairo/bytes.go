package cairo

import (
	"fmt"

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

// TableColumn returns a column of the byte table by its name in the preprocessed tree: 2^ByteLogHeight rows, row
// 256 hi + lo.
func TableColumn(name string) ([]air.Element, error) {
	out := make([]air.Element, 1<<ByteLogHeight)
	for i := range out {
		hi, lo := uint64(i>>8), uint64(i&255)
		switch name {
		case columnHi:
			out[i].SetUint64(hi)
		case columnLo:
			out[i].SetUint64(lo)
		case columnXor:
			out[i].SetUint64(hi ^ lo)
		default:
			return nil, fmt.Errorf("no fixed table has a column %q", name)
		}
	}
	return out, nil
}
