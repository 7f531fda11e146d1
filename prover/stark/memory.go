package stark

import "github.com/consensys/gnark-crypto/field/koalabear"

// newColumns allocates count columns of rows zeros in one piece. Large pages are not asked for: they save a tenth of a
// long proof where memory is fresh, and cost seconds where the system must first make room for them.
func newColumns(count, rows int) []koalabear.Vector {
	all := make(koalabear.Vector, count*rows)
	out := make([]koalabear.Vector, count)
	for i := range out {
		out[i] = all[i*rows : (i+1)*rows : (i+1)*rows]
	}
	return out
}
