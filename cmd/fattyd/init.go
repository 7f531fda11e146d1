package main

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/seed06907907/fatty/node/home"
	"github.com/seed06907907/fatty/node/keyfile"
)

func (a *app) initCommand() *cobra.Command {
	var chain string
	var bootstrap []string
	var private, seal bool
	c := &cobra.Command{
		Use: "init", Short: "Make a node's home: configuration, keys, data", Args: cobra.NoArgs,
		Long: "init makes what is missing in the home and changes nothing that is there: config.toml with every key documented, the\n" +
			"host key and the validator key (mode 0600), and, with --chain, genesis.json. It prints the card that goes into a genesis.",
		RunE: func(*cobra.Command, []string) error {
			dir, err := a.homeDir()
			if err != nil {
				return err
			}
			h, err := home.Open(dir)
			if err != nil {
				return err
			}
			defer h.Close()
			var gen *home.Genesis
			if chain != "" {
				b, err := os.ReadFile(chain)
				if err != nil {
					return fmt.Errorf("genesis: %w", err)
				}
				if gen, err = home.ParseGenesis(b); err != nil {
					return err
				}
			}
			var pass []byte
			if seal {
				if pass, err = a.passphrase(); err != nil {
					return err
				}
				if len(pass) == 0 {
					return errors.New("--seal with an empty passphrase: choose one")
				}
			}
			hostKey, err := a.key(h.HostKey(), nil) // a node must be able to come back by itself: its host key is never sealed
			if err != nil {
				return err
			}
			validatorKey, err := a.key(h.ValidatorKey(), pass)
			if err != nil {
				return err
			}
			cfg := home.Default()
			if len(bootstrap) > 0 {
				cfg.P2P.Bootstrap = bootstrap
			}
			cfg.P2P.AllowPrivate = private
			if err := h.WriteConfig(cfg); err != nil {
				return err
			}
			if _, err := h.Config(); err != nil {
				return err
			}
			if gen != nil {
				if err := h.WriteGenesis(gen); err != nil {
					return err
				}
			}
			if _, err := h.Token(); err != nil {
				return err
			}
			id, err := keyfile.PeerID(keyfile.Public(hostKey))
			if err != nil {
				return err
			}
			card, err := keyfile.NewCard(validatorKey, id)
			if err != nil {
				return err
			}
			v := map[string]any{"home": dir, "peer": id.String(), "validator": keyfile.Text(card.Key), "card": card.String()}
			text := fmt.Sprintf("home  %s\npeer  %s\ncard  %s\n", dir, id, card)
			if gen != nil {
				v["chain"] = gen.ChainID()
				text += fmt.Sprintf("chain %s\n", gen.ChainID())
			}
			a.show(v, "%s", text)
			return nil
		},
	}
	f := c.Flags()
	f.StringVar(&chain, "chain", "", "the chain's genesis file")
	f.StringArrayVar(&bootstrap, "bootstrap", nil, "multiaddr of a node to join by, with /p2p/ID; once for each (for a new config.toml)")
	f.BoolVar(&private, "allow-private", false, "dial and announce private addresses, for a cell on one host or LAN (for a new config.toml)")
	f.BoolVar(&seal, "seal", false, "seal a new validator key by a passphrase (FATTY_PASSPHRASE or asked for); fattyd start then needs it too")
	return c
}

// key reads a key file, or makes it if there is none.
func (a *app) key(path string, pass []byte) (ed25519.PrivateKey, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		k, err := keyfile.New()
		if err != nil {
			return nil, err
		}
		return k, keyfile.Write(path, k, pass)
	}
	return keyfile.Read(path, a.passphrase)
}
