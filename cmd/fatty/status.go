package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed06907907/fatty/client"
)

// statusEvery is how often `fatty status --watch` asks.
const statusEvery = time.Second

func (a *app) statusCommand() *cobra.Command {
	var watch bool
	c := &cobra.Command{
		Use: "status", Short: "Show a node: peers, view, height, lag, leases", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			cl, err := a.reader()
			if err != nil {
				return err
			}
			defer cl.Close()
			for {
				if err := a.showStatus(c.Context(), cl); err != nil || !watch {
					return err
				}
				t := time.NewTimer(statusEvery)
				select {
				case <-t.C:
				case <-c.Context().Done():
					t.Stop()
					return nil
				}
			}
		},
	}
	c.Flags().BoolVar(&watch, "watch", false, "ask again every second until stopped")
	return c
}

func (a *app) showStatus(ctx context.Context, cl *client.Client) error {
	s, err := cl.Status(ctx)
	if err != nil {
		return err
	}
	a.show(s, func(w io.Writer) {
		ready := "ready"
		if !s.Ready {
			ready = "not ready: " + s.Reason
		}
		fmt.Fprintf(w, "%s  %s of chain %s, %s\npeer      %s\nlistens   %s\npeers     %d\nview      %d, leader %s\nsequence  %d executed, %d committed, at %s\nleases    %d\n",
			s.Name, s.Role, s.Chain, ready, s.Peer, strings.Join(s.Listen, " "), s.Peers, s.View, s.Leader, s.Sequence, s.Committed, s.Time.Format(time.RFC3339), s.Leases)
	})
	return nil
}

func (a *app) findCommand() *cobra.Command {
	return &cobra.Command{
		Use: "find CID", Short: "Show who runs a program or a machine, or holds a lock", Args: cobra.ExactArgs(1),
		Long: "Asks the node for the DHT's provider records of a content id and checks them against the lock space: anyone can make\n" +
			"a record, and only a holder is one.",
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.reader()
			if err != nil {
				return err
			}
			defer cl.Close()
			f, err := cl.Find(c.Context(), args[0])
			if err != nil {
				return err
			}
			a.show(f, func(w io.Writer) {
				fmt.Fprintf(w, "%s is a %s\n", f.CID, f.Kind)
				for _, h := range f.Holders {
					fmt.Fprintf(w, "held      %s by %s, t = %d, until %s %s\n", h.Lock, h.Holder, uint64(h.T), h.LeaseEnd.Format(time.RFC3339), strings.Join(h.Addresses, " "))
				}
				for _, p := range f.Providers {
					says := "a hint that the lock space does not confirm"
					if p.Checked {
						says = "a holder"
					}
					fmt.Fprintf(w, "provider  %s (%s) %s\n", p.Peer, says, strings.Join(p.Addresses, " "))
				}
			})
			return nil
		},
	}
}
