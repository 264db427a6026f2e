package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Notice is a message that a route of the configuration sends.
type Notice struct {
	ID     string     `json:"id" doc:"In the message, too: one that was sent twice has it twice."`
	Route  string     `json:"route" example:"data-eng"`
	Kinds  []string   `json:"kinds" doc:"Of the events of its trouble so far."`
	Title  string     `json:"title"`
	Events int        `json:"events" doc:"How many events its trouble has had so far."`
	State  string     `json:"state" enum:"waiting,failed,sent,dropped" doc:"waiting: to be sent, perhaps after failures that may pass. failed: refused in a way that does not pass by itself, and tried again each hour. dropped: given up."`
	Tries  int        `json:"tries"`
	Error  string     `json:"error,omitempty" doc:"Why the last try failed, or why it was dropped."`
	MadeAt time.Time  `json:"made_at"`
	DueAt  *time.Time `json:"due_at,omitempty" doc:"When it is to be sent, or tried again."`
	DoneAt *time.Time `json:"done_at,omitempty" doc:"When it was sent or dropped."`
}

// Notices lists messages.
type Notices struct {
	Notices []Notice `json:"notices" doc:"Newest first."`
}

// NoticeTestRequest asks what a route makes of sample events.
type NoticeTestRequest struct {
	Kind string `json:"kind,omitempty" maxLength:"64" doc:"Of this kind. Left out: of all that the route tells, or, to send, of the first of them." example:"run_failed"`
	Send bool   `json:"send,omitempty" doc:"Deliver it, marked as a test."`
}

// NoticeSample is a message that a route would send.
type NoticeSample struct {
	Kind  string `json:"kind" example:"run_failed"`
	Title string `json:"title"`
	Text  string `json:"text"`
	Sent  bool   `json:"sent"`
}

// NoticeSamples is the answer to a NoticeTestRequest.
type NoticeSamples struct {
	Route   string         `json:"route"`
	Samples []NoticeSample `json:"samples"`
}

// Notices gives the newest notices of a route, or of all where it is empty, at
// most limit.
func (c *Client) Notices(ctx context.Context, route string, limit int) (Notices, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if route != "" {
		query.Set("route", route)
	}
	return do[Notices](ctx, c, http.MethodGet, "/v1/notices?"+query.Encode(), nil)
}

// TestNotices asks what a route makes of sample events, or sends one.
func (c *Client) TestNotices(ctx context.Context, route string, t NoticeTestRequest) (NoticeSamples, error) {
	return do[NoticeSamples](ctx, c, http.MethodPost, "/v1/notify-tests/"+segment(route), t)
}
