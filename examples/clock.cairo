// The clock ABI: what every machine reads and writes.
//
// One run carries a machine from clock t0 and state S0 to clock t1 = t0 + n and state S1.
//   input   [t0, S0, n, k, w_1 .. w_k]   w is the machine's own: opening of S0, then n transactions
//   output  [t0, S0, t1, S1, digest]     digest binds the transactions, 0 if there are none
// What is in the output is public and is what a proof of the run speaks about; w stays private.

struct Start {
    clock: felt,
    state: felt,
    ticks: felt,
    witness_len: felt,
}

// Writes the five public felts of a run that started at `start` and reached `state`.
func write_run{output_ptr: felt*}(start: Start*, state: felt, digest: felt) {
    assert [output_ptr] = start.clock;
    assert [output_ptr + 1] = start.state;
    assert [output_ptr + 2] = start.clock + start.ticks;
    assert [output_ptr + 3] = state;
    assert [output_ptr + 4] = digest;
    let output_ptr = output_ptr + 5;
    return ();
}
