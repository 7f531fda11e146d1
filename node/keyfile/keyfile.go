// Package keyfile keeps Ed25519 keys on disk: one JSON file a key, mode 0600, in the clear or sealed by a passphrase
// (scrypt, RFC 7914, then XSalsa20-Poly1305 as NaCl's secretbox).
//
//	key, err := keyfile.New()
//	err = keyfile.Write("client.key", key, passphrase)   // nil: in the clear; never over an existing file
//	key, err = keyfile.Read("client.key", ask)           // ask is called only for a sealed file
//
// It also has the text forms that people pass around: a public key is 64 hex digits; a validator's card is its public
// key, its host's peer id and the signature that binds the two.
package keyfile

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"golang.org/x/crypto/nacl/secretbox"
	"golang.org/x/crypto/scrypt"

	"github.com/seed06907907/fatty/internal/wire"
)

const (
	// maxFile bounds a key file before it is read: a sealed one has about 400 bytes.
	maxFile = 4 << 10
	// version is the file format's number.
	version = 1
	// scrypt's cost: 64 MiB and about a third of a second, for interactive use (Percival's 2009 figures, raised).
	scryptN, scryptR, scryptP = 1 << 16, 8, 1
	// maxScryptN bounds what a file may ask for, so that a planted file cannot take all memory.
	maxScryptN = 1 << 18
)

// ErrPassphrase is returned when a sealed key does not open.
var ErrPassphrase = errors.New("the passphrase does not open the key: try again, or take the key from its backup")

type file struct {
	Version int     `json:"version"`
	Kind    string  `json:"kind"`
	Public  string  `json:"public"`
	Seed    string  `json:"seed,omitempty"`
	Sealed  *sealed `json:"sealed,omitempty"`
}

type sealed struct {
	N     int    `json:"scrypt_n"`
	R     int    `json:"scrypt_r"`
	P     int    `json:"scrypt_p"`
	Salt  []byte `json:"salt"`
	Nonce []byte `json:"nonce"`
	Box   []byte `json:"box"`
}

// New makes a key from the system's randomness.
func New() (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

// Encode returns the file's bytes; an empty passphrase leaves the key in the clear.
func Encode(key ed25519.PrivateKey, passphrase []byte) ([]byte, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("key of %d bytes: want an Ed25519 private key", len(key))
	}
	f := file{Version: version, Kind: "ed25519", Public: Text(Public(key))}
	if len(passphrase) == 0 {
		f.Seed = hex.EncodeToString(key.Seed())
	} else {
		s := &sealed{N: scryptN, R: scryptR, P: scryptP, Salt: make([]byte, 16), Nonce: make([]byte, 24)}
		if _, err := rand.Read(s.Salt); err != nil {
			return nil, err
		}
		if _, err := rand.Read(s.Nonce); err != nil {
			return nil, err
		}
		k, err := s.key(passphrase)
		if err != nil {
			return nil, err
		}
		s.Box = secretbox.Seal(nil, key.Seed(), (*[24]byte)(s.Nonce), k)
		f.Sealed = s
	}
	b, err := json.MarshalIndent(f, "", "  ")
	return append(b, '\n'), err
}

func (s *sealed) key(passphrase []byte) (*[32]byte, error) {
	if s.N < 2 || s.N > maxScryptN || s.N&(s.N-1) != 0 || s.R != scryptR || s.P != scryptP || len(s.Salt) != 16 ||
		len(s.Nonce) != 24 || (s.Box != nil && len(s.Box) != ed25519.SeedSize+secretbox.Overhead) {
		return nil, errors.New("sealed key: parameters out of bounds: the file is damaged or not fatty's")
	}
	b, err := scrypt.Key(passphrase, s.Salt, s.N, s.R, s.P, 32)
	if err != nil {
		return nil, err
	}
	return (*[32]byte)(b), nil
}

// Decode reads a file's bytes. ask is called for a sealed key; nil means that there is nobody to ask.
func Decode(b []byte, ask func() ([]byte, error)) (ed25519.PrivateKey, error) {
	if len(b) > maxFile {
		return nil, fmt.Errorf("key file of %d bytes: at most %d: this is no key file", len(b), maxFile)
	}
	var f file
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&f); err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("key file: bytes behind the key")
	}
	if f.Version != version || f.Kind != "ed25519" || (f.Seed == "") == (f.Sealed == nil) {
		return nil, fmt.Errorf("key file: version %d of kind %.20q: this fatty reads version %d of ed25519", f.Version, f.Kind, version)
	}
	var seed []byte
	if f.Sealed == nil {
		var err error
		if seed, err = hex.DecodeString(f.Seed); err != nil || len(seed) != ed25519.SeedSize {
			return nil, errors.New("key file: the seed is not 64 hex digits: take the key from its backup")
		}
	} else {
		if ask == nil {
			return nil, errors.New("key file: sealed by a passphrase: set FATTY_PASSPHRASE or run from a terminal")
		}
		pass, err := ask()
		if err != nil {
			return nil, err
		}
		k, err := f.Sealed.key(pass)
		if err != nil {
			return nil, err
		}
		var ok bool
		if seed, ok = secretbox.Open(nil, f.Sealed.Box, (*[24]byte)(f.Sealed.Nonce), k); !ok {
			return nil, ErrPassphrase
		}
	}
	key := ed25519.NewKeyFromSeed(seed)
	if Text(Public(key)) != f.Public {
		return nil, errors.New("key file: public and private key do not belong together: take the key from its backup")
	}
	return key, nil
}

// Write writes a new key file, mode 0600, and syncs it. It never replaces a file: a lost key is a lost account.
func Write(path string, key ed25519.PrivateKey, passphrase []byte) error {
	b, err := Encode(key, passphrase)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("key folder: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s exists: a key is never overwritten: move it away first", path)
	}
	if err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	_, err = f.Write(b)
	if e := f.Sync(); err == nil {
		err = e
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		_ = os.Remove(path) // half a key file would only refuse the next try
		return fmt.Errorf("key file %s: %w", path, err)
	}
	return nil
}

// Read reads a key file and refuses one that others may read.
func Read(path string, ask func() ([]byte, error)) (ed25519.PrivateKey, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("key file: %w", err)
	}
	if runtime.GOOS != "windows" && st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("key file %s: mode %04o lets others read it: chmod 0600 %s", path, st.Mode().Perm(), path)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("key file %s: %w", path, err)
	}
	key, err := Decode(b, ask)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// Public returns the public half.
func Public(key ed25519.PrivateKey) (p [32]byte) {
	copy(p[:], key[ed25519.SeedSize:])
	return p
}

// Text writes a public key as 64 hex digits.
func Text(p [32]byte) string { return hex.EncodeToString(p[:]) }

// ParsePublic reads a public key from 64 hex digits.
func ParsePublic(s string) (p [32]byte, err error) {
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != 32 {
		return p, fmt.Errorf("public key %.80q: want 64 hex digits, as `fatty key show` prints them", s)
	}
	copy(p[:], b)
	return p, nil
}

// PeerID returns the libp2p peer id of an Ed25519 public key.
func PeerID(p [32]byte) (peer.ID, error) {
	k, err := crypto.UnmarshalEd25519PublicKey(p[:])
	if err != nil {
		return "", err
	}
	return peer.IDFromPublicKey(k)
}

// Host returns the key as libp2p wants it.
func Host(key ed25519.PrivateKey) (crypto.PrivKey, error) {
	return crypto.UnmarshalEd25519PrivateKey(key)
}

// Card is a validator as it introduces itself: its key, its host, and the key's signature that binds them.
type Card struct {
	Key     [32]byte
	Host    peer.ID
	Binding []byte
}

// binding is what the signature of a card is over.
type binding struct {
	Key  []byte `cbor:"key"`
	Host string `cbor:"host"`
}

// NewCard signs a card.
func NewCard(validator ed25519.PrivateKey, host peer.ID) (Card, error) {
	pub := Public(validator)
	body, err := wire.Marshal(binding{pub[:], host.String()})
	if err != nil {
		return Card{}, err
	}
	return Card{pub, host, wire.Sign(validator, wire.DomainHost, body)}, nil
}

// Verify checks the card's signature.
func (c Card) Verify() error {
	body, err := wire.Marshal(binding{c.Key[:], c.Host.String()})
	if err != nil {
		return err
	}
	if !wire.Verify(c.Key[:], wire.DomainHost, body, c.Binding) {
		return fmt.Errorf("validator %s: its key did not sign for host %s: take the card that its `fattyd init` printed", Text(c.Key), c.Host)
	}
	return nil
}

// String writes key@peer#signature.
func (c Card) String() string {
	return Text(c.Key) + "@" + c.Host.String() + "#" + base64.RawURLEncoding.EncodeToString(c.Binding)
}

// ParseCard reads and verifies a card.
func ParseCard(s string) (Card, error) {
	bad := func(err error) (Card, error) {
		return Card{}, fmt.Errorf("validator card %.100q: %w: want KEY@PEER#SIGNATURE as `fattyd init` prints it", s, err)
	}
	k, rest, ok := strings.Cut(s, "@")
	h, sig, ok2 := strings.Cut(rest, "#")
	if !ok || !ok2 {
		return bad(errors.New("a part is missing"))
	}
	key, err := ParsePublic(k)
	if err != nil {
		return bad(err)
	}
	id, err := peer.Decode(h)
	if err != nil {
		return bad(err)
	}
	b, err := base64.RawURLEncoding.DecodeString(sig)
	if err != nil {
		return bad(err)
	}
	c := Card{key, id, b}
	return c, c.Verify()
}
