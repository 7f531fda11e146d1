package circuit_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/seed06907907/fatty/prover/stark"
	"github.com/seed06907907/fatty/verifier/circuit"
	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// small makes a circuit that has rows of every kind and says that x^2 = 3.
func small(b *circuit.Builder, x field.Ext, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 1))
	element := func() field.Element { return field.New(r.Uint64N(field.Modulus)) }
	w := b.Advice(x)
	b.Equal("x^2 = 3", b.Mul(w, w), b.Const(field.New(3)))
	scalar := b.PublicScalar(circuit.SideB, field.FromCoords([field.Degree]field.Element{element(), element(), element(), element(), element(), element()}))

	cells := make([]field.Element, 30)
	for i := range cells {
		cells[i] = element()
	}
	place := uint32(r.IntN(4))
	path := make([]hash.Digest, 2)
	d := hash.Leaf(cells)
	for i := range path {
		for j := range path[i] {
			path[i][j] = element()
		}
		if place>>i&1 == 0 {
			d = hash.Compress(d, path[i])
		} else {
			d = hash.Compress(path[i], d)
		}
	}
	root := b.AdviceBlock(d)
	b.Root(0, root)
	index := b.Advice(field.FromBase(field.New(uint64(place))))
	b.Bits("index", index, 2)
	leaf, exts := b.Leaf(circuit.SideB, cells, []int{0, 24})
	sum := b.Open(0, 2, leaf, index, place, path)
	blocks := b.Pack([]circuit.Wire{w, sum, exts[0], exts[1], scalar})
	digest := root
	for _, x := range blocks {
		digest = b.Compress(digest, x)
	}
	b.EqualBlocks("statement", b.PublicBlock(b.BlockValue(digest)), digest)
}

func instance(t testing.TB, p vstark.Params, c *circuit.Circuit, root hash.Digest) *vstark.Instance {
	t.Helper()
	return &vstark.Instance{Set: circuit.Set(), Params: p, LogHeights: c.LogHeights, Scalars: make([][]field.Element, circuit.Tables),
		Ext: c.Public.Ext(), Preprocessed: root, PublicDigests: []hash.Digest{c.Public.Statement},
		PublicExt: []field.Ext{c.Public.A, c.Public.B}, PublicSum: c.Public.Sum}
}

// TestProof proves a circuit, and that a false one has no proof.
func TestProof(t *testing.T) {
	x := field.Basis(1)
	ctx := context.Background()
	p := vstark.Params{LogN: 6, LogBlowup: 1, Queries: 12, QueryGrind: 4, FoldLog: 2, FinalLog: 2}
	finish := func(x field.Ext, seed uint64) (*circuit.Circuit, error) {
		b := circuit.NewBuilder()
		small(b, x, seed)
		c, err := b.Finish(circuit.Heights{})
		if err != nil {
			t.Fatal(err)
		}
		return c, b.Err()
	}
	honest, err := finish(x, 1)
	if err != nil {
		t.Fatal(err)
	}
	pre, err := stark.CommitPreprocessed(ctx, circuit.Set(), p, honest.Tables)
	if err != nil {
		t.Fatal(err)
	}
	verify := func(c *circuit.Circuit) error {
		inst := instance(t, p, c, pre.Root())
		proof, err := stark.Prove(ctx, inst, pre, nil, &stark.Trace{Main: c.Main}, stark.Options{})
		if err != nil {
			t.Fatal(err)
		}
		data, err := proof.Encode(inst)
		if err != nil {
			t.Fatal(err)
		}
		again, err := vstark.DecodeProof(data, inst)
		if err != nil {
			t.Fatal(err)
		}
		return vstark.Verify(inst, again)
	}
	if err := verify(honest); err != nil {
		t.Fatal(err)
	}
	// Another run of the same circuit, by the same key.
	other, err := finish(x, 2)
	if err != nil {
		t.Fatal(err)
	}
	if err := verify(other); err != nil {
		t.Errorf("another run: %v", err)
	}
	forged, err := finish(field.Add(x, field.One()), 3)
	if err == nil || verify(forged) == nil {
		t.Errorf("a false value has a proof; the builder says %v", err)
	}
	// Each public word is bound, even where the transcript does not hold it: the bus does.
	for i, change := range []func(*circuit.Public){
		func(p *circuit.Public) { p.Statement[3] = field.New(3) },
		func(p *circuit.Public) { p.A = field.One() },
		func(p *circuit.Public) { p.B = field.One() },
	} {
		c := *honest
		change(&c.Public)
		if verify(&c) == nil {
			t.Errorf("public slot %d may say anything", i+1)
		}
	}
}
