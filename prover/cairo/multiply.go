package cairo

import (
	"context"
	"fmt"

	"github.com/seed06907907/fatty/verifier/cairo"
)

const convCoefficients = 2*cairo.FeltBytes - 1

// fold is the verifier's fold by byte position.
var fold = func() (out [cairo.FeltBytes][]cairo.FoldTerm) {
	for _, t := range cairo.Fold() {
		out[t.Byte] = append(out[t.Byte], t)
	}
	return out
}()

// multiplyColumns are the places of the multiply table's columns; wide ones have their bit in the column behind.
type multiplyColumns struct {
	enabler, ids, a, b, c, factor int
	carries                       [cairo.FeltBytes - 1]int
}

// multiply fills the table of products.
func multiply(ctx context.Context, t *table, products []productRow, m *memory, rg *ranges) error {
	at := multiplyColumns{enabler: t.column("enabler"), ids: t.group("id"), a: t.group("a"), b: t.group("b"), c: t.group("c"),
		factor: t.column("factor")}
	for j := range at.carries {
		at.carries[j] = t.column(fmt.Sprintf("carry_%d", j))
	}
	cs := chunks(len(products))
	counts := make([]*ranges, len(cs))
	err := parallel(cs, func(worker int, c chunk) error {
		r := newRanges()
		counts[worker] = r
		rows := newBlock(t, c.from)
		for i := c.from; i < c.to; i++ {
			if i%contextInterval == 0 && ctx.Err() != nil {
				return fmt.Errorf("witness stopped: %w", ctx.Err())
			}
			if err := multiplyRow(rows, &at, &products[i], m, r); err != nil {
				return err
			}
			rows.next()
		}
		rows.flush()
		return nil
	})
	if err != nil {
		return err
	}
	for _, r := range counts {
		for i, u := range r.words {
			rg.words[i] += u
		}
	}
	padMultiply(t, &at, len(products))
	return nil
}

// padMultiply fills rows with enabler 0: 0 * 0 = 0.
func padMultiply(t *table, at *multiplyColumns, from int) {
	fill := func(column, least int) {
		col := t.main[column]
		for i := from; i < len(col); i++ {
			col[i] = element(uint32(-least))
		}
	}
	// A wide window whose least value is below -2^16 writes 0 with its bit set.
	least := cairo.FactorWindow.Least
	if least < -1<<16 {
		least += 1 << 16
		for i := from; i < t.rows(); i++ {
			t.main[at.factor+1][i] = elements[1]
		}
	}
	fill(at.factor, least)
	for j, w := range cairo.CarryWindows {
		fill(at.carries[j], w.Least)
	}
}

func multiplyRow(rows *block, at *multiplyColumns, p *productRow, m *memory, r *ranges) error {
	rows.set(at.enabler, elements[1])
	x, y, z := m.value(p.ids[0]), m.value(p.ids[1]), m.value(p.ids[2])
	a, b, c := x.bytes(), y.bytes(), z.bytes()
	for i := range p.ids {
		rows.set(at.ids+i, element(p.ids[i]))
	}
	for i := range cairo.FeltBytes {
		rows.set(at.a+i, elements[a[i]])
		rows.set(at.b+i, elements[b[i]])
		rows.set(at.c+i, elements[c[i]])
	}

	var conv [convCoefficients]int64
	for i, ai := range a {
		if ai == 0 {
			continue
		}
		for j, bj := range b {
			conv[i+j] += int64(ai) * int64(bj)
		}
	}
	for i, ci := range c {
		conv[i] -= int64(ci)
	}
	var folded [cairo.FeltBytes]int64
	for j := range folded {
		for _, f := range fold[j] {
			folded[j] += int64(f.Weight) * conv[f.Conv]
		}
	}
	// The sum is K*P and P = 1 mod 2^64, so K is the sum mod 2^64.
	var factor int64
	for j := range 8 {
		factor += folded[j] << (8 * j)
	}
	write := func(column int, w cairo.CarryWindow, v int64) error {
		v -= int64(w.Least)
		if high := v >> 16; high != 0 {
			if !w.Wide || high != 1 {
				return fmt.Errorf("%w: a carry of a product is outside its window", ErrInternal)
			}
			rows.set(column+1, elements[1])
		}
		rows.set(column, elements[v&0xffff])
		r.words[v&0xffff]++
		return nil
	}
	if err := write(at.factor, cairo.FactorWindow, factor); err != nil {
		return err
	}
	carry := int64(0)
	for j, f := range folded {
		carry += f - factor*int64(primeBytes[j])
		if carry&0xff != 0 {
			return fmt.Errorf("%w: a product is not what the fold says", ErrInternal)
		}
		carry >>= 8
		if j < len(at.carries) {
			if err := write(at.carries[j], cairo.CarryWindows[j], carry); err != nil {
				return err
			}
		}
	}
	if carry != 0 {
		return fmt.Errorf("%w: the last carry of a product is not 0", ErrInternal)
	}
	return nil
}

var primeBytes = prime.bytes()
