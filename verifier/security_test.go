package verifier

import (
	"encoding/json"
	"math"
	"os"
	"testing"
)

// TestSecurityAgreesWithIndependentCalculator compares every round with values from an independent implementation of the
// published formulas (a Python script that follows ethereum/soundcalc), over extension degrees, rates, sizes and regimes.
func TestSecurityAgreesWithIndependentCalculator(t *testing.T) {
	raw, err := os.ReadFile("testdata/soundness.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		D, LB, Q, G, LN, M             int
		Logup, Ali, Deep, Batch, Query float64
		Folds                          []float64
	}
	if err := json.Unmarshal(raw, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) < 200 {
		t.Fatalf("only %d rows", len(rows))
	}
	for _, w := range rows {
		s := Shape{LogN: w.LN, LogBlowup: w.LB, Degree: w.D, Queries: w.Q, Grind: w.G, FoldLog: 3, FinalLog: 6, Words: 800,
			Constraints: 600, MaxDegree: 3, Points: 3, Fractions: math.Exp2(float64(w.LN)) * 150, TupleLen: 35}
		got := s.In(Regime{w.M})
		want := append(append([]float64{w.Logup, w.Ali, w.Deep, w.Batch}, w.Folds...), w.Query)
		if len(got) != len(want) {
			t.Fatalf("%+v: %d rounds, want %d", w, len(got), len(want))
		}
		for i := range got {
			if math.Abs(got[i].Bits-want[i]) > 1e-6 {
				t.Errorf("%+v: %s %.6f, want %.6f", w, got[i].Name, got[i].Bits, want[i])
			}
		}
	}
}

func TestSecurityRefusesEmptyShapes(t *testing.T) {
	good := Shape{LogN: 20, LogBlowup: 1, Degree: 6, Queries: 173, Grind: 20, FoldLog: 3, FinalLog: 6, Words: 800,
		Constraints: 600, MaxDegree: 3, Points: 3, Fractions: 1e8, TupleLen: 35}
	l, err := good.Level()
	if err != nil || l.Proven < 100 || l.Proven > HashBits {
		t.Fatalf("%+v, %v", l, err)
	}
	for name, change := range map[string]func(*Shape){
		"no queries":       func(s *Shape) { s.Queries = 0 },
		"no blow-up":       func(s *Shape) { s.LogBlowup = 0 },
		"beyond the field": func(s *Shape) { s.LogN = 24 },
		"no fold":          func(s *Shape) { s.FoldLog = 0 },
		"negative grind":   func(s *Shape) { s.Grind = -1 },
		"final above":      func(s *Shape) { s.FinalLog = 21 },
		"nothing batched":  func(s *Shape) { s.Words = 0 },
	} {
		s := good
		change(&s)
		if _, err := s.Level(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	// More work for the attacker never lowers the level, less never raises it.
	for q := 1; q < 300; q += 7 {
		a, b := good, good
		a.Queries, b.Queries = q, q+1
		la, _ := a.Level()
		lb, _ := b.Level()
		if la.Proven > lb.Proven {
			t.Fatalf("%d queries %.2f bits, one more %.2f", q, la.Proven, lb.Proven)
		}
	}
}
