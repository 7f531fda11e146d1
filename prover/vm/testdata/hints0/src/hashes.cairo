%builtins output pedersen range_check poseidon
// The hashes of arrays: hash_chain and hash_state over Pedersen, hash_state over Poseidon, and
// poseidon_hash_many. Input: [which, n, x_1 .. x_n].

from starkware.cairo.common.builtin_poseidon.poseidon import poseidon_hash_many
from starkware.cairo.common.cairo_builtins import HashBuiltin, PoseidonBuiltin
from starkware.cairo.common.hash_chain import hash_chain
from starkware.cairo.common.hash_state import hash_felts
from starkware.cairo.common.hash_state_poseidon import (
    hash_finalize,
    hash_init,
    hash_update,
    hash_update_with_nested_hash,
)

func put{output_ptr: felt*}(x: felt) {
    assert [output_ptr] = x;
    let output_ptr = output_ptr + 1;
    return ();
}

func main{
    output_ptr: felt*, pedersen_ptr: HashBuiltin*, range_check_ptr, poseidon_ptr: PoseidonBuiltin*
}() {
    alloc_locals;
    local input: felt*;
    %{ ids.input = segments.gen_arg(program_input) %}
    local which = input[0];
    local n = input[1];

    if (which == 0) {
        let (h) = hash_chain{hash_ptr=pedersen_ptr}(input + 1);
        put(h);
        return ();
    }
    if (which == 1) {
        let (h) = hash_felts{hash_ptr=pedersen_ptr}(input + 2, n);
        put(h);
        return ();
    }
    if (which == 2) {
        let (h) = poseidon_hash_many(n, input + 2);
        put(h);
        return ();
    }
    if (which == 3) {
        let state = hash_init();
        hash_update{hash_state=state}(input + 2, n);
        hash_update_with_nested_hash{hash_state=state}(input + 2, n);
        let h = hash_finalize(state);
        put(h);
        return ();
    }
    assert 0 = 1;
    return ();
}
