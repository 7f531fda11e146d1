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

// Run is one run of a machine's program within a span, and what it took from the inbox.
type Run struct {
	// Inputs has, for each transaction that the run consumed, its inbox index, or Idle; nothing where the machine takes none.
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
// needs Proof, a span of at least one transition, with the anchor of that past sequence, and Runs, those that the span is
// made of. Whole is the whole-life span, from the machine's start to where Proof starts, where one is due; see
// Machine.WholeDue. Opening is the state that Proof ends in, where the terms say opening = poseidon.
type Acquire struct {
	Path       string   `cbor:"path"`
	Instance   uint64   `cbor:"instance"`
	Generation uint64   `cbor:"generation"`
	Mode       Mode     `cbor:"mode"`
	Addresses  []string `cbor:"addresses"`
	Proof      *Proof   `cbor:"proof,omitempty"`
	Anchor     uint64   `cbor:"anchor,omitempty"`
	Runs       []Run    `cbor:"runs,omitempty"`
	Whole      *Proof   `cbor:"whole,omitempty"`
	Opening    []Felt   `cbor:"opening,omitempty"`
}

// Renew prolongs the signer's lease: for a machine by a span from its last accepted state, as in Acquire, for a plain lock
// by being signed. Addresses replaces the published ones when it is not empty.
type Renew struct {
	Path       string   `cbor:"path"`
	Instance   uint64   `cbor:"instance"`
	Generation uint64   `cbor:"generation"`
	Addresses  []string `cbor:"addresses,omitempty"`
	Proof      *Proof   `cbor:"proof,omitempty"`
	Anchor     uint64   `cbor:"anchor,omitempty"`
	Runs       []Run    `cbor:"runs,omitempty"`
	Whole      *Proof   `cbor:"whole,omitempty"`
	Opening    []Felt   `cbor:"opening,omitempty"`
}

// tick is what an acquire or a renewal says to move a machine's clock.
type tick struct {
	path   string
	proof  *Proof
	anchor uint64
	runs   []Run
	whole  *Proof
	open   []Felt
	fresh  bool // it begins a life
}

func (o *Acquire) tick() tick {
	return tick{o.Path, o.Proof, o.Anchor, o.Runs, o.Whole, o.Opening, true}
}

func (o *Renew) tick() tick {
	return tick{o.Path, o.Proof, o.Anchor, o.Runs, o.Whole, o.Opening, false}
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
	if err := checkAddresses(o.Addresses); err != nil {
		return err
	}
	return o.tick().check()
}

func (o *Renew) check() error {
	if err := checkAddresses(o.Addresses); err != nil {
		return err
	}
	return o.tick().check()
}

func (o *Release) check() error { return checkName(o.Path) }

func (o *Send) check() error {
	if len(o.Felts) == 0 || len(o.Felts) > MaxTransactionFelts || !valid(o.Felts) {
		return refuse(CodeInvalid, "send %s: %d felts: want 1 to %d, all below the prime", o.Path, len(o.Felts), MaxTransactionFelts)
	}
	return checkName(o.Path)
}

func (o *Grant) check() error {
	if len(o.Name) > MaxAccountName {
		return refuse(CodeInvalid, "grant: a name of %d bytes: at most %d", len(o.Name), MaxAccountName)
	}
	return o.Quota.Validate()
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

// check checks the form of what comes with a proof; without one there is nothing else either.
func (t tick) check() error {
	if t.proof == nil {
		if t.anchor != 0 || len(t.runs) != 0 || t.whole != nil || len(t.open) != 0 {
			return refuse(CodeInvalid, "%s: an anchor, runs, an opening and a whole-life span belong to a proof, and there is none", t.path)
		}
		return checkName(t.path)
	}
	for _, p := range []*Proof{t.proof, t.whole} {
		if p != nil && (p.Length == 0 || p.Length > MaxProof) {
			return refuse(CodeInvalid, "%s: a proof of %d bytes: want 1 to %d", t.path, p.Length, MaxProof)
		}
	}
	if t.whole != nil && t.whole.ID == t.proof.ID {
		return refuse(CodeInvalid, "%s: the whole-life span ends where the proof starts: it is never the same proof", t.path)
	}
	if len(t.runs) == 0 || len(t.runs) > MaxRuns {
		return refuse(CodeInvalid, "%s: %d runs: want those that the span is made of, 1 to %d", t.path, len(t.runs), MaxRuns)
	}
	inputs := 0
	for _, r := range t.runs {
		for _, at := range r.Inputs {
			if at < Idle {
				return refuse(CodeInvalid, "%s: a run's input %d: want an inbox index, or %d for idle", t.path, at, Idle)
			}
		}
		if inputs += len(r.Inputs); inputs > MaxInputs {
			return refuse(CodeInvalid, "%s: the runs list more than %d inputs: renew earlier", t.path, MaxInputs)
		}
	}
	if len(t.open) > MaxOpening || !valid(t.open) {
		return refuse(CodeInvalid, "%s: an opening of %d felts: want at most %d, all below the prime", t.path, len(t.open), MaxOpening)
	}
	return checkName(t.path)
}
