// Package rpc serves fatty's JSON-RPC 2.0 over HTTP and WebSocket, with every request bounded in size, nesting, number
// and time, and health and metrics on a second port. It knows nothing of ledgers: it asks a Backend.
//
// Its parts: Backend (what it serves), Server (the HTTP side, go-jsonrpc behind bounds), socket (one WebSocket with its
// subscriptions), inspect (the scan that bounds a body before a JSON decoder sees it), Health.
//
//	s, err := rpc.New(backend, rpc.Options{...})
//	go s.Serve(listener)
//	defer s.Close()
package rpc
