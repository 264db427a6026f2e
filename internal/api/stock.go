package api

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Stock is what is on a host, with what would become of it.
type Stock struct {
	Host      string       `json:"host"`
	At        time.Time    `json:"at" doc:"When the engine was asked."`
	Disk      *Disk        `json:"disk,omitempty" doc:"Where the engine keeps images; missing where that is not known."`
	HighBytes int64        `json:"high_bytes,omitempty" doc:"The mark of its disk from which images are removed, in bytes used; missing: there is none."`
	LowBytes  int64        `json:"low_bytes,omitempty" doc:"The mark down to which they are removed."`
	Bytes     int64        `json:"bytes" doc:"What all layers take, shared ones once."`
	OursBytes int64        `json:"ours_bytes" doc:"What the layers take of images that Prewarm keeps."`
	Images    []StockImage `json:"images"`
}

// StockImage is one image of a host's stock.
type StockImage struct {
	ID          string           `json:"id" doc:"The engine's. It differs by image store, so it means something on its host only."`
	Pins        []string         `json:"pins" doc:"The digests of it that Prewarm keeps, as repo@sha256:…; none: it is not ours."`
	Tags        []string         `json:"tags" doc:"Its tags as repo:tag, those of Prewarm's own left out."`
	Digests     []string         `json:"digests" doc:"What the engine knows it by, as repo@sha256:…"`
	BuiltAt     *time.Time       `json:"built_at,omitempty" doc:"When it was built, as it says: not when it came to the host."`
	SeenAt      time.Time        `json:"seen_at" doc:"Since when it is known to be there."`
	UsedAt      *time.Time       `json:"used_at,omitempty" doc:"When it was used last; missing where nobody saw that. It counts as used at seen_at then."`
	Bytes       int64            `json:"bytes" doc:"Unpacked size of all its layers."`
	AloneBytes  int64            `json:"alone_bytes" doc:"What its removal alone would free: the rest is shared with other images."`
	AloneExact  bool             `json:"alone_exact" doc:"Whether the engine said so; else it is estimated."`
	LayersExact bool             `json:"layers_exact" doc:"Whether the sizes of its layers are certain, of which verdict.frees_bytes is made; else they are partly guessed."`
	Containers  []StockContainer `json:"containers" doc:"Those made of it, ended and never started ones too."`
	Verdict     PruneVerdict     `json:"verdict" doc:"What the next routine pass does with it."`
}

// StockContainer is a container that is made of an image.
type StockContainer struct {
	ID      string     `json:"id"`
	Name    string     `json:"name,omitempty"`
	Running bool       `json:"running"`
	Ours    bool       `json:"ours" doc:"It is a run's."`
	UsedAt  *time.Time `json:"used_at,omitempty" doc:"When it ran last, by the engine's clock."`
}

// PruneVerdict is what a pass does with an image.
type PruneVerdict struct {
	Goes       bool   `json:"goes"`
	Rule       string `json:"rule" enum:"current,coming,scope,leased,pulling,in_use,protected,last_copy,unknown,unmanaged,stuck,min_age,unused_for,kept,no_need,max_removals,other_image,never_current,dangling,least_recently_used,superseded,orphaned,kept_for_rollback" doc:"The strongest reason."`
	Why        string `json:"why" doc:"The rule in a sentence."`
	FreesBytes int64  `json:"frees_bytes,omitempty" doc:"What the removal frees once those before it are gone."`
	// Drops and Names are what goes of it.
	Drops []string `json:"drops,omitempty" doc:"The digests that Prewarm keeps no more."`
	Names []string `json:"names,omitempty" doc:"The others' names that go. Where some of them stay, the image stays under them, and nothing becomes free."`
}

// Explanation says why an image is on a host and stays or goes, or why it is not
// there.
type Explanation struct {
	Host   string       `json:"host"`
	Image  string       `json:"image" doc:"As it was asked for."`
	Images []StockImage `json:"images" doc:"Those that the question named, where they are on the host."`
	Absent string       `json:"absent,omitempty" doc:"Why it is not there."`
	Log    []Occurrence `json:"log" doc:"What is known to have happened to it, oldest first."`
}

// Occurrence is one thing that happened to an image on a host.
type Occurrence struct {
	At   time.Time `json:"at"`
	What string    `json:"what"`
	Pin  string    `json:"pin,omitempty" doc:"The digest that it was about, where it was about one."`
}

// Stock tells what is on a host now.
func (c *Client) Stock(ctx context.Context, host string) (Stock, error) {
	return do[Stock](ctx, c, http.MethodGet, "/v1/hosts/"+segment(host)+"/images", nil)
}

// Explain says why an image is on a host, or is not. The image is a configured
// name, one with a tag, a ref, a pin, or the engine's id, shortened too.
func (c *Client) Explain(ctx context.Context, host, image string) (Explanation, error) {
	query := url.Values{"host": {host}, "image": {image}}
	return do[Explanation](ctx, c, http.MethodGet, "/v1/explain?"+query.Encode(), nil)
}
