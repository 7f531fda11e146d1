package lockspace

import (
	"fmt"
	"sync"
	"testing"

	"github.com/seed06907907/fatty/internal/wire"
)

// lockedBlocks lets readers and the writer of blocks work side by side, as a node's database does.
type lockedBlocks struct {
	mu sync.RWMutex
	blockMap
}

func (b *lockedBlocks) Get(id wire.CID) ([]byte, error) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.blockMap.Get(id)
}

// Readers of a state see that state, while its successors are being made over the same cache and store. The race
// detector watches.
func TestReadersBesideApply(t *testing.T) {
	blocks := &lockedBlocks{blockMap: blockMap{}}
	config := testConfig(nil)
	config.Blocks, config.Cache = blocks, 1<<16
	w := provenWorld(t)
	for id, b := range w.blocks {
		blocks.blockMap[id] = b
	}
	s, err := Open(config, w.state.ID())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var group sync.WaitGroup
	errs := make(chan error, 4)
	for reader := range 4 {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := reader; ; i++ {
				select {
				case <-done:
					return
				default:
				}
				n := i % 300
				content, _, err := s.Get(fmt.Sprintf("/d/f%03d", n))
				if err != nil || len(content) != n*7 {
					errs <- fmt.Errorf("file %d: %d bytes, %v", n, len(content), err)
					return
				}
				if _, _, err := s.ProveHolder("/m"); err != nil {
					errs <- err
					return
				}
			}
		}()
	}
	next := s
	for i := range 60 {
		op := &Put{Path: fmt.Sprintf("/d/f%03d", i*5), Content: make([]byte, 1500)}
		cut := Cut{Sequence: next.Sequence() + 1, Time: next.Root().Time + 1e6, Inputs: []Input{{Tx: w.sign(bob, op)}}}
		after, res, err := next.Apply(cut)
		if err != nil {
			t.Fatal(err)
		}
		blocks.mu.Lock()
		for _, b := range res.Blocks {
			blocks.blockMap[b.ID] = b.Data
		}
		blocks.mu.Unlock()
		next = after
	}
	close(done)
	group.Wait()
	select {
	case err := <-errs:
		t.Fatal(err)
	default:
	}
}
