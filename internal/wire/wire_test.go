package wire

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"
	"pgregory.net/rapid"
)

var updateGolden = flag.Bool("update", false, "write testdata/golden anew")

// golden compares bytes with testdata/golden/NAME.hex.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name+".hex")
	if *updateGolden {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(hex.EncodeToString(got)+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v: write it with -update", err)
	}
	if strings.TrimSpace(string(want)) != hex.EncodeToString(got) {
		t.Errorf("%s: the encoding changed\n got %x\nwant %s", name, got, want)
	}
}

// sample has each kind of field that fatty's types use.
type sample struct {
	Text  string   `cbor:"text"`
	Bytes []byte   `cbor:"b"`
	Fixed [4]byte  `cbor:"fixed"`
	Big   uint64   `cbor:"big"`
	Neg   int64    `cbor:"neg"`
	Flag  bool     `cbor:"flag"`
	Link  CID      `cbor:"link"`
	Maybe *CID     `cbor:"maybe,omitempty"`
	List  []uint64 `cbor:"list"`
}

func full() sample {
	link := Sum([]byte("a block"))
	return sample{Text: "text é", Bytes: []byte{1, 2}, Fixed: [4]byte{9}, Big: 1<<64 - 1, Neg: -1 << 63, Flag: true, Link: link, Maybe: &link, List: []uint64{0, 23, 24, 255, 256, 65536, 1 << 32}}
}

func TestGolden(t *testing.T) {
	for name, v := range map[string]any{"full": full(), "empty": sample{Link: Sum(nil)}} {
		b, err := Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name, b)
	}
	h, err := Hash("fatty/test/1", "text", uint64(7), [4]byte{1}, Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "hash", h[:])
	key := ed25519.NewKeyFromSeed(make([]byte, 32))
	for _, d := range []Domain{DomainTransaction, DomainBlock, DomainVote, DomainConsensus, DomainState, DomainHost, DomainHolder} {
		golden(t, "sign-"+strings.ReplaceAll(string(d), "/", "-"), Sign(key, d, []byte("body")))
	}
	// The CID of the empty map, as every IPLD implementation has it.
	if got, want := Sum([]byte{0xa0}).String(), "bafyreigbtj4x7ip5legnfznufuopl4sg4knzc2cof6duas4b3q2fy6swua"; got != want {
		t.Errorf("the empty map is %s, want %s", got, want)
	}
}

// What Unmarshal accepts is what Marshal writes, and nothing else: each of these says the same, or nearly, otherwise.
func TestUnmarshalIsStrict(t *testing.T) {
	type small struct {
		A uint64 `cbor:"a"`
		B []byte `cbor:"b,omitempty"`
	}
	for name, text := range map[string]string{
		"long integer":       "a161611801",
		"long map head":      "b80161611a00000001",
		"long key":           "a178016101",
		"indefinite map":     "bf616101ff",
		"indefinite bytes":   "a2616101616" + "25f4101ff",
		"unsorted keys":      "a26162410161" + "6101",
		"duplicate key":      "a2616101616101",
		"unknown key":        "a2616101616301",
		"other case":         "a1614101",
		"missing field":      "a0",
		"empty optional":     "a261610161" + "6240",
		"null optional":      "a261610161" + "62f6",
		"null":               "f6",
		"trailing byte":      "a161610100",
		"cut short":          "a16161",
		"float for integer":  "a16161f93c00",
		"bignum for integer": "a16161c24101",
		"tagged integer":     "a16161d82a01",
		"list for map":       "8101",
		"nothing":            "",
		"huge list":          "9b7fffffffffffffff",
		"deep":               strings.Repeat("81", 100) + "01",
		"key as bytes":       "a1416101",
	} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var v small
		if err := Unmarshal(b, &v); err == nil {
			t.Errorf("%s: accepted as %+v", name, v)
		}
	}
	if err := Unmarshal([]byte{0xa1, 0x61, 'a', 0x18, 0x01}, &small{}); !errors.Is(err, ErrNotCanonical) {
		t.Errorf("a long form: %v", err)
	}
	for name, v := range map[string]any{"undefined CID": CID{}, "channel": make(chan int)} {
		if _, err := Marshal(v); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
}

func TestLinksAreStrict(t *testing.T) {
	good, _ := Marshal(Sum(nil))
	var c CID
	if err := Unmarshal(good, &c); err != nil || c != Sum(nil) {
		t.Fatal(err)
	}
	mutate := func(f func([]byte) []byte) []byte { return f(bytes.Clone(good)) }
	for name, b := range map[string][]byte{
		"another tag":      mutate(func(b []byte) []byte { b[1] = 43; return b }),
		"no tag":           good[2:],
		"no identity byte": mutate(func(b []byte) []byte { b[4] = 1; return b }),
		"version 2":        mutate(func(b []byte) []byte { b[5] = 2; return b }),
		"raw codec":        mutate(func(b []byte) []byte { b[6] = 0x55; return b }),
		"another hash":     mutate(func(b []byte) []byte { b[7] = 0x13; return b }),
		"short digest":     mutate(func(b []byte) []byte { b[8], b[3] = 31, 36; return b[:len(b)-1] }),
		"byte behind":      mutate(func(b []byte) []byte { b[3] = 38; return append(b, 0) }),
		"empty":            {0xd8, 0x2a, 0x40},
		"text":             {0xd8, 0x2a, 0x61, 'a'},
		"null":             {0xf6},
	} {
		if err := Unmarshal(b, &c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestParseCID(t *testing.T) {
	want := Sum([]byte("x"))
	for _, s := range []string{want.String(), "b" + strings.TrimPrefix(want.String(), "b")} {
		if got, err := ParseCID(s); err != nil || got != want {
			t.Errorf("%s: %v", s, err)
		}
	}
	mh, _ := multihash.Sum([]byte("x"), multihash.SHA2_256, -1)
	for _, s := range []string{"", "x", "bafy", cid.NewCidV0(mh).String(), cid.NewCidV1(cid.Raw, mh).String(), want.String() + "a",
		strings.Repeat("b", 1<<20), "z" + strings.Repeat("2", 1<<22), "/ipfs/" + want.String() + "/.."} {
		if _, err := ParseCID(s); err == nil {
			t.Errorf("%.60q: accepted", s)
		}
	}
	var c CID
	if c.String() != "" || c.Digest() != [32]byte{} || c.Defined() {
		t.Error("the zero CID says something")
	}
	text, _ := want.MarshalText()
	if err := c.UnmarshalText(text); err != nil || c != want {
		t.Errorf("text: %v", err)
	}
	if err := c.UnmarshalText(nil); err != nil || c.Defined() {
		t.Errorf("empty text: %v", err)
	}
	if err := c.UnmarshalText([]byte("bad")); err == nil {
		t.Error("bad text is accepted")
	}
	if FromDigest(want.Digest()) != want {
		t.Error("digest")
	}
}

// A signature is good for its key, domain and body alone.
func TestSignatures(t *testing.T) {
	key := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	pub := key.Public().(ed25519.PublicKey)
	sig := Sign(key, DomainVote, []byte("body"))
	if !Verify(pub, DomainVote, []byte("body"), sig) {
		t.Fatal("a good signature is refused")
	}
	other := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	for name, ok := range map[string]bool{
		"another domain": Verify(pub, DomainBlock, []byte("body"), sig),
		"another body":   Verify(pub, DomainVote, []byte("bodz"), sig),
		"moved border":   Verify(pub, DomainVote+"b", []byte("ody"), sig),
		"another key":    Verify(other, DomainVote, []byte("body"), sig),
		"short key":      Verify(pub[:31], DomainVote, []byte("body"), sig),
		"no key":         Verify(nil, DomainVote, []byte("body"), sig),
		"short":          Verify(pub, DomainVote, []byte("body"), sig[:63]),
		"long":           Verify(pub, DomainVote, []byte("body"), append(bytes.Clone(sig), 0)),
		"none":           Verify(pub, DomainVote, []byte("body"), nil),
	} {
		if ok {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Hashes of different tuples differ, also where their fields run together.
func TestHashIsInjective(t *testing.T) {
	a, _ := Hash("t", "ab", "c")
	b, _ := Hash("t", "a", "bc")
	c, _ := Hash("t", "abc")
	d, _ := Hash("ta", "b", "c")
	if a == b || a == c || b == c || a == d {
		t.Error("two tuples have one hash")
	}
	if _, err := Hash("t", make(chan int)); err == nil {
		t.Error("a channel has a hash")
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		link := FromDigest([32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest")))
		v := sample{Text: rapid.String().Draw(t, "text"), Bytes: rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"), Big: rapid.Uint64().Draw(t, "big"),
			Neg: rapid.Int64().Draw(t, "neg"), Flag: rapid.Bool().Draw(t, "flag"), Link: link, List: rapid.SliceOf(rapid.Uint64()).Draw(t, "list")}
		b, err := Marshal(v)
		if err != nil {
			t.Fatalf("%v", err)
		}
		var back sample
		if err := Unmarshal(b, &back); err != nil {
			t.Fatalf("%x: %v", b, err)
		}
		again, err := Marshal(back)
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("%x, then %x: %v", b, again, err)
		}
	})
}

// FuzzUnmarshal: what is accepted is canonical.
func FuzzUnmarshal(f *testing.F) {
	b, err := Marshal(full())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	b, _ = Marshal(sample{Link: Sum(nil)})
	f.Add(b)
	f.Add([]byte{0xf6})
	f.Fuzz(func(t *testing.T, b []byte) {
		var v sample
		if err := Unmarshal(b, &v); err == nil {
			if again, err := Marshal(v); err != nil || !bytes.Equal(again, b) {
				t.Fatalf("%x encodes as %x: %v", b, again, err)
			}
		}
		var free any
		if err := Unmarshal(b, &free); err == nil {
			if again, err := Marshal(free); err != nil || !bytes.Equal(again, b) {
				t.Fatalf("%x encodes as %x: %v", b, again, err)
			}
		}
	})
}

// FuzzParseCID: a parsed id is of the one kind and prints as itself.
func FuzzParseCID(f *testing.F) {
	f.Add(Sum(nil).String())
	f.Add("QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG")
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCID(s)
		if err != nil {
			return
		}
		if again, err := ParseCID(c.String()); err != nil || again != c {
			t.Fatalf("%q is %s: %v", s, c, err)
		}
	})
}
