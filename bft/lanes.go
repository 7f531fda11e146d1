package bft

import (
	"fmt"
	"sort"

	"github.com/seed06907907/fatty/internal/wire"
)

// lane is what a replica knows of one worker's chain of blocks.
type lane struct {
	committed Tip          // in the head
	voted     Tip          // the last block voted for, or committed if that is higher
	cert      *Certificate // the highest known, nil before
	waiting   LedgerTime   // since when cert waits above committed; 0 if it does not
	// blocks are stored blocks that are not executed yet. At most MaxLaneBlocks heights, and for each height what was
	// voted for or asked for.
	blocks map[Digest]*stored
	// pending are blocks that came before their predecessor: at most MaxLaneBlocks.
	pending map[Height]*stored
	votes   map[Height][]*Vote      // by signer
	first   map[Height]SignedHeader // the first header seen, to tell equivocation
}

type stored struct {
	block *Block
	id    Digest
	frame []byte
	voted bool
	at    LedgerTime
}

type wantState struct {
	worker uint16
	height Height
	needed bool // a decided cut has it
	from   []int
	since  LedgerTime
	asked  LedgerTime
}

func newLane() *lane {
	return &lane{blocks: map[Digest]*stored{}, pending: map[Height]*stored{}, votes: map[Height][]*Vote{}, first: map[Height]SignedHeader{}}
}

func (l *lane) certified() Height {
	if l.cert == nil {
		return 0
	}
	return l.cert.Height
}

// commit moves the committed tip; the voting pointer follows, for a height below it is never voted for again.
func (l *lane) commit(t Tip) {
	l.committed = t
	if l.voted.Height <= t.Height {
		l.voted = t
	}
	for h := range l.votes {
		if h <= t.Height {
			delete(l.votes, h)
		}
	}
	for h := range l.first {
		if h <= t.Height {
			delete(l.first, h)
		}
	}
	for h := range l.pending {
		if h <= t.Height {
			delete(l.pending, h)
		}
	}
}

// inWindow says whether a height may still matter.
func (l *lane) inWindow(h Height) bool {
	return h > l.committed.Height && h <= l.committed.Height+MaxLaneBlocks
}

// Room returns how many more blocks the own lane takes, and how many of its blocks are not certified yet.
func (c *Core) Room() (free, uncertified int) {
	if c.self < 0 || c.halted {
		return 0, 0
	}
	l := c.lanes[c.self]
	used := int(l.voted.Height - l.committed.Height)
	return MaxLaneBlocks - used, int(l.voted.Height - max(l.certified(), l.committed.Height))
}

// AddBlock makes the own lane's next block of transactions that the driver has checked and whose attachments it holds.
// Once the Output that follows is on disk, they are not lost any more.
func (c *Core) AddBlock(txs [][]byte) (Digest, error) {
	if free, _ := c.Room(); free <= 0 {
		return Digest{}, fmt.Errorf("the lane is full: %d blocks wait to be ordered", MaxLaneBlocks)
	}
	if len(txs) == 0 || len(txs) > MaxBlockTransactions {
		return Digest{}, fmt.Errorf("%d transactions: a block has 1 to %d", len(txs), MaxBlockTransactions)
	}
	l := c.lanes[c.self]
	payload, size := payloadOf(txs)
	if size == 0 || size > MaxBlockBytes {
		return Digest{}, fmt.Errorf("transactions of %d bytes: a block has at most %d", size, MaxBlockBytes)
	}
	h := BlockHeader{Chain: c.com.chain, Worker: uint16(c.self), Height: l.voted.Height + 1, Prev: l.voted.Block,
		Payload: payload, Size: uint32(size), Count: uint32(len(txs))}
	b := &Block{SignedHeader: SignedHeader{h, c.sign(wire.DomainBlock, h)}, Transactions: txs}
	frame, err := Frame(b)
	if err != nil {
		return Digest{}, err
	}
	s := &stored{block: b, id: h.ID(), frame: frame, at: c.now}
	l.first[h.Height] = b.SignedHeader
	c.sendFrame(Everyone, frame)
	c.vote(l, s)
	c.advance()
	return s.id, nil
}

func (c *Core) onBlock(b *Block, id Digest, frame []byte, votable bool) {
	h := b.SignedHeader.Header
	l := c.lanes[h.Worker]
	s := l.blocks[id]
	if s != nil && (s.voted || !votable) {
		if s.voted && int(h.Worker) != c.self && h.Height > l.committed.Height {
			c.send(int(h.Worker), c.makeVote(s)) // the worker repeats itself: our vote was lost
		}
		return
	}
	if s == nil {
		s = &stored{block: b, id: id, frame: frame, at: c.now}
	}
	if c.inOrder(l, s, votable) {
		return
	}
	if w := c.wants[id]; w != nil {
		c.store(l, s)
	}
}

// inOrder keeps a block that may be voted for once its turn comes, and says whether it did.
func (c *Core) inOrder(l *lane, s *stored, votable bool) bool {
	h := s.block.SignedHeader.Header
	if !l.inWindow(h.Height) {
		return false
	}
	if f, ok := l.first[h.Height]; !ok {
		l.first[h.Height] = s.block.SignedHeader
	} else if f.Header != h {
		c.evidence(&Evidence{Blocks: []SignedHeader{f, s.block.SignedHeader}})
		return false
	}
	if !votable || h.Height <= l.voted.Height {
		return false
	}
	l.pending[h.Height] = s
	if h.Height > l.voted.Height+1 && l.pending[h.Height-1] == nil {
		c.want(Tip{h.Worker, h.Height - 1, h.Prev}, []int{int(h.Worker)})
	}
	return true
}

// voteForBlocks votes for pending blocks whose predecessor was voted for.
func (c *Core) voteForBlocks() (again bool) {
	for _, l := range c.lanes {
		for {
			s := l.pending[l.voted.Height+1]
			if s == nil {
				break
			}
			delete(l.pending, l.voted.Height+1)
			if s.block.SignedHeader.Header.Prev != l.voted.Block {
				if c.wants[s.id] != nil { // it forks from what we voted for, and others certified it
					c.store(l, s)
				}
				break
			}
			if c.self >= 0 {
				c.vote(l, s)
			} else {
				c.store(l, s)
				l.voted = tipOf(s)
			}
			again = true
		}
	}
	return again
}

func tipOf(s *stored) Tip {
	h := s.block.SignedHeader.Header
	return Tip{h.Worker, h.Height, s.id}
}

func (c *Core) makeVote(s *stored) *Vote {
	h := s.block.SignedHeader.Header
	v := &Vote{Worker: h.Worker, Height: h.Height, Block: s.id, Signer: uint16(c.self)}
	v.Sig = c.sign(wire.DomainVote, voteBody{c.com.chain, v.Worker, v.Height, v.Block})
	return v
}

// vote stores a block and votes for it: to its worker, which makes the certificate known, and to the leader, which can
// then propose it one message delay sooner.
func (c *Core) vote(l *lane, s *stored) {
	s.voted = true
	l.voted = tipOf(s)
	c.store(l, s)
	v := c.makeVote(s)
	c.tally(l, v)
	worker, leader := int(v.Worker), c.com.Leader(c.view)
	if worker == c.self && leader == c.self {
		return
	}
	if f, err := Frame(v); err == nil {
		c.sendFrame(worker, f)
		if leader != worker {
			c.sendFrame(leader, f)
		}
	}
}

// store keeps a block, on disk too.
func (c *Core) store(l *lane, s *stored) {
	l.blocks[s.id] = s
	delete(c.wants, s.id)
	c.persist(RecordBlock, blockRecord{Voted: s.voted, Frame: s.frame})
}

func (c *Core) onVote(v *Vote) { c.tally(c.lanes[v.Worker], v) }

// tally counts a vote and makes the certificate when f+1 agree.
func (c *Core) tally(l *lane, v *Vote) {
	if !l.inWindow(v.Height) || v.Height <= l.certified() {
		return
	}
	votes := l.votes[v.Height]
	if votes == nil {
		votes = make([]*Vote, c.com.Size())
		l.votes[v.Height] = votes
	}
	if votes[v.Signer] != nil {
		return
	}
	votes[v.Signer] = v
	sigs, count := make([][]byte, c.com.Size()), 0
	for i, o := range votes {
		if o != nil && o.Block == v.Block && count < c.com.Available() {
			sigs[i] = o.Sig
			count++
		}
	}
	if count < c.com.Available() {
		return
	}
	cert := &Certificate{v.Worker, v.Height, v.Block, newSignatureSet(sigs)}
	c.adopt(cert)
	if int(v.Worker) == c.self && c.com.Size() > 1 {
		c.send(Everyone, cert)
	}
}

// adopt takes in a certificate if it is higher than what is known.
func (c *Core) adopt(k *Certificate) {
	l := c.lanes[k.Worker]
	if k.Height <= l.certified() || k.Height <= l.committed.Height {
		return
	}
	l.cert = k
	if l.waiting == 0 {
		l.waiting = c.now
	}
	for h := range l.votes {
		if h <= k.Height {
			delete(l.votes, h)
		}
	}
	if l.blocks[k.Block] == nil {
		c.want(Tip{k.Worker, k.Height, k.Block}, k.Set.Indices())
	}
}

// resetWaiting starts the patience with certified blocks anew.
func (c *Core) resetWaiting() {
	for _, l := range c.lanes {
		l.waiting = 0
		if l.certified() > l.committed.Height {
			l.waiting = c.now
		}
	}
}

// want notes that a block is missing; emitWants asks for it when it does not come by itself.
func (c *Core) want(t Tip, from []int) *wantState {
	w := c.wants[t.Block]
	if w == nil {
		w = &wantState{worker: t.Worker, height: t.Height, since: c.now}
		c.wants[t.Block] = w
	}
	if len(from) > len(w.from) {
		w.from = from
	}
	return w
}

// Wanted says whether a block is still asked for.
func (c *Core) Wanted(id Digest) bool { return c.wants[id] != nil }

// Block returns a stored block that is not executed yet, or nil.
func (c *Core) Block(id Digest) *Block {
	for _, l := range c.lanes {
		if s := l.blocks[id]; s != nil {
			return s.block
		}
	}
	return nil
}

// Unexecuted returns the blocks that are held here and not executed yet, by id. A replica has vouched for what those name
// that it voted for, for as long as their worker or a leader takes to have them ordered.
func (c *Core) Unexecuted() map[Digest]*Block {
	out := map[Digest]*Block{}
	for _, l := range c.lanes {
		for id, s := range l.blocks {
			out[id] = s.block
		}
		for _, s := range l.pending {
			out[s.id] = s.block
		}
	}
	return out
}

// emitWants asks for what has been missing for a while: blocks by id, and decisions when others are ahead.
func (c *Core) emitWants() {
	ids := make([]Digest, 0, len(c.wants))
	for id, w := range c.wants {
		if c.since(w.since) >= wantDelay && (w.asked == 0 || c.since(w.asked) >= c.cfg.Retransmit) {
			ids = append(ids, id)
		}
	}
	sort.Slice(ids, func(i, j int) bool { return lessID(ids[i], ids[j]) })
	for _, id := range ids {
		w := c.wants[id]
		w.asked = c.now
		c.out.Wants = append(c.out.Wants, Want{Block: id, Worker: w.worker, From: c.others(w.from)})
	}
	c.wantDecisions()
}

// others puts the given validators first, then the rest, without this replica.
func (c *Core) others(first []int) (out []int) {
	seen := make([]bool, c.com.Size())
	if c.self >= 0 {
		seen[c.self] = true
	}
	add := func(i int) {
		if i >= 0 && i < len(seen) && !seen[i] {
			seen[i] = true
			out = append(out, i)
		}
	}
	for _, i := range first {
		add(i)
	}
	for i := range seen {
		add(i)
	}
	return out
}
