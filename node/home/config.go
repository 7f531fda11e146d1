package home

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// Duration is a time.Duration that TOML spells "12s".
type Duration time.Duration

// MarshalText writes "12s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads "12s".
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("duration %.40q: want a number with a unit, such as 12s or 500ms", b)
	}
	*d = Duration(v)
	return nil
}

// Config is config.toml. Every key has a default; `doc` is the comment that the file carries (unit and reason).
type Config struct {
	Node   NodeConfig   `toml:"node" doc:"This process."`
	P2P    P2PConfig    `toml:"p2p" doc:"The network between nodes."`
	RPC    RPCConfig    `toml:"rpc" doc:"JSON-RPC, health and metrics."`
	Ledger LedgerConfig `toml:"ledger" doc:"What is kept on disk."`
	Proofs ProofsConfig `toml:"proofs" doc:"Checking proofs."`
}

// NodeConfig is [node].
type NodeConfig struct {
	Role     string `toml:"role" doc:"validator, standby, replica or archive. A validator votes with keys/validator.key; the others follow the ledger and serve reads."`
	LogLevel string `toml:"log_level" doc:"debug, info, warn or error. Quiet by default: a node that is well says nothing."`
	LogJSON  bool   `toml:"log_json" doc:"One JSON object a line instead of text, for log collectors."`
}

// P2PConfig is [p2p].
type P2PConfig struct {
	Listen       []string `toml:"listen" doc:"Multiaddrs to listen on. QUIC first: it needs one round trip less and copes with changing addresses; TCP for networks that drop UDP."`
	Announce     []string `toml:"announce" doc:"Multiaddrs to announce instead of those found, for a host behind a port forward. Empty: those found."`
	Bootstrap    []string `toml:"bootstrap" doc:"Multiaddrs (with /p2p/ID, or dnsaddr) of nodes to join by. Tried for ever with growing pauses. Empty: this node waits to be found."`
	AllowPrivate bool     `toml:"allow_private" doc:"Dial and announce private and loopback addresses. Off on the public network, on for a cell in one host or one LAN."`
	DHTServer    bool     `toml:"dht_server" doc:"Answer others' DHT queries. On for hosts with a public address, off behind NAT, where answers would not arrive."`
	AutoNAT      bool     `toml:"autonat" doc:"Find out by asking others whether this host can be reached."`
	Relay        bool     `toml:"relay" doc:"Use relays while this host cannot be reached directly."`
	HolePunching bool     `toml:"hole_punching" doc:"Upgrade relayed connections to direct ones. Needs relay."`
	ForcePublic  bool     `toml:"force_public" doc:"Take this host for reachable without asking. At go-libp2p v0.51.0 it reaches AutoNAT v1 only."`
	MaxPeers     int      `toml:"max_peers" doc:"Connections (count) above which the least useful are closed; validators never are. 0: computed from this machine's memory."`
}

// RPCConfig is [rpc].
type RPCConfig struct {
	Listen       string   `toml:"listen" doc:"host:port of JSON-RPC over HTTP and WebSocket. Loopback by default: put a proxy with TLS before it to serve others. Port 0: any free one, see the file api."`
	Health       string   `toml:"health" doc:"host:port of /health/live, /health/ready and /metrics. Empty: none. A second port, so that it can stay inside."`
	ReadToken    bool     `toml:"read_token" doc:"Demand the bearer token for reads too, for a node whose answers are not public."`
	Origins      []string `toml:"origins" doc:"Web origins that browsers may call from (CORS). Closed by default."`
	MaxInFlight  int      `toml:"max_in_flight" doc:"Calls (count) worked on at once; more are refused as busy, so that a flood costs little."`
	MaxBatch     int      `toml:"max_batch" doc:"Calls (count) in one batch."`
	MaxWatchers  int      `toml:"max_watchers" doc:"WebSocket connections (count); each costs two goroutines and a buffer."`
	IdleTimeout  Duration `toml:"idle_timeout" doc:"How long an idle connection is kept."`
	BodyTimeout  Duration `toml:"body_timeout" doc:"How long a request may take to arrive; slow ones are cut off."`
	CallTimeout  Duration `toml:"call_timeout" doc:"How long a call may take, tx.wait aside, which names its own time."`
	AllowRemote  bool     `toml:"allow_remote_admin" doc:"Take admin calls from other hosts too. Off: the token works from loopback only."`
	WriteTimeout Duration `toml:"write_timeout" doc:"How long writing one answer may take; slow readers are cut off."`
}

// LedgerConfig is [ledger].
type LedgerConfig struct {
	CacheMiB   int  `toml:"cache_mib" doc:"MiB of memory for each store's block cache and write buffer."`
	ProofHours int  `toml:"proof_hours" doc:"Hours for which attachments (proofs) of executed transactions are kept for others to fetch. At least 1: those that lag still need them."`
	History    int  `toml:"history" doc:"Sequence numbers (count) whose state roots stay readable with at. Each holds on to the blocks it alone uses."`
	ClockCheck bool `toml:"clock_check" doc:"Compare this host's clock with the ledger's and say so when they differ by more than the window; a validator with a wrong clock cannot vote."`
}

// ProofsConfig is [proofs].
type ProofsConfig struct {
	Workers   int `toml:"workers" doc:"Proofs (count) checked at once. 0: half of the cores, at least one, so that agreement never waits for a proof."`
	CacheSize int `toml:"cache" doc:"Verdicts (count) kept: a proof is checked once, however often its transaction is seen."`
}

// Default returns the configuration without a file.
func Default() Config {
	return Config{
		Node: NodeConfig{Role: "validator", LogLevel: "warn"},
		P2P: P2PConfig{
			Listen:   []string{"/ip4/0.0.0.0/udp/7070/quic-v1", "/ip4/0.0.0.0/tcp/7070"},
			Announce: []string{}, Bootstrap: []string{}, DHTServer: true, AutoNAT: true, Relay: true, HolePunching: true, MaxPeers: 0,
		},
		RPC: RPCConfig{
			Listen: "127.0.0.1:7071", Health: "127.0.0.1:7072", Origins: []string{}, MaxInFlight: 256, MaxBatch: 100, MaxWatchers: 1024,
			IdleTimeout: Duration(2 * time.Minute), BodyTimeout: Duration(20 * time.Second), CallTimeout: Duration(30 * time.Second),
			WriteTimeout: Duration(90 * time.Second),
		},
		Ledger: LedgerConfig{CacheMiB: 16, ProofHours: 1, History: 10_000, ClockCheck: true},
		Proofs: ProofsConfig{Workers: 0, CacheSize: 4096},
	}
}

// Validate checks what the types do not say.
func (c Config) Validate() error {
	switch c.Node.Role {
	case "validator", "standby", "replica", "archive":
	default:
		return fmt.Errorf("node.role %q: want validator, standby, replica or archive", c.Node.Role)
	}
	switch c.Node.LogLevel {
	case "debug", "info", "warn", "error":
	default:
		return fmt.Errorf("node.log_level %q: want debug, info, warn or error", c.Node.LogLevel)
	}
	if len(c.P2P.Listen) == 0 {
		return errors.New("p2p.listen is empty: name at least one multiaddr, such as /ip4/0.0.0.0/udp/7070/quic-v1")
	}
	if c.RPC.Listen == "" {
		return errors.New("rpc.listen is empty: name host:port, such as 127.0.0.1:7071")
	}
	if c.P2P.HolePunching && !c.P2P.Relay {
		return errors.New("p2p.hole_punching needs p2p.relay: a hole is punched over a relayed connection")
	}
	if c.P2P.MaxPeers < 0 || c.P2P.MaxPeers > math.MaxInt32 {
		return fmt.Errorf("p2p.max_peers = %d: want 0 (computed) or at least 1", c.P2P.MaxPeers)
	}
	for name, v := range map[string]int{"rpc.max_in_flight": c.RPC.MaxInFlight, "rpc.max_batch": c.RPC.MaxBatch,
		"rpc.max_watchers": c.RPC.MaxWatchers, "ledger.cache_mib": c.Ledger.CacheMiB, "ledger.proof_hours": c.Ledger.ProofHours,
		"ledger.history": c.Ledger.History, "proofs.cache": c.Proofs.CacheSize} {
		if v < 1 || v > math.MaxInt32 {
			return fmt.Errorf("%s = %d: want at least 1", name, v)
		}
	}
	if c.Proofs.Workers < 0 || c.Proofs.Workers > 1024 {
		return fmt.Errorf("proofs.workers = %d: want 0 (half of the cores) to 1024", c.Proofs.Workers)
	}
	for name, d := range map[string]Duration{"rpc.idle_timeout": c.RPC.IdleTimeout, "rpc.body_timeout": c.RPC.BodyTimeout,
		"rpc.call_timeout": c.RPC.CallTimeout, "rpc.write_timeout": c.RPC.WriteTimeout} {
		if d < Duration(100*time.Millisecond) || d > Duration(time.Hour) {
			return fmt.Errorf("%s = %s: want 100ms to 1h", name, time.Duration(d))
		}
	}
	return nil
}

// maxConfig bounds config.toml before it is read.
const maxConfig = 1 << 20

// ParseConfig reads config.toml over the defaults and refuses unknown keys, then applies FATTY_* from env (as
// os.Environ gives it): FATTY_RPC_LISTEN is rpc.listen, lists are split at commas.
func ParseConfig(text string, env []string) (Config, error) {
	c := Default()
	if len(text) > maxConfig {
		return c, fmt.Errorf("config.toml has %d bytes: at most %d", len(text), maxConfig)
	}
	md, err := toml.Decode(text, &c)
	if err != nil {
		return c, fmt.Errorf("config.toml: %w", err)
	}
	if un := md.Undecoded(); len(un) > 0 {
		names := make([]string, len(un))
		for i, k := range un {
			names[i] = k.String()
		}
		return c, fmt.Errorf("config.toml: unknown %s: `fattyd init` writes a file with every key that there is", strings.Join(names, ", "))
	}
	if err := override(&c, env); err != nil {
		return c, err
	}
	return c, c.Validate()
}

// notKeys are FATTY_* variables that are no configuration keys.
var notKeys = map[string]bool{"FATTY_HOME": true, "FATTY_PASSPHRASE": true, "FATTY_NODE": true, "FATTY_KEY": true}

func override(c *Config, env []string) error {
	known := map[string]reflect.Value{}
	v := reflect.ValueOf(c).Elem()
	for i := range v.NumField() {
		section := v.Type().Field(i).Tag.Get("toml")
		for j := range v.Field(i).NumField() {
			key := v.Field(i).Type().Field(j).Tag.Get("toml")
			known["FATTY_"+strings.ToUpper(section+"_"+key)] = v.Field(i).Field(j)
		}
	}
	sorted := append([]string(nil), env...)
	sort.Strings(sorted)
	for _, e := range sorted {
		name, val, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, "FATTY_") || notKeys[name] {
			continue
		}
		f, ok := known[name]
		if !ok {
			return fmt.Errorf("environment: %s is no key of config.toml (FATTY_SECTION_KEY): unset it", name)
		}
		if err := set(f, val); err != nil {
			return fmt.Errorf("environment: %s: %w", name, err)
		}
	}
	return nil
}

func set(f reflect.Value, val string) error {
	if d, ok := f.Addr().Interface().(*Duration); ok {
		return d.UnmarshalText([]byte(val))
	}
	switch f.Kind() {
	case reflect.String:
		f.SetString(val)
	case reflect.Bool:
		b, err := strconv.ParseBool(val)
		if err != nil {
			return fmt.Errorf("%q: want true or false", val)
		}
		f.SetBool(b)
	case reflect.Int:
		n, err := strconv.Atoi(val)
		if err != nil {
			return fmt.Errorf("%q: want a whole number", val)
		}
		f.SetInt(int64(n))
	case reflect.Slice:
		list := []string{}
		for _, s := range strings.Split(val, ",") {
			if s = strings.TrimSpace(s); s != "" {
				list = append(list, s)
			}
		}
		f.Set(reflect.ValueOf(list))
	default:
		return fmt.Errorf("no override for a %s", f.Kind())
	}
	return nil
}

// Text writes the configuration as config.toml, every key with its comment, default and value.
func (c Config) Text() string {
	var b strings.Builder
	b.WriteString("# fattyd: configuration. Every key is here with its default; FATTY_SECTION_KEY in the environment overrides it.\n")
	v, d := reflect.ValueOf(c), reflect.ValueOf(Default())
	for i := range v.NumField() {
		s := v.Type().Field(i)
		fmt.Fprintf(&b, "\n# %s\n[%s]\n", s.Tag.Get("doc"), s.Tag.Get("toml"))
		for j := range v.Field(i).NumField() {
			f := v.Field(i).Type().Field(j)
			b.WriteString("\n")
			for _, line := range wrap(f.Tag.Get("doc"), 116) {
				b.WriteString("# " + line + "\n")
			}
			fmt.Fprintf(&b, "# Default: %s\n%s = %s\n", literal(d.Field(i).Field(j)), f.Tag.Get("toml"), literal(v.Field(i).Field(j)))
		}
	}
	return b.String()
}

func literal(v reflect.Value) string {
	switch x := v.Interface().(type) {
	case Duration:
		return strconv.Quote(time.Duration(x).String())
	case string:
		return strconv.Quote(x)
	case []string:
		q := make([]string, len(x))
		for i := range x {
			q[i] = strconv.Quote(x[i])
		}
		return "[" + strings.Join(q, ", ") + "]"
	default:
		return fmt.Sprint(x)
	}
}

func wrap(s string, width int) []string {
	var out []string
	line := ""
	for _, w := range strings.Fields(s) {
		if line != "" && len(line)+1+len(w) > width {
			out = append(out, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += w
	}
	return append(out, line)
}

// ReadConfig reads a file by ParseConfig with the process's environment; no file means the defaults.
func ReadConfig(path string) (Config, error) {
	b, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Config{}, fmt.Errorf("config.toml: %w", err)
	}
	return ParseConfig(string(b), os.Environ())
}
