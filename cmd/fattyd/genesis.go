package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed06907907/fatty/cmd/internal/cli"
	"github.com/seed06907907/fatty/node/home"
	"github.com/seed06907907/fatty/node/keyfile"
)

func (a *app) genesisCommand() *cobra.Command {
	var chain, out string
	var validators, accounts []string
	var cadence, grace, delay time.Duration
	d := home.DefaultGenesis("x")
	c := &cobra.Command{
		Use: "genesis", Short: "Write the genesis file of a new chain", Args: cobra.NoArgs,
		Long: "genesis writes what all nodes of one chain agree on before they start.\n\n" +
			"A validator is the card that `fattyd init` printed on its host, with a name before it: alice=CARD. An account is the\n" +
			"public key that `fatty key show` prints; KEY:grant may let others in, NAME=KEY names it.",
		RunE: func(*cobra.Command, []string) error {
			if len(validators) == 0 {
				return cli.Usagef("genesis: name at least one --validator NAME=CARD, as `fattyd init` prints it")
			}
			g := home.DefaultGenesis(chain)
			g.Lease = home.LeaseRules{Cadence: cadence.Seconds(), Grace: grace.Seconds(), LockDelay: delay.Seconds()}
			for i, s := range validators {
				name, card, ok := strings.Cut(s, "=")
				if !ok {
					name, card = fmt.Sprintf("v%d", i+1), s
				}
				k, err := keyfile.ParseCard(card)
				if err != nil {
					return err
				}
				g.Validators = append(g.Validators, home.Validator(name, k))
			}
			for _, s := range accounts {
				acc, err := parseAccount(s)
				if err != nil {
					return err
				}
				g.Accounts = append(g.Accounts, acc)
			}
			b, err := g.Encode()
			if err != nil {
				return err
			}
			f, err := os.OpenFile(out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if errors.Is(err, os.ErrExist) {
				return fmt.Errorf("%s exists: a chain has one genesis; move it away first", out)
			}
			if err != nil {
				return err
			}
			_, err = f.Write(b)
			if err = errors.Join(err, f.Close()); err != nil {
				return err
			}
			a.show(map[string]any{"chain": g.ChainID(), "file": out, "validators": len(g.Validators), "accounts": len(g.Accounts)},
				"%s: chain %s, %s, %s. Give it to every host: fattyd init --chain %s\n", out, g.ChainID(), plural(len(g.Validators), "validator"), plural(len(g.Accounts), "account"), out)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&chain, "chain", "fatty", "the chain's name: a-z, 0-9 and -")
	f.StringArrayVar(&validators, "validator", nil, "NAME=CARD of a validator; once for each (four bear one fault)")
	f.StringArrayVar(&accounts, "account", nil, "[NAME=]KEY[:grant] of an account; once for each")
	f.StringVar(&out, "out", "genesis.json", "file to write")
	f.DurationVar(&cadence, "cadence", home.Seconds(d.Lease.Cadence), "how often a lease is renewed")
	f.DurationVar(&grace, "grace", home.Seconds(d.Lease.Grace), "how long a lease outlives its cadence")
	f.DurationVar(&delay, "lock-delay", home.Seconds(d.Lease.LockDelay), "how long a lock stays closed after its holder failed")
	return c
}

func parseAccount(s string) (home.GenesisAccount, error) {
	var acc home.GenesisAccount
	if name, rest, ok := strings.Cut(s, "="); ok {
		acc.Name, s = name, rest
	}
	if rest, ok := strings.CutSuffix(s, ":grant"); ok {
		acc.Grant, s = true, rest
	}
	k, err := keyfile.ParsePublic(s)
	acc.Key = keyfile.Text(k)
	return acc, err
}
