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

// startVerify carries a verification out, in a goroutine of its own, and writes
// its verdict down.
func (w *Warmer) startVerify(v Verify) {
	id := v.Rollout.ID
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.verifying[id] || w.opts.Verifier == nil || w.life == nil {
		return
	}
	w.verifying[id] = true
	w.started.Go(func() {
		verdict := w.opts.Verifier.Verify(w.life, v.By, subjectOf(v.Rollout))
		if w.life.Err() == nil {
			w.judged(v.Rollout, verdict)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.verifying, id)
		w.Kick()
	})
}

// judged writes a verdict down.
func (w *Warmer) judged(r Rollout, v Verdict) {
	w.deciding.Lock()
	defer w.deciding.Unlock()
	w.mu.Lock()
	t := w.trackOf(r.Track)
	if t != nil {
		r, _ = t.byID(r.ID)
	}
	w.mu.Unlock()
	if t == nil || r.Phase != Held {
		return // it was overtaken meanwhile
	}
	r.Trust.Verdict = &v
	if err := w.opts.Store.Save(w.life, Change{Rollouts: []Rollout{r}}); err != nil {
		w.log.Error("verdict not written down; the digest is verified again", "image", r.Track.String(), "digest", r.Pin.Digest(), "error", err)
		return
	}
	w.apply([]Rollout{r})
	attrs := []any{"image", r.Track.String(), "digest", r.Pin.Digest(), "exit_code", v.ExitCode, "took", v.Took.Round(time.Millisecond)}
	switch {
	case v.Failure != "":
		w.log.Warn("digest not verified; held, and tried again", append(attrs, "error", v.Failure)...)
	case !v.OK:
		w.log.Warn("digest refused by its verification; held", append(attrs, "output", v.Output)...)
	default:
		w.log.Info("digest verified", attrs...)
	}
}
