package runner

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prewarm/prewarm/internal/notice"
	"github.com/prewarm/prewarm/internal/problem"
)

// noticesOf gives what people are to be told of a change of a run: they are
// written down with it. The same change, written again, is told under the same
// id.
func (r *Runner) noticesOf(l *live, before, after Run) []notice.Event {
	kind := newsOf(before, after)
	if kind == "" {
		return nil
	}
	e := notice.New(kind)
	r.mu.Lock()
	defer r.mu.Unlock()
	if l.news == nil {
		l.news = make(map[notice.Kind]string)
	}
	if l.news[kind] == "" {
		l.news[kind] = e.ID
	}
	e.ID = l.news[kind]
	if h := r.hostOf(after.Host); h != nil {
		e.HostLabels = h.Labels
	}
	after.describe(&e)
	return []notice.Event{e}
}

// newsOf tells of what kind the news of a change is; empty: it is none.
func newsOf(before, after Run) notice.Kind {
	switch {
	case before.State.Ended():
		return ""
	case after.State.Ended():
		return after.news()
	case before.ContainerID == "" && after.ContainerID != "":
		return notice.RunStarted
	case before.Orphaned.IsZero() && !after.Orphaned.IsZero():
		return notice.RunOrphaned
	}
	return ""
}

// news tells of what kind an outcome is, for people. One that another run took
// the place of, or whose work another run did, is that one's to tell.
func (r Run) news() notice.Kind {
	switch {
	case r.SameAs != "", r.Reason == problem.Replaced:
		return ""
	case r.State == Succeeded:
		return notice.RunSucceeded
	case r.State == Canceled:
		return notice.RunCanceled
	case r.State == Lost:
		return notice.RunLost
	case r.State == Failed && !r.OOMKilled && slices.Contains(r.Terms.SkipExitCodes, r.ExitCode):
		return notice.RunSkipped
	case r.Terms.Try < r.Terms.Tries:
		return notice.RunRetrying
	default:
		return notice.RunFailed
	}
}

// describe says what happened to the run.
func (r Run) describe(e *notice.Event) {
	e.Image, e.Host = r.Image, r.Host
	if tag, ok := strings.CutPrefix(r.Track, r.Image+":"); ok {
		e.Tag = tag
	}
	if !r.Pin.IsZero() {
		e.Digest = string(r.Pin.Digest())
	}
	e.Detail, e.Mend = r.story(e.Kind), r.mend(e.Kind)
	if slices.Contains([]problem.Code{problem.ContactLost, problem.EngineReplaced, problem.EngineRestarted}, r.Reason) {
		e.Cause = "host:" + r.Host
	}
	e.Run = &notice.Run{
		ID: r.ID, Namespace: r.Terms.Namespace, Task: r.Terms.Key, State: string(r.State), Reason: string(r.Reason),
		ExitCode: r.ExitCode, Exited: r.Exited, Try: r.Terms.Try, Tries: r.Terms.Tries, Meta: r.Terms.Meta,
		Submitted: r.Submitted, Started: r.Started, Ended: r.Ended,
	}
	if e.Run.Task == "" {
		e.Run.Task = r.ID
	}
}

// story is a sentence about what happened.
func (r Run) story(kind notice.Kind) string {
	switch {
	case kind == notice.RunStarted:
		return "its container starts on host " + r.Host
	case kind == notice.RunOrphaned:
		return fmt.Sprintf("nobody has asked for it for longer than its keepalive of %s; it goes on", r.Terms.Keepalive)
	case r.Detail != "":
		return r.Detail
	case r.Reason == problem.CancelAsked:
		return "somebody canceled it"
	case r.Reason == problem.CallerSilent:
		return fmt.Sprintf("it was stopped: nobody had asked for it for longer than its keepalive of %s", r.Terms.Keepalive)
	case r.Reason == problem.DeadlinePassed:
		return fmt.Sprintf("it was stopped: it took longer than its deadline of %s allows", r.Terms.Limit)
	case r.Signal > 0:
		return fmt.Sprintf("signal %d ended its program", r.Signal)
	}
	return notice.Ended(r.ExitCode)
}

// mend says what to do about an outcome; nothing where the story does.
func (r Run) mend(kind notice.Kind) string {
	switch {
	case kind == notice.RunOrphaned:
		return "whoever submitted it may be gone: prewarm wait " + r.ID + " looks after it, prewarm cancel " + r.ID + " ends it"
	case kind == notice.RunLost && r.Owed:
		return "look what became of host " + r.Host + "; its key is free once the host answers, or by prewarm release " + r.ID
	case kind != notice.RunFailed && kind != notice.RunRetrying:
		return ""
	case r.Reason == problem.OutOfMemory:
		return "give it more memory, or find out what took it: prewarm logs " + r.ID
	case r.State == Interrupted:
		return "find out how far it came, then submit it again: prewarm logs " + r.ID
	case r.ContainerID != "":
		return "see what it printed: prewarm logs " + r.ID
	}
	return ""
}
