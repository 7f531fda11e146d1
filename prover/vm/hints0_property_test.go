package vm

import (
	"context"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// A library function proves what its hint claims, so a run that ends is right; these tests demand for inputs over the
// functions' whole domains that the hints find something that can be proved, and hold the results to plain integers.

var one = big.NewInt(1)

func pow2(n uint) *big.Int { return new(big.Int).Lsh(one, n) }

// below draws an integer in [0, n), often near the ends or near a power of two.
func below(t *rapid.T, label string, n *big.Int) *big.Int {
	v := new(big.Int)
	switch rapid.IntRange(0, 3).Draw(t, label+" kind") {
	case 0:
		v.SetUint64(rapid.Uint64Range(0, 3).Draw(t, label))
	case 1:
		v.Sub(n, new(big.Int).SetUint64(rapid.Uint64Range(1, 4).Draw(t, label)))
	case 2:
		v.Add(pow2(rapid.UintRange(0, uint(n.BitLen())).Draw(t, label+" bit")), big.NewInt(rapid.Int64Range(-2, 2).Draw(t, label)))
	default:
		v.SetBytes(rapid.SliceOfN(rapid.Byte(), 32, 64).Draw(t, label))
	}
	return v.Mod(v, n)
}

// call runs a program of testdata/hints0 and returns its output.
func call(t *rapid.T, program *Program, layout string, input ...*big.Int) []*big.Int {
	r, err := Run(context.Background(), program, bigFelts(input), Config{Layout: layout, MaxSteps: hintTestSteps})
	if err != nil {
		t.Fatalf("input %v: %v", input, err)
	}
	var out []*big.Int
	for _, v := range r.Output {
		out = append(out, v.BigInt(new(big.Int)))
	}
	return out
}

func bigFelts(in []*big.Int) []Felt {
	out := make([]Felt, len(in))
	for i, n := range in {
		out[i] = bigValue(n).felt()
	}
	return out
}

func expect(t *rapid.T, what string, got []*big.Int, want ...*big.Int) {
	if !slices.EqualFunc(got, want, func(x, y *big.Int) bool { return x.Cmp(y) == 0 }) {
		t.Fatalf("%s: got %v, want %v", what, got, want)
	}
}

func truth(b bool) *big.Int {
	if b {
		return big.NewInt(1)
	}
	return new(big.Int)
}

// TestMathProperties follows the numbering of the program math.
func TestMathProperties(t *testing.T) {
	program, file := loadHintProgram(t, "math")
	rapid.Check(t, func(t *rapid.T) {
		which := rapid.SampledFrom([]int64{8, 9, 10, 12, 14, 15, 18, 19, 20, 21, 25, 26, 28}).Draw(t, "function")
		run := func(args ...*big.Int) []*big.Int {
			in := append([]*big.Int{big.NewInt(which)}, args...)
			for len(in) < 4 {
				in = append(in, new(big.Int))
			}
			return call(t, program, file.Layout, in...)
		}
		switch which {
		case 8:
			expect(t, "assert_250_bit", run(below(t, "v", pow2(250))))
		case 9:
			v := below(t, "v", prime)
			high, low := new(big.Int).DivMod(v, rangeBound, new(big.Int))
			expect(t, "split_felt", run(v), high, low)
		case 10:
			b := below(t, "b", prime)
			a := below(t, "a", new(big.Int).Add(b, one))
			expect(t, "assert_le_felt", run(a, b))
		case 12:
			v := below(t, "v", rangeBound)
			expect(t, "abs_value", run(new(big.Int).Mod(new(big.Int).Neg(v), prime)), v)
		case 14:
			div := new(big.Int).Add(below(t, "div", maxDivisor), one)
			q, r := below(t, "q", rangeBound), below(t, "r", div)
			v := new(big.Int).Mul(q, div)
			expect(t, "unsigned_div_rem", run(v.Add(v, r), div), q, r)
		case 15:
			div := new(big.Int).Add(below(t, "div", maxDivisor), one)
			bound := new(big.Int).Add(below(t, "bound", pow2(127)), one)
			q := below(t, "q", new(big.Int).Lsh(bound, 1))
			q.Sub(q, bound)
			r := below(t, "r", div)
			v := new(big.Int).Mul(q, div)
			v.Mod(v.Add(v, r), prime)
			expect(t, "signed_div_rem", run(v, div, bound), new(big.Int).Mod(q, prime), r)
		case 18:
			base := new(big.Int).Add(below(t, "base", new(big.Int).Sub(pow2(80), big.NewInt(2))), big.NewInt(2))
			limbs := []*big.Int{below(t, "x0", base), below(t, "x1", base), below(t, "x2", base)}
			v := new(big.Int).Mul(limbs[2], base)
			v.Mul(v.Add(v, limbs[1]), base)
			expect(t, "split_int", run(v.Add(v, limbs[0]), base, base), limbs...)
		case 19:
			v := below(t, "v", pow2(250))
			expect(t, "sqrt", run(v), new(big.Int).Sqrt(v))
		case 20:
			v := below(t, "v", prime)
			expect(t, "is_quad_residue", run(v), truth(big.Jacobi(v, prime) >= 0))
		case 21:
			v := below(t, "v", prime)
			expect(t, "is_nn", run(v), truth(v.Cmp(rangeBound) < 0))
		case 25:
			a, b := below(t, "a", prime), below(t, "b", prime)
			expect(t, "is_le_felt", run(a, b), truth(a.Cmp(b) <= 0))
		case 26:
			a, b := below(t, "a", prime), below(t, "b", pow2(251))
			expect(t, "pow", run(a, b), new(big.Int).Exp(a, b, prime))
		case 28:
			v := new(big.Int).Add(below(t, "v", rangeBound), one)
			expect(t, "log2_ceil", run(v), big.NewInt(int64(new(big.Int).Sub(v, one).BitLen())))
		}
	})
}

// TestUint256Properties follows the numbering of the program uint256.
func TestUint256Properties(t *testing.T) {
	program, file := loadHintProgram(t, "uint256")
	mask := new(big.Int).Sub(rangeBound, one)
	words := func(n *big.Int) []*big.Int {
		return []*big.Int{new(big.Int).And(n, mask), new(big.Int).Rsh(n, 128)}
	}
	rapid.Check(t, func(t *rapid.T) {
		which := rapid.SampledFrom([]int64{0, 2, 3, 5, 6}).Draw(t, "function")
		a, b := below(t, "a", pow2(256)), below(t, "b", pow2(256))
		c := new(big.Int).Add(below(t, "c", new(big.Int).Sub(pow2(256), one)), one)
		in := slices.Concat([]*big.Int{big.NewInt(which)}, words(a), words(b), words(c))
		if which == 5 {
			in = slices.Concat(in[:3], words(c), words(b))
		}
		got := call(t, program, file.Layout, in...)
		product := new(big.Int).Mul(a, b)
		switch which {
		case 0:
			sum := new(big.Int).Add(a, b)
			carry := new(big.Int).Rsh(sum, 256)
			sum.Mod(sum, pow2(256))
			expect(t, "uint256_add", got, append(words(sum), carry)...)
		case 2:
			high, low := new(big.Int).DivMod(product, pow2(256), new(big.Int))
			expect(t, "uint256_mul", got, append(words(low), words(high)...)...)
		case 3:
			expect(t, "uint256_sqrt", got, words(new(big.Int).Sqrt(a))...)
		case 5:
			q, r := new(big.Int).DivMod(a, c, new(big.Int))
			expect(t, "uint256_unsigned_div_rem", got, append(words(q), words(r)...)...)
		case 6:
			q, r := new(big.Int).DivMod(product, c, new(big.Int))
			high, low := q.DivMod(q, pow2(256), new(big.Int))
			expect(t, "uint256_mul_div_mod", got, slices.Concat(words(low), words(high), words(r))...)
		}
	})
}

// TestArrayProperties holds searching, sets and sorting to plain slices.
func TestArrayProperties(t *testing.T) {
	program, file := loadHintProgram(t, "arrays")
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.SliceOfN(rapid.Int64Range(0, 6), 0, 12).Draw(t, "list")
		key := rapid.Int64Range(0, 7).Draw(t, "key")
		sorted := slices.Clone(small)
		slices.Sort(sorted)
		distinct := slices.Compact(slices.Clone(sorted))
		which := rapid.SampledFrom([]int64{5, 6, 7, 8}).Draw(t, "function")
		in := []int64{which, 1, int64(len(small)), key, int64(len(small))}
		if which == 5 || which == 6 {
			in[2], in[4] = int64(len(distinct)), int64(len(distinct))
			in = append(in, distinct...)
		} else {
			in = append(in, small...)
		}
		var input, want []*big.Int
		for _, n := range in {
			input = append(input, big.NewInt(n))
		}
		switch which {
		case 5, 6:
			i, found := slices.BinarySearch(distinct, key)
			if !found {
				i = 0
			}
			want = append(want, big.NewInt(int64(i)), truth(found))
		case 7:
			var set []int64
			for _, n := range small {
				if !slices.Contains(set, n) {
					set = append(set, n)
					want = append(want, big.NewInt(n))
				}
			}
		case 8:
			want = append(want, big.NewInt(int64(len(distinct))))
			for _, n := range distinct {
				want = append(want, big.NewInt(n))
			}
			for _, n := range distinct {
				count := 0
				for _, m := range small {
					if m == n {
						count++
					}
				}
				want = append(want, big.NewInt(int64(count)))
			}
		}
		expect(t, "arrays", call(t, program, file.Layout, input...), want...)
	})
}

// TestDictProperties replays random accesses on a map.
func TestDictProperties(t *testing.T) {
	program, file := loadHintProgram(t, "dicts")
	keys := []*big.Int{new(big.Int), one, big.NewInt(7), new(big.Int).Sub(rangeBound, one), rangeBound, new(big.Int).Sub(prime, one)}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 24).Draw(t, "accesses")
		absent := big.NewInt(rapid.Int64Range(0, 3).Draw(t, "default"))
		input := []*big.Int{new(big.Int), absent, new(big.Int), big.NewInt(int64(n))}
		data := make(map[int]*big.Int)
		var want []*big.Int
		for range n {
			k := rapid.IntRange(0, len(keys)-1).Draw(t, "key")
			if data[k] == nil {
				data[k] = absent
			}
			v := new(big.Int)
			op := rapid.Int64Range(0, 1).Draw(t, "operation")
			if op == 0 {
				want = append(want, data[k])
			} else {
				v.SetInt64(rapid.Int64Range(0, 9).Draw(t, "value"))
				data[k] = v
			}
			input = append(input, big.NewInt(op), keys[k], v)
		}
		for k, key := range keys { // the keys are in order
			if data[k] != nil {
				want = append(want, key, absent, data[k])
			}
		}
		expect(t, "dicts", call(t, program, file.Layout, input...), want...)
	})
}

// TestSmallTreeProperties holds the roots of trees to a plain computation over all leaves.
func TestSmallTreeProperties(t *testing.T) {
	program, file := loadHintProgram(t, "merkle")
	const height = 3
	root := func(leaves []value) *big.Int {
		for len(leaves) > 1 {
			var next []value
			for i := 0; i < len(leaves); i += 2 {
				next = append(next, pedersenHash(leaves[i], leaves[i+1]))
			}
			leaves = next
		}
		return leaves[0].big()
	}
	rapid.Check(t, func(t *rapid.T) {
		leaves := slices.Repeat([]value{uintValue(0)}, 1<<height)
		empty := root(leaves)
		n := rapid.IntRange(0, 6).Draw(t, "updates")
		input := []*big.Int{one, big.NewInt(height), new(big.Int), new(big.Int), new(big.Int), big.NewInt(int64(n))}
		for range n {
			k, v := rapid.IntRange(0, len(leaves)-1).Draw(t, "leaf"), rapid.Uint64Range(0, 5).Draw(t, "value")
			leaves[k] = uintValue(v)
			input = append(input, big.NewInt(int64(k)), new(big.Int).SetUint64(v))
		}
		expect(t, "small_merkle_tree_update", call(t, program, file.Layout, input...), empty, root(leaves))
	})
}
