package tree

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/ipfs/go-cid"

	"github.com/seed06907907/fatty/internal/wire"
)

// A node's block is one DAG-CBOR list:
//
//	leaf   [0, [[key, value], ...]]     at least one entry; key a byte string, value any canonical item
//	inner  [1, [[key, link], ...]]      at least two children; the first key is empty
//
// Keys ascend strictly. An inner node's key is the lower bound of the child beside it; the first child's is the node's
// own, which its parent knows. The codec is written by hand because values are passed through as they are and a look-up
// meets one of these at every level.

const (
	kindLeaf  = 0
	kindInner = 1
	// nodeOverhead is the most that a node's own frame takes beside its entries.
	nodeOverhead = 8
	// linkSize is the encoded size of a link: tag, byte string head, identity prefix, and the binary id.
	linkSize = 2 + 2 + 1 + idSize
	// idSize is the length of a binary CIDv1 with one-byte codec and a SHA2-256 multihash.
	idSize = 4 + 32
	// maxScan bounds how deep a value nests, as wire.MaxNesting does.
	maxScan = wire.MaxNesting
)

// linkHead precedes the 32 bytes of digest in an encoded link: tag 42, byte string of 37, identity, CIDv1, dag-cbor,
// sha2-256, 32 bytes.
var linkHead = [...]byte{0xd8, 0x2a, 0x58, 0x25, 0x00, 0x01, byte(cid.DagCBOR), 0x12, 0x20}

type entry struct {
	key   string
	value []byte
}

func (e entry) size() int { return 1 + headSize(len(e.key)) + len(e.key) + len(e.value) }

// ref is a child: its lower bound, and its id, or the node itself while it is being built.
type ref struct {
	key  string
	id   wire.CID
	node *node
}

func (r ref) size() int { return 1 + headSize(len(r.key)) + len(r.key) + linkSize }

// node is a decoded block; it has entries or refs.
type node struct {
	entries []entry
	refs    []ref
}

func (n *node) leaf() bool { return n.refs == nil }

func (n *node) size() int {
	s := nodeOverhead
	for _, e := range n.entries {
		s += e.size()
	}
	for _, r := range n.refs {
		s += r.size()
	}
	return s
}

func headSize(n int) int {
	switch {
	case n < 24:
		return 1
	case n < 1<<8:
		return 2
	case n < 1<<16:
		return 3
	}
	return 5
}

func appendHead(b []byte, major byte, n int) []byte {
	major <<= 5
	switch {
	case n < 24:
		return append(b, major|byte(n))
	case n < 1<<8:
		return append(b, major|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(b, major|25), uint16(n))
	}
	return binary.BigEndian.AppendUint32(append(b, major|26), uint32(n))
}

func (n *node) encode() ([]byte, error) {
	b := make([]byte, 0, n.size())
	if n.leaf() {
		b = appendHead(append(b, 0x82, kindLeaf), 4, len(n.entries))
		for i, e := range n.entries {
			b = appendHead(append(b, 0x82), 2, len(e.key))
			b = append(append(b, e.key...), e.value...)
			// The entry now reads from its own block, so that a cached node keeps no older block in memory.
			n.entries[i].value = b[len(b)-len(e.value) : len(b) : len(b)]
		}
	} else {
		b = appendHead(append(b, 0x82, kindInner), 4, len(n.refs))
		for _, r := range n.refs {
			if !r.id.Defined() {
				return nil, fmt.Errorf("encode a tree node: a child has no id")
			}
			b = appendHead(append(b, 0x82), 2, len(r.key))
			b = append(b, r.key...)
			d := r.id.Digest()
			b = append(append(b, linkHead[:]...), d[:]...)
		}
	}
	if len(b) > MaxBlock {
		return nil, fmt.Errorf("encode a tree node: %d bytes, at most %d", len(b), MaxBlock)
	}
	return b, nil
}

// decode reads a node strictly: what it accepts, encode writes again byte for byte.
func decode(b []byte) (*node, error) {
	if len(b) > MaxBlock {
		return nil, fmt.Errorf("%w: %d bytes, at most %d", ErrBlock, len(b), MaxBlock)
	}
	s := &scanner{b: b}
	s.expect(4, 2)
	kind := s.head(0)
	count := s.head(4)
	// The smallest entry takes three bytes, so a count above that is refused before anything is allocated for it.
	if s.err == nil && (kind > kindInner || count < 1+kind || count > uint64(len(b))/3) {
		s.fail("a node of kind %d with %d entries", kind, count)
	}
	if s.err != nil {
		return nil, s.err
	}
	n := &node{}
	last := ""
	for i := range int(count) {
		s.expect(4, 2)
		key := string(s.take(s.head(2)))
		first := kind == kindInner && i == 0
		if len(key) > MaxKey || (i > 0 && key <= last) || first != (key == "") {
			s.fail("keys are out of order or of a wrong length")
		}
		last = key
		if kind == kindLeaf {
			from := s.at
			s.item(maxScan)
			if s.at-from > MaxValue {
				s.fail("a value of %d bytes, at most %d", s.at-from, MaxValue)
			}
			if s.err != nil {
				return nil, s.err
			}
			n.entries = append(n.entries, entry{key, b[from:s.at:s.at]})
			continue
		}
		link := s.take(linkSize)
		if s.err == nil && string(link[:len(linkHead)]) != string(linkHead[:]) {
			s.fail("a child is not a link")
		}
		if s.err != nil {
			return nil, s.err
		}
		n.refs = append(n.refs, ref{key: key, id: wire.FromDigest([32]byte(link[len(linkHead):]))})
	}
	if s.err == nil && s.at != len(b) {
		s.fail("%d bytes behind the node", len(b)-s.at)
	}
	return n, s.err
}

// scanner reads canonical DAG-CBOR. After the first error it reads nothing more.
type scanner struct {
	b   []byte
	at  int
	err error
}

func (s *scanner) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf("%w: %s", ErrBlock, fmt.Sprintf(format, args...))
	}
}

func (s *scanner) take(n uint64) []byte {
	if s.err != nil || n > uint64(len(s.b)-s.at) {
		s.fail("cut short")
		return nil
	}
	from := s.at
	s.at += int(n)
	return s.b[from:s.at]
}

// any reads a head of any major type, in its shortest form and of definite length.
func (s *scanner) any() (major byte, n uint64) {
	h := s.take(1)
	if s.err != nil {
		return 0, 0
	}
	major, low := h[0]>>5, h[0]&31
	if low < 24 {
		return major, uint64(low)
	}
	if low > 27 {
		s.fail("a length that is reserved or indefinite")
		return 0, 0
	}
	least := [...]uint64{24, 1 << 8, 1 << 16, 1 << 32}[low-24]
	for _, c := range s.take(1 << (low - 24)) {
		n = n<<8 | uint64(c)
	}
	if s.err == nil && n < least && major != 7 {
		s.fail("a number that is not in its shortest form")
	}
	return major, n
}

func (s *scanner) head(major byte) uint64 {
	m, n := s.any()
	if s.err == nil && m != major {
		s.fail("major type %d, want %d", m, major)
	}
	return n
}

func (s *scanner) expect(major byte, n uint64) {
	if got := s.head(major); s.err == nil && got != n {
		s.fail("length %d, want %d", got, n)
	}
}

// item passes over one canonical item: integers, byte and text strings, lists, maps with text keys in the order of
// DAG-CBOR (shorter first, then bytewise), links, false, true and null. Floats are in no record and are refused.
func (s *scanner) item(depth int) {
	if depth == 0 {
		s.fail("nested deeper than %d", maxScan)
		return
	}
	from := s.at
	major, n := s.any()
	if s.err != nil {
		return
	}
	switch major {
	case 0:
	case 1:
		if n > math.MaxInt64 {
			s.fail("a negative number below -2^63, which no record has")
		}
	case 2:
		s.take(n)
	case 3:
		if !utf8.Valid(s.take(n)) {
			s.fail("text that is not UTF-8")
		}
	case 4:
		for i := uint64(0); i < n && s.err == nil; i++ {
			s.item(depth - 1)
		}
	case 5:
		last := ""
		for i := uint64(0); i < n && s.err == nil; i++ {
			key := string(s.take(s.head(3)))
			if i > 0 && (len(key) < len(last) || len(key) == len(last) && key <= last) || !utf8.ValidString(key) {
				s.fail("map keys out of order")
			}
			last = key
			s.item(depth - 1)
		}
	case 6:
		s.at = from
		link := s.take(linkSize)
		if s.err == nil && string(link[:len(linkHead)]) != string(linkHead[:]) {
			s.fail("a tag that is no link")
		}
	case 7:
		if s.b[from] < 0xf4 || s.b[from] > 0xf6 {
			s.fail("a simple value or float that no record has")
		}
	}
}
