package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed06907907/fatty/client"
	"github.com/seed06907907/fatty/cmd/internal/cli"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
)

// sendPoll is how often the inbox is asked beside the events, some of which may be lost.
const sendPoll = time.Second

// sendResult is what `fatty send --json` prints.
type sendResult struct {
	Index    uint64    `json:"index"`
	T        api.Clock `json:"t"`
	Sequence uint64    `json:"sequence"`
}

func (a *app) sendCommand() *cobra.Command {
	var timeout time.Duration
	var noWait bool
	c := &cobra.Command{
		Use: "send LOCK FELT...", Short: "Send a transaction to a machine's inbox and wait for its tick", Args: cobra.MinimumNArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			op := &lockspace.Send{Path: args[0]}
			for _, s := range args[1:] {
				f, err := lockspace.ParseFelt(s)
				if err != nil {
					return cli.Usage(err)
				}
				op.Felts = append(op.Felts, f)
			}
			cl, _, err := a.writer()
			if err != nil {
				return err
			}
			defer cl.Close()
			ctx, cancel := context.WithTimeout(c.Context(), timeout)
			defer cancel()
			r, err := do(ctx, cl, op)
			if err != nil {
				return err
			}
			res := sendResult{Index: r.Inbox, Sequence: r.Sequence}
			if !noWait {
				m, err := consumed(ctx, cl, args[0], r)
				if err != nil {
					if c.Context().Err() == nil && ctx.Err() != nil {
						return codedf("timeout", "transaction %d waits in the inbox of %s and was not consumed within %s: is a machine running? see `fatty machine show %s`", r.Inbox, args[0], timeout, args[0])
					}
					return err
				}
				res.T, res.Sequence = m.T, m.Sequence
			}
			a.show(res, func(w io.Writer) {
				if noWait {
					fmt.Fprintf(w, "transaction %d waits, at sequence %d\n", res.Index, res.Sequence)
					return
				}
				fmt.Fprintf(w, "transaction %d made tick %d, at sequence %d\n", res.Index, uint64(res.T), res.Sequence)
			})
			return nil
		},
	}
	c.Flags().DurationVar(&timeout, "timeout", 2*time.Minute, "how long to wait for the tick")
	c.Flags().BoolVar(&noWait, "no-wait", false, "do not wait for the tick")
	return c
}

// consumed waits until a machine has taken the transaction that a receipt is for, and returns the machine then.
func consumed(ctx context.Context, cl *client.Client, lock string, r *api.Receipt) (*api.Machine, error) {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	events := cl.Watch(watching, lock)
	poll := time.NewTicker(sendPoll)
	defer poll.Stop()
	for {
		in, err := cl.Inbox(ctx, lock, 1)
		if err != nil {
			return nil, err
		}
		if in.Sequence >= r.Sequence && in.Next > r.Inbox {
			return cl.Machine(ctx, lock)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-events:
		case <-poll.C:
		}
	}
}
