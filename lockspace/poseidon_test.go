package lockspace

import (
	"reflect"
	"testing"

	"github.com/seed06907907/fatty/lockspace/poseidon"
)

// poseidonTerms are a machine whose transactions are two felts, any number a run, and whose state is opened by its proofs.
func poseidonTerms(r Rules) Terms {
	t := FeltTerms(r, Felt{})
	t.Inputs, t.Transaction, t.Idle = InputPoseidon, 2, []Felt{FeltOf(98), FeltOf(99)}
	t.Succession, t.Opening = Resume, OpeningPoseidon
	return t
}

func poseidonOf(felts ...uint64) Felt {
	list := make([]Felt, len(felts))
	for i, f := range felts {
		list[i] = FeltOf(f)
	}
	return poseidon.HashMany(list)
}

// poseidonWorld has such a machine, held by alice at t = 1, with three transactions that wait.
func poseidonWorld(t tester) *world {
	t.Helper()
	w := newWorld(t)
	w.machine("/m", FeltOf(7), poseidonTerms(w.state.Rules()))
	for n := range uint64(3) {
		w.must(bob, &Send{Path: "/m", Felts: []Felt{FeltOf(10 + n), FeltOf(20 + n)}})
	}
	op := w.acquireOp("/m", Idle)
	op.Opening = []Felt{FeltOf(1)}
	if r := w.proven(alice, op, 1, poseidonOf(1), nil); r.Code != "" {
		t.Fatalf("acquire: %+v", r)
	}
	return w
}

// A run's digest is the hash of all felts of its transactions in order, idle ones among them; a span makes as many
// transitions as its runs took transactions.
func TestPoseidonInputs(t *testing.T) {
	runs := []Run{{Inputs: []int64{0, Idle}}, {Inputs: []int64{1, 2, Idle}}}
	renew := func(w *world) *Renew {
		op := w.renewOp("/m", Idle)
		op.Runs, op.Opening = runs, []Felt{FeltOf(4), FeltOf(5)}
		return op
	}
	w := poseidonWorld(t)
	before, _ := w.state.Account(id(bob))
	_, v := w.prove(alice, renew(w), 5, poseidonOf(4, 5))
	want := testSpanInputs([]Felt{poseidonOf(10, 20, 98, 99), poseidonOf(11, 21, 12, 22, 98, 99)})
	if v.Inputs != want {
		t.Fatalf("digest %s, want %s", v.Inputs, want)
	}
	for name, lie := range map[string]func(*Verdict){
		"one run": func(v *Verdict) {
			v.Inputs = testSpanInputs([]Felt{poseidonOf(10, 20, 98, 99, 11, 21, 12, 22, 98, 99)})
		},
		"split elsewhere": func(v *Verdict) {
			v.Inputs = testSpanInputs([]Felt{poseidonOf(10, 20), poseidonOf(98, 99, 11, 21, 12, 22, 98, 99)})
		},
		"another order": func(v *Verdict) {
			v.Inputs = testSpanInputs([]Felt{poseidonOf(98, 99, 10, 20), poseidonOf(11, 21, 12, 22, 98, 99)})
		},
		"a transition less": func(v *Verdict) { v.T1-- },
		"a transition more": func(v *Verdict) { v.T1++ },
		"another state":     func(v *Verdict) { v.S1 = poseidonOf(5, 4) },
		"the opening as S":  func(v *Verdict) { v.S1 = FeltOf(4) },
	} {
		w := poseidonWorld(t)
		if r := w.proven(alice, renew(w), 5, poseidonOf(4, 5), lie); r.Code != CodeProof || w.lock("/m").Machine.Head != 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
	if r := w.proven(alice, renew(w), 5, poseidonOf(4, 5), nil); r.Code != "" {
		t.Fatalf("renew: %+v", r)
	}
	m := w.lock("/m").Machine
	if m.T != 6 || m.Head != 3 || m.Deadline != 0 {
		t.Errorf("%+v", m)
	}
	after, _ := w.state.Account(id(bob))
	if before.Inbox-after.Inbox != 3 || before.State-after.State != 3*(costEntry+costFelt) {
		t.Errorf("the sender's room: %+v, then %+v", before, after)
	}
	none := w.renewOp("/m", Idle)
	none.Runs, none.Opening = []Run{{Inputs: []int64{Idle}}, {}}, []Felt{FeltOf(1)}
	w.refused(alice, none, CodeInvalid)
	long := w.renewOp("/m", Idle)
	idle := make([]int64, MaxInputFelts/2+1)
	for i := range idle {
		idle[i] = Idle
	}
	long.Runs, long.Opening = []Run{{Inputs: idle}}, []Felt{FeltOf(1)}
	w.refused(alice, long, CodeInvalid)
	for _, n := range []int{1, 3} {
		w.refused(bob, &Send{Path: "/m", Felts: make([]Felt, n)}, CodeInvalid)
	}
}

// The opening of the state that a proof ends in is the file's content, and only proofs write it.
func TestOpening(t *testing.T) {
	w := poseidonWorld(t)
	check := func(want ...Felt) {
		t.Helper()
		if got, err := w.state.Opening("/m"); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("opening %v, %v; want %v", got, err, want)
		}
		if s := w.lock("/m").Machine.S; s != poseidon.HashMany(want) {
			t.Fatalf("S = %s is not its hash", s)
		}
	}
	check(FeltOf(1))
	large := make([]Felt, MaxOpening)
	large[5] = FeltOf(5)
	op := w.renewOp("/m", 0)
	op.Opening = large
	if r := w.proven(alice, op, 1, poseidon.HashMany(large), nil); r.Code != "" || r.LeaseEnd == 0 {
		t.Fatalf("renew: %+v", r)
	}
	check(large...)
	if a, _ := w.state.Account(id(alice)); a.State < 32*MaxOpening {
		t.Errorf("its author does not pay: %+v", a)
	}
	w.refused(alice, w.renewOp("/m", 1), CodeInvalid) // without an opening
	w.refused(admin, &Put{Path: "/m", Content: []byte("x")}, CodeForbidden)
	w.refused(alice, &Put{Path: "/m", Content: []byte("x")}, CodeForbidden)
	// A bad proof leaves the opening as it was.
	op = w.renewOp("/m", 1)
	op.Opening = []Felt{FeltOf(9)}
	if r := w.proven(alice, op, 1, poseidonOf(9), func(v *Verdict) { v.OK = false }); r.Code != CodeProof {
		t.Fatal(r)
	}
	check(large...)
	// The successor finds it.
	w.must(alice, &Release{Path: "/m", Instance: w.lock("/m").Instance, Generation: 1})
	check(large...)
	next := w.acquireOp("/m", 1)
	next.Opening = []Felt{FeltOf(9)}
	if r := w.proven(bob, next, 1, poseidonOf(9), nil); r.Code != "" {
		t.Fatal(r)
	}
	check(FeltOf(9))
	checkBlocks(t, w)
	// Other machines take none.
	w.machine("/n", FeltOf(0), resumeTerms(w))
	stray := w.acquireOp("/n")
	stray.Opening = []Felt{FeltOf(9)}
	w.refused(alice, stray, CodeInvalid)
	if got, err := w.state.Opening("/n"); err != nil || got != nil {
		t.Errorf("%v, %v", got, err)
	}
}
