package verifier_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/seed06907907/fatty/prover"
	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier"
	"github.com/seed06907907/fatty/verifier/cairo"
	"github.com/seed06907907/fatty/verifier/stark"
)

// proven is one honest run, proven with the real parameters: the smallest proof that there is.
var proven = sync.OnceValues(func() (*prover.Result, error) {
	data, err := os.ReadFile(filepath.Join("..", "examples", "lcg", "lcg.json"))
	if err != nil {
		return nil, err
	}
	p, err := vm.Load(data)
	if err != nil {
		return nil, err
	}
	input := make([]vm.Felt, 4)
	for i, v := range []uint64{7, 12345, 3, 0} {
		input[i].SetUint64(v)
	}
	return prover.Prove(context.Background(), p, input, prover.Options{Life: [32]byte{1, 2}, Anchor: [32]byte{31: 3}})
})

func honest(t testing.TB) *prover.Result {
	t.Helper()
	r, err := proven()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func file(t testing.TB) []byte {
	t.Helper()
	r := honest(t)
	b, err := verifier.EncodeEnvelope(r.Program, r.Proof)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// typed says whether an error is one of those that callers branch on.
func typed(err error) bool {
	return errors.Is(err, verifier.ErrFormat) || errors.Is(err, verifier.ErrVersion) || errors.Is(err, verifier.ErrInvalid) ||
		errors.Is(err, cairo.ErrProgram)
}

// TestFlippedBitOfAWholeProofIsRefused flips one bit at places all over a proof of real size. Each refusal is one of the errors
// that callers know.
func TestFlippedBitOfAWholeProofIsRefused(t *testing.T) {
	proof := honest(t).Proof
	if _, err := verifier.Verify(proof, verifier.Accept{}); err != nil {
		t.Fatal(err)
	}
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	bad := bytes.Clone(proof)
	for i := r.IntN(flipStride); i < len(proof); i += flipStride {
		bit := byte(1) << r.IntN(8)
		bad[i] ^= bit
		if s, err := verifier.Verify(bad, verifier.Accept{}); err == nil {
			t.Fatalf("seed %d: byte %d of %d, bit %#x flipped and accepted: %+v", seed, i, len(proof), bit, s)
		} else if !typed(err) {
			t.Fatalf("seed %d: byte %d, bit %#x: an error without a kind: %v", seed, i, bit, err)
		}
		bad[i] ^= bit
	}
}

// TestWordsMovedOrCutAreRefused takes bytes out, puts bytes in, and exchanges blocks, so that lengths shift.
func TestWordsMovedOrCutAreRefused(t *testing.T) {
	proof := honest(t).Proof
	r := rand.New(rand.NewPCG(2, rand.Uint64()))
	for range movedWords {
		bad := bytes.Clone(proof)
		n := 4 * (1 + r.IntN(16))
		i, j := 4*r.IntN((len(bad)-n)/4), 4*r.IntN((len(bad)-n)/4)
		switch r.IntN(4) {
		case 0:
			bad = append(bad[:i:i], bad[i+n:]...)
		case 1:
			bad = append(append(bytes.Clone(bad[:i]), proof[j:j+n]...), proof[i:]...)
		case 2:
			copy(bad[i:i+n], proof[j:])
		default:
			bad = bad[:r.IntN(len(bad))]
		}
		if bytes.Equal(bad, proof) {
			continue
		}
		if _, err := verifier.Verify(bad, verifier.Accept{}); err == nil || !typed(err) {
			t.Fatalf("%d bytes moved from %d to %d: %v", n, j, i, err)
		}
	}
}

// TestWordPlusModulusIsRefused adds p to words wherever they stay below 2^32: another encoding of the same proof.
func TestWordPlusModulusIsRefused(t *testing.T) {
	const p = 2130706433
	proof := honest(t).Proof
	r := rand.New(rand.NewPCG(3, rand.Uint64()))
	bad := bytes.Clone(proof)
	for range movedWords {
		i := len(bad) - 4*(1+r.IntN(len(bad)/4-1)) // the STARK is a row of 4-byte words from the end on
		old := binary.BigEndian.Uint32(bad[i:])
		binary.BigEndian.PutUint32(bad[i:], old+p)
		if _, err := verifier.Verify(bad, verifier.Accept{}); err == nil {
			t.Fatalf("word at %d: %d and %d are both accepted", i, old, old+p)
		}
		binary.BigEndian.PutUint32(bad[i:], old)
	}
}

func instanceOf(t testing.TB, security, logN int, heights func(i int) int, public *cairo.PublicData) (*verifier.Head, *stark.Instance) {
	t.Helper()
	var logHeights []int
	for i, c := range cairo.Core().Components {
		k := heights(i)
		if c.LogHeight != 0 {
			k = c.LogHeight
		}
		logHeights = append(logHeights, k)
	}
	head, err := verifier.NewHead(honest(t).Program, security, logN, [32]byte{}, [32]byte{}, logHeights, public)
	if err != nil {
		t.Fatal(err)
	}
	inst, err := head.Instance()
	if err != nil {
		t.Fatal(err)
	}
	return head, inst
}

// emptyPublic are public data of the example that pass every check and say nothing true.
func emptyPublic(t testing.TB, output int) *cairo.PublicData {
	t.Helper()
	b, err := cairo.ParseBuiltins(honest(t).Program.Builtins)
	if err != nil {
		t.Fatal(err)
	}
	d := &cairo.PublicData{Builtins: b, InitialAP: 1000, FinalAP: 2000, Output: make([]cairo.OutputCell, output)}
	for range b.Count() {
		d.Segments = append(d.Segments, cairo.Segment{Start: 3000, Stop: 3000})
	}
	d.Segments[0].Stop += uint32(output)
	return d
}

// programHeight is the height that the program's table must have.
func programHeight(t testing.TB) (at, k int) {
	t.Helper()
	_, k, err := cairo.ProgramColumns(honest(t).Program.Bytecode)
	if err != nil {
		t.Fatal(err)
	}
	_, at = cairo.Core().Component(cairo.NameProgram)
	return at, k
}

// TestShapeCountsTheProtocolsTerms compares what the security calculator is told with what the protocol batches.
func TestShapeCountsTheProtocolsTerms(t *testing.T) {
	at, k := programHeight(t)
	for _, n := range verifier.PinnedSizes() {
		_, inst := instanceOf(t, verifier.Security100, n, func(i int) int {
			if i == at {
				return k
			}
			return n
		}, emptyPublic(t, 5))
		l, err := stark.NewLayout(inst)
		if err != nil {
			t.Fatal(err)
		}
		s, err := verifier.ShapeOf(inst)
		if err != nil {
			t.Fatal(err)
		}
		words := 2 * len(inst.Set.Components)
		for _, columns := range l.Columns {
			words += len(columns)
		}
		if s.Words < words {
			t.Errorf("2^%d: %d words are batched, the calculator is told %d", n, words, s.Words)
		}
		if s.Constraints < l.Constraints {
			t.Errorf("2^%d: %d constraints, the calculator is told %d", n, l.Constraints, s.Constraints)
		}
		fractions, degree := 0.0, 1
		for i, c := range inst.Set.Components {
			fractions += float64(len(c.Lookups)) * float64(int(1)<<inst.LogHeights[i])
			for _, k := range c.Constraints {
				degree = max(degree, int(c.Nodes[k.Root].Degree))
			}
			for _, batch := range c.Batches {
				d := 1 // the running sum
				for _, j := range batch {
					m := 1
					for _, x := range c.Lookups[j].Tuple {
						m = max(m, int(c.Nodes[x].Degree))
					}
					d += m
				}
				degree = max(degree, d)
			}
		}
		if s.Fractions < fractions+1 || s.TupleLen < 1+stark.WidestRelation(inst.Set) || s.MaxDegree < degree {
			t.Errorf("2^%d: %g fractions, tuples of %d, degree %d; the calculator is told %g, %d, %d", n, fractions,
				1+stark.WidestRelation(inst.Set), degree, s.Fractions, s.TupleLen, s.MaxDegree)
		}
		p := inst.Params
		if s.LogN != p.LogN || s.LogBlowup != p.LogBlowup || s.Queries != p.Queries || s.Grind != p.QueryGrind || s.FoldLog != p.FoldLog ||
			s.FinalLog != p.FinalLog || s.Degree != 6 || s.Points < 3 {
			t.Errorf("2^%d: parameters %+v, the calculator is told %+v", n, p, s)
		}
	}
}

// hostile returns bytes that cost a verifier as much as a stranger can make them without work of his own: public data of the
// largest output, then a STARK of the right lengths that is all zeros.
func hostile(t testing.TB, output int) []byte {
	t.Helper()
	at, k := programHeight(t)
	head, inst := instanceOf(t, verifier.Security124, 16, func(i int) int {
		if i == at {
			return k
		}
		return 16
	}, emptyPublic(t, output))
	p, err := zeroProof(inst)
	if err != nil {
		t.Fatal(err)
	}
	b, err := head.Encode(inst, p)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// zeroProof has the lengths of a proof that opens one place.
func zeroProof(inst *stark.Instance) (*stark.Proof, error) {
	l, err := stark.NewLayout(inst)
	if err != nil {
		return nil, err
	}
	return stark.Blank(l), nil
}

// TestHostileProofCostsBoundedMemory measures what the largest public data make a verifier allocate.
func TestHostileProofCostsBoundedMemory(t *testing.T) {
	bad := hostile(t, cairo.MaxOutput)
	if len(bad) > verifier.MaxProofBytes {
		t.Fatalf("%d bytes", len(bad))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := verifier.Verify(bad, verifier.Accept{}); !errors.Is(err, verifier.ErrInvalid) {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	t.Logf("%d bytes make the verifier allocate %d", len(bad), allocated)
	if allocated > 64*uint64(len(bad)) {
		t.Errorf("%d bytes make the verifier allocate %d", len(bad), allocated)
	}
}

// TestOutputLongerThanAskedIsRefusedFirst gives a bound on the output to honest and hostile proofs.
func TestOutputLongerThanAskedIsRefusedFirst(t *testing.T) {
	clock := verifier.Accept{MaxOutput: verifier.ClockFelts}
	if _, err := verifier.Verify(honest(t).Proof, clock); err != nil {
		t.Errorf("a clock's output is refused: %v", err)
	}
	if _, err := verifier.Verify(honest(t).Proof, verifier.Accept{MaxOutput: 4}); !errors.Is(err, verifier.ErrVersion) {
		t.Errorf("five felts where four are asked: %v", err)
	}
	if _, err := verifier.Verify(hostile(t, 6), clock); !errors.Is(err, verifier.ErrVersion) {
		t.Errorf("six felts where five are asked: %v", err)
	}
}

func BenchmarkVerifyHostileOutput(b *testing.B) {
	bad := hostile(b, cairo.MaxOutput)
	b.SetBytes(int64(len(bad)))
	for b.Loop() {
		if _, err := verifier.Verify(bad, verifier.Accept{}); err == nil {
			b.Fatal("accepted")
		}
	}
}

func BenchmarkVerifyHonest(b *testing.B) {
	proof := honest(b).Proof
	b.SetBytes(int64(len(proof)))
	for b.Loop() {
		if _, err := verifier.Verify(proof, verifier.Accept{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkKeyOfTheLargestProgram is what a published program makes a validator compute.
func BenchmarkKeyOfTheLargestProgram(b *testing.B) {
	p := verifier.Program{Builtins: honest(b).Program.Builtins, Bytecode: append([]verifier.Felt(nil), honest(b).Program.Bytecode...)}
	for len(p.Bytecode) < verifier.MaxBytecode {
		p.Bytecode = append(p.Bytecode, verifier.Felt{31: 7})
	}
	for b.Loop() {
		if _, err := p.Key(); err != nil {
			b.Fatal(err)
		}
	}
}

// TestKeysTellProgramsApart derives keys of programs that differ in as little as possible.
func TestKeysTellProgramsApart(t *testing.T) {
	base := honest(t).Program
	keys, cids := map[verifier.Key]string{}, map[string]string{}
	try := func(name string, p verifier.Program) {
		t.Helper()
		k, err := p.Key()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		c, err := p.CID()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if other, ok := keys[k]; ok {
			t.Errorf("%s and %s have one key", name, other)
		}
		if other, ok := cids[c.String()]; ok {
			t.Errorf("%s and %s have one content id", name, other)
		}
		keys[k], cids[c.String()] = name, name
	}
	with := func(change func(p *verifier.Program)) verifier.Program {
		p := verifier.Program{Bytecode: append([]verifier.Felt(nil), base.Bytecode...), Builtins: append([]string(nil), base.Builtins...)}
		change(&p)
		return p
	}
	try("the program", base)
	try("a zero behind it", with(func(p *verifier.Program) { p.Bytecode = append(p.Bytecode, verifier.Felt{}) }))
	try("two zeros behind it", with(func(p *verifier.Program) { p.Bytecode = append(p.Bytecode, verifier.Felt{}, verifier.Felt{}) }))
	try("its last felt gone", with(func(p *verifier.Program) { p.Bytecode = p.Bytecode[:len(p.Bytecode)-1] }))
	last := len(base.Bytecode) - 1
	for _, i := range []int{0, 7, 8, 31} {
		try("byte "+string(rune('a'+i))+" of the last felt", with(func(p *verifier.Program) {
			p.Bytecode[last] = verifier.Felt{}
			p.Bytecode[last][i] = 3
		}))
	}
	for _, builtins := range [][]string{{}, {"output"}, {"range_check"}, {"bitwise"}, {"output", "range_check"}, {"output", "bitwise"},
		{"range_check", "bitwise"}, {"output", "range_check", "bitwise"}} {
		if len(builtins) == len(base.Builtins) && (len(builtins) == 0 || builtins[len(builtins)-1] == base.Builtins[len(builtins)-1]) {
			continue
		}
		try("builtins", with(func(p *verifier.Program) {
			p.Builtins = builtins
			p.Bytecode[1] = verifier.Felt{31: byte(len(builtins))}
		}))
	}
	for n := range 6 {
		p := with(func(p *verifier.Program) { p.Bytecode = p.Bytecode[:n] })
		if _, err := p.Key(); err == nil {
			t.Errorf("a program of %d felts has a key", n)
		}
	}
}

// FuzzVerify changes a proof in any way: no panic, and nothing but the proof itself is accepted.
func FuzzVerify(f *testing.F) {
	r, err := proven()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(0), []byte{}, uint32(0))
	f.Add(uint32(8), []byte{0, 1, 17, 1}, uint32(0))
	f.Add(uint32(len(r.Proof)-4), []byte{0, 0, 0, 0}, uint32(4))
	for i := 0; i < 900; i += 31 {
		f.Add(uint32(i), []byte{0xff, 0xff, 0xff, 0xff}, uint32(4))
	}
	f.Fuzz(func(t *testing.T, at uint32, replacement []byte, cut uint32) {
		from := int(at) % (len(r.Proof) + 1)
		to := min(len(r.Proof), from+int(cut%4096))
		bad := append(append(bytes.Clone(r.Proof[:from]), replacement...), r.Proof[to:]...)
		s, err := verifier.Verify(bad, verifier.Accept{})
		if err == nil && !bytes.Equal(bad, r.Proof) {
			t.Fatalf("another proof is accepted: %+v", s)
		}
		if err != nil && !typed(err) {
			t.Fatalf("an error without a kind: %v", err)
		}
	})
}

// FuzzDecodeEnvelope reads any file: what is read is written again byte for byte.
func FuzzDecodeEnvelope(f *testing.F) {
	b := file(f)
	f.Add(b[:2048])
	f.Add(b[:14])
	f.Add([]byte("FATTYENV"))
	block, err := honest(f).Program.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b[:14+len(block)])
	f.Fuzz(func(t *testing.T, b []byte) {
		p, proof, err := verifier.DecodeEnvelope(b)
		if err != nil {
			return
		}
		again, err := verifier.EncodeEnvelope(p, proof)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("read, but written otherwise: %v", err)
		}
	})
}

// FuzzDecodeProgram reads any block: what is read is written again byte for byte, so a program has one content id.
func FuzzDecodeProgram(f *testing.F) {
	block, err := honest(f).Program.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(block)
	small := verifier.Program{Bytecode: []verifier.Felt{{31: 1}}}
	if block, err = small.Encode(); err != nil {
		f.Fatal(err)
	}
	f.Add(block)
	f.Add(bytes.Replace(block, []byte{0x80}, []byte{0xf6}, 1)) // null for no builtins
	f.Add([]byte{0xa0})
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := verifier.DecodeProgram(b)
		if err != nil {
			return
		}
		again, err := p.Encode()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("read, but written otherwise: %v", err)
		}
		if len(p.Bytecode) < 64 {
			_, _ = p.Key() // must not panic; most programs have none
		}
	})
}

// TestEnvelopeEndsWithItsProof puts bytes behind, between and into a proof file.
func TestEnvelopeEndsWithItsProof(t *testing.T) {
	good := file(t)
	if _, _, err := verifier.VerifyFile(good, verifier.Accept{}); err != nil {
		t.Fatal(err)
	}
	n := binary.BigEndian.Uint32(good[10:])
	for name, bad := range map[string][]byte{
		"a byte behind":               append(bytes.Clone(good), 0),
		"a byte between":              append(append(bytes.Clone(good[:14+n]), 0), good[14+n:]...),
		"the program one byte longer": append(append(append(bytes.Clone(good[:10]), binary.BigEndian.AppendUint32(nil, n+1)...), good[14:14+n]...), append([]byte{0}, good[14+n:]...)...),
		"a program that is too long":  append(append(bytes.Clone(good[:10]), 0xff, 0xff, 0xff, 0xff), good[14:]...),
		"no proof":                    good[:14+n],
	} {
		if _, _, err := verifier.VerifyFile(bad, verifier.Accept{}); err == nil || !typed(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
