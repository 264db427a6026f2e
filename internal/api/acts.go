package api

import "time"

// ApproveRequest lets a digest pass.
type ApproveRequest struct {
	Digest string `json:"digest" minLength:"1" maxLength:"71" doc:"The digest, or the beginning of it, with or without sha256:." example:"sha256:3f1d9c5b2a6e"`
	By     string `json:"by,omitempty" maxLength:"256" doc:"Who approves it, as they say." example:"ada@laptop"`
}

// HoldRequest stops promotions, or lets them go on.
type HoldRequest struct {
	By string `json:"by,omitempty" maxLength:"256" doc:"Who asks, as they say." example:"ada@laptop"`
}

// RollbackRequest goes back to an earlier digest.
type RollbackRequest struct {
	Digest string `json:"digest,omitempty" maxLength:"71" doc:"A digest that was current, or the beginning of it. Left out: the one that was current before."`
	By     string `json:"by,omitempty" maxLength:"256" doc:"Who goes back, as they say." example:"ada@laptop"`
}

// Decision is the answer to an approval or a rollback.
type Decision struct {
	Image   string  `json:"image"`
	Rollout Rollout `json:"rollout" doc:"What the digest is now."`
	Left    string  `json:"left,omitempty" doc:"Of a rollback: the digest that is rejected, now or as soon as the other one is current."`
}

// History is what became of an image's digests, and what people did to it.
type History struct {
	Image    string    `json:"image"`
	Rollouts []Rollout `json:"rollouts" doc:"Newest first."`
	Acts     []Act     `json:"acts" doc:"Newest first."`
}

// Act is something that somebody did.
type Act struct {
	At     time.Time `json:"at"`
	Verb   string    `json:"verb" enum:"approve,hold,unhold,rollback,pause,resume,drain,undrain"`
	By     string    `json:"by,omitempty" doc:"Who, as they said."`
	Tag    string    `json:"tag,omitempty"`
	Digest string    `json:"digest,omitempty"`
	Detail string    `json:"detail,omitempty"`
}
