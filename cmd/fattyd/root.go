package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"golang.org/x/term"

	"github.com/seed06907907/fatty/node"
	"github.com/seed06907907/fatty/node/home"
)

// The exit codes that scripts rely on.
const (
	exitOK      = 0
	exitFailure = 1 // a refusal or a failure
	exitUsage   = 2 // wrong use
)

// app is what all commands share.
type app struct {
	in       io.Reader
	out, err io.Writer
	json     bool
	dir      string
}

// usageError is wrong use of the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errReported ends a command that has already said what is wrong.
var errReported = errors.New("reported")

// run is the whole program as a function of its arguments and streams.
func run(ctx context.Context, args []string, in io.Reader, out, errw io.Writer) int {
	a := &app{in: in, out: out, err: errw}
	root := a.command()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errw)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errReported):
		return exitFailure
	case errors.As(err, &usage):
		if a.json || asksJSON(args) {
			a.printError("usage", err)
			return exitUsage
		}
		fmt.Fprintf(errw, "fattyd: %s\nRun it with --help to see how it is used.\n", err)
		return exitUsage
	}
	if a.json {
		a.printError("failed", err)
	} else {
		fmt.Fprintf(errw, "fattyd: %s\n", err)
	}
	return exitFailure
}

func (a *app) printError(code string, err error) {
	a.print(map[string]any{"error": map[string]string{"code": code, "message": err.Error()}})
}

// asksJSON finds --json behind a flag that could not be read, where reading ended.
func asksJSON(args []string) bool {
	for _, s := range args {
		switch s {
		case "--json":
			return true
		case "--":
			return false
		}
	}
	return false
}

func (a *app) print(v any) {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // standard output is closed: there is nobody left to tell
}

// show writes v as JSON if --json is set, and the text otherwise.
func (a *app) show(v any, format string, args ...any) {
	if a.json {
		a.print(v)
		return
	}
	fmt.Fprintf(a.out, format, args...)
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use: "fattyd", Short: "A fatty node", Version: node.Release, SilenceUsage: true, SilenceErrors: true,
		Long: "fattyd runs a node of a fatty ledger: a validator, or one that follows and serves reads.\n" +
			"It exits 0 on success, 1 on a refusal or a failure, 2 on wrong use.",
	}
	p := root.PersistentFlags()
	p.BoolVar(&a.json, "json", false, "print one JSON object for scripts")
	p.StringVar(&a.dir, "home", "", "the node's folder (default $FATTY_HOME, else ~/.fatty)")
	root.AddCommand(a.genesisCommand(), a.initCommand(), a.startCommand(), a.checkCommand(), a.docsCommand())
	finish(root)
	return root
}

// finish makes cobra's own complaints wrong use.
func finish(c *cobra.Command) {
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return usagef("%s: %w", c.CommandPath(), err)
			}
			return nil
		}
	}
	if c.HasSubCommands() && !c.Runnable() {
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("%s: there is no command %q", c.CommandPath(), args[0])
			}
			return c.Help()
		}
	}
	for _, s := range c.Commands() {
		finish(s)
	}
}

// docsCommand writes the man pages, for packagers; shell completion is cobra's own `fattyd completion`.
func (a *app) docsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "docs DIR", Short: "Write a man page for each command", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			root := c.Root()
			root.DisableAutoGenTag = true
			return doc.GenManTree(root, &doc.GenManHeader{Title: "FATTYD", Section: "8", Source: "fatty " + node.Release}, args[0])
		},
	}
}

func (a *app) homeDir() (string, error) { return home.Dir(a.dir) }

// passphrase asks for a sealed key's passphrase: the environment, else the terminal.
func (a *app) passphrase() ([]byte, error) {
	if p, ok := os.LookupEnv("FATTY_PASSPHRASE"); ok {
		return []byte(p), nil
	}
	f, ok := a.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, errors.New("the key is sealed by a passphrase: set FATTY_PASSPHRASE or run from a terminal")
	}
	fmt.Fprint(a.err, "Passphrase: ")
	b, err := term.ReadPassword(int(f.Fd()))
	fmt.Fprintln(a.err)
	return b, err
}

// plural is for the few counts that people read.
func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, strings.TrimSuffix(what, "s"))
}
