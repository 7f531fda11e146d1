package node

import (
	"context"
	"errors"
	"time"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
)

const (
	// maxProviders bounds the records of the DHT that are examined: anyone can make one.
	maxProviders = 20
	// findTimeout bounds the walk of the DHT for one answer.
	findTimeout = 5 * time.Second
)

// machineLock finds the lock that a reference names, which must have a machine.
func machineLock(s *lockspace.State, ref string) (*lockspace.Lock, wire.CID, error) {
	paths, err := resolve(s, ref)
	if err != nil {
		return nil, wire.CID{}, err
	}
	if len(paths) == 0 {
		return nil, wire.CID{}, api.Errorf(api.CodeNotFound, "no lock has the machine %s", ref)
	}
	l, id, err := s.Lock(paths[0])
	if err != nil {
		return nil, id, refusal(err)
	}
	if l.Machine == nil {
		return nil, id, api.Errorf(api.CodeParams, "%s is a lock without a machine", l.Path)
	}
	return l, id, nil
}

// Machine implements machine.get.
func (b backend) Machine(_ context.Context, p api.MachineParams) (*api.Machine, error) {
	s := b.n.app.State()
	l, id, err := machineLock(s, p.Machine)
	if err != nil {
		return nil, err
	}
	m := l.Machine
	prog, err := s.Program(m.Program)
	if err != nil {
		return nil, refusal(err)
	}
	out := &api.Machine{Lock: l.Path, LockCID: id.String(), Machine: m.ID.String(), Program: m.Program.String(), Key: prog.Key.String(),
		Start: m.Start.String(), T: api.Clock(m.T), State: m.S.String(), Opening: []string{}, Terms: terms(m.Terms), Held: l.State == lockspace.Held,
		Instance: l.Instance, Generation: l.Generation, Waiting: m.Tail - m.Head, Sequence: s.Sequence()}
	opening, err := s.Opening(l.Path)
	if err != nil {
		return nil, refusal(err)
	}
	for _, f := range opening {
		out.Opening = append(out.Opening, f.String())
	}
	if m.Proof != nil {
		out.Proof, out.ProofT0 = m.Proof.String(), api.Clock(m.T0)
	}
	if m.Whole != nil {
		out.WholeLife, out.WholeLifeT = m.Whole.ID.String(), api.Clock(m.Whole.T)
	}
	outage := int64(s.Root().Outage)
	// A new life of a machine that restarts begins a chain of its own.
	if out.WholeLifeDue = m.WholeDue() && (out.Held || m.Terms.Succession != lockspace.Restart); out.WholeLifeDue && l.Freed != 0 {
		out.WholeLifeTill = api.FromNano(int64(l.Freed) + int64(m.Terms.Cadence+m.Terms.Grace) + outage)
	}
	ends := api.FromNano(int64(l.Ends) + outage)
	switch l.State {
	case lockspace.Held:
		out.Holder, out.LeaseEnd = l.Peer, ends
	case lockspace.Delayed:
		out.ClosedTill = ends
	}
	return out, nil
}

func terms(t lockspace.Terms) api.Terms {
	sec := func(d lockspace.Duration) float64 { return time.Duration(d).Seconds() }
	out := api.Terms{Transaction: int(t.Transaction), Inputs: string(t.Inputs), Succession: string(t.Succession), Opening: t.Opening,
		Idle: make([]string, 0, len(t.Idle)), Cadence: sec(t.Cadence), Grace: sec(t.Grace), LockDelay: sec(t.LockDelay)}
	for _, f := range t.Idle {
		out.Idle = append(out.Idle, f.String())
	}
	return out
}

// MachineProof implements machine.proof.
func (b backend) MachineProof(_ context.Context, p api.MachineParams) (*api.MachineProof, error) {
	return b.keptProof(p, tableProof, func(m *lockspace.Machine) *wire.CID { return m.Proof })
}

// WholeLife implements machine.wholeLife.
func (b backend) WholeLife(_ context.Context, p api.MachineParams) (*api.MachineProof, error) {
	return b.keptProof(p, tableWhole, func(m *lockspace.Machine) *wire.CID {
		if m.Whole == nil {
			return nil
		}
		return &m.Whole.ID
	})
}

// keptProof serves the proof that a machine's record names. A node that took the verdicts of old cuts from others may not
// have its bytes.
func (b backend) keptProof(p api.MachineParams, table byte, named func(*lockspace.Machine) *wire.CID) (*api.MachineProof, error) {
	for {
		s := b.n.app.State()
		l, id, err := machineLock(s, p.Machine)
		if err != nil {
			return nil, err
		}
		want := named(l.Machine)
		if want == nil {
			return nil, api.Errorf(api.CodeNotFound, "%s: no proof was accepted yet", l.Path)
		}
		r, err := b.n.store.Proof(proofKey{table, id})
		if err != nil && !errors.Is(err, errNoRecord) {
			return nil, err
		}
		if r.ID != *want {
			if b.n.app.State() != s {
				continue // a cut was executed in between: the store has the next proof already
			}
			return nil, api.Errorf(api.CodeGone, "%s: this node does not have the bytes of proof %s: ask another", l.Path, *want)
		}
		program, err := s.ProgramBytes(r.Program)
		if err != nil {
			return nil, refusal(err)
		}
		env, err := b.n.proofs.Envelope(program, r.Proof)
		if err != nil {
			return nil, err
		}
		return &api.MachineProof{Lock: l.Path, Machine: l.Machine.ID.String(), Proof: r.ID.String(), T0: api.Clock(r.T0), T1: api.Clock(r.T1), Envelope: env, Sequence: r.Sequence}, nil
	}
}

// Inbox implements machine.inbox.
func (b backend) Inbox(_ context.Context, p api.InboxParams) (*api.Inbox, error) {
	if p.Limit < 0 || p.Limit > lockspace.MaxList {
		return nil, api.Errorf(api.CodeParams, "limit %d: want 1 to %d", p.Limit, lockspace.MaxList)
	}
	if p.Limit == 0 {
		p.Limit = defaultPage
	}
	s := b.n.app.State()
	l, _, err := machineLock(s, p.Machine)
	if err != nil {
		return nil, err
	}
	// The inbox has at most MaxInboxBound entries, so reading it from its head is bounded whatever From is.
	list, first, err := s.Inbox(l.Path, lockspace.MaxList)
	if err != nil {
		return nil, refusal(err)
	}
	out := &api.Inbox{Lock: l.Path, Items: []api.InboxItem{}, Next: first, Sequence: s.Sequence()}
	for i, e := range list {
		index := first + uint64(i)
		if index < p.From || len(out.Items) == p.Limit {
			continue
		}
		item := api.InboxItem{Index: index, Felts: make([]string, 0, len(e.Felts)), Sender: e.From.String(), Deadline: api.FromNano(int64(e.Deadline))}
		for _, f := range e.Felts {
			item.Felts = append(item.Felts, f.String())
		}
		out.Items = append(out.Items, item)
	}
	return out, nil
}

// Find implements machine.find.
func (b backend) Find(ctx context.Context, p api.FindParams) (*api.Found, error) {
	id, err := wire.ParseCID(p.CID)
	if err != nil {
		return nil, api.Errorf(api.CodeParams, "%v", err)
	}
	s := b.n.app.State()
	out := &api.Found{CID: id.String(), Kind: "unknown", Holders: []api.Holder{}, Providers: []api.Provider{}}
	paths, err := s.Find(id, "", maxByID)
	if err != nil && !errors.Is(err, lockspace.ErrNotFound) {
		return nil, refusal(err)
	}
	if _, err := s.Program(id); err == nil {
		out.Kind = "program"
	} else if !errors.Is(err, lockspace.ErrNotFound) {
		return nil, refusal(err)
	}
	peers := map[string]bool{}
	for _, path := range paths {
		h, err := s.Holder(path)
		if err != nil {
			return nil, refusal(err)
		}
		switch {
		case h.Lock == id:
			out.Kind = "lock"
		case h.Machine != nil && h.Machine.ID == id:
			out.Kind = "machine"
		}
		if h.State == lockspace.Held {
			out.Holders = append(out.Holders, *holder(h))
			peers[h.Peer] = true
		}
	}
	c, cancel := context.WithTimeout(ctx, findTimeout)
	defer cancel()
	found, err := b.n.host.FindProviders(c, id, maxProviders)
	if err != nil && len(found) == 0 && c.Err() == nil {
		b.n.log.Debug("find providers", "id", id, "error", err) // the lock space has answered already
	}
	for _, f := range found {
		v := api.Provider{Peer: f.ID.String(), Addresses: []string{}, Validator: b.n.names[f.ID], Checked: peers[f.ID.String()]}
		for _, a := range f.Addrs {
			v.Addresses = append(v.Addresses, a.String())
		}
		out.Providers = append(out.Providers, v)
	}
	if out.Kind == "unknown" && len(out.Providers) == 0 {
		return nil, api.Errorf(api.CodeNotFound, "%s: no program, machine or lock of this ledger has that id, and nobody provides it", id)
	}
	return out, nil
}
