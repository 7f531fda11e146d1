package main

import (
	"encoding/json"
	"testing"
)

// FuzzParseInput demands that whatever reads as an input vector reads the same again from its decimal form.
func FuzzParseInput(f *testing.F) {
	for _, s := range []string{`[]`, `[1,"2","0x3"]`, `[-1]`, `[1.5]`, `[1e3]`, `["0X1"]`, `[[1]]`, `[1] [2]`, `null`,
		`["3618502788666131213697322783095070105623107215331596699973092056135872020480"]`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		felts, err := parseInput(b)
		if err != nil {
			return
		}
		text, err := json.Marshal(feltTexts(felts))
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseInput(text)
		if err != nil || len(again) != len(felts) {
			t.Fatalf("%s: %d felts, %v", text, len(again), err)
		}
		for i := range felts {
			if !felts[i].Equal(&again[i]) {
				t.Fatalf("felt %d changed in %s", i, text)
			}
		}
	})
}
