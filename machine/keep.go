package machine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"sync"

	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/home"
	"github.com/seed06907907/fatty/verifier"
)

// openDir opens the keeper's folder and reads what an earlier process left there.
func (r *Runner) openDir() error {
	if r.cfg.Dir == "" {
		return nil
	}
	p, err := openProgress(r.cfg.Dir, about{Lock: r.cfg.File.Lock, Machine: r.id, Account: r.cfg.Account, Proofs: verifier.ProofVersion})
	if err != nil {
		return err
	}
	s, err := p.load()
	for _, text := range s.aside {
		r.report(Event{Kind: SetAside, Text: text})
	}
	if err != nil {
		p.close()
		return err
	}
	r.progress, r.files = p, &proofFiles{dir: p.home.Path(ProofFolder), program: r.cfg.File.Canonical}
	clean(p.home.Path("data"))
	clean(r.files.dir)
	r.begun, r.pieces = s.begun, s.pieces
	if a := s.accepted; a != nil && r.checkRecord(a) {
		r.life.last = &part{T0: a.T0, T: a.T, S: a.S, proof: a.Proof}
		if a.Begun != nil {
			r.opening = behind{place{a.Begun.Job.Instance, a.Begun.Job.Generation, a.T, a.S}, openingOf(*a)}
		}
	}
	if w := s.whole; w != nil && r.checkRecord(w) {
		r.life.whole = &part{T: w.T, S: w.S, proof: w.Proof}
	}
	return nil
}

func (r *Runner) closeDir() {
	if r.progress != nil {
		r.progress.close()
	}
}

// unsavable says once that progress cannot be written. The lock is kept all the same: what is lost by a crash then is time.
func (r *Runner) unsavable(err error) {
	if err == nil || r.unsaved {
		return
	}
	r.unsaved = true
	r.report(Event{Kind: Trouble, Text: fmt.Sprintf("progress cannot be written, and a crash would lose it: %v", err)})
}

// keep returns what a Spanner calls for each piece. A piece that cannot be written is noted, for the loop to say.
func (r *Runner) keep(b begun) func(Piece, ...Piece) error {
	if r.progress == nil {
		return nil
	}
	p, n := r.progress, &r.notes
	return func(piece Piece, over ...Piece) error {
		n.add(p.keep(b, piece, over...))
		return nil
	}
}

// notes gathers errors of goroutines for the one that may report.
type notes struct {
	mu  sync.Mutex
	err error
}

func (n *notes) add(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.err = errors.Join(n.err, err)
}

func (n *notes) take() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	err := n.err
	n.err = nil
	return err
}

// forget drops the renewal in the making of an earlier process, or one that is over.
func (r *Runner) forget() {
	r.begun, r.pieces = nil, nil
	if r.progress != nil {
		r.unsavable(r.progress.drop())
	}
}

// takeUp returns what an earlier process had begun and finished of a job, if it is of this job and holds.
func (r *Runner) takeUp(j Job, life lockspace.Digest) (*begun, []Piece) {
	b, pieces := r.begun, r.pieces
	r.begun, r.pieces = nil, nil
	if b == nil || b.Job != j || b.Life != life {
		return nil, nil
	}
	runs := 0
	for _, p := range pieces {
		if err := r.checkPiece(*b, p); err != nil {
			name := pieceName(p.First, p.Runs, p.Wrapped)
			r.report(Event{Kind: SetAside, Text: r.progress.setAside(name, err)})
			return nil, nil
		}
		if p.Wrapped {
			runs += p.Runs
		}
	}
	r.report(Event{Kind: Resumed, T: j.T, State: j.S, Runs: j.Runs, Text: fmt.Sprintf("of a renewal of %d runs from t = %d, %d were proven before", j.Runs, j.T, runs)})
	return b, pieces
}

// checkPiece demands that a piece says what its file says. A run is left to its wrap, which checks it.
func (r *Runner) checkPiece(b begun, p Piece) error {
	if !p.Wrapped {
		return nil
	}
	s, err := r.cfg.Check(p.Proof)
	if err != nil {
		return err
	}
	from := b.Job.T + uint64(p.First)*b.Job.Ticks
	switch {
	case s.Span == nil || s.Key != r.key:
		return errors.New("its proof is no span of this machine's program")
	case s.Life != b.Life || s.Anchor != b.Anchor:
		return errors.New("its proof is for another life or has another anchor than the file says")
	case s.Span.T0 != from || s.Span.T1 != p.T || s.Span.S1 != p.S.Bytes():
		return fmt.Errorf("its proof is from t = %d to %d, the file says from %d to %d", s.Span.T0, s.Span.T1, from, p.T)
	}
	return nil
}

// accepted notes a renewal that the ledger took: what is behind its last state, and what the whole life grows by. The
// ledger's own whole-life span then ends at whole.
func (r *Runner) accepted(b begun, made Piece, whole uint64) {
	state := lockspace.Felt(made.S.Bytes())
	r.opening = behind{place{b.Job.Instance, b.Job.Generation, made.T, state}, made.Opening}
	r.life.grow(part{T0: b.Job.T, T: made.T, S: state, proof: made.Proof})
	if r.view != nil {
		r.view.Whole, r.view.Due = whole, b.Job.T > 0 && whole == b.Job.T
	}
	if r.progress == nil {
		return
	}
	r.begun, r.pieces = nil, nil
	r.unsavable(r.progress.accept(b, made))
	if b.Job.T == 0 { // a span from the start is a whole life by itself
		r.unsavable(r.progress.join(made.T, state, made.Proof))
	}
}

// checkRecord says whether the proof of a file holds and says what the file does; if not, the file is set aside. One of
// another level stays until the ledger takes what is made here: a keeper that was started at the wrong level by mistake must
// not take from the next what no node may have any more.
func (r *Runner) checkRecord(f *record) bool {
	s, err := r.cfg.Check(f.Proof)
	if errors.Is(err, verifier.ErrVersion) || (err == nil && s.Security != r.cfg.Security) {
		if err == nil {
			err = fmt.Errorf("%d bits, here are made proofs of %d", s.Security, r.cfg.Security)
		}
		r.report(Event{Kind: Trouble, Text: fmt.Sprintf("%s is of another level of security and of no use here: %v; it stays where it is", r.progress.path(f.Name), err)})
		return false
	}
	switch {
	case err != nil:
	case s.Span == nil || s.Key != r.key:
		err = errors.New("its proof is no span of this machine's program")
	case s.Span.T0 != f.T0 || s.Span.T1 != f.T || lockspace.Felt(s.Span.S1) != f.S || (f.T0 == 0 && s.Span.S0 != r.cfg.File.Start.Bytes()):
		err = fmt.Errorf("its proof is from t = %d to %d, the file says from %d to %d, or it is of other states", s.Span.T0, s.Span.T1, f.T0, f.T)
	}
	if err != nil {
		r.report(Event{Kind: SetAside, Text: r.progress.setAside(f.Name, err)})
	}
	return err == nil
}

// proofFiles are the newest proofs as files that `fatty verify` reads.
type proofFiles struct {
	dir     string
	program verifier.Program
}

// ProofFolder is the folder in Config.Dir with the newest proof files.
const ProofFolder = "proofs"

// keptFiles is how many proof files of each kind stay: ten minutes at the usual cadence, some 20 MB.
const keptFiles = 50

const (
	spanPrefix  = "renewal-"
	wholePrefix = "whole-life-"
	proofSuffix = ".proof"
)

// span writes a renewal's proof and returns its path.
func (f *proofFiles) span(t0, t1 uint64, proof []byte) (string, error) {
	return f.write(spanPrefix, fmt.Sprintf("%s%d-%d%s", spanPrefix, t0, t1, proofSuffix), proof)
}

// whole writes a whole-life span and returns its path.
func (f *proofFiles) whole(t uint64, proof []byte) (string, error) {
	return f.write(wholePrefix, fmt.Sprintf("%s%d%s", wholePrefix, t, proofSuffix), proof)
}

func (f *proofFiles) write(prefix, name string, proof []byte) (string, error) {
	path := filepath.Join(f.dir, name)
	file, err := verifier.EncodeEnvelope(f.program, proof)
	if err != nil {
		return "", err
	}
	if have, err := os.ReadFile(path); err == nil && bytes.Equal(have, file) {
		return path, nil // a whole life, written for the renewal before; another life's may have the same name
	}
	if err := home.WriteAtomic(path, file, 0o644); err != nil {
		return "", err
	}
	all, err := os.ReadDir(f.dir)
	if err != nil {
		return path, err
	}
	all = slices.DeleteFunc(all, func(e os.DirEntry) bool { return !strings.HasPrefix(e.Name(), prefix) })
	sort.Slice(all, func(i, j int) bool { return age(all[i]).Before(age(all[j])) })
	for len(all) > keptFiles {
		if err := os.Remove(filepath.Join(f.dir, all[0].Name())); err != nil {
			return path, err
		}
		all = all[1:]
	}
	return path, nil
}
