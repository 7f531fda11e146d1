// Package prover makes proofs of Cairo runs and of spans: Prove proves a run, Wrap makes it a span, Merge joins two spans,
// Shrink makes the last one small.
//
// Its parts: vm runs programs, cairo fills tables from a run, stark proves any set of tables; this package is the way
// through them. It is big and fast, and nobody needs to trust it: what it makes is checked by package verifier.
//
//	program, err := vm.Load(file)
//	p := new(prover.Prover)                     // keeps commitments that many proofs share
//	r, err := p.Prove(ctx, program, input, prover.Options{Life: life, Anchor: anchor})
//	s, err := p.Wrap(ctx, r.Proof)               // and p.Merge(ctx, left, right)
//	statement, err := verifier.Verify(s.Proof, verifier.Accept{})
package prover

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	provercairo "github.com/seed06907907/fatty/prover/cairo"
	"github.com/seed06907907/fatty/prover/stark"
	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier"
	"github.com/seed06907907/fatty/verifier/cairo"
	vstark "github.com/seed06907907/fatty/verifier/stark"
)

// ErrTooLong is wrapped when a run needs more rows than a proof can have; the error names the table.
var ErrTooLong = provercairo.ErrTooLong

// Options of one proof. The zero value proves 100 bits for nobody's life and no anchor.
type Options struct {
	Life     [32]byte // whose the proof is
	Anchor   [32]byte // when it was made
	Security int      // verifier.Security100 or Security124; 0 for Security100
	MaxSteps uint64   // bound on the run; 0 for what a proof can hold
	// Progress, if set, is told the stage that begins and how many of how many stages are done. It is called from the
	// goroutine that called Prove.
	Progress func(stage string, done, total int)
}

// Seconds says where the time went.
type Seconds struct {
	Run         float64 `json:"run"`         // the Cairo run
	Trace       float64 `json:"trace"`       // filling the tables
	Commit      float64 `json:"commit"`      // fixed tables not at hand yet, main and interaction columns
	Constraints float64 `json:"constraints"` // the composition polynomial
	Open        float64 `json:"open"`        // out-of-domain values, FRI, proof of work, queries
	Total       float64 `json:"total"`
}

// Result is a proof with what the run gave.
type Result struct {
	Proof   []byte // for a ledger; verifier.EncodeEnvelope makes a file of it
	Program verifier.Program
	Key     verifier.Key
	Steps   uint64
	Output  []vm.Felt
	Opening []vm.Felt // the machine's new state, if it handed one on
	LogN    int       // pinned size
	Level   verifier.Level
	Seconds Seconds
}

// Canonical returns a loaded program as proofs and ledgers know it.
func Canonical(p *vm.Program) (verifier.Program, error) {
	felts, builtins, entry := p.Canonical()
	out := verifier.Program{Bytecode: make([]verifier.Felt, len(felts)), Builtins: builtins, Entry: entry}
	for i := range felts {
		out.Bytecode[i] = felts[i].Bytes()
	}
	return out, out.Validate()
}

// Prover keeps commitments that proofs share: the preprocessed tables of each size, the circuits of spans, and the table
// of the program proven last. The zero value is ready; any number of goroutines may use one.
type Prover struct {
	mu           sync.Mutex
	preprocessed map[int]*stark.Fixed
	program      *stark.Fixed
	programKey   verifier.Key
	programSize  int
	circuits     map[verifier.CircuitID]*stark.Fixed
}

// Prove is Prover.Prove for a single proof.
func Prove(ctx context.Context, p *vm.Program, input []vm.Felt, opt Options) (*Result, error) {
	return new(Prover).Prove(ctx, p, input, opt)
}

// maxSteps bounds a run that is to be proven: one row a step, and the last one, which stays at the end of the program,
// takes none.
const maxSteps = 1<<cairo.MaxLogHeight + 1

// stages are this package's own before and after those of package stark.
const (
	stageRun    = "running"
	stageTrace  = "filling tables"
	stageFixed  = "fixed tables"
	ownStages   = 3
	starkStages = 6
)

// Prove runs a program on an input in proof mode and proves the run. The program must use only builtins that proofs
// cover; the error names one that it should not. A run that is too long is refused before anything is proven. ctx stops
// the run and the proof.
func (pr *Prover) Prove(ctx context.Context, p *vm.Program, input []vm.Felt, opt Options) (*Result, error) {
	start := time.Now()
	if opt.Security == 0 {
		opt.Security = verifier.Security100
	}
	report := func(stage string, done int) {
		if opt.Progress != nil {
			opt.Progress(stage, done, ownStages+starkStages)
		}
	}
	canonical, err := Canonical(p)
	if err != nil {
		return nil, err
	}
	builtins, err := cairo.ParseBuiltins(canonical.Builtins)
	if err != nil {
		return nil, err
	}
	// Before the run: what cannot be proven need not run.
	if err := cairo.CheckProgram(canonical.Bytecode, builtins); err != nil {
		return nil, err
	}
	out := &Result{Program: canonical}
	report(stageRun, 0)
	limit := uint64(maxSteps)
	if opt.MaxSteps != 0 {
		limit = min(limit, opt.MaxSteps)
	}
	res, err := vm.Run(ctx, p, input, vm.StwoConfig(limit))
	if errors.Is(err, vm.ErrSteps) && limit == maxSteps {
		return nil, fmt.Errorf("%w: component %s needs more than 2^%d rows, one a step: prove fewer transitions per run", ErrTooLong,
			cairo.NameGeneric, cairo.MaxLogHeight)
	}
	if err != nil {
		return nil, fmt.Errorf("run the program: %w", err)
	}
	ran := time.Now()
	out.Steps, out.Output, out.Opening = res.Steps, res.Output, res.Opening
	report(stageTrace, 1)
	in, err := provercairo.Witness(ctx, res)
	if err != nil {
		return nil, fmt.Errorf("fill the tables: %w", err)
	}
	out.LogN = in.LogN
	filled := time.Now()
	report(stageFixed, 2)
	head, err := verifier.NewHead(canonical, opt.Security, in.LogN, opt.Life, opt.Anchor, in.LogHeights, in.Public)
	if err != nil {
		return nil, err
	}
	out.Key = head.Key()
	pre, table, err := pr.fixed(ctx, canonical, out.Key, opt.Security, in.LogN)
	if err != nil {
		return nil, err
	}
	inst, err := head.Instance()
	if err != nil {
		return nil, err
	}
	var marks []time.Time
	proof, err := stark.Prove(ctx, inst, pre, table, &stark.Trace{Main: in.Main}, stark.Options{Progress: func(stage string, done, total int) {
		marks = append(marks, time.Now())
		report(stage, ownStages+done)
	}})
	if err != nil {
		return nil, fmt.Errorf("prove: %w", err)
	}
	if out.Proof, err = head.Encode(inst, proof); err != nil {
		return nil, err
	}
	if len(out.Proof) > verifier.MaxProofBytes {
		return nil, fmt.Errorf("the proof has %d bytes, at most %d: %w", len(out.Proof), verifier.MaxProofBytes, ErrTooLong)
	}
	shape, err := verifier.ShapeOf(inst)
	if err != nil {
		return nil, err
	}
	if out.Level, err = shape.Level(); err != nil {
		return nil, err
	}
	if len(marks) < starkStages {
		return nil, errors.New("the prover's stages are not those that are timed, please report this")
	}
	end := time.Now()
	seconds := func(from, to time.Time) float64 { return to.Sub(from).Seconds() }
	out.Seconds = Seconds{Run: seconds(start, ran), Trace: seconds(ran, filled), Commit: seconds(filled, marks[2]),
		Constraints: seconds(marks[2], marks[3]), Open: seconds(marks[3], end), Total: seconds(start, end)}
	return out, nil
}

// fixed returns the committed preprocessed and program tables for a size.
func (pr *Prover) fixed(ctx context.Context, p verifier.Program, key verifier.Key, security, logN int) (pre, table *stark.Fixed, err error) {
	params, err := verifier.Params(security, logN)
	if err != nil {
		return nil, nil, err
	}
	pr.mu.Lock()
	defer pr.mu.Unlock()
	if pre, err = pr.tables(ctx, params); err != nil {
		return nil, nil, err
	}
	if pr.program == nil || pr.programKey != key || pr.programSize != logN {
		columns, _, err := cairo.ProgramColumns(p.Bytecode)
		if err != nil {
			return nil, nil, err
		}
		if pr.program, err = stark.CommitProgram(ctx, cairo.Core(), params, columns); err != nil {
			return nil, nil, err
		}
		pr.programKey, pr.programSize = key, logN
	}
	return pre, pr.program, nil
}

// Warm commits the preprocessed tables of the smallest size and the circuits that its proofs need to become spans, so that
// the first of each need not. security as in Options.
func (pr *Prover) Warm(ctx context.Context, security int) error {
	if security == 0 {
		security = verifier.Security100
	}
	logN := verifier.PinnedSizes()[0]
	params, err := verifier.Params(security, logN)
	if err != nil {
		return err
	}
	pr.mu.Lock()
	_, err = pr.tables(ctx, params)
	pr.mu.Unlock()
	if err != nil {
		return err
	}
	for _, id := range verifier.SpanCircuits(security, logN) {
		if err := pr.warmCircuit(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// tables returns the committed preprocessed tables of a size, whatever the level: they depend on size and blow-up alone.
func (pr *Prover) tables(ctx context.Context, params vstark.Params) (*stark.Fixed, error) {
	if pre := pr.preprocessed[params.LogN]; pre != nil {
		return pre, nil
	}
	pre, err := stark.CommitPreprocessed(ctx, cairo.Core(), params, cairo.TableColumns())
	if err != nil {
		return nil, err
	}
	if pr.preprocessed == nil {
		pr.preprocessed = map[int]*stark.Fixed{}
	}
	pr.preprocessed[params.LogN] = pre
	return pre, nil
}
