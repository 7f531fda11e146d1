package node

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/syndtr/goleveldb/leveldb/storage"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/node/home"
	"github.com/seed06907907/fatty/node/keyfile"
)

// fullDisk is a storage that takes no more bytes once full is set.
type fullDisk struct {
	storage.Storage
	full bool
}

var errNoSpace = errors.New("no space left on device")

type fullFile struct {
	storage.Writer
	d *fullDisk
}

func (f fullFile) Write(b []byte) (int, error) {
	if f.d.full {
		return 0, errNoSpace
	}
	return f.Writer.Write(b)
}

func (f fullFile) Sync() error {
	if f.d.full {
		return errNoSpace
	}
	return f.Writer.Sync()
}

func (d *fullDisk) Create(fd storage.FileDesc) (storage.Writer, error) {
	w, err := d.Storage.Create(fd)
	return fullFile{w, d}, err
}

// A cut that does not fit the disk is not acknowledged, the error says what to do, and everything before it is there when
// the disk has room again.
func TestFullDisk(t *testing.T) {
	mem := storage.NewMemStorage()
	disk := &fullDisk{Storage: mem}
	st, err := openStoreOn(disk, "", 1, 100, "c")
	if err != nil {
		t.Fatal(err)
	}
	gen := lockspace.Genesis{Chain: "c", Rules: lockspace.DefaultRules()}
	s, res, err := lockspace.New(lockspace.Config{Blocks: st}, gen)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.write(executedCut{result: res}); err != nil {
		t.Fatal(err)
	}
	next := func() (*lockspace.State, executedCut) {
		n, r, err := s.Apply(lockspace.Cut{Sequence: s.Sequence() + 1, Time: s.Root().Time + 1})
		if err != nil {
			t.Fatal(err)
		}
		return n, executedCut{sequence: n.Sequence(), time: n.Root().Time, result: r}
	}
	n, cut := next()
	if err := st.write(cut); err != nil {
		t.Fatal(err)
	}
	s = n
	disk.full = true
	_, cut = next()
	if err := st.write(cut); err == nil || !strings.Contains(err.Error(), "free some space") {
		t.Fatalf("a full disk: %v", err)
	}
	if h := st.Head(); h.Sequence != 1 {
		t.Fatalf("the head moved to %d", h.Sequence)
	}
	_ = st.Close()
	disk.full = false
	if st, err = openStoreOn(disk, "", 1, 100, "c"); err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if h := st.Head(); h.Sequence != 1 || h.Root != s.ID() {
		t.Fatalf("after the disk has room: %+v, want %s", h, s.ID())
	}
	if again, err := lockspace.Open(lockspace.Config{Blocks: st}, st.Head().Root); err != nil || again.Sequence() != 1 {
		t.Fatal(err)
	}
}

// With a short history the states of the past go, and the present stays whole, whatever comes back and goes again.
func TestPrune(t *testing.T) {
	const history = 3
	st, err := openStoreOn(storage.NewMemStorage(), "", 1, history, "c")
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	key, _ := keyfile.New()
	gen := lockspace.Genesis{Chain: "c", Rules: lockspace.DefaultRules(), Accounts: []lockspace.GenesisAccount{{ID: keyfile.Public(key), Quota: lockspace.DefaultQuota()}}}
	cfg := lockspace.Config{Blocks: st}
	s, res, err := lockspace.New(cfg, gen)
	if err != nil {
		t.Fatal(err)
	}
	if err := st.write(executedCut{result: res}); err != nil {
		t.Fatal(err)
	}
	// The content alternates between two large ones, so that its block is dropped and written again and again.
	contents := [][]byte{make([]byte, 3000), []byte(strings.Repeat("x", 3000))}
	for i := uint64(1); i <= 40; i++ {
		tx, err := lockspace.Sign(key, lockspace.Header{Chain: "c", Nonce: i, Expiry: 1 << 60}, &lockspace.Put{Path: "/f", Content: contents[i%2]})
		if err != nil {
			t.Fatal(err)
		}
		next, res, err := s.Apply(lockspace.Cut{Sequence: i, Time: lockspace.Time(i * 1e9), Inputs: []lockspace.Input{{Tx: tx}}})
		if err != nil {
			t.Fatal(err)
		}
		if res.Receipts[0].Code != "" {
			t.Fatal(res.Receipts[0])
		}
		if err := st.write(executedCut{sequence: i, time: next.Root().Time, result: res}); err != nil {
			t.Fatal(err)
		}
		s = next
		// Every state within the history can be read from the disk alone.
		for back := uint64(0); back < history && back < i; back++ {
			c, err := st.Cut(i - back)
			if err != nil {
				t.Fatal(err)
			}
			old, err := lockspace.Open(cfg, c.Root)
			if err != nil {
				t.Fatalf("at %d, %d back: %v", i, back, err)
			}
			if b, _, err := old.Get("/f"); err != nil || string(b) != string(contents[(i-back)%2]) {
				t.Fatalf("at %d, %d back: %v", i, back, err)
			}
		}
	}
	c, err := st.Cut(10)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockspace.Open(cfg, c.Root); err == nil {
		t.Error("the state of 30 cuts ago is still there")
	}
}

// A block of the store that was changed on disk is an error, never an answer.
func TestDamagedBlock(t *testing.T) {
	st, err := openStoreOn(storage.NewMemStorage(), "", 1, 10, "c")
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	s, res, err := lockspace.New(lockspace.Config{Blocks: st}, lockspace.Genesis{Chain: "c", Rules: lockspace.DefaultRules()})
	if err != nil {
		t.Fatal(err)
	}
	res.Blocks[len(res.Blocks)-1].Data = append([]byte{}, res.Blocks[len(res.Blocks)-1].Data...)
	res.Blocks[len(res.Blocks)-1].Data[5] ^= 1
	if err := st.write(executedCut{result: res}); err != nil {
		t.Fatal(err)
	}
	if _, err := lockspace.Open(lockspace.Config{Blocks: st}, s.ID()); err == nil {
		t.Error("a damaged root was opened")
	}
}

// A validator whose clock is an hour ahead does not stop the others, and says what is wrong with it.
func TestClockAhead(t *testing.T) {
	c := newCell(t, 4)
	c.now = func(i int) func() time.Time {
		if i == 2 {
			return func() time.Time { return time.Now().Add(time.Hour) }
		}
		return nil
	}
	for i := range 4 {
		c.start(i)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for i := 0; ; i++ {
		tx := c.sign(&lockspace.Put{Path: "/f", Content: []byte{byte(i)}})
		if _, err := c.try(0, tx); err != nil {
			t.Fatal(err)
		}
		if err := c.nodes[2].Ready(); err != nil && strings.Contains(err.Error(), "clock") {
			break
		}
		if ctx.Err() != nil {
			t.Fatalf("node 2 says nothing of its clock: %v", c.nodes[2].Ready())
		}
	}
	for _, i := range []int{0, 1, 3} {
		if err := c.nodes[i].Ready(); err != nil {
			t.Errorf("node %d: %v", i, err)
		}
	}
}

// A node that is no validator follows the ledger, answers reads with proof, and takes no transactions.
func TestFollower(t *testing.T) {
	c := newCell(t, 2)
	c.gen.Validators = c.gen.Validators[:1]
	c.role = func(i int) string { return []string{"validator", "replica"}[i] }
	c.start(0)
	r := c.do(0, &lockspace.Put{Path: "/f", Content: []byte("x")})
	// It comes when the ledger is idle: nothing but a status tells it that there is something to fetch.
	c.start(1)
	c.await(1, r.Sequence)
	r = c.do(0, &lockspace.Put{Path: "/g", Content: []byte("y")})
	c.await(1, r.Sequence)
	b := backend{c.nodes[1]}
	if got, err := b.Get(t.Context(), api.PathParams{Path: "/f"}); err != nil || string(got.Data) != "x" {
		t.Fatal(got, err)
	}
	if _, err := c.try(1, c.sign(&lockspace.Mkdir{Path: "/d"})); api.CodeOf(err) != api.CodeUnsupported {
		t.Errorf("a transaction at a follower: %v", err)
	}
}

// slowProofs verifies one proof at a time, when it is let.
type slowProofs struct {
	calls   chan string
	release chan struct{}
}

func (p *slowProofs) verify(b []byte) lockspace.Verdict {
	p.calls <- string(b)
	<-p.release
	return lockspace.Verdict{OK: true, T1: uint64(len(b))}
}

func newSlowVerdicts(size int) (*slowProofs, *verdicts) {
	p := &slowProofs{calls: make(chan string, 1000), release: make(chan struct{})}
	return p, newVerdicts(Proofs{Verify: p.verify}, 1, size, newMetrics(prometheus.NewRegistry()).verify)
}

func proofNamed(s string) (bft.Digest, func() ([]byte, error)) {
	return wire.Sum([]byte(s)).Digest(), func() ([]byte, error) { return []byte(s), nil }
}

// The same proof asked for by many is checked once.
func TestVerdictsOnce(t *testing.T) {
	p, v := newSlowVerdicts(8)
	defer v.Close()
	id, read := proofNamed("proof")
	var list []*verdict
	for range 10 {
		e, err := v.start(id, read)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, e)
	}
	<-p.calls
	close(p.release)
	for _, e := range list {
		got, err := e.wait(t.Context())
		if err != nil || got.T1 != 5 {
			t.Fatal(got, err)
		}
	}
	if len(p.calls) != 0 {
		t.Errorf("checked %d times", 1+len(p.calls))
	}
	other, _ := proofNamed("x")
	if _, err := v.start(other, func() ([]byte, error) { return nil, errNoRecord }); !errors.Is(err, errNoRecord) {
		t.Error(err)
	}
}

// A caller that gives up decides nothing: whoever waits for the same verdict gets the one of the bytes.
func TestVerdictOutlivesItsCaller(t *testing.T) {
	p, v := newSlowVerdicts(1000)
	defer v.Close()
	id, read := proofNamed("proof")
	e, err := v.start(id, read)
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := e.wait(gone); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	same, err := v.start(id, read)
	if err != nil {
		t.Fatal(err)
	}
	close(p.release)
	if got, err := same.wait(t.Context()); err != nil || !got.OK {
		t.Fatal(got, err)
	}
}

// What is checked early takes a share of the queue at most, and closing while the queue is full ends everyone's wait.
func TestVerdictsFull(t *testing.T) {
	p, v := newSlowVerdicts(1000)
	for i := range 200 {
		id, _ := proofNamed(fmt.Sprint(i))
		v.early(id, []byte(fmt.Sprint(i)))
	}
	if n := len(v.work); n > queuedProofs/4 {
		t.Errorf("%d wait", n)
	}
	blocked := make(chan error, 100)
	for i := range 100 {
		go func() {
			id, read := proofNamed(fmt.Sprint("b", i))
			e, err := v.start(id, read)
			if err == nil {
				ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
				defer cancel()
				_, err = e.wait(ctx)
			}
			blocked <- err
		}()
	}
	for len(v.work) < queuedProofs { // until the queue is full
		runtime.Gosched()
	}
	<-p.calls // one is being checked
	closed := make(chan struct{})
	go func() { v.Close(); close(closed) }()
	p.release <- struct{}{}
	done := 0
	for done < 100-queuedProofs { // those that found no room
		select {
		case err := <-blocked:
			if err != nil && !errors.Is(err, errVerdictsClosed) {
				t.Fatal(err)
			}
			done++
		case p.release <- struct{}{}:
		}
	}
	for {
		select {
		case <-closed:
			return
		case p.release <- struct{}{}:
		}
	}
}

// An account's key in genesis must be an account's key on the ledger.
func TestLockGenesis(t *testing.T) {
	g := home.DefaultGenesis("x")
	g.Accounts = []home.GenesisAccount{{Key: "no"}}
	if _, err := lockGenesis(&g); err == nil {
		t.Error("a key that is none")
	}
	g.Accounts[0].Key = strings.Repeat("ab", 32)
	l, err := lockGenesis(&g)
	if err != nil || len(l.Accounts) != 1 || l.Rules.Cadence != 12*lockspace.Second {
		t.Error(l, err)
	}
}
