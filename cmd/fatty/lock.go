package main

import (
	"context"
	"errors"
	"fmt"
	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/client"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
)

func (a *app) lockCommand() *cobra.Command {
	c := &cobra.Command{Use: "lock", Short: "Files, directories and who holds their locks"}
	c.AddCommand(a.lockList(), a.lockStat(), a.lockGet(), a.lockPut(), a.lockHolder(), a.lockWatch())
	return c
}

func (a *app) lockList() *cobra.Command {
	return &cobra.Command{
		Use: "ls [PATH]", Short: "List a directory", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.reader()
			if err != nil {
				return err
			}
			defer cl.Close()
			path := "/"
			if len(args) == 1 {
				path = args[0]
			}
			all := api.List{Children: []api.Child{}}
			for cursor := ""; ; {
				page, err := cl.List(c.Context(), path, cursor, lockspace.MaxList)
				if err != nil {
					return err
				}
				all.Children, all.Sequence = append(all.Children, page.Children...), page.Sequence
				if cursor = page.Cursor; cursor == "" {
					break
				}
			}
			a.show(all, func(w io.Writer) {
				for _, e := range all.Children {
					mark, rest := "", ""
					if e.Directory {
						mark = "/"
					}
					if e.Locked {
						rest = "  locked"
					}
					if e.Machine != "" {
						rest += "  machine " + e.Machine
					}
					fmt.Fprintf(w, "%s%s%s\n", e.Name, mark, rest)
				}
			})
			return nil
		},
	}
}

func (a *app) lockStat() *cobra.Command {
	return &cobra.Command{
		Use: "stat PATH", Short: "Show a node's generations and checksum", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.reader()
			if err != nil {
				return err
			}
			defer cl.Close()
			s, err := cl.Stat(c.Context(), args[0])
			if err != nil {
				return err
			}
			a.show(s, func(w io.Writer) {
				kind := "file"
				if s.Directory {
					kind = "directory"
				}
				fmt.Fprintf(w, "%s  %s\ninstance %d, content generation %d, lock generation %d\n", s.Path, kind, s.Instance, s.ContentGeneration, s.LockGeneration)
				if s.Directory {
					fmt.Fprintf(w, "%d children\n", s.Children)
				} else {
					fmt.Fprintf(w, "%d bytes, checksum %s\nlocked: %t\n", s.Length, s.Checksum, s.Locked)
				}
				if s.Machine != "" {
					fmt.Fprintf(w, "machine %s\n", s.Machine)
				}
			})
			return nil
		},
	}
}

func (a *app) lockGet() *cobra.Command {
	return &cobra.Command{
		Use: "get PATH", Short: "Print a file's content", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.reader()
			if err != nil {
				return err
			}
			defer cl.Close()
			v, err := cl.Get(c.Context(), args[0])
			if err != nil {
				return err
			}
			a.show(v, func(w io.Writer) { _, _ = w.Write(v.Data) })
			return nil
		},
	}
}

func (a *app) lockPut() *cobra.Command {
	var parents bool
	var expect int64
	c := &cobra.Command{
		Use: "put PATH FILE", Short: "Write a file; - takes standard input", Args: cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			b, err := a.readFile(args[1], lockspace.MaxContent)
			if err != nil {
				return err
			}
			cl, _, err := a.writer()
			if err != nil {
				return err
			}
			defer cl.Close()
			op := &lockspace.Put{Path: args[0], Content: b}
			if expect >= 0 {
				g := uint64(expect)
				op.Expect = &g
			}
			if parents {
				for i := 1; i < len(args[0]); i++ {
					if args[0][i] != '/' {
						continue
					}
					dir := args[0][:i]
					if _, err := cl.Stat(c.Context(), dir); api.CodeOf(err) != api.CodeNotFound {
						continue
					}
					if _, err := do(c.Context(), cl, &lockspace.Mkdir{Path: dir}); err != nil && bodyOf(err).Code != string(lockspace.CodeExists) {
						return err
					}
				}
			}
			r, err := do(c.Context(), cl, op)
			if err != nil {
				return err
			}
			a.show(r, func(w io.Writer) { fmt.Fprintf(w, "%s: %d bytes, at sequence %d\n", args[0], len(b), r.Sequence) })
			return nil
		},
	}
	c.Flags().BoolVar(&parents, "parents", false, "make the directories above it that are not there")
	c.Flags().Int64Var(&expect, "expect", -1, "write only over this content generation; 0: only a new file (default any)")
	return c
}

// holderResult is what `fatty lock holder --json` prints.
type holderResult struct {
	Lock      string    `json:"lock"`
	Machine   string    `json:"machine,omitempty"`
	Program   string    `json:"program,omitempty"`
	Holder    string    `json:"holder"`
	Addresses []string  `json:"addresses"`
	T         api.Clock `json:"t"`
	State     string    `json:"state,omitempty"`
	LeaseEnd  api.Time  `json:"lease_end"`
	Sequencer string    `json:"sequencer"`
	Sequence  uint64    `json:"sequence"`
	Verified  bool      `json:"verified"`
}

func (a *app) lockWatch() *cobra.Command {
	var from uint64
	c := &cobra.Command{
		Use: "watch [PATH]", Short: "Print events under a path as they happen, until stopped", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.reader()
			if err != nil {
				return err
			}
			defer cl.Close()
			path := "/"
			if len(args) == 1 {
				path = args[0]
			}
			return a.watch(c.Context(), cl, path, from)
		},
	}
	c.Flags().Uint64Var(&from, "from", 0, "number of the first event; 0: from now on")
	return c
}

func (a *app) printEvent(e api.Event) {
	a.show(e, func(w io.Writer) {
		var rest []string
		if e.Holder != "" {
			rest = append(rest, "holder "+e.Holder)
		}
		if e.Machine != "" {
			rest = append(rest, fmt.Sprintf("t = %d", uint64(e.T)))
		}
		if e.Detail != "" {
			rest = append(rest, e.Detail)
		}
		fmt.Fprintf(w, "%s  %-18s %s  %s\n", e.Time.Format("15:04:05.000"), e.Kind, e.Path, strings.Join(rest, ", "))
	})
}

func (a *app) watch(ctx context.Context, cl *client.Client, path string, from uint64) error {
	if _, err := cl.Head(ctx); err != nil { // a watch dials for ever: say now if nobody is there
		return err
	}
	for e := range cl.WatchFrom(ctx, path, from) {
		a.printEvent(e)
	}
	return nil
}

func (a *app) lockHolder() *cobra.Command {
	var prove bool
	c := &cobra.Command{
		Use: "holder PATH|CID", Short: "Show who holds a lock, where they are, how far their clock has come", Args: cobra.ExactArgs(1),
		Long: "Takes a path, a lock's content id or a machine's. With --prove the answer is checked here: 2f+1 of the validators in\n" +
			"HOME/genesis.json signed the state's root, and the blocks from that root to the record show the answer.",
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.reader()
			if err != nil {
				return err
			}
			defer cl.Close()
			res, when, err := a.holder(c.Context(), cl, args[0], prove)
			if err != nil {
				return err
			}
			a.show(res, func(w io.Writer) {
				fmt.Fprintf(w, "lock       %s\nholder     %s\naddresses  %s\n", res.Lock, res.Holder, strings.Join(res.Addresses, " "))
				if res.Machine != "" {
					fmt.Fprintf(w, "machine    %s\nprogram    %s\nt          %d\nstate      %s\n", res.Machine, res.Program, uint64(res.T), res.State)
				}
				fmt.Fprintf(w, "lease      until %s\nsequencer  %s\nsequence   %d\n", res.LeaseEnd.Format(time.RFC3339), res.Sequencer, res.Sequence)
				if prove {
					fmt.Fprintf(w, "verified   by the validators' signatures, as of %s\n", when.Format(time.RFC3339Nano))
				} else {
					fmt.Fprintln(w, "verified   no, this is the node's word: --prove checks it")
				}
			})
			return nil
		},
	}
	c.Flags().BoolVar(&prove, "prove", false, "check the answer against the validators' signatures")
	return c
}

// holder asks who holds a lock, and checks the answer if that is wanted.
func (a *app) holder(ctx context.Context, cl *client.Client, lock string, prove bool) (*holderResult, time.Time, error) {
	if !prove {
		h, err := cl.Holder(ctx, lock)
		if err != nil {
			return nil, time.Time{}, err
		}
		return &holderResult{Lock: h.Lock, Machine: h.Machine, Program: h.Program, Holder: h.Holder, Addresses: h.Addresses, T: h.T, State: h.State,
			LeaseEnd: h.LeaseEnd, Sequencer: h.Sequencer, Sequence: h.Sequence}, time.Time{}, nil
	}
	trust, err := a.trust()
	if err != nil {
		return nil, time.Time{}, err
	}
	h, cert, err := cl.VerifiedHolder(ctx, trust, lock)
	switch {
	case errors.Is(err, client.ErrFree):
		return nil, time.Time{}, coded{"not_held", err}
	case errors.Is(err, client.ErrUnproven):
		return nil, time.Time{}, coded{"unproven", err}
	case errors.Is(err, client.ErrStale):
		return nil, time.Time{}, coded{"stale", err}
	case err != nil:
		return nil, time.Time{}, err
	}
	out := &holderResult{Lock: h.Path, Holder: h.Peer, Addresses: append([]string{}, h.Addresses...), LeaseEnd: api.FromNano(int64(h.Ends)),
		Sequencer: h.Sequencer.String(), Sequence: cert.Sequence, Verified: true}
	if m := h.Machine; m != nil {
		out.Machine, out.Program, out.T, out.State = m.ID.String(), m.Program.String(), api.Clock(m.T), m.S.String()
	}
	return out, cert.Time, nil
}

// trust is what the home's genesis says of the chain and its validators.
func (a *app) trust() (client.Trust, error) {
	g, err := a.genesis()
	if err != nil {
		return client.Trust{}, err
	}
	t := client.Trust{Chain: g.ChainID()}
	for _, v := range g.Validators {
		card, err := v.Card()
		if err != nil {
			return t, coded{"no_genesis", err}
		}
		t.Validators = append(t.Validators, bft.Validator{ID: card.Key, Weight: 1})
	}
	return t, nil
}
