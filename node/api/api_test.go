package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "rewrite openrpc.json")

// The document in the repository is what the Go definitions say.
func TestOpenRPCDocument(t *testing.T) {
	got, err := OpenRPC()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("openrpc.json", got, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(got, Document) {
		t.Fatal("openrpc.json differs from the Go definitions: run go test ./node/api -update")
	}
	for _, m := range Methods {
		if _, ok := Find(m.Name); !ok || m.Namespace() == "" || m.Verb() == "" {
			t.Errorf("method %q", m.Name)
		}
	}
}

func TestDecodeParams(t *testing.T) {
	good := []string{`{"lock":"/a","prove":true}`, `["/a",true]`, ` ["/a" , true ]`}
	for _, g := range good {
		p, err := DecodeParams[HolderParams]([]byte(g))
		if err != nil || p != (HolderParams{Lock: "/a", Prove: true}) {
			t.Errorf("%s: %v %v", g, p, err)
		}
	}
	for _, b := range []string{`{"lok":"/a"}`, `["/a",true,1]`, `"x"`, `[1]`, `{"lock":"/a"`, `{} {}`, `[`, `7`} {
		if _, err := DecodeParams[HolderParams]([]byte(b)); CodeOf(err) != CodeParams {
			t.Errorf("%s: %v", b, err)
		}
	}
	if p, err := DecodeParams[HolderParams](nil); err != nil || p != (HolderParams{}) {
		t.Error(p, err)
	}
}

func FuzzDecodeParams(f *testing.F) {
	f.Add([]byte(`{"lock":"/a"}`))
	f.Add([]byte(`["AAEC",["AA=="]]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = DecodeParams[HolderParams](b)
		_, _ = DecodeParams[SubmitParams](b)
		_, _ = DecodeParams[WaitParams](b)
	})
}

func TestScalars(t *testing.T) {
	for _, c := range []Clock{0, 7, 1 << 53, 1<<53 + 1, 1<<64 - 1} {
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if quoted := b[0] == '"'; quoted != (c > 1<<53) {
			t.Errorf("%d is %s", c, b)
		}
		var back Clock
		if err := json.Unmarshal(b, &back); err != nil || back != c {
			t.Errorf("%d: %d %v", c, back, err)
		}
	}
	var c Clock
	for _, s := range []string{`-1`, `"x"`, `1.5`, `"`, `18446744073709551616`} {
		if err := c.UnmarshalJSON([]byte(s)); err == nil {
			t.Errorf("%s accepted", s)
		}
	}
	for _, ns := range []int64{0, 1, 1_700_000_000_123_456_789} {
		b, _ := json.Marshal(FromNano(ns))
		var back Time
		if err := json.Unmarshal(b, &back); err != nil || !back.Equal(FromNano(ns).Time) {
			t.Errorf("%d: %s %v", ns, b, err)
		}
	}
}
