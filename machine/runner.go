package machine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/prover"
	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier"
)

// Ledger is what a Runner needs of the lock service. Errors are an *api.Error, or that nobody answered.
type Ledger interface {
	Head(ctx context.Context) (*api.Head, error)
	Machine(ctx context.Context, lock string) (*api.Machine, error)
	Inbox(ctx context.Context, lock string, limit int) (*api.Inbox, error)
	// MachineProof returns the newest span that a node keeps of a machine, WholeLife its whole-life span.
	MachineProof(ctx context.Context, lock string) (*api.MachineProof, error)
	WholeLife(ctx context.Context, lock string) (*api.MachineProof, error)
	// Do signs an operation, hands it in with its attachments, and waits for its receipt; it hands in the same bytes again
	// where it cannot know whether they arrived. A refusal is a receipt that is not OK.
	Do(ctx context.Context, op lockspace.Op, attachments ...[]byte) (*api.Receipt, error)
	// Watch returns a channel of events under a path from now on. It dials again by itself, may lose events while it does,
	// and closes the channel when ctx ends.
	Watch(ctx context.Context, path string) <-chan api.Event
	// Elsewhere has the next call begin at another node: what the last one said is behind, wrong, or of no use.
	Elsewhere()
}

// Config is what a Runner is made with.
type Config struct {
	File      *File
	Ledger    Ledger
	Prover    Prover
	Account   lockspace.AccountID // the holder's key, which Ledger signs with
	Addresses []string            // multiaddrs to publish with the lock
	// Security is the level of the proofs, verifier.Security100 or Security124: that of the ledger's genesis. 0 is
	// Security100.
	Security int
	// AtOnce bounds the proofs in the making, and so the memory that they take; 0 is what the cores are worth.
	AtOnce int
	// Dir is a folder for what must survive a crash, and for the newest proof files. Empty: nothing survives.
	Dir string
	// Check verifies a span proof; nil is verifier.Verify at the level of the proofs that are made here. What a node or the
	// disk gives is checked before it becomes part of a proof.
	Check func(proof []byte) (verifier.Statement, error)
	// Report is told what happens, from the goroutine that called Run. It must not block.
	Report func(Event)
}

// EventKind says what happened to a machine's keeper.
type EventKind string

// The kinds of Event.
const (
	Created  EventKind = "created"   // the lock was made, with the machine's terms
	Resumed  EventKind = "resumed"   // what an earlier process had made is taken up
	SetAside EventKind = "set_aside" // a file of an earlier process cannot be used
	Standing EventKind = "standby"   // another holds the lock
	Proving  EventKind = "proving"   // a renewal has begun
	Acquired EventKind = "acquired"  // the lock is held; From says whether by take-over
	Renewed  EventKind = "renewed"   // the lease is prolonged
	Joined   EventKind = "joined"    // the whole-life span reaches the last accepted clock
	Broken   EventKind = "broken"    // the lock is about to be taken without the whole life before, which then ends as one proof
	Refused  EventKind = "refused"   // the ledger refused a proof or another transaction
	Lost     EventKind = "lost"      // the lease ended
	Slow     EventKind = "slow"      // proofs take too long here
	Trouble  EventKind = "trouble"   // the ledger cannot be reached, or the like; it is tried again
	Released EventKind = "released"  // the lock was given back
)

// Event is something that happened.
type Event struct {
	Kind         EventKind
	Text         string // for people
	From         uint64 // acquired, renewed: the clock that the renewal began at
	T            uint64 // the machine's clock
	State        lockspace.Felt
	Ticks        uint64 // of all runs
	Runs         uint64
	Took         int64  // inbox index of the first transaction that it consumed, or lockspace.Idle
	Count        uint64 // how many
	LeaseEnd     time.Time
	ProofBytes   int
	ProveSeconds float64 // from the beginning of the first run to the end of the last merge
	Sequence     uint64
	// Span and Whole are the files of the proof and of the whole-life span, where there are any.
	Span, Whole string
}

// Runner keeps one lock.
type Runner struct {
	cfg      Config
	id       wire.CID     // the machine's
	key      verifier.Key // its program's
	terms    lockspace.Terms
	sizer    Sizer
	view     *View
	floor    uint64        // the sequence of the last receipt: older views say nothing
	skew     time.Duration // ledger time less local time
	skewAt   time.Time
	newest   uint64 // sequence of the head that was seen last
	ready    *proof
	proving  *proving
	opening  behind // what is behind the last accepted state
	life     whole
	handed   string // id of the proof that was handed in last, if it was not refused
	unsure   bool   // whether it was taken: an answer was lost
	keeps    bool   // this process holds the lock, by a proof of its own or of its folder
	standby  bool   // another does
	twin     bool   // with this account's key
	bad      int    // proofs refused as bad, in a row
	troubles int
	seen     bool // the lock, with this machine
	doubts   int  // looks in a row that told what cannot be

	progress *progress // nil without a folder
	files    *proofFiles
	begun    *begun // what an earlier process had begun, with its pieces
	pieces   []Piece
	notes    notes
	unsaved  bool // that nothing can be written was said
}

// place is a state at a clock of a life.
type place struct {
	instance, generation, t uint64
	s                       lockspace.Felt
}

// behind is what is behind the state at a place.
type behind struct {
	at    place
	felts []vm.Felt
}

func (b behind) of(at place) bool { return b.felts != nil && b.at == at }

// proof is a proven job with its bytes.
type proof struct {
	Job
	since time.Time // local time since when its anchor ages
	at    time.Time // and when it was proven
	begun begun
	made  *Made
}

const (
	// maxBad is how many bad proofs in a row end a Runner: something is wrong that another try does not mend, and each
	// drains the account's allowance.
	maxBad = 3
	// maxDoubts is how many nodes in a row must say what speaks against all before, to be believed: twice those of a cell
	// of four.
	maxDoubts = 8
	// pause and maxPause are how long it waits after a refusal or a trouble, growing.
	pause, maxPause = 250 * time.Millisecond, 5 * time.Second
	// pollEvery is how often it looks without an event: events can be lost while a watch is dialled again.
	pollEvery = 3 * time.Second
	// releaseTimeout bounds the release at the end.
	releaseTimeout = 10 * time.Second
	// skewKept is how long the best estimate of the ledger's time is kept: its clock or this host's may be set.
	skewKept = 30 * time.Second
	// firstSteps is the length in steps of the first run: half of what the smallest proof has rows for.
	firstSteps = 1 << 15
	// probeSteps bounds the runs that measure a tick.
	probeSteps = 1 << 22
)

// New checks the machine's first steps in the VM and makes its keeper.
func New(cfg Config) (*Runner, error) {
	if cfg.Prover == nil {
		cfg.Prover = new(prover.Prover)
	}
	cfg.Prover = Bound(cfg.Prover, cfg.AtOnce)
	if cfg.Security == 0 {
		cfg.Security = verifier.Security100
	}
	if cfg.Report == nil {
		cfg.Report = func(Event) {}
	}
	if cfg.Check == nil {
		cfg.Check = func(p []byte) (verifier.Statement, error) {
			return verifier.Verify(p, verifier.Accept{Kind: verifier.KindSpan, Security: cfg.Security})
		}
	}
	program, err := cfg.File.Canonical.CID()
	if err != nil {
		return nil, err
	}
	r := &Runner{cfg: cfg, terms: cfg.File.Terms}
	if r.key, err = cfg.File.Canonical.Key(); err != nil {
		return nil, err
	}
	if r.id, err = lockspace.MachineCID(program, cfg.File.Start.Bytes()); err != nil {
		return nil, err
	}
	first, err := r.firstRun()
	if err != nil {
		return nil, err
	}
	r.sizer = NewSizer(first, cfg.File.MaxTicks, cfg.File.MaxRuns, time.Duration(r.terms.Cadence))
	return r, nil
}

// Machine returns the machine's content id.
func (r *Runner) Machine() wire.CID { return r.id }

// firstRun runs the machine's first ticks without proof: a program that fails there is refused before it costs anything,
// and the steps of a tick say how many make a short proof.
func (r *Runner) firstRun() (uint64, error) {
	f := r.cfg.File
	steps := func(n uint64) (uint64, error) {
		var idle []vm.Felt
		for range n {
			idle = append(idle, felts(f.Terms.Idle)...)
		}
		res, err := vm.Run(context.Background(), f.Program, inputVector(0, f.Start, n, f.Opening, idle), vm.StwoConfig(probeSteps))
		if err != nil {
			return 0, fmt.Errorf("the machine fails in its first %d transitions: %w", n, err)
		}
		return res.Steps, nil
	}
	one, err := steps(1)
	if err != nil || f.Terms.Inputs == lockspace.InputFelt {
		return 1, err
	}
	const many = 16
	more, err := steps(many)
	if err != nil {
		return 0, err
	}
	per := max(1, (more-min(one, more))/(many-1))
	return max(1, firstSteps/per), nil
}

// felts makes the VM's felts of a ledger's.
func felts(list []lockspace.Felt) []vm.Felt {
	out := make([]vm.Felt, len(list))
	for i := range list {
		out[i].SetBytes(list[i][:])
	}
	return out
}

// Run keeps the lock until ctx ends, and then releases it, or until something is wrong that trying again does not mend.
func (r *Runner) Run(ctx context.Context) error {
	if err := r.openDir(); err != nil {
		return err
	}
	defer r.closeDir()
	r.prepare()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	events := r.cfg.Ledger.Watch(watching, r.cfg.File.Lock)
	err := r.loop(ctx, events)
	r.abandon()
	r.life.stop()
	r.release(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (r *Runner) loop(ctx context.Context, events <-chan api.Event) error {
	look := true
	fresh := false // nothing has been waited for since the last look
	for ctx.Err() == nil {
		if look {
			if err := r.look(ctx); err != nil {
				var f fatal
				if errors.As(err, &f) {
					return f.error
				}
				r.trouble(ctx, err)
				continue
			}
			look, fresh = false, true
		}
		r.extend(ctx)
		d := Decide(r.situation())
		if d.Action == Discard && !fresh { // what is known may be old
			look = true
			continue
		}
		var err error
		switch d.Action {
		case Create:
			err, look = r.create(ctx), true
		case Begin:
			err = r.begin(ctx, d.Job)
			look = err != nil
		case Acquire, Renew:
			err, look = r.submit(ctx, d.Action), true
		case Discard:
			r.abandon()
		case Wait:
			look, err = r.wait(ctx, d.Until, fresh, &events)
			fresh = false
			if err == nil && look {
				r.troubles = 0
			}
		}
		var f fatal
		if errors.As(err, &f) {
			return f.error
		}
		if err != nil {
			r.trouble(ctx, err)
		}
	}
	return nil
}

// fatal is an error that another try does not mend.
type fatal struct{ error }

func (f fatal) Unwrap() error { return f.error }

func fatalf(format string, args ...any) error { return fatal{fmt.Errorf(format, args...)} }

// trouble reports an error and waits, longer each time. Another node comes next: a node may lie, or lag for ever.
func (r *Runner) trouble(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	r.troubles++
	r.cfg.Ledger.Elsewhere()
	r.report(Event{Kind: Trouble, Text: err.Error()})
	r.rest(ctx, min(maxPause, pause<<min(r.troubles, 5)))
}

func (r *Runner) rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

func (r *Runner) report(e Event) { r.cfg.Report(e) }

// now is the ledger's time as far as is known.
func (r *Runner) now() time.Time { return time.Now().Add(r.skew) }

func (r *Runner) situation() Situation {
	s := Situation{Now: r.now(), View: r.view, Terms: r.terms, Start: r.cfg.File.Start.Bytes(), Ticks: r.sizer.Ticks, Runs: r.sizer.Runs,
		Prove: r.sizer.Run}
	if v := r.view; v != nil {
		s.Whole = r.life.reaches(v.T, v.S)
		s.Mending = r.life.mending(v.T, v.S) && (r.ready == nil || time.Since(r.ready.at) < 2*time.Duration(r.terms.Cadence))
		s.Blind = !r.keeps && r.blind(place{v.Instance, v.Generation, v.T, v.S})
	}
	if r.terms.Inputs != lockspace.InputNone {
		s.Runs = r.sizer.Fit()
	}
	if r.ready != nil {
		s.Ready = &Ready{Job: r.ready.Job, Anchored: s.Now.Add(-time.Since(r.ready.since))}
	}
	if r.proving != nil {
		s.Proving = &r.proving.begun.Job
	}
	if r.begun != nil && r.view != nil {
		s.Begun = &Ready{Job: r.begun.Job, Anchored: s.Now.Add(-time.Since(r.since(*r.begun, r.view.Sequence)))}
	}
	return s
}

// prepare commits the tables that every proof shares, beside everything else, so that the first proof need not.
func (r *Runner) prepare() {
	if w, ok := r.cfg.Prover.(bounded).Prover.(warmer); ok {
		go func() { _ = w.Warm(context.Background(), r.cfg.Security) }() // the first proof does it otherwise, and reports
	}
}

// warmer is a Prover that can prepare for its first proof.
type warmer interface {
	Warm(ctx context.Context, security int) error
}
