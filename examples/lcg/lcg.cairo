%builtins output range_check
// A linear congruential generator that ticks by itself.
//
// State: one 64-bit word. Tick: S -> (A S + C) mod 2^64, with Knuth's MMIX constants, so that the
// period is 2^64 from any start. There are no transactions: w is empty and the digest is 0.

from starkware.cairo.common.math import assert_nn_le, unsigned_div_rem
from clock import Start, write_run

const MULTIPLIER = 6364136223846793005;
const INCREMENT = 1442695040888963407;
const MODULUS = 2 ** 64;

func main{output_ptr: felt*, range_check_ptr}() {
    alloc_locals;
    local input: Start*;
    %{ ids.input = segments.gen_arg(program_input) %}

    // A state that is no 64-bit word is not one of this machine, whoever claims it.
    assert_nn_le(input.state, MODULUS - 1);
    assert input.witness_len = 0;

    let state = tick(input.state, input.ticks);
    write_run(start=input, state=state, digest=0);
    return ();
}

// `ticks` transitions from `state`. A count that is not a small natural number never reaches zero,
// so no run of it ends.
func tick{range_check_ptr}(state: felt, ticks: felt) -> felt {
    if (ticks == 0) {
        return state;
    }
    // At most (2^64 - 1) A + C < 2^127, so there is no wrap around the field's prime.
    let (_, next) = unsigned_div_rem(MULTIPLIER * state + INCREMENT, MODULUS);
    return tick(next, ticks - 1);
}
