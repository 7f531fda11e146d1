package vm

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"math/bits"

	"github.com/consensys/gnark-crypto/ecc/stark-curve/fp"
)

// coreState is what the Cairo 2 hints of one run keep.
type coreState struct {
	dicts    map[int32]*coreDict
	squash   *coreSquash
	arc      int // the arc that the last AssertLeFindSmallArcs left out
	arcKnown bool
	// pool is the shared segment of AllocConstantSize, at its next free cell.
	pool      address
	poolMade  bool
	points    uint64  // random points drawn so far
	panicData []value // of the last AddMarker
}

// coreHints is every Cairo 2 hint the VM knows: the core hints, the deprecated ones of older compilers, and those of the
// executables' entry code.
var coreHints = indexCoreHints([]coreHint{
	{"AllocSegment", nil, fields("dst"), coreAllocSegment},
	{"TestLessThan", fields("lhs rhs"), fields("dst"), coreTestLess},
	{"TestLessThanOrEqual", fields("lhs rhs"), fields("dst"), coreTestLessOrEqual},
	{"TestLessThanOrEqualAddress", fields("lhs rhs"), fields("dst"), coreTestLessOrEqual},
	{"WideMul128", fields("lhs rhs"), fields("high low"), coreWideMul},
	{"DivMod", fields("lhs rhs"), fields("quotient remainder"), coreDivMod},
	{"Uint256DivMod", fields("dividend0 dividend1 divisor0 divisor1"),
		fields("quotient0 quotient1 remainder0 remainder1"), coreUint256DivMod},
	{"Uint512DivModByUint256", fields("dividend0 dividend1 dividend2 dividend3 divisor0 divisor1"),
		fields("quotient0 quotient1 quotient2 quotient3 remainder0 remainder1"), coreUint512DivMod},
	{"SquareRoot", fields("value"), fields("dst"), coreSquareRoot},
	{"Uint256SquareRoot", fields("value_low value_high"),
		fields("sqrt0 sqrt1 remainder_low remainder_high sqrt_mul_2_minus_remainder_ge_u128"), coreUint256SquareRoot},
	{"LinearSplit", fields("value scalar max_x"), fields("x y"), coreLinearSplit},
	{"AllocFelt252Dict", fields("segment_arena_ptr"), nil, coreAllocDict},
	{"Felt252DictEntryInit", fields("dict_ptr key"), nil, coreDictEntryInit},
	{"Felt252DictEntryUpdate", fields("dict_ptr value"), nil, coreDictEntryUpdate},
	{"GetSegmentArenaIndex", fields("dict_end_ptr"), fields("dict_index"), coreArenaIndex},
	{"InitSquashData", fields("dict_accesses ptr_diff n_accesses"), fields("big_keys first_key"), coreInitSquash},
	{"GetCurrentAccessIndex", fields("range_check_ptr"), nil, coreAccessIndex},
	{"ShouldSkipSquashLoop", nil, fields("should_skip_loop"), coreSkipSquash},
	{"GetCurrentAccessDelta", nil, fields("index_delta_minus1"), coreAccessDelta},
	{"ShouldContinueSquashLoop", nil, fields("should_continue"), coreContinueSquash},
	{"GetNextDictKey", nil, fields("next_key"), coreNextKey},
	{"AssertLeFindSmallArcs", fields("range_check_ptr a b"), nil, coreFindArcs},
	{"AssertLeIsFirstArcExcluded", nil, fields("skip_exclude_a_flag"), coreFirstArc},
	{"AssertLeIsSecondArcExcluded", nil, fields("skip_exclude_b_minus_a"), coreSecondArc},
	{"RandomEcPoint", nil, fields("x y"), coreRandomPoint},
	{"FieldSqrt", fields("val"), fields("sqrt"), coreFieldSqrt},
	{"DebugPrint", fields("start end"), nil, coreDebugPrint},
	{"AllocConstantSize", fields("size"), fields("dst"), coreAllocConstant},
	{"U256InvModN", fields("b0 b1 n0 n1"), fields("g0_or_no_inv g1_option s_or_r0 s_or_r1 t_or_k0 t_or_k1"),
		coreInvModN},
	{"EvalCircuit", fields("n_add_mods add_mod_builtin n_mul_mods mul_mod_builtin"), nil, coreEvalCircuit},

	{"AssertCurrentAccessIndicesIsEmpty", nil, nil, coreNothing},
	{"AssertAllAccessesUsed", nil, fields("n_used_accesses"), coreNothing},
	{"AssertAllKeysUsed", nil, nil, coreNothing},
	{"AssertLeAssertThirdArcExcluded", nil, nil, coreNothing},
	{"AssertLtAssertValidInput", fields("a b"), nil, coreNothing},
	{"Felt252DictRead", fields("dict_ptr key"), fields("value_dst"), coreDictRead},
	{"Felt252DictWrite", fields("dict_ptr key value"), nil, coreDictWrite},

	{"AddRelocationRule", fields("src dst"), nil, coreAddRule},
	{"WriteRunParam", fields("index"), fields("dst"), coreWriteParam},
	{"AddMarker", fields("start end"), nil, coreAddMarker},
	{"AddTrace", fields("flag"), nil, coreNothing},
})

func indexCoreHints(hints []coreHint) map[string]*coreHint {
	index := make(map[string]*coreHint, len(hints))
	for i := range hints {
		index[hints[i].name] = &hints[i]
	}
	return index
}

// coreNothing is a hint that changes nothing: an assertion that the program makes too, or one for debuggers.
func coreNothing(*coreContext) error { return nil }

func coreAllocSegment(c *coreContext) error {
	base, err := c.m.memory.addSegment()
	if err != nil {
		return err
	}
	return c.set(0, addressValue(base))
}

func coreTestLess(c *coreContext) error {
	v, err := c.numbers()
	if err != nil {
		return err
	}
	return c.set(0, boolValue(v[0].less(v[1])))
}

// coreTestLessOrEqual compares numbers, or addresses by segment and offset; an address is below every number.
func coreTestLessOrEqual(c *coreContext) error {
	x, err := c.value(0)
	if err != nil {
		return err
	}
	y, err := c.value(1)
	if err != nil {
		return err
	}
	var le bool
	switch {
	case x.isFelt() && y.isFelt():
		le = !y.less(x)
	case x.isAddress() && y.isAddress():
		p, q := x.address(), y.address()
		le = p.seg < q.seg || p.seg == q.seg && p.off <= q.off
	default:
		le = x.isAddress()
	}
	return c.set(0, boolValue(le))
}

// mask128 is 2^128 - 1.
var mask128 = new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), big.NewInt(1))

// limbs128 cuts n into 128-bit limbs, the lowest first; the last takes the rest.
func limbs128(n *big.Int, count int) []value {
	out := make([]value, count)
	rest := new(big.Int).Set(n)
	for i := range count - 1 {
		out[i] = bigValue(new(big.Int).And(rest, mask128))
		rest.Rsh(rest, 128)
	}
	out[count-1] = bigValue(rest)
	return out
}

// join128 is the number with the given 128-bit limbs, the lowest first.
func join128(limbs ...value) *big.Int {
	n := new(big.Int)
	for i := len(limbs) - 1; i >= 0; i-- {
		n.Lsh(n, 128).Add(n, limbs[i].big())
	}
	return n
}

func coreWideMul(c *coreContext) error {
	v, err := c.numbers()
	if err != nil {
		return err
	}
	if x, ok := v[0].small(); ok {
		if y, ok := v[1].small(); ok {
			hi, lo := bits.Mul64(x, y)
			return c.setAll(uintValue(0), value{a: lo, b: hi, d: tagFelt})
		}
	}
	product := new(big.Int).Mul(v[0].big(), v[1].big())
	limbs := limbs128(product, 2)
	return c.setAll(limbs[1], limbs[0])
}

var errDivisorZero = errors.New("division by zero")

func coreDivMod(c *coreContext) error {
	x, err := c.number(0)
	if err != nil {
		return err
	}
	y, err := c.number(1)
	if err != nil {
		return err
	}
	if y.isZero() {
		return errDivisorZero
	}
	q, r := divModValues(x, y)
	return c.setAll(q, r)
}

// divModValues divides integers; y is not zero.
func divModValues(x, y value) (q, r value) {
	if x.fits128() && y.fits128() {
		if y.b == 0 {
			hi, rest := bits.Div64(0, x.b, y.a)
			lo, rest := bits.Div64(rest, x.a, y.a)
			return value{a: lo, b: hi, d: tagFelt}, uintValue(rest)
		}
		return divMod128(x, y)
	}
	quotient, rest := new(big.Int).QuoRem(x.big(), y.big(), new(big.Int))
	return bigValue(quotient), bigValue(rest)
}

// divMod128 divides by a number of 65 to 128 bits: the quotient of the top bits is right or one too great (Warren,
// Hacker's Delight, section 9-5).
func divMod128(x, y value) (q, r value) {
	shift := uint(bits.LeadingZeros64(y.b))
	top := y.b<<shift | y.a>>1>>(63-shift)
	estimate, _ := bits.Div64(x.b>>1, x.b<<63|x.a>>1, top)
	estimate >>= 63 - shift
	if estimate > 0 {
		estimate--
	}
	hi, lo := bits.Mul64(y.a, estimate)
	hi += y.b * estimate
	a, borrow := bits.Sub64(x.a, lo, 0)
	b, _ := bits.Sub64(x.b, hi, borrow)
	if b > y.b || b == y.b && a >= y.a {
		estimate++
		a, borrow = bits.Sub64(a, y.a, 0)
		b, _ = bits.Sub64(b, y.b, borrow)
	}
	return uintValue(estimate), value{a: a, b: b, d: tagFelt}
}

func coreUint256DivMod(c *coreContext) error { return c.divMod(2) }

func coreUint512DivMod(c *coreContext) error { return c.divMod(4) }

// divMod divides a number of so many limbs by one of two.
func (c *coreContext) divMod(limbs int) error {
	v, err := c.numbers()
	if err != nil {
		return err
	}
	divisor := join128(v[limbs:]...)
	if divisor.Sign() == 0 {
		return errDivisorZero
	}
	q, r := new(big.Int).QuoRem(join128(v[:limbs]...), divisor, new(big.Int))
	return c.setAll(append(limbs128(q, limbs), limbs128(r, 2)...)...)
}

func coreSquareRoot(c *coreContext) error {
	v, err := c.number(0)
	if err != nil {
		return err
	}
	return c.set(0, bigValue(new(big.Int).Sqrt(v.big())))
}

func coreUint256SquareRoot(c *coreContext) error {
	v, err := c.numbers()
	if err != nil {
		return err
	}
	n := join128(v...)
	root := new(big.Int).Sqrt(n)
	rest := new(big.Int).Sub(n, new(big.Int).Mul(root, root))
	mask64 := new(big.Int).SetUint64(1<<64 - 1)
	limbs := limbs128(rest, 2)
	twice := new(big.Int).Lsh(root, 1)
	twice.Sub(twice, rest)
	return c.setAll(bigValue(new(big.Int).And(root, mask64)), bigValue(new(big.Int).Rsh(root, 64)), limbs[0], limbs[1],
		boolValue(twice.Cmp(mask128) > 0))
}

func coreLinearSplit(c *coreContext) error {
	v, err := c.numbers()
	if err != nil {
		return err
	}
	if v[1].isZero() {
		return errDivisorZero
	}
	x, _ := divModValues(v[0], v[1])
	if v[2].less(x) {
		x = v[2]
	}
	return c.setAll(x, subFelts(v[0], mulFelts(x, v[1])))
}

// Arcs of AssertLe: to show a <= b, two of the lengths of [0, a], [a, b], [b, P-1] are shown to be below P/3 and P/2.
var (
	thirdArc = ceilShift128(prime, 3)
	halfArc  = ceilShift128(prime, 2)
)

// ceilShift128 is ceil(ceil(n / d) / 2^128), for d that does not divide n.
func ceilShift128(n *big.Int, d int64) *big.Int {
	q := new(big.Int).Div(n, big.NewInt(d))
	q.Rsh(q, 128)
	return q.Add(q, big.NewInt(1))
}

func coreFindArcs(c *coreContext) error {
	at, err := c.pointer(0)
	if err != nil {
		return err
	}
	a, err := c.number(1)
	if err != nil {
		return err
	}
	b, err := c.number(2)
	if err != nil {
		return err
	}
	arcs := [3]struct {
		length value
		index  int
	}{{a, 0}, {subFelts(b, a), 1}, {subFelts(intValue(-1), b), 2}}
	// Sorted by length, then by index, as both reference runners do: insertion keeps equal ones in order.
	for i := 1; i < 3; i++ {
		for j := i; j > 0 && arcs[j].length.less(arcs[j-1].length); j-- {
			arcs[j], arcs[j-1] = arcs[j-1], arcs[j]
		}
	}
	c.m.core.arc, c.m.core.arcKnown = arcs[2].index, true
	for i, bound := range []*big.Int{thirdArc, halfArc} {
		q, r := new(big.Int).QuoRem(arcs[i].length.big(), bound, new(big.Int))
		for j, v := range []*big.Int{r, q} {
			if err := c.m.memory.set(address{at.seg, at.off + int64(2*i+j)}, bigValue(v)); err != nil {
				return err
			}
		}
	}
	return nil
}

func coreFirstArc(c *coreContext) error { return c.arcExcluded(0) }

func coreSecondArc(c *coreContext) error { return c.arcExcluded(1) }

// arcExcluded writes whether another arc than this one was left out.
func (c *coreContext) arcExcluded(arc int) error {
	if !c.m.core.arcKnown {
		return errors.New("no arcs were found before")
	}
	return c.set(0, boolValue(c.m.core.arc != arc))
}

// curveBeta is the constant of the Stark curve y^2 = x^3 + x + beta.
var curveBeta = limbsFelt([4]uint64{0xf4cdfcb99cee9e89, 0x609ad26c15c915c1, 0x150e596d72f7a8c5, 0x06f21413efbe40de})

// coreRandomPoint draws a point of the curve. The reference draws at random; here it is a hash of the run's input and a
// counter, so that a run can be repeated, and yet nobody can choose an input to fit the point.
func coreRandomPoint(c *coreContext) error {
	h := sha256.New()
	h.Write([]byte("fatty/vm/random-ec-point"))
	var buf [32]byte
	for _, v := range c.m.input {
		v.putBytes(&buf)
		h.Write(buf[:])
	}
	seed := h.Sum(nil)
	for {
		c.m.core.points++
		var counter [8]byte
		binary.BigEndian.PutUint64(counter[:], c.m.core.points)
		digest := sha256.Sum256(append(seed[:len(seed):len(seed)], counter[:]...))
		var x, y, t fp.Element
		x.SetBytes(digest[:31])
		t.Square(&x).Mul(&t, &x).Add(&t, &x).Add(&t, &curveBeta)
		if y.Sqrt(&t) != nil {
			return c.setAll(feltValue(x), feltValue(y))
		}
	}
}

func coreFieldSqrt(c *coreContext) error {
	v, err := c.number(0)
	if err != nil {
		return err
	}
	// 3 is no square, so that one of v and 3v is.
	x := v.felt()
	var root fp.Element
	if root.Sqrt(&x) == nil {
		var three fp.Element
		three.SetUint64(3)
		x.Mul(&x, &three)
		if root.Sqrt(&x) == nil {
			return errors.New("neither the value nor three times the value is a square")
		}
	}
	r := feltValue(root)
	if minus := negValue(r); minus.less(r) {
		r = minus
	}
	return c.set(0, r)
}

// readRange reads numbers from one pointer to another.
func (c *coreContext) readRange(limit int64) ([]value, error) {
	from, err := c.pointer(0)
	if err != nil {
		return nil, err
	}
	to, err := c.pointer(1)
	if err != nil {
		return nil, err
	}
	n := to.off - from.off
	if from.seg != to.seg || n < 0 || n > limit {
		return nil, fmt.Errorf("from %v to %v there is no range of at most %d cells", from, to, limit)
	}
	out := make([]value, 0, min(n, pageCells))
	for ; from != to; from.off++ {
		v, err := c.read(from)
		if err != nil {
			return nil, err
		}
		if !v.isFelt() {
			return nil, fmt.Errorf("cell %v: %w", from, errNotFelt)
		}
		out = append(out, v)
	}
	return out, nil
}

// coreDebugPrint prints nothing: the last array printed is the machine's opening, handed on to the caller of Run.
func coreDebugPrint(c *coreContext) error {
	opening, err := c.readRange(MaxOpening)
	if err != nil {
		return err
	}
	c.m.opening = opening
	return nil
}

// maxPanicData bounds how much of a panic's data an error repeats.
const maxPanicData = 64

// coreAddMarker keeps the data of a panic for the error that follows.
func coreAddMarker(c *coreContext) error {
	if data, err := c.readRange(maxPanicData); err == nil {
		c.m.core.panicData = data
	}
	return nil
}

func coreAllocConstant(c *coreContext) error {
	n, err := c.count(0)
	if err != nil {
		return err
	}
	s := &c.m.core
	if !s.poolMade {
		if s.pool, err = c.m.memory.addSegment(); err != nil {
			return err
		}
		s.poolMade = true
	}
	at := s.pool
	s.pool.off += int64(n)
	return c.set(0, addressValue(at))
}

func coreInvModN(c *coreContext) error {
	v, err := c.numbers()
	if err != nil {
		return err
	}
	b, n := join128(v[0], v[1]), join128(v[2], v[3])
	one := big.NewInt(1)
	switch g := new(big.Int).GCD(nil, nil, n, b); {
	case n.Sign() == 0:
		return errors.New("the modulus is zero")
	case n.Cmp(one) == 0:
		return c.setAll(uintValue(1), uintValue(0), v[0], v[1], uintValue(1), uintValue(0))
	case g.Cmp(one) != 0:
		// A factor that shows there is no inverse: two if there is an even one, so that its low limb is never zero.
		if g.Bit(0) == 0 {
			g.SetInt64(2)
		}
		limbs := append(limbs128(g, 2), limbs128(new(big.Int).Div(b, g), 2)...)
		return c.setAll(append(limbs, limbs128(new(big.Int).Div(n, g), 2)...)...)
	}
	r := new(big.Int).ModInverse(b, n)
	k := new(big.Int).Mul(r, b)
	k.Sub(k, one).Div(k, n)
	if err := c.set(0, uintValue(0)); err != nil {
		return err
	}
	for i, v := range append(limbs128(r, 2), limbs128(k, 2)...) { // g1_option stays unset
		if err := c.set(2+i, v); err != nil {
			return err
		}
	}
	return nil
}

func coreAddRule(c *coreContext) error {
	src, err := c.pointer(0)
	if err != nil {
		return err
	}
	dst, err := c.pointer(1)
	if err != nil {
		return err
	}
	return c.m.memory.addRule(src, dst)
}

// coreWriteParam writes the run's one parameter, the input vector: its start and its end.
func coreWriteParam(c *coreContext) error {
	index, err := c.number(0)
	if err != nil {
		return err
	}
	if !index.isZero() {
		return fmt.Errorf("run parameter %v is asked for; there is only number 0, the input", index)
	}
	base, err := c.m.memory.addSegment()
	if err != nil {
		return err
	}
	for i, v := range c.m.input {
		if err := c.m.memory.set(address{base.seg, int64(i)}, v); err != nil {
			return err
		}
	}
	dst := c.at(c.hint.cells[0])
	if err := c.m.memory.set(dst, addressValue(base)); err != nil {
		return err
	}
	return c.m.memory.set(address{dst.seg, dst.off + 1}, addressValue(address{base.seg, int64(len(c.m.input))}))
}
