package lockspace

import (
	"fmt"
	"slices"

	"github.com/seed06907907/fatty/internal/wire"
)

// Quota bounds what an account uses.
type Quota struct {
	State  uint64   `cbor:"state"`  // bytes of state
	Inbox  uint64   `cbor:"inbox"`  // transactions that wait in inboxes
	Proofs uint64   `cbor:"proofs"` // proofs that may be sent at once
	Refill Duration `cbor:"refill"` // time in which one more is allowed
}

// DefaultQuota is enough for a person with a few machines. A renewal carries two proofs, from the second on.
func DefaultQuota() Quota {
	return Quota{State: 64 << 20, Inbox: 1024, Proofs: 64, Refill: Second}
}

// maxRefill and maxProofs keep the allowance's arithmetic far from overflow.
const (
	maxRefill = 3600 * Second
	maxProofs = 1 << 16
)

// Validate refuses a quota that execution could not count with.
func (q Quota) Validate() error {
	switch {
	case q.Refill <= 0 || q.Refill > maxRefill:
		return refuse(CodeInvalid, "quota: refill of %d ns: want above 0 and at most an hour", q.Refill)
	case q.Proofs > maxProofs:
		return refuse(CodeInvalid, "quota: %d proofs at once: at most %d", q.Proofs, maxProofs)
	case q.State > 1<<50 || q.Inbox > 1<<32:
		return refuse(CodeInvalid, "quota: state above 2^50 bytes or inbox above 2^32")
	}
	return nil
}

// Rules are fixed in genesis for the whole ledger.
type Rules struct {
	ProofVersions []uint64 `cbor:"proofVersions"` // accepted versions of the proof format
	MinCadence    Duration `cbor:"minCadence"`    // a lock's terms lie between these
	MaxCadence    Duration `cbor:"maxCadence"`
	MaxGrace      Duration `cbor:"maxGrace"`
	MaxLockDelay  Duration `cbor:"maxLockDelay"`
	Cadence       Duration `cbor:"cadence"` // of plain locks, whose keep-alives are signatures
	Grace         Duration `cbor:"grace"`
	LockDelay     Duration `cbor:"lockDelay"`
	BadProof      uint64   `cbor:"badProof"`    // what a bad proof takes of the allowance beside the one
	EventWindow   uint64   `cbor:"eventWindow"` // events kept for those who resume
}

// DefaultRules are Chubby's lease times (12 s and 45 s), and what else goes well with them.
func DefaultRules() Rules {
	return Rules{
		ProofVersions: []uint64{2},
		MinCadence:    Second,
		MaxCadence:    600 * Second,
		MaxGrace:      3600 * Second,
		MaxLockDelay:  3600 * Second,
		Cadence:       12 * Second,
		Grace:         45 * Second,
		LockDelay:     2 * Second,
		BadProof:      8,
		EventWindow:   1 << 16,
	}
}

// Validate refuses rules that contradict each other.
func (r Rules) Validate() error {
	const day = 24 * 3600 * Second
	switch {
	case len(r.ProofVersions) == 0 || len(r.ProofVersions) > 16 || !slices.IsSorted(r.ProofVersions):
		return fmt.Errorf("rules: proofVersions %v: want 1 to 16 versions in ascending order", r.ProofVersions)
	case r.MinCadence <= 0 || r.MaxCadence < r.MinCadence || r.MaxCadence > day:
		return fmt.Errorf("rules: minCadence and maxCadence: want 0 < min <= max <= a day")
	case r.MaxGrace <= OutageAfter || r.MaxGrace > day || r.Grace <= OutageAfter || r.Grace > r.MaxGrace:
		return fmt.Errorf("rules: grace and maxGrace: want 5 s < grace <= max <= a day, so that a silent ledger ends no lease")
	case r.Cadence < r.MinCadence || r.Cadence > r.MaxCadence:
		return fmt.Errorf("rules: cadence: want it between minCadence and maxCadence")
	case r.LockDelay < 0 || r.LockDelay > r.MaxLockDelay || r.MaxLockDelay > day:
		return fmt.Errorf("rules: lockDelay: want 0 <= lockDelay <= maxLockDelay <= a day")
	case r.BadProof > maxProofs || r.EventWindow == 0 || r.EventWindow > 1<<24:
		return fmt.Errorf("rules: want badProof at most %d, eventWindow from 1 to 2^24", maxProofs)
	}
	return nil
}

// GenesisAccount is an account that exists from the start.
type GenesisAccount struct {
	ID    AccountID
	Name  string
	Grant bool
	Quota Quota
}

// Genesis is what a lock space starts from.
type Genesis struct {
	Chain    string
	Time     Time
	Rules    Rules
	Accounts []GenesisAccount // in any order, none twice
}

// Validate refuses a genesis that no ledger can start from.
func (g Genesis) Validate() error {
	if g.Chain == "" || len(g.Chain) > MaxChain {
		return fmt.Errorf("genesis: chain id of %d bytes: want 1 to %d", len(g.Chain), MaxChain)
	}
	if g.Time < 0 {
		return fmt.Errorf("genesis: time %d: want nanoseconds since the Unix epoch", g.Time)
	}
	seen := make(map[AccountID]bool)
	for _, a := range g.Accounts {
		if seen[a.ID] {
			return fmt.Errorf("genesis: account %s stands twice", a.ID)
		}
		seen[a.ID] = true
		if len(a.Name) > MaxAccountName {
			return fmt.Errorf("genesis: account %s: a name of %d bytes, at most %d", a.ID, len(a.Name), MaxAccountName)
		}
		if err := a.Quota.Validate(); err != nil {
			return fmt.Errorf("genesis: account %s: %w", a.ID, err)
		}
	}
	return g.Rules.Validate()
}

// InputKind says how a machine's program digests its inputs.
type InputKind string

// The input kinds.
const (
	InputNone     InputKind = "none"     // the machine ticks by itself; the digest is 0
	InputFelt     InputKind = "felt"     // transactions of one felt; a run takes one, and the digest is that felt
	InputPoseidon InputKind = "poseidon" // a run takes any number; the digest is poseidon_hash_many of all their felts
)

// Succession says where a new life starts.
type Succession string

// The two successions.
const (
	Restart Succession = "restart" // from (0, start)
	Resume  Succession = "resume"  // from the last proven (t, S)
)

// Terms are what a machine lock demands of its holder.
type Terms struct {
	Transaction uint64     `cbor:"transaction"`    // felts in one transaction; 0: the machine ticks by itself
	Idle        []Felt     `cbor:"idle,omitempty"` // the transaction it takes when its inbox is empty
	Inputs      InputKind  `cbor:"inputs"`
	Succession  Succession `cbor:"succession"`
	Opening     string     `cbor:"opening,omitempty"` // how a successor comes by the state of which S is the felt; empty: not
	Cadence     Duration   `cbor:"cadence"`
	Grace       Duration   `cbor:"grace"`
	LockDelay   Duration   `cbor:"lockDelay"`
	// Senders and Acquirers are who may send and acquire, ascending; empty means every account.
	Senders   []AccountID `cbor:"senders,omitempty"`
	Acquirers []AccountID `cbor:"acquirers,omitempty"`
	InboxMax  uint64      `cbor:"inboxMax,omitempty"` // transactions that may wait
	Window    uint64      `cbor:"window,omitempty"`   // how many of them carry a deadline
}

// The openings.
const (
	OpeningSelf     = "self"     // a machine's state felt is the state
	OpeningPoseidon = "poseidon" // it is poseidon_hash_many of the state, which each proof brings as the file's content
)

// DefaultTerms are a machine that ticks by itself, with the ledger's lease times.
func DefaultTerms(r Rules) Terms {
	return Terms{Inputs: InputNone, Succession: Restart, Cadence: r.Cadence, Grace: r.Grace, LockDelay: r.LockDelay}
}

// FeltTerms are DefaultTerms for a machine that takes one felt a run, and idle when nothing waits.
func FeltTerms(r Rules, idle Felt) Terms {
	t := DefaultTerms(r)
	t.Inputs, t.Transaction, t.Idle = InputFelt, 1, []Felt{idle}
	t.InboxMax, t.Window = MaxInboxBound, 1
	return t
}

// Validate refuses terms that the rules do not allow or that contradict each other.
func (t Terms) Validate(r Rules) error {
	switch t.Inputs {
	case InputNone:
		if t.Transaction != 0 || len(t.Idle) != 0 || t.InboxMax != 0 || t.Window != 0 {
			return refuse(CodeInvalid, "terms: a machine with inputs = none has no transactions, idle, inboxMax or window")
		}
	case InputFelt, InputPoseidon:
		if t.Inputs == InputFelt && t.Transaction != 1 {
			return refuse(CodeInvalid, "terms: inputs = felt needs transaction = 1")
		}
		if t.Transaction == 0 || t.Transaction > MaxTransactionFelts || uint64(len(t.Idle)) != t.Transaction || !valid(t.Idle) {
			return refuse(CodeInvalid, "terms: want transaction from 1 to %d felts and an idle transaction of as many", MaxTransactionFelts)
		}
		if t.InboxMax == 0 || t.InboxMax > MaxInboxBound || t.Window == 0 || t.Window > MaxWindow {
			return refuse(CodeInvalid, "terms: want inboxMax from 1 to %d and window from 1 to %d", MaxInboxBound, MaxWindow)
		}
	default:
		return refuse(CodeInvalid, "terms: inputs %.20q: want none, felt or poseidon", t.Inputs)
	}
	switch {
	case t.Succession != Restart && t.Succession != Resume:
		return refuse(CodeInvalid, "terms: succession %.20q: want restart or resume", t.Succession)
	case t.Opening != "" && t.Opening != OpeningSelf && t.Opening != OpeningPoseidon:
		return refuse(CodeInvalid, "terms: opening %.20q: want self, poseidon or nothing", t.Opening)
	case t.Succession == Resume && t.Opening == "":
		return refuse(CodeInvalid, "terms: succession = resume needs opening = self or poseidon, or a successor could lack the state")
	case t.Cadence < r.MinCadence || t.Cadence > r.MaxCadence:
		return refuse(CodeInvalid, "terms: cadence of %d ns: want %d to %d", t.Cadence, r.MinCadence, r.MaxCadence)
	case t.Grace <= OutageAfter || t.Grace > r.MaxGrace:
		return refuse(CodeInvalid, "terms: grace of %d ns: want above %d, at most %d", t.Grace, OutageAfter, r.MaxGrace)
	case t.LockDelay < 0 || t.LockDelay > r.MaxLockDelay:
		return refuse(CodeInvalid, "terms: lock-delay of %d ns: want 0 to %d", t.LockDelay, r.MaxLockDelay)
	}
	for _, list := range [][]AccountID{t.Senders, t.Acquirers} {
		if len(list) > MaxMembers {
			return refuse(CodeInvalid, "terms: a list of %d accounts: at most %d", len(list), MaxMembers)
		}
		for i := 1; i < len(list); i++ {
			if string(list[i-1][:]) >= string(list[i][:]) {
				return refuse(CodeInvalid, "terms: senders and acquirers must be in ascending order, none twice")
			}
		}
	}
	return nil
}

func allowed(list []AccountID, who AccountID) bool {
	return len(list) == 0 || slices.Contains(list, who)
}

// ruleBlock is the block that Root.Rules links to.
func (r Rules) block() ([]byte, wire.CID, error) {
	b, err := wire.Marshal(r)
	return b, wire.Sum(b), err
}
