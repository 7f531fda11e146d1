// Package lockspace is fatty's deterministic state machine: a tree of directories and files, locks on them, machines
// that keep locks by proof, accounts, inboxes and events, all named by one root content id.
//
// It is pure. A State is a value; Apply takes an ordered cut of signed transactions with the ledger's time and the
// verdicts on their proofs, and returns the next State, receipts, events, and the blocks that came and went. No clock,
// disk, goroutine or random source is read. Every replica that applies the same cuts has the same roots.
//
// Its parts:
//
//   - Genesis, Rules, Terms, Quota: what is fixed at the start, for a lock, for an account;
//   - Sign, Decode, and the operations (Mkdir, Put, Delete, Publish, CreateMachine, Acquire, Renew, Release, Send,
//     Grant): transactions;
//   - New, Open, State.Apply, State.Precheck: execution;
//   - State.Stat, Get, List, Holder, Lock, Inbox, Account, Find, Events: reads;
//   - Prove and Verify: any read, with the blocks from the root that show it, and the same read from those alone.
//
// A typical use, by a node:
//
//	state, res, err := lockspace.New(config, genesis)      // store res.Blocks
//	need, err := state.Precheck(tx, now)                    // before a proof is verified
//	next, res, err := state.Apply(lockspace.Cut{Sequence: 1, Time: t, Inputs: inputs})
//	// write res.Blocks and the root in one batch, then answer reads from next
//
// # Time
//
// A lease, an inbox deadline, a lock-delay and an anchor's age are measured on the lease clock: ledger time less all
// outages so far. Where two cuts are more than OutageAfter apart, the excess is an outage. That is the same as adding
// the excess to every lease and deadline at once, without touching them.
//
// # State
//
// One B+-tree (package tree) holds every record under a key that begins with its table's letter (keys.go). The root
// block names the tree, the rules, and what is one number for the whole (Root). Contents above InlineContent bytes,
// programs, and the event log's chunks are blocks of their own. Everything is canonical DAG-CBOR.
package lockspace
