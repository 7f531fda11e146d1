package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// exactInJSON is the largest integer that every JSON reader holds exactly (IEEE 754 double, 2^53).
const exactInJSON = 1 << 53

// Clock is a machine's clock t. In JSON it is a number up to 2^53 and a decimal string above.
type Clock uint64

// MarshalJSON writes a number or, above 2^53, a decimal string.
func (c Clock) MarshalJSON() ([]byte, error) {
	b := strconv.AppendUint(nil, uint64(c), 10)
	if c > exactInJSON {
		b = []byte(`"` + string(b) + `"`)
	}
	return b, nil
}

// UnmarshalJSON reads both forms.
func (c *Clock) UnmarshalJSON(b []byte) error {
	if len(b) >= 2 && b[0] == '"' {
		b = b[1 : len(b)-1]
	}
	v, err := strconv.ParseUint(string(b), 10, 64)
	if err != nil {
		return fmt.Errorf("clock %.40q: want a natural number below 2^64", b)
	}
	*c = Clock(v)
	return nil
}

// Time is a moment on the ledger's clock. In JSON it is RFC 3339 in UTC, with the digits it needs; the zero Time is null.
type Time struct{ time.Time }

// FromNano returns the Time of so many nanoseconds since the Unix epoch; 0 gives the zero Time.
func FromNano(ns int64) Time {
	if ns == 0 {
		return Time{}
	}
	return Time{time.Unix(0, ns).UTC()}
}

// MarshalJSON writes RFC 3339 or null.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(t.UTC().Format(time.RFC3339Nano))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (t *Time) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) {
		*t = Time{}
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	v, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return fmt.Errorf("time %.40q: want RFC 3339", s)
	}
	*t = Time{v}
	return nil
}
