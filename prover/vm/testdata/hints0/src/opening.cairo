%builtins output
// Handing on the opening of a state. Input: [which, start, length, x_1 ..]; the opening is `length` felts from x_start on.

func main{output_ptr: felt*}() {
    alloc_locals;
    local input: felt*;
    %{ ids.input = segments.gen_arg(program_input) %}
    let state = input + 3 + input[1];
    let state_len = input[2];
    assert [output_ptr] = state_len;
    let output_ptr = output_ptr + 1;
    if (input[0] == 0) {
        return ();
    }
    %{ next_state = memory.get_range(ids.state, ids.state_len) %}
    if (input[0] == 1) {
        return ();
    }
    // The last one counts.
    let state_len = 1;
    %{ next_state = memory.get_range(ids.state, ids.state_len) %}
    return ();
}
