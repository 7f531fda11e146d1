package cairo

import (
	"math/rand/v2"
	"testing"

	"github.com/seed06907907/fatty/verifier/air"
)

// TestNumeratorsOfUsesAreBits holds every numerator that CheckHeights counts as at most 1 a row to a constraint: a use that
// could count twice, or minus once, would pay for another tuple of its relation.
func TestNumeratorsOfUsesAreBits(t *testing.T) {
	r := rand.New(rand.NewPCG(31, 32))
	// Columns that are the product of two bits by this constraint.
	products := map[string]string{"res_mul_used": "product used", "res_add_used": "sum used"}
	for _, c := range Core().Components {
		// bound says whether some constraint of this label refuses v in the column, whatever the other columns hold.
		bound := func(label string, column int, v int64, others func() int64) bool {
			for _, k := range c.Constraints {
				if k.Label != label {
					continue
				}
				row := air.Row[air.Element]{Main: make([]air.Element, len(c.Main)), Fixed: make([]air.Element, len(c.Fixed)),
					Params: make([]air.Element, len(c.Params))}
				for i := range row.Main {
					row.Main[i].SetInt64(others())
				}
				row.Main[column].SetInt64(v)
				x, err := air.Eval(c, air.Base{}, row)
				if err != nil {
					t.Fatal(err)
				}
				if !x[k.Root].IsZero() {
					return true
				}
			}
			return false
		}
		for _, l := range c.Lookups {
			if !l.Unit {
				if !l.Yield {
					t.Errorf("%s uses %s with a free numerator", c.Name, l.Relation.Name)
				}
				continue
			}
			n := c.Nodes[l.Numerator]
			switch {
			case n.Op == air.OpConst && n.Value.IsOne(), n.Op == air.OpParam && c.Params[n.Index] == paramEnabler,
				n.Op == air.OpFixed && c.Fixed[n.Index].Kind == air.FixedProgram && c.Fixed[n.Index].Name == columnFlag:
			case n.Op == air.OpMain:
				name, label, others := c.Main[n.Index], c.Main[n.Index]+" is a bit", func() int64 { return int64(r.Uint32()) }
				if p, ok := products[name]; ok {
					label, others = p, func() int64 { return int64(r.IntN(2)) }
				}
				for _, v := range []int64{2, -1, 3, 1 << 30, int64(r.Uint32N(fieldModulus-2)) + 2} {
					for range 20 {
						if !bound(label, int(n.Index), v, others) {
							t.Fatalf("%s uses or yields %s %d times, by column %s", c.Name, l.Relation.Name, v, name)
						}
					}
				}
			default:
				t.Errorf("%s: the numerator of %s is no bit, constant or enabler", c.Name, l.Relation.Name)
			}
		}
	}
}

// TestFreeYieldsAreKeyedByTheirRow: a relation that is yielded as often as its table likes has tuples that differ from row to
// row by a preprocessed column, or a row that reads what it yields. Then no two rows say two things of one key.
func TestFreeYieldsAreKeyedByTheirRow(t *testing.T) {
	reads := map[string]bool{NameInstruction: true} // reads the word that it decodes, in every row
	for _, c := range Core().Components {
		for _, l := range c.Lookups {
			if l.Unit || reads[c.Name] {
				continue
			}
			// Whether the first entry depends on fixed columns alone.
			var fixed func(n int32) (only, some bool)
			fixed = func(i int32) (only, some bool) {
				switch n := c.Nodes[i]; n.Op {
				case air.OpConst:
					return true, false
				case air.OpFixed:
					return true, true
				case air.OpMain, air.OpParam:
					return false, false
				default:
					ao, as := fixed(n.A)
					bo, bs := fixed(n.B)
					return ao && bo, as || bs
				}
			}
			if only, some := fixed(l.Tuple[0]); !only || !some {
				t.Errorf("%s yields %s freely under a key that the prover chooses", c.Name, l.Relation.Name)
			}
		}
	}
	c, _ := Core().Component(NameInstruction)
	every := 0
	for _, l := range c.Lookups {
		if n := c.Nodes[l.Numerator]; (l.Relation == AddressToID || l.Relation == IDToBytes) && !l.Yield && n.Op == air.OpConst && n.Value.IsOne() {
			every++
		}
	}
	if every != 2 {
		t.Errorf("%s reads memory in %d of 2 ways in every row", c.Name, every)
	}
}
