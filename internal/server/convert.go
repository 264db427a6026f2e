package server

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/prewarm/prewarm/internal/api"
	"github.com/prewarm/prewarm/internal/problem"
	"github.com/prewarm/prewarm/runner"
)

// when writes a time that may not have come.
func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// specOf reads what a submit wants executed.
func specOf(r api.SubmitRun) (runner.Spec, error) {
	for i, e := range r.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			// Not repeated: it may be a secret that lost its name.
			return runner.Spec{}, problem.New(problem.InvalidRequest, fmt.Sprintf("env[%d]: it is no NAME=value", i), "write each as NAME=value")
		}
	}
	cpus := int64(math.Round(r.CPUs * 1e9))
	if r.CPUs > 0 && cpus == 0 {
		return runner.Spec{}, problem.New(problem.InvalidRequest, fmt.Sprintf("cpus: %g is less than a billionth", r.CPUs), "leave it out for no limit")
	}
	return runner.Spec{
		Image: r.Image, Command: r.Command, Entrypoint: r.Entrypoint, Env: r.Env, Network: r.Network, User: r.User, Workdir: r.Workdir,
		Memory: r.Memory, NanoCPUs: cpus,
	}, nil
}

func runOf(r runner.Run) api.Run {
	run := api.Run{
		ID: r.ID, State: string(r.State), Ended: r.State.Ended(), Image: r.Image, Asked: r.Spec.Image, Pin: r.Pin.String(), Command: r.Spec.Command,
		Host: r.Host, ContainerID: r.ContainerID, OOMKilled: r.OOMKilled, Reason: string(r.Reason), Detail: r.Detail,
		SubmittedAt: r.Submitted, PlacedAt: when(r.Placed), StartedAt: when(r.Started), FirstLineAt: when(r.FirstLine), EndedAt: when(r.Ended),
	}
	if r.Exited {
		run.ExitCode = &r.ExitCode
	}
	return run
}

func lineOf(e runner.Entry) api.LogLine {
	return api.LogLine{Seq: e.Seq, Time: e.Time, Stream: string(e.Stream), Text: e.Text, Open: e.Open}
}
