package vm

import (
	"errors"
	"fmt"
	"math/big"

	"github.com/consensys/gnark-crypto/ecc/stark-curve/fp"
)

// hints0Math is the hints of the modules math, math_cmp, pow and log2_ceil.
var hints0Math = []hint0{
	{
		digest: "7e0d46e0797b2a33b76b3fc928ababfaedb4be4d1708c7a2c153348b699f18b9",
		module: "starkware.cairo.common.math", name: "assert_not_zero", run: hintAssertNotZero,
	},
	{
		digest: "818ebdc0c6059b8f8da6450b274c02e6047408fa3b5c916ce9096a0844b44d1f",
		module: "starkware.cairo.common.math", name: "assert_not_equal", run: hintAssertNotEqual,
	},
	{
		digest: "1c7a280d075d5788e1835ef5efbe5abda6f16cbdaa794719b24318c3f7fa17be",
		module: "starkware.cairo.common.math", name: "assert_nn", run: hintAssertNN,
	},
	{
		digest: "b88460acee22a44f138069b6a1442772ce1548ff585e082370689a1a21c0df20",
		module: "starkware.cairo.common.math", name: "assert_250_bit: the halves", run: hintAssert250Bit,
	},
	{
		digest: "8c2264dc893b8653e824d34258fdc5334f9847f9d4d5accc6b84d32b6c260797",
		module: "starkware.cairo.common.math", name: "split_felt: the halves", run: hintSplitFelt,
	},
	{
		digest: "6d5b6188a3cd7a82f236626ace1fbc4d15bc3214202c2a33a0244eaa8d9b3843",
		module: "starkware.cairo.common.math", name: "assert_le_felt: two short arcs", run: hintArcs,
	},
	{
		digest: "e0472bba57f446c70c90c94654c96f9b189807483556bb99b48d4891f4374645",
		module: "starkware.cairo.common.math", name: "assert_le_felt: is arc 0 one of them", run: hintArcIncluded(0),
	},
	{
		digest: "411d8d0956a9a054ec7bbac67f136c0c011bcd6b6eb6c31c9f571d466be2b75a",
		module: "starkware.cairo.common.math", name: "assert_le_felt: is arc 1 one of them", run: hintArcIncluded(1),
	},
	{
		digest: "3ce638f7c68ed00a70540101624e500f976d64a701aeb72e45f9d227f5ee51c0",
		module: "starkware.cairo.common.math", name: "assert_le_felt: arc 2 is not", run: hintLastArcExcluded,
	},
	{
		digest: "c0c0a637f9660c4e52d6ccadefdae2b820572f14f1d3a68f9cc55f9dd744759e",
		module: "starkware.cairo.common.math", name: "assert_lt_felt", run: hintAssertLtFelt,
	},
	{
		digest: "0da5c4351ef7497e929fd5dc42a125fa06f19328f9b7183fd0bab8ee4ef649c3",
		module: "starkware.cairo.common.math", name: "abs_value, sign: is it positive", run: hintIsPositive,
	},
	{
		digest: "0b2f3b93af241b3491f8fc21ce4298644a5f4c4513e7e0c7f17d11bd600a463a",
		module: "starkware.cairo.common.math", name: "unsigned_div_rem", run: hintUnsignedDivRem,
	},
	{
		digest: "a522c3d49fcb3ceaf14380bcf51b8eeea2fe8897e0a83707b56e8186ca4690e8",
		module: "starkware.cairo.common.math", name: "signed_div_rem", run: hintSignedDivRem,
	},
	{
		digest: "9b19206756caf8467f5a5877e0bcc2dc1d8ded43e9e0d383ff0f1f9fa95ede2c",
		module: "starkware.cairo.common.math", name: "split_int: nothing is left", run: hintSplitIntEnd,
	},
	{
		digest: "1dbdc0f35468f980ae149c5fe3c68eff846dbb01c2d1920ef1d3e92093f26529",
		module: "starkware.cairo.common.math", name: "split_int: the lowest limb", run: hintSplitIntLimb,
	},
	{
		digest: "5dd2012f3d82643fdedba2e28ea3b51ddb0da25d5f5eee6ec0cdad5722c87d34",
		module: "starkware.cairo.common.math", name: "sqrt", run: hintSqrt,
	},
	{
		digest: "6ecedf0cf0c9545d565be8945d73de57fa2c4b6d35bcea96834329fe75a4b461",
		module: "starkware.cairo.common.math", name: "is_quad_residue: a root of x or of x/3", run: hintQuadResidue,
	},
	{
		digest: "c081a08346d7fefdd3b0d580e00fddc02a9cece40201b62c012b42f642f46d34",
		module: "starkware.cairo.common.math_cmp", name: "is_nn: is a out of range", run: hintIsOutOfRange,
	},
	{
		digest: "73dbcabd4744d651f3484c2d84ef1dc1a7804a4924433bbb8de51c17ea96c06d",
		module: "starkware.cairo.common.math_cmp", name: "is_nn: is -a-1 out of range", run: hintIsComplementOutOfRange,
	},
	{
		digest: "1fce3b2e61e9297cb922b3624d93ed215fcb7ae23a854ffd9357136f5b831fa5",
		module: "starkware.cairo.common.math_cmp", name: "is_le_felt: is a above b", run: hintIsAbove,
	},
	{
		digest: "e245e9ff002a851d844d6a964c1189a1735ea65bd1d73440af61c58deffe84cd",
		module: "starkware.cairo.common.pow", name: "pow: the exponent's lowest bit", run: hintPowBit,
	},
	{
		digest: "494c667d98b4278cbb8f9d849e98dbcec1e3cbba5e081f38b586b5c6d2545cd9",
		module: "starkware.cairo.common.pow", name: "signed_pow: the base has an inverse", run: hintPowBase,
	},
	{
		digest: "ceadf83445b7ee6f66da2e51e89d22e6340947c0bcd215cea33c5d65407a83f4",
		module: "starkware.cairo.common.log2_ceil", name: "log2_ceil", run: hintLog2Ceil,
	},
}

var (
	errZeroDivision = errors.New("division by zero")

	// rangeBound is the bound of the range_check builtin.
	rangeBound = new(big.Int).Lsh(big.NewInt(1), 128)
	// maxDivisor is the largest divisor of the division functions: a quotient below rangeBound times it stays below P.
	maxDivisor = new(big.Int).Div(prime, rangeBound)
	// maxDivisorValue is the same in the VM's form.
	maxDivisorValue = bigValue(maxDivisor)
	// halfPrime divides the non-negative from the negative numbers.
	halfPrime = new(big.Int).Rsh(prime, 1)
)

// setInteger writes ids.NAME where the hint computed n as an integer: one that is no field element is an error, not
// reduced, as in the reference.
func (c *hintContext) setInteger(name string, n *big.Int) error {
	if n.Sign() < 0 || n.Cmp(prime) >= 0 {
		return fmt.Errorf("ids.%s would become %v, which is no field element", name, n)
	}
	return c.setID(name, bigValue(n))
}

// setBool writes ids.NAME as 0 or 1.
func (c *hintContext) setBool(name string, b bool) error { return c.setID(name, boolValue(b)) }

// numbers reads two names at once.
func (c *hintContext) numbers(first, second string) (x, y value, err error) {
	if x, err = c.number(first); err != nil {
		return value{}, value{}, err
	}
	y, err = c.number(second)
	return x, y, err
}

// integers reads two names at once.
func (c *hintContext) integers(first, second string) (x, y *big.Int, err error) {
	a, b, err := c.numbers(first, second)
	if err != nil {
		return nil, nil, err
	}
	return a.big(), b.big(), nil
}

func hintAssertNotZero(c *hintContext) error {
	v, err := c.number("value")
	if err != nil {
		return err
	}
	if v.isZero() {
		return errors.New("assert_not_zero: the value is 0")
	}
	return nil
}

func hintAssertNotEqual(c *hintContext) error {
	a, err := c.value("a")
	if err != nil {
		return err
	}
	b, err := c.value("b")
	if err != nil {
		return err
	}
	comparable := a.isFelt() && b.isFelt() || a.isAddress() && b.isAddress() && a.address().seg == b.address().seg
	if !comparable {
		return fmt.Errorf("assert_not_equal: %v and %v cannot be compared", a, b)
	}
	if a == b {
		return fmt.Errorf("assert_not_equal: both are %v", a)
	}
	return nil
}

func hintAssertNN(c *hintContext) error {
	a, err := c.number("a")
	if err != nil {
		return err
	}
	if !a.fits128() {
		return fmt.Errorf("assert_nn: %v is not in [0, 2^128)", a)
	}
	return nil
}

func hintAssert250Bit(c *hintContext) error {
	v, err := c.integer("value")
	if err != nil {
		return err
	}
	bound, err := c.constant("UPPER_BOUND")
	if err != nil {
		return err
	}
	shift, err := c.constant("SHIFT")
	if err != nil {
		return err
	}
	if v.Cmp(bound) >= 0 {
		return fmt.Errorf("assert_250_bit: %v is not in [0, 2^250)", v)
	}
	if shift.Sign() == 0 {
		return errZeroDivision
	}
	high, low := new(big.Int).DivMod(v, shift, new(big.Int))
	if err := c.setInteger("high", high); err != nil {
		return err
	}
	return c.setInteger("low", low)
}

func hintSplitFelt(c *hintContext) error {
	// The check of the low part relies on P - 1 being a multiple of 2^128.
	maxHigh, err := c.constant("MAX_HIGH")
	if err != nil {
		return err
	}
	maxLow, err := c.constant("MAX_LOW")
	if err != nil {
		return err
	}
	if maxHigh.Cmp(new(big.Int).Rsh(prime, 128)) != 0 || maxLow.Sign() != 0 {
		return fmt.Errorf("split_felt: the program's constants, %v and %v, are not this field's", maxHigh, maxLow)
	}
	v, err := c.number("value")
	if err != nil {
		return err
	}
	l := v.limbs()
	if err := c.setID("low", value{a: l[0], b: l[1], d: tagFelt}); err != nil {
		return err
	}
	return c.setID("high", value{a: l[2], b: l[3], d: tagFelt})
}

// hintArcs prepares the proof of a <= b: of the arcs from 0 to a, from a to b and from b to P-1, the two shortest are
// shown to be short, so that they do not wrap around. Equal lengths are taken in the arcs' order.
func hintArcs(c *hintContext) error {
	a, b, err := c.numbers("a", "b")
	if err != nil {
		return err
	}
	if b.less(a) {
		return fmt.Errorf("assert_le_felt: %v is above %v", a, b)
	}
	lengths := [3]value{a, subFelts(b, a), subFelts(intValue(-1), b)}
	order := [3]int{0, 1, 2}
	sortPair := func(i, j int) {
		if lengths[order[j]].less(lengths[order[i]]) {
			order[i], order[j] = order[j], order[i]
		}
	}
	// A stable sort of three: only neighbours are exchanged, and only if they are out of order.
	sortPair(0, 1)
	sortPair(1, 2)
	sortPair(0, 1)
	// The lengths sum to P-1, so the shortest is at most P/3 and the next at most P/2.
	c.setVariable("excluded", order[2])

	base, err := c.relocatable("range_check_ptr")
	if err != nil {
		return err
	}
	for i, name := range []string{"PRIME_OVER_3_HIGH", "PRIME_OVER_2_HIGH"} {
		divisor, err := c.constant(name)
		if err != nil {
			return err
		}
		if divisor.Sign() <= 0 {
			return errZeroDivision
		}
		high, low := new(big.Int).DivMod(lengths[order[i]].big(), divisor, new(big.Int))
		p, ok := base.addOffset(int64(2 * i))
		if !ok {
			return errAddressRange
		}
		if err := c.setRange(p, []value{bigValue(low), bigValue(high)}); err != nil {
			return err
		}
	}
	return nil
}

// hintArcIncluded says whether an arc is one of the two shortest.
func hintArcIncluded(arc int) func(*hintContext) error {
	return func(c *hintContext) error {
		excluded, err := scopeVariable[int](c, "excluded")
		if err != nil {
			return err
		}
		return c.setNext(boolValue(excluded != arc))
	}
}

func hintLastArcExcluded(c *hintContext) error {
	excluded, err := scopeVariable[int](c, "excluded")
	if err != nil {
		return err
	}
	if excluded != 2 {
		return fmt.Errorf("assert_le_felt: arc %d is the long one, not arc 2", excluded)
	}
	return nil
}

func hintAssertLtFelt(c *hintContext) error {
	a, b, err := c.numbers("a", "b")
	if err != nil {
		return err
	}
	if !a.less(b) {
		return fmt.Errorf("assert_lt_felt: %v is not below %v", a, b)
	}
	return nil
}

func hintIsPositive(c *hintContext) error {
	v, err := c.number("value")
	if err != nil {
		return err
	}
	// Numbers of at most 128 bits are non-negative, their negatives are negative; the rest is out of range.
	if v.fits128() {
		return c.setBool("is_positive", !v.isZero())
	}
	if negValue(v).fits128() {
		return c.setBool("is_positive", false)
	}
	return fmt.Errorf("%v is not in (-2^128, 2^128)", v)
}

func hintUnsignedDivRem(c *hintContext) error {
	v, err := c.number("value")
	if err != nil {
		return err
	}
	div, err := c.divisor()
	if err != nil {
		return err
	}
	q, r := divModValues(v, div)
	if err := c.setID("q", q); err != nil {
		return err
	}
	return c.setID("r", r)
}

// divisor is ids.div where it is one that a quotient of 128 bits can be checked for: in (0, P / 2^128].
func (c *hintContext) divisor() (value, error) {
	div, err := c.number("div")
	if err != nil {
		return value{}, err
	}
	if div.isZero() {
		return value{}, errZeroDivision
	}
	if maxDivisorValue.less(div) {
		return value{}, fmt.Errorf("the divisor %v is above P / 2^128", div)
	}
	return div, nil
}

func hintSignedDivRem(c *hintContext) error {
	div, err := c.divisor()
	if err != nil {
		return err
	}
	bound, v, err := c.integers("bound", "value")
	if err != nil {
		return err
	}
	if bound.BitLen() > 128 || bound.Cmp(new(big.Int).Rsh(rangeBound, 1)) > 0 {
		return fmt.Errorf("signed_div_rem: the bound %v is above 2^127", bound)
	}
	if v.Cmp(halfPrime) >= 0 {
		v.Sub(v, prime)
	}
	// The divisor is positive, so the Euclidean quotient is the floor.
	q, r := new(big.Int).DivMod(v, div.big(), new(big.Int))
	if q.Cmp(bound) >= 0 || q.Cmp(new(big.Int).Neg(bound)) < 0 {
		return fmt.Errorf("signed_div_rem: the quotient %v is not in [-%v, %v)", q, bound, bound)
	}
	if err := c.setInteger("r", r); err != nil {
		return err
	}
	return c.setInteger("biased_q", q.Add(q, bound))
}

func hintSplitIntEnd(c *hintContext) error {
	v, err := c.number("value")
	if err != nil {
		return err
	}
	if !v.isZero() {
		return errors.New("split_int: the value has more limbs")
	}
	return nil
}

func hintSplitIntLimb(c *hintContext) error {
	v, base, err := c.integers("value", "base")
	if err != nil {
		return err
	}
	bound, err := c.integer("bound")
	if err != nil {
		return err
	}
	if base.Sign() == 0 {
		return errZeroDivision
	}
	output, err := c.relocatable("output")
	if err != nil {
		return err
	}
	limb := v.Mod(v, base)
	if limb.Cmp(bound) >= 0 {
		return fmt.Errorf("split_int: the limb %v is not below %v", limb, bound)
	}
	return c.set(output, bigValue(limb))
}

func hintSqrt(c *hintContext) error {
	v, err := c.integer("value")
	if err != nil {
		return err
	}
	if v.BitLen() > 250 {
		return fmt.Errorf("sqrt: %v is not in [0, 2^250)", v)
	}
	return c.setInteger("root", v.Sqrt(v))
}

// hintQuadResidue finds the smaller root of x or, as 3 is no square in the field, of x/3.
func hintQuadResidue(c *hintContext) error {
	x, err := c.felt("x")
	if err != nil {
		return err
	}
	var root Felt
	if root.Sqrt(&x) == nil {
		var third Felt
		third.SetUint64(3)
		third.Inverse(&third)
		third.Mul(&third, &x)
		if root.Sqrt(&third) == nil {
			return fmt.Errorf("is_quad_residue: neither %v nor a third of it has a root", &x)
		}
	}
	var other fp.Element
	other.Neg(&root)
	if other.Cmp(&root) < 0 {
		root = other
	}
	return c.setID("y", feltValue(root))
}

func hintIsOutOfRange(c *hintContext) error {
	a, err := c.number("a")
	if err != nil {
		return err
	}
	return c.setNext(boolValue(!a.fits128()))
}

func hintIsComplementOutOfRange(c *hintContext) error {
	a, err := c.number("a")
	if err != nil {
		return err
	}
	return c.setNext(boolValue(!subFelts(intValue(-1), a).fits128()))
}

func hintIsAbove(c *hintContext) error {
	a, b, err := c.numbers("a", "b")
	if err != nil {
		return err
	}
	return c.setNext(boolValue(b.less(a)))
}

func hintPowBit(c *hintContext) error {
	exp, err := c.number("prev_locs.exp")
	if err != nil {
		return err
	}
	return c.setID("locs.bit", uintValue(exp.limbs()[0]&1))
}

func hintPowBase(c *hintContext) error {
	base, err := c.value("base")
	if err != nil {
		return err
	}
	if base.isZero() {
		return errors.New("signed_pow: 0 has no negative power")
	}
	return nil
}

func hintLog2Ceil(c *hintContext) error {
	v, err := c.integer("value")
	if err != nil {
		return err
	}
	if v.Sign() == 0 {
		return errors.New("log2_ceil: 0 has no logarithm")
	}
	return c.setID("res", uintValue(uint64(v.Sub(v, big.NewInt(1)).BitLen())))
}
