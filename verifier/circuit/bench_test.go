package circuit

import (
	"math/rand/v2"
	"testing"

	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// BenchmarkBuild records a circuit of about the size of a merge: 60 k gates and 30 k hashes, in leaves of 40 blocks.
func BenchmarkBuild(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 14))
	cells := make([]field.Element, 320)
	for i := range cells {
		cells[i] = randomElement(r)
	}
	leaves := make([]hash.Digest, 1<<10)
	d := hash.Leaf(cells)
	for i := range leaves {
		leaves[i] = d
	}
	f := grow(leaves)
	x0 := randomExt(r)
	for b.Loop() {
		c := NewBuilder()
		c.PublicScalar(SideA, x0)
		c.Root(0, c.AdviceBlock(f.root()))
		for range 650 {
			place := uint32(r.IntN(len(leaves)))
			index := c.Advice(base(uint64(place)))
			c.Bits("index", index, f.depth())
			leaf, _ := c.Leaf(SideA, cells, []int{300, 312})
			c.Open(0, f.depth(), leaf, index, place, f.path(place))
		}
		x, acc := c.Advice(x0), Wire{}
		for i := range 53000 {
			acc = c.Add(c.Mul(acc, x), c.Const(field.New(uint64(i))))
			c.ref(acc)
		}
		out, err := c.Finish(Heights{})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(out.Gates), "gates")
		b.ReportMetric(float64(out.Rows[PoseidonTable]), "hashes")
	}
}
