package node

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/client"
	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/node/keyfile"
	"github.com/seed06907907/fatty/verifier"
)

// machineWorld is a machine lock whose proofs are verdicts.
type machineWorld struct {
	c       *cell
	path    string
	program []byte
	terms   lockspace.Terms
}

// create publishes a program and makes the lock.
func (w *machineWorld) create(i int) {
	c := w.c
	if r := c.do(i, &lockspace.Mkdir{Path: "/demo"}); !r.OK {
		c.t.Fatalf("%+v", r)
	}
	if r := c.do(i, &lockspace.Publish{Program: w.program}); !r.OK {
		c.t.Fatalf("%+v", r)
	}
	r := c.do(i, &lockspace.CreateMachine{Path: w.path, Program: wire.Sum(w.program), Start: lockspace.FeltOf(5), Terms: w.terms})
	if !r.OK {
		c.t.Fatalf("%+v", r)
	}
	c.settle(r.Sequence)
}

// proof makes what an honest prover would, changed by spoil.
func (w *machineWorld) proof(i int, generation uint64, spoil func(*lockspace.Verdict)) (p *lockspace.Proof, anchor uint64, file []byte) {
	c := w.c
	c.t.Helper()
	s := c.nodes[i].app.State()
	l, _, err := s.Lock(w.path)
	if err != nil {
		c.t.Fatal(err)
	}
	life, err := lockspace.Life(s.Chain(), w.path, l.Instance, generation, lockspace.AccountID(keyfile.Public(c.key)))
	if err != nil {
		c.t.Fatal(err)
	}
	at, err := s.AnchorAt(s.Sequence())
	if err != nil {
		c.t.Fatal(err)
	}
	v := lockspace.Verdict{OK: true, Key: lockspace.Digest(wire.Sum(w.program).Digest()), Life: life, Anchor: at,
		T0: l.Machine.T, S0: l.Machine.S, T1: l.Machine.T + 10, S1: lockspace.FeltOf(l.Machine.T + 11), Inputs: spanInputs(make([]lockspace.Felt, len(threeRuns)))}
	if spoil != nil {
		spoil(&v)
	}
	file, err = wire.Marshal(v)
	if err != nil {
		c.t.Fatal(err)
	}
	return named(file), s.Sequence(), file
}

func named(file []byte) *lockspace.Proof {
	return &lockspace.Proof{ID: wire.Sum(file), Length: uint64(len(file)), Version: verifier.ProofVersion}
}

// threeRuns are what each span here is made of.
var threeRuns = make([]lockspace.Run, 3)

// whole makes the whole-life span that is due, changed by spoil, or none.
func (w *machineWorld) whole(i int, spoil func(*lockspace.Verdict)) (p *lockspace.Proof, files [][]byte) {
	w.c.t.Helper()
	l, _, err := w.c.nodes[i].app.State().Lock(w.path)
	if err != nil {
		w.c.t.Fatal(err)
	}
	m := l.Machine
	if !m.WholeDue() {
		return nil, nil
	}
	v := lockspace.Verdict{OK: true, Key: lockspace.Digest(wire.Sum(w.program).Digest()), S0: m.Start, T1: m.T, S1: m.S}
	if spoil != nil {
		spoil(&v)
	}
	file, err := wire.Marshal(v)
	if err != nil {
		w.c.t.Fatal(err)
	}
	return named(file), [][]byte{file}
}

func (w *machineWorld) acquire(i int, generation uint64) *api.Receipt {
	w.c.t.Helper()
	p, anchor, file := w.proof(i, generation, nil)
	whole, files := w.whole(i, nil)
	l, _, err := w.c.nodes[i].app.State().Lock(w.path)
	if err != nil {
		w.c.t.Fatal(err)
	}
	return w.c.do(i, &lockspace.Acquire{Path: w.path, Instance: l.Instance, Generation: generation, Mode: lockspace.Exclusive,
		Addresses: []string{"/ip4/192.0.2.1/tcp/1"}, Proof: p, Anchor: anchor, Runs: threeRuns, Whole: whole}, append(files, file)...)
}

func (w *machineWorld) renew(i int, generation uint64, spoil func(*lockspace.Verdict)) *api.Receipt {
	w.c.t.Helper()
	tx, files := w.renewal(i, generation, spoil, nil)
	r, err := w.c.try(i, tx, files...)
	if err != nil {
		w.c.t.Fatal(err)
	}
	return r
}

func (w *machineWorld) renewal(i int, generation uint64, spoil, spoilWhole func(*lockspace.Verdict)) (tx []byte, files [][]byte) {
	w.c.t.Helper()
	p, anchor, file := w.proof(i, generation, spoil)
	whole, files := w.whole(i, spoilWhole)
	l, _, err := w.c.nodes[i].app.State().Lock(w.path)
	if err != nil {
		w.c.t.Fatal(err)
	}
	return w.c.sign(&lockspace.Renew{Path: w.path, Instance: l.Instance, Generation: generation, Proof: p, Anchor: anchor, Runs: threeRuns, Whole: whole}), append(files, file)
}

func newMachineWorld(c *cell) *machineWorld {
	r := lockspace.DefaultRules()
	r.Grace = 6 * lockspace.Second
	t := lockspace.DefaultTerms(r)
	t.Succession, t.Opening, t.Cadence = lockspace.Resume, lockspace.OpeningSelf, lockspace.Second
	return &machineWorld{c: c, path: "/demo/m", program: []byte("a program"), terms: t}
}

func (c *cell) trust() client.Trust {
	t := client.Trust{Chain: c.gen.ChainID()}
	for _, v := range c.gen.Validators {
		card, err := v.Card()
		if err != nil {
			c.t.Fatal(err)
		}
		t.Validators = append(t.Validators, bft.Validator{ID: card.Key, Weight: 1})
	}
	return t
}

// A machine's lock over JSON-RPC: acquire, renew, look-up that is checked, watch, expiry, take-over; and lies.
func TestMachineOverRPC(t *testing.T) {
	c := newCell(t, 4)
	for i := range 4 {
		c.start(i)
	}
	w := newMachineWorld(c)
	w.create(0)
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cl, err := client.New(client.Config{Nodes: []string{c.nodes[1].API(), c.nodes[2].API()}, Key: c.key})
	if err != nil {
		t.Fatal(err)
	}
	events := cl.Watch(ctx, "/demo")
	if _, err := cl.Holder(ctx, w.path); api.CodeOf(err) != api.CodeNotHeld {
		t.Fatalf("a free lock: %v", err)
	}
	first := w.acquire(0, 1)
	if !first.OK {
		t.Fatalf("%+v", first)
	}
	for what, spoil := range map[string]func(*lockspace.Verdict){
		"a wrong state":   func(v *lockspace.Verdict) { v.S0 = lockspace.FeltOf(99) },
		"a false proof":   func(v *lockspace.Verdict) { v.OK, v.Reason = false, "bad" },
		"another program": func(v *lockspace.Verdict) { v.Key[0] ^= 1 },
		"a stale anchor":  func(v *lockspace.Verdict) { v.Anchor[0] ^= 1 },
		"another's life":  func(v *lockspace.Verdict) { v.Life[0] ^= 1 },
		"a clock behind":  func(v *lockspace.Verdict) { v.T1 = v.T0 },
		"other inputs":    func(v *lockspace.Verdict) { v.Inputs[0] ^= 1 },
	} {
		tx, files := w.renewal(0, 1, spoil, nil)
		r, err := backend{c.nodes[0]}.DryRun(ctx, api.SubmitParams{Transaction: tx, Attachments: files})
		if err != nil || r.OK || r.Code != string(lockspace.CodeProof) {
			t.Errorf("%s: %+v %v", what, r, err)
		}
	}
	// On the ledger a lie renews nothing and drains the allowance.
	lie := w.renew(0, 1, func(v *lockspace.Verdict) { v.S0 = lockspace.FeltOf(99) })
	if lie.OK || lie.Code != string(lockspace.CodeProof) {
		t.Errorf("%+v", lie)
	}
	c.settle(lie.Sequence)
	if a, err := cl.Account(ctx, keyfile.Text(keyfile.Public(c.key))); err != nil || a.Accounts[0].Used["proofs"] < 8 {
		t.Errorf("%+v %v", a, err)
	}
	renewed := w.renew(2, 1, nil)
	if !renewed.OK {
		t.Fatalf("%+v", renewed)
	}
	c.settle(renewed.Sequence)
	h, err := cl.Holder(ctx, w.path)
	if err != nil || h.T != 20 || h.Holder != lockspace.AccountID(keyfile.Public(c.key)).PeerID() || h.Machine == "" || len(h.Addresses) != 1 {
		t.Fatalf("%+v %v", h, err)
	}
	for _, ref := range []string{h.LockCID, h.Machine} {
		if same, err := cl.Holder(ctx, ref); err != nil || same.Lock != w.path {
			t.Errorf("by %s: %+v %v", ref, same, err)
		}
	}
	if r, err := cl.CheckSequencer(ctx, h.Sequencer); err != nil || !r.Valid {
		t.Errorf("%+v %v", r, err)
	}
	// The certificate of the newest sequence may still be on its way: the proven answer is about the last certified one.
	proven := func() *lockspace.Holder {
		for {
			v, cert, err := cl.VerifiedHolder(ctx, c.trust(), w.path)
			if err == nil && cert.Sequence >= renewed.Sequence {
				return v
			}
			if err != nil && api.CodeOf(err) == 0 && !errors.Is(err, client.ErrFree) {
				t.Fatal(err)
			}
			select {
			case <-c.nodes[1].app.Changed():
			case <-ctx.Done():
				t.Fatal(err)
			}
		}
	}
	if v := proven(); v.Machine.T != 20 || v.Peer != h.Holder {
		t.Errorf("%+v", v)
	}
	bad := c.trust()
	bad.Validators[0].ID[0] ^= 1
	bad.Validators[1].ID[0] ^= 1
	if _, _, err := cl.VerifiedHolder(ctx, bad, w.path); !errors.Is(err, client.ErrUnproven) {
		t.Errorf("with other validators: %v", err)
	}
	m, err := cl.Machine(ctx, w.path)
	if err != nil || m.T != 20 || m.State != "21" || m.Generation != 1 || !m.Held {
		t.Fatalf("%+v %v", m, err)
	}
	p, err := cl.MachineProof(ctx, h.Machine)
	if err != nil || p.T0 != 10 || p.T1 != 20 || p.Proof != m.Proof || m.ProofT0 != 10 || !bytes.HasPrefix(p.Envelope, w.program) {
		t.Fatalf("%+v %v", p, err)
	}
	// The first proof is the whole life so far; from now on each renewal brings one, and a false one renews nothing.
	p, err = cl.WholeLife(ctx, h.Machine)
	if err != nil || p.T0 != 0 || p.T1 != 10 || p.Proof != m.WholeLife || m.WholeLifeT != 10 || !m.WholeLifeDue {
		t.Fatalf("%+v %v, the machine is %+v", p, err, m)
	}
	tx, files := w.renewal(0, 1, nil, func(v *lockspace.Verdict) { v.T0 = 1 })
	if r, err := (backend{c.nodes[0]}).DryRun(ctx, api.SubmitParams{Transaction: tx, Attachments: files}); err != nil || r.Code != string(lockspace.CodeBadWhole) {
		t.Errorf("a false whole life: %+v %v", r, err)
	}
	if _, err := (backend{c.nodes[0]}).DryRun(ctx, api.SubmitParams{Transaction: tx, Attachments: files[1:]}); api.CodeOf(err) != api.CodeParams {
		t.Errorf("a whole life that did not come: %v", err)
	}
	if r, err := c.try(1, tx, files...); err != nil || r.Code != string(lockspace.CodeBadWhole) {
		t.Errorf("a false whole life: %+v %v", r, err)
	}
	if renewed = w.renew(1, 1, nil); !renewed.OK {
		t.Fatalf("%+v", renewed)
	}
	c.settle(renewed.Sequence)
	m, err = cl.Machine(ctx, w.path)
	if err != nil || m.WholeLifeT != 20 || m.T != 30 {
		t.Fatalf("%+v %v", m, err)
	}
	for i := range 4 {
		p, err := backend{c.nodes[i]}.WholeLife(ctx, api.MachineParams{Machine: w.path})
		if err != nil || p.T0 != 0 || p.T1 != 20 || p.Proof != m.WholeLife || !bytes.HasPrefix(p.Envelope, w.program) {
			t.Errorf("node %d: %+v %v", i, p, err)
		}
	}
	if f, err := cl.Find(ctx, h.Program); err != nil || f.Kind != "program" || len(f.Holders) != 1 {
		t.Fatalf("%+v %v", f, err)
	}
	// Validators announce what is held: a record in the DHT names one, and says that it is no holder.
	for found := false; !found; {
		f, err := cl.Find(ctx, h.Machine)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range f.Providers {
			found = found || (p.Validator != "" && !p.Checked)
		}
	}
	// Nobody renews: by ledger time alone the lease ends, after cadence and grace, then the lock-delay; a successor goes on.
	var seen []string
	for _, kind := range []string{"lock_acquired", "lock_renewed", "lock_lost", "lock_free"} {
		for e := range events {
			if seen = append(seen, e.Kind); e.Kind == kind {
				break
			}
		}
	}
	if ctx.Err() != nil {
		t.Fatalf("not all events came: %v", seen)
	}
	again := w.acquire(3, 2)
	if !again.OK {
		t.Fatalf("take-over: %+v", again)
	}
	c.settle(again.Sequence)
	if s := c.nodes[3].app.State(); true {
		if h, err := s.Holder(w.path); err != nil || h.Machine.T != 40 || h.Machine.Whole.T != 30 || h.Generation != 2 {
			t.Errorf("%+v %v", h, err)
		}
	}
	if r, err := cl.CheckSequencer(ctx, h.Sequencer); err != nil || r.Valid {
		t.Errorf("the old sequencer: %+v %v", r, err)
	}
}

func TestHealthAndAdmin(t *testing.T) {
	c := newCell(t, 1)
	n := c.start(0)
	get := func(path string) string {
		res, err := http.Get(n.Health() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, _ := io.ReadAll(res.Body)
		return string(b)
	}
	if r := c.do(0, &lockspace.Mkdir{Path: "/a"}); !r.OK {
		t.Fatal(r)
	}
	if !strings.Contains(get("/health/ready"), `"ok":true`) || !strings.Contains(get("/metrics"), "fatty_sequence 1") {
		t.Error(get("/health/ready"), get("/metrics"))
	}
	token, err := n.opt.Home.Token()
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequest("POST", n.API(), strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"admin.readOnly","params":[true]}`))
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if _, err := c.try(0, c.sign(&lockspace.Mkdir{Path: "/b"})); api.CodeOf(err) != api.CodeReadOnly {
		t.Errorf("in read-only mode: %v", err)
	}
	b := backend{n}
	if h, err := b.Head(t.Context(), api.None{}); err != nil || h.Sequence != 1 {
		t.Error(h, err)
	}
	if cut, err := b.Cut(t.Context(), api.SequenceParams{Sequence: 1}); err != nil || cut.Transactions != 1 || len(cut.Blocks) != 1 || cut.Blocks[0].Worker != "A" {
		t.Error(cut, err)
	} else if blk, err := b.Block(t.Context(), api.BlockParams{CID: cut.Blocks[0].CID}); err != nil || len(blk.Transactions) != 1 {
		t.Error(blk, err)
	}
	if _, err := b.Cut(t.Context(), api.SequenceParams{Sequence: 99}); api.CodeOf(err) != api.CodeNotFound {
		t.Error(err)
	}
	if s, err := b.Status(t.Context(), api.None{}); err != nil || !s.Ready || s.Name != "A" || s.Leader != "A" {
		t.Error(s, err)
	}
	if a, err := b.Accounts(t.Context(), api.AccountParams{}); err != nil || len(a.Accounts) != 1 || !a.Accounts[0].Grant {
		t.Error(a, err)
	}
	if r, err := b.DryRun(t.Context(), api.SubmitParams{Transaction: c.sign(&lockspace.Mkdir{Path: "/a"})}); err != nil || r.OK || r.Code != "exists" {
		t.Error(r, err)
	}
}

// BenchmarkHolder is lock.holder over HTTP from a real node.
func BenchmarkHolder(b *testing.B) {
	c := newCell(b, 1)
	n := c.start(0)
	w := newMachineWorld(c)
	w.terms.Cadence = 600 * lockspace.Second
	w.create(0)
	if r := w.acquire(0, 1); !r.OK {
		b.Fatal(r)
	}
	hc := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	body := `{"jsonrpc":"2.0","id":1,"method":"lock.holder","params":{"lock":"/demo/m"}}`
	b.SetParallelism(8)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			res, err := hc.Post(n.API(), "application/json", strings.NewReader(body))
			if err != nil {
				b.Error(err)
				return
			}
			out, _ := io.ReadAll(res.Body)
			res.Body.Close()
			if !bytes.Contains(out, []byte(`"t":10`)) {
				b.Errorf("%s", out)
				return
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}
