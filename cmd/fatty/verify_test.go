package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed06907907/fatty/machine"
	"github.com/seed06907907/fatty/prover"
	"github.com/seed06907907/fatty/verifier"
)

// TestBadSpanFiles: a span proof's file that was torn, changed or made for another program or version is refused, each with
// its word, by verify and by merge alike.
func TestBadSpanFiles(t *testing.T) {
	p := program(t, "../../examples/lcg/lcg.json")
	w, err := cutting{1, -1}.work(t.Context(), p, vector(0, 1, 3, 0))
	if err != nil {
		t.Fatal(err)
	}
	made, err := (&machine.Spanner{Prover: new(prover.Prover)}).Make(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	lcg, err := prover.Canonical(p)
	if err != nil {
		t.Fatal(err)
	}
	counter, err := prover.Canonical(program(t, "../../examples/counter/counter.json"))
	if err != nil {
		t.Fatal(err)
	}
	file := func(p verifier.Program, proof []byte) []byte {
		b, err := verifier.EncodeEnvelope(p, proof)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	good := file(lcg, made.Proof)
	head := len(good) - len(made.Proof)
	// Where the parts of a span proof are: verifier/spanproof.go.
	const version, level, circuit, key, t0, s0, life = 8, 10, 11, 12, 44, 60, 156
	changed := func(at int, b ...byte) []byte {
		out := bytes.Clone(good)
		copy(out[head+at:], b)
		return out
	}
	a := &app{}
	check := func(name string, file []byte, want string) {
		t.Helper()
		_, err := a.verify(file, expectations{})
		if err == nil || bodyOf(err).Code != want {
			t.Errorf("%s: verify says %v, want %q", name, err, want)
		}
		path := filepath.Join(t.TempDir(), "x.proof")
		if err := os.WriteFile(path, file, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := a.readSpan(path); err == nil || bodyOf(err).Code != want {
			t.Errorf("%s: merge says %v, want %q", name, err, want)
		}
	}
	if _, err := a.verify(good, expectations{}); err != nil {
		t.Fatal(err)
	}
	check("of another version", changed(version, 0, verifier.ProofVersion+1), "version")
	check("of an older version", changed(version, 0, verifier.ProofVersion-1), "version")
	check("a file of another version", append([]byte("FATTYENV\x00\x09"), good[10:]...), "version")
	check("of a circuit that is not listed", changed(circuit, 200), "version")
	check("of another circuit", changed(circuit, good[head+circuit]+1), "format")
	check("of no level", changed(level, 9), "version")
	check("about another program than the file's", file(counter, made.Proof), "invalid")
	check("with another program's key", changed(key, counterKey(t, counter)...), "invalid")
	check("of no length", changed(t0, binary.BigEndian.AppendUint64(nil, 3)...), "format")
	check("of a wrapping clock", changed(t0+8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff), "format")
	check("of another start", changed(s0+31, 2), "invalid")
	check("of another life", changed(life, 1), "invalid")
	check("with a changed end", append(bytes.Clone(good[:len(good)-1]), good[len(good)-1]^1), "invalid")
	check("with more behind it", append(bytes.Clone(good), 0), "format")
	for n := range 97 {
		check("torn", good[:n*len(good)/97], "format")
	}
}

func counterKey(t *testing.T, p verifier.Program) []byte {
	t.Helper()
	k, err := p.Key()
	if err != nil {
		t.Fatal(err)
	}
	return k[:]
}
