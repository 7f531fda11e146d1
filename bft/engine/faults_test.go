package engine

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/bft/wal"
)

func TestLeaderCrashChangesView(t *testing.T) {
	c := newCell(t, 4)
	c.tune = func(_ int, cfg *Config) { cfg.StallTimeout = 300 * time.Millisecond }
	c.startAll()
	c.commit(0, []byte("before"), 0, 1, 2, 3)
	leader := -1
	for i, k := range c.keys {
		if c.engines[0].Status().Leader == k.ID() {
			leader = i
		}
	}
	if err := c.stop[leader](); err != nil {
		t.Fatal(err)
	}
	var rest []int
	for i := range 4 {
		if i != leader {
			rest = append(rest, i)
		}
	}
	start := time.Now()
	c.commit(rest[0], []byte("after"), rest...)
	t.Logf("leader crash to next commit: %s with a stall time-out of 300ms", time.Since(start))
	if s := c.engines[rest[0]].Status(); s.View == 0 {
		t.Errorf("still in view 0: %+v", s)
	}
	// The old leader comes back, catches up and takes part.
	c.start(leader)
	c.commit(leader, []byte("from the old leader"), 0, 1, 2, 3)
}

func TestReplicaCatchesUp(t *testing.T) {
	c := newCell(t, 4)
	for _, i := range []int{0, 1, 2} {
		c.start(i)
	}
	for i := range 100 {
		c.commit(i%3, fmt.Appendf(nil, "transaction %d", i), i%3)
	}
	head := c.engines[0].Head().Sequence
	c.start(3)
	c.apps[3].reach(t, head)
	c.commit(3, []byte("and on"), 0, 1, 2, 3)
	for i := range 4 {
		if c.apps[i].count != c.apps[0].count {
			t.Errorf("replica %d executed %d transactions, replica 0 %d", i, c.apps[i].count, c.apps[0].count)
		}
	}
}

func TestAllRestart(t *testing.T) {
	c := newCell(t, 4)
	c.startAll()
	for i := range 10 {
		c.commit(i%4, fmt.Appendf(nil, "transaction %d", i), i%4)
	}
	c.submit(2, []byte("acknowledged, perhaps not ordered"))
	for i := range 4 {
		if err := c.stop[i](); err != nil {
			t.Fatal(err)
		}
	}
	c.startAll()
	for i := range 4 {
		select {
		case <-c.apps[i].executed([]byte("acknowledged, perhaps not ordered")):
		case <-time.After(time.Minute):
			t.Fatalf("replica %d lost what was acknowledged: %+v", i, c.engines[i].Status())
		}
	}
}

// A crash between the two stores leaves the application ahead of the ledger or behind it; both come together again.
func TestApplicationBehindTheLedger(t *testing.T) {
	c := newCell(t, 1)
	c.startAll()
	for i := range 5 {
		c.commit(0, fmt.Appendf(nil, "transaction %d", i), 0)
	}
	if err := c.stop[0](); err != nil {
		t.Fatal(err)
	}
	c.apps[0] = newChainApp()
	c.start(0)
	c.apps[0].reach(t, 5)
	c.commit(0, []byte("and on"), 0)
}

func TestAttachmentsTravel(t *testing.T) {
	c := newCell(t, 4)
	c.startAll()
	data := make([]byte, wal.MaxAttachmentBytes)
	data[7] = 1
	id := bft.Digest(sha256.Sum256(data))
	tx := binary.BigEndian.AppendUint32(append([]byte{'@'}, id[:]...), uint32(len(data)))
	ctx := context.Background()
	if err := c.engines[1].Submit(ctx, tx, nil); !errors.Is(err, ErrRefused) {
		t.Errorf("without its attachment: %v", err)
	}
	if err := c.engines[1].Submit(ctx, tx, map[bft.Digest][]byte{id: data[1:]}); !errors.Is(err, ErrRefused) {
		t.Errorf("with another attachment: %v", err)
	}
	if err := c.engines[1].Submit(ctx, tx, map[bft.Digest][]byte{id: data}); err != nil {
		t.Fatal(err)
	}
	for i := range 4 {
		select {
		case <-c.apps[i].executed(tx):
		case <-time.After(time.Minute):
			t.Fatalf("replica %d has not executed it", i)
		}
	}
}

// TestReplicaCatchesUpWithoutAttachments brings a replica to a ledger whose attachments nobody keeps any longer: it takes
// from the others what executing them gave, and believes it where it leads to the certified root, which a liar's does not.
func TestReplicaCatchesUpWithoutAttachments(t *testing.T) {
	c := newCell(t, 4)
	c.apps[0].lies = true
	c.tune = func(i int, cfg *Config) {
		if i == 3 { // it comes two hours later
			cfg.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
		}
	}
	for _, i := range []int{0, 1, 2} {
		c.start(i)
	}
	var last []byte
	for i := range 3 {
		data := []byte{7, byte(i)}
		id := bft.Digest(sha256.Sum256(data))
		last = binary.BigEndian.AppendUint32(append([]byte{'@'}, id[:]...), uint32(len(data)))
		if err := c.engines[1].Submit(t.Context(), last, map[bft.Digest][]byte{id: data}); err != nil {
			t.Fatal(err)
		}
		for k := range 3 {
			select {
			case <-c.apps[k].executed(last):
			case <-t.Context().Done():
				t.Fatal("not executed")
			}
		}
	}
	head := c.engines[0].Head().Sequence
	for _, i := range []int{0, 1, 2} {
		if n, err := c.engines[i].ledger.SweepAttachments(time.Now().Add(1000*time.Hour), nil); err != nil || n != 3 {
			t.Fatalf("replica %d dropped %d attachments, %v", i, n, err)
		}
	}
	c.start(3)
	c.apps[3].reach(t, head)
	if a := c.apps[3]; a.root != c.apps[1].root || a.replays < 3 || a.attached != 0 {
		t.Errorf("root %x, %d replays, %d attachments", a.root, a.replays, a.attached)
	}
}

func TestReplicaWithAnotherStateHalts(t *testing.T) {
	c := newCell(t, 4)
	c.apps[2].corrupt = true
	c.startAll()
	c.commit(0, []byte("one"), 0, 1, 3)
	select {
	case <-c.engines[2].Stopped():
	case <-time.After(time.Minute):
		t.Fatal("it goes on")
	}
	if err := c.stop[2](); err == nil || !strings.Contains(err.Error(), "left consensus") {
		t.Errorf("it halts with %v", err)
	}
	if err := c.engines[2].Submit(context.Background(), []byte("x"), nil); !errors.Is(err, ErrStopped) {
		t.Errorf("submit to a halted replica: %v", err)
	}
	c.commit(1, []byte("two"), 0, 1, 3)
}

// fullDisk fails every write after a while, as a full disk does.
type fullDisk struct {
	wal.Disk
	full chan struct{}
}

type fullFile struct {
	wal.File
	d *fullDisk
}

func (d *fullDisk) Append(name string) (wal.File, error) {
	f, err := d.Disk.Append(name)
	return fullFile{f, d}, err
}

func (f fullFile) Write(b []byte) (int, error) {
	select {
	case <-f.d.full:
		n, _ := f.File.Write(b[:len(b)/2])
		return n, syscall.ENOSPC
	default:
		return f.File.Write(b)
	}
}

func TestFullDiskStopsTheReplicaAndLosesNothing(t *testing.T) {
	c := newCell(t, 4)
	disk := &fullDisk{full: make(chan struct{})}
	c.fs[3] = disk
	c.startAll()
	c.commit(3, []byte("one"), 0, 1, 2, 3)
	close(disk.full)
	c.commit(0, []byte("two"), 0, 1, 2)
	<-c.engines[3].Stopped()
	if err := c.stop[3](); !errors.Is(err, wal.ErrFailed) || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("it stops with %v", err)
	}
	c.fs[3] = wal.Disk{}
	c.start(3)
	c.commit(3, []byte("three"), 0, 1, 2, 3)
}

// While ticks are needed, time passes on an idle ledger, also past a crashed leader.
func TestIdleLedgerTicks(t *testing.T) {
	c := newCell(t, 4)
	c.tune = func(_ int, cfg *Config) {
		cfg.IdlePeriod, cfg.ViewTimeout = 50*time.Millisecond, 300*time.Millisecond
	}
	for _, a := range c.apps {
		a.ticks = true
	}
	c.startAll()
	c.apps[0].reach(t, 5)
	for i, k := range c.keys {
		if c.engines[0].Status().Leader == k.ID() && i != 0 {
			if err := c.stop[i](); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	at, _ := c.apps[0].Executed()
	c.apps[0].reach(t, at+5)
	for i := 1; i < len(c.apps[0].times); i++ {
		if c.apps[0].times[i] <= c.apps[0].times[i-1] {
			t.Fatalf("ledger time goes back at cut %d", i+1)
		}
	}
}

func TestBadFramesAreRefused(t *testing.T) {
	c := newCell(t, 1)
	c.startAll()
	e := c.engines[0]
	for _, f := range [][]byte{nil, {0}, {200}, {1, 0xff}, make([]byte, bft.MaxFrameBytes+1)} {
		if v := e.Validate(TopicBlocks, f); v != Reject {
			t.Errorf("frame %.8x: verdict %d", f, v)
		}
		e.Deliver("test", TopicBlocks, f)
		e.Deliver("test", "", f)
	}
	for _, r := range [][]byte{nil, {1}, make([]byte, MaxRequestBytes+1)} {
		if _, err := e.Serve(context.Background(), "test", r); err == nil {
			t.Errorf("request %.8x is served", r)
		}
	}
}
