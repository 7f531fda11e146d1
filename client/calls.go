package client

import (
	"context"
	"time"

	"github.com/seed06907907/fatty/node/api"
)

func read[R any](ctx context.Context, c *Client, method string, params any) (*R, error) {
	return call[R](ctx, c, callTimeout, method, params)
}

// Holder says who holds a lock, by path, lock CID or machine CID. The answer is the node's word; VerifiedHolder checks it.
func (c *Client) Holder(ctx context.Context, lock string) (*api.Holder, error) {
	return read[api.Holder](ctx, c, "lock.holder", api.HolderParams{Lock: lock})
}

// Get returns a file's content.
func (c *Client) Get(ctx context.Context, path string) (*api.Contents, error) {
	return read[api.Contents](ctx, c, "lock.get", api.PathParams{Path: path})
}

// Stat returns a node's generations.
func (c *Client) Stat(ctx context.Context, path string) (*api.Stat, error) {
	return read[api.Stat](ctx, c, "lock.stat", api.PathParams{Path: path})
}

// List returns a page of a directory behind a cursor.
func (c *Client) List(ctx context.Context, path, cursor string, limit int) (*api.List, error) {
	return read[api.List](ctx, c, "lock.list", api.ListParams{Path: path, Cursor: cursor, Limit: limit})
}

// CheckSequencer says whether a sequencer is still good.
func (c *Client) CheckSequencer(ctx context.Context, sequencer string) (*api.SequencerCheck, error) {
	return read[api.SequencerCheck](ctx, c, "lock.checkSequencer", api.SequencerParams{Sequencer: sequencer})
}

// Machine returns a machine by CID or by its lock's path.
func (c *Client) Machine(ctx context.Context, machine string) (*api.Machine, error) {
	return read[api.Machine](ctx, c, "machine.get", api.MachineParams{Machine: machine})
}

// MachineProof returns the newest proof that a node keeps of a machine.
func (c *Client) MachineProof(ctx context.Context, machine string) (*api.MachineProof, error) {
	return read[api.MachineProof](ctx, c, "machine.proof", api.MachineParams{Machine: machine})
}

// WholeLife returns the proof of a machine's whole life so far. A node may not have its bytes: api.CodeGone.
func (c *Client) WholeLife(ctx context.Context, machine string) (*api.MachineProof, error) {
	return read[api.MachineProof](ctx, c, "machine.wholeLife", api.MachineParams{Machine: machine})
}

// Inbox returns what waits for a machine, at most limit transactions.
func (c *Client) Inbox(ctx context.Context, machine string, limit int) (*api.Inbox, error) {
	return read[api.Inbox](ctx, c, "machine.inbox", api.InboxParams{Machine: machine, Limit: limit})
}

// Find says who provides a program, a machine or a lock.
func (c *Client) Find(ctx context.Context, id string) (*api.Found, error) {
	return read[api.Found](ctx, c, "machine.find", api.FindParams{CID: id})
}

// Account returns one account by its key in hex.
func (c *Client) Account(ctx context.Context, key string) (*api.Accounts, error) {
	return read[api.Accounts](ctx, c, "account.list", api.AccountParams{Key: key})
}

// Accounts returns a page of all accounts.
func (c *Client) Accounts(ctx context.Context, cursor string) (*api.Accounts, error) {
	return read[api.Accounts](ctx, c, "account.list", api.AccountParams{Cursor: cursor})
}

// Head returns the newest executed place in the ledger.
func (c *Client) Head(ctx context.Context) (*api.Head, error) {
	return read[api.Head](ctx, c, "ledger.head", api.None{})
}

// Genesis returns a node's genesis file. It is the node's word: Trust comes from a file of one's own.
func (c *Client) Genesis(ctx context.Context) (*api.Genesis, error) {
	return read[api.Genesis](ctx, c, "ledger.genesis", api.None{})
}

// Validators returns the set in force.
func (c *Client) Validators(ctx context.Context) (*api.Validators, error) {
	return read[api.Validators](ctx, c, "ledger.validators", api.None{})
}

// Cut returns one ordered cut; 0 is the newest.
func (c *Client) Cut(ctx context.Context, sequence uint64) (*api.Cut, error) {
	return read[api.Cut](ctx, c, "ledger.cut", api.SequenceParams{Sequence: sequence})
}

// Certificate returns a state certificate; 0 is the newest.
func (c *Client) Certificate(ctx context.Context, sequence uint64) (*api.Certificate, error) {
	return read[api.Certificate](ctx, c, "ledger.certificate", api.SequenceParams{Sequence: sequence})
}

// Status returns the state of the node that answers.
func (c *Client) Status(ctx context.Context) (*api.Status, error) {
	return read[api.Status](ctx, c, "node.status", api.None{})
}

// Peers returns who the node that answers is connected to.
func (c *Client) Peers(ctx context.Context) (*api.Peers, error) {
	return read[api.Peers](ctx, c, "node.peers", api.None{})
}

// Version returns the build of the node that answers.
func (c *Client) Version(ctx context.Context) (*api.Version, error) {
	return read[api.Version](ctx, c, "node.version", api.None{})
}

// Submit hands in a signed transaction with the attachments that it names, and returns its id.
func (c *Client) Submit(ctx context.Context, tx []byte, attachments ...[]byte) (string, error) {
	out, err := call[api.Submitted](ctx, c, 2*callTimeout, "tx.submit", api.SubmitParams{Transaction: tx, Attachments: attachments})
	if err != nil {
		return "", err
	}
	return out.ID, nil
}

// Wait waits for a transaction's receipt, at most for the given time on one node.
func (c *Client) Wait(ctx context.Context, id string, atMost time.Duration) (*api.Receipt, error) {
	return call[api.Receipt](ctx, c, atMost+callTimeout, "tx.wait", api.WaitParams{ID: id, Seconds: atMost.Seconds()})
}
