package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

const (
	// maxLine bounds a line of a child's output.
	maxLine = 1 << 16
	// maxComplaint bounds what is kept of a child's standard error, to say why it ended.
	maxComplaint = 4 << 10
	// stopTimeout is how long a child has to stop by itself.
	stopTimeout = 10 * time.Second
)

// spawner starts children from one thread that lives as long as the process: Linux kills them when that thread ends.
type spawner struct{ work chan func() }

func newSpawner() *spawner {
	s := &spawner{work: make(chan func())}
	go func() {
		runtime.LockOSThread()
		for f := range s.work {
			f()
		}
		// Never reached by children that live: close is called when all have ended.
	}()
	return s
}

// child is this program run again.
type child struct {
	name  string
	cmd   *exec.Cmd
	stdin io.Closer
	ended chan struct{}

	log       *os.File // its standard error, for a human to see
	mu        sync.Mutex
	complaint strings.Builder
	wanted    bool // its end is wanted
}

// start runs this program again with the given arguments and hands each line that it prints to line.
// What it complains goes to the end of a file, and what it said last is kept.
func (s *spawner) start(name, logFile string, args []string, line func(string)) (*child, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{name: name, cmd: exec.Command(self, args...), ended: make(chan struct{})}
	// What the parent was told by its environment is not meant for the nodes that it starts.
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "FATTY_") {
			c.cmd.Env = append(c.cmd.Env, e)
		}
	}
	dieWithParent(c.cmd)
	in, err := c.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	c.stdin = in
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	c.cmd.Stderr = c
	if c.log, err = os.OpenFile(logFile, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return nil, err
	}
	failed := make(chan error)
	s.work <- func() { failed <- c.cmd.Start() }
	if err := <-failed; err != nil {
		c.log.Close()
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		sc := bufio.NewScanner(out)
		sc.Buffer(nil, maxLine)
		for sc.Scan() {
			line(sc.Text())
		}
		_, _ = io.Copy(io.Discard, out) // a line too long: the rest is of no use
		_ = c.cmd.Wait()
		c.log.Close()
		close(c.ended)
	}()
	return c, nil
}

// Write keeps the end of what the child complained.
func (c *child) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.complaint.Len() > maxComplaint {
		tail := c.complaint.String()[maxComplaint/2:]
		c.complaint.Reset()
		c.complaint.WriteString(tail)
	}
	c.complaint.Write(b[max(0, len(b)-maxComplaint):])
	_, _ = c.log.Write(b) // a full disk shows elsewhere too
	return len(b), nil
}

// why is what a child that ended by itself had to say.
func (c *child) why() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	text := strings.TrimSpace(c.complaint.String())
	if text == "" {
		text = c.cmd.ProcessState.String()
	}
	return errors.New(text)
}

// kill ends the child as a crash would: it says no good-bye. It may still be ending when this returns.
func (c *child) kill() {
	c.mu.Lock()
	c.wanted = true
	c.mu.Unlock()
	_ = c.cmd.Process.Kill() // gone already: nothing to do
}

// stop lets the child end by itself, and kills it if it does not.
func (c *child) stop() {
	c.mu.Lock()
	c.wanted = true
	c.mu.Unlock()
	c.stdin.Close()
	t := time.NewTimer(stopTimeout)
	defer t.Stop()
	select {
	case <-c.ended:
	case <-t.C:
		c.kill()
		<-c.ended
	}
}

func (c *child) isWanted() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wanted
}

// untilOrphaned returns a context that ends when standard input does: a parent holds its other end open.
func untilOrphaned(ctx context.Context, in io.Reader) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, in)
		cancel()
	}()
	return ctx, cancel
}
