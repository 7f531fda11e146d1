package api

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/filecoin-project/go-jsonrpc"
)

// The stable codes of fatty's errors. Those from -32768 to -32000 are JSON-RPC's own; a number is never reused.
const (
	CodeParse       = -32700 // the body is not JSON
	CodeRequest     = -32600 // the body is no JSON-RPC request
	CodeMethod      = -32601 // there is no such method
	CodeParams      = -32602 // the parameters do not fit the method
	CodeInternal    = -32603 // the node failed; its log says more
	CodeNotFound    = 1001   // there is no such path, id, block or sequence number
	CodeNotHeld     = 1002   // the lock is free
	CodeRefused     = 1003   // a check that the ledger also makes refuses the transaction
	CodeNotReady    = 1004   // the node has no state yet or cannot reach a quorum
	CodeBusy        = 1005   // too many requests at once
	CodeTooLarge    = 1006   // the body, batch or nesting is over its bound
	CodeToken       = 1007   // the call needs the bearer token
	CodeTimeout     = 1008   // the wait ended before what was waited for
	CodeGone        = 1009   // that far back the node keeps nothing
	CodeReadOnly    = 1010   // the node is in read-only mode
	CodeWebSocket   = 1011   // the call needs a WebSocket
	CodeUnsupported = 1012   // this build or this node cannot do it
)

// codeNames are the words that the tools print for the codes.
var codeNames = map[int]string{
	CodeParse: "parse", CodeRequest: "request", CodeMethod: "method", CodeParams: "params", CodeInternal: "internal",
	CodeNotFound: "not_found", CodeNotHeld: "not_held", CodeRefused: "refused", CodeNotReady: "not_ready",
	CodeBusy: "busy", CodeTooLarge: "too_large", CodeToken: "token", CodeTimeout: "timeout", CodeGone: "gone",
	CodeReadOnly: "read_only", CodeWebSocket: "websocket", CodeUnsupported: "unsupported",
}

// Error is what a failed call returns: a stable code and a sentence that says what to do.
type Error struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	// Data is more about some errors, such as the reason word of a refused transaction.
	Data any `json:"data,omitempty"`
}

// Errorf returns an Error with a formatted sentence.
func Errorf(code int, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Error returns the sentence.
func (e *Error) Error() string { return e.Message }

// Name returns the code's word.
func (e *Error) Name() string {
	if n, ok := codeNames[e.Code]; ok {
		return n
	}
	return fmt.Sprintf("code_%d", e.Code)
}

// ToJSONRPCError and FromJSONRPCError let go-jsonrpc carry the code.
func (e *Error) ToJSONRPCError() (jsonrpc.JSONRPCError, error) {
	return jsonrpc.JSONRPCError{Code: jsonrpc.ErrorCode(e.Code), Message: e.Message, Data: e.Data}, nil
}

// FromJSONRPCError is the inverse of ToJSONRPCError.
func (e *Error) FromJSONRPCError(j jsonrpc.JSONRPCError) error {
	e.Code, e.Message, e.Data = int(j.Code), j.Message, j.Data
	return nil
}

// CodeOf returns the code of an Error anywhere in err's chain, or 0.
func CodeOf(err error) int {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

// Request and Response are the frames of JSON-RPC 2.0 as the client writes and reads them.
type Request struct {
	Version string `json:"jsonrpc"`
	ID      uint64 `json:"id,omitempty"`
	Method  string `json:"method"`
	Params  any    `json:"params"`
}

// Response is the answer to a Request, or, with Method set, a notification.
type Response struct {
	Version string          `json:"jsonrpc"`
	ID      uint64          `json:"id"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *Error          `json:"error,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
}
