//go:build soak

package vm

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// executablesDir is the folder of executables that the user compiled from the Cairo 2 sources of the reference cases:
// NAME.json for each testdata/cases2/NAME.json.gz. They carry code of the compiler's core library, so none is kept here.
// The hashes hold for cairo-execute 2.20.0.
const executablesDir = "FATTY_CAIRO2_EXECUTABLES"

type referenceCase2 struct {
	Input, Output []string
	MustFail      bool `json:"must_fail"`
	Bootloader    *referenceProof
	Padded        *referenceProof2 `json:"standalone"`
	Plain         *referenceProof2 `json:"standalone_nopad"`
}

type referenceProof2 struct {
	referenceProof
	PublicMemory referenceTable `json:"public_memory"`
}

// TestExecutables holds compiled Cairo 2 programs to the reference runner.
func TestExecutables(t *testing.T) {
	dir := os.Getenv(executablesDir)
	if dir == "" {
		t.Fatalf("set %s to a folder of executables", executablesDir)
	}
	files, err := filepath.Glob(filepath.Join("testdata", "cases2", "*.json.gz"))
	if err != nil || len(files) == 0 {
		t.Fatal("no reference cases", err)
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".json.gz")
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join(dir, name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			program, err := Load(data)
			if err != nil {
				t.Fatal(err)
			}
			file := struct {
				Deterministic *bool `json:"memory_deterministic"`
				Cases         []referenceCase2
			}{}
			if err := json.Unmarshal(readGzip(t, path), &file); err != nil {
				t.Fatal(err)
			}
			for i, c := range file.Cases {
				checkExecutable(t, program, i, c, file.Deterministic == nil || *file.Deterministic)
			}
		})
	}
}

func checkExecutable(t *testing.T, program *Program, i int, c referenceCase2, deterministic bool) {
	t.Helper()
	input := felts(t, c.Input)
	padded := StwoConfig(0)
	padded.Pad = true
	configs := []Config{StwoConfig(0), padded, {}}
	if c.MustFail {
		for _, config := range configs {
			config.MaxSteps = 1 << 20
			if _, err := Run(t.Context(), program, input, config); err == nil {
				t.Errorf("case %d ran to the end", i)
			}
		}
		return
	}
	for j, want := range []*referenceProof2{c.Plain, c.Padded} {
		r, err := Run(t.Context(), program, input, configs[j])
		if err != nil {
			t.Errorf("case %d: %v", i, err)
			continue
		}
		checkOutput(t, i, r, referenceCase{Output: c.Output})
		if want == nil {
			t.Errorf("case %d: the fixture has no proof run", i)
			continue
		}
		proof := want.referenceProof
		proof.Public = want.PublicMemory.Rows
		if !deterministic {
			proof.Memory.SHA256 = hashOf(t, r.WriteMemory)
			proof.RCMin, proof.RCMax = r.RangeCheckMin, r.RangeCheckMax
		}
		checkProof(t, i, r, &proof)
		if publicHash(r) != want.PublicMemory.SHA256 {
			t.Errorf("case %d: the public memory differs from the reference", i)
		}
	}
	r, err := Run(t.Context(), program, input, configs[2])
	if err != nil {
		t.Errorf("case %d, as a function: %v", i, err)
	} else if c.Bootloader != nil && r.Steps != c.Bootloader.Steps {
		t.Errorf("case %d, as a function: %d steps, reference %d", i, r.Steps, c.Bootloader.Steps)
	}
}

// publicHash is the hash of the public memory's rows.
func publicHash(r *Result) string {
	h := sha256.New()
	for _, c := range r.PublicMemory {
		var row [40]byte
		binary.LittleEndian.PutUint64(row[:], uint64(c.Address))
		value := c.Value.Bytes()
		slices.Reverse(value[:])
		copy(row[8:], value[:])
		h.Write(row[:])
	}
	return hex.EncodeToString(h.Sum(nil))
}
