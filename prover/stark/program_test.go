package stark

import (
	"math/rand/v2"
	"testing"

	"github.com/consensys/gnark-crypto/field/koalabear"
	"pgregory.net/rapid"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// randomComponent describes a component of random expressions, with values shared, scalars folded and registers under
// pressure.
func randomComponent(t *rapid.T) (*air.Component, []field.Element, []field.Ext) {
	b := air.NewBuilder("random", air.AnyHeight)
	exprs := []air.Expr{b.Const(0), b.Const(1), b.Const(-1), b.Const(rapid.Int64Range(-9, 9).Draw(t, "const")), b.Param("p"), b.Param("q")}
	degree := []int{0, 0, 0, 0, 0, 0}
	for range rapid.IntRange(1, 6).Draw(t, "columns") {
		exprs, degree = append(exprs, b.Main("x"+string(rune('a'+len(exprs))))), append(degree, 1)
	}
	exprs, degree = append(exprs, b.Seq()), append(degree, 1)
	pick := func(most int) int {
		for {
			if i := rapid.IntRange(0, len(exprs)-1).Draw(t, "operand"); degree[i] <= most {
				return i
			}
		}
	}
	for range rapid.IntRange(0, 40).Draw(t, "operations") {
		i := pick(3)
		switch rapid.IntRange(0, 2).Draw(t, "operation") {
		case 0:
			j := pick(3)
			exprs, degree = append(exprs, exprs[i].Add(exprs[j])), append(degree, max(degree[i], degree[j]))
		case 1:
			j := pick(3)
			exprs, degree = append(exprs, exprs[i].Sub(exprs[j])), append(degree, max(degree[i], degree[j]))
		default:
			j := pick(3 - degree[i])
			exprs, degree = append(exprs, exprs[i].Mul(exprs[j])), append(degree, degree[i]+degree[j])
		}
	}
	for range rapid.IntRange(0, 20).Draw(t, "constraints") {
		b.Zero("any", exprs[pick(3)])
	}
	params := make([]int32, rapid.IntRange(0, 3).Draw(t, "extension scalars"))
	for i := range params {
		params[i] = b.ExtParam("e")
	}
	for range rapid.IntRange(0, 4).Draw(t, "weighted") {
		terms := make([]air.WeightedExpr, rapid.IntRange(0, 11).Draw(t, "terms"))
		for i := range terms {
			param := rapid.Int32Range(-1, int32(len(params))-1).Draw(t, "scalar")
			terms[i] = exprs[pick(3)].Weigh(param, rapid.IntRange(0, field.Degree-1).Draw(t, "basis"))
		}
		b.ZeroWeighted("any", terms...)
	}
	relations := make([]*air.Relation, 4)
	for w := range relations {
		relations[w] = air.NewRelation(uint32(w+1), "r", w, "")
	}
	for range rapid.IntRange(1, 9).Draw(t, "lookups") {
		r := relations[rapid.IntRange(0, 3).Draw(t, "relation")]
		var tuple []air.Expr
		for range r.Width {
			tuple = append(tuple, exprs[pick(2)])
		}
		if rapid.Bool().Draw(t, "yield") {
			b.YieldTimes(r, exprs[pick(1)], tuple...)
		} else {
			b.Use(r, exprs[pick(1)], tuple...)
		}
	}
	c, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	scalars := []field.Element{field.New(rapid.Uint64Range(0, 3).Draw(t, "p")), field.New(field.Modulus - 1)}
	ext := make([]field.Ext, len(params))
	for i := range ext {
		var e [field.Degree]field.Element
		for d := range e {
			e[d] = field.New(rapid.Uint64Range(0, field.Modulus-1).Draw(t, "e"))
		}
		ext[i] = field.FromCoords(e)
	}
	return c, scalars[:len(c.Params)], ext
}

// The vector code of a random component computes what its description says, in both modes.
func TestProgramComputesTheDescription(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	const rows = 48
	rapid.Check(t, func(t *rapid.T) {
		c, params, ext := randomComponent(t)
		columns := make([]koalabear.Vector, len(c.Main)+len(c.Fixed))
		for i := range columns {
			columns[i] = edgyVec(r, rows)
		}
		points := edgyExt(r, 2)
		z, alpha := points.at(0), points.at(1)
		lk := vstark.Lookup[field.Ext]{Z: z, Powers: field.Powers(alpha, 4)[1:]}
		want := make([][]field.Element, rows)
		for row := range want {
			in := air.Row[field.Element]{Params: params}
			for i, v := range columns {
				if i < len(c.Main) {
					in.Main = append(in.Main, v[row])
				} else {
					in.Fixed = append(in.Fixed, v[row])
				}
			}
			var err error
			if want[row], err = air.Eval(c, air.Base{}, in); err != nil {
				t.Fatal(err)
			}
		}
		roots := constraintRoots(c)
		// The weights of what the vector code computes give the weighted sum of the constraints, weighted ones included.
		powers := edgyExt(r, len(c.Constraints)+len(c.Weighted)+1)
		var each []field.Ext
		for i := range len(c.Constraints) + len(c.Weighted) {
			each = append(each, powers.at(i))
		}
		weights := constraintWeights(c, each, c.Coefficients(ext))
		if len(weights) != len(roots) {
			t.Fatalf("%d weights for %d expressions", len(weights), len(roots))
		}
		for row := range want {
			var got, sum field.Ext
			for k, root := range roots {
				got = field.Add(got, field.Scale(weights[k], want[row][root]))
			}
			for k, con := range c.Constraints {
				sum = field.Add(sum, field.Scale(each[k], want[row][con.Root]))
			}
			for k, w := range c.Weighted {
				var value field.Ext
				for _, term := range w.Terms {
					x := field.Scale(field.Basis(term.Basis), want[row][term.Node])
					if term.Param >= 0 {
						x = field.Mul(x, ext[term.Param])
					}
					value = field.Add(value, x)
				}
				sum = field.Add(sum, field.Mul(each[len(c.Constraints)+k], value))
			}
			if got != sum {
				t.Fatalf("row %d: the weighted sum is another", row)
			}
		}
		for _, constraints := range []bool{false, true} {
			p := compile(c, params, constraints)
			f := newFrame(p)
			fr := newFractions(f, newDenominators(p, lk))
			seen, batches, from := 0, 0, 16
			f.load(columns, from, 32)
			var pending []koalabear.Vector
			f.run(func(i int, v koalabear.Vector) {
				// Values of a group must live until the group is complete.
				if pending = append(pending, v); len(pending) == group || i == len(roots)-1 {
					for g, v := range pending {
						k := i - len(pending) + 1 + g
						for row := range v {
							if v[row] != want[from+row][roots[k]] {
								t.Fatalf("constraint %d row %d", k, row)
							}
						}
						seen++
					}
					pending = nil
				}
			}, func(j int) {
				num, den := newExtVec(32), newExtVec(32)
				fr.batch(c.Batches[j], &num, &den, 32)
				for row := range 32 {
					nodes := want[from+row]
					var sum field.Ext
					zero := false
					for _, i := range c.Batches[j] {
						d := field.Sub(field.FromBase(field.New(uint64(c.Lookups[i].Relation.ID))), z)
						for k, x := range c.Lookups[i].Tuple {
							d = field.Add(d, field.Scale(lk.Powers[k], nodes[x]))
						}
						zero = zero || d.IsZero()
						n := nodes[c.Lookups[i].Numerator]
						if c.Lookups[i].Yield {
							n.Neg(&n)
						}
						d.Inverse(&d)
						sum = field.Add(sum, field.Scale(d, n))
					}
					if !zero && num.at(row) != field.Mul(sum, den.at(row)) {
						t.Fatalf("batch %d row %d", j, row)
					}
				}
				batches++
			})
			if want := len(roots); constraints && seen != want || !constraints && seen != 0 || batches != len(c.Batches) {
				t.Fatalf("%d constraints and %d batches are computed", seen, batches)
			}
		}
	})
}
