package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/seed06907907/fatty/cmd/internal/cli"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/node/home"
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

// coded is an error with the stable word that scripts see.
type coded struct {
	code string
	error
}

func (e coded) Unwrap() error { return e.error }

func codedf(code, format string, args ...any) error { return coded{code, fmt.Errorf(format, args...)} }

// bodyOf is an error in JSON.
func bodyOf(err error) cli.ErrorBody {
	b := cli.ErrorBody{Code: "failed", Message: err.Error()}
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
	return cli.Run(ctx, a.command(), cli.Streams{In: in, Out: out, Err: errw}, args, &a.json, bodyOf)
}

// print writes one JSON object on a line of its own.
func (a *app) print(v any) { cli.Print(a.out, v) }

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
	cli.Finish(root)
	return root
}

// docsCommand writes the man pages, for packagers; shell completion is cobra's own `fatty completion`.
func (a *app) docsCommand() *cobra.Command {
	c := &cobra.Command{Use: "docs", Short: "Write the documentation of the commands", Hidden: true}
	c.AddCommand(&cobra.Command{
		Use: "man DIR", Short: "Write a man page for each command", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return cli.WriteMan(c.Root(), args[0], "1", version())
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
