%builtins output range_check
// Every function of the math, math_cmp, pow and log2_ceil modules that needs a hint.
// Input: [which, a, b, c]. Output: what the function returns.

from starkware.cairo.common.alloc import alloc
from starkware.cairo.common.log2_ceil import log2_ceil
from starkware.cairo.common.math import (
    abs_value,
    assert_250_bit,
    assert_in_range,
    assert_le_felt,
    assert_lt,
    assert_lt_felt,
    assert_nn_le,
    assert_not_equal,
    assert_not_zero,
    is_quad_residue,
    safe_div,
    safe_mult,
    sign,
    signed_div_rem,
    split_felt,
    split_int,
    sqrt,
    unsigned_div_rem,
)
from starkware.cairo.common.math_cmp import is_in_range, is_le, is_le_felt, is_nn, is_nn_le
from starkware.cairo.common.pow import pow, signed_pow

func put{output_ptr: felt*}(x: felt) {
    assert [output_ptr] = x;
    let output_ptr = output_ptr + 1;
    return ();
}

func put_two{output_ptr: felt*}(x: felt, y: felt) {
    put(x);
    put(y);
    return ();
}

func main{output_ptr: felt*, range_check_ptr}() {
    alloc_locals;
    local input: felt*;
    %{ ids.input = segments.gen_arg(program_input) %}
    let which = input[0];
    let a = input[1];
    let b = input[2];
    let c = input[3];

    if (which == 0) {
        assert_not_zero(a);
        return ();
    }
    if (which == 1) {
        assert_not_equal(a, b);
        return ();
    }
    if (which == 2) {
        // Two addresses of one segment.
        assert_not_equal(cast(input + a, felt), cast(input + b, felt));
        return ();
    }
    if (which == 3) {
        // An address and a number, or addresses of two segments, cannot be compared.
        assert_not_equal(cast(input, felt), a);
        return ();
    }
    if (which == 4) {
        assert_not_equal(cast(input, felt), cast(output_ptr, felt));
        return ();
    }
    if (which == 5) {
        assert_nn_le(a, b);
        return ();
    }
    if (which == 6) {
        assert_lt(a, b);
        return ();
    }
    if (which == 7) {
        assert_in_range(a, b, c);
        return ();
    }
    if (which == 8) {
        assert_250_bit(a);
        return ();
    }
    if (which == 9) {
        let (high, low) = split_felt(a);
        put_two(high, low);
        return ();
    }
    if (which == 10) {
        assert_le_felt(a, b);
        return ();
    }
    if (which == 11) {
        assert_lt_felt(a, b);
        return ();
    }
    if (which == 12) {
        let magnitude = abs_value(a);
        put(magnitude);
        return ();
    }
    if (which == 13) {
        let s = sign(a);
        put(s);
        return ();
    }
    if (which == 14) {
        let (q, r) = unsigned_div_rem(a, b);
        put_two(q, r);
        return ();
    }
    if (which == 15) {
        let (q, r) = signed_div_rem(a, b, c);
        put_two(q, r);
        return ();
    }
    if (which == 16) {
        let q = safe_div(a, b);
        put(q);
        return ();
    }
    if (which == 17) {
        let product = safe_mult(a, b);
        put(product);
        return ();
    }
    if (which == 18) {
        // Base 2^b, limbs below c, three limbs.
        let (limbs: felt*) = alloc();
        split_int(a, 3, b, c, limbs);
        put_two(limbs[0], limbs[1]);
        put(limbs[2]);
        return ();
    }
    if (which == 19) {
        let root = sqrt(a);
        put(root);
        return ();
    }
    if (which == 20) {
        let residue = is_quad_residue(a);
        put(residue);
        return ();
    }
    if (which == 21) {
        let res = is_nn(a);
        put(res);
        return ();
    }
    if (which == 22) {
        let res = is_le(a, b);
        put(res);
        return ();
    }
    if (which == 23) {
        let res = is_nn_le(a, b);
        put(res);
        return ();
    }
    if (which == 24) {
        let res = is_in_range(a, b, c);
        put(res);
        return ();
    }
    if (which == 25) {
        let res = is_le_felt(a, b);
        put(res);
        return ();
    }
    if (which == 26) {
        let (res) = pow(a, b);
        put(res);
        return ();
    }
    if (which == 27) {
        let res = signed_pow(a, b);
        put(res);
        return ();
    }
    if (which == 28) {
        let res = log2_ceil(a);
        put(res);
        return ();
    }
    // An address where a number is needed.
    if (which == 29) {
        assert_not_zero(cast(input, felt));
        return ();
    }
    if (which == 30) {
        assert_le_felt(a, cast(input, felt));
        return ();
    }
    assert 0 = 1;
    return ();
}
