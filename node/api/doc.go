// Package api holds the types of fatty's JSON-RPC 2.0 interface and nothing else: what a method takes, what it
// returns, and the errors with their stable codes. The node serves them, the client and the tools speak them.
//
// Its parts: Methods, the list that the server registers and that the OpenRPC document is made from; a struct for the
// parameters and the result of each; Error; the scalar types Clock and Time, whose JSON forms scripts rely on.
//
//	var p api.HolderParams = api.HolderParams{Lock: "/demo/lcg"}
//	// POST {"jsonrpc":"2.0","id":1,"method":"lock.holder","params":{"lock":"/demo/lcg"}}
//	// params may also be a list in the order of the struct's fields: ["/demo/lcg"]
//
// Felts are decimal strings, ids are CIDs in base32, keys are 64 hex digits, bytes are standard base64, times are
// RFC 3339 in UTC, durations are seconds.
package api
