package wal

import (
	"testing"

	"github.com/seed06907907/fatty/bft"
)

// TestUnitsStayWithinTheirBound splits what one step of a replica persists where many large blocks come at once: a unit
// that was refused for its length would halt an honest replica.
func TestUnitsStayWithinTheirBound(t *testing.T) {
	large := make([]byte, MaxRecordBytes)
	records := make([]bft.Record, 200)
	for i := range records {
		records[i] = bft.Record{Kind: bft.RecordBlock, Data: large}
	}
	for seen := 0; seen < len(records); {
		n := unitOf(records[seen:])
		if bytes := n * (5 + len(large)); n == 0 || bytes > MaxUnitBytes {
			t.Fatalf("a unit of %d records and %d bytes, at most %d are allowed", n, bytes, MaxUnitBytes)
		}
		seen += n
	}
	// Two units in one go read back as they were written.
	small := []bft.Record{record(1), record(2), record(3)}
	buf := make([]byte, headerSize)
	for _, some := range [][]bft.Record{small[:1], small[1:]} {
		var err error
		if buf, err = appendUnits(buf[headerSize:], 7, headerSize, some); err != nil {
			t.Fatal(err)
		}
		buf = append(make([]byte, headerSize), buf...)
	}
	for at, want := headerSize, 1; at < len(buf); want++ {
		body, ok := unitAt(buf, at, 7)
		if !ok {
			t.Fatalf("no unit at byte %d", at)
		}
		if rs, err := parseUnit(body); err != nil || len(rs) != want {
			t.Fatalf("%d records, %v", len(rs), err)
		}
		at += unitHeader + len(body)
	}
}
