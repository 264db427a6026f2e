package server

import (
	"context"
	"net/http"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
)

func (s *Server) stockRoutes() {
	handle(s, op(http.MethodGet, "/v1/hosts/{name}/images", "list-host-images", "List every image on a host: sizes, use, and what the next routine pass does with it"),
		s.hostImages, append(engineCodes, problem.HostNotManaged)...)
	handle(s, op(http.MethodGet, "/v1/explain", "explain", "Say why an image is on a host and stays or goes, or why it is not there"),
		s.explain, append(engineCodes, problem.HostNotManaged, problem.ImageNotManaged)...)
}

func (s *Server) hostImages(ctx context.Context, in *HostName) (*reply[api.Stock], error) {
	stock, err := s.opts.Images.Stock(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	return &reply[api.Stock]{hidingStock(ctx, stockOf(stock))}, nil
}

func (s *Server) explain(ctx context.Context, in *struct {
	Host  string `query:"host" required:"true" minLength:"1" maxLength:"128" doc:"The host, as the configuration names it." example:"etl-1"`
	Image string `query:"image" required:"true" minLength:"1" maxLength:"512" doc:"As the configuration names it, or a ref, repo@sha256:…, or an id of the engine, shortened too."`
},
) (*reply[api.Explanation], error) {
	e, err := s.opts.Images.Explain(ctx, in.Host, in.Image)
	if err != nil {
		return nil, err
	}
	return &reply[api.Explanation]{hidingExplanation(ctx, explanationOf(e, in.Image))}, nil
}
