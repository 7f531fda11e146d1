package node

import (
	"fmt"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed06907907/fatty/lockspace"
)

// TestExecutionComesFirst fills the queue with proofs that callers would like to see checked. One that execution waits for
// is next all the same, whether it is new or was among those; and each is checked once.
func TestExecutionComesFirst(t *testing.T) {
	p, v := newSlowVerdicts(1000)
	defer v.Close()
	defer close(p.release)
	first, _ := proofNamed("first")
	v.early(first, []byte("first"))
	if got := <-p.calls; got != "first" { // the one worker is busy
		t.Fatal(got)
	}
	for i := range queuedProofs {
		id, _ := proofNamed(fmt.Sprint(i))
		v.early(id, []byte(fmt.Sprint(i)))
	}
	last := fmt.Sprint(queuedProofs/4 - 1) // the last that found room
	for _, name := range []string{"new", last} {
		id, read := proofNamed(name)
		for range 2 { // asking again queues nothing
			if _, err := v.start(id, read); err != nil {
				t.Fatal(err)
			}
		}
		p.release <- struct{}{}
		if got := <-p.calls; got != name {
			t.Fatalf("%q is checked before %q", got, name)
		}
	}
	for i := range queuedProofs/4 - 1 {
		p.release <- struct{}{}
		if got := <-p.calls; got != fmt.Sprint(i) {
			t.Fatalf("got %q, want %d", got, i)
		}
	}
	select {
	case got := <-p.calls:
		t.Fatalf("%q is checked again", got)
	default:
	}
}

// TestVerifierFailure takes a panic of the verifier for a refusal: the node goes on.
func TestVerifierFailure(t *testing.T) {
	v := newVerdicts(Proofs{Verify: func([]byte) lockspace.Verdict { panic("index out of range") }}, 1, 8, newMetrics(prometheus.NewRegistry()).verify)
	defer v.Close()
	id, read := proofNamed("proof")
	e, err := v.start(id, read)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := e.wait(t.Context()); err != nil || got.OK || !strings.Contains(got.Reason, "index out of range") {
		t.Fatal(got, err)
	}
}
