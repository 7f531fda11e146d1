package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ipfs/go-cid"
	car "github.com/ipld/go-car/v2"
	"github.com/ipld/go-car/v2/storage"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
)

// backend answers JSON-RPC from a node.
type backend struct{ n *Node }

const (
	// maxByID bounds the locks that one machine or program id may name in an answer.
	maxByID = 100
	// defaultPage is the length of a listing's page when the caller names none.
	defaultPage = 100
	// provenCache is the memory in bytes for an old state's nodes while one answer is made from it.
	provenCache = 1 << 20
)

// refusal makes an API error of the lock space's own.
func refusal(err error) error {
	var r *lockspace.Refusal
	if !errors.As(err, &r) {
		if errors.Is(err, lockspace.ErrEventsGone) {
			return api.Errorf(api.CodeGone, "%v", err)
		}
		return err
	}
	code := api.CodeRefused
	switch r.Code {
	case lockspace.CodeNotFound, lockspace.CodeAccount:
		code = api.CodeNotFound
	case lockspace.CodeInvalid, lockspace.CodeMalformed:
		code = api.CodeParams
	}
	return &api.Error{Code: code, Message: r.Message, Data: string(r.Code)}
}

// state returns the newest state, or that of a past sequence.
func (b backend) state(at uint64) (*lockspace.State, error) {
	s := b.n.app.State()
	if at == 0 || at == s.Sequence() {
		return s, nil
	}
	if at > s.Sequence() {
		return nil, api.Errorf(api.CodeNotReady, "sequence %d is not executed here yet: the newest is %d", at, s.Sequence())
	}
	h := b.n.store.Head()
	c, err := b.n.store.Cut(at)
	if errors.Is(err, errNoRecord) || at <= h.Pruned {
		return nil, api.Errorf(api.CodeGone, "the state after sequence %d is not kept: this node keeps %d back from %d (ledger.history)", at, b.n.store.history, h.Sequence)
	}
	if err != nil {
		return nil, err
	}
	return lockspace.Open(lockspace.Config{Blocks: b.n.store, Cache: provenCache}, c.Root)
}

// certified returns the newest state that has a certificate, with the certificate's canonical bytes; or that of at.
func (b backend) certified(at uint64) (*lockspace.State, []byte, error) {
	if at == 0 {
		if at = b.n.certSeq.Load(); at == 0 {
			return nil, nil, api.Errorf(api.CodeNotReady, "no state certificate yet: try again in a second")
		}
		at = min(at, b.n.app.State().Sequence())
	}
	c, err := b.n.engine.StateCertificate(sequence(at))
	if err != nil {
		return nil, nil, api.Errorf(api.CodeNotFound, "no state certificate of sequence %d here: %v", at, err)
	}
	s, err := b.state(at)
	if err != nil {
		return nil, nil, err
	}
	if s.ID() != c.Root {
		return nil, nil, fmt.Errorf("the state after cut %d is %s here, certified is %s", at, s.ID(), c.Root)
	}
	enc, err := wire.Marshal(c)
	return s, enc, err
}

// prove makes the proof of a read on a certified state.
func (b backend) prove(at uint64, ask func(*lockspace.State) error) (*api.Proof, error) {
	s, cert, err := b.certified(at)
	if err != nil {
		return nil, err
	}
	blocks, err := s.Prove(ask)
	if err != nil {
		return nil, err
	}
	file, err := writeCAR(s.ID(), blocks)
	if err != nil {
		return nil, err
	}
	return &api.Proof{Certificate: cert, CAR: file}, nil
}

// writeCAR writes a CARv1 with the blocks in their order.
func writeCAR(root wire.CID, blocks []lockspace.Block) ([]byte, error) {
	var buf bytes.Buffer
	w, err := storage.NewWritable(onlyWriter{&buf}, []cid.Cid{root.Cid()}, car.WriteAsCarV1(true), car.AllowDuplicatePuts(false))
	if err != nil {
		return nil, err
	}
	for _, blk := range blocks {
		if err := w.Put(context.Background(), string(blk.ID.Cid().Bytes()), blk.Data); err != nil {
			return nil, err
		}
	}
	if err := w.Finalize(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

// onlyWriter keeps the CAR writer from finding out that a buffer could also be read.
type onlyWriter struct{ io.Writer }

// resolve turns a path, a lock id or a machine id into paths.
func resolve(s *lockspace.State, ref string) ([]string, error) {
	if strings.HasPrefix(ref, "/") {
		return []string{ref}, nil
	}
	id, err := wire.ParseCID(ref)
	if err != nil {
		return nil, api.Errorf(api.CodeParams, "%.80q is neither a path (it begins with /) nor a content id: %v", ref, err)
	}
	paths, err := s.Find(id, "", maxByID)
	if err != nil {
		return nil, refusal(err)
	}
	return paths, nil
}

// Holder implements lock.holder.
func (b backend) Holder(_ context.Context, p api.HolderParams) (*api.Holder, error) {
	s := b.n.app.State()
	var cert []byte
	if p.Prove {
		var err error
		if s, cert, err = b.certified(0); err != nil {
			return nil, err
		}
	}
	paths, err := resolve(s, p.Lock)
	if err != nil {
		return nil, err
	}
	var out *api.Holder
	var free error
	for _, path := range paths {
		h, err := s.Holder(path)
		if err != nil {
			return nil, refusal(err)
		}
		if h.State != lockspace.Held {
			if free == nil {
				free = notHeld(h)
			}
			continue
		}
		if out != nil {
			out.Others = append(out.Others, path)
			continue
		}
		out = holder(h)
	}
	if out == nil {
		return nil, free
	}
	if p.Prove {
		_, blocks, err := s.ProveHolder(out.Lock)
		if err != nil {
			return nil, refusal(err)
		}
		file, err := writeCAR(s.ID(), blocks)
		if err != nil {
			return nil, err
		}
		out.Proof = &api.Proof{Certificate: cert, CAR: file}
	}
	return out, nil
}

func notHeld(h lockspace.Holder) error {
	if h.State == lockspace.Delayed {
		return api.Errorf(api.CodeNotHeld, "%s: nobody holds the lock; its last holder failed, and it stays closed until %s", h.Path, api.FromNano(int64(h.Ends)).Format(time.RFC3339))
	}
	return api.Errorf(api.CodeNotHeld, "%s: nobody holds the lock", h.Path)
}

func holder(h lockspace.Holder) *api.Holder {
	out := &api.Holder{Lock: h.Path, LockCID: h.Lock.String(), Holder: h.Peer, Key: h.Account.String(), Addresses: append([]string{}, h.Addresses...),
		LeaseEnd: api.FromNano(int64(h.Ends)), Generation: h.Generation, Sequencer: h.Sequencer.String(), Sequence: h.Sequence}
	if m := h.Machine; m != nil {
		out.Machine, out.Program, out.T, out.State = m.ID.String(), m.Program.String(), api.Clock(m.T), m.S.String()
	}
	return out
}

// Get implements lock.get.
func (b backend) Get(_ context.Context, p api.PathParams) (*api.Contents, error) {
	var data []byte
	var st lockspace.Stat
	ask := func(s *lockspace.State) (err error) {
		data, _, err = s.Get(p.Path)
		return err
	}
	s, proof, err := b.read(p, ask)
	if err != nil {
		return nil, err
	}
	if st, err = s.Stat(p.Path); err != nil {
		return nil, refusal(err)
	}
	out := &api.Contents{Stat: stat(s, st), Data: append([]byte{}, data...)}
	out.Proof = proof
	return out, nil
}

// read runs ask on the state that the parameters name, with a proof if they ask for one.
func (b backend) read(p api.PathParams, ask func(*lockspace.State) error) (*lockspace.State, *api.Proof, error) {
	if !p.Prove {
		s, err := b.state(p.At)
		if err != nil {
			return nil, nil, err
		}
		return s, nil, refusal(ask(s))
	}
	s, _, err := b.certified(p.At)
	if err != nil {
		return nil, nil, err
	}
	proof, err := b.prove(s.Sequence(), ask)
	return s, proof, refusal(err)
}

// Stat implements lock.stat.
func (b backend) Stat(_ context.Context, p api.PathParams) (*api.Stat, error) {
	var st lockspace.Stat
	s, proof, err := b.read(p, func(s *lockspace.State) (err error) { st, err = s.Stat(p.Path); return err })
	if err != nil {
		return nil, err
	}
	out := stat(s, st)
	out.Proof = proof
	return &out, nil
}

func stat(s *lockspace.State, st lockspace.Stat) api.Stat {
	out := api.Stat{Path: st.Path, Directory: st.Directory, Instance: st.Instance, ContentGeneration: st.Content, LockGeneration: st.LockGeneration,
		ACLGeneration: st.ACL, Length: int(st.Size), Children: st.Children, Ephemeral: st.LivesBy != "", Sequence: s.Sequence()}
	if st.Checksum != nil {
		out.Checksum = st.Checksum.String()
	}
	if !st.Directory {
		if l, _, err := s.Lock(st.Path); err == nil {
			out.Locked = l.State == lockspace.Held
			if l.Machine != nil {
				out.Machine = l.Machine.ID.String()
			}
		}
	}
	return out
}

// List implements lock.list.
func (b backend) List(_ context.Context, p api.ListParams) (*api.List, error) {
	if p.Path == "" {
		p.Path = "/"
	}
	if p.Limit < 0 || p.Limit > lockspace.MaxList {
		return nil, api.Errorf(api.CodeParams, "limit %d: want 1 to %d", p.Limit, lockspace.MaxList)
	}
	if p.Limit == 0 {
		p.Limit = defaultPage
	}
	s := b.n.app.State()
	list, err := s.List(p.Path, p.Cursor, p.Limit)
	if err != nil {
		return nil, refusal(err)
	}
	out := &api.List{Children: make([]api.Child, 0, len(list)), Sequence: s.Sequence()}
	for _, e := range list {
		c := api.Child{Name: e.Name, Directory: e.Directory}
		if !e.Directory {
			path := strings.TrimSuffix(p.Path, "/") + "/" + e.Name
			l, _, err := s.Lock(path)
			if err != nil {
				return nil, refusal(err)
			}
			c.Locked = l.State == lockspace.Held
			if l.Machine != nil {
				c.Machine = l.Machine.ID.String()
			}
		}
		out.Children = append(out.Children, c)
	}
	if len(list) == p.Limit {
		out.Cursor = list[len(list)-1].Name
	}
	return out, nil
}

// CheckSequencer implements lock.checkSequencer.
func (b backend) CheckSequencer(_ context.Context, p api.SequencerParams) (*api.SequencerCheck, error) {
	q, err := lockspace.ParseSequencer(p.Sequencer)
	if err != nil {
		return nil, refusal(err)
	}
	s := b.n.app.State()
	out := &api.SequencerCheck{Lock: q.Path, Holder: q.Peer, Sequence: s.Sequence()}
	if err := s.CheckSequencer(q); err != nil {
		if lockspace.CodeOf(err) == "" {
			return nil, err
		}
		out.Reason = err.Error()
		return out, nil
	}
	out.Valid = true
	return out, nil
}

// eventIndexBits is the width of an event's index within its number: the number is sequence and index side by side, and
// no cut has as many events.
const eventIndexBits = 20

func eventNumber(seq, index uint64) uint64 {
	return seq<<eventIndexBits | min(index, 1<<eventIndexBits-1)
}

// NextEvent implements rpc.Backend.
func (b backend) NextEvent() uint64 { return eventNumber(b.n.app.State().Sequence()+1, 0) }

// Events implements lock.watch.
func (b backend) Events(ctx context.Context, path string, from uint64, limit int) ([]api.Event, uint64, error) {
	after := lockspace.After(0)
	if seq, index := from>>eventIndexBits, from&(1<<eventIndexBits-1); index > 0 {
		after = lockspace.EventID{Sequence: seq, Index: index - 1}
	} else if seq > 0 {
		after = lockspace.After(seq - 1)
	}
	for {
		changed := b.n.app.Changed()
		s := b.n.app.State()
		if after.Sequence <= s.Sequence() {
			list, next, err := s.Events(after, path, limit)
			if err != nil {
				return nil, 0, refusal(err)
			}
			after = next
			if len(list) > 0 {
				out, err := b.events(list)
				last := list[len(list)-1]
				return out, eventNumber(last.Sequence, last.Index) + 1, err
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
}

func (b backend) events(list []lockspace.Event) ([]api.Event, error) {
	out := make([]api.Event, len(list))
	var cut cutRecord
	var of uint64
	for i, e := range list {
		if e.Sequence != of {
			var err error
			if cut, err = b.n.store.Cut(e.Sequence); err != nil {
				return nil, err
			}
			of = e.Sequence
		}
		a := api.Event{Number: eventNumber(e.Sequence, e.Index), Sequence: e.Sequence, Time: api.FromNano(int64(cut.Time)), Kind: string(e.Kind), Path: e.Path,
			Child: e.Child, Holder: e.Peer, LeaseEnd: api.FromNano(int64(e.LeaseEnd)), Detail: e.Reason}
		if e.T != nil {
			a.T = api.Clock(*e.T)
		}
		if e.S != nil {
			a.State = e.S.String()
		}
		if e.Input != nil {
			a.Input = *e.Input
		}
		if e.CID != nil {
			if e.Kind == lockspace.EventContent || e.Kind == lockspace.EventProgram {
				a.Content = e.CID.String()
			} else {
				a.Machine = e.CID.String()
			}
		}
		out[i] = a
	}
	return out, nil
}
