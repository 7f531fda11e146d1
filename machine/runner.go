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
)

// Ledger is what a Runner needs of the lock service. Errors are an *api.Error, or that nobody answered.
type Ledger interface {
	Head(ctx context.Context) (*api.Head, error)
	Machine(ctx context.Context, lock string) (*api.Machine, error)
	Inbox(ctx context.Context, lock string, limit int) (*api.Inbox, error)
	// Do signs an operation, hands it in with its attachments, and waits for its receipt; it hands in the same bytes again
	// where it cannot know whether they arrived. A refusal is a receipt that is not OK.
	Do(ctx context.Context, op lockspace.Op, attachments ...[]byte) (*api.Receipt, error)
	// Watch returns a channel of events under a path from now on. It dials again by itself, may lose events while it does,
	// and closes the channel when ctx ends.
	Watch(ctx context.Context, path string) <-chan api.Event
}

// Prover proves runs; *prover.Prover does.
type Prover interface {
	Prove(ctx context.Context, p *vm.Program, input []vm.Felt, opt prover.Options) (*prover.Result, error)
}

// warmer is a Prover that can prepare for its first proof.
type warmer interface {
	Warm(ctx context.Context, logN int) error
}

// smallestLogN is the size of the shortest proofs, which is prepared for.
const smallestLogN = 16

// Config is what a Runner is made with.
type Config struct {
	File      *File
	Ledger    Ledger
	Prover    Prover
	Account   lockspace.AccountID // the holder's key, which Ledger signs with
	Peer      string              // its peer id
	Addresses []string            // multiaddrs to publish with the lock
	// Report is told what happens, from the goroutine that called Run. It must not block.
	Report func(Event)
}

// EventKind says what happened to a machine's keeper.
type EventKind string

// The kinds of Event.
const (
	Created  EventKind = "created"  // the lock was made, with the machine's terms
	Standing EventKind = "standby"  // another holds the lock
	Proving  EventKind = "proving"  // a segment has begun
	Acquired EventKind = "acquired" // the lock is held; Succeeded says whether by take-over
	Renewed  EventKind = "renewed"  // the lease is prolonged
	Refused  EventKind = "refused"  // the ledger refused a proof or another transaction
	Lost     EventKind = "lost"     // the lease ended
	Slow     EventKind = "slow"     // proofs take too long here
	Trouble  EventKind = "trouble"  // the ledger cannot be reached, or the like; it is tried again
	Released EventKind = "released" // the lock was given back
)

// Event is something that happened.
type Event struct {
	Kind         EventKind
	Text         string // for people
	From         uint64 // acquired, renewed: the clock that the segment began at
	T            uint64 // the machine's clock
	State        lockspace.Felt
	Ticks        uint64 // of the segment
	Took         int64  // inbox index of the transaction that it consumed, or lockspace.Idle
	LeaseEnd     time.Time
	ProofBytes   int
	ProveSeconds float64
	Sequence     uint64
}

// Runner keeps one lock.
type Runner struct {
	cfg      Config
	id       wire.CID // the machine's
	terms    lockspace.Terms
	sizer    Sizer
	view     *View
	floor    uint64        // the sequence of the last receipt: older views say nothing
	skew     time.Duration // ledger time less local time
	skewAt   time.Time
	ready    *proof
	proving  *proving
	opening  map[uint64][]vm.Felt // generation of a life -> what is behind its state, for machines that carry one
	held     bool                 // as last reported
	standby  bool
	bad      int // proofs refused as bad, in a row
	troubles int
}

// proof is a Ready with its bytes.
type proof struct {
	Ready
	sequence uint64 // of its anchor
	result   *prover.Result
}

type proving struct {
	job    Job
	cancel context.CancelFunc
	done   chan *proof // one value, nil if it failed
	err    error       // valid after done
	began  time.Time
}

const (
	// maxBad is how many bad proofs in a row end a Runner: something is wrong that another try does not mend, and each
	// drains the account's allowance.
	maxBad = 3
	// pause and maxPause are how long it waits after a refusal or a trouble, growing.
	pause, maxPause = 250 * time.Millisecond, 5 * time.Second
	// pollEvery is how often it looks without an event: events can be lost while a watch is dialled again.
	pollEvery = 3 * time.Second
	// releaseTimeout bounds the release at the end.
	releaseTimeout = 10 * time.Second
	// skewKept is how long the best estimate of the ledger's time is kept; an idle ledger's last cut is old.
	skewKept = 30 * time.Second
	// firstSteps is the length in steps of the first segment: half of what the smallest proof has rows for.
	firstSteps = 1 << 15
	// probeSteps bounds the runs that measure a tick.
	probeSteps = 1 << 22
)

// New checks the machine's first steps in the VM and makes its keeper.
func New(cfg Config) (*Runner, error) {
	if cfg.Prover == nil {
		cfg.Prover = new(prover.Prover)
	}
	if cfg.Report == nil {
		cfg.Report = func(Event) {}
	}
	program, err := cfg.File.Canonical.CID()
	if err != nil {
		return nil, err
	}
	r := &Runner{cfg: cfg, terms: cfg.File.Terms, opening: map[uint64][]vm.Felt{}}
	if r.id, err = lockspace.MachineCID(program, cfg.File.Start.Bytes()); err != nil {
		return nil, err
	}
	first, err := r.firstSegment()
	if err != nil {
		return nil, err
	}
	r.sizer = NewSizer(first, max(1, cfg.File.MaxTicks), time.Duration(r.terms.Cadence))
	return r, nil
}

// Machine returns the machine's content id.
func (r *Runner) Machine() wire.CID { return r.id }

// firstSegment runs the machine's first ticks without proof: a program that fails there is refused before it costs
// anything, and the steps of a tick say how many make a short proof.
func (r *Runner) firstSegment() (uint64, error) {
	f := r.cfg.File
	steps := func(n uint64) (uint64, error) {
		j := Job{S: f.Start.Bytes(), Ticks: n}
		if f.Terms.Inputs == lockspace.InputFelt {
			j.Input = f.Terms.Idle[0]
		}
		res, err := vm.Run(context.Background(), f.Program, r.input(j, f.Opening), vm.StwoConfig(probeSteps))
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

// input is the run's input vector: [t0, S0, n, k, w_1 .. w_k], w the opening and then the transactions.
func (r *Runner) input(j Job, opening []vm.Felt) []vm.Felt {
	var t, s, n, k vm.Felt
	t.SetUint64(j.T)
	s.SetBytes(j.S[:])
	n.SetUint64(j.Ticks)
	w := append([]vm.Felt(nil), opening...)
	if r.terms.Inputs == lockspace.InputFelt {
		var tx vm.Felt
		tx.SetBytes(j.Input[:])
		w = append(w, tx)
	}
	k.SetUint64(uint64(len(w)))
	return append([]vm.Felt{t, s, n, k}, w...)
}

// Run keeps the lock until ctx ends, and then releases it, or until something is wrong that trying again does not mend.
func (r *Runner) Run(ctx context.Context) error {
	r.prepare()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	events := r.cfg.Ledger.Watch(watching, r.cfg.File.Lock)
	err := r.loop(ctx, events)
	r.abandon()
	r.release(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (r *Runner) loop(ctx context.Context, events <-chan api.Event) error {
	look := true
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
			look = false
		}
		d := Decide(r.situation())
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
			if look, err = r.wait(ctx, d.Until, &events); err == nil && look {
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

// trouble reports an error and waits, longer each time.
func (r *Runner) trouble(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	r.troubles++
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
	s := Situation{Now: r.now(), View: r.view, Terms: r.terms, Start: r.cfg.File.Start.Bytes(), Ticks: r.sizer.Ticks, Prove: r.sizer.Last}
	if r.ready != nil {
		s.Ready = &r.ready.Ready
	}
	if r.proving != nil {
		s.Proving = &r.proving.job
	}
	return s
}

// look reads the lock's place from the ledger. A node that is behind what this keeper has seen is not believed.
func (r *Runner) look(ctx context.Context) error {
	head, err := r.cfg.Ledger.Head(ctx)
	if err != nil {
		return err
	}
	if skew := time.Until(head.Time.Time); skew > r.skew || time.Since(r.skewAt) > skewKept {
		r.skew, r.skewAt = skew, time.Now()
	}
	m, err := r.cfg.Ledger.Machine(ctx, r.cfg.File.Lock)
	if api.CodeOf(err) == api.CodeNotFound {
		r.view = nil
		return nil
	}
	if err != nil {
		return err
	}
	if m.Sequence < r.floor {
		return fmt.Errorf("the node is at sequence %d, the lock's last transaction is in %d: waiting for it", m.Sequence, r.floor)
	}
	if m.Machine != r.id.String() {
		return fatalf("%s demands machine %s; %s describes machine %s: give it another lock, or take the machine's own file", r.cfg.File.Lock, m.Machine, r.cfg.File.Path, r.id)
	}
	v, err := r.read(m)
	if err != nil {
		return fatalf("%s: the node's answer does not make sense: %w", r.cfg.File.Lock, err)
	}
	if m.Waiting > 0 {
		in, err := r.cfg.Ledger.Inbox(ctx, r.cfg.File.Lock, 1)
		if err != nil {
			return err
		}
		if in.Sequence < m.Sequence {
			return fmt.Errorf("the node is at sequence %d, the lock was read at %d: waiting for it", in.Sequence, m.Sequence)
		}
		if len(in.Items) > 0 && len(in.Items[0].Felts) == 1 {
			v.Waiting, v.Index = true, in.Items[0].Index
			if v.Input, err = lockspace.ParseFelt(in.Items[0].Felts[0]); err != nil {
				return err
			}
		}
	}
	r.view = v
	r.notice(m)
	return nil
}

// read turns a node's answer into a View and takes the lock's terms from it.
func (r *Runner) read(m *api.Machine) (*View, error) {
	v := &View{Sequence: m.Sequence, Instance: m.Instance, Generation: m.Generation, T: uint64(m.T), LeaseEnd: m.LeaseEnd.Time, ClosedTill: m.ClosedTill.Time}
	var err error
	if v.S, err = lockspace.ParseFelt(m.State); err != nil {
		return nil, err
	}
	switch {
	case m.Held:
		v.State, v.Mine = lockspace.Held, m.Holder == r.cfg.Peer
	case !m.ClosedTill.IsZero():
		v.State = lockspace.Delayed
	}
	t := &r.terms
	t.Inputs, t.Succession, t.Transaction = lockspace.InputKind(m.Terms.Inputs), lockspace.Succession(m.Terms.Succession), uint64(m.Terms.Transaction)
	seconds := func(s float64) lockspace.Duration { return lockspace.Duration(s * float64(lockspace.Second)) }
	t.Cadence, t.Grace, t.LockDelay = seconds(m.Terms.Cadence), seconds(m.Terms.Grace), seconds(m.Terms.LockDelay)
	t.Idle = nil
	for _, s := range m.Terms.Idle {
		f, err := lockspace.ParseFelt(s)
		if err != nil {
			return nil, err
		}
		t.Idle = append(t.Idle, f)
	}
	if t.Inputs == lockspace.InputFelt && len(t.Idle) != 1 {
		return nil, errors.New("the terms name no idle transaction")
	}
	r.sizer.Budget = time.Duration(t.Cadence) * 3 / 4
	return v, nil
}

// notice reports what changed about who holds the lock.
func (r *Runner) notice(m *api.Machine) {
	v := r.view
	mine := v.State == lockspace.Held && v.Mine
	if r.held && !mine {
		r.report(Event{Kind: Lost, T: v.T, State: v.S, Text: "the lease ended: it was not renewed in time"})
	}
	other := v.State == lockspace.Held && !mine
	if other && !r.standby {
		r.report(Event{Kind: Standing, T: v.T, State: v.S, LeaseEnd: v.LeaseEnd, Text: "held by " + m.Holder})
	}
	r.held, r.standby = mine, other
}

// prepare commits the tables that every proof shares, beside everything else, so that the first proof need not.
func (r *Runner) prepare() {
	if w, ok := r.cfg.Prover.(warmer); ok {
		go func() { _ = w.Warm(context.Background(), smallestLogN) }() // the first proof does it otherwise, and reports
	}
}

// create makes the lock: its directories, its program, the file with the machine's terms. What is there already is fine.
func (r *Runner) create(ctx context.Context) error {
	f := r.cfg.File
	block, err := f.Canonical.Encode()
	if err != nil {
		return fatal{err}
	}
	var ops []lockspace.Op
	for i := 1; i < len(f.Lock); i++ {
		if f.Lock[i] == '/' {
			ops = append(ops, &lockspace.Mkdir{Path: f.Lock[:i]})
		}
	}
	ops = append(ops, &lockspace.Publish{Program: block},
		&lockspace.CreateMachine{Path: f.Lock, Program: wire.Sum(block), Start: f.Start.Bytes(), Terms: f.Terms})
	for _, op := range ops {
		receipt, err := r.cfg.Ledger.Do(ctx, op)
		if err != nil {
			return err
		}
		r.floor = max(r.floor, receipt.Sequence)
		if !receipt.OK && receipt.Code != string(lockspace.CodeExists) {
			return fatalf("make %s: %s", f.Lock, receipt.Message)
		}
	}
	r.report(Event{Kind: Created, State: f.Start.Bytes(), Sequence: r.floor, Text: "machine " + r.id.String()})
	return nil
}

// begin starts to prove a job, anchored at the newest root.
func (r *Runner) begin(ctx context.Context, j Job) error {
	opening, err := r.openingOf(ctx, j)
	if err != nil {
		return err
	}
	head, err := r.cfg.Ledger.Head(ctx)
	if err != nil {
		return err
	}
	root, err := wire.ParseCID(head.StateRoot)
	if err != nil {
		return err
	}
	anchor, err := lockspace.Anchor(head.Sequence, root)
	if err != nil {
		return err
	}
	life, err := lockspace.Life(head.Chain, r.cfg.File.Lock, j.Instance, j.Generation, r.cfg.Account)
	if err != nil {
		return err
	}
	proveCtx, cancel := context.WithCancel(ctx)
	p := &proving{job: j, cancel: cancel, done: make(chan *proof, 1), began: time.Now()}
	r.proving = p
	r.report(Event{Kind: Proving, T: j.T, State: j.S, Ticks: j.Ticks, Took: j.Took})
	input := r.input(j, opening)
	go func() {
		res, err := r.cfg.Prover.Prove(proveCtx, r.cfg.File.Program, input, prover.Options{Life: life, Anchor: anchor})
		if err != nil {
			p.err = err
			p.done <- nil
			return
		}
		p.done <- &proof{Ready: Ready{Job: j, Anchored: head.Time.Time}, sequence: head.Sequence, result: res}
	}()
	return nil
}

// openingOf returns the felts behind the state that a job starts from.
func (r *Runner) openingOf(ctx context.Context, j Job) ([]vm.Felt, error) {
	if len(r.cfg.File.Opening) == 0 {
		return nil, nil
	}
	if j.T == 0 {
		return r.cfg.File.Opening, nil
	}
	if o, ok := r.opening[j.Generation]; ok {
		return o, nil
	}
	// An earlier process of this account held the lock and took what is behind the state with it: only a new life helps.
	receipt, err := r.cfg.Ledger.Do(ctx, &lockspace.Release{Path: r.cfg.File.Lock, Instance: j.Instance, Generation: j.Generation})
	if err != nil {
		return nil, err
	}
	r.floor = max(r.floor, receipt.Sequence)
	return nil, errors.New("what is behind the machine's state was lost with an earlier process: the lock was released, to begin anew")
}

// wait lasts until something happens: an event, a proof, the time. It says whether the ledger should be looked at again.
func (r *Runner) wait(ctx context.Context, until time.Time, events *<-chan api.Event) (bool, error) {
	d := pollEvery
	if !until.IsZero() {
		d = max(pause/5, min(d, until.Sub(r.now())))
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	var done chan *proof
	if r.proving != nil {
		done = r.proving.done
	}
	select {
	case <-ctx.Done():
		return false, nil
	case _, ok := <-*events:
		if !ok {
			*events = nil // the watch ended, with ctx as a rule; polling goes on
		}
		return true, nil
	case <-timer.C:
		// At the hour that was waited for, what is known still holds unless an event said otherwise; without one to wait for,
		// one may have been lost.
		return until.IsZero() || d == pollEvery || r.view.State != lockspace.Held || !r.view.Mine, nil
	case p := <-done:
		return r.proven(p)
	}
}

// proven takes a finished proof.
func (r *Runner) proven(p *proof) (bool, error) {
	was := r.proving
	r.proving = nil
	was.cancel()
	took := time.Since(was.began)
	if p == nil {
		if errors.Is(was.err, prover.ErrTooLong) && r.sizer.TooLong(was.job.Ticks) {
			return false, nil
		}
		return false, fatalf("prove %d transitions from t = %d: %w", was.job.Ticks, was.job.T, was.err)
	}
	slow := r.sizer.Slow
	r.sizer.Took(was.job.Ticks, took)
	if r.sizer.Slow && !slow {
		lease := time.Duration(r.terms.Cadence) + time.Duration(r.terms.Grace)
		text := fmt.Sprintf("the smallest proof took %.1f s here, and should be ready within three quarters of the cadence, %.1f s: renewals will be late", took.Seconds(), r.sizer.Budget.Seconds())
		if took > lease {
			text = fmt.Sprintf("the smallest proof took %.1f s here, longer than a lease of %.1f s: the lock cannot be kept", took.Seconds(), lease.Seconds())
		}
		r.report(Event{Kind: Slow, Ticks: was.job.Ticks, ProveSeconds: took.Seconds(), Text: text + "; more cores, fewer other processes, or a lock with a longer cadence would help"})
	}
	r.ready = p
	return false, nil
}

// abandon drops the proof at hand and the one in the making.
func (r *Runner) abandon() {
	r.ready = nil
	if p := r.proving; p != nil {
		p.cancel()
		<-p.done
		r.proving = nil
	}
}
