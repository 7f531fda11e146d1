package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/seed06907907/fatty/cmd/internal/cli"
	"github.com/seed06907907/fatty/node"
	"github.com/seed06907907/fatty/node/home"
)

// app is what all commands share.
type app struct {
	in       io.Reader
	out, err io.Writer
	json     bool
	dir      string
}

// run is the whole program as a function of its arguments and streams.
func run(ctx context.Context, args []string, in io.Reader, out, errw io.Writer) int {
	a := &app{in: in, out: out, err: errw}
	return cli.Run(ctx, a.command(), cli.Streams{In: in, Out: out, Err: errw}, args, &a.json, func(err error) cli.ErrorBody {
		return cli.ErrorBody{Code: "failed", Message: err.Error()}
	})
}

func (a *app) print(v any) { cli.Print(a.out, v) }

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
	cli.Finish(root)
	return root
}

// docsCommand writes the man pages, for packagers; shell completion is cobra's own `fattyd completion`.
func (a *app) docsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "docs DIR", Short: "Write a man page for each command", Hidden: true, Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return cli.WriteMan(c.Root(), args[0], "8", node.Release)
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
