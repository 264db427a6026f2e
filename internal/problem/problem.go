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
	InvalidRequest      Code = "invalid_request"        // a field of the request is wrong
	InvalidConfig       Code = "invalid_config"         // the configuration was refused
	Unauthenticated     Code = "unauthenticated"        // the request does not say who the caller is, or not believably
	Forbidden           Code = "forbidden"              // the caller may not do that
	TooManyRequests     Code = "too_many_requests"      // the caller asks too often, or follows too much at once
	TokenNotFound       Code = "token_not_found"        // no token of that name or id
	TokenRefused        Code = "token_refused"          // a token like that can't be made, or not be revoked
	ImageNotManaged     Code = "image_not_managed"      // no entry of the configuration answers to the name
	DigestNotManaged    Code = "digest_not_managed"     // the digest is not current for its image
	HostNotManaged      Code = "host_not_managed"       // no host of that name in the configuration
	HostNotSelected     Code = "host_not_selected"      // the image is not meant for that host
	RunNotFound         Code = "run_not_found"          // no run of that id
	NoCurrent           Code = "no_current"             // nothing of the image has been promoted yet
	RolloutNotFound     Code = "rollout_not_found"      // the image has no such digest to approve or to go back to
	NotVerified         Code = "not_verified"           // the verification of the digest said no
	ImageNotWarm        Code = "image_not_warm"         // the digest is warm on no host that could run it
	NotAllowed          Code = "not_allowed"            // the server's policy forbids what the submit asks for
	KeyConflict         Code = "key_conflict"           // the key's active run is another piece of work
	NoHost              Code = "no_host"                // no host fits what the submit asks for
	ScopeNotFound       Code = "scope_not_found"        // no pin scope of that name
	PinCold             Code = "pin_cold"               // a scope's digest is no longer held, and not warm
	PinUnavailable      Code = "pin_unavailable"        // a scope's digest can't be had any more
	ScopeHost           Code = "scope_host_unavailable" // the host of the scope's volume can't be used
	QueueFull           Code = "queue_full"             // too many runs wait already
	ExitCode            Code = "exit_code"              // the program ended with a code that is not 0
	Signaled            Code = "signaled"               // a signal ended the program, and it was not ours
	OutOfMemory         Code = "out_of_memory"          // the kernel ended the program for its memory
	CancelAsked         Code = "canceled"               // somebody canceled the run
	DeadlinePassed      Code = "deadline_passed"        // the run's deadline passed
	CallerSilent        Code = "caller_silent"          // the keepalive passed
	Replaced            Code = "replaced"               // another submit under its key took the run's place
	AlreadySucceeded    Code = "already_succeeded"      // another run of the key did the work
	Released            Code = "released"               // an admin gave the key free
	JoinedSince         Code = "joined_since"           // another call has joined the run, so that one can't cancel it
	NotReleasable       Code = "not_releasable"         // the run claims nothing that could be given free
	ContactLost         Code = "contact_lost"           // the host did not answer until the deadline
	EngineReplaced      Code = "engine_replaced"        // another engine answers for the host
	ResultMissing       Code = "result_missing"         // the program left no result file
	ResultInvalid       Code = "result_invalid"         // the result file is no JSON
	ResultTooLarge      Code = "result_too_large"       // the result file is over the limit
	VolumeInUse         Code = "volume_in_use"          // a container uses the volume
	ImageInUse          Code = "image_in_use"           // a container, or an image built on it, uses the image
	ImageLeaving        Code = "image_leaving"          // the image is being removed from a host at this moment
	PruneStopped        Code = "prune_stopped"          // a removal did not do what was predicted
	RouteNotFound       Code = "route_not_found"        // no route of notices of that name
	NoticeFailed        Code = "notice_failed"          // a route's channel did not take a notice
	LogRemoved          Code = "log_removed"            // retention has removed the run's log
	WebhookNotFound     Code = "webhook_not_found"      // no webhook of that name, or at that address
	WebhookDenied       Code = "webhook_denied"         // a delivery does not prove who sent it
	WebhookBody         Code = "webhook_body"           // a delivery is not what its sender's kind sends
	WebhookBusy         Code = "webhook_busy"           // more deliveries wait to be written down than can
	Stopping            Code = "stopping"               // the server is shutting down
	TagNotFound         Code = "tag_not_found"          // the registry says that the tag is not there
	RegistryAuth        Code = "registry_auth"          // the registry refuses the credentials
	RegistryLimited     Code = "registry_limited"       // the registry says: too many requests
	RegistryUnavailable Code = "registry_unavailable"   // the registry is down, slow or broken
	RegistryAnswer      Code = "registry_answer"        // the registry answered something that makes no sense
	PlatformMissing     Code = "platform_missing"       // the image has nothing for the host's platform
	HostUnreachable     Code = "host_unreachable"       // the engine does not answer
	EngineAPI           Code = "engine_api"             // the engine answered with an error
	EngineRestarted     Code = "engine_restarted"       // the engine was restarted under a run
	ContainerLost       Code = "container_lost"         // the container is gone
	ImageLost           Code = "image_lost"             // the image went away between its check and its use
	NoSpace             Code = "no_space"               // the host's disk is full
	PullStalled         Code = "pull_stalled"           // a pull made no progress
	StartFailed         Code = "start_failed"           // the container could not be started: command, user, mount …
	ServerUnreachable   Code = "server_unreachable"     // the command line found no server
	ServerLost          Code = "server_lost"            // the connection broke after a request was sent
	ListenFailed        Code = "listen_failed"          // the address is taken or can't be used
	StateLocked         Code = "state_locked"           // another server uses this state
	StateCorrupt        Code = "state_corrupt"          // the state can't be read
	StateNewer          Code = "state_newer"            // the state, or a backup of it, is a later release's
	StateNotEmpty       Code = "state_not_empty"        // a restore found a state in the folder
	StateRestored       Code = "state_restored"         // the run waited when the backup was made that the state comes from
	BackupUnderWay      Code = "backup_under_way"       // another backup is being made
	BackupBroken        Code = "backup_broken"          // the file is no whole backup
	Internal            Code = "internal"               // a fault of Prewarm itself
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
