package vm

// TraceRow is the registers before a step, relocated.
type TraceRow struct{ AP, FP, PC uint32 }
