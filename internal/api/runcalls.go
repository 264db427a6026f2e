package api

import (
	"context"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Submit starts a run, or joins one of its key. idempotency makes the call
// repeatable: after problem.ServerLost the same word answers the same run.
// Empty: each call is a new one.
func (c *Client) Submit(ctx context.Context, r SubmitRun, idempotency string) (Submitted, error) {
	q := request{method: http.MethodPost, path: "/v1/runs", want: jsonType, body: r, header: http.Header{}}
	if idempotency != "" {
		q.header.Set(IdempotencyKey, idempotency)
	}
	return receive[Submitted](ctx, c, q)
}

// Run gives a run.
func (c *Client) Run(ctx context.Context, id string) (Run, error) {
	return do[Run](ctx, c, http.MethodGet, "/v1/runs/"+segment(id), nil)
}

// RunFilter chooses runs. Its zero value chooses all.
type RunFilter struct {
	States []string
	Active bool // only those without an outcome
	Image  string
	Host   string
	Key    string
	Scope  string
	// Namespace is another than the caller's own; empty: its own, of an admin all.
	Namespace string
	Limit     int    // how many at most; 0: the server's default
	Before    string // Runs.Next of the page before
}

// Runs lists the newest runs.
func (c *Client) Runs(ctx context.Context) (Runs, error) { return c.RunsBy(ctx, RunFilter{}) }

// RunsBy lists the newest runs that a filter chooses.
func (c *Client) RunsBy(ctx context.Context, f RunFilter) (Runs, error) {
	query := url.Values{"state": f.States}
	for name, value := range map[string]string{"image": f.Image, "host": f.Host, "key": f.Key, "scope": f.Scope, "namespace": f.Namespace, "before": f.Before} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if f.Active {
		query.Set("active", "true")
	}
	if f.Limit > 0 {
		query.Set("limit", strconv.Itoa(f.Limit))
	}
	return do[Runs](ctx, c, http.MethodGet, "/v1/runs?"+query.Encode(), nil)
}

// longestPoll bounds one request of Wait: proxies cut connections that are
// silent for a minute.
const longestPoll = 50 * time.Second

// Wait gives a run once it has ended, or as it is after the timeout. It asks as
// often as it takes.
func (c *Client) Wait(ctx context.Context, id string, timeout time.Duration) (Run, error) {
	begun := time.Now()
	for {
		left := max(timeout-time.Since(begun), 0)
		// The server counts whole seconds: rather a little late than at once.
		seconds := math.Ceil(min(left, longestPoll).Seconds())
		run, err := do[Run](ctx, c, http.MethodGet, "/v1/runs/"+segment(id)+"/wait?timeout="+strconv.Itoa(int(seconds)), nil)
		if err != nil || run.Ended || time.Since(begun) >= timeout {
			return run, err
		}
	}
}

// Cancel asks for a run to be stopped.
func (c *Client) Cancel(ctx context.Context, id string) (Run, error) {
	return do[Run](ctx, c, http.MethodPost, "/v1/runs/"+segment(id)+"/cancel", nil)
}

// Withdraw is Cancel by the caller of one submit, named by its idempotency. Where
// another call has joined the run since, it goes on: problem.JoinedSince.
func (c *Client) Withdraw(ctx context.Context, id, idempotency string) (Run, error) {
	return receive[Run](ctx, c, request{
		method: http.MethodPost, path: "/v1/runs/" + segment(id) + "/cancel", want: jsonType, header: http.Header{IdempotencyKey: {idempotency}},
	})
}

// Reject tells that the caller can't use a run's success: the next submit under
// its key starts anew.
func (c *Client) Reject(ctx context.Context, id string) (Run, error) {
	return do[Run](ctx, c, http.MethodPost, "/v1/runs/"+segment(id)+"/reject", nil)
}

// Release frees the key of a run whose container nobody can know of.
func (c *Client) Release(ctx context.Context, id string) (Run, error) {
	return do[Run](ctx, c, http.MethodPost, "/v1/runs/"+segment(id)+"/release", nil)
}

// Scopes lists the pin scopes.
func (c *Client) Scopes(ctx context.Context) (Scopes, error) {
	return do[Scopes](ctx, c, http.MethodGet, "/v1/scopes", nil)
}

// Scope gives a pin scope.
func (c *Client) Scope(ctx context.Context, name string) (Scope, error) {
	return do[Scope](ctx, c, http.MethodGet, "/v1/scopes/"+segment(name), nil)
}

// EndScope ends a pin scope: its digests are no longer held and its volume is
// removed.
func (c *Client) EndScope(ctx context.Context, name string) (Scope, error) {
	return do[Scope](ctx, c, http.MethodDelete, "/v1/scopes/"+segment(name), nil)
}

// Repin moves an image of a pin scope to its current digest.
func (c *Client) Repin(ctx context.Context, scope, image string) (Repinned, error) {
	return do[Repinned](ctx, c, http.MethodPost, "/v1/scopes/"+segment(scope)+"/repin", RepinRequest{Image: image})
}
