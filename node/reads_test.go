package node

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/seed06907907/fatty/client"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/node/home"
)

// The past can be read as far as it is kept, and any read proven against a certificate.
func TestPastAndProof(t *testing.T) {
	c := newCell(t, 1)
	c.config = func(cfg *home.Config) { cfg.Ledger.History = 5 }
	n := c.start(0)
	b := backend{n}
	var receipts []*api.Receipt
	contents := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 1000*i) } // inlined and not
	for i := range 12 {
		r := c.do(0, &lockspace.Put{Path: "/f", Content: contents(i)})
		if !r.OK {
			t.Fatalf("%+v", r)
		}
		receipts = append(receipts, r)
	}
	for back := range 5 {
		i := len(receipts) - 1 - back
		got, err := b.Get(t.Context(), api.PathParams{Path: "/f", At: receipts[i].Sequence})
		if err != nil || !bytes.Equal(got.Data, contents(i)) || got.Sequence != receipts[i].Sequence {
			t.Fatalf("%d back: %v", back, err)
		}
	}
	if _, err := b.Get(t.Context(), api.PathParams{Path: "/f", At: receipts[0].Sequence}); api.CodeOf(err) != api.CodeGone {
		t.Errorf("far back: %v", err)
	}
	if _, err := b.Get(t.Context(), api.PathParams{Path: "/f", At: 1 << 40}); api.CodeOf(err) != api.CodeNotReady {
		t.Errorf("the future: %v", err)
	}
	if _, err := b.Get(t.Context(), api.PathParams{Path: "/none"}); api.CodeOf(err) != api.CodeNotFound {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	cl, err := client.New(client.Config{Nodes: []string{n.API()}})
	if err != nil {
		t.Fatal(err)
	}
	last := receipts[len(receipts)-1]
	for { // until the certificate of the last cut is there
		got, _, cert, err := cl.VerifiedGet(ctx, c.trust(), "/f")
		if err == nil && cert.Sequence >= last.Sequence {
			if !bytes.Equal(got, contents(11)) {
				t.Error("other contents")
			}
			break
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	if st, err := b.Stat(ctx, api.PathParams{Path: "/f", Prove: true}); err != nil || st.Proof == nil {
		t.Error(st, err)
	}
	if cert, err := b.Certificate(ctx, api.SequenceParams{}); err != nil || cert.Sequence != last.Sequence || len(cert.Signers) != 1 {
		t.Error(cert, err)
	}
}

// Listings come in pages, each entry once.
func TestListPages(t *testing.T) {
	c := newCell(t, 1)
	c.start(0)
	b := backend{c.nodes[0]}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		c.do(0, &lockspace.Put{Path: "/" + name})
	}
	var names []string
	for p := (api.ListParams{Limit: 2}); ; {
		l, err := b.List(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range l.Children {
			names = append(names, e.Name)
		}
		if p.Cursor = l.Cursor; p.Cursor == "" {
			break
		}
	}
	if strings.Join(names, "") != "abcde" {
		t.Error(names)
	}
	for _, p := range []api.ListParams{{Limit: -1}, {Limit: 1 << 20}, {Path: "x"}} {
		if _, err := b.List(t.Context(), p); api.CodeOf(err) != api.CodeParams {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

// A read of something that is not there can be proven too.
func TestProvenAbsence(t *testing.T) {
	c := newCell(t, 1)
	c.start(0)
	c.do(0, &lockspace.Mkdir{Path: "/d"})
	b := backend{c.nodes[0]}
	for {
		_, err := b.Get(t.Context(), api.PathParams{Path: "/d/none", Prove: true})
		if api.CodeOf(err) == api.CodeNotFound {
			break
		}
		if api.CodeOf(err) != api.CodeNotReady { // no certificate yet
			t.Fatal(err)
		}
	}
}

// FuzzBackend asks a real node with any parameters: it answers or refuses, and never fails inside.
func FuzzBackend(f *testing.F) {
	c := newCell(f, 1)
	c.start(0)
	c.do(0, &lockspace.Put{Path: "/f", Content: []byte("x")})
	b := backend{c.nodes[0]}
	for _, s := range []string{`["/f"]`, `{"path":"/","limit":3}`, `["exclusive:1:1:p:/f"]`, `["bafyreifeix4h3jfng5f4ufzgit2xprwbqb6htdj3hnmwjsxyrnmtht64jy"]`,
		`[18446744073709551615]`, `["AA==",["AA=="]]`, `["/f",3,true]`, `["",-1]`, `[]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		ask(t, ctx, raw, b.Holder)
		ask(t, ctx, raw, b.Get)
		ask(t, ctx, raw, b.List)
		ask(t, ctx, raw, b.Stat)
		ask(t, ctx, raw, b.CheckSequencer)
		ask(t, ctx, raw, b.Machine)
		ask(t, ctx, raw, b.MachineProof)
		ask(t, ctx, raw, b.WholeLife)
		ask(t, ctx, raw, b.Inbox)
		ask(t, ctx, raw, b.Submit)
		ask(t, ctx, raw, b.DryRun)
		ask(t, ctx, raw, b.Accounts)
		ask(t, ctx, raw, b.Cut)
		ask(t, ctx, raw, b.Block)
		ask(t, ctx, raw, b.Certificate)
		if p, err := api.DecodeParams[api.WatchParams](raw); err == nil {
			short, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			_, _, _ = b.Events(short, p.Path, p.From, 10)
		}
	})
}

func ask[P, R any](t *testing.T, ctx context.Context, raw []byte, f func(context.Context, P) (*R, error)) {
	p, err := api.DecodeParams[P](raw)
	if err != nil {
		return
	}
	res, err := f(ctx, p)
	if err != nil && api.CodeOf(err) == 0 && ctx.Err() == nil {
		t.Errorf("%T: an error without a code: %v", p, err)
	}
	if err == nil {
		if _, err := json.Marshal(res); err != nil {
			t.Errorf("%T: %v", p, err)
		}
	}
}
