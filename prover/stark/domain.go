package stark

import (
	"context"
	"sync"

	"github.com/consensys/gnark-crypto/field/koalabear"
	"github.com/consensys/gnark-crypto/field/koalabear/fft"
	"github.com/consensys/gnark-crypto/utils"

	"github.com/seed06907907/fatty/verifier/field"
)

// domain transforms columns of 2^k rows.
type domain struct {
	k   int
	fft *fft.Domain
	// shift[beta] holds, in bit-reversed order, the powers of the shift of block beta at blow-up 2^b, of 2^b blocks.
	mu     sync.Mutex
	shifts map[shiftKey]koalabear.Vector
}

type shiftKey struct {
	b, beta int
	inverse bool
}

var domains struct {
	sync.Mutex
	of [field.TwoAdicity + 1]*domain
}

// domainOf returns the domain of columns of 2^k rows; tables are kept for the life of the process.
func domainOf(k int) *domain {
	domains.Lock()
	defer domains.Unlock()
	if domains.of[k] == nil {
		domains.of[k] = &domain{k: k, fft: fft.NewDomain(1 << k), shifts: map[shiftKey]koalabear.Vector{}}
	}
	return domains.of[k]
}

// blockShift is Shift(k) * Root(k+b)^beta.
func blockShift(k, b, beta int) field.Element {
	s := field.Shift(k)
	w := field.Exp(field.Root(k+b), uint64(beta))
	s.Mul(&s, &w)
	return s
}

// powers returns the powers of a block's shift, or of its inverse, in bit-reversed order.
func (d *domain) powers(b, beta int, inverse bool) koalabear.Vector {
	key := shiftKey{b, beta, inverse}
	d.mu.Lock()
	defer d.mu.Unlock()
	if v, ok := d.shifts[key]; ok {
		return v
	}
	s := blockShift(d.k, b, beta)
	if inverse {
		s.Inverse(&s)
	}
	v := make(koalabear.Vector, 1<<d.k)
	v[0].SetOne()
	for i := 1; i < len(v); i++ {
		v[i].Mul(&v[i-1], &s)
	}
	utils.BitReverse(v)
	d.shifts[key] = v
	return v
}

// interpolate turns values on the rows into coefficients in bit-reversed order, in place.
func (d *domain) interpolate(v koalabear.Vector) {
	d.fft.FFTInverse(v, fft.DIF, fft.WithNbTasks(1))
}

// evaluate fills the blocks of out, 2^b of 2^k, from coefficients in bit-reversed order. coef may be the first block.
func (d *domain) evaluate(out, coef koalabear.Vector, b int) {
	n := 1 << d.k
	for beta := 1<<b - 1; beta >= 0; beta-- {
		block := out[beta*n : (beta+1)*n]
		block.Mul(coef, d.powers(b, beta, false))
		d.fft.FFT(block, fft.DIT, fft.WithNbTasks(1))
	}
}

// extend turns a column on its rows, which are the first block of v, into its extension, in place.
func (d *domain) extend(v koalabear.Vector, b int) {
	rows := v[:1<<d.k]
	d.interpolate(rows)
	d.evaluate(v, rows, b)
}

// extendAll returns the extensions of columns, all of 2^k rows.
func extendAll(ctx context.Context, columns []koalabear.Vector, k, b int) ([]koalabear.Vector, error) {
	out := newColumns(len(columns), 1<<(k+b))
	return out, each(ctx, len(columns), func(_, i int) error {
		copy(out[i], columns[i])
		domainOf(k).extend(out[i], b)
		return nil
	})
}

// unblock interpolates values on block beta at blow-up 2^b, in place.
func (d *domain) unblock(v koalabear.Vector, b, beta int) {
	d.interpolate(v)
	v.Mul(v, d.powers(b, beta, true))
}

// place returns the place in bit-reversed order of entry j of block beta.
func place(k, b, beta int, j uint64) uint64 {
	return field.Reverse(uint64(beta), b)<<k | field.Reverse(j, k)
}
