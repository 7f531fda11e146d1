package lockspace

import (
	"encoding/binary"

	"github.com/seed06907907/fatty/internal/wire"
)

// The tables of the state's tree. A key is a table's letter and what follows:
//
//	a  account                       Account
//	b  digest of a content block     contentRef
//	e  lock digest, slot byte        string: path of an ephemeral file of that lock
//	i  lock digest, index (8 bytes)  InboxEntry
//	l  lock digest                   Lock
//	m  machine or program digest,
//	   lock digest                   string: path of a lock with that machine or program
//	n  directory, 0, name            Node; the root directory's key is "n", 0
//	p  program digest                Program
//	r  sequence (8 bytes)            pastRoot
//	t  lease-clock time (8 bytes),
//	   path                          true: something of that lock ends then
//	v  chunk number (8 bytes)        eventChunkRef
const (
	tableAccount   = "a"
	tableContent   = "b"
	tableEphemeral = "e"
	tableInbox     = "i"
	tableLock      = "l"
	tableMachine   = "m"
	tableNode      = "n"
	tableProgram   = "p"
	tableRoot      = "r"
	tableTimer     = "t"
	tableEvent     = "v"
)

func be64(n uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], n)
	return string(b[:])
}

func digestOf(id wire.CID) string { d := id.Digest(); return string(d[:]) }

func nodeKey(path string) string {
	dir, name := split(path)
	return tableNode + dir + "\x00" + name
}

func accountKey(a AccountID) string      { return tableAccount + string(a[:]) }
func contentKey(id wire.CID) string      { return tableContent + digestOf(id) }
func lockKey(id wire.CID) string         { return tableLock + digestOf(id) }
func programKey(id wire.CID) string      { return tableProgram + digestOf(id) }
func rootKey(sequence uint64) string     { return tableRoot + be64(sequence) }
func eventKey(chunk uint64) string       { return tableEvent + be64(chunk) }
func timerKey(at Time, p string) string  { return tableTimer + be64(uint64(at)) + p }
func findKey(what, lock wire.CID) string { return tableMachine + digestOf(what) + digestOf(lock) }
func inboxKey(lock wire.CID, index uint64) string {
	return tableInbox + digestOf(lock) + be64(index)
}
func ephemeralKey(lock wire.CID, slot int) string {
	return tableEphemeral + digestOf(lock) + string([]byte{byte(slot)})
}

// Root is the state's root block: its id is what validators sign.
type Root struct {
	Version  uint64   `cbor:"version"` // of the state's layout: 1
	Chain    string   `cbor:"chain"`
	Rules    wire.CID `cbor:"rules"`
	Sequence uint64   `cbor:"sequence"`
	Time     Time     `cbor:"time"`   // the ledger time of that cut
	Outage   Duration `cbor:"outage"` // all outages so far; lease clock = ledger time - outage
	// Tree is absent only in a state without any record, which no genesis makes.
	Tree      *wire.CID `cbor:"tree,omitempty"`
	Instances uint64    `cbor:"instances"` // the instance number given last; they only grow
	Timers    uint64    `cbor:"timers"`    // locks with something that ends by itself
	RootsFrom uint64    `cbor:"roots"`     // the oldest past sequence whose root is kept
	// The event log: chunks [EventsFrom, EventsNext), EventCount events in all; those of sequences up to
	// EventsGone are no longer (all) there.
	EventsFrom uint64 `cbor:"eventsFrom"`
	EventsNext uint64 `cbor:"eventsNext"`
	EventCount uint64 `cbor:"eventCount"`
	EventsGone uint64 `cbor:"eventsGone"`
}

// LeaseClock returns the lease clock at the root's time.
func (r Root) LeaseClock() Time { return r.Time - Time(r.Outage) }

// Node is a directory or file.
type Node struct {
	Directory bool      `cbor:"directory,omitempty"`
	Instance  uint64    `cbor:"instance"`          // above that of every earlier node of that name
	Content   uint64    `cbor:"content,omitempty"` // content generation: grows with every write
	ACL       uint64    `cbor:"acl,omitempty"`     // ACL generation; access lists come later, with a field of their own
	Children  uint64    `cbor:"children,omitempty"`
	Owner     AccountID `cbor:"owner"` // who made it
	Payer     AccountID `cbor:"payer"` // whose quota it counts against: who wrote last
	Size      uint64    `cbor:"size,omitempty"`
	Checksum  *wire.CID `cbor:"checksum,omitempty"` // files: the content id of the content as a DAG-CBOR byte string
	Data      []byte    `cbor:"data,omitempty"`     // the content, up to InlineContent bytes
	Machine   bool      `cbor:"machine,omitempty"`  // its lock demands a machine
	Created   Time      `cbor:"created"`
	Modified  Time      `cbor:"modified"`
	// An ephemeral file goes when the lock at LivesBy is lost; Slot is its place among that lock's.
	LivesBy string `cbor:"livesBy,omitempty"`
	Slot    uint64 `cbor:"slot,omitempty"`
}

// cost is what the node takes of its payer's state quota.
func (n *Node) cost(path string) uint64 {
	c := uint64(costNode+len(path)) + n.Size
	if n.Machine {
		c += costMachine
	}
	return c
}

// contentRef counts the files whose content is one block.
type contentRef struct {
	Count uint64 `cbor:"count"`
}

// Account may sign transactions.
type Account struct {
	Name  string `cbor:"name,omitempty"`
	Grant bool   `cbor:"grant,omitempty"` // may make accounts and set quotas
	Quota Quota  `cbor:"quota"`
	State uint64 `cbor:"state"` // bytes of state that it pays for
	Inbox uint64 `cbor:"inbox"` // its transactions that wait in inboxes
	// ProofDebt is the lease-clock time at which the proof allowance is full again (the theoretical arrival time of the
	// generic cell rate algorithm): one number instead of a counter and when it was filled last.
	ProofDebt Time `cbor:"proofDebt"`
	// Nonce is the highest used; bit i of Used (byte i/8, bit i%8) says that Nonce-i was used.
	Nonce uint64   `cbor:"nonce"`
	Used  [32]byte `cbor:"used"`
}

// Program is a published program: its canonical bytes are the block that ID links to, and Key was derived from them.
type Program struct {
	ID        wire.CID  `cbor:"program"`
	Key       Digest    `cbor:"key"`
	Size      uint64    `cbor:"size"`
	Publisher AccountID `cbor:"publisher"`
	Sequence  uint64    `cbor:"sequence"`
}

// LockState says whether a lock is held.
type LockState uint64

// The states of a lock.
const (
	Free    LockState = 0
	Held    LockState = 1
	Delayed LockState = 2 // its holder failed; it stays closed until Ends
)

func (s LockState) String() string {
	switch s {
	case Free:
		return "free"
	case Held:
		return "held"
	}
	return "delayed"
}

// Lock is the lock of a file; a plain file has one from its first acquire on. Times are of the lease clock.
type Lock struct {
	Path       string    `cbor:"path"`
	Instance   uint64    `cbor:"instance"`
	Generation uint64    `cbor:"generation"`
	State      LockState `cbor:"state"`
	Mode       Mode      `cbor:"mode,omitempty"`
	Holder     AccountID `cbor:"holder"`          // of the generation; zero before the first
	Peer       string    `cbor:"peer,omitempty"`  // while held: the peer id of the holder's key
	Addresses  []string  `cbor:"addrs,omitempty"` // while held: its multiaddrs
	Ends       Time      `cbor:"ends,omitempty"`  // held: the lease; delayed: the lock-delay
	Freed      Time      `cbor:"freed,omitempty"` // free: since when
	Ephemerals uint64    `cbor:"ephemerals,omitempty"`
	Sequence   uint64    `cbor:"sequence,omitempty"` // of the last acquire or renewal
	Machine    *Machine  `cbor:"machine,omitempty"`
}

// Machine is the machine that a lock demands, and how far it has come.
type Machine struct {
	ID      wire.CID `cbor:"machine"`
	Program wire.CID `cbor:"program"`
	Start   Felt     `cbor:"start"`
	Terms   Terms    `cbor:"terms"`
	// T and S are the clock: the number of transitions and the state last proven; 0 and Start before the first.
	T uint64 `cbor:"t"`
	S Felt   `cbor:"s"`
	// Proof is the newest accepted span, from T0 to T.
	Proof *wire.CID `cbor:"proof,omitempty"`
	T0    uint64    `cbor:"t0,omitempty"`
	// Whole is the newest whole-life span; none before the first proof.
	Whole *Whole `cbor:"whole,omitempty"`
	// The inbox holds indexes [Head, Tail); those below Dated carry a deadline. Deadline is the head's, 0 for none.
	Head     uint64 `cbor:"head"`
	Tail     uint64 `cbor:"tail"`
	Dated    uint64 `cbor:"dated"`
	Deadline Time   `cbor:"deadline,omitempty"`
}

// Whole names a whole-life span: from a machine's start to T. Nodes keep its bytes until the next takes its place.
type Whole struct {
	ID     wire.CID `cbor:"id"`
	Length uint64   `cbor:"length"`
	T      uint64   `cbor:"t"`
}

// WholeDue says whether the next acquire that goes on from (T, S), or renewal, has to bring the span from the start to
// there. It is due where the ledger names all that it is made of: the whole-life span so far and, from its end on, the newest
// proof. It is not where that whole-life span reaches T already, as after the first proof of all, which is one itself; and
// not where the chain is broken, since nobody may be able to make it then.
func (m *Machine) WholeDue() bool { return m.Whole != nil && m.Whole.T == m.T0 && m.T0 < m.T }

// timer returns when something of the lock ends by itself, or 0.
func (l *Lock) timer() Time {
	switch {
	case l == nil || l.State == Free:
		return 0
	case l.State == Held && l.Machine != nil && l.Machine.Deadline != 0 && l.Machine.Deadline < l.Ends:
		return l.Machine.Deadline
	}
	return l.Ends
}

// InboxEntry is a transaction that waits for a machine.
type InboxEntry struct {
	From     AccountID `cbor:"from"`
	Felts    []Felt    `cbor:"felts"`
	Sent     uint64    `cbor:"sent"`               // the sequence of the send
	Deadline Time      `cbor:"deadline,omitempty"` // of the lease clock; 0: none yet
}

// cost is what it takes of its sender's state quota.
func (e *InboxEntry) cost() uint64 { return costEntry + costFelt*uint64(len(e.Felts)-1) }

// pastRoot is the root of an executed sequence, and when that was on the lease clock.
type pastRoot struct {
	Root wire.CID `cbor:"root"`
	At   Time     `cbor:"at"`
}
