package stark_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/seed06907907/fatty/prover/stark/internal/toy"
	"github.com/seed06907907/fatty/verifier/field"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// small has a component of every kind of height at the smallest size with room for short ones.
var small = toy.Heights{Table: 4, Code: 5, Cube: 6, Pairs: 4}

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
// verifier refuses.
func TestMutatedCellIsRefused(t *testing.T) {
	honest := newCase(t, toy.Params(6), small, 7)
	for i, c := range honest.Inst.Set.Components {
		for j, name := range c.Main {
			t.Run(fmt.Sprintf("%s/%s", c.Name, name), func(t *testing.T) {
				for _, row := range []int{0, 5, len(honest.Trace.Main[i][j]) - 1} {
					cs := newCase(t, toy.Params(6), small, 7)
					increment(&cs.Trace.Main[i][j][row])
					refused(t, cs.Inst, prove(t, cs))
				}
			})
		}
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
	ch := vstark.NewChallenges(cs.Inst)
	root, _ := n.tree(vstark.TreeMain)
	sum, err := cs.Inst.PublicSum(ch.Lookup(root))
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
