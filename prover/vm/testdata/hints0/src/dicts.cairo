%builtins output range_check
// The modules dict, default_dict and squash_dict.
// Input: [which, a, b, n, accesses ..]; an access is (0, key, 0) to read, (1, key, value) to write,
// (2, key, value) to replace the known value a by value.

from starkware.cairo.common.alloc import alloc
from starkware.cairo.common.default_dict import default_dict_finalize, default_dict_new
from starkware.cairo.common.dict import dict_new, dict_read, dict_squash, dict_update, dict_write
from starkware.cairo.common.dict_access import DictAccess
from starkware.cairo.common.memcpy import memcpy
from starkware.cairo.common.squash_dict import squash_dict

func put{output_ptr: felt*}(x: felt) {
    assert [output_ptr] = x;
    let output_ptr = output_ptr + 1;
    return ();
}

func put_dict{output_ptr: felt*}(start: DictAccess*, end: DictAccess*) {
    alloc_locals;
    local n = end - start;
    memcpy(output_ptr, start, n);
    let output_ptr = output_ptr + n;
    return ();
}

func replay{output_ptr: felt*, dict: DictAccess*}(n: felt, known: felt, list: felt*) {
    if (n == 0) {
        return ();
    }
    if (list[0] == 0) {
        let (value) = dict_read{dict_ptr=dict}(list[1]);
        put(value);
        return replay(n - 1, known, list + 3);
    }
    if (list[0] == 1) {
        dict_write{dict_ptr=dict}(list[1], list[2]);
        return replay(n - 1, known, list + 3);
    }
    dict_update{dict_ptr=dict}(list[1], known, list[2]);
    return replay(n - 1, known, list + 3);
}

func main{output_ptr: felt*, range_check_ptr}() {
    alloc_locals;
    local input: felt*;
    %{ ids.input = segments.gen_arg(program_input) %}
    local which = input[0];
    local a = input[1];
    local b = input[2];
    local n = input[3];
    local list: felt* = input + 4;

    if (which == 0) {
        // A dictionary with the default a, and its summary.
        let (local start) = default_dict_new(a);
        let dict = start;
        replay{dict=dict}(n, a, list);
        let (squashed, squashed_end) = default_dict_finalize(start, dict, a);
        put_dict(squashed, squashed_end);
        return ();
    }
    if (which == 1) {
        // Two dictionaries at once, and the first one is used after its summary.
        let (local start_1) = default_dict_new(a);
        let (local start_2) = default_dict_new(b);
        let dict = start_1;
        replay{dict=dict}(n, a, list);
        local end_1: DictAccess* = dict;
        let dict = start_2;
        replay{dict=dict}(n, b, list);
        local end_2: DictAccess* = dict;
        let (squashed_1, squashed_end_1) = dict_squash(start_1, end_1);
        local squashed_1: DictAccess* = squashed_1;
        let dict = squashed_end_1;
        replay{dict=dict}(n, a, list);
        let (squashed, squashed_end) = dict_squash(squashed_1, dict);
        put_dict(squashed, squashed_end);
        let (squashed, squashed_end) = default_dict_finalize(start_2, end_2, b);
        put_dict(squashed, squashed_end);
        return ();
    }
    if (which == 2) {
        // A dictionary whose contents the host chooses.
        let (local start) = dict_new();
        let dict = start;
        replay{dict=dict}(n, a, list);
        let (squashed, squashed_end) = dict_squash(start, dict);
        put_dict(squashed, squashed_end);
        return ();
    }
    if (which == 3) {
        // The list itself is taken for n accesses (key, before, after); b felts of it are.
        let (summary: DictAccess*) = alloc();
        local summary: DictAccess* = summary;
        let (summary_end) = squash_dict(
            cast(list, DictAccess*), cast(list + b, DictAccess*), summary
        );
        put_dict(summary, summary_end);
        return ();
    }
    if (which == 4) {
        // A pointer that is not where the dictionary ends.
        let (local start) = default_dict_new(a);
        let dict = start;
        dict_write{dict_ptr=dict}(1, 2);
        let dict = start;
        dict_write{dict_ptr=dict}(1, 2);
        return ();
    }
    if (which == 5) {
        // A pointer that is no dictionary's.
        let (local start) = default_dict_new(a);
        let dict = cast(list, DictAccess*);
        dict_write{dict_ptr=dict}(1, 2);
        return ();
    }
    if (which == 6) {
        // A summary of less than was done: the tracker is elsewhere.
        let (local start) = default_dict_new(a);
        let dict = start;
        replay{dict=dict}(n, a, list);
        let (squashed, squashed_end) = dict_squash(start, dict - DictAccess.SIZE);
        return ();
    }
    if (which == 7) {
        // A dictionary that holds addresses.
        let (local start) = default_dict_new(cast(input, felt));
        let dict = start;
        let (p) = dict_read{dict_ptr=dict}(a);
        let (local other: felt*) = alloc();
        assert other[0] = b;
        dict_write{dict_ptr=dict}(a, cast(other, felt));
        let (q) = dict_read{dict_ptr=dict}(a);
        put([cast(p, felt*) + 1]);
        put([cast(q, felt*)]);
        let (squashed, squashed_end) = default_dict_finalize(start, dict, cast(input, felt));
        put(squashed_end - squashed);
        return ();
    }
    if (which == 8) {
        // A write before any dictionary was made.
        let dict = cast(list, DictAccess*);
        dict_write{dict_ptr=dict}(1, 2);
        return ();
    }
    assert 0 = 1;
    return ();
}
