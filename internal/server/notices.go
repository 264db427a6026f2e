package server

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

// Notices is what the API needs of who tells people.
type Notices interface {
	// Notices gives the newest of a route, or of all where it is empty, newest
	// first.
	Notices(ctx context.Context, route string, limit int) ([]Notice, error)
	// TryRoute gives what a route makes of samples of a kind, or of all its kinds
	// where it is empty. With send one of them is delivered.
	TryRoute(ctx context.Context, route, kind string, send bool) ([]NoticeSample, error)
}

// Notice is a message to people.
type Notice struct {
	ID, Route, Title string
	Kinds            []string
	Events           int
	State            string
	Tries            int
	Error            string
	Made, Due, Done  time.Time
}

// NoticeSample is what a route makes of a sample.
type NoticeSample struct {
	Kind, Title, Text string
	Sent              bool
}

// noNotices is where nobody is told.
type noNotices struct{}

func (noNotices) Notices(context.Context, string, int) ([]Notice, error) { return nil, nil }

func (noNotices) TryRoute(_ context.Context, route, _ string, _ bool) ([]NoticeSample, error) {
	return nil, problem.New(problem.RouteNotFound, fmt.Sprintf("no route of notices is called %q", route), "add one to notify in the configuration")
}

func (s *Server) noticeRoutes() {
	handle(s, op(http.MethodGet, "/v1/notices", "list-notices", "List what people were told, or are to be told, newest first"), s.listNotices)
	try := op(http.MethodPost, "/v1/notify-tests/{route}", "test-notices", "Show what a route makes of sample events, or send one")
	handle(s, try, s.tryRoute, problem.RouteNotFound, problem.NoticeFailed)
}

func (s *Server) listNotices(ctx context.Context, in *struct {
	Route string `query:"route" maxLength:"128" doc:"Only those of this route."`
	Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"How many at most."`
},
) (*reply[api.Notices], error) {
	found, err := s.opts.Notices.Notices(ctx, in.Route, in.Limit)
	if err != nil {
		return nil, err
	}
	all := api.Notices{Notices: []api.Notice{}}
	for _, n := range found {
		all.Notices = append(all.Notices, noticeOf(n))
	}
	return &reply[api.Notices]{all}, nil
}

func noticeOf(n Notice) api.Notice {
	told := api.Notice{
		ID: n.ID, Route: n.Route, Kinds: listOf(n.Kinds), Title: n.Title, Events: n.Events, State: n.State, Tries: n.Tries, Error: n.Error,
		MadeAt: n.Made, DoneAt: when(n.Done),
	}
	if n.Done.IsZero() {
		told.DueAt = when(n.Due)
	}
	return told
}

func (s *Server) tryRoute(ctx context.Context, in *struct {
	Route string                 `path:"route" maxLength:"128" doc:"The route, as the configuration names it." example:"data-eng"`
	Body  *api.NoticeTestRequest // nil: no body, which shows all
},
) (*reply[api.NoticeSamples], error) {
	var ask api.NoticeTestRequest
	if in.Body != nil {
		ask = *in.Body
	}
	found, err := s.opts.Notices.TryRoute(ctx, in.Route, ask.Kind, ask.Send)
	if err != nil {
		return nil, err
	}
	all := api.NoticeSamples{Route: in.Route, Samples: []api.NoticeSample{}}
	for _, f := range found {
		all.Samples = append(all.Samples, api.NoticeSample(f))
	}
	return &reply[api.NoticeSamples]{all}, nil
}
