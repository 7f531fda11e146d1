package air

import "fmt"

// Arithmetic is a ring in which a description is evaluated: the base field on a row, the extension field at a point, or
// the wires of a circuit.
type Arithmetic[T any] interface {
	Const(Element) T
	Add(a, b T) T
	Sub(a, b T) T
	Mul(a, b T) T
}

// Row is what the leaves of a component's expressions stand for.
type Row[T any] struct {
	Main   []T // one value a main column
	Fixed  []T // one value an entry of Component.Fixed
	Params []T // one value an entry of Component.Params
}

// Eval returns the value of every node of c over one row. Constraints and lookups select from it by node number.
func Eval[T any](c *Component, ar Arithmetic[T], row Row[T]) ([]T, error) {
	if len(row.Main) != len(c.Main) || len(row.Fixed) != len(c.Fixed) || len(row.Params) != len(c.Params) {
		return nil, fmt.Errorf("component %s: %d main, %d fixed, %d params, want %d, %d, %d: %w", c.Name,
			len(row.Main), len(row.Fixed), len(row.Params), len(c.Main), len(c.Fixed), len(c.Params), ErrShape)
	}
	v := make([]T, len(c.Nodes))
	for i, n := range c.Nodes {
		switch n.Op {
		case OpConst:
			v[i] = ar.Const(n.Value)
		case OpMain:
			v[i] = row.Main[n.Index]
		case OpFixed:
			v[i] = row.Fixed[n.Index]
		case OpParam:
			v[i] = row.Params[n.Index]
		case OpAdd:
			v[i] = ar.Add(v[n.A], v[n.B])
		case OpSub:
			v[i] = ar.Sub(v[n.A], v[n.B])
		case OpMul:
			v[i] = ar.Mul(v[n.A], v[n.B])
		}
	}
	return v, nil
}

// Base is the arithmetic of the base field.
type Base struct{}

// Const returns e.
func (Base) Const(e Element) Element { return e }

// Add returns a + b.
func (Base) Add(a, b Element) (r Element) { r.Add(&a, &b); return }

// Sub returns a - b.
func (Base) Sub(a, b Element) (r Element) { r.Sub(&a, &b); return }

// Mul returns a * b.
func (Base) Mul(a, b Element) (r Element) { r.Mul(&a, &b); return }
