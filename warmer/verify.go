package warmer

import (
	"context"
	"time"
)

// Verification is a program that says whether a digest may be warmed.
type Verification struct {
	// Command is the program with its arguments, each a template of a
	// VerifySubject: {{.Pin}}.
	Command []string
	Timeout time.Duration
}

// VerifySubject is what a verification is about.
type VerifySubject struct {
	Pin        string
	Repository string
	Digest     string
	Tag        string // empty where a digest is tracked
	Image      string
}

// Verdict is what a verification said.
type Verdict struct {
	At       time.Time     `json:"at"`
	Took     time.Duration `json:"took"`
	OK       bool          `json:"ok"` // it ended with code 0
	ExitCode int           `json:"exit_code"`
	Output   string        `json:"output,omitempty"` // the end of what it printed
	// Failure is why it could not be carried out; empty where it was.
	Failure string `json:"failure,omitempty"`
}

// Verifier carries verifications out.
type Verifier interface {
	// Verify runs a program to its end, or to its time limit. It never fails:
	// what went wrong is in the verdict.
	Verify(ctx context.Context, v Verification, subject VerifySubject) Verdict
}

func subjectOf(r Rollout) VerifySubject {
	return VerifySubject{
		Image: r.Track.Image, Repository: r.Pin.Repository().String(), Tag: r.Track.Tag,
		Digest: string(r.Pin.Digest()), Pin: r.Pin.String(),
	}
}
