package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"golang.org/x/term"

	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/node/home"
)

// The exit codes that scripts rely on.
const (
	exitOK      = 0
	exitFailure = 1 // a refusal or a failure
	exitUsage   = 2 // wrong use
)

// app is what all commands share: where they read and write, and the global flags.
type app struct {
	in       io.Reader
	out, err io.Writer

	json  bool
	home  string
	nodes []string
	key   string
}

// usageError is wrong use of the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// coded is an error with the stable word that scripts see.
type coded struct {
	code string
	error
}

func (e coded) Unwrap() error { return e.error }

func codedf(code, format string, args ...any) error { return coded{code, fmt.Errorf(format, args...)} }

// errReported ends a command that has already written its one JSON object.
var errReported = errors.New("reported")

// errorBody is an error in JSON.
type errorBody struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

func bodyOf(err error) errorBody {
	b := errorBody{Code: "failed", Message: err.Error()}
	var c coded
	var e *api.Error
	switch {
	case errors.As(err, &c):
		b.Code = c.code
	case errors.As(err, &e):
		b.Code = e.Name()
	case lockspace.CodeOf(err) != "":
		b.Code = string(lockspace.CodeOf(err))
	case errors.Is(err, context.Canceled):
		b.Code, b.Message = "interrupted", "interrupted"
	}
	return b
}

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
			a.printError(errorBody{"usage", err.Error()})
			return exitUsage
		}
		fmt.Fprintf(errw, "fatty: %s\nRun it with --help to see how it is used.\n", strings.TrimPrefix(err.Error(), "fatty: "))
		return exitUsage
	}
	if a.json {
		a.printError(bodyOf(err))
	} else {
		fmt.Fprintf(errw, "fatty: %s\n", bodyOf(err).Message)
	}
	return exitFailure
}

func (a *app) printError(b errorBody) {
	a.print(struct {
		Error errorBody `json:"error"`
	}{b})
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

// print writes one JSON object on a line of its own.
func (a *app) print(v any) {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // standard output is closed: there is nobody left to tell
}

// show writes v as JSON if --json is set, and otherwise calls people.
func (a *app) show(v any, people func(w io.Writer)) {
	if a.json {
		a.print(v)
		return
	}
	people(a.out)
}

// terminal says whether a stream is one that a person looks at.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// version is the module's version as the build knows it.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

func (a *app) command() *cobra.Command {
	root := &cobra.Command{
		Use:   "fatty",
		Short: "A lock service where a holder proves its work",
		Long: "fatty works with compiled Cairo programs, proofs of their runs, and locks that machines keep by such proofs.\n" +
			"It exits 0 on success, 1 on a refusal or a failure, 2 on wrong use.",
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	p := root.PersistentFlags()
	p.BoolVar(&a.json, "json", false, "print one JSON object for scripts")
	p.StringVar(&a.home, "home", "", "folder with keys and the node's address (default $FATTY_HOME, else ~/.fatty)")
	p.StringSliceVar(&a.nodes, "node", nil, "address of a node's JSON-RPC, http://HOST:PORT; several are tried in turn (default $FATTY_NODE, else HOME/api)")
	p.StringVar(&a.key, "key", "", "key file that signs (default $FATTY_KEY, else HOME/keys/client.key)")
	root.AddCommand(a.devnetCommand(), a.programCommand(), a.proveCommand(), a.verifyCommand(), a.keyCommand(), a.machineCommand(),
		a.accountCommand(), a.lockCommand(), a.findCommand(), a.sendCommand(), a.statusCommand(), a.docsCommand())
	a.finish(root)
	return root
}

// finish makes cobra's own complaints wrong use, and lets a group without a verb say so.
func (a *app) finish(c *cobra.Command) {
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
			if !c.HasParent() {
				return c.Help()
			}
			var verbs []string
			for _, s := range c.Commands() {
				if s.IsAvailableCommand() {
					verbs = append(verbs, s.Name())
				}
			}
			return usagef("%s: say which: %s", c.CommandPath(), strings.Join(verbs, ", "))
		}
	}
	for _, s := range c.Commands() {
		a.finish(s)
	}
}

// docsCommand writes the man pages, for packagers; shell completion is cobra's own `fatty completion`.
func (a *app) docsCommand() *cobra.Command {
	c := &cobra.Command{Use: "docs", Short: "Write the documentation of the commands", Hidden: true}
	c.AddCommand(&cobra.Command{
		Use: "man DIR", Short: "Write a man page for each command", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			root := c.Root()
			root.DisableAutoGenTag = true
			return doc.GenManTree(root, &doc.GenManHeader{Title: "FATTY", Section: "1", Source: "fatty " + version()}, args[0])
		},
	})
	return c
}

// homeDir is the home that the flags and the environment name.
func (a *app) homeDir() (*home.Home, error) {
	dir, err := home.Dir(a.home)
	if err != nil {
		return nil, err
	}
	return home.At(dir), nil
}

// keyPath is the key file that signs.
func (a *app) keyPath() (string, error) {
	if a.key != "" {
		return a.key, nil
	}
	if e := os.Getenv("FATTY_KEY"); e != "" {
		return e, nil
	}
	h, err := a.homeDir()
	if err != nil {
		return "", err
	}
	return h.ClientKey(), nil
}
