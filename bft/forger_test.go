package bft

import (
	"time"

	"github.com/seed06907907/fatty/internal/wire"
)

// forge lets one validator sign whatever it likes, of every kind, about sequence numbers, views, blocks and cuts near
// those that are real, and send different things to different replicas.
func (s *sim) forge(until LedgerTime) {
	self := s.forger
	key := tagSigner(s.com.Member(self))
	sign := func(d wire.Domain, body any) []byte {
		b, err := wire.Marshal(body)
		if err != nil {
			s.fail("%v", err)
		}
		return key.Sign(d, b)
	}
	source := &simNode{name: "forger", index: self}
	var height Height
	var prev Digest
	var step func()
	step = func() {
		if s.now > until {
			return
		}
		var about *simNode
		for _, x := range s.nodes {
			if x.up && (about == nil || s.rng.IntN(3) == 0) {
				about = x
			}
		}
		if about == nil {
			s.after(50*time.Millisecond, step)
			return
		}
		p := about.core.Progress()
		seq := p.Head.Sequence + Sequence(s.rng.IntN(3))
		if seq == 0 {
			seq = 1
		}
		view := p.View + View(s.rng.IntN(2))
		var cut Digest
		if about.core.slot != nil && s.rng.IntN(2) == 0 {
			cut = about.core.slot.digest
		} else {
			cut[0] = byte(s.rng.IntN(3) + 1)
		}
		t := p.Head.Time + 1 + LedgerTime(s.rng.IntN(3))
		if about.core.slot != nil {
			t = about.core.slot.cut.Time
		}
		for _, to := range s.nodes {
			if to == source || s.rng.IntN(2) == 0 {
				continue
			}
			var m Message
			switch s.rng.IntN(9) {
			case 0, 1:
				phase := Phase(1 + s.rng.IntN(2))
				b := &Ballot{Phase: phase, View: view, Sequence: seq, Time: t, Cut: cut, Signer: uint16(self)}
				b.Sig = sign(wire.DomainConsensus, s.com.ballotBody(phase, view, seq, t, cut))
				m = b
			case 2:
				v := p.View + 1 + View(s.rng.IntN(3))
				x := &ViewChange{View: v, Decided: p.Head.Commit, Signer: uint16(self)}
				if k := about.core.prepared; k != nil && k.Certificate.View < v && s.rng.IntN(2) == 0 {
					x.Prepared = []Prepared{*k}
				}
				if s.rng.IntN(3) == 0 {
					x.Decided, x.Prepared = nil, nil
				}
				x.Sig = sign(wire.DomainConsensus, viewChangeBody{"view-change", "sim", v, x.Decided, x.Prepared})
				m = x
			case 3:
				x := &Status{View: view, Decided: seq + 5, Signer: uint16(self)}
				x.Sig = sign(wire.DomainConsensus, statusBody{"status", "sim", x.View, false, x.Decided})
				m = x
			case 4:
				x := &StateVote{Sequence: seq, Time: t, Root: wire.FromDigest(cut), Signer: uint16(self)}
				x.Sig = sign(wire.DomainState, stateBody{"sim", seq, t, x.Root})
				m = x
			case 5, 6: // a block, often a second one at a height
				h := BlockHeader{Chain: "sim", Worker: uint16(self), Height: height + 1, Prev: prev, Count: 1}
				txs := [][]byte{{byte(s.rng.IntN(4) + 1)}}
				d, n := payloadOf(txs)
				h.Payload, h.Size = d, uint32(n)
				m = &Block{SignedHeader{h, sign(wire.DomainBlock, h)}, txs}
				if s.rng.IntN(3) == 0 {
					height, prev = height+1, h.ID()
				}
			case 7: // votes for its own block without having anything
				x := &Vote{Worker: uint16(self), Height: height, Block: prev, Signer: uint16(self)}
				if height == 0 {
					continue
				}
				x.Sig = sign(wire.DomainVote, voteBody{"sim", x.Worker, x.Height, x.Block})
				m = x
			default: // proposals that differ, in views that it leads
				v := p.View
				for s.com.Leader(v) != self {
					v++
				}
				c := Cut{Chain: "sim", Sequence: p.Head.Sequence + 1, Time: max(s.now, p.Head.Time+1) + LedgerTime(s.rng.IntN(2)), Prev: p.Head.Cut}
				x := &PrePrepare{View: v}
				for i, l := range about.core.lanes {
					if l.certified() > l.committed.Height && s.rng.IntN(2) == 0 {
						c.Tips = append(c.Tips, Tip{uint16(i), l.cert.Height, l.cert.Block})
						x.Certificates = append(x.Certificates, *l.cert)
					}
				}
				x.Cut = c
				x.Sig = sign(wire.DomainConsensus, proposalBody{"pre-prepare", "sim", v, c.Sequence, c.Digest()})
				m = x
			}
			f, err := Frame(m)
			if err != nil {
				s.fail("%v", err)
			}
			s.carry(source, to, f)
		}
		s.after(time.Duration(s.rng.IntN(60))*time.Millisecond, step)
	}
	step()
}
