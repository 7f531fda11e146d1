package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"
	"github.com/spf13/cobra"

	"github.com/seed06907907/fatty/cmd/internal/cli"
	"github.com/seed06907907/fatty/node"
	"github.com/seed06907907/fatty/node/home"
	"github.com/seed06907907/fatty/node/keyfile"
	"github.com/seed06907907/fatty/p2p"
)

const (
	// reachTimeout bounds the try to reach one bootstrap address.
	reachTimeout = 10 * time.Second
	// leastFree is the free space on disk below which a node should not start: a day of an idle ledger takes about 100 MiB.
	leastFree = 1 << 30
)

// finding is one line of `fattyd check`.
type finding struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check", Short: "Check configuration, keys, ports, clock, disk and bootstrap reach", Args: cobra.NoArgs,
		Long: "check tries what start needs, and says of each whether it is well. With the node running, its home is in use, so it\n" +
			"asks nothing of ports, clock and network then: see fatty status.",
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := a.homeDir()
			if err != nil {
				return err
			}
			list := a.check(c.Context(), dir)
			ok := true
			for _, f := range list {
				ok = ok && f.OK
				if !a.json {
					mark := "ok  "
					if !f.OK {
						mark = "FAIL"
					}
					fmt.Fprintf(a.out, "%s  %-10s %s\n", mark, f.Check, f.Detail)
				}
			}
			if a.json {
				a.print(map[string]any{"ok": ok, "checks": list})
			}
			if !ok {
				return cli.ErrReported
			}
			return nil
		},
	}
}

func (a *app) check(ctx context.Context, dir string) (list []finding) {
	add := func(what string, detail string, err error) bool {
		f := finding{what, err == nil, detail}
		if err != nil {
			f.Detail = err.Error()
		}
		list = append(list, f)
		return err == nil
	}
	h := home.At(dir)
	if _, err := os.Stat(dir); err != nil {
		add("home", "", fmt.Errorf("%w: run `fattyd init`", err))
		return list
	}
	cfg, err := h.Config()
	add("config", h.Path("config.toml"), err)
	if err != nil {
		return list
	}
	gen, err := h.Genesis()
	detail := ""
	if err == nil {
		detail = fmt.Sprintf("chain %s, %s", gen.ChainID(), plural(len(gen.Validators), "validator"))
	}
	add("genesis", detail, err)
	free, err := node.FreeBytes(dir)
	if err == nil && free < leastFree {
		err = fmt.Errorf("%d MiB free under %s: want at least %d", free>>20, dir, leastFree>>20)
	}
	add("disk", fmt.Sprintf("%d MiB free", free>>20), err)
	locked, err := home.Open(dir)
	if errors.Is(err, home.ErrLocked) {
		add("home", "in use: the node runs", nil)
		return list
	}
	if !add("home", dir, err) {
		return list
	}
	defer locked.Close()
	key, err := keyfile.Read(h.HostKey(), a.passphrase)
	if err == nil {
		id, e := keyfile.PeerID(keyfile.Public(key))
		detail, err = "host "+id.String(), e
	}
	add("keys", detail, err)
	if err != nil || gen == nil {
		return list
	}
	for what, addr := range map[string]string{"rpc": cfg.RPC.Listen, "health": cfg.RPC.Health} {
		if addr == "" {
			continue
		}
		l, err := net.Listen("tcp", addr)
		if err == nil {
			l.Close()
		}
		add(what, addr, err)
	}
	// Opening the node checks everything that start would: keys against genesis, stores, clock against the ledger, ports.
	log, level := a.logger(home.NodeConfig{LogLevel: "error"})
	bootstrap := cfg.P2P.Bootstrap
	cfg.P2P.Bootstrap = nil
	n, err := node.Open(ctx, node.Options{Home: locked, Config: cfg, Genesis: gen, Logger: log, Level: level, Passphrase: a.passphrase})
	if !add("node", "keys fit the genesis, stores open, clock not behind the ledger, ports free", err) {
		return list
	}
	defer n.Close()
	for _, b := range bootstrap {
		add("bootstrap", b, reach(ctx, n.Host(), b))
	}
	return list
}

// reach dials one bootstrap address.
func reach(ctx context.Context, h *p2p.Host, addr string) error {
	m, err := ma.NewMultiaddr(addr)
	if err != nil {
		return err
	}
	info, err := peer.AddrInfoFromP2pAddr(m)
	if err != nil {
		return fmt.Errorf("%s: not dialled: %w", addr, err)
	}
	ctx, cancel := context.WithTimeout(ctx, reachTimeout)
	defer cancel()
	return h.Connect(ctx, *info)
}
