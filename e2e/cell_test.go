package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed06907907/fatty/client"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/node/keyfile"
)

// The leases of these stories: renewals come as often as proofs on two idle cores allow, and a lease outlasts what other work
// on them delays. Where a story has no lease end, its grace may be longer still.
const (
	cadence   = 4 * time.Second
	grace     = 15 * time.Second
	lockDelay = time.Second
	// patience bounds each wait. A story on an idle machine takes a fraction of it.
	patience = 2 * time.Minute
)

var bin struct{ fatty, fattyd string }

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "fatty-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	build := exec.Command("go", "build", "-o", dir+string(filepath.Separator), "../cmd/fatty", "../cmd/fattyd")
	build.Stderr = os.Stderr
	code := 1
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build the binaries:", err)
	} else {
		suffix := ""
		if runtime.GOOS == "windows" {
			suffix = ".exe"
		}
		bin.fatty, bin.fattyd = filepath.Join(dir, "fatty"+suffix), filepath.Join(dir, "fattyd"+suffix)
		code = m.Run()
	}
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// process is a child whose output comes line by line.
type process struct {
	cmd   *exec.Cmd
	lines chan string
	ended chan struct{}
	mu    sync.Mutex
	said  bytes.Buffer // standard error
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.Write(b)
}

func (p *process) complaints() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.said.String()
}

// unread returns the lines of output that nobody has read.
func (p *process) unread() string {
	var b strings.Builder
	for {
		select {
		case l, ok := <-p.lines:
			if !ok {
				return b.String() + " (it has ended)"
			}
			b.WriteString("\n\t" + l)
		default:
			return b.String()
		}
	}
}

// spawn starts a process that lives until it is killed or the test ends.
func spawn(t *testing.T, env []string, program string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(program, args...), lines: make(chan string, 1024), ended: make(chan struct{})}
	p.cmd.Env, p.cmd.Stderr = append(os.Environ(), env...), p
	tie(p.cmd)
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		s := bufio.NewScanner(out)
		s.Buffer(nil, 1<<20)
		for s.Scan() {
			select {
			case p.lines <- s.Text():
			default: // nobody reads it any more
			}
		}
		_, _ = io.Copy(io.Discard, out)
		_ = p.cmd.Wait()
		close(p.lines)
		close(p.ended)
	}()
	t.Cleanup(p.kill)
	return p
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// line returns the next line, or fails the test.
func (p *process) line(t *testing.T) string {
	t.Helper()
	select {
	case l, ok := <-p.lines:
		if !ok {
			t.Fatalf("%v ended: %s", p.cmd.Args, p.complaints())
		}
		return l
	case <-time.After(patience):
		t.Fatalf("%v printed nothing within %s: %s", p.cmd.Args, patience, p.complaints())
	}
	return ""
}

// run runs a program to its end and decodes the object that it prints.
func run[T any](t *testing.T, program string, args ...string) (out T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, program, append(args, "--json")...)
	var complaints bytes.Buffer
	c.Stderr = &complaints
	b, err := c.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s%s", filepath.Base(program), args, err, b, complaints.String())
	}
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatalf("%s %v: %v in %s", filepath.Base(program), args, err, b)
	}
	return out
}

// refused runs a program that has to fail with 1, and returns the code that it gives.
func refused(t *testing.T, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	b, err := exec.CommandContext(ctx, program, append(args, "--json")...).Output()
	if e, ok := err.(*exec.ExitError); !ok || e.ExitCode() != 1 {
		t.Fatalf("%s %v: %v, want exit code 1\n%s", filepath.Base(program), args, err, b)
	}
	var out struct{ Error struct{ Code string } }
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatalf("%s %v: %v in %s", filepath.Base(program), args, err, b)
	}
	return out.Error.Code
}

// cell is validators that know one address, and accounts.
type cell struct {
	t     *testing.T
	dir   string
	home  string // of the client, with genesis, key and api
	nodes []*member
	keys  map[string]string // key files by account
	all   *client.Client
	// machines are those that the test started.
	machines []*process
}

// member is one validator.
type member struct {
	*process
	name, home, peer, rpc string
	port                  int
	bootstrap             string
	client                *client.Client
}

// newCell makes and starts a cell of four. The account client may grant.
func newCell(t *testing.T, accounts ...string) *cell {
	t.Helper()
	return newCellOf(t, 4, accounts...)
}

func newCellOf(t *testing.T, validators int, accounts ...string) *cell {
	t.Helper()
	c := &cell{t: t, dir: t.TempDir(), keys: map[string]string{}}
	c.home = filepath.Join(c.dir, "client")
	genesis := filepath.Join(c.dir, "genesis.json")
	args := []string{"genesis", "--out", genesis, "--chain", "e2e", "--cadence", cadence.String(), "--grace", grace.String(), "--lock-delay", lockDelay.String()}
	ports := freePorts(t, 2*validators)
	type card struct{ Card, Peer string }
	for i := range validators {
		m := &member{name: fmt.Sprintf("v%d", i+1), port: ports[2*i], rpc: fmt.Sprintf("127.0.0.1:%d", ports[2*i+1])}
		m.home = filepath.Join(c.dir, m.name)
		made := run[card](t, bin.fattyd, "init", "--home", m.home, "--allow-private")
		m.peer = made.Peer
		args = append(args, "--validator", m.name+"="+made.Card)
		if i > 0 {
			first := c.nodes[0]
			m.bootstrap = fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/p2p/%s", first.port, first.peer)
		}
		c.nodes = append(c.nodes, m)
	}
	for _, name := range append([]string{"client"}, accounts...) {
		file := filepath.Join(c.dir, name+".key")
		grant := ""
		if name == "client" {
			file, grant = filepath.Join(c.home, "keys", "client.key"), ":grant"
		}
		made := run[struct{ Key string }](t, bin.fatty, "key", "new", file)
		c.keys[name] = file
		args = append(args, "--account", name+"="+made.Key+grant)
	}
	run[map[string]any](t, bin.fattyd, args...)
	var urls []string
	for _, m := range c.nodes {
		run[map[string]any](t, bin.fattyd, "init", "--home", m.home, "--chain", genesis)
		urls = append(urls, "http://"+m.rpc)
	}
	b, err := os.ReadFile(genesis)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{"genesis.json": b, "api": []byte(strings.Join(urls, "\n") + "\n")} {
		if err := os.WriteFile(filepath.Join(c.home, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.all = c.dial("", urls...)
	for _, m := range c.nodes {
		c.start(m)
		m.client = c.dial("", "http://"+m.rpc)
	}
	for _, m := range c.nodes {
		m.line(t)
	}
	c.until("all are ready", func(ctx context.Context) bool {
		for _, m := range c.nodes {
			if s, err := m.client.Status(ctx); err != nil || !s.Ready {
				return false
			}
		}
		return true
	})
	return c
}

// start starts a validator; its first line says that it is ready.
func (c *cell) start(m *member) {
	c.t.Helper()
	env := []string{"FATTY_P2P_AUTONAT=false", "FATTY_P2P_HOLE_PUNCHING=false", "FATTY_P2P_RELAY=false", "FATTY_RPC_HEALTH=", "FATTY_RPC_LISTEN=" + m.rpc,
		fmt.Sprintf("FATTY_P2P_LISTEN=/ip4/127.0.0.1/udp/%d/quic-v1,/ip4/127.0.0.1/tcp/%d", m.port, m.port), "FATTY_P2P_BOOTSTRAP=" + m.bootstrap}
	m.process = spawn(c.t, env, bin.fattyd, "start", "--home", m.home, "--json")
}

// restart starts a killed validator again and waits until it answers.
func (c *cell) restart(m *member) {
	c.t.Helper()
	c.start(m)
	m.line(c.t)
}

// dial makes a client that signs with an account's key, or only reads.
func (c *cell) dial(account string, urls ...string) *client.Client {
	c.t.Helper()
	cfg := client.Config{Nodes: urls}
	if account != "" {
		key, err := keyfile.Read(c.keys[account], nil)
		if err != nil {
			c.t.Fatal(err)
		}
		cfg.Key = key
	}
	cl, err := client.New(cfg)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(cl.Close)
	return cl
}

func (c *cell) urls() (out []string) {
	for _, m := range c.nodes {
		out = append(out, "http://"+m.rpc)
	}
	return out
}

// fatty runs the command with the client's home.
func fatty[T any](c *cell, args ...string) T {
	c.t.Helper()
	return run[T](c.t, bin.fatty, append([]string{"--home", c.home}, args...)...)
}

// machine starts `fatty machine run` for an example, with an account's key.
func (c *cell) machine(account, example string, more ...string) *process {
	c.t.Helper()
	args := []string{"machine", "run", filepath.Join("..", "examples", example, example+".toml"), "--json", "--home", c.home, "--key", c.keys[account],
		"--cadence", cadence.String(), "--grace", grace.String(), "--lock-delay", lockDelay.String()}
	p := spawn(c.t, nil, bin.fatty, append(args, more...)...)
	c.machines = append(c.machines, p)
	return p
}

// until asks again and again, each time something may have changed, for as long as patience lasts.
func (c *cell) until(what string, done func(context.Context) bool) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !done(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			c.t.Fatalf("%s: not within %s\n%s", what, patience, c.complaints())
		}
	}
}

func (c *cell) complaints() string {
	var b strings.Builder
	for _, m := range c.nodes {
		if m.process != nil {
			fmt.Fprintf(&b, "%s: %s\n", m.name, m.process.complaints())
		}
	}
	for i, p := range c.machines {
		fmt.Fprintf(&b, "machine %d: %s%s\n", i+1, p.complaints(), p.unread())
	}
	return b.String()
}

// story is the ledger's events under a path, in order.
type story struct {
	c      *cell
	events <-chan api.Event
	all    []api.Event
}

func (c *cell) follow(path string) *story {
	return &story{c: c, events: c.all.WatchFrom(c.t.Context(), path, 1)}
}

// next waits for the next event of a kind and returns it.
func (s *story) next(kind string) api.Event {
	s.c.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case e, ok := <-s.events:
			if !ok {
				s.c.t.Fatalf("the watch ended before %s", kind)
			}
			s.all = append(s.all, e)
			if e.Kind == kind {
				return e
			}
		case <-timeout:
			s.c.t.Fatalf("%s: not within %s; seen were %+v\n%s", kind, patience, s.all, s.c.complaints())
		}
	}
}

// count says how many events of a kind were read so far.
func (s *story) count(kind string) (n int) {
	for _, e := range s.all {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// freePorts finds ports that are free for TCP and UDP, below the range from which systems take those of outgoing
// connections: none of these may sit on a validator's port while it is away.
func freePorts(t *testing.T, n int) (out []int) {
	t.Helper()
	taken := map[int]bool{}
	for range 100 * n {
		port := 12000 + rand.IntN(20000)
		if taken[port] {
			continue
		}
		taken[port] = true
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		u, err := net.ListenPacket("udp", fmt.Sprintf("127.0.0.1:%d", port))
		l.Close()
		if err != nil {
			continue
		}
		u.Close()
		if out = append(out, port); len(out) == n {
			return out
		}
	}
	t.Fatal("no free ports on loopback")
	return nil
}
