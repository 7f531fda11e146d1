package machine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/prover"
	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier"
)

// shaper is an oracle that says in what shape spans were merged, and can fail at its nth call.
type shaper struct {
	oracle
	failAt int
	calls  *int
	shapes *[]string
	names  map[string]string // of proofs
}

func newShaper(failAt int) shaper {
	return shaper{oracle: oracle{delay: takes(0)}, failAt: failAt, calls: new(int), shapes: new([]string), names: map[string]string{}}
}

var errStop = errors.New("stopped here")

func (s shaper) step() error {
	if *s.calls++; *s.calls == s.failAt {
		return errStop
	}
	return nil
}

func (s shaper) Wrap(ctx context.Context, run []byte) (*prover.SpanResult, error) {
	if err := s.step(); err != nil {
		return nil, err
	}
	r, err := s.oracle.Wrap(ctx, run)
	if err == nil {
		s.names[string(r.Proof)] = "1"
	}
	return r, err
}

func (s shaper) Merge(ctx context.Context, left, right []byte) (*prover.SpanResult, error) {
	if err := s.step(); err != nil {
		return nil, err
	}
	r, err := s.oracle.Merge(ctx, left, right)
	if err == nil {
		s.names[string(r.Proof)] = "(" + s.names[string(left)] + " " + s.names[string(right)] + ")"
	}
	return r, err
}

// shape is how verifier.Split parts n runs.
func shape(n int) string {
	if n == 1 {
		return "1"
	}
	at := verifier.Split(n)
	return "(" + shape(at) + " " + shape(n-at) + ")"
}

func lcgWork(t *testing.T, runs int) Work {
	t.Helper()
	w := Work{Program: example(t, "lcg").Program}
	w.S.SetUint64(1)
	for range runs {
		w.Runs = append(w.Runs, Segment{Ticks: 2})
	}
	return w
}

// TestShape: runs are merged as a binary counter counts, in the shape from which a ledger computes the digest of what they
// consumed.
func TestShape(t *testing.T) {
	for n := 1; n <= 33; n++ {
		s := newShaper(0)
		made, err := (&Spanner{Prover: s}).Make(t.Context(), lcgWork(t, n))
		if err != nil {
			t.Fatal(n, err)
		}
		if got := s.names[string(made.Proof)]; got != shape(n) {
			t.Errorf("%d runs are merged as %s, want %s", n, got, shape(n))
		}
		span := made.Statement.Span
		if span.T0 != 0 || span.T1 != uint64(2*n) || span.Inputs != verifier.SpanInputs(make([]verifier.Felt, n)) || made.T != span.T1 || len(made.Inputs) != n {
			t.Errorf("%d runs: %+v, %+v", n, span, made.Piece)
		}
		if *s.calls != 2*n-1 {
			t.Errorf("%d runs took %d wraps and merges", n, *s.calls)
		}
	}
}

// TestGoesOnFromPieces: wherever the making of a span is stopped, the pieces that are kept suffice to go on, nothing that
// they cover is made again, and the span is the same.
func TestGoesOnFromPieces(t *testing.T) {
	const runs = 11
	whole := newShaper(0)
	want, err := (&Spanner{Prover: whole}).Make(t.Context(), lcgWork(t, runs))
	if err != nil {
		t.Fatal(err)
	}
	for at := 1; at <= 2*runs-1; at++ {
		var kept []Piece
		keep := func(p Piece, over ...Piece) error {
			kept = append(slices.DeleteFunc(kept, func(k Piece) bool {
				return slices.ContainsFunc(over, func(o Piece) bool { return o.First == k.First && o.Runs == k.Runs && o.Wrapped == k.Wrapped })
			}), p)
			return nil
		}
		// One goroutine keeps runs, another spans: here they take turns.
		locked := make(chan struct{}, 1)
		s := Spanner{Prover: newShaper(at), Keep: func(p Piece, over ...Piece) error {
			locked <- struct{}{}
			defer func() { <-locked }()
			return keep(p, over...)
		}}
		if _, err := s.Make(t.Context(), lcgWork(t, runs)); !errors.Is(err, errStop) {
			t.Fatalf("stopped at %d: %v", at, err)
		}
		again := newShaper(0)
		again.count = &counts{}
		again.names = s.Prover.(shaper).names
		slices.Reverse(kept) // in any order
		made, err := (&Spanner{Prover: again, Have: kept}).Make(t.Context(), lcgWork(t, runs))
		if err != nil {
			t.Fatalf("stopped at %d, going on: %v", at, err)
		}
		if string(made.Proof) != string(want.Proof) || again.names[string(made.Proof)] != shape(runs) || made.T != want.T || made.S != want.S {
			t.Errorf("stopped at %d: another span", at)
		}
		if *again.calls != 2*runs-1-(at-1) {
			t.Errorf("stopped at %d of %d wraps and merges, %d were made afterwards", at, 2*runs-1, *again.calls)
		}
		if covered := len(made.Inputs) + coveredRuns(kept); again.count.runs != len(made.Inputs) || covered != runs {
			t.Errorf("stopped at %d: %d runs made again, %d were there", at, len(made.Inputs), coveredRuns(kept))
		}
	}
}

func coveredRuns(pieces []Piece) (n int) {
	seen := map[int]bool{}
	for _, p := range pieces {
		for i := range p.Runs {
			seen[p.First+i] = true
		}
	}
	return len(seen)
}

// TestHandsTheOpeningOn: each run gets the opening that the one before handed on, and its own transactions.
func TestHandsTheOpeningOn(t *testing.T) {
	f := example(t, "pair")
	w := Work{Program: f.Program, S: f.Start, Opening: f.Opening, Runs: []Segment{{Ticks: 2}, {Ticks: 3}, {Ticks: 1}}}
	made, err := (&Spanner{Prover: newShaper(0)}).Make(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	once, err := vm.Run(t.Context(), f.Program, inputVector(0, f.Start, 6, f.Opening, nil), vm.StwoConfig(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	if made.T != 6 || made.S != once.Output[3] || !slices.Equal(made.Opening, once.Opening) {
		t.Errorf("three runs end in %v %v, one in %v %v", made.S, made.Opening, once.Output[3], once.Opening)
	}
	c := example(t, "counter")
	w = Work{Program: c.Program}
	for _, n := range []uint64{5, 50, 500} {
		w.Runs = append(w.Runs, Segment{Ticks: 1, Transactions: felts([]lockspace.Felt{lockspace.FeltOf(n)})})
	}
	if made, err = (&Spanner{Prover: newShaper(0)}).Make(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	inputs := []verifier.Felt{verifier.Felt(lockspace.FeltOf(5)), verifier.Felt(lockspace.FeltOf(50)), verifier.Felt(lockspace.FeltOf(500))}
	if made.S.Uint64() != 555 || made.Statement.Span.Inputs != verifier.SpanInputs(inputs) {
		t.Errorf("%v %+v", made.S, made.Statement.Span)
	}
}

// TestSpannerErrors: what fails ends the work, both goroutines with it, and is said with the run's number.
func TestSpannerErrors(t *testing.T) {
	w := lcgWork(t, 4)
	w.Runs[2].Transactions = felts([]lockspace.Felt{lockspace.FeltOf(1)}) // lcg takes none
	if _, err := (&Spanner{Prover: newShaper(0)}).Make(t.Context(), w); err == nil || !strings.Contains(err.Error(), "run 3 of 4, from t = 4") {
		t.Errorf("a run fails: %v", err)
	}
	if _, err := (&Spanner{Prover: newShaper(0)}).Make(t.Context(), Work{}); err == nil {
		t.Error("a span of nothing")
	}
	full := errors.New("no space left")
	s := Spanner{Prover: newShaper(0), Keep: func(p Piece, _ ...Piece) error {
		if p.First == 1 {
			return full
		}
		return nil
	}}
	if _, err := s.Make(t.Context(), lcgWork(t, 4)); !errors.Is(err, full) {
		t.Errorf("a piece cannot be kept: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := (&Spanner{Prover: oracle{delay: takes(time.Hour)}}).Make(ctx, lcgWork(t, 4)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stopped: %v", err)
	}
	// A program that says something else than it was asked for is no machine.
	if _, _, err := endOf(make([]vm.Felt, 3), Piece{}, 1); !errors.Is(err, verifier.ErrNotClock) {
		t.Errorf("three felts: %v", err)
	}
	other := make([]vm.Felt, 5)
	other[2].SetUint64(7)
	if _, _, err := endOf(other, Piece{}, 6); err == nil || !strings.Contains(err.Error(), "no machine") {
		t.Errorf("7 transitions for 6: %v", err)
	}
}

// TestSpannerBounds: however many runs a span has, two proofs are in the making at most.
func TestSpannerBounds(t *testing.T) {
	c := &counts{}
	var stages []string
	s := Spanner{Prover: oracle{delay: takes(time.Millisecond), wrap: 2 * time.Millisecond, merge: time.Millisecond, count: c}, Progress: func(stage string, done, total int) {
		stages = append(stages, fmt.Sprintf("%s %d/%d", stage, done, total))
	}}
	if _, err := s.Make(t.Context(), lcgWork(t, 20)); err != nil {
		t.Fatal(err)
	}
	if c.most > 2 || c.runs != 20 || c.wraps != 20 || c.joins != 19 {
		t.Errorf("%d at once; %d runs, %d wraps, %d merges", c.most, c.runs, c.wraps, c.joins)
	}
	if !slices.ContainsFunc(stages, func(s string) bool { return strings.HasPrefix(s, "wrapping run 20 of 20 ") }) || !strings.HasSuffix(stages[len(stages)-1], "/59") {
		t.Errorf("%q", stages)
	}
}
