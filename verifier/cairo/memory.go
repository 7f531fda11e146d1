package cairo

import "github.com/seed06907907/fatty/verifier/air"

const (
	// AddressesPerRow is how many addresses share a row of the address table: 2^20 rows hold 2^24 addresses, and the table
	// stays far below the height of the steps.
	AddressesPerRow = 16
	// MaxAddress bounds addresses: what 4 bytes with the highest below 32 can say.
	MaxAddress = 1 << 29
	// SmallBytes is the size of a small value. Felts of 8 bytes hold addresses, instructions and most counters at a third of
	// a big value's cost; 16 bytes would make every one of them nearly twice as dear.
	SmallBytes = 8

	// bigIDs is the first id of a big value; ids of small values lie below.
	bigIDs       = 1 << 30
	fieldModulus = 1<<31 - 1<<24 + 1
)

// BigID returns the id of the big value in this row, SmallID of the small one.
func BigID(row int) uint32 { return bigIDs + uint32(row) }

// SmallID returns the id of the small value in this row.
func SmallID(row int) uint32 { return uint32(row) }

// addressTable gives each address one id. Row r holds addresses 16 r + 1 .. 16 r + 16: address 0 does not exist, and an
// address does not depend on the height. An unused address has any id.
func addressTable() *air.Component {
	b := air.NewBuilder(NameAddress, air.AnyHeight)
	base := b.Seq().Scale(AddressesPerRow)
	ids, uses := b.MainN("id", AddressesPerRow), b.MainN("uses", AddressesPerRow)
	for i := range ids {
		b.YieldTimes(AddressToID, uses[i], base.Plus(int64(i+1)), ids[i])
	}
	return b.MustBuild()
}

// bigTable gives each id from 2^30 on one canonical felt.
//
// Byte 31 is 8 t + w with w below 8 and not both. A value with t = 0 is below 2^251. With t = 1 it is below P if and only
// if bytes 25..30 are zero and byte 24 is at most 16, or byte 24 is 17 and all lower ones are zero (u = 1: P - 1). The
// column x is a byte only if byte 24 is at most 16 where it must be. So no value has a second form v + P anywhere in
// memory, which closes known traps of jnz, bitwise and outputs at their root for three columns.
func bigTable() *air.Component {
	b := air.NewBuilder(NameBig, air.AnyHeight)
	v := b.MainN("byte", FeltBytes-1)
	w, t, u, x := b.Main("w"), b.Bit("t"), b.Bit("u"), b.Main("x")
	one := b.Const(1)

	b.Zero("top byte is 8 or below 8", t.Mul(w))
	b.Zero("P - 1 has its top bit", u.Mul(t.Not()))
	b.Zero("top bit leaves bytes 25..30 zero", t.Mul(air.Sum(v[25:31]...)))
	b.Zero("P - 1 has byte 24 = 17", u.Mul(v[24].Plus(-17)))
	b.Zero("P - 1 has bytes 0..23 zero", u.Mul(air.Sum(v[:24]...)))
	b.Equal("below P - 1, byte 24 is at most 16", x, t.Sub(u).Mul(v[24].Plus(1).Scale(15)))
	for i := 0; i < 30; i += 2 {
		b.Use(Bytes, one, v[i], v[i+1])
	}
	b.Use(Bytes, one, v[30], w)
	b.Use(Bytes, one, w.Scale(32), x)
	yieldValue(b, b.Seq().Plus(bigIDs), append(v, t.Scale(8).Add(w)))
	return b.MustBuild()
}

// smallTable gives each id from 0 on one felt of SmallBytes bytes.
func smallTable() *air.Component {
	b := air.NewBuilder(NameSmall, air.AnyHeight)
	v := b.MainN("byte", SmallBytes)
	for i := 0; i < SmallBytes; i += 2 {
		b.Use(Bytes, b.Const(1), v[i], v[i+1])
	}
	yieldValue(b, b.Seq(), v)
	return b.MustBuild()
}

// yieldValue gives a value of at most FeltBytes bytes in both forms.
func yieldValue(b *air.Builder, id air.Expr, low []air.Expr) {
	bytes := byteTuple(b, id, low)
	b.YieldTimes(IDToValue, b.Main("limb_uses"), append([]air.Expr{id}, limbsOf(bytes[1:])...)...)
	b.YieldTimes(IDToBytes, b.Main("byte_uses"), bytes...)
}

// limbsOf are the limbs that bytes make.
func limbsOf(bytes []air.Expr) (out []air.Expr) {
	for i := 0; i < len(bytes); i += limbBytes {
		limb := bytes[i]
		for j := i + 1; j < min(i+limbBytes, len(bytes)); j++ {
			limb = limb.Add(bytes[j].Scale(1 << (8 * (j - i))))
		}
		out = append(out, limb)
	}
	return out
}

// byteTuple is (id, bytes, 0 ..) with zeros up to FeltBytes.
func byteTuple(b *air.Builder, id air.Expr, low []air.Expr) []air.Expr {
	out := append(make([]air.Expr, 0, 1+FeltBytes), id)
	out = append(out, low...)
	for len(out) < 1+FeltBytes {
		out = append(out, b.Const(0))
	}
	return out
}

// read uses the cell at address: its id, and the limbs of its value.
func read(b *air.Builder, on, address, id air.Expr, limbs []air.Expr) {
	b.Use(AddressToID, on, address, id)
	b.Use(IDToValue, on, append([]air.Expr{id}, limbs...)...)
}

// readBytes uses the cell at address: its id, and its value of at most FeltBytes bytes.
func readBytes(b *air.Builder, on, address, id air.Expr, value []air.Expr) {
	b.Use(AddressToID, on, address, id)
	b.Use(IDToBytes, on, byteTuple(b, id, value)...)
}
