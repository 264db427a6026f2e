// Package api is the wire contract of the HTTP API: what requests and answers
// look like, and a client that speaks it. The server and the command line
// share it, so they can't disagree. Nothing here knows the domain.
package api

import "time"

// Problem is an error as the API tells it: RFC 9457 problem details with a
// stable code.
type Problem struct {
	Type       string `json:"type" doc:"Where the code is explained, with what to do about it. It ends with the code." example:"https://github.com/prewarm/prewarm/blob/main/docs/errors.md#image_not_warm"`
	Title      string `json:"title" doc:"What the code means." example:"the digest is warm on no host that could run it"`
	Status     int    `json:"status" doc:"The HTTP status." example:"409"`
	Detail     string `json:"detail" doc:"What was tried, on what, and why it failed."`
	Code       string `json:"code" doc:"The kind of failure. Codes are stable; programs branch on them." example:"image_not_warm"`
	Mend       string `json:"mend,omitempty" doc:"What the reader can do about it." example:"wait for it with --wait-warm, or see prewarm status"`
	RetryAfter int    `json:"retry_after_seconds,omitempty" doc:"How long to wait before the same is worth trying again."`
}

// Progress is how far a pull is.
type Progress struct {
	Bytes      int64 `json:"bytes" doc:"Downloaded so far, compressed."`
	TotalBytes int64 `json:"total_bytes" doc:"What a host with no layer of it downloads."`
	LayersDone int   `json:"layers_done"`
	Layers     int   `json:"layers"`
}

// HostCopy is one digest on one host.
type HostCopy struct {
	Host             string     `json:"host"`
	State            string     `json:"state" enum:"warm,pulling,waiting,failed,gone_upstream,no_platform,unknown,unreachable,duplicate_engine"`
	Reason           string     `json:"reason,omitempty" doc:"Why it is not warm."`
	Platform         string     `json:"platform,omitempty"`
	PlatformDigest   string     `json:"platform_digest,omitempty" doc:"What the host runs: the child of an index, or the digest itself."`
	Progress         *Progress  `json:"progress,omitempty" doc:"While it is pulled."`
	RateBytes        float64    `json:"rate_bytes_per_second,omitempty" doc:"How fast it is pulled, compressed; missing until that is known."`
	RemainingSeconds float64    `json:"remaining_seconds,omitempty" doc:"How long the rest of the download may take at that rate. What the host has already of the image makes it shorter, unpacking longer."`
	Tags             []string   `json:"tags,omitempty" doc:"The tags of the image's repository that mean the copy on the host."`
	Bytes            int64      `json:"bytes,omitempty" doc:"Unpacked size of a warm copy."`
	Attempts         int        `json:"attempts,omitempty" doc:"Failures in a row."`
	NextTry          *time.Time `json:"next_try,omitempty"`
}

// Checked is what a look at one tag found.
type Checked struct {
	Tag    string `json:"tag,omitempty"`
	Digest string `json:"digest"`
	Pin    string `json:"pin"`
	New    bool   `json:"new" doc:"The tag showed another digest before."`
	// Holds are those of Rollout.
	Holds []string `json:"holds,omitempty" enum:"cooldown,approval,rolled_back,verification,verification_failed" doc:"Why the digest is held, and not warmed yet."`
}

// CheckResult is the answer to a check.
type CheckResult struct {
	Image  string    `json:"image"`
	Tracks []Checked `json:"tracks"`
}

// WarmRequest asks for an image to be warmed now.
type WarmRequest struct {
	Hosts []string `json:"hosts,omitempty" doc:"Only these of the image's hosts. Left out: all."`
}

// WarmResult is the answer to a warm request.
type WarmResult struct {
	Image  string `json:"image"`
	Digest string `json:"digest" doc:"What is being made warm: the newest digest seen."`
}

// Health is the answer of the probes.
type Health struct {
	Status  string `json:"status" example:"ok"`
	Version string `json:"version"`
}
