package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Call is a call that may have changed something.
type Call struct {
	ID        string    `json:"id"`
	At        time.Time `json:"at"`
	Caller    string    `json:"caller,omitempty" doc:"The token or certificate. Missing: somebody on the server's machine, while there were no tokens."`
	Namespace string    `json:"namespace"`
	Operation string    `json:"operation" doc:"The operationId of this document." example:"submit-run"`
	Path      string    `json:"path"`
	Subject   string    `json:"subject,omitempty" doc:"What it was about, where the path does not say so."`
	Remote    string    `json:"remote" doc:"The address that it came from."`
	Status    int       `json:"status,omitempty" doc:"Of HTTP. Missing: it was never answered."`
	Run       string    `json:"run,omitempty" doc:"The run that it made, or was answered with."`
}

// Calls are the answer to a question for them.
type Calls struct {
	Calls []Call `json:"calls"`
}

// CallFilter chooses calls. Its zero value chooses the newest.
type CallFilter struct {
	After  string // only those behind the one of this id
	Caller string
	Limit  int // 0: the server's default
}

// Calls lists calls that may have changed something, the oldest first.
func (c *Client) Calls(ctx context.Context, f CallFilter) (Calls, error) {
	query := url.Values{}
	for name, value := range map[string]string{"after": f.After, "caller": f.Caller} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if f.Limit > 0 {
		query.Set("limit", strconv.Itoa(f.Limit))
	}
	return do[Calls](ctx, c, http.MethodGet, "/v1/audit?"+query.Encode(), nil)
}
