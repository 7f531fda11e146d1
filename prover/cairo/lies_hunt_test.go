package cairo

import (
	"math/big"
	"testing"

	"github.com/seed06907907/fatty/verifier/cairo"
)

// TestFalseOutputIsRefused tells lies about the output of a public program, fits memory, steps and multiplicities to each as
// well as tables allow, and sends them through prover and verifier: what is left is one equation or lookup that does not hold.
func TestFalseOutputIsRefused(t *testing.T) {
	honest := everything(t)
	if err := proveAndVerify(t, honest); err != nil {
		t.Fatal(err)
	}
	// cell returns where the address table holds an address.
	cell := func(address uint32) (column string, row int) {
		return "id_" + itoa(int(address-1)%cairo.AddressesPerRow), int(address-1) / cairo.AddressesPerRow
	}
	start := honest.Public.Segments[0].Start
	// spare gives a row of the small table that nobody reads a value.
	spare := func(f *forger, v int64) uint32 {
		i, _ := f.at(cairo.NameSmall, "byte_0")
		refit(t, f.in)
		for row := range f.tables[i].Main[0] {
			if f.get(cairo.NameSmall, "limb_uses", row) == 0 && f.get(cairo.NameSmall, "byte_uses", row) == 0 {
				for b := range cairo.SmallBytes {
					f.set(cairo.NameSmall, "byte_"+itoa(b), row, v>>(8*b)&255)
				}
				return cairo.SmallID(row)
			}
		}
		t.Fatal("the small table has no padding row")
		return 0
	}
	for name, lie := range map[string]func(f *forger){
		"another value, everywhere in memory and in the program": func(f *forger) {
			f.rewrite(uint64(f.in.Public.Output[0].ID), big.NewInt(1235))
			f.in.Public.Output[0].Value = [32]byte{30: 1235 >> 8, 31: 1235 & 255}
		},
		"another value in the output's cell alone": func(f *forger) {
			id := spare(f, 1235)
			column, row := cell(start)
			f.set(cairo.NameAddress, column, row, int64(id))
			f.in.Public.Output[0] = cairo.OutputCell{ID: id, Value: [32]byte{30: 1235 >> 8, 31: 1235 & 255}}
			at, _ := f.at(cairo.NameGeneric, "enabler")
			for _, r := range f.rows(cairo.NameGeneric, "enabler") {
				for k, group := range operandGroups {
					if f.get(cairo.NameGeneric, "address_"+itoa(k), r) == uint64(start) {
						f.set(cairo.NameGeneric, "id_"+itoa(k), r, int64(id))
						f.setValue(cairo.NameGeneric, group, r, big.NewInt(1235))
						f.solve(at, r)
					}
				}
			}
		},
		"another value in the public data alone": func(f *forger) {
			id := spare(f, 1235)
			f.in.Public.Output[0] = cairo.OutputCell{ID: id, Value: [32]byte{30: 1235 >> 8, 31: 1235 & 255}}
		},
		"a cell more, that no step writes": func(f *forger) {
			id := spare(f, 7)
			column, row := cell(start + 2)
			f.set(cairo.NameAddress, column, row, int64(id))
			f.in.Public.Output = append(f.in.Public.Output, cairo.OutputCell{ID: id, Value: [32]byte{31: 7}})
			f.in.Public.Segments[0].Stop++
			f.in.Public.Segments[0].StopID = spare(f, int64(f.in.Public.Segments[0].Stop))
			column, row = cell(f.in.Public.FinalAP - 3)
			f.set(cairo.NameAddress, column, row, int64(f.in.Public.Segments[0].StopID))
		},
		"a cell less": func(f *forger) {
			f.in.Public.Output = f.in.Public.Output[:1]
			f.in.Public.Segments[0].Stop--
			f.in.Public.Segments[0].StopID = spare(f, int64(f.in.Public.Segments[0].Stop))
			column, row := cell(f.in.Public.FinalAP - 3)
			f.set(cairo.NameAddress, column, row, int64(f.in.Public.Segments[0].StopID))
		},
		"a step that is left out": func(f *forger) {
			rows := f.rows(cairo.NameGeneric, "enabler")
			f.set(cairo.NameGeneric, "enabler", rows[len(rows)/2], 0)
		},
		"a run that ends before its last steps": func(f *forger) {
			rows := f.rows(cairo.NameGeneric, "enabler")
			for _, r := range rows[len(rows)-3:] {
				f.set(cairo.NameGeneric, "enabler", r, 0)
			}
			f.in.Public.FinalAP = uint32(f.get(cairo.NameGeneric, "ap", rows[len(rows)-3]))
		},
		"cells of the range check beyond its segment": func(f *forger) {
			f.in.Public.Segments[1].Stop--
			f.in.Public.Segments[1].StopID = spare(f, int64(f.in.Public.Segments[1].Stop))
			column, row := cell(f.in.Public.FinalAP - 2)
			f.set(cairo.NameAddress, column, row, int64(f.in.Public.Segments[1].StopID))
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := forge(t, honest)
			f.t = t
			lie(f)
			if err := f.in.Public.Check(f.in.LogHeights); err != nil {
				t.Logf("refused before the proof: %v", err)
				return
			}
			f.mustRefuse()
			if err := proveAndVerify(t, f.in); err == nil {
				t.Error("a false statement verifies")
			}
		})
	}
}
