package prover

import (
	"context"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier"
)

var testLife, testAnchor = [32]byte{1, 2}, [32]byte{31: 9}

// runsAt proves consecutive runs of the lcg machine of so many transitions each.
func runsAt(t testing.TB, pr *Prover, security int, ticks ...uint64) (out [][]byte) {
	t.Helper()
	p, _ := lcg(t, 1)
	var at, state vm.Felt
	state.SetUint64(7)
	for _, n := range ticks {
		var count vm.Felt
		count.SetUint64(n)
		r, err := pr.Prove(context.Background(), p, []vm.Felt{at, state, count, {}}, Options{Life: testLife, Anchor: testAnchor, Security: security})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r.Proof)
		at, state = r.Output[2], r.Output[3]
	}
	return out
}

// TestSpans makes the way from runs to one small proof, at both levels and with short and long runs, and looks at what each
// proof says.
func TestSpans(t *testing.T) {
	for _, c := range []struct {
		name     string
		security int
		ticks    []uint64
	}{
		{"short", verifier.Security100, []uint64{3, 2}},
		{"long before short", verifier.Security100, []uint64{4000, 2}},
		{"short before long", verifier.Security100, []uint64{2, 4000}},
		{"124 bits", verifier.Security124, []uint64{3, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, pr := context.Background(), new(Prover)
			rs := runsAt(t, pr, c.security, c.ticks...)
			accept := verifier.Accept{Kind: verifier.KindSpan, Security: c.security}
			check := func(what string, s *SpanResult, err error, t0, t1 uint64) []byte {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
				got, err := verifier.Verify(s.Proof, accept)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%s: %d bytes, %.2f s, %.1f bits", what, len(s.Proof), s.Seconds, got.Level.Proven)
				if got.Kind != verifier.KindSpan || got.Span.T0 != t0 || got.Span.T1 != t1 || got.Life != testLife || got.Anchor != testAnchor {
					t.Errorf("%s says %+v from %d to %d", what, got, got.Span.T0, got.Span.T1)
				}
				return s.Proof
			}
			l, err := pr.Wrap(ctx, rs[0])
			left := check("wrap", l, err, 0, c.ticks[0])
			r, err := pr.Wrap(ctx, rs[1])
			right := check("wrap", r, err, c.ticks[0], c.ticks[0]+c.ticks[1])
			m, err := pr.Merge(ctx, left, right)
			merged := check("merge", m, err, 0, c.ticks[0]+c.ticks[1])
			s, err := pr.Shrink(ctx, merged)
			small := check("shrink", s, err, 0, c.ticks[0]+c.ticks[1])
			if m.Statement.Span.Inputs != verifier.SpanInputs([]verifier.Felt{{}, {}}) {
				t.Error("the inputs are not those of the runs")
			}
			if len(small) >= len(merged) {
				t.Error("shrinking made no smaller proof")
			}
			if _, err := pr.Shrink(ctx, small); !errors.Is(err, verifier.ErrShrunk) {
				t.Errorf("a shrunk proof was shrunk again: %v", err)
			}
			if _, err := pr.Shrink(ctx, left); err != nil {
				t.Errorf("a wrapped run cannot be shrunk: %v", err)
			}
		})
	}
}

// BenchmarkMerge merges two wrapped runs; BenchmarkWrap wraps one of 2^14 steps.
func BenchmarkMerge(b *testing.B) {
	ctx, pr := context.Background(), new(Prover)
	rs := runsAt(b, pr, verifier.Security100, 3, 2)
	var spans [][]byte
	for _, r := range rs {
		s, err := pr.Wrap(ctx, r)
		if err != nil {
			b.Fatal(err)
		}
		spans = append(spans, s.Proof)
	}
	warm(b, func() { _, _ = pr.Merge(ctx, spans[0], spans[1]) })
	for range b.N {
		m, err := pr.Merge(ctx, spans[0], spans[1])
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(m.Proof)), "proof-bytes")
	}
}

func BenchmarkWrap(b *testing.B) {
	ctx, pr := context.Background(), new(Prover)
	rs := runsAt(b, pr, verifier.Security100, (1<<14-49)/31)
	warm(b, func() { _, _ = pr.Wrap(ctx, rs[0]) })
	for range b.N {
		s, err := pr.Wrap(ctx, rs[0])
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(len(s.Proof)), "proof-bytes")
	}
}

// warm does something once before the clock runs.
func warm(b *testing.B, f func()) {
	f()
	b.ResetTimer()
}

// BenchmarkVerifySpan verifies a merged and a shrunk span on one core.
func BenchmarkVerifySpan(b *testing.B) {
	ctx, pr := context.Background(), new(Prover)
	rs := runsAt(b, pr, verifier.Security100, 3, 2)
	var spans [][]byte
	for _, r := range rs {
		s, err := pr.Wrap(ctx, r)
		if err != nil {
			b.Fatal(err)
		}
		spans = append(spans, s.Proof)
	}
	m, err := pr.Merge(ctx, spans[0], spans[1])
	if err != nil {
		b.Fatal(err)
	}
	s, err := pr.Shrink(ctx, m.Proof)
	if err != nil {
		b.Fatal(err)
	}
	for name, proof := range map[string][]byte{"merged": m.Proof, "shrunk": s.Proof} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				if _, err := verifier.Verify(proof, verifier.Accept{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkRenewal is one renewal after another of a machine that has run since t = 0, each of 2^14 steps: run, wrap, and the
// merge that makes it part of the whole life. A late one costs what the second does: run it with -benchtime 40x.
func BenchmarkRenewal(b *testing.B) {
	ctx, pr := context.Background(), new(Prover)
	p, _ := lcg(b, 1)
	var at, state, ticks vm.Felt
	state.SetUint64(7)
	ticks.SetUint64((1<<14 - 49) / 31)
	var whole []byte
	renew := func() (seconds float64, bytes int) {
		start := time.Now()
		r, err := pr.Prove(ctx, p, []vm.Felt{at, state, ticks, {}}, Options{Life: testLife, Anchor: testAnchor})
		if err != nil {
			b.Fatal(err)
		}
		w, err := pr.Wrap(ctx, r.Proof)
		if err != nil {
			b.Fatal(err)
		}
		at, state = r.Output[2], r.Output[3]
		if whole == nil {
			whole = w.Proof
			return time.Since(start).Seconds(), len(whole)
		}
		m, err := pr.Merge(ctx, whole, w.Proof)
		if err != nil {
			b.Fatal(err)
		}
		whole = m.Proof
		return time.Since(start).Seconds(), len(whole)
	}
	renew()
	second, size := renew()
	var last float64
	var lastSize int
	b.ResetTimer()
	for range b.N {
		last, lastSize = renew()
	}
	b.ReportMetric(second, "second-s")
	b.ReportMetric(float64(size), "second-bytes")
	b.ReportMetric(last, "last-s")
	b.ReportMetric(float64(lastSize), "last-bytes")
}

// TestWrapTakesEveryMachine fills the wrap's circuit with honest runs of all reference machines, whose programs have every
// set of builtins that proofs cover: none may break it.
func TestWrapTakesEveryMachine(t *testing.T) {
	const cases = "vm/testdata/"
	sets := map[string]bool{}
	for _, name := range []string{"counter", "fibonacci", "lcg", "collatz", "ledger_fold", "life"} {
		var file struct {
			Cases []struct {
				Input    []string
				MustFail bool `json:"must_fail"`
			}
		}
		if err := json.Unmarshal(gunzip(t, cases+"cases0/"+name+".json.gz"), &file); err != nil {
			t.Fatal(err)
		}
		p := load(t, cases, "programs0", name+".json.gz")
		for _, c := range file.Cases {
			if c.MustFail {
				continue
			}
			in := make([]vm.Felt, len(c.Input))
			for i, s := range c.Input {
				n, ok := new(big.Int).SetString(s, 10)
				if !ok {
					t.Fatal(s)
				}
				in[i].SetBigInt(n)
			}
			r, err := Prove(context.Background(), p, in, Options{})
			if err != nil {
				t.Fatal(name, err)
			}
			a, err := verifier.AssignWrap(r.Proof)
			if errors.Is(err, verifier.ErrNotClock) {
				continue // a run of no transition
			}
			if err != nil || a.Violated != nil {
				t.Errorf("%s: %v, %v", name, err, a.Violated)
			}
			sets[strings.Join(r.Program.Builtins, " ")] = true
			break
		}
	}

	for _, want := range []string{"output", "output range_check", "output bitwise"} {
		if !sets[want] {
			t.Errorf("no machine with builtins %s", want)
		}
	}
}
