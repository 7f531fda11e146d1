package main

import (
	"context"
	"crypto/ed25519"
	"errors"
	"os"
	"strings"

	"github.com/seed06907907/fatty/client"
	"github.com/seed06907907/fatty/cmd/internal/cli"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/node/home"
	"github.com/seed06907907/fatty/node/keyfile"
)

// nodeAddresses are where JSON-RPC is asked: the flags, the environment, or the home's own node.
func (a *app) nodeAddresses() ([]string, error) {
	if len(a.nodes) > 0 {
		return a.nodes, nil
	}
	if e := os.Getenv("FATTY_NODE"); e != "" {
		return strings.FieldsFunc(e, func(r rune) bool { return r == ',' || r == ' ' }), nil
	}
	h, err := a.homeDir()
	if err != nil {
		return nil, err
	}
	list, err := h.API()
	if err != nil {
		return nil, coded{"no_node", err}
	}
	return list, nil
}

// reader is a client that only reads.
func (a *app) reader() (*client.Client, error) { return a.connect(nil) }

// writer is a client that signs with the key that the flags name.
func (a *app) writer() (*client.Client, ed25519.PrivateKey, error) {
	path, err := a.keyPath()
	if err != nil {
		return nil, nil, err
	}
	key, err := keyfile.Read(path, a.askPassphrase)
	if err != nil {
		return nil, nil, codedf("key", "%w: `fatty key new` makes a key; `fatty account grant`, by someone who may, its account", err)
	}
	c, err := a.connect(key)
	return c, key, err
}

func (a *app) connect(key ed25519.PrivateKey) (*client.Client, error) {
	list, err := a.nodeAddresses()
	if err != nil {
		return nil, err
	}
	cfg := client.Config{Nodes: list, Key: key}
	if h, err := a.homeDir(); err == nil { // the home's own node may ask for its token, and other nodes ignore it
		if b, err := os.ReadFile(h.Path("token")); err == nil && len(a.nodes) == 0 {
			cfg.Token = strings.TrimSpace(string(b))
		}
	}
	c, err := client.New(cfg)
	if err != nil {
		return nil, cli.Usage(err)
	}
	return c, nil
}

// do hands in an operation and turns a refusal into an error with its code.
func do(ctx context.Context, c *client.Client, op lockspace.Op) (*api.Receipt, error) {
	r, err := c.Do(ctx, op)
	if err != nil {
		return nil, err
	}
	if !r.OK {
		return r, coded{r.Code, errors.New(r.Message)}
	}
	return r, nil
}

// genesis is the home's own copy, which says whom to trust.
func (a *app) genesis() (*home.Genesis, error) {
	h, err := a.homeDir()
	if err != nil {
		return nil, err
	}
	g, err := h.Genesis()
	if err != nil {
		return nil, coded{"no_genesis", err}
	}
	return g, nil
}
