package tree

import (
	"fmt"
	"sync"

	"github.com/seed06907907/fatty/internal/wire"
)

// Source reads nodes from blocks, through a bounded cache when it has one. It may be used by many readers at once if
// its Blocks may.
type Source struct {
	blocks Blocks
	cache  *Cache
}

// NewSource returns a source over blocks; cache may be nil.
func NewSource(blocks Blocks, cache *Cache) *Source { return &Source{blocks, cache} }

// Block returns a block that is not a node (a content, a program) after checking it against its id. It is not cached.
func (s *Source) Block(id wire.CID, most int) ([]byte, error) {
	b, err := s.blocks.Get(id)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrBlock, id, err)
	}
	if len(b) > most {
		return nil, fmt.Errorf("%w: %s: %d bytes, at most %d", ErrBlock, id, len(b), most)
	}
	if wire.Sum(b) != id {
		return nil, fmt.Errorf("%w: %s: the stored bytes do not hash to it; fetch the block again from a peer", ErrBlock, id)
	}
	return b, nil
}

func (s *Source) node(id wire.CID) (*node, error) {
	if s.cache != nil {
		if n, ok := s.cache.get(id); ok {
			return n, nil
		}
	}
	b, err := s.Block(id, MaxBlock)
	if err != nil {
		return nil, err
	}
	n, err := decode(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", id, err)
	}
	s.keep(id, n, len(b))
	return n, nil
}

func (s *Source) keep(id wire.CID, n *node, size int) {
	if s.cache != nil {
		s.cache.put(id, n, size)
	}
}

// cacheShards spreads the cache's locks; a power of two.
const cacheShards = 16

// decodedFactor estimates a decoded node's memory from its block's size: the block, its keys, and the slices.
const decodedFactor = 3

// Cache holds decoded nodes up to about a number of bytes. It keeps two generations: what is used moves to the young
// one, and when that is full the old one is dropped whole. That bounds memory without a list of uses.
type Cache struct {
	shards [cacheShards]struct {
		mu         sync.Mutex
		young, old map[wire.CID]*node
		size       int
	}
	half int // bytes of blocks in one generation of one shard
}

// NewCache returns a cache of about the given number of bytes of memory.
func NewCache(bytes int) *Cache {
	c := &Cache{half: max(bytes/cacheShards/2/decodedFactor, 1)}
	for i := range c.shards {
		c.shards[i].young = make(map[wire.CID]*node)
	}
	return c
}

func (c *Cache) get(id wire.CID) (*node, bool) {
	s := &c.shards[id.Digest()[0]%cacheShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if n, ok := s.young[id]; ok {
		return n, true
	}
	n, ok := s.old[id]
	if ok {
		c.add(id, n, n.size())
	}
	return n, ok
}

func (c *Cache) put(id wire.CID, n *node, size int) {
	s := &c.shards[id.Digest()[0]%cacheShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	c.add(id, n, size)
}

// add is called with the shard's lock held.
func (c *Cache) add(id wire.CID, n *node, size int) {
	s := &c.shards[id.Digest()[0]%cacheShards]
	if s.size+size > c.half {
		s.old, s.young, s.size = s.young, make(map[wire.CID]*node), 0
	}
	if _, ok := s.young[id]; !ok {
		s.young[id] = n
		s.size += size
	}
}

// Len returns the number of nodes in the cache.
func (c *Cache) Len() int {
	total := 0
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		total += len(s.young) + len(s.old)
		s.mu.Unlock()
	}
	return total
}
