package vm

import (
	"fmt"
	"math/big"
)

// hints0Uint256 is the hints of the module uint256.
var hints0Uint256 = []hint0{
	{
		digest: "11341b3d5d4cc14b6814b295bdd4a7ff578ad9af139624a504edc9fe4d1152c5",
		module: "starkware.cairo.common.uint256", name: "uint256_add: the carries", run: hintUint256Add,
	},
	{
		digest: "577ba077612ca79e524a1ad4e0c4d2923498ef102b2b8a5e47d92cf72bc1957c",
		module: "starkware.cairo.common.uint256", name: "split_64", run: hintSplit64,
	},
	{
		digest: "4bd794533636daed5d78b3a1f5d51e6ceed75ec8d07438e4f2ed22775f8a5831",
		module: "starkware.cairo.common.uint256", name: "uint256_sqrt", run: hintUint256Sqrt,
	},
	{
		digest: "6a6a149d5f174e5a7f82a23a271eecd60ab2df419d43dd2cb28d1cadb44b0a9f",
		module: "starkware.cairo.common.uint256", name: "uint256_signed_nn", run: hintUint256SignedNN,
	},
	{
		digest: "a528cab9bcc60777e368f3247908076f512f4e2d5791dee521952d8012d9320b",
		module: "starkware.cairo.common.uint256", name: "uint256_unsigned_div_rem", run: hintUint256DivRem,
	},
	{
		digest: "2fd3eb4a6b25049d2c58d32809797c8393abd5b9973c35055722c4a55d239bb5",
		module: "starkware.cairo.common.uint256", name: "uint256_mul_div_mod", run: hintUint256MulDivMod,
	},
}

// uint256 reads a Uint256 as high * 2^128 + low, whether or not its parts are 128-bit numbers.
func (c *hintContext) uint256(name string) (*big.Int, error) {
	low, high, err := c.integers(name+".low", name+".high")
	if err != nil {
		return nil, err
	}
	return high.Lsh(high, 128).Add(high, low), nil
}

// setUint256 writes a Uint256: the lowest 128 bits and all the rest, which is for the program to check.
func (c *hintContext) setUint256(name string, n *big.Int) error {
	low := new(big.Int).And(n, new(big.Int).Sub(rangeBound, big.NewInt(1)))
	if err := c.setInteger(name+".low", low); err != nil {
		return err
	}
	return c.setInteger(name+".high", new(big.Int).Rsh(n, 128))
}

func hintUint256Add(c *hintContext) error {
	shift, err := c.constant("SHIFT")
	if err != nil {
		return err
	}
	carry := new(big.Int)
	for _, part := range []string{"low", "high"} {
		a, b, err := c.integers("a."+part, "b."+part)
		if err != nil {
			return err
		}
		// The sum of two field elements and a carry, as integers.
		carries := a.Add(a, b).Add(a, carry).Cmp(shift) >= 0
		if err := c.setBool("carry_"+part, carries); err != nil {
			return err
		}
		carry.SetUint64(0)
		if carries {
			carry.SetUint64(1)
		}
	}
	return nil
}

func hintSplit64(c *hintContext) error {
	a, err := c.number("a")
	if err != nil {
		return err
	}
	l := a.limbs()
	if err := c.setID("low", uintValue(l[0])); err != nil {
		return err
	}
	return c.setID("high", value{a: l[1], b: l[2], c: l[3], d: tagFelt})
}

func hintUint256Sqrt(c *hintContext) error {
	n, err := c.uint256("n")
	if err != nil {
		return err
	}
	root := new(big.Int).Sqrt(n)
	if root.Cmp(rangeBound) >= 0 {
		return fmt.Errorf("uint256_sqrt: the root %v is not below 2^128", root)
	}
	return c.setUint256("root", root)
}

func hintUint256SignedNN(c *hintContext) error {
	high, err := c.integer("a.high")
	if err != nil {
		return err
	}
	return c.setNext(boolValue(high.BitLen() <= 127))
}

func hintUint256DivRem(c *hintContext) error {
	a, err := c.uint256("a")
	if err != nil {
		return err
	}
	div, err := c.uint256("div")
	if err != nil {
		return err
	}
	if div.Sign() == 0 {
		return errZeroDivision
	}
	quotient, remainder := new(big.Int).DivMod(a, div, new(big.Int))
	if err := c.setUint256("quotient", quotient); err != nil {
		return err
	}
	return c.setUint256("remainder", remainder)
}

func hintUint256MulDivMod(c *hintContext) error {
	a, err := c.uint256("a")
	if err != nil {
		return err
	}
	b, err := c.uint256("b")
	if err != nil {
		return err
	}
	div, err := c.uint256("div")
	if err != nil {
		return err
	}
	if div.Sign() == 0 {
		return errZeroDivision
	}
	quotient, remainder := new(big.Int).DivMod(a.Mul(a, b), div, new(big.Int))
	mask := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 256), big.NewInt(1))
	if err := c.setUint256("quotient_low", new(big.Int).And(quotient, mask)); err != nil {
		return err
	}
	if err := c.setUint256("quotient_high", new(big.Int).Rsh(quotient, 256)); err != nil {
		return err
	}
	return c.setUint256("remainder", remainder)
}
