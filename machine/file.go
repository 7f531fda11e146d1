package machine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/lockspace/poseidon"
	"github.com/seed06907907/fatty/prover"
	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier"
)

const (
	// maxFile bounds a machine file in bytes: the longest opening fits many times.
	maxFile = 1 << 20
	// maxOpening bounds the felts behind a state, as the ledger bounds those that it carries.
	maxOpening = 1024
	// maxTicks bounds the transitions that a file may ask for in one run; what a proof can hold is far below.
	maxTicks = 1 << 40
	// defaultSegments is how many runs a renewal of a machine that ticks by itself has at most, unless the file says.
	defaultSegments = 8
	// defaultGrace and defaultLockDelay are Chubby's, and a ledger's own unless its genesis says otherwise.
	defaultGrace     = 45 * time.Second
	defaultLockDelay = 2 * time.Second
	// defaultInbox and defaultWindow are the room for transactions and how many of them carry a deadline.
	defaultInbox  = lockspace.MaxInboxBound
	defaultWindow = 1
)

// File is a machine file with its program loaded: what `fatty machine run` needs.
type File struct {
	Path      string
	Lock      string // path of the lock
	Program   *vm.Program
	Canonical verifier.Program
	Start     vm.Felt
	Opening   []vm.Felt // what is behind the starting state
	Terms     lockspace.Terms
	MaxTicks  uint64 // transitions of one run at most
	MaxRuns   uint64 // runs of one renewal at most
}

// text is the file as it is written. Keys with a pointer may be left out.
type text struct {
	Program string `toml:"program"` // a Cairo 0 program or a Cairo 2 executable, relative to the file
	Lock    string `toml:"lock"`    // path of the lock that the machine holds
	Start   struct {
		State   string   `toml:"state"`   // S(0), a felt
		Opening []string `toml:"opening"` // the felts behind it, if the state is not all there is
	} `toml:"start"`
	Clock struct {
		Transaction uint64   `toml:"transaction"` // felts in one transaction; 0: the machine ticks by itself
		Inputs      string   `toml:"inputs"`      // how the program digests them: none, felt, poseidon
		Succession  string   `toml:"succession"`  // where a new holder starts: resume or restart
		Opening     string   `toml:"opening"`     // self: S is the state; poseidon: S is the hash of the opening
		Idle        []string `toml:"idle"`        // the transaction taken when the inbox is empty at renewal time
		Ticks       uint64   `toml:"ticks"`       // at most so many in a segment, which is one run; 0 if its transactions bound them
		Segments    *uint64  `toml:"segments"`    // for one that ticks by itself: at most so many segments in a renewal; 8
		Cadence     string   `toml:"cadence"`     // how often the holder renews
		Grace       *string  `toml:"grace"`       // how long after that the lease still runs; 45s
		LockDelay   *string  `toml:"lock_delay"`  // how long the lock stays closed after its holder failed; 2s
		Inbox       *uint64  `toml:"inbox"`       // transactions that may wait; 1024
		Window      *uint64  `toml:"window"`      // how many of them carry a deadline; 1
		Senders     []string `toml:"senders"`     // public keys that may send; none: every account
		Acquirers   []string `toml:"acquirers"`   // public keys that may acquire; none: every account
	} `toml:"clock"`
}

// ReadFile reads a machine file and the program beside it.
func ReadFile(path string) (*File, error) {
	b, err := readBounded(path, maxFile)
	if err != nil {
		return nil, err
	}
	f, program, err := parse(string(b))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f.Path = path
	if !filepath.IsAbs(program) {
		program = filepath.Join(filepath.Dir(path), program)
	}
	if b, err = readBounded(program, vm.MaxProgramBytes); err != nil {
		return nil, fmt.Errorf("%s: program: %w", path, err)
	}
	if f.Program, err = vm.Load(b); err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	if f.Canonical, err = prover.Canonical(f.Program); err != nil {
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	if _, err := f.Canonical.Key(); err != nil { // what cannot be proven holds no lock
		return nil, fmt.Errorf("%s: %w", program, err)
	}
	return f, nil
}

func readBounded(path string, max int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, max+1))
	if err == nil && int64(len(b)) > max {
		err = fmt.Errorf("%s has more than %d bytes", path, max)
	}
	return b, err
}

// parse reads the text of a machine file, and returns the program's name in it.
func parse(s string) (*File, string, error) {
	var t text
	meta, err := toml.Decode(s, &t)
	if err != nil {
		return nil, "", err
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		names := make([]string, len(unknown))
		for i, k := range unknown {
			names[i] = k.String()
		}
		return nil, "", fmt.Errorf("unknown %s: the machine files in examples show every key", strings.Join(names, ", "))
	}
	for _, key := range [][]string{{"program"}, {"lock"}, {"start", "state"}, {"clock", "inputs"}, {"clock", "succession"}, {"clock", "cadence"}} {
		if !meta.IsDefined(key...) {
			return nil, "", fmt.Errorf("the key %s is missing", strings.Join(key, "."))
		}
	}
	f := &File{Lock: t.Lock, MaxTicks: t.Clock.Ticks, MaxRuns: lockspace.MaxRuns}
	err = lockspace.CheckPath(t.Lock)
	if t.Lock == "/" {
		err = errors.New("the root is a directory")
	}
	if err != nil {
		return nil, "", fmt.Errorf("lock %.80q: want an absolute path such as /demo/counter: %w", t.Lock, err)
	}
	if f.Start, err = felt("start.state", t.Start.State); err != nil {
		return nil, "", err
	}
	if len(t.Start.Opening) > maxOpening {
		return nil, "", fmt.Errorf("start.opening: %d felts, at most %d", len(t.Start.Opening), maxOpening)
	}
	for _, o := range t.Start.Opening {
		v, err := felt("start.opening", o)
		if err != nil {
			return nil, "", err
		}
		f.Opening = append(f.Opening, v)
	}
	if f.Terms, err = t.terms(); err != nil {
		return nil, "", err
	}
	switch {
	case f.Terms.Inputs == lockspace.InputNone && (f.MaxTicks < 1 || f.MaxTicks > maxTicks):
		return nil, "", fmt.Errorf("clock.ticks = %d: a machine that ticks by itself needs 1 to %d", f.MaxTicks, uint64(maxTicks))
	case t.Clock.Segments != nil && (f.Terms.Inputs != lockspace.InputNone || *t.Clock.Segments < 1 || *t.Clock.Segments > lockspace.MaxRuns):
		return nil, "", fmt.Errorf("clock.segments = %d: it is for a machine that ticks by itself, 1 to %d", *t.Clock.Segments, lockspace.MaxRuns)
	case f.Terms.Succession == lockspace.Resume && f.Terms.Opening == lockspace.OpeningSelf && len(f.Opening) > 0:
		return nil, "", errors.New("start.opening must be empty with succession = \"resume\" and opening = \"self\": a successor has the state alone")
	case f.Terms.Opening == lockspace.OpeningPoseidon && f.hash() != f.Start.Bytes():
		return nil, "", fmt.Errorf("start.state is not poseidon_hash_many of start.opening, which is %s: clock.opening = \"poseidon\" wants that", lockspace.Felt(f.hash()))
	case t.Program == "":
		return nil, "", errors.New("program is empty: name the compiled program's file")
	}
	switch f.Terms.Inputs {
	case lockspace.InputFelt:
		f.MaxTicks = 1
	case lockspace.InputPoseidon:
		if f.MaxTicks == 0 || f.MaxTicks > lockspace.MaxInputs {
			f.MaxTicks = lockspace.MaxInputs
		}
	case lockspace.InputNone:
		f.MaxRuns = defaultSegments
		if t.Clock.Segments != nil {
			f.MaxRuns = *t.Clock.Segments
		}
	}
	return f, t.Program, nil
}

// hash is what the state is the hash of the opening by.
func (f *File) hash() [32]byte {
	opening := make([]lockspace.Felt, len(f.Opening))
	for i := range opening {
		opening[i] = f.Opening[i].Bytes()
	}
	return poseidon.HashMany(opening)
}

// terms are the lock's terms as the ledger writes them down.
func (t *text) terms() (lockspace.Terms, error) {
	c := t.Clock
	out := lockspace.Terms{Transaction: c.Transaction, Inputs: lockspace.InputKind(c.Inputs), Succession: lockspace.Succession(c.Succession), Opening: c.Opening}
	for _, s := range c.Idle {
		v, err := felt("clock.idle", s)
		if err != nil {
			return out, err
		}
		out.Idle = append(out.Idle, v.Bytes())
	}
	for _, d := range []struct {
		name  string
		text  *string
		other time.Duration
		to    *lockspace.Duration
	}{{"cadence", &c.Cadence, 0, &out.Cadence}, {"grace", c.Grace, defaultGrace, &out.Grace}, {"lock_delay", c.LockDelay, defaultLockDelay, &out.LockDelay}} {
		v := d.other
		if d.text != nil {
			var err error
			if v, err = time.ParseDuration(*d.text); err != nil {
				return out, fmt.Errorf("clock.%s = %.40q: want a number with a unit, such as 12s", d.name, *d.text)
			}
		}
		*d.to = lockspace.Duration(v)
	}
	if out.Inputs == lockspace.InputFelt || out.Inputs == lockspace.InputPoseidon {
		out.InboxMax, out.Window = defaultInbox, defaultWindow
		if c.Inbox != nil {
			out.InboxMax = *c.Inbox
		}
		if c.Window != nil {
			out.Window = *c.Window
		}
	} else if c.Inbox != nil || c.Window != nil {
		return out, errors.New("clock.inbox and clock.window are for machines that take transactions")
	}
	for _, l := range []struct {
		name string
		keys []string
		to   *[]lockspace.AccountID
	}{{"senders", c.Senders, &out.Senders}, {"acquirers", c.Acquirers, &out.Acquirers}} {
		for _, k := range l.keys {
			var id lockspace.AccountID
			if err := id.UnmarshalText([]byte(k)); err != nil {
				return out, fmt.Errorf("clock.%s: %w", l.name, err)
			}
			*l.to = append(*l.to, id)
		}
		sortAccounts(*l.to)
	}
	// The ledger's own rules come on top of these, which every ledger has.
	rules := lockspace.DefaultRules()
	rules.MaxCadence, rules.MaxGrace, rules.MaxLockDelay = 24*3600*lockspace.Second, 24*3600*lockspace.Second, 24*3600*lockspace.Second
	if err := out.Validate(rules); err != nil {
		return out, fmt.Errorf("clock: %w", err)
	}
	return out, nil
}

func sortAccounts(list []lockspace.AccountID) {
	for i := range list { // a handful
		for j := i; j > 0 && string(list[j][:]) < string(list[j-1][:]); j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
}

func felt(name, s string) (f vm.Felt, err error) {
	v, err := lockspace.ParseFelt(s)
	if err != nil {
		return f, fmt.Errorf("%s: %w", name, err)
	}
	return f, f.SetBytesCanonical(v[:])
}
