package stark

import (
	"testing"

	"github.com/seed06907907/fatty/verifier/field"
)

// At a point of a domain a DEEP term divides by zero and binds nothing, and at a row the vanishing polynomial is zero and
// any composition value does: such points are refused.
func TestKnownBug_32_DegenerateOutOfDomainPoint(t *testing.T) {
	for k := range 20 {
		for _, x := range []field.Element{field.Root(k), field.Shift(k), field.Point(k, 1, 1), field.New(uint64(k))} {
			if checkZeta(field.FromBase(x)) != ErrZeta {
				t.Errorf("a point of the base field is accepted: %v", x)
			}
		}
	}
	for d := 1; d < field.Degree; d++ {
		if err := checkZeta(field.Add(field.Basis(d), field.One())); err != nil {
			t.Error(err)
		}
	}
}
