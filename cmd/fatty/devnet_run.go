package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/seed06907907/fatty/client"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/machine"
	"github.com/seed06907907/fatty/node/api"
)

const (
	// slack is what a busy machine may take on top of each expected time.
	slack = 10 * time.Second
	// validatorDown is how long a killed validator stays away.
	validatorDown = 8 * time.Second
	// firstLockWithin ends a devnet in which nothing is taken: something is wrong that waiting does not mend.
	firstLockWithin = 3 * time.Minute
	// proofLine is how long an event waits for what its machine says of the proof; a killed one says nothing more.
	proofLine = time.Second
	// statusPoll is how often each validator is asked for its view and peers.
	statusPoll = 500 * time.Millisecond
)

// devnet is one in progress. One goroutine, run's, owns all of it; the others send it functions.
type devnet struct {
	a       *app
	opt     devnetOptions
	plan    *devnetPlan
	client  *client.Client
	spawn   *spawner
	began   time.Time
	inbox   chan func()
	ctx     context.Context
	group   sync.WaitGroup
	lock    string
	nodes   map[string]*child // validators by name
	keepers map[string]*child // machines by name
	failure error

	first        time.Time // when the first lock was taken
	seen         map[string]bool
	renewals     int
	holder       string // peer of the last holder
	lastT        uint64 // the clock that the ledger accepted last
	leaseEnd     api.Time
	machine      string // its content id
	takenOver    bool
	killed       bool // machine A
	killedAt     time.Duration
	leaderKilled bool
	view         uint64
	leader       string
	peers        map[string]bool
	proofs       map[uint64]machineLine // by the clock that they lead to
	pending      []devnetEvent          // lock events that wait for their proof's line
	files        map[string]proofPaths  // the newest of each machine
}

func newDevnet(a *app, o devnetOptions, p *devnetPlan) *devnet {
	return &devnet{a: a, opt: o, plan: p, began: time.Now(), inbox: make(chan func(), 256), nodes: map[string]*child{}, keepers: map[string]*child{},
		seen: map[string]bool{}, peers: map[string]bool{}, proofs: map[uint64]machineLine{}, files: map[string]proofPaths{}}
}

// proofPaths are where a machine's newest proofs are.
type proofPaths struct{ span, whole string }

// of puts what a machine showed last into an event about it.
func (d *devnet) of(keeper string, e devnetEvent) devnetEvent {
	f := d.files[keeper]
	e.Span, e.WholeLife = f.span, f.whole
	return e
}

func (d *devnet) emit(e devnetEvent) {
	now := time.Now()
	if e.Time.IsZero() {
		e.Time = api.Time{Time: now}
	}
	d.seen[e.Event] = true
	if d.a.json {
		d.a.print(e)
		return
	}
	e.people(d.a.out, now.Sub(d.began))
}

// post hands the owner something to do.
func (d *devnet) post(f func()) {
	select {
	case d.inbox <- f:
	case <-d.ctx.Done():
	}
}

// after does something in a while.
func (d *devnet) after(t time.Duration, f func()) *time.Timer {
	return time.AfterFunc(t, func() { d.post(f) })
}

func (d *devnet) fail(format string, args ...any) {
	if d.failure == nil {
		d.failure = fmt.Errorf(format, args...)
	}
}

// run starts everything, lets it go on until the end, and says whether all was seen that was to be.
func (d *devnet) run(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithCancel(ctx)
	d.ctx = ctx
	d.spawn = newSpawner()
	defer func() {
		cancel()
		d.stopAll()
		d.group.Wait()
	}()
	f, err := machine.ReadFile(d.plan.file)
	if err != nil {
		return false, err
	}
	d.lock = f.Lock
	if d.client, err = client.New(client.Config{Nodes: d.plan.nodes(0)}); err != nil {
		return false, err
	}
	defer d.client.Close()
	for i := range d.plan.validators {
		if err := d.startValidator(i); err != nil {
			return false, err
		}
	}
	if terminal(d.a.in) {
		go d.keyPresses()
	}
	end := make(chan struct{})
	deadline := d.after(firstLockWithin, func() {
		if d.first.IsZero() {
			d.fail("no lock was taken within %s: the logs in %s say why", firstLockWithin, d.plan.home.Dir)
		}
	})
	defer deadline.Stop()
	watching := false
	for d.failure == nil {
		if !watching && len(d.ready()) == d.opt.validators {
			watching = true
			d.follow()
			if err := d.startMachine(0); err != nil {
				return false, err
			}
		}
		select {
		case f := <-d.inbox:
			before := d.first
			f()
			if before.IsZero() && !d.first.IsZero() {
				if err := d.onFirstLock(end); err != nil {
					return false, err
				}
			}
		case <-end:
			return d.summary(ctx), d.failure
		case <-ctx.Done():
			return d.summary(context.WithoutCancel(ctx)), nil
		}
	}
	d.summary(ctx)
	return false, d.failure
}

// ready lists the validators that have said so.
func (d *devnet) ready() (out []string) {
	for k := range d.seen {
		if name, ok := strings.CutPrefix(k, "ready "); ok {
			out = append(out, name)
		}
	}
	return out
}

func (d *devnet) startValidator(i int) error {
	v := d.plan.validators[i]
	c, err := d.spawn.start("validator "+v.name, v.home.Path("log"), []string{"devnet", "validator", "--home", v.home.Dir}, func(line string) {
		d.post(func() {
			if d.seen["ready "+v.name] {
				d.seen[seenRestarted] = true
			}
			d.seen["ready "+v.name] = true
			d.emit(devnetEvent{Event: evReady, Validator: v.name, RPC: line, Peer: v.peer})
		})
	})
	if err != nil {
		return err
	}
	d.nodes[v.name] = c
	d.mind(c)
	return nil
}

func (d *devnet) startMachine(i int) error {
	m := d.plan.machines[i]
	args := []string{"machine", "run", d.plan.file, "--json", "--until-eof", "--home", m.home.Dir, "--node", strings.Join(d.plan.nodes(i), ","),
		"--cadence", d.opt.cadence.String(), "--grace", devnetGrace.String(), "--lock-delay", devnetLockDelay.String()}
	c, err := d.spawn.start("machine "+m.name, m.home.Path("log"), args, func(line string) {
		var l machineLine
		if json.Unmarshal([]byte(line), &l) == nil && l.Event != "" {
			d.post(func() { d.onMachine(m.name, l) })
		}
	})
	if err != nil {
		return err
	}
	d.keepers[m.name] = c
	d.mind(c)
	return nil
}

// mind fails the devnet when a child ends that nobody ended.
func (d *devnet) mind(c *child) {
	d.group.Add(1)
	go func() {
		defer d.group.Done()
		<-c.ended
		if !c.isWanted() {
			d.post(func() { d.fail("%s ended by itself: %w", c.name, c.why()) })
		}
	}()
}

func (d *devnet) stopAll() {
	var all sync.WaitGroup
	for _, list := range []map[string]*child{d.keepers, d.nodes} { // the machines first: they give their locks back
		for _, c := range list {
			all.Add(1)
			go func() { defer all.Done(); c.stop() }()
		}
		all.Wait()
	}
}

// follow watches the ledger's events and the validators' views and peers.
func (d *devnet) follow() {
	d.group.Add(1)
	go func() {
		defer d.group.Done()
		for e := range d.client.WatchFrom(d.ctx, "/", 1) {
			d.post(func() { d.onLedger(e) })
		}
	}()
	for _, v := range d.plan.validators {
		d.group.Add(1)
		go func() { defer d.group.Done(); d.poll(v) }()
	}
}

func (d *devnet) poll(v validatorPlan) {
	c, err := client.New(client.Config{Nodes: []string{v.rpc}})
	if err != nil {
		d.post(func() { d.fail("%w", err) })
		return
	}
	defer c.Close()
	tick := time.NewTicker(statusPoll)
	defer tick.Stop()
	for {
		if s, err := c.Status(d.ctx); err == nil { // a killed validator does not answer
			d.post(func() { d.onView(s) })
		}
		if p, err := c.Peers(d.ctx); err == nil {
			d.post(func() { d.onPeers(v.name, p) })
		}
		select {
		case <-tick.C:
		case <-d.ctx.Done():
			return
		}
	}
}

func (d *devnet) onView(s *api.Status) {
	if s.View < d.view || (s.View == d.view && d.leader != "") {
		return
	}
	changed := s.View > d.view
	d.view, d.leader = s.View, s.Leader
	if changed {
		view := s.View
		d.emit(devnetEvent{Event: evView, View: &view, Leader: s.Leader})
	}
}

func (d *devnet) onPeers(name string, p *api.Peers) {
	for _, x := range p.Peers {
		if x.Validator == "" || d.peers[name+x.Validator] {
			continue
		}
		d.peers[name+x.Validator] = true
		d.emit(devnetEvent{Event: evPeer, Validator: name, Peer: x.Validator})
	}
}

// keeper is the name of the machine with that peer id.
func (d *devnet) keeper(peer string) string {
	for _, m := range d.plan.machines {
		if m.peer == peer {
			return m.name
		}
	}
	return ""
}

// onLedger turns the ledger's event into the devnet's.
func (d *devnet) onLedger(e api.Event) {
	if e.Path != d.lock {
		return
	}
	t, end := e.T, e.LeaseEnd
	out := devnetEvent{Time: e.Time, Lock: e.Path, Machine: e.Machine, Holder: e.Holder, Keeper: d.keeper(e.Holder), T: &t, State: e.State, Sequence: e.Sequence}
	if !end.IsZero() {
		out.LeaseEnd = &end
	}
	switch lockspace.EventKind(e.Kind) {
	case lockspace.EventAcquired:
		out.Event = evAcquired
		if d.holder != "" && d.holder != e.Holder {
			out.Event, d.takenOver = evTakenOver, true
		}
		if d.first.IsZero() {
			d.first = time.Now()
		}
		d.holder, d.lastT, d.leaseEnd, d.machine = e.Holder, uint64(t), end, e.Machine
	case lockspace.EventRenewed:
		out.Event = evRenewed
		d.renewals++
		d.lastT, d.leaseEnd = uint64(t), end
		if d.takenOver {
			d.seen[seenRenewedAfter] = true
		}
	case lockspace.EventLost:
		end := d.leaseEnd // of the lease that ended
		out.Event, out.LeaseEnd = evExpired, &end
		if e.Detail == "released" {
			out.Event = evReleased
		}
		d.flush(true)
		d.emit(d.of(out.Keeper, out))
		return
	default:
		return
	}
	d.pending = append(d.pending, out)
	d.flush(false)
	d.after(proofLine, func() { d.flush(true) })
}

// flush emits the lock events in their order, those whose proof's line is still awaited only if all must go.
func (d *devnet) flush(all bool) {
	for len(d.pending) > 0 {
		e := d.pending[0]
		l, ok := d.proofs[uint64(*e.T)]
		if !ok && !all && time.Since(e.Time.Time) < 2*proofLine {
			return
		}
		if ok {
			e.ProofBytes, e.ProveSeconds, e.Span, e.WholeLife = l.ProofBytes, l.ProveSeconds, l.Span, l.WholeLife
			delete(d.proofs, uint64(*e.T))
		}
		d.pending = d.pending[1:]
		d.emit(e)
	}
}

// onMachine takes what a machine's keeper says.
func (d *devnet) onMachine(name string, l machineLine) {
	switch machine.EventKind(l.Event) {
	case machine.Acquired, machine.Renewed:
		if machine.EventKind(l.Event) == machine.Acquired && name == "B" && d.from(l) {
			d.seen[seenContinued] = true
		}
		d.proofs[uint64(l.T)] = l
		d.files[name] = proofPaths{l.Span, l.WholeLife}
		d.flush(false)
	case machine.Slow, machine.Refused, machine.Trouble:
		d.emit(devnetEvent{Event: evMessage, Keeper: name, Message: l.Message})
	}
}

// from says whether a take-over goes on from the clock that the ledger had accepted last. The ledger's event of the
// take-over itself may have come before or after.
func (d *devnet) from(l machineLine) bool {
	return d.lastT == uint64(l.From) || (d.takenOver && d.lastT == uint64(l.T) && l.From < l.T && l.From > 0)
}

// onFirstLock starts the clocks that count from it.
func (d *devnet) onFirstLock(end chan struct{}) error {
	if !d.a.json {
		fmt.Fprintf(d.a.out, `
Ask who holds the lock:
  curl -s %s -H 'Content-Type: application/json' -d '{"jsonrpc":"2.0","id":1,"method":"lock.holder","params":{"lock":"%s"}}'
The same, checked against the validators' signatures:
  fatty --home %s lock holder --prove %s
`, d.plan.validators[0].rpc, d.lock, d.plan.home.Dir, d.lock)
		if d.opt.killAfter == 0 && terminal(d.a.in) {
			fmt.Fprintln(d.a.out, "Press Enter to kill machine A.")
		}
		fmt.Fprintln(d.a.out)
	}
	if d.opt.killAfter > 0 {
		d.after(d.opt.killAfter, d.killMachine)
	}
	if d.opt.killValidator > 0 {
		d.after(d.opt.killValidator, d.killValidator)
	}
	if d.opt.forTime > 0 {
		time.AfterFunc(d.opt.forTime, func() { close(end) })
	}
	return d.startMachine(1)
}

func (d *devnet) keyPresses() {
	sc := bufio.NewScanner(d.a.in)
	for sc.Scan() {
		d.post(d.killMachine)
	}
}

func (d *devnet) killMachine() {
	c := d.keepers["A"]
	if c == nil || d.killed {
		return
	}
	d.killed, d.killedAt = true, time.Since(d.first)
	c.kill()
	t, end := api.Clock(d.lastT), d.leaseEnd
	d.emit(d.of("A", devnetEvent{Event: evMachineKilled, Lock: d.lock, Machine: d.machine, Keeper: "A", Holder: d.plan.machines[0].peer, T: &t, LeaseEnd: &end}))
}

// killValidator kills the one that leads, or the second where the leader is not known, and starts it again later.
func (d *devnet) killValidator() {
	which := min(1, len(d.plan.validators)-1)
	for i, v := range d.plan.validators {
		if v.name == d.leader {
			which, d.leaderKilled = i, true
		}
	}
	v := d.plan.validators[which]
	d.nodes[v.name].kill()
	d.emit(devnetEvent{Event: evValidatorKilled, Validator: v.name})
	for k := range d.peers {
		if strings.HasPrefix(k, v.name) {
			delete(d.peers, k)
		}
	}
	d.after(validatorDown, func() {
		if err := d.startValidator(which); err != nil {
			d.fail("start validator %s again: %w", v.name, err)
		}
	})
}

// summary looks the holder up with all checks, and says whether everything was seen.
func (d *devnet) summary(ctx context.Context) bool {
	d.flush(true)
	ctx, cancel := context.WithTimeout(ctx, slack)
	defer cancel()
	if !d.first.IsZero() {
		if err := d.check(ctx); err != nil {
			d.emit(devnetEvent{Event: evMessage, Message: err.Error()})
		}
	}
	commits := uint64(0)
	if h, err := d.client.Head(ctx); err == nil {
		commits = h.Sequence
	}
	if lived := time.Since(d.first); !d.first.IsZero() && (d.opt.forTime == 0 || lived < d.opt.forTime) {
		d.opt.forTime = lived // it was stopped: what there was no time for is not missed
	}
	expected := d.opt.expected(d.killed, d.killedAt, d.leaderKilled)
	ok := d.failure == nil
	e := devnetEvent{Event: evSummary, Renewals: &d.renewals, Commits: &commits, RPC: d.plan.validators[0].rpc, Seen: map[string]bool{}, Home: d.plan.home.Dir}
	for _, x := range expected {
		e.Seen[x] = d.seen[x]
		ok = ok && d.seen[x]
	}
	need := d.opt.renewals(d.killed, d.killedAt)
	ok = ok && d.renewals >= need
	e.OK = &ok
	if d.failure != nil {
		e.Message = d.failure.Error()
	} else if d.renewals < need {
		e.Message = fmt.Sprintf("%d renewals, at least %d were to be seen", d.renewals, need)
	}
	if !d.first.IsZero() {
		e.Seconds = d.first.Sub(d.began).Seconds()
	}
	d.emit(e)
	return ok
}
