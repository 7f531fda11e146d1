%builtins output
// pair: two felts (a, b) -> (b, a + b), ticks by itself, for tests of machines whose state is more than one felt.
//
// The state S is (a + 2 b + 1)^3, which binds nobody and is enough for a test. The pair itself is what is behind it: the
// witness is [a, b], and each run hands the new pair on to the next.
//
//   cairo-compile --proof_mode --no_debug_info pair.cairo (cairo-lang 0.14.0.1), whitespace removed

from starkware.cairo.common.registers import get_fp_and_pc

func main{output_ptr: felt*}() {
    alloc_locals;
    local input: felt*;
    %{ ids.input = segments.gen_arg(program_input) %}
    assert input[3] = 2;
    let s0 = digest(input[4], input[5]);
    assert s0 = input[1];
    let (local state: felt*) = run(input[2], input + 4);
    let state_len = 2;
    %{ next_state = memory.get_range(ids.state, ids.state_len) %}
    let s1 = digest(state[0], state[1]);
    assert [output_ptr] = input[0];
    assert [output_ptr + 1] = input[1];
    assert [output_ptr + 2] = input[0] + input[2];
    assert [output_ptr + 3] = s1;
    assert [output_ptr + 4] = 0;
    let output_ptr = output_ptr + 5;
    return ();
}

func digest(a: felt, b: felt) -> felt {
    let x = a + 2 * b + 1;
    return x * x * x;
}

// The pair after n transitions, at a place of its own.
func run(n: felt, pair: felt*) -> (state: felt*) {
    if (n == 0) {
        return (state=pair);
    }
    // Each pair is written behind the frame of the call that makes it.
    let (next) = step(pair);
    return run(n - 1, next);
}

func step(pair: felt*) -> (next: felt*) {
    alloc_locals;
    local a = pair[1];
    local b = pair[0] + pair[1];
    let (__fp__, _) = get_fp_and_pc();
    return (next=&a);
}

