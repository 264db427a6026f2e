package api

import (
	"context"
	"net/http"
	"time"
)

// Configuration tells of the configuration in force, and of attempts to change
// it.
type Configuration struct {
	Since     time.Time  `json:"since" doc:"When the one in force took effect."`
	Reloads   int        `json:"reloads" doc:"How many changes took effect since the server's start."`
	Refused   int        `json:"refused" doc:"How many were refused since then."`
	RefusedAt *time.Time `json:"refused_at,omitempty" doc:"When what the files say now was refused. Missing where it is in force."`
	Error     string     `json:"error,omitempty" doc:"Why it was refused."`
}

// Configuration asks for the state of the server's configuration.
func (c *Client) Configuration(ctx context.Context) (Configuration, error) {
	return do[Configuration](ctx, c, http.MethodGet, "/v1/configuration", nil)
}
