package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed06907907/fatty/cmd/internal/cli"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
)

func (a *app) accountCommand() *cobra.Command {
	c := &cobra.Command{Use: "account", Short: "Who may write, with which quotas"}
	c.AddCommand(a.accountList(), a.accountGrant())
	return c
}

func (a *app) accountList() *cobra.Command {
	return &cobra.Command{
		Use: "ls [KEY]", Short: "List the accounts, or one", Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.reader()
			if err != nil {
				return err
			}
			defer cl.Close()
			all := &api.Accounts{Accounts: []api.Account{}}
			if len(args) == 1 {
				if all, err = cl.Account(c.Context(), args[0]); err != nil {
					return err
				}
			} else {
				for cursor := ""; ; {
					page, err := cl.Accounts(c.Context(), cursor)
					if err != nil {
						return err
					}
					all.Accounts, all.Sequence = append(all.Accounts, page.Accounts...), page.Sequence
					if cursor = page.Cursor; cursor == "" {
						break
					}
				}
			}
			a.show(all, func(w io.Writer) {
				for _, x := range all.Accounts {
					may := ""
					if x.Grant {
						may = "  may grant"
					}
					fmt.Fprintf(w, "%s  nonce %d%s\n", x.Key, x.Nonce, may)
					for _, q := range sortedKeys(x.Quotas) {
						fmt.Fprintf(w, "  %-7s %d of %d\n", q, x.Used[q], x.Quotas[q])
					}
				}
			})
			return nil
		},
	}
}

func (a *app) accountGrant() *cobra.Command {
	q := lockspace.DefaultQuota()
	var name string
	var may bool
	refill := time.Duration(q.Refill)
	c := &cobra.Command{
		Use: "grant KEY", Short: "Make an account, or replace its name, right and quotas", Args: cobra.ExactArgs(1),
		Long: "Gives a public key, as `fatty key show` prints it, an account. Needs a key whose own account may grant.",
		RunE: func(c *cobra.Command, args []string) error {
			op := &lockspace.Grant{Name: name, Grant: may, Quota: q}
			op.Quota.Refill = lockspace.Duration(refill)
			if err := op.Account.UnmarshalText([]byte(args[0])); err != nil {
				return cli.Usage(err)
			}
			cl, _, err := a.writer()
			if err != nil {
				return err
			}
			defer cl.Close()
			r, err := do(c.Context(), cl, op)
			if err != nil {
				return err
			}
			a.show(r, func(w io.Writer) { fmt.Fprintf(w, "account %s, at sequence %d\n", args[0], r.Sequence) })
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&name, "name", "", "a name for people")
	f.BoolVar(&may, "may-grant", false, "let it grant accounts itself")
	f.Uint64Var(&q.State, "state", q.State, "bytes of state that it may use")
	f.Uint64Var(&q.Inbox, "inbox", q.Inbox, "transactions of it that may wait in inboxes")
	f.Uint64Var(&q.Proofs, "proofs", q.Proofs, "proofs that it may send at once")
	f.DurationVar(&refill, "refill", refill, "time in which one more proof is allowed")
	return c
}
