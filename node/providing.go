package node

import (
	"context"
	"log/slog"
	"time"

	"github.com/seed06907907/fatty/internal/wire"
	"github.com/seed06907907/fatty/lockspace"
	"github.com/seed06907907/fatty/p2p"
)

const (
	// maxProvided bounds the locks whose ids a node announces in the DHT; further ones are found by JSON-RPC alone.
	maxProvided = 1000
	// provideQueue bounds the changes that wait to be announced; what does not fit is caught at the next restart.
	provideQueue = 1024
	// provideTimeout bounds one announcement: a record that nobody takes is tried again by the host at half its validity.
	provideTimeout = 20 * time.Second
)

// providing announces in the DHT the ids of held machine locks, of their machines and programs: hints for those who look
// for a machine by content.
type providing struct {
	host *p2p.Host
	app  *application
	log  *slog.Logger
	jobs chan provideJob
	held map[string][]wire.CID // by path; of run alone
	uses map[wire.CID]int
}

type provideJob struct {
	path string
	held bool
}

func newProviding(h *p2p.Host, a *application, log *slog.Logger) *providing {
	return &providing{host: h, app: a, log: log, jobs: make(chan provideJob, provideQueue), held: map[string][]wire.CID{}, uses: map[wire.CID]int{}}
}

// events takes what a cut brought; it never blocks.
func (p *providing) events(list []lockspace.Event) {
	for _, e := range list {
		j := provideJob{e.Path, e.Kind == lockspace.EventAcquired}
		if !j.held && e.Kind != lockspace.EventLost && e.Kind != lockspace.EventFree {
			continue
		}
		select {
		case p.jobs <- j:
		default:
			return
		}
	}
}

func (p *providing) run(ctx context.Context) {
	p.walk(ctx, "/")
	for {
		select {
		case j := <-p.jobs:
			if j.held {
				p.add(ctx, j.path)
			} else {
				p.remove(j.path)
			}
		case <-ctx.Done():
			return
		}
	}
}

// walk announces what is held when the node starts.
func (p *providing) walk(ctx context.Context, dir string) {
	s := p.app.State()
	after := ""
	for ctx.Err() == nil && len(p.held) < maxProvided {
		list, err := s.List(dir, after, lockspace.MaxList)
		if err != nil {
			p.log.Warn("list for announcements", "path", dir, "error", err)
			return
		}
		for _, e := range list {
			path := dir + "/" + e.Name
			if dir == "/" {
				path = "/" + e.Name
			}
			if e.Directory {
				p.walk(ctx, path)
			} else if e.Machine {
				p.add(ctx, path)
			}
			after = e.Name
		}
		if len(list) < lockspace.MaxList {
			return
		}
	}
}

func (p *providing) add(ctx context.Context, path string) {
	h, err := p.app.State().Holder(path)
	if err != nil || h.State != lockspace.Held || h.Machine == nil || p.held[path] != nil || len(p.held) >= maxProvided {
		return
	}
	ids := []wire.CID{h.Lock, h.Machine.ID, h.Machine.Program}
	p.held[path] = ids
	for _, id := range ids {
		if p.uses[id]++; p.uses[id] > 1 {
			continue
		}
		c, cancel := context.WithTimeout(ctx, provideTimeout)
		if err := p.host.Provide(c, id); err != nil && ctx.Err() == nil {
			p.log.Debug("announce", "id", id, "error", err)
		}
		cancel()
	}
}

func (p *providing) remove(path string) {
	for _, id := range p.held[path] {
		if p.uses[id]--; p.uses[id] == 0 {
			delete(p.uses, id)
			p.host.Unprovide(id)
		}
	}
	delete(p.held, path)
}
