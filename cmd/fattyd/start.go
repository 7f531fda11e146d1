package main

import (
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed06907907/fatty/cmd/internal/cli"
	"github.com/seed06907907/fatty/node"
	"github.com/seed06907907/fatty/node/home"
)

func (a *app) startCommand() *cobra.Command {
	var role string
	c := &cobra.Command{
		Use: "start", Short: "Run the node until it is told to stop", Args: cobra.NoArgs,
		Long: "start runs the node of the home. It prints where JSON-RPC listens and the limits of its network stack when it is\n" +
			"ready, and after that only what a human should know. It exits 1 if the replica must stop, with the reason.",
		RunE: func(c *cobra.Command, _ []string) error {
			dir, err := a.homeDir()
			if err != nil {
				return err
			}
			h, err := home.Open(dir)
			if err != nil {
				return err
			}
			defer h.Close()
			cfg, err := h.Config()
			if err != nil {
				return err
			}
			if role != "" {
				cfg.Node.Role = role
				if err := cfg.Validate(); err != nil {
					return cli.Usage(err)
				}
			}
			gen, err := h.Genesis()
			if err != nil {
				return err
			}
			log, level := a.logger(cfg.Node)
			n, err := node.Open(c.Context(), node.Options{Home: h, Config: cfg, Genesis: gen, Logger: log, Level: level, Passphrase: a.passphrase})
			if err != nil {
				return err
			}
			defer n.Close()
			a.ready(n, cfg)
			if err := n.Run(c.Context()); err != nil {
				return err
			}
			return n.Close()
		},
	}
	c.Flags().StringVar(&role, "role", "", "validator, standby, replica or archive, instead of node.role")
	return c
}

// logger makes the log of the configuration, on standard error.
func (a *app) logger(c home.NodeConfig) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	var l slog.Level
	if l.UnmarshalText([]byte(c.LogLevel)) == nil { // the configuration was validated
		level.Set(l)
	}
	opt := &slog.HandlerOptions{Level: level}
	if c.LogJSON {
		return slog.New(slog.NewJSONHandler(a.err, opt)), level
	}
	return slog.New(slog.NewTextHandler(a.err, opt)), level
}

// ready tells where the node can be reached.
func (a *app) ready(n *node.Node, cfg home.Config) {
	var addrs []string
	for _, m := range n.Host().ListenAddrs() {
		addrs = append(addrs, m.String())
	}
	a.show(map[string]any{"event": "ready", "name": n.Name(), "role": cfg.Node.Role, "chain": n.Chain(), "peer": n.Host().ID().String(),
		"addresses": addrs, "rpc": n.API(), "health": n.Health(), "limits": n.Host().Limits()},
		"%s (%s) of chain %s\npeer    %s\nlisten  %s\nrpc     %s\nhealth  %s\nlimits\n%s\n", n.Name(), cfg.Node.Role, n.Chain(), n.Host().ID(),
		strings.Join(addrs, "\n        "), n.API(), n.Health(), "  "+strings.ReplaceAll(strings.TrimSpace(n.Host().Limits()), "\n", "\n  "))
}
