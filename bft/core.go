package bft

import (
	"fmt"
	"math"
	"time"

	"github.com/seed06907907/fatty/internal/wire"
)

// Config is what a Core is made with. The durations are part of the chain's rules where validators must agree on them:
// Ahead, Behind and IdlePeriod come from genesis.
type Config struct {
	Committee *Committee
	// Self is this replica's index in the committee, or -1 for one that only follows.
	Self int
	// Signer signs for Self; nil if Self is -1.
	Signer Signer
	// Ahead and Behind bound how far a fresh proposal's time may be from the replica's clock.
	Ahead, Behind time.Duration
	// IdlePeriod is how often the leader proposes an empty cut while execution says that ticks are needed.
	IdlePeriod time.Duration
	// ViewTimeout is how long a replica waits for a pre-prepare while ticks are needed.
	ViewTimeout time.Duration
	// StallTimeout is how long a certified block may wait for its cut, or a cut for its decision. Both time-outs double
	// with each view change that brings no decision, and halve again with each decision.
	StallTimeout time.Duration
	// Retransmit is how long a replica waits for an answer before it repeats itself.
	Retransmit time.Duration
}

// DefaultConfig returns the timings of a real ledger: 500 ms ahead, 2 s behind, an empty cut a second, 2 s without a
// pre-prepare, 1.5 s for a stalled leader, 300 ms before a message is repeated.
func DefaultConfig(c *Committee, self int, s Signer) Config {
	return Config{Committee: c, Self: self, Signer: s, Ahead: 500 * time.Millisecond, Behind: 2 * time.Second,
		IdlePeriod: time.Second, ViewTimeout: 2 * time.Second, StallTimeout: 1500 * time.Millisecond, Retransmit: 300 * time.Millisecond}
}

// Validate says what is wrong with a configuration.
func (c Config) Validate() error {
	if c.Committee == nil {
		return fmt.Errorf("consensus configuration: no committee")
	}
	if c.Self < -1 || c.Self >= c.Committee.Size() || (c.Self >= 0) != (c.Signer != nil) {
		return fmt.Errorf("consensus configuration: index %d does not fit its key and a committee of %d", c.Self, c.Committee.Size())
	}
	for _, d := range []time.Duration{c.Ahead, c.Behind, c.IdlePeriod, c.ViewTimeout, c.StallTimeout, c.Retransmit} {
		if d <= 0 || d > time.Hour {
			return fmt.Errorf("consensus configuration: a duration of %s is out of range (0 to 1h)", d)
		}
	}
	return nil
}

const (
	// maxBackoff bounds the doubling of time-outs: 2^4 times the base.
	maxBackoff = 4
	// ballotsAhead is for how many sequence numbers after the last decided one ballots are kept.
	ballotsAhead = 4
	// statesKept is for how many sequence numbers around the last executed one state votes are kept.
	statesKept = 64
	// maxUnexecuted is how far decisions may run ahead of execution before the leader waits.
	maxUnexecuted = 4
	// maxExecuting is how many decided cuts may wait for execution here. A replica whose execution is slower than the
	// ledger takes no part in ordering beyond that and catches up later, so that its memory and vote log stay bounded.
	maxExecuting = 256
	// wantDelay is how long something may be missing before it is asked for: it is often on its way.
	wantDelay = 30 * time.Millisecond
)

// Everyone as an Envelope's To means all other validators and whoever follows.
const Everyone = -1

// Envelope is a frame to be sent.
type Envelope struct {
	To    int // index of a validator, or Everyone
	Frame []byte
}

// Delivery is a decided cut with all its blocks in the order in which they execute: by worker, then by height.
type Delivery struct {
	Decision Decision
	Prev     LedgerTime // the time of the cut before, 0 at sequence 1
	Blocks   []*Block
}

// Want is something missing that the driver should fetch: a block by id if Block is set, else decisions from First to
// Last. From lists validators that vouch for having it, best first.
type Want struct {
	Block       Digest
	Worker      uint16
	First, Last Sequence
	From        []int
}

// Output is what a Core wants done. The order of its fields is a rule: everything in Persist must be on disk, as one
// unit, before anything in Send leaves or anything in Deliver or StateCertificates is acted upon. A driver that crashes
// in between loses the Output whole, and the replica comes back as if it had never spoken.
type Output struct {
	Persist           []Record
	Send              []Envelope
	Deliver           []Delivery
	StateCertificates []*StateCertificate
	Wants             []Want
	Evidence          []*Evidence
	// Halt is set once, when the replica must leave consensus: its state or its history contradicts a quorum. Whoever
	// sees it keeps the disk as it is and tells a human.
	Halt error
}

// Head is the last decided cut.
type Head struct {
	Sequence Sequence
	Time     LedgerTime
	Cut      Digest
	Commit   *BallotCertificate // nil at genesis
}

// Base is where a replica starts from: what its ledger store holds.
type Base struct {
	Head     Head
	Tips     []Tip    // committed tip of each lane that has one, at Head
	Executed Sequence // what the application has executed, at least Head.Sequence
	// TicksNeeded is what execution said last.
	TicksNeeded bool
}

// Core is one replica. It is a value in the sense that matters: what it does depends on its calls alone. It is not safe
// for concurrent use.
type Core struct {
	cfg    Config
	com    *Committee
	self   int
	now    LedgerTime
	out    Output
	halted bool

	lanes []*lane
	wants map[Digest]*wantState

	// Order.
	view     View
	changing bool // a view change to view is under way
	head     Head
	slot     *slot     // the proposal accepted in view at head+1
	prepared *Prepared // of the highest view, at head+1
	ballots  [ballotsAhead][2][]*Ballot
	early    []*PrePrepare // by leader: the newest that could not be taken yet
	decideAt LedgerTime    // when head was decided

	// View change.
	changes    []*ViewChange // by signer: the newest
	ownChange  []byte        // frame of our view change while changing
	newView    *NewView      // of the current view, nil in view 0
	newFrame   []byte
	base       Sequence // the head that the current view starts from
	repropose  *Cut     // what the current view must take first, at base+1
	enteredAt  LedgerTime
	quorumAt   LedgerTime // when a quorum wanted the view that is being changed to or a higher one; 0 before
	attempts   int
	proposedAt LedgerTime // when the last pre-prepare was taken

	// Execution.
	executing []*execution
	executed  Sequence
	ticks     bool
	states    map[Sequence]*stateTally

	// Others.
	known        []Sequence // by validator: the head that it told
	helpedAt     []LedgerTime
	repeatedAt   LedgerTime
	statusAt     LedgerTime
	statusTurn   int
	evidenceSeen map[string]bool
	rangeAt      LedgerTime
	rangeHead    Sequence
}

// New makes a replica that stands at base and has lived through records, in their order, since.
func New(cfg Config, base Base, records []Record) (*Core, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	n := cfg.Committee.Size()
	c := &Core{cfg: cfg, com: cfg.Committee, self: cfg.Self, head: base.Head, base: base.Head.Sequence, executed: base.Executed,
		ticks: base.TicksNeeded, wants: map[Digest]*wantState{}, early: make([]*PrePrepare, n), changes: make([]*ViewChange, n),
		states: map[Sequence]*stateTally{}, known: make([]Sequence, n), helpedAt: make([]LedgerTime, n), evidenceSeen: map[string]bool{}}
	for i := range c.ballots {
		c.ballots[i] = newBallots(n)
	}
	for range n {
		c.lanes = append(c.lanes, newLane())
	}
	for _, t := range base.Tips {
		if int(t.Worker) >= n {
			return nil, fmt.Errorf("the ledger has a lane %d, the committee is of %d", t.Worker, n)
		}
		c.lanes[t.Worker].commit(t)
	}
	if err := c.restore(records); err != nil {
		return nil, err
	}
	c.out = Output{}
	return c, nil
}

// Tick moves the replica's clock, nanoseconds since the epoch, and does what is due. A clock that goes back is held.
func (c *Core) Tick(now LedgerTime) {
	if c.halted || now <= c.now || now == math.MaxInt64 {
		return
	}
	first := c.now == 0
	c.now = now
	if first {
		c.enteredAt, c.proposedAt, c.decideAt = now, now, now
		c.resetWaiting()
	}
	c.advance()
	c.repeat()
	c.checkTimeouts()
	c.emitWants()
}

// Step takes a message in. Blocks must be ready to be voted for: the driver has checked their transactions and holds
// the attachments that they name.
func (c *Core) Step(v Verified) {
	if c.halted || v.m == nil {
		return
	}
	switch m := v.m.(type) {
	case *Block:
		c.onBlock(m, v.id, v.frame, true)
	case *Vote:
		c.onVote(m)
	case *Certificate:
		c.adopt(m)
	case *PrePrepare:
		c.onPrePrepare(m)
	case *Ballot:
		c.onBallot(m)
	case *ViewChange:
		c.onViewChange(m)
	case *NewView:
		c.onNewView(m, v.frame)
	case *StateVote:
		c.onStateVote(m)
	case *StateCertificate:
		c.onStateCertificate(m)
	case *Decision:
		c.onDecision(m)
	case *Status:
		c.onStatus(m)
	case *Evidence:
		c.onEvidence(m)
	}
	c.advance()
}

// Supply takes in a block that was asked for but may not be voted for: its transactions did not pass, or it is old. It
// is kept only if a Want names it.
func (c *Core) Supply(v Verified) {
	if b, ok := v.m.(*Block); ok && !c.halted {
		c.onBlock(b, v.id, v.frame, false)
		c.advance()
	}
}

// Ready returns what is to be done since the last call, and forgets it.
func (c *Core) Ready() Output {
	out := c.out
	c.out = Output{}
	return out
}

// advance does whatever has become possible, until nothing has.
func (c *Core) advance() {
	for again := true; again && !c.halted; {
		again = c.voteForBlocks()
		again = c.takeProposal() || again
		again = c.countBallots() || again
		again = c.propose() || again
	}
	c.deliver()
}

func (c *Core) halt(format string, args ...any) {
	if !c.halted {
		c.halted = true
		c.out.Halt = fmt.Errorf(format, args...)
	}
}

func (c *Core) persist(k RecordKind, v any) {
	b, err := wire.Marshal(v)
	if err != nil {
		c.halt("encode a record: %w", err)
		return
	}
	c.out.Persist = append(c.out.Persist, Record{Kind: k, Data: b})
}

// send encodes a message for to and returns its frame, so that it can be repeated.
func (c *Core) send(to int, m Message) []byte {
	f, err := Frame(m)
	if err != nil {
		c.halt("encode a message: %w", err)
		return nil
	}
	c.sendFrame(to, f)
	return f
}

func (c *Core) sendFrame(to int, frame []byte) {
	if len(frame) > 0 && to != c.self {
		c.out.Send = append(c.out.Send, Envelope{To: to, Frame: frame})
	}
}

func (c *Core) sign(d wire.Domain, body any) []byte {
	b, err := wire.Marshal(body)
	if err != nil {
		c.halt("encode what is to be signed: %w", err)
		return nil
	}
	return c.cfg.Signer.Sign(d, b)
}

func (c *Core) since(t LedgerTime) time.Duration { return time.Duration(c.now - t) }

// patience is a time-out, grown by the view changes that led nowhere.
func (c *Core) patience(base time.Duration) time.Duration {
	return base << min(c.attempts, maxBackoff)
}

// help says whether something may be sent to a validator that is behind; at most once in a while to each, so that
// nobody can make this replica shout.
func (c *Core) help(to int) bool {
	if to == c.self || c.since(c.helpedAt[to]) < c.cfg.Retransmit {
		return false
	}
	c.helpedAt[to] = c.now
	return true
}

// full says that execution is too far behind to decide more.
func (c *Core) full() bool { return len(c.executing) >= maxExecuting }

// Progress is where a replica stands, for people.
type Progress struct {
	View      View
	Changing  bool
	Leader    ValidatorID
	Head      Head
	Executed  Sequence
	Highest   Sequence // the highest decided sequence that f+1 validators told of, or Head's
	OwnHeight Height   // blocks of the own lane made
	Halted    bool
}

// Progress returns where the replica stands.
func (c *Core) Progress() Progress {
	p := Progress{View: c.view, Changing: c.changing, Leader: c.com.Member(c.com.Leader(c.view)), Head: c.head,
		Executed: c.executed, Highest: max(c.credible(), c.head.Sequence), Halted: c.halted}
	if c.self >= 0 {
		p.OwnHeight = c.lanes[c.self].voted.Height
	}
	return p
}

// Tips returns the committed tips at the head, by worker: what Base needs next time.
func (c *Core) Tips() (tips []Tip) {
	for i, l := range c.lanes {
		if l.committed.Height > 0 {
			t := l.committed
			t.Worker = uint16(i)
			tips = append(tips, t)
		}
	}
	return tips
}
