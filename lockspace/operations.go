package lockspace

import (
	"strings"

	"github.com/seed06907907/fatty/internal/wire"
)

// Mode is how a lock is held.
type Mode string

// Exclusive is the one mode of today; shared locks come later.
const Exclusive Mode = "exclusive"

// Proof names an attachment: a proof's bytes without envelope.
type Proof struct {
	ID      wire.CID `cbor:"id"` // wire.Sum of the bytes
	Length  uint64   `cbor:"length"`
	Version uint64   `cbor:"version"` // of the proof format
}

// Run is one run of a machine's program within a proof, and what it took from the inbox.
type Run struct {
	// Inputs has, for each transaction that the run consumed, its inbox index, or Idle.
	Inputs []int64 `cbor:"inputs"`
}

// Idle stands for the idle transaction in Run.Inputs.
const Idle int64 = -1

// Mkdir makes a directory.
type Mkdir struct {
	Path string `cbor:"path"`
}

// Put writes a file, and makes it where it is not. Expect is the content generation that it replaces: nil for any, 0
// for a file that is not there yet. With Instance, the file must be that one and not a later one of the same name.
type Put struct {
	Path     string  `cbor:"path"`
	Content  []byte  `cbor:"content"`
	Expect   *uint64 `cbor:"expect,omitempty"`
	Instance *uint64 `cbor:"instance,omitempty"`
	// LivesBy makes a new file ephemeral: it goes when the lock at that path, which the signer holds, is lost.
	LivesBy string `cbor:"livesBy,omitempty"`
}

// Delete removes a file whose lock nobody holds, or an empty directory; compare as in Put.
type Delete struct {
	Path     string  `cbor:"path"`
	Expect   *uint64 `cbor:"expect,omitempty"`
	Instance *uint64 `cbor:"instance,omitempty"`
}

// Publish puts a canonical program on the ledger, under its content id, with the key derived from it.
type Publish struct {
	Program []byte `cbor:"program"`
}

// CreateMachine makes a file whose lock demands a machine: a published program and the state that it starts from.
type CreateMachine struct {
	Path    string   `cbor:"path"`
	Program wire.CID `cbor:"program"`
	Start   Felt     `cbor:"start"`
	Terms   Terms    `cbor:"terms"`
}

// Acquire takes a free lock for the signer. Generation is the one that it creates: the lock's plus one. A machine lock
// needs Proof, of at least one transition, with the anchor of that past sequence, and Runs that say what it consumed.
type Acquire struct {
	Path       string   `cbor:"path"`
	Instance   uint64   `cbor:"instance"`
	Generation uint64   `cbor:"generation"`
	Mode       Mode     `cbor:"mode"`
	Peer       string   `cbor:"peer"`
	Addresses  []string `cbor:"addresses"`
	Proof      *Proof   `cbor:"proof,omitempty"`
	Anchor     uint64   `cbor:"anchor,omitempty"`
	Runs       []Run    `cbor:"runs,omitempty"`
}

// Renew prolongs the signer's lease: for a machine by a proof from its last accepted state, for a plain lock by being
// signed. Addresses replaces the published ones when it is not empty.
type Renew struct {
	Path       string   `cbor:"path"`
	Instance   uint64   `cbor:"instance"`
	Generation uint64   `cbor:"generation"`
	Addresses  []string `cbor:"addresses,omitempty"`
	Proof      *Proof   `cbor:"proof,omitempty"`
	Anchor     uint64   `cbor:"anchor,omitempty"`
	Runs       []Run    `cbor:"runs,omitempty"`
}

// Release gives the signer's lock back at once, without a lock-delay.
type Release struct {
	Path       string `cbor:"path"`
	Instance   uint64 `cbor:"instance"`
	Generation uint64 `cbor:"generation"`
}

// Send puts a transaction in the inbox of the machine whose lock is at Path.
type Send struct {
	Path  string `cbor:"path"`
	Felts []Felt `cbor:"felts"`
}

// Grant makes an account or replaces its name, right and quota.
type Grant struct {
	Account AccountID `cbor:"account"`
	Name    string    `cbor:"name,omitempty"`
	Grant   bool      `cbor:"grant,omitempty"`
	Quota   Quota     `cbor:"quota"`
}

func (*Mkdir) kind() Kind         { return KindMkdir }
func (*Put) kind() Kind           { return KindPut }
func (*Delete) kind() Kind        { return KindDelete }
func (*Publish) kind() Kind       { return KindPublish }
func (*CreateMachine) kind() Kind { return KindMachine }
func (*Acquire) kind() Kind       { return KindAcquire }
func (*Renew) kind() Kind         { return KindRenew }
func (*Release) kind() Kind       { return KindRelease }
func (*Send) kind() Kind          { return KindSend }
func (*Grant) kind() Kind         { return KindGrant }

// checkName is CheckPath for what is made, changed or removed: never the root.
func checkName(path string) error {
	if path == "/" {
		return refuse(CodeInvalid, "path /: the root directory is not made, locked or removed")
	}
	return CheckPath(path)
}

func (o *Mkdir) check() error { return checkName(o.Path) }

func (o *Put) check() error {
	if len(o.Content) > MaxContent {
		return refuse(CodeInvalid, "put %s: content of %d bytes: at most %d", o.Path, len(o.Content), MaxContent)
	}
	if o.LivesBy != "" {
		if err := checkName(o.LivesBy); err != nil {
			return err
		}
	}
	return checkName(o.Path)
}

func (o *Delete) check() error { return checkName(o.Path) }

func (o *Publish) check() error {
	if len(o.Program) == 0 || len(o.Program) > MaxProgram {
		return refuse(CodeInvalid, "publish: a program of %d bytes: want 1 to %d", len(o.Program), MaxProgram)
	}
	return nil
}

func (o *CreateMachine) check() error {
	if !o.Start.Valid() {
		return refuse(CodeInvalid, "machine %s: the starting state is not below the prime", o.Path)
	}
	return checkName(o.Path)
}

func (o *Acquire) check() error {
	if o.Mode != Exclusive {
		return refuse(CodeInvalid, "acquire %s: mode %.20q: want exclusive", o.Path, o.Mode)
	}
	if o.Peer == "" || len(o.Peer) > MaxPeer || !alphanumeric(o.Peer) {
		return refuse(CodeInvalid, "acquire %s: want the holder's peer id, 1 to %d letters and digits", o.Path, MaxPeer)
	}
	if err := checkAddresses(o.Addresses); err != nil {
		return err
	}
	return checkProof(o.Path, o.Proof, o.Anchor, o.Runs)
}

func (o *Renew) check() error {
	if err := checkAddresses(o.Addresses); err != nil {
		return err
	}
	return checkProof(o.Path, o.Proof, o.Anchor, o.Runs)
}

func (o *Release) check() error { return checkName(o.Path) }

func (o *Send) check() error {
	if len(o.Felts) != 1 {
		return refuse(CodeInvalid, "send %s: %d felts: machines take one today", o.Path, len(o.Felts))
	}
	for _, f := range o.Felts {
		if !f.Valid() {
			return refuse(CodeInvalid, "send %s: a felt is not below the prime", o.Path)
		}
	}
	return checkName(o.Path)
}

func (o *Grant) check() error {
	if len(o.Name) > MaxAccountName {
		return refuse(CodeInvalid, "grant: a name of %d bytes: at most %d", len(o.Name), MaxAccountName)
	}
	return o.Quota.Validate()
}

func alphanumeric(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	}) < 0
}

func graphic(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

func checkAddresses(list []string) error {
	if len(list) > MaxAddresses {
		return refuse(CodeInvalid, "%d addresses: at most %d", len(list), MaxAddresses)
	}
	for _, a := range list {
		if len(a) > MaxAddress || !strings.HasPrefix(a, "/") || !graphic(a) {
			return refuse(CodeInvalid, "address %.80q: want a multiaddr of at most %d bytes", a, MaxAddress)
		}
	}
	return nil
}

// checkProof checks the form of what comes with a proof; without one there is nothing else either.
func checkProof(path string, p *Proof, anchor uint64, runs []Run) error {
	if p == nil {
		if anchor != 0 || len(runs) != 0 {
			return refuse(CodeInvalid, "%s: an anchor and runs belong to a proof, and there is none", path)
		}
		return checkName(path)
	}
	if p.Length == 0 || p.Length > MaxProof {
		return refuse(CodeInvalid, "%s: a proof of %d bytes: want 1 to %d", path, p.Length, MaxProof)
	}
	if len(runs) == 0 || len(runs) > MaxRuns {
		return refuse(CodeInvalid, "%s: %d runs: a renewal is one run", path, len(runs))
	}
	for _, r := range runs {
		if len(r.Inputs) > 1 || (len(r.Inputs) == 1 && r.Inputs[0] < Idle) {
			return refuse(CodeInvalid, "%s: a run's inputs: want at most one, an inbox index or %d for idle", path, Idle)
		}
	}
	return checkName(path)
}
