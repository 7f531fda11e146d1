package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed06907907/fatty/cmd/internal/cli"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/machine"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/prover"
	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier"
)

// spanEnds is where a span begins and ends.
type spanEnds struct {
	T0 api.Clock `json:"t0"`
	S0 string    `json:"s0"`
	T1 api.Clock `json:"t1"`
	S1 string    `json:"s1"`
}

func endsOf(s *verifier.Span) spanEnds {
	return spanEnds{T0: api.Clock(s.T0), S0: lockspace.Felt(s.S0).String(), T1: api.Clock(s.T1), S1: lockspace.Felt(s.S1).String()}
}

func (e spanEnds) String() string {
	return fmt.Sprintf("t = %d, S = %s  ->  t = %d, S = %s", uint64(e.T0), e.S0, uint64(e.T1), e.S1)
}

// spanResult is what `fatty prove --span --json` prints.
type spanResult struct {
	Program      string         `json:"program"`
	Key          string         `json:"key"`
	Steps        uint64         `json:"steps"`
	Output       []string       `json:"output"` // of one run over it all, as far as its runs tell
	ProofBytes   int            `json:"proof_bytes"`
	Segments     int            `json:"segments"`
	Span         spanEnds       `json:"span"`
	Seconds      spanSeconds    `json:"seconds"`
	PeakBytes    uint64         `json:"peak_bytes"`
	SecurityBits verifier.Level `json:"security_bits"`
}

type spanSeconds struct {
	machine.Seconds
	Shrink float64 `json:"shrink"`
}

// mergeResult is what `fatty prove merge --json` prints.
type mergeResult struct {
	Program      string         `json:"program"`
	Key          string         `json:"key"`
	ProofBytes   int            `json:"proof_bytes"`
	Span         spanEnds       `json:"span"`
	Seconds      mergeSeconds   `json:"seconds"`
	PeakBytes    uint64         `json:"peak_bytes"`
	SecurityBits verifier.Level `json:"security_bits"`
}

type mergeSeconds struct {
	Merge  float64 `json:"merge"`
	Shrink float64 `json:"shrink"`
	Total  float64 `json:"total"`
}

// proveSpan makes a span proof of a machine's transitions.
func (a *app) proveSpan(ctx context.Context, p *vm.Program, in []vm.Felt, o proveFlags) error {
	began := time.Now()
	canonical, err := prover.Canonical(p)
	if err != nil {
		return coded{"program", err}
	}
	w, err := o.cut.work(ctx, p, in)
	if err != nil {
		return err
	}
	w.Options = o.opt
	pr := new(prover.Prover)
	bar := a.progressBar()
	defer bar.clear()
	made, err := (&machine.Spanner{Prover: machine.Bound(pr, 0), Progress: bar.set}).Make(ctx, w)
	if err != nil {
		return spanError(err, w)
	}
	sec := spanSeconds{Seconds: made.Seconds}
	proof, statement := made.Proof, made.Statement
	if o.shrink {
		bar.set("shrinking", 1, 1)
		if proof, statement, err = shrink(ctx, pr, proof, &sec.Shrink); err != nil {
			return err
		}
	}
	bar.clear()
	sec.Total = time.Since(began).Seconds()
	id, err := a.writeProof(ctx, o.to, canonical, proof)
	if err != nil {
		return err
	}
	res := spanResult{Program: id, Key: statement.Key.String(), Steps: made.Steps, ProofBytes: len(proof), Segments: len(w.Runs),
		Span: endsOf(statement.Span), Seconds: sec, PeakBytes: peakBytes(), SecurityBits: statement.Level}
	res.Output = append([]string{feltText(in[0]), res.Span.S0, feltText(clockFelt(statement.Span.T1)), res.Span.S1}, sameDigest(made.Inputs)...)
	a.show(res, func(w io.Writer) {
		fmt.Fprintf(w, "program   %s\nspan      %s\nsegments  %d, %d steps\nproof     %s, %d bytes, %.1f bits proven\nseconds   %.2f, wrap %.2f, merge %.2f, shrink %.2f\n",
			res.Program, res.Span, res.Segments, res.Steps, o.out, res.ProofBytes, statement.Level.Proven, sec.Total, sec.Wrap, sec.Merge, sec.Shrink)
	})
	return nil
}

// spanError is why there is no proof of a span's runs, with what helps.
func spanError(err error, w machine.Work) error {
	runs, ticks := uint64(len(w.Runs)), uint64(0)
	for _, r := range w.Runs {
		ticks += r.Ticks
	}
	most := min(ticks, maxSegments)
	var step *vm.StepError
	switch tooLong := errors.Is(err, prover.ErrTooLong); {
	case tooLong && runs < most:
		return codedf("too_long", "%w; give more than %d by --segments, at most %d", err, runs, most)
	case tooLong && runs < ticks:
		return codedf("too_long", "%w; a span is made of at most %d runs at once: prove fewer transitions, and join such spans by `fatty prove merge`", err, runs)
	case tooLong:
		return codedf("too_long", "%w; each run has a single transition already: this machine cannot be proven", err)
	case errors.As(err, &step) && runs == 1 && ticks > 1 && ticks <= maxSegments && uint64(len(w.Runs[0].Transactions)) >= ticks:
		return codedf("prove", "%w; if the program takes one transaction a run, cut it into as many by --segments %d", err, ticks)
	}
	return coded{"prove", err}
}

// sameDigest is the digest that all runs give, as those of a machine that takes no transactions do, or nothing.
func sameDigest(inputs []vm.Felt) []string {
	for _, f := range inputs {
		if f != inputs[0] {
			return nil
		}
	}
	return feltTexts(inputs[:min(1, len(inputs))])
}

func clockFelt(t uint64) (f vm.Felt) { return *f.SetUint64(t) }

func shrink(ctx context.Context, pr *prover.Prover, span []byte, seconds *float64) ([]byte, verifier.Statement, error) {
	r, err := pr.Shrink(ctx, span)
	if err != nil {
		return nil, verifier.Statement{}, mergeError("the span", err)
	}
	*seconds = r.Seconds
	return r.Proof, r.Statement, nil
}

func (a *app) mergeCommand() *cobra.Command {
	var out string
	var small bool
	c := &cobra.Command{
		Use: "merge LEFT RIGHT --out SPAN", Short: "Join two span proofs that meet into one", Args: cobra.ExactArgs(2),
		Long: "Joins two span proofs of one program, of which the first ends where the second begins. What both are for, life and\n" +
			"anchor, stays where they agree and is zero where they do not.",
		RunE: func(c *cobra.Command, args []string) error {
			if out == "" {
				return cli.Usagef("%s: want --out FILE", c.CommandPath())
			}
			began := time.Now()
			to, err := openOutput("out", out)
			if err != nil {
				return err
			}
			left, err := a.readSpan(args[0])
			if err != nil {
				return err
			}
			right, err := a.readSpan(args[1])
			if err != nil {
				return err
			}
			if err := meet(left, right); err != nil {
				return err
			}
			pr := new(prover.Prover)
			r, err := pr.Merge(c.Context(), left.proof, right.proof)
			if err != nil {
				return mergeError(fmt.Sprintf("%s and %s", args[0], args[1]), err)
			}
			proof, s, sec := r.Proof, r.Statement, mergeSeconds{Merge: r.Seconds}
			if small {
				if proof, s, err = shrink(c.Context(), pr, proof, &sec.Shrink); err != nil {
					return err
				}
			}
			sec.Total = time.Since(began).Seconds()
			id, err := a.writeProof(c.Context(), to, left.program, proof)
			if err != nil {
				return err
			}
			res := mergeResult{Program: id, Key: s.Key.String(), ProofBytes: len(proof), Span: endsOf(s.Span), Seconds: sec, PeakBytes: peakBytes(), SecurityBits: s.Level}
			a.show(res, func(w io.Writer) {
				fmt.Fprintf(w, "program   %s\nspan      %s\nproof     %s, %d bytes, %.1f bits proven\nseconds   %.2f\n", res.Program, res.Span, out, res.ProofBytes, s.Level.Proven, sec.Total)
			})
			return nil
		},
	}
	c.Flags().StringVar(&out, "out", "", outHelp)
	c.Flags().BoolVar(&small, "shrink", false, "prove once more for the smallest proof, which cannot be merged any more")
	return c
}

// spanFile is a span proof that was read and holds.
type spanFile struct {
	path    string
	proof   []byte
	program verifier.Program
	verifier.Statement
}

// readSpan reads a span proof's file and checks it: what does not hold cannot be merged, and here its error is clear.
func (a *app) readSpan(path string) (f spanFile, err error) {
	file, err := a.readFile(path, verifier.MaxEnvelopeBytes)
	if err != nil {
		return f, err
	}
	f.path = path
	f.Statement, f.program, err = verifier.VerifyFile(file, verifier.Accept{Kind: verifier.KindSpan})
	if errors.Is(err, verifier.ErrKind) {
		return f, codedf("kind", "%s is the proof of one run, and spans are merged: make it with `fatty prove --span`", path)
	}
	if err != nil {
		c := verifyError(err)
		return f, coded{c.code, fmt.Errorf("%s: %w", path, c.error)}
	}
	_, f.proof, err = verifier.DecodeEnvelope(file)
	return f, err
}

// mergeError is why the prover made no proof, with the word that scripts see.
func mergeError(what string, err error) error {
	code := "prove"
	switch {
	case errors.Is(err, verifier.ErrShrunk):
		code = "shrunk"
	case errors.Is(err, verifier.ErrLevel):
		code = "level"
	}
	return coded{code, fmt.Errorf("%s: %w", what, err)}
}

// meet demands that the left span ends where the right one begins.
func meet(left, right spanFile) error {
	l, r := left.Span, right.Span
	switch {
	case left.Key != right.Key:
		return codedf("program", "%s is about the program with key %s, %s about %s: spans of one program are merged", left.path, left.Key, right.path, right.Key)
	case l.T1 == r.T0 && l.S1 == r.S0:
		return nil
	case r.T1 <= l.T0:
		return codedf("order", "%s ends at t = %d, and %s begins only at t = %d: give them the other way round", right.path, r.T1, left.path, l.T0)
	case l.T1 < r.T0:
		return codedf("gap", "%s ends at t = %d and %s begins at t = %d: the span between them is missing", left.path, l.T1, right.path, r.T0)
	case l.T1 > r.T0:
		return codedf("overlap", "%s ends at t = %d, after %s begins at t = %d: spans are merged that meet", left.path, l.T1, right.path, r.T0)
	}
	return codedf("state", "%s ends in S = %s, %s begins in S = %s at the same t = %d: they are of different machines", left.path, lockspace.Felt(l.S1), right.path, lockspace.Felt(r.S0), l.T1)
}
