package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed06907907/fatty/client"
	"github.com/seed06907907/fatty/cmd/internal/cli"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/home"
	"github.com/seed06907907/fatty/node/keyfile"
)

// asFattyd in the environment makes this test's program the daemon, so that a test can kill it.
const asFattyd = "TEST_AS_FATTYD"

// daemon is fattyd in a process of its own.
type daemon struct {
	cmd *exec.Cmd
	rpc string
}

func startDaemon(t *testing.T, dir string) *daemon {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "--home", dir, "start", "--json")
	cmd.Env = append(os.Environ(), asFattyd+"=1", "FATTY_P2P_LISTEN=/ip4/127.0.0.1/tcp/0", "FATTY_P2P_ALLOW_PRIVATE=true",
		"FATTY_RPC_LISTEN=127.0.0.1:0", "FATTY_RPC_HEALTH=")
	var complaint strings.Builder
	cmd.Stderr = &complaint
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var ready struct {
		RPC   string
		Error any
	}
	if err := json.NewDecoder(out).Decode(&ready); err != nil || ready.RPC == "" {
		_ = cmd.Wait()
		t.Fatalf("fattyd is not ready: %v: %v %s", err, ready.Error, complaint.String())
	}
	go io.Copy(io.Discard, out)
	return &daemon{cmd, ready.RPC}
}

// kill is kill -9: no handler runs, nothing is flushed.
func (d *daemon) kill() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
}

// TestKillLosesNothing kills a node again and again in the middle of writes. Whatever was acknowledged by a receipt is
// there afterwards, with the same content, and the node goes on.
func TestKillLosesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "home")
	key, err := keyfile.New()
	if err != nil {
		t.Fatal(err)
	}
	command := func(args ...string) map[string]any {
		var out, errw strings.Builder
		if code := run(t.Context(), append([]string{"--home", dir, "--json"}, args...), strings.NewReader(""), &out, &errw); code != cli.ExitOK {
			t.Fatalf("%v: %d %s %s", args, code, out.String(), errw.String())
		}
		var v map[string]any
		if err := json.Unmarshal([]byte(out.String()), &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	card := command("init")["card"].(string)
	file := filepath.Join(t.TempDir(), "genesis.json")
	command("genesis", "--validator", "a="+card, "--account", keyfile.Text(keyfile.Public(key)), "--out", file)
	command("init", "--chain", file)
	gen, err := home.At(dir).Genesis()
	if err != nil {
		t.Fatal(err)
	}
	chain := gen.ChainID()

	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	acknowledged := map[string]string{}
	nonce, round := uint64(0), 0
	var mu sync.Mutex
	for ; round < 4; round++ {
		d := startDaemon(t, dir)
		cl, err := client.New(client.Config{Nodes: []string{d.rpc}, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range acknowledged {
			got, err := cl.Get(ctx, path)
			if err != nil || string(got.Data) != want {
				t.Fatalf("round %d: %s: %v; it was acknowledged", round, path, err)
			}
		}
		// Eight writers at once, killed when so many of their writes are acknowledged: others are anywhere on their way.
		var group sync.WaitGroup
		life, die := context.WithCancel(ctx)
		enough := make(chan struct{}, 1000)
		for w := range 8 {
			group.Add(1)
			go func() {
				defer group.Done()
				for i := 0; life.Err() == nil && i < 100; i++ {
					path, content := fmt.Sprintf("/r%d-w%d-%d", round, w, i), strings.Repeat(fmt.Sprint(i), 1+i*50)
					mu.Lock()
					nonce++
					n := nonce
					mu.Unlock()
					tx, err := lockspace.Sign(key, lockspace.Header{Chain: chain, Nonce: n, Expiry: lockspace.Time(time.Now().Add(time.Minute).UnixNano())},
						&lockspace.Put{Path: path, Content: []byte(content)})
					if err != nil {
						t.Error(err)
						return
					}
					r, err := submit(life, cl, tx)
					if err != nil {
						return // the node is gone
					}
					if r {
						mu.Lock()
						acknowledged[path] = content
						mu.Unlock()
						enough <- struct{}{}
					}
				}
			}()
		}
		for range 10 + 15*round {
			select {
			case <-enough:
			case <-ctx.Done():
				t.Fatal("too slow")
			}
		}
		d.kill()
		die()
		group.Wait()
	}
	if len(acknowledged) < 40 {
		t.Errorf("only %d writes were acknowledged", len(acknowledged))
	}
	d := startDaemon(t, dir)
	cl, err := client.New(client.Config{Nodes: []string{d.rpc}})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range acknowledged {
		if got, err := cl.Get(ctx, path); err != nil || string(got.Data) != want {
			t.Fatalf("%s: %v; it was acknowledged", path, err)
		}
	}
}

// submit hands a transaction in and says whether its receipt is a good one.
func submit(ctx context.Context, cl *client.Client, tx []byte) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	id, err := cl.Submit(ctx, tx)
	if err != nil {
		return false, err
	}
	r, err := cl.Wait(ctx, id, 10*time.Second)
	if err != nil {
		return false, err
	}
	if !r.OK {
		return false, errors.New(r.Message)
	}
	return true, nil
}
