package api

import (
	"reflect"
	"strings"
)

// Version1 is the version of this interface; it grows by adding only.
const Version1 = "1.1.0"

// Method describes one call. The server registers exactly these and the OpenRPC document lists exactly these.
type Method struct {
	Name    string
	Summary string
	Params  reflect.Type
	Result  reflect.Type
	// Admin calls need the bearer token.
	Admin bool
	// Large calls may carry a proof and so a body above the usual bound.
	Large bool
	// Stream calls need a WebSocket: notifications follow the answer.
	Stream bool
}

// Namespace and Verb are the parts of the name around its dot.
func (m Method) Namespace() string { n, _, _ := strings.Cut(m.Name, "."); return n }

// Verb is the part of the name behind the dot.
func (m Method) Verb() string { _, v, _ := strings.Cut(m.Name, "."); return v }

func method[P, R any](name, summary string) Method {
	return Method{Name: name, Summary: summary, Params: reflect.TypeFor[P](), Result: reflect.TypeFor[R]()}
}

func (m Method) admin() Method  { m.Admin = true; return m }
func (m Method) large() Method  { m.Large = true; return m }
func (m Method) stream() Method { m.Stream = true; return m }

// NotificationEvent is the notification that carries events to a subscriber of lock.watch.
const NotificationEvent = "lock.event"

// Methods is the whole interface, in the order of the documentation.
var Methods = []Method{
	method[HolderParams, Holder]("lock.holder", "Who holds a lock: machine, peer id, addresses, clock, lease end, sequencer; by path, lock CID or machine CID."),
	method[PathParams, Contents]("lock.get", "A file's content with its generations."),
	method[ListParams, List]("lock.list", "The children of a directory, a page at a time."),
	method[PathParams, Stat]("lock.stat", "A node's generations and checksum."),
	method[WatchParams, Subscription]("lock.watch", "Events under a path from a number on, as notifications lock.event; over WebSocket.").stream(),
	method[SequencerParams, SequencerCheck]("lock.checkSequencer", "Whether a sequencer is still good."),
	method[MachineParams, Machine]("machine.get", "A machine by its CID or its lock's path."),
	method[MachineParams, MachineProof]("machine.proof", "A machine's newest accepted proof, as a proof file."),
	method[MachineParams, MachineProof]("machine.wholeLife", "A machine's whole life so far as one proof, from its start, as a proof file."),
	method[InboxParams, Inbox]("machine.inbox", "The transactions that wait for a machine."),
	method[FindParams, Found]("machine.find", "Who provides a program, a machine or a lock: DHT records checked against the lock space."),
	method[SubmitParams, Submitted]("tx.submit", "Hands in a signed transaction with the attachments that it names.").large(),
	method[WaitParams, Receipt]("tx.wait", "Waits for a transaction's receipt."),
	method[SubmitParams, Receipt]("tx.dryRun", "What a transaction would give if it were next; nothing changes.").large(),
	method[AccountParams, Accounts]("account.list", "Who may write, with which quotas."),
	method[None, Head]("ledger.head", "The newest executed place in the ledger."),
	method[SequenceParams, Cut]("ledger.cut", "One ordered cut."),
	method[BlockParams, Block]("ledger.block", "One worker's block by CID."),
	method[SequenceParams, Certificate]("ledger.certificate", "The state root of a sequence number, signed by 2f+1."),
	method[None, Validators]("ledger.validators", "The validators in force."),
	method[None, Genesis]("ledger.genesis", "The genesis file as this node has it; no root of trust."),
	method[None, Status]("node.status", "This node: role, peers, view, height, leases."),
	method[None, Peers]("node.peers", "Who this node is connected to."),
	method[None, Version]("node.version", "This node's build."),
	method[ReadOnlyParams, Done]("admin.readOnly", "Turns read-only mode on or off: a node in it takes no transactions.").admin(),
	method[LogLevelParams, Done]("admin.logLevel", "Sets the log level.").admin(),
}

// Find returns the method of that name.
func Find(name string) (Method, bool) {
	m, ok := byName[name]
	return m, ok
}

var byName = func() map[string]Method {
	m := make(map[string]Method, len(Methods))
	for _, x := range Methods {
		m[x.Name] = x
	}
	return m
}()
