package vm

import "iter"

// TraceRow is the registers before a step, relocated.
type TraceRow struct{ AP, FP, PC uint32 }

// Chunks of a growing trace: growing copies nothing, and a short run's is small.
const (
	firstTraceChunk = 1 << 8
	traceChunk      = 1 << 14
)

// traceLog is the trace of a run, not yet relocated: the registers' offsets.
type traceLog struct {
	full [][]TraceRow
	last []TraceRow
	rows int
	// far is the rows whose pc is not in the program or whose fp is not in the execution segment, in order: rare, and
	// kept apart so that a row is 12 bytes.
	far []farRow
}

type farRow struct {
	row          int
	pcSeg, fpSeg int32
}

func (l *traceLog) add(row TraceRow) {
	if len(l.last) == cap(l.last) {
		l.grow()
	}
	l.last = append(l.last, row)
	l.rows++
}

func (l *traceLog) grow() {
	size := traceChunk
	if l.last == nil {
		size = firstTraceChunk
	} else {
		l.full = append(l.full, l.last)
	}
	l.last = make([]TraceRow, 0, size)
}

// all visits the rows in order, each with its pc and fp as addresses.
func (l *traceLog) all() iter.Seq2[*TraceRow, registers] {
	return func(yield func(*TraceRow, registers) bool) {
		far, row := l.far, 0
		visit := func(chunk []TraceRow) bool {
			for i := range chunk {
				t := &chunk[i]
				r := registers{pc: address{programSegment, int64(t.PC)}, fp: address{executionSegment, int64(t.FP)}}
				if len(far) > 0 && far[0].row == row {
					r.pc.seg, r.fp.seg, far = far[0].pcSeg, far[0].fpSeg, far[1:]
				}
				if !yield(t, r) {
					return false
				}
				row++
			}
			return true
		}
		for _, chunk := range l.full {
			if !visit(chunk) {
				return
			}
		}
		visit(l.last)
	}
}

// registers is where a row's pc and fp point.
type registers struct{ pc, fp address }
