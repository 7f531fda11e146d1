%builtins output range_check
// Copying, filling, searching and sorting of arrays: the modules alloc, copy_indices, find_element,
// memcpy, memset, segments, set and usort.
// Input: [which, a, b, c, n, x_1 .. x_n].

from starkware.cairo.common.alloc import alloc
from starkware.cairo.common.copy_indices import copy_indices
from starkware.cairo.common.find_element import (
    find_element,
    search_sorted,
    search_sorted_lower,
    search_sorted_optimistic,
)
from starkware.cairo.common.memcpy import memcpy
from starkware.cairo.common.memset import memset
from starkware.cairo.common.segments import relocate_segment
from starkware.cairo.common.set import set_add
from starkware.cairo.common.usort import usort

func put{output_ptr: felt*}(x: felt) {
    assert [output_ptr] = x;
    let output_ptr = output_ptr + 1;
    return ();
}

func put_all{output_ptr: felt*}(n: felt, xs: felt*) {
    memcpy(output_ptr, xs, n);
    let output_ptr = output_ptr + n;
    return ();
}

// Adds the elements of `size` felts at xs one by one.
func add_all{range_check_ptr, set_end_ptr: felt*}(set: felt*, size: felt, n: felt, xs: felt*) {
    if (n == 0) {
        return ();
    }
    set_add(set_ptr=set, elm_size=size, elm_ptr=xs);
    return add_all(set, size, n - 1, xs + size);
}

func main{output_ptr: felt*, range_check_ptr}() {
    alloc_locals;
    local input: felt*;
    %{ ids.input = segments.gen_arg(program_input) %}
    local which = input[0];
    local a = input[1];
    local b = input[2];
    local c = input[3];
    local n = input[4];
    local xs: felt* = input + 5;

    if (which == 0) {
        put_all(n, xs);
        return ();
    }
    if (which == 1) {
        let (filled: felt*) = alloc();
        memset(filled, a, b);
        put_all(b, filled);
        return ();
    }
    if (which == 2) {
        // xs is a list of indices into itself.
        let (picked: felt*) = alloc();
        copy_indices(dst=picked, src=xs, indices=xs, len=n);
        put_all(n, picked);
        return ();
    }
    if (which == 3) {
        let (found) = find_element(array_ptr=xs, elm_size=a, n_elms=b, key=c);
        put(found - xs);
        put([found]);
        return ();
    }
    if (which == 4) {
        let (found) = search_sorted_lower(array_ptr=xs, elm_size=a, n_elms=b, key=c);
        put(found - xs);
        return ();
    }
    if (which == 5) {
        let (found, success) = search_sorted(array_ptr=xs, elm_size=a, n_elms=b, key=c);
        put(found - xs);
        put(success);
        return ();
    }
    if (which == 6) {
        let (found, success) = search_sorted_optimistic(
            array_ptr=xs, elm_size=a, n_elms=b, key=c
        );
        put(found - xs);
        put(success);
        return ();
    }
    if (which == 7) {
        let (set: felt*) = alloc();
        let set_end = set;
        with_attr error_message("set") {
            add_all{set_end_ptr=set_end}(set, a, b, xs);
        }
        put_all(set_end - set, set);
        return ();
    }
    if (which == 8) {
        let (sorted_len, sorted, multiplicities) = usort(n, xs);
        put(sorted_len);
        put_all(sorted_len, sorted);
        put_all(sorted_len, multiplicities);
        return ();
    }
    if (which == 9) {
        // A temporary segment that becomes a part of another one.
        tempvar temporary_address = nondet %{ segments.add_temp_segment() %};
        let temporary = cast(temporary_address, felt*);
        let (home: felt*) = alloc();
        assert home[0] = a;
        assert home[1] = cast(temporary, felt);
        assert temporary[0] = b;
        assert temporary[1] = c;
        relocate_segment(src_ptr=temporary, dest_ptr=home + 2);
        put(home[0]);
        return ();
    }
    if (which == 10) {
        // Only a temporary segment can be relocated.
        tempvar first_address = nondet %{ segments.add() %};
        let first = cast(first_address, felt*);
        tempvar second_address = nondet %{ segments.add() %};
        let second = cast(second_address, felt*);
        relocate_segment(src_ptr=first, dest_ptr=second);
        return ();
    }
    if (which == 11) {
        // Only from its start.
        tempvar temporary_address = nondet %{ segments.add_temp_segment() %};
        let temporary = cast(temporary_address, felt*);
        let (home: felt*) = alloc();
        relocate_segment(src_ptr=temporary + 1, dest_ptr=home);
        return ();
    }
    if (which == 12) {
        // Only once.
        tempvar temporary_address = nondet %{ segments.add_temp_segment() %};
        let temporary = cast(temporary_address, felt*);
        let (home: felt*) = alloc();
        relocate_segment(src_ptr=temporary, dest_ptr=home);
        relocate_segment(src_ptr=temporary, dest_ptr=home);
        return ();
    }
    if (which == 13) {
        // A new segment in an expression.
        tempvar fresh_address = nondet %{ segments.add() %};
        let fresh = cast(fresh_address, felt*);
        assert fresh[0] = a;
        assert fresh[1] = b;
        put_all(2, fresh);
        return ();
    }
    assert 0 = 1;
    return ();
}
