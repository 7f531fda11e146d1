package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"sort"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed06907907/fatty/cmd/internal/cli"
	"github.com/seed06907907/fatty/prover"
	"github.com/seed06907907/fatty/prover/vm"
)

func (a *app) programCommand() *cobra.Command {
	c := &cobra.Command{Use: "program", Short: "A compiled Cairo program: what it is, its content id, a run of it"}
	c.AddCommand(a.programInspect(), a.programCID(), a.programRun())
	return c
}

// inspection is what `fatty program inspect --json` prints.
type inspection struct {
	Program  string   `json:"program"`
	Key      string   `json:"key,omitempty"`
	Provable bool     `json:"provable"`
	Reason   string   `json:"reason,omitempty"` // why it is not provable
	Kind     string   `json:"kind"`
	Bytecode int      `json:"bytecode"` // felts
	Builtins []string `json:"builtins"`
	Entry    uint64   `json:"entry"`
}

func (a *app) programInspect() *cobra.Command {
	return &cobra.Command{
		Use: "inspect PROG", Short: "Show kind, entry, builtins, content id and key", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			p, err := a.loadProgram(args[0])
			if err != nil {
				return err
			}
			out := inspection{Kind: p.Kind.String(), Bytecode: len(p.Bytecode), Entry: p.Entry}
			_, out.Builtins, _ = p.Canonical()
			canonical, err := prover.Canonical(p)
			if err != nil {
				out.Reason = err.Error()
			} else if id, err := canonical.CID(); err != nil {
				out.Reason = err.Error()
			} else {
				out.Program = id.String()
				if key, err := canonical.Key(); err != nil {
					out.Reason = err.Error()
				} else {
					out.Key, out.Provable = key.String(), true
				}
			}
			a.show(out, func(w io.Writer) {
				fmt.Fprintf(w, "kind      %s\nbytecode  %d felts\nbuiltins  %s\nentry     %d\n", out.Kind, out.Bytecode, strings.Join(out.Builtins, " "), out.Entry)
				if out.Program != "" {
					fmt.Fprintf(w, "program   %s\n", out.Program)
				}
				if out.Provable {
					fmt.Fprintf(w, "key       %s\n", out.Key)
				} else {
					fmt.Fprintf(w, "key       none, it cannot be proven: %s\n", out.Reason)
				}
			})
			return nil
		},
	}
}

func (a *app) programCID() *cobra.Command {
	return &cobra.Command{
		Use: "cid PROG", Short: "Print the content id of the canonical program", Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			id, err := a.programID(args[0])
			if err != nil {
				return err
			}
			a.show(map[string]string{"program": id}, func(w io.Writer) { fmt.Fprintln(w, id) })
			return nil
		},
	}
}

// programID loads a program file and returns its content id.
func (a *app) programID(path string) (string, error) {
	p, err := a.loadProgram(path)
	if err != nil {
		return "", err
	}
	canonical, err := prover.Canonical(p)
	if err != nil {
		return "", coded{"program", err}
	}
	id, err := canonical.CID()
	if err != nil {
		return "", coded{"program", err}
	}
	return id.String(), nil
}

// runResult is what `fatty program run --json` prints.
type runResult struct {
	Program  string         `json:"program"`
	Steps    uint64         `json:"steps"`
	Output   []string       `json:"output"`
	Builtins map[string]int `json:"builtins"`
	Opening  []string       `json:"opening,omitempty"`
	Seconds  float64        `json:"seconds"`
}

func (a *app) programRun() *cobra.Command {
	var input, trace, memory, public string
	var noPad bool
	cfg := vm.Config{}
	c := &cobra.Command{
		Use: "run PROG --input IN", Short: "Run a program on an input vector", Args: cobra.ExactArgs(1),
		Long: "Runs a Cairo 0 program or a Cairo 2 executable, told apart by content. IN is a JSON list of felts, numbers or\n" +
			"decimal or 0x strings; - reads it from standard input. The trace, memory and public-input files have the reference\n" +
			"VM's binary and JSON formats, the memory sorted by address.",
		RunE: func(c *cobra.Command, args []string) error {
			if input == "" {
				return cli.Usagef("%s: name the input vector with --input FILE", c.CommandPath())
			}
			if noPad && !cfg.ProofMode {
				return cli.Usagef("%s: --no-pad says how --proof-mode ends, and goes with it", c.CommandPath())
			}
			if public != "" && !cfg.ProofMode {
				return cli.Usagef("%s: only a run with --proof-mode has a public input", c.CommandPath())
			}
			files := []*runFile{{flag: "trace", path: trace}, {flag: "memory", path: memory}, {flag: "public", path: public}}
			for _, f := range files {
				if err := f.open(); err != nil {
					return err
				}
			}
			p, err := a.loadProgram(args[0])
			if err != nil {
				return err
			}
			in, err := a.readInput(input)
			if err != nil {
				return err
			}
			cfg.Pad = cfg.ProofMode && !noPad
			// As the reference runners of both compilers have it: holes are filled for executables and for S-two.
			cfg.FillHoles = p.Kind == vm.Cairo2 || noPad
			start := time.Now()
			r, err := vm.Run(c.Context(), p, in, cfg)
			if err != nil {
				return coded{"run", err}
			}
			seconds := time.Since(start).Seconds()
			for i, write := range []func(io.Writer) error{r.WriteTrace, r.WriteMemory, r.WritePublicInput} {
				if err := files[i].write(c.Context(), write); err != nil {
					return err
				}
			}
			out := runResult{Steps: r.Steps, Output: feltTexts(r.Output), Builtins: r.BuiltinInstances, Seconds: seconds}
			if r.Opening != nil {
				out.Opening = feltTexts(r.Opening)
			}
			if canonical, err := prover.Canonical(p); err == nil { // a program that cannot be proven may have no id
				if id, err := canonical.CID(); err == nil {
					out.Program = id.String()
				}
			}
			a.show(out, func(w io.Writer) {
				fmt.Fprintf(w, "%d steps in %.3f s\n", out.Steps, out.Seconds)
				for _, name := range sortedKeys(out.Builtins) {
					fmt.Fprintf(w, "%s: %d\n", name, out.Builtins[name])
				}
				fmt.Fprintf(w, "output: [%s]\n", strings.Join(out.Output, ", "))
				if out.Opening != nil {
					fmt.Fprintf(w, "opening: [%s]\n", strings.Join(out.Opening, ", "))
				}
			})
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&input, "input", "", "file with the input vector, a JSON list of felts; - for standard input")
	f.StringVar(&cfg.Layout, "layout", "", "plain, small, starknet, starknet_with_keccak, all_cairo or all_cairo_stwo (default all_cairo_stwo)")
	f.BoolVar(&cfg.ProofMode, "proof-mode", false, "run as a prover needs it, from the proof-mode entry with all builtins of the layout")
	f.BoolVar(&noPad, "no-pad", false, "with --proof-mode: do not go on to a power of two of steps")
	f.Uint64Var(&cfg.MaxSteps, "max-steps", vm.DefaultMaxSteps, "end the run with an error after so many steps, padding included")
	f.StringVar(&trace, "trace", "", "write the trace here")
	f.StringVar(&memory, "memory", "", "write the memory here")
	f.StringVar(&public, "public", "", "write the public input here")
	return c
}

func sortedKeys[V any](m map[string]V) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// runFile is a file that a run's caller may ask for.
type runFile struct {
	flag, path string
	to         output
}

func (f *runFile) open() (err error) {
	if f.path != "" {
		f.to, err = openOutput(f.flag, f.path)
	}
	return err
}

func (f *runFile) write(ctx context.Context, write func(io.Writer) error) error {
	if f.path == "" {
		return nil
	}
	return f.to.write(ctx, func(w io.Writer) error {
		b := bufio.NewWriterSize(w, 1<<20)
		if err := write(b); err != nil {
			return err
		}
		return b.Flush()
	})
}
