package poseidon

import (
	"compress/gzip"
	"encoding/json"
	"math/big"
	"os"
	"testing"
)

type felt [32]byte

func felts(t *testing.T, texts []string) []felt {
	t.Helper()
	out := make([]felt, len(texts))
	for i, s := range texts {
		v, ok := new(big.Int).SetString(s, 10)
		if !ok {
			t.Fatalf("felt %q", s)
		}
		v.FillBytes(out[i][:])
	}
	return out
}

// Two programs of Cairo 0 hash with poseidon_hash_many; the reference VM ran them, and its outputs are the truth.
func TestAgreesWithTheReferenceVM(t *testing.T) {
	checked := 0
	for name, parts := range map[string]func(in []string) map[int][]string{
		// [t0, S0, n, .., m, m balances, 3n felts of transactions]: S0 is the hash of the balances, the inputs that of the rest.
		"ledger_poseidon": func(in []string) map[int][]string {
			m := int(new(big.Int).SetBytes(feltBytes(in[4])).Int64())
			return map[int][]string{1: in[5 : 5+m], 4: in[5+m:]}
		},
		// [t0, S0, n, .., n felts of transactions]
		"poseidon_chain": func(in []string) map[int][]string { return map[int][]string{4: in[4:]} },
	} {
		f, err := os.Open("../../prover/vm/testdata/cases0/" + name + ".json.gz")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			Cases []struct{ Input, Output []string }
		}
		if err := json.NewDecoder(z).Decode(&file); err != nil {
			t.Fatal(err)
		}
		for i, c := range file.Cases {
			if len(c.Output) != 5 { // a run that must fail
				continue
			}
			for at, in := range parts(c.Input) {
				checked++
				if got, want := HashMany(felts(t, in)), felts(t, c.Output[at:at+1])[0]; got != want {
					t.Errorf("%s, case %d: %d felts: %x, want %x", name, i, len(in), got, want)
				}
			}
		}
	}
	if checked < 6 {
		t.Errorf("only %d hashes were checked", checked)
	}
}

func feltBytes(s string) []byte { v, _ := new(big.Int).SetString(s, 10); return v.Bytes() }

// The padding tells lengths apart.
func TestLengths(t *testing.T) {
	seen := map[felt]int{}
	for n := range 9 {
		d := HashMany(make([]felt, n))
		if m, ok := seen[d]; ok {
			t.Errorf("%d and %d zeros have the same hash", m, n)
		}
		seen[d] = n
	}
	one := felt{31: 1}
	if HashMany([]felt{}) == HashMany([]felt{one}) || HashMany([]felt{one}) == HashMany([]felt{one, {}}) {
		t.Error("the padding is taken for input")
	}
}

func BenchmarkHashMany(b *testing.B) {
	in := make([]felt, 1024)
	b.SetBytes(int64(len(in) * 32))
	for range b.N {
		HashMany(in)
	}
}
