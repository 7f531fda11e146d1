package verifier

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"
)

// FuzzVerifySpan changes span proofs in any way. No panic, no more memory than bytes justify, and nothing is accepted but the
// spans themselves, by the verifier or by the circuits that take what is decoded only.
func FuzzVerifySpan(f *testing.F) {
	names := []string{"wrapped", "wrapped-next", "merged", "shrunk"}
	var golden [][]byte
	for i, name := range names {
		proof := goldenFile(f, name)
		golden = append(golden, proof)
		f.Add(uint8(i), uint32(0), []byte{}, uint32(0))
		f.Add(uint8(i), uint32(9), []byte{1}, uint32(1))
		f.Add(uint8(i), uint32(spanHead), []byte{}, uint32(1<<20))
		f.Add(uint8(i), uint32(spanHead+4096), make([]byte, 4096), uint32(1<<20))
		for at := 0; at < spanHead; at += 29 {
			f.Add(uint8(i), uint32(at), []byte{0xff, 0xff, 0xff, 0xff}, uint32(4))
		}
		f.Add(uint8(i), uint32(len(proof)-36), []byte{0, 0, 0, 1, 0, 0, 0, 2}, uint32(8))
	}
	f.Fuzz(func(t *testing.T, which uint8, at uint32, replacement []byte, cut uint32) {
		i := int(which) % len(golden)
		from := int(at) % (len(golden[i]) + 1)
		to := min(len(golden[i]), from+int(cut))
		bad := append(append(bytes.Clone(golden[i][:from]), replacement...), golden[i][to:]...)
		if bytes.Equal(bad, golden[i]) {
			return
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, err := Verify(bad, Accept{})
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Fatalf("accepted: %+v", s)
		}
		if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrVersion) && !errors.Is(err, ErrInvalid) {
			t.Fatalf("an error without a kind: %v", err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20+16*uint64(len(bad)) {
			t.Fatalf("%d bytes make the verifier allocate %d", len(bad), got)
		}
		var a *Assignment
		var circuitErr error
		switch i {
		case 0:
			a, circuitErr = AssignMerge(bad, golden[1])
		case 1:
			a, circuitErr = AssignMerge(golden[0], bad)
		default:
			a, circuitErr = AssignShrink(bad)
		}
		if circuitErr == nil && a.Violated == nil && !nothingToACircuit(err) {
			t.Fatalf("a circuit takes what the verifier refuses: %v", err)
		}
	})
}

// nothingToACircuit says whether a proof is refused for another way to write an honest one: a circuit has no lists that could be
// longer than they need be, and no nonce beyond its 48 bits.
func nothingToACircuit(err error) bool {
	for _, s := range []string{"left over", "the proof opens", "a nonce that no proof of work needs"} {
		if strings.Contains(err.Error(), s) {
			return true
		}
	}
	return false
}

// TestCountsThatLieAreRefused has each number of a span proof that says how long a list is be another one.
func TestCountsThatLieAreRefused(t *testing.T) {
	proof := goldenFile(t, "merged")
	seen := 0
	for at := len(proof) - 4; at > spanHead; at -= 4 {
		v := binary.BigEndian.Uint32(proof[at:])
		if v > 1<<12 { // an element is as small by chance, once in half a million
			continue
		}
		seen++
		for _, lie := range []uint32{0, v - 1, v + 1, 1 << 20, 1<<31 - 1, 1<<32 - 1} {
			if lie == v {
				continue
			}
			bad := bytes.Clone(proof)
			binary.BigEndian.PutUint32(bad[at:], lie)
			_, err := Verify(bad, Accept{})
			if err == nil {
				t.Errorf("%d for %d at byte %d: accepted", lie, v, at)
				continue
			}
			if a, circuitErr := AssignShrink(bad); circuitErr == nil && refusal(a) == nil && !nothingToACircuit(err) {
				t.Errorf("%d for %d at byte %d: a circuit takes it; the verifier says %v", lie, v, at, err)
			}
		}
	}
	if seen < 12 { // places, five trees, three layers with two lists each
		t.Errorf("only %d counts found", seen)
	}
}
