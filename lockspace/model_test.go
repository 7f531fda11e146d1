package lockspace

import (
	"crypto/ed25519"
	"reflect"
	"sort"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace/poseidon"
)

// model is the lock space as one would write it without a tree, a lease clock, or undo: maps, and every time a ledger
// time that an outage moves one by one.
type model struct {
	now   Time
	nodes map[string]*modelNode
}

type modelNode struct {
	dir      bool
	content  string
	gen      uint64
	instance uint64 // taken over from the state, which is checked to let them grow alone
	owner    AccountID
	livesBy  string
	lock     *modelLock
}

type modelLock struct {
	machine bool
	terms   Terms
	start   Felt
	gen     uint64
	state   LockState
	holder  AccountID
	ends    Time
	freed   Time // since when it is free
	t       uint64
	s       Felt
	// What nodes keep: the newest proof from t0 on, and the whole life to whole; -1 for none.
	t0       uint64
	whole    int64
	consumed uint64
	inbox    []modelInput
}

type modelInput struct {
	felts    []Felt
	deadline Time // 0: none
}

func (m *model) parent(path string) Code {
	dir, _ := split(path)
	switch d := m.nodes[dir]; {
	case d == nil:
		return CodeNotFound
	case !d.dir:
		return CodeInvalid
	}
	return ""
}

func (m *model) lose(path string, delay Duration) {
	l := m.nodes[path].lock
	l.state, l.ends, l.freed = Free, 0, m.now
	if delay > 0 {
		l.state, l.ends = Delayed, m.now+Time(delay)
	}
	for i := range l.inbox {
		l.inbox[i].deadline = 0
	}
	for p, n := range m.nodes {
		if n.livesBy == path {
			delete(m.nodes, p)
		}
	}
}

func (m *model) due(l *modelLock) Time {
	end := l.ends
	if l.state == Held && len(l.inbox) > 0 && l.inbox[0].deadline != 0 {
		end = min(end, l.inbox[0].deadline)
	}
	return end
}

func (m *model) advance(to Time) {
	if gap := Duration(to - m.now); gap > OutageAfter {
		for _, n := range m.nodes {
			if n.lock == nil {
				continue
			}
			if n.lock.ends != 0 {
				n.lock.ends += Time(gap - OutageAfter)
			}
			n.lock.freed += Time(gap - OutageAfter)
			for i := range n.lock.inbox {
				if n.lock.inbox[i].deadline != 0 {
					n.lock.inbox[i].deadline += Time(gap - OutageAfter)
				}
			}
		}
	}
	m.now = to
	var paths []string
	for p, n := range m.nodes {
		if n.lock != nil && n.lock.state != Free && m.due(n.lock) <= to {
			paths = append(paths, p)
		}
	}
	sort.Strings(paths)
	for _, p := range paths {
		l := m.nodes[p].lock
		if l.state == Delayed {
			l.state, l.ends, l.freed = Free, 0, to
		} else {
			m.lose(p, l.terms.LockDelay)
		}
	}
}

func (m *model) date(l *modelLock) {
	for i := 0; i < min(len(l.inbox), int(l.terms.Window)); i++ {
		if l.inbox[i].deadline == 0 {
			l.inbox[i].deadline = m.now + Time(l.terms.Cadence+l.terms.Grace)
		}
	}
}

// step says where an honest proof of the next span starts.
func (l *modelLock) step(fresh bool) (t uint64, s Felt) {
	if fresh && l.terms.Succession == Restart {
		return 0, l.start
	}
	return l.t, l.s
}

// wants says whether a proof from t on must come with the whole life to there, and whether it may.
func (m *model) wants(l *modelLock, t uint64, fresh bool) (must, may bool) {
	if t == 0 || l.whole == int64(t) {
		return false, false
	}
	late := fresh && m.now >= l.freed+Time(l.terms.Cadence+l.terms.Grace)
	return l.whole == int64(l.t0) && !late, true
}

// drawRuns draws runs for a machine: what their inputs felts are, and how many transactions they take, in all and from the
// inbox.
func drawRuns(t *rapid.T, l *modelLock) (runs []Run, digests []Felt, inputs, took int) {
	for range rapid.SampledFrom([]int{1, 1, 2, 3, 7}).Draw(t, "runs") {
		var r Run
		var felts []Felt
		n := map[InputKind]int{InputFelt: 1, InputPoseidon: rapid.IntRange(1, 3).Draw(t, "inputs")}[l.terms.Inputs]
		for range n {
			at, consumed := Idle, l.terms.Idle
			if took < len(l.inbox) && rapid.Bool().Draw(t, "consume") {
				at, consumed = int64(l.consumed)+int64(took), l.inbox[took].felts
				took++
			}
			r.Inputs, felts = append(r.Inputs, at), append(felts, consumed...)
		}
		inputs += n
		digest := Felt{}
		switch l.terms.Inputs {
		case InputFelt:
			digest = felts[0]
		case InputPoseidon:
			digest = poseidon.HashMany(felts)
		}
		runs, digests = append(runs, r), append(digests, digest)
	}
	return runs, digests, inputs, took
}

// TestStateMachineAgreesWithModel drives the state machine and the model with the same random operations. After each
// cut it compares every node, lock and inbox, and checks that generations only grow, that a replica that opened the
// stored blocks anew gets the same root, and that the store holds the state's blocks and no others.
func TestStateMachineAgreesWithModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := testGenesis()
		for i := range g.Accounts {
			g.Accounts[i].Quota = Quota{State: 1 << 40, Inbox: 1 << 20, Proofs: maxProofs, Refill: 1}
		}
		g.Rules.EventWindow = 20
		w := newWorldFrom(t, g)
		m := &model{now: startTime, nodes: map[string]*modelNode{"/": {dir: true, instance: 1}}}
		w.must(admin, &Publish{Program: w.program})
		m.advance(w.now)
		keys := []ed25519.PrivateKey{admin, alice, bob}
		if rapid.Bool().Draw(t, "furnished") {
			furnish(t, w, m)
		}
		paths := []string{"/d", "/e", "/d/f", "/d/g", "/d/m", "/e/n", "/p", "/p", "/d/m", "/d/m", "/e/n", "/e/x", "/d/m/x"}
		highest := map[string][2]uint64{} // instance, and lock generation in it
		for range rapid.IntRange(1, 60).Draw(t, "cuts") {
			d := rapid.SampledFrom([]Duration{1, Second, 3 * Second, 4 * Second, 5 * Second, 9 * Second, 40 * Second}).Draw(t, "gap")
			var inputs []Input
			var want []Code
			// The model goes first, at the cut's time, so that the transactions are made for the state they will meet.
			m.advance(w.now + Time(d))
			for range rapid.IntRange(0, 3).Draw(t, "transactions") {
				k := rapid.SampledFrom(keys).Draw(t, "who")
				path := rapid.SampledFrom(paths).Draw(t, "path")
				in, code := randomOp(t, w, m, k, path)
				inputs, want = append(inputs, in), append(want, code)
			}
			// The replica has nothing but the blocks.
			replica, err := Open(testConfig(w.blocks), w.state.ID())
			if err != nil {
				t.Fatalf("open: %v", err)
			}
			_, res, err := replica.Apply(Cut{Sequence: w.state.Sequence() + 1, Time: w.now + Time(d), Inputs: inputs})
			if err != nil {
				t.Fatalf("replica: %v", err)
			}
			receipts := w.cut(d, inputs...)
			if !reflect.DeepEqual(res, w.last) {
				t.Fatalf("the replica's result differs: root %s, %s", res.Root, w.last.Root)
			}
			for i, r := range receipts {
				if r.Code != want[i] {
					t.Fatalf("transaction %d: code %q (%s), the model says %q", i, r.Code, r.Message, want[i])
				}
			}
			compareWithModel(t, w, m, highest)
			checkBlocks(t, w)
		}
	})
}

// furnish makes the directories, a file held by alice with an ephemeral file, and two machines, one of which had a life,
// so that a short random schedule comes to the interesting states.
func furnish(t *rapid.T, w *world, m *model) {
	takes := FeltTerms(w.state.Rules(), FeltOf(99))
	if rapid.Bool().Draw(t, "poseidon") {
		takes = poseidonTerms(w.state.Rules())
	}
	takes.Grace, takes.Window, takes.InboxMax, takes.LockDelay = 6*Second, 2, 5, Second
	none := DefaultTerms(w.state.Rules())
	none.Succession, none.Opening, none.Grace = Resume, OpeningSelf, 6*Second
	for _, op := range []Op{&Mkdir{Path: "/d"}, &Mkdir{Path: "/e"}, &Put{Path: "/p"},
		&CreateMachine{Path: "/d/m", Program: w.programID(), Start: FeltOf(3), Terms: takes},
		&CreateMachine{Path: "/e/n", Program: w.programID(), Start: FeltOf(3), Terms: none}} {
		w.must(admin, op)
	}
	w.must(alice, w.acquireOp("/p"))
	ends := w.now + Time(57*Second)
	w.must(alice, &Put{Path: "/e/x", LivesBy: "/p"})
	// A predecessor has left a whole life and a proof behind it.
	if r := w.proven(alice, w.acquireOp("/e/n"), 1, FeltOf(4), nil); r.Code != "" {
		t.Fatalf("acquire: %+v", r)
	}
	w.renewed("/e/n", 1, FeltOf(5))
	w.must(alice, &Release{Path: "/e/n", Instance: w.lock("/e/n").Instance, Generation: 1})
	m.advance(w.now)
	by := id(admin)
	m.nodes["/d"], m.nodes["/e"] = &modelNode{dir: true, owner: by}, &modelNode{dir: true, owner: by}
	m.nodes["/p"] = &modelNode{gen: 1, owner: by, lock: &modelLock{gen: 1, state: Held, holder: id(alice), ends: ends,
		terms: Terms{Cadence: 12 * Second, Grace: 45 * Second, LockDelay: 2 * Second}}}
	m.nodes["/e/x"] = &modelNode{gen: 1, owner: id(alice), livesBy: "/p"}
	m.nodes["/d/m"] = &modelNode{gen: 1, owner: by, lock: &modelLock{machine: true, terms: takes, start: FeltOf(3), s: FeltOf(3), whole: -1}}
	m.nodes["/e/n"] = &modelNode{gen: 1, owner: by, lock: &modelLock{machine: true, terms: none, start: FeltOf(3), gen: 1, holder: id(alice),
		freed: w.now, t0: 1, t: 2, s: FeltOf(5), whole: 1}}
	compareWithModel(t, w, m, map[string][2]uint64{})
}

// randomOp draws an operation, applies it to the model, and returns its transaction and the code that it must get.
func randomOp(t *rapid.T, w *world, m *model, k ed25519.PrivateKey, path string) (Input, Code) {
	n := m.nodes[path]
	if n != nil && n.lock != nil && n.lock.state == Held && rapid.Bool().Draw(t, "holder") {
		for _, h := range []ed25519.PrivateKey{admin, alice, bob} {
			if id(h) == n.lock.holder {
				k = h
			}
		}
	}
	who := id(k)
	put := func(op Op) Input { return Input{Tx: w.sign(k, op)} }
	instance, gen, lockGen := uint64(0), uint64(0), uint64(0)
	var l *modelLock
	if n != nil {
		instance, gen, l = n.instance, n.gen, n.lock
	}
	if l != nil {
		lockGen = l.gen
	}
	switch rapid.SampledFrom([]string{"mkdir", "put", "put", "delete", "machine", "acquire", "acquire", "acquire", "renew", "renew", "renew",
		"release", "send", "send"}).Draw(t, "op") {
	case "mkdir":
		if n != nil {
			return put(&Mkdir{Path: path}), CodeExists
		}
		code := m.parent(path)
		if code == "" {
			m.nodes[path] = &modelNode{dir: true, owner: who}
		}
		return put(&Mkdir{Path: path}), code
	case "put":
		content := rapid.SampledFrom([]string{"", "x", strings.Repeat("y", InlineContent), strings.Repeat("z", InlineContent+1), strings.Repeat("z", 5000)}).Draw(t, "content")
		op := &Put{Path: path, Content: []byte(content)}
		if rapid.Bool().Draw(t, "compare") {
			op.Expect = u64(gen + uint64(rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(t, "off")))
		}
		if rapid.IntRange(0, 2).Draw(t, "ephemeral") == 0 {
			op.LivesBy = "/p"
		}
		in := put(op)
		if n == nil {
			by := m.nodes[op.LivesBy]
			switch {
			case op.Expect != nil && *op.Expect != 0:
				return in, CodeNotFound
			case op.LivesBy == path:
				return in, CodeInvalid
			case op.LivesBy != "" && (by == nil || by.lock == nil || by.lock.state != Held || by.lock.holder != who):
				return in, CodeNotHolder
			}
			code := m.parent(path)
			if code == "" {
				m.nodes[path] = &modelNode{content: content, gen: 1, owner: who, livesBy: op.LivesBy}
			}
			return in, code
		}
		switch {
		case op.Expect != nil && *op.Expect != gen:
			return in, CodeConflict
		case n.dir:
			return in, CodeInvalid
		case op.LivesBy != "":
			return in, CodeExists
		case l != nil && l.machine && n.owner != who && (l.state != Held || l.holder != who):
			return in, CodeForbidden
		case l != nil && l.terms.Opening == OpeningPoseidon:
			return in, CodeForbidden
		}
		n.content, n.gen = content, gen+1
		return in, ""
	case "delete":
		in := put(&Delete{Path: path})
		switch {
		case n == nil:
			return in, CodeNotFound
		case n.dir:
			for p := range m.nodes {
				if p != path && under(p, path) {
					return in, CodeConflict
				}
			}
		case l != nil && l.machine && n.owner != who:
			return in, CodeForbidden
		case l != nil && l.state == Held:
			return in, CodeHeld
		case l != nil && l.state == Delayed:
			return in, CodeDelay
		}
		delete(m.nodes, path)
		return in, ""
	case "machine":
		terms := DefaultTerms(w.state.Rules())
		switch rapid.IntRange(0, 2).Draw(t, "inputs") {
		case 1:
			terms = FeltTerms(w.state.Rules(), FeltOf(99))
			terms.Window, terms.InboxMax = 2, 5
		case 2:
			terms = poseidonTerms(w.state.Rules())
			terms.Window, terms.InboxMax = 2, 5
		}
		if rapid.Bool().Draw(t, "resume") {
			terms.Succession, terms.Opening = Resume, OpeningSelf
		}
		terms.Grace = 6 * Second
		terms.LockDelay = rapid.SampledFrom([]Duration{0, 3 * Second}).Draw(t, "delay")
		in := put(&CreateMachine{Path: path, Program: w.programID(), Start: FeltOf(3), Terms: terms})
		if n != nil {
			return in, CodeExists
		}
		code := m.parent(path)
		if code == "" {
			m.nodes[path] = &modelNode{gen: 1, owner: who, lock: &modelLock{machine: true, terms: terms, start: FeltOf(3), s: FeltOf(3), whole: -1}}
		}
		return in, code
	case "acquire", "renew":
		fresh := rapid.Bool().Draw(t, "acquire")
		// The instance of a file that this very cut makes is not known yet: it is guessed, and refused.
		known, err := w.state.Stat(path)
		sameFile := err == nil && n != nil && (n.instance == 0 || known.Instance == n.instance) && n.instance != 0
		if sameFile {
			instance = known.Instance
		}
		op := &Acquire{Path: path, Instance: instance, Generation: lockGen + 1, Mode: Exclusive}
		re := &Renew{Path: path, Instance: instance, Generation: lockGen}
		var verdict, whole *Verdict
		var took int
		var must, may bool
		lied := Code("")
		machine := l != nil && l.machine
		if machine {
			var runs []Run
			var digests []Felt
			var inputs int
			runs, digests, inputs, took = drawRuns(t, l)
			v := Verdict{OK: true, S1: FeltOf(rapid.Uint64().Draw(t, "state")), Inputs: testSpanInputs(digests)}
			if l.terms.Opening == OpeningPoseidon {
				op.Opening = rapid.SampledFrom([][]Felt{{v.S1}, {v.S1, v.S1}, append(make([]Felt, 40), v.S1)}).Draw(t, "opening")
				v.S1 = poseidon.HashMany(op.Opening)
			}
			v.T0, v.S0 = l.step(fresh)
			v.T1 = v.T0 + uint64(inputs)
			if l.terms.Inputs == InputNone {
				v.T1 += uint64(rapid.IntRange(1, 5).Draw(t, "steps"))
			}
			lifeGen := lockGen
			if fresh {
				lifeGen++
			}
			v.Key = testKey(w)
			v.Life, _ = Life(testChain, path, instance, lifeGen, who)
			v.Anchor, _ = Anchor(w.state.Sequence(), w.state.ID())
			// The whole life comes when it is due, mostly.
			must, may = m.wants(l, v.T0, fresh)
			attach := must || (may && rapid.Bool().Draw(t, "mend"))
			if rapid.IntRange(0, 7).Draw(t, "whole") == 0 {
				attach = !attach
			}
			if attach {
				op.Whole = &Proof{ID: wire.Sum([]byte("whole")), Length: 1, Version: 2}
				whole = &Verdict{OK: true, Key: v.Key, S0: l.start, T1: v.T0, S1: v.S0}
			}
			switch rapid.IntRange(0, 16).Draw(t, "lie") {
			case 0:
				v.OK, lied = false, CodeProof
			case 1:
				v.T0, lied = v.T0+1, CodeProof
			case 2:
				v.Life[3], lied = v.Life[3]+1, CodeProof
			case 3:
				v.Inputs[3], lied = v.Inputs[3]+1, CodeProof
			case 4: // the first that is not idle
				for i := range runs {
					for j := range runs[i].Inputs {
						if lied == "" && runs[i].Inputs[j] != Idle {
							runs[i].Inputs[j]++
							lied = CodeConflict
						}
					}
				}
			case 7:
				if op.Opening != nil {
					v.S1, lied = op.Opening[0], CodeProof
				}
			case 5, 6:
				if whole != nil {
					whole.T1, lied = whole.T1-1, CodeBadWhole
				}
			}
			verdict = &v
			op.Proof, op.Anchor, op.Runs = aProof(1), w.state.Sequence(), runs
			re.Proof, re.Anchor, re.Runs, re.Whole, re.Opening = op.Proof, op.Anchor, op.Runs, op.Whole, op.Opening
		}
		var in Input
		if fresh {
			in = put(op)
		} else {
			in = put(re)
		}
		in.Verdict, in.Whole = verdict, whole
		switch {
		case n == nil:
			return in, CodeNotFound
		case n.dir, n.livesBy != "":
			return in, CodeInvalid
		}
		if fresh {
			switch {
			case !sameFile:
				return in, CodeConflict
			case l != nil && l.state == Held:
				return in, CodeHeld
			case l != nil && l.state == Delayed:
				return in, CodeDelay
			}
		} else if l == nil || l.state != Held || l.holder != who || !sameFile {
			return in, CodeNotHolder
		}
		switch {
		case must && whole == nil, whole != nil && !may:
			return in, CodeWhole
		case lied != "":
			return in, lied
		}
		if l == nil {
			l = &modelLock{terms: Terms{Cadence: 12 * Second, Grace: 45 * Second, LockDelay: 2 * Second}}
			n.lock = l
		}
		if machine {
			switch {
			case verdict.T0 == 0:
				l.whole = int64(verdict.T1)
			case whole != nil:
				l.whole = int64(verdict.T0)
			}
			if op.Opening != nil {
				n.content, n.gen = "", n.gen+1
				for _, f := range op.Opening {
					n.content += string(f[:])
				}
			}
			l.t0, l.t, l.s = verdict.T0, verdict.T1, verdict.S1
			l.inbox = l.inbox[took:]
			l.consumed += uint64(took)
		}
		if fresh {
			l.gen, l.holder, l.state = l.gen+1, who, Held
		}
		l.ends = m.now + Time(l.terms.Cadence+l.terms.Grace)
		m.date(l)
		return in, ""
	case "release":
		known, err := w.state.Stat(path)
		ok := err == nil && n != nil && n.instance == known.Instance
		in := put(&Release{Path: path, Instance: instance, Generation: lockGen})
		switch {
		case n == nil:
			return in, CodeNotFound
		case n.dir, n.livesBy != "":
			return in, CodeInvalid
		case l == nil || l.state != Held || l.holder != who || !ok:
			return in, CodeNotHolder
		}
		m.lose(path, 0)
		return in, ""
	default:
		felts := []Felt{FeltOf(rapid.Uint64().Draw(t, "felt"))}
		if l != nil && l.terms.Inputs == InputPoseidon {
			felts = append(felts, FeltOf(5))
		}
		in := put(&Send{Path: path, Felts: felts})
		switch {
		case n == nil:
			return in, CodeNotFound
		case n.dir, n.livesBy != "", l == nil, !l.machine, l.terms.Inputs == InputNone:
			return in, CodeInvalid
		case len(l.inbox) >= int(l.terms.InboxMax):
			return in, CodeInboxFull
		}
		l.inbox = append(l.inbox, modelInput{felts: felts})
		if l.state == Held {
			m.date(l)
		}
		return in, ""
	}
}

func testKey(w *world) Digest { _, d, _ := testProgramKey(w.program); return d }
