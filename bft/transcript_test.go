package bft

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed06907907/fatty/internal/wire"
)

var update = flag.Bool("update", false, "rewrite transcripts and golden vectors")

// TestTranscripts replays testdata/*.txt: a line that begins with ">" is a command, what follows is what the cores want
// done. With -update the answers are written anew.
//
//	> cell N              N replicas, connected
//	> submit I TEXT       replica I makes a block
//	> tick DURATION       the clock moves, for all that are up
//	> deliver             messages arrive, in order, until there are none
//	> deliver KIND        one round of messages of a kind arrives, the others wait
//	> drop KIND [to=I]    messages of a kind that wait are lost
//	> crash I / restart I
//	> state
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no transcripts: %v", err)
	}
	for _, f := range files {
		t.Run(filepath.Base(f), func(t *testing.T) {
			raw, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			got := replayTranscript(t, string(raw))
			if *update {
				if err := os.WriteFile(f, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != string(raw) {
				g, w := strings.Split(got, "\n"), strings.Split(string(raw), "\n")
				for i := range g {
					if i >= len(w) || g[i] != w[i] {
						t.Fatalf("line %d: got %q; rewrite with -update if that is right", i+1, g[i])
					}
				}
				t.Fatalf("the transcript is longer than what happened")
			}
		})
	}
}

type waitingFrame struct {
	from, to int
	frame    []byte
}

type script struct {
	t     testing.TB
	out   strings.Builder
	com   *Committee
	cores []*Core
	disks []*simDisk
	now   LedgerTime
	queue []waitingFrame
}

func replayTranscript(t testing.TB, text string) string {
	s := &script{t: t, now: simStart}
	for _, line := range strings.Split(text, "\n") {
		switch {
		case strings.HasPrefix(line, "#"):
			s.out.WriteString(line + "\n")
		case strings.HasPrefix(line, "> "):
			s.out.WriteString(line + "\n")
			s.do(strings.Fields(line[2:]))
		}
	}
	return s.out.String()
}

func (s *script) say(format string, args ...any) { fmt.Fprintf(&s.out, "  "+format+"\n", args...) }

func (s *script) do(f []string) {
	number := func(i int) (n int) {
		if _, err := fmt.Sscan(f[i], &n); err != nil {
			s.t.Fatal(err)
		}
		return n
	}
	switch f[0] {
	case "cell":
		s.com = simCommittee(s.t, number(1))
		for i := range s.com.Size() {
			s.cores = append(s.cores, nil)
			s.disks = append(s.disks, &simDisk{root: wire.Sum([]byte("genesis"))})
			s.start(i)
		}
	case "submit":
		if _, err := s.cores[number(1)].AddBlock([][]byte{[]byte(f[2])}); err != nil {
			s.say("%v", err)
		}
		s.settle(number(1))
	case "tick":
		d, err := time.ParseDuration(f[1])
		if err != nil {
			s.t.Fatal(err)
		}
		s.now += LedgerTime(d)
		for i, c := range s.cores {
			if c != nil {
				c.Tick(s.now)
				s.settle(i)
			}
		}
	case "deliver":
		s.deliver(strings.Join(f[1:], " "))
	case "drop":
		var left []waitingFrame
		for _, w := range s.queue {
			kind := strings.ReplaceAll(describe(s.t, w.frame), " ", "")
			if !strings.HasPrefix(kind, f[1]) || len(f) > 2 && f[2] != fmt.Sprintf("to=%d", w.to) {
				left = append(left, w)
			}
		}
		s.say("%d lost", len(s.queue)-len(left))
		s.queue = left
	case "crash":
		s.cores[number(1)] = nil
	case "restart":
		s.start(number(1))
		s.cores[number(1)].Tick(s.now)
		s.settle(number(1))
	case "state":
		for i, c := range s.cores {
			if c == nil {
				s.say("%d is down", i)
				continue
			}
			p := c.Progress()
			s.say("%d view %d changing %v head %d executed %d", i, p.View, p.Changing, p.Head.Sequence, p.Executed)
		}
	default:
		s.t.Fatalf("unknown command %q", f)
	}
}

func (s *script) start(i int) {
	base := Base{Executed: Sequence(len(s.disks[i].ledger))}
	for _, d := range s.disks[i].ledger {
		k := d.Decision.Commit
		base.Head = Head{k.Sequence, k.Time, k.Cut, &k}
		base.Tips = append(base.Tips, d.Decision.Cut.Tips...)
	}
	c, err := New(DefaultConfig(s.com, i, tagSigner(s.com.Member(i))), base, s.disks[i].records)
	if err != nil {
		s.t.Fatal(err)
	}
	s.cores[i] = c
	c.Executed(base.Executed, s.disks[i].root, false)
}

// deliver takes what waits, of one kind for one round or of all kinds until nothing waits.
func (s *script) deliver(kind string) {
	for len(s.queue) > 0 {
		queue := s.queue
		s.queue = nil
		for _, w := range queue {
			if kind != "" && !strings.HasPrefix(describe(s.t, w.frame), kind) {
				s.queue = append(s.queue, w)
				continue
			}
			if s.cores[w.to] == nil {
				continue
			}
			v, err := s.com.Validate(w.frame)
			if err != nil {
				s.t.Fatal(err)
			}
			s.cores[w.to].Step(v)
			s.settle(w.to)
		}
		if kind != "" {
			return
		}
	}
}

func (s *script) settle(i int) {
	for {
		out := s.cores[i].Ready()
		s.disks[i].records = append(s.disks[i].records, out.Persist...)
		for _, r := range out.Persist {
			s.say("%d persists %s", i, []string{"", "block", "accepted", "prepared", "view change", "new view", "decision", "evidence", "lane"}[r.Kind])
		}
		for _, e := range out.Send {
			to := "all"
			if e.To != Everyone {
				to = fmt.Sprint(e.To)
			}
			s.say("%d -> %s %s", i, to, describe(s.t, e.Frame))
			for k := range s.cores {
				if k != i && (e.To == Everyone || e.To == k) {
					s.queue = append(s.queue, waitingFrame{i, k, e.Frame})
				}
			}
		}
		for _, w := range out.Wants {
			s.say("%d wants block %v, cuts %d to %d", i, w.Block != Digest{}, w.First, w.Last)
		}
		for _, k := range out.StateCertificates {
			s.say("%d has a certificate of state %d", i, k.Sequence)
		}
		for range out.Evidence {
			s.say("%d has evidence", i)
		}
		if out.Halt != nil {
			s.say("%d halts: %v", i, out.Halt)
		}
		if len(out.Deliver) == 0 {
			return
		}
		for _, d := range out.Deliver {
			var txs []string
			for _, b := range d.Blocks {
				for _, tx := range b.Transactions {
					txs = append(txs, string(tx))
				}
			}
			s.say("%d executes cut %d: %s", i, d.Decision.Cut.Sequence, strings.Join(txs, " "))
			s.disks[i].ledger = append(s.disks[i].ledger, d)
			s.disks[i].root = wire.Sum([]byte(s.disks[i].root.String() + strings.Join(txs, " ")))
			s.cores[i].Executed(d.Decision.Cut.Sequence, s.disks[i].root, false)
		}
	}
}

// describe is one line on a frame, without what depends on hashes.
func describe(t testing.TB, frame []byte) string {
	m, err := Decode(frame)
	if err != nil {
		t.Fatal(err)
	}
	switch m := m.(type) {
	case *Block:
		return fmt.Sprintf("block %d/%d", m.SignedHeader.Header.Worker, m.SignedHeader.Header.Height)
	case *Vote:
		return fmt.Sprintf("vote %d/%d", m.Worker, m.Height)
	case *Certificate:
		return fmt.Sprintf("certificate %d/%d", m.Worker, m.Height)
	case *PrePrepare:
		return fmt.Sprintf("pre-prepare view %d cut %d", m.View, m.Cut.Sequence)
	case *Ballot:
		return fmt.Sprintf("%s view %d cut %d", m.Phase, m.View, m.Sequence)
	case *ViewChange:
		return fmt.Sprintf("view-change to %d prepared %d", m.View, len(m.Prepared))
	case *NewView:
		return fmt.Sprintf("new-view %d", m.View)
	case *StateVote:
		return fmt.Sprintf("state vote %d", m.Sequence)
	case *Status:
		return fmt.Sprintf("status view %d decided %d", m.View, m.Decided)
	}
	return m.kind().String()
}
