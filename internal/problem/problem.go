// Package problem holds the error that a reader gets: what was tried, on what,
// why it failed and what to do, under a code that stays the same between
// releases. The domain returns it, the HTTP API turns it into RFC 9457 problem
// details, the command line prints it.
package problem

import (
	"errors"
	"fmt"
	"time"
)

// Code names a kind of failure. Codes are part of the API: programs branch on
// them, so a code is never renamed or reused.
type Code string

// The codes, in the order in which a reader is likely to meet them.
const (
	InvalidRequest      Code = "invalid_request"      // a field of the request is wrong
	InvalidConfig       Code = "invalid_config"       // the configuration was refused
	ImageNotManaged     Code = "image_not_managed"    // no entry of the configuration answers to the name
	DigestNotManaged    Code = "digest_not_managed"   // the digest is not current for its image
	HostNotManaged      Code = "host_not_managed"     // no host of that name in the configuration
	HostNotSelected     Code = "host_not_selected"    // the image is not meant for that host
	RunNotFound         Code = "run_not_found"        // no run of that id
	NoCurrent           Code = "no_current"           // nothing of the image has been promoted yet
	RolloutNotFound     Code = "rollout_not_found"    // the image has no such digest to approve or to go back to
	NotVerified         Code = "not_verified"         // the verification of the digest said no
	ImageNotWarm        Code = "image_not_warm"       // the digest is warm on no host that could run it
	QueueFull           Code = "queue_full"           // too many runs wait already
	Stopping            Code = "stopping"             // the server is shutting down
	TagNotFound         Code = "tag_not_found"        // the registry says that the tag is not there
	RegistryAuth        Code = "registry_auth"        // the registry refuses the credentials
	RegistryLimited     Code = "registry_limited"     // the registry says: too many requests
	RegistryUnavailable Code = "registry_unavailable" // the registry is down, slow or broken
	RegistryAnswer      Code = "registry_answer"      // the registry answered something that makes no sense
	PlatformMissing     Code = "platform_missing"     // the image has nothing for the host's platform
	HostUnreachable     Code = "host_unreachable"     // the engine does not answer
	EngineAPI           Code = "engine_api"           // the engine answered with an error
	EngineRestarted     Code = "engine_restarted"     // the engine was restarted under a run
	ContainerLost       Code = "container_lost"       // the container is gone
	ImageLost           Code = "image_lost"           // the image went away between its check and its use
	NoSpace             Code = "no_space"             // the host's disk is full
	PullStalled         Code = "pull_stalled"         // a pull made no progress
	StartFailed         Code = "start_failed"         // the container could not be started: command, user, mount …
	ServerUnreachable   Code = "server_unreachable"   // the command line found no server
	ServerLost          Code = "server_lost"          // the connection broke after a request was sent
	ListenFailed        Code = "listen_failed"        // the address is taken or can't be used
	StateLocked         Code = "state_locked"         // another server uses this state
	StateCorrupt        Code = "state_corrupt"        // the state can't be read
	Internal            Code = "internal"             // a fault of Prewarm itself
)

// Error is a failure told to a reader.
type Error struct {
	Code Code
	// Message says what was tried, on what, and why it failed: one sentence
	// without a full stop, lower case, like any Go error.
	Message string
	// Mend says what the reader can do about it. It may be empty.
	Mend string
	// RetryAfter is how long to wait before the same is worth trying again;
	// zero says nothing.
	RetryAfter time.Duration
	// Err is the cause, when there is one that adds to Message.
	Err error
}

// New makes an Error of a code, a message and its mend.
func New(code Code, message, mend string) *Error {
	return &Error{Code: code, Message: message, Mend: mend}
}

// Wrap makes an Error around a cause.
func Wrap(code Code, err error, message, mend string) *Error {
	return &Error{Code: code, Message: message, Mend: mend, Err: err}
}

// Error gives the message and its cause, without the mend.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return fmt.Sprintf("%s: %v", e.Message, e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// From finds the Error in err's chain; an error without one is Internal. The
// nil error has none: ask for it only where there is one.
func From(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: Internal, Message: err.Error()}
}

// CodeOf gives the code of err, or the empty code for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return From(err).Code
}
