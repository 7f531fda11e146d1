package stark_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/prover/stark"
	"github.com/seed06907907/fatty/prover/stark/internal/toy"
	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/field"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// small has a component of every kind of height at the smallest size with room for short ones.
var small = toy.Heights{Table: 4, Code: 5, Cube: 6, Pairs: 4, Blend: 5}

func increment(e *field.Element) {
	one := field.New(1)
	e.Add(e, &one)
}

func refused(t testing.TB, inst *vstark.Instance, p *vstark.Proof) error {
	t.Helper()
	err := vstark.Verify(inst, p)
	if err == nil {
		t.Fatal("accepted")
	}
	return err
}

// Change one cell of each main column and prove as an attacker would, with everything that follows from it recomputed: the
// verifier refuses, and so does the oracle.
func TestMutatedCellIsRefused(t *testing.T) {
	honest := newCase(t, toy.Params(6), small, 7)
	if err := oracle(t, honest); err != nil {
		t.Fatal(err)
	}
	for i, c := range honest.Inst.Set.Components {
		for j, name := range c.Main {
			t.Run(fmt.Sprintf("%s/%s", c.Name, name), func(t *testing.T) {
				for _, row := range []int{0, 5, len(honest.Trace.Main[i][j]) - 1} {
					cs := newCase(t, toy.Params(6), small, 7)
					increment(&cs.Trace.Main[i][j][row])
					refused(t, cs.Inst, prove(t, cs))
					if oracle(t, cs) == nil {
						t.Error("the oracle accepts")
					}
				}
			})
		}
	}
}

// oracle is what package air says of a case.
func oracle(t testing.TB, cs *toy.Case) error {
	t.Helper()
	tables, public, err := cs.Tables()
	if err != nil {
		t.Fatal(err)
	}
	return air.Check(cs.Inst.Set, tables, public)
}

// The scalars that weigh rows are the verifier's: a trace made for others is refused, and a verifier that has others refuses.
func TestWrongCoefficientIsRefused(t *testing.T) {
	for i := range 2 {
		for d := range field.Degree {
			ours, theirs := newCase(t, toy.Params(6), small, 8), newCase(t, toy.Params(6), small, 8)
			increment(coordinates(&theirs.Inst.Ext[toy.Blend][i])[d])
			// The transcript alone would refuse the honest proof; the equation refuses whatever is proven under the other scalar.
			refused(t, theirs.Inst, prove(t, ours))
			if err := refused(t, theirs.Inst, prove(t, theirs)); !strings.Contains(err.Error(), "out-of-domain point") {
				t.Errorf("refused for another reason: %v", err)
			}
			if oracle(t, theirs) == nil {
				t.Error("the oracle accepts")
			}
			refused(t, theirs.Inst, naiveOf(theirs).proveCase(t, theirs))
		}
	}
	// Exchanged.
	cs := newCase(t, toy.Params(6), small, 8)
	slices.Reverse(cs.Inst.Ext[toy.Blend])
	refused(t, cs.Inst, prove(t, cs))
}

// A weighted equation that holds in the sum of its coordinates is refused where one coordinate is wrong: in each of them, and
// in both equations that share one.
func TestEachCoordinateOfAWeightedEquationBinds(t *testing.T) {
	for d := range field.Degree {
		cs := newCase(t, toy.Params(6), small, 9)
		acc := cs.Trace.Main[toy.Blend]
		// What one coordinate gains, the next one loses.
		one := field.New(1)
		increment(&acc[d][3])
		next := &acc[(d+1)%field.Degree][3]
		next.Sub(next, &one)
		s := &acc[field.Degree+2][3]
		s.Mul(&acc[0][3], &acc[1][3])
		refused(t, cs.Inst, prove(t, cs))
		if oracle(t, cs) == nil {
			t.Error("the oracle accepts")
		}
	}
	cs := newCase(t, toy.Params(6), small, 9)
	one := field.New(1)
	increment(&cs.Trace.Main[toy.Blend][field.Degree+2][3])
	q := &cs.Trace.Main[toy.Blend][field.Degree+3][3]
	q.Sub(q, &one)
	refused(t, cs.Inst, prove(t, cs))
}

// An instance without the scalars that its set names is no instance, for verifier and prover.
func TestMissingCoefficientIsRefused(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 8)
	p := prove(t, cs)
	for name, ext := range map[string][][]field.Ext{
		"none":                nil,
		"a component too few": cs.Inst.Ext[:toy.Blend],
		"one too few":         {nil, nil, nil, nil, nil, cs.Inst.Ext[toy.Blend][:1]},
		"one too many":        {nil, nil, nil, nil, nil, append(slices.Clone(cs.Inst.Ext[toy.Blend]), field.Ext{})},
		"another component's": {nil, nil, nil, nil, cs.Inst.Ext[toy.Blend], nil},
		"one for all":         {nil, {field.One()}, nil, nil, nil, cs.Inst.Ext[toy.Blend]},
		"a component more":    append(slices.Clone(cs.Inst.Ext), nil),
	} {
		inst := *cs.Inst
		inst.Ext = ext
		if err := refused(t, &inst, p); !errors.Is(err, vstark.ErrInstance) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := stark.Prove(context.Background(), &inst, cs.Pre, cs.Prog, cs.Trace, stark.Options{}); !errors.Is(err, vstark.ErrInstance) {
			t.Errorf("%s: proven: %v", name, err)
		}
		b, err := p.Encode(cs.Inst)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := vstark.DecodeProof(b, &inst); !errors.Is(err, vstark.ErrInstance) {
			t.Errorf("%s: decoded: %v", name, err)
		}
	}
}

// Each way to fail has its own words, and a proof that fails in one is told so.
func TestRefusalsSayWhatIsWrong(t *testing.T) {
	make := func(change func(cs *toy.Case, n *naive)) (*toy.Case, *vstark.Proof) {
		cs := newCase(t, toy.Params(6), small, 11)
		n := naiveOf(cs)
		change(cs, n)
		return cs, n.proveCase(t, cs)
	}
	for what, change := range map[string]func(cs *toy.Case, n *naive){
		"some lookup finds nothing: the claimed sums do not cancel": func(_ *toy.Case, n *naive) {
			n.sums = func(claims []field.Ext) { addOne(&claims[2]) }
		},
		"the constraints do not hold at the out-of-domain point": func(cs *toy.Case, _ *naive) {
			increment(&cs.Trace.Main[toy.Blend][0][1])
		},
		"the final polynomial differs from the last layer": func(_ *toy.Case, n *naive) {
			n.final = func(c []field.Ext) []field.Ext { addOne(&c[1]); return c }
		},
		"FRI layer 0: Merkle opening does not lead to the root": func(_ *toy.Case, n *naive) {
			n.layer = func(i int, code []field.Ext) {
				if i == 0 {
					for j := range code {
						addOne(&code[j])
					}
				}
			}
		},
	} {
		cs, p := make(change)
		if err := refused(t, cs.Inst, p); !strings.HasPrefix(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	cs := newCase(t, toy.Params(6), small, 11)
	honest := prove(t, cs)
	for what, change := range map[string]func(p *vstark.Proof){
		"tree 2: Merkle opening does not lead": func(p *vstark.Proof) { increment(&p.Rows[vstark.TreeMain][3]) },
		"FRI layer 1: a value is missing":      func(p *vstark.Proof) { p.Layers[1].Values = p.Layers[1].Values[1:] },
		"FRI layer 1: 1 values are left over": func(p *vstark.Proof) {
			p.Layers[1].Values = append(slices.Clone(p.Layers[1].Values), field.Ext{})
		},
	} {
		p := *honest
		for t := range vstark.Trees {
			p.Rows[t] = slices.Clone(p.Rows[t])
		}
		p.Layers = slices.Clone(p.Layers)
		change(&p)
		if err := refused(t, cs.Inst, &p); !strings.HasPrefix(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	idle := 0 // nonces without work: all but one of sixteen
	for i := range 40 {
		p := *honest
		p.Nonce ^= 1 << i
		if err := refused(t, cs.Inst, &p); strings.HasPrefix(err.Error(), "the proof of work is not one of so many bits") {
			idle++
		}
	}
	if idle < 25 {
		t.Errorf("only %d of 40 nonces lack work", idle)
	}
}

// A value that no table yields: the attacker also writes the claims that would cancel.
func TestUseOfWhatNobodyYieldsIsRefused(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 1)
	// Row 1 of cube is used and its value is now beyond the table.
	v := &cs.Trace.Main[toy.Cube][1][2]
	*v = field.New(99)
	cube := &cs.Trace.Main[toy.Cube][2][2]
	cube.Square(v).Mul(cube, v)
	refused(t, cs.Inst, prove(t, cs))

	n := naiveOf(cs)
	n.sums = func(claims []field.Ext) { balance(cs, n, claims) }
	refused(t, cs.Inst, n.proveCase(t, cs))
}

// balance changes the table's claim so that all claims and the public sum cancel.
func balance(cs *toy.Case, n *naive, claims []field.Ext) {
	ch := vstark.NewProverChallenges(cs.Inst)
	root, _ := n.tree(vstark.TreeMain)
	z, alpha := ch.Lookup(root)
	sum, err := cs.Inst.PublicSum(vstark.NewLookup[field.Ext](field.Arithmetic{}, cs.Inst.Set, z, alpha))
	if err != nil {
		panic(err)
	}
	for i := range claims {
		if i != toy.Table {
			sum = field.Add(sum, claims[i])
		}
	}
	claims[toy.Table] = field.Sub(field.Ext{}, sum)
}

// The table yields one value too many in window 0 and takes it back in the other windows: all constraints hold on all 2^n
// rows, with a claim that window 0 by itself does not have. Only the running sum's period gives it away.
func TestRunningSumThatDriftsIsRefused(t *testing.T) {
	cs := newCase(t, toy.Params(6), small, 2)
	n := naiveOf(cs)
	k := cs.Inst.LogHeights[toy.Table]
	windows := 1 << (6 - k)
	// Cube uses value 1 once less in truth: switch a used row off, so that window 0 must yield too often.
	n.main = func(rows [][]field.Element) {
		times := rows[n.l.Main[toy.Table]]
		var minus field.Element
		w := field.New(uint64(windows - 1))
		minus.Inverse(&w).Neg(&minus)
		for r := range times {
			if r%(1<<k) == 1 {
				if r < 1<<k {
					increment(&times[r])
				} else {
					times[r].Add(&times[r], &minus)
				}
			}
		}
	}
	// The claim is the mean of the windows: the honest one, which cancels. The sum over all rows closes with it.
	n.column = func(i int, sums [][]field.Ext, total []field.Ext) [][]field.Ext {
		if i != toy.Table {
			return sums
		}
		var mean, run field.Ext
		for _, f := range total {
			mean = field.Add(mean, f)
		}
		inv := field.New(uint64(windows))
		inv.Inverse(&inv)
		n.claims[i] = field.Scale(mean, inv)
		share := vstark.Share(n.claims[i], k)
		for r := range total {
			run = field.Sub(field.Add(run, total[r]), share)
			sums[0][r] = run
		}
		return sums
	}
	proof := n.proveCase(t, cs)
	err := refused(t, cs.Inst, proof)
	// It is the low-degree test that finds it: constraints and claims are fine.
	if !errors.Is(err, vstark.ErrRejected) || err.Error() != "the final polynomial differs from the last layer: "+vstark.ErrRejected.Error() {
		t.Errorf("refused for another reason: %v", err)
	}
}

// Main columns of a short component may differ between windows if their lookups do not: cells of a row that uses nothing.
func TestAperiodicMainColumnIsHarmless(t *testing.T) {
	cs := newCase(t, toy.Params(6), toy.Heights{Table: 6, Code: 4, Cube: 4, Pairs: 4}, 3)
	n := naiveOf(cs)
	off := -1
	for r, on := range cs.Trace.Main[toy.Cube][0] {
		if on.IsZero() {
			off = r
		}
	}
	if off < 0 {
		t.Fatal("no row is off")
	}
	n.main = func(rows [][]field.Element) {
		at := n.l.Main[toy.Cube]
		// Another value with its cube in the second window.
		v := field.New(7)
		rows[at+1][16+off] = v
		rows[at+2][16+off] = field.New(343)
	}
	if err := vstark.Verify(cs.Inst, n.proveCase(t, cs)); err != nil {
		t.Error(err)
	}
	// But a window that breaks a constraint is found, even one that is not the first.
	n = naiveOf(cs)
	n.main = func(rows [][]field.Element) { rows[n.l.Main[toy.Cube]+2][16+off] = field.New(12) }
	refused(t, cs.Inst, n.proveCase(t, cs))
}

// A claim that differs from the sum is found though all claims cancel.
func TestFalseClaimIsRefused(t *testing.T) {
	cs := newCase(t, toy.Params(5), toy.Heights{Table: 5, Code: 4, Cube: 4, Pairs: 4}, 3)
	n := naiveOf(cs)
	n.sums = func(claims []field.Ext) {
		claims[0] = field.Add(claims[0], field.One())
		claims[1] = field.Sub(claims[1], field.One())
	}
	refused(t, cs.Inst, n.proveCase(t, cs))
}

// A public tuple that cube does not yield is refused, and so is one left out.
func TestPublicLookupsBind(t *testing.T) {
	for name, change := range map[string]func(c *toy.Case){
		"another value": func(c *toy.Case) { increment(&c.Outputs[0][1]) },
		"left out":      func(c *toy.Case) { c.Outputs = c.Outputs[1:] },
		"twice":         func(c *toy.Case) { c.Outputs = append(c.Outputs, c.Outputs[0]) },
	} {
		cs := newCase(t, toy.Params(6), small, 4)
		p := prove(t, cs)
		change(cs)
		t.Run(name, func(t *testing.T) {
			refused(t, cs.Inst, p)
			refused(t, cs.Inst, prove(t, cs))
		})
	}
}
