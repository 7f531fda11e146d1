package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/multiformats/go-multiaddr"
	"github.com/spf13/cobra"

	"github.com/seed06907907/fatty/client"
	"github.com/seed06907907/fatty/cmd/internal/cli"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/machine"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/node/keyfile"
	"github.com/seed06907907/fatty/verifier"
)

func (a *app) machineCommand() *cobra.Command {
	c := &cobra.Command{Use: "machine", Short: "Machines: keep a lock by proof, look at one"}
	c.AddCommand(a.machineRun(), a.machineShow())
	return c
}

// machineShown is what `fatty machine show --json` prints.
type machineShown struct {
	Lock     string    `json:"lock"`
	Machine  string    `json:"machine"`
	T        api.Clock `json:"t"`
	State    string    `json:"state"`
	Opening  []string  `json:"opening"`
	LeaseEnd api.Time  `json:"lease_end"`
	// The newest accepted span, by content id, and where it starts; the whole-life span, and where it ends.
	Proof      string    `json:"proof,omitempty"`
	ProofT0    api.Clock `json:"proof_t0"`
	WholeLife  string    `json:"whole_life,omitempty"`
	WholeLifeT api.Clock `json:"whole_life_t"`
}

func (a *app) machineShow() *cobra.Command {
	return &cobra.Command{
		Use: "show LOCK", Short: "Show a machine's clock, state, opening and lease", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			cl, err := a.reader()
			if err != nil {
				return err
			}
			defer cl.Close()
			m, err := cl.Machine(c.Context(), args[0])
			if err != nil {
				return err
			}
			out := machineShown{Lock: m.Lock, Machine: m.Machine, T: m.T, State: m.State, Opening: append([]string{}, m.Opening...), LeaseEnd: m.LeaseEnd,
				Proof: m.Proof, ProofT0: m.ProofT0, WholeLife: m.WholeLife, WholeLifeT: m.WholeLifeT}
			a.show(out, func(w io.Writer) {
				fmt.Fprintf(w, "lock      %s\nmachine   %s\nprogram   %s\nt         %d\nstate     %s\nopening   [%s]\n", m.Lock, m.Machine, m.Program, uint64(m.T), m.State, strings.Join(m.Opening, ", "))
				switch {
				case m.Held:
					fmt.Fprintf(w, "lease     held by %s until %s\n", m.Holder, m.LeaseEnd.Format(time.RFC3339))
				case !m.ClosedTill.IsZero():
					fmt.Fprintf(w, "lease     none, the lock stays closed until %s\n", m.ClosedTill.Format(time.RFC3339))
				default:
					fmt.Fprintln(w, "lease     none, the lock is free")
				}
				if m.Proof != "" {
					fmt.Fprintf(w, "proof     %s, from t = %d\n", m.Proof, uint64(m.ProofT0))
				}
				if m.WholeLife != "" {
					fmt.Fprintf(w, "life      %s, from t = 0 to %d\n", m.WholeLife, uint64(m.WholeLifeT))
				}
				fmt.Fprintf(w, "waiting   %d transactions\nterms     cadence %gs, grace %gs, lock-delay %gs, inputs %s, succession %s\n",
					m.Waiting, m.Terms.Cadence, m.Terms.Grace, m.Terms.LockDelay, m.Terms.Inputs, m.Terms.Succession)
			})
			return nil
		},
	}
}

func (a *app) machineRun() *cobra.Command {
	var o runFlags
	c := &cobra.Command{
		Use: "run MACHINE.toml", Short: "Hold a lock by proof until stopped", Args: cobra.ExactArgs(1),
		Long: "Runs the machine that a machine file describes, proves its runs, and keeps its lock by the proofs. A lock that is not\n" +
			"there is made; one that another holds is stood by for, and taken over from the last proven state. How long a proof\n" +
			"takes here decides how many transitions each one has. Stopping it gives the lock back.\n\n" +
			"What is proven is kept below the home, in machines/PEER/LOCK, so that a process that was killed goes on where it was; the\n" +
			"newest proofs lie there as files that `fatty verify` reads.",
		RunE: func(c *cobra.Command, args []string) error {
			if err := o.check(c); err != nil {
				return err
			}
			ctx := c.Context()
			if o.untilEOF {
				var stop context.CancelFunc
				ctx, stop = untilOrphaned(ctx, a.in)
				defer stop()
			}
			if o.nice > 0 {
				beNice(o.nice)
			}
			f, err := machine.ReadFile(args[0])
			if err != nil {
				return coded{"machine_file", err}
			}
			o.apply(c, f)
			cl, key, err := a.writer()
			if err != nil {
				return err
			}
			defer cl.Close()
			account := lockspace.AccountID(keyfile.Public(key))
			peer := account.PeerID()
			h, err := a.homeDir()
			if err != nil {
				return err
			}
			r, err := machine.New(machine.Config{File: f, Security: o.security, Dir: h.Path("machines", peer, lockFolder(f.Lock)), Ledger: ledger{cl},
				Account: account, Addresses: o.publish, Report: a.machineEvent(f.Lock)})
			if err != nil {
				return coded{"machine", err}
			}
			if !a.json {
				fmt.Fprintf(a.out, "machine %s\nkeeps %s as %s; stop it to give the lock back\n", r.Machine(), f.Lock, peer)
			}
			if err := r.Run(ctx); err != nil {
				return coded{"machine", err}
			}
			return nil
		},
	}
	fl := c.Flags()
	fl.StringSliceVar(&o.publish, "publish", nil, "multiaddr to publish with the lock; may be given several times")
	fl.StringVar(&o.lock, "lock", "", "path of the lock (default the machine file's)")
	fl.DurationVar(&o.cadence, "cadence", 0, "cadence of a lock that is made (default the machine file's)")
	fl.DurationVar(&o.grace, "grace", 0, "grace of a lock that is made (default the machine file's)")
	fl.DurationVar(&o.delay, "lock-delay", 0, "lock-delay of a lock that is made (default the machine file's)")
	fl.IntVar(&o.nice, "nice", 0, "lower this process's priority by so much, 0 to 19, for a host with other work")
	fl.IntVar(&o.security, "security", verifier.Security100, "proven bits of the proofs, 100 or 124: the ledger takes only those of the level in its genesis (security_bits)")
	fl.BoolVar(&o.untilEOF, "until-eof", false, "stop when standard input ends")
	_ = fl.MarkHidden("until-eof") // for a parent process; the flag was just defined
	return c
}

// maxNice is the lowest priority that a system knows.
const maxNice = 19

// runFlags are what `fatty machine run` is told.
type runFlags struct {
	publish               []string
	lock                  string
	cadence, grace, delay time.Duration
	nice, security        int
	untilEOF              bool
}

// check says what cannot be used before anything is done.
func (o *runFlags) check(c *cobra.Command) error {
	set, name := c.Flags().Changed, c.CommandPath()
	switch {
	case o.security != verifier.Security100 && o.security != verifier.Security124:
		return cli.Usagef("%s: --security %d: want %d or %d", name, o.security, verifier.Security100, verifier.Security124)
	case o.nice < 0 || o.nice > maxNice:
		return cli.Usagef("%s: --nice %d: want 0 to %d, by which the priority becomes lower", name, o.nice, maxNice)
	case set("cadence") && o.cadence <= 0:
		return cli.Usagef("%s: --cadence %s: want more than 0, such as 12s", name, o.cadence)
	case set("grace") && o.grace <= 0:
		return cli.Usagef("%s: --grace %s: want more than 0, such as 45s", name, o.grace)
	case o.delay < 0:
		return cli.Usagef("%s: --lock-delay %s: want 0 or more, such as 2s", name, o.delay)
	}
	if set("lock") {
		const want = "want a path such as /demo/counter"
		if err := lockspace.CheckPath(o.lock); err != nil {
			return cli.Usagef("%s: --lock: %w: %s", name, err, want)
		}
		if o.lock == "/" {
			return cli.Usagef("%s: --lock /: the root is no lock: %s", name, want)
		}
	}
	if len(o.publish) > lockspace.MaxAddresses {
		return cli.Usagef("%s: --publish: %d addresses: at most %d", name, len(o.publish), lockspace.MaxAddresses)
	}
	for _, addr := range o.publish {
		if len(addr) > lockspace.MaxAddress {
			return cli.Usagef("%s: --publish %.80s..: an address of %d bytes: at most %d", name, addr, len(addr), lockspace.MaxAddress)
		}
		if _, err := multiaddr.NewMultiaddr(addr); err != nil {
			return cli.Usagef("%s: --publish %q: want a multiaddr, such as /ip4/203.0.113.5/tcp/7070: %w", name, addr, err)
		}
	}
	return nil
}

// apply puts what was set in the place of what the machine file says.
func (o *runFlags) apply(c *cobra.Command, f *machine.File) {
	if c.Flags().Changed("lock") {
		f.Lock = o.lock
	}
	for _, d := range []struct {
		flag string
		set  time.Duration
		term *lockspace.Duration
	}{{"cadence", o.cadence, &f.Terms.Cadence}, {"grace", o.grace, &f.Terms.Grace}, {"lock-delay", o.delay, &f.Terms.LockDelay}} {
		if c.Flags().Changed(d.flag) {
			*d.term = lockspace.Duration(d.set)
		}
	}
}

const (
	// maxFolder bounds a folder's name: most file systems take 255 bytes.
	maxFolder = 200
	// folderPrefix is what a longer one keeps of itself for people.
	folderPrefix = 160
)

// lockFolder is the name of a lock's folder: its path, escaped, and of a long one the beginning and the path's hash. With it
// the name is longer than those without one, so that no two paths have one folder.
func lockFolder(path string) string {
	name := url.PathEscape(strings.TrimPrefix(path, "/"))
	if len(name) <= maxFolder {
		return name
	}
	return fmt.Sprintf("%s~%x", name[:folderPrefix], sha256.Sum256([]byte(path)))
}

// ledger lets a machine's keeper work over a client. The node's refusal of a transaction at the door is the same to it as
// the ledger's.
type ledger struct{ *client.Client }

func (l ledger) Do(ctx context.Context, op lockspace.Op, attachments ...[]byte) (*api.Receipt, error) {
	r, err := l.Client.Do(ctx, op, attachments...)
	var e *api.Error
	if errors.As(err, &e) {
		if word, ok := e.Data.(string); ok && word != "" {
			return &api.Receipt{Code: word, Message: e.Message}, nil
		}
	}
	return r, err
}

// machineLine is what `fatty machine run --json` prints for each event.
type machineLine struct {
	Time         api.Time  `json:"time"`
	Event        string    `json:"event"`
	Lock         string    `json:"lock"`
	From         api.Clock `json:"from"`
	T            api.Clock `json:"t"`
	State        string    `json:"state"`
	LeaseEnd     api.Time  `json:"lease_end"`
	Sequence     uint64    `json:"sequence,omitempty"`
	ProofBytes   int       `json:"proof_bytes,omitempty"`
	ProveSeconds float64   `json:"prove_seconds,omitempty"`
	Ticks        uint64    `json:"ticks,omitempty"`
	Runs         uint64    `json:"runs,omitempty"`
	Span         string    `json:"span,omitempty"`       // file of the renewal's proof
	WholeLife    string    `json:"whole_life,omitempty"` // file of the whole life's proof
	Message      string    `json:"message,omitempty"`
}

// machineEvent prints what a machine's keeper does.
func (a *app) machineEvent(lock string) func(machine.Event) {
	return func(e machine.Event) {
		now := time.Now()
		line := machineLine{Time: api.Time{Time: now}, Event: string(e.Kind), Lock: lock, From: api.Clock(e.From), T: api.Clock(e.T), State: e.State.String(),
			LeaseEnd: api.Time{Time: e.LeaseEnd}, Sequence: e.Sequence, ProofBytes: e.ProofBytes, ProveSeconds: e.ProveSeconds, Ticks: e.Ticks,
			Runs: e.Runs, Span: e.Span, WholeLife: e.Whole, Message: e.Text}
		a.show(line, func(w io.Writer) {
			text := e.Text
			switch e.Kind {
			case machine.Acquired, machine.Renewed:
				text = fmt.Sprintf("t %d -> %d, lease until %s, a proof of %d bytes made in %.2f s", e.From, e.T, e.LeaseEnd.Local().Format("15:04:05"), e.ProofBytes, e.ProveSeconds)
			case machine.Proving:
				text = fmt.Sprintf("%d transitions in %d runs from t = %d", e.Ticks, e.Runs, e.T)
			}
			fmt.Fprintf(w, "%s  %-9s %s\n", now.Format("15:04:05.000"), e.Kind, text)
		})
	}
}
