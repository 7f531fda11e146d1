package rpc

import (
	"context"

	"github.com/seed06907907/fatty/node/api"
)

// Backend is what the server serves, one method for each of api.Methods. Errors that are an *api.Error reach the caller
// as they are; any other is reported as internal and logged.
type Backend interface {
	Holder(context.Context, api.HolderParams) (*api.Holder, error)
	Get(context.Context, api.PathParams) (*api.Contents, error)
	List(context.Context, api.ListParams) (*api.List, error)
	Stat(context.Context, api.PathParams) (*api.Stat, error)
	CheckSequencer(context.Context, api.SequencerParams) (*api.SequencerCheck, error)
	// Events returns events under path with numbers from `from` on, at most limit, and the number to go on from. With
	// none at hand it waits for some until the context ends.
	Events(ctx context.Context, path string, from uint64, limit int) ([]api.Event, uint64, error)
	// NextEvent returns the number that the next event will have at least.
	NextEvent() uint64

	Machine(context.Context, api.MachineParams) (*api.Machine, error)
	MachineProof(context.Context, api.MachineParams) (*api.MachineProof, error)
	WholeLife(context.Context, api.MachineParams) (*api.MachineProof, error)
	Inbox(context.Context, api.InboxParams) (*api.Inbox, error)
	Find(context.Context, api.FindParams) (*api.Found, error)

	Submit(context.Context, api.SubmitParams) (*api.Submitted, error)
	Wait(context.Context, api.WaitParams) (*api.Receipt, error)
	DryRun(context.Context, api.SubmitParams) (*api.Receipt, error)
	Accounts(context.Context, api.AccountParams) (*api.Accounts, error)

	Head(context.Context, api.None) (*api.Head, error)
	Cut(context.Context, api.SequenceParams) (*api.Cut, error)
	Block(context.Context, api.BlockParams) (*api.Block, error)
	Certificate(context.Context, api.SequenceParams) (*api.Certificate, error)
	Validators(context.Context, api.None) (*api.Validators, error)
	Genesis(context.Context, api.None) (*api.Genesis, error)

	Status(context.Context, api.None) (*api.Status, error)
	Peers(context.Context, api.None) (*api.Peers, error)
	Version(context.Context, api.None) (*api.Version, error)

	ReadOnly(context.Context, api.ReadOnlyParams) (*api.Done, error)
	LogLevel(context.Context, api.LogLevelParams) (*api.Done, error)
}
