package server

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/google/uuid"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/api"
)

// Audit keeps the calls that may have changed something.
type Audit interface {
	// BeginCall returns once the call is on disk.
	BeginCall(ctx context.Context, e access.Entry) error
	EndCalls(ctx context.Context, calls []access.Entry) error
	// Calls gives the oldest first.
	Calls(ctx context.Context, f access.EntryFilter) ([]access.Entry, error)
}

type entryKey struct{}

// about notes what a call is about, where its path does not say so.
func about(ctx context.Context, subject string) {
	if e, ok := ctx.Value(entryKey{}).(*access.Entry); ok {
		e.Subject = subject
	}
}

// record carries a call out between two notes: whoever kills the server in the
// middle of it leaves the first.
func (s *Server) record(hc huma.Context, operation string, next func(huma.Context)) {
	if s.opts.Audit == nil {
		next(hc)
		return
	}
	r, w := humago.Unwrap(hc)
	e, err := entryOf(r, operation)
	if err == nil {
		err = s.opts.Audit.BeginCall(r.Context(), e)
	}
	if err != nil {
		s.opts.Logger.Error("call refused: it can't be written down", "operation", operation, "error", err)
		failure(err).write(w)
		return
	}
	inner := huma.WithValue(hc, entryKey{}, &e)
	ended := false // a stream that is broken off panics
	defer func() {
		e.Status = inner.Status()
		if e.Status == 0 && ended {
			e.Status = http.StatusOK // a stream says so by its first byte
		}
		if run, ok := strings.CutPrefix(w.Header().Get("Location"), "/v1/runs/"); ok {
			e.Run = run
		}
		s.endings.add(s, e)
	}()
	next(inner)
	ended = true
}

// endings write down how calls were answered, all that wait at once: a caller waits
// for one write to the disk, not for two.
type endings struct {
	mu      sync.Mutex
	waiting []access.Entry
	writing bool
	started sync.WaitGroup
}

func (n *endings) add(s *Server, e access.Entry) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.waiting = append(n.waiting, e)
	if !n.writing {
		n.writing = true
		n.started.Go(func() { n.write(s) })
	}
}

func (n *endings) write(s *Server) {
	for {
		n.mu.Lock()
		calls := n.waiting
		n.waiting, n.writing = nil, len(calls) > 0
		n.mu.Unlock()
		if len(calls) == 0 {
			return
		}
		if err := s.opts.Audit.EndCalls(context.Background(), calls); err != nil {
			s.opts.Logger.Error("how calls were answered was not written down", "calls", len(calls), "error", err)
		}
	}
}

// longestPath bounds what is kept of a path, in bytes.
const longestPath = 512

func entryOf(r *http.Request, operation string) (access.Entry, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return access.Entry{}, fmt.Errorf("make the id of a call: %w", err)
	}
	c := callerOf(r.Context())
	path := r.URL.EscapedPath()
	return access.Entry{
		ID: id.String(), At: time.Now(), Caller: c.Name, Namespace: c.Namespace, Operation: operation,
		Path: path[:min(len(path), longestPath)], Remote: r.RemoteAddr,
	}, nil
}

func (s *Server) auditRoute() {
	list := op(http.MethodGet, "/v1/audit", "list-calls", "List the calls that may have changed something, the oldest first")
	list.Description = "Without `after` these are the newest ones; with it, those that came next. A call is written down before it is carried out: " +
		"one without a status was never answered. Calls are kept for state.keep of the configuration (90 days), and 100,000 of each caller."
	handle(s, list, s.listCalls)
}

func (s *Server) listCalls(ctx context.Context, in *struct {
	After  string `query:"after" maxLength:"64" doc:"Only calls behind the one of this id."`
	Caller string `query:"caller" maxLength:"63" doc:"Only calls of this caller."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many at most."`
},
) (*reply[api.Calls], error) {
	answer := api.Calls{Calls: []api.Call{}}
	if s.opts.Audit == nil {
		return &reply[api.Calls]{answer}, nil
	}
	all, err := s.opts.Audit.Calls(ctx, access.EntryFilter{After: in.After, Caller: in.Caller, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		answer.Calls = append(answer.Calls, api.Call(e))
	}
	return &reply[api.Calls]{answer}, nil
}
