package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestMain runs the keeper of TestSurvivesKills in a process of its own.
func TestMain(m *testing.M) {
	if dir := os.Getenv("FATTY_TEST_KEEPER"); dir != "" {
		if err := spanUntilKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const killedRuns = 40

func killedWork() (Work, error) {
	f, err := ReadFile("../examples/lcg/lcg.toml")
	if err != nil {
		return Work{}, err
	}
	w := Work{Program: f.Program}
	w.S.SetUint64(1)
	for range killedRuns {
		w.Runs = append(w.Runs, Segment{Ticks: 2})
	}
	return w, nil
}

// spanUntilKilled goes on with a span in a folder; each run that is begun adds a byte to a file.
func spanUntilKilled(dir string) error {
	w, err := killedWork()
	if err != nil {
		return err
	}
	p, err := openProgress(dir, testAbout())
	if err != nil {
		return err
	}
	defer p.close()
	s, err := p.load()
	if err != nil || len(s.aside) > 0 {
		return fmt.Errorf("%w %q", err, s.aside)
	}
	b := testJob()
	b.Job.Runs = killedRuns
	log, err := os.OpenFile(filepath.Join(dir, "begun"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	o := oracle{wrap: 2 * time.Millisecond, merge: 2 * time.Millisecond, delay: func(uint64) time.Duration {
		_, _ = log.Write([]byte{'.'})
		return 3 * time.Millisecond
	}}
	made, err := (&Spanner{Prover: o, Have: s.pieces, Keep: func(piece Piece, over ...Piece) error { return p.keep(b, piece, over...) }}).Make(context.Background(), w)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, "made"), made.Proof, 0o600)
}

// TestSurvivesKills kills a process that makes a span, again and again: nothing is ever torn, each kill loses at most the
// run at hand, and the span comes out the same.
func TestSurvivesKills(t *testing.T) {
	w, err := killedWork()
	if err != nil {
		t.Fatal(err)
	}
	want, err := (&Spanner{Prover: oracle{delay: takes(0)}}).Make(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	kills := 0
	for ; ; kills++ {
		if kills > 200 {
			t.Fatal("it makes no progress between kills")
		}
		c := exec.Command(self)
		c.Env = append(os.Environ(), "FATTY_TEST_KEEPER="+dir)
		var said bytes.Buffer
		c.Stderr = &said
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		begun := size(t, filepath.Join(dir, "begun"))
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		// Let it begin a few runs, and then some more time, which differs from kill to kill.
		until := time.Now().Add(time.Minute)
		for size(t, filepath.Join(dir, "begun")) < begun+2+kills%3 && time.Now().Before(until) && len(ended) == 0 {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(kills*1700%9000) * time.Microsecond)
		_ = c.Process.Kill()
		if err := <-ended; err == nil {
			break
		}
		if said.Len() > 0 {
			t.Fatalf("after %d kills: %s", kills, said.String())
		}
	}
	got, err := os.ReadFile(filepath.Join(dir, "made"))
	if err != nil || !bytes.Equal(got, want.Proof) {
		t.Errorf("after %d kills: %v, another span", kills, err)
	}
	if n := size(t, filepath.Join(dir, "begun")); n > killedRuns+kills {
		t.Errorf("%d kills lost %d runs", kills, n-killedRuns)
	}
	t.Logf("%d kills, %d runs begun for %d", kills, size(t, filepath.Join(dir, "begun")), killedRuns)
}

func size(t *testing.T, path string) int {
	t.Helper()
	info, err := os.Stat(path)
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return int(info.Size())
}
