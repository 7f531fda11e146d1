package circuit

import (
	"fmt"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
)

// Lanes is the number of gates a row of table arithmetic.
const Lanes = 2

// A gate's slots and coefficients: out = b (q0 a + q5 c) + q1 a + q2 b + q3 c + q4.
const (
	slotA = iota
	slotB
	slotC
	slotOut
	slots

	coefficients = 6
)

var slotNames = [slots]string{"a", "b", "c", "out"}

func indexed(name string, i int) string { return fmt.Sprintf("%s%d", name, i) }

// arithmeticTable computes in the extension.
func arithmeticTable() *air.Component {
	b := air.NewBuilder(NameArithmetic, air.AnyHeight)
	c := columns{b, NameArithmetic}
	zero := b.Const(0)
	for lane := range Lanes {
		var x [slots][]air.Expr
		for s, name := range slotNames {
			x[s] = b.MainN(indexed(name, lane), field.Degree)
		}
		q := c.fixedN(fmt.Sprintf("q%d_", lane), coefficients)
		flag := c.fixed(indexed("bit", lane))
		for s, name := range slotNames {
			c.wire(c.fixed(indexed("balance_"+name, lane)), c.fixed(indexed("address_"+name, lane)), zero, x[s], nil)
		}

		factor := make([]air.Expr, field.Degree)
		for d := range factor {
			factor[d] = q[0].Mul(x[slotA][d]).Add(q[5].Mul(x[slotC][d]))
		}
		for d, product := range multiply(factor, x[slotB]) {
			sum := product.Add(q[1].Mul(x[slotA][d])).Add(q[2].Mul(x[slotB][d])).Add(q[3].Mul(x[slotC][d]))
			if d == 0 {
				sum = sum.Add(q[4])
			}
			b.Equal(fmt.Sprintf("coordinate %d of gate %d", d, lane), sum, x[slotOut][d])
		}
		// In all coordinates: a value that is 0 or 1 in the first one alone is no bit.
		bit := x[slotB]
		b.Zero(fmt.Sprintf("gate %d has a bit", lane), flag.Mul(bit[0].Mul(bit[0].Plus(-1))))
		for d := 1; d < field.Degree; d++ {
			b.Zero(fmt.Sprintf("gate %d has a bit: coordinate %d", lane, d), flag.Mul(bit[d]))
		}
	}
	return b.MustBuild()
}

// multiply returns the coordinates of x*y in F[u]/(u^2-3), [v]/(v^3-u-1), in the order of field.Coords. It is the schoolbook
// product, with y_1 and y_2 multiplied by 1+u beforehand: fewest nodes, each product with a sum behind it, which is one gate
// of a circuit.
func multiply(x, y []air.Expr) []air.Expr {
	const n = field.Degree / 2
	triple := make([]air.Expr, n) // 3 times the part of u of x_i
	for i := range triple {
		triple[i] = x[2*i+1].Scale(3)
	}
	turned := make([][2]air.Expr, n) // (1+u) y_i
	for i := 1; i < n; i++ {
		turned[i] = [2]air.Expr{y[2*i].Add(y[2*i+1].Scale(3)), y[2*i].Add(y[2*i+1])}
	}
	out := make([]air.Expr, field.Degree)
	for k := range n {
		var re, im []air.Expr
		for i := range n {
			j := (k - i + n) % n
			f := [2]air.Expr{y[2*j], y[2*j+1]}
			if i > k {
				f = turned[j]
			}
			re = append(re, x[2*i].Mul(f[0]), triple[i].Mul(f[1]))
			im = append(im, x[2*i].Mul(f[1]), x[2*i+1].Mul(f[0]))
		}
		out[2*k], out[2*k+1] = air.Sum(re...), air.Sum(im...)
	}
	return out
}
