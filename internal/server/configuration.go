package server

import (
	"context"
	"net/http"
	"time"

	"github.com/prewarm/prewarm/internal/api"
)

// Reloads tell of the configuration in force, and of attempts to change it.
type Reloads struct {
	Since   time.Time // when the one in force took effect
	Taken   int       // how many changes took effect since the start
	Refused int       // how many did not
	// RefusedAt and Err tell of a refusal that stands: what the files say is not
	// in force. Zero and empty where it is.
	RefusedAt time.Time
	Err       string
}

func (s *Server) configurationRoute() {
	handle(s, op(http.MethodGet, "/v1/configuration", "get-configuration", "Tell since when the configuration is in force, and whether a changed one was refused"), s.configuration)
}

func (s *Server) configuration(context.Context, *struct{}) (*reply[api.Configuration], error) {
	r := s.opts.Reloads()
	answer := api.Configuration{Since: r.Since, Reloads: r.Taken, Refused: r.Refused, Error: r.Err}
	if !r.RefusedAt.IsZero() {
		answer.RefusedAt = &r.RefusedAt
	}
	return &reply[api.Configuration]{answer}, nil
}
