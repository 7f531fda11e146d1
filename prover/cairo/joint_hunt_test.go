package cairo

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/verifier/air"
	"github.com/seed06907907/fatty/verifier/cairo"
)

// trueAnyway lists by table the changes that leave a row true: the two ranges of a step's carries overlap, and a row that decodes
// an instruction for nobody may decode the same word at another address.
var trueAnyway = map[string]bool{
	cairo.NameGeneric + " carry_shift": true,
	cairo.NameInstruction + " pc":      true,
}

// TestJointChangesAreRefused changes two to five cells of a row at once, by amounts that could cancel, computes anew what
// follows from them, and expects the oracle to refuse. Values come from elsewhere in the column as often as not, since those
// pass lookups that strange ones do not.
func TestJointChangesAreRefused(t *testing.T) {
	in := everything(t)
	a := newAttack(t, in)
	r := rand.New(rand.NewPCG(21, 22))
	for i, c := range a.set.Components {
		if c.Name == cairo.NameBytes {
			continue
		}
		tried, rows := 0, len(a.tables[i].Main[0])
		for range jointChanges {
			row := r.IntN(rows)
			cells := map[int]air.Element{}
			bits := r.IntN(2) == 0 // flags and other bits, which go together
			for range 2 + r.IntN(4) {
				col := r.IntN(len(c.Main))
				if freeCells(a, i, col, row) != "" {
					continue
				}
				old := a.tables[i].Main[col][row]
				v := old
				switch {
				case bits && (old.IsZero() || old.IsOne()):
					v.SetOne()
					v.Sub(&v, &old)
				case r.IntN(2) == 0:
					v = a.tables[i].Main[col][r.IntN(rows)]
				default:
					d := deltas(r)
					x := d[r.IntN(len(d))]
					v.Add(&v, &x)
				}
				if v != old {
					cells[col] = v
				}
			}
			if len(cells) == 0 {
				continue
			}
			tried++
			names := func() (out []string) {
				for col := range cells {
					out = append(out, c.Main[col])
				}
				return out
			}
			if a.try(t, i, row, cells, nil) == "" && !trueAnyway[c.Name+" "+strings.Join(names(), " ")] {
				t.Errorf("%s, row %d: a change of %v is accepted", c.Name, row, names())
			}
			a.repair(t, i, row, cells)
			if a.try(t, i, row, cells, nil) == "" && !trueAnyway[c.Name+" "+strings.Join(names(), " ")] {
				t.Errorf("%s, row %d: a change of %v with what follows is accepted", c.Name, row, names())
			}
		}
		if tried == 0 && c.Name != cairo.NameProgram {
			t.Errorf("%s: no row has cells that are bound", c.Name)
		}
	}
}
