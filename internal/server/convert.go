package server

import (
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/runner"
)

// when writes a time that may not have come.
func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// seconds from one time to another, or until now where the latter has not come;
// 0 where the former has not.
func seconds(from, to, now time.Time) float64 {
	if from.IsZero() {
		return 0
	}
	if to.IsZero() {
		to = now
	}
	return max(to.Sub(from).Seconds(), 0) // clocks are set back
}

func runOf(r runner.Run, now time.Time) api.Run {
	run := api.Run{
		ID: r.ID, State: string(r.State), Ended: r.State.Ended(), Image: r.Image, Namespace: r.Terms.Namespace, Asked: r.Asked.Image, Pin: r.Pin.String(), Command: r.Spec.Command,
		Key: r.Terms.Key, Epoch: r.Terms.Epoch, PinScope: r.Terms.Scope, Group: r.Terms.Group, Priority: r.Terms.Priority, Meta: r.Terms.Meta,
		Try: r.Terms.Try, Tries: r.Terms.Tries, Skips: r.Terms.SkipExitCodes,
		After: r.After, SameAs: r.SameAs, Rejected: r.Rejected, Waiting: r.Waiting,
		Host: r.Host, Engine: r.EngineVersion, Container: r.ContainerID,
		Signal: r.Signal, OOMKilled: r.OOMKilled, Reason: string(r.Reason), Detail: r.Detail, Result: r.Result,
		Stop: string(r.Stop.Why), StopOwed: r.Owed, Unreachable: when(r.Unreachable), Unattended: when(r.Unattended),
		Log:         api.RunLog(r.Log),
		SubmittedAt: r.Submitted, PlacedAt: when(r.Placed), StartedAt: when(r.Started), FirstLineAt: when(r.FirstLine), EndedAt: when(r.Ended),
	}
	if r.Exited {
		run.ExitCode = &r.ExitCode
	}
	if r.Terms.Limit > 0 {
		run.Deadline = when(r.Submitted.Add(r.Terms.Limit))
	}
	if !r.Ended.IsZero() {
		now = r.Ended
	}
	run.QueueSeconds = seconds(r.Submitted, r.Placed, now)
	run.StartSeconds = seconds(r.Placed, r.Started, now)
	run.RunSeconds = seconds(r.Started, r.Ended, now)
	return run
}
