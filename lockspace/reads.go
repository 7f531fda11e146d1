package lockspace

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace/tree"
)

// Every read works on a State from Open, New or Apply, and inside Verify on the blocks of a proof alone.

// Stat describes a node.
type Stat struct {
	Path string
	Node
	LockGeneration uint64 // 0 until the first acquire
}

// Entry is one child in a listing.
type Entry struct {
	Name string
	Node
}

// Holder says who holds a lock, where they are, and how far their clock has come.
type Holder struct {
	Path       string
	Lock       wire.CID
	Instance   uint64
	Generation uint64
	State      LockState
	Mode       Mode
	Account    AccountID // of the generation, also after it ended
	Peer       string
	Addresses  []string
	Ends       Time     // ledger time at which the lease, or the lock-delay, ends if no outage comes
	Renewed    uint64   // sequence of the last acquire or renewal
	Machine    *Machine // nil for a plain lock
	Sequencer  Sequencer
	Sequence   uint64 // of the state that says so, and its ledger time
	Time       Time
}

// Sequencer is what a holder hands to the servers that it uses: they check it against the ledger, so that one who lost
// the lock is fenced off. It is no secret: a server authenticates who presents it as that peer.
type Sequencer struct {
	Path       string
	Instance   uint64
	Mode       Mode
	Generation uint64
	Peer       string
}

// String returns MODE:INSTANCE:GENERATION:PEER:PATH.
func (q Sequencer) String() string {
	return fmt.Sprintf("%s:%d:%d:%s:%s", q.Mode, q.Instance, q.Generation, q.Peer, q.Path)
}

// ParseSequencer reads what String wrote.
func ParseSequencer(s string) (Sequencer, error) {
	const longest = MaxPath + MaxPeer + 64
	bad := refuse(CodeInvalid, "sequencer %.80q: want MODE:INSTANCE:GENERATION:PEER:PATH", s)
	f := strings.SplitN(s, ":", 5)
	if len(s) > longest || len(f) != 5 {
		return Sequencer{}, bad
	}
	q := Sequencer{Mode: Mode(f[0]), Peer: f[3], Path: f[4]}
	var err1, err2 error
	q.Instance, err1 = strconv.ParseUint(f[1], 10, 64)
	q.Generation, err2 = strconv.ParseUint(f[2], 10, 64)
	if err1 != nil || err2 != nil || q.Mode != Exclusive || CheckPath(q.Path) != nil || q.String() != s {
		return Sequencer{}, bad
	}
	return q, nil
}

func notFound(what string, args ...any) error { return refuse(CodeNotFound, what, args...) }

func (s *State) node(path string) (*Node, error) {
	if err := CheckPath(path); err != nil {
		return nil, err
	}
	n, err := record[Node](s, nodeKey(path))
	if err == nil && n == nil {
		err = notFound("%s is not there", path)
	}
	return n, err
}

// Stat describes the node at a path.
func (s *State) Stat(path string) (Stat, error) {
	n, err := s.node(path)
	if err != nil {
		return Stat{}, err
	}
	st := Stat{Path: path, Node: *n}
	if n.Directory {
		return st, nil
	}
	id, err := s.lockID(path)
	if err != nil {
		return st, err
	}
	l, err := record[Lock](s, lockKey(id))
	if l != nil {
		st.LockGeneration = l.Generation
	}
	return st, err
}

// Get returns a file's content, checked against its checksum, and its record.
func (s *State) Get(path string) ([]byte, Node, error) {
	n, err := s.node(path)
	if err != nil {
		return nil, Node{}, err
	}
	if n.Directory {
		return nil, *n, refuse(CodeInvalid, "%s is a directory: list it", path)
	}
	if n.Size <= InlineContent {
		return n.Data, *n, nil
	}
	if n.Checksum == nil {
		return nil, *n, fmt.Errorf("%w: %s has a size and no content", tree.ErrBlock, path)
	}
	b, err := s.src.Block(*n.Checksum, MaxContent+16)
	if err != nil {
		return nil, *n, err
	}
	var content []byte
	if err := wire.Unmarshal(b, &content); err != nil {
		return nil, *n, fmt.Errorf("%w: %s: %w", tree.ErrBlock, path, err)
	}
	return content, *n, nil
}

// List returns up to limit children of a directory in the order of their names, from the first above after on. Fewer
// than limit are the last.
func (s *State) List(dir, after string, limit int) ([]Entry, error) {
	n, err := s.node(dir)
	if err != nil {
		return nil, err
	}
	if !n.Directory {
		return nil, refuse(CodeInvalid, "%s is a file: it has no children", dir)
	}
	limit = min(max(limit, 1), MaxList)
	prefix := tableNode + dir + "\x00"
	from := prefix + "\x00"
	if after != "" {
		from = prefix + after + "\x00"
	}
	var out []Entry
	var failed error
	err = s.tree.Scan(from, tree.PrefixEnd(prefix), func(key string, value []byte) bool {
		e := Entry{Name: key[len(prefix):]}
		if failed = wire.Unmarshal(value, &e.Node); failed != nil {
			return false
		}
		out = append(out, e)
		return len(out) < limit
	})
	return out, errors.Join(err, failed)
}

// Lock returns the lock of the file at a path. A file that was never locked has one of generation 0.
func (s *State) Lock(path string) (*Lock, wire.CID, error) {
	n, err := s.node(path)
	if err != nil {
		return nil, wire.CID{}, err
	}
	if n.Directory {
		return nil, wire.CID{}, refuse(CodeInvalid, "%s is a directory: locks are on files", path)
	}
	id, err := s.lockID(path)
	if err != nil {
		return nil, id, err
	}
	l, err := record[Lock](s, lockKey(id))
	if err == nil && l == nil {
		l = &Lock{Path: path, Instance: n.Instance}
	}
	return l, id, err
}

// Holder says who holds the lock at a path.
func (s *State) Holder(path string) (Holder, error) {
	l, id, err := s.Lock(path)
	if err != nil {
		return Holder{}, err
	}
	h := Holder{Path: path, Lock: id, Instance: l.Instance, Generation: l.Generation, State: l.State, Mode: l.Mode,
		Account: l.Holder, Peer: l.Peer, Addresses: l.Addresses, Renewed: l.Sequence, Machine: l.Machine,
		Sequence: s.root.Sequence, Time: s.root.Time}
	if l.State != Free {
		h.Ends = l.Ends + Time(s.root.Outage)
	}
	if l.State == Held {
		h.Sequencer = Sequencer{Path: path, Instance: l.Instance, Mode: l.Mode, Generation: l.Generation, Peer: l.Peer}
	}
	return h, nil
}

// Find returns the paths of the locks that a content id names: a lock's own, or those with that machine or program, in
// an order of their ids; from the first behind after, a path that Find returned before, up to limit. Fewer are all.
func (s *State) Find(id wire.CID, after string, limit int) ([]string, error) {
	if !id.Defined() {
		return nil, refuse(CodeInvalid, "find: the content id is not set")
	}
	l, err := record[Lock](s, lockKey(id))
	if err != nil {
		return nil, err
	}
	if l != nil {
		if after != "" {
			return nil, nil
		}
		return []string{l.Path}, nil
	}
	prefix := tableMachine + digestOf(id)
	from := prefix
	if after != "" {
		lock, err := s.lockID(after)
		if err != nil {
			return nil, err
		}
		from = findKey(id, lock) + "\x00"
	}
	limit = min(max(limit, 1), MaxList)
	var out []string
	var failed error
	err = s.tree.Scan(from, tree.PrefixEnd(prefix), func(_ string, value []byte) bool {
		var path string
		if failed = wire.Unmarshal(value, &path); failed != nil {
			return false
		}
		out = append(out, path)
		return len(out) < limit
	})
	if err == nil && failed == nil && len(out) == 0 && after == "" {
		err = notFound("no lock, machine or program of a lock has the content id %s", id)
	}
	return out, errors.Join(err, failed)
}

// CheckSequencer returns nil while the sequencer's holder still has that lock, or why it is to be turned away.
func (s *State) CheckSequencer(q Sequencer) error {
	h, err := s.Holder(q.Path)
	if err != nil {
		return err
	}
	if h.State != Held || h.Sequencer != q {
		return refuse(CodeNotHolder, "sequencer %s is stale: the lock is %s, instance %d, generation %d", q, h.State, h.Instance, h.Generation)
	}
	return nil
}

// Inbox returns up to limit transactions that wait for the machine at a path, oldest first, and the first one's index.
func (s *State) Inbox(path string, limit int) ([]InboxEntry, uint64, error) {
	l, id, err := s.Lock(path)
	if err != nil {
		return nil, 0, err
	}
	if l.Machine == nil {
		return nil, 0, refuse(CodeInvalid, "%s has no machine", path)
	}
	limit = min(max(limit, 1), MaxList)
	var out []InboxEntry
	for i := l.Machine.Head; i < l.Machine.Tail && len(out) < limit; i++ {
		e, err := record[InboxEntry](s, inboxKey(id, i))
		if err != nil {
			return nil, 0, err
		}
		if e == nil {
			return nil, 0, fmt.Errorf("%w: %s: transaction %d is missing", tree.ErrBlock, path, i)
		}
		if e.Deadline != 0 {
			e.Deadline += Time(s.root.Outage)
		}
		out = append(out, *e)
	}
	return out, l.Machine.Head, nil
}

// Opening returns the opening of the state of the machine at a path, as its last proof brought it; nil before the first, and
// where the terms want none.
func (s *State) Opening(path string) ([]Felt, error) {
	l, _, err := s.Lock(path)
	if err != nil || l.Machine == nil || l.Machine.Terms.Opening != OpeningPoseidon {
		return nil, err
	}
	content, _, err := s.Get(path)
	if err != nil {
		return nil, err
	}
	var out []Felt
	for ; len(content) >= len(Felt{}); content = content[len(Felt{}):] {
		out = append(out, Felt(content[:len(Felt{})]))
	}
	return out, nil
}

// Account returns an account's record.
func (s *State) Account(id AccountID) (Account, error) {
	a, err := record[Account](s, accountKey(id))
	if err != nil {
		return Account{}, err
	}
	if a == nil {
		return Account{}, refuse(CodeAccount, "account %s is not on this ledger", id)
	}
	return *a, nil
}

// NamedAccount is one account in a listing.
type NamedAccount struct {
	ID AccountID
	Account
}

// Accounts returns up to limit accounts in the order of their keys, from the first above after on; nil for the first.
func (s *State) Accounts(after *AccountID, limit int) ([]NamedAccount, error) {
	from := tableAccount
	if after != nil {
		from = accountKey(*after) + "\x00"
	}
	limit = min(max(limit, 1), MaxList)
	var out []NamedAccount
	var failed error
	err := s.tree.Scan(from, tree.PrefixEnd(tableAccount), func(key string, value []byte) bool {
		if len(key) != 1+len(AccountID{}) {
			failed = fmt.Errorf("%w: an account's key of %d bytes", tree.ErrBlock, len(key))
			return false
		}
		a := NamedAccount{ID: AccountID([]byte(key[1:]))}
		if failed = wire.Unmarshal(value, &a.Account); failed != nil {
			return false
		}
		out = append(out, a)
		return len(out) < limit
	})
	return out, errors.Join(err, failed)
}

// Proofs returns how many proofs an account may send now, at the state's time.
func (s *State) Proofs(a Account) uint64 {
	debt := max(a.ProofDebt-s.root.LeaseClock(), 0)
	used := (uint64(debt) + uint64(a.Quota.Refill) - 1) / uint64(max(a.Quota.Refill, 1))
	return a.Quota.Proofs - min(used, a.Quota.Proofs)
}

// Program returns a published program's record.
func (s *State) Program(id wire.CID) (Program, error) {
	if !id.Defined() {
		return Program{}, refuse(CodeInvalid, "program: the content id is not set")
	}
	p, err := record[Program](s, programKey(id))
	if err != nil {
		return Program{}, err
	}
	if p == nil {
		return Program{}, notFound("program %s is not published", id)
	}
	return *p, nil
}

// ProgramBytes returns a published program's canonical bytes.
func (s *State) ProgramBytes(id wire.CID) ([]byte, error) {
	if _, err := s.Program(id); err != nil {
		return nil, err
	}
	b, err := s.src.Block(id, MaxProgram)
	return bytes.Clone(b), err
}

// AnchorAt returns the anchor of a past sequence that is still kept, for a proof that is to name it. The state's own
// sequence is one as soon as the next cut is executed, and is allowed here.
func (s *State) AnchorAt(sequence uint64) (Digest, error) {
	if sequence == s.root.Sequence {
		return Anchor(sequence, s.id)
	}
	r, err := record[pastRoot](s, rootKey(sequence))
	if err != nil {
		return Digest{}, err
	}
	if r == nil {
		return Digest{}, refuse(CodeAnchor, "the root of sequence %d is not kept: take a newer one, up to %d", sequence, s.root.Sequence)
	}
	return Anchor(sequence, r.Root)
}
