package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seed06907907/fatty/node/api"
)

// devnetEvent is one line of `fatty devnet --json`.
type devnetEvent struct {
	Time  api.Time `json:"time"`
	Event string   `json:"event"`

	Validator string `json:"validator,omitempty"`
	Peer      string `json:"peer,omitempty"`
	RPC       string `json:"rpc,omitempty"` // where JSON-RPC answers; in the summary the first validator's

	// Of lock events.
	Lock         string     `json:"lock,omitempty"`
	Machine      string     `json:"machine,omitempty"`
	Holder       string     `json:"holder,omitempty"`
	Keeper       string     `json:"keeper,omitempty"` // A or B
	T            *api.Clock `json:"t,omitempty"`
	State        string     `json:"state,omitempty"`
	Sequence     uint64     `json:"sequence,omitempty"`
	LeaseEnd     *api.Time  `json:"lease_end,omitempty"`
	ProofBytes   int        `json:"proof_bytes,omitempty"`
	ProveSeconds float64    `json:"prove_seconds,omitempty"`
	Span         string     `json:"span,omitempty"`       // file of the renewal's proof
	WholeLife    string     `json:"whole_life,omitempty"` // file of the whole life's proof

	View    *uint64 `json:"view,omitempty"`
	Leader  string  `json:"leader,omitempty"`
	Message string  `json:"message,omitempty"`

	// Of the summary.
	OK       *bool           `json:"ok,omitempty"`
	Renewals *int            `json:"renewals,omitempty"`
	Commits  *uint64         `json:"commits,omitempty"`
	Seen     map[string]bool `json:"seen,omitempty"` // each expected event, and whether it was seen
	// Seconds is from the start to the first lock taken.
	Seconds float64 `json:"seconds_to_first_lock,omitempty"`
	Home    string  `json:"home,omitempty"`
}

// The events of a devnet.
const (
	evReady           = "validator_ready"
	evPeer            = "peer_connected"
	evAcquired        = "lock_acquired"
	evRenewed         = "lease_renewed"
	evMachineKilled   = "machine_killed"
	evExpired         = "lease_expired"
	evTakenOver       = "lock_taken_over"
	evReleased        = "lock_released"
	evValidatorKilled = "validator_killed"
	evView            = "view_changed"
	evMessage         = "message" // what a machine's keeper says besides
	evSummary         = "summary"
	// Expected, and told by how others follow each other.
	seenRenewedAfter = "lease_renewed_after_take_over"
	seenContinued    = "take_over_from_last_proven_t"
	seenRestarted    = "validator_restarted"
	seenVerified     = "holder_verified"
	seenProof        = "proof_verified"
	seenWhole        = "whole_life_verified"
)

// people writes an event as a line for people.
func (e devnetEvent) people(w io.Writer, since time.Duration) {
	var s string
	t := uint64(0)
	if e.T != nil {
		t = uint64(*e.T)
	}
	proof := ""
	if e.ProofBytes > 0 {
		proof = fmt.Sprintf(" by a proof of %d kB made in %.1f s", (e.ProofBytes+500)/1000, e.ProveSeconds)
	}
	until := ""
	if e.LeaseEnd != nil && !e.LeaseEnd.IsZero() {
		until = ", lease until " + e.LeaseEnd.Local().Format("15:04:05")
	}
	switch e.Event {
	case evReady:
		s = fmt.Sprintf("validator %s is ready at %s", e.Validator, e.RPC)
	case evPeer:
		s = fmt.Sprintf("validator %s is connected to %s", e.Validator, e.Peer)
	case evAcquired:
		s = fmt.Sprintf("machine %s takes %s%s: t = %d%s", e.Keeper, e.Lock, proof, t, until)
	case evRenewed:
		s = fmt.Sprintf("machine %s renews%s: t = %d%s", e.Keeper, proof, t, until)
	case evMachineKilled:
		s = fmt.Sprintf("machine %s is killed", e.Keeper)
	case evExpired:
		s = fmt.Sprintf("the lease of machine %s runs out at t = %d", e.Keeper, t)
	case evTakenOver:
		s = fmt.Sprintf("machine %s takes over%s: t = %d%s", e.Keeper, proof, t, until)
	case evReleased:
		s = fmt.Sprintf("machine %s gives the lock back at t = %d", e.Keeper, t)
	case evValidatorKilled:
		s = fmt.Sprintf("validator %s is killed", e.Validator)
	case evView:
		s = fmt.Sprintf("view %d begins, led by %s", *e.View, e.Leader)
	case evSummary:
		var list []string
		for _, k := range sortedKeys(e.Seen) {
			mark := "seen"
			if !e.Seen[k] {
				mark = "NOT SEEN"
			}
			list = append(list, fmt.Sprintf("  %-32s %s", k, mark))
		}
		verdict := "ok"
		if !*e.OK {
			verdict = "NOT OK"
		}
		s = fmt.Sprintf("%s: %d renewals, %d commits, the first lock after %.1f s\n%s", verdict, *e.Renewals, *e.Commits, e.Seconds, strings.Join(list, "\n"))
	default:
		s = e.Message
		if e.Keeper != "" {
			s = "machine " + e.Keeper + ": " + s
		}
	}
	fmt.Fprintf(w, "%7.1fs  %s\n", since.Seconds(), s)
}

// expectations of a devnet with both times set: what there is time for has to be seen.
func (o devnetOptions) expected(killed bool, killedAt time.Duration, leaderKilled bool) []string {
	out := []string{evReady, evAcquired, seenVerified, seenProof, seenWhole}
	if o.validators > 1 {
		out = append(out, evPeer)
	}
	fits := func(d time.Duration) bool { return o.forTime == 0 || d <= o.forTime }
	lease := o.cadence + devnetGrace
	if !killed || killedAt >= o.cadence || o.forTime >= killedAt+lease+devnetLockDelay+slack+o.cadence {
		if fits(o.cadence + slack) {
			out = append(out, evRenewed)
		}
	}
	if killed {
		out = append(out, evMachineKilled)
		takeOver := killedAt + lease + devnetLockDelay + slack
		if fits(takeOver) {
			out = append(out, evExpired, evTakenOver, seenContinued)
		}
		if fits(takeOver + o.cadence) {
			out = append(out, seenRenewedAfter)
		}
	}
	if o.killValidator > 0 && fits(o.killValidator) {
		out = append(out, evValidatorKilled)
		if leaderKilled {
			out = append(out, evView)
		}
		if fits(o.killValidator + validatorDown + slack) {
			out = append(out, seenRestarted)
		}
	}
	return out
}

// renewals is how many have to be seen at least: one for each whole cadence that a holder lives, less one for each holder.
// A run of ten cadences shows at least four whatever happens in it.
func (o devnetOptions) renewals(killed bool, killedAt time.Duration) int {
	if o.forTime == 0 {
		return 0
	}
	whole := func(d time.Duration) int { return max(0, int(d/o.cadence)-1) }
	n := whole(o.forTime)
	if killed {
		n = whole(killedAt) + whole(o.forTime-killedAt-o.cadence-devnetGrace-devnetLockDelay-slack)
	}
	if o.forTime >= 10*o.cadence {
		n = max(n, 4)
	}
	return n
}
