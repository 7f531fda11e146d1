package lockspace

import (
	"fmt"
	"slices"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace/tree"
)

// Blocks is where a state's blocks are read from. Get returns bytes that nobody changes afterwards. It may be called
// by several readers at once if the State is.
type Blocks interface {
	Get(wire.CID) ([]byte, error)
}

// Block is a content id and the bytes that hash to it.
type Block = tree.Block

// Functions are what the lock space needs of the verifier. They are pure functions of bytes; node hands them in, their
// versions fixed in genesis.
type Functions struct {
	// ProgramKey derives a canonical program's content id and key, or says why it is no such program.
	ProgramKey func(program []byte) (wire.CID, Digest, error)
	// SpanInputs digests the inputs felts of a span's runs, at least one, in their order.
	SpanInputs func(runs []Felt) Digest
}

// DefaultCache is the memory in bytes that a State's decoded nodes may take.
const DefaultCache = 64 << 20

// Config is what every State of one ledger shares.
type Config struct {
	Blocks    Blocks
	Functions Functions
	Cache     int // bytes of memory for decoded nodes; 0: DefaultCache
}

func (c Config) source() *tree.Source {
	if c.Cache <= 0 {
		c.Cache = DefaultCache
	}
	return tree.NewSource(c.Blocks, tree.NewCache(c.Cache))
}

// State is the lock space after one sequence: an immutable value. Any number of goroutines may read it, while Apply
// makes its successor. Successive states share one cache.
type State struct {
	id    wire.CID
	root  Root
	rules *Rules // nil in a state opened from a proof's blocks, which only reads
	tree  tree.Tree
	src   *tree.Source
	fns   Functions
}

// New makes the state of sequence 0, before any cut. Its Result holds the first blocks.
func New(c Config, g Genesis) (*State, *Result, error) {
	if err := g.Validate(); err != nil {
		return nil, nil, err
	}
	rules, id, err := g.Rules.block()
	if err != nil {
		return nil, nil, err
	}
	src := c.source()
	empty := &State{src: src, rules: &g.Rules, tree: tree.Open(src, wire.CID{}), fns: c.Functions,
		root: Root{Version: 1, Chain: g.Chain, Rules: id, Time: g.Time, Instances: 1, RootsFrom: 0}}
	x := newExecution(empty, g.Time)
	accounts := slices.Clone(g.Accounts)
	slices.SortFunc(accounts, func(a, b GenesisAccount) int { return slices.Compare(a.ID[:], b.ID[:]) })
	for _, a := range accounts {
		x.put(accountKey(a.ID), &Account{Name: a.Name, Grant: a.Grant, Quota: a.Quota})
	}
	x.put(nodeKey("/"), &Node{Directory: true, Instance: 1, Created: g.Time, Modified: g.Time})
	s, res, err := x.commit()
	if err != nil {
		return nil, nil, err
	}
	res.Blocks = append([]Block{{ID: id, Data: rules}}, res.Blocks...)
	return s, res, nil
}

// Open returns the state with the given root. Of all its blocks it reads only the root's and the rules'.
func Open(c Config, root wire.CID) (*State, error) {
	s, err := open(c.source(), root)
	if err != nil {
		return nil, err
	}
	s.fns = c.Functions
	b, err := s.src.Block(s.root.Rules, tree.MaxBlock)
	if err != nil {
		return nil, fmt.Errorf("open the state: its rules: %w", err)
	}
	s.rules = new(Rules)
	if err := wire.Unmarshal(b, s.rules); err != nil {
		return nil, fmt.Errorf("open the state: its rules: %w", err)
	}
	return s, s.rules.Validate()
}

func open(src *tree.Source, id wire.CID) (*State, error) {
	b, err := src.Block(id, tree.MaxBlock)
	if err != nil {
		return nil, fmt.Errorf("open the state: its root: %w", err)
	}
	s := &State{id: id, src: src}
	if err := wire.Unmarshal(b, &s.root); err != nil {
		return nil, fmt.Errorf("open the state: its root: %w", err)
	}
	if s.root.Version != 1 {
		return nil, fmt.Errorf("open the state: layout version %d, this program knows 1: use a newer one", s.root.Version)
	}
	if s.root.Tree != nil {
		s.tree = tree.Open(src, *s.root.Tree)
	} else {
		s.tree = tree.Open(src, wire.CID{})
	}
	return s, nil
}

// ID returns the state root: the id that validators sign.
func (s *State) ID() wire.CID { return s.id }

// Root returns the root block's record.
func (s *State) Root() Root { return s.root }

// Sequence returns the sequence that the state is the result of.
func (s *State) Sequence() uint64 { return s.root.Sequence }

// Chain returns the ledger's id.
func (s *State) Chain() string { return s.root.Chain }

// Rules returns the ledger's rules.
func (s *State) Rules() Rules {
	if s.rules == nil {
		return Rules{}
	}
	return *s.rules
}

// TicksNeeded says whether something ends by itself, so that the ledger must go on without transactions.
func (s *State) TicksNeeded() bool { return s.root.Timers > 0 }

// record reads and decodes a record of the committed state; nil when there is none.
func record[T any](s *State, key string) (*T, error) {
	b, ok, err := s.tree.Get(key)
	if err != nil || !ok {
		return nil, err
	}
	v := new(T)
	if err := wire.Unmarshal(b, v); err != nil {
		return nil, fmt.Errorf("a record of the state (table %.1q): %w", key, err)
	}
	return v, nil
}

func (s *State) lockID(path string) (wire.CID, error) { return LockCID(s.root.Chain, path) }
