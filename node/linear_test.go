package node

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/seed06907907/fatty/client"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/node/home"
	"github.com/seed06907907/fatty/node/keyfile"
)

// The ledger's promise to its clients is linearizability (Herlihy and Wing 1990): each operation takes effect at one
// moment between its call and its receipt. These tests record what concurrent clients of a real cell saw and look for such
// an order with the search of Wing and Gong (1993) as Lowe (2017) improved it.
//
// lock.get and its like answer from the state of whichever node is asked, which may be behind: they promise no
// linearizability and are used here as hints alone. What is checked is a read behind a barrier: a transaction that does
// nothing is ordered first, and the state that is read is at least as new as its receipt. That state was current at some
// moment after the call, so such a read has its place in the order as well.

// linKind is what a client asked for.
type linKind int

const (
	linPut linKind = iota
	linAcquire
	linRenew
	linRelease
	linRead
)

// linAny stands for a put that replaces whatever is there.
const linAny = math.MaxUint64 - 1

// linInput is an operation on one file, which is a register and a lock.
type linInput struct {
	kind       linKind
	path       string
	who        int    // whose account signed
	value      string // of a put
	generation uint64 // the content's that a put expects or linAny; the lock's for the others
}

// linOutput is what the receipt said, or for a read the state.
type linOutput struct {
	unknown    bool   // no receipt came: it took effect at any time since, or never
	code       string // why it was refused; empty: done
	generation uint64 // of the content that a put made, or of the lock
	read       linState
}

// linState is one file. Leases do not end within a test, so time is no part of it.
type linState struct {
	content uint64 // generation
	value   string
	lock    uint64 // generation
	held    bool
	holder  int // who, while held; not part of what a read tells
}

// apply is the sequential specification: the next state, and what the receipt must say.
func (s linState) apply(in linInput) (linState, linOutput) {
	refused := func(code lockspace.Code) (linState, linOutput) { return s, linOutput{code: string(code)} }
	switch in.kind {
	case linPut:
		if in.generation != linAny && in.generation != s.content {
			return refused(lockspace.CodeConflict)
		}
		s.content++
		s.value = in.value
		return s, linOutput{generation: s.content}
	case linAcquire:
		switch {
		case s.held:
			return refused(lockspace.CodeHeld)
		case in.generation != s.lock+1:
			return refused(lockspace.CodeConflict)
		}
		s.lock, s.held, s.holder = in.generation, true, in.who
		return s, linOutput{generation: s.lock}
	case linRenew, linRelease:
		if !s.held || s.holder != in.who || s.lock != in.generation {
			return refused(lockspace.CodeNotHolder)
		}
		if in.kind == linRelease {
			s.held, s.holder = false, 0
		}
		return s, linOutput{generation: s.lock}
	default:
		seen := s
		seen.holder = 0
		return s, linOutput{read: seen}
	}
}

// linModel is the ledger as its clients should see it, file by file. Every file begins with content generation 1, made by
// the test, and a lock that nobody ever held.
func linModel() porcupine.Model {
	return porcupine.Model{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			by := map[string][]porcupine.Operation{}
			var paths []string
			for _, op := range history {
				p := op.Input.(linInput).path
				if by[p] == nil {
					paths = append(paths, p)
				}
				by[p] = append(by[p], op)
			}
			var out [][]porcupine.Operation
			for _, p := range paths {
				out = append(out, by[p])
			}
			return out
		},
		Init: func() any { return linState{content: 1} },
		Step: func(state, input, output any) (bool, any) {
			next, want := state.(linState).apply(input.(linInput))
			got := output.(linOutput)
			// Without a receipt anything may have come of it. That it never was executed is covered too: such an
			// operation returns after all others, and may stand behind them, where nobody sees its effect.
			return got.unknown || got == want, next
		},
		DescribeOperation: func(input, output any) string { return linText(input.(linInput), output.(linOutput)) },
		DescribeState:     func(state any) string { return fmt.Sprintf("%+v", state) },
	}
}

func linText(in linInput, out linOutput) string {
	name := []string{"put", "acquire", "renew", "release", "read"}[in.kind]
	text := fmt.Sprintf("%s by %d: %s(%d %q)", in.path, in.who, name, in.generation, in.value)
	if in.generation == linAny {
		text = fmt.Sprintf("%s by %d: %s(any %q)", in.path, in.who, name, in.value)
	}
	switch {
	case out.unknown:
		return text + " -> ?"
	case in.kind == linRead:
		return fmt.Sprintf("%s -> %+v", text, out.read)
	case out.code != "":
		return text + " -> " + out.code
	}
	return fmt.Sprintf("%s -> done, generation %d", text, out.generation)
}

// linCell is a cell under concurrent clients, and the history that they make.
type linCell struct {
	*cell
	keys      []ed25519.PrivateKey // an account for each client
	instances map[string]uint64
	paths     []string
	began     time.Time

	addresses atomic.Pointer[[]string] // of the nodes' JSON-RPC, which change when one starts again
	processes atomic.Int64             // numbers for the history: an operation without an outcome ends its process

	mu      sync.Mutex
	history []porcupine.Operation
}

// publish tells the clients where the nodes are; one that is halted keeps its old address, where nobody answers.
func (l *linCell) publish() {
	list := make([]string, len(l.nodes))
	if old := l.addresses.Load(); old != nil {
		copy(list, *old)
	}
	for i, n := range l.nodes {
		if n != nil {
			list[i] = n.API()
		}
	}
	l.addresses.Store(&list)
}

// linClient is one client: its own account, and its own first node.
type linClient struct {
	l       *linCell
	who     int
	process int
	random  *rand.Rand
	at      *[]string // addresses that api was made with
	api     *client.Client
	known   map[string]linState // what it believes, which may be old or wrong
	writes  int
}

func (l *linCell) client(who int, seed uint64) *linClient {
	w := &linClient{l: l, who: who, process: int(l.processes.Add(1)) - 1, random: rand.New(rand.NewPCG(seed, uint64(who))), known: map[string]linState{}}
	for _, p := range l.paths {
		w.known[p] = linState{content: 1}
	}
	return w
}

// dial makes the client's connection anew when nodes have moved, as a program that was started again would: its nonces,
// too, are then read from a node that may be behind.
func (w *linClient) dial() error {
	at := w.l.addresses.Load()
	if at == w.at {
		return nil
	}
	first := w.who % len(*at)
	nodes := append(slices.Clone((*at)[first:]), (*at)[:first]...)
	c, err := client.New(client.Config{Nodes: nodes, Key: w.l.keys[w.who]})
	if err != nil {
		return err
	}
	w.close()
	w.at, w.api = at, c
	return nil
}

func (w *linClient) close() {
	if w.api != nil {
		w.api.Close()
	}
}

// choose picks the next operation by what the client believes, so that some succeed; now and then it renews or releases
// what it may well not hold.
func (w *linClient) choose() linInput {
	in := linInput{path: w.l.paths[w.random.IntN(len(w.l.paths))], who: w.who}
	k := w.known[in.path]
	mine := k.held && k.holder == w.who
	switch n := w.random.IntN(12); {
	case n < 4:
		in.kind, in.generation = linPut, k.content
	case n < 5:
		in.kind, in.generation = linPut, linAny
	case n < 9 && !mine:
		in.kind, in.generation = linAcquire, k.lock+1
	case n < 9 || n == 10:
		in.kind, in.generation = linRelease, k.lock
	case n < 10:
		in.kind, in.generation = linRenew, k.lock
	default:
		in.kind = linRead
	}
	if in.kind == linPut {
		w.writes++
		in.value = fmt.Sprintf("%d.%d", w.who, w.writes)
	}
	return in
}

// op is the transaction of an operation. A read's does nothing: no content has that generation.
func (w *linClient) op(in linInput) lockspace.Op {
	instance := w.l.instances[in.path]
	switch in.kind {
	case linAcquire:
		return &lockspace.Acquire{Path: in.path, Instance: instance, Generation: in.generation, Mode: lockspace.Exclusive}
	case linRenew:
		return &lockspace.Renew{Path: in.path, Instance: instance, Generation: in.generation}
	case linRelease:
		return &lockspace.Release{Path: in.path, Instance: instance, Generation: in.generation}
	case linRead:
		never := uint64(math.MaxUint64)
		return &lockspace.Put{Path: in.path, Expect: &never, Instance: &instance}
	}
	p := &lockspace.Put{Path: in.path, Content: []byte(in.value)}
	if in.generation != linAny {
		p.Expect, p.Instance = &in.generation, &instance
	}
	return p
}

// do makes one operation and records it. It says whether its outcome is known.
func (w *linClient) do(ctx context.Context, in linInput) bool {
	t := w.l.t
	if err := w.dial(); err != nil {
		t.Error(err)
		return false
	}
	record := porcupine.Operation{ClientId: w.process, Input: in, Call: int64(time.Since(w.l.began))}
	out, err := w.ask(ctx, in)
	record.Return, record.Output = int64(time.Since(w.l.began)), out
	if err != nil {
		if c := api.CodeOf(err); c == api.CodeRefused || c == api.CodeParams || c == api.CodeNotFound {
			t.Errorf("client %d: %s: refused at the door: %v", w.who, linText(in, out), err)
		}
		record.Return, record.Output = math.MaxInt64, linOutput{unknown: true}
		w.process = int(w.l.processes.Add(1)) - 1
		if in.kind == linRead {
			return false // it changed nothing and told nothing
		}
	}
	w.l.mu.Lock()
	w.l.history = append(w.l.history, record)
	w.l.mu.Unlock()
	return err == nil
}

func (w *linClient) ask(ctx context.Context, in linInput) (linOutput, error) {
	r, err := w.api.Do(ctx, w.op(in))
	if err != nil {
		return linOutput{unknown: true}, err
	}
	if in.kind != linRead {
		out := linOutput{code: r.Code, generation: r.Generation}
		if r.OK != (r.Code == "") || (r.OK && r.Instance != w.l.instances[in.path]) {
			w.l.t.Errorf("client %d: %s: %+v", w.who, linText(in, out), r)
		}
		w.learn(ctx, in, out)
		return out, nil
	}
	if r.Code != string(lockspace.CodeConflict) {
		w.l.t.Errorf("client %d: a barrier on %s: %+v", w.who, in.path, r)
	}
	for {
		c, err := w.api.Get(ctx, in.path)
		if err != nil {
			return linOutput{}, err
		}
		if c.Sequence >= r.Sequence { // else the node that answered is behind the one that gave the receipt
			return linOutput{read: linState{content: c.ContentGeneration, value: string(c.Data), lock: c.LockGeneration, held: c.Locked}}, nil
		}
	}
}

// learn keeps what a receipt says. After a refusal the client looks at a node's state, which is a hint and no more.
func (w *linClient) learn(ctx context.Context, in linInput, out linOutput) {
	k := w.known[in.path]
	switch {
	case out.code != "":
		if c, err := w.api.Get(ctx, in.path); err == nil {
			k.content, k.lock = c.ContentGeneration, c.LockGeneration
			k.held = c.Locked && k.holder == w.who && in.kind != linRelease
		}
	case in.kind == linPut:
		k.content = out.generation
	default:
		k.lock, k.held, k.holder = out.generation, in.kind != linRelease, w.who
	}
	w.known[in.path] = k
}

const (
	linClients = 5
	linFiles   = 3
	// linBefore operations are made before each of the four events, and after the last; linDuring at most while it happens.
	linBefore, linDuring = 24, 20
	// linPatience is how long a client waits for a receipt before it goes on without knowing. One in linImpatient waits but
	// some milliseconds, so that there are always operations without an outcome.
	linPatience  = 3 * time.Second
	linImpatient = 8
	// linCheck bounds the search, which takes milliseconds on a right history, and on a wrong one with many operations
	// without an outcome may try all their orders.
	linCheck = 20 * time.Second
)

// What five clients of a cell saw of compare-and-set and of locks is linearizable, while a follower and then the leader is
// stopped and started again.
func TestLinearizable(t *testing.T) {
	seed := rand.Uint64()
	c := newCell(t, 4)
	c.gen.Lease = home.LeaseRules{Cadence: 3600, Grace: 60, LockDelay: 2} // no lease ends by itself
	c.gen.Agreement.IdleCut, c.gen.Agreement.ViewTimeout = 0.5, 1
	l := &linCell{cell: c, instances: map[string]uint64{}, began: time.Now()}
	for i := range linClients {
		key, err := keyfile.New()
		if err != nil {
			t.Fatal(err)
		}
		l.keys = append(l.keys, key)
		c.gen.Accounts = append(c.gen.Accounts, home.GenesisAccount{Name: fmt.Sprint(i), Key: keyfile.Text(keyfile.Public(key))})
	}
	for i := range 4 {
		c.start(i)
	}
	for i := range linFiles {
		path := fmt.Sprintf("/f%d", i)
		r := c.do(0, &lockspace.Put{Path: path})
		if !r.OK || r.Generation != 1 {
			t.Fatalf("%+v", r)
		}
		l.paths, l.instances[path] = append(l.paths, path), r.Instance
		c.settle(r.Sequence)
	}
	l.publish()

	// Each token is one operation of whichever client takes it.
	tokens := make(chan struct{})
	var clients sync.WaitGroup
	for i := range linClients {
		w := l.client(i, seed)
		clients.Go(func() {
			defer w.close()
			for range tokens {
				patience := linPatience
				if w.random.IntN(linImpatient) == 0 {
					patience = time.Duration(1+w.random.IntN(40)) * time.Millisecond
				}
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				w.do(ctx, w.choose())
				cancel()
			}
		})
	}
	feed := func(n int, stop <-chan struct{}) {
		for range n {
			select {
			case tokens <- struct{}{}:
			case <-stop:
				return
			}
		}
	}
	leader := func() int {
		for _, n := range c.nodes {
			if n != nil {
				s, err := backend{n}.Status(t.Context(), api.None{})
				if err != nil {
					t.Fatal(err)
				}
				return int(s.Leader[0] - 'A')
			}
		}
		return 0
	}
	down := 0
	for _, event := range []func(){
		func() { down = (leader() + 1 + int(seed%3)) % 4; c.halt(down) },
		func() { c.start(down) },
		func() { down = leader(); c.halt(down) },
		func() { c.start(down) },
	} {
		feed(linBefore, nil)
		stop, fed := make(chan struct{}), make(chan struct{})
		go func() { feed(linDuring, stop); close(fed) }()
		event()
		l.publish()
		close(stop)
		<-fed
	}
	feed(linBefore, nil)
	close(tokens)
	clients.Wait()

	// The last word on each file: an update that was acknowledged and lost shows here at the latest.
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	last := l.client(0, seed)
	defer last.close()
	for _, p := range l.paths {
		if !last.do(ctx, linInput{kind: linRead, path: p}) {
			t.Fatalf("seed %d: no node answers about %s at the end", seed, p)
		}
	}
	counts := map[string]int{}
	for _, op := range l.history {
		switch out := op.Output.(linOutput); {
		case out.unknown:
			counts["unknown"]++
		case out.code != "":
			counts[out.code]++
		default:
			counts["done"]++
		}
	}
	t.Logf("seed %d: %d operations in %v: %v", seed, len(l.history), time.Since(l.began).Round(time.Millisecond), counts)
	if counts["done"] <= linFiles {
		t.Errorf("seed %d: nothing was done", seed)
	}
	result, info := porcupine.CheckOperationsVerbose(linModel(), l.history, linCheck)
	if result == porcupine.Ok {
		return
	}
	file := filepath.Join(t.ArtifactDir(), "history.html")
	if err := porcupine.VisualizePath(linModel(), info, file); err != nil {
		t.Error(err)
	}
	t.Errorf("seed %d: the history's check says %s; see %s (go test -artifacts keeps it), or here:\n%s", seed, result, file, linHistory(l.history))
}

// linHistory is a history as text, in the order of the calls.
func linHistory(history []porcupine.Operation) string {
	history = slices.Clone(history)
	slices.SortFunc(history, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	var b strings.Builder
	for _, op := range history {
		end := "          never"
		if op.Return != math.MaxInt64 {
			end = fmt.Sprintf("%15v", time.Duration(op.Return))
		}
		fmt.Fprintf(&b, "%15v %s  %s\n", time.Duration(op.Call), end, linText(op.Input.(linInput), op.Output.(linOutput)))
	}
	return b.String()
}

// The checker itself: it takes what a ledger may do, and refuses what none may.
func TestLinearizableRefuses(t *testing.T) {
	put := func(who int, expect uint64, value string) linInput {
		return linInput{kind: linPut, path: "/f", who: who, generation: expect, value: value}
	}
	lock := func(kind linKind, who int, generation uint64) linInput {
		return linInput{kind: kind, path: "/f", who: who, generation: generation}
	}
	done := func(generation uint64) linOutput { return linOutput{generation: generation} }
	refused := func(code lockspace.Code) linOutput { return linOutput{code: string(code)} }
	unknown := linOutput{unknown: true}
	read := linInput{kind: linRead, path: "/f"}
	saw := func(s linState) linOutput { return linOutput{read: s} }
	const never = math.MaxInt64
	type op struct {
		call, back int64
		in         linInput
		out        linOutput
	}
	for _, c := range []struct {
		what string
		ok   bool
		ops  []op
	}{
		{"one of two compare-and-sets wins", true, []op{{0, 10, put(0, 1, "a"), done(2)}, {0, 10, put(1, 1, "b"), refused(lockspace.CodeConflict)}}},
		{"both win", false, []op{{0, 10, put(0, 1, "a"), done(2)}, {0, 10, put(1, 1, "b"), done(2)}}},
		{"neither wins", false, []op{{0, 10, put(0, 1, "a"), refused(lockspace.CodeConflict)}, {0, 10, put(1, 1, "b"), refused(lockspace.CodeConflict)}}},
		{"a lost compare-and-set", false, []op{{0, 1, put(0, 1, "a"), done(2)}, {2, 3, put(1, 1, "b"), done(2)}}},
		{"an acknowledged write that no read finds", false, []op{{0, 1, put(0, 1, "a"), done(2)}, {2, 3, read, saw(linState{content: 1})}}},
		{"a write that a read finds before it is called", false, []op{{0, 1, read, saw(linState{content: 2, value: "a"})}, {2, 3, put(0, 1, "a"), done(2)}}},
		{"a write executed twice", false, []op{{0, 1, put(0, linAny, "a"), done(2)}, {2, 3, read, saw(linState{content: 3, value: "a"})}}},
		{"a write without a receipt that happened", true, []op{{0, never, put(0, 1, "a"), unknown}, {2, 3, read, saw(linState{content: 2, value: "a"})}}},
		{"one that happened late", true, []op{{0, never, put(0, 1, "a"), unknown}, {2, 3, read, saw(linState{content: 1})}, {4, 5, read, saw(linState{content: 2, value: "a"})}}},
		{"one that did not happen", true, []op{{0, never, put(0, 1, "a"), unknown}, {2, 3, put(1, 1, "b"), done(2)}, {4, 5, read, saw(linState{content: 2, value: "b"})}}},
		{"one that happened and was undone", false, []op{{0, never, put(0, 1, "a"), unknown}, {2, 3, read, saw(linState{content: 2, value: "a"})}, {4, 5, read, saw(linState{content: 1})}}},
		{"a lock that goes around", true, []op{{0, 1, lock(linAcquire, 0, 1), done(1)}, {2, 3, lock(linAcquire, 1, 2), refused(lockspace.CodeHeld)},
			{4, 9, lock(linRelease, 0, 1), done(1)}, {5, 8, lock(linAcquire, 1, 2), done(2)}, {10, 11, read, saw(linState{content: 1, lock: 2, held: true})}}},
		{"two holders at once", false, []op{{0, 1, lock(linAcquire, 0, 1), done(1)}, {2, 3, lock(linAcquire, 1, 2), done(2)}, {4, 5, lock(linRelease, 0, 1), done(1)}}},
		{"two holders of one generation", false, []op{{0, 10, lock(linAcquire, 0, 1), done(1)}, {0, 10, lock(linAcquire, 1, 1), done(1)}}},
		{"one renews what another holds", false, []op{{0, 1, lock(linAcquire, 0, 1), done(1)}, {2, 3, lock(linRenew, 1, 1), done(1)}}},
		{"a free lock refused as held", false, []op{{0, 1, lock(linAcquire, 0, 1), refused(lockspace.CodeHeld)}}},
		{"held by one who never got a receipt", true, []op{{0, never, lock(linAcquire, 0, 1), unknown}, {1, 2, lock(linAcquire, 1, 1), refused(lockspace.CodeHeld)}}},
		{"a holder's lock lost by itself", false, []op{{0, 1, lock(linAcquire, 0, 1), done(1)}, {2, 3, lock(linRenew, 0, 1), refused(lockspace.CodeNotHolder)}}},
	} {
		var history []porcupine.Operation
		for i, o := range c.ops {
			history = append(history, porcupine.Operation{ClientId: i, Input: o.in, Call: o.call, Output: o.out, Return: o.back})
		}
		want := porcupine.Illegal
		if c.ok {
			want = porcupine.Ok
		}
		if got := porcupine.CheckOperationsTimeout(linModel(), history, time.Minute); got != want {
			t.Errorf("%s: %s, want %s", c.what, got, want)
		}
	}
}
