package machine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed06907907/fatty/prover"
	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier"
)

// Prover makes proofs; *prover.Prover does.
type Prover interface {
	Prove(ctx context.Context, p *vm.Program, input []vm.Felt, opt prover.Options) (*prover.Result, error)
	Wrap(ctx context.Context, run []byte) (*prover.SpanResult, error)
	Merge(ctx context.Context, left, right []byte) (*prover.SpanResult, error)
}

// Segment is one run of a machine's program: how many transitions it makes, and the transactions that they consume.
type Segment struct {
	Ticks        uint64
	Transactions []vm.Felt // one after the other
}

// Work is consecutive runs that one span is to be made of. All of them are for the life and with the anchor in Options.
type Work struct {
	Program *vm.Program
	T       uint64 // where the first run starts
	S       vm.Felt
	Opening []vm.Felt // what is behind S; empty if S is the state itself
	Runs    []Segment // at least one
	Options prover.Options
}

// Piece is a proof over consecutive runs of a work, and where the last of them ended.
type Piece struct {
	First, Runs int
	Wrapped     bool // a span proof; else the proof of one run
	Proof       []byte
	T           uint64
	S           vm.Felt
	Opening     []vm.Felt // nil if the program handed none on
}

// Made is a finished span.
type Made struct {
	Piece
	// Statement is what the span says; zero where every piece of it was there before.
	Statement verifier.Statement
	// Of the runs that were made and not taken over, in order.
	Inputs  []vm.Felt // each run's digest of its transactions
	Steps   uint64
	Seconds Seconds
}

// Seconds says where the time of a span went. The parts of the runs are summed; Total is time that passed.
type Seconds struct {
	prover.Seconds
	Wrap  float64 `json:"wrap"`
	Merge float64 `json:"merge"`
}

// Spanner makes spans. Runs are made one after the other, and each is wrapped and merged while the next one is made: two
// proofs are in the making at most, however many runs there are, and one where Prover is bound to that. Spans are merged as
// a binary counter counts, in the shape that verifier.Split gives, so that the span's inputs digest follows from its runs
// alone.
type Spanner struct {
	Prover Prover
	// Have are pieces of the same work from before, in any order; what they cover is not made again.
	Have []Piece
	// Keep, if set, is told of each finished piece and of those that it makes superfluous, from two goroutines. Its error
	// ends the work.
	Keep func(p Piece, over ...Piece) error
	// Progress, if set, is told what begins and how much of all is done, one call at a time.
	Progress func(stage string, done, total int)
}

// Make makes the span of a work.
func (s *Spanner) Make(ctx context.Context, w Work) (*Made, error) {
	began := time.Now()
	if len(w.Runs) == 0 {
		return nil, errors.New("a span of no runs")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	m := &making{s: s, w: w, total: 3*len(w.Runs) - 1}
	at := m.resume()
	runs := make(chan Piece) // without room: the next run begins when this one is being wrapped
	failed := make(chan error, 1)
	go func() {
		defer close(runs)
		failed <- m.prove(ctx, at, runs)
	}()
	err := m.settle(ctx)
	for p := range runs {
		if err == nil {
			err = m.wrap(ctx, p)
		}
		if err != nil {
			cancel() // and read on until the other has seen it
		}
	}
	if e := <-failed; err == nil {
		err = e
	}
	if err != nil {
		return nil, err
	}
	m.made.Piece = m.stack[0]
	m.made.Seconds.Total = time.Since(began).Seconds()
	return &m.made, nil
}

// making is one call of Make. The runs' goroutine and the caller's share what mu guards.
type making struct {
	s     *Spanner
	w     Work
	stack []Piece // spans that follow each other, of the caller's goroutine
	runs  []Piece // run proofs from before that are to be wrapped first

	mu    sync.Mutex
	made  Made
	done  int
	total int
}

// resume takes over what is there, the largest pieces first, and returns where the next run starts.
func (m *making) resume() Piece {
	at := Piece{T: m.w.T, S: m.w.S, Opening: m.w.Opening}
	for {
		var best *Piece
		for i := range m.s.Have {
			p := &m.s.Have[i]
			if p.First == at.First && p.Runs > 0 && p.First+p.Runs <= len(m.w.Runs) &&
				!(p.Wrapped && len(m.runs) > 0) && (best == nil || p.Runs > best.Runs || (p.Runs == best.Runs && p.Wrapped)) {
				best = p
			}
		}
		if best == nil {
			return at
		}
		if best.Wrapped {
			m.stack = append(m.stack, *best)
			m.done += 3*best.Runs - 1
		} else {
			m.runs = append(m.runs, *best)
			m.done++
		}
		at = Piece{First: best.First + best.Runs, T: best.T, S: best.S, Opening: best.Opening}
	}
}

func (m *making) report(stage string, finished int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done += finished
	if m.s.Progress != nil {
		m.s.Progress(stage, m.done, m.total)
	}
}

func (m *making) keep(p Piece, over ...Piece) error {
	if m.s.Keep == nil {
		return nil
	}
	return m.s.Keep(p, over...)
}

// prove makes the runs from at on and hands each proof over.
func (m *making) prove(ctx context.Context, at Piece, out chan<- Piece) error {
	for _, p := range m.runs {
		select {
		case out <- p:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for i := at.First; i < len(m.w.Runs); i++ {
		p, err := m.proveRun(ctx, i, at)
		if err != nil {
			return fmt.Errorf("run %d of %d, from t = %d: %w", i+1, len(m.w.Runs), at.T, err)
		}
		if err := m.keep(p); err != nil {
			return err
		}
		select {
		case out <- p:
		case <-ctx.Done():
			return ctx.Err()
		}
		at = p
	}
	return nil
}

func (m *making) proveRun(ctx context.Context, i int, at Piece) (Piece, error) {
	seg, opt := m.w.Runs[i], m.w.Options
	opt.Progress = func(stage string, _, _ int) {
		m.report(fmt.Sprintf("run %d of %d: %s", i+1, len(m.w.Runs), stage), 0)
	}
	if i > 0 && len(m.w.Opening) > 0 && at.Opening == nil {
		return Piece{}, errors.New("the program hands on no opening of its state, so its transitions cannot be cut into several runs: see next_state in the examples")
	}
	r, err := m.s.Prover.Prove(ctx, m.w.Program, inputVector(at.T, at.S, seg.Ticks, at.Opening, seg.Transactions), opt)
	if err != nil {
		return Piece{}, err
	}
	digest, p, err := endOf(r.Output, at, seg.Ticks)
	if err != nil {
		return Piece{}, err
	}
	p.First, p.Runs, p.Proof, p.Opening = i, 1, r.Proof, r.Opening
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done++
	sec := &m.made.Seconds
	sec.Run += r.Seconds.Run
	sec.Trace += r.Seconds.Trace
	sec.Commit += r.Seconds.Commit
	sec.Constraints += r.Seconds.Constraints
	sec.Open += r.Seconds.Open
	m.made.Steps += r.Steps
	m.made.Inputs = append(m.made.Inputs, digest)
	return p, nil
}

// endOf reads the clock ABI of a run that was given where to start and how far to go.
func endOf(output []vm.Felt, at Piece, ticks uint64) (digest vm.Felt, end Piece, err error) {
	s := verifier.Statement{Output: make([]verifier.Felt, len(output))}
	for i := range output {
		s.Output[i] = output[i].Bytes()
	}
	c, err := s.Clock()
	if err != nil {
		return digest, end, fmt.Errorf("the program is no machine: %w", err)
	}
	if c.T0 != at.T || c.S0 != at.S.Bytes() || c.T1-c.T0 != ticks {
		return digest, end, fmt.Errorf("the program is no machine: asked for %d transitions from t = %d, it says that it went from t = %d to %d", ticks, at.T, c.T0, c.T1)
	}
	return output[4], Piece{T: c.T1, S: output[3]}, nil
}

// wrap makes a span of a run and merges it with what is there.
func (m *making) wrap(ctx context.Context, run Piece) error {
	m.report(fmt.Sprintf("wrapping run %d of %d", run.First+1, len(m.w.Runs)), 0)
	r, err := m.s.Prover.Wrap(ctx, run.Proof)
	if err != nil {
		return fmt.Errorf("wrap run %d of %d: %w", run.First+1, len(m.w.Runs), err)
	}
	span := run
	span.Wrapped, span.Proof = true, r.Proof
	m.took(r, &m.made.Seconds.Wrap)
	if err := m.keep(span, run); err != nil {
		return err
	}
	m.stack = append(m.stack, span)
	return m.settle(ctx)
}

// settle merges equal spans, as a counter carries; all that is there where the last run is among it.
func (m *making) settle(ctx context.Context) error {
	for n := len(m.stack); n > 1; n = len(m.stack) {
		top := m.stack[n-1]
		if last := top.First+top.Runs == len(m.w.Runs); !last && top.Runs != m.stack[n-2].Runs {
			return nil
		}
		if err := m.merge(ctx); err != nil {
			return err
		}
	}
	return nil
}

// merge joins the two newest spans.
func (m *making) merge(ctx context.Context) error {
	n := len(m.stack)
	left, right := m.stack[n-2], m.stack[n-1]
	m.report(fmt.Sprintf("merging runs %d to %d of %d", left.First+1, right.First+right.Runs, len(m.w.Runs)), 0)
	r, err := m.s.Prover.Merge(ctx, left.Proof, right.Proof)
	if err != nil {
		return fmt.Errorf("merge runs %d to %d: %w", left.First+1, right.First+right.Runs, err)
	}
	joined := right
	joined.First, joined.Runs, joined.Proof = left.First, left.Runs+right.Runs, r.Proof
	m.took(r, &m.made.Seconds.Merge)
	m.stack = append(m.stack[:n-2], joined)
	return m.keep(joined, left, right)
}

func (m *making) took(r *prover.SpanResult, sum *float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done++
	*sum += r.Seconds
	m.made.Statement = r.Statement
}

// inputVector is a run's input: [t0, S0, n, k, w_1 .. w_k], w the opening and then the transactions.
func inputVector(at uint64, s vm.Felt, ticks uint64, opening, transactions []vm.Felt) []vm.Felt {
	var t, n, k vm.Felt
	t.SetUint64(at)
	n.SetUint64(ticks)
	k.SetUint64(uint64(len(opening) + len(transactions)))
	return append(append([]vm.Felt{t, s, n, k}, opening...), transactions...)
}
