package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed06907907/fatty/node/home"
	"github.com/seed06907907/fatty/prover"
	"github.com/seed06907907/fatty/verifier"
)

// proveResult is what `fatty prove --json` prints.
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

func (a *app) proveCommand() *cobra.Command {
	var input, out, life, anchor string
	var security int
	var maxSteps uint64
	c := &cobra.Command{
		Use: "prove PROG --input IN --out PROOF", Short: "Run a program and prove the run", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			opt := prover.Options{Security: security, MaxSteps: maxSteps}
			switch {
			case input == "" || out == "":
				return usagef("%s: want --input FILE and --out FILE", c.CommandPath())
			case security != verifier.Security100 && security != verifier.Security124:
				return usagef("%s: --security %d: want %d or %d", c.CommandPath(), security, verifier.Security100, verifier.Security124)
			}
			var err error
			if opt.Life, err = digestFlag("life", life); err != nil {
				return err
			}
			if opt.Anchor, err = digestFlag("anchor", anchor); err != nil {
				return err
			}
			p, err := a.loadProgram(args[0])
			if err != nil {
				return err
			}
			in, err := a.readInput(input)
			if err != nil {
				return err
			}
			bar := a.progressBar()
			opt.Progress = bar.set
			r, err := prover.Prove(c.Context(), p, in, opt)
			bar.clear()
			if err != nil {
				return coded{"prove", err}
			}
			file, err := verifier.EncodeEnvelope(r.Program, r.Proof)
			if err != nil {
				return err
			}
			if err := home.WriteAtomic(out, file, 0o644); err != nil {
				return coded{"write", err}
			}
			id, err := r.Program.CID()
			if err != nil {
				return err
			}
			res := proveResult{Program: id.String(), Key: r.Key.String(), Steps: r.Steps, Output: feltTexts(r.Output),
				ProofBytes: len(r.Proof), Seconds: r.Seconds, PeakBytes: peakBytes(), SecurityBits: r.Level}
			a.show(res, func(w io.Writer) {
				fmt.Fprintf(w, "program   %s\noutput    [%s]\nsteps     %d\nproof     %s, %d bytes, %.1f bits proven\nseconds   %.2f\n",
					res.Program, strings.Join(res.Output, ", "), res.Steps, out, res.ProofBytes, r.Level.Proven, r.Seconds.Total)
			})
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&input, "input", "", "file with the input vector, a JSON list of felts; - for standard input")
	f.StringVar(&out, "out", "", "file to write the proof to")
	f.StringVar(&life, "life", "", "whose the proof is, 32 bytes in hexadecimal (default zero: nobody's)")
	f.StringVar(&anchor, "anchor", "", "when it was made, 32 bytes in hexadecimal (default zero: any time)")
	f.IntVar(&security, "security", verifier.Security100, "proven bits of security: 100 or 124")
	f.Uint64Var(&maxSteps, "max-steps", 0, "end the run with an error after so many steps (default what one proof can hold)")
	return c
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
