package cairo

import "github.com/seed06907907/fatty/verifier/air"

// Cells of one instance.
const (
	rangeCheckBytes = 16
	// RangeCheckCells and BitwiseCells are the cells of an instance in its segment.
	RangeCheckCells = 1
	BitwiseCells    = 5
)

// Scalars of a builtin's table: whether the segment has instances at all, and its first address. The verifier computes
// both from the public data.
const (
	paramEnabler = "enabler"
	paramStart   = "start"
)

// rangeCheckTable reads every cell of its segment as 16 bytes: below 2^128.
func rangeCheckTable() *air.Component {
	b := air.NewBuilder(NameRangeCheck, air.AnyHeight)
	on, start := b.Param(paramEnabler), b.Param(paramStart)
	readBytes(b, on, start.Add(b.Seq()), b.Main("id"), b.MainN("byte", rangeCheckBytes))
	return b.MustBuild()
}

// bitwiseTable reads (x, y, x and y, x xor y, x or y) for every instance of its segment. And is (x + y - xor) / 2 byte by
// byte, or is and + xor. Inputs are below 2^251: the top byte times 32 is a byte.
func bitwiseTable() *air.Component {
	b := air.NewBuilder(NameBitwise, air.AnyHeight)
	on, start := b.Param(paramEnabler), b.Param(paramStart)
	ids := b.MainN("id", BitwiseCells)
	x, y, xor := b.MainN("x", FeltBytes), b.MainN("y", FeltBytes), b.MainN("xor", FeltBytes)
	and, or := make([]air.Expr, FeltBytes), make([]air.Expr, FeltBytes)
	var half air.Element
	half.SetUint64(2)
	half.Inverse(&half)
	for i := range and {
		and[i] = x[i].Add(y[i]).Sub(xor[i]).Mul(b.Value(half))
		or[i] = and[i].Add(xor[i])
	}
	at := start.Add(b.Seq().Scale(BitwiseCells))
	for i, value := range [BitwiseCells][]air.Expr{x, y, and, xor, or} {
		readBytes(b, on, at.Plus(int64(i)), ids[i], value)
	}
	for i := range x {
		b.Use(Xor, on, x[i], y[i], xor[i])
	}
	b.Use(Bytes, on, x[FeltBytes-1].Scale(32), y[FeltBytes-1].Scale(32))
	return b.MustBuild()
}
