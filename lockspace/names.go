package lockspace

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mr-tron/base58"

	"github.com/seed06907907/fatty/internal/wire"
)

// Time is ledger time or lease-clock time in nanoseconds since the Unix epoch; Duration is a number of nanoseconds.
type (
	Time     int64
	Duration int64
)

// Second is the unit that people think in.
const Second Duration = 1e9

// AccountID is an account's Ed25519 public key.
type AccountID [32]byte

// String returns the key in hex, which is also its text in JSON and TOML.
func (a AccountID) String() string { return hex.EncodeToString(a[:]) }

// PeerID returns the libp2p peer id of the key in base58: the identity multihash of its protobuf form
// (https://github.com/libp2p/specs/blob/master/peer-ids/peer-ids.md).
func (a AccountID) PeerID() string {
	return base58.Encode(append([]byte{0x00, 2 + 2 + 32, 0x08, 0x01, 0x12, 32}, a[:]...))
}

// MarshalText returns the key in hex.
func (a AccountID) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads what MarshalText wrote.
func (a *AccountID) UnmarshalText(b []byte) error {
	if len(b) != 64 {
		return fmt.Errorf("account %.80q: want the 64 hex digits of an Ed25519 public key", b)
	}
	_, err := hex.Decode(a[:], b)
	return err
}

// Digest is 32 bytes of SHA-256, or a program key or digest of inputs: 8 KoalaBear words, 4 bytes big-endian each.
type Digest [32]byte

// String returns the digest in hex.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// Felt is an element of the Stark field, big-endian, below P = 2^251 + 17*2^192 + 1.
type Felt [32]byte

var prime = new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), 251), new(big.Int).Add(new(big.Int).Lsh(big.NewInt(17), 192), big.NewInt(1)))

// primeBytes is P as a felt would spell it; compared bytewise.
var primeBytes = func() (b [32]byte) { prime.FillBytes(b[:]); return b }()

// Valid says whether f is below the prime.
func (f Felt) Valid() bool { return string(f[:]) < string(primeBytes[:]) }

// valid says whether all felts are below the prime.
func valid(felts []Felt) bool {
	return !slices.ContainsFunc(felts, func(f Felt) bool { return !f.Valid() })
}

// String returns the felt in decimal.
func (f Felt) String() string { return new(big.Int).SetBytes(f[:]).String() }

// MarshalText returns the felt in decimal.
func (f Felt) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText reads a decimal number, or a hexadecimal one behind 0x.
func (f *Felt) UnmarshalText(b []byte) error {
	got, err := ParseFelt(string(b))
	if err == nil {
		*f = got
	}
	return err
}

// ParseFelt reads a felt in decimal, or in hexadecimal behind 0x.
func ParseFelt(s string) (f Felt, err error) {
	const longest = 80 // more digits than either form of P has
	digits, base := s, 10
	if strings.HasPrefix(s, "0x") {
		digits, base = s[2:], 16
	}
	v, ok := new(big.Int), len(s) <= longest && digits != "" && !strings.ContainsAny(digits, "+-_")
	if ok {
		_, ok = v.SetString(digits, base)
	}
	if !ok || v.Cmp(prime) >= 0 {
		return f, fmt.Errorf("felt %.80q: want a number from 0 to P-1, in decimal or hexadecimal behind 0x", s)
	}
	v.FillBytes(f[:])
	return f, nil
}

// FeltOf returns a small number as a felt.
func FeltOf(n uint64) (f Felt) {
	new(big.Int).SetUint64(n).FillBytes(f[:])
	return f
}

// CheckPath refuses whatever is not the one spelling of an absolute path: components of 1 to MaxName bytes of UTF-8
// parted by single slashes, none of them "." or "..", no control character, no slash at the end.
func CheckPath(path string) error {
	switch {
	case path == "/":
		return nil
	case len(path) > MaxPath:
		return refuse(CodeInvalid, "path of %d bytes: at most %d", len(path), MaxPath)
	case !strings.HasPrefix(path, "/"):
		return refuse(CodeInvalid, "path %.80q: it must begin with a slash", path)
	case !utf8.ValidString(path):
		return refuse(CodeInvalid, "path %.80q: it is not UTF-8", path)
	}
	for _, r := range path {
		if unicode.IsControl(r) {
			return refuse(CodeInvalid, "path %.80q: it holds a control character", path)
		}
	}
	names := strings.Split(path[1:], "/")
	if len(names) > MaxPathDepth {
		return refuse(CodeInvalid, "path %.80q: %d components, at most %d", path, len(names), MaxPathDepth)
	}
	for _, n := range names {
		if n == "" || n == "." || n == ".." || len(n) > MaxName {
			return refuse(CodeInvalid, "path %.80q: component %.40q: want 1 to %d bytes, not . or ..", path, n, MaxName)
		}
	}
	return nil
}

// split returns the directory and name of a path that CheckPath accepted. The root is in no directory.
func split(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	if i == 0 {
		if len(path) == 1 {
			return "", ""
		}
		return "/", path[1:]
	}
	return path[:i], path[i+1:]
}

func join(dir, name string) string {
	if dir == "/" {
		return "/" + name
	}
	return dir + "/" + name
}

// under says whether path is prefix or below it.
func under(path, prefix string) bool {
	return prefix == "/" || path == prefix || (strings.HasPrefix(path, prefix) && path[len(prefix)] == '/')
}

// LockCID names a lock: the content id of {chain, path}.
func LockCID(chain, path string) (wire.CID, error) {
	b, err := wire.Marshal(struct {
		Chain string `cbor:"chain"`
		Path  string `cbor:"path"`
	}{chain, path})
	return wire.Sum(b), err
}

// MachineCID names a machine: the content id of {program, start}.
func MachineCID(program wire.CID, start Felt) (wire.CID, error) {
	b, err := wire.Marshal(struct {
		Program wire.CID `cbor:"program"`
		Start   Felt     `cbor:"start"`
	}{program, start})
	return wire.Sum(b), err
}

// Life binds a proof to one holding of one lock: chain, path, the file's instance, the lock generation that the
// acquire creates, and the holder's key.
func Life(chain, path string, instance, generation uint64, holder AccountID) (Digest, error) {
	h, err := wire.Hash("fatty/life/1", chain, path, instance, generation, holder)
	return h, err
}

// Anchor binds a proof to a time: it cannot have been begun before the root of that sequence was known.
func Anchor(sequence uint64, root wire.CID) (Digest, error) {
	h, err := wire.Hash("fatty/anchor/1", sequence, root)
	return h, err
}
