package warmer

import (
	"time"

	"github.com/prewarm/prewarm/registry"
)

// Phase is how far a rollout is.
type Phase string

// The phases. Only one rollout of a track is Current.
const (
	Held       Phase = "held"       // not trusted yet: nothing is pulled
	Warming    Phase = "warming"    // on its way to the selected hosts
	Current    Phase = "current"    // what runs get by name
	Superseded Phase = "superseded" // was current; its copies stay
	Overtaken  Phase = "overtaken"  // never was current: a newer one was ready first
	Rejected   Phase = "rejected"   // was current, until somebody went back: needs an approval to be so again
)

// Rollout is one sighting of a digest on its way to being current.
type Rollout struct {
	ID       string // UUIDv7, so ids sort by sighting
	Track    TrackID
	Pin      registry.Pin
	Manifest registry.Manifest
	Phase    Phase
	Seen     time.Time // when the tag showed the digest, or somebody asked for it
	Promoted time.Time // zero until it became current
	Ended    time.Time // zero until it was superseded, overtaken or rejected
	// PromotedBy is who made it current; empty where it came by itself.
	PromotedBy string
	Trust      Trust
	Origin     Origin
}

// Origin is why a rollout came to be.
type Origin string

// The origins.
const (
	FromTag Origin = "" // the tag showed the digest
	// FromRollback: somebody went back to it. It goes live without regard to
	// windows and holds, and what it replaces is rejected.
	FromRollback Origin = "rollback"
	// FromApproval: somebody approved a digest that was rejected.
	FromApproval Origin = "approval"
)

// Trust is what is known of whether a digest may be warmed. It is written with
// its rollout.
type Trust struct {
	// Rejected tells that the digest was gone back from, so that it needs an
	// approval whatever the policy says.
	Rejected   bool      `json:"rejected,omitempty"`
	Approved   time.Time `json:"approved,omitzero"`
	ApprovedBy string    `json:"approved_by,omitempty"`
	Verdict    *Verdict  `json:"verdict,omitempty"` // nil: not verified yet
	// Leaves is the digest that a rollback goes back from.
	Leaves registry.Digest `json:"leaves,omitempty"`
	// Pardoned is when the digest of a rejected rollout was approved again.
	Pardoned time.Time `json:"pardoned,omitzero"`
}

// Live tells whether hosts are to hold the rollout's digest now.
func (r Rollout) Live() bool { return r.Phase == Warming || r.Phase == Current }

// Open tells whether the rollout may still become something.
func (r Rollout) Open() bool { return r.Phase == Held || r.Live() }

// Reason is why a rollout is held.
type Reason string

// The reasons.
const (
	Cooldown    Reason = "cooldown"            // it is too young
	Approval    Reason = "approval"            // nobody has approved it
	WasRejected Reason = "rolled_back"         // somebody went back from it, and nobody has approved it since
	Unverified  Reason = "verification"        // its verification has not ended
	Refused     Reason = "verification_failed" // its verification said no
)

// Holds tells why a rollout is not to be warmed yet; nothing when it is. An
// approval lets a digest pass its cooldown, too, but never its verification.
func (r Rollout) Holds(p Policy, now time.Time) []Reason {
	var all []Reason
	if r.Trust.Approved.IsZero() {
		switch {
		case r.Trust.Rejected:
			all = append(all, WasRejected)
		case p.Approve:
			all = append(all, Approval)
		}
		if now.Before(r.Seen.Add(p.Cooldown)) {
			all = append(all, Cooldown)
		}
	}
	if p.Verify != nil {
		switch v := r.Trust.Verdict; {
		case v == nil, v.Failure != "":
			all = append(all, Unverified)
		case !v.OK:
			all = append(all, Refused)
		}
	}
	return all
}

// verifiable tells whether a rollout's verification is due. One that could not
// be carried out (no such program, out of time) says nothing of the digest and
// is tried again.
func (r Rollout) verifiable(p Policy, now time.Time) bool {
	if p.Verify == nil {
		return false
	}
	v := r.Trust.Verdict
	return v == nil || v.Failure != "" && !now.Before(v.At.Add(verifyAgain))
}

// verifyAgain is how long after a verification that could not be carried out
// the next one comes.
const verifyAgain = 5 * time.Minute
