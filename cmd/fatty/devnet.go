package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed06907907/fatty/cmd/internal/cli"
	"github.com/seed06907907/fatty/machine"
	"github.com/seed06907907/fatty/node"
	"github.com/seed06907907/fatty/node/home"
)

// devnetOptions are what the flags of `fatty devnet` say. Durations count from the first lock taken.
type devnetOptions struct {
	forTime       time.Duration // 0: until stopped
	killAfter     time.Duration // 0: on a key press
	killValidator time.Duration // 0: none
	cadence       time.Duration
	validators    int
	machine       string
}

func (a *app) devnetCommand() *cobra.Command {
	var o devnetOptions
	c := &cobra.Command{
		Use: "devnet", Short: "All of fatty on this machine: validators, machines, a take-over", Args: cobra.NoArgs,
		Long: "Starts validators and two machines as processes of their own on loopback, with real networks, disks and proofs, and\n" +
			"prints what happens: machine A takes a lock by proof and renews it, is killed, its lease runs out, machine B takes over\n" +
			"from the last proven state. HOME/keys/client.key is an account that may grant; `fatty --home HOME` uses it. With --for it\n" +
			"ends by itself, with 0 if everything that was to be seen was seen. The home is temporary unless --home names one; with\n" +
			"--json the proof files that events name stay.",
		RunE: func(c *cobra.Command, _ []string) error {
			switch {
			case o.validators < 1 || o.validators > 16:
				return cli.Usagef("%s: --validators %d: want 1 to 16 (4 bear the loss of one)", c.CommandPath(), o.validators)
			case o.cadence < time.Second || o.cadence > 10*time.Minute:
				return cli.Usagef("%s: --cadence %s: want 1s to 10m", c.CommandPath(), o.cadence)
			case o.forTime < 0 || o.killAfter < 0 || o.killValidator < 0:
				return cli.Usagef("%s: durations are not negative", c.CommandPath())
			case o.killValidator > 0 && o.validators < 4:
				return cli.Usagef("%s: --kill-validator needs at least 4 validators: %d do not bear the loss of one", c.CommandPath(), o.validators)
			}
			return a.devnet(c.Context(), o)
		},
	}
	f := c.Flags()
	f.DurationVar(&o.forTime, "for", 0, "end after this time from the first lock taken (default: when stopped)")
	f.DurationVar(&o.killAfter, "kill-after", 0, "kill machine A this time after the first lock taken (default: on Enter)")
	f.DurationVar(&o.killValidator, "kill-validator", 0, "kill the leading validator this time after the first lock taken, and start it again a little later")
	f.DurationVar(&o.cadence, "cadence", 12*time.Second, "how often the holder renews")
	f.IntVar(&o.validators, "validators", 4, "how many validators")
	f.StringVar(&o.machine, "machine", "lcg", "an example (lcg, counter) or a machine file")
	c.AddCommand(a.devnetValidator())
	return c
}

// devnetValidator is a validator of a devnet, as its parent starts it: it prints one line when it is ready.
func (a *app) devnetValidator() *cobra.Command {
	return &cobra.Command{
		Use: "validator", Hidden: true, Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			ctx, stop := untilOrphaned(c.Context(), a.in)
			defer stop()
			h, err := a.homeDir()
			if err != nil {
				return err
			}
			level := &slog.LevelVar{}
			level.Set(slog.LevelWarn)
			log := slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: level}))
			err = node.Run(ctx, h.Dir, log, level, nil, func(n *node.Node) { fmt.Fprintln(a.out, n.API()) })
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		},
	}
}

// devnet runs one from beginning to end.
func (a *app) devnet(ctx context.Context, o devnetOptions) (err error) {
	dir, temporary := a.home, a.home == ""
	if temporary {
		if dir, err = os.MkdirTemp("", "fatty-devnet-"); err != nil {
			return coded{"home", err}
		}
	} else if dir, err = home.Dir(a.home); err != nil {
		return coded{"home", err}
	}
	plan, err := setup(dir, o.validators, o.cadence, o.machine)
	if err != nil {
		if temporary {
			_ = os.RemoveAll(dir)
		}
		return err
	}
	d := newDevnet(a, o, plan)
	ok, err := d.run(ctx)
	if temporary && ok {
		tidy(dir, a.json)
	} else if !ok && !a.json {
		fmt.Fprintf(a.err, "The homes and logs are kept in %s\n", dir)
	}
	if err != nil {
		return coded{"devnet", err}
	}
	if !ok {
		return cli.ErrReported
	}
	return nil
}

// tidy removes a temporary home. The proof files that events named stay, for whoever reads the events.
func tidy(dir string, named bool) {
	if !named {
		_ = os.RemoveAll(dir)
		return
	}
	var folders []string
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
		case e.IsDir():
			folders = append(folders, path)
		case filepath.Base(filepath.Dir(path)) != machine.ProofFolder:
			_ = os.Remove(path)
		}
		return nil
	})
	slices.Reverse(folders)
	for _, f := range folders {
		_ = os.Remove(f) // those that are empty by now
	}
}
