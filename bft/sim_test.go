package bft

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"sort"
	"testing"
	"time"

	"github.com/seed06907907/fatty/internal/wire"
)

// The simulator runs a committee of cores on a virtual clock. One seed gives one run: every delay, loss, crash and lie
// comes from it, so a failing seed replays exactly.

// tagScheme stands in for Ed25519, a hundred times cheaper: a signature is a hash that only the holder of the id makes
// by the rules of the simulation (a forger signs as itself alone).
type tagScheme struct{}

func tag(id ValidatorID, d wire.Domain, body []byte) []byte {
	h := sha256.New()
	h.Write(id[:])
	h.Write([]byte(d))
	h.Write(body)
	s := h.Sum(nil)
	return append(s, s...)
}

func (tagScheme) Check(id ValidatorID, d wire.Domain, body, sig []byte) bool {
	return bytes.Equal(sig, tag(id, d, body))
}

type tagSigner ValidatorID

func (s tagSigner) Sign(d wire.Domain, body []byte) []byte { return tag(ValidatorID(s), d, body) }

func simCommittee(t testing.TB, n int) *Committee {
	var vs []Validator
	for i := range n {
		vs = append(vs, Validator{ID: ValidatorID{byte(i + 1)}, Weight: 1})
	}
	com, err := NewCommittee("sim", vs, tagScheme{})
	if err != nil {
		t.Fatal(err)
	}
	return com
}

// simDisk is what survives a crash: the vote log, the ledger, the application.
type simDisk struct {
	records []Record
	ledger  []Delivery
	root    wire.CID
	roots   []wire.CID
}

// simNode is one process: a core and its disk. Twins are two nodes with one index.
type simNode struct {
	name   string
	index  int
	twin   bool // Byzantine: runs beside another node under the same key
	core   *Core
	disk   *simDisk
	up     bool
	skew   time.Duration
	boot   int // counts starts, so that events of an earlier life are dropped
	side   int // which side of a partition
	spoken map[string]Digest
}

type simEvent struct {
	at   LedgerTime
	tie  int
	what func()
}

type sim struct {
	t         testing.TB
	seed      uint64
	rng       *rand.Rand
	com       *Committee
	nodes     []*simNode
	forger    int // index, -1 without
	now       LedgerTime
	queue     []simEvent
	ties      int
	loss      float64
	maxDelay  time.Duration
	split     bool
	cut       map[[2]int]bool // links that are down, one way
	mutePhase Phase           // ballots of this phase reach only muteBut
	muteBut   int
	quick     bool // short time-outs: many view changes
	decided   map[Sequence]Digest
	states    map[Sequence]wire.CID
	wanted    map[string]int // transactions handed to honest workers and how many executed them
	txs       int
	ticks     bool
	steps     int
}

func (s *sim) fail(format string, args ...any) {
	s.t.Helper()
	s.t.Fatalf("seed %d at %s, step %d: %s\nreplay it with: go test ./bft -run TestSimulation -seed %d", s.seed, time.Duration(s.now-simStart), s.steps, fmt.Sprintf(format, args...), s.seed)
}

const simStart = LedgerTime(1_700_000_000_000_000_000)

func newSim(t testing.TB, seed uint64) *sim {
	s := &sim{t: t, seed: seed, rng: rand.New(rand.NewPCG(seed, 7)), now: simStart, forger: -1,
		decided: map[Sequence]Digest{}, states: map[Sequence]wire.CID{}, wanted: map[string]int{}}
	n := []int{4, 4, 4, 1, 7, 5}[s.rng.IntN(6)]
	s.com = simCommittee(t, n)
	s.loss = []float64{0, 0.02, 0.2}[s.rng.IntN(3)]
	s.maxDelay = time.Duration(1+s.rng.IntN(100)) * time.Millisecond
	s.ticks = s.rng.IntN(2) == 0
	s.quick = s.rng.IntN(2) == 0
	for i := range n {
		s.nodes = append(s.nodes, &simNode{name: fmt.Sprint(i), index: i})
	}
	if f := s.com.Faulty(); f > 0 {
		switch liar := s.rng.IntN(n); s.rng.IntN(3) {
		case 0:
			s.nodes[liar].twin = true
			s.nodes = append(s.nodes, &simNode{name: fmt.Sprintf("%d'", liar), index: liar, twin: true})
		case 1:
			s.forger = liar
		}
	}
	for _, x := range s.nodes {
		x.disk = &simDisk{root: wire.Sum([]byte("genesis")), roots: []wire.CID{wire.Sum([]byte("genesis"))}}
		x.spoken = map[string]Digest{}
		x.skew = time.Duration(s.rng.IntN(200)-100) * time.Millisecond
		if x.index != s.forger {
			s.start(x)
		}
	}
	return s
}

func (s *sim) after(d time.Duration, f func()) {
	s.ties++
	e := simEvent{s.now + LedgerTime(d), s.ties, f}
	i := sort.Search(len(s.queue), func(i int) bool {
		return s.queue[i].at < e.at || s.queue[i].at == e.at && s.queue[i].tie < e.tie
	})
	s.queue = append(s.queue, simEvent{})
	copy(s.queue[i+1:], s.queue[i:])
	s.queue[i] = e // latest first, so that the next is at the end
}

func (s *sim) start(x *simNode) {
	cfg := DefaultConfig(s.com, x.index, tagSigner(s.com.Member(x.index)))
	if s.quick {
		cfg.StallTimeout, cfg.ViewTimeout, cfg.IdlePeriod, cfg.Retransmit = 250*time.Millisecond, 400*time.Millisecond, 100*time.Millisecond, 120*time.Millisecond
	}
	base := Base{Executed: Sequence(len(x.disk.ledger)), TicksNeeded: s.ticks}
	tips := map[uint16]Tip{}
	for _, d := range x.disk.ledger {
		k := d.Decision.Commit
		base.Head = Head{k.Sequence, k.Time, k.Cut, &k}
		for _, t := range d.Decision.Cut.Tips {
			tips[t.Worker] = t
		}
	}
	for w := range uint16(s.com.Size()) {
		if t, ok := tips[w]; ok {
			base.Tips = append(base.Tips, t)
		}
	}
	core, err := New(cfg, base, x.disk.records)
	if err != nil {
		s.fail("node %s does not come back: %v", x.name, err)
	}
	x.core, x.up = core, true
	x.boot++
	core.Executed(base.Executed, x.disk.root, s.ticks)
	boot := x.boot
	var tick func()
	tick = func() {
		if x.up && x.boot == boot {
			x.core.Tick(s.now + LedgerTime(x.skew))
			s.settle(x)
			s.after(20*time.Millisecond, tick)
		}
	}
	s.after(time.Duration(s.rng.IntN(20))*time.Millisecond, tick)
}

// crash loses the core; the disk stays.
func (s *sim) crash(x *simNode) {
	x.up, x.core = false, nil
	if s.rng.IntN(6) == 0 {
		return // comes back when the storm is over
	}
	s.after(time.Duration(s.rng.IntN(1000))*time.Millisecond, func() {
		if !x.up {
			s.start(x)
		}
	})
}

// settle is the driver: persist, send, execute, with a crash anywhere in between while the storm lasts. It says whether
// the disk was reached.
func (s *sim) settle(x *simNode) (durable bool) {
	out := x.core.Ready()
	if out.Halt != nil {
		s.fail("node %s halts: %v", x.name, out.Halt)
	}
	crash := s.loss > 0 && s.rng.IntN(4000) == 0 && !x.twin
	if crash && s.rng.IntN(2) == 0 {
		s.crash(x) // before the disk: all of it is lost
		return false
	}
	x.disk.records = append(x.disk.records, out.Persist...)
	for i, e := range out.Send {
		if crash && i == len(out.Send)/2 {
			s.crash(x)
			return true
		}
		s.watch(x, e.Frame)
		for _, y := range s.nodes {
			if y != x && (e.To == Everyone || e.To == y.index) {
				s.carry(x, y, e.Frame)
			}
		}
	}
	for _, d := range out.Deliver {
		s.execute(x, d)
	}
	for _, k := range out.StateCertificates {
		if r, ok := s.states[k.Sequence]; ok && r != k.Root {
			s.fail("two states are certified after cut %d", k.Sequence)
		}
		s.states[k.Sequence] = k.Root
	}
	for _, w := range out.Wants {
		s.serve(x, w)
	}
	if len(x.disk.records) > 200 && s.rng.IntN(50) == 0 {
		records, err := x.core.Checkpoint()
		if err != nil {
			s.fail("checkpoint: %v", err)
		}
		x.disk.records = records
	}
	return true
}

// watch holds honest replicas to never contradicting themselves, whatever they have been through.
func (s *sim) watch(x *simNode, frame []byte) {
	if x.twin {
		return
	}
	m, err := Decode(frame)
	if err != nil {
		s.fail("node %s sends what does not decode: %v", x.name, err)
	}
	key, d := "", Digest{}
	switch m := m.(type) {
	case *Ballot:
		key, d = fmt.Sprintf("%s %d %d", m.Phase, m.View, m.Sequence), m.Cut
	case *PrePrepare:
		key, d = fmt.Sprintf("pre-prepare %d %d", m.View, m.Cut.Sequence), m.Cut.Digest()
	case *Vote:
		key, d = fmt.Sprintf("vote %d %d", m.Worker, m.Height), m.Block
	case *Block:
		key, d = fmt.Sprintf("block %d", m.SignedHeader.Header.Height), m.ID()
	case *StateVote:
		key, d = fmt.Sprintf("state %d", m.Sequence), m.Root.Digest()
	case *ViewChange:
		key = "left"
		for v := View(0); v < m.View; v++ {
			x.spoken[fmt.Sprintf("left %d", v)] = Digest{1}
		}
	}
	if b, ok := m.(*Ballot); ok && x.spoken[fmt.Sprintf("left %d", b.View)] == (Digest{1}) {
		if _, repeated := x.spoken[key]; !repeated {
			s.fail("node %s votes in view %d, which it has left", x.name, b.View)
		}
	}
	if o, ok := x.spoken[key]; ok && o != d {
		s.fail("node %s contradicts itself: %s is %s and was %s", x.name, key, d, o)
	}
	x.spoken[key] = d
}

func (s *sim) carry(from, to *simNode, frame []byte) {
	if s.split && from.side != to.side || s.rng.Float64() < s.loss {
		return
	}
	if s.loss > 0 && s.cut[[2]int{from.index, to.index}] {
		return
	}
	if s.mutePhase != 0 && PeekKind(frame) == KindBallot && to.index != s.muteBut {
		if m, err := Decode(frame); err == nil && m.(*Ballot).Phase == s.mutePhase {
			return
		}
	}
	copies := 1
	if s.loss > 0 && s.rng.IntN(30) == 0 {
		copies = 2
	}
	for range copies {
		s.after(time.Duration(s.rng.Int64N(int64(s.maxDelay))), func() { s.arrive(to, frame) })
	}
}

func (s *sim) arrive(to *simNode, frame []byte) {
	if !to.up {
		return
	}
	v, err := s.com.Validate(frame)
	if err != nil {
		s.fail("a frame of an honest sender or a careful forger is refused: %v", err)
	}
	to.core.Step(v)
	s.settle(to)
}

func (s *sim) execute(x *simNode, d Delivery) {
	seq := d.Decision.Cut.Sequence
	digest := d.Decision.Cut.Digest()
	if o, ok := s.decided[seq]; ok && o != digest {
		s.fail("two cuts are decided at %d: %s and %s (node %s)", seq, o, digest, x.name)
	}
	s.decided[seq] = digest
	if int(seq) != len(x.disk.ledger)+1 {
		s.fail("node %s executes cut %d after %d", x.name, seq, len(x.disk.ledger))
	}
	if seq > 1 && d.Decision.Cut.Time <= d.Prev {
		s.fail("ledger time goes from %d to %d", d.Prev, d.Decision.Cut.Time)
	}
	h := sha256.New()
	h.Write(x.disk.root.Cid().Bytes())
	for _, b := range d.Blocks {
		for _, tx := range b.Transactions {
			h.Write(tx)
			if _, ok := s.wanted[string(tx)]; ok && !x.twin {
				s.wanted[string(tx)]++
			}
		}
	}
	x.disk.ledger = append(x.disk.ledger, d)
	x.disk.root = wire.FromDigest([32]byte(h.Sum(nil)))
	x.disk.roots = append(x.disk.roots, x.disk.root)
	boot, root := x.boot, x.disk.root
	s.after(time.Duration(s.rng.IntN(5))*time.Millisecond, func() {
		if x.up && x.boot == boot {
			x.core.Executed(seq, root, s.ticks)
			s.settle(x)
		}
	})
}

// serve answers a want from a node that has it, after a round trip.
func (s *sim) serve(x *simNode, w Want) {
	boot := x.boot
	for _, y := range s.nodes {
		if y == x || !y.up || s.split && x.side != y.side || s.rng.Float64() < s.loss {
			continue
		}
		var frames [][]byte
		if w.First > 0 {
			for seq := w.First; seq <= w.Last && int(seq) <= len(y.disk.ledger); seq++ {
				f, err := Frame(&y.disk.ledger[seq-1].Decision)
				if err != nil {
					s.fail("%v", err)
				}
				frames = append(frames, f)
			}
		} else if b := s.find(y, w.Block); b != nil {
			f, err := Frame(b)
			if err != nil {
				s.fail("%v", err)
			}
			frames = append(frames, f)
		}
		if len(frames) == 0 {
			continue
		}
		s.after(2*s.maxDelay, func() {
			if !x.up || x.boot != boot {
				return
			}
			for _, f := range frames {
				v, err := s.com.Validate(f)
				if err != nil {
					s.fail("an answer is refused: %v", err)
				}
				x.core.Step(v)
			}
			s.settle(x)
		})
		return
	}
}

func (s *sim) find(y *simNode, id Digest) *Block {
	if b := y.core.Block(id); b != nil {
		return b
	}
	for _, d := range y.disk.ledger {
		for _, b := range d.Blocks {
			if b.ID() == id {
				return b
			}
		}
	}
	return nil
}

func (s *sim) submit() {
	x := s.nodes[s.rng.IntN(len(s.nodes))]
	if !x.up {
		return
	}
	if free, _ := x.core.Room(); free <= 0 {
		return
	}
	s.txs++
	tx := fmt.Appendf(nil, "tx %d", s.txs)
	if _, err := x.core.AddBlock([][]byte{tx}); err != nil {
		s.fail("add a block: %v", err)
	}
	if !x.twin {
		s.wanted[string(tx)] = 0
	}
	if !s.settle(x) {
		delete(s.wanted, string(tx)) // lost before it was on disk: never acknowledged
	}
}
