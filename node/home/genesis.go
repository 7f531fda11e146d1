package home

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/seed06907907/fatty/node/keyfile"
	"github.com/seed06907907/fatty/verifier"
)

// Bounds of a genesis file.
const (
	maxGenesis    = 8 << 20 // bytes
	maxValidators = 100
	maxAccounts   = 10_000
)

// Genesis is what all nodes of one chain agree on before they start. Durations are seconds.
type Genesis struct {
	Chain      string             `json:"chain"`
	Validators []GenesisValidator `json:"validators"`
	Accounts   []GenesisAccount   `json:"accounts"`
	Lease      LeaseRules         `json:"lease"`
	Proofs     ProofRules         `json:"proofs"`
	Agreement  AgreementRules     `json:"agreement"`
}

// GenesisValidator is one member of the first set; the binding is its key's signature over its host.
type GenesisValidator struct {
	Name    string `json:"name"`
	Key     string `json:"key"`
	Host    string `json:"host"`
	Binding string `json:"binding"` // base64url
}

// GenesisAccount may write. Zero quotas take the lock space's defaults.
type GenesisAccount struct {
	Name  string `json:"name,omitempty"`
	Key   string `json:"key"`
	Grant bool   `json:"grant"` // may create accounts
}

// LeaseRules are the bounds and defaults of machine locks' terms.
type LeaseRules struct {
	Cadence   float64 `json:"cadence"`
	Grace     float64 `json:"grace"`
	LockDelay float64 `json:"lock_delay"`
}

// ProofRules say which proofs the ledger takes. They are part of genesis, so that a change is an upgrade and no fork.
type ProofRules struct {
	Versions     []uint32 `json:"versions"`
	SecurityBits int      `json:"security_bits"` // the level of proofs, which is proven: 100 or 124
}

// AgreementRules are the times of consensus.
type AgreementRules struct {
	Ahead       float64 `json:"ahead"`        // how far a proposal's time may be ahead of a replica's clock
	Behind      float64 `json:"behind"`       // and how far behind
	IdleCut     float64 `json:"idle_cut"`     // empty cuts come at least this often while ticks are needed
	ViewTimeout float64 `json:"view_timeout"` // without a pre-prepare for so long a replica starts a view change
}

// DefaultGenesis returns the rules without members: those of the design's tables.
func DefaultGenesis(chain string) Genesis {
	return Genesis{
		Chain: chain, Validators: []GenesisValidator{}, Accounts: []GenesisAccount{},
		Lease:     LeaseRules{Cadence: 12, Grace: 45, LockDelay: 2},
		Proofs:    ProofRules{Versions: []uint32{verifier.ProofVersion}, SecurityBits: 100},
		Agreement: AgreementRules{Ahead: 0.5, Behind: 2, IdleCut: 1, ViewTimeout: 2},
	}
}

var chainName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// OutageGap is the pause between two cuts above which execution extends leases (seconds); a grace must be longer, or an
// outage could end a lease before the extension is seen.
const OutageGap = 5

// Validate checks the genesis, signatures included.
func (g *Genesis) Validate() error {
	if !chainName.MatchString(g.Chain) {
		return fmt.Errorf("genesis: chain %.40q: want 1 to 32 of a-z, 0-9 and -", g.Chain)
	}
	if n := len(g.Validators); n < 1 || n > maxValidators {
		return fmt.Errorf("genesis: %d validators: want 1 to %d (4 bear one fault)", n, maxValidators)
	}
	names, keys, hosts := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for i, v := range g.Validators {
		if v.Name == "" || len(v.Name) > 32 || names[v.Name] {
			return fmt.Errorf("genesis: validator %d: name %.40q is empty, too long or taken", i, v.Name)
		}
		c, err := v.Card()
		if err != nil {
			return fmt.Errorf("genesis: validator %q: %w", v.Name, err)
		}
		if keys[v.Key] || hosts[v.Host] || keyfile.Text(c.Key) != v.Key || c.Host.String() != v.Host {
			return fmt.Errorf("genesis: validator %q: key or host is there twice or not in its usual spelling", v.Name)
		}
		names[v.Name], keys[v.Key], hosts[v.Host] = true, true, true
	}
	if len(g.Accounts) > maxAccounts {
		return fmt.Errorf("genesis: %d accounts: at most %d; grant the others later", len(g.Accounts), maxAccounts)
	}
	accounts := map[string]bool{}
	for i, a := range g.Accounts {
		k, err := keyfile.ParsePublic(a.Key)
		if err != nil {
			return fmt.Errorf("genesis: account %d: %w", i, err)
		}
		if accounts[a.Key] || keyfile.Text(k) != a.Key {
			return fmt.Errorf("genesis: account %s is there twice or not in lower case", a.Key)
		}
		accounts[a.Key] = true
	}
	if l := g.Lease; !(l.Cadence >= 1 && l.Cadence <= 86400) || !(l.Grace > OutageGap && l.Grace <= 86400) || !(l.LockDelay >= 0 && l.LockDelay <= 3600) {
		return fmt.Errorf("genesis: lease: cadence %v s, grace %v s, lock_delay %v s: want 1 to 86400, above %d (the pause that extends leases) to 86400, 0 to 3600", l.Cadence, l.Grace, l.LockDelay, OutageGap)
	}
	if len(g.Proofs.Versions) < 1 || len(g.Proofs.Versions) > 16 {
		return errors.New("genesis: proofs.versions: want 1 to 16 proof format versions")
	}
	if b := g.Proofs.SecurityBits; b != 100 && b != 124 {
		return fmt.Errorf("genesis: proofs.security_bits %d: want 100 or 124, the levels that parameter sets are made for", b)
	}
	for i, v := range g.Proofs.Versions {
		if v == 0 || v > 1<<16-1 || (i > 0 && v <= g.Proofs.Versions[i-1]) {
			return fmt.Errorf("genesis: proofs.versions %v: want numbers of 1 to 65535 in ascending order", g.Proofs.Versions)
		}
	}
	a := g.Agreement
	for name, v := range map[string]float64{"ahead": a.Ahead, "behind": a.Behind, "idle_cut": a.IdleCut, "view_timeout": a.ViewTimeout} {
		if !(v >= 0.01 && v <= 60) {
			return fmt.Errorf("genesis: agreement.%s %v s: want 0.01 to 60", name, v)
		}
	}
	if a.IdleCut >= a.ViewTimeout {
		return fmt.Errorf("genesis: agreement.idle_cut %v s must be shorter than view_timeout %v s, or an idle leader is replaced", a.IdleCut, a.ViewTimeout)
	}
	return nil
}

// Card returns the validator's verified card.
func (v GenesisValidator) Card() (keyfile.Card, error) {
	k, err := keyfile.ParsePublic(v.Key)
	if err != nil {
		return keyfile.Card{}, err
	}
	id, err := peer.Decode(v.Host)
	if err != nil {
		return keyfile.Card{}, fmt.Errorf("host %.80q: %w", v.Host, err)
	}
	sig, err := base64.RawURLEncoding.DecodeString(v.Binding)
	if err != nil {
		return keyfile.Card{}, fmt.Errorf("binding: %w", err)
	}
	c := keyfile.Card{Key: k, Host: id, Binding: sig}
	return c, c.Verify()
}

// Validator makes a genesis entry of a card.
func Validator(name string, c keyfile.Card) GenesisValidator {
	return GenesisValidator{name, keyfile.Text(c.Key), c.Host.String(), base64.RawURLEncoding.EncodeToString(c.Binding)}
}

// ParseGenesis reads and validates a genesis file; unknown fields are refused.
func ParseGenesis(b []byte) (*Genesis, error) {
	if len(b) > maxGenesis {
		return nil, fmt.Errorf("genesis of %d bytes: at most %d", len(b), maxGenesis)
	}
	g := &Genesis{}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(g); err != nil {
		return nil, fmt.Errorf("genesis: %w: take the file that `fattyd genesis` wrote", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("genesis: bytes behind the end: take the file that `fattyd genesis` wrote")
	}
	return g, g.Validate()
}

// Encode writes the genesis as its file; the same genesis always has the same bytes.
func (g *Genesis) Encode() ([]byte, error) {
	if err := g.Validate(); err != nil {
		return nil, err
	}
	b, err := json.MarshalIndent(g, "", "  ")
	return append(b, '\n'), err
}

// ChainID is the name in every signed message: the chain's name and eight bytes of the genesis's SHA-256, so that nodes
// with different geneses never take each other's messages, whatever their chains are called.
func (g *Genesis) ChainID() string {
	b, err := json.Marshal(g)
	if err != nil { // a struct of strings and finite numbers always encodes, and Validate refuses the rest
		return ""
	}
	h := sha256.Sum256(b)
	return g.Chain + "-" + hex.EncodeToString(h[:8])
}

// Seconds turns the file's seconds into a Duration.
func Seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
