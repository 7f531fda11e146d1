package rpc

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/filecoin-project/go-jsonrpc"

	"github.com/seed06907907/fatty/node/api"
)

// The services are what go-jsonrpc registers: a method's name is the namespace, a dot and the Go name with a small first
// letter. A test holds the result to api.Methods.
type (
	lockService    struct{ s *Server }
	machineService struct{ s *Server }
	txService      struct{ s *Server }
	accountService struct{ s *Server }
	ledgerService  struct{ s *Server }
	nodeService    struct{ s *Server }
	adminService   struct{ s *Server }
)

func (v lockService) Holder(ctx context.Context, p jsonrpc.RawParams) (*api.Holder, error) {
	return call(ctx, v.s, "lock.holder", p, v.s.backend.Holder)
}

func (v lockService) Get(ctx context.Context, p jsonrpc.RawParams) (*api.Contents, error) {
	return call(ctx, v.s, "lock.get", p, v.s.backend.Get)
}

func (v lockService) List(ctx context.Context, p jsonrpc.RawParams) (*api.List, error) {
	return call(ctx, v.s, "lock.list", p, v.s.backend.List)
}

func (v lockService) Stat(ctx context.Context, p jsonrpc.RawParams) (*api.Stat, error) {
	return call(ctx, v.s, "lock.stat", p, v.s.backend.Stat)
}

func (v lockService) Watch(ctx context.Context, p jsonrpc.RawParams) (*api.Subscription, error) {
	return call(ctx, v.s, "lock.watch", p, v.s.watch)
}

func (v lockService) CheckSequencer(ctx context.Context, p jsonrpc.RawParams) (*api.SequencerCheck, error) {
	return call(ctx, v.s, "lock.checkSequencer", p, v.s.backend.CheckSequencer)
}

func (v machineService) Get(ctx context.Context, p jsonrpc.RawParams) (*api.Machine, error) {
	return call(ctx, v.s, "machine.get", p, v.s.backend.Machine)
}

func (v machineService) Proof(ctx context.Context, p jsonrpc.RawParams) (*api.MachineProof, error) {
	return call(ctx, v.s, "machine.proof", p, v.s.backend.MachineProof)
}

func (v machineService) WholeLife(ctx context.Context, p jsonrpc.RawParams) (*api.MachineProof, error) {
	return call(ctx, v.s, "machine.wholeLife", p, v.s.backend.WholeLife)
}

func (v machineService) Inbox(ctx context.Context, p jsonrpc.RawParams) (*api.Inbox, error) {
	return call(ctx, v.s, "machine.inbox", p, v.s.backend.Inbox)
}

func (v machineService) Find(ctx context.Context, p jsonrpc.RawParams) (*api.Found, error) {
	return call(ctx, v.s, "machine.find", p, v.s.backend.Find)
}

func (v txService) Submit(ctx context.Context, p jsonrpc.RawParams) (*api.Submitted, error) {
	return call(ctx, v.s, "tx.submit", p, v.s.backend.Submit)
}

func (v txService) Wait(ctx context.Context, p jsonrpc.RawParams) (*api.Receipt, error) {
	return call(ctx, v.s, "tx.wait", p, v.s.wait)
}

func (v txService) DryRun(ctx context.Context, p jsonrpc.RawParams) (*api.Receipt, error) {
	return call(ctx, v.s, "tx.dryRun", p, v.s.backend.DryRun)
}

func (v accountService) List(ctx context.Context, p jsonrpc.RawParams) (*api.Accounts, error) {
	return call(ctx, v.s, "account.list", p, v.s.backend.Accounts)
}

func (v ledgerService) Head(ctx context.Context, p jsonrpc.RawParams) (*api.Head, error) {
	return call(ctx, v.s, "ledger.head", p, v.s.backend.Head)
}

func (v ledgerService) Cut(ctx context.Context, p jsonrpc.RawParams) (*api.Cut, error) {
	return call(ctx, v.s, "ledger.cut", p, v.s.backend.Cut)
}

func (v ledgerService) Block(ctx context.Context, p jsonrpc.RawParams) (*api.Block, error) {
	return call(ctx, v.s, "ledger.block", p, v.s.backend.Block)
}

func (v ledgerService) Certificate(ctx context.Context, p jsonrpc.RawParams) (*api.Certificate, error) {
	return call(ctx, v.s, "ledger.certificate", p, v.s.backend.Certificate)
}

func (v ledgerService) Validators(ctx context.Context, p jsonrpc.RawParams) (*api.Validators, error) {
	return call(ctx, v.s, "ledger.validators", p, v.s.backend.Validators)
}

func (v ledgerService) Genesis(ctx context.Context, p jsonrpc.RawParams) (*api.Genesis, error) {
	return call(ctx, v.s, "ledger.genesis", p, v.s.backend.Genesis)
}

func (v nodeService) Status(ctx context.Context, p jsonrpc.RawParams) (*api.Status, error) {
	return call(ctx, v.s, "node.status", p, v.s.backend.Status)
}

func (v nodeService) Peers(ctx context.Context, p jsonrpc.RawParams) (*api.Peers, error) {
	return call(ctx, v.s, "node.peers", p, v.s.backend.Peers)
}

func (v nodeService) Version(ctx context.Context, p jsonrpc.RawParams) (*api.Version, error) {
	return call(ctx, v.s, "node.version", p, v.s.backend.Version)
}

func (v adminService) ReadOnly(ctx context.Context, p jsonrpc.RawParams) (*api.Done, error) {
	return call(ctx, v.s, "admin.readOnly", p, v.s.backend.ReadOnly)
}

func (v adminService) LogLevel(ctx context.Context, p jsonrpc.RawParams) (*api.Done, error) {
	return call(ctx, v.s, "admin.logLevel", p, v.s.backend.LogLevel)
}

// services are the namespaces.
func (s *Server) services() map[string]any {
	return map[string]any{"lock": lockService{s}, "machine": machineService{s}, "tx": txService{s}, "account": accountService{s},
		"ledger": ledgerService{s}, "node": nodeService{s}, "admin": adminService{s}}
}

// request is what the HTTP side knows of a caller.
type request struct {
	token  bool    // the bearer token was right
	local  bool    // from loopback
	slot   *slot   // of the calls worked on at once
	socket *socket // nil over plain HTTP
	// watches are subscriptions that start when the answer that names them is written. The calls of one request run one
	// after another, so it needs no lock.
	watches []func()
}

type requestKey struct{}

func requestOf(ctx context.Context) *request {
	r, _ := ctx.Value(requestKey{}).(*request)
	if r == nil {
		r = &request{}
	}
	return r
}

// call is around every method: who may, parameters, time, panics, errors with codes, metrics.
func call[P, R any](ctx context.Context, s *Server, name string, raw jsonrpc.RawParams, f func(context.Context, P) (*R, error)) (res *R, err error) {
	start := time.Now()
	defer func() {
		if p := recover(); p != nil {
			s.opt.Logger.Error("a call panicked: please report this", "method", name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			res, err = nil, api.Errorf(api.CodeInternal, "the node failed in %s: its log says more", name)
		}
		s.metrics.call(name, api.CodeOf(err), time.Since(start))
	}()
	if err := s.allowed(requestOf(ctx), name); err != nil {
		return nil, err
	}
	p, err := api.DecodeParams[P](raw)
	if err != nil {
		return nil, err
	}
	res, err = f(ctx, p)
	if err != nil {
		return nil, s.explain(name, err)
	}
	return res, nil
}

// allowed checks the token where one is needed.
func (s *Server) allowed(r *request, name string) error {
	admin := strings.HasPrefix(name, "admin.")
	switch {
	case admin && !r.token:
		return api.Errorf(api.CodeToken, "%s needs the bearer token of the node's home (file token)", name)
	case admin && !r.local && !s.opt.RemoteAdmin:
		return api.Errorf(api.CodeToken, "%s is taken from this host only: set rpc.allow_remote_admin to change that", name)
	case s.opt.ReadToken && !r.token:
		return api.Errorf(api.CodeToken, "this node answers only with its bearer token (rpc.read_token)")
	}
	return nil
}

// explain makes an *api.Error of any error.
func (s *Server) explain(name string, err error) error {
	var e *api.Error
	switch {
	case errors.As(err, &e):
		if e.Message != err.Error() { // keep what was wrapped around it
			e = &api.Error{Code: e.Code, Message: err.Error(), Data: e.Data}
		}
		return e
	case errors.Is(err, context.DeadlineExceeded):
		return api.Errorf(api.CodeTimeout, "%s took longer than this node allows: try again, or another node", name)
	case errors.Is(err, context.Canceled):
		return api.Errorf(api.CodeTimeout, "%s was given up: the caller or the node is going away", name)
	}
	s.opt.Logger.Error("a call failed", "method", name, "error", err)
	return api.Errorf(api.CodeInternal, "the node failed in %s: %v", name, err)
}

// maxWait bounds tx.wait.
const maxWait = 60 * time.Second

// wait gives up its place among the calls worked on at once: it only sits there.
func (s *Server) wait(ctx context.Context, p api.WaitParams) (*api.Receipt, error) {
	if p.Seconds == 0 {
		p.Seconds = 30
	}
	if !(p.Seconds > 0 && p.Seconds <= maxWait.Seconds()) {
		return nil, api.Errorf(api.CodeParams, "seconds %v: want above 0, at most %v", p.Seconds, maxWait.Seconds())
	}
	if !s.waiters.take() {
		return nil, api.Errorf(api.CodeBusy, "too many callers wait on this node: try again, or another node")
	}
	defer s.waiters.give()
	requestOf(ctx).slot.release()
	ctx, cancel := context.WithTimeout(ctx, time.Duration(p.Seconds*float64(time.Second)))
	defer cancel()
	r, err := s.backend.Wait(ctx, p)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, api.Errorf(api.CodeTimeout, "transaction %s has no receipt after %v s: wait again, or hand it to another node", p.ID, p.Seconds)
	}
	return r, err
}

// watch subscribes the caller's socket.
func (s *Server) watch(ctx context.Context, p api.WatchParams) (*api.Subscription, error) {
	r := requestOf(ctx)
	if r.socket == nil {
		return nil, api.Errorf(api.CodeWebSocket, "lock.watch needs a WebSocket: dial the same address with ws://")
	}
	return r.socket.subscribe(r, p)
}
