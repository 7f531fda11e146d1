package lockspace

import (
	"bytes"
	"crypto/ed25519"
	"fmt"
	"strings"
	"testing"

	"github.com/seed06907907/fatty/internal/wire"
)

func TestFilesAndDirectories(t *testing.T) {
	w := newWorld(t)
	w.must(alice, &Mkdir{Path: "/a"})
	r := w.must(alice, &Put{Path: "/a/f", Content: []byte("one"), Expect: u64(0)})
	if r.Generation != 1 {
		t.Fatalf("first write: %+v", r)
	}
	w.refused(alice, &Put{Path: "/a/f", Content: []byte("x"), Expect: u64(0)}, CodeConflict)
	w.refused(alice, &Put{Path: "/a/f", Content: []byte("x"), Expect: u64(2)}, CodeConflict)
	w.refused(alice, &Put{Path: "/a/f", Content: []byte("x"), Instance: u64(r.Instance + 1)}, CodeConflict)
	if r := w.must(bob, &Put{Path: "/a/f", Content: []byte("two"), Expect: u64(1), Instance: u64(r.Instance)}); r.Generation != 2 {
		t.Fatalf("second write: %+v", r)
	}
	content, n, err := w.state.Get("/a/f")
	if err != nil || string(content) != "two" {
		t.Fatalf("get: %q %v", content, err)
	}
	block, _ := wire.Marshal([]byte("two"))
	if *n.Checksum != wire.Sum(block) || n.Size != 3 {
		t.Errorf("checksum %s, size %d", n.Checksum, n.Size)
	}
	for _, c := range []struct {
		op   Op
		want Code
	}{
		{&Mkdir{Path: "/a"}, CodeExists}, {&Mkdir{Path: "/a/f"}, CodeExists}, {&Mkdir{Path: "/b/c"}, CodeNotFound},
		{&Mkdir{Path: "/a/f/g"}, CodeInvalid}, {&Put{Path: "/a"}, CodeInvalid}, {&Put{Path: "/b/c"}, CodeNotFound},
		{&Put{Path: "/a/g", Expect: u64(3)}, CodeNotFound}, {&Put{Path: "/a/g", Instance: u64(3)}, CodeNotFound},
		{&Delete{Path: "/a"}, CodeConflict}, {&Delete{Path: "/nothing"}, CodeNotFound},
		{&Delete{Path: "/a/f", Expect: u64(1)}, CodeConflict}, {&Delete{Path: "/a/f", Instance: u64(1)}, CodeConflict},
		{&Put{Path: "/a/e", LivesBy: "/a/f"}, CodeNotHolder}, {&Put{Path: "/a/e", LivesBy: "/a/e"}, CodeInvalid},
		{&CreateMachine{Path: "/a/f", Terms: DefaultTerms(DefaultRules()), Program: w.programID()}, CodeExists},
		{&CreateMachine{Path: "/a/m", Terms: DefaultTerms(DefaultRules()), Program: w.programID()}, CodeNotFound},
		{&Publish{Program: []byte("no map")}, CodeInvalid},
	} {
		w.refused(alice, c.op, c.want)
	}
	w.must(alice, &Delete{Path: "/a/f", Expect: u64(2)})
	again := w.must(alice, &Put{Path: "/a/f"})
	if again.Instance <= r.Instance || again.Generation != 1 {
		t.Errorf("made anew: %+v after %+v", again, r)
	}
	w.must(alice, &Delete{Path: "/a/f"})
	w.must(alice, &Delete{Path: "/a"})
	for _, k := range []ed25519.PrivateKey{alice, bob} {
		if a, _ := w.state.Account(id(k)); a.State != 0 {
			t.Errorf("%d bytes of state are still counted", a.State)
		}
	}
}

// Large contents are blocks of their own, shared by files that hold the same, and gone with the last of them.
func TestSharedContents(t *testing.T) {
	w := newWorld(t)
	big := bytes.Repeat([]byte{7}, MaxContent)
	blockID, _, _ := contentID(big)
	has := func() bool { _, ok := w.blocks[blockID]; return ok }
	w.must(alice, &Put{Path: "/a", Content: big})
	w.must(bob, &Put{Path: "/b", Content: big})
	w.must(alice, &Put{Path: "/a", Content: big})
	for _, path := range []string{"/a", "/b"} {
		if got, _, err := w.state.Get(path); err != nil || !bytes.Equal(got, big) {
			t.Fatalf("%s: %v", path, err)
		}
	}
	w.must(alice, &Put{Path: "/a", Content: []byte("small")})
	if !has() {
		t.Fatal("the block went while /b holds it")
	}
	// Dropped and taken up again in one cut.
	w.cut(1e6, Input{Tx: w.sign(bob, &Delete{Path: "/b"})}, Input{Tx: w.sign(bob, &Put{Path: "/c", Content: big})})
	if !has() {
		t.Fatal("the block went while /c holds it")
	}
	w.must(bob, &Delete{Path: "/c"})
	if has() {
		t.Fatal("the block stays though nobody holds it")
	}
	// A write that is rolled back leaves no block.
	w.cut(1e6, Input{Tx: w.sign(bob, &Put{Path: "/no/such", Content: big})})
	if has() {
		t.Fatal("a refused write left its content")
	}
}

func TestListing(t *testing.T) {
	w := newWorld(t)
	w.must(alice, &Mkdir{Path: "/d"})
	w.must(alice, &Mkdir{Path: "/d/sub"})
	w.must(alice, &Put{Path: "/d.x"})
	var in []Input
	for i := range 50 {
		in = append(in, Input{Tx: w.sign(alice, &Put{Path: fmt.Sprintf("/d/f%02d", i)})}, Input{Tx: w.sign(alice, &Put{Path: fmt.Sprintf("/d/sub/g%02d", i)})})
	}
	w.cut(1e6, in...)
	var names []string
	for after := ""; ; {
		list, err := w.state.List("/d", after, 7)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			names = append(names, e.Name)
		}
		if len(list) < 7 {
			break
		}
		after = list[6].Name
	}
	if len(names) != 51 || names[0] != "f00" || names[50] != "sub" {
		t.Fatalf("%d names: %v", len(names), names)
	}
	if list, err := w.state.List("/", "", 10); err != nil || len(list) != 2 || list[0].Name != "d" || list[1].Name != "d.x" {
		t.Fatalf("root: %v %v", list, err)
	}
	if _, err := w.state.List("/d/f00", "", 10); CodeOf(err) != CodeInvalid {
		t.Errorf("listing a file: %v", err)
	}
	if _, err := w.state.List("/none", "", 10); CodeOf(err) != CodeNotFound {
		t.Errorf("listing nothing: %v", err)
	}
}

// Plain locks: exclusive, kept by signed keep-alives, with ephemeral files that go when the lock is lost.
func TestPlainLockAndEphemerals(t *testing.T) {
	w := newWorld(t)
	w.must(alice, &Put{Path: "/l"})
	if r := w.must(alice, w.acquireOp("/l")); r.Generation != 1 || r.LeaseEnd != w.now+Time(57*Second) {
		t.Fatalf("acquire: %+v", r)
	}
	w.refused(bob, w.acquireOp("/l"), CodeHeld)
	w.refused(bob, w.renewOp("/l"), CodeNotHolder)
	w.refused(bob, &Release{Path: "/l", Instance: w.lock("/l").Instance, Generation: 1}, CodeNotHolder)
	w.refused(bob, &Delete{Path: "/l"}, CodeHeld)
	w.refused(bob, &Put{Path: "/e", LivesBy: "/l"}, CodeNotHolder)
	w.must(alice, &Mkdir{Path: "/d"})
	for i := range MaxEphemerals {
		w.must(alice, &Put{Path: fmt.Sprintf("/d/e%d", i), LivesBy: "/l", Content: bytes.Repeat([]byte{1}, 2000)})
	}
	w.refused(alice, &Put{Path: "/d/more", LivesBy: "/l"}, CodeQuota)
	w.must(bob, &Delete{Path: "/d/e5"})
	w.must(alice, &Put{Path: "/d/more", LivesBy: "/l"})
	w.refused(alice, &Put{Path: "/d/more", LivesBy: "/l"}, CodeExists)
	w.must(alice, &Put{Path: "/d/more", Content: []byte("written again, still ephemeral")})
	w.must(alice, &Put{Path: "/d/stays"})
	op := w.acquireOp("/d/stays")
	op.Path = "/d/more"
	w.refused(alice, op, CodeInvalid)
	w.wait(50 * Second)
	w.must(alice, w.renewOp("/l"))
	proof := w.renewOp("/l")
	proof.Proof, proof.Runs = aProof(1), []Run{{}}
	w.refused(alice, proof, CodeInvalid)
	w.wait(56 * Second)
	if list, _ := w.state.List("/d", "", 1000); len(list) != MaxEphemerals+1 {
		t.Fatalf("%d files", len(list))
	}
	w.wait(2 * Second)
	if h := w.holder("/l"); h.State != Delayed {
		t.Fatalf("not expired: %+v", h)
	}
	if list, _ := w.state.List("/d", "", 1000); len(list) != 1 || list[0].Name != "stays" {
		t.Fatalf("left: %v", list)
	}
	w.refused(alice, w.renewOp("/l"), CodeNotHolder)
	w.refused(bob, &Delete{Path: "/l"}, CodeDelay)
	w.wait(2 * Second)
	w.must(bob, w.acquireOp("/l"))
	w.must(bob, &Put{Path: "/d/e", LivesBy: "/l"})
	r := w.must(bob, &Release{Path: "/l", Instance: w.lock("/l").Instance, Generation: 2})
	if h := w.holder("/l"); h.State != Free || h.Generation != 2 || r.Generation != 2 {
		t.Fatalf("released: %+v", h)
	}
	if _, err := w.state.Stat("/d/e"); CodeOf(err) != CodeNotFound {
		t.Errorf("the ephemeral file outlives its lock: %v", err)
	}
	if w.state.TicksNeeded() {
		t.Error("ticks are needed though nothing is pending")
	}
	if st, _ := w.state.Stat("/l"); st.LockGeneration != 2 {
		t.Errorf("stat: %+v", st)
	}
}

// A renewal replaces the holder's addresses where it gives some; a release clears them.
func TestAddresses(t *testing.T) {
	w := newWorld(t)
	w.must(alice, &Put{Path: "/l"})
	w.must(alice, w.acquireOp("/l"))
	first := w.holder("/l").Addresses
	w.must(alice, w.renewOp("/l"))
	if got := w.holder("/l"); len(first) != 1 || len(got.Addresses) != 1 || got.Addresses[0] != first[0] || got.Peer != got.Account.PeerID() {
		t.Errorf("after a bare renewal: %+v", got)
	}
	op := w.renewOp("/l")
	op.Addresses = []string{"/dns4/example.org/tcp/1", "/ip6/::1/tcp/2"}
	w.must(alice, op)
	if got := w.holder("/l").Addresses; len(got) != 2 || got[0] != op.Addresses[0] {
		t.Errorf("after a renewal with addresses: %v", got)
	}
	w.must(alice, &Release{Path: "/l", Instance: op.Instance, Generation: 1})
	if got := w.holder("/l"); len(got.Addresses) != 0 || got.Peer != "" || got.Ends != 0 || got.Sequencer != (Sequencer{}) {
		t.Errorf("after the release: %+v", got)
	}
}

// A machine's lock file is written by its holder and its maker alone, and deleted by its maker alone.
func TestMachineFileIsGuarded(t *testing.T) {
	w := heldWorld(t)
	w.must(alice, &Put{Path: "/m", Content: []byte("by its holder")})
	w.must(admin, &Put{Path: "/m", Content: []byte("by its maker")})
	w.refused(bob, &Put{Path: "/m", Content: []byte("by another")}, CodeForbidden)
	w.refused(alice, &Delete{Path: "/m"}, CodeForbidden)
	w.refused(admin, &Delete{Path: "/m"}, CodeHeld)
	w.refused(alice, &Delete{Path: "/other"}, CodeForbidden)
}

func TestPaths(t *testing.T) {
	for _, good := range []string{"/", "/a", "/a.b/c d/é", "/" + strings.Repeat("x", MaxName), "/.../a"} {
		if err := CheckPath(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{"", "a", "//", "/a/", "/a//b", "/.", "/a/..", "/a\x00b", "/a\nb", "/\xff", "/" + strings.Repeat("x", MaxName+1),
		"/" + strings.Repeat("x/", MaxPathDepth) + "x", strings.Repeat("/"+strings.Repeat("x", 200), 3)} {
		if err := CheckPath(bad); CodeOf(err) != CodeInvalid {
			t.Errorf("%.40q: %v", bad, err)
		}
	}
	if !under("/a/b", "/a") || under("/ab", "/a") || !under("/a", "/a") || !under("/a", "/") {
		t.Error("under")
	}
}
