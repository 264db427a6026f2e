package warmer

import (
	"time"

	"github.com/prewarm/prewarm/internal/schedule"
	"github.com/prewarm/prewarm/internal/selection"
	"github.com/prewarm/prewarm/registry"
)

// TrackID names one tracked tag of an image. Tag is empty where the image
// follows a digest that the configuration names.
type TrackID struct {
	Image string
	Tag   string
}

// String is how people name the track in a submit: node-jobs:1.4.2.
func (id TrackID) String() string {
	if id.Tag == "" {
		return id.Image
	}
	return id.Image + ":" + id.Tag
}

// Entry is one image of the configuration. It tracks one tag, one digest, or
// the tags that a selection chooses.
type Entry struct {
	Image      string
	Repository registry.Repository
	Tag        string
	Digest     registry.Digest
	Select     selection.Spec
	// Hosts are the names of the selected hosts, in the order of the
	// configuration.
	Hosts  []string
	Policy Policy
}

// Policy says what a digest has to pass before it is warmed and promoted.
type Policy struct {
	Promote Promotion
	// Pulls are the windows in which the pulls of new digests may start; none:
	// always. What is current, and what a run waits for, is pulled at any time.
	Pulls schedule.Windows
	// Cooldown is how old a sighting must be before it is warmed.
	Cooldown time.Duration
	// Approve asks for somebody's approval of each digest.
	Approve bool
	// Verify is nil where digests are not verified.
	Verify *Verification
	// Retag moves the tag on the hosts, too, once its digest is current.
	Retag bool
	// Keep is how many superseded digests stay warm for a rollback.
	Keep int
}

// Promotion says when a rollout becomes current.
type Promotion struct {
	// Percent of the hosts that count must be warm, rounded up; All, or Any for
	// one host.
	Percent int
	// Straggler is how long a host that fails is waited for.
	Straggler time.Duration
	// Windows are the times at which it may happen; none: always. A first
	// promotion waits for none: there is nothing that it could break.
	Windows schedule.Windows
}

// The ends of Promotion.Percent.
const (
	Any = 0
	All = 100
)

// Track is one tracked tag of an image: the unit that has rollouts and one
// current digest.
type Track struct {
	ID         TrackID
	Repository registry.Repository
	// Digest is what to follow where ID.Tag is empty; such a track asks no
	// registry what is newest.
	Digest registry.Digest
	Hosts  []string
	Policy Policy
}

// track makes the Track of one of the entry's tags.
func (e Entry) track(tag string) Track {
	return Track{ID: TrackID{Image: e.Image, Tag: tag}, Repository: e.Repository, Digest: e.Digest, Hosts: e.Hosts, Policy: e.Policy}
}

// tags gives the tags that the entry tracks, given those that its selection
// chose last.
func (e Entry) tags(chosen []string) []string {
	if e.Select.IsZero() {
		return []string{e.Tag}
	}
	return chosen
}
