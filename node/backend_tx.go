package node

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"github.com/seed06907907/fatty/bft"
	"github.com/seed06907907/fatty/bft/engine"
	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/node/api"
	"github.com/seed06907907/fatty/node/keyfile"
)

// maxAttachments bounds what comes with one transaction: a proof, and a whole-life span beside it.
const maxAttachments = 2

// attachments names what came by its digest.
func attachments(list [][]byte) (map[bft.Digest][]byte, error) {
	if len(list) > maxAttachments {
		return nil, api.Errorf(api.CodeParams, "%d attachments: at most %d", len(list), maxAttachments)
	}
	out := make(map[bft.Digest][]byte, len(list))
	for _, a := range list {
		if len(a) > lockspace.MaxProof {
			return nil, api.Errorf(api.CodeTooLarge, "an attachment of %d bytes: at most %d", len(a), lockspace.MaxProof)
		}
		out[sha256.Sum256(a)] = a
	}
	return out, nil
}

// Submit implements tx.submit: what is cheap and certain is checked at once, so that the caller learns of it now and the
// ledger is not burdened; then its proofs' check begins, and the transaction goes into a block.
func (b backend) Submit(ctx context.Context, p api.SubmitParams) (*api.Submitted, error) {
	if b.n.readOnly.Load() {
		return nil, api.Errorf(api.CodeReadOnly, "this node is in read-only mode: hand the transaction to another node")
	}
	tx, err := b.n.app.decode(p.Transaction)
	if err != nil {
		return nil, refusal(err)
	}
	done := &api.Submitted{ID: tx.ID.String()}
	if _, err := b.n.store.Receipt(tx.ID); err == nil {
		return done, nil // handed in again: its receipt is there
	}
	files, err := attachments(p.Attachments)
	if err != nil {
		return nil, err
	}
	need, err := b.door(tx)
	if err != nil {
		if _, e := b.n.store.Receipt(tx.ID); e == nil {
			return done, nil // executed meanwhile
		}
		return nil, err
	}
	// Only what passes every cheap check now, the author's allowance among them, is worth an early look.
	if need != nil {
		for _, p := range tx.Attachments() {
			id := bft.Digest(p.ID.Digest())
			if data, ok := files[id]; ok && uint64(len(data)) == p.Length {
				b.n.verdicts.early(id, data) // its verdict will be there when the cut is executed
			}
		}
	}
	switch err := b.n.engine.Submit(ctx, p.Transaction, files); {
	case err == nil:
		return done, nil
	case errors.Is(err, engine.ErrFollower):
		return nil, api.Errorf(api.CodeUnsupported, "this node only follows the ledger: hand the transaction to a validator")
	case errors.Is(err, engine.ErrFull):
		return nil, api.Errorf(api.CodeBusy, "%v", err)
	case errors.Is(err, engine.ErrStopped):
		return nil, api.Errorf(api.CodeNotReady, "%v", err)
	case errors.Is(err, engine.ErrRefused):
		return nil, &api.Error{Code: api.CodeRefused, Message: err.Error(), Data: string(lockspace.CodeOf(err))}
	default:
		return nil, err
	}
}

// door refuses what no later state could make right. This node may be a cut or two behind the one that the caller read
// from, so whatever depends on the state is left to the ledger, whose receipt says it with authority. It returns what the
// verdicts on the transaction's proofs must be where every cheap check passes.
func (b backend) door(tx *lockspace.Signed) (*lockspace.Need, error) {
	need, err := b.n.app.State().Precheck(tx, lockspace.Time(b.n.opt.Now().UnixNano()))
	switch lockspace.CodeOf(err) {
	case lockspace.CodeMalformed, lockspace.CodeSignature, lockspace.CodeChain, lockspace.CodeAccount, lockspace.CodeNonce,
		lockspace.CodeExpired, lockspace.CodeInvalid:
		return nil, refusal(err)
	case "":
		return need, err
	}
	return nil, nil
}

// Wait implements tx.wait; the server bounds its time.
func (b backend) Wait(ctx context.Context, p api.WaitParams) (*api.Receipt, error) {
	id, err := wire.ParseCID(p.ID)
	if err != nil {
		return nil, api.Errorf(api.CodeParams, "%v: want the id that tx.submit gave", err)
	}
	told := b.n.waiters.join(id)
	defer b.n.waiters.leave(id)
	r, err := b.n.store.Receipt(id)
	if errors.Is(err, errNoRecord) {
		select {
		case <-told:
			r, err = b.n.store.Receipt(id)
		case <-b.n.engine.Stopped():
			return nil, api.Errorf(api.CodeNotReady, "this replica has stopped: ask another node")
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if err != nil {
		return nil, err
	}
	return b.receipt(r)
}

func (b backend) receipt(r receiptRecord) (*api.Receipt, error) {
	c, err := b.n.store.Cut(r.Sequence)
	if err != nil {
		return nil, fmt.Errorf("cut %d of a receipt: %w", r.Sequence, err)
	}
	out := apiReceipt(r.Receipt)
	out.Sequence, out.Index, out.Time, out.StateRoot = r.Sequence, int(r.Index), api.FromNano(int64(c.Time)), c.Root.String()
	return out, nil
}

func apiReceipt(r lockspace.Receipt) *api.Receipt {
	out := &api.Receipt{ID: r.ID.String(), OK: r.Code == "", Code: string(r.Code), Message: r.Message, Instance: r.Instance, Generation: r.Generation,
		LeaseEnd: api.FromNano(int64(r.LeaseEnd))}
	if r.Index != nil {
		out.Inbox = *r.Index
	}
	if r.CID != nil {
		out.CID = r.CID.String()
	}
	return out
}

// DryRun implements tx.dryRun: the transaction alone in the next cut, its proofs included.
func (b backend) DryRun(ctx context.Context, p api.SubmitParams) (*api.Receipt, error) {
	tx, err := b.n.app.decode(p.Transaction)
	if err != nil {
		return nil, refusal(err)
	}
	files, err := attachments(p.Attachments)
	if err != nil {
		return nil, err
	}
	s := b.n.app.State()
	now := max(lockspace.Time(b.n.opt.Now().UnixNano()), s.Root().Time+1)
	in := lockspace.Input{Tx: p.Transaction, Signed: tx}
	need, err := s.Precheck(tx, now)
	if err == nil && need != nil {
		var asked []*verdict
		for _, p := range tx.Attachments() {
			id := bft.Digest(p.ID.Digest())
			data, ok := files[id]
			if !ok || uint64(len(data)) != p.Length {
				return nil, api.Errorf(api.CodeParams, "the transaction names proof %s, which did not come with it", p.ID)
			}
			v, err := b.n.verdicts.ask(id, data)
			if err != nil {
				return nil, err
			}
			asked = append(asked, v)
		}
		for i, to := range []**lockspace.Verdict{&in.Verdict, &in.Whole}[:len(asked)] {
			if *to, err = asked[i].wait(ctx); err != nil {
				return nil, err
			}
		}
	} else if err != nil && lockspace.CodeOf(err) == "" {
		return nil, err
	}
	_, res, err := s.Apply(lockspace.Cut{Sequence: s.Sequence() + 1, Time: now, Inputs: []lockspace.Input{in}})
	if err != nil {
		return nil, err
	}
	out := apiReceipt(res.Receipts[0])
	out.Sequence, out.Time, out.StateRoot = s.Sequence()+1, api.FromNano(int64(now)), res.Root.String()
	return out, nil
}

// Accounts implements account.list.
func (b backend) Accounts(_ context.Context, p api.AccountParams) (*api.Accounts, error) {
	s := b.n.app.State()
	out := &api.Accounts{Accounts: []api.Account{}, Sequence: s.Sequence()}
	if p.Key != "" {
		id, err := keyfile.ParsePublic(p.Key)
		if err != nil {
			return nil, api.Errorf(api.CodeParams, "%v", err)
		}
		a, err := s.Account(id)
		if err != nil {
			return nil, refusal(err)
		}
		out.Accounts = append(out.Accounts, account(s, id, a))
		return out, nil
	}
	var after *lockspace.AccountID
	if p.Cursor != "" {
		id, err := keyfile.ParsePublic(p.Cursor)
		if err != nil {
			return nil, api.Errorf(api.CodeParams, "cursor: %v", err)
		}
		after = (*lockspace.AccountID)(&id)
	}
	list, err := s.Accounts(after, defaultPage)
	if err != nil {
		return nil, refusal(err)
	}
	for _, a := range list {
		out.Accounts = append(out.Accounts, account(s, a.ID, a.Account))
	}
	if len(list) == defaultPage {
		out.Cursor = list[len(list)-1].ID.String()
	}
	return out, nil
}

func account(s *lockspace.State, id lockspace.AccountID, a lockspace.Account) api.Account {
	return api.Account{Key: id.String(), Name: a.Name, Grant: a.Grant, Nonce: a.Nonce,
		Quotas: map[string]uint64{"state": a.Quota.State, "inbox": a.Quota.Inbox, "proofs": a.Quota.Proofs, "refill_ms": uint64(time.Duration(a.Quota.Refill).Milliseconds())},
		Used:   map[string]uint64{"state": a.State, "inbox": a.Inbox, "proofs": a.Quota.Proofs - s.Proofs(a)}}
}
