package main

import (
	"crypto/ed25519"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/seed06907907/fatty/examples"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/home"
	"github.com/seed06907907/fatty/node/keyfile"
)

// The leases of a devnet: short, so that a take-over is seen, and above the outage that no lease may end in.
const (
	devnetGrace     = 6 * time.Second
	devnetLockDelay = 2 * time.Second
)

// validatorPlan is one validator of a devnet.
type validatorPlan struct {
	name string
	home *home.Home
	rpc  string // its URL
	peer string
}

// machinePlan is one keeper of the machine.
type machinePlan struct {
	name string // A or B
	home *home.Home
	peer string
}

// devnetPlan is a devnet's folders and files.
type devnetPlan struct {
	home       *home.Home
	genesis    *home.Genesis
	validators []validatorPlan
	machines   []machinePlan
	file       string // the machine file
}

// setup writes a devnet's home: keys, genesis, a home for each process, the machine.
func setup(dir string, validators int, cadence time.Duration, machineName string) (*devnetPlan, error) {
	p := &devnetPlan{home: home.At(dir)}
	if _, err := os.Stat(p.home.Path("genesis.json")); err == nil {
		return nil, codedf("home", "%s has a network already: name an empty folder, or none for a temporary one", dir)
	}
	g := home.DefaultGenesis("devnet")
	g.Lease = home.LeaseRules{Cadence: cadence.Seconds(), Grace: devnetGrace.Seconds(), LockDelay: devnetLockDelay.Seconds()}
	clientKey, err := newKey(p.home.ClientKey())
	if err != nil {
		return nil, err
	}
	account := func(name string, k ed25519.PrivateKey, grant bool) {
		g.Accounts = append(g.Accounts, home.GenesisAccount{Name: name, Key: keyfile.Text(keyfile.Public(k)), Grant: grant})
	}
	account("client", clientKey, true)
	for _, name := range []string{"A", "B"} {
		h := home.At(p.home.Path("machine-" + name))
		k, err := newKey(h.ClientKey())
		if err != nil {
			return nil, err
		}
		account("machine "+name, k, false)
		p.machines = append(p.machines, machinePlan{name, h, lockspace.AccountID(keyfile.Public(k)).PeerID()})
	}
	ports, err := freePorts(2 * validators)
	if err != nil {
		return nil, err
	}
	bootstrap := ""
	for i := range validators {
		v := validatorPlan{name: fmt.Sprintf("v%d", i+1), rpc: "http://" + loopback(ports[2*i])}
		v.home = home.At(p.home.Path(v.name))
		host, err := newKey(v.home.HostKey())
		if err != nil {
			return nil, err
		}
		key, err := newKey(v.home.ValidatorKey())
		if err != nil {
			return nil, err
		}
		id, err := keyfile.PeerID(keyfile.Public(host))
		if err != nil {
			return nil, err
		}
		v.peer = id.String()
		card, err := keyfile.NewCard(key, id)
		if err != nil {
			return nil, err
		}
		g.Validators = append(g.Validators, home.Validator(v.name, card))
		c := devnetConfig(loopback(ports[2*i]), ports[2*i+1])
		if bootstrap == "" { // the first one's address is all that the others know
			bootstrap = fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/p2p/%s", ports[2*i+1], id)
		} else {
			c.P2P.Bootstrap = []string{bootstrap}
		}
		if err := v.home.WriteConfig(c); err != nil {
			return nil, err
		}
		p.validators = append(p.validators, v)
	}
	p.genesis = &g
	for _, h := range append([]*home.Home{p.home}, p.homes()...) {
		if err := h.WriteGenesis(&g); err != nil {
			return nil, err
		}
	}
	if err := p.home.WriteAPI(strings.Join(p.nodes(0), "\n")); err != nil {
		return nil, err
	}
	p.file, err = machineFile(p.home, machineName)
	return p, err
}

// homes are those of all processes.
func (p *devnetPlan) homes() (out []*home.Home) {
	for _, v := range p.validators {
		out = append(out, v.home)
	}
	for _, m := range p.machines {
		out = append(out, m.home)
	}
	return out
}

// nodes are the validators' JSON-RPC addresses, beginning with one of them.
func (p *devnetPlan) nodes(first int) (out []string) {
	for i := range p.validators {
		out = append(out, p.validators[(first+i)%len(p.validators)].rpc)
	}
	return out
}

func newKey(path string) (ed25519.PrivateKey, error) {
	k, err := keyfile.New()
	if err != nil {
		return nil, err
	}
	return k, keyfile.Write(path, k, nil)
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", fmt.Sprint(port)) }

// devnetConfig is a validator on loopback: real QUIC and TCP, no way out.
func devnetConfig(rpc string, port int) home.Config {
	c := home.Default()
	c.P2P.Listen = []string{fmt.Sprintf("/ip4/127.0.0.1/udp/%d/quic-v1", port), fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", port)}
	c.P2P.AllowPrivate, c.P2P.AutoNAT, c.P2P.Relay, c.P2P.HolePunching = true, false, false, false
	c.RPC.Listen, c.RPC.Health = rpc, ""
	return c
}

// The ports of a devnet come from below the range from which systems take those of outgoing connections, so that none of
// these sits on a validator's port while it is away.
const firstPort, lastPort = 12000, 32000

// freePorts finds ports that are free for TCP and UDP. Between now and their use another process could take one; then a
// validator says so and the devnet ends.
func freePorts(n int) ([]int, error) {
	var out []int
	taken := map[int]bool{}
	for range 100 * n {
		if len(out) == n {
			return out, nil
		}
		port := firstPort + rand.IntN(lastPort-firstPort)
		if taken[port] {
			continue
		}
		taken[port] = true
		l, err := net.Listen("tcp", loopback(port))
		if err != nil {
			continue
		}
		u, err := net.ListenPacket("udp", loopback(port))
		l.Close()
		if err != nil {
			continue
		}
		u.Close()
		out = append(out, port)
	}
	return nil, fmt.Errorf("loopback has not %d ports between %d and %d that are free for TCP and UDP", n, firstPort, lastPort)
}

// machineFile returns the machine file of a name: an example, written to the home, or a file.
func machineFile(h *home.Home, name string) (string, error) {
	toml := path.Join(name, name+".toml")
	if _, err := fs.Stat(examples.Files, toml); err != nil || strings.ContainsAny(name, "./\\") {
		if _, err := os.Stat(name); err != nil {
			return "", codedf("machine_file", "--machine %.100s: neither an example (lcg, counter) nor a machine file: %w", name, err)
		}
		return filepath.Abs(name)
	}
	for _, ext := range []string{".toml", ".json"} {
		b, err := examples.Files.ReadFile(path.Join(name, name+ext))
		if err != nil {
			return "", err
		}
		if err := home.WriteAtomic(h.Path("machine", name+ext), b, 0o644); err != nil {
			return "", err
		}
	}
	return h.Path("machine", name+".toml"), nil
}
