package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed06907907/fatty/cmd/internal/cli"
	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/verifier"
)

// verifyResult is what `fatty verify --json` prints for a proof that holds.
type verifyResult struct {
	Valid        bool           `json:"valid"`
	Kind         verifier.Kind  `json:"kind"`
	Program      string         `json:"program"`
	Key          string         `json:"key"`
	Life         string         `json:"life"`
	Anchor       string         `json:"anchor"`
	Output       []string       `json:"output,omitzero"` // of a run
	Span         *verifiedSpan  `json:"span,omitempty"`  // of a span
	SecurityBits verifier.Level `json:"security_bits"`
	Seconds      float64        `json:"seconds"`
}

// verifiedSpan is what a span proof says.
type verifiedSpan struct {
	spanEnds
	Inputs string `json:"inputs"`
}

// text is what a proof says, for people.
func (r verifyResult) text() string {
	if r.Span != nil {
		return fmt.Sprintf("span      %s\ninputs    %s", r.Span.spanEnds, r.Span.Inputs)
	}
	return fmt.Sprintf("output    [%s]", strings.Join(r.Output, ", "))
}

// expectations are what the caller wants a proof to be about; empty strings are not checked.
type expectations struct{ program, machine, life, anchor string }

func (a *app) verifyCommand() *cobra.Command {
	var want expectations
	c := &cobra.Command{
		Use: "verify PROOF", Short: "Check a proof, print its statement and its security level", Args: cobra.ExactArgs(1),
		Long: "Checks a proof file, as `fatty prove` writes them and nodes serve them, and prints what it says. The flags say what it\n" +
			"has to be about besides; a proof of something else fails.",
		RunE: func(_ *cobra.Command, args []string) error {
			if err := want.validate(); err != nil {
				return err
			}
			res, err := a.verifyFile(args[0], want)
			if err != nil {
				if !a.json {
					return err
				}
				a.print(struct {
					Valid bool          `json:"valid"`
					Error cli.ErrorBody `json:"error"`
				}{false, bodyOf(err)})
				return cli.ErrReported
			}
			a.show(res, func(w io.Writer) {
				fmt.Fprintf(w, "valid     a %s, %.1f bits proven (%.1f conjectured), checked in %.0f ms\nprogram   %s\nkey       %s\nlife      %s\nanchor    %s\n%s\n",
					res.Kind, res.SecurityBits.Proven, res.SecurityBits.Conjectured, 1000*res.Seconds, res.Program, res.Key, res.Life, res.Anchor, res.text())
			})
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&want.program, "program", "", "the program that it must be about: a compiled program's file, or a program's content id")
	f.StringVar(&want.machine, "machine", "", "the machine that it must be of, by content id; only a proof from t = 0 shows that")
	f.StringVar(&want.life, "life", "", "the life that it must carry, 32 bytes in hexadecimal")
	f.StringVar(&want.anchor, "anchor", "", "the anchor that it must carry, 32 bytes in hexadecimal")
	return c
}

func (e expectations) validate() error {
	if _, err := digestFlag("life", e.life); err != nil {
		return err
	}
	if _, err := digestFlag("anchor", e.anchor); err != nil {
		return err
	}
	if e.machine != "" {
		if _, err := wire.ParseCID(e.machine); err != nil {
			return cli.Usagef("--machine: %w", err)
		}
	}
	return nil
}

// verifyError is a refusal of the verifier with the word that scripts see.
func verifyError(err error) coded {
	code := "invalid"
	switch {
	case errors.Is(err, verifier.ErrKind):
		code = "kind"
	case errors.Is(err, verifier.ErrVersion):
		code = "version"
	case errors.Is(err, verifier.ErrFormat):
		code = "format"
	}
	return coded{code, err}
}

// verifyFile reads a proof file and checks it; an error names the file that it is about.
func (a *app) verifyFile(path string, want expectations) (verifyResult, error) {
	if want.program != "" {
		if id, err := wire.ParseCID(want.program); err == nil {
			want.program = id.String()
		} else if want.program, err = a.programID(want.program); err != nil {
			return verifyResult{}, err
		}
	}
	file, err := a.readFile(path, verifier.MaxEnvelopeBytes)
	if err != nil {
		return verifyResult{}, err
	}
	start := time.Now()
	res, err := a.verify(file, want)
	if err != nil {
		return res, coded{bodyOf(err).Code, fmt.Errorf("%s: %w", path, err)}
	}
	res.Seconds = time.Since(start).Seconds()
	return res, nil
}

// verify checks a proof file and that it is about what is wanted, the program by its content id.
func (a *app) verify(file []byte, want expectations) (verifyResult, error) {
	s, program, err := verifier.VerifyFile(file, verifier.Accept{})
	if err != nil {
		return verifyResult{}, verifyError(err)
	}
	id, err := program.CID()
	if err != nil {
		return verifyResult{}, err
	}
	res := verifyResult{Valid: true, Kind: s.Kind, Program: id.String(), Key: s.Key.String(), Life: hex.EncodeToString(s.Life[:]),
		Anchor: hex.EncodeToString(s.Anchor[:]), SecurityBits: s.Level}
	if s.Span != nil {
		res.Span = &verifiedSpan{endsOf(s.Span), s.Span.Inputs.String()}
	} else {
		res.Output = make([]string, len(s.Output))
	}
	for i := range res.Output {
		res.Output[i] = lockspace.Felt(s.Output[i]).String()
	}
	if want.program != "" && want.program != res.Program {
		return res, codedf("program", "the proof is about program %s, not %s", res.Program, want.program)
	}
	for _, d := range []struct{ name, want, got string }{{"life", want.life, res.Life}, {"anchor", want.anchor, res.Anchor}} {
		if d.want != "" && !strings.EqualFold(trim0x(d.want), d.got) {
			return res, codedf(d.name, "the proof carries %s %s, not %s", d.name, d.got, d.want)
		}
	}
	if want.machine != "" {
		err = checkMachine(s, id, want.machine)
	}
	return res, err
}

// checkMachine demands that a proof starts at a machine's t = 0, in the state that names it with the program. A proof from
// later on shows a program and a state, and those may belong to any machine that came there.
func checkMachine(s verifier.Statement, program wire.CID, want string) error {
	t0, s0, err := startOf(s)
	if err != nil {
		return coded{"machine", err}
	}
	if t0 != 0 {
		return codedf("machine", "the proof starts at t = %d: only one from t = 0 shows of which machine it is; check the program with --program, and the machine by `fatty lock holder --prove`", t0)
	}
	id, err := lockspace.MachineCID(program, s0)
	if err != nil {
		return err
	}
	if parsed, err := wire.ParseCID(want); err != nil || parsed != id {
		return codedf("machine", "the proof is of machine %s, not %s", id, want)
	}
	return nil
}

// startOf is where a proof begins: a span, or a run that has the clock ABI.
func startOf(s verifier.Statement) (uint64, lockspace.Felt, error) {
	if s.Span != nil {
		return s.Span.T0, lockspace.Felt(s.Span.S0), nil
	}
	clock, err := s.Clock()
	return clock.T0, lockspace.Felt(clock.S0), err
}
