package warmer

import (
	"time"

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

// Track is one tracked tag of an image: the unit that has rollouts and one
// current digest.
type Track struct {
	ID         TrackID
	Repository registry.Repository
	// Digest is what to follow where ID.Tag is empty; such a track asks no
	// registry what is newest.
	Digest registry.Digest
	// Hosts are the names of the selected hosts, in the order of the
	// configuration.
	Hosts []string
}

// Phase is how far a rollout is.
type Phase string

// The phases. Only one rollout of a track is Current.
const (
	Warming    Phase = "warming"    // on its way to the selected hosts
	Current    Phase = "current"    // what runs get by name
	Superseded Phase = "superseded" // was current; its copies stay
	Overtaken  Phase = "overtaken"  // never was current: a newer one was ready first
)

// Rollout is one sighting of a digest on its way to being current.
type Rollout struct {
	ID       string // UUIDv7, so ids sort by sighting
	Track    TrackID
	Pin      registry.Pin
	Manifest registry.Manifest
	Phase    Phase
	Seen     time.Time // when the tag showed the digest
	Promoted time.Time // zero until it became current
	Ended    time.Time // zero until it was superseded or overtaken
}

// Live tells whether hosts are to hold the rollout's digest now.
func (r Rollout) Live() bool { return r.Phase == Warming || r.Phase == Current }
