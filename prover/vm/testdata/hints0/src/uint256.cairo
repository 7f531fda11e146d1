%builtins output range_check
// The functions of the module uint256 that need hints, by themselves or through others.
// Input: [which, a.low, a.high, b.low, b.high, c.low, c.high]. Output: the function's results.

from starkware.cairo.common.uint256 import (
    Uint256,
    felt_to_uint256,
    split_64,
    uint256_add,
    uint256_mul,
    uint256_mul_div_mod,
    uint256_shl,
    uint256_shr,
    uint256_signed_div_rem,
    uint256_signed_lt,
    uint256_signed_nn,
    uint256_sqrt,
    uint256_sub,
    uint256_unsigned_div_rem,
)

func put{output_ptr: felt*}(x: felt) {
    assert [output_ptr] = x;
    let output_ptr = output_ptr + 1;
    return ();
}

func put_wide{output_ptr: felt*}(x: Uint256) {
    put(x.low);
    put(x.high);
    return ();
}

func main{output_ptr: felt*, range_check_ptr}() {
    alloc_locals;
    local input: felt*;
    %{ ids.input = segments.gen_arg(program_input) %}
    local which = input[0];
    local a: Uint256 = Uint256(low=input[1], high=input[2]);
    local b: Uint256 = Uint256(low=input[3], high=input[4]);
    local c: Uint256 = Uint256(low=input[5], high=input[6]);

    if (which == 0) {
        let (sum, carry) = uint256_add(a, b);
        put_wide(sum);
        put(carry);
        return ();
    }
    if (which == 1) {
        let (low, high) = split_64(a.low);
        put(low);
        put(high);
        return ();
    }
    if (which == 2) {
        let (product_low, product_high) = uint256_mul(a, b);
        put_wide(product_low);
        put_wide(product_high);
        return ();
    }
    if (which == 3) {
        let (root) = uint256_sqrt(a);
        put_wide(root);
        return ();
    }
    if (which == 4) {
        let (nn) = uint256_signed_nn(a);
        put(nn);
        return ();
    }
    if (which == 5) {
        let (q, r) = uint256_unsigned_div_rem(a, b);
        put_wide(q);
        put_wide(r);
        return ();
    }
    if (which == 6) {
        let (quotient_low, quotient_high, rest) = uint256_mul_div_mod(a, b, c);
        put_wide(quotient_low);
        put_wide(quotient_high);
        put_wide(rest);
        return ();
    }
    if (which == 7) {
        let (q, r) = uint256_signed_div_rem(a, b);
        put_wide(q);
        put_wide(r);
        return ();
    }
    if (which == 8) {
        let (shifted) = uint256_shl(a, b);
        put_wide(shifted);
        let (shifted) = uint256_shr(a, b);
        put_wide(shifted);
        return ();
    }
    if (which == 9) {
        let (less) = uint256_signed_lt(a, b);
        put(less);
        let (difference) = uint256_sub(a, b);
        put_wide(difference);
        return ();
    }
    if (which == 10) {
        let wide = felt_to_uint256(a.low);
        put_wide(wide);
        return ();
    }
    assert 0 = 1;
    return ();
}
