package lockspace

import (
	"errors"
	"fmt"
)

// Code says stably why something was refused; scripts and receipts rely on it.
type Code string

// The codes. The empty code means success.
const (
	CodeMalformed Code = "malformed"       // not a canonical transaction; nothing of it counts
	CodeSignature Code = "bad_signature"   // not signed by its signer
	CodeChain     Code = "wrong_chain"     // made for another ledger
	CodeAccount   Code = "unknown_account" // the signer has no account here
	CodeNonce     Code = "nonce"           // used already, or outside the window
	CodeExpired   Code = "expired"         // its expiry has passed
	CodeInvalid   Code = "invalid"         // a field breaks a rule that does not depend on the state
	CodeNotFound  Code = "not_found"
	CodeExists    Code = "exists"
	CodeConflict  Code = "conflict"   // a generation or instance is not the expected one
	CodeForbidden Code = "forbidden"  // this account may not do that
	CodeHeld      Code = "held"       // someone holds the lock
	CodeDelay     Code = "lock_delay" // the lock stays closed for a while after its holder failed
	CodeNotHolder Code = "not_holder" // the signer does not hold the lock, or no longer
	CodeAnchor    Code = "stale_anchor"
	CodeProof     Code = "bad_proof"
	CodeWhole     Code = "whole_life"     // the span of the machine's whole life is wanted and missing, or not wanted
	CodeBadWhole  Code = "bad_whole_life" // the attached one is not that
	CodeQuota     Code = "quota"
	CodeInboxFull Code = "inbox_full"
)

// Refusal is why a transaction or a read was refused, in a sentence that says what to do.
type Refusal struct {
	Code    Code
	Message string
}

func (r *Refusal) Error() string { return string(r.Code) + ": " + r.Message }

// Is makes errors.Is(err, ErrNotFound) work for every refusal with that code.
func (r *Refusal) Is(target error) bool {
	t, ok := target.(*Refusal)
	return ok && t.Message == "" && t.Code == r.Code
}

// ErrNotFound is what reads return for a name that is not there.
var ErrNotFound error = &Refusal{Code: CodeNotFound}

// ErrEventsGone is returned for a resume from before the event log's window.
var ErrEventsGone = errors.New("these events are no longer kept: read the state anew and watch from its sequence on")

func refuse(code Code, format string, args ...any) error {
	return &Refusal{Code: code, Message: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of a refusal, or "" for another error or none.
func CodeOf(err error) Code {
	var r *Refusal
	if errors.As(err, &r) {
		return r.Code
	}
	return ""
}
