//go:build unix

package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A pipe is written to whoever reads it, stays one, and is not waited for when the work is called off.
func TestOutputPipe(t *testing.T) {
	dir := t.TempDir()
	pipe, unread := filepath.Join(dir, "pipe"), filepath.Join(dir, "unread")
	open := func(path string) output {
		if err := unix.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		to, err := openOutput("out", path)
		if err != nil {
			t.Fatal(err)
		}
		return to
	}
	write := func(w io.Writer) error { _, err := io.WriteString(w, "proof"); return err }
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := open(unread).write(ctx, write); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nobody reads: %v", err)
	}
	to := open(pipe)
	read := make(chan string, 1)
	go func() {
		b, err := os.ReadFile(pipe)
		if err != nil {
			t.Error(err)
		}
		read <- string(b)
	}()
	if err := to.write(t.Context(), write); err != nil {
		t.Error(err)
	}
	if got := <-read; got != "proof" {
		t.Errorf("%q", got)
	}
	if info, err := os.Stat(pipe); err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		t.Errorf("%v, %v", info, err)
	}
}
