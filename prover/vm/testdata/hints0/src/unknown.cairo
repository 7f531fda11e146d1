%builtins output
// A hint that belongs to no library.

func main{output_ptr: felt*}() {
    alloc_locals;
    local x;
    %{
        # An author's own.
        ids.x = 41 + 1
    %}
    assert [output_ptr] = x;
    let output_ptr = output_ptr + 1;
    return ();
}
