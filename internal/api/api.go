// Package api is the wire contract of the HTTP API: what requests and answers
// look like, and a client that speaks it. The server and the command line
// share it, so they can't disagree. Nothing here knows the domain.
package api

import "time"

// Problem is an error as the API tells it: RFC 9457 problem details with a
// stable code.
type Problem struct {
	Type       string `json:"type" doc:"Always about:blank; the code tells the kind." example:"about:blank"`
	Title      string `json:"title" doc:"The HTTP status in words." example:"Conflict"`
	Status     int    `json:"status" doc:"The HTTP status." example:"409"`
	Detail     string `json:"detail" doc:"What was tried, on what, and why it failed."`
	Code       string `json:"code" doc:"The kind of failure. Codes are stable; programs branch on them." example:"image_not_warm"`
	Mend       string `json:"mend,omitempty" doc:"What the reader can do about it." example:"wait for it with --wait-warm, or see prewarm status"`
	RetryAfter int    `json:"retry_after_seconds,omitempty" doc:"How long to wait before the same is worth trying again."`
}

// SubmitRun is the body of POST /v1/runs.
type SubmitRun struct {
	Image      string   `json:"image" minLength:"1" maxLength:"512" doc:"A configured image, image:tag, repo:tag that an image tracks, or repo@digest that is current." example:"node-jobs"`
	Command    []string `json:"command,omitempty" doc:"Replaces the image's command." example:"[\"node\",\"dist/import.js\",\"--day\",\"2026-11-22\"]"`
	Entrypoint []string `json:"entrypoint,omitempty" doc:"Replaces the image's entrypoint."`
	Env        []string `json:"env,omitempty" doc:"NAME=value, on top of the image's." example:"[\"NODE_ENV=production\"]"`
	Network    string   `json:"network,omitempty" doc:"bridge, none, or the name of a network on the hosts. Empty: the engine's default."`
	User       string   `json:"user,omitempty" doc:"Name or uid, with :group or :gid."`
	Workdir    string   `json:"workdir,omitempty" doc:"An absolute path in the container."`
	Memory     int64    `json:"memory,omitempty" minimum:"0" doc:"Limit in bytes; 0: none. Engines refuse less than 6 MiB." example:"2147483648"`
	CPUs       float64  `json:"cpus,omitempty" minimum:"0" maximum:"1024" doc:"Limit in CPUs; 0: none." example:"1.5"`
	WaitWarm   Duration `json:"wait_warm,omitempty" doc:"How long the run may wait for its digest to be warm. Left out: it is refused at once when it is not."`
}

// Run is one execution of a task.
type Run struct {
	ID          string     `json:"id"`
	State       string     `json:"state" enum:"queued,starting,running,canceling,succeeded,failed,canceled,interrupted,refused"`
	Ended       bool       `json:"ended" doc:"The state is an outcome and never changes again."`
	Image       string     `json:"image" doc:"The configured image."`
	Asked       string     `json:"asked" doc:"The image as the submit named it."`
	Pin         string     `json:"pin,omitempty" doc:"repo@digest, fixed at submit. Missing only while the image waits for its first promotion."`
	Command     []string   `json:"command,omitempty"`
	Host        string     `json:"host,omitempty"`
	ContainerID string     `json:"container_id,omitempty"`
	ExitCode    *int       `json:"exit_code,omitempty" doc:"The container's; missing where nothing exited."`
	OOMKilled   bool       `json:"oom_killed,omitempty"`
	Reason      string     `json:"reason,omitempty" doc:"The code of an outcome that an exit code does not explain."`
	Detail      string     `json:"detail,omitempty" doc:"The same for a reader."`
	SubmittedAt time.Time  `json:"submitted_at"`
	PlacedAt    *time.Time `json:"placed_at,omitempty"`
	StartedAt   *time.Time `json:"started_at,omitempty"`
	FirstLineAt *time.Time `json:"first_line_at,omitempty"`
	EndedAt     *time.Time `json:"ended_at,omitempty"`
}

// Runs is a list of runs, newest first.
type Runs struct {
	Runs []Run `json:"runs"`
}

// LogLine is one line of a run's log.
type LogLine struct {
	Seq    int64     `json:"seq" doc:"1, 2, 3 … within the run: pass the last one as ?after= to get the rest."`
	Time   time.Time `json:"time" doc:"The engine's own."`
	Stream string    `json:"stream" enum:"stdout,stderr"`
	Text   string    `json:"text" doc:"Without its line feed. Bytes that are not UTF-8 are U+FFFD."`
	Open   bool      `json:"open,omitempty" doc:"No line feed followed."`
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
