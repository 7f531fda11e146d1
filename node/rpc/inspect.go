package rpc

import (
	"bytes"

	"github.com/seed06907907/fatty/node/api"
)

const (
	// maxNesting bounds arrays and objects inside each other: the deepest request of the interface nests five.
	maxNesting = 16
	// maxBody bounds a request; no transaction without its proof is larger (a file has 256 KiB, a program 1 MiB in
	// base64 goes as an attachment).
	maxBody = 1 << 20
	// maxLargeBody bounds a request that may carry proofs: as many as a transaction brings, of 1 MiB each, and the
	// transaction, all in base64.
	maxLargeBody = 8 << 20
)

// shape is what a scan finds out about a body without decoding it.
type shape struct {
	batch    bool
	requests int  // in the batch; 1 otherwise
	large    bool // one of the first keys is a method that may carry a proof
}

var methodKey = []byte(`"method"`)

// inspect scans a body once, in place: it bounds the nesting, counts a batch and sees whether a method at the top of a
// request may be large. It does not check the JSON; the decoder does. A body that was cut off gives what is known so far.
func inspect(b []byte) (shape, error) {
	b = bytes.TrimLeft(b, " \t\r\n")
	s := shape{requests: 1}
	s.batch = len(b) > 0 && b[0] == '['
	top := 1 // depth of a request's own keys
	if s.batch {
		top = 2
	}
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			if depth++; depth > maxNesting {
				return s, api.Errorf(api.CodeTooLarge, "the body nests deeper than %d: no call needs that", maxNesting)
			}
		case '}', ']':
			depth--
		case ',':
			if s.batch && depth == 1 {
				s.requests++
			}
		case '"':
			start := i
			for i++; i < len(b) && b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			if depth == top && i < len(b) && bytes.Equal(b[start:i+1], methodKey) && isLarge(b[i+1:]) {
				s.large = true
			}
		}
	}
	return s, nil
}

// isLarge reads `: "name"` behind a method key.
func isLarge(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n:")
	if len(b) == 0 || b[0] != '"' {
		return false
	}
	end := bytes.IndexByte(b[1:], '"')
	if end < 0 || end > 64 {
		return false
	}
	m, ok := api.Find(string(b[1 : 1+end]))
	return ok && m.Large
}
