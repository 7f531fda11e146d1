package circuit

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/seed06907907/fatty/verifier/field"
	"github.com/seed06907907/fatty/verifier/hash"
)

// ErrUnsatisfied is wrapped by the error about the first thing that a circuit's values do not satisfy.
var ErrUnsatisfied = errors.New("the circuit's values do not satisfy it")

// ErrCircuit is wrapped by errors about a circuit that cannot be, whatever its values: a bound is passed, or a call makes no
// sense.
var ErrCircuit = errors.New("no such circuit")

// Bounds that the soundness of Merkle rows rests on (package doc).
const (
	codeStep  = 1 << 22 // between the codes of two trees, and bound of addresses and of rows
	maxHeight = 21      // log2 of the rows of a table
	maxTrees  = 500     // codes stay below p: p > 508 * 2^22
	maxDepth  = 24      // of a tree: indices stay below p
)

// Wire is a value of the extension in a circuit. The zero value is the constant 0. A wire belongs to its builder.
type Wire struct{ form int32 }

// Block is eight words in a circuit: a digest, or coordinates. A block belongs to its builder.
type Block struct{ ref int32 }

// A ref numbers a wire that has an address, or a block; both count from firstRef on. Smaller ones are the addresses of public
// slots, and 0 is no wire. Addresses of blocks come after those of wires.
const firstRef = addressScalars + 2

// slotCounts counts in how many slots each wire stands.
type slotCounts struct{ counts []int32 }

func (l *slotCounts) use(ref int32) {
	if ref != 0 {
		l.counts[ref]++
	}
}

// gate is a lane of table arithmetic; refs by slot, 0 for none.
type gate struct {
	ref [slots]int32
	q   [coefficients]field.Element
	bit bool
}

type constantRow struct {
	ref   int32
	block bool
	words hash.Digest
}

type packRow struct {
	blocks [packBlocks]int32
	exts   [packExts]int32
	words  [packWords]field.Element
	single bool // values are of the base field
}

// openingRow has a block for each of its first two slots, or the code of a node of a tree in the second one.
type openingRow struct {
	state, node int32
	code        uint32 // of a tree's node, else 0
	codeBalance int    // of the node
	index, sum  int32

	d     hash.Digest
	acc   field.Ext
	place field.Element
}

// hashRow is a step of a chain.
type hashRow struct {
	l, r, o int32
	side    Side
	left    hash.Digest
	right   hash.Digest
	in, out field.Ext
}

// Builder records a circuit and, at the same time, the values that its wires have in one run. The circuit is the same
// whatever the values are; they may be those of a false proof. The first thing that they do not satisfy is kept (Err).
type Builder struct {
	forms  []form
	values []field.Ext   // by ref of wires
	blocks []hash.Digest // by ref of blocks

	wireUses, blockUses slotCounts

	gates    []gate
	shared   map[gateKey]int32
	consts   map[field.Ext]int32
	constant map[hash.Digest]int32

	constants []constantRow
	packs     []packRow
	openings  []openingRow
	hashes    []hashRow
	trees     map[int]*tree
	order     []*tree

	singles   []int32 // wires that must be of the base field
	powers    [sides][hash.Rate + 1]field.Ext
	hasScalar [sides]bool
	isPublic  [PublicSlots]bool
	public    Public

	violated error
	failed   error
}

// NewBuilder starts a circuit.
func NewBuilder() *Builder {
	b := &Builder{
		forms:    make([]form, 1, 1<<12), // the constant 0
		values:   make([]field.Ext, firstRef, 1<<12),
		blocks:   make([]hash.Digest, firstRef, 1<<10),
		shared:   map[gateKey]int32{},
		consts:   map[field.Ext]int32{},
		constant: map[hash.Digest]int32{},
		trees:    map[int]*tree{},
	}
	b.wireUses.counts = make([]int32, firstRef, 1<<12)
	b.blockUses.counts = make([]int32, firstRef, 1<<10)
	return b
}

// Err returns an error that wraps ErrUnsatisfied if some value does not satisfy the circuit, with the label of the first.
func (b *Builder) Err() error { return b.violated }

// Fail notes that there is no such circuit; Finish returns the first error.
func (b *Builder) Fail(err error) {
	if b.failed == nil {
		b.failed = err
	}
}

func (b *Builder) fail(format string, args ...any) {
	b.Fail(fmt.Errorf(format+": %w", append(args, ErrCircuit)...))
}

func (b *Builder) violate(label string) {
	if b.violated == nil {
		b.violated = fmt.Errorf("%s: %w", label, ErrUnsatisfied)
	}
}

func (b *Builder) newWire(v field.Ext) int32 {
	b.values = append(b.values, v)
	b.wireUses.counts = append(b.wireUses.counts, 0)
	return int32(len(b.values) - 1)
}

func (b *Builder) newBlock(d hash.Digest) int32 {
	b.blocks = append(b.blocks, d)
	b.blockUses.counts = append(b.blockUses.counts, 0)
	return int32(len(b.blocks) - 1)
}

// addGate appends a gate and counts its slots.
func (b *Builder) addGate(g gate) {
	for _, ref := range g.ref {
		b.wireUses.use(ref)
	}
	b.gates = append(b.gates, g)
}

// plain is the wire of a ref.
func (b *Builder) plain(ref int32) Wire {
	f := form{a: ref, ref: ref, value: b.values[ref]}
	f.q[1].SetOne()
	return b.add(f)
}

func (b *Builder) add(f form) Wire {
	b.forms = append(b.forms, f)
	return Wire{int32(len(b.forms) - 1)}
}

// Value is the wire's value in this run.
func (b *Builder) Value(x Wire) field.Ext { return b.forms[x.form].value }

// Advice is a wire that the prover chooses. Nothing holds of it that the circuit does not say.
func (b *Builder) Advice(v field.Ext) Wire { return b.plain(b.newWire(v)) }

// Const is a constant of the base field.
func (b *Builder) Const(e field.Element) Wire {
	f := form{value: field.FromBase(e)}
	f.q[4] = e
	return b.add(f)
}

// ConstExt is a constant of the extension.
func (b *Builder) ConstExt(v field.Ext) Wire {
	if field.InBase(&v) {
		return b.Const(v.B0.A0)
	}
	return b.plain(b.constWire(v))
}

// Basis is the d-th element of the basis of field.Coords.
func (b *Builder) Basis(d int) Wire { return b.ConstExt(field.Basis(d)) }

// constWire is a wire of table constant.
func (b *Builder) constWire(v field.Ext) int32 {
	if ref, ok := b.consts[v]; ok {
		return ref
	}
	ref := b.newWire(v)
	b.consts[v] = ref
	row := constantRow{ref: ref}
	c := field.Coords(&v)
	copy(row.words[:], c[:])
	b.constants = append(b.constants, row)
	b.wireUses.use(ref)
	return ref
}

// Equal demands x = y. label says what is violated if not.
func (b *Builder) Equal(label string, x, y Wire) {
	if b.Value(x) != b.Value(y) {
		b.violate(label)
	}
	fx, fy := b.get(x), b.get(y)
	if fx.ref == 0 && fy.ref != 0 {
		x, y, fx, fy = y, x, fy, fx
	}
	switch {
	case fx.ref != 0 && fx.ref == fy.ref:
	case fx.ref != 0:
		b.gateOf(fy, fx.ref)
	default:
		if d, ok := combine(&fx, &fy, minusOne); ok {
			b.zero(d)
			return
		}
		ref := b.ref(x)
		b.gateOf(b.get(y), ref)
	}
}

// zero demands that a form f is 0, by a gate f + w = w for one of its wires w.
func (b *Builder) zero(f form) {
	w := cmp.Or(f.a, f.b, f.c)
	if w == 0 {
		if f.q[4].IsZero() {
			return
		}
		w = b.constWire(field.Ext{})
		b.gateOf(f, w)
		return
	}
	f.linear(w, one) // has room: the wire is there
	b.gateOf(f, w)
}

// gateOf appends the gate that gives a form's value to a wire.
func (b *Builder) gateOf(f form, out int32) {
	f.sort()
	b.addGate(gate{ref: [slots]int32{f.a, f.b, f.c, out}, q: f.q})
}

// Inverse demands that x is not 0 and returns 1/x.
func (b *Builder) Inverse(label string, x Wire) Wire {
	v := b.Value(x)
	if v.IsZero() {
		b.violate(label)
	} else {
		v.Inverse(&v)
	}
	y := b.Advice(v)
	b.zero(b.get(b.Sub(b.Mul(y, x), b.Const(one))))
	return y
}

// Join is the sum of basis element d times word d, of at most field.Degree words.
func (b *Builder) Join(words []Wire) Wire {
	if len(words) > field.Degree {
		b.fail("%d words are joined", len(words))
		words = words[:field.Degree]
	}
	var sum Wire
	for d, w := range words {
		sum = b.Add(b.Mul(b.Basis(d), w), sum)
	}
	return sum
}

// SetScalar sets the value of a side's scalar, before leaves of that side.
func (b *Builder) SetScalar(side Side, beta field.Ext) {
	if side <= SideNone || side > SideB {
		b.fail("side %d has a scalar", side)
		return
	}
	i := side - 1
	if b.hasScalar[i] && b.powers[i][1] != beta {
		b.fail("side %d has two scalars", side)
	}
	copy(b.powers[i][:], field.Powers(beta, hash.Rate+1))
	b.hasScalar[i] = true
	if side == SideA {
		b.public.A = beta
	} else {
		b.public.B = beta
	}
}

// PublicScalar is the wire of a side's public scalar; it sets the value, as SetScalar does. Once a side.
func (b *Builder) PublicScalar(side Side, beta field.Ext) Wire {
	if side <= SideNone || side > SideB || b.isPublic[side] {
		b.fail("side %d has no public scalar, or has it twice", side)
		return Wire{}
	}
	b.SetScalar(side, beta)
	b.isPublic[side] = true
	// A public slot is used once, so that public data need not know how often: by a copy.
	slot := addressScalars + int32(side) - 1
	b.values[slot] = beta
	f := form{a: slot}
	f.q[1].SetOne()
	ref := b.newWire(beta)
	b.gateOf(f, ref)
	return b.plain(ref)
}

// PublicBlock is the block of the statement, from the public data. Once a circuit.
func (b *Builder) PublicBlock(d hash.Digest) Block {
	if b.isPublic[addressStatement-1] {
		b.fail("the statement is taken twice")
		return Block{}
	}
	b.isPublic[addressStatement-1] = true
	b.public.Statement = d
	b.blocks[addressStatement] = d
	ref := b.newBlock(d)
	b.copyBlock(addressStatement, ref)
	return Block{ref}
}
