//go:build !purego

package stark

import (
	"github.com/consensys/gnark-crypto/field/koalabear"
	"golang.org/x/sys/cpu"

	"github.com/seed06907907/fatty/verifier/field"
)

// The kernels in kernel_amd64.s take 16 entries at a time. They end in VZEROUPPER: on recent Intel processors a return to Go
// code with dirty upper halves costs 150 ns, as much as the work on 2000 entries.

var fast = cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ

// lanes is the number of entries that a kernel takes at a time.
const lanes = 16

//go:noescape
func addBlocks(dst, a, b *field.Element, blocks uint64)

//go:noescape
func subBlocks(dst, a, b *field.Element, blocks uint64)

//go:noescape
func mulBlocks(dst, a, b *field.Element, blocks uint64)

//go:noescape
func scaleBlocks(dst, a, s *field.Element, blocks uint64)

//go:noescape
func addScaledBlocks(acc *extVec, xs *koalabear.Vector, w *uint64, n, blocks uint64)

//go:noescape
func mulExtBlocks(dst, x, y *extVec, blocks uint64)

// split returns how many entries of n the kernels can take.
func split(n int) int {
	if !fast {
		return 0
	}
	return n - n%lanes
}

func addVec(dst, a, b koalabear.Vector) {
	a, b = a[:len(dst)], b[:len(dst)]
	n := split(len(dst))
	if n > 0 {
		addBlocks(&dst[0], &a[0], &b[0], uint64(n/lanes))
	}
	addVecGeneric(dst[n:], a[n:], b[n:])
}

func subVec(dst, a, b koalabear.Vector) {
	a, b = a[:len(dst)], b[:len(dst)]
	n := split(len(dst))
	if n > 0 {
		subBlocks(&dst[0], &a[0], &b[0], uint64(n/lanes))
	}
	subVecGeneric(dst[n:], a[n:], b[n:])
}

func mulVec(dst, a, b koalabear.Vector) {
	a, b = a[:len(dst)], b[:len(dst)]
	n := split(len(dst))
	if n > 0 {
		mulBlocks(&dst[0], &a[0], &b[0], uint64(n/lanes))
	}
	mulVecGeneric(dst[n:], a[n:], b[n:])
}

func scaleVec(dst, a koalabear.Vector, s field.Element) {
	a = a[:len(dst)]
	n := split(len(dst))
	if n > 0 {
		scaleBlocks(&dst[0], &a[0], &s, uint64(n/lanes))
	}
	scaleVecGeneric(dst[n:], a[n:], s)
}

// addScaled adds the sum over xs[j] * w[j] to acc.
func addScaled(acc *extVec, xs []koalabear.Vector, w weights) {
	rows := len(acc[0])
	for _, x := range xs {
		_ = x[:rows]
	}
	if len(xs) == 0 || len(w) < field.Degree*len(xs) {
		return
	}
	n := split(rows)
	if n == rows {
		addScaledBlocks(acc, &xs[0], &w[0], uint64(len(xs)), uint64(n/lanes))
		return
	}
	addScaledGeneric(acc, xs, w)
}

// mulExt sets dst to x * y; dst may be x or y.
func mulExt(dst, x, y *extVec) {
	rows := len(dst[0])
	for d := range dst {
		_, _, _ = dst[d][:rows], x[d][:rows], y[d][:rows]
	}
	if n := split(rows); n == rows && n > 0 {
		mulExtBlocks(dst, x, y, uint64(n/lanes))
		return
	}
	mulExtGeneric(dst, x, y)
}
