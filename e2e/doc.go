// Package e2e runs fatty as its users do: real fattyd and fatty processes on loopback with real disks, networks and
// proofs, killed as power cuts would kill them. There is no code beside the tests.
//
// Its parts: cell_test.go starts, kills and asks processes; each other file is one story. Nothing waits by sleeping:
// stories go on with events of the ledger and answers of nodes, each within a bounded time.
package e2e
