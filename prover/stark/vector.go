package stark

import (
	"github.com/consensys/gnark-crypto/field/koalabear"

	"github.com/seed06907907/fatty/verifier/field"
)

// extVec is a vector over the extension, coordinate by coordinate.
type extVec [field.Degree]koalabear.Vector

// newExtVec allocates n zeros.
func newExtVec(n int) (v extVec) {
	all := make(koalabear.Vector, field.Degree*n)
	for d := range v {
		v[d] = all[d*n : (d+1)*n : (d+1)*n]
	}
	return v
}

// extVecs reads columns as coordinates, six by six.
func extVecs(columns []koalabear.Vector) []extVec {
	out := make([]extVec, len(columns)/field.Degree)
	for i := range out {
		out[i] = extVec(columns[i*field.Degree:])
	}
	return out
}

// slice returns entries from <= i < to, sharing memory.
func (v extVec) slice(from, to int) (out extVec) {
	for d := range v {
		out[d] = v[d][from:to]
	}
	return out
}

// at returns entry i.
func (v *extVec) at(i int) field.Ext {
	return field.FromCoords([field.Degree]field.Element{v[0][i], v[1][i], v[2][i], v[3][i], v[4][i], v[5][i]})
}

// set writes entry i.
func (v *extVec) set(i int, x field.Ext) {
	c := field.Coords(&x)
	for d := range v {
		v[d][i] = c[d]
	}
}

// fill writes x to all entries.
func (v *extVec) fill(x field.Ext) {
	c := field.Coords(&x)
	for d := range v {
		fill(v[d], c[d])
	}
}

func fill(v koalabear.Vector, x field.Element) {
	if len(v) == 0 {
		return
	}
	v[0] = x
	for n := 1; n < len(v); n *= 2 {
		copy(v[n:], v[:n])
	}
}

func (v *extVec) copyFrom(x *extVec) {
	for d := range v {
		copy(v[d], x[d])
	}
}

func (v *extVec) add(x, y *extVec) {
	for d := range v {
		addVec(v[d], x[d], y[d])
	}
}

func (v *extVec) sub(x, y *extVec) {
	for d := range v {
		subVec(v[d], x[d], y[d])
	}
}

// mulBase sets v to x times a vector of the base field.
func (v *extVec) mulBase(x *extVec, y koalabear.Vector) {
	for d := range v {
		mulVec(v[d], x[d], y)
	}
}

// scaleBase sets v to x times an element of the base field.
func (v *extVec) scaleBase(x *extVec, s field.Element) {
	for d := range v {
		scaleVec(v[d], x[d], s)
	}
}

// weights holds the coordinates of the weights of a linear combination, for addScaled: six words a vector, each an
// element as it is held in memory, widened for the kernel's broadcasts.
type weights []uint64

// newWeights lays out one extension weight a vector.
func newWeights(ws []field.Ext) weights {
	out := make(weights, 0, field.Degree*len(ws))
	for i := range ws {
		for _, c := range field.Coords(&ws[i]) {
			out = append(out, uint64(c[0]))
		}
	}
	return out
}

// constWeights are the weights by which addScaled multiplies an extVec by w: w times each basis element.
func constWeights(w field.Ext) weights {
	ws := make([]field.Ext, field.Degree)
	for d := range ws {
		ws[d] = field.Mul(w, field.Basis(d))
	}
	return newWeights(ws)
}
