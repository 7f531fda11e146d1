// Package cli is what the commands fatty and fattyd share: how a command line is run, what is wrong use of it, exit codes,
// JSON on standard output, and man pages.
//
// Its parts: Run, which runs a tree of commands and says what became of it; Usage and Usagef, which make wrong use;
// ErrReported; Finish, which makes cobra's own complaints wrong use; Print; WriteMan.
//
//	root := &cobra.Command{Use: "fatty", ...}
//	cli.Finish(root)
//	os.Exit(cli.Run(ctx, root, cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, os.Args[1:], &json, body))
package cli

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
)

// The exit codes that scripts rely on.
const (
	ExitOK      = 0
	ExitFailure = 1 // a refusal or a failure
	ExitUsage   = 2 // wrong use
)

// usageError is wrong use of the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Usage makes an error wrong use.
func Usage(err error) error { return usageError{err} }

// Usagef is wrong use in words.
func Usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// ErrReported ends a command that has already said what is wrong.
var ErrReported = errors.New("reported")

// ErrorBody is an error in JSON.
type ErrorBody struct {
	Code    string `json:"code"` // a word that stays
	Message string `json:"message"`
}

// Streams are where a program reads and writes.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// Run runs the commands on arguments and returns the exit code. asJSON is the value of --json, set while flags are read;
// body says what an error that is no wrong use is called.
func Run(ctx context.Context, root *cobra.Command, s Streams, args []string, asJSON *bool, body func(error) ErrorBody) int {
	root.SetArgs(args)
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	printError := func(b ErrorBody) {
		Print(s.Out, struct {
			Error ErrorBody `json:"error"`
		}{b})
	}
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return ExitOK
	case errors.Is(err, ErrReported):
		return ExitFailure
	case errors.As(err, &usage):
		if *asJSON || asksJSON(args) {
			printError(ErrorBody{"usage", err.Error()})
		} else {
			name := root.Name() + ": "
			fmt.Fprintf(s.Err, "%s%s\nRun it with --help to see how it is used.\n", name, strings.TrimPrefix(err.Error(), name))
		}
		return ExitUsage
	}
	if b := body(err); *asJSON {
		printError(b)
	} else {
		fmt.Fprintf(s.Err, "%s: %s\n", root.Name(), b.Message)
	}
	return ExitFailure
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

// Print writes one JSON object on a line of its own.
func Print(w io.Writer, v any) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // standard output is closed: there is nobody left to tell
}

// Finish makes cobra's own complaints wrong use, in a command and all below it, and lets a group without a verb say so.
func Finish(c *cobra.Command) {
	c.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	if check := c.Args; check != nil {
		c.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return Usagef("%s: %w", c.CommandPath(), err)
			}
			return nil
		}
	}
	if c.HasSubCommands() && !c.Runnable() {
		c.Args = cobra.ArbitraryArgs
		c.RunE = func(c *cobra.Command, args []string) error {
			if len(args) > 0 {
				return Usagef("%s: there is no command %q", c.CommandPath(), args[0])
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
			return Usagef("%s: say which: %s", c.CommandPath(), strings.Join(verbs, ", "))
		}
	}
	for _, s := range c.Commands() {
		Finish(s)
	}
}

// WriteMan writes a man page for each command into a folder.
func WriteMan(root *cobra.Command, dir, section, version string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root.DisableAutoGenTag = true
	return doc.GenManTree(root, &doc.GenManHeader{Title: strings.ToUpper(root.Name()), Section: section, Source: "fatty " + version}, dir)
}
