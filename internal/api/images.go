package api

import "time"

// Image is a configured image.
type Image struct {
	Name       string     `json:"name"`
	Repository string     `json:"repository"`
	Tracking   Tracking   `json:"tracking"`
	Policy     Policy     `json:"policy"`
	HeldAt     *time.Time `json:"held_at,omitempty" doc:"When somebody stopped its promotions; missing: nobody did."`
	HeldBy     string     `json:"held_by,omitempty" doc:"Who that was, as they said."`
	Tracks     []Track    `json:"tracks" doc:"The tags that are tracked, in the order of preference: the bare name of the image means the first."`
}

// Images lists the configured images.
type Images struct {
	Images []Image `json:"images"`
}

// Tracking is what of a repository an image follows.
type Tracking struct {
	Mode      string     `json:"mode" enum:"tag,digest,select"`
	Tag       string     `json:"tag,omitempty" doc:"With mode tag."`
	Digest    string     `json:"digest,omitempty" doc:"With mode digest."`
	Select    *Selection `json:"select,omitempty" doc:"With mode select."`
	Chosen    []string   `json:"chosen,omitempty" doc:"The tags that the selection chose last, newest first."`
	ListedAt  *time.Time `json:"listed_at,omitempty" doc:"When the tags of the repository were listed last, for a selection."`
	ListError string     `json:"list_error,omitempty" doc:"Why the last listing failed; what was chosen before stays."`
}

// Selection is how tags are chosen, as the configuration says it.
type Selection struct {
	Include   string `json:"include,omitempty"`
	Exclude   string `json:"exclude,omitempty"`
	Extract   string `json:"extract,omitempty"`
	Order     string `json:"order" enum:"semver,numeric,alpha"`
	Range     string `json:"range,omitempty"`
	Newest    int    `json:"newest"`
	Downgrade bool   `json:"downgrade,omitempty"`
}

// Policy is what a digest has to pass, in short.
type Policy struct {
	PromotePercent   int     `json:"promote_percent" minimum:"0" maximum:"100" doc:"How many of the hosts that count must have a digest before it goes live; 0: one."`
	PromoteWindows   bool    `json:"promote_windows,omitempty" doc:"It goes live at certain times only."`
	PullWindows      bool    `json:"pull_windows,omitempty" doc:"Pulls of new digests begin at certain times only."`
	StragglerSeconds float64 `json:"straggler_seconds" doc:"How long a host that fails is waited for."`
	CooldownSeconds  float64 `json:"cooldown_seconds,omitempty" doc:"How old a sighting must be before it is pulled."`
	Approve          bool    `json:"approve,omitempty" doc:"Somebody has to approve each digest."`
	Verify           bool    `json:"verify,omitempty" doc:"A program has to verify each digest."`
	Retag            bool    `json:"retag,omitempty" doc:"The tag is moved on the hosts, too, once its digest is live."`
	Keep             int     `json:"keep" doc:"How many superseded digests stay warm."`
}

// Track is one tracked tag of an image.
type Track struct {
	Tag             string           `json:"tag,omitempty" doc:"Missing where the image follows a digest."`
	Leaving         bool             `json:"leaving,omitempty" doc:"It is no longer tracked, and its digest stays until others took its place."`
	Current         *Rollout         `json:"current,omitempty" doc:"What runs get; missing until the first promotion."`
	Held            []Rollout        `json:"held" doc:"Not trusted yet, so pulled nowhere, oldest first."`
	Coming          []Rollout        `json:"coming" doc:"On their way, oldest first."`
	SupersededBytes map[string]int64 `json:"superseded_bytes,omitempty" doc:"By host: unpacked size of digests that were current once and still are there."`
	CheckedAt       *time.Time       `json:"checked_at,omitempty"`
	CheckError      string           `json:"check_error,omitempty" doc:"Why the last look at the tag failed."`
}

// Rollout is one digest on its way to being current, or past it.
type Rollout struct {
	ID         string     `json:"id"`
	Tag        string     `json:"tag,omitempty" doc:"Missing where the image follows a digest."`
	Digest     string     `json:"digest"`
	Pin        string     `json:"pin"`
	Phase      string     `json:"phase" enum:"held,warming,current,superseded,overtaken,rejected"`
	Origin     string     `json:"origin" enum:"tag,rollback,approval" doc:"Why it came to be: the tag showed the digest, or somebody went back to it or approved it."`
	SeenAt     time.Time  `json:"seen_at"`
	PromotedAt *time.Time `json:"promoted_at,omitempty"`
	PromotedBy string     `json:"promoted_by,omitempty" doc:"Who made it current; missing where it came by itself."`
	EndedAt    *time.Time `json:"ended_at,omitempty" doc:"When it was superseded, overtaken or rejected."`
	Holds      []string   `json:"holds,omitempty" enum:"cooldown,approval,rolled_back,verification,verification_failed" doc:"Why it is held."`
	HeldUntil  *time.Time `json:"held_until,omitempty" doc:"When its cooldown ends."`
	Trust      Trust      `json:"trust"`
	Build      *Build     `json:"build,omitempty" doc:"Missing where the image says nothing of it."`
	Hosts      []HostCopy `json:"hosts,omitzero" doc:"In the order of the configuration; missing in a history."`
}

// Trust is what is known of whether a digest may be warmed.
type Trust struct {
	Rejected   bool       `json:"rejected,omitempty" doc:"Somebody went back from the digest."`
	ApprovedAt *time.Time `json:"approved_at,omitempty"`
	ApprovedBy string     `json:"approved_by,omitempty" doc:"Who approved it, as they said."`
	Verdict    *Verdict   `json:"verdict,omitempty" doc:"Of the last verification; missing: there was none."`
}

// Verdict is what a verification said.
type Verdict struct {
	At       time.Time `json:"at"`
	Seconds  float64   `json:"seconds" doc:"How long it took."`
	OK       bool      `json:"ok"`
	ExitCode int       `json:"exit_code"`
	Output   string    `json:"output,omitempty" doc:"The end of what it printed."`
	Failure  string    `json:"failure,omitempty" doc:"Why it could not be carried out."`
}

// Build is what an image says of the source that it was built of. Nothing of it
// is proven.
type Build struct {
	Revision  string     `json:"revision,omitempty"`
	Source    string     `json:"source,omitempty"`
	Version   string     `json:"version,omitempty"`
	CreatedAt *time.Time `json:"created_at,omitempty"`
}
