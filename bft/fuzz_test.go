package bft

import (
	"testing"

	"github.com/seed06907907/fatty/internal/wire"
)

// anyScheme takes every signature, so that the fuzzer gets past them.
type anyScheme struct{}

func (anyScheme) Check(ValidatorID, wire.Domain, []byte, []byte) bool { return true }

// sampleFrames is frames of every kind, from a short run of one committee.
func sampleFrames(t testing.TB) (frames [][]byte) {
	s := newSim(t, 3)
	seen := map[Kind]bool{}
	take := func(f []byte) {
		if k := PeekKind(f); !seen[k] {
			seen[k] = true
			frames = append(frames, f)
		}
	}
	for i := range 400 {
		if i%20 == 0 {
			s.submit()
		}
		if len(s.queue) == 0 {
			break
		}
		e := s.queue[len(s.queue)-1]
		s.queue = s.queue[:len(s.queue)-1]
		s.now = e.at
		e.what()
		for _, x := range s.nodes {
			for _, d := range x.disk.ledger {
				f, err := Frame(&d.Decision)
				if err != nil {
					t.Fatal(err)
				}
				take(f)
			}
			if !x.up {
				continue
			}
			for _, l := range x.core.lanes {
				for _, b := range l.blocks {
					take(b.frame)
				}
			}
			if x.core.slot != nil {
				for _, f := range x.core.slot.frames {
					take(f)
				}
			}
			f, err := Frame(x.core.status())
			if err != nil {
				t.Fatal(err)
			}
			take(f)
		}
	}
	x := s.nodes[0].core
	x.startViewChange(1)
	take(x.ownChange)
	nv, err := Frame(&NewView{View: 1, Changes: []ViewChange{*x.changes[0], *x.changes[0], *x.changes[0]}, Sig: make([]byte, 64)})
	if err != nil {
		t.Fatal(err)
	}
	take(nv)
	return frames
}

func FuzzDecode(f *testing.F) {
	for _, s := range sampleFrames(f) {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		m, err := Decode(frame)
		if err != nil {
			return
		}
		again, err := Frame(m)
		if err != nil || string(again) != string(frame) {
			t.Fatalf("%s: %x encodes again as %x, %v", m.kind(), frame, again, err)
		}
	})
}

// FuzzStep steps a core with frames whose signatures all pass: nothing may panic, whatever a quorum of liars says.
func FuzzStep(f *testing.F) {
	var all []byte
	for _, s := range sampleFrames(f) {
		f.Add(s, []byte{1})
		if len(s) < 256 {
			all = append(append(all, byte(len(s))), s...)
		}
	}
	f.Add(all[1:1+int(all[0])], all[1+int(all[0]):])
	var vs []Validator
	for i := range 4 {
		vs = append(vs, Validator{ID: ValidatorID{byte(i + 1)}, Weight: 1})
	}
	com, err := NewCommittee("sim", vs, anyScheme{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, first, rest []byte) {
		c, err := New(DefaultConfig(com, 0, tagSigner(com.Member(0))), Base{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		now := simStart
		var records []Record
		step := func(frame []byte) {
			now += LedgerTime(100_000_000)
			c.Tick(now)
			if v, err := com.Validate(frame); err == nil {
				c.Step(v)
				c.Supply(v)
			}
			records = append(records, c.Ready().Persist...)
		}
		step(first)
		for len(rest) > 0 { // length-prefixed frames
			n := min(int(rest[0]), len(rest)-1)
			step(rest[1 : 1+n])
			rest = rest[1+n:]
		}
		if c.Progress().Halted {
			return
		}
		if _, err := New(DefaultConfig(com, 0, tagSigner(com.Member(0))), Base{}, records); err != nil {
			t.Fatalf("it does not come back: %v", err)
		}
	})
}
