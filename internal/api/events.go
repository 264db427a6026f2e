package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Event is something that happened to an image or a host.
type Event struct {
	Seq        int64     `json:"seq" doc:"1, 2, 3 … since the server's start: pass the last one as ?after= to get the rest."`
	At         time.Time `json:"at"`
	Kind       string    `json:"kind" enum:"rollout,progress,copy,host,act,prune,pressure" doc:"What it is about: a rollout's phase, a pull's progress, a copy on a host, a host's contact, what somebody did, a prune pass, or a disk above its high mark."`
	Image      string    `json:"image,omitempty"`
	Tag        string    `json:"tag,omitempty"`
	Host       string    `json:"host,omitempty"`
	Digest     string    `json:"digest,omitempty"`
	State      string    `json:"state" doc:"The phase, the copy's state, the contact, the verb, or why a pass was made; empty for a disk." example:"warming"`
	Detail     string    `json:"detail,omitempty" doc:"Why, or who."`
	Bytes      int64     `json:"bytes,omitempty" doc:"Of a pull: downloaded so far, compressed."`
	Rate       int64     `json:"rate_bytes_per_second,omitempty"`
	LayersDone int       `json:"layers_done,omitempty"`
	Layers     int       `json:"layers,omitempty"`
}

// Events passes the events behind after to fn, and with follow those to come,
// until the connection ends: problem.ServerLost. It returns fn's error as it is.
func (c *Client) Events(ctx context.Context, after int64, follow bool, fn func(Event) error) error {
	query := url.Values{"after": {strconv.FormatInt(after, 10)}, "follow": {strconv.FormatBool(follow)}}
	resp, err := c.send(ctx, request{method: http.MethodGet, path: "/v1/events?" + query.Encode(), want: ndjsonType})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return readLines(ctx, c, resp.Body, decodeJSON, fn)
}
