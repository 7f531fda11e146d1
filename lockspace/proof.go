package lockspace

import (
	"errors"
	"fmt"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace/tree"
)

// Prove runs a read and returns, beside what it did, the blocks from the root that show its answer, each once, in the
// order in which the read first met them; a client that has the root's certificate repeats the read with Verify. A
// refusal with ErrNotFound is an answer too, and its blocks show the absence. ask reads nothing but the state it is
// given, and always the same.
//
//	blocks, err := state.Prove(func(s *lockspace.State) error { h, err = s.Holder(path); return err })
func (s *State) Prove(ask func(*State) error) ([]Block, error) {
	rec := &recorder{blocks: s.src, seen: make(map[wire.CID]bool)}
	view, err := open(tree.NewSource(rec, nil), s.id)
	if err != nil {
		return nil, err
	}
	err = ask(view)
	if rec.full {
		return nil, errTooMuch
	}
	return rec.list, err
}

// recorder hands out blocks and notes them.
type recorder struct {
	blocks *tree.Source
	seen   map[wire.CID]bool
	list   []Block
	size   int
	full   bool
}

var errTooMuch = refuse(CodeInvalid, "the answer needs more than %d blocks or %d bytes: ask for less at once", MaxProofBlocks, MaxProofBytes)

func (r *recorder) Get(id wire.CID) ([]byte, error) {
	b, err := r.blocks.Block(id, MaxTransaction)
	if err != nil || r.seen[id] {
		return b, err
	}
	r.size += len(b)
	if r.full = r.full || r.size > MaxProofBytes || len(r.list) == MaxProofBlocks; r.full {
		return nil, errTooMuch
	}
	r.seen[id] = true
	r.list = append(r.list, Block{ID: id, Data: b})
	return b, nil
}

// ErrProof is wrapped by every error of Verify that is about the blocks and not about the answer.
var ErrProof = errors.New("the blocks do not show the answer")

// Verify runs a read on the blocks of a proof alone. It returns ask's own error where the blocks show exactly that, such
// as ErrNotFound for something that is not there, and an error that wraps ErrProof where a block is missing, altered,
// out of order, oversized, or not needed. Root is what the validators' certificate names.
func Verify(root wire.CID, blocks [][]byte, ask func(*State) error) error {
	if len(blocks) > MaxProofBlocks {
		return fmt.Errorf("%w: %d blocks, at most %d", ErrProof, len(blocks), MaxProofBlocks)
	}
	size := 0
	for _, b := range blocks {
		size += len(b)
	}
	if size > MaxProofBytes {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrProof, size, MaxProofBytes)
	}
	p := &player{left: blocks, seen: make(map[wire.CID][]byte)}
	view, err := open(tree.NewSource(p, nil), root)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProof, err)
	}
	err = ask(view)
	switch {
	case p.err != nil:
		return fmt.Errorf("%w: %w", ErrProof, p.err)
	case err != nil && CodeOf(err) == "" && !errors.Is(err, ErrEventsGone):
		return fmt.Errorf("%w: %w", ErrProof, err)
	case len(p.left) > 0:
		return fmt.Errorf("%w: %d blocks more than the read needs", ErrProof, len(p.left))
	}
	return err
}

// player hands out the blocks of a proof: each must come when the read first asks for it.
type player struct {
	left [][]byte
	seen map[wire.CID][]byte
	err  error
}

func (p *player) Get(id wire.CID) ([]byte, error) {
	if b, ok := p.seen[id]; ok {
		return b, nil
	}
	if len(p.left) == 0 {
		p.err = fmt.Errorf("block %s is missing", id)
		return nil, p.err
	}
	b := p.left[0]
	if got := wire.Sum(b); got != id {
		p.err = fmt.Errorf("the next block is %s, the read needs %s", got, id)
		return nil, p.err
	}
	p.left, p.seen[id] = p.left[1:], b
	return b, nil
}

// ProveHolder is Prove for Holder.
func (s *State) ProveHolder(path string) (h Holder, blocks []Block, err error) {
	blocks, err = s.Prove(func(v *State) error { h, err = v.Holder(path); return err })
	return h, blocks, err
}

// VerifyHolder is Verify for Holder: who holds the lock at a path, from a certified root and its blocks alone.
func VerifyHolder(root wire.CID, blocks [][]byte, chain, path string) (h Holder, err error) {
	err = Verify(root, blocks, func(v *State) error {
		if err = sameChain(v, chain); err != nil {
			return err
		}
		h, err = v.Holder(path)
		return err
	})
	return h, err
}

// ProveGet is Prove for Get.
func (s *State) ProveGet(path string) (content []byte, n Node, blocks []Block, err error) {
	blocks, err = s.Prove(func(v *State) error { content, n, err = v.Get(path); return err })
	return content, n, blocks, err
}

// VerifyGet is Verify for Get.
func VerifyGet(root wire.CID, blocks [][]byte, chain, path string) (content []byte, n Node, err error) {
	err = Verify(root, blocks, func(v *State) error {
		if err = sameChain(v, chain); err != nil {
			return err
		}
		content, n, err = v.Get(path)
		return err
	})
	return content, n, err
}

// sameChain refuses a root of another ledger that the same validators may have signed.
func sameChain(v *State, chain string) error {
	if v.root.Chain != chain {
		return refuse(CodeChain, "the state is of ledger %.70q, not %q", v.root.Chain, chain)
	}
	return nil
}
