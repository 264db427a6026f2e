package api

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// PruneRequest asks for a pass over hosts.
type PruneRequest struct {
	Hosts     []string `json:"hosts,omitempty" doc:"Only these hosts. Left out: all that can be reached." example:"[\"etl-1\"]"`
	Image     string   `json:"image,omitempty" maxLength:"256" doc:"Only digests of this image of the configuration. Left out: everything." example:"node-jobs"`
	FreeBytes int64    `json:"free_bytes,omitempty" minimum:"0" doc:"How much is to become free on each host, whatever its watermarks say. Left out: what the policy lets go anyway."`
	By        string   `json:"by,omitempty" maxLength:"256" doc:"Who asks, as they say." example:"ada@laptop"`
}

// Pass is one look at a host with what was removed.
type Pass struct {
	ID             string        `json:"id"`
	Host           string        `json:"host"`
	Trigger        string        `json:"trigger" enum:"schedule,pressure,pull,person" doc:"pressure: the disk passed its high mark. pull: a pull needed the space."`
	By             string        `json:"by,omitempty" doc:"Of a person's: who, as they said."`
	DryRun         bool          `json:"dry_run,omitempty" doc:"Nothing was removed; the removals are those that would be made."`
	BegunAt        time.Time     `json:"begun_at"`
	EndedAt        *time.Time    `json:"ended_at,omitempty" doc:"Missing: it has not ended, or was cut short by the end of the server."`
	NeedBytes      int64         `json:"need_bytes,omitempty" doc:"How much was to become free, by the disk's marks, a pull or a person."`
	ShortBytes     int64         `json:"short_bytes,omitempty" doc:"By how much that was missed."`
	Removals       []PassRemoval `json:"removals" doc:"In the order in which the images went."`
	Stays          int           `json:"stays" doc:"How many images stayed."`
	PredictedBytes int64         `json:"predicted_bytes" doc:"What was to become free."`
	FreedBytes     int64         `json:"freed_bytes" doc:"What became free: by the engine's disk where it can be known, else by what the engine lists."`
	Stopped        string        `json:"stopped,omitempty" doc:"Why it ended before its time."`
}

// PassRemoval is what became of one image in a pass.
type PassRemoval struct {
	ID             string   `json:"id" doc:"The engine's."`
	Names          []string `json:"names" doc:"What people know it by: repo@digest of ours, the others' names."`
	Rule           string   `json:"rule" enum:"current,coming,scope,leased,pulling,in_use,protected,last_copy,unknown,unmanaged,stuck,min_age,unused_for,kept,no_need,max_removals,other_image,never_current,dangling,least_recently_used,superseded,orphaned,kept_for_rollback"`
	Why            string   `json:"why" doc:"The rule in a sentence."`
	PredictedBytes int64    `json:"predicted_bytes" doc:"What its removal was to free."`
	Outcome        string   `json:"outcome" enum:"would_go,removed,claimed,in_use,failed,unknown,not_gone,skipped" doc:"would_go: a dry run. unknown: the host did not answer. claimed: somebody came to want it meanwhile. in_use: the engine refused, since something is made of it. not_gone: it is still there, against what was predicted. skipped: the pass was stopped before it."`
	Detail         string   `json:"detail,omitempty" doc:"Why it is still there."`
}

// Passes lists passes.
type Passes struct {
	Passes []Pass `json:"passes"`
}

// Prune makes a pass over hosts now, or says what one would do. It waits for
// the end of the passes.
func (c *Client) Prune(ctx context.Context, r PruneRequest, dryRun bool) (Passes, error) {
	path := "/v1/prune"
	if dryRun {
		path += "?dry_run=true"
	}
	return do[Passes](ctx, c, http.MethodPost, path, r)
}

// Prunes gives the newest passes over a host, or over all where it is empty, at
// most limit.
func (c *Client) Prunes(ctx context.Context, host string, limit int) (Passes, error) {
	query := url.Values{"limit": {strconv.Itoa(limit)}}
	if host != "" {
		query.Set("host", host)
	}
	return do[Passes](ctx, c, http.MethodGet, "/v1/prunes?"+query.Encode(), nil)
}
