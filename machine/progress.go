package machine

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/home"
	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier"
)

// A keeper's progress is a folder with one file for each proof, so that a kill at any moment loses at most the run at
// hand. Every file is written whole or not at all, and says for which machine it is. All numbers big-endian:
//
//	"FATTYKEP" | version u16 | length of the record u32 | record, canonical DAG-CBOR | SHA-256 of all before
//
// The files, and what their proofs are:
//
//	accepted          the newest span that the ledger accepted, with what is behind its last state
//	whole             the span from the machine's start to T
//	run-I             run I of the renewal in the making, not wrapped yet
//	span-I-N          N runs of it from run I on
//
// A span file is written before those that it replaces are removed. accepted is written before the pieces of its renewal
// are removed, and whole after accepted.
const (
	progressMagic   = "FATTYKEP"
	progressVersion = 1
	progressHead    = len(progressMagic) + 2 + 4
	progressSuffix  = ".progress"
	// maxProgressFile bounds a file: a proof and an opening.
	maxProgressFile = verifier.MaxProofBytes + vm.MaxOpening*feltBytes + 1<<16
	// maxAside bounds the files kept for a human to look at.
	maxAside = 8
	// feltBytes is a felt's length in an opening.
	feltBytes = 32

	fileAccepted = "accepted"
	fileWhole    = "whole"
)

// errForeign is wrapped for a whole file of another lock, machine, account or proof version.
var errForeign = errors.New("it is not this keeper's")

// about is what all files of a folder are for.
type about struct {
	Lock    string              `cbor:"lock"`
	Machine wire.CID            `cbor:"machine"`
	Account lockspace.AccountID `cbor:"account"`
	Proofs  uint64              `cbor:"proofs"` // the version of the proofs
}

// begun is a job with what its proofs are bound to.
type begun struct {
	Job      Job              `cbor:"job"`
	Life     lockspace.Digest `cbor:"life"`
	Anchor   lockspace.Digest `cbor:"anchor"`
	Sequence uint64           `cbor:"sequence"` // of the anchor
	Anchored int64            `cbor:"anchored"` // ledger time, nanoseconds
}

// record is one file.
type record struct {
	About   about          `cbor:"about"`
	Name    string         `cbor:"name"`            // of the file: none is taken for another
	Begun   *begun         `cbor:"begun,omitempty"` // of a piece, and of what was accepted
	T0      uint64         `cbor:"t0"`
	T       uint64         `cbor:"t"` // where the proof ends
	S       lockspace.Felt `cbor:"s"`
	Handed  bool           `cbor:"handed"`            // an opening was handed on
	Opening []byte         `cbor:"opening,omitempty"` // it, 32 bytes a felt
	Proof   []byte         `cbor:"proof"`
}

// progress is a keeper's folder. Its methods may be called from several goroutines.
type progress struct {
	home  *home.Home // locked: two keepers of one lock would write over each other
	about about
}

// openProgress opens a folder and locks it.
func openProgress(dir string, a about) (*progress, error) {
	h, err := home.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("the keeper's progress: %w", err)
	}
	return &progress{home: h, about: a}, nil
}

func (p *progress) close() { _ = p.home.Close() }

func (p *progress) path(name string) string { return p.home.Path("data", name+progressSuffix) }

func pieceName(first, runs int, wrapped bool) string {
	if wrapped {
		return fmt.Sprintf("span-%d-%d", first, runs)
	}
	return fmt.Sprintf("run-%d", first)
}

func (p *progress) write(r record) error {
	r.About = p.about
	b, err := encodeRecord(r)
	if err != nil {
		return err
	}
	return home.WriteAtomic(p.path(r.Name), b, 0o600)
}

func encodeRecord(r record) ([]byte, error) {
	body, err := wire.Marshal(r)
	if err != nil {
		return nil, err
	}
	b := binary.BigEndian.AppendUint16([]byte(progressMagic), progressVersion)
	b = append(binary.BigEndian.AppendUint32(b, uint32(len(body))), body...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...), nil
}

// decodeRecord reads a file of that name. A torn one is told by its length or sum.
func decodeRecord(b []byte, name string) (r record, err error) {
	if len(b) < progressHead+sha256.Size || !bytes.HasPrefix(b, []byte(progressMagic)) {
		return r, fmt.Errorf("%d bytes that do not begin as a file of progress: it was torn, or another program wrote it", len(b))
	}
	if v := binary.BigEndian.Uint16(b[len(progressMagic):]); v != progressVersion {
		return r, fmt.Errorf("it has format %d, this program reads %d: %w", v, progressVersion, errForeign)
	}
	n := uint64(binary.BigEndian.Uint32(b[len(progressMagic)+2:]))
	end := len(b) - sha256.Size
	if n != uint64(end-progressHead) {
		return r, fmt.Errorf("it has %d bytes where its head says %d: it was torn", len(b), uint64(progressHead+sha256.Size)+n)
	}
	if sum := sha256.Sum256(b[:end]); !bytes.Equal(sum[:], b[end:]) {
		return r, errors.New("its bytes do not have the sum that it ends with: the disk or another program changed it")
	}
	if err := wire.Unmarshal(b[progressHead:end], &r); err != nil {
		return r, err
	}
	if r.Name != name {
		return r, fmt.Errorf("it was written as %s: %w", r.Name, errForeign)
	}
	return r, nil
}

func (p *progress) read(name string) (r record, err error) {
	b, err := readBounded(p.path(name), maxProgressFile)
	if err != nil {
		return r, err
	}
	if r, err = decodeRecord(b, name); err != nil {
		return r, err
	}
	switch a := r.About; {
	case a.Lock != p.about.Lock:
		return r, fmt.Errorf("it is for lock %s: %w", a.Lock, errForeign)
	case a.Machine != p.about.Machine:
		return r, fmt.Errorf("it is of machine %s, here runs %s: %w", a.Machine, p.about.Machine, errForeign)
	case a.Account != p.about.Account:
		return r, fmt.Errorf("it is of the holder %s: %w", a.Account, errForeign)
	case a.Proofs != p.about.Proofs:
		return r, fmt.Errorf("its proof has version %d, this program makes %d: %w", a.Proofs, p.about.Proofs, errForeign)
	}
	return r, nil
}

// clean removes what writes left in a folder that were killed.
func clean(dir string) {
	entries, _ := os.ReadDir(dir) // none yet, or the next write says more
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") && e.Type().IsRegular() {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

// saved is what a folder holds.
type saved struct {
	accepted, whole *record
	begun           *begun // the newest renewal in the making
	pieces          []Piece
	aside           []string // what could not be used, in words
}

// load reads everything. What cannot be used is set aside and reported; it is never an error, since all of it can be made
// again. An error is what cannot be read now, for want of descriptors, say: it may be whole.
func (p *progress) load() (out saved, err error) {
	entries, err := os.ReadDir(p.home.Path("data"))
	if err != nil {
		return out, fmt.Errorf("the keeper's progress: %w", err)
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), progressSuffix)
		if !ok || strings.HasPrefix(name, ".") {
			continue
		}
		r, err := p.read(name)
		if system := (*fs.PathError)(nil); errors.As(err, &system) {
			return out, fmt.Errorf("the keeper's progress: %w", err)
		}
		if err == nil {
			err = out.take(name, r)
		}
		if err != nil {
			out.aside = append(out.aside, p.setAside(name, err))
		}
	}
	return out, nil
}

// take adds a file to what is there.
func (s *saved) take(name string, r record) error {
	switch name {
	case fileAccepted:
		s.accepted = &r
		return nil
	case fileWhole:
		s.whole = &r
		return nil
	}
	piece := Piece{Runs: 1, Proof: r.Proof, T: r.T, Opening: openingOf(r)}
	piece.S.SetBytes(r.S[:])
	if _, err := fmt.Sscanf(name, "span-%d-%d", &piece.First, &piece.Runs); err == nil {
		piece.Wrapped = true
	} else if _, err := fmt.Sscanf(name, "run-%d", &piece.First); err != nil {
		return fmt.Errorf("this program writes no file of that name: %w", errForeign)
	}
	b := r.Begun
	if b == nil || name != pieceName(piece.First, piece.Runs, piece.Wrapped) || piece.First < 0 || piece.Runs < 1 || uint64(piece.First+piece.Runs) > b.Job.Runs {
		return errors.New("it does not say of which renewal it is")
	}
	switch {
	case s.begun == nil || b.Anchored > s.begun.Anchored:
		s.begun, s.pieces = b, []Piece{piece}
	case *b == *s.begun:
		s.pieces = append(s.pieces, piece)
	} // a piece of an older renewal is removed with the next that begins
	return nil
}

// setAside moves a file where it is in nobody's way and says so.
func (p *progress) setAside(name string, why error) string {
	dir := p.home.Path("aside")
	to := filepath.Join(dir, fmt.Sprintf("%s-%d", name, time.Now().UnixNano()))
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		err = os.Rename(p.path(name), to)
	}
	if err != nil {
		return fmt.Sprintf("%s cannot be used, %v, nor set aside: %v", p.path(name), why, err)
	}
	if old, err := os.ReadDir(dir); err == nil && len(old) > maxAside {
		sort.Slice(old, func(i, j int) bool { return age(old[i]).Before(age(old[j])) })
		for _, e := range old[:len(old)-maxAside] {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
	return fmt.Sprintf("%s cannot be used: %v; it is set aside as %s, and what it held is made again", p.path(name), why, to)
}

func age(e fs.DirEntry) time.Time {
	info, err := e.Info()
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// keep writes a piece of a renewal and removes those that it replaces.
func (p *progress) keep(b begun, piece Piece, over ...Piece) error {
	r := record{Name: pieceName(piece.First, piece.Runs, piece.Wrapped), Begun: &b, T0: b.Job.T + uint64(piece.First)*b.Job.Ticks, T: piece.T, S: piece.S.Bytes(), Proof: piece.Proof}
	r.hand(piece.Opening)
	if err := p.write(r); err != nil {
		return err
	}
	for _, o := range over {
		if err := p.remove(pieceName(o.First, o.Runs, o.Wrapped)); err != nil {
			return err
		}
	}
	return nil
}

// accept writes the renewal that the ledger accepted and removes its pieces.
func (p *progress) accept(b begun, made Piece) error {
	r := record{Name: fileAccepted, Begun: &b, T0: b.Job.T, T: made.T, S: made.S.Bytes(), Proof: made.Proof}
	r.hand(made.Opening)
	if err := p.write(r); err != nil {
		return err
	}
	return p.drop()
}

// join writes the newest whole-life span.
func (p *progress) join(t uint64, s lockspace.Felt, proof []byte) error {
	return p.write(record{Name: fileWhole, T: t, S: s, Proof: proof})
}

// drop removes the pieces of the renewal in the making.
func (p *progress) drop() error {
	entries, err := os.ReadDir(p.home.Path("data"))
	if err != nil {
		return err
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), progressSuffix)
		if !ok || (!strings.HasPrefix(name, "run-") && !strings.HasPrefix(name, "span-")) {
			continue
		}
		if err := p.remove(name); err != nil {
			return err
		}
	}
	return nil
}

func (p *progress) remove(name string) error {
	if err := os.Remove(p.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// hand puts an opening in a record; none is not an empty one.
func (r *record) hand(opening []vm.Felt) {
	if opening == nil {
		return
	}
	r.Handed = true
	for _, f := range opening {
		b := f.Bytes()
		r.Opening = append(r.Opening, b[:]...)
	}
}

func openingOf(r record) []vm.Felt {
	if !r.Handed {
		return nil
	}
	out := make([]vm.Felt, len(r.Opening)/feltBytes)
	for i := range out {
		out[i].SetBytes(r.Opening[feltBytes*i:][:feltBytes])
	}
	return out
}
