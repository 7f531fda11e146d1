%builtins output
// A counter: the smallest machine that takes transactions.
//
// State: one felt. A transaction is one felt that is added to it: S -> S + tx. A run takes exactly
// one transaction, so n = k = 1, and its digest is that felt itself: the binding is perfect and no
// hash is needed. The idle transaction is 0, which ticks the clock and leaves the state alone.

from clock import Start, write_run

func main{output_ptr: felt*}() {
    alloc_locals;
    local input: Start*;
    %{ ids.input = segments.gen_arg(program_input) %}

    assert input.ticks = 1;
    assert input.witness_len = 1;

    tempvar transaction = [cast(input + Start.SIZE, felt*)];
    write_run(start=input, state=input.state + transaction, digest=transaction);
    return ();
}
