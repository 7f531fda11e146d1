package machine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/home"
	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier"
)

func testAbout() about {
	return about{Lock: "/demo/lcg", Machine: wire.Sum([]byte("machine")), Account: account(aliceKey), Proofs: 2}
}

func testJob() begun {
	return begun{Job: Job{Instance: 3, Generation: 7, T: 40, S: lockspace.FeltOf(9), Runs: 8, Ticks: 5, Took: lockspace.Idle}, Life: lockspace.Digest{1}, Anchor: lockspace.Digest{2},
		Sequence: 12, Anchored: 1e18}
}

// filled is a folder with one file of each kind.
func filled(t *testing.T) *progress {
	t.Helper()
	p, err := openProgress(t.TempDir(), testAbout())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.close)
	b := testJob()
	before := b
	before.Job.T = 30
	err = errors.Join(p.accept(before, Piece{Runs: 8, Wrapped: true, Proof: []byte("accepted"), T: 40, Opening: []vm.Felt{{}}}),
		p.join(30, lockspace.FeltOf(4), []byte("whole")),
		p.keep(b, Piece{First: 0, Runs: 4, Wrapped: true, Proof: []byte("four"), T: 60, Opening: []vm.Felt{}}),
		p.keep(b, Piece{First: 4, Runs: 1, Wrapped: true, Proof: []byte("fifth"), T: 65}),
		p.keep(b, Piece{First: 5, Runs: 1, Proof: []byte("sixth"), T: 70}))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProgressComesBack(t *testing.T) {
	p := filled(t)
	s, err := p.load()
	if err != nil || len(s.aside) > 0 {
		t.Fatal(err, s.aside)
	}
	if s.accepted == nil || s.accepted.T0 != 30 || s.accepted.T != 40 || len(openingOf(*s.accepted)) != 1 || string(s.accepted.Proof) != "accepted" {
		t.Errorf("%+v", s.accepted)
	}
	if s.whole == nil || s.whole.T != 30 || s.whole.S != lockspace.FeltOf(4) {
		t.Errorf("%+v", s.whole)
	}
	if s.begun == nil || *s.begun != testJob() || len(s.pieces) != 3 {
		t.Fatalf("%+v %+v", s.begun, s.pieces)
	}
	slices.SortFunc(s.pieces, func(a, b Piece) int { return a.First - b.First })
	if a := s.pieces[0]; a.Runs != 4 || !a.Wrapped || a.Opening == nil || a.T != 60 {
		t.Errorf("%+v", a)
	}
	if c := s.pieces[2]; c.Wrapped || c.Opening != nil || string(c.Proof) != "sixth" {
		t.Errorf("%+v", c)
	}
	// A piece takes the place of others; a renewal that is over takes its pieces with it.
	if err := p.keep(testJob(), Piece{First: 4, Runs: 2, Wrapped: true, Proof: []byte("two"), T: 70}, s.pieces[1], s.pieces[2]); err != nil {
		t.Fatal(err)
	}
	if s, err = p.load(); err != nil || len(s.pieces) != 2 {
		t.Errorf("%v %+v", err, s.pieces)
	}
	if err := p.accept(testJob(), Piece{Runs: 8, Wrapped: true, Proof: []byte("all"), T: 80}); err != nil {
		t.Fatal(err)
	}
	if s, err = p.load(); err != nil || s.begun != nil || len(s.pieces) != 0 || s.accepted.T != 80 || s.whole == nil {
		t.Errorf("%v %+v", err, s)
	}
	// One keeper at a time.
	if _, err := openProgress(p.home.Dir, testAbout()); !errors.Is(err, home.ErrLocked) {
		t.Errorf("a second keeper: %v", err)
	}
}

// TestTornProgress cuts each file at every length, and changes every byte: what is left of it is set aside with a reason,
// and all else is still there.
func TestTornProgress(t *testing.T) {
	p := filled(t)
	for _, name := range []string{fileAccepted, fileWhole, "span-0-4", "run-5"} {
		good, err := os.ReadFile(p.path(name))
		if err != nil {
			t.Fatal(err)
		}
		try := func(what string, b []byte) {
			if err := os.WriteFile(p.path(name), b, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := p.load()
			if err != nil || len(s.aside) != 1 || !strings.Contains(s.aside[0], name) || !strings.Contains(s.aside[0], "set aside as") {
				t.Fatalf("%s %s: %v %q", name, what, err, s.aside)
			}
			there := len(s.pieces)
			if s.accepted != nil {
				there++
			}
			if s.whole != nil {
				there++
			}
			if there != 4 {
				t.Fatalf("%s %s: %d other files are there", name, what, there)
			}
		}
		for n := range good {
			try(fmt.Sprintf("cut at %d", n), good[:n])
		}
		for n := range good {
			bad := bytes.Clone(good)
			bad[n] ^= 0x10
			try(fmt.Sprintf("changed at %d", n), bad)
		}
		try("with more behind it", append(bytes.Clone(good), 0))
		if err := os.WriteFile(p.path(name), good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if old, err := os.ReadDir(p.home.Path("aside")); err != nil || len(old) > maxAside {
		t.Errorf("%d files are kept aside, %v", len(old), err)
	}
	// What a write leaves that was killed is no file of progress.
	if err := os.WriteFile(filepath.Join(p.home.Path("data"), ".span-0-1.progress.123"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := p.load(); err != nil || len(s.aside) > 0 || len(s.pieces) != 3 {
		t.Errorf("%v %+v", err, s)
	}
}

// TestForeignProgress: whole files that are not this keeper's are set aside, each with its reason.
func TestForeignProgress(t *testing.T) {
	for why, change := range map[string]func(r *record, name *string, b []byte) []byte{
		"for lock /demo/other": func(r *record, _ *string, _ []byte) []byte { r.About.Lock = "/demo/other"; return nil },
		"of machine":           func(r *record, _ *string, _ []byte) []byte { r.About.Machine = wire.Sum([]byte("x")); return nil },
		"of the holder":        func(r *record, _ *string, _ []byte) []byte { r.About.Account[0] ^= 1; return nil },
		"proof has version 9":  func(r *record, _ *string, _ []byte) []byte { r.About.Proofs = 9; return nil },
		"written as":           func(_ *record, name *string, _ []byte) []byte { *name = "span-0-2"; return nil },
		"no file of that name": func(r *record, name *string, _ []byte) []byte { r.Name, *name = "other", "other"; return nil },
		"of which renewal":     func(r *record, name *string, _ []byte) []byte { r.Name, *name = "span-7-2", "span-7-2"; return nil },
		"it has format 2": func(_ *record, _ *string, b []byte) []byte {
			b[len(progressMagic)+1] = 2
			return b
		},
	} {
		p := filled(t)
		name := "span-0-4"
		r, err := p.read(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(p.path(name)); err != nil {
			t.Fatal(err)
		}
		good, err := encodeRecord(r)
		if err != nil {
			t.Fatal(err)
		}
		b := change(&r, &name, good)
		if b == nil {
			if b, err = encodeRecord(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(p.path(name), b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := p.load()
		if err != nil || len(s.aside) != 1 || !strings.Contains(s.aside[0], why) || len(s.pieces) != 2 {
			t.Errorf("%s: %v %q, %d pieces", why, err, s.aside, len(s.pieces))
		}
	}
}

// TestGoesOnAfterACrash stops a keeper at each moment of its rounds, without a good-bye, and starts another in its folder:
// it is the same life, no proof that was made is made again, and the whole life goes on.
func TestGoesOnAfterACrash(t *testing.T) {
	for at := 250 * time.Millisecond; at < 14*time.Second; at += 500 * time.Millisecond {
		inWorld(t, func(t *testing.T, w *world) {
			dir := t.TempDir()
			f := example(t, "pair") // whose state is behind a felt: without its folder it would have to begin anew
			f.Terms.Cadence = 12 * lockspace.Second
			f.MaxRuns = 3
			c := &counts{}
			slow := oracle{delay: takes(800 * time.Millisecond), wrap: 700 * time.Millisecond, merge: 600 * time.Millisecond, count: c}
			a := &link{w: w, key: aliceKey}
			first, stop := keep(t, a, f, slow, dir)
			pass(26 * time.Second) // acquired and renewed twice
			pass(at)
			a.breakBy(func(string) error { return errors.New("dead") })
			if err := stop(); err != nil {
				t.Fatal(err)
			}
			runs, wraps, _ := c.seen()
			again := &link{w: w, key: aliceKey, nonce: a.nonce}
			second, stop2 := keep(t, again, f, slow, dir)
			for range 160 {
				pass(100 * time.Millisecond)
				if len(second.of(Renewed)) > 0 {
					break
				}
			}
			renewed := second.of(Renewed)
			if len(renewed) == 0 {
				t.Fatalf("at %s: %+v", at, second.list)
			}
			if last := first.of(Renewed); renewed[0].From != last[len(last)-1].T {
				t.Errorf("at %s: the second goes on from %d, the first renewed to %d", at, renewed[0].From, last[len(last)-1].T)
			}
			// What the first process had proven is not made again, but for what was in the making: two proofs at most.
			need := 0
			for _, e := range slices.Concat(first.of(Acquired), first.of(Renewed), renewed) {
				need += int(e.Runs)
			}
			if r, w, _ := c.seen(); r+w-2*need > 2 {
				t.Errorf("at %s: %d+%d runs and %d+%d wraps for renewals of %d runs", at, runs, r-runs, wraps, w-wraps, need)
			}
			pass(16 * time.Second)
			if w.seen(lockspace.EventLost) > 0 || len(second.of(Refused)) > 0 || len(second.of(Trouble)) > 0 || len(second.of(SetAside)) > 0 {
				t.Fatalf("at %s: %+v", at, second.list)
			}
			whole, newest, m := wholeOf(t, w, f.Lock)
			if whole.T0 != 0 || whole.T1 != newest.T0 || newest.T1 != m.T {
				t.Errorf("at %s: whole life to %d, newest from %d", at, whole.T1, newest.T0)
			}
			if err := stop2(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestLearnsWhatWasAccepted: the answer to a renewal is lost, with or without the process that handed it in.
func TestLearnsWhatWasAccepted(t *testing.T) {
	for _, crash := range []bool{false, true} {
		inWorld(t, func(t *testing.T, w *world) {
			dir := t.TempDir()
			f := example(t, "pair")
			quick := oracle{delay: takes(time.Second)}
			a := &link{w: w, key: aliceKey}
			events, stop := keep(t, a, f, quick, dir)
			pass(15 * time.Second)
			dead := false
			a.breakBy(func(what string) error {
				if dead = dead || what == "receipt"; dead {
					return errors.New("dead")
				}
				return nil
			})
			before := w.seen(lockspace.EventRenewed)
			pass(12 * time.Second)
			if w.seen(lockspace.EventRenewed) != before+1 {
				t.Fatalf("crash %v: the ledger took %d", crash, w.seen(lockspace.EventRenewed)-before)
			}
			if crash {
				if err := stop(); err != nil {
					t.Fatal(err)
				}
				events, stop = keep(t, &link{w: w, key: aliceKey, nonce: a.nonce}, f, quick, dir)
			} else {
				a.breakBy(nil)
			}
			pass(15 * time.Second)
			if w.seen(lockspace.EventLost) > 0 || w.seen(lockspace.EventRenewed) < before+2 || len(events.of(Refused)) > 0 {
				t.Errorf("crash %v: %+v", crash, events.list)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestProofsOfProgressAreChecked: a piece whose proof says something else than its file is set aside, and made again.
func TestProofsOfProgressAreChecked(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		dir := t.TempDir()
		f := example(t, "lcg")
		f.MaxRuns = 3
		quick := oracle{delay: takes(time.Second), wrap: time.Second}
		a := &link{w: w, key: aliceKey}
		_, stop := keep(t, a, f, quick, dir)
		for {
			pass(time.Second / 2)
			if files, _ := filepath.Glob(filepath.Join(dir, "data", "span-0-1.progress")); len(files) > 0 {
				break
			}
		}
		a.breakBy(func(string) error { return errors.New("dead") })
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "data", "span-0-1.progress")
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		r, err := decodeRecord(b, "span-0-1")
		if err != nil {
			t.Fatal(err)
		}
		p, err := readFake(r.Proof)
		if err != nil {
			t.Fatal(err)
		}
		p.Verdict.T1++
		r.Proof = p.bytes()
		if b, err = encodeRecord(r); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		events, stop2 := keep(t, &link{w: w, key: aliceKey, nonce: a.nonce}, f, quick, dir)
		pass(14 * time.Second)
		aside := events.of(SetAside)
		if len(aside) != 1 || !strings.Contains(aside[0].Text, "the file says") || len(events.of(Refused)) > 0 || w.seen(lockspace.EventLost) > 0 || len(events.of(Renewed))+len(events.of(Acquired)) == 0 {
			t.Errorf("%+v", events.list)
		}
		if err := stop2(); err != nil {
			t.Error(err)
		}
	})
}

// killed has a keeper hold a lock for 40 s and die. What is left is its folder, and the account's link, which is cut.
func killed(t *testing.T, w *world, f *File, p Prover) (*link, string) {
	t.Helper()
	dir, a := t.TempDir(), &link{w: w, key: aliceKey}
	_, stop := keep(t, a, f, p, dir)
	pass(40 * time.Second)
	a.breakBy(func(string) error { return errors.New("dead") })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	return a, dir
}

// TestWholeLivesOfProgressAreChecked: what a keeper's folder says of the machine's life is no more believed than what a
// node says: it is set aside, and the node's is taken.
func TestWholeLivesOfProgressAreChecked(t *testing.T) {
	for _, name := range []string{fileWhole, fileAccepted} {
		inWorld(t, func(t *testing.T, w *world) {
			f, quick := example(t, "lcg"), oracle{delay: takes(time.Second)}
			a, dir := killed(t, w, f, quick)
			path := filepath.Join(dir, "data", name+progressSuffix)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			r, err := decodeRecord(b, name)
			if err != nil {
				t.Fatal(err)
			}
			p, err := readFake(r.Proof)
			if err != nil {
				t.Fatal(err)
			}
			p.Verdict.S1 = lockspace.FeltOf(7)
			r.Proof = p.bytes()
			if b, err = encodeRecord(r); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			events, stop2 := keep(t, &link{w: w, key: aliceKey, nonce: a.nonce}, f, quick, dir)
			pass(25 * time.Second)
			if len(events.of(SetAside)) != 1 || len(events.of(Refused)) > 0 || len(events.of(Trouble)) > 0 || w.seen(lockspace.EventLost) > 0 || len(events.of(Renewed)) < 2 {
				t.Errorf("%s: %+v", name, events.list)
			}
			if err := stop2(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestFilesOfAnotherLevelStay: a keeper that was started at the wrong level of security uses nothing of what is there, and
// loses nothing of it: started at the right one again, it goes on.
func TestFilesOfAnotherLevelStay(t *testing.T) {
	for name, check := range map[string]func([]byte) (verifier.Statement, error){
		"more": func(b []byte) (verifier.Statement, error) {
			s, err := checkFake(b)
			s.Security = verifier.Security124
			return s, err
		},
		"less": func([]byte) (verifier.Statement, error) {
			return verifier.Statement{}, fmt.Errorf("100 bits, at least 124 asked: %w", verifier.ErrVersion)
		},
	} {
		inWorld(t, func(t *testing.T, w *world) {
			f, quick := example(t, "lcg"), oracle{delay: takes(time.Second)}
			a, dir := killed(t, w, f, quick)
			events := &log{}
			r, err := New(Config{File: f, Ledger: a, Prover: quick, Account: account(aliceKey), Dir: dir, Check: check, Report: events.add})
			if err != nil {
				t.Fatal(err)
			}
			if err := r.openDir(); err != nil {
				t.Fatal(err)
			}
			r.closeDir()
			if r.life.whole != nil || r.life.last != nil || len(events.of(SetAside)) > 0 || len(events.of(Trouble)) != 2 || !strings.Contains(events.of(Trouble)[0].Text, "level of security") {
				t.Errorf("%s: %+v", name, events.list)
			}
			for _, name := range []string{fileWhole, fileAccepted} {
				if _, err := os.Stat(filepath.Join(dir, "data", name+progressSuffix)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestRemovesWhatAKillLeft: a keeper that is killed while it writes leaves temporary files, in both folders that it writes.
func TestRemovesWhatAKillLeft(t *testing.T) {
	dir := t.TempDir()
	f := example(t, "lcg")
	var left []string
	for _, folder := range []string{"data", ProofFolder} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{".renewal-0-1000.proof.123", ".whole.progress.7"} {
			left = append(left, filepath.Join(dir, folder, name))
		}
	}
	kept := filepath.Join(dir, ProofFolder, "renewal-0-1000.proof")
	for _, path := range append(left, kept) {
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	events := &log{}
	r, err := New(Config{File: f, Account: account(aliceKey), Dir: dir, Check: checkFake, Report: events.add})
	if err != nil {
		t.Fatal(err)
	}
	if err := r.openDir(); err != nil {
		t.Fatal(err)
	}
	r.closeDir()
	for _, path := range left {
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := os.Stat(kept); err != nil || len(events.list) > 0 {
		t.Errorf("%v %+v", err, events.list)
	}
}

// TestProgressThatCannotBeRead: a file that the disk or the system does not give now is not torn. It stays, and the keeper
// says why it does not start.
func TestProgressThatCannotBeRead(t *testing.T) {
	p := filled(t)
	good, err := os.ReadFile(p.path(fileWhole))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(p.path(fileWhole)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(p.path(fileWhole), 0o700); err != nil { // reading it is an error of the system
		t.Fatal(err)
	}
	if s, err := p.load(); err == nil || !strings.Contains(err.Error(), p.path(fileWhole)) || len(s.aside) > 0 {
		t.Errorf("%v %q", err, s.aside)
	}
	if err := os.Remove(p.path(fileWhole)); err != nil {
		t.Fatal(err)
	}
	// What is too large is none of its files, and would not be read by trying again.
	if err := os.WriteFile(p.path(fileWhole), make([]byte, maxProgressFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := p.load(); err != nil || len(s.aside) != 1 {
		t.Errorf("%v %q", err, s.aside)
	}
	if err := os.WriteFile(p.path(fileWhole), good, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := p.load(); err != nil || len(s.aside) > 0 || s.whole == nil {
		t.Errorf("%v %+v", err, s)
	}
}
