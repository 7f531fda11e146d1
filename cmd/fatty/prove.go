package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed06907907/fatty/cmd/internal/cli"
	"github.com/seed06907907/fatty/prover"
	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier"
)

// proveResult is what `fatty prove --json` prints of a run.
type proveResult struct {
	Program      string         `json:"program"`
	Key          string         `json:"key"`
	Steps        uint64         `json:"steps"`
	Output       []string       `json:"output"`
	ProofBytes   int            `json:"proof_bytes"` // of the proof; the file has the program beside it
	Seconds      prover.Seconds `json:"seconds"`
	PeakBytes    uint64         `json:"peak_bytes"`
	SecurityBits verifier.Level `json:"security_bits"`
}

// outHelp is what --out says of itself.
const outHelp = "file to write the proof to, a device or a pipe too; a folder that is not there is not made, and - is refused"

// proveFlags are what `fatty prove` is told.
type proveFlags struct {
	input, out, life, anchor string
	to                       output // out, checked
	opt                      prover.Options
	span                     bool
	cut                      cutting
	shrink                   bool
}

func (a *app) proveCommand() *cobra.Command {
	var o proveFlags
	c := &cobra.Command{
		Use: "prove PROG --input IN --out PROOF", Short: "Run a program and prove the run, or make a span of many runs", Args: cobra.ExactArgs(1),
		Long: "Runs a compiled program on an input vector and proves the run. With --span the program is a machine, and the proof is a\n" +
			"span proof of its n transitions, [t0, S0, n, k, w ..]: they are cut into runs, each is proven and wrapped, and all are\n" +
			"merged into one proof, which has the same size however many they are.",
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.read(c); err != nil {
				return err
			}
			var err error
			if o.to, err = openOutput("out", o.out); err != nil {
				return err
			}
			p, err := a.loadProgram(args[0])
			if err != nil {
				return err
			}
			in, err := a.readInput(o.input)
			if err != nil {
				return err
			}
			if o.span {
				return a.proveSpan(c.Context(), p, in, o)
			}
			return a.proveRun(c.Context(), p, in, o)
		},
	}
	f := c.Flags()
	f.StringVar(&o.input, "input", "", "file with the input vector, a JSON list of felts; - for standard input")
	f.StringVar(&o.out, "out", "", outHelp)
	f.StringVar(&o.life, "life", "", "whose the proof is, 32 bytes in hexadecimal (default zero: nobody's)")
	f.StringVar(&o.anchor, "anchor", "", "when it was made, 32 bytes in hexadecimal (default zero: any time)")
	f.IntVar(&o.opt.Security, "security", verifier.Security100, "proven bits of security: 100 or 124")
	f.Uint64Var(&o.opt.MaxSteps, "max-steps", 0, "end a run with an error after so many steps (default what one proof can hold)")
	f.BoolVar(&o.span, "span", false, "make a span proof of a machine's transitions")
	f.IntVar(&o.cut.segments, "segments", 1, "with --span: cut the transitions into so many runs")
	f.IntVar(&o.cut.transaction, "transaction", -1, "with --segments: felts in one transaction, 0 if the machine takes none (default found out)")
	f.BoolVar(&o.shrink, "shrink", false, "with --span: prove once more for the smallest proof, which cannot be merged any more")
	c.AddCommand(a.mergeCommand())
	return c
}

// read checks the flags.
func (o *proveFlags) read(c *cobra.Command) (err error) {
	switch {
	case o.input == "" || o.out == "":
		return cli.Usagef("%s: want --input FILE and --out FILE", c.CommandPath())
	case o.opt.Security != verifier.Security100 && o.opt.Security != verifier.Security124:
		return cli.Usagef("%s: --security %d: want %d or %d", c.CommandPath(), o.opt.Security, verifier.Security100, verifier.Security124)
	case !o.span && (o.shrink || c.Flags().Changed("segments") || c.Flags().Changed("transaction")):
		return cli.Usagef("%s: --segments, --transaction and --shrink say how a span is made: give --span with them", c.CommandPath())
	case o.cut.segments < 1 || o.cut.segments > maxSegments:
		return cli.Usagef("%s: --segments %d: want 1 to %d", c.CommandPath(), o.cut.segments, maxSegments)
	case o.cut.transaction < -1:
		return cli.Usagef("%s: --transaction %d: want the number of felts", c.CommandPath(), o.cut.transaction)
	}
	if o.opt.Life, err = digestFlag("life", o.life); err != nil {
		return err
	}
	o.opt.Anchor, err = digestFlag("anchor", o.anchor)
	return err
}

// proveRun proves one run.
func (a *app) proveRun(ctx context.Context, p *vm.Program, in []vm.Felt, o proveFlags) error {
	bar := a.progressBar()
	o.opt.Progress = bar.set
	r, err := prover.Prove(ctx, p, in, o.opt)
	bar.clear()
	if err != nil {
		return proveError(err)
	}
	id, err := a.writeProof(ctx, o.to, r.Program, r.Proof)
	if err != nil {
		return err
	}
	res := proveResult{Program: id, Key: r.Key.String(), Steps: r.Steps, Output: feltTexts(r.Output),
		ProofBytes: len(r.Proof), Seconds: r.Seconds, PeakBytes: peakBytes(), SecurityBits: r.Level}
	a.show(res, func(w io.Writer) {
		fmt.Fprintf(w, "program   %s\noutput    [%s]\nsteps     %d\nproof     %s, %d bytes, %.1f bits proven\nseconds   %.2f\n",
			res.Program, strings.Join(res.Output, ", "), res.Steps, o.out, res.ProofBytes, r.Level.Proven, r.Seconds.Total)
	})
	return nil
}

// proveError is why there is no proof of a run.
func proveError(err error) error {
	if errors.Is(err, prover.ErrTooLong) {
		return codedf("too_long", "%w; a machine's transitions are cut into N runs by --span --segments N", err)
	}
	return coded{"prove", err}
}

// writeProof writes a proof file and returns the program's content id.
func (a *app) writeProof(ctx context.Context, to output, p verifier.Program, proof []byte) (string, error) {
	id, err := p.CID()
	if err != nil {
		return "", err
	}
	file, err := verifier.EncodeEnvelope(p, proof)
	if err != nil {
		return "", err
	}
	return id.String(), to.write(ctx, func(w io.Writer) error {
		_, err := w.Write(file)
		return err
	})
}

// digestFlag reads an optional 32-byte flag; empty is zero.
func digestFlag(name, text string) (d [32]byte, err error) {
	if text == "" {
		return d, nil
	}
	return parseDigest(name, text)
}

// progressBar draws on a terminal and is silent elsewhere.
type progressBar struct {
	w     io.Writer
	start time.Time
	drawn bool
}

func (a *app) progressBar() *progressBar {
	b := &progressBar{start: time.Now()}
	if terminal(a.err) {
		b.w = a.err
	}
	return b
}

func (b *progressBar) set(stage string, done, total int) {
	if b.w == nil || total <= 0 {
		return
	}
	const width = 24
	full := min(width, width*done/total)
	fmt.Fprintf(b.w, "\r\x1b[K[%s%s] %s  %.0f s", strings.Repeat("#", full), strings.Repeat(".", width-full), stage, time.Since(b.start).Seconds())
	b.drawn = true
}

func (b *progressBar) clear() {
	if b.drawn {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}
