package verifier

import (
	"slices"
	"testing"
)

// FuzzVerifySpan looks for bytes on which the verifier panics or takes memory beyond what they justify; none is accepted
// but the golden ones.
func FuzzVerifySpan(f *testing.F) {
	golden := map[string]bool{}
	for _, name := range []string{"wrapped", "merged", "shrunk"} {
		proof := goldenFile(f, name)
		golden[string(proof)] = true
		f.Add(proof)
		f.Add(proof[:spanHead])
		f.Add(append(slices.Clone(proof[:spanHead+4096]), make([]byte, 4096)...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := Verify(b, Accept{Kind: KindSpan}); err == nil && !golden[string(b)] {
			t.Errorf("accepted: %+v", s)
		}
		for _, assign := range []func() (*Assignment, error){
			func() (*Assignment, error) { return AssignMerge(b, b) },
			func() (*Assignment, error) { return AssignShrink(b) },
		} {
			if a, err := assign(); err == nil && a.Violated == nil && !golden[string(b)] {
				t.Error("a circuit takes it")
			}
		}
	})
}
