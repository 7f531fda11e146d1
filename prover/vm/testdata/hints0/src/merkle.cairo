%builtins output pedersen range_check
// Updates of Merkle trees: the modules merkle_update, merkle_multi_update and small_merkle_tree.
// Input: [which, height, a, b, c, n, (key, value) * n].

from starkware.cairo.common.cairo_builtins import HashBuiltin
from starkware.cairo.common.default_dict import default_dict_new
from starkware.cairo.common.dict import dict_squash, dict_write
from starkware.cairo.common.dict_access import DictAccess
from starkware.cairo.common.merkle_update import merkle_update
from starkware.cairo.common.small_merkle_tree import small_merkle_tree_update

func put{output_ptr: felt*}(x: felt) {
    assert [output_ptr] = x;
    let output_ptr = output_ptr + 1;
    return ();
}

func write_all{dict: DictAccess*}(n: felt, list: felt*) {
    if (n == 0) {
        return ();
    }
    dict_write{dict_ptr=dict}(list[0], list[1]);
    return write_all(n - 1, list + 2);
}

func main{output_ptr: felt*, pedersen_ptr: HashBuiltin*, range_check_ptr}() {
    alloc_locals;
    local input: felt*;
    %{ ids.input = segments.gen_arg(program_input) %}
    local which = input[0];
    local height = input[1];

    if (which == 0) {
        // Leaf c changes from a to b, along a path that the host supplies.
        let (before, after) = merkle_update{hash_ptr=pedersen_ptr}(
            height, input[2], input[3], input[4]
        );
        put(before);
        put(after);
        return ();
    }
    if (which == 1) {
        // The leaves are a dictionary's values; it is written to and then summarized, twice, and
        // the second summary is an update of the tree that the first one left.
        let (local start) = default_dict_new(0);
        let dict = start;
        write_all{dict=dict}(input[5], input + 6);
        let (local middle, middle_end) = dict_squash(start, dict);
        local middle_end: DictAccess* = middle_end;
        let (before, after) = small_merkle_tree_update{hash_ptr=pedersen_ptr}(
            middle, middle_end, height
        );
        put(before);
        put(after);
        if (input[2] == 0) {
            return ();
        }

        let (local fresh) = default_dict_new(0);
        let dict = fresh;
        write_all{dict=dict}(input[5], input + 6);
        local written: DictAccess* = dict;
        write_all{dict=dict}(input[2], input + 6 + 2 * input[5]);
        let (squashed, squashed_end) = dict_squash(fresh, dict);
        let (before, after) = small_merkle_tree_update{hash_ptr=pedersen_ptr}(
            squashed, squashed_end, height
        );
        put(before);
        put(after);
        return ();
    }
    if (which == 2) {
        // A list that begins within an access.
        let (local start) = default_dict_new(0);
        let dict = start;
        write_all{dict=dict}(input[5], input + 6);
        let (before, after) = small_merkle_tree_update{hash_ptr=pedersen_ptr}(
            cast(cast(start, felt) + 1, DictAccess*), dict, height
        );
        return ();
    }
    if (which == 3) {
        // A list that is no summary: the leaves after the update are not those of the dictionary.
        let (local start) = default_dict_new(0);
        let dict = start;
        write_all{dict=dict}(input[5], input + 6);
        let (before, after) = small_merkle_tree_update{hash_ptr=pedersen_ptr}(start, dict, height);
        return ();
    }
    assert 0 = 1;
    return ();
}
