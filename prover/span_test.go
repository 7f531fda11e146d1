package prover

import (
	"context"
	"testing"

	"github.com/seed06907907/fatty/prover/vm"
	"github.com/seed06907907/fatty/verifier"
)

// runs proves consecutive runs of the lcg machine of so many transitions each.
func runs(t testing.TB, pr *Prover, ticks ...uint64) (out [][]byte) {
	p, _ := lcg(t, 1)
	var at, state vm.Felt
	state.SetUint64(7)
	for _, n := range ticks {
		var count vm.Felt
		count.SetUint64(n)
		r, err := pr.Prove(context.Background(), p, []vm.Felt{at, state, count, {}}, Options{Life: [32]byte{1, 2}, Anchor: [32]byte{31: 9}})
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r.Proof)
		at, state = r.Output[2], r.Output[3]
	}
	return out
}

func TestSpans(t *testing.T) {
	ctx, pr := context.Background(), new(Prover)
	rs := runs(t, pr, 3, 2)
	var spans [][]byte
	for _, r := range rs {
		s, err := pr.Wrap(ctx, r)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("wrap: %d bytes, %.2f s, %+v", len(s.Proof), s.Seconds, s.Statement.Level.Proven)
		spans = append(spans, s.Proof)
	}
	m, err := pr.Merge(ctx, spans[0], spans[1])
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("merge: %d bytes, %.2f s, %+v", len(m.Proof), m.Seconds, m.Statement.Span)
	s, err := pr.Shrink(ctx, m.Proof)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("shrink: %d bytes, %.2f s", len(s.Proof), s.Seconds)
	if _, err := verifier.Verify(s.Proof, verifier.Accept{Kind: verifier.KindSpan}); err != nil {
		t.Fatal(err)
	}
}
