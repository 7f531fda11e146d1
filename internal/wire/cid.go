package wire

import (
	"crypto/sha256"
	"fmt"

	"github.com/fxamacker/cbor/v2"
	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
)

// linkTag is IPLD's CBOR tag for a link; its content is a byte string, 0x00 before the binary CID.
const linkTag = 42

// maxText bounds a content id's text: the longest multibase (base2, with its prefix) of its 36 bytes. Decoding base58 takes
// time quadratic in the length, so foreign text is bounded before.
const maxText = 36*8 + 1

// CID is a content id: CIDv1, DAG-CBOR, SHA2-256, and nothing else. The zero CID is undefined and has no encoding, so
// optional links are pointers with omitempty. CIDs are comparable.
type CID struct{ c cid.Cid }

// Sum returns the content id of a canonical block.
func Sum(block []byte) CID {
	h := sha256.Sum256(block)
	return FromDigest(h)
}

// FromDigest returns the content id whose SHA-256 digest is h.
func FromDigest(h [32]byte) CID {
	// Encode cannot fail: SHA2-256 with 32 bytes is always a valid multihash.
	mh, _ := multihash.Encode(h[:], multihash.SHA2_256)
	return CID{cid.NewCidV1(cid.DagCBOR, mh)}
}

// ParseCID reads a content id from its text (any multibase), or says which kind of id fatty uses.
func ParseCID(s string) (CID, error) {
	if len(s) > maxText {
		return CID{}, fmt.Errorf("content id %.80q: %d characters, at most %d", s, len(s), maxText)
	}
	c, err := cid.Decode(s)
	if err != nil {
		return CID{}, fmt.Errorf("content id %.80q: %w", s, err)
	}
	return FromCid(c)
}

// FromCid checks that c is of fatty's one kind.
func FromCid(c cid.Cid) (CID, error) {
	p := c.Prefix()
	if p.Version != 1 || p.Codec != cid.DagCBOR || p.MhType != multihash.SHA2_256 || p.MhLength != 32 {
		return CID{}, fmt.Errorf("content id %s: want CIDv1, dag-cbor, sha2-256", c)
	}
	return CID{c}, nil
}

// Defined says whether the id is set.
func (c CID) Defined() bool { return c.c.Defined() }

// Cid returns the id as the IPFS libraries know it.
func (c CID) Cid() cid.Cid { return c.c }

// Digest returns the SHA-256 digest inside; zero for an undefined id.
func (c CID) Digest() (h [32]byte) {
	if b := c.c.KeyString(); len(b) >= 32 {
		copy(h[:], b[len(b)-32:])
	}
	return h
}

// String returns the id in base32, or "" when it is undefined.
func (c CID) String() string {
	if !c.Defined() {
		return ""
	}
	return c.c.String()
}

// MarshalText and UnmarshalText give the same text to JSON and TOML.
func (c CID) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (c *CID) UnmarshalText(b []byte) error {
	if len(b) == 0 {
		*c = CID{}
		return nil
	}
	got, err := ParseCID(string(b))
	if err == nil {
		*c = got
	}
	return err
}

// MarshalCBOR writes an IPLD link.
func (c CID) MarshalCBOR() ([]byte, error) {
	if !c.Defined() {
		return nil, fmt.Errorf("encode a content id: it is not set")
	}
	return encoding.Marshal(cbor.Tag{Number: linkTag, Content: append([]byte{0}, c.c.Bytes()...)})
}

// UnmarshalCBOR reads an IPLD link and refuses every other kind of id.
func (c *CID) UnmarshalCBOR(b []byte) error {
	var t cbor.RawTag
	if err := decoding.Unmarshal(b, &t); err != nil {
		return fmt.Errorf("link: %w", err)
	}
	var raw []byte
	if t.Number != linkTag {
		return fmt.Errorf("link: tag %d, want %d", t.Number, linkTag)
	}
	if err := decoding.Unmarshal(t.Content, &raw); err != nil {
		return fmt.Errorf("link: %w", err)
	}
	if len(raw) == 0 || raw[0] != 0 {
		return fmt.Errorf("link: does not begin with the identity multibase byte")
	}
	n, got, err := cid.CidFromBytes(raw[1:])
	if err != nil {
		return fmt.Errorf("link: %w", err)
	}
	if n != len(raw)-1 {
		return fmt.Errorf("link: %d bytes behind the id", len(raw)-1-n)
	}
	v, err := FromCid(got)
	if err == nil {
		*c = v
	}
	return err
}
