package server

import (
	"context"
	"net/http"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

// HostName is exported because huma can't fill in embedded structs that aren't.
type HostName struct {
	Name string `path:"name" doc:"The host, as the configuration names it." example:"etl-1"`
}

func (s *Server) hostRoutes() {
	handle(s, op(http.MethodGet, "/v1/hosts", "list-hosts", "List the hosts: reachability, engine, disk, drift, slots"), s.listHosts)
	handle(s, op(http.MethodPost, "/v1/hosts/{name}/drain", "drain-host", "Take a host out of placement; its runs go on, and it is kept warm"),
		s.drains(s.drain), problem.HostNotManaged)
	handle(s, op(http.MethodPost, "/v1/hosts/{name}/undrain", "undrain-host", "Take a host back into placement"),
		s.drains(s.undrain), problem.HostNotManaged)
}

func (s *Server) listHosts(ctx context.Context, _ *struct{}) (*reply[api.Hosts], error) {
	uses, setups := s.opts.Runs.Hosts(), s.setup.Load().Hosts
	answer := api.Hosts{Hosts: []api.Host{}}
	for _, h := range s.opts.Images.Hosts() {
		answer.Hosts = append(answer.Hosts, hidingHost(ctx, hostOf(h, setups[h.Name], uses[h.Name])))
	}
	return &reply[api.Hosts]{answer}, nil
}

func (s *Server) drain(ctx context.Context, host, who string) error {
	return s.opts.Images.Pause(ctx, warmer.Placing, host, who)
}

func (s *Server) undrain(ctx context.Context, host, who string) error {
	return s.opts.Images.Resume(ctx, warmer.Placing, host, who)
}

// DrainInput is exported for huma.
type DrainInput struct {
	HostName
	Body *api.DrainRequest // nil: no body, nobody says who they are
}

// drains makes the handler of a drain or of its end.
func (s *Server) drains(do func(ctx context.Context, host, who string) error) func(context.Context, *DrainInput) (*reply[api.Host], error) {
	return func(ctx context.Context, in *DrainInput) (*reply[api.Host], error) {
		var who string
		if in.Body != nil {
			who = in.Body.By
		}
		if err := do(ctx, in.Name, by(ctx, who)); err != nil {
			return nil, err
		}
		for _, h := range s.opts.Images.Hosts() {
			if h.Name == in.Name {
				return &reply[api.Host]{hostOf(h, s.setup.Load().Hosts[h.Name], s.opts.Runs.Hosts()[h.Name])}, nil
			}
		}
		// It left the configuration, and was drained until now.
		return &reply[api.Host]{hostOf(warmer.HostStatus{Name: in.Name, Contact: warmer.Unknown}, HostSetup{}, runner.HostUse{})}, nil
	}
}
